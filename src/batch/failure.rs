//! From the runtime's words about a failed request to the closed set of error classes.
//!
//! Invariant: no text of the runtime leaves this module. The runtime tells few failures apart: a refused
//! connection and a broken one are both "Network connection lost.", and failures of name resolution and of the
//! TLS handshake are mostly "internal error".

use sentinel_engine::error_class::ErrorClass;

/// The class of a failure, from the name and the message of the error that `fetch` threw.
pub(crate) fn classify(name: &str, message: &str) -> ErrorClass {
    let text = message.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if name == "AbortError" {
        return ErrorClass::CutOff;
    }
    if name == "TimeoutError" || says(&["timed out", "timeout"]) {
        return ErrorClass::Timeout;
    }
    if says(&["dns", "name or service not known", "name not resolved"]) {
        return ErrorClass::Dns;
    }
    if says(&["tls", "ssl", "certificate"]) {
        return ErrorClass::Tls;
    }
    if says(&["refused", "could not connect", "unreachable"]) {
        return ErrorClass::Connect;
    }
    if says(&[
        "subrequest",
        "internal error",
        "connection limit",
        "exceeded",
        "depth",
    ]) {
        return ErrorClass::Platform;
    }
    if says(&["connection lost", "disconnected", "reset", "closed"]) {
        return ErrorClass::Reset;
    }
    if says(&["decompression", "protocol", "malformed", "parse"]) {
        return ErrorClass::Protocol;
    }
    ErrorClass::Other
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What workerd says, provoked one by one.
    #[test]
    fn what_the_runtime_says_has_a_class() {
        for (name, message, class) in [
            ("Error", "Network connection lost.", ErrorClass::Reset),
            (
                "Error",
                "internal error; reference = rumq3fri8dkm2i80nkj8ih3g",
                ErrorClass::Platform,
            ),
            ("Error", "Too many subrequests.", ErrorClass::Platform),
            (
                "TypeError",
                "Gzip decompression failed.",
                ErrorClass::Protocol,
            ),
            ("TypeError", "Invalid header name.", ErrorClass::Other),
            ("TypeError", "Invalid URL: http://", ErrorClass::Other),
            (
                "AbortError",
                "The operation was aborted",
                ErrorClass::CutOff,
            ),
            ("undefined", "undefined", ErrorClass::Other),
            (
                "Error",
                "Response closed due to connection limit",
                ErrorClass::Platform,
            ),
        ] {
            assert_eq!(classify(name, message), class, "{message}");
        }
    }
}
