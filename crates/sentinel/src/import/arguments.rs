//! The command line of `sentinel import`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// What is imported, and where it goes.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES, allow_missing_positional = true)]
pub(crate) struct ImportArguments {
    /// What the file is; without it, the file itself tells
    #[arg(value_name = "KIND")]
    pub(crate) kind: Option<Kind>,
    /// The file
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The folder for the scenario; its applications go into the folder `applications` in there
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    pub(crate) to: PathBuf,
    /// The scenario's name, by default that of the file
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Overwrite files that are there
    #[arg(long)]
    pub(crate) force: bool,
    /// Write what was not carried over into a file, as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
    /// Of an HTTP archive: leave out images, styles, scripts, fonts and media
    #[arg(long)]
    pub(crate) no_static: bool,
    /// Take over requests to this host besides the target, `name` or `name:port`; can be repeated
    #[arg(long = "allow-host", value_name = "HOST")]
    pub(crate) allowed_hosts: Vec<String>,
}

/// What can be imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// A test script of Artillery, YAML or JSON
    Artillery,
    /// An HTTP archive, as browsers record them
    Har,
    /// Options of k6 as JSON
    K6,
    /// An OpenAPI 3 description, YAML or JSON
    Openapi,
}

const EXAMPLES: &str = "\
Examples:
  sentinel import checkout.yml --to scenarios
  sentinel import har recording.har --no-static --report left-out.json
  sentinel import k6 options.json --name evening";
