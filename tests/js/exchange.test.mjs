// What the batches' requests do at the border between Rust and JavaScript, against a server on this machine.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { after, before, test as play } from "node:test";

// As the Worker's bundler takes it: as a module, whatever Node would make of its name.
const source = await readFile(new URL("../../src/js/exchange.js", import.meta.url));
const { Exchanges } = await import(`data:text/javascript;base64,${source.toString("base64")}`);

const LANES_KEPT = 32;
// What is never told would be waited for without an end.
const test = (name, body) => play(name, { timeout: 120_000 }, body);
const PAGE = "error code: 1015";
const LONG = "x".repeat(40_000);

let server;
let base;
const received = [];

before(async () => {
  server = createServer((request, response) => {
    const chunks = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
      const { method, url, headers } = request;
      received.push({ method, url, headers, body: Buffer.concat(chunks).toString() });
      answer(new URL(url, "http://target").pathname, response);
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  base = `http://127.0.0.1:${server.address().port}`;
});

after(() => {
  server.closeAllConnections();
  server.close();
});

function answer(path, response) {
  const paths = {
    "/plain": () => response.end("hello"),
    "/no-text": () => response.end(Buffer.from([0x61, 0xff])),
    "/fields": () => {
      response.setHeader("set-cookie", ["a=1; Path=/", "b=2"]);
      response.setHeader("x-one", "1");
      response.setHeader("x-two", "2");
      response.end("{}");
    },
    "/ray": () => response.writeHead(200, { "cf-ray": "8f2a3b4c5d6e7f80-AMS" }).end(),
    "/empty": () => response.writeHead(204).end(),
    "/redirect": () => response.writeHead(302, { location: "/plain" }).end(),
    "/chunks": () => {
      response.write("a".repeat(600));
      response.end("b".repeat(600));
    },
    "/limited": () => response.writeHead(429, { server: "cloudflare" }).end(PAGE),
    "/long-page": () => response.writeHead(500, { server: "cloudflare" }).end(LONG),
    "/own-error": () => response.writeHead(500, { server: "grove" }).end("broken"),
    "/broken": () => response.destroy(),
    "/never": () => {},
    "/half": () => response.write("the beginning"),
    "/cut": () => response.write("the beginning", () => response.destroy()),
  };
  paths[path]();
}

// The requests of a batch, and what it is told about them, in order.
function batch(env = {}) {
  const told = [];
  const waiting = [];
  const tell = (event) => {
    told.push(event);
    for (const wake of waiting.splice(0)) wake();
  };
  const exchanges = new Exchanges(
    env,
    LANES_KEPT,
    (id) => tell({ what: "headers", id }),
    (id, status, fields) => tell({ what: "head", id, status, fields }),
    (id, bytes) => tell({ what: "chunk", id, text: Buffer.from(bytes).toString() }),
    (id, status, size) => tell({ what: "end", id, status, size }),
    (id, status, fields, body, size) => tell({ what: "text", id, status, fields, body, size }),
    (id, status, fields, bytes, size, truncated) => {
      const body = Buffer.from(bytes).toString();
      tell({ what: "answer", id, status, fields, body, size, truncated });
    },
    (id, name, message, marks) => tell({ what: "failure", id, name, message, marks }),
  );
  const until = async (condition) => {
    while (!condition(told)) await new Promise((resolve) => waiting.push(resolve));
  };
  const ended = async (id) => {
    const end = (event) => event.id === id && !["headers", "head", "chunk"].includes(event.what);
    await until(() => told.some(end));
    return told.find(end);
  };
  return { exchanges, told, until, ended };
}

// A request of a step of its own.
function send(exchanges, id, path, options = {}) {
  const { method = "GET", streams = false, wantsBody = false, wanted = "server-timing", limit = 1_000_000 } = options;
  exchanges.announce(id, method, streams, wantsBody, wanted, limit);
  again(exchanges, id, id, path, options);
}

// Another request of a step that was announced, at its own place unless the options have one. Without a path, and with
// `null` for the fields, it is like the one before it; with `end`, its path is that one's first characters and a text.
function again(exchanges, id, step, path, options = {}) {
  const { place = id, fields = [], body, binding, object, end } = options;
  const url = path === undefined || object !== undefined ? path : base + path;
  const kept = end === undefined ? 0 : base.length + end.kept;
  const [tail, more] = packed(end?.text ?? "");
  exchanges.send(id, place, step, url, kept, tail, more, fields?.join("\n"), body, binding, object);
}

// Up to eight characters as two numbers.
function packed(text) {
  const bytes = Buffer.alloc(8);
  bytes.write(text, "latin1");
  return [bytes.readUInt32LE(0), bytes.readUInt32LE(4)];
}

test("a request arrives as it was sent, and is told first by its headers, then by its end", async () => {
  const { exchanges, told, ended } = batch();
  const body = new TextEncoder().encode('{"a":1}');
  const fields = ["content-type", "application/json", "x-vista-run", "r-1"];
  send(exchanges, 1, "/plain?q=1", { method: "POST", fields, body, wantsBody: true });
  const end = await ended(1);
  assert.deepEqual(end, { what: "text", id: 1, status: 200, fields: "", body: "hello", size: 5 });
  assert.deepEqual(told.map((event) => event.what), ["headers", "text"]);
  const arrived = received.at(-1);
  assert.equal(arrived.method, "POST");
  assert.equal(arrived.url, "/plain?q=1");
  assert.equal(arrived.body, '{"a":1}');
  assert.equal(arrived.headers["content-type"], "application/json");
  assert.equal(arrived.headers["x-vista-run"], "r-1");
});

test("a body that nobody wants is counted and not handed over", async () => {
  const { exchanges, ended } = batch();
  for (const [id, path, options, status, size] of [
    [1, "/chunks", {}, 200, 1_200],
    [2, "/plain", {}, 200, 5],
    [3, "/plain", { method: "HEAD" }, 200, 0],
    [4, "/empty", { wantsBody: true }, 204, 0],
  ]) {
    send(exchanges, id, path, options);
    assert.deepEqual(await ended(id), { what: "end", id, status, size });
  }
});

test("a short body of a known length is told as text, whatever its bytes are, any other as bytes", async () => {
  const { exchanges, ended } = batch();
  send(exchanges, 1, "/no-text", { wantsBody: true });
  assert.deepEqual(await ended(1), { what: "text", id: 1, status: 200, fields: "", body: "a\u{FFFD}", size: 2 });
  send(exchanges, 2, "/plain", { wantsBody: true, limit: 4 });
  const cut = { what: "answer", id: 2, status: 200, fields: "", body: "hell", size: 5, truncated: true };
  assert.deepEqual(await ended(2), cut);
  send(exchanges, 3, "/chunks", { wantsBody: true });
  const { what, size } = await ended(3);
  assert.deepEqual([what, size], ["answer", 1_200]);
});

test("a body is read up to the limit", async () => {
  const { exchanges, ended } = batch();
  send(exchanges, 1, "/chunks", { wantsBody: true, limit: 500 });
  const { body, size, truncated } = await ended(1);
  assert.equal(body, "a".repeat(500));
  assert.ok(size > 500, `${size}`);
  assert.equal(truncated, true);
});

test("a stream is told by its head, by its pieces, and by its end", async () => {
  const { exchanges, told, ended } = batch();
  send(exchanges, 1, "/chunks", { streams: true, limit: 10 });
  assert.deepEqual(await ended(1), { what: "end", id: 1, status: 200, size: 0 });
  assert.deepEqual(told[0], { what: "head", id: 1, status: 200, fields: "" });
  const pieces = told.slice(1, -1);
  assert.ok(pieces.every((piece) => piece.what === "chunk"));
  const text = pieces.map((piece) => piece.text).join("");
  assert.equal(text, "a".repeat(600) + "b".repeat(600), "whatever the limit");
  send(exchanges, 2, "/empty", { streams: true });
  assert.deepEqual(await ended(2), { what: "end", id: 2, status: 204, size: 0 });
  send(exchanges, 3, "/limited", { streams: true });
  await ended(3);
  assert.equal(told.find((event) => event.id === 3).fields, "server\ncloudflare");
});

test("a stream that breaks is a failure, and one that was given up is told no more of", async () => {
  const { exchanges, told, until, ended } = batch();
  send(exchanges, 1, "/cut", { streams: true });
  assert.equal((await ended(1)).what, "failure");
  send(exchanges, 2, "/half", { streams: true });
  await until(() => told.some((event) => event.id === 2 && event.what === "chunk"));
  exchanges.abort(2, 2);
  send(exchanges, 3, "/plain");
  await ended(3);
  const pieces = told.filter((event) => event.id === 2).map((event) => event.what);
  assert.deepEqual(pieces, ["head", "chunk"]);
});

test("only the fields that are wanted are handed over, and each cookie by itself", async () => {
  const { exchanges, ended } = batch();
  send(exchanges, 1, "/fields", { wanted: "x-two\nset-cookie\nx-missing" });
  assert.equal((await ended(1)).fields, "x-two\n2\nset-cookie\na=1; Path=/\nset-cookie\nb=2");
});

test("the first answer tells where it was given", async () => {
  const { exchanges, ended } = batch();
  send(exchanges, 1, "/ray");
  assert.equal((await ended(1)).fields, "cf-ray\n8f2a3b4c5d6e7f80-AMS");
  send(exchanges, 2, "/ray");
  assert.equal((await ended(2)).what, "end");
});

test("a redirect is an answer like any other", async () => {
  const { exchanges, ended } = batch();
  const before = received.length;
  send(exchanges, 1, "/redirect", { wanted: "location" });
  const end = await ended(1);
  assert.deepEqual([end.status, end.fields], [302, "location\n/plain"]);
  assert.equal(received.length, before + 1);
});

test("of an error that may be Cloudflare's own the page is handed over, up to its beginning", async () => {
  const { exchanges, ended } = batch();
  send(exchanges, 1, "/limited");
  const page = await ended(1);
  assert.deepEqual([page.status, page.fields, page.body], [429, "server\ncloudflare", PAGE]);
  send(exchanges, 2, "/long-page", { wanted: "x-one" });
  const long = await ended(2);
  assert.equal(long.fields, "server\ncloudflare");
  assert.equal(long.body, LONG.slice(0, 16_384));
  assert.equal(long.size, LONG.length);
  send(exchanges, 3, "/long-page", { wantsBody: true });
  assert.equal((await ended(3)).body, LONG, "what is wanted is not cut");
  send(exchanges, 4, "/own-error");
  assert.deepEqual(await ended(4), { what: "end", id: 4, status: 500, size: "broken".length });
});

test("a failure is told by its name and words, once, and the others go on", async () => {
  const { exchanges, told, ended } = batch();
  send(exchanges, 1, "/broken");
  send(exchanges, 2, "/plain", { fields: ["bad name", "value"] });
  send(exchanges, 3, "/plain");
  for (const id of [1, 2]) {
    const end = await ended(id);
    assert.equal(end.what, "failure");
    assert.equal(end.name, "TypeError");
    assert.notEqual(end.message, "");
    assert.equal(end.marks, "");
  }
  assert.equal((await ended(3)).status, 200);
  assert.equal(told.filter((event) => event.what !== "headers").length, 3);
});

test("of a request that was given up nothing more is told, before its headers or after", async () => {
  const { exchanges, told, until, ended } = batch();
  send(exchanges, 1, "/never");
  send(exchanges, 2, "/half");
  await until(() => told.some((event) => event.what === "headers" && event.id === 2));
  exchanges.abort(1, 1);
  exchanges.abort(2, 2);
  exchanges.abort(99, 99);
  // What was given up would be told before what is sent only now.
  send(exchanges, 3, "/plain");
  await ended(3);
  assert.deepEqual(told.filter((event) => event.id !== 3), [{ what: "headers", id: 2 }]);
});

test("after the end of the batch nothing is told any more", async () => {
  const first = batch();
  send(first.exchanges, 1, "/plain");
  send(first.exchanges, 2, "/never");
  first.exchanges.close();
  const second = batch();
  send(second.exchanges, 1, "/plain");
  await second.ended(1);
  assert.deepEqual(first.told, []);
});

test("what is kept of a step's requests does not leak into the next one", async () => {
  const { exchanges, ended } = batch();
  exchanges.announce(0, "GET", false, false, "", 1_000_000);
  const told = [];
  for (const [id, fields] of [["x-a", "1", "x-b", "1"], ["x-a", "2", "x-b", "1"], ["x-b", "3"], []].entries()) {
    again(exchanges, id, 0, "/plain", { place: 7, fields });
    await ended(id);
    const { headers } = received.at(-1);
    told.push([headers["x-a"], headers["x-b"]]);
  }
  assert.deepEqual(told, [["1", "1"], ["2", "1"], [undefined, "3"], [undefined, undefined]]);
});

test("what is not told again is what it was, at each place and whatever came between", async () => {
  const { exchanges, ended, until, told } = batch();
  exchanges.announce(0, "GET", false, true, "", 1_000_000);
  exchanges.announce(1, "POST", false, true, "", 1_000_000);
  let id = 0;
  const arrives = async (place, kind, path, fields, body) => {
    id += 1;
    again(exchanges, id, kind, path, { place, fields, body });
    assert.equal((await ended(id)).body, "hello");
    const { method, url, headers, body: arrived } = received.at(-1);
    return [method, url, headers["x-a"], arrived];
  };
  const get = (url, field) => ["GET", url, field, ""];
  assert.deepEqual(await arrives(0, 0, "/plain?1", ["x-a", "1"]), get("/plain?1", "1"));
  assert.deepEqual(await arrives(0, 0, undefined, null), get("/plain?1", "1"));
  assert.deepEqual(await arrives(0, 0, undefined, null), get("/plain?1", "1"));
  assert.deepEqual(await arrives(0, 0, undefined, ["x-a", "2"]), get("/plain?1", "2"));
  assert.deepEqual(await arrives(1, 0, "/plain?2", ["x-a", "3"]), get("/plain?2", "3"));
  assert.deepEqual(await arrives(0, 0, "/plain?3", null), get("/plain?3", "2"));
  const body = new TextEncoder().encode("a body");
  assert.deepEqual(await arrives(0, 1, "/plain?4", ["x-a", "4"], body), ["POST", "/plain?4", "4", "a body"]);
  assert.deepEqual(await arrives(0, 1, undefined, null, body), ["POST", "/plain?4", "4", "a body"]);
  assert.deepEqual(await arrives(0, 0, undefined, null), get("/plain?3", "2"));
  // Neither one that is given up nor one that fails is what the next one needs.
  const before = received.length;
  again(exchanges, 100, 0, "/never", { place: 0, fields: ["x-a", "5"] });
  while (received.length === before) await new Promise((resolve) => setTimeout(resolve, 1));
  exchanges.abort(100, 0);
  assert.deepEqual(await arrives(0, 0, "/plain?5", null), get("/plain?5", "5"));
  again(exchanges, 101, 0, undefined, { place: 0, fields: ["bad name", "1"] });
  await until(() => told.some((event) => event.id === 101 && event.what === "failure"));
  again(exchanges, 102, 0, undefined, { place: 0, fields: null });
  await until(() => told.some((event) => event.id === 102 && event.what === "failure"));
  assert.deepEqual(await arrives(0, 0, undefined, ["x-a", "6"]), get("/plain?5", "6"));
});

test("a URL may be told by its end alone, at each place and after others", async () => {
  const { exchanges, ended } = batch();
  exchanges.announce(0, "GET", false, true, "", 1_000_000);
  let id = 0;
  const arrives = async (place, path, end) => {
    id += 1;
    again(exchanges, id, 0, path, { place, fields: path === undefined ? null : [], end });
    assert.equal((await ended(id)).body, "hello");
    return received.at(-1).url;
  };
  assert.equal(await arrives(0, "/plain?user=1"), "/plain?user=1");
  assert.equal(await arrives(1, "/plain?other=1"), "/plain?other=1");
  assert.equal(await arrives(0, undefined, { kept: 12, text: "2" }), "/plain?user=2");
  assert.equal(await arrives(0, undefined), "/plain?user=2");
  assert.equal(await arrives(0, undefined, { kept: 12, text: "12345678" }), "/plain?user=12345678");
  assert.equal(await arrives(1, undefined, { kept: 13, text: "~y" }), "/plain?other=~y");
  assert.equal(await arrives(0, undefined, { kept: 16, text: "" }), "/plain?user=1234");
  assert.equal(await arrives(0, undefined, { kept: 12, text: "abcd" }), "/plain?user=abcd");
  assert.equal(await arrives(0, "/plain?new"), "/plain?new");
});

test("a request that goes to the host again is not one to a binding, and the other way round", async () => {
  const asked = [];
  const GROVE = { fetch: async (url) => (asked.push(url), new Response("bound")) };
  const { exchanges, ended } = batch({ GROVE });
  exchanges.announce(0, "GET", false, true, "", 1_000_000);
  for (const [id, binding] of [undefined, "GROVE", undefined, undefined, "GROVE"].entries()) {
    const first = id === 0;
    const options = { place: 0, fields: first ? [] : null, binding };
    again(exchanges, id, 0, first ? "/plain" : undefined, options);
    assert.equal((await ended(id)).body, binding === undefined ? "hello" : "bound");
  }
  assert.deepEqual(asked, [`${base}/plain`, `${base}/plain`]);
});

test("a request to a binding goes to its Worker", async () => {
  const asked = [];
  const GROVE = {
    fetch: async (url, init) => {
      asked.push([url, init.method, init.redirect]);
      return new Response("bound", { status: 201 });
    },
  };
  const { exchanges, ended } = batch({ GROVE });
  const before = received.length;
  send(exchanges, 1, "/api", { binding: "GROVE", wantsBody: true });
  const end = await ended(1);
  assert.deepEqual([end.status, end.body], [201, "bound"]);
  assert.deepEqual(asked, [[`${base}/api`, "GET", "manual"]]);
  assert.equal(received.length, before, "nothing went to the host");
});

test("each request to an object has a stub of its own, and what the runtime marks is told", async () => {
  const stubs = [];
  const failures = [
    {},
    { overloaded: true, retryable: true },
    { durableObjectReset: true, retryable: true },
    { overloaded: "yes" },
  ];
  const POSTS = {
    getByName: (name) => {
      const at = stubs.length;
      const stub = {
        fetch: async (url) => {
          stub.asked = `${name} ${url}`;
          throw Object.assign(new Error(`failure ${at}`), failures[at]);
        },
      };
      stubs.push(stub);
      return stub;
    },
  };
  const { exchanges, ended } = batch({ POSTS });
  const marks = [];
  for (const id of failures.keys()) {
    send(exchanges, id, "/entries", { method: "POST", binding: "POSTS", object: "post:7" });
    const end = await ended(id);
    assert.equal(end.message, `failure ${id}`);
    marks.push(end.marks);
  }
  assert.deepEqual(marks, ["", "overloaded retryable", "durableObjectReset retryable", ""]);
  assert.equal(new Set(stubs.map((stub) => stub.asked)).size, 1);
  assert.equal(stubs[0].asked, "post:7 https://object/entries");
  assert.equal(stubs.length, failures.length);
});

test("a binding that is not there fails the request, not the batch", async () => {
  const { exchanges, ended } = batch({});
  send(exchanges, 1, "/entries", { binding: "FEEDS", object: "feed:1" });
  assert.equal((await ended(1)).what, "failure");
  send(exchanges, 2, "/plain");
  assert.equal((await ended(2)).status, 200);
});
