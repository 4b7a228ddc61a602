//! Whole numbers on the command line.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// Reads numbers of a range; whatever else is given is told what is accepted.
pub(crate) fn whole<T>(
    range: RangeInclusive<T>,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static
where
    T: FromStr + PartialOrd + Display + Clone + Send + Sync + 'static,
{
    move |text| {
        let number = text.parse().ok().filter(|number| range.contains(number));
        number.ok_or_else(|| {
            let (from, to) = (range.start(), range.end());
            format!("accepted are whole numbers from {from} to {to}")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_within_its_range_or_the_range_is_told() {
        let read = whole(2_u16..=7);
        assert_eq!((read("2"), read("7")), (Ok(2), Ok(7)));
        for text in ["1", "8", "70000", "-3", "2.5", "many", ""] {
            let refused = Err("accepted are whole numbers from 2 to 7".to_owned());
            assert_eq!(read(text), refused, "{text}");
        }
    }
}
