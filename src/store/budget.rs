//! Statements on the daily budget of requests.
//!
//! Invariant: a reservation is made in the transaction that inserts its run, and neither making it again nor
//! settling it again changes anything, so that it does not matter whether an effect or only the answer of D1
//! was lost.

use super::statement::Statement;

/// A day's budget, and what a run may take of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Daily<'a> {
    /// The day, such as `2026-11-21`.
    pub(crate) day: &'a str,
    /// How many requests all runs that begin on this day may send together.
    pub(crate) requests: u64,
    /// How many the run wants at most.
    pub(crate) wanted: u64,
}

/// Reserves for a run what is left of the day's budget, at most what it wants. For the transaction that
/// inserts the run: without the run, or when nothing is left, nothing is reserved.
pub(crate) fn reserve(run: &str, daily: &Daily<'_>) -> Statement {
    Statement::new(
        format!(
            "INSERT INTO load_test_budget (run_id, day, reserved) \
             SELECT ?, ?, min(?, ? - {USED}) \
             WHERE EXISTS (SELECT 1 FROM load_test_runs WHERE id = ?) AND {USED} < ? \
             ON CONFLICT (run_id) DO NOTHING"
        ),
        [
            run.into(),
            daily.day.into(),
            daily.wanted.into(),
            daily.requests.into(),
            daily.day.into(),
            run.into(),
            daily.day.into(),
            daily.requests.into(),
        ],
    )
}

/// What a run has reserved, as `reserved`.
pub(crate) fn reservation(run: &str) -> Statement {
    Statement::new(
        "SELECT reserved FROM load_test_budget WHERE run_id = ?",
        [run.into()],
    )
}

/// What the runs of a day have sent or may still send, as `used`.
pub(crate) fn used_on(day: &str) -> Statement {
    Statement::new(format!("SELECT {USED} AS used"), [day.into()])
}

/// Puts what a run has sent in the place of what it reserved. A run whose count never becomes known keeps its
/// reservation.
pub(crate) fn settle(run: &str, sent: u64) -> Statement {
    Statement::new(
        "UPDATE load_test_budget SET sent = ? WHERE run_id = ?",
        [sent.into(), run.into()],
    )
}

/// Forgets the days before this one.
pub(crate) fn forget_days_before(day: &str) -> Statement {
    Statement::new("DELETE FROM load_test_budget WHERE day < ?", [day.into()])
}

/// What the runs of a day have sent or may still send; the day is its parameter.
pub(super) const USED: &str =
    "(SELECT coalesce(sum(coalesce(sent, reserved)), 0) FROM load_test_budget WHERE day = ?)";

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::store::runs::{NewRun, insert_run};
    use crate::store::statement::tests::TestDatabase;

    const DAY: &str = "2026-11-21";

    fn daily(wanted: u64) -> Daily<'static> {
        Daily {
            day: DAY,
            requests: 1_000,
            wanted,
        }
    }

    /// Starts a run on an environment of its own, as the Worker does: in one transaction.
    fn start(db: &TestDatabase, id: &str, daily: &Daily<'_>) {
        let config_json = format!(r#"{{"environment":"{id}"}}"#);
        let run = NewRun {
            id,
            scenario: "s",
            environment: id,
            started_at: "2026-11-21T04:00:00.000Z",
            config_json: &config_json,
        };
        db.run_all(&[insert_run(&run, Some(daily)), reserve(id, daily)]);
    }

    fn reserved(db: &TestDatabase, id: &str) -> Option<u64> {
        db.rows(&reservation(id)).first()?["reserved"].as_u64()
    }

    fn used(db: &TestDatabase) -> Value {
        db.rows(&used_on(DAY))[0]["used"].clone()
    }

    #[test]
    fn runs_of_a_day_share_its_budget() {
        let db = TestDatabase::new();
        start(&db, "a", &daily(700));
        start(&db, "b", &daily(700));
        start(&db, "c", &daily(700));
        assert_eq!(reserved(&db, "a"), Some(700));
        assert_eq!(reserved(&db, "b"), Some(300), "what is left");
        assert_eq!(reserved(&db, "c"), None);
        let runs = db.rows(&crate::store::running_runs());
        assert_eq!(runs.len(), 2, "c has not begun either");

        db.run(&settle("a", 100));
        assert_eq!(used(&db), 400);
        start(&db, "c", &daily(10_000));
        assert_eq!(reserved(&db, "c"), Some(600));

        db.run(&settle("b", 320));
        assert_eq!(used(&db), 1_020, "overshoot counts");
        let tomorrow = Daily {
            day: "2026-11-22",
            ..daily(50)
        };
        start(&db, "d", &tomorrow);
        assert_eq!(reserved(&db, "d"), Some(50));
        assert_eq!(db.run(&forget_days_before("2026-11-22")), 3);
        assert_eq!(reserved(&db, "d"), Some(50));
    }

    #[test]
    fn a_reservation_whose_effect_or_whose_answer_was_lost_is_made_again() {
        for lost in ["effect", "answer"] {
            let db = TestDatabase::new();
            if lost == "answer" {
                start(&db, "a", &daily(700));
            }
            start(&db, "a", &daily(700));
            assert_eq!(reserved(&db, "a"), Some(700), "{lost}");
            assert_eq!(used(&db), 700, "{lost}");

            if lost == "answer" {
                db.run(&settle("a", 500));
            }
            db.run(&settle("a", 500));
            assert_eq!(used(&db), 500, "{lost}");
            // A late repetition of the start takes nothing back.
            start(&db, "a", &daily(700));
            assert_eq!(used(&db), 500, "{lost}");
        }
    }

    #[test]
    fn a_run_that_was_refused_reserves_nothing() {
        let db = TestDatabase::new();
        db.run(&crate::store::stop_all("no", "t"));
        start(&db, "a", &daily(700));
        assert_eq!(reserved(&db, "a"), None);
        assert_eq!(used(&db), 0);
    }
}
