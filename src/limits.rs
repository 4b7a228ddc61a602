//! What the platform allows, and what we take of it.
//!
//! Invariant: every number that comes from the platform stands here once, with its source. `docs` is
//! <https://developers.cloudflare.com>.

use std::num::NonZeroU16;

/// Requests of one invocation that may wait for response headers at once; a seventh would queue inside the
/// runtime and falsify its latency. docs: /workers/platform/limits/#simultaneous-open-connections
pub(crate) const SLOTS: NonZeroU16 = NonZeroU16::new(6).unwrap();

/// Batches that one coordinator, or one shard, runs at once. A request may cause at most 32 Worker invocations
/// through service bindings; two are left for what the batches themselves may call.
/// docs: /workers/runtime-apis/bindings/service-bindings/#limits
pub(crate) const BATCHES_MAX: u32 = 30;

/// Shards of one run at most: together with [`BATCHES_MAX`] 3,000 batches, of which a coordinator hears 100
/// messages a second. docs: /durable-objects/best-practices/rules-of-durable-objects/ (200 to 500 requests a
/// second for an object that writes to its storage)
pub(crate) const SHARDS_MAX: u32 = 100;

/// How long between two shards that are reached: the platform limits how quickly an account reaches for objects
/// that it has not reached before. docs: /durable-objects/observability/troubleshooting/
pub(crate) const SHARD_STAGGER_MS: u64 = 20;

/// How long a run waits for all of its shards before it starts without the missing ones.
pub(crate) const SHARD_READY_MS: u64 = 5_000;

/// How far ahead the start of a run through shards lies when they are told of it: time for the orders to get
/// there, the last of them [`SHARDS_MAX`] times [`SHARD_STAGGER_MS`] later than the first, and for the batches to
/// be started.
pub(crate) const START_AHEAD_MS: u64 = 1_500;

/// Where an object can be asked to be. docs: /durable-objects/reference/data-location/#supported-locations
pub(crate) const REGIONS: [&str; 11] = [
    "wnam", "enam", "sam", "weur", "eeur", "apac", "apac-ne", "apac-se", "oc", "afr", "me",
];

/// Subrequests of one invocation: `limits.subrequests` of wrangler.toml, which a test holds against this.
/// docs: /workers/platform/limits/#subrequests
pub(crate) const SUBREQUESTS_MAX: u64 = 1_000_000;

/// CPU time of one invocation: `limits.cpu_ms` of wrangler.toml, which a test holds against this. A slice, which is
/// one invocation of a batch and one turn of an alarm, ends long before it can have used that up.
/// docs: /workers/platform/limits/#cpu-time
pub(crate) const CPU_MS_MAX: u64 = 300_000;

/// The longest slice, in seconds. An alarm lasts for a slice and for the last answers in it, together less than the
/// platform's 15 minutes.
pub(crate) const SLICE_S_MAX: u32 = 120;
const _: () = assert!(SLICE_S_MAX as u64 * 1_000 < CPU_MS_MAX);

/// Requests that one thread sends in a second, with some left for answers that take more work. A batch runs on
/// the thread of whoever started it (docs: /workers/runtime-apis/bindings/service-bindings/), and such a thread
/// was measured to send 8,000 with nothing else to do.
pub(crate) const REQUESTS_PER_THREAD: u32 = 4_000;

/// How long an answer is expected to take, as long as nobody knows better.
pub(crate) const LATENCY_EXPECTED_MS: u64 = 200;

/// Bound parameters of one D1 or SQLite statement. docs: /d1/platform/limits/
pub(crate) const SQL_PARAMS_MAX: usize = 100;

/// Statements that we send to D1 in one `batch()`: far below its 30 s, and one transaction.
/// docs: /d1/platform/limits/
pub(crate) const D1_BATCH_MAX: usize = 50;

/// How long we wait for D1: somewhat longer than the 30 s after which it has given up itself.
/// docs: /d1/platform/limits/
pub(crate) const D1_ANSWER_MS: u64 = 35_000;

/// The shortest lifetime that KV accepts for a key, in seconds. docs: /kv/api/write-key-value-pairs/
pub(crate) const KV_TTL_S_MIN: u64 = 60;

/// The longest body that the API reads; ours, far below the platform's 100 MB.
pub(crate) const API_BODY_BYTES_MAX: usize = 1_048_576;

/// The longest line between a coordinator and a batch. A frame or an assignment is far shorter; this only keeps
/// a broken one from filling the memory.
pub(crate) const LINE_BYTES_MAX: usize = 16 * 1_048_576;

/// How many rows of the time line go to D1 in one transaction: with their number of columns, 20 statements.
pub(crate) const ROWS_PER_PARCEL: usize = 140;

/// How often a coordinator tells its shards and batches that it is still there, and a shard its batches.
pub(crate) const BEAT_MS: u64 = 2_000;

/// How long a batch or a shard goes on without hearing from whoever started it.
pub(crate) const LEASE_MS: u64 = 10_000;

/// How long a batch that was told to stop may take before its request is aborted.
pub(crate) const STOP_GRACE_MS: u64 = 1_000;

/// How long a batch that is over stays for the answers to the close frames that it has sent.
pub(crate) const CLOSE_GRACE_MS: f64 = 1_000.0;

/// How often a batch looks at the cancel flag itself, in case its coordinator does not.
pub(crate) const FLAG_CHECK_MS: u64 = 10_000;

/// How many bytes of frames may wait for the coordinator before a batch takes it for gone.
pub(crate) const UNREAD_BYTES_MAX: f64 = 8_000_000.0;

/// How often a coordinator looks at the cancel flag, and at what else may have changed.
pub(crate) const FLAG_POLL_MS: u64 = 1_000;

/// After how long a coordinator's alarm fires again when the turn before it vanished: longer than a batch's
/// lease, so that the batches of that turn have ended by then.
pub(crate) const ALARM_LEASE_MS: u64 = 15_000;
const _: () = assert!(ALARM_LEASE_MS > LEASE_MS);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subrequests_and_cpu_time_are_those_of_the_configuration() {
        let config = include_str!("../wrangler.toml").replace('_', "");
        assert!(config.contains(&format!("\nsubrequests = {SUBREQUESTS_MAX}\n")));
        assert!(config.contains(&format!("\ncpums = {CPU_MS_MAX}\n")));
    }
}
