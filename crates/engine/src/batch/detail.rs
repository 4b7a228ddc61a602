//! How much a batch tells: some drivers know more than others, and some ask for more.

use crate::batch::machine::Batch;

impl Batch {
    /// The same batch with a driver that tells the parts of each answer's time.
    #[must_use]
    pub fn with_parts(mut self) -> Self {
        self.recorder.expect_parts();
        self
    }

    /// The same batch with windows that tell what came of requests by how they ended, too. It does not travel: only
    /// a driver in the same process can see it.
    #[must_use]
    pub fn with_outcomes(mut self) -> Self {
        self.recorder.tell_outcomes();
        self
    }
}
