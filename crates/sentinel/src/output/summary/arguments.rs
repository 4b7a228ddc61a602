//! How the summary at the end looks, as on k6's command line.

use clap::{Args, ValueEnum};

use super::human::TimeUnit;
use super::statistic::Statistic;

/// How the summary at the end looks.
#[derive(Args, Clone, Debug)]
pub(crate) struct SummaryArguments {
    /// Print no summary at the end
    #[arg(long)]
    pub(crate) no_summary: bool,
    /// How much the summary tells: what matters, all of it, or all of it in one list
    #[arg(long, value_enum, value_name = "MODE", default_value_t)]
    pub(in crate::output) summary_mode: SummaryMode,
    /// What is told of times and other distributions: avg, min, med, max, count, p(N)
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        default_value = "avg,min,med,max,p(90),p(95)"
    )]
    pub(in crate::output) summary_trend_stats: Vec<Statistic>,
    /// The unit of all times; what suits each when absent
    #[arg(long, value_enum, value_name = "UNIT")]
    pub(in crate::output) summary_time_unit: Option<TimeUnit>,
}

/// How much the summary tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(in crate::output) enum SummaryMode {
    /// The metrics that matter most, and those that something is asked of.
    #[default]
    Compact,
    /// All metrics, in groups.
    Full,
    /// All metrics, in the order of their names, as before k6 1.0.
    Legacy,
}
