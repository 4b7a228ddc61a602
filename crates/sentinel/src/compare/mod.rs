//! `sentinel compare A B`: what changed between two runs, by how much, and whether it is more than noise.
//!
//! # Method
//! Requests of a run that follow each other are alike: a pause of the target slows hundreds of them. A test that
//! takes them for independent sees a regression in every second pair of equal runs. Here the unit of chance is
//! therefore not the request but the block of time ([`Samples`](sentinel_engine::summary::Samples)), as in the
//! method of batch means (A. M. Law, *Simulation Modeling and Analysis*, ch. 9).
//!
//! - Every question becomes one about two ratios of sums over blocks: failed requests to all, requests to seconds,
//!   and, for a percentile, requests slower than that percentile of both runs together to all. This is Woodruff's
//!   way to intervals of quantiles from clustered samples (R. S. Woodruff, *JASA* 47, 1952).
//! - The variance of such a ratio is that of clusters of unequal size (W. G. Cochran, *Sampling Techniques*, ch. 6
//!   and 9A). When both runs have the same blocks, they are compared block by block, so that a rise of the load that
//!   both have is no noise. Blocks that still depend on their neighbours count for fewer, by their correlation. The
//!   variance is never taken for less than independent requests have.
//! - The difference is judged by Student's t distribution, and all rows together by Holm's procedure (S. Holm,
//!   *Scandinavian Journal of Statistics* 6, 1979): with 95 % confidence, at most one comparison in 20 of equal
//!   runs shows any change at all.
//!
//! What differs between two runs but not within one (another machine, a colder cache) is a change to this method
//! and to everybody who has only two runs; what is small is therefore told apart by a tolerance.

mod command;
mod family;
mod ratio;
mod rows;
mod show;
mod subject;

pub(crate) use command::{CompareArguments, command};
