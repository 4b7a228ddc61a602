//! The closed set of ways in which a request can go wrong.
//!
//! Invariant: the set is finite and holds no text from outside, so that counting errors by class needs
//! bounded memory and can leak nothing.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::cloudflare;
use crate::response::Exchange;

/// Why a request did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorClass {
    /// An answer came, with a status that the step does not expect, other than 429.
    Status(u16),
    /// The target answered 429, which the step does not expect: it has been asked more often than it allows.
    RateLimited,
    /// Cloudflare answered instead of the target, with an error of this number ([`cloudflare::is_error`]).
    Cloudflare(u16),
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
    /// The platform gave the request up because too many connections of its invocation were open.
    ConnectionLimit,
    /// The generator stopped while it was waiting for the answer.
    CutOff,
    /// The request was not sent because the target's policy forbids it.
    Refused,
    /// Anything that the driver could not tell apart.
    Other,
}

impl ErrorClass {
    /// The class of an answer with a status that was not expected.
    #[must_use]
    pub fn of_status(exchange: &Exchange<'_>) -> Self {
        match (cloudflare::error(exchange), exchange.status) {
            (Some(number), _) => Self::Cloudflare(number),
            (None, 429) => Self::RateLimited,
            (None, status) => Self::Status(status),
        }
    }

    /// Whether an HTTP answer was received although the request counts as an error.
    #[must_use]
    pub const fn has_answer(self) -> bool {
        matches!(
            self,
            Self::Status(_)
                | Self::RateLimited
                | Self::Cloudflare(_)
                | Self::Extraction
                | Self::Check
                | Self::BodyTooLarge
                | Self::EventTooLarge
                | Self::TooFewEvents
        )
    }

    /// Whether Cloudflare failed the request, below the generator or before the target, and not the target.
    #[must_use]
    pub const fn is_of_platform(self) -> bool {
        matches!(
            self,
            Self::Cloudflare(_) | Self::Platform | Self::ConnectionLimit
        )
    }

    const NAMES: [(Self, &'static str); 23] = [
        (Self::RateLimited, "rate_limited"),
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
        (Self::ConnectionLimit, "connection_limit"),
        (Self::CutOff, "cut_off"),
        (Self::Refused, "refused"),
        (Self::Other, "other"),
    ];
}

impl fmt::Display for ErrorClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => return write!(f, "status_{status}"),
            Self::Cloudflare(number) => return write!(f, "cloudflare_{number}"),
            _ => {}
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
#[error(
    "unknown error class {0:?}: accepted are status_<code>, cloudflare_<number> and the names in the documentation"
)]
pub struct UnknownErrorClass(String);

impl FromStr for ErrorClass {
    type Err = UnknownErrorClass;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = |prefix| text.strip_prefix(prefix)?.parse().ok();
        let cloudflare = number("cloudflare_").filter(|number| cloudflare::is_error(*number));
        number("status_")
            .map(Self::Status)
            .or(cloudflare.map(Self::Cloudflare))
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
    use crate::parts::Parts;

    #[test]
    fn every_class_reads_back_as_itself() {
        let all = ErrorClass::NAMES
            .iter()
            .map(|(class, _)| *class)
            .chain([ErrorClass::Status(503), ErrorClass::Cloudflare(1015)]);
        for class in all {
            assert_eq!(class.to_string().parse(), Ok(class));
        }
    }

    #[test]
    fn other_text_is_refused() {
        assert!("status_".parse::<ErrorClass>().is_err());
        assert!("status_70000".parse::<ErrorClass>().is_err());
        assert!("cloudflare_".parse::<ErrorClass>().is_err());
        assert!("cloudflare_200".parse::<ErrorClass>().is_err());
        assert!("".parse::<ErrorClass>().is_err());
    }

    #[test]
    fn an_answer_that_was_not_expected_is_the_targets_or_cloudflares() {
        let class = |status, server: &str, body: &str| {
            let headers = [("server".to_owned(), server.to_owned())];
            ErrorClass::of_status(&Exchange {
                status,
                headers: &headers,
                body: body.as_bytes(),
                bytes_received: 0,
                truncated: false,
                parts: Parts::default(),
            })
        };
        for (found, name, of_platform) in [
            (class(503, "grove", ""), "status_503", false),
            (
                class(429, "grove", "error code: 1015"),
                "rate_limited",
                false,
            ),
            (class(429, "cloudflare", "slow down"), "rate_limited", false),
            (
                class(429, "cloudflare", "error code: 1015"),
                "cloudflare_1015",
                true,
            ),
            (class(522, "cloudflare", ""), "cloudflare_522", true),
            (class(522, "grove", ""), "status_522", false),
        ] {
            assert_eq!(found.to_string(), name);
            assert_eq!(found.is_of_platform(), of_platform, "{name}");
        }
        assert!(ErrorClass::Platform.is_of_platform());
        assert!(ErrorClass::ConnectionLimit.is_of_platform());
        assert!(!ErrorClass::Timeout.is_of_platform());
    }
}
