//! What the target told about itself, for reading.

use std::fmt::Write as _; // into a String, which takes everything

use sentinel_engine::summary::{MonitoredResult, TestRunResult};

use crate::chart;
use crate::number::{plain, tenths};
use crate::report::{heading, show as show_table, table};

/// How wide the curve of a series is, in columns.
const CURVE_COLUMNS: usize = 40;

/// A row for each series, with its curve over the run.
pub(crate) fn show(result: &TestRunResult, out: &mut String) {
    let Some(monitoring) = &result.monitoring else {
        return;
    };
    heading("what the target told about itself", out);
    let mut table = table(&["", "over time", "samples", "first", "last", "max", "%/hour"]);
    for series in &monitoring.series {
        table.add_row(row(series));
    }
    show_table(table, out);
    let (polls, failed) = (monitoring.polls, monitoring.polls_failed);
    let _ = writeln!(out, "  asked {polls} times, {failed} times in vain");
}

fn row(series: &MonitoredResult) -> [String; 7] {
    let values: Vec<f64> = series.points.iter().map(|(_, value)| *value).collect();
    let drawn: Vec<Option<f64>> = values.iter().copied().map(Some).collect();
    let curve = chart::draw(&drawn, CURVE_COLUMNS, 1).concat();
    [
        series.name.clone(),
        curve,
        series.samples.to_string(),
        plain(values.first().copied()),
        plain(values.last().copied()),
        plain(values.iter().copied().reduce(f64::max)),
        tenths(series.growth_percent_per_hour),
    ]
}
