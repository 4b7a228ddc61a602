//! `GET runs/:id/stream`: a run as server-sent events, while it goes on or afterwards.
//!
//! Invariant: the rows are those of the time line in D1, in order and each once, so that a client that comes
//! back with the last identifier it saw has missed nothing. A client that goes away ends the stream, because
//! the runtime drops it.

use std::time::Duration;

use futures::stream::{Stream, unfold};
use serde_json::Value;
use worker::{Delay, Env, Response, ResponseBuilder, Result};

use crate::api::error::ApiError;
use crate::api::route::RunId;
use crate::api::runs::{find, polish_run, rows, snapshot, text};
use crate::clock::now_ms;
use crate::coordinator::{Known, Seen, Stub};
use crate::json::document;
use crate::store::{Row, metrics_between};

/// How often the run is looked at: one request to its coordinator and one query, until it is over.
const EVERY: Duration = Duration::from_secs(1);

/// Rows that are sent at once.
const ROWS_MAX: u32 = 500;

/// After so many looks the stream ends and the client comes back by itself, as `EventSource` does: an
/// invocation may ask D1 a thousand times. docs: /d1/platform/limits/
const LOOKS_MAX: u32 = 450;

/// The stream of a run, from after the second that `last_event_id` names.
///
/// # Errors
/// When there is no such run, or the identifier is none of ours.
pub(super) async fn stream(
    env: &Env,
    id: RunId,
    last_event_id: Option<&str>,
) -> std::result::Result<Response, ApiError> {
    let after = last_event_id.map(second).transpose()?.flatten();
    find(env, &id).await?;
    let watching = Watching {
        env: env.clone(),
        id,
        after,
        looks: 0,
        state: State::First,
    };
    response(events(watching))
        .map_err(|_| ApiError::new(500, "internal", "the answer could not be made"))
}

fn response(events: impl Stream<Item = Result<Vec<u8>>> + 'static) -> Result<Response> {
    ResponseBuilder::new()
        .with_header("content-type", "text/event-stream; charset=utf-8")?
        .with_header("cache-control", "no-store")?
        .with_header("x-content-type-options", "nosniff")?
        .from_stream(events)
}

/// What a stream knows between two looks.
struct Watching {
    env: Env,
    id: RunId,
    /// The last second that was sent.
    after: Option<u64>,
    looks: u32,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing was sent.
    First,
    /// More is to be sent at once.
    Busy,
    /// Everything that is known was sent.
    Waiting,
    /// The end was sent.
    Ended,
}

fn events(watching: Watching) -> impl Stream<Item = Result<Vec<u8>>> {
    unfold(watching, |mut watching| async move {
        if watching.state == State::Ended || watching.looks >= LOOKS_MAX {
            return None;
        }
        if watching.state == State::Waiting {
            Delay::from(EVERY).await;
        }
        watching.looks += 1;
        let text = watching.look().await;
        Some((Ok(text.into_bytes()), watching))
    })
}

impl Watching {
    /// What is to be sent now; never nothing, so that a client which has gone is noticed.
    async fn look(&mut self) -> String {
        let mut text = String::new();
        if self.state == State::First {
            text.push_str("retry: 1000\n\n");
        }
        self.state = State::Waiting;
        let id = self.id.as_str();
        let seen = Stub::of(&self.env, id).look(false).await;
        let seen = seen.unwrap_or(Seen::NOTHING);
        // What does not answer now may answer at the next look.
        let outcome = match seen.known {
            Known::Running | Known::Revived => self.goes_on(&seen, &mut text).await,
            Known::Nothing => self.may_be_over(&mut text).await,
        };
        if outcome.is_err() || text.is_empty() {
            text.push_str(": waiting\n\n");
        }
        text
    }

    async fn goes_on(
        &mut self,
        seen: &Seen,
        text: &mut String,
    ) -> std::result::Result<(), ApiError> {
        if let Some(report) = &seen.report {
            let data = document!({
                "progress": report.progress,
                "ledger": report.ledger,
                "users": seen.users,
            });
            push_event(text, "progress", None, &data);
        }
        let Some(epoch_ms) = seen.epoch_ms else {
            return Ok(());
        };
        // The clocks of two machines differ, but not by a day.
        let until_ms = now_ms().saturating_add(86_400_000);
        self.rows(epoch_ms, until_ms, text).await
    }

    /// The coordinator knows nothing of the run: it has not begun, or everything about it is in D1.
    async fn may_be_over(&mut self, text: &mut String) -> std::result::Result<(), ApiError> {
        let mut run = find(&self.env, &self.id).await?;
        if self::text(&run, "status") == "running" {
            return Ok(());
        }
        let at = |column| unix_ms(&self::text(&run, column));
        let (started_ms, ended_ms) = (at("started_at"), at("ended_at"));
        self.rows(started_ms, ended_ms.saturating_add(60_000), text)
            .await?;
        if self.state != State::Busy {
            polish_run(&mut run);
            push_event(text, "end", None, &document!({ "run": run }));
            self.state = State::Ended;
        }
        Ok(())
    }

    async fn rows(
        &mut self,
        epoch_ms: u64,
        until_ms: u64,
        text: &mut String,
    ) -> std::result::Result<(), ApiError> {
        let after_ms = self.after.map_or_else(
            || whole(epoch_ms) - 1,
            |second| whole(epoch_ms.saturating_add(second.saturating_mul(1_000))),
        );
        let id = self.id.as_str();
        let statement = metrics_between(id, after_ms, whole(until_ms), ROWS_MAX);
        let found: Vec<Row> = rows(&self.env, &statement).await?;
        if found.len() >= ROWS_MAX as usize {
            self.state = State::Busy;
        }
        for row in found {
            let timestamp = row.get("timestamp").and_then(Value::as_u64);
            let second = timestamp.unwrap_or_default().saturating_sub(epoch_ms) / 1_000;
            push_event(text, "row", Some(second), &Value::Object(snapshot(row)));
            self.after = Some(second);
        }
        Ok(())
    }
}

/// JSON has no line breaks of its own, which would end an event.
fn push_event(text: &mut String, event: &str, id: Option<u64>, data: &Value) {
    if let Some(id) = id {
        text.push_str(&format!("id: {id}\n"));
    }
    text.push_str(&format!("event: {event}\ndata: {data}\n\n"));
}

/// The second that an identifier names; an empty one names none.
fn second(text: &str) -> std::result::Result<Option<u64>, ApiError> {
    if text.is_empty() {
        return Ok(None);
    }
    let second = text.parse().ok().filter(|second| *second <= SECOND_MAX);
    let second = second.ok_or_else(|| {
        let message = "accepted as Last-Event-ID is the number of a second that this stream sent";
        ApiError::new(400, "invalid_event_id", message)
    })?;
    Ok(Some(second))
}

fn unix_ms(iso: &str) -> u64 {
    let time = chrono::DateTime::parse_from_rfc3339(iso).ok();
    time.and_then(|time| u64::try_from(time.timestamp_millis()).ok())
        .unwrap_or_default()
}

fn whole(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

/// No run is longer than ten years.
const SECOND_MAX: u64 = 10 * 366 * 86_400;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_is_a_few_lines_and_an_empty_one() {
        let mut text = String::new();
        push_event(&mut text, "row", Some(7), &json!({"a": "line\nbreak"}));
        push_event(&mut text, "end", None, &json!({}));
        assert_eq!(
            text,
            "id: 7\nevent: row\ndata: {\"a\":\"line\\nbreak\"}\n\nevent: end\ndata: {}\n\n"
        );
    }

    #[test]
    fn only_a_second_is_an_identifier() {
        assert_eq!(second(""), Ok(None));
        assert_eq!(second("0"), Ok(Some(0)));
        assert_eq!(second("59"), Ok(Some(59)));
        for text in ["-1", "1.5", "x", "99999999999999999999", "9999999999"] {
            assert_eq!(second(text).expect_err(text).status, 400);
        }
    }
}
