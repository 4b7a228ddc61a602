//! `Server-Timing`: what a target tells about its insides.
//!
//! The header's grammar is that of <https://www.w3.org/TR/server-timing/>, the entries that are understood
//! are those of docs/telemetry.md: `do`, `d1`, `r2` and `kv` with their parameters; any other entry counts as
//! a component of its own name if it reports a duration. Invariant: whatever text comes, what is kept of it is
//! bounded, and nothing that cannot be read is guessed at.

use crate::window::{COMPONENTS_MAX, ComponentKind, ComponentWindow, OTHER_COMPONENT, Window};

/// How much of a header is read, in bytes: room for a hundred entries.
pub const HEADER_BYTES_MAX: usize = 16 * 1_024;

/// How many entries of a header are read.
pub const ENTRIES_MAX: usize = 128;

/// How many characters of a component's name are kept.
pub const NAME_CHARS_MAX: usize = 64;

/// The name of the entry that tells how long the target took altogether.
pub const TOTAL_ENTRY: &str = "total";

/// The largest count that is believed, per entry: sums of it cannot overflow. Larger ones are left out.
const COUNT_MAX: u64 = 1_000_000_000;

/// The largest number of bytes that is believed, per entry.
const BYTES_MAX: u64 = 1_000_000_000_000;

/// Adds what a header's value tells to the components of a window.
pub fn record(header: &str, window: &mut Window) {
    let end = header.floor_char_boundary(HEADER_BYTES_MAX);
    let mut reader = Reader {
        rest: header.get(..end).unwrap_or_default(),
    };
    for _ in 0..ENTRIES_MAX {
        let Some(entry) = reader.entry() else { break };
        entry.record(window);
    }
}

/// One entry: a name and its parameters.
#[derive(Debug, Default, PartialEq)]
struct Entry {
    name: String,
    parameters: Vec<(String, String)>, // names in lower case
}

impl Entry {
    fn record(&self, window: &mut Window) {
        let name = self.name.to_ascii_lowercase();
        let description = self.parameter("desc").filter(|text| !text.is_empty());
        let (kind, component) = match name.as_str() {
            "" => return,
            "do" => (ComponentKind::DurableObject, description.unwrap_or("DO")),
            "d1" => (ComponentKind::D1, description.unwrap_or("D1")),
            "r2" => (ComponentKind::Storage, description.unwrap_or("R2")),
            "kv" => (ComponentKind::Storage, description.unwrap_or("KV")),
            _ if self.duration_us().is_some() => (ComponentKind::Other, self.name.as_str()),
            _ => return,
        };
        let printable = component.chars().filter(|c| !c.is_control());
        let component: String = printable.take(NAME_CHARS_MAX).collect();
        if let Some(entry) = entry_of(window, &component, kind) {
            self.add_to(entry);
        }
    }

    fn add_to(&self, component: &mut ComponentWindow) {
        let count = |name| self.count(name, COUNT_MAX).unwrap_or(0);
        component.calls += 1;
        component.errors += u64::from(self.flag("err"));
        if let Some(duration_us) = self.duration_us() {
            component.duration_us.record(duration_us);
        }
        match component.kind {
            ComponentKind::DurableObject => component.wakes += u64::from(self.flag("wake")),
            ComponentKind::D1 => {
                // A call that does not say how many queries it made has made one.
                component.queries += self.count("queries", COUNT_MAX).unwrap_or(1);
                component.batched_writes += u64::from(self.flag("batch"));
                component.rows_read += count("rows_read");
                component.rows_written += count("rows_written");
                if let Some(depth) = self.count("queue", COUNT_MAX) {
                    component.queue.record(depth);
                }
            }
            ComponentKind::Storage => {
                match self.parameter("op").unwrap_or_default() {
                    "read" | "get" | "head" | "list" => component.reads += 1,
                    "write" | "put" | "delete" => component.writes += 1,
                    _ => {}
                }
                component.bytes += self.count("bytes", BYTES_MAX).unwrap_or(0);
            }
            ComponentKind::Other => {}
        }
    }

    /// The first parameter of this name: later ones are to be ignored.
    fn parameter(&self, name: &str) -> Option<&str> {
        let mut parameters = self.parameters.iter();
        let (_, value) = parameters.find(|(parameter, _)| parameter == name)?;
        Some(value)
    }

    fn flag(&self, name: &str) -> bool {
        matches!(self.parameter(name), Some("1" | "true"))
    }

    fn count(&self, name: &str, max: u64) -> Option<u64> {
        let count: u64 = self.parameter(name)?.parse().ok()?;
        (count <= max).then_some(count)
    }

    /// The duration, which the header gives in milliseconds, in microseconds.
    fn duration_us(&self) -> Option<u64> {
        let ms: f64 = self.parameter("dur")?.parse().ok()?;
        let us = (ms * 1_000.0).round();
        // A day is longer than any request; what is above counts as unreadable rather than as long.
        (0.0..=86_400e6).contains(&us).then_some(us as u64)
    }
}

/// The window's entry for a component. Two kinds of the same name would spoil each other: the first one stays.
fn entry_of<'a>(
    window: &'a mut Window,
    name: &str,
    kind: ComponentKind,
) -> Option<&'a mut ComponentWindow> {
    let (name, kind) = match window.components.get(name) {
        Some(known) if known.kind != kind => return None,
        Some(_) => (name, kind),
        None if window.components.len() < COMPONENTS_MAX => (name, kind),
        None => (OTHER_COMPONENT, ComponentKind::Other),
    };
    Some(window.component_mut(name, kind))
}

/// Reads entries from what is left of a header.
#[derive(Debug)]
struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    /// The next entry that has a name, `None` at the end.
    fn entry(&mut self) -> Option<Entry> {
        loop {
            self.skip_blanks();
            while self.take(',') {
                self.skip_blanks();
            }
            if self.rest.is_empty() {
                return None;
            }
            let name = self.token();
            let mut entry = Entry {
                name,
                parameters: Vec::new(),
            };
            while let Some(parameter) = self.parameter() {
                entry.parameters.push(parameter);
            }
            // What the grammar does not allow here belongs to no entry.
            self.skip_to_next_entry();
            if !entry.name.is_empty() {
                return Some(entry);
            }
        }
    }

    fn parameter(&mut self) -> Option<(String, String)> {
        self.skip_blanks();
        if !self.take(';') {
            return None;
        }
        self.skip_blanks();
        let name = self.token().to_ascii_lowercase();
        self.skip_blanks();
        let mut value = String::new();
        if self.take('=') {
            self.skip_blanks();
            value = if self.take('"') {
                self.quoted()
            } else {
                self.token()
            };
        }
        // What follows a value before the next separator is no part of it.
        let junk = self.rest.find([';', ',']).unwrap_or(self.rest.len());
        self.rest = self.rest.get(junk..).unwrap_or_default();
        Some((name, value))
    }

    /// The characters of a token (RFC 9110, section 5.6.2), perhaps none.
    fn token(&mut self) -> String {
        let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        let end = self.rest.find(|c| !is_token(c)).unwrap_or(self.rest.len());
        let (token, rest) = self.rest.split_at_checked(end).unwrap_or_default();
        self.rest = rest;
        token.to_owned()
    }

    /// The rest of a quoted string (RFC 9110, section 5.6.4), after its opening quote. One that never ends
    /// takes all that is left.
    fn quoted(&mut self) -> String {
        let mut text = String::new();
        let mut chars = self.rest.chars();
        while let Some(c) = chars.next() {
            match c {
                '"' => break,
                '\\' => text.extend(chars.next()),
                c => text.push(c),
            }
        }
        self.rest = chars.as_str();
        text
    }

    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
    }

    fn take(&mut self, expected: char) -> bool {
        match self.rest.strip_prefix(expected) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn skip_to_next_entry(&mut self) {
        let end = self.rest.find(',').unwrap_or(self.rest.len());
        self.rest = self.rest.get(end..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::phase::Phase;

    /// The characters of headers in any order.
    const NEARLY: &str = r#"[a-z0-9 ;,="\\.]{0,200}"#;

    /// Headers as documented, but for their parameters.
    const ALMOST: &str = r#"((do|d1|r2|kv|x)(;[a-z_]{1,5}=[0-9"a-z.]{0,5}){0,5},){0,9}"#;

    fn recorded(headers: &[&str]) -> Window {
        let mut window = Window::new(0, Phase::Peak);
        for header in headers {
            record(header, &mut window);
        }
        window
    }

    fn total_us(component: &ComponentWindow) -> u64 {
        let buckets = component.duration_us.buckets();
        buckets.map(|(value, count)| value * count).sum()
    }

    #[test]
    fn the_documented_entries_are_understood() {
        let window = recorded(&[
            r#"do;desc="SessionDO";dur=1.5;wake=1;err=0, d1;dur=2;queries=3;rows_read=4;rows_written=5;batch=1;queue=6, r2;dur=0.5;op=write;bytes=700, kv;dur=0.2;op=read;bytes=10, total;dur=1.9"#,
            r#"do;desc="SessionDO";dur=0.5;wake=0;err=1"#,
        ]);
        let session = &window.components["SessionDO"];
        assert_eq!(session.kind, ComponentKind::DurableObject);
        assert_eq!((session.calls, session.wakes, session.errors), (2, 1, 1));
        assert_eq!(total_us(session), 2_000);
        let d1 = &window.components["D1"];
        assert_eq!((d1.kind, d1.calls, d1.queries), (ComponentKind::D1, 1, 3));
        assert_eq!(
            (d1.rows_read, d1.rows_written, d1.batched_writes),
            (4, 5, 1)
        );
        assert_eq!(d1.queue.buckets().collect::<Vec<_>>(), [(6, 1)]);
        let r2 = &window.components["R2"];
        assert_eq!(
            (r2.kind, r2.reads, r2.writes, r2.bytes),
            (ComponentKind::Storage, 0, 1, 700)
        );
        let kv = &window.components["KV"];
        assert_eq!((kv.reads, kv.writes, kv.bytes), (1, 0, 10));
        assert_eq!(window.components["total"].kind, ComponentKind::Other);
    }

    #[test]
    fn the_grammar_is_read_as_it_is_written() {
        let rows: [(&str, &[(&str, u64)]); 12] = [
            ("", &[]),
            (" , ,, ", &[]),
            ("db;dur=1", &[("db", 1_000)]),
            (
                "db ; dur = 1 , cache;dur=2",
                &[("cache", 2_000), ("db", 1_000)],
            ),
            ("db;DUR=1", &[("db", 1_000)]),
            ("db;dur=1;dur=2", &[("db", 1_000)]), // the first one counts
            (r#"db;desc="a, b; c=\"d\"";dur=1"#, &[("db", 1_000)]),
            (r#"db;dur="1""#, &[("db", 1_000)]),
            (
                "db;dur=1 junk, cache;dur=2",
                &[("cache", 2_000), ("db", 1_000)],
            ),
            (";dur=1, db;dur=1", &[("db", 1_000)]), // no name
            (
                "db;dur=-1, db;dur=x, db;dur=NaN, db;dur=inf, miss, hit;desc=x",
                &[],
            ),
            (r#"db;dur=1, x;desc="never closed"#, &[("db", 1_000)]),
        ];
        for (header, expected) in rows {
            let window = recorded(&[header]);
            let found = window.components.iter();
            let found: Vec<(&str, u64)> = found.map(|(n, c)| (n.as_str(), total_us(c))).collect();
            assert_eq!(found, expected, "{header}");
        }
    }

    #[test]
    fn descriptions_are_unescaped_and_bounded() {
        let long = "x".repeat(NAME_CHARS_MAX * 2);
        let header = format!(r#"do;desc="a\"b\\c", do;desc="{long}""#);
        let window = recorded(&[&header]);
        let names: Vec<&str> = window.components.keys().map(String::as_str).collect();
        assert_eq!(names, [r#"a"b\c"#, &long[..NAME_CHARS_MAX]]);
    }

    #[test]
    fn numbers_that_cannot_be_are_left_out() {
        let window = recorded(&[
            "d1;queries=18446744073709551615;rows_read=-3;rows_written=1e3;queue=99999999999",
            "r2;op=teleport;bytes=18446744073709551616",
        ]);
        let d1 = &window.components["D1"];
        assert_eq!((d1.queries, d1.rows_read, d1.rows_written), (1, 0, 0));
        assert!(d1.queue.is_empty() && d1.duration_us.is_empty());
        let r2 = &window.components["R2"];
        assert_eq!((r2.calls, r2.reads, r2.writes, r2.bytes), (1, 0, 0, 0));
    }

    #[test]
    fn a_name_keeps_its_kind() {
        let window = recorded(&["d1;desc=x;queries=1, x;dur=1, do;desc=x;wake=1"]);
        assert_eq!(window.components.len(), 1);
        assert_eq!(window.components["x"].kind, ComponentKind::D1);
        assert_eq!(
            (window.components["x"].calls, window.components["x"].wakes),
            (1, 0)
        );
    }

    #[test]
    fn names_beyond_the_limit_are_counted_together() {
        let names = 0..COMPONENTS_MAX * 2;
        let header: String = names.map(|i| format!("do;desc=o{i};wake=1,")).collect();
        let window = recorded(&[&header]);
        assert_eq!(window.components.len(), COMPONENTS_MAX + 1);
        let other = &window.components[OTHER_COMPONENT];
        assert_eq!(
            (other.kind, other.calls),
            (ComponentKind::Other, COMPONENTS_MAX as u64)
        );
    }

    proptest! {
        #[test]
        fn any_text_is_survived_and_what_it_leaves_is_bounded(
            texts in prop::collection::vec((0..3, ".*", NEARLY, ALMOST), 0..20),
        ) {
            let pick = |(which, any, nearly, almost)| match which {
                0 => any,
                1 => nearly,
                _ => almost,
            };
            let headers: Vec<String> = texts.into_iter().map(pick).collect();
            let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
            let window = recorded(&headers);
            prop_assert!(window.components.len() <= COMPONENTS_MAX + 1);
            let names_fit = window.components.keys().all(|name| name.chars().count() <= NAME_CHARS_MAX);
            prop_assert!(names_fit);
        }

        #[test]
        fn an_entry_that_is_written_is_read(
            name in "[A-Za-z][A-Za-z0-9]{0,20}", text in "[ -~]{1,40}", us in 0_u64..2_000, wake: bool, err: bool,
        ) {
            let quoted = text.replace('\\', "\\\\").replace('"', "\\\"");
            let ms = us as f64 / 1_000.0;
            let header = format!(
                "do;desc=\"{quoted}\";dur={ms};wake={};err={}, {name}x;dur={ms}", u8::from(wake), u8::from(err)
            );
            prop_assume!(format!("{name}x") != text);
            let window = recorded(&[&header]);
            let object = &window.components[&text];
            prop_assert_eq!((object.calls, object.wakes, object.errors), (1, u64::from(wake), u64::from(err)));
            prop_assert_eq!(total_us(object), us);
            prop_assert_eq!(window.components[&format!("{name}x")].calls, 1);
        }
    }
}
