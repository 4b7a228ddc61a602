//! From the engine's request to the text that crosses into JavaScript: lines, of which the first is the URL, and
//! then a name and a value in turn.
//!
//! Invariant: whatever a scenario says, each field has two lines, and every request names its run and its batch.

use std::borrow::Cow;

use sentinel_engine::batch::{BATCH_FIELD, RUN_FIELD, Request};

use crate::batch::driver::BatchPermit;

const USER_AGENT: &str = "user-agent";

/// Fields that no scenario can set: the target's owner must be able to tell where load comes from.
const OWN_FIELDS: [&str; 3] = [USER_AGENT, RUN_FIELD, BATCH_FIELD];

/// The text of a request. `own_fields` are those of [`own_fields`].
pub(super) fn message(request: &Request, own_fields: &str) -> String {
    let fields: usize = request
        .headers
        .iter()
        .map(|(name, value)| name.len() + value.len() + 2)
        .sum();
    let mut text = String::with_capacity(request.url.len() + fields + own_fields.len());
    // Where a URL is read, line breaks in it are passed over.
    if request.url.contains('\n') {
        text.extend(request.url.chars().filter(|c| *c != '\n'));
    } else {
        text.push_str(&request.url);
    }
    for (name, value) in &request.headers {
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
        text.push('\n');
        text.push_str(line);
    }
}

#[cfg(test)]
mod tests {
    use sentinel_engine::batch::{Address, RequestId};
    use sentinel_engine::scenario::Method;
    use sentinel_engine::tick::Span;
    use sentinel_engine::window::StepId;

    use super::*;

    fn text(url: &str, headers: &[(&str, &str)]) -> String {
        let permit = BatchPermit {
            run: "r".to_owned(),
            slice: 3,
            batch: 7,
        };
        let headers = headers.iter();
        let request = Request {
            id: RequestId(0),
            step: StepId(0),
            vu: 0,
            iteration: 0,
            address: Address::Host,
            method: Method::Get,
            url: url.to_owned(),
            headers: headers
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            body: None,
            wants_body: false,
            wants_headers: Vec::new(),
            streams: false,
            body_limit_bytes: 0,
            timeout: Span::ZERO,
        };
        message(&request, &own_fields(&permit))
    }

    const OWN: &str = concat!(
        "\nuser-agent\nvista-loadtest/",
        env!("CARGO_PKG_VERSION"),
        "\nx-vista-run\nr\nx-vista-batch\n3.7"
    );

    #[test]
    fn a_request_is_its_url_and_its_fields() {
        let fields = [("accept", "*/*"), ("x-a", "")];
        let expected = format!("http://a/b\naccept\n*/*\nx-a\n{OWN}");
        assert_eq!(text("http://a/b", &fields), expected);
    }

    #[test]
    fn nothing_that_is_filled_in_adds_a_line_or_replaces_what_names_the_run() {
        let fields = [
            ("x-a", "1\r\nx-vista-run\u{85}2\nb"),
            ("X-Vista-Run", "another"),
            ("User-Agent", "somebody else"),
            ("x\n", "y"),
        ];
        let expected = format!("http://a/b\nx-a\n1  x-vista-run 2 b{OWN}");
        assert_eq!(text("http://a/\nb", &fields), expected);
    }
}
