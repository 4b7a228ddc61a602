//! Prometheus: as a text file about the whole run, or by remote write while it goes on.
//!
//! Names are those of k6's `experimental-prometheus-rw`, so that its dashboards show our runs: `k6_` before each
//! name, `_total` after Counters, `_rate` after Rates, the statistic after Trends, and seconds instead of
//! milliseconds. The label `testid` is the run's identifier.

mod remote_write;
mod sample;
mod text;

pub(super) use remote_write::RemoteWrite;
pub(super) use text::text;
