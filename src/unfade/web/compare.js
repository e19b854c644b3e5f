// Before and after, one over the other. `value` holds {before, after, changes, most, width, height}:
// three addresses, the change in levels that is drawn brightest, the size of the photo in pixels.
const find = (name) => element.querySelector(name);
const box = find('.uf-compare'), stack = find('.uf-stack'), at = find('.uf-at');
const view = find('.uf-view'), zooms = element.querySelectorAll('[data-zoom]');
const address = (path) => `gradio_api/file=${path.split('/').map(encodeURIComponent).join('/')}`;
const GRIP = 24; // pixels beside the line at which it is taken hold of
let held = null; // the last place of the pointer, and whether it moves the line
let peeked = null; // where the line was before "Hold to see before"

function load() {
  const shown = props.value;
  box.hidden = !shown || !shown.before;
  if (box.hidden) return;
  find('.uf-before').src = address(shown.before);
  find('.uf-after').src = address(shown.after);
  find('.uf-changes').src = address(shown.changes);
  find('.uf-most').textContent = `${shown.most} of 255 levels or more`;
  mark(false);
  stack.style.setProperty('--ratio', shown.width / shown.height);
  at.value = 50; peeked = null;
  split(); zoom(0);
}

function split() {
  stack.style.setProperty('--at', `${at.value}%`);
}

// The line goes to the right end, so that all of the photo before is seen.
function peek(on) {
  if (on === (peeked !== null)) return;
  if (on) { peeked = at.value; at.value = 100; }
  else { at.value = peeked; peeked = null; }
  split();
}

// Changes lie over the result; the line goes left, so that all of it is seen.
function mark(on) {
  find('.uf-changes').hidden = find('.uf-legend').hidden = !on;
  find('.uf-mark').setAttribute('aria-pressed', String(on));
  if (on) { at.value = 0; split(); }
}

// 0 fits the photo into the page, 1 is one pixel of the photo to one of the screen.
function zoom(times) {
  const x = (view.scrollLeft + view.clientWidth / 2) / view.scrollWidth;
  const y = (view.scrollTop + view.clientHeight / 2) / view.scrollHeight;
  stack.style.width = times ? `${times * props.value.width / devicePixelRatio}px` : '';
  stack.classList.toggle('uf-zoomed', times > 0);
  for (const button of zooms)
    button.setAttribute('aria-pressed', String(Number(button.dataset.zoom) === times));
  view.scrollTo(x * view.scrollWidth - view.clientWidth / 2,
                y * view.scrollHeight - view.clientHeight / 2);
}

function follow(event) {
  const area = stack.getBoundingClientRect();
  at.value = 100 * (event.clientX - area.left) / area.width;
  split();
}

// Where the photo is larger than the view, dragging beside the line moves the photo.
stack.addEventListener('pointerdown', (event) => {
  if (event.button > 0 || !event.isPrimary) return;
  event.preventDefault();
  const area = stack.getBoundingClientRect();
  const line = area.left + area.width * at.value / 100;
  const larger = view.scrollWidth > view.clientWidth || view.scrollHeight > view.clientHeight;
  held = { x: event.clientX, y: event.clientY,
           line: !larger || Math.abs(event.clientX - line) <= GRIP };
  stack.setPointerCapture(event.pointerId);
  if (held.line) follow(event);
});
stack.addEventListener('pointermove', (event) => {
  if (!held || !event.isPrimary) return;
  if (held.line) follow(event);
  else view.scrollBy(held.x - event.clientX, held.y - event.clientY);
  held.x = event.clientX; held.y = event.clientY;
});
for (const name of ['pointerup', 'pointercancel'])
  stack.addEventListener(name, () => { held = null; });
// 1 is one pixel of the photo to one of the screen; the least is what fits.
const scale = () => stack.getBoundingClientRect().width * devicePixelRatio / props.value.width;
const fitted = () => {
  const width = Math.min(view.clientWidth,
    parseFloat(getComputedStyle(view).maxHeight) * props.value.width / props.value.height);
  return width * devicePixelRatio / props.value.width;
};
zoomable(view, stack, scale, (times) => zoom(times <= 1.001 * fitted() ? 0 : times),
  () => [fitted(), Math.max(8, fitted())], () => { held = null; });
at.addEventListener('input', split);
const hold = find('.uf-hold');
for (const [name, on] of [['pointerdown', true], ['pointerup', false], ['pointercancel', false],
  ['pointerleave', false], ['blur', false]])
  hold.addEventListener(name, () => peek(on));
hold.addEventListener('contextmenu', (event) => event.preventDefault()); // of a long touch
for (const [name, on] of [['keydown', true], ['keyup', false]])
  hold.addEventListener(name, (event) => {
    if (event.key === ' ' || event.key === 'Enter') { event.preventDefault(); peek(on); }
  });
find('.uf-mark').addEventListener('click', () => mark(find('.uf-changes').hidden));
for (const button of zooms)
  button.addEventListener('click', () => zoom(Number(button.dataset.zoom)));
watch('value', load);
load();
