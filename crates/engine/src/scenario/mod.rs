//! What a scenario file says, before anything is checked: the spec's types, and what we add to them.
//!
//! Invariant: reading refuses what the format does not know (unknown fields, duplicate keys, wrong types), and
//! writing what was read gives the same scenario again. Whether it can be run is decided by
//! [`Plan::parse`](crate::plan::Plan::parse), which sees all of it at once.

mod application;
mod data;
mod expect;
mod extract;
mod interaction;
mod json;
mod load;
mod metrics;
mod monitoring;
mod read;
#[cfg(feature = "schema")]
mod schema;
mod socket;
mod step;
mod stream;
mod types;

pub use application::{
    Action, ApplicationProfile, Method, RepeatPattern, RequestBody, RequestConfig,
};
pub use data::{DataConfig, DataPer, DataPick, DataRow, DataValue};
pub use expect::{
    CheckConfig, ExpectConfig, ExpectedStatuses, JsonType, LatencyLimits, LengthConfig,
};
pub use extract::{ExtractConfig, ExtractMap, ExtractPick, ExtractRule};
pub use interaction::{
    DoInteraction, DoOperation, DoOperations, DoPattern, DurableObject, KeyConfig, KeyDistribution,
};
pub use json::{NamedMap, TextMap};
pub use load::{
    ArrivalMode, DurationValue, Executor, LoadConfig, NumberValue, PhaseConfig, ScenarioMap,
    StageConfig,
};
pub use metrics::{MeasuredValue, MetricConfig, MetricSource};
pub use monitoring::{MonitoredSeries, MonitoringConfig};
pub use read::{parse_application, parse_scenario};
#[cfg(feature = "schema")]
pub use schema::json_schema;
pub use socket::{
    CloseConfig, ReceiveConfig, ReceiveStep, ReplyKind, RpcConfig, SendConfig, SendStep,
    SocketConfig, SocketStep,
};
pub use step::{Choice, ChooseStep, FlowStep, LoopConfig, LoopStep, RequestStep, ThinkStep};
pub use stream::{StreamConfig, StreamFormat};
pub use types::{
    ApplicationWeight, Cookies, LoadScenario, ProfileConfig, RampDown, RampUp, UserPlateau,
    UserProfile,
};
