//! Bytes from outside: whatever they are, they are refused or do no harm.

use proptest::prelude::*;
use sentinel_engine::batch::{Batch, Input, Output};
use sentinel_engine::plan::{Plan, PlanSource};
use sentinel_engine::window::Window;
use sentinel_engine::wire::{Assignment, Frame};
use serde_json::{Value, json};

const FRAME: &str = include_str!("run_machine/golden/frame.json");
const ASSIGNMENT: &str = include_str!("run_machine/golden/assignment.json");

/// Enough to end every batch of these sizes; one that went on for ever would be found.
const OUTPUTS_MAX: usize = 10_000;

/// A plan that has everything: data, repetitions, loops, choices, checks, cookies, setup and teardown.
fn source() -> Value {
    let steps = json!([
        {"name": "a", "request": {"method": "POST", "url": "/{{data.t.x}}", "body": {"k": "{{hmacSha256('k', token)}}"}},
         "expect": {"checks": [{"name": "c", "on": "$..a", "matches": "a+"}]}, "think": "1s",
         "extract": {"token": {"from": "regex:(a|b)+", "pick": "random", "default": "d"}},
         "repeatPattern": {"interval": "1s", "variance": "1s"}},
        {"loop": {"over": "t", "steps": [{"choose": [{"weight": 1, "steps": [{"think": "1s~1s"}]}]}]}},
    ]);
    json!({
        "scenario": {
            "name": "all", "applications": [{"name": "flow", "weight": 1}],
            "userProfile": {
                "rampUp": {"from": 0, "to": 5, "duration": "2s"}, "peak": {"users": 5, "duration": "3s"},
                "steadyState": {"users": 2, "duration": "1s"}, "rampDown": {"to": 0, "duration": "1s"},
            },
            "data": {"t": {"rows": [{"x": 1}, {"x": "é"}], "pick": "random"}},
            "setup": [{"think": "1s"}], "teardown": [{"think": "1s"}],
        },
        "applications": [{"name": "flow", "variants": ["v", "w"], "steps": steps, "actions": [
            {"name": "act", "weight": 2, "delay": "1s-2s", "steps": [{"think": "1s"}]},
        ]}],
        "options": {
            "baseUrl": "http://127.0.0.1:9", "allowedHosts": ["127.0.0.1:9"], "allowPrivate": true, "seed": 1,
            "users": null, "duration": null, "usersMax": 1_000, "durationMaxS": 1_000,
        },
    })
}

fn damaged(text: &str, at: prop::sample::Index, bytes: &[u8]) -> Vec<u8> {
    let mut damaged = text.as_bytes().to_vec();
    let at = at.index(damaged.len());
    let end = (at + bytes.len()).min(damaged.len());
    damaged.splice(at..end, bytes.iter().copied());
    damaged
}

/// A few characters that JSON is made of, a value that may not be there, or any bytes.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let json = "[0-9\\[\\]{}\",:.eE+-]{1,4}|null|99999999999";
    (
        any::<bool>(),
        json,
        prop::collection::vec(any::<u8>(), 1..4),
    )
        .prop_map(|(is_json, json, any)| if is_json { json.into_bytes() } else { any })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases * 2))]

    #[test]
    fn frames(noise in any::<Vec<u8>>(), at in any::<prop::sample::Index>(), bytes in bytes()) {
        let _ = serde_json::from_slice::<Frame>(&noise);
        if let Ok(frame) = serde_json::from_slice::<Frame>(&damaged(FRAME, at, &bytes)) {
            let golden: Frame = serde_json::from_str(FRAME).expect("the golden frame");
            let mut sum: Vec<Window> = golden.windows;
            for (window, other) in sum.iter_mut().zip(&frame.windows) {
                window.merge(other);
            }
        }
    }

    #[test]
    fn assignments(noise in any::<Vec<u8>>(), at in any::<prop::sample::Index>(), bytes in bytes()) {
        let _ = serde_json::from_slice::<Assignment>(&noise);
        if let Ok(assignment) = serde_json::from_slice::<Assignment>(&damaged(ASSIGNMENT, at, &bytes)) {
            let from = assignment.from;
            let plan: PlanSource = serde_json::from_value(source()).expect("a source");
            let mut batch = Batch::new(Plan::parse(&plan).expect("a plan"), assignment);
            batch.handle_input(from, Input::Wake);
            let ended = (0..OUTPUTS_MAX)
                .any(|_| matches!(batch.poll_output(), Output::WakeAt(..) | Output::Done));
            prop_assert!(ended, "the batch has no end of things to do");
        }
    }

    #[test]
    fn sources(at in any::<prop::sample::Index>(), bytes in bytes()) {
        let text = source().to_string();
        if let Ok(source) = serde_json::from_slice::<PlanSource>(&damaged(&text, at, &bytes)) {
            let _ = Plan::parse(&source);
        }
    }
}
