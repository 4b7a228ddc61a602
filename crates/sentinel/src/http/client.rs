//! Sending a request and reading its answer, over a connection of the user that sends it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Instant;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{
    CONTENT_LENGTH, HOST, HeaderName, HeaderValue, PROXY_AUTHORIZATION, USER_AGENT,
};
use hyper::{HeaderMap, Method as HttpMethod, Response, Uri};
use sentinel_engine::batch::{Head, Opening, Request, SocketInput, SocketOutput};
use sentinel_engine::error_class::ErrorClass;
use sentinel_engine::parts::{Part, Parts};
use sentinel_engine::tick::Span;
use tokio::sync::mpsc::UnboundedReceiver;

use super::connect::{Connector, Use};
use super::connection::{Connection, Failed, Message};
use super::content::{self, Encoding};
use super::origin::{Origin, split};
use super::pool::{Owner, Pool};
use super::proxy::Proxies;
use super::stream::{Heard, hand_on};
use super::time::span;
use crate::socket;

/// A complete answer.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The header fields that were asked for, names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// The body as far as it was asked for, decoded.
    pub(crate) body: Vec<u8>,
    /// How many bytes of body arrived, before they were decoded.
    pub(crate) bytes_received: u64,
    /// Whether the body was larger than the limit and its rest was given up.
    pub(crate) truncated: bool,
    /// How long each part took.
    pub(crate) parts: Parts,
}

/// What every request has of its own accord.
#[derive(Debug)]
pub(crate) struct Identity {
    /// The field `User-Agent`, where the scenario does not give another.
    pub(crate) agent: HeaderValue,
    /// Fields that stand in every request.
    pub(crate) fields: Vec<(HeaderName, HeaderValue)>,
}

impl Identity {
    /// Adds the fields of a request or handshake to those that are there, and then what says who sends it. `None`
    /// if a name or value cannot be sent.
    pub(crate) fn complete(
        &self,
        fields: &mut HeaderMap,
        headers: &[(String, String)],
    ) -> Option<()> {
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
            fields.append(name, HeaderValue::from_str(value).ok()?);
        }
        let agent = fields.entry(USER_AGENT);
        agent.or_insert_with(|| self.agent.clone());
        for (name, value) in &self.fields {
            fields.insert(name, value.clone());
        }
        Some(())
    }
}

/// The connections of all users.
pub(crate) struct Client {
    connector: Connector,
    proxies: Proxies,
    pool: Pool,
    assume_http2: bool,
    identity: Identity,
    origins: RefCell<HashMap<String, Rc<Origin>>>, // by scheme://authority
}

/// A connection that is ready for a request, and how it came to be.
struct Lane {
    connection: Connection,
    is_new: bool,
    parts: Parts, // of making it
    ready: Instant,
}

impl Client {
    /// A client that speaks HTTP/2 without asking if `assume_http2` says so.
    pub(super) fn new(
        connector: Connector,
        proxies: Proxies,
        pool: Pool,
        assume_http2: bool,
        identity: Identity,
    ) -> Self {
        Self {
            connector,
            proxies,
            pool,
            assume_http2,
            identity,
            origins: RefCell::default(),
        }
    }

    /// Sends a request and reads the answer to its end. What comes before the end of one that is a stream is
    /// told.
    ///
    /// # Errors
    /// Why there is no answer.
    pub(crate) async fn exchange(
        &self,
        mut request: Request,
        tell: impl Fn(Heard<'_>),
    ) -> Result<Answer, ErrorClass> {
        let begun = Instant::now();
        let body = Bytes::from(request.body.take().unwrap_or_default());
        let (origin, path) = split(&request.url).ok_or(ErrorClass::Refused)?;
        let origin = self.origin(origin)?;
        let owner = Owner::new(&request, &origin);
        let (mut lane, response) = self.send(&origin, owner, path, &request, &body).await?;
        let head = Instant::now();
        let status = response.status().as_u16();
        let headers = pick(response.headers(), &request);
        let encodings = Encoding::of(response.headers()).filter(|_| request.wants_body);
        let mut read = if request.streams {
            let headers = headers.as_slice();
            tell(Heard::Head(Head { status, headers }));
            let body = response.into_body();
            ReadBody::drained(hand_on(&mut lane.connection, body, tell).await?)
        } else {
            read(&mut lane.connection, response, &request).await?
        };
        let done = Instant::now();
        let parts = parts(&lane, begun, head, done);
        if !read.truncated {
            self.pool.keep(owner, lane.connection, done);
        }
        if let Some(encodings) = encodings {
            let body = content::decode(&encodings, read.body, request.body_limit_bytes);
            let body = body.map_err(|_| ErrorClass::Protocol)?;
            read.body = body.bytes;
            read.truncated |= body.truncated;
        }
        Ok(Answer {
            status,
            headers,
            body: read.body,
            bytes_received: read.bytes_received,
            truncated: read.truncated,
            parts,
        })
    }

    /// Opens a WebSocket over a connection of its own, and plays the session to its end.
    ///
    /// # Errors
    /// Why the server gave no answer.
    pub(crate) async fn converse(
        &self,
        opening: &Opening,
        orders: UnboundedReceiver<SocketOutput>,
        tell: impl Fn(SocketInput<'_>),
    ) -> Result<socket::Ended, ErrorClass> {
        let (origin, _) = split(&opening.request.url).ok_or(ErrorClass::Refused)?;
        let origin = self.origin(origin)?;
        let connected = Box::pin(self.connector.connect(&origin, Use::WebSocket)).await?;
        socket::play(connected.stream, opening, &self.identity, orders, tell).await
    }

    fn origin(&self, text: &str) -> Result<Rc<Origin>, ErrorClass> {
        if let Some(known) = self.origins.borrow().get(text) {
            return Ok(Rc::clone(known));
        }
        let origin = Origin::parse(text, &self.proxies).ok_or(ErrorClass::Refused)?;
        let origin = Rc::new(origin);
        let mut origins = self.origins.borrow_mut();
        origins.insert(text.to_owned(), Rc::clone(&origin));
        Ok(origin)
    }

    /// Sends over an idle connection if there is one that still stands, otherwise over a new one.
    async fn send(
        &self,
        origin: &Origin,
        owner: Owner,
        path: &str,
        request: &Request,
        body: &Bytes,
    ) -> Result<(Lane, Response<Incoming>), ErrorClass> {
        loop {
            let mut lane = self.lane(origin, owner).await?;
            let is_http2 = lane.connection.is_http2();
            let message = self.message(origin, path, request, body.clone(), is_http2)?;
            match lane.connection.send(message).await {
                Ok(response) => return Ok((lane, response)),
                // The server had closed the connection.
                Err(Failed::Unsent) if !lane.is_new => {}
                Err(Failed::Unsent) => return Err(ErrorClass::Reset),
                Err(Failed::For(class)) => return Err(class),
            }
        }
    }

    async fn lane(&self, origin: &Origin, owner: Owner) -> Result<Lane, ErrorClass> {
        if let Some(connection) = self.pool.take(owner).await {
            let parts = Parts::default()
                .with(Part::LookingUp, Span::ZERO)
                .with(Part::Connecting, Span::ZERO)
                .with(Part::TlsHandshaking, Span::ZERO);
            return Ok(Lane {
                connection,
                is_new: false,
                parts,
                ready: Instant::now(),
            });
        }
        // In a place of its own: what making a connection needs is several times what an exchange does, and each
        // request would carry it.
        Box::pin(self.new_lane(origin, owner)).await
    }

    async fn new_lane(&self, origin: &Origin, owner: Owner) -> Result<Lane, ErrorClass> {
        let connected = self.connector.connect(origin, Use::Requests).await?;
        let is_http2 = connected.is_http2 || self.assume_http2;
        let connection = Connection::begin(connected.stream, is_http2).await?;
        self.pool.share(owner, &connection);
        Ok(Lane {
            connection,
            is_new: true,
            parts: connected.parts,
            ready: Instant::now(),
        })
    }

    fn message(
        &self,
        origin: &Origin,
        path: &str,
        request: &Request,
        body: Bytes,
        is_http2: bool,
    ) -> Result<Message, ErrorClass> {
        // A proxy is told everything only where there is no tunnel through it.
        let proxy = origin.proxy.as_ref().filter(|_| !origin.is_https);
        let slash = if path.starts_with('/') { "" } else { "/" };
        let uri = if is_http2 || proxy.is_some() {
            Uri::try_from(format!("{}{slash}{path}", origin.text))
        } else if slash.is_empty() {
            Uri::try_from(path)
        } else {
            Uri::try_from(format!("/{path}"))
        };
        let mut message = Message::new(Full::new(body));
        *message.uri_mut() = uri.map_err(|_| ErrorClass::Refused)?;
        *message.method_mut() = HttpMethod::from_bytes(request.method.name().as_bytes())
            .map_err(|_| ErrorClass::Refused)?;
        let fields = message.headers_mut();
        if !is_http2 {
            fields.insert(HOST, origin.authority.clone());
        }
        if let Some(authorization) = proxy.and_then(|proxy| proxy.authorization.as_ref()) {
            fields.insert(PROXY_AUTHORIZATION, authorization.clone());
        }
        let complete = self.identity.complete(fields, &request.headers);
        complete.ok_or(ErrorClass::Refused)?;
        Ok(message)
    }
}

/// The fields of an answer that were asked for.
pub(crate) fn pick(fields: &HeaderMap, request: &Request) -> Vec<(String, String)> {
    let wanted = request.wants_headers.iter();
    let found = wanted.flat_map(|name| {
        let values = fields.get_all(name.as_ref()).iter();
        values.map(|value| {
            let value = String::from_utf8_lossy(value.as_bytes());
            (name.clone().into_owned(), value.into_owned())
        })
    });
    found.collect()
}

/// A body that was read.
struct ReadBody {
    body: Vec<u8>, // what of it is wanted
    bytes_received: u64,
    truncated: bool,
}

impl ReadBody {
    /// A body of which nothing is kept.
    const fn drained(bytes_received: u64) -> Self {
        Self {
            body: Vec::new(),
            bytes_received,
            truncated: false,
        }
    }
}

/// Reads a body to its end, or up to the limit, and keeps of it what is wanted.
async fn read(
    connection: &mut Connection,
    response: Response<Incoming>,
    request: &Request,
) -> Result<ReadBody, ErrorClass> {
    let announced = response.headers().get(CONTENT_LENGTH);
    let announced: Option<u64> = announced.and_then(|value| value.to_str().ok()?.parse().ok());
    let limit = request.body_limit_bytes;
    let mut read = ReadBody::drained(0);
    if request.wants_body {
        let expected = announced.unwrap_or(0).min(limit);
        read.body
            .reserve_exact(usize::try_from(expected).unwrap_or(0));
    }
    let mut body = response.into_body();
    while let Some(data) = connection.next(&mut body).await? {
        let room = limit.saturating_sub(read.bytes_received);
        let room = usize::try_from(room).unwrap_or(usize::MAX);
        read.bytes_received = read.bytes_received.saturating_add(data.len() as u64);
        if request.wants_body {
            let wanted = data.get(..room).unwrap_or(&data);
            read.body.extend_from_slice(wanted);
        }
        if read.bytes_received > limit {
            read.truncated = true;
            break;
        }
    }
    Ok(read)
}

/// How long each part of an exchange took: until its connection was ready, until the head of its answer was
/// there, and until all of it was.
fn parts(lane: &Lane, begun: Instant, head: Instant, done: Instant) -> Parts {
    let gauge = lane.connection.gauge();
    let written = gauge.and_then(|gauge| gauge.last_write());
    let written = written.unwrap_or(lane.ready).min(done);
    let answered = gauge.and_then(|gauge| gauge.first_read());
    // A server may answer before it has read everything.
    let answered = answered.unwrap_or(head).clamp(written, done);
    lane.parts
        .with(Part::Blocked, span(begun, lane.ready))
        .with(Part::Sending, span(lane.ready, written))
        .with(Part::Waiting, span(written, answered))
        .with(Part::Receiving, span(answered, done))
        .with(Part::Exchange, span(lane.ready, done))
}
