//! Metrics in k6's sense: Counter, Gauge, Rate and Trend, with tags, merged over shares and seconds.
//!
//! A batch records into a [`Recorder`], which gives one [`MetricWindow`] for each second and phase; the run
//! merges the windows of all shares into a [`MetricStore`] and asks it for [`Selection`]s. Values are whole
//! numbers ([`Amount`]) and every merge is exact and indifferent to order, so that one batch and eight
//! batches give the same answer. Invariant: memory is bounded whatever is recorded (`limits.rs`), and what
//! does not get a series of its own is counted, not lost.

mod admission;
mod amount;
mod catalog;
mod definition;
mod limits;
mod percentile;
mod recent;
mod recorder;
mod selection;
mod store;
mod tags;
mod trend;
mod value;
mod window;

pub use admission::{OverflowWarning, SeriesId};
pub use amount::Amount;
pub use catalog::{Catalog, CatalogError, MergeError, MetricId};
pub use definition::{Contains, CustomMetric, Definition, MetricKind, Origin};
pub use limits::{
    CUSTOM_METRICS_MAX, OVERFLOW_SETS_MAX, OVERFLOW_TAG, PENDING_SECONDS_MAX, SERIES_MAX,
    SERIES_PER_METRIC_MAX, TAG_SETS_MAX, TAG_TEXT_MAX, TAGS_MAX, WINDOW_MAX_S, WINDOWED_MAX,
    WINDOWED_SECONDS_MAX,
};
pub use percentile::Percentile;
pub use recorder::{Recorder, Refused};
pub use selection::{Query, Selected, Selection, WindowLength};
pub use store::{MetricStore, StoreState};
pub use tags::TagSet;
pub use trend::Trend;
pub use value::{Gauge, KindMismatch, Rate, Value};
pub use window::MetricWindow;
