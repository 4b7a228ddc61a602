//! Answers that Cloudflare gives in the target's stead, and where on its network they are given.
//!
//! Invariant: only an answer that says that Cloudflare made it counts as Cloudflare's, so that no target is
//! excused by a status of its own, and whatever bytes come, reading them ends in a result.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::response::Exchange;

/// The statuses with which Cloudflare says that it could not get an answer from the target
/// (<https://developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-5xx-errors/>).
const STATUSES: [u16; 9] = [520, 521, 522, 523, 524, 525, 526, 527, 530];

/// The errors with which Cloudflare keeps a request from the target: rate limited, too many loops, a host or an
/// address that a Worker may not ask, and a Worker of the same zone
/// (<https://developers.cloudflare.com/workers/observability/errors/>). Its other pages, such as that of a Worker
/// that threw, tell what the target did.
const ERRORS: [u16; 5] = [1015, 1019, 1021, 1024, 1042];

/// How much of a body is searched for the number of an error: its pages are shorter.
const PAGE_BYTES_MAX: usize = 16_384;

/// What stands before the number: in the page for programs, and in the two for people.
const BEFORE_NUMBER: [&str; 3] = [
    "error code: ",
    "<span class=\"cf-error-code\">",
    "Error code <span>",
];

/// Whether this is the number of an error that keeps a request from its target.
#[must_use]
pub fn is_error(number: u16) -> bool {
    STATUSES.contains(&number) || ERRORS.contains(&number)
}

/// The error that Cloudflare answered with instead of the target, `None` for an answer of the target.
///
/// The fields `server` and, of an answer with an error's status, the body are needed for it.
#[must_use]
pub fn error(exchange: &Exchange<'_>) -> Option<u16> {
    let mut fields = exchange.headers.iter();
    let is_cloudflare =
        fields.any(|(name, value)| name == "server" && value.eq_ignore_ascii_case("cloudflare"));
    if exchange.status < 400 || !is_cloudflare {
        return None;
    }
    let of_status = Some(exchange.status).filter(|status| STATUSES.contains(status));
    let page = exchange.body.get(..PAGE_BYTES_MAX).unwrap_or(exchange.body);
    let told = number(&String::from_utf8_lossy(page)).filter(|number| is_error(*number));
    told.or(of_status)
}

/// A data centre of Cloudflare, by the code of an airport near it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Colo([u8; 3]);

/// A text that names no data centre.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a data centre is three capital letters")]
pub struct NoColo;

/// Where the answer was given: the data centre in its field `cf-ray`. An answer through Cloudflare to a Worker is
/// given where that Worker runs.
#[must_use]
pub fn colo(exchange: &Exchange<'_>) -> Option<Colo> {
    let mut fields = exchange.headers.iter();
    let (_, ray) = fields.find(|(name, _)| name == "cf-ray")?;
    ray.rsplit_once('-')?.1.parse().ok()
}

impl FromStr for Colo {
    type Err = NoColo;

    fn from_str(text: &str) -> Result<Self, NoColo> {
        let letters: [u8; 3] = text.as_bytes().try_into().map_err(|_| NoColo)?;
        let known = letters.iter().all(u8::is_ascii_uppercase);
        known.then_some(Self(letters)).ok_or(NoColo)
    }
}

impl fmt::Display for Colo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|letter| write!(f, "{}", char::from(*letter)))
    }
}

impl Serialize for Colo {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Colo {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The number of the error that a page is about.
fn number(page: &str) -> Option<u16> {
    let behind = BEFORE_NUMBER
        .iter()
        .find_map(|words| page.split_once(words))?
        .1;
    let digits = behind
        .split(|letter: char| !letter.is_ascii_digit())
        .next()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parts::Parts;
    use proptest::prelude::*;

    /// What is made of an answer with this status, `server` and body.
    fn found(status: u16, server: &str, body: &[u8]) -> Option<u16> {
        let headers = [
            ("content-type".to_owned(), "text/plain".to_owned()),
            ("server".to_owned(), server.to_owned()),
        ];
        error(&Exchange {
            status,
            headers: &headers,
            body,
            bytes_received: body.len() as u64,
            truncated: false,
            parts: Parts::default(),
        })
    }

    #[test]
    fn the_pages_of_cloudflare_are_told_from_the_targets_answers() {
        let of_page = "<h1><span class=\"cf-error-type\">Error</span>\n\
                       <span class=\"cf-error-code\">1015</span></h1>";
        let of_status = "<span class=\"code-label\">Error code <span>522</span></span>";
        let long = format!("{}error code: 1015", " ".repeat(PAGE_BYTES_MAX));
        for (status, server, body, number) in [
            (429, "cloudflare", "error code: 1015", Some(1015)),
            (429, "Cloudflare", of_page, Some(1015)),
            (503, "cloudflare", "error code: 1019\n", Some(1019)),
            (403, "cloudflare", "error code: 1021", Some(1021)),
            (403, "cloudflare", "error code: 1024", Some(1024)),
            (404, "cloudflare", "error code: 1042", Some(1042)),
            (520, "cloudflare", "error code: 520", Some(520)),
            (522, "cloudflare", of_status, Some(522)),
            (523, "cloudflare", "", Some(523)),
            (524, "cloudflare", "<html>", Some(524)),
            (530, "cloudflare", "error code: 1016", Some(530)),
            // Cloudflare says so, but the target did it.
            (500, "cloudflare", "error code: 1101", None),
            (503, "cloudflare", "error code: 1102", None),
            // The target answers through Cloudflare.
            (429, "cloudflare", r#"{"error": "slow down"}"#, None),
            (503, "cloudflare", "error code: ", None),
            (503, "cloudflare", "error code: 99999999", None),
            (200, "cloudflare", "error code: 1015", None),
            (503, "cloudflare", &long, None),
            // Nobody says that Cloudflare has to do with it.
            (522, "nginx", "error code: 522", None),
            (429, "", "error code: 1015", None),
        ] {
            assert_eq!(
                found(status, server, body.as_bytes()),
                number,
                "{status} {body}"
            );
        }
    }

    #[test]
    fn a_ray_tells_the_data_centre() {
        let told = |ray: &str| {
            let headers = [("cf-ray".to_owned(), ray.to_owned())];
            let colo = colo(&Exchange {
                status: 200,
                headers: &headers,
                body: b"",
                bytes_received: 0,
                truncated: false,
                parts: Parts::default(),
            });
            colo.map(|colo| colo.to_string())
        };
        assert_eq!(told("8f2a3b4c5d6e7f80-AMS").as_deref(), Some("AMS"));
        for ray in [
            "",
            "8f2a",
            "8f2a-",
            "8f2a-AMSX",
            "8f2a-ams",
            "8f2a-<b>",
            "-Ä1",
        ] {
            assert_eq!(told(ray), None, "{ray}");
        }
    }

    proptest! {
        #[test]
        fn no_page_is_too_strange(status in any::<u16>(), body in any::<Vec<u8>>(), text in any::<String>()) {
            for body in [body, format!("error code: {text}").into_bytes()] {
                prop_assert!(found(status, "cloudflare", &body).is_none_or(is_error));
            }
        }
    }
}
