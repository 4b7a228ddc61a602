//! k6's execution segments: parts of a plan between two fractions of the whole.
//!
//! Written as in k6 (k6: lib/execution_segment.go): a segment is `1/4:3/4`, `25%:0.75` or `20%` (which begins
//! at 0); a sequence is the list of the points between its segments, such as `0,1/4,3/4,1`. Invariant:
//! fractions are exact.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::split::{CYCLE_MAX, Split, gcd};

/// A part of the whole, between two fractions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    from: Fraction,
    to: Fraction, // above `from`
}

/// Segments that follow on one another. What is missing before and after them makes up segments of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentSequence {
    points: Vec<Fraction>, // ascending, from 0 to 1
    written: String,
}

/// What is wrong with a segment or a sequence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SegmentError {
    /// The text is not a fraction.
    #[error("{0:?} is not a fraction: accepted are forms such as \"1/4\", \"0.25\" and \"25%\"")]
    Fraction(String),
    /// The fraction is below 0 or above 1.
    #[error("{0:?} is out of range: accepted are fractions from 0 to 1")]
    Range(String),
    /// The end is not behind the start.
    #[error("{0:?} ends before it begins: the fractions must rise")]
    Order(String),
    /// A sequence has less than two points.
    #[error(
        "{0:?} is not a sequence: accepted are at least two rising fractions such as \"0,1/4,1\""
    )]
    Points(String),
    /// The segment is none of the sequence's.
    #[error("segment {segment} is not in the sequence {sequence:?}")]
    NotInSequence {
        /// The segment.
        segment: String,
        /// The sequence.
        sequence: String,
    },
    /// The parts have no common measure that is small enough.
    #[error(
        "{0:?} is too fine: the fractions must have a common denominator of at most {CYCLE_MAX}"
    )]
    TooFine(String),
}

impl Segment {
    /// The whole.
    pub const WHOLE: Self = Self {
        from: Fraction { over: 0, under: 1 },
        to: Fraction { over: 1, under: 1 },
    };

    /// The split that cuts this segment out of the whole, and the segment's place in it. Without a sequence,
    /// what is before and what is behind the segment are its only other parts.
    ///
    /// # Errors
    /// The segment is not in the sequence, or the fractions have no small common denominator.
    pub fn split(
        &self,
        sequence: Option<&SegmentSequence>,
    ) -> Result<(Split, usize), SegmentError> {
        let alone;
        let sequence = match sequence {
            Some(sequence) => sequence,
            None => {
                alone = SegmentSequence::filled(vec![self.from, self.to], self.to_string());
                &alone
            }
        };
        let mut pairs = sequence.points.windows(2);
        let place = pairs.position(|pair| pair == [self.from, self.to]);
        let place = place.ok_or_else(|| SegmentError::NotInSequence {
            segment: self.to_string(),
            sequence: sequence.written.clone(),
        })?;
        Ok((sequence.split()?, place))
    }
}

impl SegmentSequence {
    /// The split of the whole into all segments of the sequence.
    ///
    /// # Errors
    /// The fractions have no small common denominator.
    pub fn split(&self) -> Result<Split, SegmentError> {
        let too_fine = || SegmentError::TooFine(self.written.clone());
        let under = self.points.iter().try_fold(1_u64, |under, point| {
            let factor = point.under / gcd(under, point.under);
            under.checked_mul(factor)
        });
        let under = under.ok_or_else(too_fine)?;
        let places: Option<Vec<u64>> = self
            .points
            .iter()
            .map(|point| (under / point.under).checked_mul(point.over))
            .collect();
        let places = places.ok_or_else(too_fine)?;
        let ends = places.iter().skip(1);
        let weights: Vec<u64> = places
            .iter()
            .zip(ends)
            .map(|(from, to)| to.saturating_sub(*from))
            .collect();
        Split::new(&weights).ok_or_else(too_fine)
    }

    /// Adds 0 and 1 where they are missing.
    fn filled(mut points: Vec<Fraction>, written: String) -> Self {
        if points.first() != Some(&Segment::WHOLE.from) {
            points.insert(0, Segment::WHOLE.from);
        }
        if points.last() != Some(&Segment::WHOLE.to) {
            points.push(Segment::WHOLE.to);
        }
        Self { points, written }
    }
}

impl FromStr for Segment {
    type Err = SegmentError;

    /// An empty text is the whole.
    fn from_str(text: &str) -> Result<Self, SegmentError> {
        if text.is_empty() {
            return Ok(Self::WHOLE);
        }
        let (from, to) = match text.split_once(':') {
            Some((from, to)) => (from.parse()?, to.parse()?),
            None => (Self::WHOLE.from, text.parse()?),
        };
        if from >= to {
            return Err(SegmentError::Order(shown(text)));
        }
        Ok(Self { from, to })
    }
}

impl FromStr for SegmentSequence {
    type Err = SegmentError;

    /// An empty text is the sequence of one segment, the whole.
    fn from_str(text: &str) -> Result<Self, SegmentError> {
        if text.is_empty() {
            return Ok(Self::filled(Vec::new(), "0,1".to_owned()));
        }
        let points = text.split(',').map(Fraction::from_str);
        let points = points.collect::<Result<Vec<_>, _>>()?;
        if points.len() < 2 {
            return Err(SegmentError::Points(shown(text)));
        }
        if !points.is_sorted_by(|a, b| a < b) {
            return Err(SegmentError::Order(shown(text)));
        }
        Ok(Self::filled(points, shown(text)))
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.from, self.to)
    }
}

impl fmt::Display for SegmentSequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, point) in self.points.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            write!(f, "{comma}{point}")?;
        }
        Ok(())
    }
}

impl Serialize for Segment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for SegmentSequence {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Segment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for SegmentSequence {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A fraction from 0 to 1, in lowest terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fraction {
    over: u64,
    under: u64, // at least 1
}

impl Fraction {
    fn lowest(over: u64, under: u64) -> Option<Self> {
        let divisor = gcd(over, under);
        Some(Self {
            over: over.checked_div(divisor)?,
            under: under.checked_div(divisor).filter(|under| *under > 0)?,
        })
    }

    /// Both numbers stay far below an overflow: [`digits`] limits them.
    fn read(text: &str) -> Option<Self> {
        if let Some(percent) = text.strip_suffix('%') {
            return Self::lowest(digits(percent)?, 100);
        }
        if let Some((over, under)) = text.split_once('/') {
            return Self::lowest(digits(over)?, digits(under)?);
        }
        let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
        let power = 10_u64.checked_pow(u32::try_from(decimals.len()).ok()?)?;
        let over = digits(whole)?.checked_mul(power)?;
        Self::lowest(over.checked_add(digits(decimals)?)?, power)
    }
}

impl FromStr for Fraction {
    type Err = SegmentError;

    fn from_str(text: &str) -> Result<Self, SegmentError> {
        let fraction = Self::read(text).ok_or_else(|| SegmentError::Fraction(shown(text)))?;
        if fraction.over > fraction.under {
            return Err(SegmentError::Range(shown(text)));
        }
        Ok(fraction)
    }
}

impl PartialOrd for Fraction {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Fraction {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let cross = |a: u64, b: u64| u128::from(a) * u128::from(b);
        cross(self.over, other.under).cmp(&cross(other.over, self.under))
    }
}

impl fmt::Display for Fraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.under == 1 {
            write!(f, "{}", self.over)
        } else {
            write!(f, "{}/{}", self.over, self.under)
        }
    }
}

/// A number of up to [`DIGITS_MAX`] digits, nothing else.
fn digits(text: &str) -> Option<u64> {
    let fits = !text.is_empty() && text.len() <= DIGITS_MAX;
    if !fits || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

fn shown(text: &str) -> String {
    text.chars().take(80).collect()
}

/// More say nothing: the common denominator is limited.
const DIGITS_MAX: usize = 9;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::share::Portion;
    use proptest::prelude::*;

    fn segment(text: &str) -> Segment {
        text.parse().expect(text)
    }

    #[test]
    fn segments_are_read_in_all_forms_of_k6() {
        for (text, shown) in [
            ("", "0:1"),
            ("0:1", "0:1"),
            ("0.5:0.75", "1/2:3/4"),
            ("1/2:3/4", "1/2:3/4"),
            ("50%:75%", "1/2:3/4"),
            ("2/4:75%", "1/2:3/4"),
            ("75%", "0:3/4"),
            ("0.2", "0:1/5"),
            ("1/5", "0:1/5"),
        ] {
            assert_eq!(segment(text).to_string(), shown, "{text}");
            assert_eq!(segment(shown), segment(text), "what is written reads back");
        }
        for text in [
            "125%",
            "1a5%",
            "1a5",
            "1a5%:2/3",
            "125%:250%",
            "55%:50%",
            "1/2:1/2",
            "0",
            "1/0",
            ":",
            "1:",
            "-1/2",
            "1.5",
            "0.5:1:1",
            "1e-1",
            "0.1234567890",
            "½",
            "%",
        ] {
            assert!(text.parse::<Segment>().is_err(), "{text}");
        }
    }

    #[test]
    fn sequences_are_read_as_in_k6() {
        for (text, full) in [
            ("", "0,1"),
            ("0.5,1", "0,1/2,1"),
            ("1/3,2/3", "0,1/3,2/3,1"),
            ("0,1/3,2/3,1", "0,1/3,2/3,1"),
            ("0.5,0.7", "0,1/2,7/10,1"),
            ("0,1/13,2/13,1/3,1/2,3/4,1", "0,1/13,2/13,1/3,1/2,3/4,1"),
        ] {
            assert_eq!(
                text.parse::<SegmentSequence>().expect(text).to_string(),
                full
            );
        }
        for text in [
            "0.5", "1,1", "-0.5,1", "1/2,1/2", "1/2,1/3", "0,1,1/2", ",", "0,,1", "0,2",
        ] {
            assert!(text.parse::<SegmentSequence>().is_err(), "{text}");
        }
    }

    #[test]
    fn errors_name_what_was_rejected_and_what_is_accepted() {
        let refused = |text: &str| text.parse::<Segment>().expect_err(text).to_string();
        assert_eq!(
            refused("1a5"),
            "\"1a5\" is not a fraction: accepted are forms such as \"1/4\", \"0.25\" and \"25%\""
        );
        assert!(refused("125%").contains("\"125%\" is out of range"));
        assert!(refused("55%:50%").contains("\"55%:50%\" ends before it begins"));
        let sequence = "0,1/2,1".parse::<SegmentSequence>().unwrap();
        let error = segment("0:1/3")
            .split(Some(&sequence))
            .expect_err("not there");
        assert_eq!(
            error.to_string(),
            "segment 0:1/3 is not in the sequence \"0,1/2,1\""
        );
        let error = segment("1/999983:1/3").split(None).expect_err("too fine");
        assert!(error.to_string().contains("too fine"), "{error}");
    }

    /// The first number of a segment, the distances between those that follow, and the cycle.
    fn offsets(sequence: &str, wanted: &str) -> (u64, Vec<u64>, usize) {
        let sequence = (!sequence.is_empty()).then(|| sequence.parse().expect("sequence"));
        let (split, place) = segment(wanted).split(sequence.as_ref()).expect("split");
        let stripes = split.stripes(place);
        let in_cycle = stripes.count_of(split.cycle() as u64);
        let numbers: Vec<u64> = (0..=in_cycle).filter_map(|n| stripes.global(n)).collect();
        let distances = numbers.windows(2).map(|pair| pair[1] - pair[0]).collect();
        (numbers[0], distances, split.cycle())
    }

    #[test]
    fn segments_are_striped_as_in_k6() {
        // Expected numbers from k6: lib/execution_segment_test.go, TestGetStripedOffsets and TestSequenceLCD.
        let seven = "0,0.3,0.5,0.6,0.7,0.8,0.9,1";
        let other = "0,0.2,0.5,0.6,0.7,0.8,0.9,1";
        let cases: &[(&str, &str, u64, &[u64], usize)] = &[
            (seven, "0:0.3", 0, &[4, 3, 3], 10),
            (seven, "0.3:0.5", 1, &[4, 6], 10),
            (seven, "0.5:0.6", 2, &[10], 10),
            (seven, "0.6:0.7", 3, &[10], 10),
            (seven, "0.8:0.9", 8, &[10], 10),
            (seven, "0.9:1", 9, &[10], 10),
            (other, "0.9:1", 9, &[10], 10),
            (other, "0:0.2", 1, &[4, 6], 10),
            (other, "0.6:0.7", 3, &[10], 10),
            ("0,0.2,0.5", "0:0.2", 3, &[6, 4], 10),
            ("0,0.2,0.5", "0.2:0.5", 1, &[4, 2, 4], 10),
            ("0,2/5,4/5", "0:2/5", 0, &[3, 2], 5),
            ("0,2/5,4/5", "2/5:4/5", 1, &[3, 2], 5),
            ("", "0:0.2", 1, &[5], 5),
            ("", "0:2/5", 1, &[2, 3], 5),
            ("", "2/5:4/5", 1, &[3, 2], 5),
            ("", "1/10:5/10", 1, &[2, 2, 4, 2], 10),
        ];
        for (sequence, wanted, start, distances, cycle) in cases {
            assert_eq!(
                offsets(sequence, wanted),
                (*start, distances.to_vec(), *cycle),
                "{sequence} {wanted}"
            );
        }
        assert_eq!(offsets("0,1/3,5/6", "0:1/3").2, 6);
        assert_eq!(offsets("0,1/3,4/7", "0:1/3").2, 21);
    }

    #[test]
    fn totals_are_scaled_as_in_k6() {
        // Expected numbers from k6: lib/execution_segment_test.go, TestBigScale and TestNewExecutionTuple.
        let thirds: SegmentSequence = "0,1/3,2/3,1".parse().unwrap();
        let uneven: SegmentSequence = "0,7/20,7/10,1".parse().unwrap();
        let portion =
            |wanted: &str, sequence| Portion::segment(&segment(wanted), sequence).unwrap();
        let first = portion("0:7/20", Some(&uneven));
        assert_eq!(first.stripes().count_of(50), 18);
        let parts = ["0:1/3", "1/3:2/3", "2/3:1"];
        for (users, expected) in [
            (50_u64, [[17, 1], [17, 0], [16, 0]]),
            (20, [[18, 1], [17, 0], [15, 0]]),
            (3, [[17, 1], [17, 0], [16, 0]]),
            (2, [[25, 1], [25, 0], [0, 0]]),
            (1, [[50, 1], [0, 0], [0, 0]]),
        ] {
            for (part, expected) in parts.iter().zip(expected) {
                let stripes = portion(part, Some(&thirds)).scaled(users);
                let counts = [50, 1].map(|total| stripes.count_of(total));
                assert_eq!(
                    counts, expected,
                    "{part} of 50 and of 1, striped by {users} users"
                );
            }
        }
        let half = |wanted| portion(wanted, None).stripes();
        assert_eq!([2, 3].map(|n| half("0.5").count_of(n)), [1, 2]);
        assert_eq!([2, 3].map(|n| half("0.5:1.0").count_of(n)), [1, 1]);
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(text in any::<String>()) {
            let _ = (text.parse::<Segment>(), text.parse::<SegmentSequence>());
        }

        #[test]
        fn near_misses_do_no_harm(text in "[0-9./%:,]{0,24}") {
            if let Ok(segment) = text.parse::<Segment>() {
                let _ = segment.split(None);
            }
            if let Ok(sequence) = text.parse::<SegmentSequence>() {
                let _ = sequence.split();
            }
        }
    }
}
