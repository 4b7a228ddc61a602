//! The response times of a run by time, so that two runs can be compared by their samples and not only by their
//! percentiles.
//!
//! Requests that follow each other have much in common, so that a run says less about its target than its number
//! of requests suggests. How much less shows between stretches of time: a run is therefore kept in blocks.
//! Invariant: there are at most [`BLOCKS_MAX`] of them, however long the run is.

use serde::{Deserialize, Serialize};

use crate::histogram::SparseHistogram;
use crate::plan::Plan;
use crate::totals;
use crate::window::{StepId, StepWindow, Window};

/// Into how many blocks a run is divided at most; a run of this many seconds or more has at least half of them.
pub const BLOCKS_MAX: usize = 32;

/// The samples of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Samples {
    /// How many seconds of the load a block covers; the last one may be cut short by its end.
    pub block_seconds: u32,
    /// Per step, in the order of the plan.
    pub steps: Vec<StepSamples>,
}

/// The samples of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StepSamples {
    /// The application.
    pub application: String,
    /// The step.
    pub step: String,
    /// One after the other, of all steps the same number.
    pub blocks: Vec<SampleBlock>,
}

/// What was measured of a step in a block of time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SampleBlock {
    /// Requests that ended.
    pub requests: u64,
    /// Requests among them that failed.
    pub failed: u64,
    /// From the planned start to the end of the answer, in microseconds, of all answers and time-outs.
    pub response_us: SparseHistogram,
}

/// Collects the samples of a run while it is played.
#[derive(Clone, Debug)]
pub struct SampleRecorder {
    block_seconds: u32, // a power of 2
    steps: Vec<(StepId, StepSamples)>,
}

impl SampleRecorder {
    /// A recorder for a run of this plan.
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        let steps = plan.applications().iter().flat_map(|application| {
            application.steps.iter().map(|step| {
                let samples = StepSamples {
                    application: application.name.clone(),
                    step: step.name.clone(),
                    blocks: Vec::new(),
                };
                (step.id, samples)
            })
        });
        Self {
            block_seconds: 1,
            steps: steps.collect(),
        }
    }

    /// Adds what a batch measured of the load.
    pub fn add(&mut self, window: &Window) {
        let mut block = self.block_of(window.second);
        while block >= BLOCKS_MAX {
            self.coarsen();
            block = self.block_of(window.second);
        }
        for (id, step) in &mut self.steps {
            if let Some(told) = window.steps.get(id) {
                if step.blocks.len() <= block {
                    step.blocks.resize_with(block + 1, SampleBlock::default);
                }
                if let Some(block) = step.blocks.get_mut(block) {
                    block.add(told);
                }
            }
        }
    }

    /// The samples, of those steps that have any.
    #[must_use]
    pub fn finish(self) -> Samples {
        let steps = self.steps.into_iter().map(|(_, step)| step);
        let mut steps: Vec<_> = steps.filter(|step| !step.blocks.is_empty()).collect();
        let blocks = steps.iter().map(|step| step.blocks.len()).max();
        for step in &mut steps {
            step.blocks
                .resize_with(blocks.unwrap_or(0), SampleBlock::default);
        }
        Samples {
            block_seconds: self.block_seconds,
            steps,
        }
    }

    fn block_of(&self, second: u32) -> usize {
        usize::try_from(second / self.block_seconds).unwrap_or(usize::MAX)
    }

    /// Has each block cover twice the time.
    fn coarsen(&mut self) {
        self.block_seconds = self.block_seconds.saturating_mul(2);
        for (_, step) in &mut self.steps {
            let pairs = step.blocks.chunks(2).map(|pair| {
                let mut sum = SampleBlock::default();
                for block in pair {
                    sum.merge(block);
                }
                sum
            });
            step.blocks = pairs.collect();
        }
    }
}

impl SampleBlock {
    /// Adds another block.
    pub fn merge(&mut self, other: &Self) {
        self.requests = self.requests.saturating_add(other.requests);
        self.failed = self.failed.saturating_add(other.failed);
        self.response_us.merge(&other.response_us);
    }

    fn add(&mut self, step: &StepWindow) {
        let failed = totals::failed(&step.errors);
        self.failed = self.failed.saturating_add(failed);
        let ended = step.succeeded.saturating_add(failed);
        self.requests = self.requests.saturating_add(ended);
        self.response_us.merge(&step.response_us);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phase::Phase;

    fn recorder() -> SampleRecorder {
        let step = StepSamples {
            application: "a".to_owned(),
            step: "b".to_owned(),
            blocks: Vec::new(),
        };
        SampleRecorder {
            block_seconds: 1,
            steps: vec![(StepId(0), step)],
        }
    }

    fn window(second: u32, response_us: u64) -> Window {
        let mut window = Window::new(second, Phase::Peak);
        let step = window.steps.entry(StepId(0)).or_default();
        step.succeeded = 1;
        step.response_us.record(response_us);
        window
    }

    #[test]
    fn nothing_is_lost_however_long_a_run_is() {
        for seconds in [1, 31, 32, 33, 1_000, 100_000] {
            let mut recorder = recorder();
            for second in 0..seconds {
                recorder.add(&window(second, 1_000));
            }
            let samples = recorder.finish();
            let blocks = &samples.steps[0].blocks;
            assert!(blocks.len() <= BLOCKS_MAX);
            assert!(
                blocks.len() >= BLOCKS_MAX.min(seconds as usize) / 2,
                "{seconds}"
            );
            let requests: u64 = blocks.iter().map(|block| block.requests).sum();
            let timed: u64 = blocks.iter().map(|b| b.response_us.count()).sum();
            assert_eq!((requests, timed), (seconds.into(), seconds.into()));
        }
    }

    #[test]
    fn the_order_of_windows_does_not_matter() {
        let mut windows: Vec<Window> = (0..100).map(|n| window(n, 500 + u64::from(n))).collect();
        let mut forward = recorder();
        windows.iter().for_each(|window| forward.add(window));
        windows.reverse();
        let mut backward = recorder();
        windows.iter().for_each(|window| backward.add(window));
        assert_eq!(forward.finish(), backward.finish());
    }
}
