//! Which metrics of a plan are derived and which are recorded.

use super::builtin::{BuiltIn, SCENARIO, built_in};
use super::custom::Feed;
use super::requirement::Requirement;
use super::tags::scenarios_of;
use crate::metric::{Catalog, MetricId, MetricWindow, Query, TagSet};
use crate::plan::Plan;
use crate::sorted::{SortedMap, SortedSet};
use crate::threshold::{ScenarioSpan, Threshold, Timeline};

/// The metrics of a plan, and what must hold of them.
#[derive(Clone, Debug, Default)]
pub struct Metering {
    catalog: Catalog,
    requirements: Vec<Requirement>,
    feeds: Vec<Feed>,
    wanted: SortedMap<MetricId, SortedSet<(String, String)>>, // with the tags that are asked for
    recorded: SortedSet<MetricId>,                            // built-in ones only
}

impl Metering {
    /// The metering of a plan whose applications and scenarios are final.
    #[must_use]
    pub fn new(
        plan: &Plan,
        catalog: Catalog,
        requirements: Vec<Requirement>,
        feeds: Vec<Feed>,
    ) -> Self {
        let mut wanted: SortedMap<MetricId, SortedSet<(String, String)>> = SortedMap::new();
        for feed in &feeds {
            wanted.entry(feed.metric).or_default();
        }
        for series in plan.monitoring.iter().flat_map(|watched| &watched.series) {
            wanted.entry(series.metric).or_default();
        }
        for requirement in &requirements {
            let selection = &requirement.threshold.query().selection;
            let tags = wanted.entry(selection.metric).or_default();
            let asked = selection.filter.iter();
            for (name, value) in asked {
                tags.insert((name.to_owned(), value.to_owned()));
            }
        }
        let mut metering = Self {
            catalog,
            requirements,
            feeds,
            wanted,
            recorded: SortedSet::new(),
        };
        let mut steps = plan.applications.iter().flat_map(|app| &app.steps);
        let unmixed = steps.all(|step| scenarios_of(plan, step.id).len() <= 1);
        let recorded = metering.built_in().filter(|(metric, built_in)| {
            let told = |name: &str| {
                let by_scenario = built_in.by_scenario || (unmixed && !built_in.told.is_empty());
                let scenarios = plan.scenarios.iter().flat_map(|scenario| &scenario.tags);
                let of_scenario =
                    name == SCENARIO || scenarios.into_iter().any(|(own, _)| own == name);
                let of_event = built_in.event.tags().contains(&name) && name != SCENARIO;
                built_in.told.contains(&name) || (of_scenario && by_scenario && !of_event)
            };
            let mut asked = metering.wanted.get(metric).into_iter().flatten();
            !asked.all(|(name, _)| told(name))
        });
        metering.recorded = SortedSet::from_iter(recorded.map(|(metric, _)| metric));
        metering
    }

    /// All metrics of the plan.
    #[must_use]
    pub const fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// What must hold: the assertions, then the thresholds, then the limits of the steps and of what the target
    /// tells about itself.
    #[must_use]
    pub fn requirements(&self) -> &[Requirement] {
        &self.requirements
    }

    /// What feeds the scenario's own metrics.
    #[must_use]
    pub fn feeds(&self) -> &[Feed] {
        &self.feeds
    }

    /// The thresholds of the requirements, in their order.
    #[must_use]
    pub fn thresholds(&self) -> Vec<Threshold> {
        let requirements = self.requirements.iter();
        requirements.map(|r| r.threshold.clone()).collect()
    }

    /// What the thresholds will ask.
    #[must_use]
    pub fn queries(&self) -> Vec<Query> {
        let requirements = self.requirements.iter();
        requirements.map(|r| r.threshold.query().clone()).collect()
    }

    /// The built-in metrics that are asked for.
    pub(super) fn built_in(&self) -> impl Iterator<Item = (MetricId, &'static BuiltIn)> {
        built_in(&self.catalog).filter(|(metric, _)| self.is_wanted(*metric))
    }

    pub(super) fn is_wanted(&self, metric: MetricId) -> bool {
        self.wanted.contains_key(&metric)
    }

    pub(super) fn is_recorded(&self, metric: MetricId) -> bool {
        self.recorded.contains(&metric)
    }

    /// Whether a batch of this plan can have recorded these metrics.
    #[must_use]
    pub fn admits(&self, window: &MetricWindow) -> bool {
        let recorded = |metric: &MetricId| {
            self.is_recorded(*metric)
                || (self.catalog.is_custom(*metric) && self.is_wanted(*metric))
        };
        let checked = self.catalog.check(window);
        checked.is_ok_and(|metrics| metrics.iter().all(recorded))
    }

    /// Those of the tags that are asked for.
    pub(crate) fn reduce(&self, metric: MetricId, tags: &TagSet) -> TagSet {
        let Some(wanted) = self.wanted.get(&metric) else {
            return TagSet::new();
        };
        let asked = |(name, value): &(&str, &str)| {
            wanted.contains(&((*name).to_owned(), (*value).to_owned()))
        };
        tags.iter().filter(asked).collect()
    }
}

impl Plan {
    /// What is measured beside the windows, and everything that must hold for the run to pass.
    #[must_use]
    pub const fn metering(&self) -> &Metering {
        &self.metering
    }
}

/// When the phases and the scenarios of a plan take place.
pub(crate) fn timeline(plan: &Plan) -> Timeline {
    let span = |scenario: &crate::plan::PlannedScenario| ScenarioSpan {
        name: scenario.name.clone(),
        from: scenario.starts_at,
        to: scenario.starts_at + scenario.duration(),
    };
    Timeline {
        phases: plan.phases.clone(),
        scenarios: plan.scenarios.iter().map(span).collect(),
    }
}
