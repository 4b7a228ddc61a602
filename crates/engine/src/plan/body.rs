//! What requests carry.

use crate::content::{self, MediaKind};
use crate::random::Random;
use crate::template::{RenderContext, Template};

/// The body of a request.
#[derive(Clone, Debug)]
pub enum Body {
    /// Text with its content type; JSON bodies are templates whose values are escaped.
    Text {
        /// The value of `Content-Type` unless the step sets its own.
        content_type: &'static str,
        /// The text.
        text: Template,
    },
    /// Generated binary content of a realistic size.
    Media(MediaKind),
}

impl Body {
    /// The value of `Content-Type` unless the step sets its own.
    #[must_use]
    pub const fn content_type(&self) -> &'static str {
        match self {
            Self::Text { content_type, .. } => content_type,
            Self::Media(kind) => kind.content_type(),
        }
    }

    /// The bytes of one request.
    #[must_use]
    pub fn render(&self, context: &RenderContext<'_>, random: &mut Random) -> Vec<u8> {
        match self {
            Self::Text { text, .. } => text.render(context, random).into_bytes(),
            Self::Media(kind) => content::media(*kind, random),
        }
    }
}
