//! From what a file says about a session over a WebSocket to what is played on it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::parse::{check_name, shown};
use super::problem::{Checked, Report};
use super::program::Numbers;
use super::request::{self, Scope};
use super::step::{self, checks, extractions};
use super::stream::span_within;
use super::types::{Extraction, Step};
use crate::check::Check;
use crate::extractor::{Extractor, is_token};
use crate::scenario::{
    CheckConfig, ExpectConfig, ExpectedStatuses, ExtractMap, ExtractPick, Method, NamedMap,
    ReceiveStep, ReplyKind, RequestConfig, RequestStep, SendConfig, SendStep, SocketConfig,
    SocketStep,
};
use crate::sorted::SortedSet;
use crate::template::{Escape, Template, TemplateBuilder};
use crate::tick::Span;

/// What is played on a WebSocket.
#[derive(Clone, Debug)]
pub struct Session {
    /// The subprotocols that are offered.
    pub protocols: Vec<String>,
    /// The messages that are sent.
    pub messages: Vec<Message>,
    /// Where the id of a message is found.
    pub id: Extractor,
    /// Where the type of a message is found by which it is counted.
    pub kind: Option<Extractor>,
    /// How often a ping is sent.
    pub ping: Option<Span>,
    /// What is held against each message that arrives.
    pub checks: Vec<Check>,
    /// The code with which it is closed.
    pub close_code: u16,
    /// The reason with which it is closed.
    pub close_reason: String,
}

/// A message that is sent, or that is waited for.
#[derive(Clone, Debug)]
pub struct Message {
    /// The name in the results, unique in its session.
    pub name: String,
    /// What is sent or waited for.
    pub act: Act,
    /// How long the answer may take, or the message that is waited for; as long as that to a request when absent.
    pub timeout: Option<Span>,
    /// What is held against the answer, or the message that is waited for.
    pub checks: Vec<Check>,
    /// Values to take from it.
    pub extractions: Vec<Extraction>,
}

/// What is done with a message.
#[derive(Clone, Debug)]
pub enum Act {
    /// It is sent.
    Send {
        /// What it says.
        content: Content,
        /// Which message answers it.
        reply: ReplyKind,
        /// Whether the flow waits for the answer.
        waits: bool,
    },
    /// It is waited for: the places that are looked at, and their values.
    Receive(Vec<(Extractor, Value)>),
}

/// What a message says.
#[derive(Clone, Debug)]
pub enum Content {
    /// A text.
    Text(Template),
    /// Bytes.
    Binary(Vec<u8>),
    /// A call of JSON-RPC: the object from its method on.
    Rpc(Template),
}

impl Session {
    /// All checks, those on answers included.
    pub(crate) fn every_check(&self) -> impl Iterator<Item = &Check> {
        let of_messages = self.messages.iter().flat_map(|message| &message.checks);
        self.checks.iter().chain(of_messages)
    }

    /// The values that are taken from messages.
    pub(super) fn extractions(&self) -> impl Iterator<Item = &Extraction> {
        self.messages
            .iter()
            .flat_map(|message| &message.extractions)
    }

    /// The templates of which messages are made.
    pub(super) fn templates(&self) -> impl Iterator<Item = &Template> {
        self.messages
            .iter()
            .filter_map(|message| match &message.act {
                Act::Send {
                    content: Content::Text(text) | Content::Rpc(text),
                    ..
                } => Some(text),
                Act::Send { .. } | Act::Receive(_) => None,
            })
    }
}

/// A session whose steps are being read.
#[derive(Debug)]
pub(super) struct Draft {
    session: Session,
    names: SortedSet<String>,           // of messages
    names_of_checks: SortedSet<String>, // of the whole session
}

/// Checks a session at `path`: the step of its handshake, and what is known before its steps are read.
pub(super) fn open(
    written: &SocketStep,
    path: &str,
    scope: &Scope<'_>,
    numbers: &mut Numbers,
    report: &mut Report,
) -> (Checked<Step>, Draft) {
    let config = &written.ws;
    let handshake = step::parse(&handshake(written), path, "ws", &[], scope, numbers, report);
    let path = format!("{path}.ws");
    let place = |text: &str, field: &str, report: &mut Report| {
        let path = format!("{path}.{field}");
        let place = report.check(&path, Extractor::parse(text))?;
        if place.wants_json() {
            return Ok(place);
        }
        let message = format_args!("{} is not a JSON path", shown(text));
        Err(report.problem(path, message))
    };
    let id = place(config.id.as_deref().unwrap_or(ID_DEFAULT), "id", report);
    let kind = config
        .kind
        .as_deref()
        .map(|text| place(text, "type", report));
    let ping = config.ping.as_deref();
    let ping = ping.map(|text| span(text, format!("{path}.ping"), PING_MIN, report));
    let mut names_of_checks = SortedSet::new();
    let written = config.checks.as_deref();
    let of_all = checks_of(
        written,
        &format!("{path}.checks"),
        &mut names_of_checks,
        numbers,
        report,
    );
    let protocols = protocols(config, &path, report);
    let close = close(config, &path, report);
    let mut result = Ok(());
    if config.steps.is_empty() {
        let message = "is empty: what is played on the WebSocket is missing";
        result = Err(report.problem(format!("{path}.steps"), message));
    }
    let (code, reason) = close.unwrap_or_default();
    let draft = Draft {
        session: Session {
            protocols: protocols.unwrap_or_default(),
            messages: Vec::new(),
            id: id.unwrap_or(Extractor::Body), // then a problem has been reported
            kind: kind.transpose().unwrap_or_default(),
            ping: ping.transpose().unwrap_or_default(),
            checks: of_all.unwrap_or_default(),
            close_code: code,
            close_reason: reason,
        },
        names: SortedSet::new(),
        names_of_checks,
    };
    (handshake.and_then(|step| result.map(|()| step)), draft)
}

impl Draft {
    /// The session with all of its messages.
    pub(super) fn finish(self) -> Session {
        self.session
    }

    /// Adds a message that is sent, and answers its place.
    pub(super) fn send(
        &mut self,
        written: &SendStep,
        path: &str,
        scope: &Scope<'_>,
        numbers: &mut Numbers,
        report: &mut Report,
    ) -> Checked<u16> {
        let SendStep { name, send } = written;
        let inner = format!("{path}.send");
        let content = content(send, &inner, scope, report);
        let usual = if send.rpc.is_some() {
            ReplyKind::Id
        } else {
            ReplyKind::None
        };
        let reply = send.reply.unwrap_or(usual);
        let mut result = Ok(());
        if reply == ReplyKind::Id && send.binary.is_some() {
            let message = "bytes have no id: accepted are \"echo\", \"next\" and \"none\"";
            result = Err(report.problem(format!("{inner}.reply"), message));
        }
        let asks = send.checks.is_some() || send.extract.is_some() || send.timeout.is_some();
        if reply == ReplyKind::None && asks {
            let message =
                "says nothing about an answer: \"timeout\", \"checks\" and \"extract\" need one";
            result = Err(report.problem(format!("{inner}.reply"), message));
        }
        let looks = Looks {
            timeout: send.timeout.as_deref(),
            checks: send.checks.as_deref(),
            extract: send.extract.as_ref(),
        };
        let content = content.and_then(|content| result.map(|()| content));
        let act = content.map(|content| Act::Send {
            content,
            reply,
            waits: reply != ReplyKind::None && !send.background,
        });
        self.add(name, act, &looks, (path, &inner), scope, numbers, report)
    }

    /// Adds a message that is waited for, and answers its place.
    pub(super) fn receive(
        &mut self,
        written: &ReceiveStep,
        path: &str,
        scope: &Scope<'_>,
        numbers: &mut Numbers,
        report: &mut Report,
    ) -> Checked<u16> {
        let ReceiveStep { name, receive } = written;
        let inner = format!("{path}.receive");
        let mut conditions = Ok(Vec::new());
        for (place, value) in receive.only.iter().flat_map(NamedMap::iter) {
            let path = format!("{inner}.only.{place}");
            match (report.check(path, Extractor::parse(place)), &mut conditions) {
                (Ok(place), Ok(conditions)) => conditions.push((place, value.clone())),
                (Ok(_), Err(_)) => {}
                (Err(reported), _) => conditions = Err(reported),
            }
        }
        let looks = Looks {
            timeout: receive.timeout.as_deref(),
            checks: receive.checks.as_deref(),
            extract: receive.extract.as_ref(),
        };
        let act = conditions.map(Act::Receive);
        self.add(name, act, &looks, (path, &inner), scope, numbers, report)
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "what is known where a message stands"
    )]
    fn add(
        &mut self,
        name: &str,
        act: Checked<Act>,
        looks: &Looks<'_>,
        (path, inner): (&str, &str),
        scope: &Scope<'_>,
        numbers: &mut Numbers,
        report: &mut Report,
    ) -> Checked<u16> {
        let path = format!("{path}.name");
        let mut result = check_name(name, &path, report);
        if !self.names.insert(name.to_owned()) {
            let message = format!("{} is the name of two messages of the session", shown(name));
            result = Err(report.problem(path, message));
        }
        let names = &mut self.names_of_checks;
        let checks = checks_of(
            looks.checks,
            &format!("{inner}.checks"),
            names,
            numbers,
            report,
        );
        let extractions = extractions(looks.extract, &format!("{inner}.extract"), scope, report);
        let timeout = looks.timeout.map(|text| {
            let path = format!("{inner}.timeout");
            span(text, path, Span::from_ms(1), report)
        });
        let place = super::program::place(self.session.messages.len());
        if self.session.messages.len() >= MESSAGES_MAX {
            let message = format_args!("has more than {MESSAGES_MAX} messages");
            return Err(report.problem(inner, message));
        }
        result?;
        let extractions = extractions?;
        if extractions.iter().any(|e| e.pick == ExtractPick::Random) {
            let message = "\"pick\" cannot be \"random\" in a message";
            return Err(report.problem(format!("{inner}.extract"), message));
        }
        self.session.messages.push(Message {
            name: name.to_owned(),
            act: act?,
            timeout: timeout.transpose()?,
            checks: checks?,
            extractions,
        });
        Ok(place)
    }
}

/// What is looked at in a message that arrives.
struct Looks<'a> {
    timeout: Option<&'a str>,
    checks: Option<&'a [CheckConfig]>,
    extract: Option<&'a ExtractMap>,
}

/// The request with which a WebSocket is opened. Only its answer 101 opens it.
fn handshake(written: &SocketStep) -> RequestStep {
    let SocketConfig {
        url,
        params,
        headers,
        ..
    } = &written.ws;
    let schemes = [("ws://", "http://"), ("wss://", "https://")];
    let plain = schemes.iter().find_map(|(scheme, http)| {
        let rest = url.strip_prefix(scheme)?;
        Some(format!("{http}{rest}"))
    });
    RequestStep {
        name: written.name.clone(),
        request: RequestConfig {
            method: Method::Get,
            url: plain.unwrap_or_else(|| url.clone()),
            headers: headers.clone(),
            params: params.clone(),
            body: None,
        },
        expect: ExpectConfig {
            status: Some(ExpectedStatuses::One(101)),
            ..ExpectConfig::default()
        },
        extract: None,
        stream: None,
        parallel: false,
        background: false,
        probability: None,
        repeat_pattern: None,
        unless_set: None,
        variants: None,
        think: None,
    }
}

fn content(
    send: &SendConfig,
    path: &str,
    scope: &Scope<'_>,
    report: &mut Report,
) -> Checked<Content> {
    let SendConfig {
        text,
        json,
        binary,
        rpc,
        ..
    } = send;
    let template = |template: Checked<Template>, field: &str, report: &mut Report| {
        let template = template?;
        scope.check_template(&template, &format!("{path}.{field}"), report)?;
        Ok(template)
    };
    let object = |object: &Map<String, Value>, field: &str, report: &mut Report| {
        let mut builder = TemplateBuilder::new(scope.names);
        let added = request::append_object(object, &mut builder);
        let made = report.check(format!("{path}.{field}"), added);
        template(made.map(|()| builder.finish()), field, report)
    };
    match (text, json, binary, rpc) {
        (Some(text), None, None, None) => {
            let made = Template::parse(text, Escape::Plain, scope.names);
            let made = report.check(format!("{path}.text"), made);
            template(made, "text", report).map(Content::Text)
        }
        (None, Some(json), None, None) => object(json, "json", report).map(Content::Text),
        (None, None, Some(binary), None) => {
            let bytes = STANDARD.decode(binary);
            report
                .check(format!("{path}.binary"), bytes)
                .map(Content::Binary)
        }
        (None, None, None, Some(rpc)) => {
            let mut call = Map::new();
            call.insert("method".to_owned(), json!(rpc.method));
            call.extend(
                rpc.params
                    .clone()
                    .map(|params| ("params".to_owned(), params)),
            );
            object(&call, "rpc", report).map(Content::Rpc)
        }
        _ => Err(report.problem(
            path,
            "needs exactly one of \"text\", \"json\", \"binary\" and \"rpc\"",
        )),
    }
}

fn protocols(config: &SocketConfig, path: &str, report: &mut Report) -> Checked<Vec<String>> {
    let protocols = config.protocols.clone().unwrap_or_default();
    let mut seen = SortedSet::new();
    let wrong = |protocol: &&String| !is_token(protocol) || !seen.insert((*protocol).clone());
    match protocols.iter().find(wrong) {
        None => Ok(protocols),
        Some(wrong) => {
            let wrong = shown(wrong);
            let message = format!("{wrong} is no name of a subprotocol, or is offered twice");
            Err(report.problem(format!("{path}.protocols"), message))
        }
    }
}

fn close(config: &SocketConfig, path: &str, report: &mut Report) -> Checked<(u16, String)> {
    let Some(close) = &config.close else {
        return Ok((CLOSE_NORMAL, String::new()));
    };
    let path = format!("{path}.close");
    let code = close.code.unwrap_or(i64::from(CLOSE_NORMAL));
    let code = u16::try_from(code)
        .ok()
        .filter(|code| *code == CLOSE_NORMAL || (3_000..5_000).contains(code))
        .ok_or_else(|| {
            let message = format_args!(
                "{code} is no code that a client may close with: accepted are 1000 and 3000 to 4999"
            );
            report.problem(format!("{path}.code"), message)
        });
    let reason = close.reason.clone().unwrap_or_default();
    if reason.len() > CLOSE_REASON_BYTES_MAX {
        let message = format_args!("is longer than {CLOSE_REASON_BYTES_MAX} bytes");
        return Err(report.problem(format!("{path}.reason"), message));
    }
    Ok((code?, reason))
}

/// As [`checks`], with names that outlive what is written.
fn checks_of(
    written: Option<&[CheckConfig]>,
    path: &str,
    names: &mut SortedSet<String>,
    numbers: &mut Numbers,
    report: &mut Report,
) -> Checked<Vec<Check>> {
    let known = names.clone();
    let mut borrowed = SortedSet::from_iter(known.iter().map(String::as_str));
    let checks = checks(written, path, &mut borrowed, numbers, report);
    names.extend(
        written
            .into_iter()
            .flatten()
            .map(|check| check.name.clone()),
    );
    checks
}

fn span(text: &str, path: String, min: Span, report: &mut Report) -> Checked<Span> {
    span_within(text, path, [min, SPAN_MAX], report)
}

/// The member that JSON-RPC uses.
const ID_DEFAULT: &str = "$.id";

/// Nothing went wrong (RFC 6455).
const CLOSE_NORMAL: u16 = 1_000;

/// The most that fits into a control frame beside the code (RFC 6455).
const CLOSE_REASON_BYTES_MAX: usize = 123;

/// More pings would be a load of their own.
const PING_MIN: Span = Span::from_ms(100);

const SPAN_MAX: Span = Span::from_secs(3_600);

/// Each is a row of results.
const MESSAGES_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::plan::parse::tests::{problems, source};
    use crate::plan::{Plan, PlanSource};

    /// A plan whose first application plays these steps.
    fn playing(steps: Value) -> PlanSource {
        let mut source = source();
        let application = source.applications.first_mut().expect("an application");
        application.steps = serde_json::from_value(steps).expect("steps");
        application.variants = None;
        source
    }

    fn session(ws: Value) -> PlanSource {
        playing(json!([{"name": "chat", "ws": ws}]))
    }

    #[test]
    fn a_session_is_a_request_that_expects_101_and_what_is_played_behind_it() {
        let steps = json!([
            {"name": "a", "send": {"rpc": {"method": "m"}}},
            {"loop": {"times": 2, "steps": [{"name": "b", "receive": {}}]}},
            {"name": "c", "request": {"method": "GET", "url": "/c"}},
        ]);
        let url = "wss://grove.place/ws";
        let plan = Plan::parse(&session(json!({"url": url, "steps": steps}))).expect("a plan");
        let (application, chat) = plan.sockets().next().expect("a session");
        let names: Vec<_> = application.steps.iter().map(|step| &step.name).collect();
        assert_eq!(names, ["chat", "c"]);
        assert_eq!(chat.url.literal_start(), "https://grove.place/ws");
        assert!(chat.expected.accepts(101) && !chat.expected.accepts(200));
        assert_eq!(
            chat.socket.as_ref().map(|session| session.messages.len()),
            Some(2)
        );
        for step in &application.steps {
            let found = plan.step(step.id).map(|(_, step)| &step.name);
            assert_eq!(found, Some(&step.name), "numbers follow the order");
        }
    }

    #[test]
    fn what_cannot_be_played_is_refused_with_its_path() {
        let send = |more: Value| json!({"url": "/ws", "steps": [{"name": "a", "send": more}]});
        for (ws, part) in [
            (
                json!({"url": "/ws", "steps": []}),
                "steps[0].ws.steps: is empty",
            ),
            (
                json!({"url": "https://evil.com/", "steps": [{"think": "1s"}]}),
                "steps[0].ws.url: ",
            ),
            (
                send(json!({})),
                "steps[0].ws.steps[0].send: needs exactly one of",
            ),
            (
                send(json!({"text": "x", "binary": "AA=="})),
                "needs exactly one of",
            ),
            (send(json!({"binary": "?"})), "send.binary: "),
            (
                send(json!({"text": "{{none}}"})),
                "send.text: unknown variable",
            ),
            (
                send(json!({"text": "x", "timeout": "1s"})),
                "send.reply: says nothing about an answer",
            ),
            (
                send(json!({"binary": "AA==", "reply": "id"})),
                "send.reply: bytes have no id",
            ),
            (
                send(json!({"text": "x", "reply": "echo", "timeout": "2h"})),
                "send.timeout: \"2h\" is out of range",
            ),
            (
                json!({"url": "/ws", "id": "body", "steps": [{"think": "1s"}]}),
                "ws.id: \"body\" is not a JSON path",
            ),
            (
                json!({"url": "/ws", "close": {"code": 1001}, "steps": [{"think": "1s"}]}),
                "ws.close.code: 1001 is no code",
            ),
            (
                json!({"url": "/ws", "protocols": ["a", "a"], "steps": [{"think": "1s"}]}),
                "ws.protocols: \"a\" is no name",
            ),
            (
                json!({"url": "/ws", "steps": [{"name": "in", "ws": {"url": "/ws", "steps": [{"think": "1s"}]}}]}),
                "steps[0].ws.steps[0].ws: a session inside of a session",
            ),
            (
                json!({"url": "/ws", "steps": [{"name": "a", "receive": {}}, {"name": "a", "receive": {}}]}),
                "steps[1].name: \"a\" is the name of two messages",
            ),
        ] {
            let text = problems(&session(ws));
            assert!(text.contains(part), "{text}\n{part}");
        }
        let text = problems(&playing(json!([{"name": "a", "send": {"text": "x"}}])));
        assert!(
            text.contains("steps[0]: \"send\" and \"receive\" stand in"),
            "{text}"
        );
    }
}
