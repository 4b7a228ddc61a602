//! Durations as scenario files write them: `90` (seconds), `1.5m`, `500ms`, `1h30m`.
//!
//! Invariant: reading is exact to the microsecond and never overflows, and what [`Written`] writes reads back
//! as the same length.

use std::fmt;

use crate::tick::Span;

/// The longest duration that is accepted: a year.
pub const DURATION_MAX: Span = Span::from_secs(365 * 24 * 3600);

/// Reads a duration: a number of seconds, or numbers with units from the largest to the smallest. Units are
/// `d`, `h`, `m`, `s`, `ms` and `us`; numbers may have a fraction, rounded half up to the microsecond.
///
/// # Errors
/// The text is not a duration, or is longer than [`DURATION_MAX`].
pub fn parse(text: &str) -> Result<Span, DurationError> {
    let refuse = |reason| DurationError {
        text: text.chars().take(SHOWN_CHARS).collect(),
        reason,
    };
    if text.is_empty() {
        return Err(refuse(Reason::Empty));
    }
    if text.starts_with('-') {
        return Err(refuse(Reason::Negative));
    }
    let mut rest = text;
    let mut total_us: u128 = 0;
    let mut smallest = u128::MAX;
    while !rest.is_empty() {
        let (number, after_number) = split_while(rest, |c| c.is_ascii_digit() || c == '.');
        let (unit, after_unit) =
            split_while(after_number, |c| !c.is_ascii_digit() && !matches!(c, '.'));
        let unit_us = if unit.is_empty() && number.len() == text.len() {
            SECOND_US
        } else {
            UNITS
                .iter()
                .find(|(name, _)| *name == unit)
                .map(|(_, us)| *us)
                .ok_or_else(|| refuse(Reason::Form))?
        };
        if unit_us >= smallest {
            return Err(refuse(Reason::Form));
        }
        smallest = unit_us;
        let part_us = scaled(number, unit_us).map_err(refuse)?;
        total_us = total_us.saturating_add(part_us);
        rest = after_unit;
    }
    match u64::try_from(total_us).map(Span::from_us) {
        Ok(span) if span <= DURATION_MAX => Ok(span),
        _ => Err(refuse(Reason::TooLong)),
    }
}

/// Writes a length as a scenario file would: `1h30m`, `500ms`, `0s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written(pub Span);

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = u128::from(self.0.as_us());
        if rest == 0 {
            return f.write_str("0s");
        }
        for (name, us) in UNITS.iter().filter(|(name, _)| *name != "d") {
            let count = rest / us;
            if count > 0 {
                write!(f, "{count}{name}")?;
            }
            rest %= us;
        }
        Ok(())
    }
}

/// A text that is not an acceptable duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} {reason}: accepted are seconds such as \"90\" or numbers with units (d, h, m, s, ms, us) such as \"1.5m\", \"500ms\" or \"1h30m\", up to 365d"
)]
pub struct DurationError {
    text: String,
    reason: Reason,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum Reason {
    #[error("is empty")]
    Empty,
    #[error("is negative")]
    Negative,
    #[error("is not a duration")]
    Form,
    #[error("is too long")]
    TooLong,
}

/// `number` times `unit_us`, rounded half up.
fn scaled(number: &str, unit_us: u128) -> Result<u128, Reason> {
    let (whole, fraction) = match number.split_once('.') {
        Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
        Some(_) => return Err(Reason::Form),
        None => (number, ""),
    };
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(fraction) || fraction.len() > FRACTION_DIGITS_MAX {
        return Err(Reason::Form);
    }
    let whole: u64 = whole.parse().map_err(|_| Reason::TooLong)?;
    let mut us = u128::from(whole) * unit_us;
    if let Ok(numerator) = fraction.parse::<u128>() {
        let denominator = fraction.bytes().fold(1_u128, |power, _| power * 10);
        us += (2 * numerator * unit_us + denominator) / (2 * denominator);
    }
    Ok(us)
}

fn split_while(text: &str, keep: impl Fn(char) -> bool) -> (&str, &str) {
    let end = text.find(|c| !keep(c)).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

const SECOND_US: u128 = 1_000_000;

/// From the largest to the smallest.
const UNITS: [(&str, u128); 6] = [
    ("d", 86_400 * SECOND_US),
    ("h", 3_600 * SECOND_US),
    ("m", 60 * SECOND_US),
    ("s", SECOND_US),
    ("ms", 1_000),
    ("us", 1),
];

/// 9 digits of a day are 86 µs: more would say nothing.
const FRACTION_DIGITS_MAX: usize = 12;

/// How much of a rejected text an error repeats.
const SHOWN_CHARS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_a_person_writes_is_understood() {
        for (text, us) in [
            ("90", 90_000_000),
            ("1.5", 1_500_000),
            ("1.5m", 90_000_000),
            ("0s", 0),
            ("0", 0),
            ("500ms", 500_000),
            ("1h30m", 5_400_000_000),
            ("1d", 86_400_000_000),
            ("2m0.5s", 120_500_000),
            ("250us", 250),
            ("0.0000005s", 1), // half a microsecond is rounded up
            ("365d", DURATION_MAX.as_us()),
        ] {
            assert_eq!(parse(text), Ok(Span::from_us(us)), "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused_with_the_text_and_the_accepted_forms() {
        for text in [
            "",
            "-5s",
            "5 s",
            " 5s",
            "s",
            "5x",
            "5S",
            "1.",
            ".5s",
            "1..5s",
            "1.2.3s",
            "1e3",
            "NaN",
            "inf",
            "30m1h",
            "1m1m",
            "1h30",
            "5s5",
            "366d",
            "99999999999999999999s",
            "18446744073709551615d",
            "٣s",
            "1.1234567890123s",
            "0x10",
        ] {
            let error = parse(text).expect_err(text).to_string();
            assert!(error.contains("1h30m"), "{error}");
            assert!(
                error.contains(&format!("{text:?}")) || text.len() > SHOWN_CHARS,
                "{error}"
            );
        }
    }

    #[test]
    fn lengths_are_written_as_a_person_would() {
        for (us, text) in [
            (0, "0s"),
            (90_000_000, "1m30s"),
            (5_400_000_000, "1h30m"),
            (500_000, "500ms"),
            (1_500_001, "1s500ms1us"),
            (172_800_000_000, "48h"),
        ] {
            assert_eq!(Written(Span::from_us(us)).to_string(), text);
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(us in 0..=DURATION_MAX.as_us()) {
            let span = Span::from_us(us);
            prop_assert_eq!(parse(&Written(span).to_string()), Ok(span));
        }

        #[test]
        fn no_text_is_too_strange(text in any::<String>()) {
            let _ = parse(&text);
        }

        #[test]
        fn near_misses_do_no_harm(text in "[0-9.]{0,24}(d|h|m|s|ms|us|)[0-9.]{0,24}(m|s|ms|)") {
            if let Ok(span) = parse(&text) {
                prop_assert!(span <= DURATION_MAX);
            }
        }
    }
}
