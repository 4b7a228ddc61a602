//! Where in an answer a number stands.

use crate::extractor::{Answer, Extractor, ExtractorError};
use crate::response::Exchange;

use super::exposition::{Selector, SelectorError};

/// Where a number stands that the target tells about itself.
#[derive(Clone, Debug)]
pub enum Place {
    /// In a page in Prometheus' text format.
    Prometheus(Selector),
    /// Where extractions find it.
    Found(Extractor),
}

/// A text that does not say where a number stands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    /// Of Prometheus' format.
    #[error(transparent)]
    Selector(#[from] SelectorError),
    /// Of another.
    #[error("{0}; \"prometheus:name\" is accepted too")]
    Extractor(#[from] ExtractorError),
}

impl Place {
    /// Parses `prometheus:name{label="value"}`, or what an [`Extractor`] can be.
    ///
    /// # Errors
    /// The text is none of them.
    pub fn parse(text: &str) -> Result<Self, PlaceError> {
        match text.strip_prefix("prometheus:") {
            Some(selector) => Ok(Self::Prometheus(selector.parse()?)),
            None => Ok(Self::Found(Extractor::parse(text)?)),
        }
    }

    /// Whether the body is looked at as JSON.
    #[must_use]
    pub const fn wants_json(&self) -> bool {
        matches!(self, Self::Found(extractor) if extractor.wants_json())
    }

    /// The field of the header that is looked at, if one is.
    #[must_use]
    pub fn header(&self) -> Option<&str> {
        match self {
            Self::Prometheus(_) => None,
            Self::Found(extractor) => extractor.header(),
        }
    }

    /// The number that stands there, `None` if none does that is finite; `json` is the body as JSON, if that is what
    /// it is.
    #[must_use]
    pub fn read(&self, exchange: &Exchange<'_>, json: Option<&serde_json::Value>) -> Option<f64> {
        match self {
            Self::Prometheus(selector) => selector.sum(std::str::from_utf8(exchange.body).ok()?),
            Self::Found(extractor) => {
                let value = extractor.find(Answer { exchange, json })?.into_value()?;
                let number: f64 = value.trim().parse().ok()?;
                number.is_finite().then_some(number)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parts::Parts;

    fn read(place: &str, body: &[u8]) -> Option<f64> {
        let exchange = Exchange {
            status: 200,
            headers: &[("x-memory".to_owned(), "7".to_owned())],
            body,
            bytes_received: 0,
            truncated: false,
            parts: Parts::default(),
        };
        let json = serde_json::from_slice(body).ok();
        Place::parse(place).unwrap().read(&exchange, json.as_ref())
    }

    #[test]
    fn numbers_are_found_where_they_stand() {
        for (place, body, number) in [
            ("prometheus:up", "up 1", Some(1.0)),
            ("$.memory.rss", r#"{"memory":{"rss":12.5}}"#, Some(12.5)),
            ("$.memory.rss", r#"{"memory":{"rss":"12"}}"#, Some(12.0)),
            ("$.memory.rss", r#"{"memory":{"rss":"much"}}"#, None),
            ("$.memory.rss", "<html>", None),
            ("prometheus:up", "<html>up</html>", None),
            ("regex:rss=([0-9]+)", "rss=4096 kB", Some(4096.0)),
            ("header:X-Memory", "", Some(7.0)),
            ("body", " 3\n", Some(3.0)),
            ("body", "inf", None),
        ] {
            assert_eq!(read(place, body.as_bytes()), number, "{place} {body}");
        }
        assert_eq!(read("prometheus:up", b"\xff up 1"), None);
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for text in ["memory", "prometheus:", "prometheus:a{"] {
            assert!(Place::parse(text).is_err(), "{text}");
        }
    }
}
