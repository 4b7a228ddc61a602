//! Watching a run until it has ended, over a stream of events, or by asking again and again where streams do not
//! come through.
//!
//! Invariant: nothing that happens to the watching happens to the run, unless `--cancel-on-interrupt` says so. A
//! second that comes twice, by the stream or after a cut, is shown once.

use std::time::Duration;

use reqwest::Response;
use serde_json::Value;
use sse_core::{MessageEvent, SseDecoder, SseEvent};
use tokio::pin;
use tokio::select;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use super::arguments::ViewArguments;
use super::cancel::cancel;
use super::client::Client;
use super::live::Live;
use super::outcome::{has_ended, present, write};
use super::trouble::Trouble;
use crate::exit::{Exit, Stopped};
use crate::output::SummaryOutputs;

/// A stream that is silent for so long is held back or broken: the API says something each second.
const SILENCE: Duration = Duration::from_secs(20);
/// After so many streams without an event it is asked instead.
const FRUITLESS_MAX: u32 = 3;
/// How often it is asked.
const POLL_EVERY: Duration = Duration::from_secs(2);
/// How long to wait after a cut, unless the stream has said.
const RETRY: Duration = Duration::from_secs(1);
/// No longer wait than this, whatever a stream says, and however often it failed.
const RETRY_MAX: Duration = Duration::from_secs(10);
/// After so long without any answer the watching ends.
const PATIENCE: Duration = Duration::from_secs(300);
/// Rows of the time line that are asked for at once.
const ROWS: &str = "1000";

/// Watches a run to its end, prints and writes what came of it, and answers the exit code that says so.
///
/// # Errors
/// When the load tester refuses or does not answer any more, or when somebody interrupts.
pub(super) async fn watch(
    client: &Client,
    run: Uuid,
    view: ViewArguments,
    outputs: SummaryOutputs,
) -> Result<Exit, Stopped> {
    let mut interrupts = Interrupts::new()?;
    let mut watching = Watching::new(client, run, Live::new(view.quiet));
    let ended = {
        let end = watching.end();
        pin!(end);
        let mut cancelled = false;
        loop {
            select! {
                ended = &mut end => break ended?,
                () = interrupts.next() => {}
            }
            if cancelled || !view.cancel_on_interrupt {
                return Err(left_alone(run, cancelled));
            }
            cancelled = true;
            note!("sentinel: cancelling the run; the next Ctrl-C stops watching");
            select! {
                told = cancel(client, run) => told.or_else(over_already)?,
                () = interrupts.next() => return Err(left_alone(run, false)),
            }
        }
    };
    drop(watching);
    let exit = present(&ended, view.quiet)?;
    Ok(write(client, run, &ended, outputs, exit).await)
}

/// What is said when somebody stops watching.
fn left_alone(run: Uuid, cancelled: bool) -> Stopped {
    let message = if cancelled {
        format!("stopped watching the run {run}, which is told to end")
    } else {
        format!(
            "stopped watching; the run goes on: `sentinel remote watch {run}` comes back to it, `sentinel remote cancel {run}` ends it"
        )
    };
    Stopped {
        exit: Exit::Interrupted,
        message,
    }
}

/// A run that is over cannot be cancelled, and need not be.
fn over_already(trouble: Trouble) -> Result<(), Trouble> {
    match trouble {
        Trouble::Refused(refusal) if refusal.code == "not_running" => Ok(()),
        other => Err(other),
    }
}

/// Ctrl-C, and what a CI system sends instead.
struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
}

impl Interrupts {
    fn new() -> Result<Self, Stopped> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).map_err(Stopped::failed)?,
            terminate: signal(SignalKind::terminate()).map_err(Stopped::failed)?,
        })
    }

    async fn next(&mut self) {
        select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// A run that is being watched.
struct Watching<'a> {
    client: &'a Client,
    path: String,
    run: Uuid,
    live: Live,
    /// The identifier of the last event, where the next stream goes on.
    last_event_id: Option<String>,
    /// Where the page of the time line begins that is asked for.
    cursor: Option<String>,
    /// Streams in a row that brought nothing.
    fruitless: u32,
    /// When the load tester last said something.
    heard: Instant,
    retry: Duration,
}

/// What one try to hear of the run came to.
enum Heard {
    /// The run is over; its row.
    End(Value),
    /// There is more to come.
    Cut,
}

impl<'a> Watching<'a> {
    fn new(client: &'a Client, run: Uuid, live: Live) -> Self {
        Self {
            client,
            path: format!("/runs/{run}"),
            run,
            live,
            last_event_id: None,
            cursor: None,
            fruitless: 0,
            heard: Instant::now(),
            retry: RETRY,
        }
    }

    /// The row of the run, when it is over.
    async fn end(&mut self) -> Result<Value, Stopped> {
        loop {
            let streams = self.fruitless < FRUITLESS_MAX;
            let heard = if streams {
                self.stream().await
            } else {
                self.poll().await
            };
            let wait = match heard {
                Ok(Heard::End(run)) => return Ok(run),
                Ok(Heard::Cut) if streams => self.retry,
                Ok(Heard::Cut) => POLL_EVERY,
                Err(trouble) => self.bear(trouble, streams)?,
            };
            if streams && self.fruitless >= FRUITLESS_MAX {
                self.live.note("events do not come through: asking instead");
            }
            sleep(wait).await;
        }
    }

    /// What to wait after something went wrong.
    fn bear(&mut self, trouble: Trouble, streams: bool) -> Result<Duration, Stopped> {
        let is_the_streams = match &trouble {
            // The token, or the run, would not be any better when asked for without a stream.
            Trouble::Refused(refusal) => {
                !matches!(refusal.status, 401 | 403) && refusal.code != "run_not_found"
            }
            _ => true,
        };
        let is_worth_more = trouble.is_passing() || (streams && is_the_streams);
        if !is_worth_more {
            return Err(trouble.into());
        }
        if self.heard.elapsed() >= PATIENCE {
            return Err(Stopped::failed(format_args!(
                "{}, for {} s by now; the run goes on: `sentinel remote watch {}` comes back to it",
                trouble.line(),
                PATIENCE.as_secs(),
                self.run
            )));
        }
        if streams && !trouble.is_passing() {
            // This will not become a stream by asking again.
            self.fruitless = FRUITLESS_MAX;
        }
        let failing = self.heard.elapsed();
        Ok((failing / 2).clamp(self.retry, RETRY_MAX))
    }

    /// Reads one stream of events to its end.
    async fn stream(&mut self) -> Result<Heard, Trouble> {
        self.fruitless += 1;
        let path = format!("{}/stream", self.path);
        let mut stream = self
            .client
            .stream(&path, self.last_event_id.as_deref())
            .await?;
        let mut decoder = SseDecoder::new();
        while let Some(mut part) = self.part(&mut stream).await? {
            while let Some(event) = decoder.next(&mut part) {
                // What is larger than any event of ours is none of ours.
                let Ok(event) = event else { continue };
                if let Some(run) = self.take(event) {
                    return Ok(Heard::End(run));
                }
            }
        }
        Ok(Heard::Cut)
    }

    /// The next bytes of a stream, `None` at its end.
    async fn part(&self, stream: &mut Response) -> Result<Option<bytes::Bytes>, Trouble> {
        match timeout(SILENCE, self.client.next(stream)).await {
            Ok(part) => part,
            Err(_) => Ok(None),
        }
    }

    /// Takes an event in; answers the run's row when it is over.
    fn take(&mut self, event: SseEvent) -> Option<Value> {
        let MessageEvent {
            event,
            data,
            last_event_id,
        } = match event {
            SseEvent::Message(message) => message,
            SseEvent::Retry(ms) => {
                self.retry = Duration::from_millis(ms.into()).min(RETRY_MAX);
                return None;
            }
        };
        let mut data: Value = serde_json::from_str(&data).ok()?;
        self.fruitless = 0;
        self.heard = Instant::now();
        match event.as_ref() {
            "row" => {
                self.last_event_id = last_event_id.map(|id| id.to_string());
                self.live.show(&data);
                None
            }
            "end" => data
                .get_mut("run")
                .map(Value::take)
                .filter(|run| run.is_object() && has_ended(run)),
            _ => None,
        }
    }

    /// Asks once how far the run is.
    async fn poll(&mut self) -> Result<Heard, Trouble> {
        let run = self.client.run(self.run).await?;
        self.heard = Instant::now();
        if has_ended(&run) {
            return Ok(Heard::End(run));
        }
        let path = format!("{}/metrics", self.path);
        loop {
            let mut query = vec![("limit", ROWS)];
            query.extend(self.cursor.as_deref().map(|cursor| ("cursor", cursor)));
            let answer = self.client.get(&path, &query).await?;
            let rows = answer.get("metrics").and_then(Value::as_array);
            let rows = rows.map(Vec::as_slice).unwrap_or_default();
            rows.iter().for_each(|row| self.live.show(row));
            let next = answer.get("nextCursor").and_then(Value::as_str);
            // A page without rows would be asked for again and again.
            match next.filter(|_| !rows.is_empty()) {
                Some(next) => self.cursor = Some(next.to_owned()),
                None => return Ok(Heard::Cut),
            }
        }
    }
}
