//! Metrics over OTLP/HTTP, in its JSON encoding, once a second.
//! <https://opentelemetry.io/docs/specs/otlp/#otlphttp>
//!
//! All numbers are of the run so far ("cumulative"), so that one that is lost is made good by the next. A Counter
//! is a sum, a Gauge a gauge, a Trend a histogram, and a Rate two sums, `.occurred` and `.total`, as in k6's output
//! `opentelemetry`.

use sentinel_engine::metric::{Contains, TagSet, Trend, Value};
use serde_json::{Value as Json, json};

use super::metrics::{Metric, Metrics, TrendStats};
use super::points::Second;
use super::push::Push;
use super::stream::Sink;

/// Where the buckets of histograms end: OpenTelemetry's, finer below 5.
const BOUNDS: [f64; 17] = [
    0.0, 1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 75.0, 100.0, 250.0, 500.0, 750.0, 1_000.0, 2_500.0,
    5_000.0, 7_500.0, 10_000.0,
];

/// `AGGREGATION_TEMPORALITY_CUMULATIVE`.
const CUMULATIVE: u32 = 2;

/// Sends what the run has measured so far.
pub(super) struct Otlp {
    push: Push,
    resource: Json,
    start_ns: String,
    so_far: Metrics,
}

impl Otlp {
    /// Sends to this address what a run measures that started at this Unix time.
    pub(super) fn new(push: Push, run: &str, scenario: &str, start_ms: u64) -> Self {
        let attributes = [
            attribute("service.name", "sentinel"),
            attribute("test.run.id", run),
            attribute("test.scenario", scenario),
        ];
        Self {
            push,
            resource: json!({ "attributes": attributes }),
            start_ns: nanoseconds(start_ms),
            so_far: Metrics::default(),
        }
    }

    fn request(&self, at_ms: u64) -> Json {
        let times = (self.start_ns.as_str(), nanoseconds(at_ms));
        let metrics = self.so_far.iter();
        let metrics = metrics.flat_map(|metric| told(metric, (times.0, &times.1)));
        json!({
            "resourceMetrics": [{
                "resource": self.resource,
                "scopeMetrics": [{
                    "scope": { "name": "sentinel", "version": env!("CARGO_PKG_VERSION") },
                    "metrics": metrics.collect::<Vec<_>>(),
                }],
            }],
        })
    }
}

impl Sink for Otlp {
    fn write(&mut self, second: &Second) -> Result<(), String> {
        for point in &second.points {
            self.so_far
                .add(&point.definition, &point.tags, &point.value);
        }
        let body = self.request(second.at_ms.saturating_add(1_000)).to_string();
        let fields = [("content-type", "application/json")];
        self.push.post(&fields, body.into_bytes())
    }

    fn recovers(&self) -> bool {
        true
    }
}

/// A metric in OTLP's words: `times` are the start of the run and now.
fn told(metric: &Metric, times: (&str, &str)) -> Vec<Json> {
    let name = &metric.definition.name;
    let contains = metric.definition.contains;
    let unit = match contains {
        Contains::Time => "ms",
        Contains::Data => "By",
        Contains::Default | Contains::Whole => "1",
    };
    let sums = |name: String, of: &dyn Fn(&Value) -> Option<f64>| {
        let points = points(metric, times, |value| {
            Some(json!({ "asDouble": of(value)? }))
        });
        let sum = json!({
            "dataPoints": points,
            "aggregationTemporality": CUMULATIVE,
            "isMonotonic": true,
        });
        json!({ "name": name, "unit": unit, "sum": sum })
    };
    match metric.total() {
        None => Vec::new(),
        Some(Value::Counter(_)) => vec![sums(name.clone(), &|value| match value {
            Value::Counter(sum) => Some(contains.in_unit(*sum as f64)),
            _ => None,
        })],
        Some(Value::Rate(_)) => {
            let part = |total: bool| {
                move |value: &Value| match value {
                    Value::Rate(rate) if total => Some(rate.total as f64),
                    Value::Rate(rate) => Some(rate.matches as f64),
                    _ => None,
                }
            };
            vec![
                sums(format!("{name}.occurred"), &part(false)),
                sums(format!("{name}.total"), &part(true)),
            ]
        }
        Some(Value::Gauge(_)) => {
            let points = points(metric, times, |value| match value {
                Value::Gauge(gauge) => {
                    Some(json!({ "asDouble": contains.in_unit(gauge.value as f64) }))
                }
                _ => None,
            });
            vec![json!({ "name": name, "unit": unit, "gauge": { "dataPoints": points } })]
        }
        Some(Value::Trend(_)) => {
            let points = points(metric, times, |value| histogram(value, contains));
            let histogram = json!({ "dataPoints": points, "aggregationTemporality": CUMULATIVE });
            vec![json!({ "name": name, "unit": unit, "histogram": histogram })]
        }
    }
}

/// A point for each series, with what `of` makes of its value.
fn points(
    metric: &Metric,
    (start, now): (&str, &str),
    of: impl Fn(&Value) -> Option<Json>,
) -> Vec<Json> {
    let points = metric.series.iter().filter_map(|(tags, value)| {
        let mut point = of(value)?;
        point["attributes"] = attributes(tags);
        point["startTimeUnixNano"] = start.into();
        point["timeUnixNano"] = now.into();
        Some(point)
    });
    points.collect()
}

fn histogram(value: &Value, contains: Contains) -> Option<Json> {
    let Value::Trend(trend) = value else {
        return None;
    };
    let stats = TrendStats::of(value, contains)?;
    Some(json!({
        "count": stats.count.to_string(), // 64 bits are text in OTLP's JSON
        "sum": stats.sum,
        "min": stats.min,
        "max": stats.max,
        "explicitBounds": BOUNDS,
        "bucketCounts": bucket_counts(trend, contains),
    }))
}

/// How many values are in each bucket: above the bound before it, and at most its own.
fn bucket_counts(trend: &Trend, contains: Contains) -> Vec<String> {
    let mut counts = [0_u64; BOUNDS.len() + 1];
    for (steps, count) in trend.ascending() {
        let value = contains.in_unit(steps);
        let bucket = BOUNDS.partition_point(|bound| *bound < value);
        if let Some(sum) = counts.get_mut(bucket) {
            *sum += count;
        }
    }
    counts.iter().map(u64::to_string).collect()
}

fn attributes(tags: &TagSet) -> Json {
    tags.iter()
        .map(|(name, value)| attribute(name, value))
        .collect()
}

fn attribute(key: &str, value: &str) -> Json {
    json!({ "key": key, "value": { "stringValue": value } })
}

fn nanoseconds(ms: u64) -> String {
    format!("{ms}000000")
}
