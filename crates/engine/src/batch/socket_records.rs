//! Where what happens on WebSockets is written down.

use crate::batch::recorder::Recorder;
use crate::batch::sockets::Ending;
use crate::error_class::ErrorClass;
use crate::metering::{Event, Happening, Sample};
use crate::plan::Plan;
use crate::socket::{MessageWindow, SessionWindow};
use crate::tick::{Span, Tick};
use crate::window::StepId;

/// Whom something happens to: the scenario's place in the plan, and the step.
pub(super) type Of = (usize, StepId);

/// A session was opened whose handshake was sent at `sent`.
pub(super) fn opened(recorder: &mut Recorder, plan: &Plan, now: Tick, of: Of, sent: Tick) {
    let took = now.saturating_since(sent);
    let happening = happening(Event::SocketOpened, of, Some(took));
    recorder.on_socket(plan, now, &happening, |window| {
        window.opened += 1;
        window.connecting_us.record(took.as_us());
    });
}

/// A session could not be opened.
pub(super) fn refused(recorder: &mut Recorder, plan: &Plan, now: Tick, of: Of) {
    let mut happening = happening(Event::SocketEnded, of, None);
    happening.sample.failed = true;
    recorder.on_socket(plan, now, &happening, |window| {
        window.judged += 1;
        window.faulty += 1;
    });
}

/// A session is over after this time, and whether anything was wrong.
pub(super) fn ended(
    recorder: &mut Recorder,
    plan: &Plan,
    now: Tick,
    of: Of,
    (ending, took, is_faulty): (Ending, Span, bool),
) {
    let mut happening = happening(Event::SocketEnded, of, Some(took));
    happening.sample.failed = is_faulty;
    recorder.on_socket(plan, now, &happening, |window| {
        window.judged += 1;
        window.faulty += u64::from(is_faulty);
        *window.ended.entry(ending.end).or_insert(0) += 1;
        *window.close_codes.entry(ending.code).or_insert(0) += 1;
        window.duration_us.record(took.as_us());
    });
}

/// Something went wrong in a session.
pub(super) fn error(recorder: &mut Recorder, plan: &Plan, now: Tick, of: Of, class: ErrorClass) {
    let happening = happening(Event::SocketError, of, None);
    recorder.on_socket(plan, now, &happening, |window| {
        *window.errors.entry(class).or_insert(0) += 1;
    });
}

/// A message was sent: which, of how many bytes, and whether without an answer to wait for.
pub(super) fn sent(
    recorder: &mut Recorder,
    plan: &Plan,
    now: Tick,
    of: Of,
    (message, bytes, one_way): (u16, u64, bool),
) {
    let happening = of_message(Event::MessageSent, of, message, None);
    recorder.on_socket(plan, now, &happening, |window| {
        window.sent += 1;
        window.bytes_sent += bytes;
        let message = window.messages.entry(message).or_default();
        message.begun += 1;
        message.one_way += u64::from(one_way);
    });
    let ledger = &mut recorder.window().ledger.messages;
    ledger.begun += 1;
    ledger.one_way += u64::from(one_way);
}

/// A message is waited for from now on.
pub(super) fn begun(recorder: &mut Recorder, plan: &Plan, now: Tick, of: Of, message: u16) {
    let happening = of_message(Event::MessageAwaited, of, message, None);
    on_message(recorder, plan, now, &happening, |window| window.begun += 1);
    recorder.window().ledger.messages.begun += 1;
}

/// A message was answered, after this time.
pub(super) fn answered(
    recorder: &mut Recorder,
    plan: &Plan,
    now: Tick,
    of: Of,
    (message, took): (u16, Span),
) {
    let happening = of_message(Event::MessageAnswered, of, message, Some(took));
    on_message(recorder, plan, now, &happening, |window| {
        window.answered += 1;
        window.rtt_us.record(took.as_us());
    });
    recorder.window().ledger.messages.answered += 1;
}

/// A message came that was waited for, after this time.
pub(super) fn came(
    recorder: &mut Recorder,
    plan: &Plan,
    now: Tick,
    of: Of,
    (message, took): (u16, Span),
) {
    let happening = of_message(Event::MessageCame, of, message, Some(took));
    on_message(recorder, plan, now, &happening, |window| {
        window.answered += 1;
        window.wait_us.record(took.as_us());
    });
    recorder.window().ledger.messages.answered += 1;
}

/// A message did not come in time.
pub(super) fn timed_out(recorder: &mut Recorder, plan: &Plan, now: Tick, of: Of, message: u16) {
    let happening = of_message(Event::MessageTimedOut, of, message, None);
    on_message(recorder, plan, now, &happening, |window| {
        window.timed_out += 1;
    });
    recorder.window().ledger.messages.timed_out += 1;
}

/// A session ended before a message came.
pub(super) fn cut_off(recorder: &mut Recorder, plan: &Plan, now: Tick, of: Of, message: u16) {
    let happening = of_message(Event::MessageCutOff, of, message, None);
    on_message(recorder, plan, now, &happening, |window| {
        window.cut_off += 1;
    });
    recorder.window().ledger.messages.cut_off += 1;
}

/// A message of so many bytes arrived; with its type, if it has one, when it answers none.
pub(super) fn received(
    recorder: &mut Recorder,
    plan: &Plan,
    now: Tick,
    of: Of,
    bytes: u64,
    unsolicited: Option<Option<&str>>,
) {
    let happening = happening(Event::MessageReceived, of, None);
    recorder.on_socket(plan, now, &happening, |window| {
        window.received += 1;
        window.bytes_received += bytes;
        if let Some(kind) = unsolicited {
            window.count_unsolicited(kind);
        }
    });
}

/// A pong came this long after its ping.
pub(super) fn pong(recorder: &mut Recorder, plan: &Plan, now: Tick, of: Of, took: Span) {
    let happening = happening(Event::Pong, of, Some(took));
    recorder.on_socket(plan, now, &happening, |window| {
        window.ping_us.record(took.as_us());
    });
}

fn on_message(
    recorder: &mut Recorder,
    plan: &Plan,
    now: Tick,
    happening: &Happening<'_>,
    note: impl FnOnce(&mut MessageWindow),
) {
    recorder.on_socket(plan, now, happening, |window: &mut SessionWindow| {
        if let Some(message) = happening.message {
            note(window.messages.entry(message).or_default());
        }
    });
}

fn happening(event: Event, of: Of, took: Option<Span>) -> Happening<'static> {
    let sample = Sample {
        count: 1,
        service: took,
        ..Sample::default()
    };
    Happening::of_request(event, of, sample)
}

fn of_message(event: Event, of: Of, message: u16, took: Option<Span>) -> Happening<'static> {
    Happening {
        message: Some(message),
        ..happening(event, of, took)
    }
}
