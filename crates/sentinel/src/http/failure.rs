//! What went wrong, as the engine counts it.

use std::error::Error;
use std::io;

use sentinel_engine::error_class::ErrorClass;

/// The class of a failed exchange.
pub(super) fn class(error: &hyper::Error) -> ErrorClass {
    if error.is_parse() {
        return ErrorClass::Protocol;
    }
    if error.is_user() {
        return ErrorClass::Refused;
    }
    if let Some(error) = cause::<h2::Error>(error) {
        return http2_class(error);
    }
    let broken = error.is_incomplete_message() || error.is_closed() || error.is_canceled();
    match cause::<io::Error>(error).map(io::Error::kind) {
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

/// The class of a failed handshake.
pub(super) fn tls_class(error: &io::Error) -> ErrorClass {
    match error.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => ErrorClass::Reset,
        _ => ErrorClass::Tls,
    }
}

/// What the server ends is reset; what this side ends was broken by the server.
fn http2_class(error: &h2::Error) -> ErrorClass {
    if error.is_io() || error.is_remote() {
        ErrorClass::Reset
    } else {
        ErrorClass::Protocol
    }
}

fn cause<T: Error + 'static>(error: &hyper::Error) -> Option<&T> {
    let mut next = error.source();
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}
