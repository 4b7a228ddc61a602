//! OpenAPI 3: one request for each operation, with the examples of the description.

use serde_json::{Map, Value, json};

use super::draft::{Application, Draft, Load, Names, literal};
use super::tree::Node;

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];
/// A plan has no more requests.
const REQUESTS_MAX: usize = 256;
/// Schemas in schemas, and references to references.
const DEPTH_MAX: usize = 16;
/// An example is made of no more schemas.
const SCHEMAS_MAX: u32 = 2_000;
const EXAMPLE: &str = "of what it describes an example is sent";
const NOT_SENT: &str = "describes, and is in no request";

/// Imports a description.
pub(super) fn import(root: &Node<'_>, name: &str) -> Draft {
    let mut draft = Draft::new(name);
    let title = root
        .get("info")
        .and_then(|info| info.get("title"))
        .and_then(|title| title.text());
    draft.description = format!(
        "Imported from the OpenAPI description of {}.",
        title.unwrap_or(name)
    );
    draft.load = Load::One(Map::from_iter([
        ("vus".to_owned(), json!(1)),
        ("iterations".to_owned(), json!(1)),
    ]));
    let server = root
        .get("servers")
        .and_then(|servers| servers.items().into_iter().next());
    let server = server
        .and_then(|server| server.get("url"))
        .and_then(|url| url.text());
    draft.target = server.map(str::to_owned);
    let mut application = Application::new(&draft.name.clone());
    let mut names = Names::default();
    let secured = root.get("security");
    for (path, item) in root
        .get("paths")
        .map(|paths| paths.members())
        .unwrap_or_default()
    {
        let shared = item
            .get("parameters")
            .map(|parameters| parameters.list())
            .unwrap_or_default();
        for method in METHODS {
            let Some(operation) = item.get(method) else {
                continue;
            };
            if application.steps.len() == REQUESTS_MAX {
                operation.leave(format!("a plan has at most {REQUESTS_MAX} requests"));
                continue;
            }
            let parameters = operation
                .get("parameters")
                .map(|list| list.list())
                .unwrap_or_default();
            let mut request = Operation {
                root,
                draft: &mut draft,
                headers: Map::new(),
                params: Map::new(),
                url: literal(path),
            };
            for parameter in shared.iter().chain(&parameters) {
                request.parameter(parameter);
            }
            request.security(operation.get("security").as_ref().or(secured.as_ref()));
            let body = if method == "get" {
                None
            } else {
                request.body(&operation)
            };
            application
                .steps
                .push(request.step(method, path, &operation, body, &mut names));
        }
        for method in ["head", "options", "trace"] {
            item.leave_member(method, "accepted are GET, POST, PUT, PATCH and DELETE");
        }
    }
    for (name, member) in root.members() {
        if [
            "openapi",
            "info",
            "tags",
            "components",
            "externalDocs",
            "webhooks",
        ]
        .contains(&name)
            || name.starts_with("x-")
        {
            for (field, inner) in member.members() {
                if (name, field) != ("info", "title") {
                    inner.leave(NOT_SENT);
                }
            }
            if !member.value().is_object() {
                member.leave(NOT_SENT);
            }
        }
    }
    if !application.steps.is_empty() {
        draft.applications.push((application, 1.0));
    }
    draft
}

/// A request that is being put together.
struct Operation<'a, 'b> {
    root: &'b Node<'a>,
    draft: &'b mut Draft,
    headers: Map<String, Value>,
    params: Map<String, Value>,
    url: String,
}

impl Operation<'_, '_> {
    fn parameter(&mut self, written: &Node<'_>) {
        let parameter = resolve(written.value(), self.root.value());
        let text = |field: &str| {
            parameter
                .get(field)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let (name, place) = (text("name"), text("in"));
        let is_required = parameter.get("required") == Some(&json!(true));
        let example = example(parameter, self.root.value());
        written.leave(EXAMPLE);
        match place {
            "path" => {
                let value = example.as_ref().and_then(plain);
                let filled = match value {
                    Some(value) => self.draft.env(name, &value),
                    None => self.missing(name, "a parameter of a path", written),
                };
                self.url = self.url.replace(&format!("{{{name}}}"), &filled);
            }
            "query" | "header" if example.is_some() || is_required => {
                let value = match example.as_ref().and_then(plain) {
                    Some(value) => literal(&value),
                    None => self.missing(name, "a parameter that has no example", written),
                };
                let list = if place == "query" {
                    &mut self.params
                } else {
                    &mut self.headers
                };
                list.insert(name.to_owned(), json!(value));
            }
            "query" | "header" => written.note("is optional and has no example: it is not sent"),
            _ => written.note("cookies are those that answers set"),
        }
    }

    fn missing(&mut self, name: &str, what: &str, node: &Node<'_>) -> String {
        let (variable, place) = self.draft.fill_in(name);
        node.fill_in(&variable, what);
        place
    }

    /// The first way in that the description offers; what it needs has to be filled in.
    fn security(&mut self, security: Option<&Node<'_>>) {
        let Some(security) = security else {
            return;
        };
        security.carry();
        let Some(first) = security.list().into_iter().next() else {
            return;
        };
        for (name, _) in first.members() {
            let pointer = format!(
                "/components/securitySchemes/{}",
                name.replace('~', "~0").replace('/', "~1")
            );
            let scheme = self.root.value().pointer(&pointer).unwrap_or(&Value::Null);
            let text = |field: &str| {
                scheme
                    .get(field)
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned()
            };
            let place = self.missing(
                &name.to_ascii_uppercase(),
                "a secret that the API asks for",
                &first,
            );
            match (text("type").as_str(), text("in").as_str()) {
                ("apiKey", "query") => {
                    self.params.insert(text("name"), json!(place));
                }
                ("apiKey", "header") => {
                    self.headers.insert(text("name"), json!(place));
                }
                ("http", _) if text("scheme").eq_ignore_ascii_case("basic") => {
                    self.headers
                        .insert("Authorization".to_owned(), json!(format!("Basic {place}")));
                }
                ("http" | "oauth2" | "openIdConnect", _) => {
                    self.headers
                        .insert("Authorization".to_owned(), json!(format!("Bearer {place}")));
                }
                _ => first.note(format!("{name} is no way in that is known here")),
            }
        }
    }

    fn body(&mut self, operation: &Node<'_>) -> Option<Value> {
        let written = operation.get("requestBody")?;
        let body = resolve(written.value(), self.root.value());
        let content = body.get("content")?.as_object()?;
        let json_type = content.iter().find(|(kind, _)| kind.contains("json"));
        let (kind, media) = json_type.or_else(|| content.iter().next())?;
        written.leave(EXAMPLE);
        let Some(example) = example(media, self.root.value()) else {
            written.note("has no example: nothing is sent");
            return None;
        };
        if content.len() > 1 {
            written.note(format!("of several kinds of bodies {kind} is sent"));
        }
        if kind.contains("json") && example.is_object() {
            return Some(literal_json(&example));
        }
        self.headers.insert("Content-Type".to_owned(), json!(kind));
        Some(json!(literal(
            &plain(&example).unwrap_or_else(|| example.to_string())
        )))
    }

    fn step(
        self,
        method: &str,
        path: &str,
        operation: &Node<'_>,
        body: Option<Value>,
        names: &mut Names,
    ) -> Value {
        let method = method.to_ascii_uppercase();
        let id = operation.get("operationId").and_then(|id| id.text());
        let name = id.map_or_else(|| format!("{method} {path}"), str::to_owned);
        let mut request = json!({ "method": method, "url": self.url });
        for (field, map) in [("params", self.params), ("headers", self.headers)] {
            if !map.is_empty() {
                request[field] = Value::Object(map);
            }
        }
        if let Some(body) = body {
            request["body"] = body;
        }
        let mut step = json!({ "name": names.unique(&name), "request": request });
        if let Some(responses) = operation.get("responses") {
            let expected: Vec<u16> = responses
                .members()
                .iter()
                .filter_map(|(code, _)| code.parse().ok().filter(|code| (200..400).contains(code)))
                .collect();
            if !expected.is_empty() {
                step["expect"] = json!({ "status": expected });
            }
            responses.carry();
            responses.note("of answers only the status is expected");
        }
        for (field, member) in operation.members() {
            if [
                "summary",
                "description",
                "tags",
                "externalDocs",
                "deprecated",
                "callbacks",
                "servers",
            ]
            .contains(&field)
                || field.starts_with("x-")
            {
                member.leave(NOT_SENT);
            }
        }
        step
    }
}

/// What a reference leads to.
fn resolve<'a>(value: &'a Value, root: &'a Value) -> &'a Value {
    let mut value = value;
    for _ in 0..DEPTH_MAX {
        let reference = value.get("$ref").and_then(Value::as_str);
        let Some(pointer) = reference.and_then(|reference| reference.strip_prefix('#')) else {
            break;
        };
        let Some(found) = root.pointer(pointer) else {
            break;
        };
        value = found;
    }
    value
}

/// The example of a parameter or of a kind of body: its own, or one that its schema gives.
fn example(described: &Value, root: &Value) -> Option<Value> {
    if let Some(example) = described.get("example") {
        return Some(example.clone());
    }
    let examples = described.get("examples").and_then(Value::as_object);
    let first = examples.and_then(|examples| examples.values().next());
    if let Some(value) = first.and_then(|first| resolve(first, root).get("value")) {
        return Some(value.clone());
    }
    let mut sampler = Sampler {
        root,
        within: Vec::new(),
        left: SCHEMAS_MAX,
    };
    sampler.of_schema(described.get("schema")?)
}

/// Makes an example of a schema. It ends where schemas lead in circles, and after a bounded number of them.
struct Sampler<'a> {
    root: &'a Value,
    /// The schemas that the current one is in.
    within: Vec<&'a Value>,
    left: u32,
}

impl<'a> Sampler<'a> {
    /// An example, `None` where the schema gives none.
    fn of_schema(&mut self, schema: &'a Value) -> Option<Value> {
        let schema = resolve(schema, self.root);
        self.left = self.left.checked_sub(1)?;
        if self.within.iter().any(|outer| std::ptr::eq(*outer, schema))
            || self.within.len() >= DEPTH_MAX
        {
            return None;
        }
        self.within.push(schema);
        let example = Self::given(schema).or_else(|| self.made(schema));
        self.within.pop();
        example
    }

    /// What the schema itself names.
    fn given(schema: &Value) -> Option<Value> {
        let one = ["example", "default", "const"]
            .into_iter()
            .find_map(|field| schema.get(field));
        let lists = ["examples", "enum"].into_iter();
        let first = || lists.filter_map(|field| schema.get(field)?.get(0)).next();
        one.or_else(first).cloned()
    }

    /// What its parts make up.
    fn made(&mut self, schema: &'a Value) -> Option<Value> {
        for field in ["oneOf", "anyOf"] {
            let parts = schema.get(field).and_then(Value::as_array);
            if let Some(found) =
                parts.and_then(|parts| parts.iter().find_map(|part| self.of_schema(part)))
            {
                return Some(found);
            }
        }
        let parts = schema
            .get("allOf")
            .and_then(Value::as_array)
            .map(Vec::as_slice);
        let mut members = Map::new();
        for part in parts.unwrap_or_default() {
            if let Some(Value::Object(more)) = self.of_schema(part) {
                members.extend(more);
            }
        }
        for (name, property) in schema
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            if let Some(value) = self.of_schema(property) {
                members.insert(name.clone(), value);
            }
        }
        if !members.is_empty() {
            return Some(Value::Object(members));
        }
        let item = self.of_schema(schema.get("items")?)?;
        Some(json!([item]))
    }
}

/// A text, number or truth value as text.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn literal_json(value: &Value) -> Value {
    match value {
        Value::String(text) => json!(literal(text)),
        Value::Array(items) => items.iter().map(literal_json).collect(),
        Value::Object(members) => {
            let members = members
                .iter()
                .map(|(name, value)| (name.clone(), literal_json(value)));
            Value::Object(members.collect())
        }
        other => other.clone(),
    }
}
