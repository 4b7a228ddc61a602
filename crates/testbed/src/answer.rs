//! From a request to its answer.

use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderValue, LOCATION, SERVER};
use hyper::upgrade::OnUpgrade;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use rand::RngExt as _;
use serde_json::json;

use crate::admin;
use crate::behaviour::{Behaviour, NoBehaviour, ResetAt};
use crate::body::AnswerBody;
use crate::delay::{self, Delay};
use crate::query::Query;
use crate::server::Shared;
use crate::services::{self, Call, Reply};
use crate::socket::{self, Counts};
use crate::sse::Events;
use crate::visit::Visit;
use crate::wire::Orders;

/// Answers one request of the connection `id`, or breaks the connection off.
pub(crate) async fn answer(
    mut request: Request<Incoming>,
    shared: Arc<Shared>,
    orders: Arc<Orders>,
    id: u64,
) -> io::Result<Response<AnswerBody>> {
    let upgrade = hyper::upgrade::on(&mut request);
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    if let Some(what) = path.strip_prefix(ADMIN) {
        let query = head.uri.query().unwrap_or_default();
        return Ok(admin::answer(&head.method, what, query, &shared));
    }
    let visit = Visit::new(&shared.ledger, path, batch(&head.headers), id);
    let body = read(body, &visit).await?;
    if let Some(platform) = &shared.platform {
        let call = Call {
            method: &head.method,
            path,
            query: head.uri.query().unwrap_or_default(),
            headers: &head.headers,
            body: &body,
        };
        let reply = platform.answer(call).await;
        let answer = serve(reply, visit, &head.headers, upgrade).await?;
        return Ok(for_method(&head.method, answer));
    }
    let mut query = Query::parse(head.uri.query().unwrap_or_default());
    let told = Delay::of(&mut query)
        .map_err(NoBehaviour::BadQuery)
        .and_then(|delay| Ok((delay, Behaviour::of(path, &mut query)?)))
        .and_then(|told| query.finish().map(|()| told).map_err(NoBehaviour::BadQuery));
    let answer = match told {
        Ok((delay, behaviour)) => {
            let answering = Answering {
                shared: &shared,
                orders,
                path,
                content_type: head.headers.get(CONTENT_TYPE),
                headers: &head.headers,
                upgrade,
                body,
            };
            answering.answer(visit, delay, behaviour).await?
        }
        Err(NoBehaviour::UnknownPath) => text(visit, StatusCode::NOT_FOUND, "unknown path\n"),
        Err(NoBehaviour::BadQuery(error)) => {
            text(visit, StatusCode::BAD_REQUEST, format!("{error}\n"))
        }
    };
    Ok(for_method(&head.method, answer))
}

/// The answer without its body to those who asked for the head alone.
fn for_method(method: &Method, answer: Response<AnswerBody>) -> Response<AnswerBody> {
    if *method == Method::HEAD {
        answer.map(AnswerBody::without_bytes)
    } else {
        answer
    }
}

/// Hands over what a platform answers.
async fn serve(
    reply: Reply,
    visit: Visit,
    headers: &HeaderMap,
    upgrade: OnUpgrade,
) -> io::Result<Response<AnswerBody>> {
    Ok(match reply {
        Reply::Whole {
            status,
            content_type,
            fields,
            body,
        } => {
            let mut answer = typed(visit, content_type, body);
            *answer.status_mut() = status;
            answer.headers_mut().extend(fields);
            answer
        }
        Reply::Events(events) => {
            visit.stream(false);
            event_stream(AnswerBody::told(visit, events))
        }
        Reply::Socket(talk) => open_socket(visit, headers, |counts| {
            services::converse(upgrade, *talk, counts)
        }),
        Reply::Drop => return Err(broken_off(visit)),
        Reply::Mute => std::future::pending().await,
    })
}

/// Accepts a handshake and plays the session that follows it.
fn open_socket<F>(
    mut visit: Visit,
    headers: &HeaderMap,
    session: impl FnOnce(Counts) -> F,
) -> Response<AnswerBody>
where
    F: Future<Output = ()> + Send + 'static,
{
    match socket::accept(headers) {
        Some(answer) => {
            let counts = visit.counts();
            visit.complete();
            tokio::spawn(session(counts));
            answer
        }
        None => text(visit, StatusCode::BAD_REQUEST, "no WebSocket handshake\n"),
    }
}

fn event_stream(body: AnswerBody) -> Response<AnswerBody> {
    let mut answer = Response::new(body);
    let content_type = HeaderValue::from_static("text/event-stream");
    answer.headers_mut().insert(CONTENT_TYPE, content_type);
    answer
}

/// What an answer is made of.
struct Answering<'a> {
    shared: &'a Shared,
    orders: Arc<Orders>,
    path: &'a str,
    content_type: Option<&'a HeaderValue>,
    headers: &'a HeaderMap,
    upgrade: OnUpgrade,
    body: Bytes,
}

impl Answering<'_> {
    async fn answer(
        self,
        mut visit: Visit,
        delay: Delay,
        behaviour: Behaviour,
    ) -> io::Result<Response<AnswerBody>> {
        let nth = visit.nth();
        if let Behaviour::Capacity { slots, queue } = behaviour {
            return Ok(self.serve(visit, delay, slots, queue).await);
        }
        delay.wait(nth).await;
        let is_chosen = |rate| delay::random(delay.seed(), nth).random::<f64>() < rate;
        Ok(match behaviour {
            Behaviour::Ok | Behaviour::Capacity { .. } => ok(visit),
            Behaviour::Freeze => {
                self.shared.freezer.wait().await;
                ok(visit)
            }
            Behaviour::Errors { rate, status } if is_chosen(rate) => {
                text(visit, status, "as you asked\n")
            }
            Behaviour::Close { rate, answers } if is_chosen(rate) => {
                if !answers {
                    return Err(broken_off(visit));
                }
                let mut answer = ok(visit);
                let close = HeaderValue::from_static("close");
                answer.headers_mut().insert(CONNECTION, close);
                answer
            }
            Behaviour::Errors { .. } | Behaviour::Close { .. } => ok(visit),
            Behaviour::Cloudflare { error, status } => cloudflare(visit, error, status),
            Behaviour::Hang => std::future::pending().await,
            Behaviour::HangBody { bytes } => Response::new(AnswerBody::hang(visit, bytes)),
            Behaviour::Reset(ResetAt::Head) => {
                self.orders.reset();
                return Err(broken_off(visit));
            }
            Behaviour::Reset(ResetAt::Body) => Response::new(AnswerBody::reset(visit, self.orders)),
            Behaviour::Bytes(bytes) => Response::new(AnswerBody::filler(visit, bytes)),
            Behaviour::Endless => Response::new(AnswerBody::endless(visit)),
            Behaviour::Redirect { to, status } => redirect(visit, status, &to),
            Behaviour::Broken(broken) => {
                visit.break_off();
                self.orders.send_instead(broken.bytes().into());
                let mut answer = ok(None);
                let close = HeaderValue::from_static("close");
                answer.headers_mut().insert(CONNECTION, close);
                answer
            }
            Behaviour::Json { bytes } => {
                let body = json!({ "ok": true, "n": nth, "text": "x".repeat(bytes) });
                typed(visit, "application/json", body.to_string())
            }
            Behaviour::Echo => {
                let mut answer = Response::new(AnswerBody::whole(visit, self.body));
                if let Some(value) = self.content_type {
                    answer.headers_mut().insert(CONTENT_TYPE, value.clone());
                }
                answer
            }
            Behaviour::Socket(manners) => open_socket(visit, self.headers, |counts| {
                socket::play(self.upgrade, manners, counts)
            }),
            Behaviour::Events(script) => {
                let last = last_event(self.headers);
                visit.stream(last.is_some());
                let events = Events::new(script, last.unwrap_or(0));
                event_stream(AnswerBody::events(visit, events))
            }
        })
    }

    /// Serves in a slot, or turns away.
    async fn serve(
        &self,
        visit: Visit,
        delay: Delay,
        slots: usize,
        queue: usize,
    ) -> Response<AnswerBody> {
        let Some(server) = self.shared.capacities.server(self.path, slots, queue) else {
            return text(visit, StatusCode::BAD_REQUEST, "too many servers\n");
        };
        match server.enter().await {
            Some(_slot) => {
                delay.wait(visit.nth()).await;
                ok(visit)
            }
            None => text(
                visit,
                StatusCode::SERVICE_UNAVAILABLE,
                "the queue is full\n",
            ),
        }
    }
}

/// What a request says about the load test that it belongs to.
fn batch(headers: &HeaderMap) -> Option<(&str, &str)> {
    let field = |name| headers.get(name).and_then(|value| value.to_str().ok());
    Some((field(RUN_FIELD)?, field(BATCH_FIELD).unwrap_or_default()))
}

/// The number of the event behind which a client goes on.
fn last_event(headers: &HeaderMap) -> Option<u64> {
    let field = headers.get("last-event-id")?;
    field.to_str().ok()?.parse().ok()
}

/// Reads a request's body, keeping the beginning of it.
async fn read(mut body: Incoming, visit: &Visit) -> io::Result<Bytes> {
    let mut kept = BytesMut::new();
    while !body.is_end_stream() {
        let Some(frame) = body.frame().await else {
            break;
        };
        if let Ok(bytes) = frame.map_err(io::Error::other)?.into_data() {
            visit.received(bytes.len());
            let room = ECHO_BYTES_MAX.saturating_sub(kept.len());
            kept.extend_from_slice(bytes.get(..room).unwrap_or(&bytes));
        }
    }
    Ok(kept.freeze())
}

fn ok(visit: impl Into<Option<Visit>>) -> Response<AnswerBody> {
    typed(visit, "text/plain", "it is fine\n")
}

fn text(visit: Visit, status: StatusCode, body: impl Into<Bytes>) -> Response<AnswerBody> {
    let mut answer = typed(visit, "text/plain", body);
    *answer.status_mut() = status;
    answer
}

fn cloudflare(visit: Visit, error: u16, status: StatusCode) -> Response<AnswerBody> {
    let mut answer = text(visit, status, format!("error code: {error}"));
    let server = HeaderValue::from_static("cloudflare");
    answer.headers_mut().insert(SERVER, server);
    answer
}

fn redirect(visit: Visit, status: StatusCode, to: &str) -> Response<AnswerBody> {
    match HeaderValue::from_str(to) {
        Ok(to) => {
            let mut answer = text(visit, status, "elsewhere\n");
            answer.headers_mut().insert(LOCATION, to);
            answer
        }
        Err(_) => text(visit, StatusCode::BAD_REQUEST, "to is not a URL\n"),
    }
}

fn typed(
    visit: impl Into<Option<Visit>>,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Response<AnswerBody> {
    let mut answer = Response::new(AnswerBody::whole(visit, body));
    let content_type = HeaderValue::from_static(content_type);
    answer.headers_mut().insert(CONTENT_TYPE, content_type);
    answer
}

/// What makes the server close the connection without an answer.
fn broken_off(mut visit: Visit) -> io::Error {
    visit.break_off();
    io::ErrorKind::ConnectionAborted.into()
}

/// Below this a request is for the testbed itself, and is not counted.
const ADMIN: &str = "/__testbed/";

/// By which Vista LoadTest names the run.
const RUN_FIELD: &str = "x-vista-run";

/// By which Vista LoadTest names the slice and the batch of a run.
const BATCH_FIELD: &str = "x-vista-batch";

/// How much of a request's body is kept to be sent back.
const ECHO_BYTES_MAX: usize = 16 * 1_048_576;
