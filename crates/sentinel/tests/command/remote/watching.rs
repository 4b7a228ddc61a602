//! A run is seen to its end, whatever happens to the stream on the way.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::fake::{Fake, RUN, Reply, TOKEN, end, event, row, running, second, second_row};
use crate::lab::Lab;

const STREAM: &str = "GET /runs/0b9f8f4e-7c67-4c4e-9f6e-1d2b3c4d5e6f/stream";
const CANCEL: &str = "POST /runs/0b9f8f4e-7c67-4c4e-9f6e-1d2b3c4d5e6f/cancel";

fn ended(status: &str, passed: bool) -> Value {
    row(&Lab::new(), status, passed)
}

#[test]
fn a_stream_that_breaks_goes_on_where_it_was_and_shows_no_second_twice() {
    let run = ended("completed", true);
    let fake = Fake::new(move |_, before| match before {
        0 => Reply::Broken(format!("retry: 10\n\n{}{}", second(0), second(6))),
        // Comes again with what was there already.
        1 => Reply::Events(format!("{}{}", second(6), second(12))),
        2 => Reply::Lost,
        _ => Reply::Events(format!("{}{}{}", second(12), second(18), end(&run))),
    });
    let ended = fake.run(&["watch", RUN]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(ended.out.contains("visits completed"), "{}", ended.out);
    assert!(ended.out.contains("passed"), "{}", ended.out);
    let seconds: Vec<&str> = ended
        .err
        .lines()
        .filter_map(|line| line.trim().split(" s ").next())
        .collect();
    assert_eq!(seconds, ["0", "6", "12", "18"], "{}", ended.err);
    let received = fake.received();
    let ids: Vec<&str> = received
        .iter()
        .map(|one| one.header("last-event-id"))
        .collect();
    assert_eq!(ids, ["", "6", "12", "12"]);
    for one in &received {
        assert_eq!(one.what, STREAM);
        assert_eq!(one.header("authorization"), format!("Bearer {TOKEN}"));
    }
}

#[test]
fn the_exit_code_says_what_came_of_the_run() {
    for (status, passed, code) in [
        ("completed", true, 0),
        ("completed", false, 99),
        ("cancelled", false, 105),
        ("failed", false, 107),
    ] {
        let run = ended(status, passed);
        let fake = Fake::new(move |received, _| {
            if received.what == STREAM {
                Reply::Events(format!("{}{}", second(0), end(&run)))
            } else {
                Reply::Json(200, json!({ "run": run }))
            }
        });
        for arguments in [
            &["watch", RUN][..],
            &["show", RUN],
            &["show", RUN, "--json"],
        ] {
            let ended = fake.run(arguments);
            assert_eq!(ended.code, code, "{status} {passed}: {}", ended.err);
            assert_eq!(
                ended.err.contains("p95_latency_ms < 5"),
                code == 99,
                "{}",
                ended.err
            );
        }
        let quiet = fake.run(&["watch", RUN, "--quiet"]);
        assert_eq!((quiet.code, quiet.out.as_str()), (code, ""));
    }
}

#[test]
fn a_run_that_goes_on_has_no_result() {
    let fake = Fake::new(|_, _| Reply::Json(200, json!({"run": running()})));
    let ended = fake.run(&["show", RUN]);
    assert_eq!(ended.code, 107, "{}", ended.err);
    assert!(
        ended.err.contains(&format!("remote watch {RUN}")),
        "{}",
        ended.err
    );
}

#[test]
fn where_events_do_not_come_through_it_is_asked_instead() {
    // What answers each stream: never one, one that is held back until it ends, none at all.
    let blocked: [fn() -> Reply; 3] = [
        || Reply::Text(200, "text/html", "<p>Welcome".to_owned()),
        || Reply::Events("retry: 10\n\n: waiting\n\n".to_owned()),
        || {
            Reply::Json(
                404,
                json!({"error": "there is nothing at this address", "code": "not_found"}),
            )
        },
    ];
    let run = ended("completed", true);
    for stream in blocked {
        let run = run.clone();
        let fake = Fake::new(move |received, before| match received.what.as_str() {
            STREAM => stream(),
            what if what.contains("/metrics") => {
                let page = if what.contains("cursor=next") {
                    json!({"metrics": [second_row(6)], "nextCursor": null})
                } else {
                    json!({"metrics": [second_row(0)], "nextCursor": "next"})
                };
                Reply::Json(200, page)
            }
            _ if before == 0 => Reply::Json(200, json!({"run": running()})),
            _ => Reply::Json(200, json!({ "run": run })),
        });
        let ended = fake.run(&["watch", RUN]);
        assert_eq!(ended.code, 0, "{}", ended.err);
        assert!(ended.err.contains("asking instead"), "{}", ended.err);
        let lines = |text: &str| {
            ended
                .err
                .lines()
                .filter(|line| line.trim().starts_with(text))
                .count()
        };
        assert_eq!((lines("0 s"), lines("6 s")), (1, 1), "{}", ended.err);
        assert!(ended.out.contains("visits completed"), "{}", ended.out);
    }
}

#[test]
fn events_that_make_no_sense_are_passed_over() {
    let run = ended("completed", true);
    let fake = Fake::new(move |_, _| {
        let odd = [
            ": a comment\n\n".to_owned(),
            "event: row\ndata: {{{\n\n".to_owned(),
            "event: end\ndata: []\n\n".to_owned(),
            "event: unheard-of\ndata: {}\n\n".to_owned(),
            event("end", None, &json!({"run": running()})),
            event("row", None, &json!({"timestamp": "soon"})),
            event("progress", None, &json!({"progress": {"finished": true}})),
        ];
        Reply::Events(format!("{}{}{}", odd.concat(), second(0), end(&run)))
    });
    let ended = fake.run(&["watch", RUN]);
    assert_eq!(ended.code, 0, "{}", ended.err);
}

#[test]
fn whoever_stops_watching_leaves_the_run_alone() {
    for signal in [Signal::INT, Signal::TERM] {
        let fake = Fake::new(|_, _| Reply::Held(second(0), CANCEL, String::new()));
        let child = fake.start(&["watch", RUN]);
        fake.until(STREAM);
        kill_process(Pid::from_child(&child), signal).expect("it is told");
        let ended = fake.ended(child);
        assert_eq!(ended.code, 105, "{}", ended.err);
        assert!(ended.err.contains("the run goes on"), "{}", ended.err);
        assert!(
            ended.err.contains(&format!("remote cancel {RUN}")),
            "{}",
            ended.err
        );
        assert_eq!(fake.asked(), [STREAM]);
    }
}

#[test]
fn an_interrupt_cancels_the_run_when_that_is_asked_for() {
    let run = ended("cancelled", false);
    let fake = Fake::new(move |received, before| match received.what.as_str() {
        // The first time nobody hears the answer, the second time it was cancelled already.
        CANCEL if before == 0 => Reply::Lost,
        CANCEL => Reply::Json(200, json!({"message": "Cancellation requested", "id": RUN})),
        _ => Reply::Held(second(0), CANCEL, end(&run)),
    });
    let child = fake.start(&["watch", RUN, "--cancel-on-interrupt"]);
    fake.until(STREAM);
    kill_process(Pid::from_child(&child), Signal::INT).expect("it is told");
    let ended = fake.ended(child);
    assert_eq!(ended.code, 105, "{}", ended.err);
    assert!(ended.out.contains("visits cancelled"), "{}", ended.out);
}
