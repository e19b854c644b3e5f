// The mask editor. `value` from the server holds a scene (photo, mask, size); what goes back is
// {id, sensitivity, layer, tints, colours}. The layer is a gray PNG of the scene's size, 0 = as
// found, 64 = protected, 128 = erased, 255 = added; the tints another one, 0 = none, else the number
// of the colour from 1.
const KEEP = 0, PROTECT = 64, REMOVE = 128, ADD = 255;
const DAMAGE = [255, 30, 60], PROTECTED = [30, 110, 255];
const PAINTS = { brush: ADD, eraser: REMOVE, protect: PROTECT };
const find = (name) => element.querySelector(name);
const box = find('.uf-editor'), canvas = find('.uf-canvas'), view = find('.uf-view');
const pen = canvas.getContext('2d');
const sheet = document.createElement('canvas');
let scene = null, photo = null, found = null, edits = null, tints = null, past = [];
let colours = [], chosen = 0;
// Where fingers paint, scrolling must not: there painting begins with the choice of a brush.
let tool = matchMedia('(pointer: coarse)').matches ? 'move' : 'brush';
let last = null, waiting = false, cursor = null;
const stage = document.querySelector('#uf-stage');
let zoomed = 1, mends = true;
let kept_ms = 0; // when the server was told last what is painted

async function picture(url) {
  const image = new Image();
  image.src = url;
  await image.decode();
  return image;
}

function grays(image, width, height) {
  const scratch = document.createElement('canvas');
  scratch.width = width; scratch.height = height;
  const context = scratch.getContext('2d', { willReadFrequently: true });
  context.drawImage(image, 0, 0, width, height);
  const data = context.getImageData(0, 0, width, height).data;
  return Uint8Array.from({ length: width * height }, (_, i) => data[4 * i]);
}

async function load() {
  const next = props.value;
  if (!next || !next.photo) {
    if (!next || !next.id) close();
    return;
  }
  const [image, mask] = await Promise.all(
    [next.photo, next.mask].map((url) => url ? picture(url) : null));
  if (next !== props.value) return; // another one came meanwhile
  const damage = () => mask ? grays(mask, next.width, next.height)
    : new Uint8Array(next.width * next.height);
  if (scene?.id === next.id) { // its search has ended: what was painted stays
    scene = next;
    found = damage();
    mark(); send(); draw();
    return;
  }
  const [layer, painted] = await Promise.all(
    [next.layer, next.tints].map((url) => url ? picture(url) : null));
  scene = next; photo = image; past = []; cursor = null;
  canvas.width = sheet.width = scene.width;
  canvas.height = sheet.height = scene.height;
  canvas.style.setProperty('--ratio', scene.width / scene.height);
  found = damage();
  edits = layer ? grays(layer, scene.width, scene.height) : new Uint8Array(found.length);
  tints = painted ? grays(painted, scene.width, scene.height) : new Uint8Array(found.length);
  colours = [...scene.colours];
  dots(); fit(); mark();
  find('.uf-sensitivity').value = scene.sensitivity;
  box.hidden = false;
  zoom(1);
  box.dataset.photo = scene.name;
  find('.uf-empty').hidden = true;
  send(); draw();
}

// Tools appear with the task that they count for.
function fit() {
  const task = stage.dataset.task ?? 'old-photo';
  const paints = task !== 'super-resolution', tinted = task === scene?.colour_task;
  // Refreshing colours mends no damage.
  mends = paints && !(task === 'colorize' && stage.hasAttribute('data-coloured')
    && stage.dataset.existing !== 'replace');
  for (const part of element.querySelectorAll('.uf-paints')) part.hidden = !paints;
  for (const part of element.querySelectorAll('.uf-mends')) part.hidden = !mends;
  find('.uf-colours').hidden = !tinted;
  if (!paints) use('move');
  else if (tool === 'tint' && !tinted) use('brush');
  else if (!mends && (tool === 'brush' || tool === 'eraser')) use('move');
  draw();
}

function mark() {
  box.dataset.searched = scene.searched;
}

// A colour is a word of the scene's, or #rrggbb.
const code = (colour) => scene.words[colour] ?? colour;
const parts = (colour) => [1, 3, 5].map((i) => parseInt(code(colour).slice(i, i + 2), 16));

function dots() {
  if (find('.uf-dot')) return;
  for (const word of Object.keys(scene.words)) {
    const dot = document.createElement('button');
    dot.type = 'button'; dot.className = 'uf-dot'; dot.title = word;
    dot.setAttribute('aria-label', word);
    dot.setAttribute('aria-pressed', 'false');
    dot.style.background = scene.words[word];
    dot.addEventListener('click', () => choose(word));
    find('.uf-swatches').append(dot);
  }
}

function choose(colour) {
  if (!scene) return;
  chosen = 0;
  if (colour) {
    if (!colours.includes(colour)) colours.push(colour);
    chosen = colours.indexOf(colour) + 1;
  }
  use('tint');
  for (const dot of element.querySelectorAll('.uf-dot'))
    dot.setAttribute('aria-pressed', String(dot.title === colour));
  find('.uf-bare').setAttribute('aria-pressed', String(!colour));
  find('.uf-named').textContent = colour ? `Paint what is to be ${colour}.`
    : 'Paint over colours to take them away.';
}

function close() {
  scene = null;
  box.hidden = true;
  find('.uf-empty').hidden = false;
}

function draw() {
  if (waiting || !scene) return;
  waiting = true;
  requestAnimationFrame(paint);
}

function paint() {
  waiting = false;
  const threshold = scene.thresholds[find('.uf-sensitivity').value];
  const level = Math.max(1, Math.ceil(threshold * 255));
  const image = new ImageData(scene.width, scene.height);
  const inks = find('.uf-colours').hidden ? [] : colours.map(parts);
  let marked = 0;
  for (let i = 0; i < found.length; i++) {
    const damaged = mends && (edits[i] === ADD || (edits[i] === KEEP && found[i] >= level));
    if (damaged) marked++;
    const ink = damaged ? DAMAGE : edits[i] === PROTECT ? PROTECTED : inks[tints[i] - 1];
    if (!ink) continue;
    image.data.set(ink, 4 * i);
    image.data[4 * i + 3] = 165;
  }
  sheet.getContext('2d').putImageData(image, 0, 0);
  pen.drawImage(photo, 0, 0, scene.width, scene.height);
  if ((find('.uf-show').checked || !mends) && !find('.uf-paints').hidden) pen.drawImage(sheet, 0, 0);
  if (cursor) ring(cursor);
  const share = `${(100 * marked / found.length).toFixed(2)} % is marked`
    + (marked > 0.03 * found.length ? '; large areas will be filled smoothly' : '');
  find('.uf-share').textContent = scene.searched ? share
    : scene.mask ? `${share}, at a first look` : '';
}

function ring(point) {
  for (const [colour, width] of [['#000', 3], ['#fff', 1]]) {
    pen.beginPath();
    pen.arc(point.x, point.y, radius(), 0, 7);
    pen.strokeStyle = colour; pen.lineWidth = width; pen.stroke();
  }
}

// Keeps what is in the middle of the view there.
function zoom(times) {
  const x = (view.scrollLeft + view.clientWidth / 2) / view.scrollWidth;
  const y = (view.scrollTop + view.clientHeight / 2) / view.scrollHeight;
  zoomed = times;
  find('.uf-zoom').value = times;
  canvas.style.setProperty('--zoom', times);
  view.scrollTo(x * view.scrollWidth - view.clientWidth / 2,
                y * view.scrollHeight - view.clientHeight / 2);
  point();
}

// The mouse pointer is a ring of the brush's size; browsers show none of more than 128 pixels.
function point() {
  const share = scene ? canvas.getBoundingClientRect().width / scene.width : 1;
  const r = Math.min(62, Math.max(2, radius() * share)), c = Math.ceil(r) + 2;
  const circle = (colour, width) => `<circle cx='${c}' cy='${c}' r='${r}' fill='none' ` +
    `stroke='${colour}' stroke-width='${width}'/>`;
  const ring = `<svg xmlns='http://www.w3.org/2000/svg' width='${2 * c}' height='${2 * c}'>` +
    `${circle('black', 3)}${circle('white', 1)}</svg>`;
  canvas.style.cursor = tool === 'move' ? 'grab'
    : `url("data:image/svg+xml,${encodeURIComponent(ring)}") ${c} ${c}, crosshair`;
}

const radius = () => Number(find('.uf-size').value) / 2;

function stamp(x, y) {
  const r = Math.max(0.5, radius()), plane = tool === 'tint' ? tints : edits;
  const value = tool === 'tint' ? chosen : PAINTS[tool];
  for (let j = Math.max(0, Math.ceil(y - r)); j <= Math.min(scene.height - 1, y + r); j++)
    for (let i = Math.max(0, Math.ceil(x - r)); i <= Math.min(scene.width - 1, x + r); i++)
      if ((i - x) ** 2 + (j - y) ** 2 <= r * r) plane[j * scene.width + i] = value;
}

function stroke(from, to) {
  const steps = Math.max(1, Math.ceil(Math.hypot(to.x - from.x, to.y - from.y)));
  for (let k = 0; k <= steps; k++)
    stamp(from.x + (to.x - from.x) * k / steps, from.y + (to.y - from.y) * k / steps);
  draw();
}

function place(event) {
  const area = canvas.getBoundingClientRect();
  return { x: (event.clientX - area.left) * scene.width / area.width - 0.5,
           y: (event.clientY - area.top) * scene.height / area.height - 0.5 };
}

function remember() {
  past.push([edits.slice(), tints.slice()]);
  if (past.length > 20) past.shift();
}

function layer(values) {
  if (!values.some((value) => value)) return '';
  const scratch = document.createElement('canvas');
  scratch.width = scene.width; scratch.height = scene.height;
  const image = new ImageData(scene.width, scene.height);
  for (let i = 0; i < values.length; i++) {
    image.data.fill(values[i], 4 * i, 4 * i + 3);
    image.data[4 * i + 3] = 255;
  }
  scratch.getContext('2d').putImageData(image, 0, 0);
  return scratch.toDataURL('image/png');
}

function send() {
  const sensitivity = find('.uf-sensitivity').value;
  props.value = { id: scene.id, sensitivity, layer: layer(edits), tints: layer(tints),
    colours: [...colours] };
}

// What was painted is kept by the server: a reload finds it again.
function changed() {
  send();
  kept_ms = Date.now();
  trigger('input');
}

// What is still on its way would be lost: the browser asks before it leaves the page.
addEventListener('beforeunload', (event) => {
  const painting = last && tool !== 'move';
  const sending = document.querySelector('#uf-upload .uploading');
  if (painting || sending || Date.now() - kept_ms < 700) event.preventDefault();
});

function undo() {
  if (past.length) { [edits, tints] = past.pop(); changed(); draw(); }
}

canvas.addEventListener('pointerdown', (event) => {
  if (!scene || event.button > 0 || !event.isPrimary) return;
  if (event.pointerType === 'touch' && tool === 'move') return; // the browser scrolls
  event.preventDefault();
  canvas.focus({ preventScroll: true });
  last = tool === 'move' ? { x: event.clientX, y: event.clientY } : place(event);
  canvas.setPointerCapture(event.pointerId);
  cursor = null;
  if (tool !== 'move') { remember(); stroke(last, last); }
});
canvas.addEventListener('pointermove', (event) => {
  if (!last || !event.isPrimary) return;
  const now = tool === 'move' ? { x: event.clientX, y: event.clientY } : place(event);
  if (tool === 'move') view.scrollBy(last.x - now.x, last.y - now.y);
  else stroke(last, now);
  last = now;
});
for (const name of ['pointerup', 'pointercancel'])
  canvas.addEventListener(name, (event) => {
    if (!event.isPrimary) return;
    if (last && tool !== 'move') changed();
    last = null;
  });
// Two fingers move and zoom whatever tool is chosen; what the first one painted goes.
zoomable(view, canvas, () => zoomed, zoom, () => [1, 8],
  () => { if (last && tool !== 'move') undo(); last = null; });
addEventListener('keydown', (event) => {
  const typing = event.target.closest?.('input:not([type=range], [type=checkbox]), textarea');
  if (event.key !== 'z' || !(event.ctrlKey || event.metaKey) || event.shiftKey || typing) return;
  if (!scene || !box.checkVisibility()) return;
  event.preventDefault();
  undo();
});

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
canvas.addEventListener('keydown', (event) => {
  if (!scene || (!ARROWS[event.key] && event.key !== ' ')) return;
  event.preventDefault();
  cursor ??= { x: scene.width / 2, y: scene.height / 2 };
  const [dx, dy] = ARROWS[event.key] ?? [0, 0], step = event.shiftKey ? 1 : 8;
  cursor = { x: Math.min(scene.width - 1, Math.max(0, cursor.x + dx * step)),
             y: Math.min(scene.height - 1, Math.max(0, cursor.y + dy * step)) };
  if (event.key === ' ' && tool !== 'move') { remember(); stamp(cursor.x, cursor.y); changed(); }
  draw();
});

function use(name) {
  tool = name;
  canvas.style.touchAction = tool === 'move' ? 'pan-x pan-y' : 'none';
  point();
  for (const button of element.querySelectorAll('[data-tool]'))
    button.setAttribute('aria-pressed', String(button.dataset.tool === tool));
  for (const dot of element.querySelectorAll('.uf-dot')) dot.setAttribute('aria-pressed', 'false');
}

for (const button of element.querySelectorAll('[data-tool]:not(.uf-bare)'))
  button.addEventListener('click', () => use(button.dataset.tool));
find('.uf-bare').addEventListener('click', () => choose(''));
find('.uf-own').addEventListener('change', (event) => choose(event.target.value));
find('.uf-undo').addEventListener('click', undo);
find('.uf-clear').addEventListener('click', () => {
  if (scene) { remember(); edits.fill(KEEP); tints.fill(0); changed(); draw(); }
});
find('.uf-zoom').addEventListener('input', (event) => zoom(Number(event.target.value)));
find('.uf-size').addEventListener('input', () => { point(); draw(); });
addEventListener('resize', point);
stage.addEventListener('uf-task', fit);
find('.uf-show').addEventListener('change', draw);
find('.uf-sensitivity').addEventListener('change', () => { if (scene) { changed(); draw(); } });
use(tool);
watch('value', load);
load();
