//! The parts that are written in JavaScript, because there they cost fewer crossings: sending a request, and
//! the lines between coordinators, shards and batches.
//!
//! Invariant: what is called back is a closure that lives as long as the object that calls it, and nothing is
//! called back after `close`.

use js_sys::{Function, Promise};
use wasm_bindgen::closure::WasmClosure;
use wasm_bindgen::prelude::{Closure, wasm_bindgen};
use wasm_bindgen::{JsCast, JsValue};

#[wasm_bindgen(module = "/src/js/exchange.js")]
extern "C" {
    /// The requests of one batch.
    #[derive(Debug)]
    pub(crate) type Exchanges;

    /// `on_headers(id)`; `on_end(id, status, size)` of an answer of which nothing is wanted,
    /// `on_text(id, status, fields, text, size)` of a short one, read as text whatever its bytes are, otherwise
    /// `on_answer(id, status, fields, body, size, truncated)`; `on_failure(id, name, message, marks)`. Of a stream
    /// instead `on_head(id, status, fields)`, `on_chunk(id, bytes)` for each piece, and `on_end` or `on_failure`.
    #[wasm_bindgen(constructor)]
    pub(crate) fn new(
        env: &JsValue,
        lanes_kept: u32,
        on_headers: &Function,
        on_head: &Function,
        on_chunk: &Function,
        on_end: &Function,
        on_text: &Function,
        on_answer: &Function,
        on_failure: &Function,
    ) -> Exchanges;

    /// Says what all requests of a kind have in common, before the first of them.
    #[wasm_bindgen(method)]
    pub(crate) fn announce(
        this: &Exchanges,
        kind: u32,
        method: &str,
        streams: bool,
        wants_body: bool,
        wanted: &str,
        body_bytes_max: f64,
    );

    /// Sends a request. Its end is called back, unless it is aborted. At the first `lanes_kept` places, the URL and
    /// the fields are told if they are others than those of the last request of the kind at the same place. A URL that
    /// is left out is that one's, unless `kept` is not zero: then it is that many of its characters, and those of `tail`
    /// and `more`, each of up to four bytes, the first the lowest.
    #[wasm_bindgen(method)]
    pub(crate) fn send(
        this: &Exchanges,
        id: f64,
        place: u32,
        kind: u32,
        url: Option<&str>,
        kept: u32,
        tail: u32,
        more: u32,
        fields: Option<&str>,
        body: Option<Vec<u8>>,
        binding: Option<&str>,
        object: Option<&str>,
    );

    /// Gives a request up. Nothing more is called back about it.
    #[wasm_bindgen(method)]
    pub(crate) fn abort(this: &Exchanges, id: f64, place: u32);

    /// Gives all requests up.
    #[wasm_bindgen(method)]
    pub(crate) fn close(this: &Exchanges);
}

#[wasm_bindgen(module = "/src/js/socket.js")]
extern "C" {
    /// The WebSockets of one batch.
    #[derive(Debug)]
    pub(crate) type Sockets;

    /// `on_opened(id, status, fields)`; `on_text(id, text)` and `on_bytes(id, bytes)` for each message;
    /// `on_closed(id, code)` when the other side has closed it, `on_broken(id, name, message)` when it is gone
    /// otherwise or could not be opened; `on_refused(id, status, fields)` when the handshake has another answer.
    #[wasm_bindgen(constructor)]
    pub(crate) fn new(
        env: &JsValue,
        message_bytes_max: f64,
        on_opened: &Function,
        on_text: &Function,
        on_bytes: &Function,
        on_closed: &Function,
        on_broken: &Function,
        on_refused: &Function,
    ) -> Sockets;

    /// Opens a WebSocket.
    #[wasm_bindgen(method)]
    pub(crate) fn open(
        this: &Sockets,
        id: f64,
        url: &str,
        fields: &str,
        protocols: &str,
        wanted: &str,
        binding: Option<&str>,
    );

    /// Sends a text, if the WebSocket is open.
    #[wasm_bindgen(method, js_name = send)]
    pub(crate) fn send_text(this: &Sockets, id: f64, text: &str);

    /// Sends bytes, if the WebSocket is open.
    #[wasm_bindgen(method, js_name = send)]
    pub(crate) fn send_bytes(this: &Sockets, id: f64, bytes: Vec<u8>);

    /// Sends a close frame, if the WebSocket is open.
    #[wasm_bindgen(method)]
    pub(crate) fn shut(this: &Sockets, id: f64, code: u16, reason: &str);

    /// Gives a WebSocket up. Nothing more is called back about it.
    #[wasm_bindgen(method)]
    pub(crate) fn abort(this: &Sockets, id: f64);

    /// Gives all WebSockets up, except those that are being closed.
    #[wasm_bindgen(method)]
    pub(crate) fn close(this: &Sockets);

    /// Resolves when those are gone, at the latest after `grace_ms`.
    #[wasm_bindgen(method)]
    pub(crate) fn gone(this: &Sockets, grace_ms: f64) -> Promise;
}

#[wasm_bindgen(module = "/src/js/link.js")]
extern "C" {
    /// The way to a Worker behind a service binding.
    #[wasm_bindgen(js_name = toService)]
    pub(crate) fn to_service(binding: &JsValue) -> Function;

    /// The way to the Durable Object of this name, which is created near `region`, if it is new.
    #[wasm_bindgen(js_name = toObject)]
    pub(crate) fn to_object(namespace: &JsValue, name: &str, region: Option<&str>) -> Function;

    /// The caller's end of a line.
    #[derive(Debug)]
    pub(crate) type Link;

    /// Calls `place` after `wait_ms`, and again where that may help. `on_line(text)` for each line that the other
    /// side says; `on_end(started, overloaded)` once, when it is gone.
    #[wasm_bindgen(constructor)]
    pub(crate) fn new(
        place: &Function,
        url: &str,
        token: &str,
        order: &str,
        wait_ms: f64,
        retries: u32,
        beat_ms: f64,
        line_bytes_max: f64,
        on_line: &Function,
        on_end: &Function,
    ) -> Link;

    /// Says a line to the other side.
    #[wasm_bindgen(method)]
    pub(crate) fn say(this: &Link, line: &str);

    /// Asks the other side to stop, and ends it by force if it is not gone in time.
    #[wasm_bindgen(method)]
    pub(crate) fn stop(this: &Link, grace_ms: f64);

    /// Lets go of the other side.
    #[wasm_bindgen(method)]
    pub(crate) fn close(this: &Link);

    /// The end of a line at the side that is called.
    #[derive(Debug)]
    pub(crate) type Port;

    /// Listens to a request's body. `on_line(text)` for each line of it; `on_gone()` once, when it ends.
    #[wasm_bindgen(constructor)]
    pub(crate) fn new(
        body: &JsValue,
        signal: &JsValue,
        line_bytes_max: f64,
        on_line: &Function,
        on_gone: &Function,
    ) -> Port;

    /// The body of the answer.
    #[wasm_bindgen(method, getter)]
    pub(crate) fn readable(this: &Port) -> web_sys::ReadableStream;

    /// Resolves when the answer has ended.
    #[wasm_bindgen(method, getter)]
    pub(crate) fn finished(this: &Port) -> Promise;

    /// Says a line; answers how many bytes wait to be read, -1 when nobody reads any more.
    #[wasm_bindgen(method)]
    pub(crate) fn ship(this: &Port, line: &str) -> f64;

    /// Ends the answer.
    #[wasm_bindgen(method)]
    pub(crate) fn close(this: &Port);
}

#[wasm_bindgen]
extern "C" {
    /// The timer of the web platform.
    #[wasm_bindgen(js_name = setTimeout)]
    pub(crate) fn set_timeout(callback: &Function, ms: f64) -> JsValue;

    /// Stops a timer.
    #[wasm_bindgen(js_name = clearTimeout)]
    pub(crate) fn clear_timeout(timer: &JsValue);
}

/// A closure as JavaScript sees it.
pub(crate) fn function<T: ?Sized + WasmClosure>(closure: &Closure<T>) -> &Function {
    closure.as_ref().unchecked_ref()
}
