//! From what the scenario file says to a plan that can be run.

use std::fmt::Display;

use serde::{Deserialize, Serialize};
use url::Url;

use super::destination::Via;
use super::flow::Flow;
use super::part::PlanPart;
use super::problem::{Checked, Problems, Report};
use super::profile::{Profile, Shape};
use super::scenarios::{Between, Rests, Schedule};
use super::{env, flow, metering, monitoring, profile, table};
use crate::duration;
use crate::metering::Metering;
use crate::plan::Plan;
use crate::redact::redact_text;
use crate::scenario::{ApplicationProfile, LoadScenario};
use crate::sorted::SortedSet;
use crate::target::{TargetPolicy, parse_url};
use crate::tick::Span;

/// Everything that a plan is made of: equal sources give equal plans on every machine.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanSource {
    /// The scenario.
    pub scenario: LoadScenario,
    /// The applications that the scenario names; others are left alone.
    pub applications: Vec<ApplicationProfile>,
    /// What the caller decides.
    pub options: PlanOptions,
}

/// What the caller of a run decides, beside the scenario.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanOptions {
    /// Where relative URLs lead. Its path, if any, comes before theirs.
    pub base_url: String,
    /// Hosts (`name` or `name:port`) that load may go to.
    pub allowed_hosts: Vec<String>,
    /// Hosts (`name` or `name:port`) of the load generator itself, where load may never go.
    #[serde(default)]
    pub own_hosts: Vec<String>,
    /// Whether private and link-local addresses are allowed: only in local development.
    pub allow_private: bool,
    /// What the requests reach the target through.
    #[serde(default)]
    pub via: Via,
    /// The seed of all random choices.
    pub seed: u64,
    /// Scales the scenario's users so that the highest number is this.
    #[serde(default)]
    pub users: Option<u32>,
    /// Scales the scenario's durations so that the whole takes this long (as in the scenario file: `30s`).
    #[serde(default)]
    pub duration: Option<String>,
    /// The name of a profile, laid over the scenario's load or played instead of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The highest number of users that is accepted.
    pub users_max: u32,
    /// The longest duration that is accepted, in seconds.
    pub duration_max_s: u64,
    /// Which part of the plan is played; limits are those of the whole.
    #[serde(default)]
    pub part: PlanPart,
}

impl Plan {
    /// Checks and resolves a source.
    ///
    /// # Errors
    /// All problems of the source at once.
    pub fn parse(source: &PlanSource) -> Result<Self, Problems> {
        let mut report = Report::default();
        let plan = match profile::parse(source, &mut report) {
            Ok(Some(Profile::Own(source))) => Self::checked(&source, None, &mut report),
            Ok(Some(Profile::Shape(shape))) => Self::checked(source, Some(&shape), &mut report),
            // Without the profile, everything else is checked nevertheless.
            Ok(None) | Err(_) => Self::checked(source, None, &mut report),
        };
        let warnings = report.finish()?;
        match plan {
            Ok(plan) => Ok(Self { warnings, ..plan }),
            Err(_) => Err(Problems(Vec::new())), // not reached: an error has been reported
        }
    }

    /// Every part is checked before the first error counts.
    fn checked(source: &PlanSource, shape: Option<&Shape>, report: &mut Report) -> Checked<Self> {
        let scenario = &source.scenario;
        let name = check_name(&scenario.name, "scenario.name", report);
        let tenants = tenants(scenario.tenants.as_deref(), report);
        let target = target(&source.options, report);
        let portion = source.options.part.portion(report);
        let pause = scenario.pause.as_deref();
        let pause = pause.map(|text| flow::delay(text, "scenario.pause", report));
        let pacing = scenario.pacing.as_deref();
        let pacing = pacing.map(|text| flow::delay(text, "scenario.pacing", report));
        let graceful_stop = span_of(scenario.graceful_stop.as_deref(), &GRACEFUL_STOP, report);
        let request_timeout = span_of(
            scenario.request_timeout.as_deref(),
            &REQUEST_TIMEOUT,
            report,
        );
        let max_redirects = max_redirects(scenario.max_redirects, report);
        let setup_timeout = span_of(scenario.setup_timeout.as_deref(), &SETUP_TIMEOUT, report);
        let teardown_timeout = span_of(
            scenario.teardown_timeout.as_deref(),
            &TEARDOWN_TIMEOUT,
            report,
        );
        let tables = table::parse(scenario, report);
        let env = env::names(scenario, report);
        let flow = flow::parse(source, tables, &env, target.as_ref().ok(), report);
        let rests = Rests {
            pause: pause.transpose(),
            pacing: pacing.transpose(),
        };
        let weighted = flow.as_ref().ok().map(Flow::weighted);
        let between = Between {
            graceful_stop,
            rests,
            shape,
        };
        let schedule = Schedule::parse(source, between, &env, weighted, report);
        let planned = schedule
            .as_ref()
            .map(|schedule| schedule.scenarios.as_slice());
        let asked = metering::parse(scenario, planned.unwrap_or_default(), report);
        let (schedule, flow, target, asked) = (schedule?, flow?, target?, asked?);
        let monitoring = monitoring::parse(source, &flow, &target, &asked.catalog, report);
        monitoring::warn(scenario, monitoring.as_ref(), schedule.duration, report);
        name?;
        table::check_unique(&flow.tables, &schedule.scenarios, report)?;
        env::check(&env, &flow, &schedule.scenarios, report)?;
        let mut plan = Self {
            name: scenario.name.clone(),
            seed: source.options.seed,
            portion: portion?,
            base_url: target.base_url,
            via: source.options.via,
            tenants: tenants?,
            variables: flow.variables,
            applications: flow.applications,
            tables: flow.tables,
            cookies: scenario.cookies.unwrap_or_default(),
            weighted: flow.weighted,
            setup: flow.setup,
            teardown: flow.teardown,
            setup_timeout: setup_timeout?,
            teardown_timeout: teardown_timeout?,
            handed_over: flow.handed_over,
            scenarios: schedule.scenarios,
            phases: schedule.phases,
            duration: schedule.duration,
            graceful_stop: schedule.graceful_stop,
            request_timeout: request_timeout?,
            max_redirects: max_redirects?,
            policy: target.policy,
            body_limit_bytes: BODY_LIMIT_BYTES,
            assertions: scenario.assertions.clone(),
            metering: Metering::default(),
            monitoring: monitoring?,
            warnings: Vec::new(),
        };
        plan.metering = metering::resolve(asked, scenario, &plan, report)?;
        Ok(plan)
    }
}

/// Where requests go: the base URL, and what else is allowed.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) base_url: Url,
    pub(super) policy: TargetPolicy,
}

/// A name as it appears in results and tables.
pub(super) fn check_name(name: &str, path: impl Into<String>, report: &mut Report) -> Checked<()> {
    if name.trim().is_empty()
        || name.chars().count() > NAME_CHARS_MAX
        || name.contains(char::is_control)
    {
        return Err(report.problem(
            path,
            format_args!(
                "{} is not a name: accepted are 1 to {NAME_CHARS_MAX} characters without control characters",
                shown(name)
            ),
        ));
    }
    Ok(())
}

/// A text from outside as an error repeats it.
pub(super) fn shown(text: &str) -> impl Display {
    format!("{:?}", text.chars().take(80).collect::<String>())
}

fn target(options: &PlanOptions, report: &mut Report) -> Checked<Target> {
    let policy = TargetPolicy::new(
        &options.allowed_hosts,
        &options.own_hosts,
        options.allow_private,
    );
    let policy = policy.map_err(|errors| {
        let message = errors.iter().map(ToString::to_string).collect::<Vec<_>>();
        report.problem("options.allowedHosts", message.join("; "))
    });
    let path = "options.baseUrl";
    let base_url = parse_url(&options.base_url).map_err(|error| {
        let written = redact_text(&options.base_url);
        report.problem(
            path,
            format_args!("{} is not a URL: {error}", shown(&written)),
        )
    })?;
    if base_url.query().is_some() || base_url.fragment().is_some() {
        return Err(report.problem(path, "a base URL has neither query nor fragment"));
    }
    let policy = policy?;
    report.check(path, policy.check(&base_url))?;
    Ok(Target { base_url, policy })
}

/// How many redirects are followed: none, unless the scenario says so.
fn max_redirects(written: Option<u32>, report: &mut Report) -> Checked<u16> {
    let count = u16::try_from(written.unwrap_or(0)).ok();
    count
        .filter(|count| *count <= REDIRECTS_MAX)
        .ok_or_else(|| {
            let written = written.unwrap_or_default();
            report.problem(
                "scenario.maxRedirects",
                format_args!("{written} is out of range: accepted are 0 to {REDIRECTS_MAX}"),
            )
        })
}

fn tenants(tenants: Option<&[String]>, report: &mut Report) -> Checked<Vec<String>> {
    let path = "scenario.tenants";
    let Some(tenants) = tenants else {
        return Ok(vec![TENANT_DEFAULT.to_owned()]);
    };
    if tenants.is_empty() || tenants.len() > TENANTS_MAX {
        return Err(report.problem(
            path,
            format_args!(
                "has {} entries: accepted are 1 to {TENANTS_MAX}",
                tenants.len()
            ),
        ));
    }
    let mut seen = SortedSet::new();
    let mut result = Ok(());
    for (at, tenant) in tenants.iter().enumerate() {
        let path = format!("{path}[{at}]");
        result = result.and(check_name(tenant, &path, report));
        if !seen.insert(tenant) {
            let duplicate = format_args!("{} is listed twice", shown(tenant)).to_string();
            result = Err(report.problem(path, duplicate));
        }
    }
    result.map(|()| tenants.to_vec())
}

/// A duration of the scenario with its default and limits.
pub(super) struct SpanField<'a> {
    pub(super) path: &'a str,
    pub(super) default: Span,
    pub(super) min: Span,
    pub(super) max: Span,
}

pub(super) fn span_of(
    text: Option<&str>,
    field: &SpanField<'_>,
    report: &mut Report,
) -> Checked<Span> {
    let Some(text) = text else {
        return Ok(field.default);
    };
    let span = report.check(field.path, duration::parse(text))?;
    if span < field.min || span > field.max {
        let [min, max] = [field.min, field.max].map(duration::Written);
        return Err(report.problem(
            field.path,
            format_args!(
                "{} is out of range: accepted are {min} to {max}",
                shown(text)
            ),
        ));
    }
    Ok(span)
}

const GRACEFUL_STOP: SpanField<'static> = SpanField {
    path: "scenario.gracefulStop",
    default: Span::from_secs(30),
    min: Span::ZERO,
    max: Span::from_secs(600),
};

const REQUEST_TIMEOUT: SpanField<'static> = SpanField {
    path: "scenario.requestTimeout",
    default: Span::from_secs(30),
    min: Span::from_ms(1),
    max: Span::from_secs(600),
};

/// Whatever is redirected more often than this goes in circles.
const REDIRECTS_MAX: u16 = 100;

const SETUP_TIMEOUT: SpanField<'static> = SpanField {
    path: "scenario.setupTimeout",
    default: Span::from_secs(60), // as in k6
    min: Span::from_ms(1),
    max: Span::from_secs(600),
};

const TEARDOWN_TIMEOUT: SpanField<'static> = SpanField {
    path: "scenario.teardownTimeout",
    ..SETUP_TIMEOUT
};

/// The tenant of a scenario that names none; nothing refers to it.
const TENANT_DEFAULT: &str = "default";

const TENANTS_MAX: usize = 1_000;

const NAME_CHARS_MAX: usize = 100;

/// How much of an answer is read at most: twice the largest media that is generated, and little enough that a
/// few dozen answers at once fit into the 128 MB of an isolate.
const BODY_LIMIT_BYTES: u64 = 2 * 1024 * 1024;

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::plan::RunPart;
    use crate::scenario::{RequestStep, parse_application, parse_scenario};

    /// A source without problems.
    pub(in crate::plan) fn source() -> PlanSource {
        let scenario = r#"{
          "name": "mix", "applications": [{ "name": "read", "weight": 0.75 }, { "name": "auth", "weight": 0.25 }],
          "userProfile": {
            "rampUp": { "from": 0, "to": 10, "duration": "30s" },
            "peak": { "users": 20, "duration": "1m" },
            "steadyState": { "users": 5, "duration": "90" },
            "rampDown": { "to": 0, "duration": "10s" }
          },
          "tenants": ["oak", "ash"]
        }"#;
        let read = r#"{
          "name": "read", "variants": ["short", "long"],
          "steps": [
            { "name": "list", "request": { "method": "GET", "url": "/api/{{tenant}}/posts", "params": { "q": "a b" } },
              "extract": { "postId": "$.posts[0].id" } },
            { "name": "post", "request": { "method": "GET", "url": "/api/posts/{{postId}}?v={{variant}}",
              "headers": { "Authorization": "Bearer {{token}}" } }, "variants": ["long"], "probability": 0.5 }
          ]
        }"#;
        let auth = r#"{
          "name": "auth",
          "steps": [{ "name": "token", "unlessSet": "token", "expect": { "status": [200, 201] },
            "request": { "method": "POST", "url": "/oauth/token", "body": { "user": "{{userId}}", "n": 1 } },
            "extract": { "token": "$.access_token", "sessionId": "cookie:session" } }]
        }"#;
        let application = |json: &str| parse_application(json.as_bytes()).expect("application");
        PlanSource {
            scenario: parse_scenario(scenario.as_bytes()).expect("scenario"),
            applications: vec![application(auth), application(read)],
            options: PlanOptions {
                base_url: "https://grove.place".to_owned(),
                allowed_hosts: vec!["grove.place".to_owned()],
                own_hosts: vec!["vista.grove.place".to_owned()],
                allow_private: false,
                via: Via::Host,
                seed: 1,
                users: None,
                duration: None,
                profile: None,
                users_max: 1_000,
                duration_max_s: 3_600,
                part: PlanPart::default(),
            },
        }
    }

    /// A request of one of its applications.
    pub(in crate::plan) fn request_step(
        source: &mut PlanSource,
        application: usize,
        step: usize,
    ) -> &mut RequestStep {
        source.applications[application].steps[step]
            .as_request_mut()
            .expect("a request")
    }

    /// What is reported about a source that has problems.
    pub(in crate::plan) fn problems(source: &PlanSource) -> String {
        Plan::parse(source)
            .expect_err("must be refused")
            .to_string()
    }

    #[test]
    fn a_good_source_is_a_plan_without_warnings() {
        let plan = Plan::parse(&source()).unwrap();
        assert_eq!(plan.warnings(), []);
        assert_eq!(plan.name(), "mix");
        assert_eq!(plan.tenants(), ["oak", "ash"]);
        assert_eq!(plan.scenarios()[0].pause.to_string(), "1s");
        assert_eq!(plan.graceful_stop(), Span::from_secs(30));
        assert_eq!(plan.request_timeout, Span::from_secs(30));
        assert_eq!(plan.time_limit(RunPart::Setup), Span::from_secs(60));
        assert_eq!(plan.time_limit(RunPart::Teardown), Span::from_secs(60));
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let mut source = source();
        source.scenario.name = " ".to_owned();
        source.scenario.pause = Some("-1s".to_owned());
        source.scenario.graceful_stop = Some("1h".to_owned());
        source.scenario.request_timeout = Some("0s".to_owned());
        source.scenario.setup_timeout = Some("11m".to_owned());
        source.scenario.tenants = Some(vec!["a".to_owned(), "a".to_owned(), "\n".to_owned()]);
        source.options.base_url = "https://other.place/?a".to_owned();
        source.options.allowed_hosts.push("https://x".to_owned());
        source.scenario.applications[0].weight = -1.0;
        let text = problems(&source);
        for part in [
            "scenario.name: \" \" is not a name",
            "scenario.pause: \"-1s\" is negative",
            "scenario.gracefulStop: \"1h\" is out of range: accepted are 0s to 10m",
            "scenario.requestTimeout: \"0s\" is out of range",
            "scenario.setupTimeout: \"11m\" is out of range: accepted are 1ms to 10m",
            "scenario.tenants[1]: \"a\" is listed twice",
            "scenario.tenants[2]: \"\\n\" is not a name",
            "options.baseUrl: a base URL has neither query nor fragment",
            "options.allowedHosts: \"https://x\" is not a host",
            "scenario.applications[0].weight",
        ] {
            assert!(text.contains(part), "{text}\n{part}");
        }
    }

    #[test]
    fn the_base_url_must_pass_the_policy() {
        for (base, expected) in [
            (
                "https://other.place",
                "\"other.place\" is not among the allowed hosts",
            ),
            ("http://127.0.0.1:8787", "\"127.0.0.1\" is private"),
            ("https://vista.grove.place", "is the load generator itself"),
            ("https://u@grove.place", "user name and password"),
            ("ftp://grove.place", "scheme"),
            ("grove.place", "\"grove.place\" is not a URL"),
        ] {
            let mut source = source();
            source.options.base_url = base.to_owned();
            let text = problems(&source);
            assert!(
                text.contains("options.baseUrl: ") && text.contains(expected),
                "{base} {text}"
            );
        }
    }

    #[test]
    fn sources_travel_as_json() {
        let source = source();
        let json = serde_json::to_string(&source).unwrap();
        let back: PlanSource = serde_json::from_str(&json).unwrap();
        assert_eq!(back.scenario, source.scenario);
        assert_eq!(back.applications, source.applications);
    }
}
