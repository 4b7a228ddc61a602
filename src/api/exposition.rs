//! Prometheus' text exposition format, version 0.0.4.
//!
//! Invariant: the samples of a family stand together below its `HELP` and `TYPE`, and a label's value is
//! escaped whatever it holds.
//! <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>

use std::fmt::Write as _;

/// The media type of the format.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The kinds of families.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Quantiles, with `_sum` and `_count`.
    Summary,
}

/// Metrics of one name.
#[derive(Clone, Debug)]
pub(super) struct Family {
    name: &'static str,
    text: String,
    is_empty: bool,
}

impl Family {
    /// A family without samples; `help` is one line.
    pub(super) fn new(name: &'static str, kind: Kind, help: &'static str) -> Self {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Summary => "summary",
        };
        Self {
            name,
            text: format!("# HELP {name} {help}\n# TYPE {name} {kind}\n"),
            is_empty: true,
        }
    }

    /// Adds a sample.
    pub(super) fn add(&mut self, labels: &[(&str, &str)], value: f64) {
        self.add_part("", labels, value);
    }

    /// Adds a sample of a part of the family, such as `_sum`.
    pub(super) fn add_part(&mut self, suffix: &str, labels: &[(&str, &str)], value: f64) {
        self.is_empty = false;
        self.text.push_str(self.name);
        self.text.push_str(suffix);
        for (at, (name, value)) in labels.iter().enumerate() {
            self.text.push(if at == 0 { '{' } else { ',' });
            self.text.push_str(name);
            self.text.push_str("=\"");
            push_escaped(&mut self.text, value);
            self.text.push('"');
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        // Writing into a text does not fail.
        let _ = match value {
            f64::INFINITY => writeln!(self.text, " +Inf"),
            f64::NEG_INFINITY => writeln!(self.text, " -Inf"),
            value => writeln!(self.text, " {value}"),
        };
    }

    /// Adds the family to a page, unless it has no samples.
    pub(super) fn write(&self, page: &mut String) {
        if !self.is_empty {
            page.push_str(&self.text);
        }
    }
}

fn push_escaped(text: &mut String, value: &str) {
    for c in value.chars() {
        match c {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            c => text.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use prometheus_parse::{Scrape, Value};

    use super::*;

    #[test]
    fn a_parser_reads_what_is_written() {
        let mut page = String::new();
        // The parser knows no braces inside of a value, which the format allows.
        let evil = "a\\b\"c\nd";
        let mut family = Family::new("x_total", Kind::Counter, "Help.");
        family.add(&[("a", evil), ("b", "é☃")], 7.0);
        family.add(&[], 1e300);
        family.write(&mut page);
        let mut gauge = Family::new("y", Kind::Gauge, "Help.");
        gauge.add(&[("a", "")], f64::NAN);
        gauge.add(&[("a", "1")], f64::INFINITY);
        gauge.write(&mut page);
        Family::new("empty", Kind::Gauge, "Help.").write(&mut page);

        let lines = page.lines().map(|line| Ok(line.to_owned()));
        let scrape = Scrape::parse(lines).expect("the format");
        assert_eq!(scrape.samples.len(), 4, "{page}");
        let first = &scrape.samples[0];
        assert_eq!(first.labels.get("b"), Some("é☃"));
        assert_eq!(first.value, Value::Counter(7.0));
        assert!(!page.contains("empty"));
        assert!(page.contains(r#"a="a\\b\"c\nd""#), "{page}");
    }
}
