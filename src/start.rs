//! Starting a run: the one way that the API and the nightly trigger share.
//!
//! Invariant: nothing is stored or sent before the whole plan is checked, and a run that is `running` in the
//! database has a coordinator, or will be found by the watchdog.

use futures::future::join;
use sentinel_engine::parts::Part;
use sentinel_engine::plan::{
    Application, Plan, PlanOptions, PlanPart, PlanSource, Problem, Step, Via,
};
use sentinel_engine::run::{Capacity, Spread, TooLarge};
use sentinel_engine::scenario::{ApplicationProfile, LoadScenario};
use sentinel_engine::tick::Span;
use serde_json::Value;
use uuid::{Builder, Uuid};
use worker::Env;

use crate::api::{ApiError, ScenarioChoice};
use crate::clock::{day, iso, now_ms};
use crate::config::{Config, Limits};
use crate::coordinator::{Allowance, RunOrder, Stub};
use crate::json::document;
use crate::limits::{LATENCY_EXPECTED_MS, REQUESTS_PER_THREAD, SHARDS_MAX, SLOTS, SUBREQUESTS_MAX};
use crate::run_config::config_json;
use crate::store::{
    Daily, Database, NewRun, Row, end_run, insert_run, reservation, reserve, run_by_id, running_in,
    stop_in_force, used_on,
};
use crate::{catalog, flag, json, kill_switch, log};

/// What somebody asks to be run.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Which scenario.
    pub(crate) scenario: ScenarioChoice,
    /// Applications of an inline scenario.
    pub(crate) applications: Vec<ApplicationProfile>,
    /// Where to, `staging` when nothing is said.
    pub(crate) environment: Option<String>,
    /// What the requests reach the target through.
    pub(crate) via: Via,
    /// `true` asks for the plan only; `false` confirms a run on production.
    pub(crate) dry_run: Option<bool>,
    /// The highest number of users.
    pub(crate) users: Option<u32>,
    /// How long the whole takes.
    pub(crate) duration: Option<String>,
    /// The name of a profile that is laid over the scenario's load.
    pub(crate) profile: Option<String>,
    /// The seed of all random choices.
    pub(crate) seed: u64,
    /// From where load is to come, each region with its weight; empty for anywhere.
    pub(crate) regions: Vec<(String, u32)>,
    /// For how many days the run is kept, as configured when nothing is said.
    pub(crate) retention_days: Option<u32>,
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
    /// Over how many batches and shards it is spread.
    pub(crate) spread: Spread,
    /// For how many days the run is kept, as configured when nothing is said.
    pub(crate) retention_days: Option<u32>,
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
    let source = PlanSource {
        scenario,
        applications,
        options: PlanOptions {
            base_url: base_url.to_string(),
            allowed_hosts: config.allowed_hosts.clone(),
            own_hosts: asked.own_hosts,
            allow_private: config.local,
            via: asked.via,
            seed: asked.seed,
            users: asked.users,
            duration: asked.duration,
            profile: asked.profile,
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
    let refused = [not_at_the_edge(&plan), beyond_limits(&plan, &config.limits)].concat();
    if !refused.is_empty() {
        return Err(ApiError::problems(refused));
    }
    check_bindings(config, &environment, &plan)?;
    let spread = Spread::of(&plan, &capacity(config), &asked.regions).map_err(|error| {
        let path = match error {
            TooLarge::Regions { .. } => "regions",
            TooLarge::Slots { .. } | TooLarge::Rate { .. } => "users",
        };
        ApiError::problems(vec![Problem {
            path: path.to_owned(),
            message: error.to_string(),
        }])
    })?;
    Ok(Prepared {
        scenario_name,
        environment,
        source,
        plan,
        spread,
        retention_days: asked.retention_days,
    })
}

/// What of the plan only the command `sentinel` can play: the platform's WebSockets cannot send pings.
fn not_at_the_edge(plan: &Plan) -> Vec<Problem> {
    let pings = |step: &Step| step.socket.as_ref().is_some_and(|ws| ws.ping.is_some());
    let sockets = plan.sockets().filter(|(_, step)| pings(step));
    let problem = |(application, step): (&Application, &Step)| Problem {
        path: format!("applications[{}]", application.name),
        message: format!(
            "step {:?} has a \"ping\": Workers cannot send pings, `sentinel run` does",
            step.name
        ),
    };
    sockets.map(problem).chain(unmeasured(plan)).collect()
}

/// Thresholds on parts of a request's time: the runtime tells none of them, and a threshold without data fails.
fn unmeasured(plan: &Plan) -> Vec<Problem> {
    let metering = plan.metering();
    let parts = Part::ALL.into_iter().filter(|part| *part != Part::Exchange);
    let metrics: Vec<_> = parts
        .filter_map(|part| metering.catalog().id(part.metric()))
        .collect();
    let thresholds = metering.thresholds().into_iter();
    let asked = thresholds.filter(|one| metrics.contains(&one.query().selection.metric));
    asked
        .map(|threshold| Problem {
            path: format!("scenario.thresholds[{:?}]", threshold.key()),
            message: "cannot be measured by the Worker, `sentinel run` can".to_owned(),
        })
        .collect()
}

/// What of the plan certainly exceeds a limit. What the closed model sends depends on the target; a run that
/// reaches a limit is stopped.
fn beyond_limits(plan: &Plan, limits: &Limits) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut problem = |message| {
        problems.push(Problem {
            path: "scenario".to_owned(),
            message,
        });
    };
    let (iterations, rate) = (plan.arrivals_planned(), plan.arrival_rate_max());
    for (name, limit) in [
        ("MAX_REQUESTS", limits.requests_max),
        ("DAILY_REQUESTS", limits.daily_requests),
    ] {
        if let Some(limit) = limit.filter(|limit| iterations > *limit) {
            problem(format!(
                "plans {iterations} iterations of a request or more, and at most {limit} requests are allowed ({name})"
            ));
        }
    }
    if let Some(limit) = limits.rate_max.filter(|limit| rate > *limit as f64) {
        problem(format!(
            "plans up to {rate} iterations per second of a request or more, and at most {limit} requests per second are allowed (MAX_RATE)"
        ));
    }
    problems
}

/// What the platform and the configuration give to a run.
fn capacity(config: &Config) -> Capacity {
    Capacity {
        slots: SLOTS.get().into(),
        users_per_batch: config.users_per_batch.get(),
        batches_per_line: config.batches_per_shard,
        shards_max: SHARDS_MAX,
        requests_per_line: REQUESTS_PER_THREAD,
        // What is left is for the flag in KV, and for redirects.
        requests_per_slice: SUBREQUESTS_MAX / 10 * 9,
        slice: Span::from_secs(u64::from(config.slice_s)),
        latency: Span::from_ms(LATENCY_EXPECTED_MS),
    }
}

/// A run that goes through bindings needs them all, and they have to lead to the environment that is meant.
fn check_bindings(config: &Config, environment: &str, plan: &Plan) -> Result<(), ApiError> {
    let (via, needed) = (plan.via(), plan.bindings());
    if via == Via::Host {
        return Ok(());
    }
    let refused = |message: String| {
        let path = "via".to_owned();
        let known: Vec<&str> = config.bindings.iter().copied().collect();
        Err(ApiError::problems(vec![Problem { path, message }]).with("known", known))
    };
    if config.bound_environment.as_deref() != Some(environment) {
        let bound = config.bound_environment.as_deref();
        return refused(format!(
            "{:?} is not possible on {environment:?}: the bindings lead to {}",
            via.name(),
            bound.map_or("no environment".to_owned(), |bound| format!("{bound:?}")),
        ));
    }
    let list = |names: Vec<&str>| names.join(", ");
    let is_missing = |binding: &&str| !config.bindings.contains(binding);
    let missing: Vec<&str> = needed.into_iter().filter(is_missing).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let known = config.bindings.iter().copied().collect();
    refused(format!(
        "{:?} needs bindings that are missing: [{}]; there are [{}]",
        via.name(),
        list(missing),
        list(known),
    ))
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
/// 409 when one is running on the same environment, 423 when everything is stopped, 429 when the day's budget is used up, 503 when the platform does
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
    let reserved = insert(&database, &id, &prepared, &config_json, &config.limits).await?;
    kill_switch::create_key(env).await;

    let length_s = prepared.plan.duration().as_us() / 1_000_000;
    let order = RunOrder {
        version: RunOrder::VERSION,
        run: id.clone(),
        scenario_name: prepared.scenario_name.clone(),
        environment: prepared.environment.clone(),
        batches: prepared.spread.batches,
        shards: prepared.spread.shards,
        slice_s: config.slice_s,
        allowance: Allowance {
            rate_max: config.limits.rate_max,
            requests_max: config.limits.requests_max,
            requests_reserved: reserved,
        },
        source: prepared.source,
    };
    let stub = Stub::of(env, &id);
    let (raised, started) = join(flag::raise(env, &id, length_s), stub.start(&order)).await;
    if let Err(error) = raised {
        log::event("flag_not_raised", &id, log::brief(&error).into());
    }
    if let Err(error) = started {
        log::event("run_not_started", &id, log::brief(&error).into());
        // It may have started without being able to say so.
        let _ = stub.cancel(None).await;
        let summary = failed_summary("the coordinator could not be started");
        let ended = end_run(&id, "failed", &iso(now_ms()), &summary);
        if let Err(error) = database.run(&ended).await {
            log::event("run_not_ended", &id, log::brief(&error).into());
        }
        return Err(ApiError::unavailable("the coordinator"));
    }
    log::event(
        "run_started",
        &id,
        document!({
            "scenario": order.scenario_name,
            "environment": order.environment,
            "batches": order.batches,
            "shards": order.shards.len(),
        }),
    );
    Ok(id)
}

/// The summary of a run that nothing else is known about than that it failed.
pub(crate) fn failed_summary(reason: &str) -> String {
    let none: [&str; 0] = [];
    let summary = document!({ "passed": false, "failedAssertions": none, "failure": reason });
    json::write(&summary).unwrap_or_default()
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

/// Writes the run's row, and reserves its requests of the day's budget; answers how many.
async fn insert(
    database: &Database,
    id: &str,
    prepared: &Prepared,
    config_json: &str,
    limits: &Limits,
) -> Result<Option<u64>, ApiError> {
    let unavailable = |error| {
        log::event("database_failed", id, log::brief(&error).into());
        ApiError::unavailable("the database")
    };
    let now = now_ms();
    let (started_at, day) = (iso(now), day(now));
    let row = NewRun {
        id,
        scenario: &prepared.scenario_name,
        environment: &prepared.environment,
        started_at: &started_at,
        config_json,
    };
    let daily = limits.daily_requests.map(|requests| Daily {
        day: &day,
        requests,
        wanted: limits.requests_max.unwrap_or(requests),
    });
    let mut statements = vec![insert_run(&row, daily.as_ref())];
    statements.extend(daily.as_ref().map(|daily| reserve(id, daily)));
    // Twice, in case D1 does not answer or what is in the way ends between two questions. What was done
    // already is not done again.
    let mut refused = ApiError::unavailable("the database");
    for _ in 0..2 {
        if let Err(error) = database.transaction(&statements).await {
            refused = unavailable(error);
            continue;
        }
        let own = database.rows(&run_by_id(id)).await.map_err(unavailable)?;
        if !own.is_empty() {
            let reserved = database.rows(&reservation(id)).await.map_err(unavailable)?;
            return Ok(number(&reserved, "reserved"));
        }
        if let Some(error) = in_the_way(database, prepared, daily.as_ref())
            .await
            .map_err(unavailable)?
        {
            return Err(error);
        }
    }
    Err(refused)
}

/// Why a run was not inserted, `None` when the reason has gone meanwhile.
async fn in_the_way(
    database: &Database,
    prepared: &Prepared,
    daily: Option<&Daily<'_>>,
) -> worker::Result<Option<ApiError>> {
    if let Some(stop) = database.rows(&stop_in_force()).await?.first() {
        let reason = stop.get("reason").and_then(Value::as_str);
        return Ok(Some(ApiError::stopped(reason.unwrap_or_default())));
    }
    let running = database.rows(&running_in(&prepared.environment)).await?;
    if let Some(other) = running.first() {
        let other = other.get("id").and_then(Value::as_str).unwrap_or_default();
        let message = format!("run {other} is running on {}", prepared.environment);
        let error = ApiError::new(409, "already_running", message).with("id", other);
        return Ok(Some(error));
    }
    let Some(daily) = daily else { return Ok(None) };
    let used = number(&database.rows(&used_on(daily.day)).await?, "used").unwrap_or_default();
    Ok((used >= daily.requests).then(|| ApiError::budget(daily.requests, used)))
}

fn number(rows: &[Row], column: &str) -> Option<u64> {
    rows.first()?.get(column)?.as_u64()
}

const DEFAULT_ENVIRONMENT: &str = "staging";
const PRODUCTION: &str = "production";

#[cfg(test)]
mod tests {
    use sentinel_engine::scenario::{parse_application, parse_scenario};

    use serde_json::json;

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
            let required = [
                "TARGETS",
                "ALLOWED_HOSTS",
                "MAX_USERS",
                "MAX_DURATION",
                "ENVIRONMENT",
                "VISTA_TOKEN",
                "BATCH_KEY",
            ];
            required.contains(&name).then(|| text.to_owned())
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
            via: Via::Host,
            dry_run: None,
            users: None,
            duration: None,
            profile: None,
            seed: 1,
            regions: Vec::new(),
            retention_days: None,
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
        assert_eq!(prepared.spread.batches, 3, "20 users, 8 to a batch");
    }

    #[test]
    fn a_way_without_its_bindings_is_refused_with_those_that_there_are() {
        let mut config = config();
        config.bindings = ["SESSIONS", "TENANTS"].into();
        let mut ask = |via, bound: Option<&str>| {
            config.bound_environment = bound.map(str::to_owned);
            let mut asked = Asked { via, ..inline("/") };
            asked.applications[0].do_interactions = serde_json::from_str(
                r#"[{"do": "PostDO", "pattern": "read-heavy", "id": "post:{{key}}"}]"#,
            )
            .expect("interactions");
            prepare(&config, asked, Vec::new())
        };
        let host = ask(Via::Host, None).expect("a run through the host needs no binding");
        assert!(host.plan.bindings().is_empty());
        for (via, bound, told) in [
            (Via::Object, None, "the bindings lead to no environment"),
            (
                Via::Object,
                Some("production"),
                "not possible on \"staging\": the bindings lead to \"production\"",
            ),
            (
                Via::Object,
                Some("staging"),
                "missing: [POSTS]; there are [SESSIONS, TENANTS]",
            ),
            (Via::Binding, Some("staging"), "missing: [GROVE]"),
        ] {
            let error = ask(via, bound).expect_err(told);
            assert_eq!((error.status, error.code), (422, "invalid"));
            assert!(error.message.contains(told), "{}", error.message);
            assert_eq!(error.details["known"], json!(["SESSIONS", "TENANTS"]));
        }
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
    fn what_only_the_command_can_play_is_refused() {
        let with = |ws: &str| {
            let steps = format!(
                r#"[{{"name": "s", "ws": {{"url": "/ws", "steps": [{{"think": "1s"}}]{ws}}}}}]"#
            );
            let mut asked = inline("/");
            for application in &mut asked.applications {
                application.steps = serde_json::from_str(&steps).expect("steps");
            }
            asked
        };
        assert!(prepare(&config(), with(""), Vec::new()).is_ok());
        let error = refused(with(r#", "ping": "30s""#));
        assert_eq!(error.status, 422);
        let problem = &error.details["problems"][0];
        assert_eq!(problem["path"], "applications[a]");
        let message = problem["message"].as_str().unwrap_or_default();
        assert!(message.contains("Workers cannot send pings"), "{message}");
    }

    #[test]
    fn a_threshold_on_what_the_worker_cannot_measure_is_refused() {
        let with = |thresholds: Value| {
            let mut asked = inline("/");
            if let ScenarioChoice::Inline(scenario) = &mut asked.scenario {
                scenario.thresholds = serde_json::from_value(thresholds).expect("thresholds");
            }
            asked
        };
        let error = refused(with(json!({
            "http_req_connecting": ["max<100"],
            "http_req_waiting{name:s}": ["p(95)<100"],
            "http_req_duration": ["p(95)<100"],
        })));
        assert_eq!(error.status, 422);
        let problems = error.details["problems"].as_array().expect("a list");
        let paths: Vec<_> = problems.iter().map(|problem| &problem["path"]).collect();
        assert_eq!(
            paths,
            [
                r#"scenario.thresholds["http_req_connecting"]"#,
                r#"scenario.thresholds["http_req_waiting{name:s}"]"#,
            ]
        );
        let measured = with(json!({"http_req_duration": ["p(95)<100"]}));
        assert!(prepare(&config(), measured, Vec::new()).is_ok());
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
    fn a_plan_that_certainly_exceeds_a_limit_is_refused_with_the_numbers() {
        let asked = || {
            let scenario = parse_scenario(
                br#"{"name": "mine", "applications": [{"name": "a", "weight": 1}], "load":
                  {"executor": "ramping-arrival-rate", "startRate": 0, "timeUnit": "1s",
                   "preAllocatedVUs": 10, "stages": [{"target": 20, "duration": "10s"}]}}"#,
            );
            Asked {
                scenario: ScenarioChoice::Inline(Box::new(scenario.expect("a scenario"))),
                ..inline("/")
            }
        };
        let with = |limits| Config { limits, ..config() };
        let free = Limits::default();
        let bound = |n| Some(n);
        for (limits, numbers) in [
            (
                Limits {
                    requests_max: bound(99),
                    ..free
                },
                ["100 iterations", "MAX_REQUESTS"],
            ),
            (
                Limits {
                    daily_requests: bound(99),
                    ..free
                },
                ["100 iterations", "DAILY_REQUESTS"],
            ),
            (
                Limits {
                    rate_max: bound(19),
                    ..free
                },
                ["20 iterations per second", "MAX_RATE"],
            ),
        ] {
            let error = prepare(&with(limits), asked(), Vec::new()).expect_err("refused");
            assert_eq!(error.status, 422);
            for number in numbers {
                assert!(error.message.contains(number), "{}", error.message);
            }
        }
        let enough = Limits {
            rate_max: bound(20),
            requests_max: bound(100),
            daily_requests: bound(100),
        };
        assert!(prepare(&with(enough), asked(), Vec::new()).is_ok());
    }

    #[test]
    fn a_profile_is_laid_over_the_scenario() {
        let with = |profile: &str, users| Asked {
            profile: Some(profile.to_owned()),
            users,
            duration: None,
            ..inline("/")
        };
        let prepared = prepare(&config(), with("smoke", None), Vec::new()).expect("a good run");
        assert_eq!(prepared.plan.users_max(), 1);
        let stored: Value = serde_json::from_str(&config_json(&prepared, None)).expect("JSON");
        assert_eq!(stored["profile"], "smoke");
        let prepared = prepare(&config(), with("spike", Some(7)), Vec::new()).expect("a good run");
        assert_eq!(prepared.plan.users_max(), 7);
        let error = refused(with("storm", None));
        let problem = &error.details["problems"][0];
        assert_eq!(problem["path"], "profile");
        let message = problem["message"].as_str().expect("a text");
        assert!(
            message.contains("smoke, load, stress, spike, soak"),
            "{message}"
        );
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
