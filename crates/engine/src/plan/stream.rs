//! From what a file says about a stream to how it is read.

use super::parse::shown;
use super::problem::{Checked, Report};
use super::program::Numbers;
use super::request::Scope;
use super::step::{checks, extractions};
use super::types::Extraction;
use crate::check::Check;
use crate::duration::{self, Written};
use crate::extractor::Extractor;
use crate::scenario::{ExtractPick, StreamConfig, StreamFormat};
use crate::sorted::SortedSet;
use crate::template::VariableId;
use crate::tick::Span;

/// How the stream that answers a request is read.
#[derive(Clone, Debug)]
pub struct Streaming {
    /// What its events are.
    pub format: StreamFormat,
    /// The types of events that count; empty means all.
    pub types: Vec<String>,
    /// After how many events it has been read well, if they are counted.
    pub events_max: Option<u64>,
    /// How long after the sending of its request it has been read well.
    pub duration_max: Span,
    /// The data of the event that ends it.
    pub until: Option<String>,
    /// With fewer events it is an error.
    pub events_min: u64,
    /// A longer silence after an event is a stall.
    pub stall_after: Span,
    /// Which text in an event's data is a token, if not every event is one; only of tokens.
    pub token: Option<Extractor>,
    /// The variable that keeps the id of the last event.
    pub resume: Option<VariableId>,
    /// What is held against each event.
    pub checks: Vec<Check>,
    /// Values to take from events.
    pub extractions: Vec<Extraction>,
}

impl Streaming {
    /// Whether its events are server-sent events.
    #[must_use]
    pub const fn is_sse(&self) -> bool {
        matches!(self.format, StreamFormat::Sse | StreamFormat::Tokens)
    }

    /// The places in events that are looked at.
    pub(crate) fn places(&self) -> impl Iterator<Item = &Extractor> {
        let extracted = self.extractions.iter().map(|e| &e.extractor);
        let checked = self.checks.iter().map(|check| &check.on);
        extracted.chain(checked).chain(&self.token)
    }
}

/// Checks how a stream is read, as it is written at `path`; `names` are those of the step's other checks.
pub(super) fn parse<'a>(
    config: &'a StreamConfig,
    path: &str,
    scope: &Scope<'_>,
    names: &mut SortedSet<&'a str>,
    numbers: &mut Numbers,
    report: &mut Report,
) -> Checked<Streaming> {
    let written = config.checks.as_deref();
    let checks = checks(written, &format!("{path}.checks"), names, numbers, report);
    let written = config.extract.as_ref();
    let extractions = extractions(written, &format!("{path}.extract"), scope, report);
    let events_max = config.max_events.map(|events| {
        let path = format!("{path}.maxEvents");
        count(events, 1, path, report)
    });
    let events_min = config.min_events.map_or(Ok(1), |events| {
        let path = format!("{path}.minEvents");
        count(events, 0, path, report)
    });
    let duration_max = config.max_duration.as_deref();
    let duration_max = span(
        duration_max,
        format!("{path}.maxDuration"),
        DURATION,
        report,
    );
    let stall_after = config.stall_after.as_deref();
    let stall_after = span(stall_after, format!("{path}.stallAfter"), STALL, report);
    let token = token(config, path, report);
    let result = check_format(config, path, report);
    let (events_max, events_min) = (events_max.transpose()?, events_min?);
    if events_max.is_some_and(|max| max < events_min) {
        let message = "is above \"maxEvents\": no stream would have been read well";
        return Err(report.problem(format!("{path}.minEvents"), message));
    }
    result?;
    let extractions = extractions?;
    if extractions.iter().any(|e| e.pick == ExtractPick::Random) {
        let message =
            "of a stream the last event that has a value decides: \"pick\" cannot be \"random\"";
        return Err(report.problem(format!("{path}.extract"), message));
    }
    Ok(Streaming {
        format: config.format,
        types: config.types.clone().unwrap_or_default(),
        events_max,
        duration_max: duration_max?,
        until: config.until.clone().or_else(|| {
            let tokens = config.format == StreamFormat::Tokens;
            tokens.then(|| TOKENS_END.to_owned())
        }),
        events_min,
        stall_after: stall_after?,
        token: token?,
        resume: config
            .resume
            .as_deref()
            .and_then(|name| scope.variable(name)),
        checks: checks?,
        extractions,
    })
}

/// Checks that the rest of a step that reads a stream looks at nothing that is not kept.
pub(super) fn check_rest(
    checks: &[Check],
    extractions: &[Extraction],
    path: &str,
    report: &mut Report,
) -> Checked<()> {
    let checked = checks.iter().map(|check| (&check.on, "expect.checks"));
    let extracted = extractions.iter().map(|e| (&e.extractor, "extract"));
    let mut places = checked.chain(extracted);
    match places.find(|(place, _)| place.wants_body()) {
        None => Ok(()),
        Some((_, field)) => Err(report.problem(
            format!("{path}.{field}"),
            "looks at a body, and that of a stream is not kept: what looks at its events stands in \"stream\"",
        )),
    }
}

/// Chunks have neither types nor ids nor an end of their own.
fn check_format(config: &StreamConfig, path: &str, report: &mut Report) -> Checked<()> {
    let mut result = Ok(());
    let mut refuse = |field: &str, message: String| {
        result = Err(report.problem(format!("{path}.{field}"), message));
    };
    if config.format == StreamFormat::Chunks {
        let fields = [
            ("types", config.types.is_some()),
            ("until", config.until.is_some()),
            ("resume", config.resume.is_some()),
        ];
        for (field, _) in fields.into_iter().filter(|(_, given)| *given) {
            refuse(
                field,
                "belongs to server-sent events: accepted beside \"chunks\" are the others"
                    .to_owned(),
            );
        }
    }
    if let Some(types) = &config.types
        && (types.is_empty() || types.len() > TYPES_MAX)
    {
        let message = format!("has {} types: accepted are 1 to {TYPES_MAX}", types.len());
        refuse("types", message);
    }
    if let Some(until) = &config.until
        && (until.is_empty() || until.len() > UNTIL_BYTES_MAX)
    {
        let message = format!("accepted are 1 to {UNTIL_BYTES_MAX} bytes");
        refuse("until", message);
    }
    result
}

fn token(config: &StreamConfig, path: &str, report: &mut Report) -> Checked<Option<Extractor>> {
    let Some(text) = config.token.as_deref() else {
        return Ok(None);
    };
    let path = format!("{path}.token");
    if config.format != StreamFormat::Tokens {
        let message = "belongs to the format \"tokens\"";
        return Err(report.problem(path, message));
    }
    let place = report.check(&path, Extractor::parse(text))?;
    if !place.wants_json() {
        let message = format_args!("{} is not a JSON path", shown(text));
        return Err(report.problem(path, message));
    }
    Ok(Some(place))
}

fn count(count: i64, least: u64, path: String, report: &mut Report) -> Checked<u64> {
    match u64::try_from(count) {
        Ok(count) if (least..=EVENTS_MAX).contains(&count) => Ok(count),
        _ => Err(report.problem(
            path,
            format_args!("{count} is out of range: accepted are {least} to {EVENTS_MAX}"),
        )),
    }
}

/// A length of time with its default and its limits.
#[derive(Clone, Copy)]
struct Range {
    default: Span,
    min: Span,
    max: Span,
}

fn span(text: Option<&str>, path: String, range: Range, report: &mut Report) -> Checked<Span> {
    let Some(text) = text else {
        return Ok(range.default);
    };
    span_within(text, path, [range.min, range.max], report)
}

/// A length of time between these two.
pub(super) fn span_within(
    text: &str,
    path: String,
    [min, max]: [Span; 2],
    report: &mut Report,
) -> Checked<Span> {
    let span = report.check(&path, duration::parse(text))?;
    if span < min || span > max {
        let [min, max] = [min, max].map(Written);
        let message = format_args!(
            "{} is out of range: accepted are {min} to {max}",
            shown(text)
        );
        return Err(report.problem(path, message));
    }
    Ok(span)
}

const DURATION: Range = Range {
    default: Span::from_secs(60),
    min: Span::from_ms(1),
    max: Span::from_secs(3_600),
};

const STALL: Range = Range {
    default: Span::from_secs(1),
    min: Span::from_ms(1),
    max: Span::from_secs(3_600),
};

/// Larger numbers of events would never come within an hour.
const EVENTS_MAX: u64 = 1_000_000_000;

const TYPES_MAX: usize = 16;

const UNTIL_BYTES_MAX: usize = 256;

/// What OpenAI's interface, and those that follow it, send after the last token.
const TOKENS_END: &str = "[DONE]";
