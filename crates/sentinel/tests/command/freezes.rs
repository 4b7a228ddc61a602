//! wrk2's demonstration: a target that stands still delays everybody who comes meanwhile, not only those who are
//! with it. Response time says so; service time, which is what most load generators tell, does not.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::lab::Lab;

fn ms(values: &Value, percentile: &str) -> f64 {
    let value = values[percentile].as_f64();
    value.unwrap_or_else(|| panic!("{percentile} in {values}"))
}

#[test]
fn a_freeze_shows_in_response_times_and_not_in_service_times() {
    const FREEZE: Duration = Duration::from_millis(1_400);
    let lab = Lab::new();
    // A third of the requests are due while the target stands still, and two of 400 are with it.
    let scenario = lab.scenario("/freeze", |scenario| {
        scenario["load"] = json!({"executor": "constant-arrival-rate", "rate": 100, "duration": "4s",
            "preAllocatedVUs": 400});
    });
    let over = AtomicBool::new(false);
    let ended = thread::scope(|scope| {
        scope.spawn(|| {
            while lab.target.stats().total.completed < 50 && !over.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(1));
            }
            lab.target.freeze_for(FREEZE);
        });
        let ended = lab.run(&scenario, &["--max-in-flight", "2"]);
        over.store(true, Ordering::Relaxed);
        ended
    });
    assert_eq!(ended.code, 0, "{}", ended.err);
    ended.assert_balanced();
    assert_eq!(ended.ledger("planned"), 400);
    assert_eq!(
        (ended.ledger("dropped"), ended.ledger("answered")),
        (0, 400)
    );
    let response = &ended.summary["latencyPercentiles"];
    let service = &ended.summary["serviceTime"];
    let half_ms = FREEZE.as_secs_f64() * 1e3 / 2.0;
    assert!(
        ms(service, "max") > half_ms,
        "who was with it knows: {service}"
    );
    // Of those who came meanwhile, each waited for the rest of it: 10 % of all for more than half of it.
    assert!(ms(response, "p90") > half_ms, "{response}");
    // However slow the machine is, who queues waits for several others.
    assert!(
        ms(service, "p90") < ms(response, "p90") / 2.0,
        "service {service}, response {response}"
    );
}
