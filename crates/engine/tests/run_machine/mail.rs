//! What travels in the world, and who gets it: without shards the run hears the batches itself.

use sentinel_engine::bundle::Bundle;
use sentinel_engine::run::{Input, LossReason};
use sentinel_engine::shard;
use sentinel_engine::tick::Span;
use sentinel_engine::vu::VuCarry;
use sentinel_engine::wire::Frame;

use crate::world::World;

pub(crate) enum Mail {
    Frame(Frame),
    Bundle(Bundle),
    Adopt((u32, u32), Vec<VuCarry>),
    LineLost(u32, u32, LossReason),
    BatchLost(u32, u32, LossReason),
}

impl World {
    pub(crate) fn post(&mut self, delay: Span, mail: Mail) {
        self.posted += 1;
        self.mail.insert((self.now + delay, self.posted), mail);
    }

    /// Brings the message that arrives first.
    pub(crate) fn deliver(&mut self) {
        let Some((_, mail)) = self.mail.pop_first() else {
            return;
        };
        let input = match mail {
            Mail::Frame(frame) if self.hears_directly(frame.slice) => Input::Bundle(frame.into()),
            Mail::BatchLost(slice, line, reason) if self.hears_directly(slice) => Input::LineLost {
                slice,
                line,
                reason,
            },
            Mail::Frame(frame) => {
                let line = self.config.line_of(frame.batch);
                return self.tell_shard((frame.slice, line), shard::Input::Frame(frame));
            }
            Mail::BatchLost(slice, batch, reason) => {
                let line = self.config.line_of(batch);
                let input = shard::Input::BatchLost { batch, reason };
                return self.tell_shard((slice, line), input);
            }
            Mail::Adopt(key, users) => return self.adopt(key, &users),
            Mail::Bundle(bundle) => Input::Bundle(bundle),
            Mail::LineLost(slice, line, reason) => Input::LineLost {
                slice,
                line,
                reason,
            },
        };
        self.run.handle_input(self.now, input);
    }
}
