//! The lines to the parts that play a slice: those of a coordinator to its shards or batches, and those of a
//! shard to its batches.
//!
//! Invariant: what is said on a line arrives in a later turn, and each line that was opened ends once.

use std::fmt;
use std::rc::Rc;

use js_sys::{Function, Reflect};
use sentinel_engine::plan::PlanSource;
use sentinel_engine::run::LossReason;
use sentinel_engine::sorted::SortedMap;
use sentinel_engine::tick::Span;
use sentinel_engine::vu::VuCarry;
use sentinel_engine::wire::{Assignment, Frame};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::Closure;
use worker::{Env, Result};

use crate::api::BATCH_PATH;
use crate::batch::BatchOrder;
use crate::js::{Link, function, to_object, to_service};
use crate::limits::{BEAT_MS, LINE_BYTES_MAX, STOP_GRACE_MS};
use crate::shard::{ShardCall, ShardName};
use crate::token::Permit;

/// A line of a slice: to a shard, or to a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LinkId {
    /// The slice.
    pub(crate) slice: u32,
    /// The number of the shard or batch.
    pub(crate) line: u32,
}

/// What happens on a line.
#[derive(Debug)]
pub(crate) enum LinkEvent {
    /// Somebody said something.
    Line(LinkId, String),
    /// A line has ended.
    Ended(LinkId, LinkEnd),
}

/// How a line ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LinkEnd {
    /// The other side had started.
    Started,
    /// The other side never answered.
    NotStarted,
    /// The other side is an object that had too much to do.
    Overloaded,
}

/// Hears what happens on the lines.
type Hear = Rc<dyn Fn(LinkEvent)>;

/// The lines that are open.
pub(crate) struct Links {
    hear: Hear,
    open: SortedMap<LinkId, Open>,
}

struct Open {
    link: Link,
    // Held so that the link can call them.
    _on_line: Closure<dyn Fn(String)>,
    _on_end: Closure<dyn Fn(bool, bool)>,
}

/// Where a line leads, and what is said first.
struct Call<'a> {
    place: Function,
    url: &'a str,
    token: &'a str,
    order: &'a str,
    wait_ms: u64,
    retries: u32,
}

impl LinkEnd {
    /// What it means that a line ended like this before everything was told.
    pub(crate) const fn loss(self) -> LossReason {
        match self {
            Self::Started => LossReason::StreamEnded,
            Self::NotStarted => LossReason::NotStarted,
            Self::Overloaded => LossReason::Overloaded,
        }
    }
}

impl Links {
    /// No lines yet; what is said on them will go to `hear`.
    pub(crate) fn new(hear: impl Fn(LinkEvent) + 'static) -> Self {
        Self {
            hear: Rc::new(hear),
            open: SortedMap::new(),
        }
    }

    /// Starts a batch.
    ///
    /// # Errors
    /// When the assignment cannot be written or the binding is missing. A batch that does not start for another
    /// reason ends, which is an event.
    pub(crate) fn open_batch(
        &mut self,
        env: &Env,
        key: &str,
        order: &BatchOrder<&PlanSource>,
    ) -> Result<()> {
        let Assignment {
            run,
            slice,
            share,
            from,
            until,
            epoch_ms,
            ..
        } = &order.assignment;
        let id = LinkId {
            slice: *slice,
            line: share.index(),
        };
        // No longer after its slice than the slice takes, because clocks differ.
        let grace = until.saturating_since(*from).max(Span::from_secs(30));
        let token = Permit {
            run,
            slice: id.slice,
            batch: id.line,
            expires_ms: epoch_ms.saturating_add((*until + grace).as_ms()),
        }
        .sign(key);
        let binding = Reflect::get(env, &JsValue::from("SELF"))?;
        let call = Call {
            place: to_service(&binding),
            url: &format!("https://batch{BATCH_PATH}"),
            token: &token,
            order: &crate::json::write(order)?,
            wait_ms: 0,
            retries: 0,
        };
        self.open(id, &call);
        Ok(())
    }

    /// Has a shard start its batches.
    ///
    /// # Errors
    /// When the order cannot be written or the binding is missing.
    pub(crate) fn open_shard(
        &mut self,
        env: &Env,
        name: &ShardName,
        call: &ShardCall<&PlanSource>,
    ) -> Result<()> {
        let id = LinkId {
            slice: call.order.slice,
            line: call.order.shard,
        };
        let namespace = Reflect::get(env, &JsValue::from("SHARDS"))?;
        let call = Call {
            place: to_object(&namespace, &name.to_string(), name.region()),
            url: "https://shard/play",
            // Only this Worker can reach its objects.
            token: "",
            order: &crate::json::write(call)?,
            wait_ms: name.wait_ms(),
            retries: RETRIES,
        };
        self.open(id, &call);
        Ok(())
    }

    fn open(&mut self, id: LinkId, call: &Call<'_>) {
        let (lines, ends) = (self.hear.clone(), self.hear.clone());
        let on_line = Closure::<dyn Fn(String)>::new(move |line| lines(LinkEvent::Line(id, line)));
        let on_end = Closure::<dyn Fn(bool, bool)>::new(move |started, overloaded| {
            let end = match (started, overloaded) {
                (true, _) => LinkEnd::Started,
                (false, true) => LinkEnd::Overloaded,
                (false, false) => LinkEnd::NotStarted,
            };
            ends(LinkEvent::Ended(id, end));
        });
        let link = Link::new(
            &call.place,
            call.url,
            call.token,
            call.order,
            call.wait_ms as f64,
            call.retries,
            BEAT_MS as f64,
            LINE_BYTES_MAX as f64,
            function(&on_line),
            function(&on_end),
        );
        let open = Open {
            link,
            _on_line: on_line,
            _on_end: on_end,
        };
        if let Some(before) = self.open.insert(id, open) {
            before.link.close();
        }
    }

    /// Whether this line is open.
    pub(crate) fn is_open(&self, id: LinkId) -> bool {
        self.open.contains_key(&id)
    }

    /// Tells the other side to stop.
    pub(crate) fn stop(&self, id: LinkId) {
        if let Some(open) = self.open.get(&id) {
            open.link.stop(STOP_GRACE_MS as f64);
        }
    }

    /// Tells a batch that users have come in which were away when its slice began. Whether it has heard of them, it
    /// says at its end.
    pub(crate) fn adopt(&self, id: LinkId, users: &[VuCarry]) {
        if let (Some(open), Ok(users)) = (self.open.get(&id), crate::json::write(users)) {
            open.link.say(&users);
        }
    }

    /// Lets go of the lines of slices before this one.
    pub(crate) fn close_before(&mut self, slice: u32) {
        let old = self.open.keys().filter(|id| id.slice < slice);
        let old: Vec<LinkId> = old.copied().collect();
        old.into_iter().for_each(|id| self.close(id));
    }

    /// Lets go of a line.
    pub(crate) fn close(&mut self, id: LinkId) {
        if let Some(open) = self.open.remove(&id) {
            open.link.close();
        }
    }
}

impl fmt::Debug for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.open.keys()).finish()
    }
}

impl Drop for Links {
    fn drop(&mut self) {
        for open in self.open.values() {
            open.link.close();
        }
    }
}

/// The frame that a line of a batch holds, `None` if it holds none of this batch.
pub(crate) fn frame(id: LinkId, line: &str) -> Option<Frame> {
    let frame: Frame = crate::json::read(line).ok()?;
    ((frame.slice, frame.batch) == (id.slice, id.line)).then_some(frame)
}

/// How often a shard that could not be reached is tried again in the same slice, where the platform says that it
/// may help: after 0.25 and 1 second.
const RETRIES: u32 = 2;
