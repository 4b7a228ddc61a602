//! What a dry run answers, for reading.

use serde_json::Value;

use super::trouble::bounded;
use crate::exit::Stopped;

/// Prints what would be run.
///
/// # Errors
/// When it cannot be printed.
pub(super) fn print(answer: &Value) -> Result<(), Stopped> {
    let plan = answer.get("plan").unwrap_or(&Value::Null);
    let text = |value: &Value, field: &str| {
        let found = value.get(field).and_then(Value::as_str);
        bounded(found.unwrap_or("?"))
    };
    let number = |field: &str| plan.get(field).and_then(Value::as_f64).unwrap_or_default();
    say!(
        "{} on {} ({}): {} s, up to {} users, {} batches",
        text(answer, "scenario"),
        text(answer, "environment"),
        text(plan, "baseUrl"),
        number("durationS"),
        number("usersMax"),
        number("batches"),
    )?;
    for phase in list(plan, "phases") {
        let second = |field| phase.get(field).and_then(Value::as_f64).unwrap_or_default();
        let steps = list(phase, "vuSteps").iter();
        let users = steps.filter_map(|step| step.get(1).and_then(Value::as_u64));
        say!(
            "  {:<12} {:>7} s to {:>7} s  up to {} users",
            text(phase, "phase"),
            second("fromS"),
            second("toS"),
            users.max().unwrap_or_default()
        )?;
    }
    for application in list(plan, "applications") {
        let weight = application.get("weight").and_then(Value::as_f64);
        say!(
            "  {:<12} {:>5.1} %  {} requests",
            text(application, "name"),
            weight.unwrap_or_default() * 100.0,
            list(application, "steps").len()
        )?;
    }
    for warning in list(plan, "warnings") {
        say!(
            "note: {}: {}",
            text(warning, "path"),
            text(warning, "message")
        )?;
    }
    say!("nothing was sent")
}

fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    let found = value.get(field).and_then(Value::as_array);
    found.map(Vec::as_slice).unwrap_or_default()
}
