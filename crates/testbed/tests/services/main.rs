//! The platforms do what their interfaces promise, and count it.

#[path = "../client/mod.rs"]
mod client;

mod chat;
mod missions;
mod sidepanel;

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::num::NonZeroUsize;
use std::time::Duration;

use serde_json::Value;
use testbed::{Service, Testbed};
use tokio_tungstenite::tungstenite::{Message, WebSocket, client as handshake};
use ureq::http::{Method, Request};

/// A platform on a free port.
fn serve(service: Service) -> Testbed {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    Testbed::serve(listener, NonZeroUsize::MIN, service).expect("a testbed")
}

/// Status and body of an answer to a request with the key of the missions' server.
fn ask(testbed: &Testbed, method: &str, path: &str, body: &str) -> (u16, Value) {
    let (status, text) = ask_text(testbed, method, path, body);
    (status, serde_json::from_str(&text).unwrap_or_default())
}

fn ask_text(testbed: &Testbed, method: &str, path: &str, body: &str) -> (u16, String) {
    let request = Request::builder()
        .method(method.parse::<Method>().expect("a method"))
        .uri(format!("{}{path}", testbed.url()))
        .header("authorization", "Bearer test-api-key")
        .body(body.to_owned())
        .expect("a request");
    let mut answer = client::agent().run(request).expect("an answer");
    let text = answer.body_mut().read_to_string().expect("a text");
    (answer.status().as_u16(), text)
}

/// A client of a WebSocket.
struct Client(WebSocket<TcpStream>);

impl Client {
    fn open(testbed: &Testbed, path: &str) -> Self {
        let stream = TcpStream::connect(testbed.address()).expect("a connection");
        let patience = Some(Duration::from_secs(60));
        stream.set_read_timeout(patience).expect("a timeout");
        let url = format!("ws://{}{path}", testbed.address());
        Self(handshake(url, stream).expect("it is opened").0)
    }

    fn say(&mut self, text: &str) {
        self.0.send(Message::text(text)).expect("it is sent");
    }

    fn hear(&mut self) -> Value {
        let message = self.0.read().expect("a message");
        serde_json::from_slice(&message.into_data()).expect("JSON")
    }
}

/// Whatever was asked, it is in one column of each tally.
fn assert_counted(testbed: &Testbed) {
    client::until("nothing is under way", || {
        let total = testbed.stats().total;
        assert_eq!(
            total.arrived,
            total.waiting + total.sending + total.completed + total.aborted + total.broken
        );
        total.waiting + total.sending == 0
    });
}
