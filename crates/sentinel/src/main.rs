//! The command `sentinel`: Vista LoadTest on a laptop and in CI, with the engine that runs at the edge.

// Whoever stops reading would end the process by these; `say` does not.
#![warn(clippy::print_stderr, clippy::print_stdout)]

#[macro_use]
mod say;

mod arguments;
mod compare;
mod exit;
mod http;
mod import;
mod manual;
mod misuse;
mod number;
mod output;
mod plan;
mod remote;
mod run;
mod schema;
mod socket;
mod source;

use std::process::ExitCode;

use clap::Parser as _;
use clap::error::ErrorKind;

use crate::arguments::{Arguments, Command};
use crate::exit::{Exit, Stopped};

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let exit = match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Exit::Passed,
                ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => Exit::Invalid,
                _ => {
                    note!("sentinel: {}", misuse::line(&error));
                    return Exit::Invalid.into();
                }
            };
            // When even this cannot be written, nobody is there to read about it.
            let _ = error.print();
            return exit.into();
        }
    };
    let ended = match arguments.command {
        Command::Run(arguments) => run::command(&arguments),
        Command::Plan(arguments) => plan::command(&arguments),
        Command::Validate(arguments) => source::validate(&arguments),
        Command::Remote(arguments) => remote::command(&arguments),
        Command::Import(arguments) => import::command(&arguments),
        Command::Compare(arguments) => compare::command(&arguments),
        Command::Schema(arguments) => schema::command(&arguments),
        Command::Completions(arguments) => manual::completions(&arguments),
        Command::Man => manual::page(),
    };
    match ended {
        Ok(exit) => exit.into(),
        Err(Stopped { exit, message }) => {
            note!("sentinel: {message}");
            exit.into()
        }
    }
}
