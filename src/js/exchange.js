// The requests of one batch. One crossing into JavaScript sends a request, one crossing back brings its end:
// promises and streams stay on this side, because each of them would cost a crossing more.
//
// What a request costs beside `fetch` itself is mostly what is made for it and thrown away: texts, header fields, and
// the objects by which JavaScript sees them. So each place for a request keeps, of every kind of request, what it was
// told last, and is told only what differs.

export class Exchanges {
  #env;
  #lanesKept;
  #kinds = [];
  #lanes = [];
  #isLocated = false;
  #onHeaders;
  #onHead;
  #onChunk;
  #onEnd;
  #onText;
  #onAnswer;
  #onFailure;

  constructor(env, lanesKept, onHeaders, onHead, onChunk, onEnd, onText, onAnswer, onFailure) {
    this.#env = env;
    this.#lanesKept = lanesKept;
    this.#onHeaders = onHeaders;
    this.#onHead = onHead;
    this.#onChunk = onChunk;
    this.#onEnd = onEnd;
    this.#onText = onText;
    this.#onAnswer = onAnswer;
    this.#onFailure = onFailure;
  }

  // What all requests of a kind have in common: those of a step, except that a redirect may change the method.
  // `wanted` are names of header fields of the answer, one a line.
  announce(kind, method, streams, wantsBody, wanted, bodyBytesMax) {
    this.#kinds[kind] = { method, streams, wantsBody, wanted: words(wanted), bodyBytesMax };
  }

  // At a `place` there is one request at a time. `fields` are lines, a name and a value in turn. At the first
  // `lanesKept` places, `url` and `fields` are left out where they are those of the kind's request before this one at
  // the same place; a URL that is left out is that one's, or, unless `kept` is zero, its first `kept` characters and
  // those of `tail` and `more`. Without a `binding` the request goes to the host of its URL; with one to that Worker, or
  // to the Durable Object of the name `object`.
  send(id, place, kind, url, kept, tail, more, fields, body, binding, object) {
    if (place >= this.#lanesKept) this.#lanes[place] = undefined;
    const lane = (this.#lanes[place] ??= new Lane());
    const message = lane.begin(id, kind);
    message.tell(url, kept, tail, more, fields);
    this.#exchange(id, lane, this.#kinds[kind], message, body, binding, object);
  }

  abort(id, place) {
    const lane = this.#lanes[place];
    if (lane?.end(id)) lane.abort();
  }

  // After this nothing is called back any more.
  close() {
    for (const lane of this.#lanes.splice(0)) if (lane?.end(lane.id)) lane.abort();
  }

  async #exchange(id, lane, kind, message, body, binding, object) {
    try {
      const response = await this.#fetch(message, kind.method, lane.signal, body, binding, object);
      // Whoever aborted it does not want to hear of it.
      if (lane.id !== id) {
        response.body?.cancel().catch(() => {});
        return;
      }
      if (kind.streams) {
        await this.#follow(id, lane, response, kind.wanted);
        return;
      }
      this.#onHeaders(id);
      const { status, headers } = response;
      const { wantsBody, bodyBytesMax } = kind;
      const isPage = mayBePage(status, headers);
      const keepsBody = wantsBody || isPage;
      const fields = picked(headers, this.#names(kind.wanted), isPage);
      const announced = announcedSize(headers);
      if (announced <= SHORT_BYTES && announced <= bodyBytesMax) {
        // A short text costs less than a buffer, which is memory outside of the heap.
        const text = await response.text();
        if (!lane.end(id)) return;
        // There is none when only the header was asked for.
        const size = text === "" ? 0 : announced;
        const kept = keepsBody ? text : "";
        if (kept === "" && fields === "") this.#onEnd(id, status, size);
        else this.#onText(id, status, fields, kept, size);
        return;
      }
      let bytes = NOTHING;
      let size = 0;
      let truncated = false;
      if (announced <= bodyBytesMax) {
        const buffer = await response.arrayBuffer();
        size = buffer.byteLength;
        if (keepsBody) bytes = new Uint8Array(buffer);
      } else {
        ({ bytes, size, truncated } = await drain(response, keepsBody, bodyBytesMax));
      }
      if (isPage && !wantsBody) bytes = bytes.subarray(0, PAGE_BYTES_MAX);
      if (!lane.end(id)) return;
      if (bytes.length === 0 && fields === "" && !truncated) this.#onEnd(id, status, size);
      else this.#onAnswer(id, status, fields, bytes, size, truncated);
    } catch (error) {
      if (!lane.end(id)) return;
      message.forget();
      const marks = object === undefined ? [] : MARKS.filter((mark) => error?.[mark] === true);
      this.#onFailure(id, String(error?.name), String(error?.message), marks.join(" "));
    }
  }

  // A stream: its pieces are told as they come, so that there is never more than one of them here, and the clock
  // stands at the moment of each.
  async #follow(id, lane, response, wanted) {
    const { status } = response;
    this.#onHead(id, status, pick(response, this.#names(wanted)));
    const reader = response.body?.getReader();
    while (lane.id === id) {
      const { done, value } = reader === undefined ? { done: true } : await reader.read();
      if (lane.id !== id) break;
      if (done) {
        lane.end(id);
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

  #fetch(message, method, signal, body, binding, object) {
    const request = message.request(method, signal, binding === undefined);
    const { url } = message;
    // A request that has a body could be sent only once.
    const init = body === undefined ? request : { method, headers: request.headers, body, redirect: "manual", signal };
    if (binding === undefined) return init === request && message.isBound ? fetch(request) : fetch(url, init);
    const bound = this.#env[binding];
    // A stub that threw may be broken for good: each request has one of its own.
    return object === undefined ? bound.fetch(url, init) : bound.getByName(object).fetch("https://object" + url, init);
  }
}

// A place for requests, which are sent from it one after the other.
class Lane {
  id; // of the request that is under way
  signal;
  #controller;
  #messages = [];

  constructor() {
    this.#renew();
  }

  begin(id, kind) {
    this.id = id;
    return (this.#messages[kind] ??= new Message());
  }

  // Whether the request was still under way.
  end(id) {
    if (id === undefined || this.id !== id) return false;
    this.id = undefined;
    return true;
  }

  abort() {
    this.#controller.abort();
    this.#renew();
    for (const message of this.#messages) message?.forget();
  }

  #renew() {
    this.#controller = new AbortController();
    this.signal = this.#controller.signal;
  }
}

// What was told last of a kind of request at a place, and the `Request` that was made of it.
class Message {
  url;
  isBound = false; // whether the `Request` is one to this URL
  #isRepeated = false;
  #lines;
  #request;
  #requestLines;

  tell(url, kept, tail, more, fields) {
    this.#isRepeated = url === undefined && kept === 0;
    if (fields !== undefined) this.#lines = words(fields);
    if (this.#isRepeated) return;
    this.url = url ?? this.url.slice(0, kept) + characters(tail) + characters(more);
    this.isBound = false;
  }

  // The next `Request` is made anew.
  forget() {
    this.#request = undefined;
    this.isBound = false;
  }

  // What is to be sent. A URL that comes again is made part of it, if it `isToHost`: otherwise `fetch` would have to
  // copy the `Request` for it. A header field that cannot be sent throws.
  request(method, signal, isToHost) {
    if (this.#request === undefined) {
      const headers = fieldsOf(this.#lines);
      this.#request = new Request(ANY_URL, { method, headers, redirect: "manual", signal });
    } else if (this.#lines !== this.#requestLines) {
      this.#change(this.#requestLines, this.#lines);
    }
    this.#requestLines = this.#lines;
    if (this.#isRepeated && isToHost && !this.isBound) {
      this.#request = new Request(this.url, this.#request);
      this.isBound = true;
    }
    return this.#request;
  }

  #change(lines, others) {
    const { headers } = this.#request;
    if (namesAreEqual(lines, others)) {
      for (let at = 1; at < others.length; at += 2) {
        if (others[at] !== lines[at]) headers.set(others[at - 1], others[at]);
      }
      return;
    }
    for (let at = 0; at < lines.length; at += 2) headers.delete(lines[at]);
    for (let at = 0; at < others.length; at += 2) headers.append(others[at], others[at + 1]);
  }
}

// Up to four characters, of which the first is the lowest byte of a number.
function characters(packed) {
  let text = "";
  for (let rest = packed; rest !== 0; rest >>>= 8) text += String.fromCharCode(rest & 0xff);
  return text;
}

// A request is sent to the URL that it is given then.
const ANY_URL = "http://localhost/";

function namesAreEqual(lines, others) {
  if (lines.length !== others.length) return false;
  for (let at = 0; at < lines.length; at += 2) if (lines[at] !== others[at]) return false;
  return true;
}

// Whether an error may be an answer that Cloudflare gave in the target's stead: its page tells which one it is.
function mayBePage(status, headers) {
  return status >= 400 && headers.get("server")?.toLowerCase() === "cloudflare";
}

const PAGE_BYTES_MAX = 16384;

// What the runtime says about a Durable Object's failure, beside the words.
const MARKS = ["overloaded", "durableObjectReset", "retryable"];

// Header fields of lines, a name and a value in turn.
export function fieldsOf(lines) {
  const headers = new Headers();
  for (let at = 0; at < lines.length; at += 2) headers.append(lines[at], lines[at + 1]);
  return headers;
}

// The lines of a text; of an empty one, none.
export function words(text) {
  return text === "" ? [] : text.split("\n");
}

// The header fields that are wanted, as lines, and what tells Cloudflare from the target.
export function pick({ status, headers }, wanted) {
  return picked(headers, wanted, mayBePage(status, headers));
}

function picked(headers, wanted, isPage) {
  let lines = "";
  for (const name of wanted) {
    // Asking whether there are any costs less than a list of none.
    if (name !== "set-cookie") lines += line(name, headers.get(name));
    else if (headers.has(name)) for (const value of headers.getSetCookie()) lines += line(name, value);
  }
  if (isPage) lines += line("server", headers.get("server"));
  return lines.slice(1);
}

function line(name, value) {
  return value === null ? "" : `\n${name}\n${value}`;
}

const NOTHING = new Uint8Array(0);

// Up to which size a body is read as text.
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
