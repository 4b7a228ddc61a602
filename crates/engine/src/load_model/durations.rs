//! Durations as k6 and as Artillery write them.
//!
//! k6 reads Go's forms with days in front (k6: lib/types/types.go), and a number without a unit as
//! milliseconds. Artillery reads a whole number as seconds, and everything else as the npm package `ms` does.

use crate::duration::{self, DURATION_MAX};
use crate::scenario::DurationValue;
use crate::tick::Span;

/// A duration of k6, and whether it was a text without a unit, which people easily take for seconds.
pub(super) fn k6(value: &DurationValue) -> Result<(Span, bool), &'static str> {
    let text = match value {
        DurationValue::Number(ms) => return from_units(*ms, 1e3).map(|span| (span, false)),
        DurationValue::Text(text) => text.trim(),
    };
    if text.starts_with('-') {
        return Err(NEGATIVE);
    }
    if text.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        && let Ok(ms) = text.parse::<f64>()
    {
        return from_units(ms, 1e3).map(|span| (span, true));
    }
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    let mut total = Span::ZERO;
    let mut first = true;
    while !rest.is_empty() {
        let (number, after) = split_while(rest, |c| c.is_ascii_digit() || c == '.');
        let (unit, after) = split_while(after, |c| !c.is_ascii_digit() && c != '.');
        let us = match unit {
            "d" if first && !number.contains('.') => 86_400e6,
            "h" => 3_600e6,
            "m" => 60e6,
            "s" => 1e6,
            "ms" => 1e3,
            "us" | "µs" | "μs" => 1.0,
            "ns" => 1e-3,
            _ => return Err(K6_FORMS),
        };
        let number = number.parse::<f64>().map_err(|_| K6_FORMS)?;
        total = total + from_units(number, us)?;
        (rest, first) = (after, false);
    }
    if first {
        return Err(K6_FORMS);
    }
    if total > DURATION_MAX {
        return Err(TOO_LONG);
    }
    Ok((total, false))
}

/// A duration of a phase of Artillery, more than no time. Durations of the scenario file's own form, such as
/// `1m30s`, are understood too: Artillery refuses them.
pub(super) fn artillery(value: &DurationValue) -> Result<Span, &'static str> {
    let span = match value {
        DurationValue::Number(s) if s.fract() == 0.0 => from_units(*s, 1e6)?,
        DurationValue::Number(_) => return Err(ARTILLERY_FORMS),
        DurationValue::Text(text) => artillery_text(text.trim())?,
    };
    if span.is_zero() {
        return Err("is no time: accepted are durations above 0");
    }
    Ok(span)
}

fn artillery_text(text: &str) -> Result<Span, &'static str> {
    let (number, unit) = split_while(text, |c| c.is_ascii_digit() || c == '.');
    let unit = unit.trim_start_matches(' ').to_ascii_lowercase();
    let us = match unit.as_str() {
        "" if !number.contains('.') => 1e6,
        "weeks" | "week" | "w" => 7.0 * 86_400e6,
        "days" | "day" | "d" => 86_400e6,
        "hours" | "hour" | "hrs" | "hr" | "h" => 3_600e6,
        "minutes" | "minute" | "mins" | "min" | "m" => 60e6,
        "seconds" | "second" | "secs" | "sec" | "s" => 1e6,
        "milliseconds" | "millisecond" | "msecs" | "msec" | "ms" => 1e3,
        _ if text.starts_with('-') => return Err(NEGATIVE),
        "" => return Err(ARTILLERY_FORMS),
        _ => return duration::parse(text).map_err(|_| ARTILLERY_FORMS),
    };
    let number = number.parse::<f64>().map_err(|_| ARTILLERY_FORMS)?;
    from_units(number, us)
}

/// `number` of units of `us` microseconds each, rounded to the microsecond.
fn from_units(number: f64, us: f64) -> Result<Span, &'static str> {
    let us = (number * us).round();
    if !us.is_finite() {
        return Err(TOO_LONG);
    }
    if us < 0.0 {
        return Err(NEGATIVE);
    }
    let span = Span::from_us(us as u64); // not negative, or the largest
    if span > DURATION_MAX {
        return Err(TOO_LONG);
    }
    Ok(span)
}

fn split_while(text: &str, keep: impl Fn(char) -> bool) -> (&str, &str) {
    let end = text.find(|c| !keep(c)).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

const NEGATIVE: &str = "is negative: accepted are durations from 0 on";

const TOO_LONG: &str = "is too long: accepted are durations up to 365d";

const K6_FORMS: &str = "is not a duration: accepted are numbers with units (d, h, m, s, ms, us, ns) such as \"1m30s\", and numbers of milliseconds";

const ARTILLERY_FORMS: &str = "is not a duration: accepted are whole numbers of seconds, and texts such as \"90s\", \"5m\", \"500ms\" and \"2 hours\"";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(text: &str) -> DurationValue {
        DurationValue::Text(text.to_owned())
    }

    #[test]
    fn k6_durations_are_read_as_in_k6() {
        for (written, us) in [
            ("1m30s", 90_000_000),
            ("500ms", 500_000),
            ("1.5h", 5_400_000_000),
            ("1h15m30.918s", 4_530_918_000),
            ("30m1h", 5_400_000_000),
            ("2d", 172_800_000_000),
            ("1d12h", 129_600_000_000),
            (".5s", 500_000),
            ("+5s", 5_000_000),
            ("250us", 250),
            ("250µs", 250),
            ("1500ns", 2),
            ("0", 0),
            ("0s", 0),
        ] {
            assert_eq!(
                k6(&text(written)).map(|(span, _)| span.as_us()),
                Ok(us),
                "{written}"
            );
        }
        assert_eq!(
            k6(&text("90")),
            Ok((Span::from_ms(90), true)),
            "without a unit: milliseconds"
        );
        assert_eq!(
            k6(&DurationValue::Number(1_500.5)),
            Ok((Span::from_us(1_500_500), false))
        );
        for written in [
            "", "s", "5x", "1d1d", "1.5d", "12h1d", "5 s", "1..5s", "NaN", "inf", "1e3", ".",
        ] {
            assert!(k6(&text(written)).is_err(), "{written}");
        }
        assert_eq!(k6(&text("-10s")), Err(NEGATIVE));
        assert_eq!(k6(&DurationValue::Number(-1.0)), Err(NEGATIVE));
        assert_eq!(k6(&text("366d")), Err(TOO_LONG));
        assert_eq!(k6(&text("300d300d")), Err(K6_FORMS));
        assert_eq!(k6(&text("9000h")), Err(TOO_LONG));
    }

    #[test]
    fn artillery_durations_are_read_as_in_artillery() {
        for (written, ms) in [
            ("60", 60_000),
            ("5s", 5_000),
            ("2m", 120_000),
            ("1.5h", 5_400_000),
            ("500ms", 500),
            ("2 hours", 7_200_000),
            ("1 Day", 86_400_000),
            ("1w", 604_800_000),
            ("1m30s", 90_000),
        ] {
            assert_eq!(
                artillery(&text(written)),
                Ok(Span::from_ms(ms)),
                "{written}"
            );
        }
        assert_eq!(
            artillery(&DurationValue::Number(60.0)),
            Ok(Span::from_secs(60))
        );
        for written in ["", "soon", "1.5", "5 x", "s", "1e3"] {
            assert_eq!(artillery(&text(written)), Err(ARTILLERY_FORMS), "{written}");
        }
        assert_eq!(artillery(&DurationValue::Number(1.5)), Err(ARTILLERY_FORMS));
        assert!(artillery(&DurationValue::Number(0.0)).is_err());
        assert_eq!(artillery(&text("-5s")), Err(NEGATIVE));
        assert_eq!(artillery(&text("60w")), Err(TOO_LONG));
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(written in any::<String>(), near in "[0-9.]{0,8} ?(d|h|m|s|ms|w|)[0-9.]{0,8}(m|s|)") {
            for written in [written, near] {
                let _ = (k6(&text(&written)), artillery(&text(&written)));
            }
        }
    }
}
