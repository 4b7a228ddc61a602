//! Templates such as `/api/tenants/{{tenant}}/posts`: parsed once, rendered for each request.
//!
//! Invariant: a value that is filled in stays inside its place: it is escaped for where it stands (a URL, a
//! header field, a JSON string), so that nothing a target answers can change the shape of a later request.

mod escape;
mod parse;
mod render;

pub use escape::Escape;
pub(crate) use escape::is_header_char;
pub use parse::{Template, TemplateBuilder, TemplateError, is_variable_name};
pub(crate) use parse::{is_open_place, split_place};
pub use render::{RenderContext, VariableId};
