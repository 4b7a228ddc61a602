//! What is wrong with a command line, in one line: the value that was given, its option, and what is accepted.

use std::error::Error as _;

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// One line about an error of the command line.
pub(crate) fn line(error: &clap::Error) -> String {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let named = text(ContextKind::InvalidArg).zip(text(ContextKind::InvalidValue));
    let wrong = match (error.kind(), named) {
        (ErrorKind::InvalidValue, Some((option, ""))) => {
            format!("a value is missing for {option}{}", accepted(error))
        }
        (ErrorKind::InvalidValue, Some((option, value))) => {
            format!("'{value}' for {option}{}", accepted(error))
        }
        (ErrorKind::ValueValidation, Some((option, value))) => match error.source() {
            Some(reason) => format!("'{value}' for {option}: {reason}"),
            None => format!("'{value}' for {option} is not accepted"),
        },
        _ => joined(&error.render().to_string()),
    };
    format!("{wrong} (--help tells more)")
}

/// The values that are accepted, if they are a few words.
fn accepted(error: &clap::Error) -> String {
    match error.get(ContextKind::ValidValue) {
        Some(ContextValue::Strings(values)) if !values.is_empty() => {
            format!(": accepted are {}", values.join(", "))
        }
        _ => String::new(),
    }
}

/// What is said in several lines, up to where the usage is explained.
fn joined(text: &str) -> String {
    let ends = |line: &&str| line.starts_with("Usage:") || line.starts_with("For more");
    let lines = text.lines().map(str::trim).take_while(|line| !ends(line));
    let lines: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
    let all = lines.join("; ").replace(":; ", ": ");
    all.strip_prefix("error: ").unwrap_or(&all).to_owned()
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::arguments::Arguments;

    fn said(arguments: &[&str]) -> String {
        let all = ["sentinel", "run", "x"].iter().chain(arguments);
        let line = line(&Arguments::try_parse_from(all).expect_err("it is wrong"));
        assert_eq!(line.lines().count(), 1, "{line}");
        line
    }

    #[test]
    fn an_error_is_one_line_with_value_option_and_what_is_accepted() {
        for (arguments, parts) in [
            (
                &["--vus", "many"][..],
                &["'many' for --vus <N>", "whole numbers from 1 to"][..],
            ),
            (&["--rate"], &["missing for --rate <N>"]),
            (
                &["--seed", "-1"],
                &["'-1' for --seed <N>", "18446744073709551615"],
            ),
            (
                &["--summary-mode", "none"],
                &["'none' for --summary-mode", "compact, full, legacy"],
            ),
            (&["--summary-mode"], &["missing", "compact"]),
            (&["--speed", "5"], &["--speed"]),
            (&["--users", "3", "--vus", "3"], &["--users", "--vus"]),
            (&["y"], &["'y'"]),
        ] {
            let line = said(arguments);
            for part in parts {
                assert!(line.contains(part), "{arguments:?}, {part}: {line}");
            }
        }
    }
}
