//! Judging an answer: is it what the step expects, and what is taken from it for later requests.
//!
//! Invariant: whatever bytes a target answers, judging them ends in a result, and what is kept of them is
//! bounded.

use std::borrow::Cow;

use serde_json::Value;

use crate::check::{Check, CheckId};
use crate::error_class::ErrorClass;
use crate::extractor::{Answer, Extractor, Found};
use crate::parts::Parts;
use crate::plan::{Extraction, Step};
use crate::random::Random;
use crate::scenario::ExtractPick;

/// A complete answer, as a driver reports it.
#[derive(Clone, Copy, Debug)]
pub struct Exchange<'a> {
    /// The HTTP status.
    pub status: u16,
    /// Header fields in any order, names in lower case, one entry for each `set-cookie`. A driver may leave
    /// out fields that [`Request::wants_headers`](crate::batch::Request) does not name; of an answer with an
    /// error's status `server` is needed to tell Cloudflare from the target.
    pub headers: &'a [(String, String)],
    /// The body as far as it was kept; empty when the request does not want it, unless it is that of an error
    /// that comes from Cloudflare.
    pub body: &'a [u8],
    /// How many bytes of body arrived, before they were decompressed.
    pub bytes_received: u64,
    /// Whether the body was larger than the limit and its rest was given up.
    pub truncated: bool,
    /// How long the parts of the exchange took, as far as the driver can tell.
    pub parts: Parts,
}

/// Statuses that count as success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExpectedStatus {
    /// Any from 200 to 299.
    Ok,
    /// One of these.
    OneOf(Vec<u16>),
}

impl ExpectedStatus {
    /// Whether this status is expected.
    #[must_use]
    pub fn accepts(&self, status: u16) -> bool {
        match self {
            Self::Ok => (200..300).contains(&status),
            Self::OneOf(statuses) => statuses.contains(&status),
        }
    }
}

impl Step {
    /// Whether the answer's body is looked at.
    #[must_use]
    pub fn wants_body(&self) -> bool {
        self.places().any(Extractor::wants_body)
    }

    /// The fields of the answer's header that are looked at, in lower case, each once; `server-timing` is
    /// always among them.
    #[must_use]
    pub fn wants_headers(&self) -> &[Cow<'static, str>] {
        &self.wanted_headers
    }

    fn places(&self) -> impl Iterator<Item = &Extractor> {
        let extracted = self
            .extractions
            .iter()
            .map(|extraction| &extraction.extractor);
        extracted.chain(self.checks.iter().map(|check| &check.on))
    }
}

/// What becomes of an answer beside the verdict.
#[derive(Debug)]
pub struct Outcome<'a, R, F> {
    /// The user's variables, by [`VariableId`](crate::template::VariableId).
    pub variables: &'a mut [Option<String>],
    /// Makes the random numbers with which one of several matches is taken.
    pub random: R,
    /// Is told of every check whether it passed.
    pub on_check: F,
}

/// Judges an answer, holds the step's checks against it and takes the step's extractions from it.
///
/// # Errors
/// The class of the first thing that is not as the step expects: the status, the size of the body, the
/// checks that are required, the values to extract. Then no variable is changed. Checks are counted always.
pub fn judge<R: FnOnce() -> Random, F: FnMut(CheckId, bool)>(
    step: &Step,
    exchange: &Exchange<'_>,
    outcome: Outcome<'_, R, F>,
) -> Result<(), ErrorClass> {
    let Outcome {
        variables,
        random,
        mut on_check,
    } = outcome;
    let json: Option<Value> = if step.places().any(Extractor::wants_json) {
        serde_json::from_slice(exchange.body).ok()
    } else {
        None
    };
    let answer = Answer {
        exchange,
        json: json.as_ref(),
    };
    let missed = misses(&step.checks, answer, &mut on_check);
    if !step.expected.accepts(exchange.status) {
        return Err(ErrorClass::of_status(exchange));
    }
    if exchange.truncated {
        return Err(ErrorClass::BodyTooLarge);
    }
    if missed {
        return Err(ErrorClass::Check);
    }
    let extractions = &step.extractions;
    let mut picks = extractions.iter().map(|extraction| extraction.pick);
    let mut random = picks.any(|pick| pick == ExtractPick::Random).then(random);
    take(extractions, answer, random.as_mut(), variables)
}

/// Holds checks against what came over a WebSocket, and takes values from it.
///
/// # Errors
/// As [`judge`].
pub(crate) fn examine(
    (checks, extractions): (&[Check], &[Extraction]),
    exchange: &Exchange<'_>,
    json: Option<&Value>,
    variables: &mut [Option<String>],
    mut on_check: impl FnMut(CheckId, bool),
) -> Result<(), ErrorClass> {
    let answer = Answer { exchange, json };
    if misses(checks, answer, &mut on_check) {
        return Err(ErrorClass::Check);
    }
    // The plan has none of which one of several is taken.
    take(extractions, answer, None, variables)
}

/// Whether a check that is required does not hold.
pub(crate) fn misses(
    checks: &[Check],
    answer: Answer<'_>,
    on_check: &mut impl FnMut(CheckId, bool),
) -> bool {
    let mut missed = false;
    for check in checks {
        let passes = check.passes(answer);
        missed |= check.required && !passes;
        on_check(check.id, passes);
    }
    missed
}

/// Takes all values from an answer, or none.
fn take(
    extractions: &[Extraction],
    answer: Answer<'_>,
    mut random: Option<&mut Random>,
    variables: &mut [Option<String>],
) -> Result<(), ErrorClass> {
    let values = extractions.iter().map(|extraction| {
        let is_random = extraction.pick == ExtractPick::Random;
        let chance = random.as_deref_mut().filter(|_| is_random);
        let found = extraction.extractor.find_any(answer, chance);
        found
            .and_then(Found::into_value)
            .or_else(|| extraction.default.clone())
    });
    let values: Option<Vec<String>> = values.collect();
    let values = values.ok_or(ErrorClass::Extraction)?;
    for (extraction, value) in extractions.iter().zip(values) {
        if let Some(variable) = variables.get_mut(usize::from(extraction.variable.0)) {
            *variable = Some(value);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{Check, Condition};
    use crate::cookie::Site;
    use crate::extractor::VALUE_BYTES_MAX;
    use crate::plan::{Destination, Extraction};
    use crate::scenario::{LatencyLimits, Method};
    use crate::template::{Template, VariableId};
    use crate::window::StepId;
    use proptest::prelude::*;

    fn step(expected: ExpectedStatus, extract: &[&str]) -> Step {
        Step {
            destination: Destination::Host,
            id: StepId(0),
            name: "step".to_owned(),
            method: Method::Get,
            url: Template::literal("https://a.com/"),
            headers: Vec::new(),
            body: None,
            expected,
            checks: Vec::new(),
            repeat: None,
            thinks_after: false,
            site: Site::of("https://a.com/"),
            extractions: (0..)
                .zip(extract)
                .map(|(at, text)| Extraction {
                    variable: VariableId(at),
                    extractor: Extractor::parse(text).expect(text),
                    pick: ExtractPick::First,
                    default: None,
                })
                .collect(),
            stream: None,
            socket: None,
            parallel: false,
            background: false,
            probability: 1.0,
            unless_set: None,
            only_variants: Vec::new(),
            latency_limits: LatencyLimits::default(),
            wanted_headers: Vec::new(),
        }
    }

    fn headers() -> Vec<(String, String)> {
        [
            ("location", " /posts/7 "),
            ("set-cookie", "other=1; Path=/"),
            ("set-cookie", "session=\"abc\"; HttpOnly"),
            ("set-cookie", "broken"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    }

    fn outcome(
        variables: &mut [Option<String>],
    ) -> Outcome<'_, impl FnOnce() -> Random, impl FnMut(CheckId, bool)> {
        Outcome {
            variables,
            random: || Random::for_purpose(1, 1),
            on_check: |_, _| {},
        }
    }

    fn judged(step: &Step, status: u16, body: &[u8]) -> Result<Vec<Option<String>>, ErrorClass> {
        let headers = headers();
        let exchange = Exchange {
            status,
            headers: &headers,
            body,
            bytes_received: 0,
            truncated: false,
            parts: Parts::default(),
        };
        let mut variables = vec![Some("before".to_owned()); step.extractions.len()];
        let result = judge(step, &exchange, outcome(&mut variables));
        if result.is_err() {
            assert!(
                variables.iter().all(|v| v.as_deref() == Some("before")),
                "nothing is changed"
            );
        }
        result.map(|()| variables)
    }

    #[test]
    fn statuses_are_held_against_what_is_expected() {
        for (expected, status, ok) in [
            (ExpectedStatus::Ok, 200, true),
            (ExpectedStatus::Ok, 299, true),
            (ExpectedStatus::Ok, 304, false),
            (ExpectedStatus::OneOf(vec![302, 404]), 404, true),
            (ExpectedStatus::OneOf(vec![302, 404]), 200, false),
        ] {
            let result = judged(&step(expected, &[]), status, b"");
            assert_eq!(
                result,
                if ok {
                    Ok(vec![])
                } else {
                    Err(ErrorClass::Status(status))
                }
            );
        }
    }

    #[test]
    fn values_are_taken_from_body_header_and_cookies() {
        let body = br#"{"user": {"id": 7, "ok": true}, "posts": [{"id": "a"}, {"id": "b"}]}"#;
        let step = step(
            ExpectedStatus::Ok,
            &[
                "$.user.id",
                "$.user.ok",
                "$.posts[*].id",
                "$.posts[-1].id",
                "header:Location",
                "cookie:session",
                "status",
                "regex:\"id\": \"([a-z])\"",
                "regex:po[a-z]+",
                "body",
            ],
        );
        let values: Vec<String> = judged(&step, 200, body)
            .unwrap()
            .into_iter()
            .flatten()
            .collect();
        let text = String::from_utf8_lossy(body);
        let expected = [
            "7", "true", "a", "b", "/posts/7", "abc", "200", "a", "posts", &text,
        ];
        assert_eq!(values, expected);
    }

    #[test]
    fn a_value_that_is_missing_is_an_error_of_its_own() {
        for (place, body) in [
            ("$.a", "{}"),
            ("$.a", r#"{"a": null}"#),
            ("$.a", r#"{"a": ""}"#),
            ("$.a", r#"{"a": {}}"#),
            ("$.a", "<html>"),
            ("$.a", ""),
            ("header:etag", ""),
            ("cookie:Session", ""),
            ("cookie:broken", ""),
            ("regex:[0-9]+", "none"),
            ("body", ""),
        ] {
            let step = step(ExpectedStatus::Ok, &["header:location", place]);
            assert_eq!(
                judged(&step, 200, body.as_bytes()),
                Err(ErrorClass::Extraction),
                "{place} {body}"
            );
        }
        let long = format!(r#"{{"a": "{}"}}"#, "x".repeat(VALUE_BYTES_MAX + 1));
        let step = step(ExpectedStatus::Ok, &["$.a"]);
        assert_eq!(
            judged(&step, 200, long.as_bytes()),
            Err(ErrorClass::Extraction)
        );
    }

    #[test]
    fn a_default_stands_for_what_is_missing_and_chance_takes_any_match() {
        let mut step = step(ExpectedStatus::Ok, &["$.none", "$.list[*]", "regex:[a-z]"]);
        step.extractions[0].default = Some("else".to_owned());
        for extraction in &mut step.extractions {
            extraction.pick = ExtractPick::Random;
        }
        let mut seen = crate::sorted::SortedSet::new();
        for seed in 0..50 {
            let mut variables = [None, None, None];
            let exchange = Exchange {
                status: 200,
                headers: &[],
                body: br#"{"list": ["x", "y", "z"]}"#,
                bytes_received: 0,
                truncated: false,
                parts: Parts::default(),
            };
            let outcome = Outcome {
                variables: &mut variables,
                random: || Random::for_purpose(seed, 0),
                on_check: |_, _| {},
            };
            judge(&step, &exchange, outcome).unwrap();
            assert_eq!(variables[0].as_deref(), Some("else"));
            seen.extend(variables[1].clone());
        }
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["x", "y", "z"]);
    }

    #[test]
    fn checks_are_counted_always_and_decide_only_when_required() {
        let mut step = step(ExpectedStatus::Ok, &["$.a"]);
        let check = |id, name: &str, required| Check {
            id: CheckId(id),
            name: name.to_owned(),
            on: Extractor::parse("$.a").unwrap(),
            conditions: vec![Condition::Contains(name.to_owned())],
            required,
        };
        step.checks = vec![check(0, "x", true), check(1, "y", false)];
        for (status, body, passes, verdict) in [
            (200, r#"{"a": "xy"}"#, [true, true], Ok(())),
            (200, r#"{"a": "x"}"#, [true, false], Ok(())),
            (200, r#"{"a": "y"}"#, [false, true], Err(ErrorClass::Check)),
            (
                500,
                r#"{"a": "y"}"#,
                [false, true],
                Err(ErrorClass::Status(500)),
            ),
            (200, "", [false, false], Err(ErrorClass::Check)),
        ] {
            let mut counted = Vec::new();
            let exchange = Exchange {
                status,
                headers: &[],
                body: body.as_bytes(),
                bytes_received: 0,
                truncated: false,
                parts: Parts::default(),
            };
            let outcome = Outcome {
                variables: &mut [None],
                random: || Random::for_purpose(0, 0),
                on_check: |id: CheckId, passed| counted.push((id.0, passed)),
            };
            assert_eq!(judge(&step, &exchange, outcome), verdict);
            assert_eq!(counted, [(0, passes[0]), (1, passes[1])]);
        }
    }

    #[test]
    fn an_answer_that_was_given_up_is_too_large() {
        let exchange = Exchange {
            status: 200,
            headers: &[],
            body: b"{}",
            bytes_received: 9,
            truncated: true,
            parts: Parts::default(),
        };
        let result = judge(&step(ExpectedStatus::Ok, &[]), &exchange, outcome(&mut []));
        assert_eq!(result, Err(ErrorClass::BodyTooLarge));
    }

    #[test]
    fn places_that_are_none_are_refused_with_the_accepted_ones() {
        let deep = format!("$[?{}1{}]", "(".repeat(10_000), ")".repeat(10_000));
        for text in [
            "",
            "a",
            "$[",
            "$.",
            "header:",
            "header:a b",
            "cookie:",
            "body:x",
            "regex:(",
            "regex:(a{1000}){1000}",
            "Status",
            &deep,
        ] {
            let error = Extractor::parse(text).expect_err(text).to_string();
            assert!(error.contains("\"header:Name\""), "{error}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases / 4))]
        #[test]
        fn no_answer_is_too_strange(status in any::<u16>(), body in any::<Vec<u8>>(), cookie in any::<String>()) {
            let step = step(ExpectedStatus::Ok, &["$..a", "$[0]", "cookie:a", "regex:(a|b)*c", "body"]);
            let headers = [("set-cookie".to_owned(), cookie)];
            let exchange = Exchange { status, headers: &headers, body: &body, bytes_received: 0, truncated: false, parts: Parts::default() };
            let _ = judge(&step, &exchange, outcome(&mut [None, None, None, None, None]));
        }

        #[test]
        fn no_place_is_too_strange(text in any::<String>(), path in "\\$[\\[\\].*?@()a0'\":,&|!=<-]{0,40}") {
            let _ = Extractor::parse(&text);
            let _ = Extractor::parse(&path);
        }
    }
}
