//! The limits that bound what metrics may cost, with the arithmetic behind each.

/// Tag sets that are kept apart as they are, in one batch and in the merged run. Further ones are reduced to
/// the tags that some threshold asks for. A tag set of a request takes about 300 bytes: 300 KB.
pub const TAG_SETS_MAX: usize = 1_000;

/// Tag sets that are kept apart after reduction. Further ones lose even the tags that thresholds ask for, and
/// a threshold on such tags is then answered with no data.
pub const OVERFLOW_SETS_MAX: usize = 100;

/// Series of one metric, before its samples go into overflow series.
pub const SERIES_PER_METRIC_MAX: usize = 200;

/// Series of all metrics together, before samples go into overflow series. A Trend over a whole run takes
/// about 10 KB (300 buckets of 32 bytes): 20 MB of an isolate's 128 MB.
pub const SERIES_MAX: usize = 2_000;

/// Metrics that a scenario may define beside the built-in ones.
pub const CUSTOM_METRICS_MAX: usize = 100;

/// Tags of one sample; further ones in the order of the alphabet are left out.
pub const TAGS_MAX: usize = 32;

/// Characters of a tag's name or value; longer ones are cut, and end in `…`.
pub const TAG_TEXT_MAX: usize = 128;

/// Marks series of samples beyond the limits: `true`, or `UNATTRIBUTED` when tags that a threshold asks for
/// were lost as well. Tags of samples cannot bear this name.
pub const OVERFLOW_TAG: &str = "overflow";

/// See [`OVERFLOW_TAG`].
pub(super) const UNATTRIBUTED: &str = "unattributed";

/// Seconds that may wait for the slowest batch; when there are more, the oldest count as closed. Batches are
/// given up long before.
pub const PENDING_SECONDS_MAX: usize = 300;

/// The longest sliding window, in seconds.
pub const WINDOW_MAX_S: u32 = 600;

/// So many seconds longer a window is kept, because the end of a phase may lie between two evaluations.
pub(super) const WINDOW_SLACK_S: u32 = 2;

/// How many different selections the sliding windows of a run may be about.
pub const WINDOWED_MAX: usize = 16;

/// How long the windows of all selections may be together, in seconds. A second of a Trend with 2,000 samples
/// takes about 20 KB, half of it in the blocks of seconds: 24 MB.
pub const WINDOWED_SECONDS_MAX: u32 = 1_200;
