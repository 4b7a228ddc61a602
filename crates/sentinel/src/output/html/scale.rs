//! The axes of charts.

/// A vertical axis from 0 to a round number.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scale {
    pub(super) top: f64, // > 0
    pub(super) ticks: Vec<f64>,
}

impl Scale {
    /// An axis on which `highest` is below the top.
    pub(super) fn up_to(highest: f64) -> Self {
        let highest = if highest > 0.0 { highest } else { 1.0 };
        let rough = highest / 4.0;
        let power = 10_f64.powf(rough.log10().floor());
        let steps = [1.0, 2.0, 2.5, 5.0, 10.0].map(|factor| factor * power);
        let step = steps.into_iter().find(|step| step * 4.0 >= highest);
        let step = step.unwrap_or(highest);
        let ticks: Vec<f64> = (0..=4)
            .map(|tick| f64::from(tick) * step)
            .filter(|tick| tick - step < highest)
            .collect();
        Self {
            top: ticks.last().copied().unwrap_or(highest),
            ticks,
        }
    }
}

/// Round points of time within so many seconds, at most ten.
pub(super) fn time_ticks(seconds: u64) -> Vec<u64> {
    const STEPS: [u64; 16] = [
        1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 43_200,
    ];
    let step = STEPS.into_iter().find(|step| seconds / step <= 10);
    let step = step.unwrap_or_else(|| seconds.div_ceil(10).max(1));
    (0..=seconds / step).map(|tick| tick * step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_holds_its_values_and_has_round_ticks() {
        assert_eq!(Scale::up_to(87.0).ticks, [0.0, 25.0, 50.0, 75.0, 100.0]);
        assert_eq!(Scale::up_to(4.0).ticks, [0.0, 1.0, 2.0, 3.0, 4.0]);
        assert_eq!(Scale::up_to(5.0).ticks, [0.0, 2.0, 4.0, 6.0]);
        for highest in [0.0, 1e-6, 0.3, 1.0, 17.0, 99.9, 1e9] {
            let scale = Scale::up_to(highest);
            assert!(scale.top >= highest && scale.top > 0.0, "{scale:?}");
        }
    }

    #[test]
    fn times_are_round_and_few() {
        assert_eq!(time_ticks(20), [0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20]);
        for seconds in [0, 1, 59, 600, 86_400, 1_000_000] {
            assert!(time_ticks(seconds).len() <= 11, "{seconds}");
        }
    }
}
