// The load tester as it was built, with parts that misbehave when a test asks for it: `POST /__faults` with
// {"batches": {"0.2": "dies"}, "shard": "weur/001", "overloaded": "enam/000", "alarms": "twice"}. Batches are named by
// slice and number, shards by the end of their object's name. The body is what counts until the next one.
// `GET /__shards` answers how coordinators have reached for shards since then.

import Worker, { LoadShard as Shard, RunCoordinator as Coordinator } from "./index.js";
export * from "./index.js";

let faults = {};
let reached = [];

export default class extends Worker {
  async fetch(request) {
    const { pathname } = new URL(request.url);
    if (pathname === "/__faults") {
      faults = await request.json();
      reached = [];
      return new Response(null, { status: 204 });
    }
    if (pathname === "/__shards") return Response.json(reached);
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

// What becomes of a batch's lines on their way.
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
    return lines((line, controller) => {
      if (left-- > 0) controller.enqueue(line);
      else controller.error(new Error("on purpose: the batch dies"));
    });
  },
  // It says everything twice.
  twice: () =>
    lines((line, controller) => {
      console.log("on purpose: said twice");
      controller.enqueue(line);
      controller.enqueue(line);
    }),
  // Each second is heard somewhat later than the one before.
  late: () =>
    lines(async (line, controller) => {
      await new Promise((resolve) => setTimeout(resolve, 1_200));
      controller.enqueue(line);
    }),
};

// Passes each line on by itself: a long one arrives in several pieces.
function lines(pass) {
  const decoder = new TextDecoder();
  const encoder = new TextEncoder();
  let rest = "";
  return new TransformStream({
    async transform(piece, controller) {
      const whole = (rest + decoder.decode(piece, { stream: true })).split("\n");
      rest = whole.pop();
      for (const line of whole) await pass(encoder.encode(`${line}\n`), controller);
    },
  });
}

// A coordinator whose alarm comes otherwise than it was set, and who is told that a shard has too much to do.
export class RunCoordinator {
  #coordinator;

  constructor(state, env) {
    const SHARDS = new Proxy(env.SHARDS, { get: watched });
    this.#coordinator = new Coordinator(state, { ...env, SHARDS });
  }

  fetch(request) {
    return this.#coordinator.fetch(request);
  }

  async alarm() {
    const alarm = () => this.#coordinator.alarm();
    switch (faults.alarms) {
      // Each comes a second time while the first is at work, and a third time when that is done.
      case "thrice":
        await Promise.all([alarm(), alarm()]);
        return alarm();
      // The first that comes is lost, and with it all that would have followed.
      case "lost":
        faults = {};
        console.log("on purpose: the alarm is lost");
        return;
      default:
        return alarm();
    }
  }
}

// The namespace of the shards, of which each call is noted: for whom, where the object is to be, for what, and when.
function watched(namespace, property) {
  const value = namespace[property];
  // By the name of its class the Worker tells what a binding is.
  if (property === "constructor") return value;
  if (property !== "get") return typeof value === "function" ? value.bind(namespace) : value;
  return (id, options) => ({
    fetch(...request) {
      const path = new URL(request[0].url ?? request[0]).pathname;
      reached.push({ name: id.name, region: options?.locationHint, path, atMs: Date.now() });
      if (path === "/play" && faults.overloaded !== undefined && id.name.endsWith(faults.overloaded)) {
        faults = {};
        const error = new Error("on purpose: the object is overloaded");
        return Promise.reject(Object.assign(error, { overloaded: true, retryable: true }));
      }
      return namespace.get(id, options).fetch(...request);
    },
  });
}

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
