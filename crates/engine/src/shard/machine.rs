//! The state of a shard, and how inputs and the passing of time change it.

use std::collections::VecDeque;

use crate::bundle::{BatchNews, Bundle, ShardOrder};
use crate::inbox::{Inbox, Patience, Reception, Times};
use crate::plan::Plan;
use crate::run::LossReason;
use crate::shard::types::{Input, Kept, Output};
use crate::sorted::{SortedMap, SortedSet};
use crate::tick::{Span, Tick};
use crate::timeline::Second;
use crate::wire::{Frame, WIRE_VERSION};

/// After how long a shard tells what it has, even if one of its batches has told nothing: longer than a second,
/// so that a bundle holds a whole second of all batches as long as none is very late.
const SHIP_AFTER: Span = Span::from_ms(1_500);

/// Some batches of a run in one slice of it.
#[derive(Debug)]
pub struct Shard {
    plan: Plan,
    order: Order,
    seats: SortedMap<u32, Seat>,
    ended: SortedSet<u32>,          // batches
    merged: SortedMap<u32, Second>, // measured, not shipped; without the users
    news: SortedMap<u32, BatchNews>,
    ignored: u64,
    late: u64, // of the ignored ones
    sequence: u32,
    shipped_at: Tick,
    seconds_shipped: u32, // every batch that plays had told the seconds before
    kept: Kept,
    stopped_at: Option<Tick>,
    over: bool,
    now: Tick,
    outputs: VecDeque<Output>,
}

/// What of the order outlives its beginning.
#[derive(Debug)]
struct Order {
    slice: u32,
    shard: u32,
    from: Tick,
    until: Tick,
    patience: Span,
}

/// A batch that plays. There is none for one that has ended or is lost.
#[derive(Debug)]
struct Seat {
    closed_through: Tick,
    heard_at: Tick,
    inbox: Inbox<Frame>,
}

impl Shard {
    /// A shard that will have this order done. The batches start with the first input.
    #[must_use]
    pub fn new(plan: Plan, order: ShardOrder, kept: Kept) -> Self {
        let ShardOrder {
            run,
            slice,
            shard,
            from,
            until,
            patience,
            batches,
            ..
        } = order;
        let mut shard = Self {
            plan,
            order: Order {
                slice,
                shard,
                from,
                until,
                patience,
            },
            seats: SortedMap::new(),
            ended: SortedSet::new(),
            merged: SortedMap::new(),
            news: SortedMap::new(),
            ignored: 0,
            late: 0,
            sequence: 0,
            shipped_at: from,
            seconds_shipped: from.second(),
            kept: kept.for_run(&run),
            stopped_at: None,
            over: false,
            now: from,
            outputs: VecDeque::new(),
        };
        for batch in batches {
            let mut assignment = batch.assignment;
            let number = assignment.share.index();
            if let Some(kept_in) = batch.resumes {
                match shard.kept.take(number, kept_in) {
                    Some(users) => assignment.carry = users,
                    None => shard.news_of(number, from).forgot = true,
                }
            }
            let seat = Seat {
                closed_through: from,
                heard_at: from,
                inbox: Inbox::new(),
            };
            shard.seats.insert(number, seat);
            shard
                .outputs
                .push_back(Output::Assign(Box::new(assignment)));
        }
        shard
    }

    /// Takes in what happened at `now`. Time never runs backwards: an earlier `now` counts as the latest one.
    pub fn handle_input(&mut self, now: Tick, input: Input) {
        self.now = self.now.max(now);
        if self.over {
            return;
        }
        match input {
            Input::Wake => self.lose_silent(),
            Input::Frame(frame) => self.receive(frame),
            Input::BatchLost { batch, reason } => self.lose(batch, reason),
            Input::Stop => self.stop(),
            Input::LeaseExpired => {
                self.stop();
                self.over = true;
                return;
            }
        }
        self.ship_if_due();
    }

    /// What to do next. To be called until it answers [`Output::WakeAt`] or [`Output::Done`].
    #[must_use]
    pub fn poll_output(&mut self) -> Output {
        if let Some(output) = self.outputs.pop_front() {
            return output;
        }
        if self.over {
            return Output::Done;
        }
        let patience = self.patience();
        let silent = self.seats.values();
        let silent = silent.map(|seat| patience.ends_for(seat.heard_at)).min();
        let ships_at = self.shipped_at + SHIP_AFTER;
        Output::WakeAt(ships_at.min(silent.unwrap_or(self.now)))
    }

    /// The users that its batches have handed over, for the shard of the next slice.
    #[must_use]
    pub fn into_kept(self) -> Kept {
        self.kept
    }

    fn patience(&self) -> Patience {
        Patience {
            until: self.order.until,
            patience: self.order.patience,
            request_timeout: self.plan.request_timeout,
            stopped_at: self.stopped_at,
        }
    }

    fn receive(&mut self, frame: Frame) {
        match self.reception(&frame) {
            Reception::New => {}
            Reception::Known => return,
            reception @ (Reception::Refused | Reception::TooLate) => {
                self.ignored += 1;
                self.late += u64::from(reception == Reception::TooLate);
                return;
            }
        }
        let (batch, now) = (frame.batch, self.now);
        let Some(seat) = self.seats.get_mut(&batch) else {
            return;
        };
        seat.heard_at = seat.heard_at.max(now);
        for frame in seat.inbox.take(frame.sequence, frame) {
            if self.merge(frame) {
                return;
            }
        }
    }

    fn reception(&self, frame: &Frame) -> Reception {
        if frame.version != WIRE_VERSION || frame.slice != self.order.slice {
            return Reception::Refused;
        }
        let Some(seat) = self.seats.get(&frame.batch) else {
            return if self.ended.contains(&frame.batch) {
                Reception::Known
            } else {
                Reception::TooLate
            };
        };
        let times = Times::of_slice(self.order.from, self.order.until, &self.plan);
        let closed = frame.closed_through;
        let possible = times.admit(closed)
            && frame.end.as_ref().is_none_or(|end| times.admit(end.at))
            && frame
                .windows
                .iter()
                .all(|window| times.admit_window(window, closed, 1, &self.plan));
        match seat.inbox.reception(frame.sequence) {
            Reception::New if !possible => Reception::Refused,
            reception => reception,
        }
    }

    /// Adds a frame to what is told next; answers whether its batch has ended by it.
    fn merge(&mut self, mut frame: Frame) -> bool {
        let batch = frame.batch;
        if let Some(seat) = self.seats.get_mut(&batch) {
            seat.closed_through = seat.closed_through.max(frame.closed_through);
        }
        for window in &frame.windows {
            self.merged.entry(window.second).or_default().add(window);
        }
        if let Some(end) = &mut frame.end {
            let users = std::mem::take(&mut end.carry);
            self.kept.keep(batch, self.order.slice, users);
            self.seats.remove(&batch);
            self.ended.insert(batch);
        }
        let ended = frame.end.is_some();
        self.news_of(batch, frame.closed_through).add(&mut frame);
        ended
    }

    fn lose(&mut self, batch: u32, reason: LossReason) {
        if let Some(seat) = self.seats.remove(&batch) {
            self.news_of(batch, seat.closed_through).lost = Some(reason);
        }
    }

    fn lose_silent(&mut self) {
        let patience = self.patience();
        let overdue = self.seats.iter();
        let overdue = overdue.filter(|(_, seat)| patience.ends_for(seat.heard_at) <= self.now);
        let overdue: Vec<u32> = overdue.map(|(batch, _)| *batch).collect();
        for batch in overdue {
            self.outputs.push_back(Output::StopBatch(batch));
            self.lose(batch, LossReason::Silent);
        }
    }

    fn stop(&mut self) {
        if self.stopped_at.is_none() {
            self.stopped_at = Some(self.now);
            let batches = self.seats.keys();
            self.outputs
                .extend(batches.map(|batch| Output::StopBatch(*batch)));
        }
    }

    fn news_of(&mut self, batch: u32, closed_through: Tick) -> &mut BatchNews {
        self.news
            .entry(batch)
            .or_insert_with(|| BatchNews::new(batch, closed_through))
    }

    /// Ships when every batch has told another second, when no batch plays any more, and when it is time for
    /// the run to hear that the shard is alive.
    fn ship_if_due(&mut self) {
        let seats = self.seats.values();
        let closed = seats.map(|seat| seat.closed_through.second()).min();
        let complete = closed.is_none_or(|closed| closed > self.seconds_shipped);
        if !complete && self.now < self.shipped_at + SHIP_AFTER {
            return;
        }
        self.seconds_shipped = self.seconds_shipped.max(closed.unwrap_or(0));
        self.shipped_at = self.now;
        let merged = std::mem::take(&mut self.merged);
        let bundle = Bundle {
            version: WIRE_VERSION,
            slice: self.order.slice,
            line: self.order.shard,
            sequence: self.sequence,
            windows: merged
                .into_values()
                .flat_map(Second::into_windows)
                .collect(),
            news: std::mem::take(&mut self.news).into_values().collect(),
            ignored: std::mem::take(&mut self.ignored),
            late: std::mem::take(&mut self.late),
        };
        self.sequence = self.sequence.saturating_add(1);
        self.outputs.push_back(Output::Ship(Box::new(bundle)));
        self.over = self.seats.is_empty();
    }
}
