//! From metrics to samples.

use sentinel_engine::metric::{Contains, TagSet, Value};

use crate::output::metrics::{Metric, TrendStats};

/// A name, with what is sampled under it.
pub(super) struct Family<'a> {
    pub(super) name: String,
    pub(super) is_counter: bool,
    pub(super) samples: Vec<(&'a TagSet, f64)>,
}

/// The samples of a metric, by name.
pub(super) fn families(metric: &Metric) -> Vec<Family<'_>> {
    let mut families: Vec<Family<'_>> = Vec::new();
    for (tags, value) in &metric.series {
        for (suffix, number) in numbers(value, metric.definition.contains) {
            let name = format!("k6_{}{suffix}", metric.definition.name);
            let at = families.iter().position(|family| family.name == name);
            let at = at.unwrap_or_else(|| {
                families.push(Family {
                    name,
                    is_counter: matches!(value, Value::Counter(_)),
                    samples: Vec::new(),
                });
                families.len() - 1
            });
            families[at].samples.push((tags, number));
        }
    }
    families
}

/// Values by the ends of their names, in base units.
fn numbers(value: &Value, contains: Contains) -> Vec<(&'static str, f64)> {
    let base = |in_unit: f64| match contains {
        Contains::Time => in_unit / 1e3,
        Contains::Default | Contains::Data | Contains::Whole => in_unit,
    };
    let in_base = |steps: f64| base(contains.in_unit(steps));
    match value {
        Value::Counter(sum) => vec![("_total", in_base(*sum as f64))],
        Value::Gauge(gauge) => vec![("", in_base(gauge.value as f64))],
        Value::Rate(rate) => rate
            .fraction()
            .map(|rate| ("_rate", rate))
            .into_iter()
            .collect(),
        Value::Trend(_) => {
            let stats = TrendStats::of(value, contains);
            let stats = stats.into_iter().flat_map(|stats| {
                [
                    ("_count", stats.count as f64),
                    ("_sum", base(stats.sum)),
                    ("_avg", base(stats.avg)),
                    ("_min", base(stats.min)),
                    ("_med", base(stats.med)),
                    ("_max", base(stats.max)),
                    ("_p90", base(stats.p90)),
                    ("_p95", base(stats.p95)),
                    ("_p99", base(stats.p99)),
                ]
            });
            stats.collect()
        }
    }
}
