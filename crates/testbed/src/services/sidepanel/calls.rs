//! The methods of the side panel.

use serde_json::{Value, json};

use super::panel::{Outcome, Panel};
use super::rpc::{Refusal, Request};
use super::session::{Full, Session};

pub(super) const PING: &str = "ping";
pub(super) const OPEN: &str = "session.open";
pub(super) const MESSAGE: &str = "session.message";
pub(super) const CONTEXT: &str = "context.update";
pub(super) const FILE: &str = "file.add";
pub(super) const BALANCE: &str = "balance.get";
pub(super) const SNAPSHOT: &str = "snapshot.create";
pub(super) const RESTORE: &str = "snapshot.restore";
pub(super) const BRANCH: &str = "branch.create";
pub(super) const TOOL: &str = "tool.call";

/// Does what a call asks for.
pub(super) fn call(panel: &mut Panel, request: &Request) -> Result<Outcome, Refusal> {
    let act: fn(&mut Session, &Request) -> Result<Value, Refusal> = match request.method.as_str() {
        PING => return Ok(Outcome::of(json!({ "pong": true }))),
        OPEN => return open(panel, request),
        MESSAGE => return message(panel, request),
        BALANCE => |session, _| Ok(balance(session)),
        CONTEXT => context,
        FILE => file,
        SNAPSHOT => |session, _| {
            let (snapshot, messages) = session.snapshot();
            Ok(json!({ "snapshot": snapshot, "messages": messages }))
        },
        RESTORE => restore,
        BRANCH => branch,
        TOOL => tool,
        _ => return Err(Refusal::method()),
    };
    let (result, before, after) = with(panel, |session| {
        let before = session.revision;
        (act(session, request), before, session.revision)
    })?;
    let mut outcome = Outcome::of(result?);
    if after != before {
        outcome.news.push(state(request, after));
    }
    Ok(outcome)
}

impl Outcome {
    fn of(result: Value) -> Self {
        Self {
            result,
            news: Vec::new(),
        }
    }
}

fn with<T>(panel: &mut Panel, act: impl FnOnce(&mut Session) -> T) -> Result<T, Refusal> {
    let session = panel.session();
    let done = panel.desk.with(session, act);
    done.ok_or_else(|| Refusal::own("the session is gone: open another one"))
}

fn state(request: &Request, revision: u64) -> (&'static str, Value) {
    let params = json!({ "revision": revision, "cause": request.method });
    ("state.update", params)
}

fn balance(session: &Session) -> Value {
    json!({ "credits": session.credits, "spent": session.spent })
}

/// Opens the session that is named, or a new one.
fn open(panel: &mut Panel, request: &Request) -> Result<Outcome, Refusal> {
    let number = match request.params.get("session") {
        None => panel.desk.create(),
        Some(written) => {
            let number = written.as_str().and_then(|text| text.strip_prefix(PREFIX));
            let number = number.and_then(|number| number.parse().ok());
            number.ok_or_else(|| Refusal::params("session: the name of a session".to_owned()))?
        }
    };
    let told = panel.desk.with(number, |session| {
        let (messages, files) = session.counts();
        json!({
            "session": format!("{PREFIX}{number}"), "revision": session.revision, "branch": session.branch(),
            "messages": messages, "files": files,
        })
    });
    let told = told.ok_or_else(|| Refusal::own("there is no such session"))?;
    panel.attach(number);
    Ok(Outcome::of(told))
}

fn message(panel: &mut Panel, request: &Request) -> Result<Outcome, Refusal> {
    let content = request.text("content", CONTENT_BYTES_MAX)?;
    let (said, balance, revision) = with(panel, |session| {
        (session.say(content), balance(session), session.revision)
    })?;
    let (number, cost) = said.map_err(refused)?;
    let words = content.split_whitespace().count();
    let reply = format!("I have read {words} words.");
    Ok(Outcome {
        result: json!({ "message": number, "reply": reply, "cost": cost }),
        news: vec![("balance.update", balance), state(request, revision)],
    })
}

fn context(session: &mut Session, request: &Request) -> Result<Value, Refusal> {
    let wrong = || Refusal::params("files: a list of paths".to_owned());
    let files = request
        .params
        .get("files")
        .and_then(Value::as_array)
        .ok_or_else(wrong)?;
    let paths = files
        .iter()
        .map(|path| path.as_str().map(str::to_owned).ok_or_else(wrong));
    let count = session
        .set_context(paths.collect::<Result<_, _>>()?)
        .map_err(refused)?;
    Ok(json!({ "files": count }))
}

fn file(session: &mut Session, request: &Request) -> Result<Value, Refusal> {
    let path = request.text("path", NAME_BYTES_MAX)?;
    let content = request.text("content", CONTENT_BYTES_MAX)?;
    let count = session.add_file(path, content).map_err(refused)?;
    Ok(json!({ "files": count }))
}

fn restore(session: &mut Session, request: &Request) -> Result<Value, Refusal> {
    let number = request.params.get("snapshot").and_then(Value::as_u64);
    let number = number.ok_or_else(|| Refusal::params("snapshot: a number".to_owned()))?;
    let messages = session.restore(number);
    let messages = messages.ok_or_else(|| Refusal::own("there is no such snapshot"))?;
    Ok(json!({ "messages": messages, "branch": session.branch() }))
}

fn branch(session: &mut Session, request: &Request) -> Result<Value, Refusal> {
    let name = request.text("name", NAME_BYTES_MAX)?;
    let count = session.fork(name).map_err(refused)?;
    Ok(json!({ "branch": name, "branches": count }))
}

fn tool(session: &mut Session, request: &Request) -> Result<Value, Refusal> {
    match request.text("tool", NAME_BYTES_MAX)? {
        "read_file" => {
            let content = session.file(request.text("path", NAME_BYTES_MAX)?);
            let content = content.ok_or_else(|| Refusal::own("there is no such file"))?;
            Ok(json!({ "content": content }))
        }
        "search" => {
            let found = session.search(request.text("text", NAME_BYTES_MAX)?);
            Ok(json!({ "files": found }))
        }
        _ => Err(Refusal::params(
            "tool: accepted are read_file and search".to_owned(),
        )),
    }
}

fn refused(Full(why): Full) -> Refusal {
    Refusal::own(why)
}

const PREFIX: &str = "session-";
const NAME_BYTES_MAX: usize = 256;
const CONTENT_BYTES_MAX: usize = 262_144;
