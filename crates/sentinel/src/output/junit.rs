//! What had to hold as JUnit test cases, which every CI system can show.

use std::io::{self, Write};

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use sentinel_engine::assertion::Verdict;
use sentinel_engine::summary::{RunStatus, TestRunResult};

/// Writes a suite for the run itself, its assertions, its thresholds and its checks, as far as it has them.
///
/// # Errors
/// When `out` refuses.
pub(super) fn write(out: impl Write, result: &TestRunResult) -> io::Result<()> {
    let mut report = Report::new(&result.scenario_name);
    let suites = [
        ("run", vec![run(result)]),
        ("assertions", assertions(result)),
        ("thresholds", thresholds(result)),
        ("checks", checks(result)),
    ];
    for (name, cases) in suites {
        if !cases.is_empty() {
            let mut suite = TestSuite::new(name);
            suite.add_test_cases(cases);
            report.add_test_suite(suite);
        }
    }
    report.serialize(out).map_err(io::Error::other)
}

/// Whether it was run to its end, and its accounts add up.
fn run(result: &TestRunResult) -> TestCase {
    let status = match (result.status, &result.failure) {
        (RunStatus::Completed, _) => TestCaseStatus::success(),
        (_, Some(failure)) => failed(NonSuccessKind::Error, failure),
        (status, None) => failed(NonSuccessKind::Error, status.name()),
    };
    TestCase::new("completed", status)
}

fn assertions(result: &TestRunResult) -> Vec<TestCase> {
    let cases = result.assertions.iter().map(|row| {
        let explained = row.assertion.explain(row.outcome);
        TestCase::new(row.assertion.to_string(), judged(row.outcome, &explained))
    });
    cases.collect()
}

fn thresholds(result: &TestRunResult) -> Vec<TestCase> {
    let cases = result.thresholds.iter().map(|row| {
        let name = format!("{}: {}", row.metric, row.threshold);
        let explained = match row.verdict.actual() {
            Some(actual) => format!("{name} (actual: {actual})"),
            None => format!("{name} (no data)"),
        };
        TestCase::new(name, judged(row.verdict, &explained))
    });
    cases.collect()
}

fn checks(result: &TestRunResult) -> Vec<TestCase> {
    let cases = result.checks.iter().map(|check| {
        let name = format!("{} / {} / {}", check.application, check.step, check.check);
        let status = if check.fails == 0 {
            TestCaseStatus::success()
        } else {
            let total = check.passes.saturating_add(check.fails);
            let message = format!("failed {} of {total} times", check.fails);
            failed(NonSuccessKind::Failure, &message)
        };
        TestCase::new(name, status)
    });
    cases.collect()
}

fn judged(verdict: Verdict, explained: &str) -> TestCaseStatus {
    match verdict {
        Verdict::Pass { .. } => TestCaseStatus::success(),
        Verdict::Fail { .. } | Verdict::NoData => failed(NonSuccessKind::Failure, explained),
    }
}

fn failed(kind: NonSuccessKind, message: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_message(message);
    status
}
