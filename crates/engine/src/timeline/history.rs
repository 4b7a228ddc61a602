//! A bounded memory of a run's seconds, for the summary and the analysis.

use serde::{Deserialize, Serialize};

use crate::error_class::ErrorClass;
use crate::histogram::SparseHistogram;
use crate::packed_histogram::PackedHistogram;
use crate::phase::Phase;
use crate::sorted::SortedMap;
use crate::timeline::row::{D1Metrics, DoMetrics, ObjectMetrics, StorageMetrics, TimelineRow};
use crate::totals::{LatencyPercentiles, failed};
use crate::window::{COMPONENTS_MAX, ComponentKind, ComponentWindow, OTHER_COMPONENT, Window};

/// How many points a [`Timeline`] holds: 20 minutes at full resolution. A point takes about 1 KB when stored,
/// its row in the summary about 700 bytes, so that both stay below the 2 MB that a row of SQLite or D1 may
/// have (<https://developers.cloudflare.com/d1/platform/limits/>).
pub const POINTS_MAX: usize = 1_200;

/// What is remembered of one second, or of several.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Point {
    /// The first second that it covers.
    pub second: u32,
    /// How many seconds it covers.
    pub seconds: u32,
    /// The phase at its end.
    pub phase: Phase,
    /// Active users: the highest number of the seconds that it covers.
    pub active_users: u32,
    /// Response times in milliseconds.
    pub latency: LatencyPercentiles,
    /// The counts and the distribution behind them.
    pub sums: Sums,
}

/// The counts of one or several seconds, and a coarse histogram that can be merged further.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Sums {
    /// Requests that ended as their step expects.
    pub succeeded: u64,
    /// Errors by class.
    pub errors: SortedMap<ErrorClass, u64>,
    /// Response times in microseconds, rounded to within 1 %.
    pub response_us: PackedHistogram,
    /// What the target told about its components, by at most [`COMPONENTS_MAX`] names and a shared one.
    pub components: SortedMap<String, ComponentSums>,
}

/// What the target told about one component in one or several seconds. Stored as a list of numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "ComponentNumbers", into = "ComponentNumbers")]
pub struct ComponentSums {
    /// The kind of component.
    pub kind: ComponentKind,
    /// Calls.
    pub calls: u64,
    /// Calls that failed.
    pub errors: u64,
    /// Time spent in all calls, in microseconds, to within 0.1 %.
    pub duration_us: u64,
    /// Calls that had to wake the object.
    pub wakes: u64,
    /// Queries.
    pub queries: u64,
    /// Calls that were batched writes.
    pub batched_writes: u64,
    /// Rows read.
    pub rows_read: u64,
    /// Rows written.
    pub rows_written: u64,
    /// Read operations on storage.
    pub reads: u64,
    /// Write operations on storage.
    pub writes: u64,
    /// Bytes moved to or from storage.
    pub bytes: u64,
}

type ComponentNumbers = (ComponentKind, [u64; 11]);

/// The points of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Timeline {
    seconds_per_point: u32, // a power of two
    points: Vec<Point>,     // at most POINTS_MAX, in order, without gaps
}

impl Default for Timeline {
    fn default() -> Self {
        Self {
            seconds_per_point: 1,
            points: Vec::new(),
        }
    }
}

impl Timeline {
    /// Adds the next second.
    pub fn push(&mut self, point: Point) {
        let seconds_per_point = self.seconds_per_point;
        match self.points.last_mut() {
            Some(last) if last.seconds < seconds_per_point => last.merge(&point),
            _ => self.points.push(point),
        }
        if self.points.len() > POINTS_MAX {
            self.coarsen();
        }
    }

    /// The points in order.
    #[must_use]
    pub fn points(&self) -> &[Point] {
        &self.points
    }

    /// How many seconds a point covers; the last one may cover fewer.
    #[must_use]
    pub const fn seconds_per_point(&self) -> u32 {
        self.seconds_per_point
    }

    /// Merges neighbouring points, so that half as many are left and each covers twice the time.
    pub fn coarsen(&mut self) {
        let mut merged: Vec<Point> = Vec::with_capacity(self.points.len() / 2 + 1);
        for (i, point) in std::mem::take(&mut self.points).into_iter().enumerate() {
            match merged.last_mut() {
                Some(last) if i % 2 == 1 => last.merge(&point),
                _ => merged.push(point),
            }
        }
        self.points = merged;
        self.seconds_per_point = self.seconds_per_point.saturating_mul(2);
    }
}

impl Point {
    /// The row that is published of this point.
    #[must_use]
    pub fn to_row(&self, epoch_ms: u64) -> TimelineRow {
        let seconds = f64::from(self.seconds.max(1));
        let finished = self.sums.finished();
        TimelineRow {
            timestamp: epoch_ms.saturating_add(u64::from(self.second) * 1_000),
            phase: self.phase,
            active_users: self.active_users,
            requests_per_sec: finished as f64 / seconds,
            latency: self.latency,
            error_rate: self.sums.failed() as f64 / finished.max(1) as f64,
            errors_by_type: self.sums.errors.clone(),
            do_metrics: self.sums.do_metrics(),
            d1_metrics: self.sums.d1_metrics(seconds),
            storage_metrics: self.sums.storage_metrics(seconds),
        }
    }

    /// Adds the point that follows, but for the percentiles.
    pub(super) fn add(&mut self, next: &Self) {
        self.seconds += next.seconds;
        self.phase = next.phase;
        self.active_users = self.active_users.max(next.active_users);
        self.sums.merge(&next.sums);
    }

    /// Adds the point that follows. The peaks stay what they were: coarse buckets round only the rest.
    fn merge(&mut self, next: &Self) {
        self.add(next);
        let peaks = [self.latency.max, next.latency.max];
        let max = peaks.into_iter().flatten().reduce(f64::max);
        self.latency = LatencyPercentiles {
            max,
            ..LatencyPercentiles::of_sparse(&self.sums.response_us.unpack())
        };
    }
}

impl Sums {
    /// Requests that the target failed.
    #[must_use]
    pub fn failed(&self) -> u64 {
        failed(&self.errors)
    }

    /// Requests that came to an end of their own.
    #[must_use]
    pub fn finished(&self) -> u64 {
        self.succeeded + self.failed()
    }

    /// Adds other sums.
    pub fn merge(&mut self, other: &Self) {
        self.succeeded += other.succeeded;
        for (class, count) in &other.errors {
            *self.errors.entry(*class).or_insert(0) += count;
        }
        self.response_us.merge(&other.response_us);
        for (name, component) in &other.components {
            self.add_component(name, component);
        }
    }

    fn add_component(&mut self, name: &str, component: &ComponentSums) {
        let fits = self.components.len() < COMPONENTS_MAX || self.components.contains_key(name);
        let key = if fits { name } else { OTHER_COMPONENT };
        let sum = self.components.entry(key.to_owned()).or_default();
        sum.merge(component);
        if !fits {
            sum.kind = ComponentKind::Other; // of several kinds, so of none
        }
    }

    /// The sums of one second, whose parts in different phases these are.
    pub(super) fn of<'a>(windows: impl Iterator<Item = &'a Window>) -> Self {
        let mut sums = Self::default();
        let mut response_us = SparseHistogram::default();
        for window in windows {
            sums.add_window(window, &mut response_us);
        }
        sums.response_us = PackedHistogram::from(&response_us);
        sums
    }

    fn add_window(&mut self, window: &Window, response_us: &mut SparseHistogram) {
        for step in window.steps.values() {
            self.succeeded += step.succeeded;
            for (class, count) in &step.errors {
                *self.errors.entry(*class).or_insert(0) += count;
            }
            for (value, count) in step.response_us.buckets() {
                response_us.record_n(coarse(value), count);
            }
            let overflow = step.response_us.overflow();
            response_us.record_n(u64::MAX, overflow);
        }
        for (name, component) in &window.components {
            self.add_component(name, &ComponentSums::of(component));
        }
    }

    fn of_kind(&self, kind: ComponentKind) -> Option<ComponentSums> {
        let mut found = None;
        for component in self.components.values().filter(|c| c.kind == kind) {
            found
                .get_or_insert_with(ComponentSums::default)
                .merge(component);
        }
        found
    }

    fn do_metrics(&self) -> Option<DoMetrics> {
        self.of_kind(ComponentKind::DurableObject)?;
        let object = |name| self.components.get(name).map(ComponentSums::object_metrics);
        Some(DoMetrics {
            session_do: object("SessionDO").unwrap_or_default(),
            tenant_do: object("TenantDO").unwrap_or_default(),
            post_do: object("PostDO").unwrap_or_default(),
        })
    }

    fn d1_metrics(&self, seconds: f64) -> Option<D1Metrics> {
        let d1 = self.of_kind(ComponentKind::D1)?;
        Some(D1Metrics {
            queries_per_second: d1.queries as f64 / seconds,
            batched_writes_per_second: d1.batched_writes as f64 / seconds,
            avg_query_latency: ratio(d1.duration_us, d1.queries).map(|us| us / 1_000.0),
            rows_read_per_second: d1.rows_read as f64 / seconds,
            rows_written_per_second: d1.rows_written as f64 / seconds,
        })
    }

    fn storage_metrics(&self, seconds: f64) -> Option<StorageMetrics> {
        let storage = self.of_kind(ComponentKind::Storage)?;
        Some(StorageMetrics {
            reads_per_second: storage.reads as f64 / seconds,
            writes_per_second: storage.writes as f64 / seconds,
            bytes_transferred: storage.bytes,
        })
    }
}

impl ComponentSums {
    /// The sums of what a window tells about a component.
    #[must_use]
    pub fn of(window: &ComponentWindow) -> Self {
        let durations = window.duration_us.buckets();
        let duration_us = durations.fold(0_u64, |sum, (value, count)| {
            sum.saturating_add(value.saturating_mul(count))
        });
        Self {
            kind: window.kind,
            calls: window.calls,
            errors: window.errors,
            duration_us,
            wakes: window.wakes,
            queries: window.queries,
            batched_writes: window.batched_writes,
            rows_read: window.rows_read,
            rows_written: window.rows_written,
            reads: window.reads,
            writes: window.writes,
            bytes: window.bytes,
        }
    }

    fn merge(&mut self, other: &Self) {
        let (_, mine) = ComponentNumbers::from(*self);
        let (kind, others) = ComponentNumbers::from(*other);
        let mut sums = mine;
        for (sum, more) in sums.iter_mut().zip(others) {
            *sum = sum.saturating_add(more);
        }
        *self = (kind, sums).into();
    }

    fn object_metrics(&self) -> ObjectMetrics {
        ObjectMetrics {
            wake_rate: ratio(self.wakes, self.calls),
            avg_latency: ratio(self.duration_us, self.calls).map(|us| us / 1_000.0),
            error_rate: ratio(self.errors, self.calls),
        }
    }
}

impl From<ComponentSums> for ComponentNumbers {
    fn from(sums: ComponentSums) -> Self {
        let numbers = [
            sums.calls,
            sums.errors,
            sums.duration_us,
            sums.wakes,
            sums.queries,
            sums.batched_writes,
            sums.rows_read,
            sums.rows_written,
            sums.reads,
            sums.writes,
            sums.bytes,
        ];
        (sums.kind, numbers)
    }
}

impl From<ComponentNumbers> for ComponentSums {
    fn from((kind, numbers): ComponentNumbers) -> Self {
        let [
            calls,
            errors,
            duration_us,
            wakes,
            queries,
            batched_writes,
            rows_read,
            rows_written,
            reads,
            writes,
            bytes,
        ] = numbers;
        Self {
            kind,
            calls,
            errors,
            duration_us,
            wakes,
            queries,
            batched_writes,
            rows_read,
            rows_written,
            reads,
            writes,
            bytes,
        }
    }
}

fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// `value` rounded to 7 binary digits, to the middle of its bucket: off by less than 1 %. A point so holds at
/// most 64 buckets for each doubling of the latency.
const fn coarse(value: u64) -> u64 {
    const EXACT_BELOW: u64 = 128;
    if value < EXACT_BELOW {
        return value;
    }
    let shift = EXACT_BELOW.leading_zeros() - value.leading_zeros() + 1;
    let start = (value >> shift) << shift;
    start + (1 << shift) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coarse_values_are_within_one_percent() {
        let mut value = 1_u64;
        while value < 3_600_000_000 {
            let error = coarse(value).abs_diff(value) as f64 / value as f64;
            assert!(error < 0.01, "{value} became {}", coarse(value));
            value = value * 9 / 8 + 1;
        }
    }
}
