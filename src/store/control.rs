//! Statements on the kill switch.

use super::statement::Statement;

/// Stops everything: from now on no run starts.
pub(crate) fn stop_all(reason: &str, now: &str) -> Statement {
    set("stop", Some(reason), now)
}

/// Lets runs start again.
pub(crate) fn lift_stop(now: &str) -> Statement {
    set("run", None, now)
}

/// The columns `reason` and `changed_at` of the stop that is in force; no row when there is none.
pub(crate) fn stop_in_force() -> Statement {
    Statement::new(
        format!("SELECT reason, changed_at FROM load_test_control WHERE {STOPPED}"),
        [],
    )
}

/// Takes note that the key in KV is there. Changes a row only the first time.
pub(crate) fn note_stop_key(now: &str) -> Statement {
    Statement::new(
        "INSERT OR IGNORE INTO load_test_control (name, value, changed_at) \
         VALUES ('stop-all', 'run', ?)",
        [now.into()],
    )
}

/// Takes back [`note_stop_key`].
pub(crate) fn forget_stop_key() -> Statement {
    Statement::new(
        "DELETE FROM load_test_control WHERE name = 'stop-all' AND value = 'run'",
        [],
    )
}

/// What is true of a row that stops everything.
pub(super) const STOPPED: &str = "name = 'stop-all' AND value = 'stop'";

fn set(value: &str, reason: Option<&str>, now: &str) -> Statement {
    Statement::new(
        "INSERT INTO load_test_control (name, value, reason, changed_at) VALUES ('stop-all', ?, ?, ?) \
         ON CONFLICT (name) DO UPDATE SET \
         value = excluded.value, reason = excluded.reason, changed_at = excluded.changed_at",
        [value.into(), reason.into(), now.into()],
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::runs::{NewRun, insert_run};
    use crate::store::statement::tests::TestDatabase;

    #[test]
    fn no_run_starts_as_long_as_everything_is_stopped() {
        let db = TestDatabase::new();
        let run = NewRun {
            id: "a",
            scenario: "s",
            environment: "x",
            started_at: "2026-11-21T04:00:00.000Z",
            config_json: r#"{"environment":"x"}"#,
        };
        assert_eq!(db.run(&note_stop_key("t0")), 1);
        assert_eq!(db.run(&note_stop_key("t1")), 0, "only once");
        for _ in 0..2 {
            db.run(&stop_all("Grove is down", "t2"));
        }
        assert_eq!(db.run(&insert_run(&run, None)), 0);
        let stop = &db.rows(&stop_in_force())[0];
        assert_eq!(
            (&stop["reason"], &stop["changed_at"]),
            (&"Grove is down".into(), &"t2".into())
        );
        assert_eq!(db.run(&forget_stop_key()), 0, "a stop is not forgotten");
        db.run(&lift_stop("t3"));
        assert!(db.rows(&stop_in_force()).is_empty());
        assert_eq!(db.run(&insert_run(&run, None)), 1);
    }
}
