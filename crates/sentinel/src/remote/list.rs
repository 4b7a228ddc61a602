//! `sentinel remote list`.

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use serde_json::{Value, json};

use super::arguments::ListArguments;
use super::client::Client;
use super::trouble::{Trouble, bounded};
use crate::exit::{Exit, Stopped};

/// The API answers no more runs at once.
const PAGE: u32 = 100;

/// Lists runs, newest first.
///
/// # Errors
/// What came between.
pub(super) async fn command(client: &Client, arguments: &ListArguments) -> Result<Exit, Stopped> {
    let (runs, next) = runs(client, arguments).await?;
    if arguments.json {
        let listed = json!({ "runs": runs, "nextCursor": next });
        let text = serde_json::to_string_pretty(&listed).map_err(Stopped::failed)?;
        say!("{text}")?;
        return Ok(Exit::Passed);
    }
    if runs.is_empty() {
        note!("there are no such runs");
    } else {
        say!("{}", table(&runs))?;
    }
    if let Some(next) = next {
        note!("there are more: --cursor {}", bounded(&next));
    }
    Ok(Exit::Passed)
}

/// As many runs as are asked for, and where there are more.
async fn runs(
    client: &Client,
    arguments: &ListArguments,
) -> Result<(Vec<Value>, Option<String>), Trouble> {
    let mut runs = Vec::new();
    let mut cursor = arguments.cursor.clone();
    loop {
        let left = arguments
            .limit
            .saturating_sub(u32::try_from(runs.len()).unwrap_or(u32::MAX));
        let limit = left.min(PAGE).to_string();
        let mut query = vec![("limit", limit.as_str())];
        query.extend(arguments.scenario.as_deref().map(|name| ("scenario", name)));
        query.extend(arguments.status.map(|status| ("status", status.name())));
        query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let mut answer = client.get("/runs", &query).await?;
        let Some(Value::Array(page)) = answer.get_mut("runs").map(Value::take) else {
            return Err(Trouble::Foreign(
                "the answer holds no list of runs: is that the address of a load tester?"
                    .to_owned(),
            ));
        };
        let is_empty = page.is_empty();
        runs.extend(page);
        cursor = answer
            .get("nextCursor")
            .and_then(Value::as_str)
            .map(str::to_owned);
        // A page without runs would be asked for again and again.
        if cursor.is_none() || is_empty || runs.len() >= arguments.limit as usize {
            return Ok((runs, cursor));
        }
    }
}

fn table(runs: &[Value]) -> Table {
    let mut table = Table::new();
    table.load_preset(NOTHING);
    table.set_header([
        "run",
        "scenario",
        "environment",
        "started",
        "seconds",
        "status",
        "passed",
    ]);
    for run in runs {
        let text = |field| bounded(run.get(field).and_then(Value::as_str).unwrap_or("–"));
        let length_ms = run.get("duration_ms").and_then(Value::as_f64);
        let passed = match run.get("passed").and_then(Value::as_bool) {
            Some(true) => "yes",
            Some(false) => "no",
            None => "–",
        };
        table.add_row([
            text("id"),
            text("scenario_name"),
            text("environment"),
            text("started_at"),
            length_ms.map_or_else(|| "–".to_owned(), |ms| format!("{:.1}", ms / 1e3)),
            text("status"),
            passed.to_owned(),
        ]);
    }
    if let Some(column) = table.column_mut(4) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
