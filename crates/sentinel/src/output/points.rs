//! What a run measures, second by second, while it goes on.

use sentinel_engine::metering::Export;
use sentinel_engine::metric::{Amount, Definition, TagSet, Value};
use sentinel_engine::plan::Plan;
use sentinel_engine::tick::Tick;
use sentinel_engine::timeline::TimelineRow;
use sentinel_engine::window::Window;

/// The samples of a second, or those of one batch.
#[derive(Clone, Debug)]
pub(super) struct Second {
    /// Unix time of the second's beginning, in milliseconds.
    pub(super) at_ms: u64,
    pub(super) points: Vec<Point>,
}

/// The samples of a metric with the same tags.
#[derive(Clone, Debug)]
pub(super) struct Point {
    pub(super) definition: Definition,
    pub(super) tags: TagSet,
    pub(super) value: Value,
}

/// Makes points of what a run tells.
#[derive(Debug)]
pub(super) struct Points {
    plan: Plan,
    export: Export,
}

impl Points {
    /// For runs of this plan.
    pub(super) fn new(plan: &Plan) -> Self {
        Self {
            plan: plan.clone(),
            export: Export::new(plan),
        }
    }

    /// What a batch measured; `epoch_ms` is the Unix time at which its time line begins.
    pub(super) fn of_window(&self, window: &Window, epoch_ms: u64) -> Second {
        let mut points = Vec::new();
        self.export
            .tell(&self.plan, window, |definition, tags, value| {
                points.push(Point {
                    definition: definition.clone(),
                    tags: tags.clone(),
                    value,
                });
            });
        Second {
            at_ms: epoch_ms.saturating_add(u64::from(window.second).saturating_mul(1_000)),
            points,
        }
    }

    /// What only the run as a whole knows: how many users there are, and how many there can be.
    pub(super) fn of_row(&self, row: &TimelineRow) -> Second {
        let users = [
            ("vus", row.active_users),
            ("vus_max", self.plan.users_max()),
        ];
        let catalog = self.plan.metering().catalog();
        let points = users.into_iter().filter_map(|(name, users)| {
            let definition = catalog.definition(catalog.id(name)?)?.clone();
            let amount: Amount = definition.contains.whole(users.into());
            Some(Point {
                value: Value::of(definition.kind, Tick::from_ms(row.timestamp), amount),
                definition,
                tags: TagSet::new(),
            })
        });
        Second {
            at_ms: row.timestamp,
            points: points.collect(),
        }
    }
}
