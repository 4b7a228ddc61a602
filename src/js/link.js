// The line between a coordinator and a batch: a request whose body and whose answer are both open streams of
// lines. The coordinator's side says the assignment, then "beat" every few seconds and "stop"; the batch's side
// says its frames. When either stream ends, the other side is gone.

const encoder = new TextEncoder();

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

// The coordinator's side. `onEnd(started)` is called once, when the batch has nothing more to say.
export class BatchLink {
  #abort = new AbortController();
  #writer;
  #beat;
  #timer;
  #onLine;
  #onEnd;

  constructor(fetcher, url, token, assignment, beatMs, lineBytesMax, onLine, onEnd) {
    const { readable, writable } = new IdentityTransformStream();
    this.#writer = new LineWriter(writable);
    this.#onLine = onLine;
    this.#onEnd = onEnd;
    this.#writer.write(assignment);
    this.#beat = setInterval(() => this.#writer.pending === 0 && this.#writer.write("beat"), beatMs);
    this.#run(fetcher, url, token, readable, lineBytesMax);
  }

  async #run(fetcher, url, token, body, lineBytesMax) {
    let started = false;
    try {
      const headers = { authorization: `Batch ${token}`, "content-type": "application/x-ndjson" };
      const init = { method: "POST", headers, body, signal: this.#abort.signal };
      const response = await fetcher.fetch(url, init);
      started = response.status === 200 && response.body !== null;
      if (started) await readLines(response.body, lineBytesMax, (line) => this.#onLine?.(line));
    } catch {
      // Told by the end.
    }
    const onEnd = this.#onEnd;
    this.close();
    onEnd?.(started);
  }

  // Asks the batch to stop; ends it by force if it does not.
  stop(graceMs) {
    this.#writer.write("stop");
    this.#timer ??= setTimeout(() => this.#abort.abort(), graceMs);
  }

  // Lets go of the batch. After this nothing is called back any more.
  close() {
    this.#onLine = this.#onEnd = undefined;
    clearInterval(this.#beat);
    clearTimeout(this.#timer);
    this.#writer.close();
    this.#abort.abort();
  }
}

// The batch's side. `onLine` gets what the coordinator says, `onGone` is called once when it is gone.
export class BatchPort {
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

  // Says a line; answers how many bytes wait for the coordinator to read them, -1 when it is gone.
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
