//! How many users the plan calls for at each moment, computed here from the scenario alone.

use chrono::DateTime;
use serde_json::Value;

/// How long a user that is no longer needed takes at most to finish its iteration, in seconds.
const FINISHING_S: f64 = 5.0;

/// The four phases of a `userProfile`: name, users at the start, users at the end, seconds.
#[derive(Clone, Debug)]
pub(crate) struct Profile {
    phases: [(&'static str, f64, f64, f64); 4],
}

impl Profile {
    /// Reads a `userProfile`.
    pub(crate) fn parse(profile: &Value) -> Self {
        let users = |path: &str| {
            let value = profile.pointer(path).and_then(Value::as_f64);
            value.unwrap_or_else(|| panic!("{path} is no number in {profile}"))
        };
        let length = |path: &str| {
            let value = profile.pointer(path).and_then(Value::as_str);
            seconds(value.unwrap_or_else(|| panic!("{path} is no text in {profile}")))
        };
        let (peak, steady) = (users("/peak/users"), users("/steadyState/users"));
        Self {
            phases: [
                (
                    "ramp_up",
                    users("/rampUp/from"),
                    users("/rampUp/to"),
                    length("/rampUp/duration"),
                ),
                ("peak", peak, peak, length("/peak/duration")),
                (
                    "steady_state",
                    steady,
                    steady,
                    length("/steadyState/duration"),
                ),
                (
                    "ramp_down",
                    steady,
                    users("/rampDown/to"),
                    length("/rampDown/duration"),
                ),
            ],
        }
    }

    /// The same shape with another highest number of users and another length.
    pub(crate) fn scaled(mut self, users: u32, seconds: u32) -> Self {
        let highest = self.phases.iter().map(|phase| phase.1.max(phase.2));
        let users_factor = f64::from(users) / highest.fold(0.0, f64::max);
        let length: f64 = self.phases.iter().map(|phase| phase.3).sum();
        for (_, from, to, phase_s) in &mut self.phases {
            *from *= users_factor;
            *to *= users_factor;
            *phase_s *= f64::from(seconds) / length;
        }
        self
    }

    /// Checks that the rows of a timeline are in the phases of the plan and have its number of users, to
    /// within `tolerance`.
    pub(crate) fn assert_followed(&self, rows: &[Value], tolerance: f64) {
        let mut seen: Vec<&str> = Vec::new();
        for (second, row) in (0_u32..).map(f64::from).zip(rows) {
            let phase = row["phase"].as_str().expect("a phase");
            if seen.last() != Some(&phase) {
                seen.push(phase);
            }
            let planned = self.phases_in(second, second + 1.0);
            assert!(
                planned.contains(&phase),
                "second {second} is {phase}, planned {planned:?}"
            );
            let users = row["active_users"].as_f64().expect("a number");
            let (low, _) = self.users_between(second, second + 1.0);
            // A user that is no longer needed finishes what it began.
            let (_, high) = self.users_between(second - FINISHING_S, second + 1.0);
            assert!(
                low.floor() - tolerance <= users && users <= high.ceil() + tolerance,
                "second {second} has {users} users, planned {low} to {high}"
            );
        }
        assert_eq!(seen, ["ramp_up", "peak", "steady_state", "ramp_down"]);
    }

    /// The lowest and the highest number of users that the plan calls for between two moments.
    fn users_between(&self, from_s: f64, to_s: f64) -> (f64, f64) {
        let (mut low, mut high) = (f64::MAX, 0.0_f64);
        for (_, begin_s, end_s, users_at) in self.spans() {
            let (begin_s, end_s) = (begin_s.max(from_s), end_s.min(to_s));
            if begin_s <= end_s {
                for users in [users_at(begin_s), users_at(end_s)] {
                    low = low.min(users);
                    high = high.max(users);
                }
            }
        }
        // After the plan's end there are no users to call for.
        (if low == f64::MAX { 0.0 } else { low }, high)
    }

    /// The phases that a second of the plan touches; the last phase after the plan's end.
    fn phases_in(&self, from_s: f64, to_s: f64) -> Vec<&'static str> {
        let touched: Vec<_> = self
            .spans()
            .filter(|(_, begin_s, end_s, _)| *begin_s < to_s && from_s < *end_s)
            .map(|(name, ..)| name)
            .collect();
        if touched.is_empty() {
            vec!["ramp_down"]
        } else {
            touched
        }
    }

    fn spans(&self) -> impl Iterator<Item = (&'static str, f64, f64, impl Fn(f64) -> f64)> {
        let mut at = 0.0;
        self.phases.iter().map(move |&(name, from, to, length)| {
            let begin = at;
            at += length;
            let users_at = move |second: f64| {
                if length > 0.0 {
                    from + (to - from) * (second - begin) / length
                } else {
                    to
                }
            };
            (name, begin, at, users_at)
        })
    }
}

/// The Unix time in milliseconds of a time as ISO 8601 writes it.
pub(crate) fn unix_ms(value: &Value) -> i64 {
    let text = value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no time"));
    DateTime::parse_from_rfc3339(text)
        .unwrap_or_else(|error| panic!("{text:?} is no time: {error}"))
        .timestamp_millis()
}

/// The seconds of a duration such as `90`, `1.5m`, `500ms` or `1m30s`.
fn seconds(text: &str) -> f64 {
    if let Ok(seconds) = text.parse() {
        return seconds;
    }
    let mut total = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(0);
        let (number, after) = rest.split_at(digits);
        let unit_end = after
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_end);
        let scale = match unit {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => panic!("{text:?} is no duration"),
        };
        let number: f64 = number
            .parse()
            .unwrap_or_else(|_| panic!("{text:?} is no duration"));
        total += number * scale;
        rest = after;
    }
    total
}
