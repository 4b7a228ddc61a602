//! Statements on the histograms of runs.

use sentinel_engine::summary::Report;

use super::statement::{Statement, insert_rows};

/// Writes the histograms of a run: a transaction for each step, because those of many steps together may be more
/// than D1 takes in one value. What is there already is replaced.
pub(crate) fn store_histograms(report: &Report) -> Vec<Vec<Statement>> {
    let rows = report.histogram_rows();
    let of_steps = rows.chunk_by(|one, other| one.step == other.step);
    of_steps
        .filter_map(|rows| {
            let first = rows.first()?;
            let delete = Statement::new(
                "DELETE FROM load_test_histograms WHERE run_id = ? AND step = ?",
                [first.run_id.as_str().into(), first.step.into()],
            );
            let mut statements = vec![delete];
            statements.extend(insert_rows("load_test_histograms", rows));
            Some(statements)
        })
        .collect()
}

/// The histograms of a run, in the order of its steps.
pub(crate) fn histograms_of(run: &str) -> Statement {
    Statement::new(
        "SELECT * FROM load_test_histograms WHERE run_id = ? ORDER BY step, kind",
        [run.into()],
    )
}
