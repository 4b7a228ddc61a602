//! Numbers in Prometheus' text format
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>).

use std::str::FromStr;

/// The samples of a metric, all of them or those with certain labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    name: String,
    labels: Vec<(String, String)>,
}

/// A text that selects no samples.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} selects no samples: accepted is name or name{{label=\"value\",…}}")]
pub struct SelectorError(String);

impl FromStr for Selector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, SelectorError> {
        let refuse = || SelectorError(text.chars().take(80).collect());
        let (name, rest) = split_name(text);
        let (labels, rest) = read_labels(rest).ok_or_else(refuse)?;
        if name.is_empty() || !rest.trim().is_empty() {
            return Err(refuse());
        }
        Ok(Self {
            name: name.to_owned(),
            labels,
        })
    }
}

impl Selector {
    /// The sum of the selected samples, `None` when there is none, or one that is no finite number. Lines that are
    /// none of the format are passed over.
    #[must_use]
    pub fn sum(&self, page: &str) -> Option<f64> {
        let mut values = page.lines().filter_map(|line| self.value(line));
        let first = values.next()?;
        let sum = values.fold(first, |sum, value| sum + value);
        sum.is_finite().then_some(sum)
    }

    /// The value of a line, if it is a sample that is selected.
    fn value(&self, line: &str) -> Option<f64> {
        let (name, rest) = split_name(line.trim_start());
        if name != self.name {
            return None;
        }
        let (labels, rest) = read_labels(rest)?;
        let selected = self.labels.iter().all(|wanted| labels.contains(wanted));
        // What follows the value is the time of the sample.
        let value = rest.split_whitespace().next().filter(|_| selected)?;
        value.parse().ok()
    }
}

/// The name at the beginning of a line, and what follows it.
fn split_name(line: &str) -> (&str, &str) {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let end = line.find(|c| !is_part(c)).unwrap_or(line.len());
    line.split_at_checked(end).unwrap_or((line, ""))
}

/// The labels of a sample, if it has any, and what follows them; `None` if they are not understood.
fn read_labels(text: &str) -> Option<(Vec<(String, String)>, &str)> {
    let mut labels = Vec::new();
    let Some(mut rest) = text.trim_start().strip_prefix('{') else {
        return Some((labels, text));
    };
    loop {
        rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix('}') {
            return Some((labels, after));
        }
        let (name, after) = split_name(rest);
        let quoted = after.trim_start().strip_prefix('=')?.trim_start();
        let (value, after) = read_quoted(quoted.strip_prefix('"')?)?;
        labels.push((name.to_owned(), value));
        rest = after.trim_start();
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
}

/// The text up to the closing quote, and what follows that.
fn read_quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.chars();
    loop {
        match characters.next()? {
            '"' => return Some((value, characters.as_str())),
            '\\' => value.push(match characters.next()? {
                'n' => '\n',
                other => other,
            }),
            other => value.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PAGE: &str = "# HELP memory_bytes Memory.\n# TYPE memory_bytes gauge\n\
        memory_bytes{kind=\"heap\",of=\"a \\\"b\\\" \\\\ c\"} 1.5e3 1700000000000\n\
        memory_bytes{kind=\"stack\"} 500\r\n\
        memory_bytes_total 7\n  up 1\nbroken{a=\"b 3\nnone NaN\n\
        http_requests_total{code=\"200\",} 3\n";

    fn sum(selector: &str) -> Option<f64> {
        selector.parse::<Selector>().unwrap().sum(PAGE)
    }

    #[test]
    fn the_samples_that_are_selected_add_up() {
        for (selector, value) in [
            ("memory_bytes", Some(2_000.0)),
            ("memory_bytes{kind=\"heap\"}", Some(1_500.0)),
            ("memory_bytes{of=\"a \\\"b\\\" \\\\ c\"}", Some(1_500.0)),
            ("memory_bytes{ kind = \"stack\" , }", Some(500.0)),
            ("memory_bytes{kind=\"none\"}", None),
            ("memory", None),
            ("memory_bytes_total{}", Some(7.0)),
            ("up", Some(1.0)),
            ("broken", None),
            ("none", None),
            ("http_requests_total{code=\"200\"}", Some(3.0)),
        ] {
            assert_eq!(sum(selector), value, "{selector}");
        }
    }

    #[test]
    fn what_selects_nothing_is_refused() {
        for text in ["", "{a=\"b\"}", "name{", "name{a}", "name{a=b}", "name x"] {
            let error = text.parse::<Selector>().unwrap_err().to_string();
            assert!(error.contains("selects no samples"), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn no_page_is_too_strange(page in any::<String>(), line in "[a-z{}\"=,\\\\ 0-9.]{0,40}") {
            let selector: Selector = "a{b=\"c\"}".parse().unwrap();
            let _ = selector.sum(&page);
            let _ = selector.sum(&line);
            let _ = line.parse::<Selector>();
        }
    }
}
