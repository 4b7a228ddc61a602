//! The paths of the server: what is asked by whom, and who answers it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use hyper::header::{AUTHORIZATION, LOCATION};
use hyper::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::sync::broadcast;

use super::board::{Board, Order};
use super::specs;
use super::subscriber::Subscriber;
use crate::services::fault::Faults;
use crate::services::reply::{Call, Reply};
use crate::services::talk::Talk;

/// What can be made to go wrong.
pub(crate) const OPERATIONS: &[&str] = &[
    HEALTH, CREATE, LIST, GET, REMOVE, SPEC, SEARCH, CONNECT, MESSAGE,
];

/// A message over a WebSocket.
pub(super) const MESSAGE: &str = "ws.message";

const HEALTH: &str = "health";
const CREATE: &str = "missions.create";
const LIST: &str = "missions.list";
const GET: &str = "missions.get";
const REMOVE: &str = "missions.delete";
const SPEC: &str = "specs.get";
const SEARCH: &str = "specs.search";
const CONNECT: &str = "ws.connect";

/// The server's state.
#[derive(Debug)]
pub(crate) struct Missions {
    faults: Arc<Faults>,
    board: Mutex<Board>,
    news: broadcast::Sender<String>,
    started: Instant,
}

/// Which operation a request asks for.
///
/// # Errors
/// The refusal of what is none, and of callers without the key.
pub(crate) fn operation(call: &Call<'_>) -> Result<&'static str, Reply> {
    let segments: Vec<&str> = call.path.split('/').skip(1).collect();
    let method = call.method;
    let operation = match segments.as_slice() {
        ["api", "health"] => one(method, &[(Method::GET, HEALTH)], "GET"),
        ["api", "missions"] => {
            let known = [(Method::GET, LIST), (Method::POST, CREATE)];
            one(method, &known, "GET, POST")
        }
        ["api", "missions", _] => {
            let known = [(Method::GET, GET), (Method::DELETE, REMOVE)];
            one(method, &known, "GET, DELETE")
        }
        ["api", "specs", "search"] => one(method, &[(Method::GET, SEARCH)], "GET"),
        ["api", "specs", _] => one(method, &[(Method::GET, SPEC)], "GET"),
        ["ws"] => one(method, &[(Method::GET, CONNECT)], "GET"),
        _ => Err(Reply::not_found()),
    }?;
    let presented = match operation {
        HEALTH => return Ok(operation),
        CONNECT => call.parameter("token"),
        _ => {
            let field = call.field(AUTHORIZATION);
            let token = field.and_then(|field| field.strip_prefix("Bearer "));
            token.map(str::to_owned)
        }
    };
    if presented.as_deref() == Some(API_KEY) {
        Ok(operation)
    } else {
        let message = "the API key is missing or not known";
        Err(Reply::error(StatusCode::UNAUTHORIZED, message))
    }
}

impl Missions {
    /// A server without missions.
    pub(crate) fn new(faults: Arc<Faults>) -> Self {
        Self {
            faults,
            board: Mutex::default(),
            news: broadcast::Sender::new(NEWS_MAX),
            started: Instant::now(),
        }
    }

    /// Does what the operation of a request is.
    pub(crate) fn answer(&self, operation: &str, call: &Call<'_>) -> Reply {
        let id = call.path.rsplit('/').next().unwrap_or_default();
        match operation {
            HEALTH => {
                let up = self.started.elapsed().as_secs();
                let missions = self.board().len();
                let health = json!({ "status": "ok", "uptimeS": up, "missions": missions });
                Reply::json(StatusCode::OK, &health)
            }
            CREATE => self.create(call).unwrap_or_else(|refusal| refusal),
            LIST => self.list(call),
            GET => found(self.board().get(id)),
            REMOVE => self.remove(id),
            SPEC => found(specs::get(id)),
            SEARCH => match call.parameter("q").filter(|words| !words.is_empty()) {
                Some(words) => Reply::json(StatusCode::OK, &Value::Array(specs::search(&words))),
                None => Reply::error(StatusCode::BAD_REQUEST, "q is missing: words to look for"),
            },
            CONNECT => {
                let subscriber = Subscriber::new(&self.news, Arc::clone(&self.faults));
                Reply::Socket(Box::new(Talk::Missions(subscriber)))
            }
            _ => Reply::not_found(),
        }
    }

    fn create(&self, call: &Call<'_>) -> Result<Reply, Reply> {
        let order: Order = call.json()?;
        let problems = order.problems();
        if !problems.is_empty() {
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            return Err(Reply::error(status, problems.join("; ")));
        }
        let mission = self.board().add(order);
        self.tell("mission.created", &mission);
        let place = format!(
            "/api/missions/{}",
            mission["id"].as_str().unwrap_or_default()
        );
        Ok(Reply::json(StatusCode::CREATED, &mission).with(LOCATION, &place))
    }

    fn list(&self, call: &Call<'_>) -> Reply {
        let limit = call.parameter("limit");
        let limit = limit.map_or(Some(LIST_DEFAULT), |text| text.parse().ok());
        match limit.filter(|limit| (1..=LIST_MAX).contains(limit)) {
            Some(limit) => {
                let newest = self.board().newest(limit);
                Reply::json(StatusCode::OK, &Value::Array(newest))
            }
            None => {
                let message = format!("limit: accepted are 1 to {LIST_MAX}");
                Reply::error(StatusCode::BAD_REQUEST, message)
            }
        }
    }

    fn remove(&self, id: &str) -> Reply {
        if !self.board().remove(id) {
            return Reply::not_found();
        }
        self.tell("mission.deleted", &json!({ "id": id }));
        Reply::whole(StatusCode::NO_CONTENT, "application/json", "")
    }

    fn tell(&self, kind: &str, mission: &Value) {
        let news = json!({ "type": kind, "channel": "missions", "mission": mission });
        // Perhaps nobody listens.
        let _ = self.news.send(news.to_string());
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn one(
    method: &Method,
    known: &[(Method, &'static str)],
    allowed: &'static str,
) -> Result<&'static str, Reply> {
    let found = known.iter().find(|(known, _)| known == method);
    found
        .map(|(_, operation)| *operation)
        .ok_or_else(|| Reply::wrong_method(allowed))
}

fn found(value: Option<Value>) -> Reply {
    value.map_or_else(Reply::not_found, |value| {
        Reply::json(StatusCode::OK, &value)
    })
}

/// The key that callers present. It protects nothing: the server exists to be tried out.
const API_KEY: &str = "test-api-key";

const LIST_DEFAULT: usize = 50;
const LIST_MAX: usize = 500;

/// How much a subscriber may be behind until it misses something.
const NEWS_MAX: usize = 1_024;
