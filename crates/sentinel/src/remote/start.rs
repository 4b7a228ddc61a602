//! Starting a run.
//!
//! Invariant: at most one run is started. When the answer is lost, the run is looked for by its seed, which is
//! random unless somebody chose it, and the question is repeated only when that can tell.

use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::arguments::StartArguments;
use super::client::Client;
use super::trouble::{Refusal, Trouble};
use crate::exit::Stopped;
use crate::source;

/// How often a run is asked for whose answer is lost.
const ATTEMPTS: u32 = 4;
/// How long between two of them: an answer that is lost may be followed by the run.
const BETWEEN: Duration = Duration::from_secs(1);

/// What is to be started.
#[derive(Debug)]
pub(super) struct Order {
    scenario: String,
    body: Value,
    seed: u64,
    /// Whether no other run has this seed.
    is_seed_unique: bool,
}

impl Order {
    /// Reads what the command line asks for.
    ///
    /// # Errors
    /// Everything that is wrong with the files.
    pub(super) fn new(arguments: &StartArguments) -> Result<Self, Stopped> {
        let seed = arguments.seed.unwrap_or_else(source::random_seed);
        let mut body = Map::new();
        let mut put = |field: &str, value: Option<Value>| {
            if let Some(value) = value {
                body.insert(field.to_owned(), value);
            }
        };
        let scenario = if source::is_path(&arguments.scenario) {
            let (scenario, applications) =
                source::read_files(Path::new(&arguments.scenario), &arguments.applications)?;
            put("scenario", Some(json!(scenario)));
            put("applications", Some(json!(applications)));
            scenario.name
        } else if let Some(application) = arguments.applications.first() {
            return Err(Stopped::invalid(format_args!(
                "--application {}: {:?} is a scenario that the load tester knows, with its applications",
                application.display(),
                arguments.scenario
            )));
        } else {
            put("scenario", Some(json!(arguments.scenario)));
            arguments.scenario.clone()
        };
        put(
            "environment",
            arguments.environment.as_ref().map(|name| json!(name)),
        );
        put("users", arguments.users.map(|users| json!(users)));
        put(
            "duration",
            arguments.duration.as_ref().map(|time| json!(time)),
        );
        put(
            "profile",
            arguments.profile.as_ref().map(|name| json!(name)),
        );
        put("regions", regions(&arguments.regions)?);
        put("seed", Some(json!(seed)));
        let dry_run = match (arguments.dry_run, arguments.confirm) {
            (true, _) => Some(true),
            (false, true) => Some(false),
            (false, false) => None,
        };
        put("dryRun", dry_run.map(|dry_run| json!(dry_run)));
        Ok(Self {
            scenario,
            body: Value::Object(body),
            seed,
            is_seed_unique: arguments.seed.is_none(),
        })
    }

    /// The scenario's name.
    pub(super) fn scenario(&self) -> &str {
        &self.scenario
    }

    /// The body of `POST runs`.
    pub(super) fn body(&self) -> &Value {
        &self.body
    }

    /// Whether a row of the list of runs is that of this order.
    fn is_ours(&self, run: &Value) -> bool {
        let config = run.get("config_json").and_then(Value::as_str);
        let config: Value = config
            .and_then(|config| serde_json::from_str(config).ok())
            .unwrap_or_default();
        config.get("seed").and_then(Value::as_u64) == Some(self.seed)
    }
}

/// Starts a run and answers its identifier.
///
/// # Errors
/// When it is refused, or nobody knows whether it has started.
pub(super) async fn start(client: &Client, order: &Order) -> Result<Uuid, Stopped> {
    let (mut may_run, mut attempt) = (false, 0);
    loop {
        attempt += 1;
        let trouble = match client.post("/runs", order.body()).await {
            Ok(answer) => return identifier(&answer),
            Err(trouble) => trouble,
        };
        if let Trouble::Refused(refusal) = &trouble
            && may_run
            && let Some(run) = adopted(client, order, refusal).await
        {
            return Ok(run);
        }
        may_run |= is_doubtful(&trouble);
        if !may_run {
            return Err(trouble.into());
        }
        if order.is_seed_unique {
            tokio::time::sleep(BETWEEN).await;
            if let Some(run) = find(client, order).await {
                return Ok(run);
            }
        }
        if attempt == ATTEMPTS || !order.is_seed_unique || !trouble.is_passing() {
            return Err(Stopped::failed(format_args!(
                "{}; the run may have started: `sentinel remote list --status running` tells",
                trouble.line()
            )));
        }
    }
}

/// Whether the run may have started although the answer does not say so.
fn is_doubtful(trouble: &Trouble) -> bool {
    match trouble {
        Trouble::Lost(_) | Trouble::Foreign(_) => true,
        Trouble::Unreachable(_) => false,
        // What stands between says no more than that it got no answer.
        Trouble::Refused(refusal) => refusal.status >= 500 && refusal.code.is_empty(),
    }
}

/// The run that is in the way, if it is the one that was asked for before.
async fn adopted(client: &Client, order: &Order, refusal: &Refusal) -> Option<Uuid> {
    if refusal.code != "already_running" {
        return None;
    }
    let other = refusal.fields.get("id").and_then(Value::as_str)?;
    let other = Uuid::try_parse(other).ok()?;
    let run = client.run(other).await.ok()?;
    order.is_ours(&run).then_some(other)
}

/// The run, if it is among the newest ones.
async fn find(client: &Client, order: &Order) -> Option<Uuid> {
    let query = [("scenario", order.scenario()), ("limit", "20")];
    let answer = client.get("/runs", &query).await.ok()?;
    let runs = answer.get("runs")?.as_array()?;
    let run = runs.iter().find(|run| order.is_ours(run))?;
    Uuid::try_parse(run.get("id")?.as_str()?).ok()
}

fn identifier(answer: &Value) -> Result<Uuid, Stopped> {
    let id = answer.get("id").and_then(Value::as_str);
    id.and_then(|id| Uuid::try_parse(id).ok())
        .ok_or_else(|| Stopped::failed("the load tester took the run and did not say its name"))
}

/// Regions as the API wants them: names with weights.
fn regions(texts: &[String]) -> Result<Option<Value>, Stopped> {
    let mut regions = Map::new();
    for text in texts {
        let (name, weight) = text.split_once('=').unwrap_or((text, "1"));
        let Ok(weight) = weight.parse::<u32>() else {
            return Err(Stopped::invalid(format_args!(
                "--region {text}: accepted is a region, or one with its weight, such as weur=2"
            )));
        };
        if regions.insert(name.to_owned(), json!(weight)).is_some() {
            return Err(Stopped::invalid(format_args!(
                "--region {text}: that region is named twice"
            )));
        }
    }
    Ok((!regions.is_empty()).then_some(Value::Object(regions)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_have_a_weight() {
        let read =
            |texts: &[&str]| regions(&texts.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(read(&[]).unwrap(), None);
        assert_eq!(
            read(&["weur=2", "enam"]).unwrap(),
            Some(json!({"weur": 2, "enam": 1}))
        );
        for texts in [&["weur="][..], &["weur=two"], &["weur", "weur=2"]] {
            assert!(read(texts).is_err(), "{texts:?}");
        }
    }
}
