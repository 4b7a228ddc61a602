//! The batch machine: plays one share of the plan's virtual users for one slice.
//!
//! **After every [`Batch::handle_input`], call [`Batch::poll_output`] until it answers
//! [`Output::WakeAt`] or [`Output::Done`].** A wake that comes too early, or twice, changes nothing.
//!
//! | state | begins when | sends requests | ends when |
//! | --- | --- | --- | --- |
//! | playing | at once | yes | the slice or the plan ends, or a stop comes |
//! | draining | the slice ends | redirects only | the last request under way has ended, or that takes too long |
//! | lingering | users without requests under way were handed over | redirects only | the last request under way has ended |
//! | ended | the last frame is shipped | no | never |

mod answers;
mod arrivals;
mod detail;
mod draw;
mod flow;
mod hand_over;
mod machine;
mod message;
mod messages;
mod objects;
mod player;
mod polls;
mod recorder;
mod redirects;
mod reopen;
mod repeat;
mod requests;
mod resume;
mod socket_records;
mod sockets;
mod streams;
mod types;
mod user;

pub use machine::Batch;
pub use types::{
    Address, BATCH_FIELD, Failure, Head, Input, MESSAGE_BYTES_MAX, Opening, Output, RUN_FIELD,
    Request, RequestId, SocketInput, SocketOutput, WakeReason,
};
