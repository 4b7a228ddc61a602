//! A run on a testbed, after its end.

use std::time::Duration;

use serde_json::Value;
use testbed::{Stats, Testbed};

use super::{Lab, Run, Summary, until};

/// What came of a run, as it says itself and as the testbed counted.
pub(crate) struct Played {
    /// The stored summary.
    pub(crate) summary: Summary,
    /// How the run ended.
    pub(crate) status: String,
    /// What the testbed counted.
    pub(crate) stats: Stats,
}

impl Played {
    /// Plays what this body of `POST /runs` asks for.
    pub(crate) fn on(lab: &Lab, testbed: &Testbed, body: &Value) -> Self {
        let run = Run::start(lab, body);
        let status = run.ended(Duration::from_secs(120));
        Self {
            summary: run.summary(),
            status,
            stats: let_go(testbed),
        }
    }
}

/// What a testbed counted when it has neither a request nor a session any more: a connection that was given up ends a
/// moment after the run that gave it up.
pub(crate) fn let_go(testbed: &Testbed) -> Stats {
    until("the testbed has let go", Duration::from_secs(60), || {
        let stats = testbed.stats();
        let mut sockets = stats.paths.values().filter_map(|path| path.socket.as_ref());
        let none_is_open = sockets.all(|socket| socket.ended == socket.sessions);
        (stats.total.waiting + stats.total.sending == 0 && none_is_open).then_some(stats)
    })
}
