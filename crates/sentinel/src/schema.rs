//! `sentinel schema`: the JSON Schemas of what the command reads and writes.

use clap::{Args, ValueEnum};
use sentinel_engine::scenario::json_schema;
use sentinel_engine::summary::summary_schema;

use crate::exit::{Exit, Stopped};

/// Which schema is printed.
#[derive(Args, Debug)]
pub(crate) struct SchemaArguments {
    /// Of what
    #[arg(long, value_enum, default_value_t = Of::Scenario)]
    of: Of,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Of {
    /// Scenario and application files
    Scenario,
    /// The summary of a run, as `--out json` writes it
    Summary,
}

/// Prints a schema.
pub(crate) fn command(arguments: &SchemaArguments) -> Result<Exit, Stopped> {
    let schema = match arguments.of {
        Of::Scenario => json_schema(),
        Of::Summary => summary_schema(),
    };
    let text = serde_json::to_string_pretty(&schema).map_err(Stopped::failed)?;
    say!("{text}")?;
    Ok(Exit::Passed)
}
