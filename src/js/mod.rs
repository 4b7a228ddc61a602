//! The parts that are written in JavaScript, because there they cost fewer crossings: sending a request, and
//! the line between a coordinator and its batches.
//!
//! Invariant: what is called back is a closure that lives as long as the object that calls it, and nothing is
//! called back after `close`.

use js_sys::{Function, Promise};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen(module = "/src/js/exchange.js")]
extern "C" {
    /// The requests of one batch.
    #[derive(Debug)]
    pub(crate) type Exchanges;

    /// `on_headers(id)`; `on_answer(id, status, fields, body, size, truncated)`; `on_failure(id, name, message)`.
    #[wasm_bindgen(constructor)]
    pub(crate) fn new(
        on_headers: &Function,
        on_answer: &Function,
        on_failure: &Function,
    ) -> Exchanges;

    /// Sends a request. Its end is called back, unless it is aborted.
    #[wasm_bindgen(method)]
    pub(crate) fn send(
        this: &Exchanges,
        id: f64,
        method: &str,
        url: &str,
        fields: &str,
        body: Option<Vec<u8>>,
        wants_body: bool,
        wanted: &str,
        body_bytes_max: f64,
    );

    /// Gives a request up. Nothing more is called back about it.
    #[wasm_bindgen(method)]
    pub(crate) fn abort(this: &Exchanges, id: f64);

    /// Gives all requests up.
    #[wasm_bindgen(method)]
    pub(crate) fn close(this: &Exchanges);
}

#[wasm_bindgen(module = "/src/js/link.js")]
extern "C" {
    /// The coordinator's end of the line to a batch.
    #[derive(Debug)]
    pub(crate) type BatchLink;

    /// Starts a batch. `on_line(text)` for each line that it says; `on_end(started)` once, when it is gone.
    #[wasm_bindgen(constructor)]
    pub(crate) fn new(
        fetcher: &JsValue,
        url: &str,
        token: &str,
        assignment: &str,
        beat_ms: f64,
        line_bytes_max: f64,
        on_line: &Function,
        on_end: &Function,
    ) -> BatchLink;

    /// Asks the batch to stop, and ends it by force if it is not gone in time.
    #[wasm_bindgen(method)]
    pub(crate) fn stop(this: &BatchLink, grace_ms: f64);

    /// Lets go of the batch.
    #[wasm_bindgen(method)]
    pub(crate) fn close(this: &BatchLink);

    /// A batch's end of the line to its coordinator.
    #[derive(Debug)]
    pub(crate) type BatchPort;

    /// Listens to a request's body. `on_line(text)` for each line of it; `on_gone()` once, when it ends.
    #[wasm_bindgen(constructor)]
    pub(crate) fn new(
        body: &JsValue,
        signal: &JsValue,
        line_bytes_max: f64,
        on_line: &Function,
        on_gone: &Function,
    ) -> BatchPort;

    /// The body of the answer.
    #[wasm_bindgen(method, getter)]
    pub(crate) fn readable(this: &BatchPort) -> web_sys::ReadableStream;

    /// Resolves when the answer has ended.
    #[wasm_bindgen(method, getter)]
    pub(crate) fn finished(this: &BatchPort) -> Promise;

    /// Says a line; answers how many bytes wait to be read, -1 when nobody reads any more.
    #[wasm_bindgen(method)]
    pub(crate) fn ship(this: &BatchPort, line: &str) -> f64;

    /// Ends the answer.
    #[wasm_bindgen(method)]
    pub(crate) fn close(this: &BatchPort);
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
