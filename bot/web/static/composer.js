// The message box: typed lines, the palette, forms, pictures, and offers of what could be done.

import { byId, el } from "./dom.js";
import { Form } from "./form.js";
import { announce } from "./log.js";
import { Palette } from "./palette.js";
import { Attachment, MOST, refusal } from "./uploads.js";
import { fold, number, t } from "./words.js";

const narrow = matchMedia("(max-width: 30rem)");

/**
 * `send(message)` returns false where there is no connection; `toast(text)` shows a short notice;
 * `question()` is the open question, or null.
 */
export class Composer {
  #attachments = [];
  #form = null;
  #closed = false; // the palette was closed by Esc and stays so until something is typed
  #answering = null; // the question that the file picker was opened for
  #hello = null;
  #sending = false;

  constructor({ send, toast, question }) {
    this.sendMessage = send;
    this.toast = toast;
    this.question = question;
    this.form = byId("composer");
    this.line = byId("line");
    this.panel = byId("panel");
    this.box = this.form.querySelector(".box");
    this.list = byId("attachments");
    this.file = byId("file");
    this.palette = new Palette(this.line, (command) => this.choose(command));
    this.#listen();
  }

  /** New words, commands and limits. */
  setHello(hello) {
    this.#hello = hello;
    if (this.#form) this.closeForm();
    this.refresh();
  }

  /** Draw what fits the state: the form, the palette, or an offer. */
  refresh() {
    if (!this.#hello) return;
    this.list.hidden = !this.#attachments.length;
    this.line.placeholder = this.#placeholder();
    if (this.#form) {
      this.#form.pictured(this.#attachments.length > 0);
      return;
    }
    const typed = /^\s*\/(\S*)$/.exec(this.line.value);
    if (typed && !this.#closed) {
      this.panel.replaceChildren(
        this.palette.show(this.#hello.commands, this.#hello.halls, typed[1]),
      );
      this.palette.settle();
      return;
    }
    this.palette.hide();
    this.panel.replaceChildren(...[this.#offer()].filter(Boolean));
  }

  focus() {
    this.line.focus();
  }

  /** Run a command, or ask for its parameters first. */
  choose(command) {
    if (/^\s*\//.test(this.line.value)) this.#setLine("");
    const pictured = command.picture && this.#attachments.length > 0;
    const complete = command.parameters.every(
      (parameter) => !parameter.required || (parameter.kind === "picture" && pictured),
    );
    // A stop of the tour shows what can be tried out; /help and its like just answer.
    const curious = command.parameters.length > 0 && !pictured && command.hall !== "house";
    if (complete && !curious) this.#run(command, {});
    else this.#openForm(command);
  }

  /** Take pictures that were dropped, pasted or picked. */
  take(files) {
    const fit = [];
    for (const file of files) {
      const reason = refusal(file, this.#hello.limits);
      if (reason) this.toast(reason);
      else fit.push(file);
    }
    const free = MOST - this.#attachments.length;
    if (fit.length > free) this.toast(t("web-too-many", { count: MOST }));
    for (const file of fit.slice(0, free)) this.#attach(file);
    const question = this.#answering ?? this.question();
    this.#answering = null;
    if (question?.kind === "picture" && this.#attachments.length && !this.#form) {
      this.#answer(question);
      return;
    }
    this.refresh();
    if (fit.length && !this.#form) this.focus();
  }

  /** Take a picture and run the first command that looks at pictures. */
  demonstrate(file) {
    this.#attach(file);
    this.#run(this.#pictureCommands()[0], {});
  }

  /** Open the file picker for a question. */
  pickFor(question) {
    this.#answering = question;
    this.file.click();
  }

  // --- what was typed

  #listen() {
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    this.line.addEventListener("input", () => {
      this.#closed = false;
      this.#grow();
      this.refresh();
    });
    this.line.addEventListener("keydown", (event) => this.#key(event));
    byId("attach").addEventListener("click", () => this.file.click());
    byId("commands").addEventListener("click", () => {
      this.#closed = false;
      this.#setLine(this.palette.open ? "" : "/");
      this.focus();
    });
    this.file.addEventListener("change", () => {
      this.take([...this.file.files]);
      this.file.value = "";
    });
    this.file.addEventListener("cancel", () => {
      this.#answering = null;
    });
  }

  #key(event) {
    if (event.isComposing) return;
    if (this.palette.open) {
      const moves = { ArrowDown: 1, ArrowUp: -1 };
      if (event.key in moves) this.palette.move(moves[event.key]);
      else if (event.key === "Escape") {
        this.#closed = true;
        this.refresh();
      } else if (event.key === "Tab" && !event.shiftKey && this.palette.active) {
        this.#setLine(`/${this.palette.active.title} `);
      } else if (event.key === "Enter" && !event.shiftKey) this.#take(this.palette.active);
      else return;
      event.preventDefault();
    } else if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      this.submit();
    }
  }

  /** Enter in the palette: what it marks, unless the line itself says what is meant. */
  #take(marked) {
    const named = this.find(fold(this.line.value.trim().slice(1)));
    // Typed in full, the command runs as it stands; a name that nothing fits goes to the server,
    // which suggests the nearest.
    if (marked && marked !== named) this.choose(marked);
    else this.submit();
  }

  /** Enter: the form, an answer to the question, a typed command, or the default offer. */
  submit() {
    if (this.#form) {
      this.#form.submit();
      return;
    }
    const text = this.line.value.trim();
    const question = this.question();
    if (text.length > this.#hello.limits.message) {
      this.toast(t("web-text-too-long", { count: number(this.#hello.limits.message) }));
    } else if (text.startsWith("/")) {
      this.#sendLine(text);
    } else if (text && question && question.kind !== "picture") {
      const message = { type: "answer", entry: question.entry, value: text };
      if (this.#deliver(message)) this.#setLine("");
    } else if (this.#attachments.length) {
      this.#runWithPicture(text);
    } else if (text) {
      const command = this.#textCommands()[0];
      if (command) this.#runWithText(command, text);
      else this.#sendLine(text);
    }
  }

  async #sendLine(text) {
    const typed = /^\/([^\s:@]+)/.exec(text);
    const command = typed && this.find(fold(typed[1]));
    // A picture goes along only with a command that looks at one; else it waits here.
    const pictures = command?.picture ? await this.#uploads() : [null];
    if (!pictures) return;
    const all = (pictures.length ? pictures : [null]).map((picture) => ({
      type: "line",
      text,
      ...(picture ? { picture } : {}),
    }));
    if (all.every((message) => this.#deliver(message))) {
      this.#setLine("");
      if (command?.picture) this.#release();
    }
  }

  #runWithPicture(text) {
    const commands = this.#pictureCommands();
    const both = commands.find((c) => c.parameters.some((p) => p.kind === "text"));
    if (text && both) {
      const parameter = both.parameters.find((p) => p.kind === "text");
      this.#setLine("");
      this.#run(both, { [parameter.name]: text });
    } else if (commands.length) {
      this.#run(commands[0], {});
    }
  }

  #runWithText(command, text) {
    const message = { type: "call", command: command.name, arguments: { [command.text]: text } };
    if (this.#deliver(message)) this.#setLine("");
  }

  /** Call a command, once for each attached picture if it takes one. */
  async #run(command, values) {
    const pictures = command.picture ? await this.#uploads() : [];
    if (!pictures) return;
    const calls = pictures.length
      ? pictures.map((upload) => ({ ...values, [command.picture]: { upload } }))
      : [values];
    const sent = calls.every((args) =>
      this.#deliver({ type: "call", command: command.name, arguments: args }),
    );
    if (!sent) return;
    if (command.picture) this.#release();
    this.closeForm();
  }

  async #answer(question) {
    const uploads = await this.#uploads();
    if (!uploads?.length) return;
    const value = { upload: uploads[0] };
    if (this.#deliver({ type: "answer", entry: question.entry, value })) {
      this.#attachments.shift().release();
    }
    this.refresh();
  }

  #deliver(message) {
    const sent = this.sendMessage(message);
    if (!sent) this.toast(t("web-connection-wait"));
    return sent;
  }

  // --- pictures

  #attach(file) {
    const attachment = new Attachment(file, (removed) => {
      removed.drop();
      this.#attachments = this.#attachments.filter((other) => other !== removed);
      this.refresh();
      this.focus();
    });
    this.#attachments.push(attachment);
    this.list.append(attachment.element);
  }

  /** The ids of all attached pictures once they have arrived; null if that cannot be had now. */
  async #uploads() {
    if (this.#sending) return null; // Enter was pressed twice
    this.#sending = true;
    this.form.classList.add("sending");
    if (this.#attachments.some((attachment) => !attachment.arrived)) announce(t("web-uploading"));
    try {
      const ids = [];
      for (const attachment of [...this.#attachments]) {
        try {
          ids.push(await attachment.uploaded);
        } catch (error) {
          this.toast(error.message);
          attachment.release();
          this.#attachments = this.#attachments.filter((other) => other !== attachment);
          this.refresh();
          return null;
        }
      }
      return ids;
    } finally {
      this.#sending = false;
      this.form.classList.remove("sending");
    }
  }

  #release() {
    for (const attachment of this.#attachments) attachment.release();
    this.#attachments = [];
    this.refresh();
  }

  // --- form, offers

  #openForm(command) {
    this.palette.hide();
    this.#form = new Form(command, {
      run: (values) => this.#run(command, values),
      close: () => {
        this.closeForm();
        this.focus();
      },
      pick: () => this.file.click(),
      pictures: this.list,
      hasPicture: () => this.#attachments.length > 0,
    });
    this.box.hidden = true;
    this.panel.replaceChildren(this.#form.element);
    this.refresh();
    this.#form.focus();
  }

  closeForm() {
    if (!this.#form) return;
    const focused = this.#form.element.contains(document.activeElement);
    this.#form = null;
    this.box.prepend(this.list);
    this.box.hidden = false;
    this.refresh();
    if (focused) this.focus();
  }

  #offer() {
    const text = this.line.value.trim();
    if (text.startsWith("/")) return this.#usage(text);
    const question = this.question();
    if (this.#attachments.length) {
      const choose = (command) => this.choose(command);
      return offer(t("web-picture-offer"), this.#pictureCommands(), choose);
    }
    if (text && (!question || question.kind === "picture")) {
      const choose = (command) => this.#runWithText(command, text);
      return offer(t("web-text-offer"), this.#textCommands(), choose);
    }
    return null;
  }

  /** What can be set, once the command's name stands there. */
  #usage(text) {
    const command = this.find(fold(/^\/([^\s:@]*)/.exec(text)[1]));
    const parameters = command?.parameters.filter((p) => p.kind !== "picture") ?? [];
    if (!parameters.length) return null;
    const parts = parameters.flatMap((parameter, index) => [
      index ? " · " : "",
      el("code", {}, usage(parameter)),
    ]);
    const [before, after] = t("web-usage").split("{value}");
    return el("p.usage", {}, before, ...parts, after);
  }

  find(folded) {
    return this.#hello.commands.find((command) => command.names.some((n) => fold(n) === folded));
  }

  #pictureCommands() {
    return this.#hello.commands.filter((command) => command.picture && command.hall !== "house");
  }

  #textCommands() {
    return this.#hello.commands.filter((command) => command.text && command.hall !== "house");
  }

  #placeholder() {
    const question = this.question();
    if (question && question.kind !== "picture") {
      return t("web-placeholder-value", { name: question.title });
    }
    if (narrow.matches) return t("web-message");
    if (this.#attachments.length) return t("web-picture-offer");
    return t(this.#textCommands().length ? "web-placeholder-text" : "web-placeholder");
  }

  #setLine(text) {
    this.line.value = text;
    this.#grow();
    this.refresh();
  }

  #grow() {
    this.line.style.height = "auto";
    this.line.style.height = `${Math.min(this.line.scrollHeight, 200)}px`;
  }
}

/** A row of commands to press; the first is what Enter takes. */
function offer(title, commands, choose) {
  if (!commands.length) return null;
  const buttons = commands.slice(0, 6).map((command, index) =>
    el(
      index ? "button.chip" : "button.chip.primary",
      { type: "button", title: command.description, onclick: () => choose(command) },
      `/${command.title}`,
    ),
  );
  return el("div.offer", { role: "group", "aria-label": title }, el("span", {}, title), ...buttons);
}

/** `güven:0,05…0,95` */
function usage(parameter) {
  if (parameter.kind === "choice") {
    return `${parameter.title}:${parameter.choices.map((choice) => choice.title).join("|")}`;
  }
  if (parameter.kind === "boolean") return `${parameter.title}:${t("web-yes")}|${t("web-no")}`;
  if (parameter.low !== null) {
    return `${parameter.title}:${number(parameter.low)}…${number(parameter.high)}`;
  }
  return `${parameter.title}:…`;
}
