//! What every handler works with: the bindings, the token key and the request's timings.
//!
//! Invariant: every call of an object, of D1 and of R2 goes through this module or `store`, so
//! that none is missing from `Server-Timing`.

use serde::{Serialize, de::DeserializeOwned};
use wasm_bindgen::JsValue;
use worker::{D1Database, Env, Headers, Method, Request, RequestInit, Response, Stub};

use crate::error::{ApiError, ApiResult, ErrorBody};
use crate::fault::{self, Component};
use crate::timing::{self, Entry, Timings};
use crate::token::{RANDOM_BYTES, TokenKey};

/// Local development needs no secret: its tokens are good for nothing elsewhere.
const LOCAL_TOKEN_KEY: &str = "grove in local development";

/// A class of Durable Objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ObjectClass {
    Session,
    Tenant,
    Post,
    Stats,
    Gate,
}

impl ObjectClass {
    /// The class name, as in wrangler.toml and in `Server-Timing`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Session => "SessionDO",
            Self::Tenant => "TenantDO",
            Self::Post => "PostDO",
            Self::Stats => "StatsDO",
            Self::Gate => "GateDO",
        }
    }

    fn binding(self) -> &'static str {
        match self {
            Self::Session => "SESSIONS",
            Self::Tenant => "TENANTS",
            Self::Post => "POSTS",
            Self::Stats => "STATS",
            Self::Gate => "GATE",
        }
    }

    fn component(self) -> Option<Component> {
        match self {
            Self::Session => Some(Component::SessionDO),
            Self::Tenant => Some(Component::TenantDO),
            Self::Post => Some(Component::PostDO),
            Self::Stats | Self::Gate => None,
        }
    }
}

/// The platform as one request sees it.
pub(crate) struct App {
    /// The bindings.
    pub(crate) env: Env,
    /// What the request has cost so far.
    pub(crate) timings: Timings,
}

impl App {
    /// A platform with empty timings.
    pub(crate) fn new(env: Env) -> Self {
        Self {
            env,
            timings: Timings::default(),
        }
    }

    /// Whether this is local development, where the test knobs work and cookies go over HTTP.
    pub(crate) fn is_local(&self) -> bool {
        self.env
            .var("ENVIRONMENT")
            .is_ok_and(|value| value.to_string() == "local")
    }

    /// The key that signs tokens.
    pub(crate) fn token_key(&self) -> ApiResult<TokenKey> {
        let key = match self.env.secret("TOKEN_KEY") {
            Ok(secret) => TokenKey::new(&secret.to_string()),
            Err(_) if self.is_local() => TokenKey::new(LOCAL_TOKEN_KEY),
            Err(_) => None,
        };
        key.ok_or_else(|| {
            ApiError::new(
                500,
                "misconfigured",
                "the secret TOKEN_KEY is missing or shorter than 16 characters",
            )
        })
    }

    /// The database of posts.
    pub(crate) fn database(&self) -> ApiResult<D1Database> {
        self.env
            .d1("DB")
            .map_err(|error| ApiError::unavailable("the database", "misconfigured", &error))
    }

    /// Calls an object and reads its JSON answer. An error answer of the object becomes the
    /// caller's error; an object that does not answer is a 503.
    pub(crate) async fn call<Answer: DeserializeOwned>(
        &self,
        class: ObjectClass,
        name: &str,
        operation: Operation<'_, impl Serialize>,
    ) -> ApiResult<Answer> {
        let started_ms = now_ms();
        let outcome = match class.component() {
            Some(component) => {
                fault::slow_down(self, component, || self.send(class, name, &operation)).await
            }
            None => self.send(class, name, &operation).await,
        };
        let woke = outcome.as_ref().is_ok_and(|response| {
            response
                .headers()
                .get("Server-Timing")
                .ok()
                .flatten()
                .is_some_and(|header| timing::object_woke(&header))
        });
        let failed = outcome
            .as_ref()
            .map_or(true, |response| response.status_code() >= 500);
        if class.component().is_some() {
            self.timings.push(Entry::Object {
                class: class.name(),
                duration_ms: now_ms() - started_ms,
                woke,
                failed,
            });
        }
        let unavailable = |error: &worker::Error| {
            ApiError::unavailable(class.name(), "object_unavailable", error)
        };
        let mut response = outcome.map_err(|error| unavailable(&error))?;
        let bytes = response
            .bytes()
            .await
            .map_err(|error| unavailable(&error))?;
        if response.status_code() >= 400 {
            let body: ErrorBody = serde_json::from_slice(&bytes)
                .map_err(|error| unavailable(&worker::Error::from(error)))?;
            return Err(ApiError::new(response.status_code(), body.code, body.error));
        }
        serde_json::from_slice(&bytes).map_err(|error| unavailable(&worker::Error::from(error)))
    }

    async fn send(
        &self,
        class: ObjectClass,
        name: &str,
        operation: &Operation<'_, impl Serialize>,
    ) -> worker::Result<Response> {
        let stub: Stub = self
            .env
            .durable_object(class.binding())?
            .get_by_name(name)?;
        // An object has no address of its own; only the path counts.
        let url = format!("https://object{}", operation.path);
        match &operation.body {
            None if operation.method == Method::Get => stub.fetch_with_str(&url).await,
            body => {
                let mut init = RequestInit::new();
                init.with_method(operation.method.clone());
                if let Some(body) = body {
                    let headers = Headers::new();
                    headers.set("Content-Type", "application/json")?;
                    init.with_headers(headers);
                    init.with_body(Some(JsValue::from(serde_json::to_string(body)?)));
                }
                stub.fetch_with_request(Request::new_with_init(&url, &init)?)
                    .await
            }
        }
    }
}

/// One request to an object.
pub(crate) struct Operation<'a, Body: Serialize> {
    method: Method,
    path: &'a str,
    body: Option<Body>,
}

impl<'a> Operation<'a, ()> {
    /// A question.
    pub(crate) fn get(path: &'a str) -> Self {
        Self {
            method: Method::Get,
            path,
            body: None,
        }
    }
}

impl<'a, Body: Serialize> Operation<'a, Body> {
    /// A change.
    pub(crate) fn post(path: &'a str, body: Body) -> Self {
        Self {
            method: Method::Post,
            path,
            body: Some(body),
        }
    }
}

/// Unix milliseconds. At the edge the clock stands still between I/O.
pub(crate) fn now_ms() -> f64 {
    worker::js_sys::Date::now()
}

/// The same as a whole number, for tables.
pub(crate) fn now_whole_ms() -> u64 {
    worker::Date::now().as_millis()
}

/// Bytes nobody can guess.
pub(crate) fn random_bytes<const N: usize>() -> ApiResult<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| {
        ApiError::unavailable(
            "the source of randomness",
            "internal",
            &worker::Error::RustError(error.to_string()),
        )
    })?;
    Ok(bytes)
}

/// Fresh bytes for a token.
pub(crate) fn token_bytes() -> ApiResult<[u8; RANDOM_BYTES]> {
    random_bytes()
}
