//! From the four phases of a user profile to a load model.

use super::closed::{LoadModel, Stage};
use super::parse::{PlanOptions, shown};
use super::problem::{Checked, Report};
use crate::duration::{self, Written};
use crate::phase::{Phase, PhaseSpan};
use crate::scenario::UserProfile;
use crate::tick::{Span, Tick};

/// A user profile whose numbers and durations are final.
#[derive(Debug)]
pub(super) struct Load {
    users: [u32; USER_PLACES.len()],
    durations: [Span; 4], // not all zero
}

/// Reads and scales the profile.
pub(super) fn parse(
    profile: &UserProfile,
    options: &PlanOptions,
    report: &mut Report,
) -> Checked<Load> {
    let users = users(profile, options, report);
    let durations = durations(profile, options, report);
    Ok(Load {
        users: users?,
        durations: durations?,
    })
}

impl Load {
    /// The stages; a user that is no longer needed may finish within `graceful_ramp_down`.
    pub(super) fn model(&self, graceful_ramp_down: Span) -> LoadModel {
        let [from, to, peak, steady, end] = self.users;
        let [ramp_up, hold_peak, hold_steady, ramp_down] = self.durations;
        let steps = [
            (ramp_up, to),
            (Span::ZERO, peak),
            (hold_peak, peak),
            (Span::ZERO, steady),
            (hold_steady, steady),
            (ramp_down, end),
        ];
        let mut users = from;
        let mut stages = Vec::new();
        for (duration, target) in steps {
            if !duration.is_zero() || target != users {
                stages.push(Stage { duration, target });
            }
            users = target;
        }
        LoadModel::RampingVus {
            start_users: from,
            stages,
            graceful_ramp_down,
        }
    }

    /// The phases without gaps; one that takes no time does not exist.
    pub(super) fn phases(&self) -> Vec<PhaseSpan> {
        let mut from = Tick::ZERO;
        let mut phases = Vec::new();
        for (phase, duration) in Phase::ALL.into_iter().zip(self.durations) {
            let to = from + duration;
            if !duration.is_zero() {
                phases.push(PhaseSpan { phase, from, to });
            }
            from = to;
        }
        phases
    }

    /// The sum of the phases.
    pub(super) fn duration(&self) -> Span {
        self.durations
            .into_iter()
            .fold(Span::ZERO, |sum, d| sum + d)
    }
}

fn users(
    profile: &UserProfile,
    options: &PlanOptions,
    report: &mut Report,
) -> Checked<[u32; USER_PLACES.len()]> {
    let written = [
        profile.ramp_up.from,
        profile.ramp_up.to,
        profile.peak.users,
        profile.steady_state.users,
        profile.ramp_down.to,
    ];
    let limit = if options.users.is_some() {
        u32::MAX // what counts is the scaled number
    } else {
        options.users_max
    };
    let mut users = [0; USER_PLACES.len()];
    let mut result = Ok(());
    for ((user, number), place) in users.iter_mut().zip(written).zip(USER_PLACES) {
        match u32::try_from(number) {
            Ok(number) if number <= limit => *user = number,
            _ => {
                result = Err(report.problem(
                    format!("scenario.userProfile.{place}"),
                    format_args!("{number} users are not possible: accepted are 0 to {limit}"),
                ));
            }
        }
    }
    result?;
    let highest = users.iter().copied().max().unwrap_or(0);
    if highest == 0 {
        return Err(report.problem(
            "scenario.userProfile",
            "no phase has a user: at least one is needed",
        ));
    }
    let Some(wanted) = wanted_users(options, report)? else {
        return Ok(users);
    };
    Ok(users.map(|number| scaled_users(number, wanted, highest)))
}

/// Rounded half up; whoever was there stays there.
fn scaled_users(number: u32, wanted: u32, highest: u32) -> u32 {
    let [number, wanted, highest] = [number, wanted, highest].map(u128::from);
    let scaled = (2 * number * wanted + highest) / (2 * highest.max(1));
    let scaled = u32::try_from(scaled).unwrap_or(u32::MAX);
    if number > 0 { scaled.max(1) } else { 0 }
}

fn durations(
    profile: &UserProfile,
    options: &PlanOptions,
    report: &mut Report,
) -> Checked<[Span; 4]> {
    let written = [
        ("rampUp", &profile.ramp_up.duration),
        ("peak", &profile.peak.duration),
        ("steadyState", &profile.steady_state.duration),
        ("rampDown", &profile.ramp_down.duration),
    ];
    let mut spans = [Span::ZERO; 4];
    let mut result = Ok(());
    for (span, (place, text)) in spans.iter_mut().zip(written) {
        let path = format!("scenario.userProfile.{place}.duration");
        match report.check(path, duration::parse(text)) {
            Ok(parsed) => *span = parsed,
            Err(reported) => result = Err(reported),
        }
    }
    let wanted = wanted_duration(options, report);
    result?;
    let total = spans.into_iter().fold(Span::ZERO, |sum, span| sum + span);
    if total.is_zero() {
        return Err(report.problem(
            "scenario.userProfile",
            "all phases take 0s: at least one must take time",
        ));
    }
    let (path, total) = match wanted? {
        Some(wanted) => {
            scale_spans(&mut spans, wanted);
            ("options.duration", wanted)
        }
        None => ("scenario.userProfile", total),
    };
    let max = Span::from_secs(options.duration_max_s);
    if total > max {
        return Err(report.problem(
            path,
            format_args!(
                "{} is too long: a run takes at most {}",
                Written(total),
                Written(max)
            ),
        ));
    }
    Ok(spans)
}

/// The length that the options ask for.
pub(super) fn wanted_duration(options: &PlanOptions, report: &mut Report) -> Checked<Option<Span>> {
    let Some(text) = options.duration.as_deref() else {
        return Ok(None);
    };
    let span = report.check("options.duration", duration::parse(text))?;
    if span < DURATION_MIN {
        return Err(report.problem(
            "options.duration",
            format_args!(
                "{} is too short: a run takes at least {}",
                shown(text),
                Written(DURATION_MIN)
            ),
        ));
    }
    Ok(Some(span))
}

/// The number of users that the options ask for.
pub(super) fn wanted_users(options: &PlanOptions, report: &mut Report) -> Checked<Option<u32>> {
    let Some(wanted) = options.users else {
        return Ok(None);
    };
    if wanted == 0 || wanted > options.users_max {
        return Err(report.problem(
            "options.users",
            format_args!(
                "{wanted} users are not possible: accepted are 1 to {}",
                options.users_max
            ),
        ));
    }
    Ok(Some(wanted))
}

/// Each span in proportion, rounded down to the millisecond; what is left over goes to the last one that
/// takes time, so that the sum is exactly what is wanted.
pub(super) fn scale_spans(spans: &mut [Span], wanted: Span) {
    let sum = |spans: &[Span]| spans.iter().fold(Span::ZERO, |sum, span| sum + *span);
    let total = sum(spans);
    let last = spans.iter().rposition(|span| !span.is_zero());
    for span in &mut *spans {
        let us = u128::from(span.as_us()) * u128::from(wanted.as_us())
            / u128::from(total.as_us().max(1));
        *span = Span::from_ms(u64::try_from(us / 1_000).unwrap_or(u64::MAX));
    }
    let left = Span::from_us(wanted.as_us().saturating_sub(sum(spans).as_us()));
    if let Some(last) = last.and_then(|last| spans.get_mut(last)) {
        *last = *last + left;
    }
}

const USER_PLACES: [&str; 5] = [
    "rampUp.from",
    "rampUp.to",
    "peak.users",
    "steadyState.users",
    "rampDown.to",
];

/// Shorter runs have no second to report.
const DURATION_MIN: Span = Span::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load_model::Model;
    use crate::plan::Plan;
    use crate::plan::parse::tests::{problems, source};
    use proptest::prelude::*;

    fn model(plan: &Plan) -> (u32, Vec<(f64, u32)>) {
        let Model::Closed(LoadModel::RampingVus {
            start_users,
            stages,
            ..
        }) = &plan.scenarios()[0].model
        else {
            panic!("another model");
        };
        let stages = stages.iter().map(|s| (s.duration.as_secs_f64(), s.target));
        (*start_users, stages.collect())
    }

    #[test]
    fn the_four_phases_become_stages_and_spans() {
        let plan = Plan::parse(&source()).unwrap();
        let (start, stages) = model(&plan);
        assert_eq!(start, 0);
        assert_eq!(
            stages,
            [
                (30.0, 10),
                (0.0, 20),
                (60.0, 20),
                (0.0, 5),
                (90.0, 5),
                (10.0, 0)
            ]
        );
        let phases: Vec<_> = plan
            .phases()
            .iter()
            .map(|p| (p.phase.name(), p.from.second(), p.to.second()))
            .collect();
        assert_eq!(
            phases,
            [
                ("ramp_up", 0, 30),
                ("peak", 30, 90),
                ("steady_state", 90, 180),
                ("ramp_down", 180, 190)
            ]
        );
        assert_eq!(plan.duration(), Span::from_secs(190));
    }

    #[test]
    fn a_phase_without_time_is_a_jump() {
        let mut source = source();
        source
            .scenario
            .user_profile
            .as_mut()
            .unwrap()
            .ramp_up
            .duration = "0s".to_owned();
        source
            .scenario
            .user_profile
            .as_mut()
            .unwrap()
            .ramp_down
            .duration = "0".to_owned();
        let plan = Plan::parse(&source).unwrap();
        assert_eq!(
            model(&plan).1,
            [
                (0.0, 10),
                (0.0, 20),
                (60.0, 20),
                (0.0, 5),
                (90.0, 5),
                (0.0, 0)
            ]
        );
        assert_eq!(plan.phases().len(), 2);
    }

    #[test]
    fn users_are_scaled_to_the_wanted_maximum() {
        let mut source = source();
        source.options.users = Some(10);
        let plan = Plan::parse(&source).unwrap();
        assert_eq!(plan.users_max(), 10);
        let targets: Vec<u32> = model(&plan).1.iter().map(|s| s.1).collect();
        assert_eq!(targets, [5, 10, 10, 3, 3, 0], "2.5 is rounded up");
        source.options.users = Some(1);
        let targets: Vec<u32> = model(&Plan::parse(&source).unwrap())
            .1
            .iter()
            .map(|s| s.1)
            .collect();
        assert_eq!(targets, [1, 1, 1, 0], "nobody is scaled away");
    }

    #[test]
    fn what_is_scaled_may_be_larger_than_the_limit_as_written() {
        let mut source = source();
        source.options.users_max = 5;
        assert!(problems(&source).contains("scenario.userProfile.peak.users: 20 users"));
        source.options.users = Some(5);
        assert_eq!(Plan::parse(&source).unwrap().users_max(), 5);
        source.options.duration_max_s = 100;
        assert!(problems(&source).contains("3m10s is too long: a run takes at most 1m40s"));
        source.options.duration = Some("100s".to_owned());
        assert_eq!(
            Plan::parse(&source).unwrap().duration(),
            Span::from_secs(100)
        );
    }

    #[test]
    fn impossible_profiles_are_refused() {
        let mut source = source();
        let profile = source.scenario.user_profile.as_mut().unwrap();
        profile.ramp_up.from = -1;
        profile.peak.users = i64::MAX;
        profile.steady_state.duration = "soon".to_owned();
        source.options.duration = Some("0s".to_owned());
        let text = problems(&source);
        for part in [
            "scenario.userProfile.rampUp.from: -1 users are not possible: accepted are 0 to 1000",
            "scenario.userProfile.peak.users: 9223372036854775807",
            "scenario.userProfile.steadyState.duration: \"soon\" is not a duration",
            "options.duration: \"0s\" is too short",
        ] {
            assert!(text.contains(part), "{text}\n{part}");
        }
    }

    #[test]
    fn a_profile_without_users_or_time_is_refused() {
        let mut source = source();
        let profile = source.scenario.user_profile.as_mut().unwrap();
        (
            profile.ramp_up.to,
            profile.peak.users,
            profile.steady_state.users,
        ) = (0, 0, 0);
        profile.ramp_up.duration = "0s".to_owned();
        profile.peak.duration = "0s".to_owned();
        profile.steady_state.duration = "0s".to_owned();
        profile.ramp_down.duration = "0s".to_owned();
        let text = problems(&source);
        assert!(
            text.contains("no phase has a user") && text.contains("all phases take 0s"),
            "{text}"
        );
    }

    proptest! {
        #[test]
        fn scaled_durations_add_up_exactly(seconds in prop::array::uniform4(0_u64..5_000), wanted_ms in 1_000_u64..10_000_000) {
            prop_assume!(seconds.iter().any(|s| *s > 0));
            let spans = seconds.map(Span::from_secs);
            let total = spans.into_iter().fold(Span::ZERO, |sum, s| sum + s);
            let wanted = Span::from_ms(wanted_ms);
            let mut scaled = spans;
            scale_spans(&mut scaled, wanted);
            prop_assert_eq!(scaled.into_iter().fold(Span::ZERO, |sum, s| sum + s), wanted);
            for (before, after) in spans.into_iter().zip(scaled) {
                prop_assert!(!before.is_zero() || after.is_zero());
                let exact = before.as_secs_f64() / total.as_secs_f64() * wanted.as_secs_f64();
                prop_assert!((after.as_secs_f64() - exact).abs() <= 0.004);
            }
        }

        #[test]
        fn scaled_users_reach_exactly_the_maximum(number in 0_u32..=u32::MAX, wanted in 1_u32..=u32::MAX, other in 1_u32..=u32::MAX) {
            let (number, highest) = (number.min(other), number.max(other));
            let scaled = scaled_users(number, wanted, highest);
            prop_assert!(scaled <= wanted);
            prop_assert_eq!(scaled_users(highest, wanted, highest), wanted);
            prop_assert_eq!(scaled == 0, number == 0);
        }
    }
}
