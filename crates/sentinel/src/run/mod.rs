//! `sentinel run`: a whole run on this machine.

mod bars;
mod live;
mod local;
mod unreached;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use sentinel_engine::run::RunConfig;
use sentinel_engine::tick::Span;
use tokio::task::LocalSet;
use uuid::Builder;

use crate::arguments::RunArguments;
use crate::exit::{Exit, Stopped};
use crate::output::Outputs;
use crate::run::live::Live;
use crate::run::local::Local;
use crate::say;
use crate::source::{Purpose, prepare};

/// Runs a load test and says what came of it.
pub(crate) fn command(arguments: &RunArguments) -> Result<Exit, Stopped> {
    let plan = prepare(&arguments.scenario, Purpose::Running)?;
    let id = identifier();
    let client = arguments.http.client(&id).map_err(Stopped::invalid)?;
    let epoch_ms = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let config = RunConfig {
        run: id,
        epoch_ms: u64::try_from(epoch_ms.as_millis()).unwrap_or(u64::MAX),
        batches: 1,
        shards: Vec::new(),
        // Nothing here forgets its memory, so that the whole plan is one slice.
        slice: Span::from_us(plan.duration().as_us().saturating_add(SLICE_SPARE.as_us())),
        slots: arguments.http.max_in_flight(),
        patience: SLICE_SPARE,
        clock_resolution: Span::from_us(1),
    };
    sentinel_system::allow_many();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Stopped::failed)?;
    // Before the load, so that no run is lost for a file that cannot be written.
    let outputs = Rc::new(RefCell::new(Outputs::open(
        &arguments.outputs,
        &plan,
        &config,
    )?));
    let hosts: Vec<String> = plan.hosts().into_iter().collect();
    let live = Live::new(&plan, arguments.quiet);
    let local = Local::new(plan, config, client, live, Rc::clone(&outputs));
    let report = LocalSet::new().block_on(&runtime, Rc::clone(&local).play());
    let mut result = report?.result;
    let mut incomplete = Vec::new();
    if !arguments.quiet && !arguments.summary.no_summary {
        let summary = outputs.borrow().summary(&result, &arguments.summary);
        let text = summary + &sentinel_terminal::account(&result);
        let printed = say::text(text.as_bytes());
        incomplete.extend(printed.err().map(|stopped| stopped.message));
    }
    incomplete.extend(outputs.borrow_mut().finish(&mut result));
    incomplete.extend(unreached::told(&result, &hosts));
    for reason in &incomplete {
        note!("sentinel: {reason}");
    }
    Ok(match Exit::of(&result) {
        // Whoever asked for a file counts on it, and who was not reached has not passed.
        Exit::Passed if !incomplete.is_empty() => Exit::RunFailed,
        exit => exit,
    })
}

fn identifier() -> String {
    let mut bytes = [0; 16];
    // Without entropy the identifier is a constant: there is nobody here to mistake one run for another.
    let _ = getrandom::fill(&mut bytes);
    Builder::from_random_bytes(bytes).into_uuid().to_string()
}

/// Longer than anything takes that is not part of the plan.
const SLICE_SPARE: Span = Span::from_secs(3_600);
