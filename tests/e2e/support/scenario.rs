//! Scenarios of the tests' own.

use sentinel_engine::plan::PlanSource;
use serde_json::{Map, Value, json};

/// A `userProfile` that reaches `users` and lasts `seconds` for ramp up, peak, steady state and ramp down.
pub(crate) fn profile(users: u32, seconds: [u32; 4]) -> Value {
    let [ramp_up, peak, steady_state, ramp_down] = seconds.map(|seconds| format!("{seconds}s"));
    json!({
        "rampUp": {"from": 0, "to": users, "duration": ramp_up},
        "peak": {"users": users, "duration": peak},
        "steadyState": {"users": users, "duration": steady_state},
        "rampDown": {"to": 0, "duration": ramp_down},
    })
}

/// The body of `POST /runs` for an inline scenario with one application of these steps, on staging.
pub(crate) fn inline(profile: &Value, steps: &Value) -> Value {
    json!({
        "scenario": {
            "name": "e2e-inline",
            "description": "made by a test",
            "applications": [{"name": "e2e-app", "weight": 1}],
            "userProfile": profile,
            "assertions": [{"metric": "error_rate", "operator": "<", "value": 0.01}],
            "pause": "200ms",
            "gracefulStop": "5s",
        },
        "applications": [{"name": "e2e-app", "steps": steps, "doInteractions": []}],
        "environment": "staging",
    })
}

/// The body of `POST /runs` for applications that each get one URL: two users of each ask for it three times.
/// `apps` are names and URLs; answers may take two seconds.
pub(crate) fn six_of_each(apps: &[(&str, String)]) -> Value {
    let apps: Vec<(&str, Value)> = apps
        .iter()
        .map(|(name, url)| {
            let request = json!({"method": "GET", "url": url});
            let step = json!({"name": "get", "request": request, "expect": {"status": 200}});
            (*name, step)
        })
        .collect();
    steps_of_each(&apps, (2, 3), "2s")
}

/// The body of `POST /runs` for applications that each have one step, which so many users of each play so often.
/// Answers may take as long as `timeout` says.
pub(crate) fn steps_of_each(
    apps: &[(&str, Value)],
    (users, iterations): (u32, u32),
    timeout: &str,
) -> Value {
    let weight = 1.0 / apps.len() as f64;
    let scenarios: Map<String, Value> = apps
        .iter()
        .map(|(name, _)| {
            let load = json!({
                "executor": "per-vu-iterations", "exec": name, "vus": users, "iterations": iterations,
                "maxDuration": "40s", "gracefulStop": "5s",
            });
            ((*name).to_owned(), load)
        })
        .collect();
    json!({
        "scenario": {
            "name": "e2e-steps-of-each",
            "description": "made by a test",
            "applications": apps.iter().map(|(name, _)| json!({"name": name, "weight": weight})).collect::<Vec<_>>(),
            "scenarios": scenarios,
            "assertions": [{"metric": "error_rate", "operator": "<", "value": 0.01}],
            "requestTimeout": timeout,
        },
        "applications": apps.iter().map(|(name, step)| {
            json!({"name": name, "steps": [step], "doInteractions": []})
        }).collect::<Vec<_>>(),
        "environment": "staging",
    })
}

/// The plan that a body of `POST /runs` asks for, as far as it is about the load on this host.
pub(crate) fn plan_source(body: &Value, host: &str) -> PlanSource {
    let source = json!({
        "scenario": body["scenario"],
        "applications": body["applications"],
        "options": {
            "baseUrl": format!("http://{host}"), "allowedHosts": [host], "ownHosts": [],
            "allowPrivate": true, "seed": 1, "users": null, "duration": null,
            "usersMax": 100, "durationMaxS": 600,
        },
    });
    serde_json::from_value(source).expect("a plan's source")
}
