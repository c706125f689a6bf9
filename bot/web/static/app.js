// Puts the page together: the connection feeds the log, the composer feeds the connection.

import { Composer } from "./composer.js";
import { Connection } from "./connection.js";
import { byId, el, icon } from "./dom.js";
import { announce, Log } from "./log.js";
import { drawTour } from "./palette.js";
import { setWords, t } from "./words.js";

const THEMES = ["system", "light", "dark"];
const LOST_AFTER = 1200; // milliseconds; a shorter interruption is not worth a word

const connection = new Connection();
let hello = null;
let lostTimer = 0;

const log = new Log({
  press: (token) => deliver({ type: "press", token }),
  stop: (entry) => deliver({ type: "cancel", entry }),
  choose: (command) => composer.choose(command),
  find: (folded) => hello && composer.find(folded),
  pickFor: (entry) => composer.pickFor({ entry, kind: "picture" }),
});

const composer = new Composer({
  send: (message) => connection.send(message),
  toast,
  question: () => log.question,
});

// --- the connection

connection.addEventListener("message", ({ detail }) => {
  switch (detail.type) {
    case "hello":
      greet(detail);
      break;
    case "entry":
      log.show(detail.entry);
      settle();
      notify(detail.entry);
      break;
    case "cleared":
      log.clear();
      settle();
      composer.focus();
      break;
    case "error":
      toast(detail.text);
      break;
  }
});

connection.addEventListener("down", () => {
  if (!hello || lostTimer) return;
  lostTimer = setTimeout(() => showBanner(), LOST_AFTER);
});

connection.addEventListener("up", () => {
  clearTimeout(lostTimer);
  lostTimer = 0;
  const banner = byId("banner");
  if (!banner.hidden) {
    byId("toasts").replaceChildren();
    toast(t("web-connection-back"));
  }
  banner.hidden = true;
});

window.addEventListener("online", () => connection.retry());
window.addEventListener("pageshow", (event) => {
  if (event.persisted) connection.retry(); // back from the browser's cache: the socket is gone
});

function showBanner() {
  const retry = el("button", { type: "button", onclick: () => connection.retry() });
  retry.append(t("web-connection-retry"));
  byId("banner").replaceChildren(el("span", {}, t("web-connection-lost")), retry);
  byId("banner").hidden = false;
}

function deliver(message) {
  if (!connection.send(message)) toast(t("web-connection-wait"));
}

function greet(message) {
  // After a lost connection nothing but the history is new: what one was about to do stays.
  const { language, commands } = hello ?? {};
  const same = JSON.stringify([message.language, message.commands]);
  const redraw = same !== JSON.stringify([language, commands]);
  hello = message;
  if (redraw) {
    setWords(hello);
    drawLanguages();
    drawTheme();
    drawTour(hello, (command) => composer.choose(command));
    drawWelcome();
    composer.setHello(hello);
  }
  log.reset(hello.entries, hello.epoch);
  settle();
}

/** What depends on whether anything has been said, and on what was said last. */
function settle() {
  byId("welcome").hidden = !log.empty;
  byId("clear").hidden = log.empty;
  composer.refresh();
}

// --- the first screen

function drawWelcome() {
  const choose = el("button.primary", { type: "button", onclick: () => byId("file").click() });
  choose.append(icon("picture"), t("web-welcome-choose"));
  const place = el("div.place", {}, choose, el("p", {}, t("web-welcome-or")));
  if (hello.links.sample && hello.commands.some((command) => command.picture)) {
    const sample = el("button.sample", { type: "button", onclick: demonstrate });
    sample.append(el("img", { src: hello.links.sample, alt: "" }), t("web-welcome-sample"));
    place.append(sample);
  }
  const stops = hello.commands.filter((command) => command.hall !== "house").slice(0, 6);
  const cards = stops.map((command) =>
    el(
      "li",
      {},
      el(
        "button.stop-card",
        { type: "button", onclick: () => composer.choose(command) },
        el("strong", {}, `/${command.title}`),
        el("span", {}, command.description),
      ),
    ),
  );
  byId("welcome").replaceChildren(
    ...[
      el("h1", {}, t("web-welcome")),
      el("p.lead", {}, t("web-welcome-lead")),
      place,
      cards.length ? el("h2", {}, t("web-welcome-stops")) : null,
      cards.length ? el("ul.stops", {}, ...cards) : null,
      el("p.fine", {}, t("web-welcome-privacy", { minutes: hello.limits.minutes })),
    ].filter(Boolean),
  );
}

async function demonstrate() {
  const response = await fetch(hello.links.sample);
  const blob = await response.blob();
  composer.demonstrate(new File([blob], "sample.jpg", { type: blob.type }));
}

// --- language, theme, clearing

function drawLanguages() {
  const buttons = hello.languages.map(({ code, name }) =>
    el(
      "button",
      {
        type: "button",
        lang: code,
        "aria-label": name,
        "aria-pressed": String(code === hello.language),
        title: name,
        onclick: () => deliver({ type: "language", language: code }),
      },
      code.toUpperCase(),
    ),
  );
  const focused = document.activeElement?.closest("#languages") ? document.activeElement.lang : null;
  byId("languages").replaceChildren(...buttons);
  if (focused) buttons.find((button) => button.lang === focused)?.focus();
}

function theme() {
  return document.documentElement.dataset.theme ?? "system";
}

function drawTheme() {
  const button = byId("theme");
  const label = t(`web-theme-${theme()}`);
  button.setAttribute("aria-label", label);
  button.title = label;
  button.replaceChildren(icon(theme()));
}

byId("theme").addEventListener("click", () => {
  const next = THEMES[(THEMES.indexOf(theme()) + 1) % THEMES.length];
  if (next === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = next;
  try {
    localStorage.setItem("tadim-theme", next);
  } catch {
    // Storage is switched off: the choice holds until the page is left.
  }
  drawTheme();
  announce(t(`web-theme-${next}`));
});

byId("clear").addEventListener("click", () => {
  const dialog = byId("ask");
  const no = el("button", { type: "button", onclick: () => dialog.close() }, t("web-clear-no"));
  const yes = el("button.primary", { type: "button" }, t("web-clear-yes"));
  yes.addEventListener("click", () => {
    dialog.close();
    deliver({ type: "clear" });
  });
  const question = el("p", { id: "ask-words" }, t("web-clear-ask"));
  dialog.setAttribute("aria-labelledby", "ask-words");
  dialog.replaceChildren(question, el("div.buttons", {}, no, yes));
  dialog.showModal();
});

// --- dropping and pasting, anywhere on the page

let depth = 0; // dragenter and dragleave also fire for every child

function carriesFiles(event) {
  return [...(event.dataTransfer?.types ?? [])].includes("Files");
}

document.addEventListener("dragenter", (event) => {
  if (!carriesFiles(event) || !hello) return;
  depth += 1;
  byId("drop").hidden = false;
});

document.addEventListener("dragleave", (event) => {
  if (!carriesFiles(event)) return;
  depth = Math.max(0, depth - 1);
  byId("drop").hidden = depth === 0;
});

document.addEventListener("dragover", (event) => {
  if (carriesFiles(event)) event.preventDefault();
});

document.addEventListener("drop", (event) => {
  if (!carriesFiles(event)) return;
  event.preventDefault();
  depth = 0;
  byId("drop").hidden = true;
  if (hello) composer.take([...event.dataTransfer.files]);
});

document.addEventListener("paste", (event) => {
  const files = [...(event.clipboardData?.files ?? [])];
  if (!files.length || !hello) return;
  event.preventDefault();
  composer.take(files);
});

// "/" from anywhere outside a field opens the commands.
document.addEventListener("keydown", (event) => {
  const busy = event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]");
  if (event.key !== "/" || busy || event.target.closest("input, textarea, select")) return;
  event.preventDefault();
  composer.closeForm();
  composer.focus();
  if (!byId("line").value) byId("commands").click();
});

// --- notices

function toast(text) {
  const element = el("p.toast", {}, text);
  byId("toasts").append(element);
  setTimeout(() => element.remove(), 4000 + text.length * 50);
}

/** A mark in the tab's title when an answer is ready and nobody looks. */
function notify(entry) {
  if (document.hidden && entry.author === "tadim" && entry.state !== "partial") {
    document.title = `● ${t("web-title")}`;
  }
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden || !hello) return;
  document.title = t("web-title");
  connection.check();
});

connection.open();
