//! Making connections: names, TCP, TLS.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use sentinel_engine::error_class::ErrorClass;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{self, CryptoProvider};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore, SignatureScheme,
};

use super::origin::Origin;

/// A connection that bytes go over.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Stream for T {}

/// Which certificates are trusted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Trust<'a> {
    /// Those of the system, and those in this file if there is one.
    System(Option<&'a Path>),
    /// Every certificate.
    Anything,
}

/// Makes connections.
pub(crate) struct Connector {
    tls: TlsConnector,
    resolved: BTreeMap<String, SocketAddr>, // by host:port, against what the name says
}

impl Connector {
    /// A connector.
    ///
    /// # Errors
    /// When certificates cannot be read, in words.
    pub(crate) fn new(
        trust: Trust<'_>,
        resolved: BTreeMap<String, SocketAddr>,
    ) -> Result<Self, String> {
        let provider = Arc::new(crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let config = match trust {
            Trust::System(more) => config.with_root_certificates(roots(more)?),
            Trust::Anything => config
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(AcceptAll(provider))),
        };
        let mut config = config.with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            tls: TlsConnector::from(Arc::new(config)),
            resolved,
        })
    }

    /// A connection to an origin.
    ///
    /// # Errors
    /// What went wrong: the name, the connection, or its encryption.
    pub(crate) async fn connect(&self, origin: &Origin) -> Result<Box<dyn Stream>, ErrorClass> {
        let stream = TcpStream::connect(self.addresses(origin).await?.as_slice())
            .await
            .map_err(|_| ErrorClass::Connect)?;
        // A request is one write; waiting for more would only delay it.
        stream.set_nodelay(true).map_err(|_| ErrorClass::Connect)?;
        if !origin.is_https {
            return Ok(Box::new(stream));
        }
        let name = ServerName::try_from(origin.host.clone()).map_err(|_| ErrorClass::Tls)?;
        let stream = self.tls.connect(name, stream).await;
        Ok(Box::new(stream.map_err(|error| tls_class(&error))?))
    }

    async fn addresses(&self, origin: &Origin) -> Result<Vec<SocketAddr>, ErrorClass> {
        let asked = format!("{}:{}", origin.host.to_ascii_lowercase(), origin.port);
        if let Some(address) = self.resolved.get(&asked) {
            return Ok(vec![*address]);
        }
        if let Some(address) = origin.address() {
            return Ok(vec![address]);
        }
        let found = lookup_host((origin.host.as_str(), origin.port)).await;
        let addresses: Vec<_> = found.map_err(|_| ErrorClass::Dns)?.collect();
        if addresses.is_empty() {
            return Err(ErrorClass::Dns);
        }
        Ok(addresses)
    }
}

fn tls_class(error: &io::Error) -> ErrorClass {
    match error.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => ErrorClass::Reset,
        _ => ErrorClass::Tls,
    }
}

fn roots(more: Option<&Path>) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    // A system without certificates can still test servers without encryption.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let Some(path) = more else {
        return Ok(roots);
    };
    let unreadable = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let certificates = CertificateDer::pem_file_iter(path).map_err(|error| unreadable(&error))?;
    let mut count = 0;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| unreadable(&error))?;
        roots.add(certificate).map_err(|error| unreadable(&error))?;
        count += 1;
    }
    if count == 0 {
        return Err(unreadable(&"there is no certificate in it"));
    }
    Ok(roots)
}

/// For targets whose certificate nobody has signed.
#[derive(Debug)]
struct AcceptAll(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAll {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = &self.0.signature_verification_algorithms;
        crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = &self.0.signature_verification_algorithms;
        crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
