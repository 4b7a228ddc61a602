//! The command line of a comparison.

use std::path::PathBuf;

use clap::Args;

use super::rows::{Comparison, Settings};
use super::show;
use super::subject::Subject;
use crate::exit::{Exit, Stopped};
use crate::say;

/// Which runs are compared, and what counts as a change.
#[derive(Args, Debug)]
pub(crate) struct CompareArguments {
    /// The summary of the run before, as `--out json` wrote it
    #[arg(value_name = "BEFORE")]
    before: PathBuf,
    /// The summary of the run after
    #[arg(value_name = "AFTER")]
    after: PathBuf,
    /// A smaller change is told, but is neither better nor worse: in percent of the value before
    #[arg(long, value_name = "PERCENT", default_value_t = 5.0, value_parser = percent)]
    tolerance: f64,
    /// How rarely runs that do not differ may show a change: at 95, in one comparison of 20
    #[arg(long, value_name = "PERCENT", default_value_t = 95.0, value_parser = confidence)]
    confidence: f64,
    /// End with exit code 99 when something became worse
    #[arg(long)]
    fail_on_regression: bool,
    /// Print JSON for other tools instead of a table
    #[arg(long)]
    json: bool,
}

/// Compares two runs.
pub(crate) fn command(arguments: &CompareArguments) -> Result<Exit, Stopped> {
    let settings = Settings {
        tolerance: arguments.tolerance / 100.0,
        alpha: 1.0 - arguments.confidence / 100.0,
    };
    let before = Subject::read(&arguments.before)?;
    let after = Subject::read(&arguments.after)?;
    let comparison = Comparison::new(&before, &after, settings);
    if arguments.json {
        let text = serde_json::to_string_pretty(&comparison).map_err(Stopped::failed)?;
        say!("{text}")?;
    } else {
        say::text(show::table(&comparison).as_bytes())?;
    }
    Ok(if arguments.fail_on_regression && comparison.worse > 0 {
        Exit::ThresholdsFailed
    } else {
        Exit::Passed
    })
}

fn percent(text: &str) -> Result<f64, String> {
    let percent = text.parse().ok().filter(|percent| *percent >= 0.0);
    let percent = percent.filter(|percent: &f64| percent.is_finite());
    percent.ok_or_else(|| "accepted is a number from 0 on, such as 5".to_owned())
}

fn confidence(text: &str) -> Result<f64, String> {
    let percent = text
        .parse()
        .ok()
        .filter(|percent| (50.0..100.0).contains(percent));
    percent.ok_or_else(|| "accepted is a number from 50 to below 100, such as 95".to_owned())
}
