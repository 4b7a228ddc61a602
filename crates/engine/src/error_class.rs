//! The closed set of ways in which a request can go wrong.
//!
//! Invariant: the set is finite and holds no text from outside, so that counting errors by class needs
//! bounded memory and can leak nothing.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Why a request did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorClass {
    /// An answer came, with a status that the step does not expect.
    Status(u16),
    /// An answer came, but a value that the step extracts was not in it.
    Extraction,
    /// An answer came, but a check on it did not hold.
    Check,
    /// The answer's body was larger than the limit.
    BodyTooLarge,
    /// An event of the answer's stream was larger than the limit.
    EventTooLarge,
    /// The answer's stream ended with fewer events than the step expects.
    TooFewEvents,
    /// A message on a WebSocket was larger than the limit.
    MessageTooLarge,
    /// A call over a WebSocket was answered with an error.
    RpcError,
    /// The target closed a WebSocket with a code that says that something is wrong.
    Closed,
    /// No complete answer within the request's time limit.
    Timeout,
    /// The host name could not be resolved.
    Dns,
    /// No connection could be made.
    Connect,
    /// The TLS handshake failed.
    Tls,
    /// The connection ended before the answer was complete.
    Reset,
    /// The answer broke the protocol.
    Protocol,
    /// A Durable Object has more requests than it can take: to be sent less, not again.
    Overloaded,
    /// A Durable Object was reset, by a deployment of its code or by a fault in it.
    ObjectReset,
    /// A Durable Object failed in a way that may be over at the next try.
    Retryable,
    /// The platform below the generator refused or broke the request, not the target.
    Platform,
    /// The generator stopped while it was waiting for the answer.
    CutOff,
    /// The request was not sent because the target's policy forbids it.
    Refused,
    /// Anything that the driver could not tell apart.
    Other,
}

impl ErrorClass {
    /// Whether an HTTP answer was received although the request counts as an error.
    #[must_use]
    pub const fn has_answer(self) -> bool {
        matches!(
            self,
            Self::Status(_)
                | Self::Extraction
                | Self::Check
                | Self::BodyTooLarge
                | Self::EventTooLarge
                | Self::TooFewEvents
        )
    }

    const NAMES: [(Self, &'static str); 21] = [
        (Self::Extraction, "extraction"),
        (Self::Check, "check"),
        (Self::BodyTooLarge, "body_too_large"),
        (Self::EventTooLarge, "event_too_large"),
        (Self::TooFewEvents, "too_few_events"),
        (Self::MessageTooLarge, "message_too_large"),
        (Self::RpcError, "rpc_error"),
        (Self::Closed, "closed"),
        (Self::Timeout, "timeout"),
        (Self::Dns, "dns"),
        (Self::Connect, "connect"),
        (Self::Tls, "tls"),
        (Self::Reset, "reset"),
        (Self::Protocol, "protocol"),
        (Self::Overloaded, "overloaded"),
        (Self::ObjectReset, "object_reset"),
        (Self::Retryable, "retryable"),
        (Self::Platform, "platform"),
        (Self::CutOff, "cut_off"),
        (Self::Refused, "refused"),
        (Self::Other, "other"),
    ];
}

impl fmt::Display for ErrorClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Status(status) = self {
            return write!(f, "status_{status}");
        }
        let name = Self::NAMES
            .iter()
            .find(|(class, _)| class == self)
            .map_or("other", |(_, name)| name);
        f.write_str(name)
    }
}

/// A text that names no error class.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown error class {0:?}: accepted are status_<code> and the names in the documentation")]
pub struct UnknownErrorClass(String);

impl FromStr for ErrorClass {
    type Err = UnknownErrorClass;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let status = text
            .strip_prefix("status_")
            .and_then(|code| code.parse().ok());
        status
            .map(Self::Status)
            .or_else(|| {
                Self::NAMES
                    .iter()
                    .find(|(_, name)| *name == text)
                    .map(|(class, _)| *class)
            })
            .ok_or_else(|| UnknownErrorClass(text.chars().take(64).collect()))
    }
}

impl Serialize for ErrorClass {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ErrorClass {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_reads_back_as_itself() {
        let all = ErrorClass::NAMES
            .iter()
            .map(|(class, _)| *class)
            .chain([ErrorClass::Status(503)]);
        for class in all {
            assert_eq!(class.to_string().parse(), Ok(class));
        }
    }

    #[test]
    fn other_text_is_refused() {
        assert!("status_".parse::<ErrorClass>().is_err());
        assert!("status_70000".parse::<ErrorClass>().is_err());
        assert!("".parse::<ErrorClass>().is_err());
    }
}
