//! Sessions that the end of a slice closes, and what becomes of them in the next.

use sentinel_engine::batch::{Input, SocketInput};
use sentinel_engine::error_class::ErrorClass;
use sentinel_engine::ledger::Ledger;
use sentinel_engine::share::Share;
use sentinel_engine::socket::SessionEnd;
use sentinel_engine::tick::Tick;
use serde_json::{Value, json};

use super::{Talk, ended, rpc, session};
use crate::lab::{Answer, Lab, slice};
use crate::step_totals;

/// The batch of the second slice, whose user goes on as the first slice, of 20 s, has left it.
fn next_slice(first: &Talk) -> Talk {
    let from = Tick::from_second(20);
    assert_eq!(first.lab.end().at, from);
    let end = Tick::ZERO + first.plan.duration() + first.plan.graceful_stop();
    let carry = first.lab.end().carry.clone();
    let second = slice(Share::WHOLE, 1, from, end, carry);
    let mut talk = Talk {
        lab: Lab::new(&first.plan, second),
        plan: first.plan.clone(),
        before: first.lab.ledger(),
    };
    talk.until_ms(20_000);
    talk
}

/// The batch of the first slice.
fn first_slice(steps: Value) -> Talk {
    let plan = session(json!({}), steps);
    let until = Tick::from_second(20);
    let first = slice(Share::WHOLE, 0, Tick::ZERO, until, Vec::new());
    let mut talk = Talk {
        lab: Lab::new(&plan, first),
        plan,
        before: Ledger::default(),
    };
    talk.until_ms(0);
    talk
}

#[test]
fn a_session_at_the_end_of_a_slice_is_closed_and_opened_again_where_it_was() {
    let turns = json!({"loop": {"times": 3, "steps": [rpc("ping"), {"think": "8s"}]}});
    let mut first = first_slice(json!([rpc("hello"), turns, rpc("bye")]));
    first.open_at(10);
    for (ms, text) in [
        (20, r#"{"id": 1}"#),
        (30, r#"{"id": 2}"#),
        (8_040, r#"{"id": 3}"#),
        (16_050, r#"{"id": 4}"#),
    ] {
        first.says(ms, text);
    }
    first.lab.play(|_, _| Answer::ok(5));
    assert_eq!(first.closed(), [(20_000, 1_000)]);
    let socket = step_totals(&first.lab, 0).socket.expect("a session");
    assert_eq!(ended(&socket), [(SessionEnd::Slice, 1)]);
    assert_eq!((socket.faulty, socket.messages[&1].answered), (0, 3));

    let mut second = next_slice(&first);
    second.open_at(20_010);
    second.says(20_020, r#"{"id": 1}"#);
    second.until_ms(24_049);
    assert_eq!(second.sent().len(), 1, "the user still thinks");
    second.says(24_060, r#"{"id": 2}"#);
    let sent: Vec<_> = second.sent();
    let method = |text: &str| {
        ["hello", "ping", "bye"]
            .into_iter()
            .find(|name| text.contains(name))
    };
    let told: Vec<_> = sent.iter().map(|(at, text)| (*at, method(text))).collect();
    assert_eq!(told, [(20_010, Some("hello")), (24_050, Some("bye"))]);
    second.at(24_070, SocketInput::Closed(1_000));
    let (lab, step, socket) = second.over();
    assert_eq!(ended(&socket), [(SessionEnd::Client, 1)]);
    assert_eq!((step.sent, socket.opened, socket.faulty), (1, 1, 0));
    assert_eq!(lab.ledger().finished, 1);
    assert_eq!(lab.sent.len(), 1, "its user goes on behind it");
}

#[test]
fn a_message_that_a_slice_has_cut_off_is_not_waited_for_in_the_next() {
    let turns = json!({"loop": {"times": 100, "steps": [rpc("ping")]}});
    let mut first = first_slice(json!([turns, rpc("bye")]));
    first.open_at(10);
    first.says(20, r#"{"id": 1}"#);
    first.lab.play(|_, _| Answer::ok(5));
    let socket = step_totals(&first.lab, 0).socket.expect("a session");
    // Answers were waited for in vain within the slice: only the last is cut off.
    assert_eq!(
        (socket.messages[&0].cut_off, socket.messages[&0].begun),
        (1, 5)
    );

    let mut second = next_slice(&first);
    second.open_at(20_500);
    assert_eq!(second.sent().len(), 1, "the sixth turn");
    second
        .lab
        .batch
        .handle_input(Tick::from_ms(20_600), Input::Stop);
    let (lab, _, socket) = second.over();
    assert_eq!(ended(&socket), [(SessionEnd::CutOff, 1)]);
    assert_eq!(lab.ledger().interrupted, 1);
}

#[test]
fn a_session_that_cannot_be_opened_again_is_a_request_that_failed() {
    let mut first = first_slice(json!([rpc("hello"), {"think": "10m"}]));
    first.open_at(10);
    first.says(20, r#"{"id": 1}"#);
    first.lab.play(|_, _| Answer::ok(5));
    let mut second = next_slice(&first);
    second.at(20_010, SocketInput::Failed(ErrorClass::Reset));
    let (lab, step, socket) = second.over();
    assert_eq!(step.errors.get(&ErrorClass::Reset), Some(&1));
    assert_eq!((socket.opened, socket.faulty), (0, 1));
    assert_eq!(
        (lab.sent.len(), lab.ledger().finished),
        (1, 1),
        "its user goes on behind it"
    );
}
