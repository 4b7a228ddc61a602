//! What the world stores for the run, and how much that is.

use sentinel_engine::run::{Record, Stored};
use sentinel_engine::tick::Tick;

use crate::world::World;

/// How much was stored at a checkpoint.
pub(crate) struct Sizes {
    pub(crate) at: Tick,
    /// All that the checkpoint replaces, in bytes.
    pub(crate) before: usize,
    /// The checkpoint, in bytes.
    pub(crate) checkpoint: usize,
}

impl World {
    pub(crate) fn persist(&mut self, stored: &Stored) {
        let before = self.stored_bytes(stored);
        for beginning in stored.supersedes() {
            self.records.retain(|key, _| !key.starts_with(beginning));
        }
        for Record { key, body } in stored.to_records() {
            self.records.insert(key, body);
        }
        if let Some(before) = before {
            let checkpoint = self.records.values().map(String::len).sum();
            self.sizes.push(Sizes {
                at: self.now,
                before,
                checkpoint,
            });
        }
    }

    fn stored_bytes(&self, stored: &Stored) -> Option<usize> {
        let is_checkpoint = matches!(stored, Stored::Checkpoint(_));
        is_checkpoint.then(|| self.records.values().map(String::len).sum())
    }
}
