//! Signs in KV: whoever can write a key can stop a run, or everything, even when the API is down.
//!
//! Invariant: the keys exist before they are needed, because KV also remembers for a while that a key does
//! not exist, and a sign that was set later would not be seen in time. When KV does not answer, runs go on.

use js_sys::futures::JsFuture;
use js_sys::{Array, Map, Object, Promise, Reflect};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use worker::{Env, Result};

use crate::limits::KV_TTL_S_MIN;

/// The key that stops everything. `run` lets runs go on; anything else stops them, so that nobody in a hurry
/// can write the wrong word.
pub(crate) const STOP_ALL_KEY: &str = "loadtest:stop-all";

const RUNNING: &str = "running";
const CANCELLED: &str = "cancelled";
const RUN: &str = "run";
const STOP: &str = "stop";

/// Why a run is to stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    /// It was cancelled.
    Cancelled,
    /// Everything is to stop, for this reason.
    StopAll(String),
}

/// Says that the run may go on. To be called before anybody can know the run's identifier.
///
/// # Errors
/// When KV refuses.
pub(crate) async fn raise(env: &Env, run: &str, duration_s: u64) -> Result<()> {
    mark(env, run, RUNNING, duration_s).await
}

/// Says that the run is to stop.
///
/// # Errors
/// When KV refuses.
pub(crate) async fn cancel(env: &Env, run: &str) -> Result<()> {
    mark(env, run, CANCELLED, 0).await
}

/// Whether the run is to stop, and why: one operation of KV for both keys.
pub(crate) async fn sign(env: &Env, run: &str) -> Option<Sign> {
    let [everything, own] = [STOP_ALL_KEY, &key(run)].map(JsValue::from);
    let values = namespace(env)
        .ok()?
        .get_many(&Array::of2(&everything, &own));
    let values: Map = JsFuture::from(values.ok()?).await.ok()?.dyn_into().ok()?;
    if let Some(value) = values.get(&everything).as_string()
        && let Some(reason) = stop_reason(&value)
    {
        return Some(Sign::StopAll(reason));
    }
    let value = values.get(&own).as_string()?;
    (value.trim() == CANCELLED).then_some(Sign::Cancelled)
}

/// Why everything is to stop, `None` when it is not, or KV does not answer.
pub(crate) async fn stop_all(env: &Env) -> Option<String> {
    let value = get(&namespace(env).ok()?, STOP_ALL_KEY).await.ok()?;
    value.as_deref().and_then(stop_reason)
}

/// Stops everything, or with `None` lets runs go on.
///
/// # Errors
/// When KV refuses.
pub(crate) async fn set_stop_all(env: &Env, reason: Option<&str>) -> Result<()> {
    let value = reason.map_or_else(|| RUN.to_owned(), |reason| format!("{STOP}: {reason}"));
    put(&namespace(env)?, STOP_ALL_KEY, &value, None).await
}

/// Creates the key that stops everything, unless it exists.
///
/// # Errors
/// When KV refuses.
pub(crate) async fn create_stop_all(env: &Env) -> Result<()> {
    let namespace = namespace(env)?;
    match get(&namespace, STOP_ALL_KEY).await? {
        Some(_) => Ok(()),
        None => put(&namespace, STOP_ALL_KEY, RUN, None).await,
    }
}

/// The reason for a stop as it is stored and shown: on one line and short, whoever wrote it.
pub(crate) fn shortened(reason: &str) -> String {
    let text: String = reason
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(REASON_CHARS_MAX)
        .collect();
    match text.trim() {
        "" => "no reason was given".to_owned(),
        text => text.to_owned(),
    }
}

fn stop_reason(value: &str) -> Option<String> {
    let text = value.trim();
    if text.eq_ignore_ascii_case(RUN) {
        return None;
    }
    let reason = match text.split_once(':') {
        Some((word, reason)) if word.eq_ignore_ascii_case(STOP) => reason,
        _ if text.eq_ignore_ascii_case(STOP) => "",
        _ => text,
    };
    Some(shortened(reason))
}

/// Sets the sign of a run that is known for this long.
async fn mark(env: &Env, run: &str, value: &str, duration_s: u64) -> Result<()> {
    let ttl_s = duration_s.saturating_add(LEFTOVER_S);
    put(&namespace(env)?, &key(run), value, Some(ttl_s)).await
}

fn namespace(env: &Env) -> Result<Namespace> {
    Ok(Reflect::get(env, &JsValue::from(BINDING))?.unchecked_into())
}

async fn get(namespace: &Namespace, key: &str) -> Result<Option<String>> {
    Ok(JsFuture::from(namespace.get(key)?).await?.as_string())
}

async fn put(namespace: &Namespace, key: &str, value: &str, ttl_s: Option<u64>) -> Result<()> {
    let options = Object::new();
    if let Some(ttl_s) = ttl_s {
        let name = JsValue::from("expirationTtl");
        Reflect::set(&options, &name, &JsValue::from(ttl_s as f64))?;
    }
    JsFuture::from(namespace.put(key, value, &options)?).await?;
    Ok(())
}

// Not `worker::KvStore`, whose values and options of all kinds are 9 KB of the Worker.
#[wasm_bindgen]
extern "C" {
    /// A namespace of KV.
    type Namespace;

    #[wasm_bindgen(method, catch)]
    fn get(this: &Namespace, key: &str) -> std::result::Result<Promise, JsValue>;

    /// Answers a `Map`.
    #[wasm_bindgen(method, catch, js_name = get)]
    fn get_many(this: &Namespace, keys: &Array) -> std::result::Result<Promise, JsValue>;

    #[wasm_bindgen(method, catch)]
    fn put(
        this: &Namespace,
        key: &str,
        value: &str,
        options: &Object,
    ) -> std::result::Result<Promise, JsValue>;
}

fn key(run: &str) -> String {
    format!("loadtest:cancel:{run}")
}

const BINDING: &str = "MONITOR_KV";

/// The longest reason that is kept, in characters.
const REASON_CHARS_MAX: usize = 200;

/// How long the key outlives its run: far more than a run can be late.
const LEFTOVER_S: u64 = 24 * 3_600;
const _: () = assert!(LEFTOVER_S >= KV_TTL_S_MIN);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_word_lets_runs_go_on() {
        for value in ["run", " run\n", "RUN"] {
            assert_eq!(stop_reason(value), None, "{value:?}");
        }
        for (value, reason) in [
            ("stop", "no reason was given"),
            ("", "no reason was given"),
            ("STOP: the target is on fire", "the target is on fire"),
            ("stop:", "no reason was given"),
            ("cancelled", "cancelled"),
            ("10:30, Grove is down", "10:30, Grove is down"),
            ("running", "running"),
            ("stop: two\nlines", "two lines"),
        ] {
            assert_eq!(stop_reason(value).as_deref(), Some(reason), "{value:?}");
        }
        let long = stop_reason(&"é".repeat(1_000)).expect("a stop");
        assert_eq!(long.chars().count(), REASON_CHARS_MAX);
    }
}
