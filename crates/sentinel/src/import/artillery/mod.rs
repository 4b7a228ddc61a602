//! Artillery's test scripts: phases, flows, captures, expectations, payloads and `ensure`.

mod ensure;
mod expectations;
mod flow;
mod payload;
mod request;
mod script;
mod socket;
mod template;

pub(super) use script::import;
