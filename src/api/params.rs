//! Query parameters.

use url::form_urlencoded;
use uuid::Uuid;

use crate::api::error::ApiError;

const LIMIT_MAX: u32 = 100;
const LIMIT_DEFAULT: u32 = 20;
const METRICS_LIMIT_MAX: u32 = 10_000;
const STATUSES: [&str; 4] = ["running", "completed", "failed", "cancelled"];
const SCENARIO_BYTES_MAX: usize = 200;

/// Which runs are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RunsQuery {
    /// How many at most, from 1 to 100.
    pub(crate) limit: u32,
    /// Only those of this scenario.
    pub(crate) scenario: Option<String>,
    /// Only those with this status.
    pub(crate) status: Option<String>,
    /// Only those after this place.
    pub(crate) cursor: Option<Cursor>,
}

/// Which part of a time line is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MetricsQuery {
    /// How many rows at most, from 1 to 10,000.
    pub(crate) limit: u32,
    /// Only rows after the one with this time and number.
    pub(crate) after: Option<(i64, i64)>,
}

/// A place in the list of runs, newest first: the last run that was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// When it started.
    pub(crate) started_at: String,
    /// Its identifier.
    pub(crate) id: String,
}

impl RunsQuery {
    /// Reads the query part of an address.
    ///
    /// # Errors
    /// What was rejected and what is accepted.
    pub(crate) fn parse(query: &str) -> Result<Self, ApiError> {
        let mut parsed = Self {
            limit: LIMIT_DEFAULT,
            scenario: None,
            status: None,
            cursor: None,
        };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "limit" => parsed.limit = limit(&value, LIMIT_MAX)?,
                "scenario" => parsed.scenario = Some(scenario(&value)?),
                "status" => parsed.status = Some(status(&value)?),
                "cursor" => parsed.cursor = Some(Cursor::parse(&value)?),
                _ => {}
            }
        }
        Ok(parsed)
    }
}

impl MetricsQuery {
    /// Reads the query part of an address.
    ///
    /// # Errors
    /// What was rejected and what is accepted.
    pub(crate) fn parse(query: &str) -> Result<Self, ApiError> {
        let mut parsed = Self {
            limit: METRICS_LIMIT_MAX,
            after: None,
        };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "limit" => parsed.limit = limit(&value, METRICS_LIMIT_MAX)?,
                "cursor" => {
                    let numbers = value.split_once('_');
                    let numbers =
                        numbers.and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
                    parsed.after = Some(numbers.ok_or_else(|| bad_cursor(&value))?);
                }
                _ => {}
            }
        }
        Ok(parsed)
    }
}

impl Cursor {
    /// The cursor as a text for a query parameter.
    pub(crate) fn text(&self) -> String {
        format!("{}_{}", self.started_at, self.id)
    }

    fn parse(text: &str) -> Result<Self, ApiError> {
        let (started_at, id) = text.rsplit_once('_').ok_or_else(|| bad_cursor(text))?;
        let is_time = !started_at.is_empty()
            && started_at.len() <= 32
            && started_at
                .bytes()
                .all(|byte| byte.is_ascii_digit() || b"-:.TZ ".contains(&byte));
        if !is_time || Uuid::try_parse(id).is_err() {
            return Err(bad_cursor(text));
        }
        Ok(Self {
            started_at: started_at.to_owned(),
            id: id.to_owned(),
        })
    }
}

fn limit(text: &str, max: u32) -> Result<u32, ApiError> {
    text.parse()
        .ok()
        .filter(|limit| (1..=max).contains(limit))
        .ok_or_else(|| rejected("limit", text, &format!("a whole number from 1 to {max}")))
}

fn bad_cursor(text: &str) -> ApiError {
    rejected("cursor", text, "the \"nextCursor\" of an earlier answer")
}

fn scenario(text: &str) -> Result<String, ApiError> {
    if text.is_empty() || text.len() > SCENARIO_BYTES_MAX {
        return Err(rejected("scenario", text, "the name of a scenario"));
    }
    Ok(text.to_owned())
}

fn status(text: &str) -> Result<String, ApiError> {
    if STATUSES.contains(&text) {
        Ok(text.to_owned())
    } else {
        Err(rejected(
            "status",
            text,
            "running, completed, failed or cancelled",
        ))
    }
}

fn rejected(name: &str, value: &str, accepted: &str) -> ApiError {
    let shown: String = value.chars().take(64).collect();
    ApiError::new(
        400,
        "invalid_parameter",
        format!("{name}={shown:?} is not accepted: it takes {accepted}"),
    )
    .with("parameter", name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_asked_is_the_first_page() {
        let query = RunsQuery::parse("").expect("no parameters");
        assert_eq!((query.limit, query.cursor), (20, None));
    }

    #[test]
    fn everything_can_be_asked_together() {
        let cursor = "2026-11-21T04:00:00.000Z_0b9f8f4e-7c67-4c4e-9f6e-1d2b3c4d5e6f";
        let text = format!("limit=7&scenario=grove-mix&status=completed&cursor={cursor}&x=y");
        let query = RunsQuery::parse(&text).expect("good parameters");
        assert_eq!(query.limit, 7);
        assert_eq!(query.scenario.as_deref(), Some("grove-mix"));
        assert_eq!(query.status.as_deref(), Some("completed"));
        assert_eq!(
            query.cursor.map(|cursor| cursor.text()).as_deref(),
            Some(cursor)
        );
    }

    #[test]
    fn a_time_line_is_read_from_a_place_on() {
        let query = MetricsQuery::parse("cursor=1795257861000_42&limit=10000").expect("good");
        assert_eq!(
            (query.limit, query.after),
            (10_000, Some((1_795_257_861_000, 42)))
        );
        for text in [
            "limit=10001",
            "limit=0",
            "cursor=1",
            "cursor=a_b",
            "cursor=1_2_3",
        ] {
            assert_eq!(
                MetricsQuery::parse(text).expect_err(text).status,
                400,
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_not_accepted_is_named_with_what_is() {
        for text in [
            "limit=-1",
            "limit=0",
            "limit=101",
            "limit=abc",
            "limit=1000000000",
            "limit=",
            "limit=1.5",
            "limit=99999999999999999999",
            "status=done",
            "scenario=",
            "cursor=x",
            "cursor=2026_1",
            "cursor='; DROP TABLE load_test_runs; --_0b9f8f4e-7c67-4c4e-9f6e-1d2b3c4d5e6f",
        ] {
            let error = RunsQuery::parse(text).expect_err(text);
            assert_eq!(
                (error.status, error.code),
                (400, "invalid_parameter"),
                "{text}"
            );
            assert!(error.message.contains("it takes"), "{text}");
        }
    }
}
