//! The Durable Object, and how a coordinator makes sure that its shards are there.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use futures::future::{Either, join_all, select};
use js_sys::futures::JsFuture;
use sentinel_engine::run::ShardPlan;
use sentinel_engine::shard::Kept;
use worker::{
    Delay, DurableObject, Env, Method, Request, Response, ResponseBuilder, Result, State,
    durable_object, wasm_bindgen,
};

use crate::config::Config;
use crate::limits::SHARD_READY_MS;
use crate::outgoing::post;
use crate::shard::driver::Driver;
use crate::shard::name::ShardName;

/// A shard. Its state is in memory only: what is lost with it is stated by the run.
#[durable_object]
#[derive(Debug)]
pub struct LoadShard {
    state: State,
    env: Env,
    kept: Rc<RefCell<Kept>>,
}

impl DurableObject for LoadShard {
    fn new(state: State, env: Env) -> Self {
        Self {
            state,
            env,
            kept: Rc::default(),
        }
    }

    async fn fetch(&self, request: Request) -> Result<Response> {
        match (request.method(), request.path().as_str()) {
            (Method::Post, "/ready") => Response::empty(),
            (Method::Post, "/play") => self.play(&request),
            _ => Response::error("unknown", 404),
        }
    }
}

impl LoadShard {
    /// Answers at once, and goes on telling until the slice is over.
    fn play(&self, request: &Request) -> Result<Response> {
        let (Ok(config), Some(body)) = (Config::of(&self.env), request.inner().body()) else {
            return Response::error("not possible", 503);
        };
        let key = config.batch_key.expose().to_owned();
        let signal = request.inner().signal();
        let driver = Driver::new(self.env.clone(), key, self.kept.clone(), &body, &signal);
        let response = ResponseBuilder::new()
            .with_header("content-type", "application/x-ndjson")?
            .stream(driver.port().readable());
        self.state.wait_until(async move {
            // Keeps the driver, and the object, until the slice is over.
            let _ = JsFuture::from(driver.port().finished()).await;
            drop(driver);
        });
        Ok(response)
    }
}

/// Creates and wakes the shards of a run, so that they can all start at the same time. Answers the numbers of
/// those that were not ready in time: they will start late, or not at all.
pub(crate) async fn wait_until_ready(
    env: &Env,
    environment: &str,
    shards: &[ShardPlan],
) -> Vec<u32> {
    let asked = (0..).zip(shards).map(|(number, plan)| async move {
        let name = ShardName::new(environment, Some(plan), number);
        Delay::from(Duration::from_millis(name.wait_ms())).await;
        let answer = Box::pin(ask(env, &name));
        let patience = Delay::from(Duration::from_millis(SHARD_READY_MS));
        match select(answer, patience).await {
            Either::Left((Ok(()), _)) => None,
            Either::Left((Err(_), _)) | Either::Right(_) => Some(number),
        }
    });
    join_all(asked).await.into_iter().flatten().collect()
}

async fn ask(env: &Env, name: &ShardName<'_>) -> Result<()> {
    let namespace = env.durable_object("SHARDS")?;
    let id = namespace.id_from_name(&name.to_string())?;
    let stub = match name.region() {
        Some(region) => id.get_stub_with_location_hint(region)?,
        None => id.get_stub()?,
    };
    let request = post("https://shard/ready", None)?;
    stub.fetch_with_request(request).await.map(drop)
}
