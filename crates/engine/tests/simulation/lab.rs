//! A laboratory: one batch, a virtual clock and a target whose answers a test decides.
//!
//! The clock always moves to the earliest thing that happens, so a simulated hour costs no more than its events.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use sentinel_engine::batch::{
    Batch, Failure, Head, Input, Opening, Output, Request, RequestId, SocketOutput,
};
use sentinel_engine::error_class::ErrorClass;
use sentinel_engine::ledger::Ledger;
use sentinel_engine::parts::Parts;
use sentinel_engine::plan::{Plan, PlanOptions, PlanPart, PlanSource, RunPart, Via};
use sentinel_engine::response::Exchange;
use sentinel_engine::share::Share;
use sentinel_engine::tick::{Span, Tick};
use sentinel_engine::vu::VuCarry;
use sentinel_engine::window::Window;
use sentinel_engine::wire::{Assignment, BatchEnd, Frame, WIRE_VERSION};
use serde_json::{Value, json};

/// What every answer tells about the target's insides.
const SERVER_TIMING: &str = r#"do;desc="PostDO";dur=2;wake=1, d1;dur=5;queries=1;queue=3"#;

/// What the target does with a request.
pub(crate) enum Answer {
    /// It answers with this status after this time.
    Status(u16, Span),
    /// It answers with this status and location after this time.
    Redirect(u16, &'static str, Span),
    /// The connection breaks after this time.
    Reset(Span),
    /// It fails in this way after this time.
    Fails(ErrorClass, Span),
    /// It answers piece by piece, each at its time since the request was sent.
    Streams(VecDeque<(Span, Part)>),
    /// It never answers.
    Never,
}

/// A part of an answer that is a stream.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part {
    /// The header, with this status.
    Head(u16),
    /// A piece of the body.
    Piece(&'static str),
    /// The end of the body.
    End,
}

impl Answer {
    pub(crate) fn ok(latency_ms: u64) -> Self {
        Self::Status(200, Span::from_ms(latency_ms))
    }

    /// A redirect.
    pub(crate) fn redirect(status: u16, location: &'static str) -> Self {
        Self::Redirect(status, location, Span::from_ms(100))
    }

    /// A stream whose parts come so many milliseconds after the sending.
    pub(crate) fn streams(parts: &[(u64, Part)]) -> Self {
        let parts = parts.iter();
        Self::Streams(
            parts
                .map(|(ms, part)| (Span::from_ms(*ms), *part))
                .collect(),
        )
    }
}

/// One slice of one batch, played against a target.
pub(crate) struct Lab {
    pub(crate) batch: Batch,
    pub(crate) now: Tick,
    /// Every request with the time of its sending.
    pub(crate) sent: Vec<(Tick, Request)>,
    pub(crate) aborted: Vec<RequestId>,
    /// Every WebSocket that was to be opened, and all that was to be done with it.
    pub(crate) opened: Vec<(Tick, Opening)>,
    pub(crate) orders: Vec<(Tick, RequestId, SocketOutput)>,
    pub(crate) frames: Vec<Frame>,
    /// The most requests that were ever under way at once.
    pub(crate) under_way_max: usize,
    /// What the answers to requests for paths with this end set as cookies.
    pub(crate) set_cookie: Option<(&'static str, &'static str)>,
    answers: BinaryHeap<Reverse<(Tick, RequestId)>>,
    outcomes: BTreeMap<RequestId, Answer>,
}

impl Lab {
    pub(crate) fn new(plan: &Plan, assignment: Assignment) -> Self {
        Self {
            now: assignment.from,
            batch: Batch::new(plan.clone(), assignment),
            sent: Vec::new(),
            aborted: Vec::new(),
            opened: Vec::new(),
            orders: Vec::new(),
            frames: Vec::new(),
            under_way_max: 0,
            set_cookie: None,
            answers: BinaryHeap::new(),
            outcomes: BTreeMap::new(),
        }
    }

    /// Plays until the batch is done, or until `stop_at`.
    pub(crate) fn play_until(
        &mut self,
        stop_at: Tick,
        mut target: impl FnMut(Tick, &Request) -> Answer,
    ) -> bool {
        self.batch.handle_input(self.now, Input::Wake);
        loop {
            let wake = loop {
                match self.batch.poll_output() {
                    Output::Send(request) => self.accept(request, &mut target),
                    Output::Open(opening) => self.opened.push((self.now, opening)),
                    Output::Socket(id, order) => self.orders.push((self.now, id, order)),
                    Output::Abort(id) => {
                        self.outcomes.remove(&id);
                        self.aborted.push(id);
                    }
                    Output::Ship(frame) => self.frames.push(frame),
                    Output::WakeAt(at, _) => break at,
                    Output::Done => return true,
                }
            };
            let answer_at = self
                .answers
                .peek()
                .map_or(Tick::NEVER, |Reverse((at, _))| *at);
            let next = wake.min(answer_at);
            if next >= stop_at {
                self.now = stop_at;
                return false;
            }
            self.now = next;
            if answer_at <= wake {
                self.deliver();
            } else {
                self.batch.handle_input(self.now, Input::Wake);
            }
        }
    }

    /// Plays to the end.
    pub(crate) fn play(&mut self, target: impl FnMut(Tick, &Request) -> Answer) {
        assert!(
            self.play_until(Tick::NEVER, target),
            "the batch never ended"
        );
    }

    /// The end that the last frame told of.
    pub(crate) fn end(&self) -> &BatchEnd {
        self.frames
            .last()
            .and_then(|frame| frame.end.as_ref())
            .expect("the last frame tells of the end")
    }

    pub(crate) fn windows(&self) -> impl Iterator<Item = &Window> {
        self.frames.iter().flat_map(|frame| &frame.windows)
    }

    pub(crate) fn ledger(&self) -> Ledger {
        let mut ledger = Ledger::default();
        self.windows().for_each(|window| ledger += window.ledger);
        ledger
    }

    fn accept(&mut self, request: Request, target: &mut impl FnMut(Tick, &Request) -> Answer) {
        let answer = target(self.now, &request);
        if let Answer::Status(_, latency)
        | Answer::Redirect(_, _, latency)
        | Answer::Reset(latency)
        | Answer::Fails(_, latency) = answer
        {
            self.answers.push(Reverse((self.now + latency, request.id)));
        }
        if let Answer::Streams(parts) = &answer {
            let times = parts
                .iter()
                .map(|(after, _)| Reverse((self.now + *after, request.id)));
            self.answers.extend(times);
        }
        self.outcomes.insert(request.id, answer);
        self.sent.push((self.now, request));
        self.under_way_max = self.under_way_max.max(self.outcomes.len());
    }

    fn deliver(&mut self) {
        let Some(Reverse((_, id))) = self.answers.pop() else {
            return;
        };
        match self.outcomes.remove(&id) {
            Some(Answer::Status(status, _)) => self.answer(id, status, None),
            Some(Answer::Redirect(status, location, _)) => {
                self.answer(id, status, Some(location));
            }
            Some(Answer::Reset(_)) => self.fail(id, ErrorClass::Reset),
            Some(Answer::Fails(class, _)) => self.fail(id, class),
            Some(Answer::Streams(mut parts)) => {
                let part = parts.pop_front();
                self.outcomes.insert(id, Answer::Streams(parts));
                if let Some((_, part)) = part {
                    self.deliver_part(id, part);
                }
            }
            Some(Answer::Never) | None => {}
        }
    }

    fn answer(&mut self, id: RequestId, status: u16, location: Option<&str>) {
        let mut headers = vec![("server-timing".to_owned(), SERVER_TIMING.to_owned())];
        headers.extend(location.map(|to| ("location".to_owned(), to.to_owned())));
        if let Some((end, cookie)) = self.set_cookie {
            let mut requests = self.sent.iter().map(|(_, request)| request);
            if requests.any(|request| request.id == id && request.url.ends_with(end)) {
                headers.push(("set-cookie".to_owned(), cookie.to_owned()));
            }
        }
        let exchange = Exchange {
            status,
            headers: &headers,
            body: b"{}",
            bytes_received: 2,
            truncated: false,
            parts: Parts::default(),
        };
        self.batch
            .handle_input(self.now, Input::Answered(id, exchange));
    }

    fn deliver_part(&mut self, id: RequestId, part: Part) {
        let input = match part {
            Part::Head(status) => {
                let headers = &[];
                Input::Head(id, Head { status, headers })
            }
            Part::Piece(text) => Input::Chunk(id, text.as_bytes()),
            Part::End => {
                self.outcomes.remove(&id);
                let exchange = Exchange {
                    status: 200,
                    headers: &[],
                    body: b"",
                    bytes_received: 0,
                    truncated: false,
                    parts: Parts::default(),
                };
                Input::Answered(id, exchange)
            }
        };
        self.batch.handle_input(self.now, input);
    }

    fn fail(&mut self, id: RequestId, class: ErrorClass) {
        let failed = Input::Failed(id, Failure { class });
        self.batch.handle_input(self.now, failed);
    }
}

/// A plan with the applications and the profile that a test describes.
pub(crate) fn plan(profile: Value, applications: Value, extra: Value) -> Plan {
    plan_with(profile, applications, extra, options())
}

/// A part of such a plan.
pub(crate) fn part_of_plan(
    profile: Value,
    applications: Value,
    extra: Value,
    part: PlanPart,
) -> Plan {
    let options = PlanOptions { part, ..options() };
    plan_with(profile, applications, extra, options)
}

/// Such a plan with requests that reach the target another way.
pub(crate) fn plan_via(via: Via, profile: Value, applications: Value, extra: Value) -> Plan {
    let options = PlanOptions { via, ..options() };
    plan_with(profile, applications, extra, options)
}

fn plan_with(profile: Value, applications: Value, extra: Value, options: PlanOptions) -> Plan {
    let names: Vec<Value> = applications
        .as_array()
        .expect("a list of applications")
        .iter()
        .map(|application| json!({"name": application["name"], "weight": 1.0}))
        .collect();
    let mut scenario = json!({
        "name": "lab", "description": "", "applications": names, "userProfile": profile, "assertions": [],
    });
    for (key, value) in extra.as_object().expect("an object of further fields") {
        scenario[key] = value.clone();
    }
    let source = PlanSource {
        scenario: serde_json::from_value(scenario).expect("a scenario"),
        applications: serde_json::from_value(applications).expect("applications"),
        options,
    };
    Plan::parse(&source).expect("a plan without problems")
}

/// A plan with k6's or Artillery's words for its load instead of a profile, whose iterations read these paths.
pub(crate) fn load_plan(load: Value, paths: &[&str]) -> Plan {
    let several = load
        .as_object()
        .is_some_and(|load| load.values().all(Value::is_object));
    let field = if several { "scenarios" } else { "load" };
    let source = PlanSource {
        scenario: serde_json::from_value(json!({
            "name": "lab", "applications": [{"name": "reads", "weight": 1.0}], field: load,
            "requestTimeout": "10m",
        }))
        .expect("a scenario"),
        applications: serde_json::from_value(reads(paths)).expect("applications"),
        options: options(),
    };
    Plan::parse(&source).expect("a plan without problems")
}

/// A profile that holds `users` for `seconds`.
pub(crate) fn hold(users: u32, seconds: u64) -> Value {
    json!({
        "rampUp": {"from": users, "to": users, "duration": "0s"},
        "peak": {"users": users, "duration": format!("{seconds}s")},
        "steadyState": {"users": users, "duration": "0s"},
        "rampDown": {"to": 0, "duration": "0s"},
    })
}

/// An application whose steps are plain GETs of these paths.
pub(crate) fn reads(paths: &[&str]) -> Value {
    let step = |path: &&str| json!({"name": path, "request": {"method": "GET", "url": path}, "expect": {"status": 200}});
    json!([{"name": "reads", "steps": paths.iter().map(step).collect::<Vec<_>>(), "doInteractions": []}])
}

/// The first and only slice of a whole plan.
pub(crate) fn whole(plan: &Plan) -> Assignment {
    let until = Tick::ZERO + plan.duration() + plan.graceful_stop();
    slice(Share::WHOLE, 0, Tick::ZERO, until, Vec::new())
}

/// A slice that goes on from `carry`.
pub(crate) fn slice(
    share: Share,
    slice: u32,
    from: Tick,
    until: Tick,
    carry: Vec<VuCarry>,
) -> Assignment {
    Assignment {
        version: WIRE_VERSION,
        run: "lab".to_owned(),
        part: RunPart::Load,
        epoch_ms: 1_700_000_000_000,
        slice,
        share,
        from,
        until,
        played_through: from,
        begun: Vec::new(),
        carry,
        away: Vec::new(),
        hands_over_after: None,
        handed_over: Vec::new(),
        slots: None,
    }
}

fn options() -> PlanOptions {
    serde_json::from_value(json!({
        "baseUrl": "http://127.0.0.1:9", "allowedHosts": ["127.0.0.1:9", "127.0.0.1:10"], "allowPrivate": true, "ownHosts": [],
        "seed": 1, "users": null, "duration": null, "usersMax": 1_000_000, "durationMaxS": 100_000,
    }))
    .expect("options")
}
