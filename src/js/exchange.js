// The requests of one batch. One crossing into JavaScript sends a request, one crossing back brings its end:
// promises and streams stay on this side, because each of them would cost a crossing more.

export class Exchanges {
  #env;
  #running = new Map();
  #idle = [];
  #wanted = new Map();
  #onHeaders;
  #onAnswer;
  #onFailure;

  constructor(env, onHeaders, onAnswer, onFailure) {
    this.#env = env;
    this.#onHeaders = onHeaders;
    this.#onAnswer = onAnswer;
    this.#onFailure = onFailure;
  }

  // `fields` are lines, a name and a value in turn; `wanted` are names, one a line. Without a `binding` the request
  // goes to the host of its URL; with one to that Worker, or to the Durable Object of the name `object`.
  send(id, method, url, fields, body, wantsBody, wanted, bodyBytesMax, binding, object) {
    const controller = this.#idle.pop() ?? new AbortController();
    this.#running.set(id, controller);
    this.#exchange(id, controller, method, url, fields, body, wantsBody, wanted, bodyBytesMax, binding, object);
  }

  abort(id) {
    const controller = this.#running.get(id);
    this.#running.delete(id);
    controller?.abort();
  }

  // After this nothing is called back any more.
  close() {
    const controllers = [...this.#running.values()];
    this.#running.clear();
    for (const controller of controllers) controller.abort();
  }

  async #exchange(id, controller, method, url, fields, body, wantsBody, wanted, bodyBytesMax, binding, object) {
    try {
      const headers = pairs(fields);
      const init = { method, headers, body, redirect: "manual", signal: controller.signal };
      const response = await this.#fetch(url, init, binding, object);
      if (this.#running.get(id) !== controller) {
        response.body?.cancel().catch(() => {});
        return;
      }
      this.#onHeaders(id);
      const { status, headers: answered } = response;
      let bytes = NOTHING;
      let size = 0;
      let truncated = false;
      if (fits(answered, bodyBytesMax)) {
        const buffer = await response.arrayBuffer();
        size = buffer.byteLength;
        if (wantsBody) bytes = new Uint8Array(buffer);
      } else {
        ({ bytes, size, truncated } = await drain(response, wantsBody, bodyBytesMax));
      }
      // Whoever aborted it does not want to hear of it.
      if (!this.#running.delete(id)) return;
      // One that was never aborted is as good as a new one, and costs less.
      this.#idle.push(controller);
      this.#onAnswer(id, status, pick(answered, this.#names(wanted)), bytes, size, truncated);
    } catch (error) {
      if (!this.#running.delete(id)) return;
      const marks = object === undefined ? [] : MARKS.filter((mark) => error?.[mark] === true);
      this.#onFailure(id, String(error?.name), String(error?.message), marks.join(" "));
    }
  }

  #fetch(url, init, binding, object) {
    if (binding === undefined) return fetch(url, init);
    const bound = this.#env[binding];
    // A stub that threw may be broken for good: each request has one of its own.
    return object === undefined ? bound.fetch(url, init) : bound.getByName(object).fetch("https://object" + url, init);
  }

  // As many lists as the plan has different steps.
  #names(wanted) {
    let names = this.#wanted.get(wanted);
    if (names === undefined) this.#wanted.set(wanted, (names = wanted === "" ? [] : wanted.split("\n")));
    return names;
  }
}

// What the runtime says about a Durable Object's failure, beside the words.
const MARKS = ["overloaded", "durableObjectReset", "retryable"];

// A header field that cannot be sent fails the request, not the batch.
function pairs(fields) {
  const lines = fields.split("\n");
  const list = [];
  for (let at = 0; at + 1 < lines.length; at += 2) list.push([lines[at], lines[at + 1]]);
  return list;
}

function pick(headers, names) {
  const lines = [];
  for (const name of names) {
    const values = name === "set-cookie" ? headers.getSetCookie() : [headers.get(name)];
    for (const value of values) if (value !== null) lines.push(name, value);
  }
  return lines.join("\n");
}

const NOTHING = new Uint8Array(0);

// Whether a body is known to be within the limit, as it stands and not as it travels.
function fits(headers, bodyBytesMax) {
  const announced = headers.get("content-length");
  return announced !== null && Number(announced) <= bodyBytesMax && !headers.has("content-encoding");
}

// Reads a body to its end, or up to the limit, without holding what nobody wants.
async function drain(response, wantsBody, bodyBytesMax) {
  if (response.body === null) return { bytes: NOTHING, size: 0, truncated: false };
  const reader = response.body.getReader();
  const parts = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return { bytes: joined(parts, wantsBody), size, truncated: false };
    size += value.length;
    if (wantsBody) parts.push(value);
    if (size > bodyBytesMax) {
      reader.cancel().catch(() => {});
      return { bytes: joined(parts, wantsBody).subarray(0, bodyBytesMax), size, truncated: true };
    }
  }
}

function joined(parts, wantsBody) {
  if (!wantsBody || parts.length === 0) return NOTHING;
  if (parts.length === 1) return parts[0];
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
