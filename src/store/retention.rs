//! Statements that remove old runs.

use super::statement::Statement;

/// Runs that were to be kept until before `now` and may be removed, oldest first. A run is kept for as many days as
/// it was started with, or else for `days`; without either for ever. The last run of a scenario on an environment
/// that has passed stays, whatever its age: later runs are compared with it.
pub(crate) fn expired_runs(now: &str, days: Option<u32>, limit: u32) -> Statement {
    Statement::new(
        format!(
            "SELECT old.id FROM load_test_runs old \
             WHERE old.status <> 'running' \
             AND julianday(old.started_at) + coalesce({}, ?) < julianday(?) AND NOT ({} AND NOT EXISTS ( \
             SELECT 1 FROM load_test_runs new WHERE new.scenario_name = old.scenario_name \
             AND new.started_at > old.started_at AND {} AND {} = {})) \
             ORDER BY old.started_at LIMIT ?",
            config("old", "retentionDays"),
            passed("old"),
            passed("new"),
            environment("new"),
            environment("old"),
        ),
        [days.into(), now.into(), limit.into()],
    )
}

/// Removes a run from all tables: one transaction, which may be repeated.
pub(crate) fn remove_run(run: &str) -> Vec<Statement> {
    let delete = |(table, column): (&str, &str)| {
        Statement::new(
            format!("DELETE FROM {table} WHERE {column} = ?"),
            [run.into()],
        )
    };
    [
        ("load_test_histograms", "run_id"),
        ("load_test_metrics", "run_id"),
        ("load_test_app_results", "run_id"),
        ("load_test_bottlenecks", "run_id"),
        ("load_test_assertions", "run_id"),
        ("load_test_runs", "id"),
    ]
    .map(delete)
    .to_vec()
}

fn passed(run: &str) -> String {
    format!(
        "coalesce(CASE WHEN json_valid({run}.summary_json) \
         THEN json_extract({run}.summary_json, '$.passed') END, 0) = 1"
    )
}

fn environment(run: &str) -> String {
    format!("coalesce({}, '')", config(run, "environment"))
}

/// A field of what a run was started with, null if there is none.
fn config(run: &str, field: &str) -> String {
    format!(
        "CASE WHEN json_valid({run}.config_json) THEN json_extract({run}.config_json, '$.{field}') END"
    )
}

#[cfg(test)]
mod tests {
    use sentinel_engine::phase::Phase;
    use sentinel_engine::timeline::TimelineRow;
    use sentinel_engine::totals::LatencyPercentiles;

    use super::*;
    use crate::store::runs::{NewRun, end_run, insert_run};
    use crate::store::statement::tests::TestDatabase;
    use crate::store::{histograms_of, metrics_page, replace_metrics, run_by_id};

    fn run(
        db: &TestDatabase,
        id: &str,
        scenario: &str,
        environment: &str,
        day: u32,
        summary: &str,
    ) {
        let started_at = format!("2026-11-{day:02}T04:00:00.000Z");
        let run = NewRun {
            id,
            scenario,
            environment,
            started_at: &started_at,
            config_json: &format!(r#"{{"environment":"{environment}"}}"#),
        };
        assert_eq!(db.run(&insert_run(&run, None)), 1);
        if !summary.is_empty() {
            db.run(&end_run(id, "completed", &started_at, summary));
        }
    }

    fn expired(db: &TestDatabase, limit: u32) -> Vec<String> {
        let rows = db.rows(&expired_runs("2026-11-30T00:00:00.000Z", Some(10), limit));
        let id = |row: &super::super::Row| row["id"].as_str().unwrap_or_default().to_owned();
        rows.iter().map(id).collect()
    }

    const PASSED: &str = r#"{"passed":true}"#;
    const FAILED: &str = r#"{"passed":false}"#;

    #[test]
    fn old_runs_go_and_the_last_that_passed_stays() {
        let db = TestDatabase::new();
        run(&db, "a1", "s", "x", 1, PASSED);
        run(&db, "a2", "s", "x", 2, PASSED);
        run(&db, "a3", "s", "x", 3, FAILED);
        run(&db, "b1", "s", "y", 1, PASSED);
        run(&db, "c1", "t", "x", 4, "not JSON");
        run(&db, "d1", "t", "x", 21, FAILED);
        run(&db, "e1", "t", "z", 1, "");
        assert_eq!(expired(&db, 10), ["a1", "a3", "c1"], "e1 is running");
        assert_eq!(expired(&db, 2), ["a1", "a3"]);
        // As soon as a younger run has passed, the baseline is another.
        run(&db, "a4", "s", "x", 22, PASSED);
        assert_eq!(expired(&db, 10), ["a1", "a2", "a3", "c1"]);
    }

    #[test]
    fn a_run_may_be_kept_for_longer_or_shorter_than_others() {
        let db = TestDatabase::new();
        let start = |id: &str, day: u32, config_json: &str| {
            let run = NewRun {
                id,
                scenario: "s",
                environment: id,
                started_at: &format!("2026-11-{day:02}T04:00:00.000Z"),
                config_json,
            };
            assert_eq!(db.run(&insert_run(&run, None)), 1);
            db.run(&end_run(id, "completed", run.started_at, FAILED));
        };
        start("usual", 2, "{}");
        start("longer", 3, r#"{"retentionDays":40}"#);
        start("shorter", 24, r#"{"retentionDays":5}"#);
        start("at-once", 29, r#"{"retentionDays":0}"#);
        start("unreadable", 4, "not JSON");
        start("young", 25, "{}");
        let expired = |days: Option<u32>| -> Vec<String> {
            let rows = db.rows(&expired_runs("2026-11-30T00:00:00.000Z", days, 10));
            let id = |row: &super::super::Row| row["id"].as_str().unwrap_or_default().to_owned();
            rows.iter().map(id).collect()
        };
        assert_eq!(
            expired(Some(10)),
            ["usual", "unreadable", "shorter", "at-once"]
        );
        assert_eq!(expired(None), ["shorter", "at-once"], "the others for ever");
    }

    #[test]
    fn a_run_is_removed_from_all_tables_and_its_neighbours_are_not() {
        let db = TestDatabase::new();
        run(&db, "a", "s", "x", 1, FAILED);
        run(&db, "b", "s", "y", 1, FAILED);
        let row = |second: u64| TimelineRow {
            timestamp: 1_795_257_861_000 + second * 1_000,
            phase: Phase::Peak,
            active_users: 3,
            requests_per_sec: 2.5,
            latency: LatencyPercentiles::default(),
            error_rate: 0.0,
            errors_by_type: sentinel_engine::sorted::SortedMap::new(),
            do_metrics: None,
            d1_metrics: None,
            storage_metrics: None,
        };
        let rows: Vec<TimelineRow> = (0..20).map(row).collect();
        for id in ["a", "b"] {
            db.run_all(&replace_metrics(id, &rows));
        }
        for id in ["a", "b"] {
            db.run(&Statement::new(
                "INSERT INTO load_test_histograms VALUES (?, 0, 'app', 'step', 'service', '[0]')",
                [id.into()],
            ));
        }
        for _ in 0..2 {
            db.run_all(&remove_run("a"));
        }
        assert!(db.rows(&histograms_of("a")).is_empty());
        assert_eq!(db.rows(&histograms_of("b")).len(), 1);
        assert!(db.rows(&run_by_id("a")).is_empty());
        assert!(db.rows(&metrics_page("a", 100, None)).is_empty());
        assert_eq!(db.rows(&run_by_id("b")).len(), 1);
        assert_eq!(db.rows(&metrics_page("b", 100, None)).len(), 20);
    }
}
