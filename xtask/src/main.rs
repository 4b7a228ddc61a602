//! The project's own commands, `cargo xtask …`. Each sets up what it needs first.

mod bench;
mod build;
mod check;
mod demo;
mod dev;
mod failures;
mod fuzz;
mod progress;
mod run;
mod schema;
mod setup;
mod test;
mod tools;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The commands of Vista LoadTest. Each installs what it needs into the project's folder first.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install the tools that the project needs, into the project's folder
    Setup,
    Build(build::Build),
    Demo(demo::Demo),
    Dev(dev::Dev),
    Test(test::Test),
    Check(check::Check),
    Bench(bench::Bench),
    Fuzz(fuzz::Fuzz),
    /// Write the JSON Schema of scenario files anew
    Schema,
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Setup => setup::verbose(),
        Command::Build(command) => command.run(),
        Command::Demo(command) => command.run(),
        Command::Dev(command) => command.run(),
        Command::Test(command) => command.run(),
        Command::Check(command) => command.run(),
        Command::Bench(command) => command.run(),
        Command::Fuzz(command) => command.run(),
        Command::Schema => schema::write(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
