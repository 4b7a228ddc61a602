//! From the interactions of an application to requests for Durable Objects.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::destination::{Destination, ObjectCall};
use super::parse::shown;
use super::problem::{Checked, Report};
use super::program::{Numbers, place};
use super::request::{self, Request, Scope};
use super::types::{Op, Step};
use crate::cookie::Site;
use crate::keys::Keys;
use crate::response::ExpectedStatus;
use crate::scenario::{
    DoInteraction, DoOperation, DoPattern, KeyConfig, KeyDistribution, LatencyLimits, Method,
    RequestBody, RequestConfig,
};
use crate::template::{Escape, Template};

/// Adds one operation of each interaction: a read or a write, by chance.
pub(super) fn add(
    interactions: &[DoInteraction],
    path: &str,
    scope: &Scope<'_>,
    numbers: &mut Numbers,
    (steps, ops): (&mut Vec<Step>, &mut Vec<Op>),
    report: &mut Report,
) -> Checked<()> {
    // Objects know no cookies, and no host has to be allowed.
    let scope = Scope {
        has_key: true,
        keeps_cookies: false,
        follows_redirects: false,
        target: None,
        ..*scope
    };
    let mut result = Ok(());
    for (at, interaction) in interactions.iter().enumerate() {
        let path = format!("{path}[{at}]");
        let class = interaction.durable_object;
        let before = interactions.iter().take(at);
        let number = before.filter(|other| other.durable_object == class).count();
        let reads = interaction.pattern.reads();
        let arms = [
            (DoOperation::Read, reads),
            (DoOperation::Write, 1.0 - reads),
        ];
        let mut played = Vec::new();
        for (operation, weight) in arms.into_iter().filter(|(_, weight)| *weight > 0.0) {
            let name = name(interaction, operation, number);
            match call(interaction, operation, name, &path, &scope, numbers, report) {
                Ok(step) => played.push((weight, step)),
                Err(reported) => result = Err(reported),
            }
        }
        add_one_of(played, steps, ops);
    }
    result
}

/// The name in the results; the second interaction with a class has a number.
fn name(interaction: &DoInteraction, operation: DoOperation, number: usize) -> String {
    let (class, operation) = (interaction.durable_object.name(), operation.name());
    match number {
        0 => format!("{class} {operation}"),
        earlier => format!("{class} {operation} {}", earlier + 1),
    }
}

/// Exactly one of the steps is played.
fn add_one_of(played: Vec<(f64, Step)>, steps: &mut Vec<Step>, ops: &mut Vec<Op>) {
    let first = ops.len() + 1;
    let end = place(first + 2 * played.len());
    let starts = (0..).step_by(2).map(|offset| place(first + offset));
    let arms = played
        .iter()
        .zip(starts)
        .map(|((weight, _), at)| (*weight, at));
    ops.push(Op::Choose(arms.collect()));
    for (_, step) in played {
        ops.extend([Op::Request(place(steps.len())), Op::Jump(end)]);
        steps.push(step);
    }
}

fn call(
    interaction: &DoInteraction,
    operation: DoOperation,
    name: String,
    path: &str,
    scope: &Scope<'_>,
    numbers: &mut Numbers,
    report: &mut Report,
) -> Checked<Step> {
    let given = interaction.operations.as_ref();
    let given = given.and_then(|operations| match operation {
        DoOperation::Read => operations.read.as_ref(),
        DoOperation::Write => operations.write.as_ref(),
    });
    let usual = || Cow::Owned(usual(interaction.pattern, operation));
    let config = given.map_or_else(usual, Cow::Borrowed);
    let id_path = format!("{path}.id");
    let id = object_name(&interaction.id, &id_path, scope, report);
    let request_path = format!("{path}.operations.{}", operation.name());
    let request = request::parse(&config, &request_path, scope, report);
    if !config.url.starts_with('/') {
        let message = format_args!(
            "{} is not a path of an object: accepted are paths such as \"/entries\"",
            shown(&config.url)
        );
        return Err(report.problem(format!("{request_path}.url"), message));
    }
    let (id, Request { url, headers, body }) = (id?, request?);
    let mut step = Step {
        id: numbers.step(),
        name,
        destination: Destination::Host, // until its templates are known
        method: config.method,
        site: Site::of(""),
        url,
        headers,
        body,
        expected: ExpectedStatus::Ok,
        wanted_headers: vec![Cow::Borrowed("server-timing")],
        checks: Vec::new(),
        extractions: Vec::new(),
        stream: None,
        socket: None,
        repeat: None,
        thinks_after: false,
        parallel: false,
        background: false,
        probability: 1.0,
        unless_set: None,
        only_variants: Vec::new(),
        latency_limits: LatencyLimits::default(),
    };
    let uses_key = step.templates().chain([&id]).any(needs_key);
    step.destination = Destination::Object(Box::new(ObjectCall {
        class: interaction.durable_object,
        operation,
        keys: keys(interaction.keys.as_ref(), uses_key, path, report)?,
        name: id,
    }));
    Ok(step)
}

/// A variable stands for the key: there is no flow that could give it a value.
fn needs_key(template: &Template) -> bool {
    template.uses_key() || template.uses_variable()
}

fn object_name(
    text: &str,
    path: &str,
    scope: &Scope<'_>,
    report: &mut Report,
) -> Checked<Template> {
    if text.is_empty() {
        return Err(report.problem(path, "is empty: objects are addressed by their names"));
    }
    let template = Template::parse(text, Escape::Plain, scope.names);
    let template = report.check(path, template)?;
    scope.check_template(&template, path, report)?;
    Ok(template)
}

/// What is sent when the file does not say it.
fn usual(pattern: DoPattern, operation: DoOperation) -> RequestConfig {
    let (method, url, body) = match operation {
        DoOperation::Read => (Method::Get, "/", None),
        DoOperation::Write => {
            let entry = json!({ "by": "{{userId}}", "text": "{{postTitle}}" });
            let entries = Value::Array(vec![entry; pattern.entries()]);
            let mut object = Map::new();
            object.insert("entries".to_owned(), entries);
            (Method::Post, "/entries", Some(RequestBody::Object(object)))
        }
    };
    RequestConfig {
        method,
        url: url.to_owned(),
        headers: None,
        params: None,
        body,
    }
}

fn keys(
    config: Option<&KeyConfig>,
    are_used: bool,
    path: &str,
    report: &mut Report,
) -> Checked<Option<Keys>> {
    let path = format!("{path}.keys");
    let Some(config) = config else {
        return Ok(are_used.then_some(Keys::uniform(KEYS)));
    };
    if !are_used {
        let message = "are never used: the id has no place for one, such as \"{{key}}\"";
        return Err(report.problem(path, message));
    }
    let count = u64::try_from(config.count).unwrap_or_default();
    if !(1..=Keys::COUNT_MAX).contains(&count) {
        let (given, max) = (config.count, Keys::COUNT_MAX);
        let message = format_args!("{given} keys are not possible: accepted are 1 to {max}");
        return Err(report.problem(format!("{path}.count"), message));
    }
    let (distribution, exponent, fraction) =
        (config.distribution, config.exponent, config.hot_fraction);
    for (field, wanted, is_given) in [
        ("exponent", KeyDistribution::Zipf, exponent.is_some()),
        ("hotFraction", KeyDistribution::Hot, fraction.is_some()),
    ] {
        if is_given && distribution != wanted {
            let message = "belongs to another distribution than this one";
            return Err(report.problem(format!("{path}.{field}"), message));
        }
    }
    let (field, max, keys) = match distribution {
        KeyDistribution::Uniform => return Ok(Some(Keys::uniform(count))),
        KeyDistribution::Zipf => {
            let exponent = exponent.unwrap_or(EXPONENT);
            ("exponent", Keys::EXPONENT_MAX, Keys::zipf(count, exponent))
        }
        KeyDistribution::Hot => {
            let fraction = fraction.unwrap_or(HOT_FRACTION);
            (
                "hotFraction",
                1.0,
                Keys::hot(count, fraction).filter(|_| fraction > 0.0),
            )
        }
    };
    let refused = || {
        let message = format_args!("is out of range: accepted are numbers above 0 up to {max}");
        report.problem(format!("{path}.{field}"), message)
    };
    keys.map(Some).ok_or_else(refused)
}

/// How many keys there are when the file does not say it.
const KEYS: u64 = 1_000;

const EXPONENT: f64 = 1.0;

const HOT_FRACTION: f64 = 0.5;

#[cfg(test)]
mod tests {
    use crate::plan::parse::tests::{problems, request_step, source};
    use crate::plan::{Plan, PlanSource, Via};

    fn with(via: Via, interactions: &str) -> PlanSource {
        let mut source = source();
        source.options.via = via;
        for application in &mut source.applications {
            application.do_interactions = serde_json::from_str(interactions).expect(interactions);
        }
        source
    }

    #[test]
    fn interactions_become_steps_of_a_run_on_objects_only() {
        let interactions = r#"[
          { "do": "TenantDO", "pattern": "read-heavy", "id": "tenant:{{tenant}}" },
          { "do": "TenantDO", "pattern": "write-append", "id": "other:{{postId}}" }
        ]"#;
        let names = |via| {
            let plan = Plan::parse(&with(via, interactions)).expect("a plan");
            let steps = plan.applications()[0].steps.iter();
            steps.map(|step| step.name.clone()).collect::<Vec<_>>()
        };
        assert_eq!(names(Via::Host), ["list", "post"]);
        assert_eq!(names(Via::Binding), ["list", "post"]);
        let on_objects = ["TenantDO read", "TenantDO write", "TenantDO write 2"];
        assert_eq!(names(Via::Object), on_objects);
    }

    #[test]
    fn an_application_without_interactions_cannot_be_run_on_objects() {
        let text = problems(&with(Via::Object, "[]"));
        assert!(
            text.contains("applications[read].doInteractions: is empty"),
            "{text}"
        );
        let mut source = with(
            Via::Object,
            r#"[{ "do": "TenantDO", "pattern": "read-heavy", "id": "t" }]"#,
        );
        source.applications[0].steps.clear();
        assert!(Plan::parse(&source).is_ok(), "its steps are not played");
    }

    #[test]
    fn mistakes_are_found_whatever_is_played() {
        for (fields, part) in [
            (r#""id": """#, "id: is empty"),
            (r#""id": "{{nobody}}""#, "id: unknown variable \"nobody\""),
            (
                r#""id": "a", "keys": { "count": 5 }"#,
                "keys: are never used",
            ),
            (
                r#""id": "{{key}}", "keys": { "count": 0 }"#,
                "keys.count: 0 keys are not possible: accepted are 1 to 1000000000",
            ),
            (
                r#""id": "{{key}}", "keys": { "count": 5, "exponent": 1 }"#,
                "keys.exponent: belongs to another distribution",
            ),
            (
                r#""id": "{{key}}", "keys": { "count": 5, "distribution": "zipf", "hotFraction": 1 }"#,
                "keys.hotFraction: belongs to another distribution",
            ),
            (
                r#""id": "{{key}}", "keys": { "count": 5, "distribution": "zipf", "exponent": 11 }"#,
                "keys.exponent: is out of range: accepted are numbers above 0 up to 10",
            ),
            (
                r#""id": "{{key}}", "keys": { "count": 5, "distribution": "hot", "hotFraction": 0 }"#,
                "keys.hotFraction: is out of range: accepted are numbers above 0 up to 1",
            ),
            (
                r#""id": "a", "operations": { "read": { "method": "GET", "url": "https://a.com/" } }"#,
                "operations.read.url: \"https://a.com/\" is not a path of an object",
            ),
            (
                r#""id": "a", "operations": { "read": { "method": "GET", "url": "/", "body": "x" } }"#,
                "operations.read.body: GET requests have no body",
            ),
        ] {
            for via in [Via::Host, Via::Binding, Via::Object] {
                let pattern = r#""do": "PostDO", "pattern": "read-heavy""#;
                let text = problems(&with(via, &format!("[{{ {pattern}, {fields} }}]")));
                let path = "applications[auth].doInteractions[0].";
                assert!(text.contains(&format!("{path}{part}")), "{text}\n{part}");
            }
        }
    }

    #[test]
    fn keys_belong_to_objects() {
        let mut source = source();
        request_step(&mut source, 1, 0).request.url = "/{{key}}".to_owned();
        assert!(problems(&source).contains("request.url: {{key}} is used, but only names"));
    }
}
