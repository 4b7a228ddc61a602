//! Test knobs: make Grove slower, failing or narrow from now on, as a whole or in one part.
//!
//! They exist so that a load tester can be tested against a target whose weakness is known.
//! They work in local development only, and the isolate forgets them when it ends.
//! Invariant: with a capacity set, at most that many requests (or calls of the part) are served
//! at once; the others wait in `GateDO` in the order of their arrival.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::app::{App, ObjectClass, Operation};
use crate::error::{ApiError, ApiResult};
use crate::input;
use crate::objects::{Enter, Leave, Left, Permit};
use crate::route::Endpoint;

const DELAY_MS_MAX: u32 = 60_000;
const CAPACITY_MAX: u32 = 10_000;

/// A part of the platform that a fault can be put into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Component {
    SessionDO,
    TenantDO,
    PostDO,
    D1,
    R2,
}

/// What is wrong with Grove from now on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fault {
    /// Added to each request or call, in ms, 0 to 60,000.
    #[serde(default)]
    delay_ms: u32,
    /// The part of the requests or calls that fail, 0 to 1.
    #[serde(default)]
    error_rate: f64,
    /// How many are served at once, 1 to 10,000; the delay counts as being served.
    #[serde(default)]
    capacity: Option<u32>,
    /// Only this route, named as in `/__stats`.
    #[serde(default)]
    route: Option<String>,
    /// Only calls of this part, instead of whole requests.
    #[serde(default)]
    component: Option<Component>,
}

impl Fault {
    /// Reads and checks a fault.
    pub(crate) fn parse(json: &[u8]) -> ApiResult<Self> {
        let fault: Self = input::parse_json(json)?;
        let refuse = |message: String| Err(ApiError::new(422, "invalid_fault", message));
        if fault.delay_ms > DELAY_MS_MAX {
            return refuse(format!("delay_ms is more than {DELAY_MS_MAX}"));
        }
        if !(0.0..=1.0).contains(&fault.error_rate) {
            return refuse("error_rate is not between 0 and 1".to_owned());
        }
        if fault
            .capacity
            .is_some_and(|capacity| !(1..=CAPACITY_MAX).contains(&capacity))
        {
            return refuse(format!("capacity is not between 1 and {CAPACITY_MAX}"));
        }
        if let Some(route) = &fault.route {
            if fault.component.is_some() {
                return refuse("route and component exclude each other".to_owned());
            }
            let known = route
                .split_once(' ')
                .and_then(|(method, path)| Endpoint::find(method, path).label());
            if known != Some(route.as_str()) {
                return refuse(format!(
                    "route is not one of those that /__stats counts, such as \
                     \"GET /api/tenants/:tenant/posts\", but \"{route:.80}\""
                ));
            }
        }
        Ok(fault)
    }

    fn strikes(&self) -> bool {
        self.error_rate > 0.0 && worker::js_sys::Math::random() < self.error_rate
    }
}

thread_local! {
    static CURRENT: RefCell<Setting> = const { RefCell::new(Setting { fault: None, generation: 0 }) };
}

/// The fault in force; the generation names its gate, so that no permit outlives it.
struct Setting {
    fault: Option<Rc<Fault>>,
    generation: u64,
}

/// Puts a fault in place of the current one.
pub(crate) fn set(fault: Option<Fault>) {
    CURRENT.with_borrow_mut(|setting| {
        setting.fault = fault.map(Rc::new);
        setting.generation += 1;
    });
}

/// The fault in force.
pub(crate) fn current() -> Option<Rc<Fault>> {
    CURRENT.with_borrow(|setting| setting.fault.clone())
}

/// Serves a request under the fault in force, if it is about whole requests of that route.
pub(crate) async fn serve<T>(
    app: &App,
    label: Option<&str>,
    serve: impl Future<Output = ApiResult<T>>,
) -> ApiResult<T> {
    let matching = current().filter(|fault| {
        fault.component.is_none()
            && label.is_some()
            && fault
                .route
                .as_deref()
                .is_none_or(|route| Some(route) == label)
    });
    let Some(fault) = matching else {
        return serve.await;
    };
    let permit = enter(app, &fault).await?;
    delay(&fault).await;
    let outcome = if fault.strikes() {
        Err(ApiError::new(
            503,
            "injected_fault",
            "this request failed because a test asked for it",
        ))
    } else {
        serve.await
    };
    leave(app, permit).await?;
    outcome
}

/// Makes one call of a part under the fault in force, if it is about that part.
pub(crate) async fn slow_down<T, F, Fut>(
    app: &App,
    component: Component,
    run: F,
) -> worker::Result<T>
where
    F: Fn() -> Fut,
    Fut: Future<Output = worker::Result<T>>,
{
    let Some(fault) = current().filter(|fault| fault.component == Some(component)) else {
        return run().await;
    };
    let as_runtime_error = |error: ApiError| worker::Error::RustError(error.message);
    let permit = enter(app, &fault).await.map_err(as_runtime_error)?;
    delay(&fault).await;
    let outcome = if fault.strikes() {
        Err(worker::Error::RustError("injected fault".to_owned()))
    } else {
        run().await
    };
    leave(app, permit).await.map_err(as_runtime_error)?;
    outcome
}

async fn delay(fault: &Fault) {
    if fault.delay_ms > 0 {
        worker::Delay::from(Duration::from_millis(fault.delay_ms.into())).await;
    }
}

/// A place in the gate, to be given back.
struct Held {
    gate: String,
    permit: u64,
}

async fn enter(app: &App, fault: &Fault) -> ApiResult<Option<Held>> {
    let Some(capacity) = fault.capacity else {
        return Ok(None);
    };
    let gate = CURRENT.with_borrow(|setting| format!("gate:{}", setting.generation));
    // Boxed, because a call of an object may itself pass through here.
    let call: Pin<Box<dyn Future<Output = ApiResult<Permit>> + '_>> = Box::pin(app.call(
        ObjectClass::Gate,
        &gate,
        Operation::post("/enter", Enter { capacity }),
    ));
    let permit = call.await?.permit;
    Ok(Some(Held { gate, permit }))
}

async fn leave(app: &App, held: Option<Held>) -> ApiResult<()> {
    let Some(Held { gate, permit }) = held else {
        return Ok(());
    };
    let call: Pin<Box<dyn Future<Output = ApiResult<Left>> + '_>> = Box::pin(app.call(
        ObjectClass::Gate,
        &gate,
        Operation::post("/leave", Leave { permit }),
    ));
    call.await.map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_outside_the_limits_are_refused() {
        let status = |json: &str| Fault::parse(json.as_bytes()).map_err(|error| error.status);
        assert!(status("{\"delay_ms\":20,\"error_rate\":0.1,\"capacity\":4}").is_ok());
        assert!(status("{\"route\":\"GET /api/tenants/:tenant/posts\"}").is_ok());
        assert!(status("{\"component\":\"D1\"}").is_ok());
        for json in [
            "{\"delay_ms\":60001}",
            "{\"error_rate\":1.5}",
            "{\"capacity\":0}",
            "{\"route\":\"GET /nowhere\"}",
            "{\"route\":\"GET /health\"}",
            "{\"route\":\"GET /api/tenants\",\"component\":\"D1\"}",
        ] {
            assert_eq!(status(json).err(), Some(422), "{json}");
        }
        for json in ["{\"delay_ms\":-1}", "{\"component\":\"D2\"}", "{\"x\":1}"] {
            assert_eq!(status(json).err(), Some(400), "{json}");
        }
    }
}
