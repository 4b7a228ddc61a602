//! The HTTP API under `/api/loadtest`.
//!
//! Invariant: nothing is read, stored or sent before the caller is authenticated and the request is checked;
//! every answer is JSON and not to be cached.

mod body;
mod error;
mod exposition;
mod handlers;
mod params;
mod prometheus;
mod reply;
mod route;
mod runs;
mod start;
mod stop;
mod stream;

pub(crate) use body::ScenarioChoice;
pub(crate) use error::ApiError;
pub(crate) use handlers::handle;
pub(crate) use route::BATCH_PATH;
