//! The results database (D1): what is asked of it, and asking it.
//!
//! Invariant: every value travels as a bound parameter, never inside a statement's text; every write can be
//! repeated without changing the outcome, because D1 may have done what it did not confirm.

mod budget;
mod control;
mod d1;
mod histograms;
mod metrics;
mod results;
mod retention;
mod runs;
mod statement;

pub(crate) use budget::{Daily, forget_days_before, reservation, reserve, used_on};
pub(crate) use control::{forget_stop_key, lift_stop, note_stop_key, stop_all, stop_in_force};
pub(crate) use d1::{Database, Row};
pub(crate) use histograms::{histograms_of, store_histograms};
pub(crate) use metrics::{metrics_between, metrics_page, replace_metrics};
pub(crate) use results::{ResultTable, results_of, store_outcome};
pub(crate) use retention::{expired_runs, remove_run};
pub(crate) use runs::{
    NewRun, begin_run, end_run, finished_runs, insert_run, run_by_id, running_in, running_runs,
    runs_page,
};
pub(crate) use statement::Statement;
