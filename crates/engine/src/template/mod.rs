//! Templates such as `/api/tenants/{{tenant}}/posts`: parsed once, rendered for each request.
//!
//! Invariant: a value that is filled in stays inside its place: it is escaped for where it stands (a URL, a
//! header field, a JSON string), so that nothing a target answers can change the shape of a later request.

mod error;
mod escape;
mod expression;
mod parse;
mod render;
mod source;

pub use error::TemplateError;
pub use escape::Escape;
pub(crate) use escape::is_header_char;
pub(crate) use expression::{is_identifier, split_place};
pub use parse::{Names, Template, TemplateBuilder};
pub use render::{RenderContext, VariableId};
pub(crate) use source::is_open_place;
pub use source::is_variable_name;
