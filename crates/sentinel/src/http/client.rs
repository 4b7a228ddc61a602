//! Sending a request and reading its answer, over a connection of the user that sends it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::error::Error as _;
use std::io;
use std::rc::Rc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONTENT_LENGTH, HOST, HeaderName, HeaderValue};
use hyper::{HeaderMap, Method as HttpMethod, Request as HttpRequest, Response, Uri};
use hyper_util::rt::TokioIo;
use sentinel_engine::batch::{Head, Request};
use sentinel_engine::error_class::ErrorClass;
use tokio::task::spawn_local;

use super::connect::Connector;
use super::origin::{Origin, split};
use super::stream::{Heard, hand_on};

/// A complete answer.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The header fields that were asked for, names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// The body as far as it was asked for.
    pub(crate) body: Vec<u8>,
    /// How many bytes of body arrived.
    pub(crate) bytes_received: u64,
    /// Whether the body was larger than the limit and its rest was given up.
    pub(crate) truncated: bool,
}

/// The connections of all users.
pub(crate) struct Client {
    connector: Connector,
    reuse: bool,
    identity: Vec<(HeaderName, HeaderValue)>, // fields that every request has
    origins: RefCell<HashMap<String, Rc<Origin>>>, // by scheme://authority
    idle: RefCell<HashMap<Owner, Vec<Connection>>>,
}

type Connection = SendRequest<Full<Bytes>>;

/// Whose connection it is, and where to: the user's number, and which of the origins by its address in memory,
/// which stays the same because origins are never forgotten.
type Owner = (u32, *const Origin);

impl Client {
    /// A client that keeps connections unless `reuse` is `false`.
    pub(crate) fn new(
        connector: Connector,
        reuse: bool,
        identity: Vec<(HeaderName, HeaderValue)>,
    ) -> Self {
        Self {
            connector,
            reuse,
            identity,
            origins: RefCell::default(),
            idle: RefCell::default(),
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
        let body = request.body.take().unwrap_or_default();
        let (origin, path) = split(&request.url).ok_or(ErrorClass::Refused)?;
        let origin = self.origin(origin)?;
        let owner = (request.vu, Rc::as_ptr(&origin));
        let message = self.message(&origin, path, &request, body)?;
        let (mut connection, response) = self.send(&origin, owner, message).await?;
        let status = response.status().as_u16();
        let headers = pick(response.headers(), &request);
        let (body, bytes_received, truncated) = if request.streams {
            let headers = headers.as_slice();
            tell(Heard::Head(Head { status, headers }));
            (
                Vec::new(),
                hand_on(response.into_body(), tell, class).await?,
                false,
            )
        } else {
            read(response, &request).await?
        };
        if self.reuse && !truncated && connection.ready().await.is_ok() {
            let mut idle = self.idle.borrow_mut();
            idle.entry(owner).or_default().push(connection);
        }
        Ok(Answer {
            status,
            headers,
            body,
            bytes_received,
            truncated,
        })
    }

    fn origin(&self, text: &str) -> Result<Rc<Origin>, ErrorClass> {
        if let Some(known) = self.origins.borrow().get(text) {
            return Ok(Rc::clone(known));
        }
        let origin = Rc::new(Origin::parse(text).ok_or(ErrorClass::Refused)?);
        let mut origins = self.origins.borrow_mut();
        origins.insert(text.to_owned(), Rc::clone(&origin));
        Ok(origin)
    }

    fn message(
        &self,
        origin: &Origin,
        path: &str,
        request: &Request,
        body: Vec<u8>,
    ) -> Result<HttpRequest<Full<Bytes>>, ErrorClass> {
        let path = match path.chars().next() {
            Some('/') => Uri::try_from(path),
            _ => Uri::try_from(format!("/{path}")),
        };
        let mut message = HttpRequest::new(Full::new(Bytes::from(body)));
        *message.uri_mut() = path.map_err(|_| ErrorClass::Refused)?;
        *message.method_mut() = HttpMethod::from_bytes(request.method.name().as_bytes())
            .map_err(|_| ErrorClass::Refused)?;
        let fields = message.headers_mut();
        fields.insert(HOST, origin.authority.clone());
        for (name, value) in &request.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| ErrorClass::Refused)?;
            let value = HeaderValue::from_str(value).map_err(|_| ErrorClass::Refused)?;
            fields.append(name, value);
        }
        for (name, value) in &self.identity {
            fields.insert(name, value.clone());
        }
        Ok(message)
    }

    /// Sends over an idle connection if there is one that still stands, otherwise over a new one.
    async fn send(
        &self,
        origin: &Origin,
        owner: Owner,
        mut message: HttpRequest<Full<Bytes>>,
    ) -> Result<(Connection, Response<Incoming>), ErrorClass> {
        while let Some(mut connection) = self.take_idle(owner) {
            match connection.try_send_request(message).await {
                Ok(response) => return Ok((connection, response)),
                Err(mut error) => match error.take_message() {
                    // The server had closed the connection: nothing of the request was sent.
                    Some(unsent) => message = unsent,
                    None => return Err(class(&error.into_error())),
                },
            }
        }
        let stream = TokioIo::new(self.connector.connect(origin).await?);
        let (mut connection, work) = http1::handshake(stream).await.map_err(|e| class(&e))?;
        spawn_local(async move {
            // What goes wrong with a connection is told to the request that needs it.
            let _ = work.await;
        });
        let response = connection.send_request(message).await;
        Ok((connection, response.map_err(|error| class(&error))?))
    }

    fn take_idle(&self, owner: Owner) -> Option<Connection> {
        let mut idle = self.idle.borrow_mut();
        let connections = idle.get_mut(&owner)?;
        std::iter::from_fn(|| connections.pop()).find(|connection| !connection.is_closed())
    }
}

/// The fields of an answer that were asked for.
fn pick(fields: &HeaderMap, request: &Request) -> Vec<(String, String)> {
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

/// Reads a body to its end, or up to the limit, and keeps of it what is wanted.
async fn read(
    response: Response<Incoming>,
    request: &Request,
) -> Result<(Vec<u8>, u64, bool), ErrorClass> {
    let announced = response.headers().get(CONTENT_LENGTH);
    let announced: Option<u64> = announced.and_then(|value| value.to_str().ok()?.parse().ok());
    let limit = request.body_limit_bytes;
    let mut kept = Vec::new();
    if request.wants_body {
        let expected = announced.unwrap_or(0).min(limit);
        kept.reserve_exact(usize::try_from(expected).unwrap_or(0));
    }
    let mut received: u64 = 0;
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| class(&error))?;
        let Some(data) = frame.data_ref() else {
            continue;
        };
        let room = usize::try_from(limit.saturating_sub(received)).unwrap_or(usize::MAX);
        received = received.saturating_add(data.len() as u64);
        if request.wants_body {
            kept.extend_from_slice(data.get(..room).unwrap_or(data));
        }
        if received > limit {
            return Ok((kept, received, true));
        }
    }
    Ok((kept, received, false))
}

/// What a failure of hyper was.
fn class(error: &hyper::Error) -> ErrorClass {
    if error.is_parse() {
        return ErrorClass::Protocol;
    }
    if error.is_user() {
        return ErrorClass::Refused;
    }
    let cause = error
        .source()
        .and_then(|cause| cause.downcast_ref::<io::Error>());
    let broken = error.is_incomplete_message() || error.is_closed() || error.is_canceled();
    match cause.map(io::Error::kind) {
        Some(
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof
            | io::ErrorKind::NotConnected,
        ) => ErrorClass::Reset,
        // A body in chunks whose lengths cannot be read.
        Some(io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData) => ErrorClass::Protocol,
        _ if broken => ErrorClass::Reset,
        _ => ErrorClass::Other,
    }
}
