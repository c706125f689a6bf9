// The conversation: one element for each entry, updated in place as newer states arrive.

import { byId, dots, el, icon, iconButton } from "./dom.js";
import { Picture } from "./picture.js";
import { fold, t } from "./words.js";

const NEAR_BOTTOM = 140; // pixels: whoever reads further up is not pulled down
const ADDRESS = /(https?:\/\/[^\s<>"]+[^\s<>".,;:!?)\]}’”])/g;
const COMMAND = /(^|[\s(“"])(\/[\p{L}\p{N}_-]+)/gu;

/**
 * `actions`: `press(token)`, `stop(entryId)`, `choose(command)`, `find(typed)` (a command or
 * undefined), `pickFor(entryId)` (choose a picture that answers a question).
 */
export class Log {
  #entries = new Map(); // entry id → view
  #epoch = null;
  #pinned = true;

  constructor(actions) {
    this.actions = actions;
    this.element = byId("log");
    this.scroller = byId("scroll");
    this.newest = byId("newest");
    this.scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    this.newest.addEventListener("click", () => this.toEnd());
    new ResizeObserver(() => this.#follow()).observe(this.element);
    new ResizeObserver(() => this.#follow()).observe(this.scroller);
  }

  get empty() {
    return this.#entries.size === 0;
  }

  /** The newest answer's open question, as {entry, kind, title, command}, or null. */
  get question() {
    const last = [...this.#entries.values()].at(-1)?.entry;
    return last?.question ? { entry: last.id, ...last.question } : null;
  }

  /** Take the history of a `hello`. */
  reset(entries, epoch) {
    const known = new Set(entries.map((entry) => entry.id));
    for (const [id, view] of this.#entries) {
      if (known.has(id)) continue;
      if (epoch === this.#epoch) this.#remove(id);
      // The server has begun anew: what it said before stays readable, but will not go on.
      else view.lose();
    }
    this.#epoch = epoch;
    this.element.setAttribute("aria-live", "off"); // do not read out a whole history
    for (const entry of entries) this.show(entry, { quietly: true });
    requestAnimationFrame(() => this.element.setAttribute("aria-live", "polite"));
  }

  clear() {
    for (const id of [...this.#entries.keys()]) this.#remove(id);
  }

  /** Show an entry in its newest state, and tell screen readers of it unless `quietly`. */
  show(entry, { quietly = false } = {}) {
    let view = this.#entries.get(entry.id);
    if (!view) {
      view = entry.author === "visitor" ? new Said(entry) : new Answer(entry, this.actions);
      this.#entries.set(entry.id, view);
      this.element.append(view.element);
      if (entry.author === "visitor") this.#pinned = true; // one wants to see what one just said
    }
    const before = view.entry?.state;
    view.update(entry);
    // An answer's words may change many times a second: its first and its last state are told.
    if (!quietly && entry.author === "tadim" && before !== entry.state) announce(view.text);
    this.#follow();
  }

  toEnd() {
    this.#pinned = true;
    this.#follow();
  }

  #remove(id) {
    this.#entries.get(id).element.remove();
    this.#entries.delete(id);
  }

  #scrolled() {
    const { scrollHeight, scrollTop, clientHeight } = this.scroller;
    this.#pinned = scrollHeight - scrollTop - clientHeight < NEAR_BOTTOM;
    this.newest.hidden = this.#pinned || this.empty;
  }

  #follow() {
    if (this.#pinned && !this.empty) this.scroller.scrollTop = this.scroller.scrollHeight;
    this.newest.hidden = this.#pinned || this.empty;
  }
}

/** Say something to screen readers only. */
export function announce(text) {
  byId("announcer").textContent = text;
}

/** What the visitor said. */
class Said {
  constructor(entry) {
    this.entry = null;
    this.author = el("span.unseen");
    this.words = el("p");
    this.picture = null;
    this.element = el("article.said", {}, this.author, this.words);
  }

  update(entry) {
    this.entry = entry;
    this.author.textContent = t("web-you");
    this.words.textContent = entry.text;
    this.words.hidden = !entry.text;
    if (!this.picture && entry.picture) {
      const shown = { url: entry.picture, alt: t("web-picture-attached"), name: "" };
      this.picture = new Picture(shown);
      this.element.insertBefore(this.picture.element, this.words);
    }
    this.picture?.update({ url: entry.picture, alt: t("web-picture-attached"), name: "" });
  }

  get text() {
    return this.entry.text;
  }

  lose() {}
}

/** An answer: on its way, finished, or a question. */
class Answer {
  #actions;
  #buttons = "";
  #data = "";
  #blocks = [];
  #pictures = [];
  #cancelled = false;

  constructor(entry, actions) {
    this.#actions = actions;
    this.entry = null;
    this.command = el("span");
    this.head = el("header.head", {}, dots(), el("span.unseen", {}, t("web-name")), this.command);
    this.blocks = el("div.blocks");
    this.pictures = el("div.pictures");
    this.notes = el("div.notes");
    this.files = el("ul.files");
    this.buttons = el("div.buttons");
    this.status = new Status(() => actions.stop(this.entry.id));
    this.data = el("details.data", { hidden: true });
    this.element = el(
      "article.answer",
      { tabIndex: -1, "aria-live": "off" }, // `Log.show` tells what is worth telling
      this.head,
      this.blocks,
      this.pictures,
      this.status.element,
      this.notes,
      this.files,
      this.buttons,
      this.data,
    );
  }

  get text() {
    const images = this.entry.images.map((image) => image.alt);
    return [...this.entry.blocks.map((block) => block.text), ...images].join("\n");
  }

  /** The program was restarted: what was on its way will not arrive. */
  lose() {
    if (this.entry.state !== "partial") return;
    const lost = { kind: "say", text: t("web-lost-answer") };
    this.update({ ...this.entry, state: "final", error: true, blocks: [lost], images: [] });
  }

  update(entry) {
    const focused = this.element.contains(document.activeElement);
    const running = entry.state === "partial";
    this.entry = entry;
    this.element.classList.toggle("running", running);
    this.element.classList.toggle("refused", entry.error);
    this.element.classList.toggle("asking", Boolean(entry.question));
    this.element.setAttribute("aria-busy", running);
    this.command.textContent = entry.command ? `/${entry.command}` : t("web-name");
    const says = entry.blocks.filter((block) => block.kind === "say");
    const notes = entry.blocks.filter((block) => block.kind === "note");
    const others = entry.blocks.filter((block) => block.kind !== "note");
    this.#showBlocks(running ? others.filter((block) => block.kind !== "say") : others);
    this.status.update(running, says.map((say) => say.text).join(" "), entry.fraction);
    this.#showNotes(notes);
    this.#showPictures(entry.images);
    this.#showFiles(entry.files);
    this.#showButtons(entry);
    this.#showData(running ? null : entry.data);
    if (focused && !this.element.contains(document.activeElement)) this.element.focus();
  }

  #showBlocks(blocks) {
    while (this.#blocks.length > blocks.length) this.#blocks.pop().element.remove();
    blocks.forEach((block, index) => {
      const former = this.#blocks[index];
      if (former?.kind === block.kind) {
        former.update(block.text);
        return;
      }
      const view = new Block(block, this.#actions);
      if (former) former.element.replaceWith(view.element);
      else this.blocks.append(view.element);
      this.#blocks[index] = view;
    });
  }

  #showNotes(notes) {
    this.notes.replaceChildren(...notes.map((note) => prose("small", note.text, this.#actions)));
  }

  #showPictures(images) {
    while (this.#pictures.length > images.length) this.#pictures.pop().element.remove();
    images.forEach((image, index) => {
      if (this.#pictures[index]) {
        this.#pictures[index].update(image);
        return;
      }
      this.#pictures[index] = new Picture(image);
      this.pictures.append(this.#pictures[index].element);
    });
  }

  #showFiles(files) {
    this.files.replaceChildren(
      ...files.map((file) =>
        el("li", {}, el("a", { href: file.url, download: file.name }, icon("download"), file.name)),
      ),
    );
  }

  #showButtons(entry) {
    // Rebuilt only when they differ, so that a focused button stays focused.
    const shown = JSON.stringify([entry.buttons, entry.question]);
    if (shown === this.#buttons) return;
    this.#buttons = shown;
    const buttons = entry.buttons.map((button) =>
      button.url
        ? el(
            "a.button",
            { href: button.url, target: "_blank", rel: "noopener noreferrer" },
            button.label,
            icon("link"),
          )
        : el(
            "button",
            { type: "button", onclick: () => this.#actions.press(button.token) },
            button.label,
          ),
    );
    if (entry.question?.kind === "picture") {
      const pick = () => this.#actions.pickFor(entry.id);
      const choose = el("button.primary", { type: "button", onclick: pick }, icon("picture"));
      choose.append(t("web-picture-choose"));
      buttons.unshift(choose);
    }
    this.buttons.replaceChildren(...buttons);
  }

  #showData(data) {
    const text = data ? JSON.stringify(data, null, 2) : "";
    if (this.data.childElementCount) this.data.firstChild.textContent = t("web-data");
    if (text === this.#data) return;
    this.#data = text;
    this.data.hidden = !text;
    this.data.replaceChildren();
    if (!text) return;
    const body = el("div.code");
    this.data.append(el("summary", {}, t("web-data")), body);
    // Drawn when it is opened for the first time: most people never do.
    this.data.ontoggle = () => {
      if (this.data.open && !body.childElementCount) {
        body.append(el("pre", { tabIndex: 0 }, text), copyButton(() => text));
      }
    };
  }
}

/** The line that tells how far an answer has come. */
class Status {
  constructor(stop) {
    this.words = el("span.words");
    this.stop = el("button.stop", { type: "button", onclick: () => this.#stop(stop) }, icon("stop"));
    this.label = el("span");
    this.stop.append(this.label);
    this.bar = el("div.bar", { role: "progressbar" }, el("i"));
    this.element = el("div.status", { hidden: true }, this.words, this.stop, this.bar);
  }

  update(running, text, fraction) {
    this.element.hidden = !running;
    if (!running) return;
    this.words.textContent = text || t("web-working");
    this.label.textContent = t("web-stop");
    this.bar.setAttribute("aria-label", t("web-progress"));
    this.bar.classList.toggle("unknown", fraction === null);
    if (fraction === null) {
      for (const name of ["aria-valuenow", "aria-valuemin", "aria-valuemax"]) {
        this.bar.removeAttribute(name);
      }
      this.bar.firstChild.style.transform = "";
    } else {
      const part = Math.min(1, Math.max(0, fraction));
      this.bar.setAttribute("aria-valuemin", 0);
      this.bar.setAttribute("aria-valuemax", 100);
      this.bar.setAttribute("aria-valuenow", Math.round(part * 100));
      this.bar.firstChild.style.transform = `scaleX(${part})`;
    }
  }

  #stop(stop) {
    this.stop.disabled = true;
    stop();
  }
}

/** One block of an answer: our words, a model's words, or code. */
class Block {
  #actions;
  #text = "";

  constructor(block, actions) {
    this.#actions = actions;
    this.kind = block.kind;
    if (block.kind === "say") {
      this.element = el("p.say");
    } else {
      this.body = block.kind === "code" ? el("pre", { tabIndex: 0 }) : el("blockquote.generated");
      this.element = el(`div.${block.kind === "code" ? "code" : "quote"}`, {}, this.body);
      this.element.append(copyButton(() => this.#text));
    }
    this.update(block.text);
  }

  update(text) {
    if (text === this.#text) return;
    if (this.kind === "say") {
      this.element.replaceChildren(...linked(text, this.#actions));
    } else if (this.body.firstChild && text.startsWith(this.#text)) {
      // Streamed text only grows: append, so that a selection in it survives.
      this.body.firstChild.appendData(text.slice(this.#text.length));
    } else {
      this.body.textContent = text;
    }
    this.#text = text;
  }
}

function prose(tag, text, actions) {
  return el(tag, {}, ...linked(text, actions));
}

/** Our own words with addresses as links and commands as buttons. Never used on a model's words. */
function linked(text, actions) {
  return text.split(ADDRESS).flatMap((part, index) => {
    if (index % 2) {
      return [el("a", { href: part, target: "_blank", rel: "noopener noreferrer" }, part)];
    }
    return withCommands(part, actions);
  });
}

function withCommands(text, actions) {
  const parts = [];
  let end = 0;
  for (const match of text.matchAll(COMMAND)) {
    const command = actions.find(fold(match[2].slice(1)));
    if (!command) continue;
    const start = match.index + match[1].length;
    parts.push(text.slice(end, start));
    const choose = () => actions.choose(command);
    parts.push(el("button.command", { type: "button", onclick: choose }, match[2]));
    end = start + match[2].length;
  }
  parts.push(text.slice(end));
  return parts;
}

function copyButton(text) {
  const button = iconButton("copy", t("web-copy"), async () => {
    await copy(text());
    button.replaceChildren(icon("check"));
    announce(t("web-copied"));
    setTimeout(() => button.replaceChildren(icon("copy")), 1500);
  });
  button.classList.add("copy");
  return button;
}

async function copy(text) {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
    return;
  }
  // Without TLS, browsers offer no clipboard except on this machine: the old way.
  const area = el("textarea.unseen", { value: text });
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}
