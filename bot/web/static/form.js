// A small form for one command, made from its typed parameters.

import { el, icon, iconButton } from "./dom.js";
import { number, t, toNumber } from "./words.js";

const SLIDER_STEPS = 10_000; // a wider range of whole numbers (a seed) is typed, not slid

/**
 * `run(arguments)` gets what differs from the defaults; `close()` is asked to close the form;
 * `pick()` opens the file picker; `pictures` is the element that shows the attached ones, and
 * `hasPicture()` tells whether there is one.
 */
export class Form {
  #fields = new Map(); // parameter name → { parameter, read }

  constructor(command, { run, close, pick, pictures, hasPicture }) {
    this.command = command;
    this.run = run;
    this.hasPicture = hasPicture;
    const heading = el("h2", { id: "form-title" }, `/${command.title}`);
    const about = el("p.about", {}, command.description);
    const fields = command.parameters.map((parameter) => this.#field(parameter, pick, pictures));
    const runButton = el("button.primary", { type: "submit" }, t("web-run"));
    const head = el("header", {}, heading, iconButton("close", t("web-close"), close));
    this.element = el(
      "div.form.card",
      { role: "group", "aria-labelledby": "form-title" },
      head,
      about,
      el("div.fields", {}, ...fields),
      el("footer", {}, runButton),
    );
    this.element.addEventListener("keydown", (event) => {
      if (event.key === "Escape") {
        event.preventDefault();
        close();
      } else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        this.submit();
      }
    });
  }

  get picture() {
    return this.command.parameters.find((parameter) => parameter.kind === "picture");
  }

  focus() {
    (this.element.querySelector(".field :is(input, textarea, select, button)") ??
      this.element.querySelector(".primary")).focus();
  }

  /** Check the fields and run; the first wrong one is named and focused. */
  submit() {
    const values = {};
    for (const { parameter, read, control, problem } of this.#fields.values()) {
      const value = read();
      const missing = parameter.required && (value === "" || value === null);
      problem.textContent = missing ? t("web-needs-value", { name: parameter.title }) : "";
      if (missing) {
        control.setAttribute("aria-invalid", "true");
        control.focus();
        return;
      }
      if (value !== "" && value !== null && value !== parameter.default) {
        values[parameter.name] = value;
      }
    }
    if (this.picture?.required && !this.hasPicture()) {
      this.slotProblem.textContent = t("web-needs-picture");
      this.slot.focus();
      return;
    }
    this.run(values);
  }

  /** The picture slot follows what is attached. */
  pictured(any) {
    if (!this.slot) return;
    this.slot.hidden = any;
    if (any) this.slotProblem.textContent = "";
  }

  #field(parameter, pick, pictures) {
    if (parameter.kind === "picture") return this.#slot(parameter, pick, pictures);
    const id = `field-${parameter.name}`;
    const hint = el("p.hint", { id: `${id}-hint` }, parameter.description);
    const problem = el("p.refusal", { id: `${id}-problem`, role: "alert" });
    const makers = { choice: choice, boolean: boolean, number: numeric, integer: numeric, text: text };
    const { control, element, read } = makers[parameter.kind](parameter, id);
    control.setAttribute("aria-describedby", `${id}-hint ${id}-problem`);
    this.#fields.set(parameter.name, { parameter, read, control, problem });
    element.addEventListener("input", () => {
      problem.textContent = "";
      control.removeAttribute("aria-invalid");
    });
    const label = el("label", { htmlFor: id }, parameter.title);
    if (!parameter.required && parameter.default === null) {
      label.append(el("small", {}, t("web-optional")));
    }
    return el(`div.field.${parameter.kind}`, {}, label, element, hint, problem);
  }

  #slot(parameter, pick, pictures) {
    this.slotProblem = el("p.refusal", { role: "alert" });
    this.slot = el("button.slot", { type: "button", onclick: pick }, icon("picture"));
    this.slot.append(t("web-form-picture"));
    const title = el("span.label", {}, parameter.title);
    return el("div.field.picture", {}, title, pictures, this.slot, this.slotProblem);
  }
}

function text(parameter, id) {
  const properties = { id, maxLength: parameter.longest, value: parameter.default ?? "" };
  const control = parameter.long
    ? el("textarea", { ...properties, rows: 3 })
    : el("input", { ...properties, type: "text" });
  return { control, element: control, read: () => control.value.trim() };
}

function choice(parameter, id) {
  const options = parameter.choices.map(({ value, title }) => el("option", { value }, title));
  if (!parameter.required && parameter.default === null) {
    options.unshift(el("option", { value: "" }, "–"));
  }
  const control = el("select", { id }, ...options);
  if (parameter.default !== null) control.value = parameter.default;
  return { control, element: control, read: () => control.value };
}

function boolean(parameter, id) {
  const control = el("input.switch", { id, type: "checkbox", checked: Boolean(parameter.default) });
  return { control, element: control, read: () => control.checked };
}

/** A number: typed with point or comma, and slid where the range is one that a hand can hit. */
function numeric(parameter, id) {
  const shown = parameter.default === null ? "" : number(parameter.default);
  const inputmode = parameter.kind === "integer" ? "numeric" : "decimal";
  const control = el("input", { id, type: "text", inputmode, value: shown, size: 8 });
  // What is no number goes to the server as typed: it answers with the sentence that helps.
  const read = () => {
    const value = toNumber(control.value);
    return Number.isNaN(value) ? control.value.trim() : value;
  };
  const { low, high } = parameter;
  const whole = parameter.kind === "integer";
  if (low === null || (whole && high - low > SLIDER_STEPS)) {
    if (low !== null) control.placeholder = t("web-range", { low: number(low), high: number(high) });
    return { control, element: control, read };
  }
  const step = whole ? 1 : 10 ** Math.floor(Math.log10((high - low) / 50));
  const slider = el("input", { type: "range", min: low, max: high, step, "aria-label": parameter.title });
  slider.value = parameter.default ?? low;
  slider.setAttribute("aria-valuetext", shown || number(low));
  slider.addEventListener("input", () => {
    control.value = number(Number(slider.value));
    slider.setAttribute("aria-valuetext", control.value);
  });
  control.addEventListener("input", () => {
    const value = toNumber(control.value);
    if (!Number.isNaN(value)) slider.value = value;
  });
  const ends = el("div.ends", { "aria-hidden": "true" }, el("span", {}, number(low)), el("span", {}, number(high)));
  return { control, element: el("div.slider", {}, el("div", {}, slider, ends), control), read };
}
