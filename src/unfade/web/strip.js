// The photos of the visit, the name of the current one, and the choice between the photo and its
// result. `value` holds {photos: [{key, name, thumb, done}], shown, view}: `shown` is the key of the
// current photo, `view` is "edit" or "compare", or null to leave the view as it is.
const find = (name) => element.querySelector(name);
const stage = document.querySelector('#uf-stage');

function load() {
  const { photos = [], shown = '', view = null } = props.value ?? {};
  find('.uf-strip').hidden = !photos.length;
  stage.toggleAttribute('data-photos', photos.length > 0);
  if (props.value?.photos) {
    try { sessionStorage.setItem('unfade-photos', photos.length); } catch { /* not allowed */ }
  }
  const current = photos.find((photo) => photo.key === shown);
  stage.toggleAttribute('data-coloured', !!current?.coloured);
  stage.dispatchEvent(new Event('uf-task')); // tools are those for this photo
  find('.uf-name').textContent = current?.name ?? '';
  find('.uf-views').hidden = !current?.done;
  find('.uf-thumbs').replaceChildren(...photos.map((photo) => thumb(photo, photo === current)));
  const lose = photos.some((photo) => photo.done) ? 'Remove all photos and their results?' : '';
  find('.uf-shelf').replaceChildren(
    find('.uf-thumbs'), button('Start over', 'clear', 'uf-over', {}, lose));
  if (!current?.done) show('edit');
  else if (view) {
    show(view);
    if (view === 'compare') reveal();
  }
}

// With a question, it asks before it does anything.
function button(text, event, kind, data, question = '') {
  const made = document.createElement('button');
  made.type = 'button'; made.textContent = text; made.className = kind;
  made.addEventListener('click', () => {
    if (!question || confirm(question)) trigger(event, data);
  });
  return made;
}

function thumb(photo, current) {
  const box = document.createElement('div'), image = document.createElement('img');
  box.className = 'uf-thumb'; box.dataset.name = photo.name;
  image.src = photo.thumb; image.alt = '';
  const choose = button('', 'select', 'uf-pick', { key: photo.key });
  choose.title = photo.name;
  choose.setAttribute('aria-label', photo.done ? `${photo.name}, restored` : photo.name);
  choose.setAttribute('aria-pressed', String(current));
  choose.append(image);
  const lose = photo.done ? `Remove ${photo.name} and its results?` : '';
  const remove = button('×', 'delete', 'uf-remove', { key: photo.key }, lose);
  remove.setAttribute('aria-label', `Remove ${photo.name}`);
  box.append(choose, remove);
  if (photo.done) box.append(Object.assign(document.createElement('span'),
    { className: 'uf-done', textContent: '✓', title: 'Restored' }));
  return box;
}

function show(view) {
  stage.dataset.view = view;
  for (const one of element.querySelectorAll('[data-view]'))
    one.setAttribute('aria-pressed', String(one.dataset.view === view));
  dispatchEvent(new Event('resize')); // the canvas has its size again
}

// The result is where the visitor looks, whatever was scrolled to before.
function reveal() {
  const calm = matchMedia('(prefers-reduced-motion: reduce)').matches;
  requestAnimationFrame(() => stage.scrollIntoView(
    { behavior: calm ? 'auto' : 'smooth', block: 'start' }));
}

for (const one of element.querySelectorAll('[data-view]'))
  one.addEventListener('click', () => show(one.dataset.view));
watch('value', load);
load();
