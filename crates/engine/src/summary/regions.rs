//! What a run measured from each region that its load was asked to come from.

use serde::{Deserialize, Serialize};

use crate::cloudflare::Colo;
use crate::error_class::ErrorClass;
use crate::run::{Book, RunConfig};
use crate::sorted::SortedMap;
use crate::tick::Span;
use crate::totals::LatencyPercentiles;

/// One region. Its requests are part of those of the whole run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RegionResult {
    /// How many batches played side by side.
    pub batches: u32,
    /// Requests sent.
    pub total_requests: u64,
    /// Requests that ended as their step expects.
    pub successful_requests: u64,
    /// Requests that did not, those included that the generator cut off.
    pub failed_requests: u64,
    /// Failed requests as a fraction of those that ended.
    #[serde(default)]
    pub error_rate: Option<f64>,
    /// Errors by class.
    pub error_breakdown: SortedMap<ErrorClass, u64>,
    /// Response times.
    pub latency: LatencyPercentiles,
    /// Service times.
    pub service_time: LatencyPercentiles,
    /// How many holes the shares of its batches have.
    pub holes: u32,
    /// The part of the time that these shares were to be played which lies in no hole, from 0 to 1; `None` when
    /// nothing was due.
    #[serde(default)]
    pub coverage: Option<f64>,
    /// The data centres in which its batches ran, and how many batches of a slice ran in each, as far as the
    /// target's answers tell (`cf-ray`).
    pub colos: SortedMap<Colo, u64>,
}

/// The regions of a run, by name; none of a run that did not ask for any. `due` is how long each share was to be
/// played.
pub(super) fn results(
    config: &RunConfig,
    book: &Book,
    due: Span,
) -> SortedMap<String, RegionResult> {
    let mut results = SortedMap::new();
    for region in config
        .shards
        .iter()
        .filter_map(|shard| shard.region.as_ref())
    {
        if !results.contains_key(region) {
            results.insert(region.clone(), result(config, book, region, due));
        }
    }
    results
}

fn result(config: &RunConfig, book: &Book, region: &str, due: Span) -> RegionResult {
    let (mut batches, mut holes, mut missing) = (0_u32, 0_u32, Span::ZERO);
    for (batch, share) in (0..).zip(book.shares()) {
        if config.region_of(config.line_of(batch)) == Some(region) {
            batches = batches.saturating_add(1);
            holes = holes.saturating_add(share.holes());
            missing = missing + share.missing();
        }
    }
    let due_us = due.as_us().saturating_mul(batches.into());
    let missing_us = missing.as_us().min(due_us);
    let measured = book.places.measured(region);
    RegionResult {
        batches,
        total_requests: measured.sent,
        successful_requests: measured.succeeded,
        failed_requests: measured.errors_total(),
        error_rate: measured.error_rate(),
        latency: LatencyPercentiles::of(&measured.response_us),
        service_time: LatencyPercentiles::of(&measured.service_us),
        error_breakdown: measured.errors,
        holes,
        coverage: (due_us > 0).then(|| (due_us - missing_us) as f64 / due_us as f64),
        colos: book.places.colos_of(region),
    }
}
