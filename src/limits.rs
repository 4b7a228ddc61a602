//! What the platform allows, and what we take of it.
//!
//! Invariant: every number that comes from the platform stands here once, with its source. `docs` is
//! <https://developers.cloudflare.com>.

use std::num::NonZeroU16;

/// Requests of one invocation that may wait for response headers at once; a seventh would queue inside the
/// runtime and falsify its latency. docs: /workers/platform/limits/#simultaneous-open-connections
pub(crate) const SLOTS: NonZeroU16 = NonZeroU16::new(6).unwrap();

/// Batches that one coordinator runs at once. A request may cause at most 32 Worker invocations through
/// service bindings; two are left for what the batches themselves may call.
/// docs: /workers/runtime-apis/bindings/service-bindings/#limits
pub(crate) const BATCHES_MAX: u32 = 30;

/// Bound parameters of one D1 or SQLite statement. docs: /d1/platform/limits/
pub(crate) const SQL_PARAMS_MAX: usize = 100;

/// Statements that we send to D1 in one `batch()`: far below its 30 s, and one transaction.
/// docs: /d1/platform/limits/
pub(crate) const D1_BATCH_MAX: usize = 50;

/// The shortest lifetime that KV accepts for a key, in seconds. docs: /kv/api/write-key-value-pairs/
pub(crate) const KV_TTL_S_MIN: u64 = 60;

/// The longest body that the API reads; ours, far below the platform's 100 MB.
pub(crate) const API_BODY_BYTES_MAX: usize = 1_048_576;

/// The longest line between a coordinator and a batch. A frame or an assignment is far shorter; this only keeps
/// a broken one from filling the memory.
pub(crate) const LINE_BYTES_MAX: usize = 16 * 1_048_576;

/// How many rows of the time line go to D1 in one transaction: with their number of columns, 20 statements.
pub(crate) const ROWS_PER_PARCEL: usize = 140;

/// How often a coordinator tells its batches that it is still there.
pub(crate) const BEAT_MS: u64 = 2_000;

/// How long a batch goes on without hearing from its coordinator.
pub(crate) const LEASE_MS: u64 = 10_000;

/// How long a batch that was told to stop may take before its request is aborted.
pub(crate) const STOP_GRACE_MS: u64 = 1_000;

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
