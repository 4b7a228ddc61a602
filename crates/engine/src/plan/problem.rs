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
            self.problems.push(bounded(path.into(), &message));
        } else {
            self.beyond = self.beyond.saturating_add(1);
        }
        Reported(())
    }

    /// Reports something that can be run but is probably not meant.
    pub(super) fn warning(&mut self, path: impl Into<String>, message: impl Display) {
        if self.warnings.len() < PROBLEMS_MAX {
            self.warnings.push(bounded(path.into(), &message));
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

/// Names from the source appear in paths and messages, however long they are.
fn bounded(path: String, message: &impl Display) -> Problem {
    let shorten = |text: String| match text.char_indices().nth(TEXT_CHARS_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    };
    Problem {
        path: shorten(path),
        message: shorten(message.to_string()),
    }
}

/// So that an error answer stays readable and bounded: 100 problems of at most 2 times 600 characters.
const PROBLEMS_MAX: usize = 100;

const TEXT_CHARS_MAX: usize = 600;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_bounded_and_says_how_much_is_left_out() {
        let mut report = Report::default();
        for _ in 0..PROBLEMS_MAX + 5 {
            report.problem("é".repeat(10_000), "x".repeat(10_000));
        }
        let Problems(problems) = report.finish().expect_err("problems");
        assert_eq!(problems.len(), PROBLEMS_MAX + 1);
        assert_eq!(problems[0].path.chars().count(), TEXT_CHARS_MAX + 1);
        assert_eq!(problems[0].message.chars().count(), TEXT_CHARS_MAX + 1);
        assert_eq!(problems[PROBLEMS_MAX].message, "and 5 more problems");
    }
}
