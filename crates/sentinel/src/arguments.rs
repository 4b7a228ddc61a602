//! The command line. Names are k6's where k6 has the option.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand};
use sentinel_engine::share::{Segment, SegmentSequence, Share};

use crate::compare::CompareArguments;
use crate::http::HttpArguments;
use crate::import::ImportArguments;
use crate::manual::CompletionsArguments;
use crate::number::whole;
use crate::output::{OutputArguments, SummaryArguments};
use crate::remote::RemoteArguments;
use crate::schema::SchemaArguments;

/// Vista LoadTest: says what a platform withstands, and when it was the load generator that gave in.
#[derive(Debug, Parser)]
#[command(name = "sentinel", version, arg_required_else_help = true)]
pub(crate) struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a load test from this machine
    #[command(after_help = RUN_EXAMPLES)]
    Run(Box<RunArguments>),
    /// Show what a run would do, without doing it
    #[command(after_help = PLAN_EXAMPLES)]
    Plan(PlanArguments),
    /// Check a scenario, and list everything that is wrong with it
    Validate(ScenarioArguments),
    /// Run load tests at the edge, by a deployed load tester
    Remote(RemoteArguments),
    /// Make a scenario of another tool's file, and say what is not in it
    Import(ImportArguments),
    /// Print the JSON Schema of scenario files, or of summaries
    Schema(SchemaArguments),
    /// Say what changed between two runs, by how much, and whether it is more than noise
    #[command(after_help = COMPARE_EXAMPLES)]
    Compare(CompareArguments),
    /// Print the completions for a shell
    #[command(after_help = COMPLETIONS_EXAMPLES)]
    Completions(CompletionsArguments),
    /// Print the manual page
    Man,
}

/// Which scenario, and how it is changed.
#[derive(Args, Debug, Default)]
pub(crate) struct ScenarioArguments {
    /// A scenario file, or the name of one in the folder `scenarios`
    #[arg(value_name = "FILE|NAME")]
    pub(crate) scenario: String,
    /// A file with an application that the scenario plays; by default they are looked for in the folder
    /// `applications` beside the scenario
    #[arg(long = "application", value_name = "FILE")]
    pub(crate) applications: Vec<PathBuf>,
    /// Where relative URLs lead
    #[arg(long, value_name = "URL", env = "SENTINEL_BASE_URL")]
    pub(crate) base_url: Option<String>,
    /// Another host that load may go to, `name` or `name:port`; that of the base URL always is
    #[arg(long = "allow-host", value_name = "HOST")]
    pub(crate) allowed_hosts: Vec<String>,
    /// Scale the scenario's users so that the highest number is this
    #[arg(long, value_name = "N", value_parser = whole(1..=u32::MAX), allow_negative_numbers = true, conflicts_with_all = ["vus", "iterations", "stages", "rate"])]
    pub(crate) users: Option<u32>,
    /// A shape for the load: smoke, load, stress, spike, soak, or one of the scenario's own profiles
    #[arg(long, value_name = "NAME", conflicts_with_all = ["vus", "iterations", "stages", "rate"])]
    pub(crate) profile: Option<String>,
    /// How long the run takes; with --vus, --iterations or --rate that of the new load, otherwise the scenario's
    /// own load is scaled
    #[arg(short, long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) duration: Option<String>,
    /// A number of virtual users instead of the scenario's own load
    #[arg(short = 'u', long, value_name = "N", value_parser = whole(1..=u32::MAX), allow_negative_numbers = true)]
    pub(crate) vus: Option<u32>,
    /// A number of iterations, shared by the virtual users, instead of the scenario's own load
    #[arg(short, long, value_name = "N", value_parser = whole(1..=u32::MAX), allow_negative_numbers = true)]
    pub(crate) iterations: Option<u32>,
    /// A stage of a changing number of virtual users, such as 30s:50, instead of the scenario's own load
    #[arg(short, long = "stage", value_name = "TIME:N")]
    pub(crate) stages: Vec<Stage>,
    /// A number of iterations that begin in each second, instead of the scenario's own load; --vus says how many
    /// virtual users there are for them
    #[arg(long, value_name = "N", value_parser = whole(1..=u32::MAX), allow_negative_numbers = true, conflicts_with_all = ["iterations", "stages"])]
    pub(crate) rate: Option<u32>,
    /// How many redirects a request follows; what the scenario says when absent, otherwise 10
    #[arg(long, value_name = "N", value_parser = whole(0..=u32::MAX), allow_negative_numbers = true)]
    pub(crate) max_redirects: Option<u32>,
    /// Only this share of the plan, such as 2/4: the shares together are the plan
    #[arg(long, value_name = "K/N")]
    pub(crate) share: Option<ShareOf>,
    /// Only this segment of the plan, such as 1/4:3/4, as in k6
    #[arg(long, value_name = "FROM:TO")]
    pub(crate) execution_segment: Option<Segment>,
    /// How others split the rest of the plan, such as 0,1/4,3/4,1, as in k6
    #[arg(long, value_name = "LIST", requires = "execution_segment")]
    pub(crate) execution_segment_sequence: Option<SegmentSequence>,
    /// The seed of all random choices; the same seed gives the same run
    #[arg(long, value_name = "N", value_parser = whole(0..=u64::MAX), allow_negative_numbers = true)]
    pub(crate) seed: Option<u64>,
}

/// What is run, and what comes out of it.
#[derive(Args, Debug)]
pub(crate) struct RunArguments {
    #[command(flatten)]
    pub(crate) scenario: ScenarioArguments,
    #[command(flatten)]
    pub(crate) outputs: OutputArguments,
    /// Show neither progress nor summary, only what went wrong
    #[arg(short, long)]
    pub(crate) quiet: bool,
    #[command(flatten)]
    pub(crate) summary: SummaryArguments,
    #[command(flatten)]
    pub(crate) http: HttpArguments,
}

/// What is shown of a plan.
#[derive(Args, Debug)]
pub(crate) struct PlanArguments {
    #[command(flatten)]
    pub(crate) scenario: ScenarioArguments,
    /// Print JSON for other tools instead of a drawing
    #[arg(long)]
    pub(crate) json: bool,
    /// Into how many shares the plan is divided in the list of shares
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = whole(1..=u32::MAX), allow_negative_numbers = true)]
    pub(crate) shares: u32,
}

/// A stage as on k6's command line: `30s:50`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stage {
    /// How long it takes, as in the scenario file.
    pub(crate) duration: String,
    /// The number of virtual users at its end.
    pub(crate) target: u32,
}

/// One of several equal parts: `2/4` is the second of four.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ShareOf(pub(crate) Share);

impl FromStr for Stage {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.rsplit_once(':').and_then(|(duration, target)| {
            Some(Self {
                duration: duration.to_owned(),
                target: target.parse().ok()?,
            })
        });
        parsed.ok_or_else(|| "accepted is a time and a number of users, such as 30s:50".to_owned())
    }
}

impl FromStr for ShareOf {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let share = text.split_once('/').and_then(|(number, count)| {
            let number: u32 = number.parse().ok()?;
            Share::new(number.checked_sub(1)?, count.parse().ok()?)
        });
        share.map(Self).ok_or_else(|| {
            "accepted is the number of a share and their count, such as 2/4".to_owned()
        })
    }
}

const RUN_EXAMPLES: &str = "\
Examples:
  sentinel run grove-mix --base-url http://127.0.0.1:8788
  sentinel run checkout.json --base-url http://localhost:3000 --vus 20 --duration 30s
  sentinel run checkout.json --base-url http://localhost:3000 --rate 200 --vus 50 --duration 1m --out json=summary.json --out junit=junit.xml

Exit codes: 0 passed, 99 a threshold or assertion failed, 104 cannot be run, 105 interrupted, 107 the run broke.";

const PLAN_EXAMPLES: &str = "\
Examples:
  sentinel plan grove-mix
  sentinel plan checkout.json --rate 200 --duration 1m --json --share 2/4";

const COMPARE_EXAMPLES: &str = "\
Examples:
  sentinel run checkout.json --base-url http://localhost:3000 --out json=before.json
  sentinel compare before.json after.json
  sentinel compare before.json after.json --tolerance 10 --fail-on-regression --json

Exit codes: 0 compared, 99 something became worse (with --fail-on-regression), 104 a summary cannot be read.";

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  sentinel completions bash > ~/.local/share/bash-completion/completions/sentinel
  sentinel completions zsh > ~/.zfunc/_sentinel
  sentinel completions fish > ~/.config/fish/completions/sentinel.fish";

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn values_are_read_or_refused_with_what_is_accepted() {
        let stage: Stage = "1m30s:50".parse().unwrap();
        assert_eq!((stage.duration.as_str(), stage.target), ("1m30s", 50));
        let share: ShareOf = "2/4".parse().unwrap();
        assert_eq!(share.0.to_string(), "2/4");
        for text in ["30s", "30s:", "30s:-1", ""] {
            assert!(text.parse::<Stage>().is_err(), "{text}");
        }
        for text in ["0/4", "5/4", "1", "a/b", "1/0"] {
            assert!(text.parse::<ShareOf>().is_err(), "{text}");
        }
    }
}
