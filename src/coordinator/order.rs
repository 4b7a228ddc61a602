//! What a coordinator is asked to do.

use sentinel_engine::plan::PlanSource;
use sentinel_engine::run::ShardPlan;
use serde::{Deserialize, Serialize};

/// A run to start.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RunOrder {
    /// The format's version: [`Self::VERSION`].
    pub(crate) version: u32,
    /// The run's identifier.
    pub(crate) run: String,
    /// The name of its scenario.
    pub(crate) scenario_name: String,
    /// The environment that it tests.
    pub(crate) environment: String,
    /// How many batches play it.
    pub(crate) batches: u32,
    /// Through which shards they are heard, none when each has a line to the coordinator.
    #[serde(default)]
    pub(crate) shards: Vec<ShardPlan>,
    /// The length of a slice in seconds.
    pub(crate) slice_s: u32,
    /// How much it may send.
    #[serde(default)]
    pub(crate) allowance: Allowance,
    /// What its plan is made of.
    pub(crate) source: PlanSource,
}

/// How much a run may send; what is `None` has no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Allowance {
    /// Requests in a second.
    #[serde(default)]
    pub(crate) rate_max: Option<u64>,
    /// Requests, by the limit for each run.
    #[serde(default)]
    pub(crate) requests_max: Option<u64>,
    /// Requests, by what the run has reserved of the day's budget.
    #[serde(default)]
    pub(crate) requests_reserved: Option<u64>,
}

impl Allowance {
    /// Why a run has to stop that has sent so many requests.
    pub(crate) fn used_up(&self, sent: u64) -> Option<String> {
        let reached = |limit: Option<u64>| limit.filter(|limit| sent >= *limit);
        if let Some(limit) = reached(self.requests_max) {
            return Some(format!(
                "the limit of {limit} requests for each run (MAX_REQUESTS) is reached"
            ));
        }
        reached(self.requests_reserved).map(|limit| {
            format!(
                "the {limit} requests that were left of the day's budget (DAILY_REQUESTS) are used up"
            )
        })
    }

    /// Why a run has to stop that has had a second with so many requests.
    pub(crate) fn too_fast(&self, requests_per_sec: f64) -> Option<String> {
        let limit = self
            .rate_max
            .filter(|limit| requests_per_sec > *limit as f64)?;
        Some(format!(
            "a second had {requests_per_sec} requests, more than the limit of {limit} (MAX_RATE)"
        ))
    }
}

impl RunOrder {
    /// The version that this code writes and reads.
    pub(crate) const VERSION: u32 = 1;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_stops_when_a_limit_is_reached_and_says_which() {
        let free = Allowance::default();
        assert_eq!((free.used_up(u64::MAX), free.too_fast(1e9)), (None, None));
        let bound = Allowance {
            rate_max: Some(100),
            requests_max: Some(1_000),
            requests_reserved: Some(500),
        };
        assert_eq!((bound.used_up(499), bound.too_fast(100.0)), (None, None));
        assert!(
            bound
                .used_up(500)
                .is_some_and(|why| why.contains("DAILY_REQUESTS"))
        );
        assert!(
            bound
                .used_up(1_000)
                .is_some_and(|why| why.contains("1000 requests for each run"))
        );
        assert!(
            bound
                .too_fast(100.5)
                .is_some_and(|why| why.contains("MAX_RATE"))
        );
    }
}
