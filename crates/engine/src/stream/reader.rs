//! One stream: what has come of it, and what that says.

use serde_json::Value;

use super::decoder::{Decoder, Event};
use super::window::StreamEnd;
use crate::check::CheckId;
use crate::error_class::ErrorClass;
use crate::extractor::{Answer, Extractor, Found, VALUE_BYTES_MAX};
use crate::parts::Parts;
use crate::plan::Streaming;
use crate::response::{Exchange, misses};
use crate::scenario::StreamFormat;
use crate::tick::{Span, Tick};

/// A stream that is being read.
#[derive(Debug)]
pub(crate) struct Reader {
    /// When its request was sent.
    sent: Tick,
    /// The status and the fields of its answer, when they are here.
    head: Option<(u16, Vec<(String, String)>)>,
    decoder: Decoder,
    bytes: u64,
    events: Series,
    tokens: Series,
    /// What events gave for the values that are taken from them, in their order.
    values: Vec<Option<String>>,
    missed: bool, // a check that is required
}

/// Points in time, of which only the ends are kept.
#[derive(Clone, Copy, Debug, Default)]
struct Series {
    count: u64,
    first: Tick,
    last: Tick,
}

/// What an event told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Observed {
    /// Of the first one, how long after the sending it came.
    pub(crate) first_event: Option<Span>,
    /// Of the others, how long after the one before.
    pub(crate) gap: Option<Span>,
    /// Whether that was a stall.
    pub(crate) is_stall: bool,
    /// Whether it was a token.
    pub(crate) is_token: bool,
    /// Of the first token, how long after the sending it came.
    pub(crate) first_token: Option<Span>,
}

/// How quickly a whole stream came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pace {
    /// Events per second after the first, in thousandths; none of less than two.
    pub(crate) events: Option<u64>,
    /// The same of tokens.
    pub(crate) tokens: Option<u64>,
}

impl Series {
    fn add(&mut self, at: Tick) {
        if self.count == 0 {
            self.first = at;
        }
        self.last = at;
        self.count += 1;
    }

    fn per_second_thousandths(&self) -> Option<u64> {
        let gaps = self.count.checked_sub(1).filter(|gaps| *gaps > 0)?;
        let us = self.last.saturating_since(self.first).as_us();
        // All in one moment of the clock says nothing about their rate.
        gaps.saturating_mul(1_000_000_000).checked_div(us)
    }
}

impl Reader {
    /// Nothing has come yet of what was asked for at `sent`.
    pub(crate) fn new(streaming: &Streaming, sent: Tick) -> Self {
        Self {
            sent,
            head: None,
            decoder: Decoder::new(streaming.is_sse()),
            bytes: 0,
            events: Series::default(),
            tokens: Series::default(),
            values: vec![None; streaming.extractions.len()],
            missed: false,
        }
    }

    /// The header is here.
    pub(crate) fn begin(&mut self, status: u16, headers: &[(String, String)]) {
        self.head = Some((status, headers.to_vec()));
    }

    /// Whether the header is here.
    pub(crate) const fn has_head(&self) -> bool {
        self.head.is_some()
    }

    /// When its request was sent.
    pub(crate) const fn sent(&self) -> Tick {
        self.sent
    }

    /// Counts bytes that came.
    pub(crate) const fn count(&mut self, bytes: &[u8]) {
        self.bytes = self.bytes.saturating_add(bytes.len() as u64);
    }

    /// Takes the next event of `bytes` that counts; `None` when there is none left. `on_check` is told of every
    /// check whether it passed.
    ///
    /// # Errors
    /// With the reason when the stream is over.
    pub(crate) fn next(
        &mut self,
        streaming: &Streaming,
        now: Tick,
        bytes: &mut &[u8],
        on_check: impl FnMut(CheckId, bool),
    ) -> Option<Result<Observed, StreamEnd>> {
        let event = loop {
            match self.decoder.next(bytes)? {
                Err(_) => return Some(Err(StreamEnd::Error)),
                Ok(event) if ends(streaming, &event) => return Some(Err(StreamEnd::Until)),
                Ok(event) if counts(streaming, &event) => break event,
                Ok(_) => {}
            }
        };
        let before = self.events;
        self.events.add(now);
        let gap = (before.count > 0).then(|| now.saturating_since(before.last));
        let is_token = self.look_at(streaming, &event, on_check);
        let is_first_token = is_token && self.tokens.count == 0;
        if is_token {
            self.tokens.add(now);
        }
        let since_sent = now.saturating_since(self.sent);
        Some(Ok(Observed {
            first_event: gap.is_none().then_some(since_sent),
            gap,
            is_stall: gap.is_some_and(|gap| gap > streaming.stall_after),
            is_token,
            first_token: is_first_token.then_some(since_sent),
        }))
    }

    /// Whether as many events have come as are wanted.
    pub(crate) fn is_full(&self, streaming: &Streaming) -> bool {
        streaming
            .events_max
            .is_some_and(|max| self.events.count >= max)
    }

    /// Whether the silence after the last event is a stall.
    pub(crate) fn is_stalled(&self, streaming: &Streaming, now: Tick) -> bool {
        self.events.count > 0 && now.saturating_since(self.events.last) > streaming.stall_after
    }

    /// How quickly it came.
    pub(crate) fn pace(&self) -> Pace {
        Pace {
            events: self.events.per_second_thousandths(),
            tokens: self.tokens.per_second_thousandths(),
        }
    }

    /// The id of the last event, as a value of a variable.
    pub(crate) fn last_id(&self) -> Option<&str> {
        let id = self.decoder.last_id()?;
        (!id.is_empty() && id.len() <= VALUE_BYTES_MAX).then_some(id)
    }

    /// Whether it was what the step expects, and the values that were taken from its events: none where the
    /// variable stays as it is.
    ///
    /// # Errors
    /// The class of the first thing that was not as the step expects.
    pub(crate) fn conclude(
        &mut self,
        streaming: &Streaming,
        end: StreamEnd,
    ) -> Result<Vec<Option<String>>, ErrorClass> {
        let values = std::mem::take(&mut self.values);
        match end {
            StreamEnd::Error => return Err(ErrorClass::EventTooLarge),
            _ if self.missed => return Err(ErrorClass::Check),
            // Its user did nothing wrong: what has not come yet may come in the next slice.
            StreamEnd::Slice => return Ok(values),
            _ if self.events.count < streaming.events_min => return Err(ErrorClass::TooFewEvents),
            _ => {}
        }
        let of_defaults = values.into_iter().zip(&streaming.extractions);
        let values = of_defaults.map(|(value, e)| value.or_else(|| e.default.clone()).map(Some));
        values.collect::<Option<_>>().ok_or(ErrorClass::Extraction)
    }

    /// The answer without its body.
    pub(crate) fn exchange(&self) -> Exchange<'_> {
        let (status, headers) = match &self.head {
            Some((status, headers)) => (*status, headers.as_slice()),
            None => (0, &[][..]),
        };
        Exchange {
            status,
            headers,
            body: b"",
            bytes_received: self.bytes,
            truncated: false,
            parts: Parts::default(),
        }
    }

    /// Holds checks against an event and takes values from it. Answers whether it is a token.
    fn look_at(
        &mut self,
        streaming: &Streaming,
        event: &Event<'_>,
        mut on_check: impl FnMut(CheckId, bool),
    ) -> bool {
        let is_token = streaming.format == StreamFormat::Tokens;
        if streaming.places().next().is_none() {
            return is_token;
        }
        let json: Option<Value> = if streaming.places().any(Extractor::wants_json) {
            serde_json::from_slice(&event.data).ok()
        } else {
            None
        };
        let id = self.decoder.last_id().unwrap_or_default().to_owned();
        let headers = [
            ("event".to_owned(), event.kind.clone().into_owned()),
            ("id".to_owned(), id),
        ];
        let exchange = Exchange {
            status: self.head.as_ref().map_or(0, |(status, _)| *status),
            headers: &headers,
            body: &event.data,
            bytes_received: event.data.len() as u64,
            truncated: false,
            parts: Parts::default(),
        };
        let answer = Answer {
            exchange: &exchange,
            json: json.as_ref(),
        };
        self.missed |= misses(&streaming.checks, answer, &mut on_check);
        for (value, extraction) in self.values.iter_mut().zip(&streaming.extractions) {
            let found = extraction
                .extractor
                .find(answer)
                .and_then(Found::into_value);
            if found.is_some() {
                *value = found;
            }
        }
        match &streaming.token {
            Some(place) => place.find(answer).and_then(Found::into_value).is_some(),
            None => is_token,
        }
    }
}

/// Whether this event says that the stream is over.
fn ends(streaming: &Streaming, event: &Event<'_>) -> bool {
    let until = streaming.until.as_ref();
    until.is_some_and(|until| until.as_bytes() == &*event.data)
}

fn counts(streaming: &Streaming, event: &Event<'_>) -> bool {
    streaming.types.is_empty() || streaming.types.iter().any(|kind| *kind == event.kind)
}
