// Small helpers for building the page. Text always becomes a text node, never markup; the page's
// Content-Security-Policy (trusted types) makes the browser refuse anything else.

const SVG = "http://www.w3.org/2000/svg";

/** The element with this id. */
export const byId = (id) => document.getElementById(id);

/**
 * Build an element: `el("button.primary", { type: "button", onclick }, "Run")`.
 * Properties named `on…` are listeners, known DOM properties are set, all others are attributes.
 */
export function el(selector, properties = {}, ...children) {
  const [tag, ...classes] = selector.split(".");
  const element = document.createElement(tag);
  element.className = classes.join(" ");
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && !name.startsWith("aria") && name !== "list") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** An icon from the sprite in the page. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#icon-${name}`);
  svg.append(use);
  return svg;
}

/** A button that shows only an icon; `label` is its name for everybody else. */
export function iconButton(name, label, onclick) {
  return el("button.icon", { type: "button", "aria-label": label, title: label, onclick }, icon(name));
}

/** The four dots of XOR: our sign for work under way. */
export function dots() {
  return el("span.dots", { "aria-hidden": "true" }, el("i"), el("i"), el("i"), el("i"));
}
