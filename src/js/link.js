// A line between two parts of the load tester: a request whose body and whose answer are both open streams of
// lines. The caller says what to do, "beat" every few seconds, what has become known meanwhile, and
// "stop"; the other side says what it measures. When either stream ends, the other side is gone.

const encoder = new TextEncoder();

// The first wait before a place that could not be reached is tried again; each further one is four times as long.
const RETRY_MS = 250;

// Splits a stream of bytes into lines. Calls `onLine` for each; returns when the stream ends, throws when it
// breaks or a line is too long.
async function readLines(stream, lineBytesMax, onLine) {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const lines = (rest + decoder.decode(value, { stream: true })).split("\n");
      rest = lines.pop();
      for (const line of lines) onLine(line);
      if (rest.length > lineBytesMax) throw new RangeError("line too long");
    }
  } catch (error) {
    reader.cancel().catch(() => {});
    throw error;
  }
}

// The end of a stream that is written to. Writes wait for each other inside; `pending` says how many bytes.
class LineWriter {
  #writer;
  #broken = false;
  pending = 0;

  constructor(writable) {
    this.#writer = writable.getWriter();
    this.#writer.closed.catch(() => (this.#broken = true));
  }

  write(line) {
    if (this.#broken) return false;
    const bytes = encoder.encode(line + "\n");
    this.pending += bytes.length;
    const settled = () => (this.pending -= bytes.length);
    this.#writer.write(bytes).then(settled, () => {
      settled();
      this.#broken = true;
    });
    return true;
  }

  async close() {
    try {
      await this.#writer.close();
    } catch {
      // The other side is gone: nobody misses the end.
    }
  }
}

// Where a line leads: a Worker behind a service binding, or a Durable Object of this name, which is created near
// `region` when it is reached for the first time.
export const toService = (binding) => () => binding;

export const toObject = (namespace, name, region) => () =>
  namespace.get(namespace.idFromName(name), region === undefined ? undefined : { locationHint: region });

// The caller's side. `onEnd(started, overloaded)` is called once, when the other side has nothing more to say.
export class Link {
  #abort = new AbortController();
  #stopping = false;
  #writer;
  #beat;
  #timer;
  #onLine;
  #onEnd;

  // `waitMs` is how long to wait first; `retries` how often to try again where the platform says that it may
  // help.
  constructor(place, url, token, order, waitMs, retries, beatMs, lineBytesMax, onLine, onEnd) {
    this.#onLine = onLine;
    this.#onEnd = onEnd;
    this.#run(place, { url, token, order, beatMs, lineBytesMax }, waitMs, retries);
  }

  async #run(place, call, waitMs, retries) {
    let end = { started: false, overloaded: false };
    for (let tries = 0; tries <= retries && !this.#stopping; tries++) {
      const wait = tries === 0 ? waitMs : RETRY_MS * 4 ** (tries - 1);
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
      // Let go of meanwhile.
      if (this.#onEnd === undefined) return;
      end = await this.#call(place, call);
      if (!end.retryable) break;
    }
    const onEnd = this.#onEnd;
    this.close();
    onEnd?.(end.started, end.overloaded);
  }

  async #call(place, { url, token, order, beatMs, lineBytesMax }) {
    const { readable, writable } = new IdentityTransformStream();
    const writer = (this.#writer = new LineWriter(writable));
    writer.write(order);
    clearInterval(this.#beat);
    this.#beat = setInterval(() => writer.pending === 0 && writer.write("beat"), beatMs);
    let response;
    try {
      const headers = { authorization: `Batch ${token}`, "content-type": "application/x-ndjson" };
      const init = { method: "POST", headers, body: readable, signal: this.#abort.signal };
      // A stub that has failed once is broken, so that each try gets its own.
      response = await place().fetch(url, init);
    } catch (error) {
      const overloaded = error?.overloaded === true;
      return { started: false, overloaded, retryable: error?.retryable === true && !overloaded };
    }
    if (response.status !== 200 || response.body === null) return { started: false, overloaded: false };
    try {
      await readLines(response.body, lineBytesMax, (line) => this.#onLine?.(line));
    } catch {
      // Told by the end.
    }
    return { started: true, overloaded: false };
  }

  // Says something more.
  say(line) {
    this.#writer?.write(line);
  }

  // Asks the other side to stop; ends it by force if it does not.
  stop(graceMs) {
    this.#stopping = true;
    this.#writer?.write("stop");
    this.#timer ??= setTimeout(() => this.#abort.abort(), graceMs);
  }

  // Lets go of the other side. After this nothing is called back any more.
  close() {
    this.#onLine = this.#onEnd = undefined;
    clearInterval(this.#beat);
    clearTimeout(this.#timer);
    this.#writer?.close();
    this.#abort.abort();
  }
}

// The side that is called. `onLine` gets what the caller says, `onGone` is called once when it is gone.
export class Port {
  #writer;
  #onLine;
  #onGone;
  #finish;
  readable;
  finished = new Promise((resolve) => (this.#finish = resolve));

  constructor(body, signal, lineBytesMax, onLine, onGone) {
    const { readable, writable } = new IdentityTransformStream();
    this.readable = readable;
    this.#writer = new LineWriter(writable);
    this.#onLine = onLine;
    this.#onGone = onGone;
    signal?.addEventListener("abort", () => this.#gone());
    readLines(body, lineBytesMax, (line) => this.#onLine?.(line)).then(
      () => this.#gone(),
      () => this.#gone(),
    );
  }

  #gone() {
    const onGone = this.#onGone;
    this.#onGone = undefined;
    onGone?.();
  }

  // Says a line; answers how many bytes wait for the caller to read them, -1 when it is gone.
  ship(line) {
    return this.#writer.write(line) ? this.#writer.pending : -1;
  }

  // Ends the answer after everything that was said. After this nothing is called back any more.
  async close() {
    this.#onLine = this.#onGone = undefined;
    await this.#writer.close();
    this.#finish();
  }
}
