// The WebSockets of one batch. What happens on one is called back in a later turn than that in which it was asked for.

import { fieldsOf, pick, words } from "./exchange.js";

export class Sockets {
  #env;
  #known = new Map();
  #leaving = new Set();
  #onOpened;
  #onText;
  #onBytes;
  #onClosed;
  #onBroken;
  #onRefused;
  #messageBytesMax;

  constructor(env, messageBytesMax, onOpened, onText, onBytes, onClosed, onBroken, onRefused) {
    this.#env = env;
    this.#messageBytesMax = messageBytesMax;
    this.#onOpened = onOpened;
    this.#onText = onText;
    this.#onBytes = onBytes;
    this.#onClosed = onClosed;
    this.#onBroken = onBroken;
    this.#onRefused = onRefused;
  }

  // `fields` are lines, a name and a value in turn. `protocols` and `wanted`, names of header fields of the answer, are
  // lines too. Without a `binding` the handshake goes to the host of its URL.
  open(id, url, fields, protocols, wanted, binding) {
    const socket = { controller: new AbortController(), webSocket: null, closing: false };
    this.#known.set(id, socket);
    this.#shakeHands(id, socket, url, words(fields), words(protocols), words(wanted), binding);
  }

  // `content` is a text or bytes.
  send(id, content) {
    this.#order(id, (webSocket) => webSocket.send(content));
  }

  // Sends a close frame. The end is told when the other side has answered it.
  shut(id, code, reason) {
    this.#order(id, (webSocket, socket) => {
      socket.closing = true;
      webSocket.close(code, reason);
    });
  }

  // Gives a WebSocket up. Nothing more is called back about it.
  abort(id) {
    const socket = this.#known.get(id);
    this.#known.delete(id);
    socket?.controller.abort();
  }

  // After this nothing is called back any more. Those that are being closed may still hear the answer.
  close() {
    for (const socket of this.#known.values()) {
      if (socket.closing) this.#leave(socket);
      else socket.controller.abort();
    }
    this.#known.clear();
  }

  // Resolves when nobody is being closed any more, or when that has taken too long.
  async gone(graceMs) {
    if (this.#leaving.size === 0) return;
    let timer;
    const late = new Promise((resolve) => (timer = setTimeout(resolve, graceMs)));
    const left = [...this.#leaving].map((socket) => socket.left);
    await Promise.race([Promise.all(left), late]);
    clearTimeout(timer);
    for (const socket of this.#leaving) socket.controller.abort();
  }

  #leave(socket) {
    this.#leaving.add(socket);
    socket.left = new Promise((resolve) => {
      socket.webSocket.addEventListener("close", () => {
        this.#leaving.delete(socket);
        resolve();
      });
    });
  }

  #order(id, act) {
    const socket = this.#known.get(id);
    if (socket === undefined || socket.webSocket === null) return;
    try {
      act(socket.webSocket, socket);
    } catch {
      // It is gone, which its events tell.
    }
  }

  async #shakeHands(id, socket, url, lines, protocols, wanted, binding) {
    try {
      const headers = fieldsOf(lines);
      headers.set("upgrade", "websocket");
      if (protocols.length > 0) headers.set("sec-websocket-protocol", protocols.join(", "));
      const init = { headers, redirect: "manual", signal: socket.controller.signal };
      const place = binding === undefined ? globalThis : this.#env[binding];
      const response = await place.fetch(url, init);
      const fields = pick(response, wanted);
      if (!this.#known.has(id)) return; // it was aborted, and its connection with it
      if (response.webSocket === null) {
        this.#known.delete(id);
        response.body?.cancel().catch(() => {});
        this.#onRefused(id, response.status, fields);
        return;
      }
      const chosen = response.headers.get("sec-websocket-protocol");
      if (protocols.length > 0 ? !protocols.includes(chosen) : chosen !== null) {
        this.#break(id, PROTOCOL, "it chose a subprotocol that was not offered, or none of those that were");
        return;
      }
      this.#listen(id, socket, response.webSocket);
      this.#onOpened(id, response.status, fields);
    } catch (error) {
      this.#break(id, String(error?.name), String(error?.message));
    }
  }

  #listen(id, socket, webSocket) {
    socket.webSocket = webSocket;
    webSocket.binaryType = "arraybuffer";
    webSocket.addEventListener("message", ({ data }) => {
      if (!this.#known.has(id)) return;
      if (size(data) > this.#messageBytesMax) this.#break(id, TOO_LARGE, "");
      else if (typeof data === "string") this.#onText(id, data);
      else this.#onBytes(id, new Uint8Array(data));
    });
    webSocket.addEventListener("close", ({ code }) => {
      if (this.#known.delete(id)) this.#onClosed(id, code);
    });
    webSocket.addEventListener("error", ({ error, message }) => {
      this.#break(id, String(error?.name), String(error?.message ?? message));
    });
    webSocket.accept();
  }

  #break(id, name, message) {
    if (!this.#known.has(id)) return;
    this.abort(id);
    this.#onBroken(id, name, message);
  }
}

// What is found here and not by the runtime: the names of its errors.
const PROTOCOL = "ProtocolError";
const TOO_LARGE = "MessageTooLarge";

const encoder = new TextEncoder();

// The bytes of a message on the wire; of a text that is certainly small, as many as it may have.
function size(data) {
  if (typeof data !== "string") return data.byteLength;
  return data.length <= SMALL ? data.length * 3 : encoder.encode(data).length;
}

const SMALL = 65_536;
