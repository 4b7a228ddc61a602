//! What a run tells about how its target was.

use serde::{Deserialize, Serialize};

use crate::error_class::ErrorClass;
use crate::monitor::{History, Watch};
use crate::plan::{Monitored, Monitoring};
use crate::sorted::SortedMap;

/// What the target told about itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MonitoringResult {
    /// How often it was asked. Polls are neither in the ledger nor in the metrics of requests.
    pub polls: u64,
    /// Polls that did not tell everything that was asked for.
    pub polls_failed: u64,
    /// These by their reason.
    pub failures: SortedMap<ErrorClass, u64>,
    /// What was read, in the order of the scenario.
    pub series: Vec<MonitoredResult>,
}

/// A number that the target told about itself, in the unit of its metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MonitoredResult {
    /// The metric.
    pub name: String,
    /// How often it was read.
    pub samples: u64,
    /// By how much it grew in an hour; `null` of too few samples.
    #[serde(default)]
    pub growth_per_hour: Option<f64>,
    /// The same in percent of what it was at the beginning; also `null` if that was nothing.
    #[serde(default)]
    pub growth_percent_per_hour: Option<f64>,
    /// When it was read, in seconds since the load began, and what it was; of very many samples those of even
    /// intervals.
    pub points: Vec<(f64, f64)>,
}

impl MonitoringResult {
    pub(super) fn of(monitoring: &Monitoring, watch: &Watch) -> Self {
        let none = History::default();
        let histories = watch.histories().iter().chain(std::iter::repeat(&none));
        let series = monitoring.series.iter().zip(histories);
        Self {
            polls: watch.polls().ended,
            polls_failed: watch.polls().failed(),
            failures: watch.polls().failed.clone(),
            series: series
                .map(|(series, history)| MonitoredResult::of(series, history))
                .collect(),
        }
    }

    /// What a reader of the numbers should know.
    pub(super) fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let (polls, failed) = (self.polls, self.polls_failed);
        if polls == 0 {
            warnings.push("the target was never asked about itself".to_owned());
        } else if failed > 0 {
            let classes: Vec<String> = self.failures.keys().map(ToString::to_string).collect();
            let classes = classes.join(", ");
            warnings.push(format!(
                "{failed} of {polls} times the target did not tell what it was asked about itself: {classes}"
            ));
        }
        warnings
    }
}

impl MonitoredResult {
    fn of(series: &Monitored, history: &History) -> Self {
        let growth = history.growth(series);
        let points = history.samples(series);
        Self {
            name: series.name.clone(),
            samples: history.told(),
            growth_per_hour: growth.map(|growth| growth.per_hour),
            growth_percent_per_hour: growth.and_then(|growth| growth.percent_per_hour),
            points: points
                .map(|(at, value)| (at.as_us() as f64 / 1e6, value))
                .collect(),
        }
    }
}
