//! The command line of `sentinel remote`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use uuid::Uuid;

use crate::number::whole;
use crate::output::OutputArguments;

/// Which load tester, and what it is asked.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct RemoteArguments {
    #[command(subcommand)]
    pub(crate) command: RemoteCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RemoteCommand {
    /// Start a run and watch it to its end
    Run(StartArguments),
    /// Watch a run to its end, and say what came of it
    Watch(WatchArguments),
    /// End a run before its time; it keeps what it measured
    Cancel(RunArguments),
    /// List runs, newest first
    List(ListArguments),
    /// Say what came of a run that has ended
    Show(ShowArguments),
}

/// Where the API is, and what opens it.
#[derive(Args, Debug)]
pub(crate) struct AccessArguments {
    /// The address of the load tester, such as `https://loadtest.example.com`; http only for this machine itself
    #[arg(long, value_name = "URL", env = "VISTA_URL", hide_env_values = true)]
    pub(crate) url: String,
    /// A file that holds the API's token; by default it is that of the environment variable VISTA_TOKEN
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// A file with certificates that are trusted besides those of the system
    #[arg(long, value_name = "FILE")]
    pub(crate) cacert: Option<PathBuf>,
}

/// A run that is there.
#[derive(Args, Debug)]
pub(crate) struct RunArguments {
    #[command(flatten)]
    pub(crate) access: AccessArguments,
    /// The run's identifier
    #[arg(value_name = "ID", value_parser = Uuid::try_parse)]
    pub(crate) run: Uuid,
}

/// What is started.
#[derive(Args, Debug)]
pub(crate) struct StartArguments {
    #[command(flatten)]
    pub(crate) access: AccessArguments,
    #[command(flatten)]
    pub(crate) view: ViewArguments,
    /// A scenario file, or the name of a scenario that the load tester knows
    #[arg(value_name = "FILE|NAME")]
    pub(crate) scenario: String,
    /// A file with an application that the scenario of the file plays; by default they are looked for in the
    /// folder `applications` beside it
    #[arg(long = "application", value_name = "FILE")]
    pub(crate) applications: Vec<PathBuf>,
    /// Which environment gets the load, `staging` if nothing is said
    #[arg(long = "env", visible_alias = "environment", value_name = "NAME")]
    pub(crate) environment: Option<String>,
    /// Confirm that production gets the load
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) confirm: bool,
    /// Show what would be run, and send nothing
    #[arg(long, conflicts_with_all = ["out", "summary_export"])]
    pub(crate) dry_run: bool,
    /// With --dry-run: print the API's answer as JSON
    #[arg(long, requires = "dry_run")]
    pub(crate) json: bool,
    /// Scale the scenario's users so that the highest number is this
    #[arg(long, value_name = "N", value_parser = whole(1..=u32::MAX), allow_negative_numbers = true)]
    pub(crate) users: Option<u32>,
    /// A shape for the load: smoke, load, stress, spike, soak, or one of the scenario's own profiles
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// Scale the run's length, such as 2m
    #[arg(short, long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) duration: Option<String>,
    /// Where load comes from, with its weight, such as weur or weur=2; can be repeated
    #[arg(long = "region", value_name = "REGION[=WEIGHT]")]
    pub(crate) regions: Vec<String>,
    /// The seed of all random choices; the same seed gives the same run
    #[arg(long, value_name = "N", value_parser = whole(0..=u64::MAX), allow_negative_numbers = true)]
    pub(crate) seed: Option<u64>,
    #[command(flatten)]
    pub(crate) outputs: OutputArguments,
    /// Print the identifier of the run and do not watch it
    #[arg(long, conflicts_with_all = ["dry_run", "quiet", "cancel_on_interrupt", "out", "summary_export"])]
    pub(crate) detach: bool,
}

/// How a run is watched.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct ViewArguments {
    /// Show neither progress nor summary, only what went wrong
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// Ctrl-C cancels the run, instead of leaving it alone
    #[arg(long)]
    pub(crate) cancel_on_interrupt: bool,
}

#[derive(Args, Debug)]
pub(crate) struct WatchArguments {
    #[command(flatten)]
    pub(crate) run: RunArguments,
    #[command(flatten)]
    pub(crate) view: ViewArguments,
    #[command(flatten)]
    pub(crate) outputs: OutputArguments,
}

#[derive(Args, Debug)]
pub(crate) struct ShowArguments {
    #[command(flatten)]
    pub(crate) run: RunArguments,
    #[command(flatten)]
    pub(crate) outputs: OutputArguments,
    /// Print the API's answer as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Which runs are listed.
#[derive(Args, Debug)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    pub(crate) access: AccessArguments,
    /// How many at most
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = whole(1_u32..=10_000), allow_negative_numbers = true)]
    pub(crate) limit: u32,
    /// Only those of this scenario
    #[arg(long, value_name = "NAME")]
    pub(crate) scenario: Option<String>,
    /// Only those with this status
    #[arg(long, value_name = "STATUS")]
    pub(crate) status: Option<Status>,
    /// Go on where an earlier list ended, which said how
    #[arg(long, value_name = "CURSOR")]
    pub(crate) cursor: Option<String>,
    /// Print JSON for other tools
    #[arg(long)]
    pub(crate) json: bool,
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Status {
    Running,
    Completed,
    Failed,
    Cancelled,
}

impl Status {
    /// As the API writes it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

const EXAMPLES: &str = "\
Examples:
  export VISTA_URL=https://loadtest.example.com VISTA_TOKEN=…
  sentinel remote run grove-mix --env staging --users 50 --duration 2m
  sentinel remote run checkout.json --dry-run
  sentinel remote run grove-mix --env production --confirm --token-file /run/secrets/vista
  sentinel remote watch 0b9f8f4e-7c67-4c4e-9f6e-1d2b3c4d5e6f --cancel-on-interrupt
  sentinel remote list --status failed --limit 5

Exit codes are those of `sentinel run`: 0 passed, 99 a threshold or assertion failed, 104 refused, 105 interrupted or
cancelled, 107 the run broke or the load tester cannot be reached.";
