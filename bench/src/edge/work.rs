//! What is sent in a round, by a batch and by the bare loop alike.

use anyhow::{Context, Result};
use sentinel_engine::plan::PlanSource;
use sentinel_engine::wire::Assignment;
use serde::Serialize;
use serde_json::{Value, json};

/// Connections that a batch uses, users that it plays, and loops of the bare Worker.
pub(crate) const CONCURRENCY: u16 = 6;

/// The run's identifier.
pub(crate) const RUN: &str = "bench";

/// A kind of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// A plain GET.
    Plain,
    /// Templates in URL and header, checks of status and body, a value taken from the answer.
    Full,
}

/// The first line that a batch is told.
#[derive(Serialize)]
pub(crate) struct Order<'a> {
    /// Which part of which run.
    pub(crate) assignment: &'a Assignment,
    /// What the plan is made of.
    pub(crate) source: &'a PlanSource,
}

impl Work {
    /// Both.
    pub(crate) const ALL: [Self; 2] = [Self::Plain, Self::Full];

    /// The one of this name.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn named(name: &str) -> Result<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|work| work.name() == name)
            .with_context(|| format!("unknown work {name:?}: accepted are plain and full"))
    }

    /// For people and for JSON.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Full => "full",
        }
    }

    /// The least that the batch must reach of what the bare loop does.
    pub(crate) const fn ratio_min(self) -> f64 {
        match self {
            Self::Plain => 0.95,
            Self::Full => 0.90,
        }
    }

    /// The path that the bare loop asks for.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Plain => "/ok",
            Self::Full => "/json/1?_user=user-000001&_turn=1000",
        }
    }

    /// The header fields of the requests that the bare loop sends: those of the batch's requests, so that both put the
    /// same on the wire.
    pub(crate) fn fields(self) -> Value {
        let mut fields = json!({
            "user-agent": concat!("vista-loadtest/", env!("CARGO_PKG_VERSION")),
            "x-vista-run": RUN, "x-vista-batch": "0.0",
        });
        if self == Self::Full {
            fields["accept"] = json!("application/json");
            fields["x-user"] = json!("user-000001");
        }
        fields
    }

    /// A scenario in which users send one request after the other, without a pause, for `seconds`.
    ///
    /// # Errors
    /// When the engine does not read what is written here.
    pub(crate) fn source(self, target: &str, seconds: u64) -> Result<PlanSource> {
        let source = json!({
            "scenario": {
                "name": "edge", "applications": [{ "name": "work", "weight": 1.0 }],
                "load": { "executor": "constant-vus", "vus": CONCURRENCY, "duration": format!("{seconds}s") },
            },
            "applications": [{ "name": "work", "steps": [self.step()] }],
            "options": {
                "baseUrl": target, "allowedHosts": [target.trim_start_matches("http://")], "allowPrivate": true,
                "seed": 1, "users": null, "duration": null, "usersMax": 1_000, "durationMaxS": 100_000,
            },
        });
        // As text: what is inside is read as files are.
        serde_json::from_str(&source.to_string()).context("read the benchmark's scenario")
    }

    fn step(self) -> Value {
        match self {
            Self::Plain => json!({ "name": "get", "request": { "method": "GET", "url": "/ok" } }),
            Self::Full => json!({
                "name": "get",
                "request": {
                    "method": "GET",
                    "url": "/json/{{vu}}?_user={{userId}}&_turn={{iteration}}",
                    "headers": { "accept": "application/json", "x-user": "{{userId}}" },
                },
                "expect": { "status": 200, "checks": [{ "name": "it is fine", "on": "$.ok", "equals": true }] },
                "extract": { "number": "$.n" },
            }),
        }
    }
}
