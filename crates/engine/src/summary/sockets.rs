//! What a run tells about the WebSocket sessions of a step.

use serde::{Deserialize, Serialize};

use crate::error_class::ErrorClass;
use crate::plan::{Act, Session};
use crate::socket::{SessionEnd, SessionWindow};
use crate::sorted::SortedMap;
use crate::totals::LatencyPercentiles;

/// The sessions of a step. Times are in milliseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SocketResult {
    /// Sessions that were opened.
    pub sessions: u64,
    /// Sessions that ended, by who ended them.
    pub ended: SortedMap<SessionEnd, u64>,
    /// The codes with which they were closed; 1006 where none came.
    pub close_codes: SortedMap<u16, u64>,
    /// What went wrong in sessions, by class.
    pub errors: SortedMap<ErrorClass, u64>,
    /// Sessions in which anything went wrong, or that could not be opened, as a fraction of all.
    #[serde(default)]
    pub error_rate: Option<f64>,
    /// From the sending of the handshake until it was accepted.
    pub connecting: LatencyPercentiles,
    /// From the sending of the handshake to the end.
    pub duration: LatencyPercentiles,
    /// From a ping to its pong.
    pub ping: LatencyPercentiles,
    /// Messages that were sent.
    pub messages_sent: u64,
    /// Messages that arrived.
    pub messages_received: u64,
    /// Bytes of messages that were sent.
    pub bytes_sent: u64,
    /// Bytes of messages that arrived.
    pub bytes_received: u64,
    /// Messages that arrived and answered none, by type.
    pub unsolicited: SortedMap<String, u64>,
    /// Each message of the session, in its order.
    pub messages: Vec<MessageResult>,
}

/// One message of a session. `begun` is the sum of `oneWay`, `answered`, `timedOut` and `cutOff`, but for those
/// that were open in a part of the run that was lost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MessageResult {
    /// Its name.
    pub name: String,
    /// Whether it is sent; otherwise it is waited for.
    pub is_sent: bool,
    /// How often it was sent, or waited for.
    pub begun: u64,
    /// How often it was sent without an answer to wait for.
    pub one_way: u64,
    /// How often it was answered, or came.
    pub answered: u64,
    /// How often that took too long.
    pub timed_out: u64,
    /// How often the session ended before that.
    pub cut_off: u64,
    /// Of one that is sent, from the sending to its answer.
    pub rtt: LatencyPercentiles,
    /// Of one that is waited for, from the beginning of the wait to its coming.
    pub wait: LatencyPercentiles,
}

impl SocketResult {
    pub(super) fn of(plan: &Session, window: &SessionWindow) -> Self {
        let judged = window.judged;
        Self {
            sessions: window.opened,
            ended: window.ended.clone(),
            close_codes: window.close_codes.clone(),
            errors: window.errors.clone(),
            error_rate: (judged > 0).then(|| window.faulty as f64 / judged as f64),
            connecting: LatencyPercentiles::of_sparse(&window.connecting_us),
            duration: LatencyPercentiles::of_sparse(&window.duration_us),
            ping: LatencyPercentiles::of_sparse(&window.ping_us),
            messages_sent: window.sent,
            messages_received: window.received,
            bytes_sent: window.bytes_sent,
            bytes_received: window.bytes_received,
            unsolicited: window.unsolicited.clone(),
            messages: messages(plan, window),
        }
    }
}

fn messages(plan: &Session, window: &SessionWindow) -> Vec<MessageResult> {
    let numbered = (0..).zip(&plan.messages);
    let told = numbered.map(|(place, message)| {
        let sum = window.messages.get(&place).cloned().unwrap_or_default();
        MessageResult {
            name: message.name.clone(),
            is_sent: matches!(message.act, Act::Send { .. }),
            begun: sum.begun,
            one_way: sum.one_way,
            answered: sum.answered,
            timed_out: sum.timed_out,
            cut_off: sum.cut_off,
            rtt: LatencyPercentiles::of_sparse(&sum.rtt_us),
            wait: LatencyPercentiles::of_sparse(&sum.wait_us),
        }
    });
    told.collect()
}
