//! A run that is compared.

use std::fs;
use std::path::Path;

use sentinel_engine::histogram::{SparseHistogram, bucket_end};
use sentinel_engine::json;
use sentinel_engine::summary::{RunStatus, SampleBlock, StepSamples, TestRunResult};

use super::ratio::Blocks;
use crate::exit::Stopped;

/// A run with its samples.
pub(super) struct Subject {
    pub(super) result: TestRunResult,
    /// The samples of all steps together, none when the summary has none.
    pub(super) blocks: Vec<SampleBlock>,
}

impl Subject {
    /// Reads a summary.
    ///
    /// # Errors
    /// When it cannot be read, or is no summary.
    pub(super) fn read(path: &Path) -> Result<Self, Stopped> {
        let refused = |error: &dyn std::fmt::Display| {
            Stopped::invalid(format_args!("{}: {error}", path.display()))
        };
        let text = fs::read(path).map_err(|error| refused(&error))?;
        let result = json::from_slice(&text).map_err(|error| {
            let place = error.path();
            refused(&format_args!(
                "not a summary that --out json has written: {place}: {error}"
            ))
        })?;
        Ok(Self::new(result))
    }

    /// The run of a summary.
    pub(super) fn new(result: TestRunResult) -> Self {
        let mut blocks: Vec<SampleBlock> = Vec::new();
        let steps = result.samples.iter().flat_map(|samples| &samples.steps);
        for step in steps {
            blocks.resize_with(blocks.len().max(step.blocks.len()), SampleBlock::default);
            for (sum, block) in blocks.iter_mut().zip(&step.blocks) {
                sum.merge(block);
            }
        }
        Self { result, blocks }
    }

    /// The samples of a step.
    pub(super) fn step(&self, application: &str, step: &str) -> Option<&StepSamples> {
        let mut steps = self
            .result
            .samples
            .iter()
            .flat_map(|samples| &samples.steps);
        steps.find(|own| own.application == application && own.step == step)
    }

    /// How many seconds a block covers.
    pub(super) fn block_seconds(&self) -> u32 {
        let samples = self.result.samples.as_ref();
        samples.map_or(0, |samples| samples.block_seconds)
    }

    /// What makes this run a doubtful witness, in words.
    pub(super) fn doubts(&self, name: &str) -> Vec<String> {
        let result = &self.result;
        let mut doubts = Vec::new();
        if result.samples.is_none() {
            doubts.push(format!(
                "the summary {name} has no samples: what is noise cannot be told"
            ));
        }
        if result.status != RunStatus::Completed {
            let status = result.status.name();
            doubts.push(format!("the run {name} did not complete: it is {status}"));
        }
        if result.generator_limited.is_some() {
            doubts.push(format!(
                "in the run {name} the generator was the limit: its numbers are partly the generator's own"
            ));
        }
        doubts
    }
}

/// All response times of some blocks.
pub(super) fn merged(blocks: &[SampleBlock]) -> SparseHistogram {
    let mut all = SparseHistogram::default();
    for block in blocks {
        all.merge(&block.response_us);
    }
    all
}

/// Of each block, how many response times are above a limit in microseconds, and how many there are.
pub(super) fn slower(blocks: &[SampleBlock], limit_us: f64) -> Blocks {
    let blocks = blocks.iter().map(|block| {
        let histogram = &block.response_us;
        let above = histogram.buckets();
        let above = above.filter(|(start, _)| bucket_end(*start) as f64 > limit_us);
        let above: u64 = above.map(|(_, count)| count).sum();
        let above = above.saturating_add(histogram.overflow());
        (above as f64, histogram.count() as f64)
    });
    Blocks(blocks.collect())
}

/// Of each block, how many requests failed, and how many ended.
pub(super) fn failed(blocks: &[SampleBlock]) -> Blocks {
    let blocks = blocks.iter();
    Blocks(
        blocks
            .map(|block| (block.failed as f64, block.requests as f64))
            .collect(),
    )
}

/// Of each block that was not cut short, how many requests ended, and in how many seconds.
pub(super) fn throughput(blocks: &[SampleBlock], block_seconds: u32) -> Blocks {
    let whole = blocks.split_last().map_or(blocks, |(_, whole)| whole);
    let blocks = whole.iter();
    Blocks(
        blocks
            .map(|block| (block.requests as f64, f64::from(block_seconds)))
            .collect(),
    )
}
