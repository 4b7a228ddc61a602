//! Points as lines of JSON while the run goes on, as k6's output `json` writes them.
//!
//! A line with `"type":"Metric"` comes before the first point of each metric. The points of a second come when it
//! is over, with the time of its beginning: a Counter's as their sum, those of Rates and Trends one by one.

use std::collections::BTreeSet;
use std::io::{self, Write};

use chrono::{DateTime, SecondsFormat};
use sentinel_engine::metric::{Contains, TagSet, Value};
use sentinel_engine::plan::Plan;
use serde::Serialize;
use serde_json::{Map, json};

use super::metrics::{contains_name, number};
use super::points::{Point, Second};
use super::stream::Sink;

/// Writes points to a file.
pub(super) struct Ndjson<W> {
    out: W,
    declared: BTreeSet<String>,
    thresholds: Vec<(String, String)>, // metric and expression
}

/// A point as k6 writes it.
#[derive(Serialize)]
struct PointLine<'a> {
    metric: &'a str,
    r#type: &'static str,
    data: PointData<'a>,
}

#[derive(Serialize)]
struct PointData<'a> {
    time: &'a str,
    value: serde_json::Value,
    tags: &'a serde_json::Value,
}

impl<W: Write + Send + 'static> Ndjson<W> {
    /// Writes the points of a run of this plan.
    pub(super) fn new(out: W, plan: &Plan) -> Self {
        let thresholds = plan.metering().thresholds();
        let thresholds = thresholds.iter();
        Self {
            out,
            declared: BTreeSet::new(),
            thresholds: thresholds
                .map(|threshold| (threshold.key().to_owned(), threshold.source().to_owned()))
                .collect(),
        }
    }

    fn declare(&mut self, point: &Point) -> io::Result<()> {
        let name = &point.definition.name;
        if !self.declared.insert(name.clone()) {
            return Ok(());
        }
        let own = self.thresholds.iter().filter(|(metric, _)| metric == name);
        let own: Vec<_> = own.map(|(_, expression)| expression).collect();
        let line = json!({
            "type": "Metric",
            "data": {
                "name": name,
                "type": point.definition.kind.name(),
                "contains": contains_name(point.definition.contains),
                "thresholds": own,
                "submetrics": null,
            },
            "metric": name,
        });
        writeln!(self.out, "{line}")
    }

    fn point(&mut self, time: &str, point: &Point) -> io::Result<()> {
        self.declare(point)?;
        let tags = tags(&point.tags);
        for (value, count) in values(&point.value, point.definition.contains) {
            let line = PointLine {
                metric: &point.definition.name,
                r#type: "Point",
                data: PointData {
                    time,
                    value: number(value),
                    tags: &tags,
                },
            };
            for _ in 0..count {
                serde_json::to_writer(&mut self.out, &line)?;
                self.out.write_all(b"\n")?;
            }
        }
        Ok(())
    }
}

impl<W: Write + Send + 'static> Sink for Ndjson<W> {
    fn write(&mut self, second: &Second) -> Result<(), String> {
        let time = i64::try_from(second.at_ms).ok();
        let time = time.and_then(DateTime::from_timestamp_millis);
        let time = time.map_or_else(String::new, |time| {
            time.to_rfc3339_opts(SecondsFormat::Millis, true)
        });
        let mut points = second.points.iter();
        let written = points.try_for_each(|point| self.point(&time, point));
        written
            .and_then(|()| self.out.flush())
            .map_err(|error| error.to_string())
    }

    fn recovers(&self) -> bool {
        false
    }
}

/// The values of the points, each with how many there are.
fn values(value: &Value, contains: Contains) -> Vec<(f64, u64)> {
    match value {
        Value::Counter(sum) => vec![(contains.in_unit(*sum as f64), 1)],
        Value::Gauge(gauge) => vec![(contains.in_unit(gauge.value as f64), 1)],
        Value::Rate(rate) => vec![
            (1.0, rate.matches),
            (0.0, rate.total.saturating_sub(rate.matches)),
        ],
        Value::Trend(trend) => trend
            .ascending()
            .map(|(steps, count)| (contains.in_unit(steps), count))
            .collect(),
    }
}

/// As k6 writes them: `null` when there are none, and groups as paths.
fn tags(tags: &TagSet) -> serde_json::Value {
    if tags.is_empty() {
        return serde_json::Value::Null;
    }
    let tags = tags.iter().map(|(name, value)| {
        let value = if name == "group" {
            format!("::{value}")
        } else {
            value.to_owned()
        };
        (name.to_owned(), value.into())
    });
    tags.collect::<Map<_, _>>().into()
}
