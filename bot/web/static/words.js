// The page's words. They come from the server's Fluent files with `hello`; nothing is written here.

let messages = {};
let language = "en";

/** Take the words of a `hello`, and dress the elements that stand in the page from the start. */
export function setWords(hello) {
  messages = hello.words;
  language = hello.language;
  document.documentElement.lang = language;
  document.title = t("web-title");
  for (const element of document.querySelectorAll("[data-word]")) {
    element.textContent = t(element.dataset.word);
  }
  for (const element of document.querySelectorAll("[data-label]")) {
    const label = t(element.dataset.label);
    element.setAttribute("aria-label", label);
    if (element.tagName === "BUTTON") element.title = label;
  }
}

/** The message with this key; `{name}` in it is filled from `values`. */
export function t(key, values = {}) {
  const text = messages[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/** A number as the language writes it: 0.25 or 0,25. */
export function number(value) {
  const options = { maximumFractionDigits: 6, useGrouping: false };
  return new Intl.NumberFormat(language, options).format(value);
}

/** A number that somebody typed, with a decimal point or comma; NaN if it is none. */
export function toNumber(text) {
  return text.trim() === "" ? NaN : Number(text.trim().replace(",", "."));
}

/** A spelling for comparisons, as `locales.fold`: no case, no dots, no accents. */
export function fold(text) {
  const lowered = text
    .normalize("NFC")
    .replace(/I/g, "ı")
    .replace(/İ/g, "i")
    .toLowerCase()
    .replace(/ı/g, "i");
  return lowered.normalize("NFKD").replace(/\p{M}/gu, "");
}
