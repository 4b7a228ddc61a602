//! Statements on the time line.

use sentinel_engine::rows::MetricsRow;
use sentinel_engine::timeline::TimelineRow;

use super::statement::{Statement, insert_rows};

/// Writes rows of a run's time line that follow each other. Rows of the same seconds that are there already
/// are replaced.
pub(crate) fn replace_metrics(run: &str, rows: &[TimelineRow]) -> Vec<Statement> {
    let times = || rows.iter().map(|row| row.timestamp);
    let (Some(first), Some(last)) = (times().min(), times().max()) else {
        return Vec::new();
    };
    // By time and not by run: a long run has many rows, but of each second only one.
    let delete = Statement::new(
        "DELETE FROM load_test_metrics INDEXED BY idx_metrics_ts \
         WHERE timestamp BETWEEN ? AND ? AND run_id = ?",
        [first.into(), last.into(), run.into()],
    );
    let rows: Vec<MetricsRow> = rows.iter().map(|row| row.to_metrics_row(run)).collect();
    let inserts = insert_rows("load_test_metrics", &rows);
    std::iter::once(delete).chain(inserts).collect()
}

/// A page of a run's time line. `after` is the time and the number of the last row of the page before it.
pub(crate) fn metrics_page(run: &str, limit: u32, after: Option<(i64, i64)>) -> Statement {
    let (timestamp, id) = after.unwrap_or((-1, -1));
    Statement::new(
        "SELECT * FROM load_test_metrics WHERE run_id = ? AND (timestamp, id) > (?, ?) \
         ORDER BY timestamp, id LIMIT ?",
        [run.into(), timestamp.into(), id.into(), limit.into()],
    )
}

/// Rows of a run's time line after one point in time and up to another, in Unix milliseconds. Reads no more
/// rows than there are in that time.
pub(crate) fn metrics_between(run: &str, after_ms: i64, until_ms: i64, limit: u32) -> Statement {
    Statement::new(
        "SELECT * FROM load_test_metrics INDEXED BY idx_metrics_ts \
         WHERE timestamp > ? AND timestamp <= ? AND run_id = ? ORDER BY timestamp LIMIT ?",
        [after_ms.into(), until_ms.into(), run.into(), limit.into()],
    )
}

#[cfg(test)]
mod tests {
    use sentinel_engine::sorted::SortedMap;

    use sentinel_engine::phase::Phase;
    use sentinel_engine::totals::LatencyPercentiles;

    use super::*;
    use crate::store::runs::{NewRun, insert_run};
    use crate::store::statement::tests::TestDatabase;

    fn row(second: u64) -> TimelineRow {
        TimelineRow {
            timestamp: 1_795_257_861_000 + second * 1_000,
            phase: Phase::Peak,
            active_users: 3,
            requests_per_sec: 2.5,
            latency: LatencyPercentiles::default(),
            error_rate: 0.0,
            errors_by_type: SortedMap::new(),
            do_metrics: None,
            d1_metrics: None,
            storage_metrics: None,
        }
    }

    #[test]
    fn rows_that_are_written_again_replace_those_of_their_run() {
        let db = TestDatabase::new();
        for (id, environment) in [("a", "x"), ("b", "y")] {
            let config_json = &format!(r#"{{"environment":"{environment}"}}"#);
            db.run(&insert_run(
                &NewRun {
                    id,
                    scenario: "s",
                    environment,
                    started_at: "2026-11-21T04:00:00.000Z",
                    config_json,
                },
                None,
            ));
        }
        let rows: Vec<TimelineRow> = (0..20).map(row).collect();
        db.run_all(&replace_metrics("a", &rows));
        db.run_all(&replace_metrics("b", &rows));
        db.run_all(&replace_metrics("a", rows.get(5..).unwrap_or_default()));
        for run in ["a", "b"] {
            let found = db.rows(&metrics_page(run, 100, None));
            let times: Vec<_> = found.iter().map(|row| row["timestamp"].clone()).collect();
            let expected: Vec<serde_json::Value> =
                rows.iter().map(|row| row.timestamp.into()).collect();
            assert_eq!(times, expected, "{run}");
        }
        assert!(replace_metrics("a", &[]).is_empty());
    }

    #[test]
    fn pages_of_a_time_line_follow_each_other() {
        let db = TestDatabase::new();
        db.run(&insert_run(
            &NewRun {
                id: "a",
                scenario: "s",
                environment: "x",
                started_at: "2026-11-21T04:00:00.000Z",
                config_json: "{}",
            },
            None,
        ));
        let rows: Vec<TimelineRow> = (0..20).map(row).collect();
        db.run_all(&replace_metrics("a", &rows));
        let first = db.rows(&metrics_page("a", 15, None));
        let last = first.last().expect("rows");
        let place = (last["timestamp"].as_i64(), last["id"].as_i64());
        let rest = db.rows(&metrics_page("a", 15, place.0.zip(place.1)));
        assert_eq!((first.len(), rest.len()), (15, 5));

        let at = |second| row(second).timestamp as i64;
        let some = db.rows(&metrics_between("a", at(3), at(12), 5));
        let times: Vec<_> = some.iter().map(|row| row["timestamp"].as_i64()).collect();
        assert_eq!(times, [4, 5, 6, 7, 8].map(|second| Some(at(second))));
        assert_eq!(db.rows(&metrics_between("a", at(8), at(12), 5)).len(), 4);
        assert!(db.rows(&metrics_between("b", at(0), at(12), 5)).is_empty());
    }
}
