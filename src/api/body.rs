//! The body of `POST runs`: read within a bound, then parsed strictly.

use std::fmt;

use sentinel_engine::plan::Problem;
use sentinel_engine::scenario::{ApplicationProfile, LoadScenario};
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::error::Category;

use crate::api::error::ApiError;
use crate::limits::API_BODY_BYTES_MAX;

/// What a caller asks to be run.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct StartBody {
    /// Which scenario.
    pub(crate) scenario: ScenarioChoice,
    /// Applications for an inline scenario, beside the known ones.
    #[serde(default)]
    pub(crate) applications: Vec<ApplicationProfile>,
    /// Where to.
    pub(crate) environment: Option<String>,
    /// `true`: only the plan is wanted. An explicit `false` confirms a run on production.
    pub(crate) dry_run: Option<bool>,
    /// The highest number of users.
    pub(crate) users: Option<serde_json::Number>,
    /// How long the whole takes, such as `30s`.
    pub(crate) duration: Option<String>,
    /// The seed of all random choices.
    pub(crate) seed: Option<serde_json::Number>,
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
    /// Parses a body.
    ///
    /// # Errors
    /// 400 with the position when it is not JSON, 422 with the path when it is not what is accepted here.
    pub(crate) fn parse(json: &[u8]) -> Result<Self, ApiError> {
        let mut deserializer = serde_json::Deserializer::from_slice(json);
        // A list would be read as the fields in their order.
        if json.trim_ascii_start().first() == Some(&b'[') {
            return Err(ApiError::problems(vec![Problem {
                path: "body".to_owned(),
                message: "is a list: accepted is an object".to_owned(),
            }]));
        }
        let body = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
            let path = error.path().to_string();
            rejected(error.inner(), &path)
        })?;
        deserializer.end().map_err(|error| rejected(&error, "."))?;
        Ok(body)
    }
}

fn rejected(error: &serde_json::Error, path: &str) -> ApiError {
    match error.classify() {
        Category::Data => ApiError::problems(vec![Problem {
            path: if path == "." { "body" } else { path }.to_owned(),
            message: error.to_string(),
        }]),
        Category::Syntax | Category::Eof | Category::Io => ApiError::new(
            400,
            "malformed_json",
            format!("the body is not JSON: {error}"),
        )
        .with("line", error.line())
        .with("column", error.column()),
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

            fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
                Ok(ScenarioChoice::Named(name.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                let scenario = LoadScenario::deserialize(MapAccessDeserializer::new(map))?;
                Ok(ScenarioChoice::Inline(Box::new(scenario)))
            }
        }
        deserializer.deserialize_any(ChoiceVisitor)
    }
}

/// The parts of a body as they arrive; refuses to hold more than the API accepts.
#[derive(Debug, Default)]
pub(crate) struct BoundedBody(Vec<u8>);

impl BoundedBody {
    /// Adds a part.
    ///
    /// # Errors
    /// 413 when that makes the body too large.
    pub(crate) fn push(&mut self, part: &[u8]) -> Result<(), ApiError> {
        if self.0.len() + part.len() > API_BODY_BYTES_MAX {
            return Err(Self::too_large());
        }
        self.0.extend_from_slice(part);
        Ok(())
    }

    /// The whole body.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// The answer to a body that is too large.
    pub(crate) fn too_large() -> ApiError {
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
            (r#"{"scenario": "a", "dryRun": "false"}"#, "dryRun"),
            (r#"{"scenario": "a", "users": "many"}"#, "users"),
            (r#"{"scenario": "a", "dry_run": true}"#, "dry_run"),
            (r#"{"scenario": "a", "scenario": "b"}"#, "body"),
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
