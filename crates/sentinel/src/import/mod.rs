//! `sentinel import`: scenarios from Artillery's scripts, HTTP archives, k6's options and OpenAPI descriptions.
//!
//! Invariant: what comes out is a scenario that can be validated, and whatever of the document is not in it is listed.

mod arguments;
mod artillery;
mod command;
mod document;
mod draft;
mod har;
mod k6;
mod openapi;
mod report;
mod secrets;
#[cfg(test)]
mod tests;
mod tree;

pub(crate) use arguments::ImportArguments;
pub(crate) use command::command;
