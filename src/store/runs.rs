//! Statements on the table of runs.

use serde_json::Value;

use super::budget::{Daily, USED};
use super::control::STOPPED;
use super::statement::Statement;

/// A run that is about to start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewRun<'a> {
    /// The run's identifier.
    pub(crate) id: &'a str,
    /// The name of its scenario.
    pub(crate) scenario: &'a str,
    /// The environment that it tests.
    pub(crate) environment: &'a str,
    /// When it starts.
    pub(crate) started_at: &'a str,
    /// Its `TestRunConfig`, without secrets.
    pub(crate) config_json: &'a str,
}

/// Inserts a run unless one is running on the same environment, everything is stopped, or nothing is left of
/// the day's budget: one statement, so that of two starts at the same time exactly one wins. It changed one row
/// if the run may start.
pub(crate) fn insert_run(run: &NewRun<'_>, daily: Option<&Daily<'_>>) -> Statement {
    let budget = daily.map(|_| format!("AND {USED} < ?")).unwrap_or_default();
    let mut statement = Statement::new(
        format!(
            "INSERT INTO load_test_runs (id, scenario_name, started_at, status, config_json) \
             SELECT ?, ?, ?, 'running', ? \
             WHERE NOT EXISTS (SELECT 1 FROM load_test_runs \
             WHERE status = 'running' AND json_extract(config_json, '$.environment') = ?) \
             AND NOT EXISTS (SELECT 1 FROM load_test_control WHERE {STOPPED}) {budget}"
        ),
        [
            run.id,
            run.scenario,
            run.started_at,
            run.config_json,
            run.environment,
        ]
        .map(Value::from),
    );
    if let Some(daily) = daily {
        let params = [daily.day.into(), daily.requests.into()];
        statement.params.extend::<[Value; 2]>(params);
    }
    statement
}

/// The run that is running on an environment.
pub(crate) fn running_in(environment: &str) -> Statement {
    Statement::new(
        "SELECT id FROM load_test_runs \
         WHERE status = 'running' AND json_extract(config_json, '$.environment') = ? LIMIT 1",
        [environment.into()],
    )
}

/// All runs that are running.
pub(crate) fn running_runs() -> Statement {
    Statement::new(
        "SELECT id, started_at, scenario_name, \
         json_extract(config_json, '$.environment') AS environment \
         FROM load_test_runs WHERE status = 'running' LIMIT 100",
        [],
    )
}

/// The runs that ended last, newest first, without their JSON.
pub(crate) fn finished_runs() -> Statement {
    Statement::new(
        format!(
            "SELECT {BRIEF} FROM load_test_runs WHERE status <> 'running' \
             ORDER BY started_at DESC LIMIT 200"
        ),
        [],
    )
}

/// Says when the first second of a run began. What was inserted is when the run was accepted, a little before
/// that; time line, summary and length count from here.
pub(crate) fn begin_run(id: &str, started_at: &str) -> Statement {
    Statement::new(
        "UPDATE load_test_runs SET started_at = ? WHERE id = ?",
        [started_at, id].map(Value::from),
    )
}

/// Ends a run that nothing else is known about than why it ended.
pub(crate) fn end_run(id: &str, status: &str, ended_at: &str, summary_json: &str) -> Statement {
    Statement::new(
        "UPDATE load_test_runs SET status = ?, ended_at = ?, summary_json = ?, duration_ms = \
         CAST(round((julianday(?) - julianday(started_at)) * 86400000) AS INTEGER) \
         WHERE id = ? AND status = 'running'",
        [status, ended_at, summary_json, ended_at, id].map(Value::from),
    )
}

/// One run.
pub(crate) fn run_by_id(id: &str) -> Statement {
    Statement::new(
        format!("SELECT {ALL}, summary_json FROM load_test_runs WHERE id = ?"),
        [id.into()],
    )
}

/// A page of runs, newest first. `after` is where the page before it ended. The time line inside a summary can
/// be large, and a list does not need it.
pub(crate) fn runs_page(
    limit: u32,
    scenario: Option<&str>,
    status: Option<&str>,
    after: Option<(&str, &str)>,
) -> Statement {
    let mut conditions = Vec::new();
    let mut params = Vec::new();
    if let Some(scenario) = scenario {
        conditions.push("scenario_name = ?");
        params.push(Value::from(scenario));
    }
    if let Some(status) = status {
        conditions.push("status = ?");
        params.push(status.into());
    }
    if let Some((started_at, id)) = after {
        conditions.push("(started_at, id) < (?, ?)");
        params.extend([started_at.into(), id.into()]);
    }
    let filter = if conditions.is_empty() {
        String::new()
    } else {
        format!("WHERE {}", conditions.join(" AND "))
    };
    params.push(limit.into());
    Statement::new(
        format!(
            "SELECT {ALL}, CASE WHEN json_valid(summary_json) \
             THEN json_remove(summary_json, '$.timeline') ELSE summary_json END AS summary_json \
             FROM load_test_runs {filter} ORDER BY started_at DESC, id DESC LIMIT ?"
        ),
        params,
    )
}

/// All columns but the summary, and what is asked for most often of what the JSON columns hold.
const ALL: &str = "id, scenario_name, started_at, ended_at, duration_ms, status, config_json, created_at, \
     CASE WHEN json_valid(config_json) THEN json_extract(config_json, '$.environment') END AS environment, \
     CASE WHEN json_valid(summary_json) THEN json_extract(summary_json, '$.passed') END AS passed";

/// Only what fits a line.
const BRIEF: &str = "scenario_name, started_at, duration_ms, status, \
     CASE WHEN json_valid(config_json) THEN json_extract(config_json, '$.environment') END AS environment, \
     CASE WHEN json_valid(summary_json) THEN json_extract(summary_json, '$.passed') END AS passed";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::statement::tests::TestDatabase;

    fn run<'a>(id: &'a str, environment: &'a str, config: &'a str) -> NewRun<'a> {
        NewRun {
            id,
            scenario: "grove-mix",
            environment,
            started_at: "2026-11-21T04:00:00.000Z",
            config_json: config,
        }
    }

    const STAGING: &str = r#"{"environment":"staging"}"#;
    const PRODUCTION: &str = r#"{"environment":"production"}"#;

    #[test]
    fn one_run_at_a_time_on_each_environment() {
        let db = TestDatabase::new();
        assert_eq!(db.run(&insert_run(&run("a", "staging", STAGING), None)), 1);
        assert_eq!(
            db.run(&insert_run(&run("b", "staging", STAGING), None)),
            0,
            "a is running"
        );
        assert_eq!(
            db.run(&insert_run(&run("c", "production", PRODUCTION), None)),
            1,
            "elsewhere"
        );
        assert_eq!(db.rows(&running_in("staging"))[0]["id"], "a");
        assert_eq!(db.rows(&running_runs()).len(), 2);

        db.run(&end_run("a", "failed", "2026-11-21T04:00:01.500Z", "{}"));
        let ended = &db.rows(&run_by_id("a"))[0];
        assert_eq!(
            (&ended["status"], &ended["duration_ms"]),
            (&"failed".into(), &1_500.into())
        );
        assert_eq!(
            db.run(&insert_run(&run("b", "staging", STAGING), None)),
            1,
            "a is over"
        );
        assert_eq!(
            db.run(&end_run("a", "cancelled", "2026-11-21T05:00:00.000Z", "{}")),
            0
        );
    }

    #[test]
    fn the_length_of_a_run_counts_from_its_first_second() {
        let db = TestDatabase::new();
        db.run(&insert_run(&run("a", "staging", STAGING), None));
        assert_eq!(db.run(&begin_run("a", "2026-11-21T04:00:00.200Z")), 1);
        db.run(&end_run("a", "failed", "2026-11-21T04:00:01.500Z", "{}"));
        let row = &db.rows(&run_by_id("a"))[0];
        assert_eq!(row["started_at"], "2026-11-21T04:00:00.200Z");
        assert_eq!(row["duration_ms"], 1_300);
    }

    #[test]
    fn pages_follow_each_other_without_gaps_or_repetition() {
        let db = TestDatabase::new();
        for at in 0..25 {
            let (id, environment) = (format!("{at:02}"), format!("e{at}"));
            let config = format!(r#"{{"environment":"{environment}"}}"#);
            let started = format!("2026-11-21T04:00:{:02}.000Z", at / 3);
            let run = NewRun {
                started_at: &started,
                ..run(&id, &environment, &config)
            };
            assert_eq!(db.run(&insert_run(&run, None)), 1);
        }
        let mut seen = Vec::new();
        let mut after: Option<(String, String)> = None;
        loop {
            let place = after
                .as_ref()
                .map(|(started, id)| (started.as_str(), id.as_str()));
            let page = db.rows(&runs_page(7, Some("grove-mix"), Some("running"), place));
            let Some(last) = page.last() else { break };
            let text = |column: &str| last[column].as_str().unwrap_or_default().to_owned();
            after = Some((text("started_at"), text("id")));
            seen.extend(page.iter().map(|row| row["id"].clone()));
        }
        let expected: Vec<Value> = (0..25).rev().map(|at| format!("{at:02}").into()).collect();
        assert_eq!(seen, expected);
        assert!(db.rows(&runs_page(7, Some("other"), None, None)).is_empty());
    }

    #[test]
    fn a_list_leaves_the_time_lines_out_and_a_run_does_not() {
        let db = TestDatabase::new();
        db.run(&insert_run(&run("a", "staging", STAGING), None));
        let summary = r#"{"passed":true,"timeline":[1,2]}"#;
        db.run(&end_run(
            "a",
            "completed",
            "2026-11-21T04:00:01.500Z",
            summary,
        ));
        assert_eq!(
            db.rows(&runs_page(1, None, None, None))[0]["summary_json"],
            r#"{"passed":true}"#
        );
        let row = &db.rows(&run_by_id("a"))[0];
        assert_eq!(row["summary_json"], summary);
        assert_eq!(
            (&row["environment"], &row["passed"]),
            (&"staging".into(), &1.into())
        );
    }

    #[test]
    fn a_parameter_is_never_read_as_sql() {
        let db = TestDatabase::new();
        let evil = "x' OR '1'='1'; DROP TABLE load_test_runs; --";
        db.run(&insert_run(&run("a", "staging", STAGING), None));
        assert!(db.rows(&run_by_id(evil)).is_empty());
        assert!(
            db.rows(&runs_page(1, Some(evil), Some(evil), Some((evil, evil))))
                .is_empty()
        );
        assert_eq!(db.rows(&running_runs()).len(), 1);
    }
}
