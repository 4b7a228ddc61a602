//! The body of `POST runs`: read within a bound, then parsed strictly.

use std::fmt;

use sentinel_engine::json;
use sentinel_engine::plan::{Problem, Via};
use sentinel_engine::scenario::{ApplicationProfile, LoadScenario};
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Number, Value};
use worker::Request;

use crate::api::error::ApiError;
use crate::limits::{API_BODY_BYTES_MAX, REGIONS};

/// What a caller asks to be run.
#[derive(Clone, Debug, Deserialize)]
#[serde(
    rename_all = "camelCase",
    deny_unknown_fields,
    expecting = "an object with a scenario"
)]
pub(crate) struct StartBody {
    /// Which scenario.
    pub(crate) scenario: ScenarioChoice,
    /// Applications for an inline scenario, beside the known ones.
    #[serde(default)]
    pub(crate) applications: Vec<ApplicationProfile>,
    /// Where to.
    #[serde(default)]
    pub(crate) environment: Option<String>,
    /// What the requests reach the target through, the host when nothing is said.
    #[serde(default)]
    pub(crate) via: Option<Via>,
    /// `true`: only the plan is wanted. An explicit `false` confirms a run on production.
    #[serde(default)]
    pub(crate) dry_run: Option<bool>,
    /// The highest number of users.
    #[serde(default)]
    pub(crate) users: Option<Number>,
    /// How long the whole takes, such as `30s`.
    #[serde(default)]
    pub(crate) duration: Option<String>,
    /// The name of a profile that is laid over the scenario's load.
    #[serde(default)]
    pub(crate) profile: Option<String>,
    /// The seed of all random choices.
    #[serde(default)]
    pub(crate) seed: Option<Number>,
    /// For how many days the run is kept, instead of what is configured.
    #[serde(default)]
    pub(crate) retention_days: Option<Number>,
    /// From where load is to come, each region with its weight; empty for anywhere.
    #[serde(default, deserialize_with = "regions")]
    pub(crate) regions: Vec<(String, u32)>,
}

/// A known scenario by name, or one that comes with the request.
#[derive(Clone, Debug)]
pub(crate) enum ScenarioChoice {
    /// The name of a known scenario.
    Named(String),
    /// A scenario of the caller's own.
    Inline(Box<LoadScenario>),
}

impl StartBody {
    /// Parses a body, scenario and applications as strictly as in files.
    ///
    /// # Errors
    /// 400 with the position when it is not JSON, 422 with the path when it is not what is accepted here.
    pub(crate) fn parse(json: &[u8]) -> Result<Self, ApiError> {
        parse(json)
    }
}

impl<'de> Deserialize<'de> for ScenarioChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ChoiceVisitor;
        impl<'de> Visitor<'de> for ChoiceVisitor {
            type Value = ScenarioChoice;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a scenario, or a scenario")
            }

            fn visit_str<E>(self, name: &str) -> Result<ScenarioChoice, E> {
                Ok(ScenarioChoice::Named(name.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ScenarioChoice, A::Error> {
                let scenario = Deserialize::deserialize(MapAccessDeserializer::new(map))?;
                Ok(ScenarioChoice::Inline(Box::new(scenario)))
            }
        }
        deserializer.deserialize_any(ChoiceVisitor)
    }
}

/// What a caller says when everything is to stop.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with a reason")]
pub(crate) struct StopBody {
    /// Why, for whoever finds the runs stopped.
    pub(crate) reason: String,
}

impl StopBody {
    /// Parses a body.
    ///
    /// # Errors
    /// 400 with the position when it is not JSON, 422 when it is not an object with a reason.
    pub(crate) fn parse(json: &[u8]) -> Result<Self, ApiError> {
        let body: Self = parse(json)?;
        if body.reason.trim().is_empty() {
            return Err(problem("reason", "is empty: say why everything is to stop"));
        }
        Ok(body)
    }
}

fn parse<T: DeserializeOwned>(json: &[u8]) -> Result<T, ApiError> {
    json::from_slice(json).map_err(|error| match &error {
        json::Error::Content { path, .. } => problem(
            if path.is_empty() { "body" } else { path },
            error.to_string(),
        ),
        json::Error::Syntax(syntax) => ApiError::new(
            400,
            "malformed_json",
            format!("the body is not JSON: {syntax}"),
        )
        .with("line", syntax.line())
        .with("column", syntax.column()),
    })
}

fn problem(path: &str, message: impl Into<String>) -> ApiError {
    ApiError::problems(vec![Problem {
        path: path.to_owned(),
        message: message.into(),
    }])
}

/// Regions as an object from names to weights, or as a list of names that weigh the same.
fn regions<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(String, u32)>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    weighted_regions(value).map_err(|found| {
        D::Error::custom(format_args!(
            "{found} is not accepted: it takes regions with their weights, such as {{\"weur\": 2, \"enam\": 1}} \
             with whole numbers from 1 to {WEIGHT_MAX}, or a list of regions; there are {}",
            REGIONS.join(", ")
        ))
    })
}

/// # Errors
/// What is none.
fn weighted_regions(value: Value) -> Result<Vec<(String, u32)>, Value> {
    let entries: Vec<(Value, Value)> = match value {
        Value::Null => return Ok(Vec::new()),
        Value::Object(weights) => {
            let named = weights.into_iter();
            named
                .map(|(name, weight)| (Value::from(name), weight))
                .collect()
        }
        Value::Array(names) => {
            let named = names.into_iter();
            named.map(|name| (name, Value::from(1))).collect()
        }
        other => return Err(other),
    };
    let mut regions: Vec<(String, u32)> = Vec::new();
    for (name, weight) in entries {
        let known = name.as_str().filter(|name| REGIONS.contains(name));
        let known = known.filter(|name| regions.iter().all(|(other, _)| other != name));
        let number = weight
            .as_u64()
            .and_then(|weight| u32::try_from(weight).ok());
        match (
            known,
            number.filter(|weight| (1..=WEIGHT_MAX).contains(weight)),
        ) {
            (Some(name), Some(weight)) => regions.push((name.to_owned(), weight)),
            (Some(_), None) => return Err(weight),
            (None, _) => return Err(name),
        }
    }
    Ok(regions)
}

/// The body, however it is sent: the length that is announced may be wrong or absent.
///
/// # Errors
/// 413 when it is too large, 400 when it does not arrive completely.
pub(crate) async fn read(request: &mut Request) -> Result<Vec<u8>, ApiError> {
    use futures::StreamExt as _;

    let announced = request.headers().get("content-length").ok().flatten();
    let announced = announced.and_then(|length| length.parse::<usize>().ok());
    if announced.is_some_and(|length| length > API_BODY_BYTES_MAX) {
        return Err(BoundedBody::too_large());
    }
    let mut body = BoundedBody::default();
    if request.inner().body().is_none() {
        return Ok(body.into_bytes());
    }
    let broken = |_| ApiError::new(400, "broken_body", "the body did not arrive completely");
    let mut stream = request.stream().map_err(broken)?;
    while let Some(part) = stream.next().await {
        body.push(&part.map_err(broken)?)?;
    }
    Ok(body.into_bytes())
}

/// The largest weight of a region: weights of several regions stay far below the number of batches.
const WEIGHT_MAX: u32 = 100;

/// The parts of a body as they arrive; refuses to hold more than the API accepts.
#[derive(Debug, Default)]
struct BoundedBody(Vec<u8>);

impl BoundedBody {
    /// Adds a part.
    ///
    /// # Errors
    /// 413 when that makes the body too large.
    fn push(&mut self, part: &[u8]) -> Result<(), ApiError> {
        if self.0.len() + part.len() > API_BODY_BYTES_MAX {
            return Err(Self::too_large());
        }
        self.0.extend_from_slice(part);
        Ok(())
    }

    /// The whole body.
    fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// The answer to a body that is too large.
    fn too_large() -> ApiError {
        ApiError::new(
            413,
            "body_too_large",
            format!("a body of at most {API_BODY_BYTES_MAX} bytes is accepted"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_are_weights_or_a_list() {
        let read = |json: &str| {
            parse(&format!(r#"{{"scenario": "a", "regions": {json}}}"#)).map(|body| body.regions)
        };
        let two = [("enam".to_owned(), 1), ("weur".to_owned(), 2)];
        assert_eq!(read(r#"{"weur": 2, "enam": 1}"#).expect("weights"), two);
        let list = [("weur".to_owned(), 1), ("apac-ne".to_owned(), 1)];
        assert_eq!(read(r#"["weur", "apac-ne"]"#).expect("a list"), list);
        assert_eq!(read("null").expect("nothing"), []);
        for wrong in [
            r#""weur""#,
            r#"{"mars": 1}"#,
            r#"{"weur": 0}"#,
            r#"["weur", "weur"]"#,
            r#"{"weur": 1.5}"#,
        ] {
            let problem = read(wrong).expect_err("refused").message;
            assert!(problem.starts_with("regions: "), "{problem}");
            assert!(problem.contains("apac-se"), "{problem}");
        }
    }

    fn parse(json: &str) -> Result<StartBody, ApiError> {
        StartBody::parse(json.as_bytes())
    }

    #[test]
    fn a_name_is_enough() {
        let body = parse(r#"{"scenario": "grove-mix"}"#).expect("a good body");
        assert!(matches!(body.scenario, ScenarioChoice::Named(name) if name == "grove-mix"));
        assert_eq!(body.dry_run, None);
    }

    #[test]
    fn a_scenario_may_come_with_the_request() {
        let body = parse(
            r#"{"scenario": {"name": "mine", "applications": [{"name": "a", "weight": 1}],
                "userProfile": {
                  "rampUp": {"from": 0, "to": 1, "duration": "1s"},
                  "peak": {"users": 1, "duration": "1s"},
                  "steadyState": {"users": 1, "duration": "1s"},
                  "rampDown": {"to": 0, "duration": "1s"}}}}"#,
        )
        .expect("a good body");
        assert!(
            matches!(body.scenario, ScenarioChoice::Inline(scenario) if scenario.name == "mine")
        );
    }

    #[test]
    fn text_that_is_not_json_is_refused_with_its_position() {
        for json in [
            "",
            "{",
            "{\"scenario\": }",
            "nope",
            "{\"scenario\": \"a\"} x",
            "{\"scenario\": \"\u{0}\"}",
        ] {
            let error = parse(json).expect_err(json);
            assert_eq!(
                (error.status, error.code),
                (400, "malformed_json"),
                "{json}"
            );
            assert!(error.details.contains_key("line"), "{json}");
        }
    }

    #[test]
    fn what_is_not_accepted_is_refused_with_its_path() {
        for (json, path) in [
            ("[]", "body"),
            (
                r#" ["grove-mix", [], null, null, null, null, null]"#,
                "body",
            ),
            ("{}", "body"),
            ("\"grove-mix\"", "body"),
            (r#"{"scenario": 7}"#, "scenario"),
            (r#"{"scenario": null}"#, "scenario"),
            (r#"{"scenario": "a", "environment": 7}"#, "environment"),
            (r#"{"scenario": "a", "via": "stub"}"#, "via"),
            (r#"{"scenario": "a", "dryRun": "false"}"#, "dryRun"),
            (r#"{"scenario": "a", "users": "many"}"#, "users"),
            (r#"{"scenario": "a", "dry_run": true}"#, "dry_run"),
            (r#"{"scenario": "a", "scenario": "b"}"#, "scenario"),
            (
                r#"{"scenario": {"name": "a", "bogus": 1}}"#,
                "scenario.bogus",
            ),
        ] {
            let error = parse(json).expect_err(json);
            assert_eq!((error.status, error.code), (422, "invalid"), "{json}");
            let found = &error.details["problems"][0]["path"];
            assert_eq!(found, path, "{json}: {}", error.message);
        }
    }

    #[test]
    fn a_body_is_bounded_whatever_its_parts() {
        let mut body = BoundedBody::default();
        body.push(&vec![b' '; API_BODY_BYTES_MAX])
            .expect("just fits");
        assert_eq!(body.push(b" ").expect_err("one too many").status, 413);
    }
}
