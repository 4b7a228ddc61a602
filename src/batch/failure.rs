//! From the runtime's words about a failed request to the closed set of error classes.
//!
//! Invariant: no text of the runtime leaves this module. The runtime tells few failures apart: a refused
//! connection and a broken one are both "Network connection lost.", and failures of name resolution and of the
//! TLS handshake are mostly "internal error".

use sentinel_engine::error_class::ErrorClass;

/// The class of a failure, from the name and the message of the error that `fetch` threw, and from the marks that
/// errors of Durable Objects bear
/// (<https://developers.cloudflare.com/durable-objects/best-practices/error-handling/>).
pub(crate) fn classify(name: &str, message: &str, marks: &str) -> ErrorClass {
    let is_marked = |mark: &str| marks.split(' ').any(|own| own == mark);
    let text = message.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if name == "AbortError" {
        return ErrorClass::CutOff;
    }
    // Of an overloaded object every error is marked, whatever it says. The words stand for runtimes without marks.
    if is_marked("overloaded") || says(&OVERLOADED) {
        return ErrorClass::Overloaded;
    }
    if is_marked("durableObjectReset") || says(&["code was updated"]) {
        return ErrorClass::ObjectReset;
    }
    if is_marked("retryable") {
        return ErrorClass::Retryable;
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
    if says(&["connection limit"]) {
        return ErrorClass::ConnectionLimit;
    }
    if says(&["subrequest", "internal error", "exceeded", "depth"]) {
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

/// The class of what ended a WebSocket, or kept it from being opened.
pub(crate) fn classify_socket(name: &str, message: &str) -> ErrorClass {
    // The runtime has a limit of its own, which is higher than ours, and tells it by the code of the close frame.
    if name == "MessageTooLarge" || message.contains("statusCode = 1009") {
        ErrorClass::MessageTooLarge
    } else if name == "ProtocolError" || message.contains("WebSocket protocol error") {
        ErrorClass::Protocol
    } else {
        classify(name, message, "")
    }
}

/// What is said about objects that have more to do than they can
/// (<https://developers.cloudflare.com/durable-objects/observability/troubleshooting/>).
const OVERLOADED: [&str; 6] = [
    "too many requests queued",
    "too much data queued",
    "queued for too long",
    "too many requests for the same object",
    "too much load on durable objects",
    "durable object is overloaded",
];

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
                ErrorClass::ConnectionLimit,
            ),
        ] {
            assert_eq!(classify(name, message, ""), class, "{message}");
        }
    }

    /// What workerd says, provoked one by one, and what is found before it.
    #[test]
    fn what_ends_a_websocket_has_a_class() {
        for (name, message, class) in [
            (
                "Error",
                "WebSocket protocol error; protocolError.statusCode = 1002; protocolError.description = Received a \
                 WebSocket frame whose compression bit was set, but the compression extension was not negotiated \
                 for this connection.",
                ErrorClass::Protocol,
            ),
            (
                "Error",
                "WebSocket protocol error; protocolError.statusCode = 1009; protocolError.description = Message is \
                 too large: 40000000 > 33554432",
                ErrorClass::MessageTooLarge,
            ),
            ("MessageTooLarge", "", ErrorClass::MessageTooLarge),
            ("ProtocolError", "", ErrorClass::Protocol),
            ("Error", "Network connection lost.", ErrorClass::Reset),
        ] {
            assert_eq!(classify_socket(name, message), class, "{message}");
        }
    }

    #[test]
    fn failures_of_objects_have_classes_of_their_own() {
        use ErrorClass::{CutOff, ObjectReset, Overloaded, Reset, Retryable};
        for (name, message, marks, class) in [
            ("Error", "whatever", "overloaded", Overloaded),
            ("Error", "whatever", "overloaded retryable", Overloaded),
            (
                "Error",
                "Durable Object is overloaded. Requests queued for too long.",
                "",
                Overloaded,
            ),
            ("Error", "Too many requests queued", "", Overloaded),
            (
                "Error",
                "Your account is generating too much load on Durable Objects.",
                "",
                Overloaded,
            ),
            ("Error", "x", "durableObjectReset retryable", ObjectReset),
            (
                "TypeError",
                "The Durable Object's code has been updated: reset because its code was updated.",
                "",
                ObjectReset,
            ),
            ("Error", "Network connection lost.", "retryable", Retryable),
            ("Error", "Network connection lost.", "", Reset),
            (
                "AbortError",
                "The operation was aborted",
                "retryable",
                CutOff,
            ),
        ] {
            assert_eq!(classify(name, message, marks), class, "{message} {marks}");
        }
    }
}
