//! What the end-to-end tests share: a running stack, clients for it, and ways to wait without sleeping.

mod api;
mod coordinator;
mod faults;
mod footprint;
mod grove;
mod lab;
mod permit;
mod played;
mod profile;
mod raw;
mod run;
mod scenario;
mod target;
mod wait;

pub(crate) use api::{Answer, Api};
pub(crate) use coordinator::Coordinator;
pub(crate) use footprint::{Footprint, TABLES};
pub(crate) use grove::Grove;
pub(crate) use lab::{BATCH_KEY, Lab, NOBODY};
pub(crate) use permit::sign;
pub(crate) use played::{Played, let_go};
pub(crate) use profile::{Profile, unix_ms};
pub(crate) use raw::{exchange, send_and_go};
pub(crate) use run::{LEDGER_FIELDS, Run, Summary, are_seconds_in_turn, count};
pub(crate) use scenario::{inline, plan_source, profile, six_of_each, steps_of_each};
pub(crate) use target::{Received, Reply, Target};
pub(crate) use wait::{until, watch};
