// A picture in the conversation: click to enlarge, still when motion is unwelcome, gone when it is.

import { el, icon, iconButton } from "./dom.js";
import { t } from "./words.js";
import { zoom } from "./zoom.js";

const calm = matchMedia("(prefers-reduced-motion: reduce)");

export class Picture {
  #url = null;
  #image = null;
  #animated = false;

  constructor(image) {
    this.media = null;
    this.still = el("canvas", { hidden: true, "aria-hidden": "true" });
    this.open = el("button.enlarge", { type: "button", onclick: () => zoom(this.#image, this.open) });
    this.play = iconButton("pause", t("web-pause"), () => this.#setPlaying(this.paused));
    this.save = el("a.icon.save", { download: "" }, icon("download"));
    this.tools = el("div.picture-tools", {}, this.play, this.save);
    this.element = el("figure.picture", {}, this.open, this.tools);
    this.paused = false;
    this.update(image);
  }

  update(image) {
    this.#image = image;
    this.#animated = Boolean(image.animated);
    this.open.setAttribute("aria-label", t("web-enlarge", { name: image.alt }));
    this.save.setAttribute("aria-label", t("web-download"));
    this.save.title = t("web-download");
    this.save.download = image.name || "";
    this.save.href = image.url ?? "";
    this.play.hidden = !this.#animated;
    this.tools.hidden = !image.name;
    if (this.media) this.media.alt = image.alt;
    if (image.url !== this.#url) this.#load(image);
  }

  /** Show the new picture when it is there, so that previews change without a blink. */
  #load(image) {
    this.#url = image.url;
    if (!image.url) {
      this.#without("web-picture-gone");
      return;
    }
    const media = image.video
      ? el("video", { muted: true, loop: true, autoplay: !calm.matches, playsInline: true })
      : el("img", { alt: image.alt, decoding: "async" });
    const show = () => {
      if (this.#url !== image.url) return; // a newer one has overtaken it
      this.media = media;
      this.open.replaceChildren(media, this.still);
      this.element.classList.add("loaded");
      if (this.#animated) this.#setPlaying(!calm.matches);
    };
    media.addEventListener(image.video ? "loadeddata" : "load", show, { once: true });
    media.addEventListener("error", () => {
      this.#failed(image.url);
    });
    media.src = image.url;
  }

  /** Play, or stand still on the first frame. */
  #setPlaying(playing) {
    this.paused = !playing;
    const label = t(playing ? "web-pause" : "web-play");
    this.play.replaceChildren(icon(playing ? "pause" : "play"));
    this.play.setAttribute("aria-label", label);
    this.play.title = label;
    if (this.media instanceof HTMLVideoElement) {
      if (playing) this.media.play();
      else this.media.pause();
      return;
    }
    if (!playing) {
      this.still.width = this.media.naturalWidth;
      this.still.height = this.media.naturalHeight;
      this.still.getContext("2d").drawImage(this.media, 0, 0);
    }
    this.still.hidden = playing;
    this.media.classList.toggle("unseen", !playing);
  }

  /** Either the server no longer has it, or it is there and this browser cannot show it. */
  async #failed(url) {
    const there = await fetch(url, { method: "HEAD" }).then(
      (response) => response.ok,
      () => false,
    );
    if (this.#url === url) this.#without(there ? "web-picture-unseen" : "web-picture-gone");
  }

  /** Show a sentence instead; `data-word` lets a change of language reach it. */
  #without(word) {
    this.element.classList.add("gone");
    this.open.disabled = true;
    const sentence = el("span", {}, t(word));
    sentence.dataset.word = word;
    this.open.replaceChildren(sentence);
    this.tools.hidden = true;
  }
}
