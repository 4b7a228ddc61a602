//! Encryption: which certificates are trusted, and which protocols are offered.

use std::path::Path;
use std::sync::Arc;

use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::client::{WebPkiServerVerifier, verify_server_name};
use tokio_rustls::rustls::crypto::{self, CryptoProvider};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore,
    SignatureScheme,
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
        Trust::System(None) => config.with_root_certificates(of_the_system()),
        Trust::System(Some(path)) => config
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AcceptOwn::new(path, provider)?)),
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

/// A system without certificates can still test servers without encryption.
fn of_the_system() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

/// For targets whose certificate is in a file, or who has signed it.
///
/// A certificate that `openssl req -x509` makes says that it is an authority, and as a server's own it is then refused,
/// although its owner trusts just it. Such a one is accepted if the file holds that very certificate.
#[derive(Debug)]
struct AcceptOwn {
    signed: Arc<WebPkiServerVerifier>,
    own: Vec<CertificateDer<'static>>,
}

impl AcceptOwn {
    fn new(path: &Path, provider: Arc<CryptoProvider>) -> Result<Self, String> {
        let unreadable = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let mut roots = of_the_system();
        let mut own = Vec::new();
        let certificates =
            CertificateDer::pem_file_iter(path).map_err(|error| unreadable(&error))?;
        for certificate in certificates {
            let certificate = certificate.map_err(|error| unreadable(&error))?;
            let added = roots.add(certificate.clone());
            added.map_err(|error| unreadable(&error))?;
            own.push(certificate);
        }
        if own.is_empty() {
            return Err(unreadable(
                &"there is no certificate in it: accepted are those that begin with `-----BEGIN CERTIFICATE-----`",
            ));
        }
        let signed = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
        let signed = signed.build().map_err(|error| unreadable(&error))?;
        Ok(Self { signed, own })
    }
}

impl ServerCertVerifier for AcceptOwn {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        status: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let signed = self
            .signed
            .verify_server_cert(certificate, between, name, status, now);
        match signed {
            Err(error) if is_authority(&error) && self.own.contains(certificate) => {
                // Its dates were looked at before what it is for.
                verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
                Ok(ServerCertVerified::assertion())
            }
            signed => signed,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.signed
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.signed
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.signed.supported_verify_schemes()
    }
}

/// Whether a server's own certificate was refused for nothing but that it could sign others.
fn is_authority(error: &TlsError) -> bool {
    let TlsError::InvalidCertificate(CertificateError::Other(why)) = error else {
        return false;
    };
    why.0.downcast_ref() == Some(&webpki::Error::CaUsedAsEndEntity)
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
