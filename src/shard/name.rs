//! How shards are called, and what they are told.

use std::fmt;

use sentinel_engine::bundle::ShardOrder;
use sentinel_engine::plan::PlanSource;
use sentinel_engine::run::ShardPlan;
use serde::{Deserialize, Serialize};

use crate::limits::SHARD_STAGGER_MS;

/// The first line that a coordinator says to a shard.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ShardCall<S = PlanSource> {
    /// Which part of the run.
    pub(crate) order: ShardOrder,
    /// What the run's plan is made of.
    pub(crate) source: S,
}

/// The name of a shard's object. It does not depend on the run, so that the objects of one night serve the next
/// one, and two runs share none, because an environment has one run at a time. It holds the region, because an
/// object stays where it was first created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ShardName<'a> {
    environment: &'a str,
    region: Option<&'a str>,
    number: u32,
}

impl<'a> ShardName<'a> {
    /// The name of shard `number` of a run on an environment.
    pub(crate) fn new(environment: &'a str, plan: Option<&'a ShardPlan>, number: u32) -> Self {
        Self {
            environment,
            region: plan.and_then(|plan| plan.region.as_deref()),
            number,
        }
    }

    /// Where the object is to be created.
    pub(crate) const fn region(&self) -> Option<&'a str> {
        self.region
    }

    /// How long to wait before this shard is reached, so that the platform is not asked for all at once.
    pub(crate) fn wait_ms(&self) -> u64 {
        u64::from(self.number) * SHARD_STAGGER_MS
    }
}

impl fmt::Display for ShardName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            environment,
            region,
            number,
        } = self;
        let region = region.unwrap_or("any");
        write!(f, "{environment}/{region}/{number:03}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_holds_what_an_object_depends_on() {
        let plan = ShardPlan {
            batches: 3,
            region: Some("weur".to_owned()),
        };
        let name = ShardName::new("staging", Some(&plan), 7);
        assert_eq!(name.to_string(), "staging/weur/007");
        assert_eq!(name.region(), Some("weur"));
        let anywhere = ShardName::new("staging", None, 0);
        assert_eq!(anywhere.to_string(), "staging/any/000");
        assert_eq!(anywhere.wait_ms(), 0);
    }
}
