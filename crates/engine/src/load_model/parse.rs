//! From what the file says to loads that can be played: all problems at once.

use super::findings::{Fields, Findings};
use super::types::Workload;
use super::{artillery, k6};
use crate::plan::{Problem, Problems};
use crate::scenario::{LoadConfig, ScenarioMap, TextMap};
use crate::tick::Span;

/// Loads that can be played, and what is probably not meant as it is written.
#[derive(Clone, Debug, PartialEq)]
pub struct Workloads {
    /// The loads in the order of the file, at least one.
    pub list: Vec<Workload>,
    /// What can be played, but is probably not meant.
    pub warnings: Vec<Problem>,
}

impl Workloads {
    /// Checks the `load` or the `scenarios` of a file; `root` is the path of what holds them.
    ///
    /// # Errors
    /// All problems at once.
    pub fn parse(
        load: Option<&LoadConfig>,
        scenarios: Option<&ScenarioMap>,
        root: &str,
    ) -> Result<Self, Problems> {
        let mut findings = Findings::default();
        let list = read(load, scenarios, root, &mut findings);
        let Findings { problems, warnings } = findings;
        match list {
            Some(list) if problems.is_empty() => Ok(Self { list, warnings }),
            _ => Err(Problems(problems)),
        }
    }
}

fn read(
    load: Option<&LoadConfig>,
    scenarios: Option<&ScenarioMap>,
    root: &str,
    findings: &mut Findings,
) -> Option<Vec<Workload>> {
    let path = format!("{root}.load");
    let mut list = Vec::new();
    match (load, scenarios) {
        (Some(load), Some(scenarios)) => {
            findings.problem(
                root,
                "using `load` and `scenarios` simultaneously is not allowed: write one of them",
            );
            list.push(workload(DEFAULT_NAME, load, path, findings));
            list.extend(named(scenarios, root, findings));
        }
        (Some(load), None) => list.push(workload(DEFAULT_NAME, load, path, findings)),
        (None, Some(scenarios)) if !scenarios.0.is_empty() => {
            list.extend(named(scenarios, root, findings));
        }
        (None, scenarios) => {
            if scenarios.is_some() {
                let message = "is empty: one user plays one iteration, as in k6";
                findings.warning(format!("{root}.scenarios"), message);
            }
            list.push(workload(
                DEFAULT_NAME,
                &LoadConfig::default(),
                path,
                findings,
            ));
        }
    }
    list.into_iter().collect()
}

fn named(scenarios: &ScenarioMap, root: &str, findings: &mut Findings) -> Vec<Option<Workload>> {
    let one = |(name, load): &(String, LoadConfig)| {
        let shown: String = name.chars().take(80).collect();
        let path = format!("{root}.scenarios.{shown}");
        if !is_name(name) {
            findings.problem(
                &path,
                format_args!(
                    "{shown:?} is not a name: accepted are letters, digits, \"_\" and \"-\""
                ),
            );
        }
        workload(name, load, path, findings)
    };
    scenarios.0.iter().map(one).collect()
}

fn workload(
    name: &str,
    load: &LoadConfig,
    path: String,
    findings: &mut Findings,
) -> Option<Workload> {
    let mut fields = Fields::new(path, findings);
    let start = fields.duration(
        "startTime",
        load.start_time.as_ref(),
        Span::ZERO,
        Span::ZERO,
    );
    let grace = load.graceful_stop.as_ref();
    let grace = fields.duration("gracefulStop", grace, GRACEFUL_STOP, Span::ZERO);
    if load.exec.as_deref() == Some("") {
        fields.problem(
            "exec",
            "is empty: leave it out, or name what is to be played",
        );
    }
    let model = match (load.executor, &load.phases) {
        (Some(_), Some(_)) => {
            fields.problem("phases", "does not go together with \"executor\"");
            None
        }
        (Some(executor), None) => {
            refuse_others(load, k6::fields_of(executor), executor.name(), &mut fields);
            k6::model(executor, load, &mut fields)
        }
        (None, Some(_)) => {
            refuse_others(load, &["phases", "mode"], "phases", &mut fields);
            artillery::model(load, &mut fields)
        }
        (None, None) => {
            let shortcuts = ["vus", "duration", "iterations", "stages"];
            refuse_others(load, &shortcuts, "a load without executor", &mut fields);
            k6::from_shortcuts(load, &mut fields)
                .and_then(|(executor, load)| k6::model(executor, &load, &mut fields))
        }
    };
    let pairs = |map: &Option<TextMap>| {
        let pairs = map.iter().flat_map(|map| map.iter());
        let owned = pairs.map(|(key, value)| (key.to_owned(), value.to_owned()));
        owned.collect::<Vec<_>>()
    };
    Some(Workload {
        name: name.to_owned(),
        starts_at: start?,
        graceful_stop: grace?,
        exec: load.exec.clone(),
        env: pairs(&load.env),
        tags: pairs(&load.tags),
        model: model?,
    })
}

/// Notes the fields that `what` does not have.
fn refuse_others(load: &LoadConfig, allowed: &[&str], what: &str, fields: &mut Fields<'_>) {
    let present = [
        ("vus", load.vus.is_some()),
        ("iterations", load.iterations.is_some()),
        ("duration", load.duration.is_some()),
        ("maxDuration", load.max_duration.is_some()),
        ("startVUs", load.start_vus.is_some()),
        ("stages", load.stages.is_some()),
        ("gracefulRampDown", load.graceful_ramp_down.is_some()),
        ("rate", load.rate.is_some()),
        ("startRate", load.start_rate.is_some()),
        ("timeUnit", load.time_unit.is_some()),
        ("preAllocatedVUs", load.pre_allocated_vus.is_some()),
        ("maxVUs", load.max_vus.is_some()),
        ("mode", load.mode.is_some()),
    ];
    for (field, _) in present.iter().filter(|(_, present)| *present) {
        if !allowed.contains(field) {
            let own = allowed.join(", ");
            fields.problem(
                field,
                format_args!("is no field of {what}: accepted are {own}, and {COMMON_FIELDS}"),
            );
        }
    }
}

fn is_name(name: &str) -> bool {
    let valid = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    !name.is_empty() && name.len() <= NAME_MAX && name.bytes().all(valid)
}

/// k6's name for the only scenario.
const DEFAULT_NAME: &str = "default";

const COMMON_FIELDS: &str = "startTime, gracefulStop, exec, env, tags";

const GRACEFUL_STOP: Span = Span::from_secs(30);

/// So that results stay readable.
const NAME_MAX: usize = 100;

#[cfg(test)]
mod tests;
