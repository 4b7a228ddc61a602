//! The body of `POST runs`: read within a bound, then parsed strictly.

use sentinel_engine::plan::{Problem, Via};
use sentinel_engine::scenario::{
    ApplicationProfile, LoadScenario, parse_application, parse_scenario,
};
use serde::Deserialize;
use serde_json::error::Category;
use serde_json::value::RawValue;
use serde_json::{Number, Value};
use worker::Request;

use crate::api::error::ApiError;
use crate::limits::{API_BODY_BYTES_MAX, REGIONS};

/// What a caller asks to be run.
#[derive(Clone, Debug)]
pub(crate) struct StartBody {
    /// Which scenario.
    pub(crate) scenario: ScenarioChoice,
    /// Applications for an inline scenario, beside the known ones.
    pub(crate) applications: Vec<ApplicationProfile>,
    /// Where to.
    pub(crate) environment: Option<String>,
    /// What the requests reach the target through, the host when nothing is said.
    pub(crate) via: Via,
    /// `true`: only the plan is wanted. An explicit `false` confirms a run on production.
    pub(crate) dry_run: Option<bool>,
    /// The highest number of users.
    pub(crate) users: Option<Number>,
    /// How long the whole takes, such as `30s`.
    pub(crate) duration: Option<String>,
    /// The name of a profile that is laid over the scenario's load.
    pub(crate) profile: Option<String>,
    /// The seed of all random choices.
    pub(crate) seed: Option<Number>,
    /// For how many days the run is kept, instead of what is configured.
    pub(crate) retention_days: Option<Number>,
    /// From where load is to come, each region with its weight; empty for anywhere.
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

/// The fields as they are sent. Scenario and applications are read as strictly as files are, by the engine.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Fields<'a> {
    #[serde(borrow)]
    scenario: &'a RawValue,
    #[serde(borrow, default)]
    applications: Vec<&'a RawValue>,
    environment: Option<String>,
    via: Option<Via>,
    dry_run: Option<bool>,
    users: Option<Number>,
    duration: Option<String>,
    profile: Option<String>,
    seed: Option<Number>,
    regions: Option<Value>,
    retention_days: Option<Number>,
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
            return Err(problem("body", "is a list: accepted is an object"));
        }
        let fields: Fields<'_> =
            serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
                let path = error.path().to_string();
                rejected(error.inner(), &path)
            })?;
        deserializer.end().map_err(|error| rejected(&error, "."))?;

        let mut problems = Vec::new();
        let scenario = scenario(fields.scenario.get()).map_err(|found| problems.extend(found));
        let mut applications = Vec::new();
        for (at, raw) in fields.applications.into_iter().enumerate() {
            match parse_application(raw.get().as_bytes()) {
                Ok(application) => applications.push(application),
                Err(found) => {
                    let place = format!("applications[{at}]");
                    problems.extend(found.0.into_iter().map(|problem| Problem {
                        path: problem.path.replacen("application", &place, 1),
                        ..problem
                    }));
                }
            }
        }
        let regions = regions(fields.regions).unwrap_or_else(|problem| {
            problems.push(problem);
            Vec::new()
        });
        match scenario {
            Ok(scenario) if problems.is_empty() => Ok(Self {
                scenario,
                applications,
                environment: fields.environment,
                via: fields.via.unwrap_or_default(),
                dry_run: fields.dry_run,
                users: fields.users,
                duration: fields.duration,
                profile: fields.profile,
                seed: fields.seed,
                regions,
                retention_days: fields.retention_days,
            }),
            _ => Err(ApiError::problems(problems)),
        }
    }
}

/// What a caller says when everything is to stop.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
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
        if json.trim_ascii_start().first() == Some(&b'[') {
            return Err(problem("body", "is a list: accepted is an object"));
        }
        let body: Self = serde_json::from_slice(json).map_err(|error| rejected(&error, "."))?;
        if body.reason.trim().is_empty() {
            return Err(problem("reason", "is empty: say why everything is to stop"));
        }
        Ok(body)
    }
}

fn scenario(json: &str) -> Result<ScenarioChoice, Vec<Problem>> {
    if json.starts_with('{') {
        let scenario = parse_scenario(json.as_bytes()).map_err(|problems| problems.0)?;
        return Ok(ScenarioChoice::Inline(Box::new(scenario)));
    }
    serde_json::from_str(json)
        .map(ScenarioChoice::Named)
        .map_err(|_| {
            vec![Problem {
                path: "scenario".to_owned(),
                message: "accepted is the name of a scenario, or a scenario".to_owned(),
            }]
        })
}

/// Regions as an object from names to weights, or as a list of names that weigh the same.
fn regions(value: Option<Value>) -> Result<Vec<(String, u32)>, Problem> {
    let refused = |found: &Value| Problem {
        path: "regions".to_owned(),
        message: format!(
            "{found} is not accepted: it takes regions with their weights, such as {{\"weur\": 2, \"enam\": 1}} \
             with whole numbers from 1 to {WEIGHT_MAX}, or a list of regions; there are {}",
            REGIONS.join(", ")
        ),
    };
    let entries: Vec<(Value, Value)> = match value {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Object(weights)) => {
            let named = weights.into_iter();
            named
                .map(|(name, weight)| (Value::from(name), weight))
                .collect()
        }
        Some(Value::Array(names)) => {
            let named = names.into_iter();
            named.map(|name| (name, Value::from(1))).collect()
        }
        Some(other) => return Err(refused(&other)),
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
            (Some(_), None) => return Err(refused(&weight)),
            (None, _) => return Err(refused(&name)),
        }
    }
    Ok(regions)
}

fn problem(path: &str, message: impl Into<String>) -> ApiError {
    ApiError::problems(vec![Problem {
        path: path.to_owned(),
        message: message.into(),
    }])
}

fn rejected(error: &serde_json::Error, path: &str) -> ApiError {
    match error.classify() {
        Category::Data => problem(if path == "." { "body" } else { path }, error.to_string()),
        Category::Syntax | Category::Eof | Category::Io => ApiError::new(
            400,
            "malformed_json",
            format!("the body is not JSON: {error}"),
        )
        .with("line", error.line())
        .with("column", error.column()),
    }
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
        let read = |json: &str| regions(Some(serde_json::from_str(json).expect("JSON")));
        let two = [("enam".to_owned(), 1), ("weur".to_owned(), 2)];
        assert_eq!(read(r#"{"weur": 2, "enam": 1}"#).expect("weights"), two);
        let list = [("weur".to_owned(), 1), ("apac-ne".to_owned(), 1)];
        assert_eq!(read(r#"["weur", "apac-ne"]"#).expect("a list"), list);
        assert_eq!(regions(None).expect("nothing"), []);
        for wrong in [
            r#""weur""#,
            r#"{"mars": 1}"#,
            r#"{"weur": 0}"#,
            r#"["weur", "weur"]"#,
            r#"{"weur": 1.5}"#,
        ] {
            let problem = read(wrong).expect_err("refused");
            assert_eq!(problem.path, "regions");
            assert!(problem.message.contains("apac-se"), "{}", problem.message);
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
