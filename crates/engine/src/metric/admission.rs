//! Who gets a series of its own: the bound on what metrics cost in memory.
//!
//! A series is a metric with a tag set. Within the limits every tag set of a metric has its own. Beyond them a
//! sample goes into an overflow series, which keeps only those tags that the run's queries ask for, and the
//! mark [`OVERFLOW_TAG`]. Invariant: the answer to an announced query is exact nevertheless, because a reduced
//! tag set matches the same announced filters as the full one; when even the reduced sets are too many, the
//! samples stay counted and such queries are answered as incomplete. Which tag sets are kept apart depends on
//! the order in which they come; sums over all series never do.

use std::fmt;

use super::catalog::MetricId;
use super::limits::{
    OVERFLOW_SETS_MAX, OVERFLOW_TAG, SERIES_MAX, SERIES_PER_METRIC_MAX, TAG_SETS_MAX, UNATTRIBUTED,
};
use super::selection::Query;
use super::tags::TagSet;
use crate::sorted::{SortedMap, SortedSet};

/// The number of a series in its recorder or store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesId(u32);

impl SeriesId {
    /// The place of the series in a list.
    pub(super) const fn index(self) -> usize {
        self.0 as usize
    }
}

/// More tag sets came for a metric than are kept apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverflowWarning {
    /// The metric's name.
    pub metric: String,
    /// How many tag sets of the metric are kept apart.
    pub series_kept: usize,
    /// Whether samples lost tags that thresholds ask for; those thresholds have no data then.
    pub unattributed: bool,
}

impl fmt::Display for OverflowWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            metric,
            series_kept,
            ..
        } = self;
        write!(
            f,
            "metric {metric} came with more than {series_kept} tag sets: further ones are counted together \
             under the tag {OVERFLOW_TAG}"
        )?;
        if self.unattributed {
            f.write_str(", without the tags that thresholds ask for")?;
        }
        Ok(())
    }
}

/// The tag sets and series of a recorder or store.
#[derive(Clone, Debug)]
pub(super) struct Admission {
    wanted: SortedSet<(String, String)>, // tags that announced queries ask for
    sets: Vec<TagSet>,
    set_ids: SortedMap<TagSet, SetId>,
    overflow_sets: usize, // of `sets`, those that bear the mark
    series: Vec<(MetricId, SetId)>,
    series_ids: SortedMap<(MetricId, SetId), SeriesId>, // from what was asked for to what was given
    metrics: SortedMap<MetricId, MetricSeries>,
    kept: usize, // series without the mark, of all metrics
}

type SetId = u32; // less than TAG_SETS_MAX + OVERFLOW_SETS_MAX + 1

#[derive(Clone, Copy, Debug, Default)]
struct MetricSeries {
    kept: usize,
    overflowed: bool,
    unattributed: bool,
}

impl Admission {
    pub(super) fn new(queries: &[Query]) -> Self {
        let wanted = queries
            .iter()
            .flat_map(|query| query.selection.filter.iter())
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self {
            wanted: SortedSet::from_iter(wanted),
            sets: Vec::new(),
            set_ids: SortedMap::new(),
            overflow_sets: 0,
            series: Vec::new(),
            series_ids: SortedMap::new(),
            metrics: SortedMap::new(),
            kept: 0,
        }
    }

    /// The series for samples of this metric with these tags.
    pub(super) fn series(&mut self, metric: MetricId, tags: &TagSet) -> SeriesId {
        let set = match self.set(tags) {
            Some(set) => set,
            None => self.overflow_set(tags),
        };
        if let Some(id) = self.series_ids.get(&(metric, set)) {
            return *id;
        }
        let seen = self.metrics.entry(metric).or_default();
        let mark = self
            .sets
            .get(set as usize)
            .and_then(|tags| tags.get(OVERFLOW_TAG));
        if let Some(mark) = mark {
            seen.overflowed = true;
            seen.unattributed |= mark == UNATTRIBUTED;
            return self.push(metric, set);
        }
        if seen.kept < SERIES_PER_METRIC_MAX && self.kept < SERIES_MAX {
            seen.kept += 1;
            self.kept += 1;
            return self.push(metric, set);
        }
        let reduced = self.reduced(tags);
        let id = self.series(metric, &reduced);
        self.series_ids.insert((metric, set), id);
        id
    }

    /// The metric and the tags of a series.
    pub(super) fn describe(&self, id: SeriesId) -> Option<(MetricId, &TagSet)> {
        let (metric, set) = self.series.get(id.index())?;
        Some((*metric, self.sets.get(*set as usize)?))
    }

    /// All series in the order in which they were first asked for.
    pub(super) fn iter(&self) -> impl Iterator<Item = (SeriesId, MetricId, &TagSet)> {
        (0..)
            .map(SeriesId)
            .map_while(|id| self.describe(id).map(|(metric, tags)| (id, metric, tags)))
    }

    /// Whether the series tell all samples of the metric that bear these tags.
    pub(super) fn is_complete(&self, metric: MetricId, filter: &TagSet) -> bool {
        let seen = self.metrics.get(&metric).copied().unwrap_or_default();
        let announced = || {
            filter
                .iter()
                .all(|(name, value)| self.wanted.contains(&(name.to_owned(), value.to_owned())))
        };
        filter.is_empty() || !seen.overflowed || (!seen.unattributed && announced())
    }

    /// The metrics of which some samples did not get a series of their own: how many series were kept, and
    /// whether wanted tags were lost.
    pub(super) fn overflowed(&self) -> impl Iterator<Item = (MetricId, usize, bool)> + '_ {
        self.metrics
            .iter()
            .filter(|(_, seen)| seen.overflowed)
            .map(|(metric, seen)| (*metric, seen.kept, seen.unattributed))
    }

    fn push(&mut self, metric: MetricId, set: SetId) -> SeriesId {
        let id = SeriesId(u32::try_from(self.series.len()).unwrap_or(u32::MAX));
        self.series.push((metric, set));
        self.series_ids.insert((metric, set), id);
        id
    }

    /// The number of a tag set, `None` when there is no room for it.
    fn set(&mut self, tags: &TagSet) -> Option<SetId> {
        if let Some(id) = self.set_ids.get(tags) {
            return Some(*id);
        }
        let mark = tags.get(OVERFLOW_TAG);
        let fits = match mark {
            None => self.sets.len() - self.overflow_sets < TAG_SETS_MAX,
            Some(UNATTRIBUTED) => true, // one set: it has no other tags, see `overflow_set`
            Some(_) => self.overflow_sets < OVERFLOW_SETS_MAX,
        };
        if !fits || (mark == Some(UNATTRIBUTED) && *tags != unattributed()) {
            return None;
        }
        self.overflow_sets += usize::from(mark.is_some());
        let id = SetId::try_from(self.sets.len()).ok()?;
        self.sets.push(tags.clone());
        self.set_ids.insert(tags.clone(), id);
        Some(id)
    }

    /// The set for samples whose own tag set has no room.
    fn overflow_set(&mut self, tags: &TagSet) -> SetId {
        let reduced = self.reduced(tags);
        let set = match tags.get(OVERFLOW_TAG) {
            None => self.set(&reduced),
            Some(_) => None, // reduced already
        };
        set.or_else(|| self.set(&unattributed()))
            .unwrap_or_default()
    }

    fn reduced(&self, tags: &TagSet) -> TagSet {
        tags.iter()
            .filter(|(name, value)| {
                self.wanted
                    .contains(&((*name).to_owned(), (*value).to_owned()))
            })
            .collect::<TagSet>()
            .marked_as_overflow("true")
    }
}

fn unattributed() -> TagSet {
    TagSet::new().marked_as_overflow(UNATTRIBUTED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::catalog::Catalog;
    use crate::metric::selection::Selection;

    fn metric(name: &str) -> MetricId {
        Catalog::default().id(name).unwrap()
    }

    fn wanting(tags: &[(&str, &str)]) -> Admission {
        let queries: Vec<_> = tags
            .iter()
            .map(|(name, value)| Query {
                selection: Selection {
                    metric: metric("http_reqs"),
                    filter: TagSet::new().with(name, value),
                    phase: None,
                },
                over: None,
            })
            .collect();
        Admission::new(&queries)
    }

    fn tags_of(admission: &Admission, id: SeriesId) -> String {
        admission.describe(id).unwrap().1.to_string()
    }

    #[test]
    fn the_same_tags_are_the_same_series() {
        let mut admission = wanting(&[]);
        let a = TagSet::new().with("a", "1").with("b", "2");
        let b = TagSet::new().with("b", "2").with("a", "1");
        let reqs = metric("http_reqs");
        assert_eq!(admission.series(reqs, &a), admission.series(reqs, &b));
        assert_ne!(
            admission.series(reqs, &a),
            admission.series(metric("iterations"), &a)
        );
        assert_eq!(admission.sets.len(), 1);
    }

    #[test]
    fn beyond_the_limit_only_wanted_tags_remain() {
        let mut admission = wanting(&[("status", "500"), ("scenario", "a")]);
        let reqs = metric("http_reqs");
        let tags = |i: usize, status: &str| {
            TagSet::new()
                .with("url", &i.to_string())
                .with("status", status)
        };
        for i in 0..SERIES_PER_METRIC_MAX {
            admission.series(reqs, &tags(i, "200"));
        }
        assert_eq!(admission.overflowed().count(), 0);
        let beyond = admission.series(reqs, &tags(9_999, "200"));
        assert_eq!(tags_of(&admission, beyond), "overflow:true");
        let failed = admission.series(reqs, &tags(9_999, "500"));
        assert_eq!(tags_of(&admission, failed), "overflow:true,status:500");
        assert_eq!(admission.series(reqs, &tags(10_000, "500")), failed);
        // Those that came in time keep their own series, and other metrics have room.
        let early = admission.series(reqs, &tags(3, "200"));
        assert_eq!(tags_of(&admission, early), "status:200,url:3");
        let other = admission.series(metric("iterations"), &tags(9_999, "200"));
        assert_eq!(tags_of(&admission, other), "status:200,url:9999");
        assert_eq!(
            admission.overflowed().collect::<Vec<_>>(),
            [(reqs, SERIES_PER_METRIC_MAX, false)]
        );
        assert!(admission.is_complete(reqs, &TagSet::new()));
        assert!(admission.is_complete(reqs, &TagSet::new().with("status", "500")));
        assert!(!admission.is_complete(reqs, &TagSet::new().with("status", "200")));
    }

    #[test]
    fn whatever_comes_the_number_of_series_is_bounded() {
        let wanted: Vec<_> = (0..300).map(|i| format!("v{i}")).collect();
        let pairs: Vec<_> = wanted.iter().map(|value| ("k", value.as_str())).collect();
        let mut admission = wanting(&pairs);
        let metrics: Vec<_> = Catalog::default().iter().map(|(id, _)| id).collect();
        for i in 0..1_500_usize {
            let tags = TagSet::new()
                .with("url", &i.to_string())
                .with("k", &wanted[i % wanted.len()]);
            for metric in &metrics {
                admission.series(*metric, &tags);
            }
        }
        assert!(admission.sets.len() <= TAG_SETS_MAX + OVERFLOW_SETS_MAX + 1);
        assert_eq!(admission.kept, SERIES_MAX);
        assert!(admission.series.len() <= SERIES_MAX + metrics.len() * (OVERFLOW_SETS_MAX + 1));
        // More wanted combinations than the overflow keeps apart: said, not hidden.
        let reqs = metric("http_reqs");
        assert!(!admission.is_complete(reqs, &TagSet::new().with("k", "v1")));
        assert!(admission.is_complete(reqs, &TagSet::new()));
        assert!(
            admission
                .overflowed()
                .any(|(id, _, lost)| id == reqs && lost)
        );
    }

    #[test]
    fn foreign_overflow_sets_are_bounded_too() {
        let mut admission = wanting(&[]);
        let reqs = metric("http_reqs");
        for i in 0..1_000 {
            let tags = TagSet::new().with("k", &i.to_string());
            admission.series(reqs, &tags.clone().marked_as_overflow("true"));
            admission.series(reqs, &tags.marked_as_overflow(UNATTRIBUTED));
        }
        assert!(admission.series.len() <= OVERFLOW_SETS_MAX + 1);
        assert!(!admission.is_complete(reqs, &TagSet::new().with("k", "1")));
    }
}
