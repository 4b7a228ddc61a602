//! A chart of one number over time, made of block characters.
//!
//! Each column is the largest value of its part of the time, so that a short spike is seen however
//! narrow the chart is. In a wide chart each value fills several columns.

const BLOCKS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Draws `values`, oldest first, in `width` columns or a few less and exactly `height` lines. A value that
/// is missing leaves its column empty.
#[must_use]
pub fn draw(values: &[Option<f64>], width: usize, height: usize) -> Vec<String> {
    let columns = columns(values, width);
    let top = columns
        .iter()
        .flatten()
        .fold(0.0, |top: f64, value| top.max(*value));
    (0..height)
        .rev()
        .map(|line| {
            columns
                .iter()
                .map(|value| cell(*value, top, line, height))
                .collect()
        })
        .collect()
}

fn columns(values: &[Option<f64>], width: usize) -> Vec<Option<f64>> {
    let Some(copies) = width.checked_div(values.len()) else {
        return Vec::new();
    };
    let columns = if copies > 0 {
        values.len() * copies
    } else {
        width
    };
    (0..columns)
        .map(|column| {
            let from = column * values.len() / columns;
            let until = ((column + 1) * values.len() / columns).max(from + 1);
            values[from..until]
                .iter()
                .flatten()
                .copied()
                .reduce(f64::max)
        })
        .collect()
}

/// The character of one line, counted from the bottom, of a column.
fn cell(value: Option<f64>, top: f64, line: usize, height: usize) -> char {
    let Some(value) = value else { return ' ' };
    let steps = BLOCKS.len() - 1;
    let share = if top > 0.0 { value / top } else { 0.0 };
    // At least one step: a value of zero is a value.
    let filled = ((share * (height * steps) as f64).round() as usize).max(1);
    BLOCKS[filled.saturating_sub(line * steps).min(steps)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_value_fills_its_column() {
        let values = [Some(0.0), Some(4.0), None, Some(8.0)];
        assert_eq!(draw(&values, 4, 2), ["   █", "▁█ █"]);
    }

    #[test]
    fn a_spike_survives_a_narrow_chart() {
        let mut values = vec![Some(1.0); 100];
        values[41] = Some(100.0);
        let lines = draw(&values, 10, 1);
        assert_eq!(lines, ["▁▁▁▁█▁▁▁▁▁"]);
    }

    #[test]
    fn few_values_are_drawn_wide() {
        let values = [Some(1.0), Some(2.0)];
        assert_eq!(draw(&values, 7, 1), ["▄▄▄███"]);
    }

    #[test]
    fn nothing_is_drawn_of_nothing() {
        assert_eq!(draw(&[], 10, 2), ["", ""]);
        assert_eq!(draw(&[Some(0.0)], 1, 1), ["▁"]);
    }
}
