//! The JSON Schemas of scenario files and of summaries, generated from the types that read and write them.

use std::fs;

use anyhow::{Context as _, Result};
use devstack::Project;
use sentinel_engine::scenario::json_schema;
use sentinel_engine::summary::summary_schema;

/// Writes the schemas to their places in the project; a test fails when one is stale.
///
/// # Errors
/// When a file cannot be written.
pub(crate) fn write() -> Result<()> {
    for (place, schema) in [
        ("scenarios/schema.json", json_schema()),
        ("docs/summary.schema.json", summary_schema()),
    ] {
        let path = Project::here().root().join(place);
        let schema = serde_json::to_string_pretty(&schema)?;
        fs::write(&path, schema + "\n").with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}
