//! Templates such as `/api/tenants/{{tenant}}/posts`: parsed once, rendered for each request.

use serde::{Deserialize, Serialize};

use crate::random::Random;

/// The place of a variable in a plan's list of variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct VariableId(pub u16);

/// What a template may refer to when it is rendered.
#[derive(Clone, Copy, Debug)]
pub struct RenderContext<'a> {
    /// The number of the virtual user, from 0.
    pub vu: u32,
    /// The number of the user's iteration, from 0.
    pub iteration: u32,
    /// The tenant that the user belongs to.
    pub tenant: &'a str,
    /// The variant of the application that is played, if it has variants.
    pub variant: Option<&'a str>,
    /// The user's variables, by [`VariableId`].
    pub variables: &'a [Option<String>],
    /// Unix time in milliseconds.
    pub unix_ms: u64,
}

/// A text with places to fill in.
#[derive(Clone, Debug)]
pub struct Template {}

impl Template {
    /// Fills in the places. A variable without a value is filled in as nothing.
    #[must_use]
    pub fn render(&self, _context: &RenderContext<'_>, _random: &mut Random) -> String {
        String::new()
    }
}
