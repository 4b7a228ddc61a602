//! Prometheus' text exposition format, version 0.0.4, for the node exporter's textfile collector or a push gateway.
//! <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>

use std::fmt::Write as _;

use super::sample::families;
use crate::output::report::Report;

/// What a run measured.
pub(in crate::output) fn text(report: &Report<'_>) -> String {
    let mut text = String::new();
    for metric in report.metrics.iter() {
        for family in families(metric) {
            let kind = if family.is_counter {
                "counter"
            } else {
                "gauge"
            };
            // Writing into a text does not fail.
            let _ = writeln!(text, "# TYPE {} {kind}", family.name);
            for (tags, value) in family.samples {
                let _ = write!(text, "{}{{testid=\"", family.name);
                push_escaped(&mut text, &report.result.id);
                for (name, value) in tags.iter() {
                    let _ = write!(text, "\",{}=\"", label(name));
                    push_escaped(&mut text, value);
                }
                let _ = writeln!(text, "\"}} {value}");
            }
        }
    }
    text
}

/// A tag's name as a label's: of ASCII letters, digits and `_`, and no digit first.
pub(super) fn label(name: &str) -> String {
    let mut label: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    if label.starts_with(|c: char| c.is_ascii_digit()) || label.is_empty() {
        label.insert(0, '_');
    }
    label
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
