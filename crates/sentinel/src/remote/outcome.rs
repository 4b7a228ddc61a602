//! What came of a run that has ended.

use sentinel_engine::summary::TestRunResult;
use serde_json::Value;

use uuid::Uuid;

use super::client::Client;
use super::histograms;
use super::trouble::bounded;
use crate::exit::{Exit, Stopped};
use crate::output::SummaryOutputs;
use crate::say;

/// Prints what came of a run, as `sentinel run` does, and answers the exit code that says so.
///
/// # Errors
/// When the run goes on, so that nothing has come of it yet, or when it cannot be printed.
pub(super) fn present(run: &Value, quiet: bool) -> Result<Exit, Stopped> {
    if !quiet {
        match summary(run) {
            Some(result) => say::text(sentinel_terminal::text(&result).as_bytes())?,
            // A run that broke early has no numbers, and another version may have others.
            None if status(run) != "running" => say!(
                "{} {}",
                bounded(text(run, "scenario_name")),
                bounded(status(run))
            )?,
            None => {}
        }
    }
    verdict(run)
}

/// Writes what was asked for about a run that is over, says what of it is incomplete, and answers the exit code: that
/// of the run, unless it passed and something is missing.
pub(super) async fn write(
    client: &Client,
    id: Uuid,
    run: &Value,
    outputs: SummaryOutputs,
    exit: Exit,
) -> Exit {
    if outputs.is_empty() {
        return exit;
    }
    let mut incomplete = Vec::new();
    let mut result = summary(run);
    if let Some(result) = &mut result
        && let Err(trouble) = histograms::add(client, id, result).await
    {
        incomplete.push(format!("the histograms are missing: {}", trouble.line()));
    }
    incomplete.extend(outputs.finish(result.as_ref()));
    for reason in &incomplete {
        note!("sentinel: {reason}");
    }
    match exit {
        Exit::Passed if !incomplete.is_empty() => Exit::RunFailed,
        exit => exit,
    }
}

/// What the exit code says about a run; what did not hold goes to the standard error.
///
/// # Errors
/// When the run goes on.
pub(super) fn verdict(run: &Value) -> Result<Exit, Stopped> {
    if status(run) == "running" {
        return Err(Stopped::failed(format_args!(
            "the run goes on, so that there is no result yet: `sentinel remote watch {}` waits for it",
            bounded(text(run, "id"))
        )));
    }
    if let Some(result) = summary(run) {
        return Ok(Exit::of(&result));
    }
    let brief = brief(run);
    let failure = brief.get("failure").and_then(Value::as_str);
    if let Some(failure) = failure {
        note!("sentinel: {}", bounded(failure));
    }
    Ok(match status(run) {
        "cancelled" => Exit::Interrupted,
        "completed" if run.get("passed") == Some(&Value::Bool(true)) => Exit::Passed,
        "completed" => Exit::ThresholdsFailed,
        _ => {
            if failure.is_none() {
                note!("sentinel: the run broke");
            }
            Exit::RunFailed
        }
    })
}

/// Whether the run is over.
pub(super) fn has_ended(run: &Value) -> bool {
    status(run) != "running"
}

fn status(run: &Value) -> &str {
    text(run, "status")
}

/// The summary, if it is a whole one of this version.
fn summary(run: &Value) -> Option<TestRunResult> {
    serde_json::from_str(run.get("summary_json")?.as_str()?).ok()
}

/// What every version says.
fn brief(run: &Value) -> Value {
    let text = run.get("summary_json").and_then(Value::as_str);
    text.and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default()
}

fn text<'a>(run: &'a Value, field: &str) -> &'a str {
    run.get(field).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn verdict_of(status: &str, passed: Value, summary: Value) -> Exit {
        let run = json!({"status": status, "passed": passed, "summary_json": summary.to_string()});
        verdict(&run).expect("it is over")
    }

    #[test]
    fn the_exit_code_needs_no_whole_summary() {
        let partial = json!({"passed": false, "failedAssertions": [], "failure": "no coordinator"});
        assert_eq!(
            verdict_of("failed", json!(false), partial.clone()),
            Exit::RunFailed
        );
        assert_eq!(
            verdict_of("cancelled", json!(false), partial),
            Exit::Interrupted
        );
        assert_eq!(
            verdict_of("completed", json!(true), json!({})),
            Exit::Passed
        );
        assert_eq!(
            verdict_of("completed", json!(false), json!({})),
            Exit::ThresholdsFailed
        );
        assert_eq!(
            verdict_of("completed", json!(null), json!({})),
            Exit::ThresholdsFailed
        );
        assert_eq!(
            verdict_of("unheard of", json!(true), json!({})),
            Exit::RunFailed
        );
    }

    #[test]
    fn a_run_that_goes_on_has_not_passed() {
        let stopped = verdict(&json!({"status": "running", "id": "x"})).expect_err("no result");
        assert_eq!(stopped.exit, Exit::RunFailed);
    }
}
