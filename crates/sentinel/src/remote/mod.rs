//! `sentinel remote`: runs at the edge, by the API of a deployed load tester.
//!
//! Invariant: the token goes nowhere but into the header of requests to the address that was given, over TLS
//! unless that is this machine itself, and a run is started at most once, whatever becomes of the answer.

mod access;
mod arguments;
mod cancel;
mod client;
mod command;
mod histograms;
mod list;
mod live;
mod outcome;
mod plan;
mod start;
mod trouble;
mod watch;

pub(crate) use arguments::RemoteArguments;
pub(crate) use command::command;
