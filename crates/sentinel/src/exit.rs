//! How the command ends, for whoever called it.

use std::process::ExitCode;

use sentinel_engine::summary::{RunStatus, TestRunResult};

/// The exit codes, as k6 has them (`errext/exitcodes/codes.go`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Everything that had to hold held.
    Passed = 0,
    /// A threshold, an assertion or a limit did not hold.
    ThresholdsFailed = 99,
    /// What was asked for cannot be run.
    Invalid = 104,
    /// Somebody interrupted the run.
    Interrupted = 105,
    /// The run itself broke.
    RunFailed = 107,
}

/// Why the command ended before it had done what it was asked for.
#[derive(Debug)]
pub(crate) struct Stopped {
    /// The exit code.
    pub(crate) exit: Exit,
    /// The reason, in one line or a short list.
    pub(crate) message: String,
}

impl Stopped {
    /// Something that the caller has to change.
    pub(crate) fn invalid(message: impl ToString) -> Self {
        Self {
            exit: Exit::Invalid,
            message: message.to_string(),
        }
    }

    /// Something that broke.
    pub(crate) fn failed(message: impl ToString) -> Self {
        Self {
            exit: Exit::RunFailed,
            message: message.to_string(),
        }
    }
}

impl Exit {
    /// What the exit code says about a run; what did not hold goes to the standard error.
    pub(crate) fn of(result: &TestRunResult) -> Self {
        match result.status {
            RunStatus::Cancelled => Self::Interrupted,
            RunStatus::Failed => {
                note!(
                    "sentinel: {}",
                    result.failure.as_deref().unwrap_or("the run broke")
                );
                Self::RunFailed
            }
            RunStatus::Completed if result.passed => Self::Passed,
            RunStatus::Completed => {
                for failed in &result.failed_assertions {
                    note!("sentinel: {failed}");
                }
                Self::ThresholdsFailed
            }
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
