// Pictures on their way to the server: checked, previewed, sent at once while one still types.

import { el, icon, iconButton } from "./dom.js";
import { number, t } from "./words.js";

export const MOST = 4; // pictures at a time

/** Why a file cannot be taken, as a sentence; null if it can be tried. */
export function refusal(file, limits) {
  if (file.type && !file.type.startsWith("image/")) {
    return t("web-not-a-picture", { name: file.name });
  }
  if (file.size > limits.upload) {
    const megabytes = number(Math.round(limits.upload / 1e6));
    return t("web-too-large", { name: file.name, megabytes });
  }
  return null;
}

/** A picture that was added to the message box. `remove(attachment)` takes it away again. */
export class Attachment {
  #request = new XMLHttpRequest();
  #url;

  constructor(file, remove) {
    this.name = file.name;
    this.#url = URL.createObjectURL(file);
    const preview = el("img", { src: this.#url, alt: "" });
    preview.onerror = () => preview.replaceWith(icon("picture")); // a format only the server reads
    this.bar = el("i");
    this.button = iconButton("close", t("web-picture-remove"), () => remove(this));
    const label = `${t("web-picture-attached")}: ${file.name}`;
    this.element = el("li.attachment", { "aria-label": label }, preview, this.bar, this.button);
    this.arrived = false;
    this.uploaded = this.#send(file);
    this.uploaded.catch(() => {}); // whoever runs the command hears of it
  }

  /** Resolves to the upload's id; rejects with an Error whose message is for the visitor. */
  #send(file) {
    const request = this.#request;
    return new Promise((resolve, reject) => {
      const failed = () => reject(new Error(t("web-upload-failed")));
      request.open("POST", "/upload");
      request.responseType = "json";
      request.upload.onprogress = (event) => {
        if (event.lengthComputable) {
          this.bar.style.transform = `scaleX(${1 - event.loaded / event.total})`;
        }
      };
      request.onload = () => {
        this.bar.style.transform = "scaleX(0)";
        if (request.status === 200) {
          this.arrived = true;
          resolve(request.response.id);
        } else reject(new Error(request.response?.error ?? t("web-upload-failed")));
      };
      request.onerror = failed;
      request.onabort = failed;
      request.setRequestHeader("Content-Type", "application/octet-stream");
      request.send(file);
    });
  }

  /** Stop sending, if that is still going on, and free the preview. */
  drop() {
    this.#request.abort();
    this.release();
  }

  release() {
    this.element.remove();
    URL.revokeObjectURL(this.#url);
  }
}
