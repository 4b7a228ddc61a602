//! End-to-end tests: the built Workers in local workerd, used as Grove DevOps, Vista and the platform use them,
//! through the public API, D1, KV and cron triggers. Each module is one promise to them.

mod absent_target;
mod assertions;
mod bad_input;
mod cancel;
mod client_gone;
mod conflict;
mod crashes;
mod cron;
mod deserted;
mod downtime;
mod dry_run;
mod inline;
mod internal;
mod kill_switch;
mod listing;
mod live;
mod lost_parts;
mod main_job;
mod misconfigured;
mod objects;
mod once;
mod openapi;
mod operations;
mod outages;
mod redirects;
mod remote;
mod schema;
mod secrets;
mod shards;
mod slots;
mod sockets;
mod streams;
mod summary_shape;
mod support;
mod target_faults;
