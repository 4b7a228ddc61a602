//! Requests to the API.
//!
//! Invariant: no request is sent twice, none follows a redirect, and no answer is read without a bound.

use std::error::Error;
use std::io;
use std::path::Path;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION};
use reqwest::{Certificate, Method, RequestBuilder, Response, redirect, retry};
use serde_json::Value;
use tokio_rustls::rustls::Error as TlsError;
use tokio_rustls::rustls::crypto::ring;

use super::access::{Address, Token};
use super::trouble::{Refusal, Trouble, bounded};
use crate::exit::Stopped;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How long an answer may take, its body included.
const ANSWER: Duration = Duration::from_secs(60);
/// How long a stream may take to begin.
const STREAM: Duration = Duration::from_secs(30);
/// The summary of a long run has a point for each second; this is some hundred times that.
const BODY_BYTES_MAX: usize = 256 << 20;
/// Where a stream of events goes on.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// A client of one load tester.
pub(crate) struct Client {
    http: reqwest::Client,
    address: Address,
    token: Token,
    authorization: HeaderValue,
}

impl Client {
    /// A client of the load tester at `address`.
    ///
    /// # Errors
    /// When the certificates cannot be read.
    pub(crate) fn new(
        address: Address,
        token: Token,
        cacert: Option<&Path>,
    ) -> Result<Self, Stopped> {
        // Fails only when there is one already, which is as good.
        let _ = ring::default_provider().install_default();
        let mut authorization = HeaderValue::from_str(&format!("Bearer {}", token.expose()))
            .map_err(|_| Stopped::invalid("the token cannot be sent in a header"))?;
        authorization.set_sensitive(true);
        let mut http = reqwest::Client::builder()
            .user_agent(concat!("sentinel/", env!("CARGO_PKG_VERSION")))
            // The token is for this address alone.
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .connect_timeout(CONNECT);
        if !address.is_encrypted() {
            // A proxy would read the token.
            http = http.no_proxy();
        }
        if let Some(path) = cacert {
            http = http.tls_certs_merge(certificates(path)?);
        }
        let http = http
            .build()
            .map_err(|error| Stopped::invalid(chain(&error)))?;
        Ok(Self {
            http,
            address,
            token,
            authorization,
        })
    }

    /// Asks for something.
    ///
    /// # Errors
    /// What came between.
    pub(crate) async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, Trouble> {
        let request = self.request(Method::GET, path).query(query);
        self.json(self.send(request.timeout(ANSWER)).await?).await
    }

    /// Asks for something to be done.
    ///
    /// # Errors
    /// What came between.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value, Trouble> {
        let request = self
            .request(Method::POST, path)
            .header(CONTENT_TYPE, "application/json")
            .body(body.to_string());
        self.json(self.send(request.timeout(ANSWER)).await?).await
    }

    /// Opens a stream of events, from after the one with this identifier.
    ///
    /// # Errors
    /// What came between; an answer that is no stream is [`Trouble::Foreign`].
    pub(crate) async fn stream(
        &self,
        path: &str,
        last_event_id: Option<&str>,
    ) -> Result<Response, Trouble> {
        let mut request = self.request(Method::GET, path);
        if let Some(id) = last_event_id {
            request = request.header(LAST_EVENT_ID, id);
        }
        let opened = tokio::time::timeout(STREAM, self.send(request)).await;
        let answer = opened.map_err(|_| Trouble::Lost(self.silent()))??;
        if !answer.status().is_success() {
            return Err(self.refusal(answer).await);
        }
        let kind = answer.headers().get(CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if !kind.starts_with("text/event-stream") {
            return Err(self.foreign("no stream of events"));
        }
        Ok(answer)
    }

    /// The next bytes of a stream, `None` at its end.
    ///
    /// # Errors
    /// When it broke off.
    pub(crate) async fn next(
        &self,
        stream: &mut Response,
    ) -> Result<Option<bytes::Bytes>, Trouble> {
        stream.chunk().await.map_err(|error| self.broken(error))
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, self.address.of(path))
            .header(AUTHORIZATION, self.authorization.clone())
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, Trouble> {
        request.send().await.map_err(|error| self.broken(error))
    }

    /// The JSON of an answer that is no error.
    async fn json(&self, answer: Response) -> Result<Value, Trouble> {
        if !answer.status().is_success() {
            return Err(self.refusal(answer).await);
        }
        let body = self.body(answer).await?;
        serde_json::from_slice(&body).map_err(|_| self.foreign("no JSON"))
    }

    async fn body(&self, mut answer: Response) -> Result<Vec<u8>, Trouble> {
        let mut body = Vec::new();
        while let Some(part) = self.next(&mut answer).await? {
            if body.len() + part.len() > BODY_BYTES_MAX {
                return Err(self.foreign("more than any answer of the API is"));
            }
            body.extend_from_slice(&part);
        }
        Ok(body)
    }

    /// An answer that is an error, in the API's words if it has any.
    async fn refusal(&self, answer: Response) -> Trouble {
        let status = answer.status();
        if status.is_redirection() {
            let to = answer.headers().get(LOCATION);
            let to = to.and_then(|to| to.to_str().ok()).unwrap_or("elsewhere");
            return self.foreign(&format!("with a redirect to {to}: is that the address?"));
        }
        let body = match self.body(answer).await {
            Ok(body) => body,
            Err(trouble) => return trouble,
        };
        let fields: Value = serde_json::from_slice(&body).unwrap_or_default();
        let text = |field| fields.get(field).and_then(Value::as_str);
        let message = match text("error") {
            Some(error) => self.shown(error),
            None => format!("{} says no more than that", self.address.host()),
        };
        Trouble::Refused(Refusal {
            status: status.as_u16(),
            code: self.shown(text("code").unwrap_or_default()),
            message,
            fields,
        })
    }

    fn foreign(&self, what: &str) -> Trouble {
        let host = self.address.host();
        Trouble::Foreign(self.shown(&format!("{host} answered {what}; it is not the API")))
    }

    fn silent(&self) -> String {
        format!("{} does not answer", self.address.host())
    }

    /// What went wrong on the way.
    fn broken(&self, error: reqwest::Error) -> Trouble {
        let host = self.address.host();
        let is_unsent = error.is_connect() || error.is_builder();
        if let Some(tls) = tls(&error) {
            let advice = match tls {
                TlsError::InvalidCertificate(_) => {
                    "; --cacert FILE trusts one that nobody has signed"
                }
                _ => "",
            };
            return Trouble::Unreachable(
                self.shown(&format!("no secure connection to {host}: {tls}{advice}")),
            );
        }
        let why = if error.is_timeout() {
            "it takes too long".to_owned()
        } else {
            root(&error)
        };
        if is_unsent {
            Trouble::Unreachable(self.shown(&format!("{host} cannot be reached: {why}")))
        } else {
            Trouble::Lost(self.shown(&format!("the answer of {host} did not come: {why}")))
        }
    }

    /// A text from outside, fit to be shown; a server may repeat what it was sent.
    fn shown(&self, text: &str) -> String {
        bounded(&text.replace(self.token.expose(), "[token]"))
    }
}

fn certificates(path: &Path) -> Result<Vec<Certificate>, Stopped> {
    let wrong = |why: &dyn std::fmt::Display| {
        Stopped::invalid(format_args!("--cacert: {}: {why}", path.display()))
    };
    let pem = std::fs::read(path).map_err(|error| wrong(&error))?;
    let certificates = Certificate::from_pem_bundle(&pem).map_err(|error| wrong(&chain(&error)))?;
    if certificates.is_empty() {
        return Err(wrong(&"there is no certificate in it"));
    }
    Ok(certificates)
}

/// The errors below an error, from the outside in.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| {
        // An error of a stream may hold that of the encryption without naming it as its source.
        let held = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        held.map(|held| held as &(dyn Error + 'static))
            .or_else(|| error.source())
    })
}

fn tls(error: &reqwest::Error) -> Option<&TlsError> {
    causes(error).find_map(|cause| cause.downcast_ref::<TlsError>())
}

/// The innermost reason, which says most.
fn root(error: &reqwest::Error) -> String {
    causes(error)
        .last()
        .map(ToString::to_string)
        .unwrap_or_default()
}

fn chain(error: &reqwest::Error) -> String {
    let texts: Vec<String> = causes(error).map(ToString::to_string).collect();
    texts.join(": ")
}
