//! The Worker of Vista LoadTest: a thin shell around the engine.
//!
//! [`events`] receives what the platform sends, [`api`] answers people and dashboards, [`coordinator`] drives a
//! run from inside a Durable Object, [`shard`] speaks for a part of its batches, [`batch`] plays a share of its users
//! in a subrequest. Everything that does not need the platform is in the engine.

#![expect(
    rustdoc::private_intra_doc_links,
    reason = "a Worker has no public interface: its documentation is for those who read the source"
)]

mod alert;
mod api;
mod batch;
mod called;
mod catalog;
mod clock;
mod config;
mod coordinator;
mod cron;
mod events;
mod flag;
mod js;
mod json;
mod kill_switch;
mod limits;
mod links;
mod log;
mod outgoing;
mod retention;
mod retry;
mod run_config;
mod shard;
mod start;
mod store;
mod token;
