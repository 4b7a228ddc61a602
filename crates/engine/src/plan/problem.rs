//! What is wrong with a source, collected so that all of it is told at once.

use std::fmt::Display;

use serde::Serialize;

/// Something in a plan's source that cannot be run, or that is probably not meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Where: a path such as `scenario.userProfile.peak.duration`.
    pub path: String,
    /// What was rejected, and what is accepted.
    pub message: String,
}

/// All problems of a source, at least one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(|p| format!("{}: {}", p.path, p.message)).collect::<Vec<_>>().join("; "))]
pub struct Problems(pub Vec<Problem>);

/// Collects problems and warnings.
#[derive(Debug, Default)]
pub(super) struct Report {
    problems: Vec<Problem>,
    beyond: usize, // problems after the first PROBLEMS_MAX
    warnings: Vec<Problem>,
}

/// Says that a problem has been reported: the only way to get one is to report it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reported(());

/// A part of the plan, unless a problem with it has been reported.
pub(super) type Checked<T> = Result<T, Reported>;

impl Report {
    /// Reports a problem.
    pub(super) fn problem(&mut self, path: impl Into<String>, message: impl Display) -> Reported {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(Problem {
                path: path.into(),
                message: message.to_string(),
            });
        } else {
            self.beyond = self.beyond.saturating_add(1);
        }
        Reported(())
    }

    /// Reports something that can be run but is probably not meant.
    pub(super) fn warning(&mut self, path: impl Into<String>, message: impl Display) {
        if self.warnings.len() < PROBLEMS_MAX {
            self.warnings.push(Problem {
                path: path.into(),
                message: message.to_string(),
            });
        }
    }

    /// Takes a result apart: the value, or the error as a problem.
    pub(super) fn check<T>(
        &mut self,
        path: impl Into<String>,
        result: Result<T, impl Display>,
    ) -> Checked<T> {
        result.map_err(|error| self.problem(path, error))
    }

    /// The warnings if there was no problem.
    pub(super) fn finish(mut self) -> Result<Vec<Problem>, Problems> {
        if self.problems.is_empty() {
            return Ok(self.warnings);
        }
        if self.beyond > 0 {
            self.problems.push(Problem {
                path: "scenario".to_owned(),
                message: format!("and {} more problems", self.beyond),
            });
        }
        Err(Problems(self.problems))
    }
}

/// So that an error answer stays readable and bounded.
const PROBLEMS_MAX: usize = 100;
