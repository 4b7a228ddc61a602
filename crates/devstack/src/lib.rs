//! The local Cloudflare runtime with both Workers: started on free ports, ready when their health
//! answers, and gone afterwards.
//!
//! Each Worker runs in a `wrangler dev` of its own, in a process group of its own, so that a crash
//! test can take the load tester away while Grove goes on counting. Both share one dev registry,
//! through which a service binding or a Durable Object of the other Worker is found.
//!
//! **Invariant:** no process outlives its [`DevStack`], not even when the program that holds it is
//! killed: each group contains a watchdog that ends the group when that program is gone.

mod access;
mod config;
mod group;
mod options;
mod outage;
mod port;
mod processes;
mod project;
mod readiness;
mod sentinel;
mod stack;
mod state;

pub use options::Options;
pub use outage::Outage;
pub use port::Port;
pub use processes::{cpu_in, processes_in};
pub use project::Project;
pub use sentinel::SENTINEL;
pub use stack::{DevStack, Service};
