// What runs, how far it is, and what came of it. `value` holds {busy, text, alert, share, ready}; while
// something runs, the server is asked again and again what is new.
const find = (name) => element.querySelector(name);
const bar = find('progress'), told = find('.uf-told'), alert = find('.uf-alert');
const EVERY_MS = 400;
let timer = null;

function load() {
  const { busy = false, text = '', alert: failed = '', share = null, ready = false } =
    props.value ?? {};
  if (alert.textContent !== failed) alert.textContent = failed; // it is read aloud once
  alert.hidden = !failed;
  told.hidden = !text;
  told.classList.toggle('uf-ready', ready);
  if (find('span').textContent !== text) find('span').textContent = text;
  bar.hidden = share === null;
  if (share !== null) bar.setAttribute('value', share.toFixed(3));
  told.toggleAttribute('data-busy', busy);
  if (busy) timer ??= setInterval(() => trigger('tick'), EVERY_MS);
  else { clearInterval(timer); timer = null; }
}

watch('value', load);
load();
