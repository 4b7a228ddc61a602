//! Which part of a plan somebody plays who shares it with others: several machines, or several runs.

use serde::{Deserialize, Serialize};

use super::problem::{Checked, Report};
use crate::share::{Portion, Segment, SegmentSequence, Share};

/// The part of a plan that is played, the whole by default. Parts of one plan, with one seed, make up the plan:
/// each user, arrival and iteration is in exactly one of the segments of a sequence, or of the shares of one
/// count.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanPart {
    /// k6's `executionSegment`, such as `1/4:3/4`; the whole when absent.
    #[serde(default)]
    pub execution_segment: Option<Segment>,
    /// k6's `executionSegmentSequence`, such as `0,1/4,3/4,1`: how the others split the rest. Without it, what is
    /// before and what is behind the segment are its only neighbours.
    #[serde(default)]
    pub execution_segment_sequence: Option<SegmentSequence>,
    /// One of several equal shares of the segment; the whole segment when absent.
    #[serde(default)]
    pub share: Option<Share>,
}

impl PlanPart {
    pub(super) fn portion(&self, report: &mut Report) -> Checked<Portion> {
        let segment = self.execution_segment.unwrap_or(Segment::WHOLE);
        let sequence = self.execution_segment_sequence.as_ref();
        let portion = match (self.execution_segment, sequence) {
            (None, None) => Portion::whole(),
            _ => report.check(
                "options.part.executionSegment",
                Portion::segment(&segment, sequence),
            )?,
        };
        Ok(portion.share(self.share.unwrap_or(Share::WHOLE)))
    }
}
