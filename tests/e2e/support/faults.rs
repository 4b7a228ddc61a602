//! A stack whose own parts misbehave when a test asks for it, by a module before the Worker which the Worker knows
//! nothing of: `faulty.js`.

use devstack::Options;
use serde_json::Value;

use super::Lab;

impl Lab {
    /// A stack of its own whose parts can be told to misbehave.
    pub(crate) fn faulty(configure: impl FnOnce(Options) -> Options) -> Self {
        Self::own_with(|options| configure(options.entry(include_str!("faulty.js"))))
    }

    /// Says which parts are to misbehave from now on; what was said before is forgotten.
    pub(crate) fn misbehave(&self, faults: &Value) {
        ureq::post(format!("{}/__faults", self.url()))
            .send_json(faults)
            .expect("the faults are set");
    }

    /// How coordinators have reached for shards since the faults were set: the `name` of the object, the `region`
    /// where it was to be, the `path` that was asked for, and `atMs`.
    pub(crate) fn shards_reached(&self) -> Vec<Value> {
        let mut answer = ureq::get(format!("{}/__shards", self.url()))
            .call()
            .expect("an answer");
        answer.body_mut().read_json().expect("a list")
    }
}
