//! Where a batch records the series that the windows do not tell.

use super::builtin::{Event, Measure, Sample};
use super::custom::Feed;
use super::tags::Key;
use crate::check::CheckId;
use crate::error_class::ErrorClass;
use crate::metric::{Amount, Contains, MetricId, MetricWindow, Recorder, SeriesId, TagSet};
use crate::plan::Plan;
use crate::sorted::SortedMap;
use crate::stream::StreamEnd;
use crate::tick::Tick;
use crate::window::StepId;

/// How many combinations of scenario, step and outcome are remembered with their series. When more come, all
/// are looked up anew; the series stay.
const KEYS_MAX: usize = 1_024;

/// The recorder of a batch.
#[derive(Debug)]
pub(crate) struct Meter {
    recorder: Recorder,
    events: Vec<Event>,               // those of which anything is recorded
    series: SortedMap<Key, Vec<Fed>>, // at most KEYS_MAX
    refused: u64,
    records_nothing: bool,
}

/// A series, and what it takes of an event.
#[derive(Clone, Copy, Debug)]
struct Fed {
    series: SeriesId,
    measure: Measure,
    contains: Contains,
}

/// Something that happens in a batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Happening<'a> {
    pub(crate) event: Event,
    /// The scenario's place in the plan.
    pub(crate) scenario: usize,
    /// Of an iteration: the application's place in the plan.
    pub(crate) application: Option<u16>,
    /// Of a request.
    pub(crate) step: Option<StepId>,
    /// Of a check.
    pub(crate) check: Option<CheckId>,
    /// Of a request that went wrong.
    pub(crate) class: Option<ErrorClass>,
    /// Of a stream that ended.
    pub(crate) stream_end: Option<StreamEnd>,
    /// Of a message: its place in its session.
    pub(crate) message: Option<u16>,
    pub(crate) sample: Sample<'a>,
}

impl<'a> Happening<'a> {
    /// Something that happens to an iteration, or before one.
    pub(crate) const fn of(event: Event, scenario: usize, sample: Sample<'a>) -> Self {
        Self {
            event,
            scenario,
            application: None,
            step: None,
            check: None,
            class: None,
            stream_end: None,
            message: None,
            sample,
        }
    }

    /// Something that happens to a request.
    pub(crate) const fn of_request(
        event: Event,
        (scenario, step): (usize, StepId),
        sample: Sample<'a>,
    ) -> Self {
        Self {
            step: Some(step),
            ..Self::of(event, scenario, sample)
        }
    }
}

impl Meter {
    pub(crate) fn new(plan: &Plan) -> Self {
        let metering = plan.metering();
        let built_in = metering.built_in();
        let recorded = built_in.filter(|(metric, _)| metering.is_recorded(*metric));
        let mut events: Vec<Event> = recorded.map(|(_, built_in)| built_in.event).collect();
        events.extend(metering.feeds().iter().map(Feed::event));
        let records_nothing = events.is_empty() && plan.monitoring.is_none();
        Self {
            records_nothing,
            recorder: Recorder::new(metering.catalog().clone(), &metering.queries()),
            events,
            series: SortedMap::new(),
            refused: 0,
        }
    }

    /// Whether anything is recorded of an event. Of most, in most plans, nothing is; and what is known of one is more
    /// than what costs nothing to put together.
    pub(crate) fn wants(&self, event: Event) -> bool {
        self.events.contains(&event)
    }

    /// Records what is wanted of this.
    pub(crate) fn record(&mut self, plan: &Plan, at: Tick, happening: &Happening<'_>) {
        if !self.wants(happening.event) {
            return;
        }
        let ended = happening.event == Event::Ended;
        let key = Key {
            event: happening.event,
            scenario: u16::try_from(happening.scenario).unwrap_or(u16::MAX),
            application: happening.application,
            step: happening.step,
            check: happening.check,
            status: happening.sample.status.filter(|_| ended),
            class: happening.class.filter(|_| ended),
            stream_end: happening.stream_end,
            message: happening.message,
        };
        if self.series.len() >= KEYS_MAX && !self.series.contains_key(&key) {
            self.series.clear();
        }
        let recorder = &mut self.recorder;
        let fed = self.series.entry(key);
        let fed = fed.or_insert_with_key(|key| series_of(plan, key, recorder));
        for Fed {
            series,
            measure,
            contains,
        } in fed
        {
            let recorded = match measure.of(&happening.sample, *contains) {
                Ok(None) => true,
                Ok(Some(amount)) => recorder.record(*series, at, amount).is_ok(),
                Err(_) => false,
            };
            self.refused = self.refused.saturating_add(u64::from(!recorded));
        }
    }

    /// Records a value that belongs to nothing that happens, and so has no tags.
    pub(crate) fn record_untagged(&mut self, metric: MetricId, at: Tick, amount: Amount) {
        let series = self.recorder.series(metric, &TagSet::new());
        let recorded = series.and_then(|series| self.recorder.record(series, at, amount));
        debug_assert!(recorded.is_ok(), "what is watched is in the catalogue");
    }

    /// What was recorded since the last time, and how many values could not be, because they are no numbers or
    /// would have decreased a Counter.
    pub(crate) fn take_window(&mut self) -> (MetricWindow, u64) {
        if self.records_nothing {
            return (MetricWindow::default(), 0);
        }
        (
            self.recorder.take_window(),
            std::mem::take(&mut self.refused),
        )
    }
}

/// The series that samples with this key go into.
fn series_of(plan: &Plan, key: &Key, recorder: &mut Recorder) -> Vec<Fed> {
    let metering = plan.metering();
    let tags = key.tags(plan);
    let built_in = metering.built_in().filter_map(|(metric, built_in)| {
        let recorded = built_in.event == key.event && metering.is_recorded(metric);
        recorded.then_some((metric, built_in.measure))
    });
    let feeds = metering.feeds().iter().filter_map(|feed| {
        let fed = feed.event() == key.event
            && key.step == Some(feed.step)
            && (feed.check.is_none() || feed.check == key.check);
        fed.then_some((feed.metric, feed.measure))
    });
    let series = built_in.chain(feeds).filter_map(|(metric, measure)| {
        let contains = metering.catalog().definition(metric)?.contains;
        let tags = metering.reduce(metric, &tags);
        Some(Fed {
            series: recorder.series(metric, &tags).ok()?,
            measure,
            contains,
        })
    });
    series.collect()
}
