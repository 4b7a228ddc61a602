//! The JSON Schema of scenario and application files, for editors and for checking files before they are used.
//!
//! Invariant: what the schema refuses, reading or planning refuses too. The reverse does not hold: limits that
//! depend on several fields are the plan's business.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value;

use super::application::ApplicationProfile;
use super::json::{NamedMap, TextMap};
use super::types::LoadScenario;
use crate::threshold::ThresholdMap;

/// The JSON Schema (draft 2020-12) of scenario files and application files, in one document.
#[must_use]
pub fn json_schema() -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let scenario = generator.subschema_for::<LoadScenario>();
    let application = generator.subschema_for::<ApplicationProfile>();
    let mut schema = json_schema!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Vista LoadTest: a scenario or an application",
        "description": "A file with steps or actions is an application, any other a scenario.",
        "if": { "anyOf": [{ "required": ["steps"] }, { "required": ["actions"] }] },
        "then": application,
        "else": scenario,
    });
    schema.insert(
        "$defs".to_owned(),
        Value::Object(generator.take_definitions(true)),
    );
    schema.to_value()
}

impl JsonSchema for TextMap {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "TextMap".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        BTreeMap::<String, String>::json_schema(generator)
    }
}

impl<V: JsonSchema> JsonSchema for NamedMap<V> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("NamedMap_of_{}", V::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        BTreeMap::<String, V>::json_schema(generator)
    }
}

/// Keys and expressions have grammars of their own, which the plan checks.
impl JsonSchema for ThresholdMap {
    fn schema_name() -> Cow<'static, str> {
        "Thresholds".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Lists of thresholds by metric, such as http_req_duration{status:200}.",
            "type": "object",
            "additionalProperties": {
                "type": "array",
                "items": {
                    "anyOf": [
                        { "description": "What must hold, such as p(95)<500.", "type": "string" },
                        {
                            "type": "object",
                            "properties": {
                                "threshold": {
                                    "description": "What must hold, such as p(95)<500.",
                                    "type": "string",
                                },
                                "abortOnFail": {
                                    "description": "Whether the run is aborted when it does not hold.",
                                    "type": ["boolean", "null"],
                                },
                                "delayAbortEval": {
                                    "description": "How long the run goes on in any case: a duration, or a number \
                                                    of milliseconds.",
                                    "type": ["string", "number", "null"],
                                    "minimum": 0,
                                },
                            },
                            "required": ["threshold"],
                            "additionalProperties": false,
                        },
                    ],
                },
            },
        })
    }
}

/// A duration as [`duration`](crate::duration) reads it.
pub(super) struct DurationText;

impl JsonSchema for DurationText {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Seconds such as 90, or numbers with units (d, h, m, s, ms, us) such as 1.5m or 1h30m.",
            "type": "string",
            "pattern": format!("^{DURATION}$"),
        })
    }
}

/// A waiting time as [`delay`](crate::delay) reads it.
pub(super) struct DelayText;

impl JsonSchema for DelayText {
    fn schema_name() -> Cow<'static, str> {
        "Delay".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A duration such as 2s, a range such as 30s-2m, or a mean and a standard deviation \
                            such as 2s~500ms.",
            "type": "string",
            "pattern": format!("^ *{DURATION} *([-~] *{DURATION} *)?$"),
        })
    }
}

/// The units are held in their order by the reader alone.
const DURATION: &str = "([0-9]+(\\.[0-9]+)?|([0-9]+(\\.[0-9]+)?(d|h|m|s|ms|us))+)";
