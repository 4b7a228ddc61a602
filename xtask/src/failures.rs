//! Which tests failed, read from what the test programs print.
//!
//! Invariant: either every failed test is known by its name, or nothing is said about any.

/// Reads the output of `cargo test` line by line.
#[derive(Default)]
pub(crate) struct Failures {
    /// What could be names in the list that is being printed.
    list: Vec<String>,
    /// The names in the lists that are complete.
    names: Vec<String>,
    /// A program failed whose list is not what its result says.
    is_unclear: bool,
}

impl Failures {
    /// Takes the next line of the output.
    pub(crate) fn read(&mut self, line: &str) {
        // The word comes twice: before what the failed tests printed, and before the list of their names.
        if line == "failures:" {
            self.list.clear();
        } else if let Some(name) = line.strip_prefix("    ") {
            self.list.push(name.to_owned());
        } else if let Some(result) = line.strip_prefix("test result: FAILED. ") {
            let names = std::mem::take(&mut self.list);
            self.is_unclear |= failed(result) != Some(names.len());
            self.names.extend(names);
        }
    }

    /// The tests that failed; nothing if there are none, or not all are known by name.
    pub(crate) fn names(self) -> Vec<String> {
        if self.is_unclear {
            return Vec::new();
        }
        self.names
    }
}

/// The count in `12 passed; 1 failed; …`.
fn failed(result: &str) -> Option<usize> {
    let counts = result.split("; ");
    let mut failed = counts.filter_map(|count| count.strip_suffix(" failed"));
    failed.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::Failures;

    fn names(output: &str) -> Vec<String> {
        let mut failures = Failures::default();
        output.lines().for_each(|line| failures.read(line));
        failures.names()
    }

    const FAILED: &str = "\
running 3 tests
test one::holds ... ok
test one::breaks ... FAILED
test two::breaks ... FAILED

failures:

---- one::breaks stdout ----
thread 'one::breaks' panicked at tests/one.rs:3:5:
    an indented message

failures:
    one::breaks
    two::breaks

test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s
";

    #[test]
    fn failed_tests_are_known_by_their_names() {
        let passed = "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out";
        assert_eq!(names(passed), [] as [&str; 0]);
        let output = format!("{FAILED}{passed}\n{FAILED}");
        let twice = ["one::breaks", "two::breaks", "one::breaks", "two::breaks"];
        assert_eq!(names(&output), twice);
    }

    #[test]
    fn a_list_that_is_not_complete_says_nothing() {
        assert_eq!(
            names(&FAILED.replace("    two::breaks\n", "")),
            [] as [&str; 0]
        );
    }
}
