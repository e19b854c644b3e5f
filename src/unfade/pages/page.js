"use strict";

// Tables: a click on a head sorts by it, another one the other way round.
for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => {
    const head = button.closest("th");
    const body = head.closest("table").tBodies[0];
    const column = head.cellIndex;
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const key = (row) => row.cells[column].dataset.value;
    const compare = (first, second) => {
      const [a, b] = [key(first), key(second)];
      if (a === undefined || b === undefined) {
        if (a === b) {
          const texts = [first, second].map((row) => row.cells[column].textContent);
          return (down ? -1 : 1) * texts[0].localeCompare(texts[1], undefined, { numeric: true });
        }
        return a === undefined ? 1 : -1; // what has no number comes last either way
      }
      return (down ? -1 : 1) * (Number(a) - Number(b));
    };
    body.append(...[...body.rows].sort(compare));
  });
}

// Scenes: two of the pictures of the strip, one over the other, parted by a slider.
for (const scene of document.querySelectorAll(".scene")) {
  const pictures = [...scene.querySelectorAll(".strip img")];
  if (pictures.length < 2) continue;
  const find = (name) => scene.querySelector(`[data-part="${name}"]`);
  const controls = find("controls");
  const [left, right, slider] = ["left", "right", "slider"].map(find);
  const layers = find("layers");
  const [under, over] = layers.querySelectorAll("img");
  const edge = layers.querySelector(".edge");
  const zooms = [...controls.querySelectorAll("[data-zoom]")];

  const show = () => {
    under.src = pictures[right.value].src;
    under.alt = pictures[right.value].alt;
    over.src = pictures[left.value].src;
    over.alt = pictures[left.value].alt;
  };
  const part = () => {
    over.style.clipPath = `inset(0 ${100 - slider.value}% 0 0)`;
    edge.style.left = `${slider.value}%`;
  };
  const zoom = (chosen) => {
    for (const button of zooms) button.setAttribute("aria-pressed", String(button === chosen));
    const size = Number(chosen.dataset.zoom);
    layers.style.width = `${pictures[0].naturalWidth * size}px`;
    layers.style.height = `${pictures[0].naturalHeight * size}px`;
  };
  const follow = (event) => {
    const box = layers.getBoundingClientRect();
    slider.value = (100 * (event.clientX - box.left)) / box.width;
    part();
  };

  for (const select of [left, right]) select.addEventListener("change", show);
  slider.addEventListener("input", part);
  for (const button of zooms) button.addEventListener("click", () => zoom(button));
  layers.addEventListener("pointerdown", (event) => {
    layers.setPointerCapture(event.pointerId);
    follow(event);
  });
  layers.addEventListener("pointermove", (event) => {
    if (event.buttons) follow(event);
  });
  for (const part of scene.querySelectorAll("[hidden]")) part.hidden = false;
  const ready = () => {
    show();
    part();
    // what was asked for, or less where the page is too narrow for it
    const room = scene.querySelector(".strip").clientWidth / pictures[0].naturalWidth;
    const most = Math.max(1, Math.min(room, Number(scene.dataset.zoom)));
    zoom(zooms.findLast((button) => Number(button.dataset.zoom) <= most));
  };
  if (pictures[0].complete) ready();
  else pictures[0].addEventListener("load", ready, { once: true });
}
