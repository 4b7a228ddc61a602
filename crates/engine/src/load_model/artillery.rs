//! Artillery's phases: three kinds that exclude one another.
//!
//! Facts from art: packages/artillery/lib/core/phases.ts and packages/types/schema/config/phases.js.

use super::durations;
use super::findings::Fields;
use super::types::{ArrivalModel, ArrivalPhase, ArrivalUsers, Model, PhaseArrivals};
use crate::scenario::{ArrivalMode, DurationValue, LoadConfig, NumberValue, PhaseConfig};
use crate::tick::Span;

/// The model of the phases, `None` if something about them was noted.
pub(super) fn model(load: &LoadConfig, fields: &mut Fields<'_>) -> Option<Model> {
    let list = load.phases.as_deref().unwrap_or_default();
    if list.is_empty() || list.len() > PHASES_MAX {
        let count = list.len();
        fields.problem(
            "phases",
            format_args!("has {count} phases: accepted are 1 to {PHASES_MAX}"),
        );
        return None;
    }
    let mode = load.mode.unwrap_or(ArrivalMode::Uniform);
    let phases: Vec<Option<ArrivalPhase>> = list
        .iter()
        .enumerate()
        .map(|(at, config)| {
            let path = format!("{}.phases[{at}]", fields.path);
            let mut fields = Fields::new(path, fields.findings);
            phase(config, mode, &mut fields)
        })
        .collect();
    Some(Model::Open {
        arrivals: ArrivalModel::Phases(phases.into_iter().collect::<Option<_>>()?),
        users: ArrivalUsers::Fresh,
    })
}

fn phase(config: &PhaseConfig, mode: ArrivalMode, fields: &mut Fields<'_>) -> Option<ArrivalPhase> {
    let kind = kind(config, fields)?;
    let allowed = excluded(config, &kind, fields);
    let arrivals = match kind {
        Kind::Pause(pause) => {
            let duration = duration("pause", pause, fields);
            allowed?;
            return Some(ArrivalPhase {
                name: config.name.clone(),
                duration: duration?,
                max_users: None,
                arrivals: PhaseArrivals::Pause,
            });
        }
        Kind::Count(count) => whole(count, "arrivalCount", fields).map(PhaseArrivals::Count),
        Kind::Rate(rate) => {
            millionths(rate, "arrivalRate", fields).map(|rate| match config.mode.unwrap_or(mode) {
                _ if rate == 0 => PhaseArrivals::Pause,
                ArrivalMode::Uniform => PhaseArrivals::Even(rate),
                ArrivalMode::Poisson => PhaseArrivals::Random(rate),
            })
        }
        Kind::Ramp(from, to) => {
            if config.mode.unwrap_or(mode) == ArrivalMode::Poisson {
                let message = "poisson has no effect on a ramp, as in Artillery";
                fields.warning("mode", message);
            }
            let from = from.map_or(Some(0), |from| millionths(from, "arrivalRate", fields));
            let to = millionths(to, "rampTo", fields);
            from.zip(to).map(|(from, to)| PhaseArrivals::Ramp(from, to))
        }
    };
    let span = match &config.duration {
        Some(value) => duration("duration", value, fields),
        None => {
            fields.problem("duration", "is missing: accepted are durations above 0");
            None
        }
    };
    let max_users = match &config.max_vusers {
        Some(value) => Some(max_users(value, fields)?),
        None => None,
    };
    let (arrivals, duration) = (arrivals?, span?);
    allowed?;
    let whole_seconds = duration.as_us().is_multiple_of(SECOND_US);
    if matches!(arrivals, PhaseArrivals::Ramp(..)) && !whole_seconds {
        let message = "is not a whole number of seconds, in which the rate of a ramp rises";
        fields.problem("duration", message);
        return None;
    }
    Some(ArrivalPhase {
        name: config.name.clone(),
        duration,
        max_users,
        arrivals,
    })
}

/// What a phase is, with the fields that make it so.
enum Kind<'a> {
    Pause(&'a DurationValue),
    Count(&'a NumberValue),
    Rate(&'a NumberValue),
    Ramp(Option<&'a NumberValue>, &'a NumberValue),
}

/// In Artillery's order: a pause, a count, a ramp, a rate.
fn kind<'a>(config: &'a PhaseConfig, fields: &mut Fields<'_>) -> Option<Kind<'a>> {
    let rate = config.arrival_rate.as_ref();
    if let Some(pause) = &config.pause {
        return Some(Kind::Pause(pause));
    }
    if let Some(count) = &config.arrival_count {
        return Some(Kind::Count(count));
    }
    if let Some(to) = &config.ramp_to {
        return Some(Kind::Ramp(rate, to));
    }
    if rate.is_none() {
        let message = "says nothing about arrivals: accepted are \"duration\" with \"arrivalRate\", \"rampTo\" or both, \
                       \"duration\" with \"arrivalCount\", or \"pause\"";
        fields.problem("", message);
    }
    rate.map(Kind::Rate)
}

/// Notes the fields that do not go together with the kind; `None` if there are any.
fn excluded(config: &PhaseConfig, kind: &Kind<'_>, fields: &mut Fields<'_>) -> Option<()> {
    let (kind, others): (&str, &[(&str, bool)]) = match kind {
        Kind::Pause(_) => (
            "pause",
            &[
                ("duration", config.duration.is_some()),
                ("arrivalRate", config.arrival_rate.is_some()),
                ("arrivalCount", config.arrival_count.is_some()),
                ("rampTo", config.ramp_to.is_some()),
                ("maxVusers", config.max_vusers.is_some()),
                ("mode", config.mode.is_some()),
            ],
        ),
        Kind::Count(_) => (
            "arrivalCount",
            &[
                ("arrivalRate", config.arrival_rate.is_some()),
                ("rampTo", config.ramp_to.is_some()),
            ],
        ),
        Kind::Rate(_) | Kind::Ramp(..) => return Some(()),
    };
    let mut allowed = Some(());
    for (field, _) in others.iter().filter(|(_, present)| *present) {
        let message = format!("does not go together with \"{kind}\" in one phase");
        fields.problem(field, message);
        allowed = None;
    }
    allowed
}

fn duration(field: &str, value: &DurationValue, fields: &mut Fields<'_>) -> Option<Span> {
    match durations::artillery(value) {
        Ok(span) => Some(span),
        Err(message) => {
            fields.problem(field, format_args!("{value} {message}"));
            None
        }
    }
}

/// A rate in arrivals per second, in millionths.
fn millionths(value: &NumberValue, field: &str, fields: &mut Fields<'_>) -> Option<u64> {
    let rate = number(value).filter(|rate| (0.0..=RATE_MAX).contains(rate));
    if rate.is_none() {
        fields.problem(
            field,
            format_args!("{value} is not a rate: accepted are numbers from 0 to {RATE_MAX}"),
        );
    }
    Some((rate? * 1e6).round() as u64) // in range: checked
}

fn whole(value: &NumberValue, field: &str, fields: &mut Fields<'_>) -> Option<u64> {
    let fits = |count: &f64| count.fract() == 0.0 && (0.0..=COUNT_MAX).contains(count);
    let count = number(value).filter(fits);
    if count.is_none() {
        fields.problem(
            field,
            format_args!(
                "{value} is not a count: accepted are whole numbers from 0 to {COUNT_MAX}"
            ),
        );
    }
    Some(count? as u64) // in range: checked
}

fn max_users(value: &NumberValue, fields: &mut Fields<'_>) -> Option<u32> {
    let cap = whole(value, "maxVusers", fields)?;
    let cap = u32::try_from(cap).unwrap_or(u32::MAX);
    if cap == 0 {
        fields.problem("maxVusers", "0 would let nobody in: accepted are 1 or more");
        return None;
    }
    Some(cap)
}

fn number(value: &NumberValue) -> Option<f64> {
    match value {
        NumberValue::Number(number) => Some(*number),
        NumberValue::Text(text) => {
            let text = text.trim();
            let plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
            text.parse().ok().filter(|_| plain)
        }
    }
}

const SECOND_US: u64 = 1_000_000;

/// Arrivals per second.
const RATE_MAX: f64 = 1e9;

const COUNT_MAX: f64 = 1e12;

/// So that a plan stays small.
const PHASES_MAX: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load_model::Workloads;
    use crate::plan::Problems;

    fn parse(json: &str) -> Result<Workloads, Problems> {
        let load: LoadConfig = serde_json::from_str(json).expect(json);
        Workloads::parse(Some(&load), None, "scenario")
    }

    fn refused(json: &str) -> String {
        parse(json).expect_err(json).to_string()
    }

    fn phases_of(json: &str) -> Vec<ArrivalPhase> {
        let mut workloads = parse(json).expect(json);
        match workloads.list.remove(0).model {
            Model::Open {
                arrivals: ArrivalModel::Phases(phases),
                users: ArrivalUsers::Fresh,
            } => phases,
            other => panic!("phases, not {other:?}"),
        }
    }

    #[test]
    fn phases_are_read_as_in_artillery() {
        let phases = phases_of(
            r#"{"phases":[
              {"name":"warm","duration":60,"arrivalRate":"5","maxVusers":50},
              {"duration":"1m","arrivalRate":1,"rampTo":20},
              {"duration":"2 min","rampTo":0.5},
              {"pause":"5s"},
              {"duration":10,"arrivalCount":100},
              {"duration":10,"arrivalRate":0},
              {"duration":10,"arrivalRate":2,"mode":"poisson"}
            ]}"#,
        );
        let phase = |seconds, arrivals| ArrivalPhase {
            name: None,
            duration: Span::from_secs(seconds),
            max_users: None,
            arrivals,
        };
        let warm = ArrivalPhase {
            name: Some("warm".to_owned()),
            max_users: Some(50),
            ..phase(60, PhaseArrivals::Even(5_000_000))
        };
        let expected = vec![
            warm,
            phase(60, PhaseArrivals::Ramp(1_000_000, 20_000_000)),
            phase(120, PhaseArrivals::Ramp(0, 500_000)),
            phase(5, PhaseArrivals::Pause),
            phase(10, PhaseArrivals::Count(100)),
            phase(10, PhaseArrivals::Pause),
            phase(10, PhaseArrivals::Random(2_000_000)),
        ];
        assert_eq!(phases, expected);
        let phases = phases_of(
            r#"{"mode":"poisson","phases":[{"duration":1,"arrivalRate":2},{"duration":1,"arrivalRate":2,"mode":"uniform"}]}"#,
        );
        let arrivals: Vec<PhaseArrivals> = phases.iter().map(|p| p.arrivals).collect();
        assert_eq!(
            arrivals,
            [
                PhaseArrivals::Random(2_000_000),
                PhaseArrivals::Even(2_000_000)
            ]
        );
    }

    #[test]
    fn what_artillery_refuses_is_refused() {
        for (phase, expected) in [
            (
                r#"{}"#,
                "scenario.load.phases[0]: says nothing about arrivals: accepted are \"duration\" with \"arrivalRate\"",
            ),
            (r#"{"duration":5}"#, "says nothing about arrivals"),
            (r#"{"arrivalRate":5}"#, "phases[0].duration: is missing"),
            (
                r#"{"duration":"soon","arrivalRate":5}"#,
                "phases[0].duration: \"soon\" is not a duration: accepted are whole numbers of seconds",
            ),
            (
                r#"{"duration":0,"arrivalRate":5}"#,
                "phases[0].duration: 0 is no time",
            ),
            (
                r#"{"duration":1.5,"arrivalRate":5}"#,
                "phases[0].duration: 1.5 is not a duration",
            ),
            (
                r#"{"duration":5,"arrivalRate":-1}"#,
                "phases[0].arrivalRate: -1 is not a rate: accepted are numbers from 0 to 1000000000",
            ),
            (
                r#"{"duration":5,"arrivalRate":"many"}"#,
                "phases[0].arrivalRate: \"many\" is not a rate",
            ),
            (
                r#"{"duration":5,"arrivalCount":1.5}"#,
                "phases[0].arrivalCount: 1.5 is not a count",
            ),
            (
                r#"{"duration":5,"arrivalCount":1,"arrivalRate":1}"#,
                "phases[0].arrivalRate: does not go together with \"arrivalCount\" in one phase",
            ),
            (
                r#"{"pause":5,"duration":5,"rampTo":1}"#,
                "phases[0].duration: does not go together with \"pause\" in one phase; scenario.load.phases[0].rampTo: does not",
            ),
            (
                r#"{"pause":"x"}"#,
                "phases[0].pause: \"x\" is not a duration",
            ),
            (
                r#"{"duration":5,"arrivalRate":1,"maxVusers":0}"#,
                "phases[0].maxVusers: 0 would let nobody in",
            ),
            (
                r#"{"duration":"1500ms","arrivalRate":1,"rampTo":2}"#,
                "phases[0].duration: is not a whole number of seconds",
            ),
        ] {
            let text = refused(&format!(r#"{{"phases":[{phase}]}}"#));
            assert!(text.contains(expected), "{phase}\n{text}\n{expected}");
        }
        assert!(refused(r#"{"phases":[]}"#).contains("load.phases: has 0 phases"));
        assert!(
            refused(r#"{"phases":[{"pause":1}],"vus":5}"#)
                .contains("load.vus: is no field of phases")
        );
        let ramp =
            parse(r#"{"mode":"poisson","phases":[{"duration":2,"rampTo":2}]}"#).expect("accepted");
        assert_eq!(ramp.warnings[0].path, "scenario.load.phases[0].mode");
    }
}
