//! The JSON Schema of scenario files, generated from the types that read them.

use std::fs;

use anyhow::{Context as _, Result};
use devstack::Project;
use sentinel_engine::scenario::json_schema;

/// Writes the schema to its place in the project; a test fails when it is stale.
///
/// # Errors
/// When the file cannot be written.
pub(crate) fn write() -> Result<()> {
    let path = Project::here().root().join("scenarios/schema.json");
    let schema = serde_json::to_string_pretty(&json_schema())?;
    fs::write(&path, schema + "\n").with_context(|| format!("writing {}", path.display()))
}
