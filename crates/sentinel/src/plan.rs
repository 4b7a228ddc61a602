//! `sentinel plan`: what a run would do.

use sentinel_engine::plan::{OutlineModel, Plan, PlanOutline};
use sentinel_terminal::chart;

use crate::arguments::PlanArguments;
use crate::exit::{Exit, Stopped};
use crate::source::{Purpose, prepare};

/// How many columns a drawing has.
const COLUMNS: usize = 72;
/// How many lines a drawing has.
const LINES: usize = 6;

/// Prints what a run would do.
pub(crate) fn command(arguments: &PlanArguments) -> Result<Exit, Stopped> {
    let plan = prepare(&arguments.scenario, Purpose::Looking)?;
    let outline = PlanOutline::new(&plan, arguments.shares);
    if arguments.json {
        let text = serde_json::to_string(&outline).map_err(Stopped::failed)?;
        say!("{text}")?;
    } else {
        print(&plan, &outline)?;
    }
    Ok(Exit::Passed)
}

fn print(plan: &Plan, outline: &PlanOutline) -> Result<(), Stopped> {
    say!(
        "{}: {} s, seed {}",
        plan.name(),
        outline.duration_s,
        outline.seed
    )?;
    for scenario in &outline.scenarios {
        let model = match scenario.model {
            OutlineModel::Open => "iterations begin by the plan",
            OutlineModel::Closed => "users decide when iterations begin",
        };
        say!(
            "  {}: from {} s for {} s, {model}; iterations: {}, users: {}",
            scenario.name,
            scenario.starts_at_s,
            scenario.duration_s,
            planned(scenario.iterations_planned),
            planned(scenario.users_max),
        )?;
    }
    if let Some(steps) = &outline.vu_steps {
        draw(
            "users",
            &users(steps, outline.duration_s),
            outline.duration_s,
        )?;
    }
    if let Some(arrivals) = &outline.arrivals_s {
        let rates = rates(arrivals, outline.duration_s);
        draw("iterations/s", &rates, outline.duration_s)?;
        if outline.arrivals_omitted > 0 {
            say!("  not drawn: {} later iterations", outline.arrivals_omitted)?;
        }
    }
    if outline.shares.len() > 1 {
        for share in &outline.shares {
            say!(
                "  share {}: iterations: {}, users: {}",
                share.share,
                planned(share.iterations_planned),
                planned(share.users_max)
            )?;
        }
    }
    Ok(())
}

fn planned(count: Option<u64>) -> String {
    count.map_or_else(|| "as they come".to_owned(), |count| count.to_string())
}

/// The number of users in each column's part of the time: the highest, so that a short peak is seen.
fn users(steps: &[(f64, u64)], duration_s: f64) -> Vec<Option<f64>> {
    let ends = steps.iter().skip(1).map(|(at, _)| *at);
    let spans: Vec<_> = steps
        .iter()
        .zip(ends.chain([f64::INFINITY]))
        .map(|((from, users), until)| (*from, until, *users))
        .collect();
    let column = |number: usize| {
        let from = duration_s * number as f64 / COLUMNS as f64;
        let until = duration_s * (number + 1) as f64 / COLUMNS as f64;
        let overlapping = spans.iter().filter(|(a, b, _)| *a < until && *b > from);
        overlapping
            .map(|(_, _, users)| *users as f64)
            .reduce(f64::max)
    };
    (0..COLUMNS).map(column).collect()
}

/// How many iterations begin in each second, in each column's part of the time.
fn rates(arrivals_s: &[f64], duration_s: f64) -> Vec<Option<f64>> {
    let mut counts = vec![0_u32; COLUMNS];
    for at in arrivals_s {
        let place = (at / duration_s * COLUMNS as f64) as usize;
        if let Some(count) = counts.get_mut(place.min(COLUMNS - 1)) {
            *count += 1;
        }
    }
    let column_s = duration_s / COLUMNS as f64;
    counts
        .iter()
        .map(|count| Some(f64::from(*count) / column_s))
        .collect()
}

fn draw(name: &str, values: &[Option<f64>], duration_s: f64) -> Result<(), Stopped> {
    let top = values.iter().flatten().copied().fold(0.0, f64::max);
    say!("")?;
    for (line, text) in chart::draw(values, COLUMNS, LINES).iter().enumerate() {
        let label = match line {
            0 => format!("{top:.0}"),
            1 => name.to_owned(),
            _ => String::new(),
        };
        say!("  {label:>14} │{text}")?;
    }
    let end = format!("{duration_s} s");
    say!("  {:>14} └{}", "", "─".repeat(COLUMNS))?;
    say!("  {:>14}  0 s{end:>width$}", "", width = COLUMNS - 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_peak_is_drawn() {
        let drawn = users(&[(0.0, 1), (50.0, 9), (50.01, 1)], 100.0);
        assert_eq!(drawn.len(), COLUMNS);
        assert_eq!(drawn.iter().filter(|users| **users == Some(9.0)).count(), 1);
    }

    #[test]
    fn all_arrivals_are_drawn() {
        let arrivals: Vec<f64> = (0..=100).map(f64::from).collect();
        let drawn: f64 = rates(&arrivals, 100.0).into_iter().flatten().sum();
        assert!(
            (drawn * 100.0 / COLUMNS as f64 - 101.0).abs() < 1e-6,
            "{drawn}"
        );
    }
}
