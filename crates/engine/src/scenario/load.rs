//! The load of a scenario, in k6's and Artillery's words, as the file writes it.
//!
//! One type holds the fields of all executors: which of them belong to which, which are needed and what they
//! may be is decided by [`load_model`](crate::load_model), which sees all of it at once.

use std::fmt;

use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::json::{TextMap, whole_number};
use crate::sorted::SortedSet;

/// A load: one of k6's executors, k6's shortcuts (`vus`, `duration`, `iterations`, `stages` without an
/// executor), or Artillery's `phases`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct LoadConfig {
    /// Which of k6's executors it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executor: Option<Executor>,
    /// How long after the run's start it begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_time: Option<DurationValue>,
    /// How long after its end iterations may take to finish, 30 seconds when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub graceful_stop: Option<DurationValue>,
    /// The application or flow that is played.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exec: Option<String>,
    /// Values for templates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub env: Option<TextMap>,
    /// Tags of what is measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<TextMap>,
    /// How many virtual users.
    #[serde(
        deserialize_with = "maybe_whole_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub vus: Option<i64>,
    /// How many iterations, together or for each user.
    #[serde(
        deserialize_with = "maybe_whole_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub iterations: Option<i64>,
    /// For how long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<DurationValue>,
    /// After this time no iteration begins, although some are left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_duration: Option<DurationValue>,
    /// How many virtual users there are at the start of the stages.
    #[serde(
        rename = "startVUs",
        deserialize_with = "maybe_whole_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub start_vus: Option<i64>,
    /// The stages in which the number of users, or the rate, changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stages: Option<Vec<StageConfig>>,
    /// How long users that a stage no longer needs may take to finish, 30 seconds when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub graceful_ramp_down: Option<DurationValue>,
    /// How many iterations begin in each `timeUnit`.
    #[serde(
        deserialize_with = "maybe_whole_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub rate: Option<i64>,
    /// How many iterations begin in each `timeUnit` at the start of the stages.
    #[serde(
        deserialize_with = "maybe_whole_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub start_rate: Option<i64>,
    /// The unit of rates, one second when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_unit: Option<DurationValue>,
    /// How many virtual users are ready at the start.
    #[serde(
        rename = "preAllocatedVUs",
        deserialize_with = "maybe_whole_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub pre_allocated_vus: Option<i64>,
    /// How many virtual users there may be, as many as are ready at the start when absent.
    #[serde(
        rename = "maxVUs",
        deserialize_with = "maybe_whole_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub max_vus: Option<i64>,
    /// Artillery's phases.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phases: Option<Vec<PhaseConfig>>,
    /// How the users of all phases arrive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<ArrivalMode>,
}

/// k6's executors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Executor {
    /// Iterations that the users take from a common pile.
    SharedIterations,
    /// A number of iterations for each user.
    PerVuIterations,
    /// A number of users.
    ConstantVus,
    /// A number of users that changes.
    RampingVus,
    /// A rate.
    ConstantArrivalRate,
    /// A rate that changes.
    RampingArrivalRate,
}

/// A stage of k6: in straight lines to the target.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct StageConfig {
    /// How long it takes; with 0 it jumps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<DurationValue>,
    /// The number of users, or the rate, at its end.
    #[serde(
        deserialize_with = "maybe_whole_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub target: Option<i64>,
}

/// A phase of Artillery.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PhaseConfig {
    /// The name in the results.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How long it takes: whole seconds or a text such as `5m`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<DurationValue>,
    /// How many users arrive in each second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arrival_rate: Option<NumberValue>,
    /// How many users arrive in the last second, if the rate changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ramp_to: Option<NumberValue>,
    /// How many users arrive in the whole phase.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arrival_count: Option<NumberValue>,
    /// How long nobody arrives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pause: Option<DurationValue>,
    /// While as many users are at work, whoever arrives is dropped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_vusers: Option<NumberValue>,
    /// How the users arrive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<ArrivalMode>,
}

/// How the users of one of Artillery's phases arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ArrivalMode {
    /// At even intervals.
    Uniform,
    /// At random.
    Poisson,
}

/// A duration as written: a text, or a number whose unit the format decides.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(untagged))]
pub enum DurationValue {
    /// A text such as `1m30s`.
    Text(String),
    /// A number: milliseconds for k6, seconds for Artillery.
    Number(f64),
}

/// A number as written: Artillery also takes it as text, as variables of the environment hold it.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(untagged))]
pub enum NumberValue {
    /// A text such as `20`.
    Text(String),
    /// A number.
    Number(f64),
}

/// Loads with their names, in the order of the file and without duplicates.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScenarioMap(pub Vec<(String, LoadConfig)>);

impl Executor {
    /// All executors.
    pub const ALL: [Self; 6] = [
        Self::SharedIterations,
        Self::PerVuIterations,
        Self::ConstantVus,
        Self::RampingVus,
        Self::ConstantArrivalRate,
        Self::RampingArrivalRate,
    ];

    /// k6's name for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SharedIterations => "shared-iterations",
            Self::PerVuIterations => "per-vu-iterations",
            Self::ConstantVus => "constant-vus",
            Self::RampingVus => "ramping-vus",
            Self::ConstantArrivalRate => "constant-arrival-rate",
            Self::RampingArrivalRate => "ramping-arrival-rate",
        }
    }
}

impl fmt::Display for DurationValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_value(self.parts(), f)
    }
}

impl fmt::Display for NumberValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_value(self.parts(), f)
    }
}

impl DurationValue {
    const fn parts(&self) -> Result<&str, f64> {
        match self {
            Self::Text(text) => Ok(text.as_str()),
            Self::Number(number) => Err(*number),
        }
    }
}

impl NumberValue {
    const fn parts(&self) -> Result<&str, f64> {
        match self {
            Self::Text(text) => Ok(text.as_str()),
            Self::Number(number) => Err(*number),
        }
    }
}

impl Serialize for DurationValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize_value(self.parts(), serializer)
    }
}

impl Serialize for NumberValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize_value(self.parts(), serializer)
    }
}

impl<'de> Deserialize<'de> for DurationValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let expected = "a duration: a text such as \"1m30s\", or a number";
        let value = deserializer.deserialize_any(TextOrNumber(expected))?;
        Ok(value.map_or_else(Self::Number, Self::Text))
    }
}

impl<'de> Deserialize<'de> for NumberValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = deserializer.deserialize_any(TextOrNumber("a number"))?;
        Ok(value.map_or_else(Self::Number, Self::Text))
    }
}

impl Serialize for ScenarioMap {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, load)| (name, load)))
    }
}

impl<'de> Deserialize<'de> for ScenarioMap {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ScenarioMapVisitor;
        impl<'de> Visitor<'de> for ScenarioMapVisitor {
            type Value = ScenarioMap;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of scenarios by their names")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ScenarioMap, A::Error> {
                let mut names = SortedSet::new();
                let mut scenarios = Vec::new();
                while let Some((name, load)) = map.next_entry::<String, LoadConfig>()? {
                    if !names.insert(name.clone()) {
                        return Err(de::Error::custom(format_args!("duplicate key {name:?}")));
                    }
                    scenarios.push((name, load));
                }
                Ok(ScenarioMap(scenarios))
            }
        }
        deserializer.deserialize_map(ScenarioMapVisitor)
    }
}

/// A text, or a number as an error; it says what is expected.
struct TextOrNumber(&'static str);

impl Visitor<'_> for TextOrNumber {
    type Value = Result<String, f64>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Ok(text.to_owned()))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Err(number as f64))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Err(number as f64))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Err(number))
    }
}

/// A number without a fraction; `null` counts as absent.
fn maybe_whole_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(transparent)]
    struct Whole(#[serde(deserialize_with = "whole_number")] i64);
    Ok(Option::<Whole>::deserialize(deserializer)?.map(|whole| whole.0))
}

/// Whole numbers are written without a fraction, so that what was read is written as the same.
fn serialize_value<S: Serializer>(value: Result<&str, f64>, to: S) -> Result<S::Ok, S::Error> {
    match value {
        Ok(text) => to.serialize_str(text),
        Err(number) if number.fract() == 0.0 && number.abs() < WHOLE_MAX => {
            to.serialize_i64(number as i64) // whole and in range
        }
        Err(number) => to.serialize_f64(number),
    }
}

fn write_value(value: Result<&str, f64>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match value {
        Ok(text) => write!(f, "{:?}", text.chars().take(80).collect::<String>()),
        Err(number) => write!(f, "{number}"),
    }
}

/// Up to here a floating point number holds every whole number.
const WHOLE_MAX: f64 = 9.0e15;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(json: &str) -> Result<LoadConfig, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    const RAMP: &str = r#"{"executor":"ramping-arrival-rate","startTime":"5s","gracefulStop":0,"exec":"read","env":{"A":"1"},"tags":{"t":"x"},"stages":[{"duration":"1m","target":30},{"duration":1500.5,"target":0}],"startRate":1,"timeUnit":"1m","preAllocatedVUs":5,"maxVUs":10}"#;

    const PHASES: &str = r#"{"phases":[{"name":"warm","duration":60,"arrivalRate":"5","rampTo":20.5,"maxVusers":50},{"pause":"5s"},{"duration":"1m","arrivalCount":100,"mode":"poisson"}],"mode":"uniform"}"#;

    #[test]
    fn what_is_read_is_written_as_the_same() {
        for json in [RAMP, PHASES, "{}"] {
            let load = read(json).expect(json);
            assert_eq!(serde_json::to_string(&load).expect("JSON"), json);
        }
        let map = format!(r#"{{"b":{RAMP},"a":{PHASES}}}"#);
        let scenarios: ScenarioMap = serde_json::from_str(&map).expect("scenarios");
        assert_eq!(serde_json::to_string(&scenarios).expect("JSON"), map);
    }

    #[test]
    fn null_is_absent_and_whole_numbers_may_have_a_point() {
        let load = read(r#"{"vus":null,"duration":null,"stages":null,"executor":null,"rate":5.0}"#);
        let expected = LoadConfig {
            rate: Some(5),
            ..LoadConfig::default()
        };
        assert_eq!(load, Ok(expected));
    }

    #[test]
    fn what_the_format_does_not_know_is_refused_with_what_is_accepted() {
        for (json, expected) in [
            (
                r#"{"executor":"constant-vu"}"#,
                "unknown variant `constant-vu`, expected one of `shared-iterations`, `per-vu-iterations`, `constant-vus`",
            ),
            (
                r#"{"vus":0.5}"#,
                "floating point `0.5`, expected a whole number",
            ),
            (r#"{"vus":"5"}"#, "string \"5\", expected a whole number"),
            (r#"{"duration":[]}"#, "expected a duration: a text such as"),
            (r#"{"env":{"A":1}}"#, "integer `1`, expected a string"),
            (
                r#"{"env":123}"#,
                "integer `123`, expected an object whose values are texts",
            ),
            (
                r#"{"uknownField":1}"#,
                "unknown field `uknownField`, expected one of `executor`",
            ),
            (
                r#"{"stages":[{"target":1,"goal":2}]}"#,
                "unknown field `goal`, expected `duration` or `target`",
            ),
            (
                r#"{"phases":[{"arrivalrate":2}]}"#,
                "unknown field `arrivalrate`",
            ),
            (
                r#"{"phases":[{"mode":"random"}]}"#,
                "expected `uniform` or `poisson`",
            ),
            (
                r#"{"phases":[{"arrivalRate":true}]}"#,
                "boolean `true`, expected a number",
            ),
            (r#"{"vus":1,"vus":2}"#, "duplicate field `vus`"),
        ] {
            let error = read(json).expect_err(json);
            assert!(error.contains(expected), "{json}: {error}");
        }
        let twice = serde_json::from_str::<ScenarioMap>(r#"{"a":{},"a":{}}"#);
        assert!(
            twice
                .expect_err("twice")
                .to_string()
                .contains("duplicate key \"a\"")
        );
        assert!(serde_json::from_str::<ScenarioMap>("[]").is_err());
    }

    #[test]
    fn names_are_those_of_the_file() {
        for executor in Executor::ALL {
            let json = serde_json::to_string(&executor).expect("JSON");
            assert_eq!(json, format!("{:?}", executor.name()));
        }
    }

    proptest! {
        #[test]
        fn damaged_files_do_no_harm(at in 0..RAMP.len().min(PHASES.len()), byte in any::<u8>()) {
            for json in [RAMP, PHASES] {
                let mut bytes = json.as_bytes().to_vec();
                bytes[at] = byte;
                let _ = serde_json::from_slice::<LoadConfig>(&bytes);
            }
        }
    }
}
