//! WebSockets and streams against a target that tells what it did: whether every session and message is accounted
//! for, and how far the times that are told are from those of the target.
//!
//! The target, the testbed, takes both of its times with its own clock: how long it held a message before its answer,
//! how long after a request its first event went out, how long after an event the next one. The same messages and
//! events are told by the load tester, so that the difference of the two averages is the average of the differences of
//! each message, whatever the times themselves are; beside it stand the differences of the percentiles.

mod account;
mod accuracy;
mod edge;
mod native;
mod scenarios;

use std::net::TcpListener;
use std::num::NonZeroUsize;

use anyhow::{Result, ensure};
use bench::Figures;
use serde_json::{Value, json};
use testbed::Testbed;

use crate::account::Account;
use crate::accuracy::Accuracy;
use crate::scenarios::Scenarios;

/// Something that plays scenarios.
trait Player {
    /// How it is called.
    const NAME: &'static str;
    /// How many sessions it has to hold at once.
    const SESSIONS: u32;
    /// How far times may be from those of the target, in milliseconds.
    const ERROR_MS_MAX: f64;

    /// Plays the scenario of this name, and answers its summary.
    ///
    /// # Errors
    /// When it cannot be played to its end.
    fn play(&self, scenarios: &Scenarios, name: &str) -> Result<Value>;
}

fn main() -> Result<()> {
    let figures = Figures::asked_for()?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let host = listener.local_addr()?.to_string();
    let target = Testbed::start(listener, NonZeroUsize::MIN)?;
    let native = measure(&native::Native::find()?, &target)?;
    let edge = measure(&edge::Edge::start(&host)?, &target)?;
    figures.write(&json!({ "native": native.to_json(), "edge": edge.to_json() }))?;
    ensure!(
        native.holds() && edge.holds(),
        "not everything that must hold does"
    );
    Ok(())
}

/// What came of one player.
struct Outcome {
    name: &'static str,
    account: Account,
    accuracy: Vec<Accuracy>,
    error_ms_max: f64,
}

fn measure<P: Player>(player: &P, target: &Testbed) -> Result<Outcome> {
    let scenarios = Scenarios::write(&target.url(), P::SESSIONS)?;
    target.reset();
    let summary = player.play(&scenarios, scenarios::SESSIONS)?;
    let account = Account::of(&summary, &target.stats(), P::SESSIONS)?;
    account.show(P::NAME);
    target.reset();
    let summary = player.play(&scenarios, scenarios::TIMES)?;
    let accuracy = accuracy::compare(&summary, &target.stats())?;
    accuracy::show(P::NAME, &accuracy, P::ERROR_MS_MAX);
    Ok(Outcome {
        name: P::NAME,
        account,
        accuracy,
        error_ms_max: P::ERROR_MS_MAX,
    })
}

impl Outcome {
    fn holds(&self) -> bool {
        let mut accuracy = self.accuracy.iter();
        self.account.holds() && accuracy.all(|one| one.holds(self.error_ms_max))
    }

    fn to_json(&self) -> Value {
        let accuracy = self.accuracy.iter().map(Accuracy::to_json);
        json!({
            "player": self.name,
            "sessions": self.account.to_json(),
            "errorsMs": accuracy.collect::<Vec<_>>(),
            "errorMsMax": self.error_ms_max,
            "holds": self.holds(),
        })
    }
}
