//! Scenarios of the tests' own.

use serde_json::{Value, json};

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
