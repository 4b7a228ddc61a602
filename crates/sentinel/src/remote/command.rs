//! From the command line to what is done.

use std::path::Path;

use serde_json::Value;
use uuid::Uuid;

use super::access::{Address, Token};
use super::arguments::{
    AccessArguments, RemoteArguments, RemoteCommand, RunArguments, ShowArguments, StartArguments,
};
use super::client::Client;
use super::start::{Order, start};
use super::watch::watch;
use super::{cancel, list, outcome, plan};
use crate::exit::{Exit, Stopped};
use crate::output::SummaryOutputs;

/// Does what is asked of a load tester.
pub(crate) fn command(arguments: &RemoteArguments) -> Result<Exit, Stopped> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Stopped::failed)?;
    runtime.block_on(async {
        match &arguments.command {
            RemoteCommand::Run(arguments) => run(arguments).await,
            RemoteCommand::Watch(arguments) => {
                let client = client(&arguments.run.access)?;
                let outputs = SummaryOutputs::open(&arguments.outputs)?;
                watch(&client, arguments.run.run, arguments.view, outputs).await
            }
            RemoteCommand::Cancel(RunArguments { access, run }) => {
                cancel::command(&client(access)?, *run).await
            }
            RemoteCommand::List(arguments) => {
                list::command(&client(&arguments.access)?, arguments).await
            }
            RemoteCommand::Show(arguments) => show(arguments).await,
        }
    })
}

async fn run(arguments: &StartArguments) -> Result<Exit, Stopped> {
    // What is wrong with the files is told before anything is asked.
    let order = Order::new(arguments)?;
    let client = client(&arguments.access)?;
    if arguments.dry_run {
        let answer = client.post("/runs", order.body()).await?;
        if arguments.json {
            print_json(&answer)?;
        } else {
            plan::print(&answer)?;
        }
        return Ok(Exit::Passed);
    }
    // Before the load, so that no run is lost for a file that cannot be written.
    let outputs = SummaryOutputs::open(&arguments.outputs)?;
    let run = start(&client, &order).await?;
    if arguments.detach {
        say!("{run}")?;
        return Ok(Exit::Passed);
    }
    if !arguments.view.quiet {
        note!("{}: run {run} has started", order.scenario());
    }
    watch(&client, run, arguments.view, outputs).await
}

async fn show(arguments: &ShowArguments) -> Result<Exit, Stopped> {
    let RunArguments { access, run: id } = &arguments.run;
    let client = client(access)?;
    let outputs = SummaryOutputs::open(&arguments.outputs)?;
    let run = client.run(*id).await?;
    let exit = if arguments.json {
        print_json(&run)?;
        outcome::verdict(&run)?
    } else {
        outcome::present(&run, false)?
    };
    Ok(outcome::write(&client, *id, &run, outputs, exit).await)
}

fn client(access: &AccessArguments) -> Result<Client, Stopped> {
    let address = Address::parse(&access.url)?;
    let token = Token::read(access.token_file.as_deref())?;
    Client::new(address, token, access.cacert.as_deref().map(Path::new))
}

fn print_json(value: &Value) -> Result<(), Stopped> {
    let text = serde_json::to_string_pretty(value).map_err(Stopped::failed)?;
    say!("{text}")
}

impl Client {
    /// The row of a run.
    ///
    /// # Errors
    /// What came between.
    pub(super) async fn run(&self, run: Uuid) -> Result<Value, super::trouble::Trouble> {
        let mut answer = self.get(&format!("/runs/{run}"), &[]).await?;
        match answer.get_mut("run").map(Value::take) {
            Some(row @ Value::Object(_)) => Ok(row),
            _ => Err(super::trouble::Trouble::Foreign(
                "the answer holds no run: is that the address of a load tester?".to_owned(),
            )),
        }
    }
}
