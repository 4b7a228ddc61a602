//! Secrets in what was recorded: a value to fill in takes their place.

use sentinel_engine::redact::is_secret_name;

use super::draft::{Draft, literal};
use super::tree::Node;

/// A value as it goes into a request: a place to fill in when its name says that it is a secret.
pub(super) fn guarded(name: &str, value: &str, node: &Node<'_>, draft: &mut Draft) -> String {
    if value.is_empty() || !is_secret_name(name) {
        return literal(value);
    }
    let (scheme, variable) = match value.split_once(' ') {
        // What follows the scheme is the secret.
        Some((scheme, _)) if name.eq_ignore_ascii_case("authorization") => (Some(scheme), name),
        _ => (None, name),
    };
    let (variable, place) = draft.fill_in(&variable.to_ascii_uppercase());
    node.fill_in(&variable, "a secret, which was not taken over");
    match scheme {
        Some(scheme) => format!("{} {place}", literal(scheme)),
        None => place,
    }
}
