//! A server whose protocol and encodings the testbed does not have, made of the same crates as any other.

use std::convert::Infallible;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::path::Path;
use std::sync::Arc;
use std::thread;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_ENCODING, HeaderValue, USER_AGENT};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use rcgen::{CertificateParams, KeyPair};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// A server that runs until the test ends.
pub(crate) struct Server {
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

impl Server {
    /// A server without encryption, of HTTP/1.1 and of HTTP/2 with prior knowledge.
    pub(crate) fn plain() -> Self {
        Self::start(None)
    }

    /// A server for `localhost` with encryption. Whom to trust for it is written to `certificate`.
    pub(crate) fn encrypted(certificate: &Path) -> Self {
        let params = CertificateParams::new(["localhost".to_owned()]).expect("a name");
        Self::certified(params, certificate)
    }

    /// A server with a certificate that it has signed itself, which is written to `certificate`.
    pub(crate) fn certified(params: CertificateParams, certificate: &Path) -> Self {
        let signing_key = KeyPair::generate().expect("a key");
        let cert = params.self_signed(&signing_key).expect("a certificate");
        std::fs::write(certificate, cert.pem()).expect("a file");
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).expect("a key");
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions of TLS")
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key);
        let mut config = config.expect("a key for the certificate");
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Self::start(Some(TlsAcceptor::from(Arc::new(config))))
    }

    fn start(tls: Option<TlsAcceptor>) -> Self {
        let listener = StdListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a socket");
        let address = listener.local_addr().expect("an address");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        thread::spawn(move || runtime.block_on(serve(listener, tls)));
        Self { address }
    }
}

async fn serve(listener: StdListener, tls: Option<TlsAcceptor>) {
    let listener = TcpListener::from_std(listener).expect("a listener");
    while let Ok((stream, _)) = listener.accept().await {
        let tls = tls.clone();
        tokio::spawn(async move {
            let builder = Builder::new(TokioExecutor::new());
            let service = service_fn(answer);
            // A client that breaks off is no business of the server's.
            let _ = match tls {
                None => {
                    builder
                        .serve_connection(TokioIo::new(stream), service)
                        .await
                }
                Some(tls) => match tls.accept(stream).await {
                    Ok(stream) => {
                        builder
                            .serve_connection(TokioIo::new(stream), service)
                            .await
                    }
                    Err(_) => Ok(()),
                },
            };
        });
    }
}

/// Tells about the request, encoded as the path says.
async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let agent = request.headers().get(USER_AGENT).map(HeaderValue::to_str);
    let told = json!({
        "version": format!("{:?}", request.version()),
        "agent": agent.and_then(Result::ok),
        "filler": "la".repeat(2_000),
    });
    let text = told.to_string().into_bytes();
    let encoding = request.uri().path().trim_start_matches('/').to_owned();
    let body = match encoding.as_str() {
        "gzip" => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(&text).expect("memory");
            encoder.finish().expect("memory")
        }
        "deflate" => {
            let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(&text).expect("memory");
            encoder.finish().expect("memory")
        }
        "zstd" => zstd::encode_all(text.as_slice(), 1).expect("memory"),
        // As "br", and not so.
        "br" => b"no brotli".to_vec(),
        _ => text,
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    if matches!(encoding.as_str(), "gzip" | "deflate" | "zstd" | "br") {
        let encoding = HeaderValue::from_str(&encoding).expect("a name");
        response.headers_mut().insert(CONTENT_ENCODING, encoding);
    }
    Ok(response)
}
