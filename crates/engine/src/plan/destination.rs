//! What requests reach the target through: its public host, a service binding, or the objects themselves.

use serde::{Deserialize, Serialize};

use crate::keys::Keys;
use crate::scenario::{DoOperation, DurableObject};
use crate::template::Template;

/// What the requests of a run reach the target through. The same scenario can be run through each of them, so
/// that the differences tell what each part of the way costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Via {
    /// The public host, as users do.
    #[default]
    Host,
    /// A service binding: the target's Worker, without what lies before it.
    Binding,
    /// Bindings of Durable Objects: the applications' `doInteractions` instead of their steps.
    Object,
}

impl Via {
    /// Whether this is what is meant when nothing is said.
    #[must_use]
    pub fn is_host(&self) -> bool {
        *self == Self::Host
    }

    /// The name in a request for a run.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Binding => "binding",
            Self::Object => "object",
        }
    }
}

/// What the requests of a step reach the target through.
#[derive(Clone, Debug)]
pub enum Destination {
    /// The host of their URL.
    Host,
    /// The service binding [`TARGET_BINDING`].
    Binding,
    /// A Durable Object.
    Object(Box<ObjectCall>),
}

/// The name of the service binding that leads to the target's Worker.
pub const TARGET_BINDING: &str = "GROVE";

/// An operation on one of the Durable Objects of a class.
#[derive(Clone, Debug)]
pub struct ObjectCall {
    /// The class.
    pub class: DurableObject,
    /// What is done.
    pub operation: DoOperation,
    /// The name of the object.
    pub name: Template,
    /// How the key is chosen that the templates refer to, if one does.
    pub keys: Option<Keys>,
}

impl Destination {
    /// The name of the binding that it needs, if it needs one.
    #[must_use]
    pub fn binding(&self) -> Option<&'static str> {
        match self {
            Self::Host => None,
            Self::Binding => Some(TARGET_BINDING),
            Self::Object(call) => Some(call.class.binding()),
        }
    }
}
