//! From the engine's request to the texts that cross into JavaScript: the URL, and the header fields as lines, a name
//! and a value in turn.
//!
//! Invariant: whatever a scenario says, each field has two lines, and every request names its run and its batch.

use std::borrow::Cow;

use sentinel_engine::batch::{BATCH_FIELD, RUN_FIELD};

use crate::batch::driver::BatchPermit;

const USER_AGENT: &str = "user-agent";

/// Fields that no scenario can set: the target's owner must be able to tell where load comes from.
const OWN_FIELDS: [&str; 3] = [USER_AGENT, RUN_FIELD, BATCH_FIELD];

/// The header fields of a request. `own_fields` are those of [`own_fields`].
pub(super) fn fields(headers: &[(String, String)], own_fields: &str) -> String {
    let length = headers
        .iter()
        .map(|(name, value)| name.len() + value.len() + 2);
    let mut text = String::with_capacity(length.sum::<usize>() + own_fields.len());
    for (name, value) in headers {
        let ours = OWN_FIELDS.iter().any(|own| own.eq_ignore_ascii_case(name));
        if !ours && !name.contains(char::is_control) {
            add(&mut text, name, value);
        }
    }
    text.push_str(own_fields);
    text
}

/// The fields that every request of a batch has, as they end its text.
pub(super) fn own_fields(permit: &BatchPermit) -> String {
    let mut text = String::new();
    add(
        &mut text,
        USER_AGENT,
        concat!("vista-loadtest/", env!("CARGO_PKG_VERSION")),
    );
    add(&mut text, RUN_FIELD, &permit.run);
    let batch = format!("{}.{}", permit.slice, permit.batch);
    add(&mut text, BATCH_FIELD, &batch);
    text.pop(); // lines are separated, not ended
    text
}

fn add(text: &mut String, name: &str, value: &str) {
    // A line break would begin another field.
    let value = if value.contains(char::is_control) {
        Cow::Owned(value.replace(char::is_control, " "))
    } else {
        Cow::Borrowed(value)
    };
    for line in [name, &value] {
        text.push_str(line);
        text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(headers: &[(&str, &str)]) -> String {
        let permit = BatchPermit {
            run: "r".to_owned(),
            slice: 3,
            batch: 7,
        };
        let headers = headers.iter();
        let headers: Vec<_> = headers
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        fields(&headers, &own_fields(&permit))
    }

    const OWN: &str = concat!(
        "user-agent\nvista-loadtest/",
        env!("CARGO_PKG_VERSION"),
        "\nx-vista-run\nr\nx-vista-batch\n3.7"
    );

    #[test]
    fn fields_are_lines() {
        let expected = format!("accept\n*/*\nx-a\n\n{OWN}");
        assert_eq!(text(&[("accept", "*/*"), ("x-a", "")]), expected);
    }

    #[test]
    fn nothing_that_is_filled_in_adds_a_line_or_replaces_what_names_the_run() {
        let fields = [
            ("x-a", "1\r\nx-vista-run\u{85}2\nb"),
            ("X-Vista-Run", "another"),
            ("User-Agent", "somebody else"),
            ("x\n", "y"),
        ];
        let expected = format!("x-a\n1  x-vista-run 2 b\n{OWN}");
        assert_eq!(text(&fields), expected);
    }
}
