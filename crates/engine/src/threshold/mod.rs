//! Thresholds: k6's grammar, sliding windows and scopes beyond it, and the verdict on them.
//!
//! What a scenario says ([`ThresholdMap`]) is bound to the plan's metrics ([`bind()`]) with all problems at once;
//! a [`Judge`] evaluates the bound thresholds every two seconds of the run and at its end, and says when a run
//! must be aborted. Where we differ from k6, on purpose: a threshold that saw no data has the verdict "no
//! data", which fails, while in k6 it passes (`verdict.rs` has the exact rule, with what a Counter that never
//! came means); and numbers are finite decimal ones.

mod assertion;
mod bind;
mod entry;
mod expression;
mod judge;
mod key;
mod timeline;
mod verdict;

pub use assertion::threshold_of;
pub use bind::{Abort, Threshold, ThresholdError, ThresholdProblem, bind, queries};
pub use entry::{ThresholdEntry, ThresholdMap};
pub use expression::{Expression, ExpressionError, Method, Operator, Scope};
pub use judge::{AbortDecision, EVALUATION_PERIOD, Judge, JudgeState, Outcome};
pub use key::{KeyError, MetricKey};
pub use timeline::{ScenarioSpan, Timeline};
