// The wheel and two fingers zoom what lies in a view, about the place under them; two fingers move it
// too. `get` gives the zoom, `set` sets it; `bounds` gives the least and the largest; `begin` is
// called when the second finger comes.
function zoomable(view, target, get, set, bounds, begin) {
  const within = (times) => Math.min(bounds()[1], Math.max(bounds()[0], times));
  const about = (x, y, times) => {
    const before = target.getBoundingClientRect();
    const across = (x - before.left) / before.width, down = (y - before.top) / before.height;
    set(within(times));
    const after = target.getBoundingClientRect();
    view.scrollBy(after.left + across * after.width - x, after.top + down * after.height - y);
  };
  target.addEventListener('wheel', (event) => {
    const times = get() * 2 ** (-event.deltaY * (event.deltaMode ? 33 : 1) / 200);
    // Where nothing is left to be zoomed, the wheel scrolls the page; so it does to the side.
    if (!event.ctrlKey && (event.shiftKey || within(times) === get())) return;
    event.preventDefault();
    about(event.clientX, event.clientY, times);
  }, { passive: false });
  let pinch = null;
  const two = ([a, b]) => ({ x: (a.clientX + b.clientX) / 2, y: (a.clientY + b.clientY) / 2,
    apart: Math.max(1, Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY)) });
  target.addEventListener('touchstart', (event) => {
    if (event.touches.length !== 2) return;
    event.preventDefault();
    begin();
    pinch = { ...two(event.touches), times: get() };
  }, { passive: false });
  target.addEventListener('touchmove', (event) => {
    if (!pinch || event.touches.length !== 2) return;
    event.preventDefault();
    const now = two(event.touches), top = view.scrollTop;
    view.scrollBy(pinch.x - now.x, pinch.y - now.y);
    if (view.scrollTop === top) scrollBy(0, pinch.y - now.y); // the page, where the photo ends
    about(now.x, now.y, pinch.times * now.apart / pinch.apart);
    pinch.x = now.x; pinch.y = now.y;
  }, { passive: false });
  for (const name of ['touchend', 'touchcancel'])
    target.addEventListener(name, () => { pinch = null; });
}
