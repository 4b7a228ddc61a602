//! What a run was started with, as it is kept beside its results.
//!
//! Invariant: no secret is in it.

use sentinel_engine::plan::{PlanSource, Via};
use sentinel_engine::redact::{redact_application, redact_scenario};
use sentinel_engine::run::{ShardPlan, seconds_per_row};
use sentinel_engine::scenario::{ApplicationProfile, LoadScenario};
use serde::Serialize;

use crate::start::Prepared;

/// The spec's type of this name, and what the caller decided beside it. Written as text in one go: through a
/// `Value`, all that a scenario consists of would be compiled into the Worker a second time.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TestRunConfig<'a> {
    scenario_name: &'a str,
    scenario: LoadScenario,
    applications: Vec<ApplicationProfile>,
    environment: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    dry_run: Option<bool>,
    base_url: String,
    seed: u64,
    batches: u32,
    #[serde(skip_serializing_if = "<[ShardPlan]>::is_empty")]
    shards: &'a [ShardPlan],
    metrics_step_seconds: u32,
    #[serde(skip_serializing_if = "Via::is_host")]
    via: Via,
    #[serde(skip_serializing_if = "Option::is_none")]
    users: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retention_days: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<String>,
}

/// The value of `config_json` in the run's row.
pub(crate) fn config_json(prepared: &Prepared, dry_run: Option<bool>) -> String {
    let PlanSource {
        mut scenario,
        mut applications,
        options,
    } = prepared.source.clone();
    redact_scenario(&mut scenario);
    applications.iter_mut().for_each(redact_application);
    let config = TestRunConfig {
        scenario_name: &prepared.scenario_name,
        scenario,
        applications,
        environment: &prepared.environment,
        dry_run,
        base_url: options.base_url,
        seed: options.seed,
        batches: prepared.spread.batches,
        shards: &prepared.spread.shards,
        metrics_step_seconds: seconds_per_row(&prepared.plan),
        via: options.via,
        users: options.users,
        retention_days: prepared.retention_days,
        duration: options.duration,
        profile: options.profile,
    };
    crate::json::write(&config).unwrap_or_default()
}
