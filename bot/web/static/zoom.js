// The enlarged picture: a dialog with wheel, pinch, drag and keyboard zoom.

import { byId, el, icon, iconButton } from "./dom.js";
import { t } from "./words.js";

const LARGEST = 12; // times the size at which the whole picture is seen
const STEP = 1.4;

let view = { scale: 1, x: 0, y: 0 };
let stage = null;
let picture = null;
let opener = null;
const fingers = new Map(); // pointer id → last position

/** Show a picture {url, alt, name} enlarged; afterwards the focus returns to `from`. */
export function zoom(image, from) {
  const dialog = byId("zoom");
  opener = from;
  picture = image.video
    ? el("video", { src: image.url, muted: true, loop: true, autoplay: true, controls: true })
    : el("img", { src: image.url, alt: image.alt, draggable: false });
  stage = el("div.stage", { onwheel: wheel, ondblclick: toggle }, picture);
  stage.addEventListener("pointerdown", down);
  stage.addEventListener("pointermove", move);
  for (const end of ["pointerup", "pointercancel"]) {
    stage.addEventListener(end, (event) => fingers.delete(event.pointerId));
  }
  const save = el(
    "a.icon",
    { href: image.url, download: image.name || "picture", "aria-label": t("web-download") },
    icon("download"),
  );
  save.title = t("web-download");
  const tools = el(
    "div.tools",
    {},
    iconButton("zoom-out", t("web-zoom-out"), () => scaleBy(1 / STEP)),
    iconButton("fit", t("web-zoom-fit"), fit),
    iconButton("zoom-in", t("web-zoom-in"), () => scaleBy(STEP)),
    save,
    iconButton("close", t("web-close"), () => dialog.close()),
  );
  dialog.setAttribute("aria-label", t("web-zoom"));
  dialog.replaceChildren(stage, el("p.caption", {}, image.name ? image.alt : ""), tools);
  dialog.onkeydown = keys;
  dialog.onclose = () => {
    dialog.replaceChildren();
    opener?.focus();
  };
  fit();
  dialog.showModal();
  tools.lastChild.focus();
}

function fit() {
  view = { scale: 1, x: 0, y: 0 };
  draw();
}

function draw() {
  picture.style.transform = `translate(${view.x}px, ${view.y}px) scale(${view.scale})`;
}

/** Zoom by a factor, keeping the point (x, y) of the stage, counted from its middle, in place. */
function scaleBy(factor, x = 0, y = 0) {
  const scale = Math.min(LARGEST, Math.max(1, view.scale * factor));
  const grown = scale / view.scale;
  view = { scale, x: x - (x - view.x) * grown, y: y - (y - view.y) * grown };
  keepInside();
  draw();
}

/** Never let the picture be dragged out of sight. */
function keepInside() {
  const spareX = Math.max(0, (picture.clientWidth * view.scale - stage.clientWidth) / 2);
  const spareY = Math.max(0, (picture.clientHeight * view.scale - stage.clientHeight) / 2);
  view.x = Math.min(spareX, Math.max(-spareX, view.x));
  view.y = Math.min(spareY, Math.max(-spareY, view.y));
}

function fromMiddle(event) {
  const box = stage.getBoundingClientRect();
  return [event.clientX - box.left - box.width / 2, event.clientY - box.top - box.height / 2];
}

function wheel(event) {
  event.preventDefault();
  scaleBy(Math.exp(-event.deltaY / 400), ...fromMiddle(event));
}

function toggle(event) {
  if (view.scale > 1) fit();
  else scaleBy(2.5, ...fromMiddle(event));
}

function down(event) {
  stage.setPointerCapture(event.pointerId);
  fingers.set(event.pointerId, event);
}

function move(event) {
  const before = fingers.get(event.pointerId);
  if (!before) return;
  if (fingers.size === 2) pinch(event);
  else {
    view.x += event.clientX - before.clientX;
    view.y += event.clientY - before.clientY;
    keepInside();
    draw();
  }
  fingers.set(event.pointerId, event);
}

function pinch(event) {
  const [first, second] = [...fingers.values()];
  const other = first.pointerId === event.pointerId ? second : first;
  const distance = (a, b) => Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY);
  const factor = distance(event, other) / Math.max(1, distance(first, second));
  scaleBy(factor, ...fromMiddle(other));
}

function keys(event) {
  const moves = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] };
  if (event.key === "+" || event.key === "=") scaleBy(STEP);
  else if (event.key === "-") scaleBy(1 / STEP);
  else if (event.key === "0") fit();
  else if (event.key in moves) {
    const [x, y] = moves[event.key];
    view.x += x;
    view.y += y;
    keepInside();
    draw();
  } else return;
  event.preventDefault();
}
