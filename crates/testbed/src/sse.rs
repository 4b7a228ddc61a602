//! Server-sent events at known times, in every form that the standard allows, and in some that it does not.
//!
//! Invariant: the times of events follow from the query and the moment of the answer's head alone, and what was
//! really sent when is counted.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::query::{BadQuery, Query};

/// What a stream consists of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Script {
    /// How many events there are in all; none: no end.
    events: Option<u64>,
    /// After how many events a connection ends.
    per_connection: u64,
    first: Duration,
    every: Duration,
    /// Before this event comes a pause.
    stall: Option<(u64, Duration)>,
    lines: &'static str,
    data: Data,
    comments: bool,
    /// Into how many bytes the text is cut.
    split: Option<usize>,
    end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Data {
    Json,
    Tokens,
    Lines,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The answer is complete.
    Close,
    /// Nothing more comes.
    Hang,
    /// A line of data that never ends.
    Line,
}

impl Script {
    /// What a query asks for.
    pub(crate) fn of(query: &mut Query<'_>) -> Result<Self, BadQuery> {
        let ms = |ms: f64| Duration::from_secs_f64(ms.min(MS_MAX) / 1_000.0);
        let lines = [("lf", "\n"), ("cr", "\r"), ("crlf", "\r\n")];
        let data = [
            ("json", Data::Json),
            ("tokens", Data::Tokens),
            ("lines", Data::Lines),
        ];
        let ends = [
            ("close", End::Close),
            ("hang", End::Hang),
            ("line", End::Line),
        ];
        let events = query.number("n")?.unwrap_or(10);
        Ok(Self {
            events: (events > 0).then_some(events),
            per_connection: query.number("limit")?.unwrap_or(u64::MAX),
            first: ms(query.positive("first")?.unwrap_or(0.0)),
            every: ms(query.positive("every")?.unwrap_or(0.0)),
            stall: query
                .pair("stall")?
                .map(|(at, pause)| (at as u64, ms(pause))),
            lines: query.word("eol", "lf, cr or crlf", &lines)?.unwrap_or("\n"),
            data: query
                .word("data", "json, tokens or lines", &data)?
                .unwrap_or(Data::Json),
            comments: query.word("comments", "yes or no", &[("yes", true), ("no", false)])?
                == Some(true),
            split: query.number("split")?.map(|bytes: usize| bytes.max(1)),
            end: query
                .word("end", "close, hang or line", &ends)?
                .unwrap_or(End::Close),
        })
    }

    /// The text of an event, numbered from 1.
    fn text(&self, number: u64) -> String {
        let eol = self.lines;
        let comment = if self.comments {
            format!(": keep-alive{eol}{eol}: of event {number}{eol}")
        } else {
            String::new()
        };
        let data = match self.data {
            Data::Json => json!({ "n": number, "text": "für 🌳" }).to_string(),
            Data::Tokens => {
                let delta = json!({ "content": format!("token{number} ") });
                json!({ "choices": [{ "delta": delta }] }).to_string()
            }
            Data::Lines => format!("line 1{eol}data: line 2{eol}data"),
        };
        format!("{comment}event: tick{eol}id: {number}{eol}data: {data}{eol}{eol}")
    }

    /// What comes after the last event of all.
    fn last_text(&self) -> Option<String> {
        let eol = self.lines;
        (self.data == Data::Tokens).then(|| format!("data: [DONE]{eol}{eol}"))
    }

    /// How long after the head of the answer the nth event of a connection is due, which is this one of all.
    fn due(&self, nth: u64, number: u64) -> Duration {
        let gaps = u32::try_from(nth).unwrap_or(u32::MAX);
        let stalled = self.stall.filter(|(at, _)| number >= *at);
        let pause = stalled.map_or(Duration::ZERO, |(_, pause)| pause);
        self.first + self.every.saturating_mul(gaps) + pause
    }
}

/// A stream that is being sent.
#[derive(Debug)]
pub(crate) struct Events {
    script: Script,
    begun: Instant,
    sent: u64,   // on this connection
    before: u64, // on earlier ones
    pieces: VecDeque<Bytes>,
    pause: Pin<Box<Sleep>>,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Events,
    Last,
    Over,
}

/// What comes next of a stream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// The first bytes of an event.
    Event(Bytes),
    /// Other bytes.
    More(Bytes),
    /// Nothing: it is complete.
    End,
}

impl Events {
    /// The stream behind the event with this number, 0 for all of it.
    pub(crate) fn new(script: Script, before: u64) -> Self {
        let begun = Instant::now();
        let mut events = Self {
            script,
            begun,
            sent: 0,
            before,
            pieces: VecDeque::new(),
            pause: Box::pin(sleep_until(begun)),
            stage: Stage::Events,
        };
        events.plan();
        events
    }

    pub(crate) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Next> {
        if let Some(piece) = self.pieces.pop_front() {
            return Poll::Ready(Next::More(piece));
        }
        match self.stage {
            Stage::Events => {
                ready!(self.pause.as_mut().poll(context));
                self.sent += 1;
                let text = self.script.text(self.before + self.sent);
                let first = self.cut(text);
                self.plan();
                Poll::Ready(Next::Event(first))
            }
            Stage::Last => {
                self.stage = Stage::Over;
                match self.script.last_text() {
                    Some(text) => Poll::Ready(Next::More(self.cut(text))),
                    None => self.poll_next(context),
                }
            }
            Stage::Over => match self.script.end {
                End::Close => Poll::Ready(Next::End),
                End::Hang => Poll::Pending,
                End::Line => {
                    ready!(self.pause.as_mut().poll(context));
                    self.pause.as_mut().reset(Instant::now() + LINE_EVERY);
                    Poll::Ready(Next::More(Bytes::from_static(&LINE)))
                }
            },
        }
    }

    /// Decides what comes after what has been sent.
    fn plan(&mut self) {
        let number = self.before + self.sent;
        let is_last = self.script.events.is_some_and(|events| number >= events);
        if is_last {
            self.stage = Stage::Last;
        } else if self.sent >= self.script.per_connection {
            self.stage = Stage::Over;
        } else {
            let due = self.script.due(self.sent, number + 1);
            self.pause.as_mut().reset(self.begun + due);
        }
    }

    /// The first piece of a text; the others follow.
    fn cut(&mut self, text: String) -> Bytes {
        let mut text = Bytes::from(text);
        let Some(size) = self.script.split else {
            return text;
        };
        let first = text.split_to(size.min(text.len()));
        while !text.is_empty() {
            let piece = text.split_to(size.min(text.len()));
            self.pieces.push_back(piece);
        }
        first
    }
}

/// An hour.
const MS_MAX: f64 = 3_600_000.0;

/// The pause between two pieces of an endless line, so that it does not take all of the machine.
const LINE_EVERY: Duration = Duration::from_millis(1);

/// Begins as a line of data, over and over, which is the same line as long as none ends.
static LINE: [u8; 16_384] = line();

const fn line() -> [u8; 16_384] {
    let mut line = [b'x'; 16_384];
    let begin = b"data: ";
    let mut at = 0;
    while at < begin.len() {
        line[at] = begin[at];
        at += 1;
    }
    line
}
