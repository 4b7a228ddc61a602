//! When the phases and scenarios of a run take place: what rates are divided by, and where sliding windows
//! may lie.

use super::expression::Scope;
use crate::phase::{Phase, PhaseSpan};
use crate::tick::{Span, Tick};

/// The phases of a run, and its scenarios.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timeline {
    /// The phases, without gaps from the start. What comes after the last counts as
    /// [`RampDown`](Phase::RampDown).
    pub phases: Vec<PhaseSpan>,
    /// The scenarios that are played side by side. One that is not listed takes the whole run.
    pub scenarios: Vec<ScenarioSpan>,
}

/// When a scenario takes place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScenarioSpan {
    /// The scenario's name.
    pub name: String,
    /// Its start.
    pub from: Tick,
    /// The first point after its planned end.
    pub to: Tick,
}

impl Timeline {
    /// The stretches of time that a scope is about, in order. The last may be open:
    /// [`Tick::NEVER`](Tick::NEVER).
    pub(super) fn stretches(&self, scope: &Scope) -> Vec<(Tick, Tick)> {
        let (from, to) = scope
            .scenario
            .as_ref()
            .and_then(|name| self.scenarios.iter().find(|span| span.name == *name))
            .map_or((Tick::ZERO, Tick::NEVER), |span| (span.from, span.to));
        self.of_phase(scope.phase)
            .into_iter()
            .map(|(phase_from, phase_to)| (phase_from.max(from), phase_to.min(to)))
            .filter(|(from, to)| from < to)
            .collect()
    }

    /// How much of the time up to `now` a scope is about.
    pub(super) fn elapsed(&self, scope: &Scope, now: Tick) -> Span {
        self.stretches(scope)
            .into_iter()
            .map(|(from, to)| to.min(now).saturating_since(from))
            .fold(Span::ZERO, |sum, span| sum + span)
    }

    fn of_phase(&self, phase: Option<Phase>) -> Vec<(Tick, Tick)> {
        let Some(phase) = phase else {
            return vec![(Tick::ZERO, Tick::NEVER)];
        };
        let of_phase = self.phases.iter().filter(|span| span.phase == phase);
        let mut stretches: Vec<_> = of_phase.map(|span| (span.from, span.to)).collect();
        if phase == Phase::RampDown {
            let end = self.phases.last().map_or(Tick::ZERO, |span| span.to);
            match stretches.last_mut() {
                Some((_, to)) if *to == end => *to = Tick::NEVER,
                _ => stretches.push((end, Tick::NEVER)),
            }
        }
        stretches
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timeline() -> Timeline {
        let span = |phase, from, to| PhaseSpan {
            phase,
            from: Tick::from_second(from),
            to: Tick::from_second(to),
        };
        Timeline {
            phases: vec![
                span(Phase::RampUp, 0, 10),
                span(Phase::Peak, 10, 30),
                span(Phase::SteadyState, 30, 50),
                span(Phase::Peak, 50, 60),
                span(Phase::RampDown, 60, 70),
            ],
            scenarios: vec![ScenarioSpan {
                name: "late".to_owned(),
                from: Tick::from_second(20),
                to: Tick::from_second(55),
            }],
        }
    }

    fn elapsed(phase: Option<Phase>, scenario: Option<&str>, now_s: u32) -> u64 {
        let scope = Scope {
            over: None,
            phase,
            scenario: scenario.map(ToOwned::to_owned),
        };
        let elapsed = timeline().elapsed(&scope, Tick::from_second(now_s));
        elapsed.as_us() / 1_000_000
    }

    #[test]
    fn only_the_time_in_scope_counts() {
        for (phase, scenario, now_s, expected_s) in [
            (None, None, 100, 100),
            (Some(Phase::Peak), None, 5, 0),
            (Some(Phase::Peak), None, 15, 5),
            (Some(Phase::Peak), None, 100, 30),
            (Some(Phase::RampDown), None, 100, 40), // the end of the run belongs to it
            (None, Some("late"), 30, 10),
            (None, Some("late"), 100, 35),
            (None, Some("other"), 100, 100),
            (Some(Phase::Peak), Some("late"), 100, 15),
            (Some(Phase::RampUp), Some("late"), 100, 0),
        ] {
            assert_eq!(
                elapsed(phase, scenario, now_s),
                expected_s,
                "{phase:?} {scenario:?} at {now_s} s"
            );
        }
    }

    #[test]
    fn without_phases_everything_is_ramp_down() {
        let empty = Timeline::default();
        let scope = |phase| Scope {
            phase: Some(phase),
            ..Scope::default()
        };
        let now = Tick::from_second(9);
        assert_eq!(
            empty.elapsed(&scope(Phase::RampDown), now),
            Span::from_secs(9)
        );
        assert_eq!(empty.elapsed(&scope(Phase::Peak), now), Span::ZERO);
    }
}
