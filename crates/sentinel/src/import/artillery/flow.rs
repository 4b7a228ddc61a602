//! The steps of a flow: requests, and what stands between them.

use serde_json::{Value, json};

use super::payload;
use super::request::{self, METHODS};
use super::script::Defaults;
use super::socket;
use super::template::Scope;
use crate::import::draft::{Draft, Names};
use crate::import::tree::Node;

/// No waiting time is longer, in seconds.
const THINK_S_MAX: f64 = 3_600.0;
/// No loop has more turns.
const TURNS_MAX: f64 = 1_000_000.0;

/// A flow that is being imported.
pub(super) struct Flow<'a> {
    draft: &'a mut Draft,
    scope: &'a mut Scope,
    defaults: &'a Defaults,
    names: &'a mut Names,
    /// Whether it is played on a WebSocket, where messages are sent.
    on_socket: bool,
}

impl<'a> Flow<'a> {
    /// A flow whose requests have these names besides those that are taken.
    pub(super) fn new(
        draft: &'a mut Draft,
        scope: &'a mut Scope,
        defaults: &'a Defaults,
        names: &'a mut Names,
    ) -> Self {
        Self {
            draft,
            scope,
            defaults,
            names,
            on_socket: false,
        }
    }

    /// As [`Self::new`], of a flow that is played on a WebSocket.
    pub(super) fn on_socket(
        draft: &'a mut Draft,
        scope: &'a mut Scope,
        defaults: &'a Defaults,
        names: &'a mut Names,
    ) -> Self {
        Self {
            on_socket: true,
            ..Self::new(draft, scope, defaults, names)
        }
    }

    /// The steps of a list.
    pub(super) fn steps(&mut self, list: &Node<'_>) -> Vec<Value> {
        list.list()
            .iter()
            .flat_map(|step| self.step(step))
            .collect()
    }

    fn step(&mut self, step: &Node<'_>) -> Vec<Value> {
        let mut steps = Vec::new();
        for method in METHODS {
            if let Some(request) = step.get(method) {
                steps.extend(self.request(method, &request));
            }
        }
        for method in ["head", "options"] {
            step.leave_member(method, "accepted are GET, POST, PUT, PATCH and DELETE");
        }
        if let Some(send) = step.get("send").filter(|_| self.on_socket) {
            steps.push(socket::send(&send, self.draft, self.scope, self.names));
        }
        if let Some(think) = step.get("think") {
            steps.extend(self.think(&think));
        }
        if let Some(list) = step.get("loop") {
            steps.extend(self.repeated(step, &list));
        }
        if let Some(parallel) = step.get("parallel") {
            for mut inner in self.steps(&parallel) {
                if inner.get("request").is_some() {
                    inner["parallel"] = json!(true);
                }
                steps.push(inner);
            }
        }
        for (field, reason) in [
            ("log", "nothing is written while a run goes on"),
            ("function", "functions are not carried over"),
            ("whileTrue", "functions are not carried over"),
        ] {
            step.leave_member(field, reason);
        }
        steps
    }

    fn request(&mut self, method: &str, request: &Node<'_>) -> Option<Value> {
        request::step(
            method,
            request,
            self.draft,
            self.scope,
            self.defaults,
            self.names,
        )
    }

    fn think(&self, think: &Node<'_>) -> Option<Value> {
        let text = think.value().as_str().map(str::trim);
        let duration =
            text.filter(|text| !text.is_empty() && sentinel_engine::duration::parse(text).is_ok());
        let duration = match (think.value().as_f64(), duration) {
            (Some(seconds), _) if (0.0..=THINK_S_MAX).contains(&seconds) => format!("{seconds}s"),
            (_, Some(text)) => text.to_owned(),
            _ => {
                think.leave("is no time that is known beforehand, up to an hour");
                return None;
            }
        };
        think.carry();
        Some(json!({ "think": duration }))
    }

    fn repeated(&mut self, step: &Node<'_>, list: &Node<'_>) -> Option<Value> {
        let over = step.get("over").and_then(|over| self.over(&over));
        let element = over.as_ref().map(|(_, place)| place.clone());
        if let Some(place) = element {
            self.scope.enter(place);
        }
        let steps = self.steps(list);
        if over.is_some() {
            self.scope.exit();
        }
        if let Some(value) = step.get("loopValue") {
            value.leave("the element of the loop has one name, $loopElement");
        }
        let count = step.get("count");
        let times = count.as_ref().and_then(Node::number);
        let times = times.filter(|times| times.fract() == 0.0 && (1.0..=TURNS_MAX).contains(times));
        if let (Some(count), None) = (&count, times) {
            count.leave("is no number of turns that is known beforehand: there is one turn");
        }
        if steps.is_empty() {
            return None;
        }
        let repeated = match over {
            Some((table, _)) => json!({ "over": table, "steps": steps }),
            None => json!({ "times": times.unwrap_or(1.0) as u64, "steps": steps }), // a whole number
        };
        Some(json!({ "loop": repeated }))
    }

    /// The table that a loop goes through, and the place of its element.
    fn over(&mut self, over: &Node<'_>) -> Option<(String, String)> {
        if !over.value().is_array() {
            over.leave("loops go over lists that are written in the script: there is one turn");
            return None;
        }
        let items = over.items();
        let rows: Vec<Vec<String>> = items
            .iter()
            .filter_map(Node::scalar)
            .map(|text| vec![text])
            .collect();
        if rows.is_empty() {
            return None;
        }
        let columns = ["element".to_owned()];
        let table = payload::table(
            "loop",
            &columns,
            rows,
            "sequential",
            over,
            self.draft,
            self.scope,
        );
        let place = format!("{{{{data.{table}.element}}}}");
        Some((table, place))
    }
}
