//! Who plays what in a slice.

use crate::bundle::{ShardBatch, ShardOrder};
use crate::plan::RunPart;
use crate::run::machine::Load;
use crate::run::stored::SliceStarted;
use crate::run::types::Output;
use crate::sorted::SortedMap;
use crate::tick::Span;
use crate::wire::{Assignment, WIRE_VERSION};

/// How long after the end of its slice a batch waits for all of its users, before it hands over those that wait for no
/// answer and stays for the others.
pub const HANDS_OVER_AFTER: Span = Span::from_ms(500);

impl Load {
    /// What the batches of a slice that begins are told: by the run itself, or by their shards.
    pub(super) fn assign(&mut self, started: &SliceStarted) -> Vec<Output> {
        let mut orders: SortedMap<u32, ShardOrder> = SortedMap::new();
        let mut outputs = Vec::new();
        // Nothing comes after the last slice for which anybody could go on. And a shard keeps the users of its batches
        // until all of them have ended.
        let is_last = started.until >= self.plan_end() + self.plan.graceful_stop;
        let waits = is_last || !self.config.shards.is_empty();
        let hands_over_after = (!waits).then_some(HANDS_OVER_AFTER);
        for (share, book) in self.book.shares_mut() {
            if started.batches.binary_search(&share.index()).is_err() {
                continue;
            }
            // What became due in a hole is not late: it is part of the hole.
            let played_through = if book.hole.is_some() {
                started.from
            } else {
                book.played_through
            };
            let assignment = Assignment {
                version: WIRE_VERSION,
                run: self.config.run.clone(),
                part: RunPart::Load,
                epoch_ms: self.config.epoch_ms,
                slice: started.slice,
                share,
                from: started.from,
                until: started.until,
                played_through,
                carry: std::mem::take(&mut book.carry),
                away: book.away(),
                hands_over_after,
                begun: book.begun.clone(),
                handed_over: Vec::new(), // filled in by whoever knows of the setup
                slots: self.config.slots,
            };
            let kept = book.kept.take();
            if self.config.shards.is_empty() {
                outputs.push(Output::Assign(Box::new(assignment)));
                continue;
            }
            let shard = self.config.line_of(share.index());
            let order = orders.entry(shard).or_insert_with(|| ShardOrder {
                version: WIRE_VERSION,
                run: self.config.run.clone(),
                slice: started.slice,
                shard,
                from: started.from,
                until: started.until,
                patience: self.config.patience,
                batches: Vec::new(),
            });
            order.batches.push(ShardBatch {
                assignment,
                resumes: kept.map(|kept| kept.slice),
            });
        }
        let orders = orders.into_values().map(Box::new).map(Output::AssignShard);
        outputs.extend(orders);
        outputs
    }
}
