//! Numbers as k6 writes them for reading: cut off, not rounded, without zeros that say nothing.

use clap::ValueEnum;
use sentinel_engine::metric::Contains;

/// The unit in which all times are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::output) enum TimeUnit {
    /// Seconds.
    S,
    /// Milliseconds.
    Ms,
    /// Microseconds.
    Us,
}

/// An amount of what a metric contains.
pub(super) fn amount(value: f64, contains: Contains, unit: Option<TimeUnit>) -> String {
    match contains {
        Contains::Data => bytes(value),
        Contains::Time => match unit {
            None => time(value),
            Some(TimeUnit::S) => format!("{:.2}s", value / 1e3),
            Some(TimeUnit::Ms) => format!("{value:.2}ms"),
            Some(TimeUnit::Us) => format!("{:.2}µs", value * 1e3),
        },
        Contains::Default | Contains::Whole => plain(value, 6),
    }
}

/// A fraction in percent.
pub(super) fn percent(fraction: f64) -> String {
    format!("{:.2}%", cut(fraction * 100.0, 2))
}

/// A length of time in milliseconds, in the units that suit it.
fn time(ms: f64) -> String {
    if ms == 0.0 {
        "0s".to_owned()
    } else if ms < 0.001 {
        format!("{}ns", (ms * 1e6).trunc())
    } else if ms < 1.0 {
        format!("{}µs", plain(cut(ms * 1e3, 2), 2))
    } else if ms < 1e3 {
        format!("{}ms", plain(cut(ms, 2), 2))
    } else {
        let places = if ms > 60e3 { 0 } else { 2 };
        let seconds = format!("{}s", plain(cut((ms % 60e3) / 1e3, places), places));
        let minutes = (ms / 60e3).trunc();
        match (minutes, (minutes / 60.0).trunc()) {
            (0.0, _) => seconds,
            (minutes, 0.0) => format!("{minutes}m{seconds}"),
            (minutes, hours) => format!("{hours}h{}m{seconds}", minutes % 60.0),
        }
    }
}

fn bytes(value: f64) -> String {
    const UNITS: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
    let mut value = value;
    let mut unit = 0;
    while value >= 1e3 && unit + 1 < UNITS.len() {
        value /= 1e3;
        unit += 1;
    }
    let name = UNITS.get(unit).unwrap_or(&"");
    let places = usize::from(unit > 0 && value < 10.0);
    format!("{value:.places$} {name}")
}

/// With so many decimal places at most.
fn plain(value: f64, places: u8) -> String {
    let text = format!("{value:.*}", usize::from(places));
    if places == 0 {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Cut off after so many decimal places.
fn cut(value: f64, places: u8) -> f64 {
    let scale = 10_f64.powi(places.into());
    // What a product is short of a whole number by is an error of the arithmetic.
    (value * scale + 1e-6).trunc() / scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_the_units_that_suit_them() {
        for (ms, text) in [
            (0.0, "0s"),
            (0.0005, "500ns"),
            (0.1239, "123.9µs"),
            (1.2399, "1.23ms"),
            (117.0, "117ms"),
            (999.999, "999.99ms"),
            (1_000.0, "1s"),
            (59_999.0, "59.99s"),
            (61_500.0, "1m1s"),
            (3_723_000.0, "1h2m3s"),
        ] {
            assert_eq!(amount(ms, Contains::Time, None), text);
        }
        let told = |unit| amount(1_234.567, Contains::Time, Some(unit));
        assert_eq!(told(TimeUnit::S), "1.23s");
        assert_eq!(told(TimeUnit::Ms), "1234.57ms");
        assert_eq!(told(TimeUnit::Us), "1234567.00µs");
    }

    #[test]
    fn sizes_shares_and_other_numbers_have_no_more_places_than_they_need() {
        for (size, text) in [
            (0.0, "0 B"),
            (17.0, "17 B"),
            (1_000.0, "1.0 kB"),
            (12_345.0, "12 kB"),
            (8_400_000.0, "8.4 MB"),
        ] {
            assert_eq!(amount(size, Contains::Data, None), text);
        }
        assert_eq!(percent(2.0 / 3.0), "66.66%");
        assert_eq!(percent(0.29), "29.00%");
        assert_eq!(percent(1.0), "100.00%");
        assert_eq!(amount(90.0, Contains::Default, None), "90");
        assert_eq!(amount(8.1234567, Contains::Whole, None), "8.123457");
    }
}
