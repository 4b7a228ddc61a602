//! The streams of a batch: answers that are read event by event.
//!
//! Invariant: a stream that is open belongs to a request under way, and ends with it, at the latest when it has
//! been read as long as its step says. At the end of a slice it is ended, and its user goes on in the next one.

use crate::batch::machine::{Batch, State};
use crate::batch::recorder::Recorder;
use crate::batch::types::{Head, Output, RequestId};
use crate::error_class::ErrorClass;
use crate::metering::{Event, Happening, Sample, StreamSample};
use crate::plan::{Plan, Streaming};
use crate::sorted::{SortedMap, SortedSet};
use crate::stream::{Observed, Reader, StreamEnd};
use crate::template::VariableId;
use crate::tick::{Span, Tick};
use crate::window::StepId;

/// The streams that are open.
#[derive(Debug, Default)]
pub(super) struct Streams {
    open: SortedMap<RequestId, Box<Open>>,
    deadlines: SortedSet<(Tick, RequestId)>,
}

#[derive(Debug)]
struct Open {
    reader: Reader,
    of: Of,
    deadline: Tick,
}

/// Whom something happens to: the scenario's place in the plan, and the step.
type Of = (usize, StepId);

impl Streams {
    /// A stream is asked for.
    pub(super) fn begin(&mut self, id: RequestId, of: Of, streaming: &Streaming, sent: Tick) {
        let deadline = sent + streaming.duration_max;
        let reader = Reader::new(streaming, sent);
        self.deadlines.insert((deadline, id));
        let open = Open {
            reader,
            of,
            deadline,
        };
        self.open.insert(id, Box::new(open));
    }

    /// Whether the request is one for a stream that is open.
    pub(super) fn holds(&self, id: RequestId) -> bool {
        self.open.contains_key(&id)
    }

    /// When the next stream has been read long enough.
    pub(super) fn next_deadline(&self) -> Option<Tick> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    fn take(&mut self, id: RequestId) -> Option<Open> {
        let open = self.open.remove(&id)?;
        self.deadlines.remove(&(open.deadline, id));
        Some(*open)
    }
}

impl Batch {
    /// The header of a stream is here.
    pub(super) fn stream_begins(&mut self, now: Tick, id: RequestId, head: Head<'_>) {
        self.requests.headers(id);
        let Some(open) = self.streams.open.get_mut(&id).map(Box::as_mut) else {
            return;
        };
        self.requests.release(id);
        open.reader.begin(head.status, head.headers);
        let took = now.saturating_since(open.reader.sent());
        let sample = Sample {
            count: 1,
            service: Some(took),
            ..Sample::default()
        };
        let happening = Happening::of_request(Event::StreamBegan, open.of, sample);
        self.recorder
            .streamed(&self.plan, now, &happening, |window| {
                window.headers_us.record(took.as_us());
            });
        let step = self.plan.step(open.of.1);
        if !step.is_some_and(|(_, step)| step.expected.accepts(head.status)) {
            self.end_stream(now, id, StreamEnd::Error);
        } else if self.state != State::Playing {
            self.end_stream(now, id, StreamEnd::Slice);
        }
    }

    /// A piece of a stream is here.
    pub(super) fn stream_goes_on(&mut self, now: Tick, id: RequestId, mut bytes: &[u8]) {
        let (plan, recorder) = (&self.plan, &mut self.recorder);
        let Some(Open { reader, of, .. }) = self.streams.open.get_mut(&id).map(Box::as_mut) else {
            return;
        };
        let Some(streaming) = streaming(plan, of.1) else {
            return;
        };
        reader.count(bytes);
        let end = loop {
            let on_check = |check, passed| recorder.checked(plan, now, *of, check, passed);
            match reader.next(streaming, now, &mut bytes, on_check) {
                None => return,
                Some(Err(end)) => break end,
                Some(Ok(observed)) => record_event(recorder, plan, now, *of, observed),
            }
            if reader.is_full(streaming) {
                break StreamEnd::MaxEvents;
            }
        };
        self.end_stream(now, id, end);
    }

    /// Ends the streams that have been read long enough. One that has not even begun is an answer that took too
    /// long.
    pub(super) fn expire_streams(&mut self, now: Tick) {
        while let Some(&(_, id)) = self.streams.deadlines.first().filter(|(at, _)| *at <= now) {
            let open = self.streams.open.get(&id);
            if open.is_some_and(|open| open.reader.has_head()) {
                self.end_stream(now, id, StreamEnd::MaxDuration);
            } else {
                self.outputs.push_back(Output::Abort(id));
                self.failed(now, id, ErrorClass::Timeout);
            }
        }
    }

    /// Ends the streams that have begun, because the slice is over.
    pub(super) fn end_streams_of_slice(&mut self, now: Tick) {
        let open = self.streams.open.iter();
        let begun = open.filter(|(_, open)| open.reader.has_head());
        let ids: Vec<RequestId> = begun.map(|(id, _)| *id).collect();
        for id in ids {
            self.end_stream(now, id, StreamEnd::Slice);
        }
    }

    /// Ends a stream as an answer.
    pub(super) fn end_stream(&mut self, now: Tick, id: RequestId, end: StreamEnd) {
        let Some(mut open) = self.give_up_stream(now, id, end) else {
            return;
        };
        if end != StreamEnd::Server {
            self.outputs.push_back(Output::Abort(id));
        }
        let streamed = match streaming(&self.plan, open.of.1) {
            Some(streaming) => taken(&mut open.reader, streaming, end),
            None => Ok(Vec::new()),
        };
        self.conclude(now, id, &open.reader.exchange(), streamed);
    }

    /// Forgets a stream, if the request was one for a stream, and writes down how it ended.
    pub(super) fn close_stream(&mut self, now: Tick, id: RequestId, end: StreamEnd) {
        let _ = self.give_up_stream(now, id, end);
    }

    fn give_up_stream(&mut self, now: Tick, id: RequestId, end: StreamEnd) -> Option<Open> {
        let open = self.streams.take(id)?;
        let Some(streaming) = streaming(&self.plan, open.of.1) else {
            return Some(open);
        };
        record_end(&mut self.recorder, &self.plan, now, &open, (streaming, end));
        // Also of a stream that broke: what comes next may go on from there.
        let user = self.requests.get(id).map(|request| request.user);
        let user = user.and_then(|place| self.users.get_mut(place));
        if let (Some(user), Some(variable), Some(last_id)) =
            (user, streaming.resume, open.reader.last_id())
            && let Some(variable) = user.variables.get_mut(usize::from(variable.0))
        {
            *variable = Some(last_id.to_owned());
        }
        Some(open)
    }
}

/// Writes down that a request goes on where an earlier stream ended.
pub(super) fn record_resumed(recorder: &mut Recorder, plan: &Plan, now: Tick, of: Of) {
    let sample = Sample {
        count: 1,
        ..Sample::default()
    };
    let happening = Happening::of_request(Event::StreamResumed, of, sample);
    recorder.streamed(plan, now, &happening, |window| window.resumed += 1);
}

fn record_event(recorder: &mut Recorder, plan: &Plan, now: Tick, of: Of, observed: Observed) {
    let Observed {
        first_event,
        gap,
        is_stall,
        is_token,
        first_token,
    } = observed;
    let sample = Sample {
        count: 1,
        stream: StreamSample {
            first_event,
            gap,
            stalls: u64::from(is_stall),
            tokens: u64::from(is_token),
            first_token,
            ..StreamSample::default()
        },
        ..Sample::default()
    };
    let happening = Happening::of_request(Event::StreamItem, of, sample);
    recorder.streamed(plan, now, &happening, |window| {
        window.events += 1;
        window.stalls += u64::from(is_stall);
        window.tokens += u64::from(is_token);
        let times = [
            (&mut window.first_event_us, first_event),
            (&mut window.gap_us, gap),
            (&mut window.first_token_us, first_token),
        ];
        for (times, span) in times {
            if let Some(span) = span {
                times.record(span.as_us());
            }
        }
    });
}

fn record_end(
    recorder: &mut Recorder,
    plan: &Plan,
    now: Tick,
    open: &Open,
    (streaming, end): (&Streaming, StreamEnd),
) {
    let Open { reader, of, .. } = open;
    if end == StreamEnd::MaxDuration && reader.is_stalled(streaming, now) {
        let stream = StreamSample {
            stalls: 1,
            ..StreamSample::default()
        };
        let sample = Sample {
            stream,
            ..Sample::default()
        };
        let happening = Happening::of_request(Event::StreamItem, *of, sample);
        recorder.streamed(plan, now, &happening, |window| window.stalls += 1);
    }
    let pace = reader.pace();
    let took: Span = now.saturating_since(reader.sent());
    let sample = Sample {
        count: 1,
        service: Some(took),
        stream: StreamSample {
            event_rate: pace.events,
            token_rate: pace.tokens,
            ..StreamSample::default()
        },
        ..Sample::default()
    };
    let happening = Happening {
        stream_end: Some(end),
        ..Happening::of_request(Event::StreamEnded, *of, sample)
    };
    recorder.streamed(plan, now, &happening, |window| {
        *window.ended.entry(end).or_insert(0) += 1;
        window.duration_us.record(took.as_us());
        if let Some(rate) = pace.events {
            window.event_rate.record(rate);
        }
        if let Some(rate) = pace.tokens {
            window.token_rate.record(rate);
        }
    });
}

/// The values that a stream gives, with their variables.
fn taken(
    reader: &mut Reader,
    streaming: &Streaming,
    end: StreamEnd,
) -> Result<Vec<(VariableId, String)>, ErrorClass> {
    let values = reader.conclude(streaming, end)?;
    let values = streaming.extractions.iter().zip(values);
    Ok(values
        .filter_map(|(extraction, value)| Some((extraction.variable, value?)))
        .collect())
}

fn streaming(plan: &Plan, step: StepId) -> Option<&Streaming> {
    plan.step(step)?.1.stream.as_deref()
}
