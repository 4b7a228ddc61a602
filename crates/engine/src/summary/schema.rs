//! The JSON Schema of summaries, for those who read them with tools of their own.

use std::borrow::Cow;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value;

use super::types::TestRunResult;
use crate::cloudflare::Colo;
use crate::error_class::ErrorClass;
use crate::histogram::SparseHistogram;
use crate::tick::Tick;

/// The JSON Schema (draft 2020-12) of the summary of a run.
#[must_use]
pub fn summary_schema() -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let mut schema = settings
        .into_generator()
        .into_root_schema_for::<TestRunResult>();
    let title = "Vista LoadTest: the summary of a run";
    schema.insert("title".to_owned(), title.into());
    schema.to_value()
}

/// Written as text, also where it is a key.
impl JsonSchema for ErrorClass {
    fn schema_name() -> Cow<'static, str> {
        "ErrorClass".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Why a request did not succeed.",
            "type": "string",
            "pattern": "^((status|cloudflare)_[0-9]{1,5}|[a-z_]+)$",
        })
    }
}

/// Written as text, also where it is a key.
impl JsonSchema for Colo {
    fn schema_name() -> Cow<'static, str> {
        "Colo".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A data centre of Cloudflare, by the code of an airport near it.",
            "type": "string",
            "pattern": "^[A-Z]{3}$",
        })
    }
}

/// Written as a list of numbers.
impl JsonSchema for SparseHistogram {
    fn schema_name() -> Cow<'static, str> {
        "Histogram".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "How many values were too large, then for each bucket that was hit, in ascending order, \
                            the step from the lowest value of the one before (from 0) to its own, and its count. \
                            Buckets are those of HdrHistogram with three significant digits.",
            "type": "array",
            "items": { "type": "integer", "minimum": 0 },
            "minItems": 1,
        })
    }
}

/// Written as a number.
impl JsonSchema for Tick {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Tick".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": 0 })
    }
}
