//! Grove, the reference publishing platform on Workers and Durable Objects.
//!
//! It is what the demo and the tests put load on: small, but real. Users sign in through
//! Heartwood (OAuth), tenants have posts in D1, reactions are counted in an object per post,
//! pictures lie in R2. Every response says in `Server-Timing` what it cost (docs/telemetry.md),
//! and `GET /__stats` says exactly how many requests arrived.
//!
//! The modules without a word about JavaScript (`input`, `route`, `timing`, `token`, `seed`)
//! are tested natively; the whole is tested in workerd.

mod app;
mod auth;
mod body;
mod entry;
mod error;
mod fault;
mod handlers;
mod input;
mod objects;
mod route;
mod seed;
mod stats;
mod store;
mod timing;
mod token;

pub use objects::{GateDO, PostDO, SessionDO, StatsDO, TenantDO};
