//! Everything that the windows of a run tell, for tools that keep measurements of their own.

use super::derive::Derivation;
use crate::metric::{Definition, TagSet, Value};
use crate::plan::Plan;
use crate::window::Window;

/// All metrics that a plan's windows tell, whether or not a threshold asks for them, with all tags that can be
/// told: a built-in metric is told by step or by scenario, the scenario's own ones as they are recorded.
#[derive(Clone, Debug)]
pub struct Export {
    derivation: Derivation,
}

impl Export {
    /// What can be told of runs of this plan.
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        Self {
            derivation: Derivation::of_everything(plan),
        }
    }

    /// Takes the samples of a window. Values of the same metric and tags in several windows add up.
    pub fn tell(
        &self,
        plan: &Plan,
        window: &Window,
        mut take: impl FnMut(&Definition, &TagSet, Value),
    ) {
        let catalog = plan.metering().catalog();
        self.derivation.derive(
            window,
            |_, tags| tags.clone(),
            |metric, tags, value| {
                if let Some(definition) = catalog.definition(metric) {
                    take(definition, tags, value);
                }
            },
        );
        // A built-in metric that is recorded besides is told by step already.
        for (name, series) in &window.metrics.series {
            let own = catalog.id(name).filter(|metric| catalog.is_custom(*metric));
            if let Some(definition) = own.and_then(|metric| catalog.definition(metric)) {
                for (tags, value) in series {
                    take(definition, tags, value.clone());
                }
            }
        }
    }
}
