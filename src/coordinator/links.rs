//! The coordinator's lines to the batches of the current slice.

use std::collections::BTreeMap;

use futures::channel::mpsc::UnboundedSender;
use futures::channel::oneshot;
use js_sys::{Function, Reflect};
use sentinel_engine::run::LiveReport;
use sentinel_engine::tick::Span;
use sentinel_engine::wire::{Assignment, Frame};
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use worker::{Env, Result};

use crate::api::BATCH_PATH;
use crate::batch::BatchOrder;
use crate::coordinator::order::RunOrder;
use crate::js::BatchLink;
use crate::limits::{BEAT_MS, LINE_BYTES_MAX, STOP_GRACE_MS};
use crate::token::Permit;

/// What happens while a slice is played.
#[derive(Debug)]
pub(super) enum Event {
    /// A batch said a line.
    Line(LinkId, String),
    /// A batch has nothing more to say; whether it had started.
    Ended(LinkId, bool),
    /// Somebody wants to have a look at the run.
    Look(Look),
    /// The run has to stop, for a reason in words, empty if none was given.
    Cancel(String),
}

/// A question about the run that is being played.
#[derive(Debug)]
pub(super) struct Look {
    /// Whether what costs more to find out is wanted too.
    pub(super) measured: bool,
    /// Where the answer goes.
    pub(super) answer: oneshot::Sender<LiveReport>,
}

/// A batch of a slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LinkId {
    /// The slice.
    pub(super) slice: u32,
    /// The batch.
    pub(super) batch: u32,
}

/// The lines that are open. Everything that is said arrives as an [`Event`], in a later turn.
#[derive(Debug)]
pub(super) struct Links {
    events: UnboundedSender<Event>,
    open: BTreeMap<LinkId, Link>,
}

#[derive(Debug)]
struct Link {
    line: BatchLink,
    told_end: bool,
    // Held so that the line can call them.
    _on_line: Closure<dyn Fn(String)>,
    _on_end: Closure<dyn Fn(bool)>,
}

impl Links {
    /// No lines yet; what is said on them will go to `events`.
    pub(super) const fn new(events: UnboundedSender<Event>) -> Self {
        Self {
            events,
            open: BTreeMap::new(),
        }
    }

    /// Starts a batch.
    ///
    /// # Errors
    /// When the assignment cannot be written or the binding is missing. A batch that does not start for another
    /// reason ends, which is an event.
    pub(super) fn open(
        &mut self,
        env: &Env,
        key: &str,
        order: &RunOrder,
        assignment: Assignment,
    ) -> Result<()> {
        let id = LinkId {
            slice: assignment.slice,
            batch: assignment.share.index(),
        };
        let ends = assignment.until + order_grace(order);
        let token = Permit {
            run: &order.run,
            slice: id.slice,
            batch: id.batch,
            expires_ms: assignment.epoch_ms.saturating_add(ends.as_ms()),
        }
        .sign(key);
        let batch_order = BatchOrder {
            assignment,
            source: order.source.clone(),
        };
        let text = serde_json::to_string(&batch_order)?;
        let fetcher = Reflect::get(env, &JsValue::from("SELF"))?;
        let (lines, ends) = (self.events.clone(), self.events.clone());
        let on_line = Closure::<dyn Fn(String)>::new(move |line| {
            let _ = lines.unbounded_send(Event::Line(id, line));
        });
        let on_end = Closure::<dyn Fn(bool)>::new(move |started| {
            let _ = ends.unbounded_send(Event::Ended(id, started));
        });
        let line = BatchLink::new(
            &fetcher,
            &format!("https://batch{BATCH_PATH}"),
            &token,
            &text,
            BEAT_MS as f64,
            LINE_BYTES_MAX as f64,
            function(&on_line),
            function(&on_end),
        );
        let link = Link {
            line,
            told_end: false,
            _on_line: on_line,
            _on_end: on_end,
        };
        if let Some(before) = self.open.insert(id, link) {
            before.line.close();
        }
        Ok(())
    }

    /// The frame that a line holds, `None` if the line is not one of this batch: then it is let go of.
    pub(super) fn frame(&mut self, id: LinkId, line: &str) -> Option<Frame> {
        let link = self.open.get_mut(&id)?;
        let frame: Option<Frame> = serde_json::from_str(line).ok();
        let frame = frame.filter(|frame| (frame.slice, frame.batch) == (id.slice, id.batch));
        match &frame {
            Some(frame) => link.told_end |= frame.end.is_some(),
            None => self.close(id),
        }
        frame
    }

    /// Takes note that a batch has nothing more to say; answers whether it had told its end.
    pub(super) fn ended(&mut self, id: LinkId) -> bool {
        self.open.remove(&id).is_none_or(|link| link.told_end)
    }

    /// Tells a batch to stop.
    pub(super) fn stop(&self, id: LinkId) {
        if let Some(link) = self.open.get(&id) {
            link.line.stop(STOP_GRACE_MS as f64);
        }
    }

    /// Lets go of a batch.
    fn close(&mut self, id: LinkId) {
        if let Some(link) = self.open.remove(&id) {
            link.line.close();
        }
    }
}

impl Drop for Links {
    fn drop(&mut self) {
        for link in self.open.values() {
            link.line.close();
        }
    }
}

fn function<T: ?Sized>(closure: &Closure<T>) -> &Function {
    closure.as_ref().unchecked_ref()
}

/// How long after its slice a batch may still be started: not at all, but clocks differ.
fn order_grace(order: &RunOrder) -> Span {
    Span::from_secs(u64::from(order.slice_s).max(30))
}
