//! From a request step of a file to a step of the plan.

use std::borrow::Cow;

use url::Url;

use super::destination::{Destination, Via};
use super::parse::{check_name, shown};
use super::problem::{Checked, Report};
use super::program::Numbers;
use super::request::{self, Request, Scope};
use super::stream;
use super::types::{Extraction, Repeat, Step};
use crate::check::{Check, Condition};
use crate::cookie::Site;
use crate::duration::{self, Written};
use crate::extractor::{Extractor, VALUE_BYTES_MAX, compile_regex};
use crate::response::ExpectedStatus;
use crate::scenario::{
    CheckConfig, ExpectedStatuses, ExtractMap, ExtractPick, ExtractRule, LatencyLimits,
    LengthConfig, RepeatPattern, RequestStep,
};
use crate::sorted::SortedSet;
use crate::template::Template;
use crate::tick::Span;

/// Checks a request of a flow; `path` is that of its step, `field` that of the request in it.
pub(super) fn parse(
    step: &RequestStep,
    path: &str,
    field: &str,
    variants: &[String],
    scope: &Scope<'_>,
    numbers: &mut Numbers,
    report: &mut Report,
) -> Checked<Step> {
    let id = numbers.step();
    let name = check_name(&step.name, format!("{path}.name"), report);
    let request = request::parse(&step.request, &format!("{path}.{field}"), scope, report);
    let expected = expected(step.expect.status.as_ref(), path, report);
    let limits = latency_limits(step.expect.latency_ms, path, report);
    let extractions = extractions(
        step.extract.as_ref(),
        &format!("{path}.extract"),
        scope,
        report,
    );
    let probability = step.probability.unwrap_or(1.0);
    let mut result = Ok(());
    if !(probability > 0.0 && probability <= 1.0) {
        result = Err(report.problem(
            format!("{path}.probability"),
            format_args!("{probability} is not a chance: accepted are numbers above 0 up to 1"),
        ));
    }
    if step.parallel && step.think.is_some() {
        result = Err(report.problem(
            format!("{path}.think"),
            "a parallel step has no time to think: write a \"think\" step after the parallel ones",
        ));
    }
    let repeat = step
        .repeat_pattern
        .as_ref()
        .map(|pattern| repeat(pattern, path, report))
        .transpose();
    let mut names = SortedSet::new();
    let written = step.expect.checks.as_deref();
    let path_of_checks = format!("{path}.expect.checks");
    let checks = checks(written, &path_of_checks, &mut names, numbers, report);
    let stream = step.stream.as_ref().map(|config| {
        let path = format!("{path}.stream");
        stream::parse(config, &path, scope, &mut names, numbers, report)
    });
    let unless_set = step.unless_set.as_deref().map(|name| {
        scope.variable(name).ok_or_else(|| {
            let message = format!("no step extracts a variable {}", shown(name));
            report.problem(format!("{path}.unlessSet"), message)
        })
    });
    let only_variants = only_variants(step, path, variants, report);
    result?;
    name?;
    let (extractions, checks, stream) = (extractions?, checks?, stream.transpose()?);
    if stream.is_some() {
        stream::check_rest(&checks, &extractions, path, report)?;
    }
    let Request { url, headers, body } = request?;
    Ok(Step {
        id,
        name: step.name.clone(),
        destination: destination(&url, scope),
        method: step.request.method,
        headers,
        body,
        expected: expected?,
        wanted_headers: wanted_headers(&extractions, &checks, scope),
        site: Site::of(url.literal_start()),
        checks,
        extractions,
        stream: stream.map(Box::new),
        socket: None,
        url,
        repeat: repeat?,
        thinks_after: step.think.is_some(),
        parallel: step.parallel,
        background: step.background,
        probability,
        unless_set: unless_set.transpose()?,
        only_variants: only_variants?,
        latency_limits: limits?,
    })
}

/// The binding leads to the Worker behind the base URL, and to nothing else.
fn destination(url: &Template, scope: &Scope<'_>) -> Destination {
    let origin = |url: &Url| url.origin();
    let base = scope.target.map(|target| origin(&target.base_url));
    let own = Url::parse(url.literal_start()).ok().as_ref().map(origin);
    if scope.via == Via::Binding && base.is_some() && own == base {
        Destination::Binding
    } else {
        Destination::Host
    }
}

fn expected(
    statuses: Option<&ExpectedStatuses>,
    path: &str,
    report: &mut Report,
) -> Checked<ExpectedStatus> {
    let statuses = match statuses {
        None => return Ok(ExpectedStatus::Ok),
        Some(ExpectedStatuses::One(status)) => std::slice::from_ref(status),
        Some(ExpectedStatuses::AnyOf(statuses)) => statuses.as_slice(),
    };
    let path = format!("{path}.expect.status");
    if statuses.is_empty() {
        return Err(report.problem(path, "is empty: leave it out to accept 200 to 299"));
    }
    let mut accepted = SortedSet::new();
    for status in statuses {
        match u16::try_from(*status) {
            Ok(status) if (100..600).contains(&status) => {
                accepted.insert(status);
            }
            _ => {
                return Err(report.problem(
                    path,
                    format_args!("{status} is not an HTTP status: accepted are 100 to 599"),
                ));
            }
        }
    }
    Ok(ExpectedStatus::OneOf(accepted.into_iter().collect()))
}

fn latency_limits(
    limits: Option<LatencyLimits>,
    path: &str,
    report: &mut Report,
) -> Checked<LatencyLimits> {
    let Some(limits) = limits else {
        return Ok(LatencyLimits::default());
    };
    let mut result = Ok(limits);
    let LatencyLimits { p50, p95, p99, max } = limits;
    for (name, limit) in [("p50", p50), ("p95", p95), ("p99", p99), ("max", max)] {
        if limit.is_some_and(|limit| !(limit > 0.0 && limit.is_finite())) {
            result = Err(report.problem(
                format!("{path}.expect.latencyMs.{name}"),
                "is not a limit: accepted are numbers of milliseconds above 0",
            ));
        }
    }
    result
}

/// Checks which values are taken, as it is written at `path`.
pub(super) fn extractions(
    written: Option<&ExtractMap>,
    path: &str,
    scope: &Scope<'_>,
    report: &mut Report,
) -> Checked<Vec<Extraction>> {
    let mut extractions = Vec::new();
    let mut result = Ok(());
    for (name, rule) in written.into_iter().flat_map(ExtractMap::iter) {
        let path = format!("{path}.{name}");
        let extractor = report.check(&path, Extractor::parse(rule.place()));
        let (pick, default) = match rule {
            ExtractRule::From(_) => (ExtractPick::First, None),
            ExtractRule::Full(config) => (config.pick.unwrap_or_default(), config.default.clone()),
        };
        if default
            .as_ref()
            .is_some_and(|text| text.len() > VALUE_BYTES_MAX)
        {
            let message = format_args!("is longer than {VALUE_BYTES_MAX} bytes");
            result = Err(report.problem(format!("{path}.default"), message));
        }
        match (extractor, scope.variable(name)) {
            (Ok(extractor), Some(variable)) => extractions.push(Extraction {
                variable,
                extractor,
                pick,
                default,
            }),
            (Err(reported), _) => result = Err(reported),
            (Ok(_), None) => {} // not a name, or one too many: reported with the variables
        }
    }
    result.map(|()| extractions)
}

fn only_variants(
    step: &RequestStep,
    path: &str,
    variants: &[String],
    report: &mut Report,
) -> Checked<Vec<u16>> {
    let Some(names) = &step.variants else {
        return Ok(Vec::new());
    };
    let path = format!("{path}.variants");
    if names.is_empty() {
        return Err(report.problem(
            path,
            "is empty: leave it out to play the step in all variants",
        ));
    }
    let mut places = Vec::new();
    for name in names {
        let place = variants.iter().position(|variant| variant == name);
        let Some(place) = place.and_then(|place| u16::try_from(place).ok()) else {
            let message = format!(
                "{} is not a variant of the application: it has [{}]",
                shown(name),
                variants.join(", ")
            );
            return Err(report.problem(path, message));
        };
        places.push(place);
    }
    Ok(places)
}

fn repeat(pattern: &RepeatPattern, path: &str, report: &mut Report) -> Checked<Repeat> {
    let path = format!("{path}.repeatPattern");
    let interval = report.check(
        format!("{path}.interval"),
        duration::parse(&pattern.interval),
    );
    let variance = pattern
        .variance
        .as_deref()
        .map_or(Ok(Span::ZERO), duration::parse);
    let variance = report.check(format!("{path}.variance"), variance);
    let (interval, variance) = (interval?, variance?);
    if interval < INTERVAL_MIN {
        let message = format_args!(
            "{} is too short: accepted are at least {}",
            shown(&pattern.interval),
            Written(INTERVAL_MIN)
        );
        return Err(report.problem(format!("{path}.interval"), message));
    }
    if variance > interval {
        let message = "is longer than the interval: the starts would lose their order";
        return Err(report.problem(format!("{path}.variance"), message));
    }
    Ok(Repeat { interval, variance })
}

/// Checks what is held against answers, as it is written at `path`; `names` are those that the step has already.
pub(super) fn checks<'a>(
    written: Option<&'a [CheckConfig]>,
    path: &str,
    names: &mut SortedSet<&'a str>,
    numbers: &mut Numbers,
    report: &mut Report,
) -> Checked<Vec<Check>> {
    let mut checks = Vec::new();
    let mut result = Ok(());
    for (at, config) in written.into_iter().flatten().enumerate() {
        let path = format!("{path}[{at}]");
        if !names.insert(&config.name) {
            let message = format!("{} is the name of two checks", shown(&config.name));
            result = Err(report.problem(format!("{path}.name"), message));
        }
        match check(config, &path, numbers, report) {
            Ok(check) => checks.push(check),
            Err(reported) => result = Err(reported),
        }
    }
    result.map(|()| checks)
}

fn check(
    config: &CheckConfig,
    path: &str,
    numbers: &mut Numbers,
    report: &mut Report,
) -> Checked<Check> {
    let id = numbers.check_id();
    let name = check_name(&config.name, format!("{path}.name"), report);
    let on = report.check(format!("{path}.on"), Extractor::parse(&config.on));
    let matches = config.matches.as_deref().map(|pattern| {
        let path = format!("{path}.matches");
        if pattern.len() > PATTERN_BYTES_MAX {
            return Err(report.problem(
                path,
                format_args!("is longer than {PATTERN_BYTES_MAX} bytes"),
            ));
        }
        report
            .check(path, compile_regex(pattern))
            .map(Condition::Matches)
    });
    let length = config
        .length
        .map(|length| check_length(length, path, report));
    let on = on?;
    if config.json_type.is_some() && !on.wants_json() {
        let message = "only what a JSON path finds has a type: accepted beside it are values of \"on\" such as \"$.id\"";
        return Err(report.problem(format!("{path}.type"), message));
    }
    let conditions: Vec<Condition> = [
        config.exists.map(Condition::Exists),
        config.equals.clone().map(Condition::Equals),
        config.not_equals.clone().map(Condition::NotEquals),
        config.json_type.map(Condition::Type),
        config.contains.clone().map(Condition::Contains),
        matches.transpose()?,
        length.transpose()?,
    ]
    .into_iter()
    .flatten()
    .collect();
    name?;
    if conditions.is_empty() {
        return Err(report.problem(
            path,
            "asks for nothing: accepted are \"exists\", \"equals\", \"notEquals\", \"type\", \"contains\", \
             \"matches\" and \"length\"",
        ));
    }
    Ok(Check {
        id,
        name: config.name.clone(),
        on,
        conditions,
        required: config.required.unwrap_or_default(),
    })
}

fn check_length(length: LengthConfig, path: &str, report: &mut Report) -> Checked<Condition> {
    let (min, max) = match length {
        LengthConfig {
            min: None,
            max: None,
            exact: Some(exact),
        } => (exact, exact),
        LengthConfig {
            min,
            max,
            exact: None,
        } if min.is_some() || max.is_some() => (min.unwrap_or(0), max.unwrap_or(u64::MAX)),
        _ => {
            let message = "accepted are \"min\", \"max\" or both, or \"exact\" alone";
            return Err(report.problem(format!("{path}.length"), message));
        }
    };
    if min > max {
        return Err(report.problem(
            format!("{path}.length"),
            "nothing is as long as this: \"min\" is above \"max\"",
        ));
    }
    Ok(Condition::Length { min, max })
}

fn wanted_headers(
    extractions: &[Extraction],
    checks: &[Check],
    scope: &Scope<'_>,
) -> Vec<Cow<'static, str>> {
    let extracted = extractions.iter().filter_map(|e| e.extractor.header());
    let checked = checks.iter().filter_map(|check| check.on.header());
    let named = extracted
        .chain(checked)
        .map(|name| Cow::Owned(name.to_owned()));
    // These are asked for so often that nothing is copied for them.
    let always = ["server-timing"]
        .into_iter()
        .chain(scope.keeps_cookies.then_some("set-cookie"))
        .chain(scope.follows_redirects.then_some("location"));
    let wanted = SortedSet::from_iter(always.map(Cow::Borrowed).chain(named));
    wanted.into_iter().collect()
}

/// Shorter ones would be a load of their own.
const INTERVAL_MIN: Span = Span::from_ms(10);

const PATTERN_BYTES_MAX: usize = 256;
