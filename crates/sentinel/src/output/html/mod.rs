//! The report as one page that needs nothing else: it is read offline, mailed, and kept beside a CI job.
//!
//! The charts are drawn here, so that they are seen where scripts may not run, too; the page's script only adds
//! the readings under the pointer. Invariant: the page loads nothing from anywhere, and everything that comes from
//! the target or the scenario is escaped by the templates.

mod chart;
mod distribution;
mod findings;
mod format;
mod page;
mod scale;
mod tables;
mod timeline;

pub(super) use page::page;
