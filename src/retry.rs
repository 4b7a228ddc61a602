//! Which errors of the platform are worth another try, and how often.
//!
//! Invariant: what is tried again may be done twice without harm. Calls to a coordinator are; what goes to D1
//! through the outbox is. What is not is never tried again here.

use std::future::Future;

use js_sys::Reflect;
use worker::Error;
use worker::wasm_bindgen::JsValue;

/// How often a coordinator is asked at most.
pub(crate) const ATTEMPTS_MAX: u32 = 3;

/// What an error of D1 says about the transaction that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DatabaseTrouble {
    /// D1 is away, busy or being restarted: the same transaction may succeed later.
    Passing,
    /// The run of these rows is no longer there, so that nobody will read what else it has to say.
    RunDeleted,
    /// D1 can never take these rows, but may take others.
    Impossible,
}

impl DatabaseTrouble {
    /// Reads the text of an error. D1 names three that a writer should try again ("Network connection lost",
    /// "storage caused object to be reset", "reset because its code was updated";
    /// <https://developers.cloudflare.com/d1/best-practices/retry-queries/>) because a write may have been done
    /// although it failed. The outbox's transactions may be done twice, so that every text which does not
    /// blame the rows counts as passing: no row is given up for a reason that nobody has thought of.
    pub(crate) fn of(message: &str) -> Self {
        // All rows of a run refer to it, and to nothing else.
        const DELETED: &str = "FOREIGN KEY constraint failed";
        const IMPOSSIBLE: [&str; 5] = [
            "constraint failed",
            "SQLITE_TOOBIG",
            "string or blob too big",
            "too many SQL variables",
            "Statement too long",
        ];
        if message.contains(DELETED) {
            Self::RunDeleted
        } else if IMPOSSIBLE.iter().any(|text| message.contains(text)) {
            Self::Impossible
        } else {
            Self::Passing
        }
    }
}

/// Whether the error of a call to a Durable Object is one that the platform calls retryable and that does not
/// come from an overloaded object, which another try would only make worse
/// (<https://developers.cloudflare.com/durable-objects/best-practices/error-handling/>).
pub(crate) fn is_retryable(error: &Error) -> bool {
    let Error::UnknownJsError { original, .. } = error else {
        return false;
    };
    let says = |property: &str| {
        let value = Reflect::get(original, &JsValue::from(property));
        value.is_ok_and(|value| value.is_truthy())
    };
    may_try_again(says("retryable"), says("overloaded"))
}

const fn may_try_again(retryable: bool, overloaded: bool) -> bool {
    retryable && !overloaded
}

/// Asks up to [`ATTEMPTS_MAX`] times, as long as the errors pass and with a longer wait each time, given in
/// milliseconds. Each attempt asks anew: nothing of a failed one is used again.
///
/// # Errors
/// The error of the last attempt.
pub(crate) async fn retrying<T, E, Ask, Asked, Wait, Waited>(
    mut ask: Ask,
    passes: impl Fn(&E) -> bool,
    mut wait: Wait,
) -> Result<T, E>
where
    Ask: FnMut() -> Asked,
    Asked: Future<Output = Result<T, E>>,
    Wait: FnMut(u64) -> Waited,
    Waited: Future<Output = ()>,
{
    let mut attempt = 1;
    loop {
        match ask().await {
            Err(error) if attempt < ATTEMPTS_MAX && passes(&error) => {
                wait(FIRST_WAIT_MS << (attempt - 1)).await;
                attempt += 1;
            }
            answer => return answer,
        }
    }
}

/// The wait before the second attempt.
const FIRST_WAIT_MS: u64 = 100;

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::future::ready;

    use futures::FutureExt as _;

    use super::*;

    #[test]
    fn only_what_is_retryable_and_not_overloaded_is_tried_again() {
        assert!(may_try_again(true, false));
        for (retryable, overloaded) in [(true, true), (false, true), (false, false)] {
            assert!(!may_try_again(retryable, overloaded));
        }
    }

    /// Asks something that gives these answers, one after the other: the last answer, how often it was asked,
    /// and the waits between.
    fn asked(answers: &[Result<u32, bool>]) -> (Result<u32, bool>, usize, Vec<u64>) {
        let left = RefCell::new(answers.iter().copied());
        let waits = RefCell::new(Vec::new());
        let answer = retrying(
            || ready(left.borrow_mut().next().expect("an answer")),
            |passes| *passes,
            |ms| {
                waits.borrow_mut().push(ms);
                ready(())
            },
        );
        let answer = answer.now_or_never().expect("nothing is waited for");
        let asked = answers.len() - left.borrow().len();
        (answer, asked, waits.into_inner())
    }

    #[test]
    fn a_coordinator_is_asked_again_while_its_errors_pass_and_at_most_three_times() {
        assert_eq!(asked(&[Ok(1)]), (Ok(1), 1, vec![]));
        assert_eq!(asked(&[Err(true), Ok(2)]), (Ok(2), 2, vec![100]));
        assert_eq!(asked(&[Err(false), Ok(2)]), (Err(false), 1, vec![]));
        let away = [Err(true); 9];
        assert_eq!(asked(&away), (Err(true), 3, vec![100, 200]));
    }

    #[test]
    fn no_row_is_given_up_unless_d1_says_that_it_can_never_take_it() {
        for message in [
            "D1_ERROR: Network connection lost.",
            "D1_ERROR: D1 DB storage operation exceeded timeout which caused object to be reset.",
            "D1_ERROR: internal error; storage caused object to be reset",
            "D1 DB reset because its code was updated.",
            "D1_ERROR: D1 DB is overloaded. Too many requests queued.",
            "D1_ERROR: no such table: load_test_runs: SQLITE_ERROR",
            "something that nobody has seen yet",
            "",
        ] {
            let trouble = DatabaseTrouble::of(message);
            assert_eq!(trouble, DatabaseTrouble::Passing, "{message}");
        }
        let deleted = "D1_ERROR: FOREIGN KEY constraint failed: SQLITE_CONSTRAINT";
        assert_eq!(DatabaseTrouble::of(deleted), DatabaseTrouble::RunDeleted);
        for message in [
            "D1_ERROR: string or blob too big: SQLITE_TOOBIG",
            "D1_ERROR: UNIQUE constraint failed: load_test_metrics.id: SQLITE_CONSTRAINT",
            "D1_ERROR: NOT NULL constraint failed: load_test_runs.scenario_name: SQLITE_CONSTRAINT",
            "D1_ERROR: CHECK constraint failed: status: SQLITE_CONSTRAINT",
        ] {
            let trouble = DatabaseTrouble::of(message);
            assert_eq!(trouble, DatabaseTrouble::Impossible, "{message}");
        }
    }
}
