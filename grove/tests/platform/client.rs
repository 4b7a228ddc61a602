//! HTTP with what the tests need around it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use devstack::{DevStack, Options, Project, Service};
use serde_json::{Value, json};
use tempfile::TempDir;
use ureq::Agent;
use ureq::http::{HeaderMap, Request};

/// Grove, and another Worker beside it.
pub(crate) struct Grove {
    stack: DevStack,
    agent: Agent,
    _project: TempDir,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    /// A field of the header, or nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// The status and the code of an error.
    pub(crate) fn refusal(&self) -> (u16, String) {
        let code = self.json()["code"].as_str().unwrap_or_default().to_owned();
        (self.status, code)
    }
}

impl Grove {
    /// Starts Grove as it was built, with nothing stored.
    pub(crate) fn start() -> Self {
        let own = Path::new(env!("CARGO_MANIFEST_DIR"));
        let project = TempDir::new().expect("a temporary folder");
        symlink(own, project.path().join("grove")).expect("a link");
        fs::create_dir(project.path().join("src")).expect("a folder");
        for file in ["wrangler.toml", "src/worker.js"] {
            let neighbour = own.join("tests/neighbour");
            fs::copy(neighbour.join(file), project.path().join(file)).expect("a copy");
        }
        let stack = DevStack::start(Options::default().project(Project::at(project.path())))
            .expect("the stack starts");
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .build()
            .into();
        Self {
            stack,
            agent,
            _project: project,
        }
    }

    /// Where Grove listens, without a slash at the end.
    pub(crate) fn url(&self) -> String {
        self.stack.grove_url()
    }

    /// Kills Grove as a crash of the machine would, and starts it again.
    pub(crate) fn crash(&mut self) {
        self.stack.kill_hard(Service::Grove);
        self.stack.restart(Service::Grove).expect("Grove starts");
    }

    /// A request without a body.
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], Vec::new())
    }

    /// A request with a JSON body.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        let headers = [("Content-Type", "application/json")];
        self.send("POST", path, &headers, body.to_string().into_bytes())
    }

    /// The same, in somebody's name.
    pub(crate) fn post_as(&self, token: &str, path: &str, body: &Value) -> Answer {
        let bearer = format!("Bearer {token}");
        let headers = [
            ("Content-Type", "application/json"),
            ("Authorization", bearer.as_str()),
        ];
        self.send("POST", path, &headers, body.to_string().into_bytes())
    }

    /// Any request to Grove.
    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Answer {
        self.send_to(&format!("{}{path}", self.url()), method, headers, body)
    }

    /// A request that the other Worker hands on to an object of Grove.
    pub(crate) fn call_object(
        &self,
        binding: &str,
        name: &str,
        method: &str,
        path: &str,
        body: &Value,
    ) -> Answer {
        let url = format!("{}/objects/{binding}/{name}{path}", self.stack.url());
        let body = match method {
            "GET" => Vec::new(),
            _ => body.to_string().into_bytes(),
        };
        self.send_to(&url, method, &[], body)
    }

    fn send_to(&self, url: &str, method: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Answer {
        let mut request = Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let outcome = if body.is_empty() && method == "GET" {
            self.agent.run(request.body(()).expect("a request"))
        } else {
            self.agent.run(request.body(body).expect("a request"))
        };
        let mut response = outcome.unwrap_or_else(|error| panic!("{method} {url}: {error}"));
        Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response
                .body_mut()
                .with_config()
                .limit(20 << 20)
                .read_to_vec()
                .expect("a whole answer"),
        }
    }

    /// Signs somebody in; the tokens' JSON.
    pub(crate) fn sign_in(&self, user: &str, tenant: &str) -> Value {
        let code = self.code(user, tenant);
        let answer = self.post(
            "/oauth/token",
            &json!({"grant_type": "authorization_code", "code": code}),
        );
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    /// Signs somebody in; the access token.
    pub(crate) fn token(&self, user: &str, tenant: &str) -> String {
        text(&self.sign_in(user, tenant)["access_token"])
    }

    /// An authorization code.
    pub(crate) fn code(&self, user: &str, tenant: &str) -> String {
        let answer = self.get(&format!(
            "/oauth/authorize?client_id=tests&redirect_uri=/oauth/callback\
             &response_type=code&state=xyz&tenant={tenant}&user_hint={user}"
        ));
        assert_eq!(answer.status, 302, "{answer:?}");
        text(&answer.json()["code"])
    }
}

/// A JSON string's text.
pub(crate) fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is not a text"))
        .to_owned()
}

/// Does something in `threads` threads at once, `times` times in each.
pub(crate) fn at_once<T: Send>(
    threads: usize,
    times: usize,
    work: impl Fn(usize) -> T + Sync,
) -> Vec<T> {
    std::thread::scope(|scope| {
        let work = &work;
        let running: Vec<_> = (0..threads)
            .map(|thread| {
                scope.spawn(move || {
                    (0..times)
                        .map(|time| work(thread * times + time))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        running
            .into_iter()
            .flat_map(|thread| thread.join().expect("no panic"))
            .collect()
    })
}
