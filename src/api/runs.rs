//! What is asked about runs, and cancelling one.

use serde_json::Value;
use worker::Env;

use crate::api::error::ApiError;
use crate::api::params::{Cursor, MetricsQuery, RunsQuery};
use crate::api::route::{RunId, View};
use crate::clock::{iso, now_ms};
use crate::coordinator::{Known, Stub};
use crate::json::{document, object};
use crate::start::failed_summary;
use crate::store::{
    Database, ResultTable, Row, Statement, end_run, histograms_of, metrics_page, results_of,
    run_by_id, runs_page,
};
use crate::{flag, log};

/// `GET runs`
///
/// # Errors
/// When the query is not accepted or the database does not answer.
pub(super) async fn list(env: &Env, query: &str) -> Result<Value, ApiError> {
    let query = RunsQuery::parse(query)?;
    let after = query.cursor.as_ref();
    let after = after.map(|cursor| (cursor.started_at.as_str(), cursor.id.as_str()));
    // One more than asked for, to know whether there is a next page.
    let statement = runs_page(
        query.limit + 1,
        query.scenario.as_deref(),
        query.status.as_deref(),
        after,
    );
    let mut runs = rows(env, &statement).await?;
    let more = runs.len() > query.limit as usize;
    runs.truncate(query.limit as usize);
    let next = runs.last().filter(|_| more).map(|last| {
        Cursor {
            started_at: text(last, "started_at"),
            id: text(last, "id"),
        }
        .text()
    });
    runs.iter_mut().for_each(polish_run);
    Ok(object([("runs", runs.into()), ("nextCursor", next.into())]))
}

/// `GET runs/:id` and what is below it.
///
/// # Errors
/// When there is no such run, or the database does not answer.
pub(super) async fn view(
    env: &Env,
    id: &RunId,
    view: View,
    query: &str,
) -> Result<Value, ApiError> {
    match view {
        View::Run => {
            let mut run = find(env, id).await?;
            polish_run(&mut run);
            Ok(object([("run", run.into())]))
        }
        View::Metrics => metrics(env, id, &MetricsQuery::parse(query)?).await,
        View::Bottlenecks => results(env, id, ResultTable::Bottlenecks, "bottlenecks").await,
        View::Apps => results(env, id, ResultTable::Apps, "apps").await,
        View::Assertions => results(env, id, ResultTable::Assertions, "assertions").await,
        View::Histograms => histograms(env, id).await,
    }
}

/// `POST runs/:id/cancel`
///
/// # Errors
/// When there is no such run, when it is over, or when nobody could be told.
pub(super) async fn cancel(env: &Env, id: &RunId) -> Result<Value, ApiError> {
    let status = text(&find(env, id).await?, "status");
    if status != "running" && status != "cancelled" {
        let message = format!("the run is {status} already");
        return Err(ApiError::new(409, "not_running", message).with("status", status));
    }
    if status == "running" {
        let stub = Stub::of(env, id.as_str());
        let told = futures::future::join(stub.cancel(None), flag::cancel(env, id.as_str()));
        let (coordinator, flag) = told.await;
        log::event("cancel_requested", id.as_str(), document!({}));
        match (coordinator, flag) {
            // Nobody else will ever end it. If it is about to start, its coordinator will see that it is over.
            (Ok(Known::Nothing), _) => {
                let summary = failed_summary("the run was cancelled before it began");
                let ended = end_run(id.as_str(), "cancelled", &iso(now_ms()), &summary);
                change(env, &ended).await?;
            }
            // Either is enough: the coordinator reads the flag.
            (Ok(Known::Running | Known::Revived), _) | (Err(_), Ok(())) => {}
            (Err(error), Err(_)) => {
                log::event("cancel_failed", id.as_str(), log::brief(&error).into());
                return Err(ApiError::unavailable("the coordinator"));
            }
        }
    }
    Ok(document!({ "message": "Cancellation requested", "id": id.as_str() }))
}

async fn metrics(env: &Env, id: &RunId, query: &MetricsQuery) -> Result<Value, ApiError> {
    let mut rows_found = rows(
        env,
        &metrics_page(id.as_str(), query.limit + 1, query.after),
    )
    .await?;
    if rows_found.is_empty() {
        find(env, id).await?;
    }
    let more = rows_found.len() > query.limit as usize;
    rows_found.truncate(query.limit as usize);
    let next = rows_found.last().filter(|_| more).map(|last| {
        let number = |column| last.get(column).and_then(Value::as_i64).unwrap_or_default();
        format!("{}_{}", number("timestamp"), number("id"))
    });
    let metrics: Vec<Row> = rows_found.into_iter().map(snapshot).collect();
    Ok(object([
        ("metrics", metrics.into()),
        ("nextCursor", next.into()),
    ]))
}

async fn results(
    env: &Env,
    id: &RunId,
    table: ResultTable,
    field: &str,
) -> Result<Value, ApiError> {
    let mut found = rows(env, &results_of(table, id.as_str())).await?;
    if found.is_empty() {
        find(env, id).await?;
    }
    for row in &mut found {
        parse_column(row, "errors_by_type", "errorsByType");
        parse_column(row, "details", "evidence");
    }
    Ok(object([(field, found.into())]))
}

async fn histograms(env: &Env, id: &RunId) -> Result<Value, ApiError> {
    let mut found = rows(env, &histograms_of(id.as_str())).await?;
    if found.is_empty() {
        find(env, id).await?;
    }
    for row in &mut found {
        parse_column(row, "histogram", "histogram");
    }
    Ok(object([("histograms", found.into())]))
}

pub(super) async fn find(env: &Env, id: &RunId) -> Result<Row, ApiError> {
    let found = rows(env, &run_by_id(id.as_str())).await?;
    found.into_iter().next().ok_or_else(ApiError::no_run)
}

pub(super) async fn rows(env: &Env, statement: &Statement) -> Result<Vec<Row>, ApiError> {
    let database = Database::of(env).map_err(unavailable)?;
    database.rows(statement).await.map_err(unavailable)
}

async fn change(env: &Env, statement: &Statement) -> Result<usize, ApiError> {
    let database = Database::of(env).map_err(unavailable)?;
    database.run(statement).await.map_err(unavailable)
}

#[expect(clippy::needless_pass_by_value, reason = "the form that map_err wants")]
fn unavailable(error: worker::Error) -> ApiError {
    log::event("database_failed", "", log::brief(&error).into());
    ApiError::unavailable("the database")
}

/// SQLite has no truth values.
pub(super) fn polish_run(run: &mut Row) {
    if let Some(passed) = run.get("passed").and_then(Value::as_i64) {
        run.insert("passed".to_owned(), Value::from(passed == 1));
    }
}

/// The columns of a row of the time line, and beside them the fields of the spec's `MetricsSnapshot`, which is
/// what the dashboard's chart reads.
pub(super) fn snapshot(mut row: Row) -> Row {
    let column = |row: &Row, name: &str| row.get(name).cloned().unwrap_or(Value::Null);
    for (field, name) in [
        ("activeUsers", "active_users"),
        ("requestsPerSec", "requests_per_sec"),
        ("errorRate", "error_rate"),
    ] {
        row.insert(field.to_owned(), column(&row, name));
    }
    let latency = object([
        ("p50", column(&row, "latency_p50")),
        ("p95", column(&row, "latency_p95")),
        ("p99", column(&row, "latency_p99")),
        ("max", column(&row, "latency_max")),
    ]);
    row.insert("latency".to_owned(), latency);
    for (field, name) in [
        ("errorsByType", "errors_by_type"),
        ("doMetrics", "do_metrics"),
        ("d1Metrics", "d1_metrics"),
        ("storageMetrics", "storage_metrics"),
    ] {
        parse_column(&mut row, name, field);
    }
    row
}

/// Puts what a column of JSON text holds into a field.
fn parse_column(row: &mut Row, column: &str, field: &str) {
    let parsed = match row.get(column) {
        Some(Value::String(text)) => serde_json::from_str(text).unwrap_or(Value::Null),
        Some(_) => Value::Null,
        None => return,
    };
    row.insert(field.to_owned(), parsed);
}

pub(super) fn text(row: &Row, column: &str) -> String {
    row.get(column)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_row_of_the_time_line_is_also_a_snapshot() {
        let row = json!({
            "id": 1, "run_id": "r", "timestamp": 1_000, "phase": "peak", "active_users": 7,
            "requests_per_sec": 2.5, "latency_p50": 1.0, "latency_p95": 2.0, "latency_p99": null,
            "latency_max": 4.0, "error_rate": 0.5, "errors_by_type": "{\"timeout\":1}",
            "do_metrics": null, "d1_metrics": "{\"queriesPerSecond\":1.0}", "storage_metrics": null,
        });
        let Value::Object(row) = row else {
            panic!("an object")
        };
        let shown = Value::Object(snapshot(row));
        assert_eq!(shown["active_users"], 7);
        assert_eq!(shown["activeUsers"], 7);
        assert_eq!(shown["latency"]["p95"], 2.0);
        assert_eq!(shown["errors_by_type"], "{\"timeout\":1}");
        assert_eq!(shown["errorsByType"]["timeout"], 1);
        assert_eq!(shown["d1Metrics"]["queriesPerSecond"], 1.0);
        assert_eq!(shown["doMetrics"], Value::Null);
    }
}
