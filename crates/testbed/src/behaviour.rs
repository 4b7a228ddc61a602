//! What a request asks the testbed to do.

use hyper::StatusCode;

use crate::query::{BadQuery, Query};
use crate::socket::Manners;
use crate::sse::Script;

/// What happens after the delay.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Behaviour {
    /// A short answer.
    Ok,
    /// Waits while the testbed is frozen.
    Freeze,
    /// A server with `slots` and a `queue`; the delay is what it takes to be served in a slot.
    Capacity { slots: usize, queue: usize },
    /// This share of the requests fails with this status.
    Errors { rate: f64, status: StatusCode },
    /// The page with which Cloudflare tells of an error of this number, instead of an answer of the target.
    Cloudflare { error: u16, status: StatusCode },
    /// No head of an answer ever.
    Hang,
    /// A head and so many bytes, then nothing.
    HangBody { bytes: u64 },
    /// A TCP reset.
    Reset(ResetAt),
    /// So many bytes.
    Bytes(u64),
    /// Bytes without an end.
    Endless,
    /// Another address.
    Redirect { to: String, status: StatusCode },
    /// Something that is not HTTP.
    Broken(Broken),
    /// This share of the connections is closed, after the answer or instead of it.
    Close { rate: f64, answers: bool },
    /// A JSON object with a text of so many bytes.
    Json { bytes: usize },
    /// What was sent.
    Echo,
    /// Server-sent events.
    Events(Script),
    /// A WebSocket.
    Socket(Manners),
}

/// When a connection is reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ResetAt {
    /// Instead of the answer.
    Head,
    /// In the middle of its body.
    Body,
}

/// How an answer is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// A field name with a space in it.
    Name,
    /// A field value with a NUL in it.
    Value,
    /// A line of the head without a colon.
    Line,
    /// A status that is no number.
    Status,
    /// Two lengths that differ.
    Length,
    /// A chunk whose length is no number.
    Chunk,
    /// A head of a megabyte.
    Huge,
    /// Not HTTP at all.
    Garbage,
}

/// Why there is no behaviour for a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NoBehaviour {
    /// There is no such path.
    UnknownPath,
    /// The path is known, the query is not.
    BadQuery(BadQuery),
}

impl Behaviour {
    /// What the first segment of a path and its query ask for; further segments only tell requests apart.
    pub(crate) fn of(path: &str, query: &mut Query<'_>) -> Result<Self, NoBehaviour> {
        let name = path.trim_start_matches('/').split('/').next();
        Self::named(name.unwrap_or_default(), query)
            .map_err(NoBehaviour::BadQuery)?
            .ok_or(NoBehaviour::UnknownPath)
    }

    fn named(name: &str, query: &mut Query<'_>) -> Result<Option<Self>, BadQuery> {
        Ok(Some(match name {
            "" | "ok" | "delay" => Self::Ok,
            "freeze" => Self::Freeze,
            "capacity" => Self::Capacity {
                slots: query.number("slots")?.unwrap_or(1),
                queue: query.number("queue")?.unwrap_or(0),
            },
            "errors" => Self::Errors {
                rate: query.share("rate")?.unwrap_or(1.0),
                status: status(query)?.unwrap_or(StatusCode::SERVICE_UNAVAILABLE),
            },
            "cloudflare" => Self::Cloudflare {
                error: query.number("error")?.unwrap_or(1015),
                status: status(query)?.unwrap_or(StatusCode::TOO_MANY_REQUESTS),
            },
            "hang" => Self::Hang,
            "hang-body" => Self::HangBody {
                bytes: query.number("n")?.unwrap_or(1_000),
            },
            "reset" => Self::Reset(reset_at(query)?.unwrap_or(ResetAt::Head)),
            "bytes" => Self::Bytes(query.number("n")?.unwrap_or(10 * 1_048_576)),
            "endless" => Self::Endless,
            "redirect" => Self::Redirect {
                to: query.text("to").ok_or(BadQuery::Missing {
                    name: "to",
                    accepted: "a URL",
                })?,
                status: status(query)?.unwrap_or(StatusCode::FOUND),
            },
            "broken-header" => Self::Broken(broken(query)?.unwrap_or(Broken::Name)),
            "close" => Self::Close {
                rate: query.share("rate")?.unwrap_or(1.0),
                answers: query.word("answer", "yes or no", &YES_NO)?.unwrap_or(true),
            },
            "json" => Self::Json {
                bytes: query.number("n")?.unwrap_or(0).min(JSON_BYTES_MAX),
            },
            "echo" => Self::Echo,
            "sse" => Self::Events(Script::of(query)?),
            "ws" => Self::Socket(Manners::of(query)?),
            _ => return Ok(None),
        }))
    }
}

fn status(query: &mut Query<'_>) -> Result<Option<StatusCode>, BadQuery> {
    let Some(text) = query.text("status") else {
        return Ok(None);
    };
    let status = StatusCode::from_bytes(text.as_bytes()).ok();
    // An interim answer is not the answer.
    match status.filter(|status| status.as_u16() >= 200) {
        Some(status) => Ok(Some(status)),
        None => Err(BadQuery::Value {
            name: "status",
            value: text,
            accepted: "a status from 200 to 999",
        }),
    }
}

fn reset_at(query: &mut Query<'_>) -> Result<Option<ResetAt>, BadQuery> {
    let words = [("head", ResetAt::Head), ("body", ResetAt::Body)];
    query.word("at", "head or body", &words)
}

fn broken(query: &mut Query<'_>) -> Result<Option<Broken>, BadQuery> {
    let words = [
        ("name", Broken::Name),
        ("value", Broken::Value),
        ("line", Broken::Line),
        ("status", Broken::Status),
        ("length", Broken::Length),
        ("chunk", Broken::Chunk),
        ("huge", Broken::Huge),
        ("garbage", Broken::Garbage),
    ];
    let accepted = "name, value, line, status, length, chunk, huge or garbage";
    query.word("kind", accepted, &words)
}

impl Broken {
    /// What is sent instead of an answer.
    pub(crate) fn bytes(self) -> Vec<u8> {
        let ok = "HTTP/1.1 200 OK\r\n";
        let body = "Content-Length: 2\r\nConnection: close\r\n\r\nok";
        match self {
            Self::Name => format!("{ok}not a name: value\r\n{body}").into_bytes(),
            Self::Value => format!("{ok}X-Value: before\0after\r\n{body}").into_bytes(),
            Self::Line => format!("{ok}a line without what belongs in it\r\n{body}").into_bytes(),
            Self::Status => format!("HTTP/1.1 fine OK\r\n{body}").into_bytes(),
            Self::Length => format!("{ok}Content-Length: 5\r\n{body}").into_bytes(),
            Self::Chunk => {
                format!("{ok}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\nlots\r\nok\r\n")
                    .into_bytes()
            }
            Self::Huge => {
                let huge = "x".repeat(1_048_576);
                format!("{ok}X-Huge: {huge}\r\n{body}").into_bytes()
            }
            Self::Garbage => b"\x16\x03\x01 this is not HTTP\r\n\r\n".to_vec(),
        }
    }
}

const YES_NO: [(&str, bool); 2] = [("yes", true), ("no", false)];

/// A JSON answer is made in memory.
const JSON_BYTES_MAX: usize = 16 * 1_048_576;

#[cfg(test)]
mod tests {
    use super::*;

    fn of(path: &str, query: &str) -> Result<Behaviour, NoBehaviour> {
        Behaviour::of(path, &mut Query::parse(query))
    }

    #[test]
    fn further_segments_only_tell_requests_apart() {
        assert_eq!(of("/ok/a/b", ""), Ok(Behaviour::Ok));
        assert_eq!(of("/", ""), Ok(Behaviour::Ok));
        assert_eq!(of("/okay", ""), Err(NoBehaviour::UnknownPath));
    }

    #[test]
    fn a_value_of_another_form_is_refused_with_what_is_accepted() {
        for (path, query, message) in [
            ("/errors", "rate=2", "rate=2 is not a number from 0 to 1"),
            (
                "/errors",
                "rate=NaN",
                "rate=NaN is not a number from 0 to 1",
            ),
            (
                "/errors",
                "status=100",
                "status=100 is not a status from 200 to 999",
            ),
            ("/capacity", "slots=-1", "slots=-1 is not a whole number"),
            ("/reset", "at=once", "at=once is not head or body"),
            ("/redirect", "", "to is missing: a URL"),
        ] {
            match of(path, query) {
                Err(NoBehaviour::BadQuery(error)) => assert_eq!(error.to_string(), message),
                other => panic!("{path}?{query}: {other:?}"),
            }
        }
    }
}
