//! Statements on what is written when a run ends.

use sentinel_engine::rows::ReportRows;
use sentinel_engine::summary::Report;

use super::budget::settle;
use super::statement::{Statement, insert_rows};

/// A table of results: one row or none, or many, for each run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ResultTable {
    /// Results by application.
    Apps,
    /// Bottlenecks.
    Bottlenecks,
    /// Assertions.
    Assertions,
}

impl ResultTable {
    const fn name(self) -> &'static str {
        match self {
            Self::Apps => "load_test_app_results",
            Self::Bottlenecks => "load_test_bottlenecks",
            Self::Assertions => "load_test_assertions",
        }
    }

    fn delete(self, run: &str) -> Statement {
        let sql = format!("DELETE FROM {} WHERE run_id = ?", self.name());
        Statement::new(sql, [run.into()])
    }
}

/// Writes the outcome of a run. Rows that are there already are replaced.
pub(crate) fn store_outcome(report: &Report) -> Vec<Statement> {
    let ReportRows {
        run,
        app_results,
        bottlenecks,
        assertions,
    } = report.rows();
    let mut statements = vec![ResultTable::Apps.delete(&run.id)];
    statements.extend(insert_rows(ResultTable::Apps.name(), &app_results));
    statements.push(ResultTable::Bottlenecks.delete(&run.id));
    statements.extend(insert_rows(ResultTable::Bottlenecks.name(), &bottlenecks));
    statements.push(ResultTable::Assertions.delete(&run.id));
    statements.extend(insert_rows(ResultTable::Assertions.name(), &assertions));
    statements.push(settle(&run.id, report.result.ledger.sent));
    // The start was written when the coordinator began.
    statements.push(Statement::new(
        "UPDATE load_test_runs SET ended_at = ?, duration_ms = ?, status = ?, summary_json = ? \
         WHERE id = ?",
        [
            run.ended_at.into(),
            run.duration_ms.into(),
            run.status.into(),
            run.summary_json.into(),
            run.id.into(),
        ],
    ));
    statements
}

/// A run's rows in one of the tables.
pub(crate) fn results_of(table: ResultTable, run: &str) -> Statement {
    let sql = format!(
        "SELECT * FROM {} WHERE run_id = ? ORDER BY id",
        table.name()
    );
    Statement::new(sql, [run.into()])
}
