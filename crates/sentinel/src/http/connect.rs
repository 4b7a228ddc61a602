//! Making connections: names, TCP, proxies, TLS.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper::header::{HOST, PROXY_AUTHORIZATION};
use hyper::{Method, Request, Uri};
use hyper_util::rt::TokioIo;
use sentinel_engine::error_class::ErrorClass;
use sentinel_engine::parts::{Part, Parts};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use super::failure::tls_class;
use super::names::Names;
use super::origin::Origin;
use super::proxy::Proxy;
use super::time::span;
use super::tls::{ALPN_HTTP1, ALPN_HTTP2};

/// A connection that bytes go over.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Stream for T {}

/// A connection that was made.
pub(super) struct Connected {
    /// What bytes go over.
    pub(super) stream: Box<dyn Stream>,
    /// Whether the server chose HTTP/2 in the handshake.
    pub(super) is_http2: bool,
    /// How long each part of it took.
    pub(super) parts: Parts,
}

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// Requests, of the version of HTTP that the server chooses.
    Requests,
    /// A WebSocket, which begins with a request of HTTP/1.1 that no proxy may touch.
    WebSocket,
}

/// Makes connections.
pub(super) struct Connector {
    tls: TlsConnector,
    tls_of_sockets: TlsConnector,
    names: Names,
    limit: Duration, // for each of the parts
}

impl Connector {
    /// A connector that gives each part of a connection this much time.
    pub(super) fn new(tls: ClientConfig, names: Names, limit: Duration) -> Self {
        let mut of_sockets = tls.clone();
        of_sockets.alpn_protocols = vec![ALPN_HTTP1.to_vec()];
        Self {
            tls: TlsConnector::from(Arc::new(tls)),
            tls_of_sockets: TlsConnector::from(Arc::new(of_sockets)),
            names,
            limit,
        }
    }

    /// A connection to an origin, or to the proxy before it.
    ///
    /// # Errors
    /// What went wrong: the name, the connection, or its encryption.
    pub(super) async fn connect(
        &self,
        origin: &Origin,
        purpose: Use,
    ) -> Result<Connected, ErrorClass> {
        let mut parts = Parts::default();
        let (host, port, known) = match &origin.proxy {
            Some(proxy) => (&proxy.host, proxy.port, &proxy.known),
            None => (&origin.host, origin.port, &origin.known),
        };
        let asked = Instant::now();
        let addresses = self.names.addresses(host, port, known);
        let addresses = self.within(ErrorClass::Dns, addresses).await?;
        let connecting = Instant::now();
        let stream = async {
            let stream = TcpStream::connect(&*addresses).await;
            stream.map_err(|_| ErrorClass::Connect)
        };
        let mut stream = self.within(ErrorClass::Connect, stream).await?;
        // A request is one write; waiting for more would only delay it.
        stream.set_nodelay(true).map_err(|_| ErrorClass::Connect)?;
        let connected = Instant::now();
        parts = parts
            .with(Part::LookingUp, span(asked, connecting))
            .with(Part::Connecting, span(connecting, connected))
            .with(Part::TlsHandshaking, span(connected, connected));
        if let Some(proxy) = &origin.proxy
            && (origin.is_https || purpose == Use::WebSocket)
        {
            let through = tunnel(stream, proxy, origin);
            stream = self.within(ErrorClass::Connect, through).await?;
        }
        if !origin.is_https {
            return Ok(Connected {
                stream: Box::new(stream),
                is_http2: false,
                parts,
            });
        }
        let handshaking = Instant::now();
        let name = ServerName::try_from(origin.host.clone()).map_err(|_| ErrorClass::Tls)?;
        let stream = async {
            let tls = match purpose {
                Use::Requests => &self.tls,
                Use::WebSocket => &self.tls_of_sockets,
            };
            let stream = tls.connect(name, stream).await;
            stream.map_err(|error| tls_class(&error))
        };
        let stream = self.within(ErrorClass::Tls, stream).await?;
        let chosen = stream.get_ref().1.alpn_protocol();
        Ok(Connected {
            is_http2: chosen == Some(ALPN_HTTP2),
            stream: Box::new(stream),
            parts: parts.with(Part::TlsHandshaking, span(handshaking, Instant::now())),
        })
    }

    /// What is not done in time has failed in its own way.
    async fn within<T>(
        &self,
        late: ErrorClass,
        work: impl Future<Output = Result<T, ErrorClass>>,
    ) -> Result<T, ErrorClass> {
        timeout(self.limit, work).await.unwrap_or(Err(late))
    }
}

/// Has a proxy connect to the origin.
async fn tunnel(
    stream: TcpStream,
    proxy: &Proxy,
    origin: &Origin,
) -> Result<TcpStream, ErrorClass> {
    let host = match origin.host.contains(':') {
        true => format!("[{}]", origin.host),
        false => origin.host.clone(),
    };
    let authority = format!("{host}:{}", origin.port);
    let mut request = Request::new(Empty::<Bytes>::new());
    *request.method_mut() = Method::CONNECT;
    *request.uri_mut() = Uri::try_from(authority.as_str()).map_err(|_| ErrorClass::Refused)?;
    let fields = request.headers_mut();
    let authority = authority.parse().map_err(|_| ErrorClass::Refused)?;
    fields.insert(HOST, authority);
    if let Some(authorization) = &proxy.authorization {
        fields.insert(PROXY_AUTHORIZATION, authorization.clone());
    }
    let failed = |_| ErrorClass::Connect;
    let (mut sender, work) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(failed)?;
    // The work ends when the connection is the tunnel's.
    let (answer, ended) = tokio::join!(sender.send_request(request), work.without_shutdown());
    if !answer.map_err(failed)?.status().is_success() {
        return Err(ErrorClass::Connect);
    }
    Ok(ended.map_err(failed)?.io.into_inner())
}
