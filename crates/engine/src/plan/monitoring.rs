//! From what a scenario says about watching its target to what is polled.

use std::borrow::Cow;

use super::flow::Flow;
use super::parse::{PlanSource, SpanField, Target, shown, span_of};
use super::problem::{Checked, Report, Reported};
use super::request::{self, Scope};
use crate::duration::Written;
use crate::metering::{Requirement, RequirementSource};
use crate::metric::{Catalog, Contains, CustomMetric, MetricId, MetricKind, Origin, TagSet};
use crate::monitor::{GROWTH_SAMPLES_MIN, GrowthLimit, Place};
use crate::plan::TARGET_BINDING;
use crate::plan::destination::Via;
use crate::random::Random;
use crate::scenario::{LoadScenario, Method, MonitoredSeries, MonitoringConfig, RequestConfig};
use crate::sorted::SortedSet;
use crate::template::{Names, RenderContext};
use crate::threshold::{self, Expression, MetricKey, Operator, Threshold};
use crate::tick::Span;

/// An endpoint of the target that is asked about it while it is under load.
#[derive(Clone, Debug)]
pub struct Monitoring {
    /// The absolute URL; where the run goes through a service binding, with the host that the target sees.
    pub url: String,
    /// The name of the service binding through which it is reached, `None` of a host.
    pub binding: Option<&'static str>,
    /// Header fields.
    pub headers: Vec<(String, String)>,
    /// Fields of the answer that are looked at, in lower case.
    pub wanted_headers: Vec<Cow<'static, str>>,
    /// The time from one poll to the next; the first is at the beginning of the load.
    pub interval: Span,
    /// How long an answer may take, at most the interval.
    pub timeout: Span,
    /// What is read, at least one.
    pub series: Vec<Monitored>,
}

/// A number that is read.
#[derive(Clone, Debug)]
pub struct Monitored {
    /// Its name, which is that of its metric.
    pub name: String,
    /// Its metric, a Gauge.
    pub metric: MetricId,
    /// The metric of its growth in percent per hour, a Gauge.
    pub growth: MetricId,
    /// What it is.
    pub contains: Contains,
    /// Where it stands.
    pub place: Place,
    /// What came before this does not count for the growth.
    pub warm_up: Span,
}

/// Adds the metrics of all series to the catalogue: what they are, and how they grow.
pub(super) fn define(
    config: Option<&MonitoringConfig>,
    catalog: &mut Catalog,
    report: &mut Report,
) -> Checked<()> {
    let series = || config.into_iter().flat_map(|config| config.series.iter());
    let gauge = |name: String, contains| CustomMetric {
        name,
        kind: MetricKind::Gauge,
        contains,
    };
    let told: Vec<_> = series()
        .map(|(name, series)| gauge(name.to_owned(), series.contains))
        .collect();
    let grown: Vec<_> = series()
        .map(|(name, _)| gauge(growth_of(name), Contains::Default))
        .collect();
    let mut result = Ok(());
    for (metrics, origin) in [(told, Origin::Target), (grown, Origin::Run)] {
        for (place, error) in catalog.define(&metrics, origin).err().into_iter().flatten() {
            let name = series().nth(place).map_or("", |(name, _)| name);
            let path = format!("scenario.monitoring.series[{}]", shown(name));
            result = Err(report.problem(path, error));
        }
    }
    result
}

/// Checks what is polled, if anything is; `catalog` has its metrics.
pub(super) fn parse(
    source: &PlanSource,
    flow: &Flow,
    target: &Target,
    catalog: &Catalog,
    report: &mut Report,
) -> Checked<Option<Monitoring>> {
    // No user asks, so that nothing of a user can be filled in.
    let scope = Scope {
        names: Names {
            variables: &[],
            tables: &flow.tables,
            env: &[],
        },
        has_tenants: false,
        keeps_cookies: false,
        follows_redirects: false,
        has_pause: true,
        has_key: false,
        via: source.options.via,
        target: Some(target),
    };
    let config = source.scenario.monitoring.as_ref();
    let parsed = config.map(|config| endpoint(config, catalog, &scope, report));
    parsed.transpose()
}

fn endpoint(
    config: &MonitoringConfig,
    catalog: &Catalog,
    scope: &Scope<'_>,
    report: &mut Report,
) -> Checked<Monitoring> {
    let path = "scenario.monitoring";
    let request = RequestConfig {
        method: Method::Get,
        url: config.url.clone(),
        headers: config.headers.clone(),
        params: None,
        body: None,
    };
    let request = request::parse(&request, path, scope, report);
    let interval = span_of(config.interval.as_deref(), &INTERVAL, report);
    let timeout = span_of(config.timeout.as_deref(), &TIMEOUT, report);
    let count = config.series.0.len();
    if count == 0 || count > SERIES_MAX {
        let message = format_args!("has {count} members: accepted are 1 to {SERIES_MAX}");
        return Err(report.problem(format!("{path}.series"), message));
    }
    let mut series = Vec::new();
    let mut result = Ok(());
    for (name, config) in config.series.iter() {
        match parse_series(name, config, catalog, report) {
            Ok(parsed) => series.push(parsed),
            Err(reported) => result = Err(reported),
        }
    }
    result?;
    let (request, interval) = (request?, interval?);
    let timeout = match config.timeout {
        Some(_) if timeout? > interval => {
            let message = format_args!("is longer than the interval of {}", Written(interval));
            return Err(report.problem(format!("{path}.timeout"), message));
        }
        _ => timeout?.min(interval),
    };
    let (url, headers) = render(&request, scope);
    let wanted_headers: SortedSet<Cow<'static, str>> = series
        .iter()
        .filter_map(|series: &Monitored| Some(Cow::Owned(series.place.header()?.to_owned())))
        .collect();
    Ok(Monitoring {
        url,
        binding: (scope.via != Via::Host).then_some(TARGET_BINDING),
        headers,
        wanted_headers: wanted_headers.into_iter().collect(),
        interval,
        timeout,
        series,
    })
}

/// Warns about alerts for which a load of this length has too little data.
pub(super) fn warn(
    scenario: &LoadScenario,
    parsed: Result<&Option<Monitoring>, &Reported>,
    duration: Span,
    report: &mut Report,
) {
    let (Some(config), Ok(Some(monitoring))) = (&scenario.monitoring, parsed) else {
        return;
    };
    for series in &monitoring.series {
        let mut configs = config.series.iter();
        let alerts =
            configs.any(|(name, one)| name == series.name && one.alert_on_growth.is_some());
        let measured = duration.as_us().saturating_sub(series.warm_up.as_us());
        if alerts && measured / monitoring.interval.as_us().max(1) < GROWTH_SAMPLES_MIN as u64 {
            let path = format!("scenario.monitoring.series.{}.alertOnGrowth", series.name);
            let message = format_args!(
                "has no data before {GROWTH_SAMPLES_MIN} polls behind the warm-up, and the load is shorter: it will not pass"
            );
            report.warning(path, message);
        }
    }
}

/// What must hold of the series: the alerts on their growth, and their bounds.
pub(super) fn requirements(
    config: Option<&MonitoringConfig>,
    catalog: &Catalog,
    report: &mut Report,
) -> Checked<Vec<Requirement>> {
    let mut requirements = Vec::new();
    let mut result = Ok(());
    let series = config.map(|config| config.series.iter());
    for (name, series) in series.into_iter().flatten() {
        let path = |field| format!("scenario.monitoring.series.{name}.{field}");
        let growth = series.alert_on_growth.as_deref().map(|text| {
            let limit = text.parse::<GrowthLimit>();
            let limit = report.check(path("alertOnGrowth"), limit);
            limit.map(|limit| limit.percent_per_hour)
        });
        let (growth, reported) = match growth.transpose() {
            Ok(growth) => (growth, Ok(())),
            Err(reported) => (None, Err(reported)),
        };
        result = result.and(reported);
        use threshold::Method::{Highest, Lowest, Value};
        for (field, key, method, operator, limit) in [
            (
                "alertOnGrowth",
                growth_of(name),
                Value,
                Operator::AtMost,
                growth,
            ),
            (
                "min",
                name.to_owned(),
                Lowest,
                Operator::AtLeast,
                series.min,
            ),
            (
                "max",
                name.to_owned(),
                Highest,
                Operator::AtMost,
                series.max,
            ),
        ] {
            let Some(limit) = limit else { continue };
            let key = MetricKey {
                name: key,
                filter: TagSet::new(),
            };
            let expression = Expression {
                method,
                operator,
                limit,
                scope: threshold::Scope::default(),
            };
            let threshold = Threshold::new(&key, expression, catalog, &[]);
            match report.check(path(field), threshold) {
                Ok(threshold) => requirements.push(Requirement {
                    threshold,
                    source: RequirementSource::Monitoring,
                }),
                Err(reported) => result = Err(reported),
            }
        }
    }
    result.map(|()| requirements)
}

fn parse_series(
    name: &str,
    config: &MonitoredSeries,
    catalog: &Catalog,
    report: &mut Report,
) -> Checked<Monitored> {
    let path = format!("scenario.monitoring.series.{name}");
    let place = report.check(format!("{path}.from"), Place::parse(&config.from));
    let field = SpanField {
        path: &format!("{path}.warmUp"),
        ..WARM_UP
    };
    let warm_up = span_of(config.warm_up.as_deref(), &field, report);
    let undefined = |report: &mut Report| report.problem(&path, "has no metric");
    let (Some(metric), Some(growth)) = (catalog.id(name), catalog.id(&growth_of(name))) else {
        return Err(undefined(report));
    };
    Ok(Monitored {
        name: name.to_owned(),
        metric,
        growth,
        contains: config.contains,
        place: place?,
        warm_up: warm_up?,
    })
}

/// The URL and the header fields, which are the same for all polls.
fn render(request: &request::Request, scope: &Scope<'_>) -> (String, Vec<(String, String)>) {
    let context = RenderContext {
        vu: 0,
        iteration: 0,
        tenant: "",
        variant: None,
        variables: &[],
        tables: scope.names.tables,
        rows: &[], // the first of each
        env: &[],
        key: None,
        unix_ms: 0,
    };
    let random = &mut Random::for_purpose(0, 0);
    let url = request.url.render(&context, random);
    let headers = request.headers.iter();
    let headers = headers.map(|(name, value)| (name.clone(), value.render(&context, random)));
    (url, headers.collect())
}

/// The name of the metric that tells how another one grows.
fn growth_of(name: &str) -> String {
    format!("{name}_growth")
}

const INTERVAL: SpanField<'static> = SpanField {
    path: "scenario.monitoring.interval",
    default: Span::from_secs(10),
    min: Span::from_secs(1),
    max: Span::from_secs(3_600),
};

const TIMEOUT: SpanField<'static> = SpanField {
    path: "scenario.monitoring.timeout",
    default: Span::from_secs(10),
    min: Span::from_ms(1),
    max: Span::from_secs(60),
};

const WARM_UP: SpanField<'static> = SpanField {
    path: "",
    default: Span::ZERO,
    min: Span::ZERO,
    max: Span::from_secs(7 * 86_400),
};

/// Each is held in the memory of the run, and drawn in its report.
const SERIES_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::plan::parse::tests::{problems, source};
    use crate::plan::{Plan, PlanSource};

    fn watching(monitoring: Value) -> PlanSource {
        let mut source = source();
        source.scenario.monitoring = Some(serde_json::from_value(monitoring).expect("monitoring"));
        source
    }

    #[test]
    fn what_is_watched_is_resolved() {
        let mut source = watching(json!({
            "url": "/metrics",
            "headers": { "Authorization": "Bearer {{data.keys.key}}" },
            "interval": "5m",
            "series": {
                "memory_bytes": {
                    "from": "prometheus:process_resident_memory_bytes",
                    "contains": "data",
                    "alertOnGrowth": "10%/hour",
                    "warmUp": "1h",
                    "max": 1e9
                },
                "depth": { "from": "header:X-Depth", "min": 1 }
            }
        }));
        source.scenario.data =
            Some(serde_json::from_value(json!({"keys": {"rows": [{"key": "k1"}]}})).expect("data"));
        let plan = Plan::parse(&source).expect("a plan");
        let warning = &plan.warnings()[0];
        assert_eq!(
            warning.path,
            "scenario.monitoring.series.memory_bytes.alertOnGrowth"
        );
        assert!(
            warning.message.contains("the load is shorter"),
            "{}",
            warning.message
        );
        let monitoring = plan.monitoring.as_ref().expect("monitoring");
        assert_eq!(monitoring.url, "https://grove.place/metrics");
        let header = ("Authorization".to_owned(), "Bearer k1".to_owned());
        assert_eq!(monitoring.headers, [header]);
        assert_eq!(monitoring.wanted_headers, ["x-depth"]);
        assert_eq!(
            (monitoring.interval, monitoring.timeout),
            (Span::from_secs(300), Span::from_secs(10))
        );
        let memory = monitoring
            .series
            .iter()
            .find(|one| one.name == "memory_bytes");
        let warm_up = memory.map(|memory| memory.warm_up);
        assert_eq!(warm_up, Some(Span::from_secs(3_600)));
        let requirements = plan.metering().requirements().iter();
        let mut asked: Vec<String> = requirements
            .map(|one| format!("{}: {}", one.threshold.key(), one.threshold.source()))
            .collect();
        asked.sort();
        assert_eq!(
            asked,
            [
                "depth: min>=1",
                "memory_bytes: max<=1000000000",
                "memory_bytes_growth: value<=10",
            ]
        );
    }

    #[test]
    fn what_cannot_be_watched_is_refused_with_its_path() {
        let of = |series: Value| json!({"url": "/metrics", "series": {"memory": series}});
        let whole = |fields: Value| {
            let mut config = of(json!({"from": "$.a"}));
            let fields = fields.as_object().expect("fields").clone();
            config.as_object_mut().expect("an object").extend(fields);
            config
        };
        for (monitoring, part) in [
            (
                of(json!({"from": "x"})),
                "scenario.monitoring.series.memory.from: \"x\" is not understood",
            ),
            (
                of(json!({"from": "prometheus:{"})),
                "series.memory.from: \"{\" selects no samples",
            ),
            (
                of(json!({"from": "$.a", "alertOnGrowth": "10"})),
                "series.memory.alertOnGrowth: \"10\" is no growth",
            ),
            (
                of(json!({"from": "$.a", "warmUp": "-1s"})),
                "series.memory.warmUp: \"-1s\" is negative",
            ),
            (
                whole(json!({"interval": "0s"})),
                "monitoring.interval: \"0s\" is out of range: accepted are 1s to 1h",
            ),
            (
                whole(json!({"interval": "5s", "timeout": "6s"})),
                "monitoring.timeout: is longer than the interval of 5s",
            ),
            (
                whole(json!({"url": "metrics"})),
                "scenario.monitoring.url: ",
            ),
            (
                whole(json!({"url": "https://elsewhere.place/"})),
                "is not among the allowed hosts",
            ),
            (
                whole(json!({"url": "/{{token}}"})),
                "scenario.monitoring.url: ",
            ),
            (
                whole(json!({"series": {}})),
                "monitoring.series: has 0 members",
            ),
            (
                whole(json!({"series": {"http_reqs": {"from": "$.a"}}})),
                "metric http_reqs is built in",
            ),
        ] {
            let text = problems(&watching(monitoring));
            assert!(text.contains(part), "{text}\n{part}");
        }
        let mut source = watching(of(json!({"from": "$.a"})));
        source.scenario.metrics = Some(
            serde_json::from_value(json!({
                "memory_growth": {"type": "gauge", "from": [{"step": "list", "value": "status"}]}
            }))
            .expect("metrics"),
        );
        let text = problems(&source);
        assert!(
            text.contains("metric memory_growth is defined twice"),
            "{text}"
        );
    }
}
