// The requests of one batch. One crossing into JavaScript sends a request, one crossing back brings its end:
// promises and streams stay on this side, because each of them would cost a crossing more.
//
// What a request costs beside `fetch` itself is mostly the reading of its options and header fields. So a `Request`
// of each step is kept for each request that is under way at the same time, and only what differs is set anew.

export class Exchanges {
  #env;
  #steps = [];
  #running = new Map();
  #idle = [];
  #isLocated = false;
  #onHeaders;
  #onHead;
  #onChunk;
  #onEnd;
  #onAnswer;
  #onFailure;

  constructor(env, onHeaders, onHead, onChunk, onEnd, onAnswer, onFailure) {
    this.#env = env;
    this.#onHeaders = onHeaders;
    this.#onHead = onHead;
    this.#onChunk = onChunk;
    this.#onEnd = onEnd;
    this.#onAnswer = onAnswer;
    this.#onFailure = onFailure;
  }

  // What all requests of a step have in common, except that a redirect may change the method: then it is announced
  // again. `wanted` are names of header fields of the answer, one a line.
  announce(step, method, streams, wantsBody, wanted, bodyBytesMax) {
    this.#steps[step] = { method, streams, wantsBody, wanted: words(wanted), bodyBytesMax };
  }

  // `message` are lines: the URL, then the header fields, a name and a value in turn. Without a `binding` the request
  // goes to the host of its URL; with one to that Worker, or to the Durable Object of the name `object`.
  send(id, step, message, body, binding, object) {
    const lane = this.#idle.pop() ?? new Lane();
    this.#running.set(id, lane);
    this.#exchange(id, lane, step, message.split("\n"), body, binding, object);
  }

  abort(id) {
    const lane = this.#running.get(id);
    this.#running.delete(id);
    lane?.abort();
  }

  // After this nothing is called back any more.
  close() {
    const lanes = [...this.#running.values()];
    this.#running.clear();
    for (const lane of lanes) lane.abort();
  }

  async #exchange(id, lane, number, lines, body, binding, object) {
    try {
      const step = this.#steps[number];
      const init = lane.init(number, step.method, lines, body);
      const response = await this.#fetch(lines[0], init, binding, object);
      // Whoever aborted it does not want to hear of it.
      if (!this.#running.has(id)) {
        response.body?.cancel().catch(() => {});
        return;
      }
      const { status, headers } = response;
      const { wantsBody, wanted, bodyBytesMax } = step;
      if (step.streams) {
        await this.#follow(id, response, wanted);
        return;
      }
      this.#onHeaders(id);
      const isPage = mayBePage(response);
      const keepsBody = wantsBody || isPage;
      const fields = pick(response, this.#names(wanted));
      let bytes = NOTHING;
      let size = 0;
      let truncated = false;
      const announced = announcedSize(headers);
      if (!keepsBody && announced <= SHORT_BYTES) {
        // A short text costs less than a buffer. There is none when only the header was asked for.
        size = (await response.text()) === "" ? 0 : announced;
      } else if (announced <= bodyBytesMax) {
        const buffer = await response.arrayBuffer();
        size = buffer.byteLength;
        if (keepsBody) bytes = new Uint8Array(buffer);
      } else {
        ({ bytes, size, truncated } = await drain(response, keepsBody, bodyBytesMax));
      }
      if (isPage && !wantsBody) bytes = bytes.subarray(0, PAGE_BYTES_MAX);
      if (!this.#running.delete(id)) return;
      if (this.#idle.length < IDLE_MAX) this.#idle.push(lane);
      if (bytes.length === 0 && fields === "" && !truncated) this.#onEnd(id, status, size);
      else this.#onAnswer(id, status, fields, bytes, size, truncated);
    } catch (error) {
      if (!this.#running.delete(id)) return;
      const marks = object === undefined ? [] : MARKS.filter((mark) => error?.[mark] === true);
      this.#onFailure(id, String(error?.name), String(error?.message), marks.join(" "));
    }
  }

  // A stream: its pieces are told as they come, so that there is never more than one of them here, and the clock
  // stands at the moment of each.
  async #follow(id, response, wanted) {
    const { status } = response;
    this.#onHead(id, status, pick(response, this.#names(wanted)));
    const reader = response.body?.getReader();
    while (this.#running.has(id)) {
      const { done, value } = reader === undefined ? { done: true } : await reader.read();
      if (!this.#running.has(id)) break;
      if (done) {
        this.#running.delete(id);
        this.#onEnd(id, status, 0);
        return;
      }
      this.#onChunk(id, value);
    }
    reader?.cancel().catch(() => {});
  }

  // Which fields of an answer are handed over: those that its step wants, and of the first answer where it was given.
  #names(wanted) {
    if (this.#isLocated) return wanted;
    this.#isLocated = true;
    return [...wanted, "cf-ray"];
  }

  #fetch(url, init, binding, object) {
    if (binding === undefined) return fetch(url, init);
    const bound = this.#env[binding];
    // A stub that threw may be broken for good: each request has one of its own.
    return object === undefined ? bound.fetch(url, init) : bound.getByName(object).fetch("https://object" + url, init);
  }
}

// How many lanes are kept for later requests. As many requests can wait for headers as there are slots; more are
// under way only while bodies arrive.
const IDLE_MAX = 32;

// One of the requests that are under way at the same time. Used for one after the other, until one is aborted or
// fails.
class Lane {
  #controller = new AbortController();
  #known = [];

  abort() {
    this.#controller.abort();
  }

  // What `fetch` is to be told beside the URL. A header field that cannot be sent throws.
  init(step, method, lines, body) {
    const { signal } = this.#controller;
    const known = this.#known[step];
    let request = known?.request;
    if (request !== undefined && known.method === method && namesAreEqual(known.lines, lines)) {
      for (let at = 2; at < lines.length; at += 2) {
        if (lines[at] !== known.lines[at]) request.headers.set(lines[at - 1], lines[at]);
      }
    } else {
      const headers = fieldsOf(lines);
      request = new Request(ANY_URL, { method, headers, redirect: "manual", signal });
    }
    this.#known[step] = { request, method, lines };
    // A request that has a body could be sent only once.
    return body === undefined ? request : { method, headers: request.headers, body, redirect: "manual", signal };
  }
}

// A request is always sent to the URL that it is given then.
const ANY_URL = "http://localhost/";

function namesAreEqual(lines, others) {
  if (lines.length !== others.length) return false;
  for (let at = 1; at < lines.length; at += 2) if (lines[at] !== others[at]) return false;
  return true;
}

// Whether an error may be an answer that Cloudflare gave in the target's stead: its page tells which one it is.
function mayBePage({ status, headers }) {
  return status >= 400 && headers.get("server")?.toLowerCase() === "cloudflare";
}

const PAGE_BYTES_MAX = 16384;

// What the runtime says about a Durable Object's failure, beside the words.
const MARKS = ["overloaded", "durableObjectReset", "retryable"];

// The header fields of a message: all of its lines but the URL.
export function fieldsOf(lines) {
  const headers = new Headers();
  for (let at = 2; at < lines.length; at += 2) headers.append(lines[at - 1], lines[at]);
  return headers;
}

// The lines of a text; of an empty one, none.
export function words(text) {
  return text === "" ? [] : text.split("\n");
}

// The header fields that are wanted, as lines, and what tells Cloudflare from the target.
export function pick(response, wanted) {
  const { headers } = response;
  const lines = [];
  for (const name of mayBePage(response) ? [...wanted, "server"] : wanted) {
    const values = name === "set-cookie" ? headers.getSetCookie() : [headers.get(name)];
    for (const value of values) if (value !== null) lines.push(name, value);
  }
  return lines.join("\n");
}

const NOTHING = new Uint8Array(0);

// Up to which size a body is read as text if it is only counted.
const SHORT_BYTES = 4096;

// The size of a body as it stands, `Infinity` where only its end tells, or where it travels in another form.
function announcedSize(headers) {
  const announced = headers.get("content-length");
  return announced === null || headers.has("content-encoding") ? Infinity : Number(announced);
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
