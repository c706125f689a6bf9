// The list of commands that opens with "/". The keyboard stays in the message box (ARIA combobox).

import { byId, el } from "./dom.js";
import { fold, t } from "./words.js";

/** Commands that fit what was typed, best first; in the tour's order where nothing was typed. */
export function matching(commands, typed) {
  const needle = fold(typed);
  const rank = (command) => {
    const names = command.names.map(fold);
    if (names.includes(needle)) return -1;
    if (names.some((name) => name.startsWith(needle))) return 0;
    if (names.some((name) => name.includes(needle))) return 1;
    // Two letters occur in nearly every description.
    return needle.length > 2 && fold(command.description).includes(needle) ? 2 : 3;
  };
  return commands
    .map((command, index) => ({ command, index, place: rank(command) }))
    .filter((entry) => entry.place < 3)
    .sort((a, b) => a.place - b.place || a.index - b.index)
    .map((entry) => entry.command);
}

export class Palette {
  #commands = [];
  #active = 0;
  #options = [];
  #typed = null;

  /** `choose(command)` is called on a click. */
  constructor(input, choose) {
    this.input = input;
    this.choose = choose;
    this.element = null;
  }

  get open() {
    return this.element !== null;
  }

  /** The command that Enter would take. */
  get active() {
    return this.#commands[this.#active];
  }

  /** Build the list; the caller puts it into the page. */
  show(commands, halls, typed) {
    // The mark stays where it was when the page is merely redrawn; other letters begin anew.
    if (typed !== this.#typed) this.#active = 0;
    this.#typed = typed;
    this.#commands = matching(commands, typed);
    this.#options = [];
    const list = el("ul.palette", { id: "palette", role: "listbox", "aria-label": t("web-commands") });
    let hall = null;
    this.#commands.forEach((command, index) => {
      if (!typed && command.hall !== hall) {
        hall = command.hall;
        const title = halls.find((entry) => entry.name === hall)?.title ?? hall;
        list.append(el("li.hall", { role: "presentation" }, title));
      }
      list.append(this.#option(command, index));
    });
    if (!this.#commands.length) {
      list.append(el("li.none", { role: "presentation" }, t("web-palette-none")));
    }
    const keys = el("p.keys", { "aria-hidden": "true" }, t("web-palette-keys"));
    this.element = el("div.palette-card.card", {}, list, keys);
    this.input.setAttribute("aria-expanded", "true");
    this.#mark(false);
    return this.element;
  }

  hide() {
    this.element = null;
    this.#commands = [];
    this.#typed = null;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
  }

  /** Move the mark by `by` places, round the end. */
  move(by) {
    const count = this.#commands.length;
    if (!count) return;
    this.#active = (this.#active + by + count) % count;
    this.#mark(true);
  }

  /** Put the marked option into view; once the list stands in the page. */
  settle() {
    this.#options[this.#active]?.scrollIntoView({ block: "nearest" });
  }

  #option(command, index) {
    const option = el(
      "li.option",
      { id: `option-${command.name}`, role: "option" },
      el("span.name", {}, `/${command.title}`),
      el("span.about", {}, command.description),
    );
    // Not "click": the message box must keep the focus.
    option.addEventListener("pointerdown", (event) => event.preventDefault());
    option.addEventListener("click", () => this.choose(command));
    option.addEventListener("pointermove", () => {
      if (this.#active === index) return;
      this.#active = index;
      this.#mark(false);
    });
    this.#options.push(option);
    return option;
  }

  #mark(scroll) {
    this.#options.forEach((option, index) => {
      option.setAttribute("aria-selected", String(index === this.#active));
    });
    const option = this.#options[this.#active];
    if (option) this.input.setAttribute("aria-activedescendant", option.id);
    else this.input.removeAttribute("aria-activedescendant");
    if (scroll) this.settle();
  }
}

/** Open the palette's commands as a side menu, for wide screens. */
export function drawTour(hello, choose) {
  const nav = byId("tour");
  const groups = hello.halls.map((hall) => {
    const commands = hello.commands.filter((command) => command.hall === hall.name);
    if (!commands.length) return null;
    const items = commands.map((command) =>
      el(
        "li",
        {},
        el(
          "button",
          { type: "button", title: command.description, onclick: () => choose(command) },
          `/${command.title}`,
        ),
      ),
    );
    return el("section", {}, el("h2", {}, hall.title), el("ul", {}, ...items));
  });
  const source = el(
    "a",
    { href: hello.links.source, target: "_blank", rel: "noopener noreferrer" },
    t("web-source"),
  );
  nav.replaceChildren(...groups.filter(Boolean), el("footer", {}, source));
}
