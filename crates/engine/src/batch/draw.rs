//! What an iteration is made of: drawn by chance, dealt by number.
//!
//! Invariant: everything here depends on the plan, the user's random numbers and the iteration's number alone.

use crate::batch::user::Iteration;
use crate::data::Deal;
use crate::plan::{Plan, PlannedScenario, Step};
use crate::random::Random;
use crate::vu::VuId;

/// A number that no other iteration of the run has, from one that none of its scenario has.
pub(super) fn number_of_run(plan: &Plan, scenario: usize, number: u64) -> u64 {
    let scenarios = plan.scenarios.len() as u64;
    number
        .saturating_mul(scenarios)
        .saturating_add(scenario as u64)
}

/// The rows of the plan's tables for an iteration, `None` if a table has none left.
pub(super) fn deal_rows(
    plan: &Plan,
    application: u16,
    vu: VuId,
    iteration: u64,
) -> Option<Vec<u32>> {
    if plan.tables.is_empty() {
        return Some(Vec::new());
    }
    let mut rows = vec![0; plan.tables.len()];
    let application = plan.applications.get(usize::from(application))?;
    for table in &application.tables {
        let place = usize::from(*table);
        let deal = Deal {
            seed: plan.seed,
            table: *table,
            vu: vu.0,
            iteration,
        };
        let row = plan.tables.get(place)?.deal(deal)?;
        if let Some(slot) = rows.get_mut(place) {
            *slot = row;
        }
    }
    Some(rows)
}

/// The place of an application, chosen by weight.
pub(super) fn pick_application(scenario: &PlannedScenario, random: &mut Random) -> u16 {
    let mut left = random.fraction();
    let chosen = scenario.applications.iter().find(|(_, weight)| {
        left -= weight;
        left < 0.0
    });
    chosen
        .or(scenario.applications.last())
        .map_or(0, |(at, _)| *at)
}

/// The place of one of the application's variants, if it has any.
pub(super) fn pick_variant(plan: &Plan, application: u16, random: &mut Random) -> Option<u16> {
    let variants = plan
        .applications
        .get(usize::from(application))?
        .variants
        .len();
    let last = u64::try_from(variants).ok()?.checked_sub(1)?;
    u16::try_from(random.between(0, last)).ok()
}

/// Whether the step is played in this iteration. Chance is drawn for every step, so that a step's place in
/// the stream of random numbers does not depend on earlier answers.
pub(super) fn is_played(
    step: &Step,
    iteration: &mut Iteration,
    variables: &[Option<String>],
) -> bool {
    let chance = step.probability >= 1.0 || iteration.random.fraction() < step.probability;
    let wanted = step
        .unless_set
        .is_none_or(|id| !matches!(variables.get(usize::from(id.0)), Some(Some(_))));
    let fits = step.only_variants.is_empty()
        || iteration
            .variant
            .is_some_and(|variant| step.only_variants.contains(&variant));
    chance && wanted && fits
}
