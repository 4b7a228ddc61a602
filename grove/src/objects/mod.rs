//! Grove's Durable Objects.
//!
//! Each is addressed by name and answers plain HTTP on its stub, so that another script can
//! call it through a cross-script binding, which is the only way to it from outside. The paths
//! stand at the top of each module; `SessionDO`, `TenantDO` and `PostDO` also take `POST /entries`
//! ([`entries`]), so that a load tester can write to each of them in the same way. Every
//! answer is JSON and has a `Server-Timing` entry that says whether the object was constructed
//! for this call. Errors are `{"error", "code"}` with a 4xx or 5xx status.
//!
//! | class | name | state |
//! | --- | --- | --- |
//! | [`SessionDO`] | `session:{userId}` | codes and sessions of one user |
//! | [`TenantDO`] | `tenant:{tenant}` | settings, counters and feed of one tenant |
//! | [`PostDO`] | `post:{tenant}:{id}` | reactions to one post |
//! | [`StatsDO`] | `stats` | requests received |
//! | [`GateDO`] | `gate:{generation}` | who is being served, for tests |

mod entries;
mod gate;
mod host;
mod post;
mod received;
mod session;
mod stats;
mod tenant;

pub use gate::GateDO;
pub(crate) use gate::{Enter, Leave, Left, Permit};
pub use post::PostDO;
pub(crate) use post::{Known, React, Reacted, Reactions};
pub(crate) use received::received;
pub use session::SessionDO;
pub(crate) use session::{Done, Exchange, NewCode, NewSession, Proof, Renewal, SessionInfo};
pub use stats::StatsDO;
pub use tenant::TenantDO;
pub(crate) use tenant::{Feed, NewMedia, NewPost, NewReaction, Noted, Seed, TenantState};
