//! What a run on Durable Objects themselves tells about them.

use serde::{Deserialize, Serialize};

use crate::error_class::ErrorClass;
use crate::plan::{ObjectCall, Plan, Step};
use crate::run::Book;
use crate::scenario::{DoOperation, DurableObject};
use crate::sorted::SortedMap;
use crate::summary::build::per_second;
use crate::tick::Span;
use crate::totals::{Aggregate, LatencyPercentiles, dense};
use crate::window::{ObjectWindow, StepId};

/// The Durable Objects of one class that requests were sent to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ObjectResult {
    /// Requests sent.
    pub total_requests: u64,
    /// Requests among them that only read.
    pub reads: u64,
    /// Requests among them that wrote.
    pub writes: u64,
    /// Requests that ended, per second of the whole run.
    #[serde(default)]
    pub requests_per_sec: Option<f64>,
    /// Failed requests as a fraction of those that ended.
    #[serde(default)]
    pub error_rate: Option<f64>,
    /// Errors by class.
    pub error_breakdown: SortedMap<ErrorClass, u64>,
    /// Response times.
    pub latency: LatencyPercentiles,
    /// Service times.
    pub service_time: LatencyPercentiles,
    /// Service times of calls that woke their object; empty if it did not tell.
    pub first_touch: LatencyPercentiles,
    /// Service times of calls that found their object in memory; empty if it did not tell.
    pub warm: LatencyPercentiles,
    /// How many different objects there were: exact up to 255, beyond an estimate that is usually right to 6 %.
    pub objects: u64,
    /// The object that most requests were sent to.
    #[serde(default)]
    pub hottest: Option<HottestObject>,
}

/// The object that most requests were sent to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HottestObject {
    /// Its name.
    pub name: String,
    /// Requests sent to it, at least.
    pub requests: u64,
    /// These as a fraction of all requests to the class.
    pub share: f64,
    /// By how many requests the number may be too low; 0 up to 64 different objects.
    pub undercount: u64,
}

/// The results of each class, by its name.
pub(super) fn results(plan: &Plan, book: &Book, duration: Span) -> SortedMap<String, ObjectResult> {
    let objects = book.totals.objects().iter();
    SortedMap::from_iter(objects.map(|(class, object)| {
        let result = result(plan, book, duration, *class, object);
        (class.name().to_owned(), result)
    }))
}

fn result(
    plan: &Plan,
    book: &Book,
    duration: Span,
    class: DurableObject,
    object: &ObjectWindow,
) -> ObjectResult {
    let sum = |wanted: &dyn Fn(&ObjectCall) -> bool| -> Aggregate {
        let call = |id: StepId| {
            plan.step(id)
                .and_then(|(_, step): (_, &Step)| step.object())
        };
        book.totals
            .steps(|id| call(id).is_some_and(|call| call.class == class && wanted(call)))
    };
    let all = sum(&|_| true);
    let of = |operation| sum(&|call| call.operation == operation).sent;
    let total = object.names.total();
    ObjectResult {
        total_requests: all.sent,
        reads: of(DoOperation::Read),
        writes: of(DoOperation::Write),
        requests_per_sec: per_second(all.finished(), duration),
        error_rate: all.error_rate(),
        latency: LatencyPercentiles::of(&all.response_us),
        service_time: LatencyPercentiles::of(&all.service_us),
        first_touch: LatencyPercentiles::of(&dense([&object.woken_us])),
        warm: LatencyPercentiles::of(&dense([&object.warm_us])),
        objects: object.names.names(),
        hottest: object
            .names
            .hottest()
            .map(|(name, requests)| HottestObject {
                name: name.to_owned(),
                requests,
                share: requests as f64 / total.max(1) as f64,
                undercount: object.names.undercount(),
            }),
        error_breakdown: all.errors,
    }
}
