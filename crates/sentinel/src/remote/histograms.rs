//! The histograms that the load tester keeps of a run, as the samples of its summary.

use sentinel_engine::histogram::SparseHistogram;
use sentinel_engine::summary::{SampleBlock, Samples, StepSamples, TestRunResult};
use serde_json::Value;
use uuid::Uuid;

use super::client::Client;
use super::trouble::Trouble;

/// Adds the samples of a run to its summary: one block, which is the whole run. Of a run whose histograms were
/// removed there are none.
///
/// # Errors
/// What came between.
pub(super) async fn add(
    client: &Client,
    run: Uuid,
    result: &mut TestRunResult,
) -> Result<(), Trouble> {
    let path = format!("/runs/{run}/histograms");
    let answer = client.get(&path, &[]).await?;
    let rows = answer.get("histograms").and_then(Value::as_array);
    let rows = rows.map(Vec::as_slice).unwrap_or_default();
    let steps: Vec<_> = rows.iter().filter_map(|row| samples(row, result)).collect();
    if !steps.is_empty() {
        let seconds = result.duration.div_ceil(1_000).max(1);
        result.samples = Some(Samples {
            block_seconds: u32::try_from(seconds).unwrap_or(u32::MAX),
            steps,
        });
    }
    Ok(())
}

/// The samples of a step, if the row has its response times.
fn samples(row: &Value, result: &TestRunResult) -> Option<StepSamples> {
    let text = |field| row.get(field).and_then(Value::as_str);
    if text("kind") != Some("response") {
        return None;
    }
    let (application, step) = (text("app_name")?, text("step_name")?);
    let mut steps = result.steps.iter();
    let told = steps.find(|told| told.application == application && told.step == step)?;
    let response_us: SparseHistogram =
        serde_json::from_value(row.get("histogram")?.clone()).ok()?;
    Some(StepSamples {
        application: application.to_owned(),
        step: step.to_owned(),
        blocks: vec![SampleBlock {
            requests: told.successful_requests + told.failed_requests,
            failed: told.failed_requests,
            response_us,
        }],
    })
}
