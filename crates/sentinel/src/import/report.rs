//! What an import could not carry over, and what has to be filled in.

use std::collections::BTreeMap;

use serde::Serialize;

/// What was left out, and what has to be filled in.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    not_carried: Vec<Left>,
    /// Variables by name.
    fill_in: BTreeMap<String, FillIn>,
}

/// A kind of place that was left out for one reason.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Left {
    /// The place, with `[*]` for any item of a list when there are several.
    path: String,
    reason: String,
    /// How many there are.
    count: u32,
    #[serde(skip)]
    pattern: String,
}

/// A variable whose value somebody has to say.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct FillIn {
    what: String,
    /// Where the first one stood.
    path: String,
}

impl Report {
    /// Something is left out.
    pub(super) fn leave(&mut self, path: &str, reason: String) {
        let pattern = pattern(path);
        let same = self
            .not_carried
            .iter_mut()
            .find(|left| left.pattern == pattern && left.reason == reason);
        match same {
            Some(left) => {
                left.count += 1;
                left.path.clone_from(&left.pattern);
            }
            None => self.not_carried.push(Left {
                path: path.to_owned(),
                reason,
                count: 1,
                pattern,
            }),
        }
    }

    /// Something has to be filled in.
    pub(super) fn fill_in(&mut self, variable: &str, what: &str, path: &str) {
        let entry = self.fill_in.entry(variable.to_owned());
        entry.or_insert_with(|| FillIn {
            what: what.to_owned(),
            path: path.to_owned(),
        });
    }

    /// The places that were left out, and why.
    #[cfg(test)]
    pub(super) fn left(&self) -> impl Iterator<Item = (&str, &str)> {
        self.not_carried
            .iter()
            .map(|left| (left.path.as_str(), left.reason.as_str()))
    }

    /// The lines that say all of it.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if !self.not_carried.is_empty() {
            lines.push("not carried over:".to_owned());
        }
        for Left {
            path,
            reason,
            count,
            ..
        } in &self.not_carried
        {
            let path = if path.is_empty() {
                "the document"
            } else {
                path
            };
            let times = if *count > 1 {
                format!(" ({count} times)")
            } else {
                String::new()
            };
            lines.push(format!("  {path}{times}: {reason}"));
        }
        if !self.fill_in.is_empty() {
            lines.push("to be filled in, in \"env\" of the scenario:".to_owned());
        }
        for (variable, FillIn { what, path }) in &self.fill_in {
            lines.push(format!("  {variable}: {what} ({path})"));
        }
        lines
    }
}

/// The path with any number in brackets as `[*]`.
fn pattern(path: &str) -> String {
    let mut pattern = String::new();
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('[') {
        pattern.push_str(before);
        pattern.push('[');
        match after.split_once(']') {
            Some((number, tail)) if number.bytes().all(|byte| byte.is_ascii_digit()) => {
                pattern.push_str("*]");
                rest = tail;
            }
            _ => rest = after,
        }
    }
    pattern + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_in_many_places_is_one_line() {
        let mut report = Report::default();
        for path in ["a[0].b[12].c", "a[1].b[0].c", "a[0].d", "a[\"x\"].c"] {
            report.leave(path, "no such thing here".to_owned());
        }
        report.fill_in("TOKEN", "a secret", "a[0].headers");
        report.fill_in("TOKEN", "a secret", "a[7].headers");
        assert_eq!(
            report.lines(),
            [
                "not carried over:",
                "  a[*].b[*].c (2 times): no such thing here",
                "  a[0].d: no such thing here",
                "  a[\"x\"].c: no such thing here",
                "to be filled in, in \"env\" of the scenario:",
                "  TOKEN: a secret (a[0].headers)",
            ]
        );
    }
}
