//! Secrets in scenarios, applications and other JSON.

use serde_json::Value;

use super::text::{REDACTED, is_secret_name, redact_form, redact_text, redact_value, until_stable};
use crate::extractor::Extractor;
use crate::json::to_string;
use crate::scenario::{
    ApplicationProfile, CheckConfig, DataValue, DoOperations, ExtractMap, ExtractRule, FlowStep,
    LoadConfig, LoadScenario, ReceiveConfig, RequestBody, RequestConfig, RequestStep, ScenarioMap,
    SendConfig, SocketConfig, TextMap,
};

/// Removes secrets from a scenario's texts.
pub fn redact_scenario(scenario: &mut LoadScenario) {
    scenario.description = redact_text(&scenario.description);
    for text in scenario
        .tags
        .iter_mut()
        .chain(&mut scenario.tenants)
        .flatten()
    {
        *text = redact_text(text);
    }
    redact_loads(scenario.load.as_mut(), scenario.scenarios.as_mut());
    let profiles = scenario.profiles.iter_mut();
    for (_, profile) in profiles.flat_map(|profiles| &mut profiles.0) {
        redact_loads(profile.load.as_mut(), profile.scenarios.as_mut());
    }
    let once = [&mut scenario.setup, &mut scenario.teardown];
    for steps in once.into_iter().flatten() {
        redact_steps(steps);
    }
    if let Some(monitoring) = &mut scenario.monitoring {
        monitoring.url = redact_text(&monitoring.url);
        monitoring.headers.iter_mut().for_each(redact_map);
    }
    let tables = scenario.data.iter_mut().flat_map(|data| &mut data.0);
    for (column, value) in tables
        .flat_map(|(_, table)| &mut table.rows)
        .flat_map(|row| &mut row.0)
    {
        if let DataValue::Text(text) = value {
            *text = if is_secret_name(column) {
                redact_value(column, text)
            } else {
                redact_text(text)
            };
        } else if is_secret_name(column) && matches!(value, DataValue::Number(_)) {
            *value = DataValue::Text(REDACTED.to_owned());
        }
    }
}

/// Removes secrets from the requests of an application.
pub fn redact_application(application: &mut ApplicationProfile) {
    redact_steps(&mut application.steps);
    for action in application.actions.iter_mut().flatten() {
        redact_steps(&mut action.steps);
    }
    for interaction in &mut application.do_interactions {
        interaction.id = redact_text(&interaction.id);
        if let Some(DoOperations { read, write }) = &mut interaction.operations {
            [read, write].into_iter().flatten().for_each(redact_request);
        }
    }
}

/// Removes secrets from any JSON, such as a stored configuration.
pub fn redact_json(value: &mut Value) {
    match value {
        Value::Object(object) => redact_object(object),
        Value::Array(items) => items.iter_mut().for_each(redact_json),
        Value::String(text) => *text = redact_text(text),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn redact_loads(load: Option<&mut LoadConfig>, scenarios: Option<&mut ScenarioMap>) {
    let named = scenarios.into_iter().flat_map(|scenarios| &mut scenarios.0);
    let loads = load.into_iter().chain(named.map(|(_, load)| load));
    for text in loads.flat_map(|load| [load.env.as_mut(), load.tags.as_mut()]) {
        text.into_iter().for_each(redact_map);
    }
}

fn redact_steps(steps: &mut [FlowStep]) {
    for step in steps {
        step.inner_mut().into_iter().for_each(redact_steps);
        match step {
            FlowStep::Request(step) => redact_step(step),
            FlowStep::Socket(step) => redact_session(&mut step.ws),
            FlowStep::Send(step) => redact_message(&mut step.send),
            FlowStep::Receive(step) => {
                let ReceiveConfig {
                    only,
                    checks,
                    extract,
                    ..
                } = &mut step.receive;
                let values = only.iter_mut().flat_map(|only| &mut only.0);
                values.for_each(|(_, value)| redact_json(value));
                redact_checks(checks.as_deref_mut());
                extract.iter_mut().for_each(redact_defaults);
            }
            FlowStep::Think(_) | FlowStep::Loop(_) | FlowStep::Choose(_) => {}
        }
    }
}

fn redact_session(session: &mut SocketConfig) {
    session.url = redact_text(&session.url);
    for map in [&mut session.headers, &mut session.params]
        .into_iter()
        .flatten()
    {
        redact_map(map);
    }
    redact_checks(session.checks.as_deref_mut());
}

fn redact_message(message: &mut SendConfig) {
    if let Some(text) = &mut message.text {
        *text = redact_body(text);
    }
    if let Some(json) = &mut message.json {
        redact_object(json);
    }
    if let Some(params) = message.rpc.as_mut().and_then(|rpc| rpc.params.as_mut()) {
        redact_json(params);
    }
    redact_checks(message.checks.as_deref_mut());
    message.extract.iter_mut().for_each(redact_defaults);
}

fn redact_request(request: &mut RequestConfig) {
    request.url = redact_text(&request.url);
    for map in [&mut request.headers, &mut request.params]
        .into_iter()
        .flatten()
    {
        redact_map(map);
    }
    match &mut request.body {
        Some(RequestBody::Text(text)) => *text = redact_body(text),
        Some(RequestBody::Object(object)) => redact_object(object),
        None => {}
    }
}

fn redact_step(step: &mut RequestStep) {
    redact_request(&mut step.request);
    redact_checks(step.expect.checks.as_deref_mut());
    step.extract.iter_mut().for_each(redact_defaults);
    if let Some(stream) = &mut step.stream {
        redact_checks(stream.checks.as_deref_mut());
        stream.extract.iter_mut().for_each(redact_defaults);
    }
}

fn redact_checks(checks: Option<&mut [CheckConfig]>) {
    for check in checks.into_iter().flatten() {
        for value in [&mut check.equals, &mut check.not_equals]
            .into_iter()
            .flatten()
        {
            redact_json(value);
        }
        if let Some(text) = &mut check.contains {
            *text = redact_text(text);
        }
    }
}

/// The place where a secret is found stays, what stands for it does not.
fn redact_defaults(extract: &mut ExtractMap) {
    for (name, rule) in &mut extract.0 {
        if let ExtractRule::Full(config) = rule
            && let Some(default) = &mut config.default
        {
            *default = if is_secret_name(name) {
                redact_value(name, default)
            } else {
                redact_text(default)
            };
        }
    }
}

fn redact_map(map: &mut TextMap) {
    for (name, value) in &mut map.0 {
        *value = if is_secret_name(name) {
            redact_value(name, value)
        } else {
            redact_text(value)
        };
    }
}

fn redact_object(object: &mut serde_json::Map<String, Value>) {
    // As in archives of requests: {"name": "Authorization", "value": "…"}.
    let names_a_secret = ["name", "key"].iter().any(|member| {
        let name = object.get(*member).and_then(Value::as_str);
        name.is_some_and(is_secret_name)
    });
    for (key, value) in object {
        if is_secret_name(key) {
            redact_all(key, value);
        } else if names_a_secret && key == "value" {
            redact_all("", value);
        } else if key == "extract" {
            redact_extractions(value);
        } else if let (true, Value::String(text)) = (key == "body", &mut *value) {
            *text = redact_body(text);
        } else {
            redact_json(value);
        }
    }
}

/// Everything below a name that says secret.
fn redact_all(name: &str, value: &mut Value) {
    match value {
        Value::String(text) => *text = redact_value(name, text),
        Value::Number(_) => *value = Value::String(REDACTED.to_owned()),
        Value::Array(items) => items.iter_mut().for_each(|item| redact_all(name, item)),
        Value::Object(object) => object.values_mut().for_each(|item| redact_all(name, item)),
        Value::Null | Value::Bool(_) => {}
    }
}

/// `"token": "$.access_token"` says where a secret is found: it stays, whatever the variable is called.
fn redact_extractions(value: &mut Value) {
    let Value::Object(object) = value else {
        return redact_json(value);
    };
    for (name, value) in object {
        let is_place = |value: Option<&Value>| {
            let text = value.and_then(Value::as_str);
            text.is_some_and(|text| Extractor::parse(text).is_ok())
        };
        if is_place(value.get("from")) {
            if let Some(default) = value.get_mut("default") {
                if is_secret_name(name) {
                    redact_all(name, default);
                } else {
                    redact_json(default);
                }
            }
            continue;
        }
        let is_place = is_place(Some(value));
        if !is_place && is_secret_name(name) {
            redact_all(name, value);
        } else if !is_place {
            redact_json(value);
        }
    }
}

/// A body that is text: JSON, a form, or something else, of which nothing is kept if it may hold a secret.
fn redact_body(text: &str) -> String {
    until_stable(text, redact_body_once)
}

fn redact_body_once(text: &str) -> String {
    if let Ok(mut json @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str(text) {
        redact_json(&mut json);
        return to_string(&json).unwrap_or_default();
    }
    if let Some(form) = redact_form(text) {
        return form;
    }
    if is_secret_name(text) {
        return redact_value("", text);
    }
    redact_text(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{parse_application, parse_scenario};
    use proptest::prelude::*;
    use serde_json::json;

    fn redacted(mut value: Value) -> Value {
        redact_json(&mut value);
        value
    }

    #[test]
    fn secrets_in_applications_are_removed_and_the_rest_stays() {
        let json = br#"{ "name": "a", "steps": [{
          "name": "token",
          "request": {
            "method": "POST",
            "url": "https://u:SECRET@a.com/oauth/token?access_token=SECRET&page=2&%74oken=SECRET&t={{token}}#id_token=SECRET",
            "headers": {
              "AUTHORIZATION": "Bearer SECRET", "authorization2": "Basic {{token}}", "Cookie": "a=SECRET; session={{sessionId}}",
              "X-API-Key": "SECRET{{vu}}", "X_Api_Key": "SECRET", "Proxy-Authorization": "SECRET", "Accept": "text/html",
              "X-Auth-Token": "{{choice(SECRET,SECRET2)}}", "X-Forward": "Bearer SECRET"
            },
            "params": { "client_secret": "SECRET", "q": "a" },
            "body": { "user": "{{userId}}", "Password": "SECRET", "passwords": [1234567, "SECRET", {"x": "SECRET"}],
                      "nested": { "apiKey": "pre{{uuid}}SECRET", "ok": true }, "callback": "https://x/?token=SECRET" }
          },
          "extract": { "token": "$.access_token", "sessionId": "cookie:session" }
        }] }"#;
        let mut application = parse_application(json).unwrap();
        redact_application(&mut application);
        let text = serde_json::to_string(&application).unwrap();
        assert!(
            !text.contains("SECRET") && !text.contains("1234567"),
            "{text}"
        );
        for part in [
            "/oauth/token?access_token=[redacted]&page=2&%74oken=[redacted]&t={{token}}#id_token=[redacted]",
            r#""AUTHORIZATION":"Bearer [redacted]""#,
            r#""authorization2":"Basic {{token}}""#,
            r#""Cookie":"a=[redacted]; session={{sessionId}}""#,
            r#""X-API-Key":"[redacted]{{vu}}""#,
            r#""Accept":"text/html""#,
            r#""q":"a""#,
            r#""user":"{{userId}}""#,
            r#""apiKey":"[redacted]{{uuid}}[redacted]""#,
            r#""ok":true"#,
            r#""token":"$.access_token""#,
        ] {
            assert!(text.contains(part), "{text}\n{part}");
        }
        let mut other = serde_json::from_slice(json).unwrap();
        redact_json(&mut other);
        assert!(
            !other.to_string().contains("SECRET"),
            "the same as plain JSON: {other}"
        );
        assert_eq!(other["steps"][0]["extract"]["token"], "$.access_token");
    }

    #[test]
    fn secrets_are_found_wherever_requests_and_data_stand() {
        let request = r#"{"name": "r", "request": {"method": "GET", "url": "/?token=SECRET"},
            "extract": {"token": {"from": "$.a", "default": "SECRET"}},
            "expect": {"checks": [{"name": "c", "on": "body", "contains": "Bearer SECRETSECRET"}]}}"#;
        let application = format!(
            r#"{{"name": "a", "steps": [{{"loop": {{"times": 2, "steps": [{{"choose": [{{"weight": 1, "steps": [{request}]}}]}}]}}}}],
                "actions": [{{"name": "x", "weight": 1, "steps": [{request}]}}]}}"#
        );
        let mut application = parse_application(application.as_bytes()).unwrap();
        let mut plain = serde_json::to_value(&application).unwrap();
        redact_application(&mut application);
        redact_json(&mut plain);
        let scenario = format!(
            r#"{{"name": "s", "applications": [], "setup": [{request}], "teardown": [{request}],
                "data": {{"users": {{"rows": [{{"name": "oak", "password": "SECRET", "apiKey": 1234567}}]}}}},
                "load": {{"vus": 1, "env": {{"API_KEY": "SECRET", "REGION": "west"}}}},
                "scenarios": {{"a": {{"vus": 1, "env": {{"clientSecret": "SECRET"}}}}}},
                "profiles": {{"b": {{"load": {{"vus": 1, "env": {{"DB_PASSWORD": "SECRET"}}}}}},
                    "c": {{"scenarios": {{"d": {{"vus": 1, "env": {{"TOKEN": "SECRET"}}}}}}}}}}}}"#
        );
        let mut scenario = parse_scenario(scenario.as_bytes()).unwrap();
        redact_scenario(&mut scenario);
        let text = format!("{}{}", json!(application), json!(scenario));
        for text in [text, plain.to_string()] {
            assert!(
                !text.contains("SECRET") && !text.contains("1234567"),
                "{text}"
            );
            assert!(text.contains(r#""from":"$.a""#), "{text}");
        }
        let text = json!(scenario).to_string();
        assert!(
            text.contains("\"oak\"") && text.contains("\"west\""),
            "{text}"
        );
    }

    #[test]
    fn bodies_that_are_text_are_understood_or_removed() {
        for (body, expected) in [
            (
                r#"{"password":"SECRET","a":"b"}"#,
                r#"{"a":"b","password":"[redacted]"}"#,
            ),
            (
                "user={{userId}}&password=SECRET&a=b",
                "user={{userId}}&password=[redacted]&a=b",
            ),
            (
                "password={{choice(SECRET&a,SECRET)}}",
                "password=[redacted]",
            ),
            ("<password>SECRET</password>{{vu}}", "[redacted]{{vu}}"),
            (
                r#"{"n": {{vu}}, "secret": "SECRET"}"#,
                "[redacted] {{vu}}[redacted]",
            ),
            ("plain text", "plain text"),
            ("{{mediaBytes}}", "{{mediaBytes}}"),
        ] {
            assert_eq!(redact_body(body), expected);
            assert_eq!(redact_body(expected), expected, "again");
            assert_eq!(redacted(json!({ "body": body }))["body"], expected);
        }
    }

    #[test]
    fn secrets_are_found_in_every_shape_of_json() {
        assert_eq!(
            redacted(json!([
                { "name": "Authorization", "value": "Bearer SECRET" },
                { "set-cookie": ["a=SECRET; Path=/"] },
                { "extract": { "token": "SECRET" } },
                { "tokens": { "deep": [[{ "x": "SECRET" }]], "none": null } },
                "see https://a.com/?api_key=SECRET.",
            ])),
            json!([
                { "name": "Authorization", "value": "[redacted]" },
                { "set-cookie": ["a=[redacted]; Path=[redacted]"] },
                { "extract": { "token": "[redacted]" } },
                { "tokens": { "deep": [[{ "x": "[redacted]" }]], "none": null } },
                "see https://a.com/?api_key=[redacted]",
            ])
        );
    }

    proptest! {
        #[test]
        fn doing_it_twice_changes_nothing_more(text in "([{}()a=&;? ]|\\{\\{|\\}\\}|token|Bearer |choice|://|eyJ){0,24}") {
            let once = redacted(json!({ "token": text, "cookie": text, "body": text, "a": text, "authorization": text }));
            prop_assert_eq!(redacted(once.clone()), once);
        }

        #[test]
        fn nothing_literal_remains_of_a_secret(before in "[a-z{}(=;, ]{0,12}", after in any::<String>()) {
            for name in ["password", "Authorization", "cookie", "x-access-token"] {
                let value = format!("{before}SECRET{after}");
                // The name of a cookie is no secret, nor is that of a variable.
                if name == "cookie" && after.contains('=') || value.contains("{{") {
                    continue;
                }
                let text = redacted(json!({ name: value })).to_string();
                prop_assert!(!text.contains("SECRET"), "{}", text);
            }
        }
    }
}
