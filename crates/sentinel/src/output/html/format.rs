//! Numbers for reading, with three significant digits at most.

/// What stands where there is no number.
pub(super) const NOTHING: &str = "–";

/// A count, its thousands apart.
pub(super) fn count(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// Milliseconds.
pub(super) fn ms(ms: Option<f64>) -> String {
    match ms {
        None => NOTHING.to_owned(),
        Some(ms) if ms >= 10_000.0 => format!("{} s", digits(ms / 1e3)),
        Some(ms) => format!("{} ms", digits(ms)),
    }
}

/// Milliseconds, for a column that says so.
pub(super) fn bare_ms(ms: Option<f64>) -> String {
    ms.map_or_else(|| NOTHING.to_owned(), digits)
}

/// A number of unknown size.
pub(super) fn number(value: Option<f64>) -> String {
    value.map_or_else(|| NOTHING.to_owned(), digits)
}

/// A fraction in percent.
pub(super) fn percent(share: Option<f64>) -> String {
    match share {
        None => NOTHING.to_owned(),
        Some(share) => format!("{} %", digits(share * 100.0)),
    }
}

/// Seconds as on a clock: `1:05`, `2:00:00`.
pub(super) fn clock(seconds: u64) -> String {
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

/// Three significant digits, more only before the point.
fn digits(value: f64) -> String {
    let places = match value.abs() {
        below if below < 1.0 => 3,
        below if below < 10.0 => 2,
        below if below < 100.0 => 1,
        _ => 0,
    };
    let text = format!("{value:.places$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!(count(1), "1");
        assert_eq!(count(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!(ms(Some(0.1234)), "0.123 ms");
        assert_eq!(ms(Some(12.04)), "12 ms");
        assert_eq!(ms(Some(1_234.5)), "1234 ms");
        assert_eq!(ms(Some(61_000.0)), "61 s");
        assert_eq!(ms(None), "–");
        assert_eq!(percent(Some(0.0123)), "1.23 %");
        assert_eq!(clock(65), "1:05");
        assert_eq!(clock(7_200), "2:00:00");
    }
}
