// The WebSocket, and everything that goes wrong with one: it reconnects with growing pauses, notices
// a connection that died silently, and sends again what was not acknowledged.

const PAUSES = [500, 1000, 2000, 4000, 8000, 15000]; // milliseconds
const PING_EVERY = 20_000;
const PONG_WITHIN = 8_000;
const LANGUAGE = document.documentElement.lang; // in which the page came

/** Events: "message" (detail: the parsed message), "up", "down". */
export class Connection extends EventTarget {
  #socket = null;
  #attempt = 0;
  #timer = 0;
  #ping = 0;
  #pong = 0;
  #unacknowledged = new Map();
  up = false;

  open() {
    clearTimeout(this.#timer);
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(`${scheme}//${location.host}/ws?language=${LANGUAGE}`);
    this.#socket = socket;
    socket.onmessage = (event) => this.#receive(JSON.parse(event.data));
    socket.onclose = () => {
      if (socket === this.#socket) this.#closed();
    };
  }

  /** Try at once instead of waiting for the next attempt. */
  retry() {
    if (this.up) return;
    this.#attempt = 0;
    this.#drop();
    this.open();
  }

  /** Ask whether the other side is still there; nobody tells a phone that slept. */
  check() {
    if (!this.up) {
      this.retry();
      return;
    }
    this.#socket.send(JSON.stringify({ type: "ping" }));
    clearTimeout(this.#pong);
    this.#pong = setTimeout(() => {
      this.#drop();
      this.#closed();
    }, PONG_WITHIN);
  }

  /** Send a message; false where there is no connection, so that the caller keeps its input. */
  send(message) {
    if (!this.up) return false;
    const key = Math.random().toString(36).slice(2, 14);
    this.#unacknowledged.set(key, message);
    this.#socket.send(JSON.stringify({ ...message, key }));
    return true;
  }

  #receive(message) {
    switch (message.type) {
      case "pong":
        clearTimeout(this.#pong);
        return;
      case "got":
        this.#unacknowledged.delete(message.key);
        return;
      case "overrun":
        this.#socket.close();
        return;
      case "error":
        // Refused is answered, too: sending it again would be refused again.
        this.#unacknowledged.clear();
        break;
      case "hello":
        if (!this.up) this.#opened();
        break;
    }
    this.dispatchEvent(new CustomEvent("message", { detail: message }));
  }

  #opened() {
    this.up = true;
    this.#attempt = 0;
    for (const [key, message] of this.#unacknowledged) {
      this.#socket.send(JSON.stringify({ ...message, key }));
    }
    clearInterval(this.#ping);
    this.#ping = setInterval(() => this.check(), PING_EVERY);
    this.dispatchEvent(new Event("up"));
  }

  #closed() {
    clearInterval(this.#ping);
    clearTimeout(this.#pong);
    this.up = false;
    const pause = PAUSES[Math.min(this.#attempt, PAUSES.length - 1)];
    this.#attempt += 1;
    // A little chance, so that a room full of pages does not knock at the same moment.
    this.#timer = setTimeout(() => this.open(), pause * (0.75 + Math.random() / 2));
    this.dispatchEvent(new Event("down"));
  }

  #drop() {
    const socket = this.#socket;
    this.#socket = null;
    if (socket) socket.close();
  }
}
