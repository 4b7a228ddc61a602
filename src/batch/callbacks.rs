//! What JavaScript calls: from its numbers, texts and bytes to the engine's inputs.
//!
//! Invariant: a callback does nothing when the driver is gone, and keeps it no longer than it runs.

use std::rc::Weak;

use sentinel_engine::batch::{Failure, Head, Input, MESSAGE_BYTES_MAX, RequestId, SocketInput};
use sentinel_engine::parts::Parts;
use sentinel_engine::response::Exchange;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::Closure;

use crate::batch::body::bytes_of;
use crate::batch::driver::Driver;
use crate::batch::failure::{classify, classify_socket};
use crate::batch::told::LANES_KEPT;
use crate::called::with;
use crate::js::{Exchanges, Sockets, function};

/// Identifier, status, header fields.
type OnHead = dyn Fn(f64, u16, String);

/// Identifier, status and size, of an answer of which nothing else is wanted.
type OnEnd = dyn Fn(f64, u16, f64);

/// Identifier, status, header fields, body as text, its size in bytes.
type OnText = dyn Fn(f64, u16, String, String, f64);

/// Identifier, status, header fields, body, size, whether it was truncated.
type OnAnswer = dyn Fn(f64, u16, String, Vec<u8>, f64, bool);

/// What is called when something happens to a request. Held as long as the object that calls it.
pub(super) struct OfExchanges {
    headers: Closure<dyn Fn(f64)>,
    head: Closure<OnHead>,
    chunk: Closure<dyn Fn(f64, Vec<u8>)>,
    end: Closure<OnEnd>,
    text: Closure<OnText>,
    answer: Closure<OnAnswer>,
    failure: Closure<dyn Fn(f64, String, String, String)>,
}

/// What is called when something happens to a WebSocket. Held as long as the object that calls it.
pub(super) struct OfSockets {
    opened: Closure<OnHead>,
    text: Closure<dyn Fn(f64, String)>,
    bytes: Closure<dyn Fn(f64, Vec<u8>)>,
    closed: Closure<dyn Fn(f64, u16)>,
    broken: Closure<dyn Fn(f64, String, String)>,
    refused: Closure<OnHead>,
}

impl OfExchanges {
    /// Those of a driver.
    pub(super) fn new(driver: &Weak<Driver>) -> Self {
        let teller = || Teller(driver.clone());
        let (headers, head, chunk) = (teller(), teller(), teller());
        let (end, text, answer, failure) = (teller(), teller(), teller(), teller());
        Self {
            headers: Closure::new(move |id| {
                with(&headers.0, |driver| driver.headers(request_id(id)));
            }),
            head: Closure::new(move |id, status, lines: String| {
                let headers = &fields(&lines);
                head.tell(&Input::Head(request_id(id), Head { status, headers }));
            }),
            chunk: Closure::new(move |id, bytes: Vec<u8>| {
                chunk.tell(&Input::Chunk(request_id(id), &bytes));
            }),
            end: Closure::new(move |id, status, size| {
                end.answered(id, (status, ""), &[], (size, false));
            }),
            text: Closure::new(move |id, status, lines: String, body: String, size: f64| {
                let body = bytes_of(body, size as usize);
                text.answered(id, (status, &lines), &body, (size, false));
            }),
            answer: Closure::new(
                move |id, status, lines: String, body: Vec<u8>, size: f64, truncated| {
                    answer.answered(id, (status, &lines), &body, (size, truncated));
                },
            ),
            failure: Closure::new(move |id, name: String, message: String, marks: String| {
                let class = classify(&name, &message, &marks);
                failure.tell(&Input::Failed(request_id(id), Failure { class }));
            }),
        }
    }

    /// The requests that call these.
    pub(super) fn exchanges(&self, env: &JsValue) -> Exchanges {
        Exchanges::new(
            env,
            LANES_KEPT,
            function(&self.headers),
            function(&self.head),
            function(&self.chunk),
            function(&self.end),
            function(&self.text),
            function(&self.answer),
            function(&self.failure),
        )
    }
}

impl OfSockets {
    /// Those of a driver.
    pub(super) fn new(driver: &Weak<Driver>) -> Self {
        let teller = || Teller(driver.clone());
        let (opened, text, bytes) = (teller(), teller(), teller());
        let (closed, broken, refused) = (teller(), teller(), teller());
        Self {
            opened: Closure::new(move |id, status, lines: String| {
                let headers = &fields(&lines);
                opened.happened(id, SocketInput::Opened(Head { status, headers }));
            }),
            text: Closure::new(move |id, message: String| {
                text.happened(id, SocketInput::Message(message.as_bytes()));
            }),
            bytes: Closure::new(move |id, message: Vec<u8>| {
                bytes.happened(id, SocketInput::Message(&message));
            }),
            closed: Closure::new(move |id, code| closed.happened(id, SocketInput::Closed(code))),
            broken: Closure::new(move |id, name: String, message: String| {
                let class = classify_socket(&name, &message);
                broken.happened(id, SocketInput::Failed(class));
            }),
            refused: Closure::new(move |id, status, lines: String| {
                refused.answered(id, (status, &lines), &[], (0.0, false));
            }),
        }
    }

    /// The WebSockets that call these.
    pub(super) fn sockets(&self, env: &JsValue) -> Sockets {
        Sockets::new(
            env,
            MESSAGE_BYTES_MAX as f64,
            function(&self.opened),
            function(&self.text),
            function(&self.bytes),
            function(&self.closed),
            function(&self.broken),
            function(&self.refused),
        )
    }
}

/// The way to a driver, if it is still there.
struct Teller(Weak<Driver>);

impl Teller {
    fn tell(&self, input: &Input<'_>) {
        with(&self.0, |driver| driver.step(input));
    }

    fn happened(&self, id: f64, input: SocketInput<'_>) {
        self.tell(&Input::Socket(request_id(id), input));
    }

    fn answered(
        &self,
        id: f64,
        (status, lines): (u16, &str),
        body: &[u8],
        (size, truncated): (f64, bool),
    ) {
        let exchange = Exchange {
            status,
            headers: &fields(lines),
            body,
            bytes_received: size as u64,
            truncated,
            parts: Parts::default(),
        };
        self.tell(&Input::Answered(request_id(id), exchange));
    }
}

/// Header fields from lines, a name and a value in turn.
fn fields(lines: &str) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    let mut lines = lines.split('\n');
    while let (Some(name), Some(value)) = (lines.next(), lines.next()) {
        fields.push((name.to_owned(), value.to_owned()));
    }
    fields
}

/// Identifiers count up from 0, far below the numbers that JavaScript cannot hold exactly.
fn request_id(id: f64) -> RequestId {
    RequestId(id as u64)
}
