//! The endpoints of Grove.

mod control;
mod media;
mod oauth;
mod posts;
mod reader;
mod tenants;

mod dispatch;

pub(crate) use dispatch::handle;
