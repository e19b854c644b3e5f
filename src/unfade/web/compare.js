// Before and after, one over the other. `value` holds {before, after, width}: two addresses and
// the width of the photo in pixels.
const find = (name) => element.querySelector(name);
const box = find('.uf-compare'), stack = find('.uf-stack'), at = find('.uf-at');
const address = (path) => `gradio_api/file=${path.split('/').map(encodeURIComponent).join('/')}`;
let held = false;

function load() {
  const shown = props.value;
  box.hidden = !shown || !shown.before;
  find('.uf-empty').hidden = !box.hidden;
  if (box.hidden) return;
  find('.uf-before').src = address(shown.before);
  find('.uf-after').src = address(shown.after);
  at.value = 50;
  split(); zoom(false);
}

function split() {
  stack.style.setProperty('--at', `${at.value}%`);
}

function zoom(full) {
  stack.style.width = full ? `${props.value.width / devicePixelRatio}px` : '100%';
  find('.uf-fit').setAttribute('aria-pressed', String(!full));
  find('.uf-full').setAttribute('aria-pressed', String(full));
}

function follow(event) {
  const area = stack.getBoundingClientRect();
  at.value = 100 * (event.clientX - area.left) / area.width;
  split();
}

stack.addEventListener('pointerdown', (event) => {
  held = true;
  stack.setPointerCapture(event.pointerId);
  follow(event);
});
stack.addEventListener('pointermove', (event) => { if (held) follow(event); });
for (const name of ['pointerup', 'pointercancel'])
  stack.addEventListener(name, () => { held = false; });
at.addEventListener('input', split);
find('.uf-fit').addEventListener('click', () => zoom(false));
find('.uf-full').addEventListener('click', () => zoom(true));
watch('value', load);
load();
