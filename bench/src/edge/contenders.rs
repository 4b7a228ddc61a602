//! Who sends the requests of a round.

use crate::runtime::Runtime;
use crate::work::Work;

/// A program in the runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Contender {
    /// A batch of our Worker.
    Batch,
    /// The bare loop of one request that was prepared once: what the others are compared with.
    Bare,
    /// A bare loop that puts together the texts of each request: what differing requests cost the runtime itself.
    Filling,
    /// A batch of another build of our Worker.
    Other,
}

impl Contender {
    /// Those of a kind of work, in an order in which the batch is the bare loop's neighbour.
    pub(crate) fn of(work: Work, runtime: &Runtime) -> Vec<Self> {
        let all = [Self::Batch, Self::Bare, Self::Filling, Self::Other];
        let takes_part = |contender: &Self| match contender {
            Self::Batch | Self::Bare => true,
            Self::Filling => work == Work::Full,
            Self::Other => runtime.other_port.is_some(),
        };
        all.into_iter().filter(takes_part).collect()
    }

    /// For people and for JSON.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Batch => "batch",
            Self::Bare => "bare",
            Self::Filling => "filling",
            Self::Other => "other",
        }
    }

    /// Where a batch of it is asked for, `None` of a loop.
    pub(crate) const fn batch_port(self, runtime: &Runtime) -> Option<u16> {
        match self {
            Self::Batch => Some(runtime.batch_port),
            Self::Other => runtime.other_port,
            Self::Bare | Self::Filling => None,
        }
    }
}
