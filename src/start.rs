//! Starting a run: the one way that the API and the nightly trigger share.
//!
//! Invariant: nothing is stored or sent before the whole plan is checked, and a run that is `running` in the
//! database has a coordinator, or will be found by the watchdog.

use std::num::NonZeroU32;

use futures::future::join;
use sentinel_engine::plan::{Plan, PlanOptions, PlanPart, PlanSource, Problem, Via};
use sentinel_engine::redact::{redact_application, redact_scenario};
use sentinel_engine::run::{RunConfig, seconds_per_row};
use sentinel_engine::scenario::{ApplicationProfile, LoadScenario, TestRunConfig};
use serde_json::{Value, json};
use uuid::{Builder, Uuid};
use worker::Env;

use crate::api::{ApiError, ScenarioChoice};
use crate::clock::{iso, now_ms};
use crate::config::Config;
use crate::coordinator::{RunOrder, Stub};
use crate::limits::BATCHES_MAX;
use crate::store::{Database, NewRun, end_run, insert_run, running_in, stop_in_force};
use crate::{catalog, flag, kill_switch, log};

/// What somebody asks to be run.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Which scenario.
    pub(crate) scenario: ScenarioChoice,
    /// Applications of an inline scenario.
    pub(crate) applications: Vec<ApplicationProfile>,
    /// Where to, `staging` when nothing is said.
    pub(crate) environment: Option<String>,
    /// `true` asks for the plan only; `false` confirms a run on production.
    pub(crate) dry_run: Option<bool>,
    /// The highest number of users.
    pub(crate) users: Option<u32>,
    /// How long the whole takes.
    pub(crate) duration: Option<String>,
    /// The seed of all random choices.
    pub(crate) seed: u64,
    /// Hosts of this Worker itself, as far as they are known.
    pub(crate) own_hosts: Vec<String>,
}

/// A run that could start.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// The name of its scenario.
    pub(crate) scenario_name: String,
    /// The environment that it tests.
    pub(crate) environment: String,
    /// What its plan is made of.
    pub(crate) source: PlanSource,
    /// Its plan.
    pub(crate) plan: Plan,
    /// How many batches play it.
    pub(crate) batches: u32,
}

/// Checks everything that can be checked without starting.
///
/// # Errors
/// What the caller has to change, all of it at once.
pub(crate) fn prepare(
    config: &Config,
    asked: Asked,
    mut problems: Vec<Problem>,
) -> Result<Prepared, ApiError> {
    let (scenario_name, scenario, applications) = resolve(asked.scenario, asked.applications)?;
    let environment = asked
        .environment
        .unwrap_or_else(|| DEFAULT_ENVIRONMENT.to_owned());
    if environment == PRODUCTION && asked.dry_run.is_none() {
        return Err(ApiError::new(
            400,
            "confirmation_required",
            "a run on production has to be confirmed with an explicit \"dryRun\": false",
        ));
    }
    let Some(base_url) = config.targets.get(&environment) else {
        let known = config.environments();
        problems.push(Problem {
            path: "environment".to_owned(),
            message: format!(
                "{environment:?} is not known: accepted are {}",
                known.join(", ")
            ),
        });
        return Err(ApiError::problems(problems).with("known", known));
    };
    problems.extend(not_played(&scenario));
    let source = PlanSource {
        scenario,
        applications,
        options: PlanOptions {
            base_url: base_url.to_string(),
            allowed_hosts: config.allowed_hosts.clone(),
            own_hosts: asked.own_hosts,
            allow_private: config.local,
            via: Via::Host,
            seed: asked.seed,
            users: asked.users,
            duration: asked.duration,
            users_max: config.users_max,
            duration_max_s: config.duration_max_s,
            part: PlanPart::default(),
        },
    };
    let plan = match Plan::parse(&source) {
        Ok(plan) if problems.is_empty() => plan,
        Ok(_) => return Err(ApiError::problems(problems)),
        Err(more) => {
            problems.extend(more.0.into_iter().map(as_asked));
            return Err(ApiError::problems(problems));
        }
    };
    let batches_max = NonZeroU32::MIN.saturating_add(BATCHES_MAX - 1);
    let batches = RunConfig::size(&plan, config.users_per_batch, batches_max);
    Ok(Prepared {
        scenario_name,
        environment,
        source,
        plan,
        batches,
    })
}

/// What the engine reads but does not play: a run that left it out silently would not be the one asked for.
fn not_played(scenario: &LoadScenario) -> Vec<Problem> {
    let once = [
        ("setup", scenario.setup.is_some()),
        ("teardown", scenario.teardown.is_some()),
    ];
    let asked = once.into_iter().filter(|(_, asked)| *asked);
    asked
        .map(|(name, _)| Problem {
            path: format!("scenario.{name}"),
            message:
                "is not played yet: leave it out, or do its steps once per user with unlessSet"
                    .to_owned(),
        })
        .collect()
}

/// The plan's options are fields of the body for whoever asked.
fn as_asked(problem: Problem) -> Problem {
    let path = problem.path.strip_prefix("options.").map(str::to_owned);
    Problem {
        path: path.unwrap_or(problem.path),
        ..problem
    }
}

/// Starts a run and answers its identifier.
///
/// # Errors
/// 409 when one is running on the same environment, 423 when everything is stopped, 503 when the platform does
/// not do its part.
pub(crate) async fn launch(
    env: &Env,
    config: &Config,
    prepared: Prepared,
    dry_run: Option<bool>,
) -> Result<String, ApiError> {
    if let Some(reason) = flag::stop_all(env).await {
        return Err(ApiError::stopped(&reason));
    }
    let bits = Uuid::from_u64_pair(random_u64(), random_u64());
    let id = Builder::from_random_bytes(bits.into_bytes())
        .into_uuid()
        .to_string();
    let database = Database::of(env).map_err(|_| ApiError::unavailable("the database"))?;
    let config_json = config_json(&prepared, dry_run);
    insert(&database, &id, &prepared, &config_json).await?;
    kill_switch::create_key(env).await;

    let length_s = prepared.plan.duration().as_us() / 1_000_000;
    let order = RunOrder {
        version: RunOrder::VERSION,
        run: id.clone(),
        scenario_name: prepared.scenario_name.clone(),
        environment: prepared.environment.clone(),
        batches: prepared.batches,
        slice_s: config.slice_s,
        source: prepared.source,
    };
    let stub = Stub::of(env, &id);
    let (raised, started) = join(flag::raise(env, &id, length_s), stub.start(&order)).await;
    if let Err(error) = raised {
        log::event("flag_not_raised", &id, json!(log::brief(&error)));
    }
    if let Err(error) = started {
        log::event("run_not_started", &id, json!(log::brief(&error)));
        // It may have started without being able to say so.
        let _ = stub.cancel(None).await;
        let summary = failed_summary("the coordinator could not be started");
        let ended = end_run(&id, "failed", &iso(now_ms()), &summary);
        if let Err(error) = database.run(&ended).await {
            log::event("run_not_ended", &id, json!(log::brief(&error)));
        }
        return Err(ApiError::unavailable("the coordinator"));
    }
    log::event(
        "run_started",
        &id,
        json!({
            "scenario": order.scenario_name,
            "environment": order.environment,
            "batches": order.batches,
        }),
    );
    Ok(id)
}

/// The summary of a run that nothing else is known about than that it failed.
pub(crate) fn failed_summary(reason: &str) -> String {
    json!({ "passed": false, "failedAssertions": [], "failure": reason }).to_string()
}

/// 53 random bits: a number that every reader of JSON holds exactly.
pub(crate) fn random_seed() -> u64 {
    random_u64() >> 11
}

fn random_u64() -> u64 {
    getrandom::u64().unwrap_or_else(|_| now_ms())
}

fn resolve(
    choice: ScenarioChoice,
    mut applications: Vec<ApplicationProfile>,
) -> Result<(String, LoadScenario, Vec<ApplicationProfile>), ApiError> {
    let scenario = match choice {
        ScenarioChoice::Named(name) => {
            let scenario =
                catalog::scenario(&name).ok_or_else(|| ApiError::no_scenario(&catalog::names()))?;
            if !applications.is_empty() {
                return Err(ApiError::problems(vec![Problem {
                    path: "applications".to_owned(),
                    message: "accepted only together with a scenario of your own".to_owned(),
                }]));
            }
            scenario
        }
        ScenarioChoice::Inline(scenario) => *scenario,
    };
    for used in &scenario.applications {
        let given = applications.iter().any(|known| known.name == used.name);
        if !given {
            applications.extend(catalog::application(&used.name));
        }
    }
    Ok((scenario.name.clone(), scenario, applications))
}

async fn insert(
    database: &Database,
    id: &str,
    prepared: &Prepared,
    config_json: &str,
) -> Result<(), ApiError> {
    let unavailable = |error| {
        log::event("database_failed", id, json!(log::brief(&error)));
        ApiError::unavailable("the database")
    };
    let started_at = iso(now_ms());
    let row = NewRun {
        id,
        scenario: &prepared.scenario_name,
        environment: &prepared.environment,
        started_at: &started_at,
        config_json,
    };
    // Twice, in case the run in the way ends between the two questions.
    for _ in 0..2 {
        if database.run(&insert_run(&row)).await.map_err(unavailable)? == 1 {
            return Ok(());
        }
        let stop = database.rows(&stop_in_force()).await.map_err(unavailable)?;
        if let Some(stop) = stop.first() {
            let reason = stop.get("reason").and_then(Value::as_str);
            return Err(ApiError::stopped(reason.unwrap_or_default()));
        }
        let rows = database.rows(&running_in(&prepared.environment)).await;
        if let Some(other) = rows.map_err(unavailable)?.first() {
            let other = other.get("id").and_then(Value::as_str).unwrap_or_default();
            let message = format!("run {other} is running on {}", prepared.environment);
            return Err(ApiError::new(409, "already_running", message).with("id", other));
        }
    }
    Err(ApiError::unavailable("the database"))
}

/// The spec's `TestRunConfig`, and what the caller decided beside it, without secrets.
fn config_json(prepared: &Prepared, dry_run: Option<bool>) -> String {
    let PlanSource {
        mut scenario,
        mut applications,
        options,
    } = prepared.source.clone();
    redact_scenario(&mut scenario);
    applications.iter_mut().for_each(redact_application);
    let config = TestRunConfig {
        scenario_name: prepared.scenario_name.clone(),
        scenario,
        environment: prepared.environment.clone(),
        dry_run,
    };
    let mut value = json!(config);
    if let Value::Object(fields) = &mut value {
        fields.insert("applications".to_owned(), json!(applications));
        fields.insert("baseUrl".to_owned(), json!(options.base_url));
        fields.insert("seed".to_owned(), json!(options.seed));
        fields.insert("batches".to_owned(), json!(prepared.batches));
        let step_seconds = seconds_per_row(&prepared.plan);
        fields.insert("metricsStepSeconds".to_owned(), json!(step_seconds));
        if let Some(users) = options.users {
            fields.insert("users".to_owned(), json!(users));
        }
        if let Some(duration) = options.duration {
            fields.insert("duration".to_owned(), json!(duration));
        }
    }
    value.to_string()
}

const DEFAULT_ENVIRONMENT: &str = "staging";
const PRODUCTION: &str = "production";

#[cfg(test)]
mod tests {
    use sentinel_engine::scenario::{parse_application, parse_scenario};

    use super::*;

    fn config() -> Config {
        let read = |name: &str| {
            let text = match name {
                "TARGETS" => {
                    r#"{"staging": "http://127.0.0.1:1", "production": "https://grove.place"}"#
                }
                "ALLOWED_HOSTS" => "127.0.0.1:1, grove.place",
                "MAX_USERS" => "100",
                "MAX_DURATION" => "1h",
                "ENVIRONMENT" => "local",
                _ => "a secret of some length",
            };
            (!matches!(name, "NIGHTLY" | "SLICE_SECONDS" | "USERS_PER_BATCH"))
                .then(|| text.to_owned())
        };
        Config::parse(read).expect("a good configuration")
    }

    fn inline(url: &str) -> Asked {
        let scenario = parse_scenario(
            br#"{"name": "mine", "applications": [{"name": "a", "weight": 1}], "userProfile": {
              "rampUp": {"from": 0, "to": 20, "duration": "10s"},
              "peak": {"users": 20, "duration": "10s"},
              "steadyState": {"users": 10, "duration": "10s"},
              "rampDown": {"to": 0, "duration": "10s"}}}"#,
        );
        let application = format!(
            r#"{{"name": "a", "steps": [{{"name": "s", "expect": {{}}, "request":
              {{"method": "GET", "url": "{url}", "headers": {{"Authorization": "Bearer hunter2"}}}}}}]}}"#
        );
        Asked {
            scenario: ScenarioChoice::Inline(Box::new(scenario.expect("a scenario"))),
            applications: vec![parse_application(application.as_bytes()).expect("an application")],
            environment: None,
            dry_run: None,
            users: None,
            duration: None,
            seed: 1,
            own_hosts: vec!["127.0.0.1:8787".to_owned()],
        }
    }

    fn refused(asked: Asked) -> ApiError {
        prepare(&config(), asked, Vec::new()).expect_err("refused")
    }

    #[test]
    fn a_run_goes_to_staging_when_nothing_is_said() {
        let prepared = prepare(&config(), inline("/"), Vec::new()).expect("a good run");
        assert_eq!(prepared.environment, "staging");
        assert_eq!(prepared.batches, 3, "20 users, 8 to a batch");
    }

    #[test]
    fn production_has_to_be_confirmed() {
        let asked = |dry_run| Asked {
            environment: Some(PRODUCTION.to_owned()),
            dry_run,
            ..inline("/")
        };
        let error = refused(asked(None));
        assert_eq!((error.status, error.code), (400, "confirmation_required"));
        for dry_run in [Some(false), Some(true)] {
            assert!(prepare(&config(), asked(dry_run), Vec::new()).is_ok());
        }
    }

    #[test]
    fn what_is_not_played_is_refused_and_not_left_out() {
        let mut asked = inline("/");
        if let ScenarioChoice::Inline(scenario) = &mut asked.scenario {
            scenario.setup = Some(Vec::new());
            scenario.teardown = Some(Vec::new());
        }
        let problems = refused(asked).details["problems"].clone();
        assert_eq!(problems[0]["path"], "scenario.setup");
        assert_eq!(problems[1]["path"], "scenario.teardown");
    }

    #[test]
    fn load_goes_only_where_it_may() {
        for url in [
            "https://evil.example/",
            "http://127.0.0.1:8787/api/loadtest/health",
            "http://127.0.0.1:2/",
        ] {
            let error = refused(inline(url));
            assert_eq!(error.status, 422, "{url}");
            let path = &error.details["problems"][0]["path"];
            assert_eq!(path, "applications[a].steps[0].request.url", "{url}");
        }
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once_in_the_callers_words() {
        let asked = Asked {
            users: Some(101),
            duration: Some("2h".to_owned()),
            ..inline("https://evil.example/")
        };
        let error = refused(asked);
        let problems = error.details["problems"].as_array().expect("a list");
        let paths: Vec<_> = problems.iter().map(|problem| &problem["path"]).collect();
        for path in ["users", "duration", "applications[a].steps[0].request.url"] {
            assert!(
                paths.iter().any(|found| *found == path),
                "{path} in {paths:?}"
            );
        }
    }

    #[test]
    fn unknown_names_are_answered_with_the_known_ones() {
        let error = refused(Asked {
            environment: Some("moon".to_owned()),
            ..inline("/")
        });
        assert_eq!(error.status, 422);
        assert_eq!(error.details["known"], json!(["production", "staging"]));
        let named = |name: &str, applications| Asked {
            scenario: ScenarioChoice::Named(name.to_owned()),
            applications,
            ..inline("/")
        };
        assert_eq!(refused(named("nope", Vec::new())).status, 404);
        let error = refused(named("grove-mix", inline("/").applications));
        assert_eq!(error.details["problems"][0]["path"], "applications");
    }

    #[test]
    fn what_is_stored_holds_no_secret() {
        let prepared = prepare(&config(), inline("/"), Vec::new()).expect("a good run");
        let text = config_json(&prepared, Some(false));
        assert!(!text.contains("hunter2"), "{text}");
        let stored: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(stored["scenarioName"], "mine");
        assert_eq!(stored["scenario"]["userProfile"]["peak"]["users"], 20);
        assert_eq!(stored["environment"], "staging");
        assert_eq!(stored["dryRun"], false);
    }
}
