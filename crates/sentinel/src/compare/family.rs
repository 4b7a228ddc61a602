//! Many questions asked of the same two runs.

/// Holm's adjustment: each adjusted value below α is a finding, and the probability of any false one is at most α.
pub(super) fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|a, b| p_values[*a].total_cmp(&p_values[*b]));
    let mut adjusted = vec![1.0; p_values.len()];
    let mut highest = 0.0_f64;
    for (rank, place) in order.into_iter().enumerate() {
        let left = (p_values.len() - rank) as f64;
        highest = highest.max((p_values[place] * left).min(1.0));
        adjusted[place] = highest;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_adjustment_is_that_of_the_textbook() {
        let adjusted = holm(&[0.01, 0.04, 0.03, 0.005]);
        let expected = [0.03, 0.06, 0.06, 0.02];
        for (adjusted, expected) in adjusted.iter().zip(expected) {
            assert!(
                (adjusted - expected).abs() < 1e-12,
                "{adjusted} is {expected}"
            );
        }
        assert_eq!(holm(&[]), Vec::<f64>::new());
    }
}
