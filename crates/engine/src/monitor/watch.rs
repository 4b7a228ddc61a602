//! What the run remembers of the numbers that the target told.

use serde::{Deserialize, Serialize};

use super::growth::Growth;
use super::polls::PollCounts;
use crate::metric::{Amount, MetricId, MetricWindow, Value};
use crate::plan::{Monitored, Monitoring};
use crate::tick::{Span, Tick};

/// How many samples of a series are kept. When more come, every second one is forgotten.
pub const SAMPLES_KEPT_MAX: usize = 128;

/// What was heard of the target, series by series as the plan has them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(crate) struct Watch {
    polls: PollCounts,
    histories: Vec<History>,
}

/// Samples of one series, in the order of their times.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct History {
    told: u64,
    thinned: u32,              // how often every second sample was forgotten
    samples: Vec<(Tick, i64)>, // in steps of the metric, at most SAMPLES_KEPT_MAX
}

impl Watch {
    /// Takes in what a window tells of the target. Answers the growths that have become known, in thousandths of a
    /// percent per hour.
    pub(crate) fn add(
        &mut self,
        monitoring: &Monitoring,
        polls: &PollCounts,
        metrics: &MetricWindow,
    ) -> Vec<(MetricId, Amount)> {
        self.polls.merge(polls);
        self.histories
            .resize_with(monitoring.series.len(), History::default);
        let mut grown = Vec::new();
        for (series, history) in monitoring.series.iter().zip(&mut self.histories) {
            let told = metrics.series.get(&series.name);
            let mut heard = false;
            for value in told.into_iter().flat_map(|told| told.values()) {
                if let Value::Gauge(gauge) = value {
                    history.add(gauge.at, gauge.value, monitoring.interval);
                    heard = true;
                }
            }
            if heard && let Some(amount) = history.growth(series).and_then(in_percent) {
                grown.push((series.growth, amount));
            }
        }
        grown
    }

    /// Polls that came to an end.
    pub(crate) const fn polls(&self) -> &PollCounts {
        &self.polls
    }

    /// What was told of each series, in the order of the plan; nothing if nothing was told at all.
    pub(crate) fn histories(&self) -> &[History] {
        &self.histories
    }
}

impl History {
    /// How many samples came.
    #[must_use]
    pub const fn told(&self) -> u64 {
        self.told
    }

    /// The samples that are kept, in the metric's unit.
    pub fn samples(&self, series: &Monitored) -> impl Iterator<Item = (Tick, f64)> {
        let contains = series.contains;
        let samples = self.samples.iter();
        samples.map(move |(at, steps)| (*at, contains.in_unit(*steps as f64)))
    }

    /// How the series grows behind its warm-up, as far as that is known.
    #[must_use]
    pub fn growth(&self, series: &Monitored) -> Option<Growth> {
        let from = Tick::ZERO + series.warm_up;
        let samples = self.samples(series).filter(|(at, _)| *at >= from);
        Growth::of(&samples.collect::<Vec<_>>())
    }

    /// Which samples are kept depends on their times alone, not on the order in which they come.
    fn add(&mut self, at: Tick, steps: i64, interval: Span) {
        self.told += 1;
        if self.keeps(at, interval) {
            let place = self.samples.partition_point(|(other, _)| *other <= at);
            self.samples.insert(place, (at, steps));
        }
        while self.samples.len() > SAMPLES_KEPT_MAX && self.thinned < THINNED_MAX {
            self.thinned += 1;
            let samples = std::mem::take(&mut self.samples);
            let kept = samples
                .into_iter()
                .filter(|(at, _)| self.keeps(*at, interval));
            self.samples = kept.collect();
        }
    }

    /// Whether the poll of this time is one of those that are kept.
    fn keeps(&self, at: Tick, interval: Span) -> bool {
        let number = at.as_us() / interval.as_us().max(1);
        number.is_multiple_of(1 << self.thinned)
    }
}

/// Far more than a run of a year needs.
const THINNED_MAX: u32 = 40;

fn in_percent(growth: Growth) -> Option<Amount> {
    crate::metric::Contains::Default.amount(growth.percent_per_hour?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Span = Span::from_secs(10);

    fn history(order: impl IntoIterator<Item = u64>) -> History {
        let mut history = History::default();
        for n in order {
            let at = Tick::from_ms(n * 10_000 + 3);
            history.add(at, i64::try_from(n).unwrap(), INTERVAL);
        }
        history
    }

    #[test]
    fn memory_is_bounded_and_spread_over_the_whole_run() {
        for count in [10, 128, 129, 1_000, 100_000] {
            let history = history(0..count);
            assert_eq!(history.told(), count);
            let kept = history.samples.len();
            assert!(kept <= SAMPLES_KEPT_MAX, "{kept} of {count}");
            assert!(kept as u64 >= count.min(64), "{kept} of {count}");
            let (first, last) = (history.samples[0].1, history.samples[kept - 1].1);
            assert_eq!(first, 0);
            assert!(last as u64 >= count - 1 - count / 64, "{last} of {count}");
        }
    }

    #[test]
    fn the_order_in_which_samples_come_changes_nothing() {
        assert_eq!(history(0..1_000).samples, history((0..1_000).rev()).samples);
    }
}
