//! Sessions over WebSockets under a virtual clock: what is sent and waited for, how they end, what is counted.

mod slices;

use crate::lab::{Answer, Lab, hold, plan, whole};
use crate::{quantile_ms, step_totals};
use sentinel_engine::batch::{Head, Input, RequestId, SocketInput, SocketOutput};
use sentinel_engine::error_class::ErrorClass;
use sentinel_engine::ledger::Ledger;
use sentinel_engine::plan::{Plan, RunPart};
use sentinel_engine::socket::{MessageWindow, SessionEnd, SessionWindow};
use sentinel_engine::tick::Tick;
use sentinel_engine::window::StepWindow;
use sentinel_engine::wire::Assignment;
use serde_json::{Value, json};

/// One user who opens one session that plays these steps, and then asks for `/after`.
fn session(more: Value, steps: Value) -> Plan {
    let mut ws = json!({"url": "ws://127.0.0.1:9/ws?u={{vu}}", "steps": steps});
    let fields = more.as_object().expect("fields");
    fields
        .iter()
        .for_each(|(name, value)| ws[name] = value.clone());
    let after = json!({"name": "after", "request": {"method": "GET", "url": "/after"}});
    let steps = json!([{"name": "chat", "ws": ws}, after]);
    let applications = json!([{"name": "chats", "steps": steps}]);
    plan(
        hold(1, 50),
        applications,
        json!({"pause": "1h", "gracefulStop": "10m", "requestTimeout": "5s"}),
    )
}

/// A batch with a server that a test plays by hand.
struct Talk {
    lab: Lab,
    plan: Plan,
    /// What earlier slices have counted.
    before: Ledger,
}

impl Talk {
    fn new(more: Value, steps: Value) -> Self {
        let plan = session(more, steps);
        let mut talk = Self {
            lab: Lab::new(&plan, whole(&plan)),
            plan,
            before: Ledger::default(),
        };
        talk.until_ms(0);
        talk
    }

    /// Lets time pass.
    fn until_ms(&mut self, ms: u64) {
        // One more, so that what is due at that point is done.
        let until = Tick::from_us(ms * 1_000 + 1);
        self.lab.play_until(until, |_, _| Answer::ok(5));
        self.lab.now = Tick::from_ms(ms);
    }

    fn id(&self) -> RequestId {
        self.lab.opened.last().expect("a session").1.request.id
    }

    /// Something happens to the session at this point.
    fn at(&mut self, ms: u64, input: SocketInput<'_>) {
        self.until_ms(ms);
        let id = self.id();
        self.lab
            .batch
            .handle_input(self.lab.now, Input::Socket(id, input));
        self.until_ms(ms);
    }

    fn open_at(&mut self, ms: u64) {
        let headers = &[];
        let head = Head {
            status: 101,
            headers,
        };
        self.at(ms, SocketInput::Opened(head));
    }

    fn says(&mut self, ms: u64, text: &str) {
        self.at(ms, SocketInput::Message(text.as_bytes()));
    }

    /// The texts that were sent so far, with their time in milliseconds.
    fn sent(&self) -> Vec<(u64, String)> {
        let orders = self.lab.orders.iter();
        let texts = orders.filter_map(|(at, _, order)| match order {
            SocketOutput::Text(text) => Some((at.as_ms(), text.clone())),
            _ => None,
        });
        texts.collect()
    }

    fn closed(&self) -> Vec<(u64, u16)> {
        let orders = self.lab.orders.iter();
        let codes = orders.filter_map(|(at, _, order)| match order {
            SocketOutput::Close { code, .. } => Some((at.as_ms(), *code)),
            _ => None,
        });
        codes.collect()
    }

    /// Plays to the end, and checks that everything is accounted for.
    fn over(mut self) -> (Lab, StepWindow, SessionWindow) {
        self.lab.play(|_, _| Answer::ok(5));
        let mut ledger = self.before;
        ledger += self.lab.ledger();
        assert_eq!(ledger.imbalances(), []);
        let step = step_totals(&self.lab, 0);
        let socket = *step.socket.clone().expect("there was a session");
        for message in socket.messages.values() {
            let MessageWindow {
                begun,
                one_way,
                answered,
                timed_out,
                cut_off,
                ..
            } = message;
            assert_eq!(
                *begun,
                one_way + answered + timed_out + cut_off,
                "{message:?}"
            );
        }
        assert_eq!(self.plan.sockets().count(), 1);
        (self.lab, step, socket)
    }
}

fn rpc(name: &str) -> Value {
    json!({"name": name, "send": {"rpc": {"method": name, "params": {"vu": "{{vu}}"}}}})
}

fn ms(times: &sentinel_engine::histogram::SparseHistogram) -> u64 {
    quantile_ms(times, 0.5).round() as u64
}

fn ended(socket: &SessionWindow) -> Vec<(SessionEnd, u64)> {
    socket
        .ended
        .iter()
        .map(|(end, count)| (*end, *count))
        .collect()
}

#[test]
fn calls_are_answered_by_their_id_and_the_flow_waits_for_them() {
    let steps = json!([
        rpc("ping"),
        {"loop": {"times": 2, "steps": [
            {"name": "ask", "send": {
                "rpc": {"method": "balance.get"}, "extract": {"balance": "$.result.amount"},
                "checks": [{"name": "has an amount", "on": "$.result.amount", "type": "integer"}],
            }},
            {"think": "1s"},
        ]}},
        {"name": "tell", "send": {"text": "I have {{balance}}"}},
    ]);
    let mut talk = Talk::new(
        json!({"type": "$.type", "protocols": ["json"], "headers": {"X-A": "b"}}),
        steps,
    );
    let opening = &talk.lab.opened[0].1;
    assert_eq!(opening.protocols, ["json"]);
    assert_eq!(opening.request.url, "http://127.0.0.1:9/ws?u=0");
    assert_eq!(
        opening.request.headers,
        [("X-A".to_owned(), "b".to_owned())]
    );
    talk.open_at(40);
    assert_eq!(
        talk.sent(),
        [(
            40,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"vu":"0"}}"#.to_owned()
        )]
    );
    talk.says(50, r#"{"type": "hello"}"#);
    talk.says(60, r#"{"jsonrpc": "2.0", "id": 7, "result": 1}"#);
    assert_eq!(talk.sent().len(), 1, "neither is the answer");
    talk.says(70, r#"{"jsonrpc": "2.0", "id": 1, "result": {}}"#);
    talk.says(
        90,
        r#"{"jsonrpc": "2.0", "id": 2, "result": {"amount": 5}}"#,
    );
    talk.until_ms(1_090);
    assert_eq!(talk.sent()[2].0, 1_090);
    talk.says(
        1_100,
        r#"{"jsonrpc": "2.0", "id": 3, "result": {"amount": 6}}"#,
    );
    talk.until_ms(2_100);
    assert_eq!(talk.sent()[3], (2_100, "I have 6".to_owned()));
    assert_eq!(talk.closed(), [(2_100, 1_000)]);
    talk.at(2_130, SocketInput::Closed(1_000));
    let (lab, step, socket) = talk.over();
    assert_eq!(
        (step.succeeded, ms(&step.service_us)),
        (1, 40),
        "the handshake is a request"
    );
    assert_eq!((socket.opened, socket.sent, socket.received), (1, 4, 5));
    assert_eq!(ended(&socket), [(SessionEnd::Client, 1)]);
    assert_eq!(
        socket.close_codes.into_iter().collect::<Vec<_>>(),
        [(1_000, 1)]
    );
    assert_eq!(
        (ms(&socket.connecting_us), socket.faulty, socket.judged),
        (40, 0, 1)
    );
    assert!((quantile_ms(&socket.duration_us, 0.5) - 2_130.0).abs() < 5.0);
    assert_eq!(
        socket.unsolicited.into_iter().collect::<Vec<_>>(),
        [("hello".to_owned(), 1), ("other".to_owned(), 1)]
    );
    let [ping, ask, tell] = [0, 1, 2].map(|at| &socket.messages[&at]);
    assert_eq!((ping.begun, ping.answered, ms(&ping.rtt_us)), (1, 1, 30));
    assert_eq!((ask.begun, ask.answered), (2, 2));
    assert_eq!((tell.begun, tell.one_way), (1, 1));
    assert_eq!(lab.sent.len(), 1, "what comes behind the session is played");
    let checks: u64 = lab
        .windows()
        .flat_map(|w| w.checks.values())
        .map(|(passed, _)| passed)
        .sum();
    assert_eq!(checks, 2);
}

#[test]
fn messages_are_waited_for_also_when_they_have_come_before() {
    let steps = json!([
        {"think": "100ms"},
        {"name": "welcome", "receive": {"only": {"$.type": "welcome"}, "extract": {"name": "$.name"}}},
        {"name": "any", "receive": {"timeout": "1s"}},
        {"name": "greet", "send": {"json": {"hello": "{{name}}"}, "reply": "next"}},
        {"name": "repeat", "send": {"text": "again", "reply": "echo"}},
    ]);
    let mut talk = Talk::new(json!({}), steps);
    talk.open_at(10);
    talk.says(20, r#"{"type": "other"}"#);
    talk.says(30, r#"{"type": "welcome", "name": "oak"}"#);
    talk.until_ms(110);
    assert_eq!(
        talk.sent(),
        [(110, r#"{"hello":"oak"}"#.to_owned())],
        "both have come"
    );
    talk.says(150, "anything");
    assert_eq!(talk.sent()[1], (150, "again".to_owned()));
    talk.says(160, "against");
    assert_eq!(talk.closed(), []);
    talk.says(170, "again");
    talk.at(180, SocketInput::Closed(1_000));
    let (_, _, socket) = talk.over();
    let answered: Vec<u64> = socket
        .messages
        .values()
        .map(|message| message.answered)
        .collect();
    assert_eq!(answered, [1, 1, 1, 1]);
    assert_eq!(ms(&socket.messages[&2].rtt_us), 40);
    assert_eq!(
        (
            socket.messages[&0].rtt_us.count(),
            ms(&socket.messages[&0].wait_us)
        ),
        (0, 0)
    );
    assert_eq!(socket.faulty, 0);
}

#[test]
fn what_does_not_come_in_time_is_an_error_and_the_flow_goes_on() {
    let steps = json!([
        {"name": "late", "send": {"rpc": {"method": "x"}, "timeout": "200ms"}},
        {"name": "never", "receive": {"timeout": "300ms"}},
        {"name": "aside", "send": {"rpc": {"method": "y"}, "background": true}},
        {"name": "wrong", "send": {"rpc": {"method": "z"}}},
    ]);
    let mut talk = Talk::new(json!({}), steps);
    talk.open_at(0);
    talk.until_ms(200);
    talk.until_ms(500);
    assert_eq!(talk.sent().len(), 3, "one is not waited for");
    talk.says(510, r#"{"id": 1, "result": 1}"#);
    talk.says(520, r#"{"id": 3, "error": {"code": 1}}"#);
    assert_eq!(talk.closed(), [(520, 1_000)]);
    talk.at(530, SocketInput::Closed(1_000));
    let (_, _, socket) = talk.over();
    let columns = |at| {
        let message = &socket.messages[&at];
        (message.answered, message.timed_out, message.cut_off)
    };
    assert_eq!(
        [0, 1, 2, 3].map(columns),
        [(0, 1, 0), (0, 1, 0), (0, 0, 1), (1, 0, 0)]
    );
    let errors: Vec<_> = socket.errors.into_iter().collect();
    assert_eq!(
        errors,
        [(ErrorClass::RpcError, 1), (ErrorClass::Timeout, 2)]
    );
    assert_eq!((socket.faulty, socket.judged), (1, 1), "one session");
}

#[test]
fn however_a_session_ends_the_flow_goes_on_behind_it() {
    for (input, end, code, class) in [
        (SocketInput::Closed(1_001), SessionEnd::Server, 1_001, None),
        (SocketInput::Closed(1_005), SessionEnd::Server, 1_005, None),
        (
            SocketInput::Closed(1_011),
            SessionEnd::Error,
            1_011,
            Some(ErrorClass::Closed),
        ),
        (
            SocketInput::Failed(ErrorClass::Reset),
            SessionEnd::Error,
            1_006,
            Some(ErrorClass::Reset),
        ),
        (
            SocketInput::Failed(ErrorClass::Protocol),
            SessionEnd::Error,
            1_006,
            Some(ErrorClass::Protocol),
        ),
    ] {
        for wait in [
            rpc("ping"),
            json!({"think": "10s"}),
            json!({"name": "r", "receive": {}}),
        ] {
            let steps = json!([{"loop": {"times": 3, "steps": [rpc("first"), wait]}}]);
            let mut talk = Talk::new(json!({}), steps);
            talk.open_at(10);
            talk.says(20, r#"{"id": 1}"#);
            talk.at(30, input);
            let (lab, _, socket) = talk.over();
            assert_eq!(ended(&socket), [(end, 1)]);
            assert_eq!(socket.close_codes.get(&code), Some(&1));
            assert_eq!(socket.errors.keys().copied().next(), class);
            assert_eq!(lab.sent[0].0, Tick::from_ms(30), "{input:?} {wait}");
            assert_eq!(lab.ledger().finished, 1);
        }
    }
}

#[test]
fn a_session_that_is_not_opened_is_a_request_that_failed() {
    for (input, class) in [
        (
            Some(SocketInput::Failed(ErrorClass::Connect)),
            ErrorClass::Connect,
        ),
        (Some(SocketInput::Closed(1_000)), ErrorClass::Protocol),
        (None, ErrorClass::Timeout),
    ] {
        let mut talk = Talk::new(json!({}), json!([rpc("ping")]));
        match input {
            Some(input) => talk.at(10, input),
            None => talk.until_ms(5_000),
        }
        let (lab, step, socket) = talk.over();
        assert_eq!(step.errors.get(&class), Some(&1), "{:?}", step.errors);
        assert_eq!((socket.opened, socket.faulty, socket.judged), (0, 1, 1));
        assert_eq!(lab.sent.len(), 1, "the flow goes on");
    }
}

#[test]
fn a_target_that_does_not_close_is_waited_for_ten_seconds() {
    let mut talk = Talk::new(
        json!({"close": {"code": 4000, "reason": "enough"}}),
        json!([{"think": "1ms"}]),
    );
    talk.open_at(0);
    talk.until_ms(1);
    assert_eq!(talk.closed(), [(1, 4_000)]);
    talk.until_ms(10_001);
    let (lab, _, socket) = talk.over();
    assert_eq!(lab.aborted.len(), 1);
    assert_eq!(ended(&socket), [(SessionEnd::Error, 1)]);
    assert_eq!(socket.errors.get(&ErrorClass::Timeout), Some(&1));
    assert_eq!(lab.ledger().finished, 1);
}

#[test]
fn pings_are_sent_at_their_times_and_their_pongs_are_measured() {
    let mut talk = Talk::new(json!({"ping": "2s"}), json!([{"think": "7s"}]));
    talk.open_at(500);
    for ms in [2_500, 4_500, 6_500] {
        talk.until_ms(ms);
        talk.at(ms + 25, SocketInput::Pong);
    }
    talk.at(8_000, SocketInput::Closed(1_000));
    let pings: Vec<u64> = talk
        .lab
        .orders
        .iter()
        .filter(|(_, _, order)| *order == SocketOutput::Ping)
        .map(|(at, _, _)| at.as_ms())
        .collect();
    assert_eq!(pings, [2_500, 4_500, 6_500]);
    let (_, _, socket) = talk.over();
    assert_eq!((socket.ping_us.count(), ms(&socket.ping_us)), (3, 25));
}

#[test]
fn a_setup_ends_at_the_first_thing_that_goes_wrong_in_its_session() {
    let ws = json!({"url": "ws://127.0.0.1:9/ws", "steps": [rpc("create"), rpc("fill")]});
    let applications = json!([{"name": "reads", "steps": [
        {"name": "read", "request": {"method": "GET", "url": "/"}},
    ]}]);
    let setup = json!([{"name": "prepare", "ws": ws}]);
    let plan = plan(hold(1, 50), applications, json!({"setup": setup}));
    let assignment = Assignment {
        part: RunPart::Setup,
        ..whole(&plan)
    };
    let mut talk = Talk {
        lab: Lab::new(&plan, assignment),
        plan,
        before: Ledger::default(),
    };
    talk.until_ms(0);
    talk.open_at(10);
    talk.says(20, r#"{"id": 1, "error": {"code": 1}}"#);
    assert_eq!(talk.sent().len(), 1, "it goes no further");
    let ledger = talk.lab.ledger();
    assert_eq!((ledger.finished, ledger.interrupted), (0, 1));
    assert_eq!(ledger.imbalances(), []);
}

#[test]
fn a_session_of_a_user_who_is_stopped_is_cut_off() {
    let mut talk = Talk::new(json!({}), json!([rpc("ping")]));
    talk.open_at(10);
    talk.lab.batch.handle_input(Tick::from_ms(20), Input::Stop);
    let (lab, _, socket) = talk.over();
    assert_eq!(ended(&socket), [(SessionEnd::CutOff, 1)]);
    assert_eq!((socket.messages[&0].cut_off, socket.faulty), (1, 0));
    assert_eq!(lab.aborted.len(), 1);
    assert_eq!(lab.ledger().interrupted, 1);
}

#[test]
fn a_flow_that_never_waits_does_not_hold_up_the_others() {
    let tell = json!({"name": "tell", "send": {"text": "x"}});
    let mut talk = Talk::new(
        json!({}),
        json!([{"loop": {"times": 2_500, "steps": [tell]}}]),
    );
    talk.open_at(0);
    talk.until_ms(10);
    assert_eq!(talk.sent().len(), 2_500);
    let pauses = talk.sent().iter().filter(|(at, _)| *at > 0).count();
    assert!(pauses > 0, "it has taken a breath");
    talk.at(20, SocketInput::Closed(1_000));
    let (_, _, socket) = talk.over();
    assert_eq!((socket.sent, socket.messages[&0].one_way), (2_500, 2_500));
    assert_eq!(socket.connecting_us.count(), 1);
}
