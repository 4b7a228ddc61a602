//! Outputs that are written while the run goes on, each by a thread of its own.
//!
//! Invariant: the run never waits for one. Between them is a queue of [`QUEUE_SECONDS`]; what does not fit is
//! dropped, counted and told at the end, and an output that never ends is left behind after [`PATIENCE`].

use std::fmt::Display;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use super::points::Second;

/// How many seconds may wait for an output.
const QUEUE_SECONDS: usize = 64;

/// How long an output may take to end after the run has.
const PATIENCE: Duration = Duration::from_secs(15);

/// Where the seconds of a run go.
pub(super) trait Sink: Send + 'static {
    /// Takes one second; afterwards others can see it.
    ///
    /// # Errors
    /// When it could not be written: why, in words.
    fn write(&mut self, second: &Second) -> Result<(), String>;

    /// Whether the next second may be written after one could not.
    fn recovers(&self) -> bool;
}

/// An output that is being written.
pub(super) struct Stream {
    name: String,
    queue: SyncSender<Arc<Second>>,
    ended: Receiver<Written>,
    dropped: u64, // seconds, or parts of one
}

/// What became of the seconds that an output took.
#[derive(Default)]
struct Written {
    seconds: u64,
    failed: u64,
    failure: Option<String>, // the last one
}

impl Stream {
    /// Begins to write; `name` is that of the output.
    pub(super) fn start(name: impl Display, sink: impl Sink) -> Self {
        let (queue, seconds) = sync_channel(QUEUE_SECONDS);
        let (end, ended) = sync_channel(1);
        thread::spawn(move || {
            // Nobody waits any more when this cannot be told.
            let _ = end.send(write(&seconds, sink));
        });
        Self {
            name: name.to_string(),
            queue,
            ended,
            dropped: 0,
        }
    }

    /// Hands over a second, if there is room.
    pub(super) fn send(&mut self, second: &Arc<Second>) {
        match self.queue.try_send(Arc::clone(second)) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => self.dropped += 1,
            // It has failed for good, which is told at the end.
            Err(TrySendError::Disconnected(_)) => {}
        }
    }

    /// Waits until everything is written, and answers what was not.
    pub(super) fn finish(self) -> Option<String> {
        let Self {
            name,
            queue,
            ended,
            dropped,
        } = self;
        drop(queue);
        let written = match ended.recv_timeout(PATIENCE) {
            Ok(written) => written,
            Err(RecvTimeoutError::Timeout) => {
                let patience = PATIENCE.as_secs();
                return Some(format!(
                    "{name} is incomplete: still not written {patience} s after the run"
                ));
            }
            Err(RecvTimeoutError::Disconnected) => {
                return Some(format!("{name} is incomplete: its writer broke"));
            }
        };
        let told = written.seconds;
        match (written.failure, dropped) {
            (Some(failure), 0) => Some(format!(
                "{name} is incomplete: {} of {told} writes failed: {failure}",
                written.failed
            )),
            (Some(failure), _) => Some(format!(
                "{name} is incomplete: {} of {told} writes failed: {failure}; {dropped} more came too fast for it",
                written.failed
            )),
            (None, 0) => None,
            (None, _) => Some(format!(
                "{name} is incomplete: {dropped} of {} writes came too fast for it and were dropped",
                told + dropped
            )),
        }
    }
}

fn write(seconds: &Receiver<Arc<Second>>, mut sink: impl Sink) -> Written {
    let mut written = Written::default();
    for second in seconds {
        written.seconds += 1;
        if let Err(failure) = sink.write(&second) {
            written.failed += 1;
            written.failure = Some(failure);
            if !sink.recovers() {
                break;
            }
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    /// Takes nothing before it is told to.
    struct Gated(Receiver<()>);

    impl Sink for Gated {
        fn write(&mut self, _: &Second) -> Result<(), String> {
            self.0.recv().map_err(|_| "nobody opened".to_owned())
        }

        fn recovers(&self) -> bool {
            true
        }
    }

    fn second() -> Arc<Second> {
        Arc::new(Second {
            at_ms: 0,
            points: Vec::new(),
        })
    }

    #[test]
    fn an_output_that_hangs_keeps_nobody_waiting_and_its_drops_are_told() {
        let (open, gate) = channel();
        let mut stream = Stream::start("hanging", Gated(gate));
        let sent = QUEUE_SECONDS as u64 * 3;
        for _ in 0..sent {
            stream.send(&second()); // returns although nothing is taken
        }
        let dropped = stream.dropped;
        // All that fits waits, and at most one more is being written.
        assert!((sent - QUEUE_SECONDS as u64 - 1..=sent - QUEUE_SECONDS as u64).contains(&dropped));
        for _ in 0..sent - dropped {
            open.send(()).unwrap();
        }
        let told = stream.finish().unwrap();
        assert!(
            told.contains(&format!("{dropped} of {sent} writes")),
            "{told}"
        );
    }

    #[test]
    fn failures_are_counted_and_the_last_is_told() {
        let (open, gate) = channel();
        let mut stream = Stream::start("failing", Gated(gate));
        open.send(()).unwrap();
        drop(open);
        for _ in 0..3 {
            stream.send(&second());
        }
        let told = stream.finish().unwrap();
        assert_eq!(
            told,
            "failing is incomplete: 2 of 3 writes failed: nobody opened"
        );
    }
}
