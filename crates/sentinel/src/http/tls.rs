//! Encryption: which certificates are trusted, and which protocols are offered.

use std::path::Path;
use std::sync::Arc;

use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{self, CryptoProvider};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore, SignatureScheme,
};

/// The name of HTTP/2 in the handshake.
pub(super) const ALPN_HTTP2: &[u8] = b"h2";
/// The name of HTTP/1.1 in the handshake.
pub(super) const ALPN_HTTP1: &[u8] = b"http/1.1";

/// Which certificates are trusted.
#[derive(Clone, Copy, Debug)]
pub(super) enum Trust<'a> {
    /// Those of the system, and those in this file if there is one.
    System(Option<&'a Path>),
    /// Every certificate.
    Anything,
}

/// The configuration of handshakes that offer HTTP/2 before HTTP/1.1, or only one of them.
///
/// # Errors
/// When certificates cannot be read, in words.
pub(super) fn config(trust: Trust<'_>, http1: bool, http2: bool) -> Result<ClientConfig, String> {
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
    let offered = [(http2, ALPN_HTTP2), (http1, ALPN_HTTP1)].into_iter();
    let offered = offered.filter(|(wanted, _)| *wanted);
    config.alpn_protocols = offered.map(|(_, name)| name.to_vec()).collect();
    Ok(config)
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
