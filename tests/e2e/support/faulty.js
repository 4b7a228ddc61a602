// The load tester as it was built, with parts that misbehave when a test asks for it: `POST /__faults` with
// {"batches": {"0.2": "dies"}, "shard": "weur/001"}. Batches are named by slice and number, shards by the end of their
// object's name. The body is what counts until the next one.

import Worker, { LoadShard as Shard } from "./index.js";
export * from "./index.js";

let faults = {};

export default class extends Worker {
  async fetch(request) {
    const { pathname } = new URL(request.url);
    if (pathname === "/__faults") {
      faults = await request.json();
      return new Response(null, { status: 204 });
    }
    const fault = pathname === "/internal/batch" ? faults.batches?.[nameOf(request)] : undefined;
    if (fault === "never answers") await new Promise((resolve) => setTimeout(resolve, 60_000));
    const response = await super.fetch(request);
    const disturbed = FAULTS[fault];
    return disturbed === undefined ? response : new Response(response.body.pipeThrough(disturbed()), response);
  }
}

// "Batch v1.run.slice.batch.expires.signature"
function nameOf(request) {
  const [, , slice, batch] = (request.headers.get("authorization") ?? "").split(".");
  return `${slice}.${batch}`;
}

// What becomes of a batch's lines on their way. A chunk is a whole number of lines.
const FAULTS = {
  // Nothing is ever heard of it, not even that it has ended.
  silent: () =>
    new TransformStream({
      transform() {},
      flush: () => new Promise((resolve) => setTimeout(resolve, 60_000)),
    }),
  // Its stream breaks after the second frame.
  dies: () => {
    let left = 2;
    return new TransformStream({
      transform(chunk, controller) {
        if (left-- > 0) controller.enqueue(chunk);
        else controller.error(new Error("on purpose: the batch dies"));
      },
    });
  },
  // It says everything twice.
  twice: () =>
    new TransformStream({
      transform(chunk, controller) {
        controller.enqueue(chunk);
        controller.enqueue(chunk);
      },
    }),
  // Each second is heard somewhat later than the one before.
  late: () =>
    new TransformStream({
      async transform(chunk, controller) {
        await new Promise((resolve) => setTimeout(resolve, 1_200));
        controller.enqueue(chunk);
      },
    }),
};

// A shard whose object is reset while it plays, once, as by a machine that fails.
export class LoadShard {
  #shard;
  #state;

  constructor(state, env) {
    this.#shard = new Shard(state, env);
    this.#state = state;
  }

  async fetch(request) {
    const plays = new URL(request.url).pathname === "/play";
    if (plays && faults.shard !== undefined && this.#state.id.name?.endsWith(faults.shard)) {
      faults = {};
      setTimeout(() => this.#state.abort("on purpose: the object is lost"), 1_500);
    }
    return this.#shard.fetch(request);
  }
}
