//! The load test engine: state machines without clock, I/O, async or entropy.
//!
//! [`plan`] turns a scenario into a plan, [`batch`] plays a share of it, [`run`] hands out the shares, merges
//! what comes back and judges it. The same code runs in a Durable Object, in the command `sentinel` and
//! under the virtual clock of the tests.

#![forbid(unsafe_code)]
// A panic would cost everything that runs in the same isolate. Tests may.
#![cfg_attr(
    not(test),
    deny(
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::string_slice,
        clippy::unreachable,
        clippy::unwrap_used
    )
)]

pub mod assertion;
pub mod batch;
pub mod bottleneck;
pub mod bundle;
pub mod check;
pub mod cloudflare;
pub mod content;
pub mod cookie;
pub mod data;
pub mod delay;
pub mod duration;
pub mod error_class;
pub mod extractor;
pub mod histogram;
mod inbox;
pub mod json;
pub mod json_path;
pub mod keys;
pub mod ledger;
pub mod load_model;
pub mod metering;
pub mod metric;
pub mod monitor;
pub mod packed_histogram;
pub mod parts;
pub mod phase;
pub mod plan;
pub mod popularity;
pub mod random;
pub mod redact;
pub mod response;
pub mod rows;
pub mod run;
pub mod scenario;
pub mod schedule;
pub mod server_timing;
pub mod shard;
pub mod share;
pub mod socket;
pub mod sorted;
pub mod stream;
pub mod summary;
pub mod target;
pub mod template;
pub mod threshold;
pub mod tick;
pub mod timeline;
pub mod totals;
pub mod vu;
pub mod window;
pub mod wire;
