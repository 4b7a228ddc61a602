//! What a shell and a reader want to know of the command: completions and the manual page, made of the arguments.

use std::io;

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;
use clap_mangen::Man;

use crate::arguments::Arguments;
use crate::exit::{Exit, Stopped};
use crate::say;

/// For whom completions are printed.
#[derive(Args, Debug)]
pub(crate) struct CompletionsArguments {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the completions for a shell.
pub(crate) fn completions(arguments: &CompletionsArguments) -> Result<Exit, Stopped> {
    let mut command = Arguments::command();
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, name, &mut script);
    say::text(&script)?;
    Ok(Exit::Passed)
}

/// Prints the manual page: the command, then each of its commands.
pub(crate) fn page() -> Result<Exit, Stopped> {
    let mut command = Arguments::command();
    command.build();
    let mut page = Vec::new();
    let man = Man::new(command.clone());
    man.render(&mut page).map_err(Stopped::failed)?;
    for own in command.get_subcommands().filter(|own| !own.is_hide_set()) {
        if own.get_name() == "help" {
            continue;
        }
        let name = format!("\n.SH \"SENTINEL {}\"\n", own.get_name().to_uppercase());
        page.extend_from_slice(name.as_bytes());
        let man = Man::new(own.clone());
        let parts = [
            man.render_synopsis_section(&mut page),
            man.render_description_section(&mut page),
            man.render_options_section(&mut page),
        ];
        parts
            .into_iter()
            .collect::<io::Result<()>>()
            .map_err(Stopped::failed)?;
    }
    say::text(&page)?;
    Ok(Exit::Passed)
}
