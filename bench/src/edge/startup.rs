//! How much longer the runtime takes to serve when it has our Worker to compile and to start.

use std::path::Path;

use anyhow::Result;

use crate::runtime::{Runtime, Serving};

const ROUNDS: usize = 7;

/// The difference in milliseconds between the quickest starts with and without our Worker, each from the start of the
/// process until the first answer.
///
/// # Errors
/// When the runtime does not start.
pub(crate) fn measure(root: &Path) -> Result<f64> {
    let mut least = [f64::INFINITY; 2];
    for _ in 0..ROUNDS {
        for (least, serving) in least.iter_mut().zip([Serving::Bare, Serving::Both(None)]) {
            let took = Runtime::start(root, serving)?.started_in;
            // What disturbs only ever adds.
            *least = least.min(took.as_secs_f64() * 1_000.0);
        }
    }
    let [bare, both] = least;
    Ok(both - bare)
}
