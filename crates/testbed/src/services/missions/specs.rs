//! The specs that the server knows.

use serde_json::{Value, json};

/// Number, title and what it is about.
type Spec = (&'static str, &'static str, &'static str);

/// One spec.
pub(super) fn get(id: &str) -> Option<Value> {
    SPECS.iter().find(|(known, ..)| *known == id).map(shown)
}

/// The specs in which the words occur, in the order of their numbers.
pub(super) fn search(words: &str) -> Vec<Value> {
    let words = words.to_lowercase();
    let has = |(_, title, about): &&Spec| {
        title.to_lowercase().contains(&words) || about.to_lowercase().contains(&words)
    };
    SPECS.iter().filter(has).map(shown).collect()
}

fn shown((id, title, about): &Spec) -> Value {
    json!({ "id": id, "title": title, "about": about })
}

const SPECS: [Spec; 16] = [
    (
        "001",
        "Project structure",
        "Where the crates, the UI and the configuration are",
    ),
    ("002", "Workspace", "How the crates are built together"),
    (
        "003",
        "Configuration",
        "The config file, its fields and their defaults",
    ),
    ("004", "Logging", "What is written where, and what never is"),
    (
        "010",
        "Loop runner",
        "The loop that plays a mission step by step",
    ),
    ("011", "Loop limits", "When the loop stops by itself"),
    (
        "012",
        "Loop hooks",
        "What is called before and after each turn",
    ),
    ("020", "Backend trait", "What every model backend has to do"),
    (
        "021",
        "Mock backend",
        "A backend for tests that costs nothing",
    ),
    ("022", "Local backend", "A backend on the same machine"),
    ("030", "Spec reader", "From Markdown to a spec"),
    ("040", "Mission store", "Where missions are kept"),
    ("050", "UI shell", "The window, its panes and their state"),
    ("051", "UI events", "What the server tells the UI, and when"),
    (
        "060",
        "Test harness",
        "How tests start a server and stop it",
    ),
    ("061", "Test fixtures", "Files that tests share"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specs_are_found_by_number_and_by_words() {
        assert_eq!(get("010").unwrap()["title"], "Loop runner");
        assert_eq!(get("100"), None);
        for (words, count) in [
            ("CONFIG", 2),
            ("loop", 3),
            ("backend", 3),
            ("ui", 4),
            ("nothing at all", 0),
        ] {
            assert_eq!(search(words).len(), count, "{words}");
        }
    }
}
