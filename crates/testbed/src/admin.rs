//! What the testbed is asked about itself.

use std::fmt::Display;
use std::time::Duration;

use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Response, StatusCode};
use serde::Serialize;

use crate::body::AnswerBody;
use crate::query::{BadQuery, Query};
use crate::server::Shared;

/// Answers a request below `/__testbed/`.
pub(crate) fn answer(
    method: &Method,
    what: &str,
    query: &str,
    shared: &Shared,
) -> Response<AnswerBody> {
    match (method, what) {
        (&Method::GET, "health") => json(&serde_json::json!({ "ok": true })),
        (&Method::GET, "stats") => json(&shared.ledger.stats()),
        (&Method::DELETE, "stats") => {
            shared.ledger.reset();
            empty(StatusCode::NO_CONTENT)
        }
        (&Method::GET, "connections") => json(&shared.ledger.connections()),
        (&Method::POST, "freeze") => match length(query) {
            Ok(length) => {
                match length {
                    Some(length) => shared.freezer.freeze_for(length),
                    None => shared.freezer.freeze(),
                }
                empty(StatusCode::NO_CONTENT)
            }
            Err(error) => refused(&error),
        },
        (&Method::DELETE, "freeze") => {
            shared.freezer.thaw();
            empty(StatusCode::NO_CONTENT)
        }
        (&Method::DELETE, "faults") => {
            if let Some(platform) = &shared.platform {
                platform.heal();
            }
            empty(StatusCode::NO_CONTENT)
        }
        (&Method::POST, _) => match (what.strip_prefix("faults/"), &shared.platform) {
            (Some(operation), Some(platform)) => match platform.disturb(operation, query) {
                Ok(()) => empty(StatusCode::NO_CONTENT),
                Err(error) => refused(&error),
            },
            _ => empty(StatusCode::NOT_FOUND),
        },
        _ => empty(StatusCode::NOT_FOUND),
    }
}

/// How long the pause is to be, `None` if until it is ended.
fn length(query: &str) -> Result<Option<Duration>, BadQuery> {
    let mut query = Query::parse(query);
    let ms: Option<u64> = query.number("ms")?;
    query.finish()?;
    Ok(ms.map(|ms| Duration::from_millis(ms.min(MS_MAX))))
}

fn json(value: &impl Serialize) -> Response<AnswerBody> {
    let Ok(text) = serde_json::to_vec(value) else {
        return empty(StatusCode::INTERNAL_SERVER_ERROR);
    };
    let mut answer = Response::new(AnswerBody::whole(None, text));
    let content_type = HeaderValue::from_static("application/json");
    answer.headers_mut().insert(CONTENT_TYPE, content_type);
    answer
}

fn refused(error: &impl Display) -> Response<AnswerBody> {
    let mut answer = Response::new(AnswerBody::whole(None, format!("{error}\n")));
    *answer.status_mut() = StatusCode::BAD_REQUEST;
    answer
}

fn empty(status: StatusCode) -> Response<AnswerBody> {
    let mut answer = Response::new(AnswerBody::whole(None, ""));
    *answer.status_mut() = status;
    answer
}

/// An hour.
const MS_MAX: u64 = 3_600_000;
