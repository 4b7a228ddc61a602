//! A batch that hands over its users while some of them wait for an answer, and the batch in which those come in.

use sentinel_engine::batch::{Head, Input, SocketInput};
use sentinel_engine::ledger::Ledger;
use sentinel_engine::plan::Plan;
use sentinel_engine::share::Share;
use sentinel_engine::tick::{Span, Tick};
use sentinel_engine::vu::VuCarry;
use sentinel_engine::wire::{Assignment, BatchEnd, EndReason};
use serde_json::{Value, json};

use crate::lab::{Answer, Lab, Part, hold, plan, reads, slice};

const UNTIL: Tick = Tick::from_ms(10_000);

fn plan_of(users: u32, applications: Value) -> Plan {
    let fields = json!({"pause": "1s", "gracefulStop": "10s", "maxRedirects": 3});
    plan(hold(users, 30), applications, fields)
}

/// The batch of the first slice, played until it has handed over.
fn first(plan: &Plan, mut target: impl FnMut(&str, Tick) -> Answer) -> Lab {
    let order = Assignment {
        hands_over_after: Some(Span::from_ms(500)),
        ..slice(Share::WHOLE, 0, Tick::ZERO, UNTIL, Vec::new())
    };
    let mut lab = Lab::new(plan, order);
    lab.play(|now, request| target(path(&request.url), now));
    lab
}

fn path(url: &str) -> &str {
    url.strip_prefix("http://127.0.0.1:9").unwrap_or(url)
}

/// What a batch told when it handed over.
fn handed_over(lab: &Lab) -> &BatchEnd {
    let mut ends = lab.frames.iter().filter_map(|frame| frame.end.as_ref());
    ends.next().expect("an end")
}

fn late(lab: &Lab) -> Vec<VuCarry> {
    let late = lab.frames.iter().flat_map(|frame| frame.late.clone());
    late.collect()
}

/// The batch of the slice after `lab`.
fn next(plan: &Plan, lab: &Lab) -> Lab {
    let end = handed_over(lab);
    let order = Assignment {
        away: end.out.clone(),
        played_through: UNTIL,
        ..slice(
            Share::WHOLE,
            1,
            end.at,
            Tick::from_second(40),
            end.carry.clone(),
        )
    };
    Lab::new(plan, order)
}

/// Both batches together account for everything.
fn assert_balanced(labs: [&Lab; 2]) {
    let mut sum = Ledger::default();
    labs.map(Lab::ledger)
        .into_iter()
        .for_each(|ledger| sum += ledger);
    assert_eq!(sum.imbalances(), []);
}

#[test]
fn whoever_waits_stays_and_comes_in_when_its_answer_has_come() {
    let plan = plan_of(3, reads(&["/a", "/b"]));
    let mut asked = 0;
    let before = first(&plan, |path, _| {
        asked += usize::from(path == "/a");
        // The last time that one of them asks before the slice ends.
        Answer::ok(if asked == 25 && path == "/a" {
            7_000
        } else {
            100
        })
    });
    let end = handed_over(&before);
    assert_eq!((end.at, end.carry.len()), (Tick::from_ms(10_500), 2));
    assert_eq!(end.out.len(), 1);
    let late = late(&before);
    let [user] = late.as_slice() else {
        panic!("{late:?}");
    };
    assert_eq!(user.vu, end.out[0].vu);
    let position = user
        .position
        .as_ref()
        .expect("in the middle of an iteration");
    assert_eq!(position.pending.len(), 1, "it has /b to ask for");
    assert_eq!(before.end().reason, EndReason::SliceOver);
    assert!(before.sent.iter().all(|(at, _)| *at < UNTIL));
    let sequences = before.frames.iter().map(|frame| frame.sequence);
    assert!(sequences.eq(0..before.frames.len() as u32));

    let mut after = next(&plan, &before);
    let came_in = before.end().at;
    let target = |_: Tick, _: &_| Answer::ok(100);
    after.play_until(came_in, target);
    let of_user = |lab: &Lab| {
        let sent = lab.sent.iter();
        let sent = sent.filter(|(_, request)| request.vu == user.vu.0);
        sent.map(|(at, request)| (*at, path(&request.url).to_owned()))
            .collect::<Vec<_>>()
    };
    assert_eq!(of_user(&after), [], "it is away");
    assert_eq!(after.batch.active_users(), 2);
    for _ in 0..2 {
        after.batch.handle_input(came_in, Input::Adopt(&late));
        assert_eq!(after.batch.active_users(), 3);
    }
    after.play(target);
    assert_eq!(of_user(&after)[0], (came_in, "/b".to_owned()));
    assert_eq!(of_user(&after)[1].1, "/a", "and so on");
    assert_eq!(after.end().missed, []);
    assert_balanced([&before, &after]);
}

#[test]
fn whoever_does_not_come_in_is_missed() {
    let plan = plan_of(2, reads(&["/a"]));
    let before = first(&plan, |_, now| {
        Answer::ok(if now > Tick::from_ms(9_000) {
            5_000
        } else {
            100
        })
    });
    let out = &handed_over(&before).out;
    assert_eq!(out.len(), 2);
    let mut after = next(&plan, &before);
    after.play(|_, _| Answer::ok(100));
    let mut missed: Vec<_> = out.iter().map(|away| away.vu).collect();
    missed.sort_unstable();
    assert_eq!(after.end().missed, missed);
    assert_eq!(after.sent.len(), 0);
}

#[test]
fn a_redirect_is_followed_by_whoever_stays() {
    let plan = plan_of(1, reads(&["/a"]));
    let before = first(&plan, |path, now| match path {
        "/a" if now > Tick::from_ms(8_000) => Answer::Redirect(302, "/b", Span::from_ms(4_000)),
        "/b" => Answer::ok(3_000),
        _ => Answer::ok(100),
    });
    let (at, last) = before.sent.last().expect("requests");
    assert_eq!(path(&last.url), "/b");
    assert!(*at > UNTIL);
    assert_eq!(late(&before).len(), 1);
    assert_eq!(before.end().at, *at + Span::from_secs(3));
}

#[test]
fn a_stream_that_begins_after_the_hand_over_ends_at_once() {
    let step = json!({
        "name": "live", "request": {"method": "GET", "url": "/live"}, "expect": {"status": 200},
        "stream": {"format": "sse", "maxDuration": "40s"},
    });
    let plan = plan_of(1, json!([{"name": "reads", "steps": [step]}]));
    let before = first(&plan, |_, _| {
        Answer::streams(&[
            (12_000, Part::Head(200)),
            (13_000, Part::Piece("data: 1\n\n")),
        ])
    });
    assert_eq!(handed_over(&before).out.len(), 1);
    assert_eq!(before.end().at, Tick::from_second(12));
    assert_eq!((late(&before).len(), before.aborted.len()), (1, 1));
    let mut after = next(&plan, &before);
    after.play_until(Tick::from_second(12), |_, _| Answer::Never);
    after
        .batch
        .handle_input(Tick::from_second(12), Input::Adopt(&late(&before)));
    after.play_until(Tick::from_second(14), |_, _| Answer::Never);
    assert_eq!(after.sent.len(), 1, "the next iteration");
}

#[test]
fn a_session_that_opens_after_the_hand_over_is_opened_again_by_whoever_goes_on() {
    let hello = json!({"name": "hello", "send": {"text": "hello"}});
    let step = json!({"name": "chat", "ws": {"url": "ws://127.0.0.1:9/ws", "steps": [hello, {"think": "5s"}]}});
    let plan = plan_of(1, json!([{"name": "chats", "steps": [step]}]));
    let order = Assignment {
        hands_over_after: Some(Span::from_ms(500)),
        ..slice(
            Share::WHOLE,
            0,
            Tick::ZERO,
            Tick::from_second(2),
            Vec::new(),
        )
    };
    let mut before = Lab::new(&plan, order);
    let opened_at = Tick::from_second(4);
    before.play_until(opened_at, |_, _| Answer::Never);
    assert_eq!(handed_over(&before).out.len(), 1);
    let id = before.opened[0].1.request.id;
    let head = Head {
        status: 101,
        headers: &[],
    };
    before
        .batch
        .handle_input(opened_at, Input::Socket(id, SocketInput::Opened(head)));
    before.play(|_, _| Answer::Never);
    assert_eq!((late(&before).len(), before.end().at), (1, opened_at));
    assert_eq!(before.orders.len(), 1, "it is closed and nothing is said");

    let mut after = next(&plan, &before);
    after.play_until(opened_at, |_, _| Answer::Never);
    assert_eq!(after.opened.len(), 0);
    after
        .batch
        .handle_input(opened_at, Input::Adopt(&late(&before)));
    after.play_until(Tick::from_ms(4_100), |_, _| Answer::Never);
    assert_eq!(after.opened.len(), 1);
}

#[test]
fn a_lease_that_runs_out_ends_those_that_wait() {
    for (input, reason) in [
        (Input::LeaseExpired, EndReason::LeaseExpired),
        (Input::Stop, EndReason::Stopped),
    ] {
        let plan = plan_of(2, reads(&["/a", "/b"]));
        let order = Assignment {
            hands_over_after: Some(Span::from_ms(500)),
            ..slice(Share::WHOLE, 0, Tick::ZERO, UNTIL, Vec::new())
        };
        let mut lab = Lab::new(&plan, order);
        let at = Tick::from_second(12);
        let slow = |now: Tick, _: &_| {
            Answer::ok(if now > Tick::from_second(9) {
                9_000
            } else {
                100
            })
        };
        assert!(!lab.play_until(at, slow));
        let sent = lab.sent.len();
        lab.batch.handle_input(at, input);
        assert!(lab.play_until(at + Span::from_secs(60), slow));
        assert_eq!((lab.end().reason, lab.end().at), (reason, at));
        assert_eq!((lab.sent.len(), late(&lab).len()), (sent, 0));
        let out = handed_over(&lab).out.len();
        assert_eq!(lab.aborted.len(), out);
        let ledger = lab.ledger();
        assert_eq!(
            (ledger.cut_off, ledger.interrupted),
            (out as u64, out as u64)
        );
        assert_eq!(ledger.requests_open(), 0);
    }
}
