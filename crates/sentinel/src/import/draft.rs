//! What an import makes: a scenario and its applications, in the words of our files.
//!
//! Invariant: names are unique where they have to be, and a text from another tool has no place to fill in but those
//! that were put there on purpose.

use std::collections::{BTreeMap, BTreeSet};

use sentinel_engine::template::is_variable_name;
use serde_json::{Map, Value, json};

/// What stands for a value that somebody has to say.
const TO_BE_FILLED_IN: &str = "fill-me-in";

/// A scenario and its applications.
#[derive(Debug)]
pub(super) struct Draft {
    /// The scenario's name, which is also that of its file.
    pub(super) name: String,
    /// What it is for.
    pub(super) description: String,
    /// Where the load went; it is where `--base-url` should lead.
    pub(super) target: Option<String>,
    /// The applications in order, each with its weight.
    pub(super) applications: Vec<(Application, f64)>,
    /// The load: the field `load`, or `scenarios` by name.
    pub(super) load: Load,
    /// The remaining fields of the scenario.
    pub(super) fields: Map<String, Value>,
    env: BTreeMap<String, String>,
}

/// How much load there is.
#[derive(Debug)]
pub(super) enum Load {
    /// One load.
    One(Map<String, Value>),
    /// Several, by name.
    Several(Map<String, Value>),
}

/// One application.
#[derive(Debug, Default)]
pub(super) struct Application {
    /// Its name, which is also that of its file.
    pub(super) name: String,
    /// Its steps.
    pub(super) steps: Vec<Value>,
}

/// Names that may each be used once.
#[derive(Debug, Default)]
pub(super) struct Names(BTreeSet<String>);

impl Draft {
    /// An empty draft.
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: file_name(name),
            description: String::new(),
            target: None,
            applications: Vec::new(),
            load: Load::One(Map::new()),
            fields: Map::new(),
            env: BTreeMap::new(),
        }
    }

    /// A value of the scenario's `env`, and the place that stands for it.
    pub(super) fn env(&mut self, name: &str, value: &str) -> String {
        let name = identifier(name);
        self.env
            .entry(name.clone())
            .or_insert_with(|| value.to_owned());
        format!("{{{{env.{name}}}}}")
    }

    /// A value that somebody has to say: its name in `env`, and the place that stands for it.
    pub(super) fn fill_in(&mut self, name: &str) -> (String, String) {
        let place = self.env(name, TO_BE_FILLED_IN);
        (identifier(name), place)
    }

    /// The scenario's file.
    pub(super) fn scenario(&self) -> Value {
        let applications = self.applications.iter();
        let applications: Vec<Value> = applications
            .map(|(application, weight)| json!({ "name": application.name, "weight": weight }))
            .collect();
        let mut description = self.description.clone();
        if let Some(target) = &self.target {
            description.push_str(&format!(" Its target was {target}."));
        }
        let mut scenario = json!({
            "name": self.name,
            "description": description.trim(),
            "applications": applications,
        });
        let with_env = |load: &Map<String, Value>| {
            let mut load = load.clone();
            if !self.env.is_empty() {
                let env = load.entry("env").or_insert_with(|| json!({}));
                for (name, value) in &self.env {
                    if let Some(env) = env.as_object_mut() {
                        env.entry(name).or_insert_with(|| json!(value));
                    }
                }
            }
            Value::Object(load)
        };
        let (field, load) = match &self.load {
            Load::One(load) => ("load", with_env(load)),
            Load::Several(loads) => {
                let loads = loads
                    .iter()
                    .filter_map(|(name, load)| Some((name.clone(), with_env(load.as_object()?))));
                ("scenarios", Value::Object(loads.collect()))
            }
        };
        if let Value::Object(fields) = &mut scenario {
            fields.insert(field.to_owned(), load);
            fields.extend(self.fields.clone());
        }
        scenario
    }
}

impl Application {
    /// An application without steps.
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: file_name(name),
            steps: Vec::new(),
        }
    }

    /// Its file.
    pub(super) fn file(&self) -> Value {
        json!({ "name": self.name, "steps": self.steps })
    }
}

impl Names {
    /// This name, with a number if it is taken.
    pub(super) fn unique(&mut self, name: &str) -> String {
        let name: String = name
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .take(NAME_CHARS_MAX)
            .collect();
        let name = if name.trim().is_empty() {
            "unnamed".to_owned()
        } else {
            name
        };
        let numbered = (2..).map(|number| format!("{name} {number}"));
        let mut candidates = std::iter::once(name.clone()).chain(numbered);
        let free = candidates
            .find(|name| !self.0.contains(name))
            .unwrap_or(name);
        self.0.insert(free.clone());
        free
    }
}

/// A text in which nothing is a place to fill in.
pub(super) fn literal(text: &str) -> String {
    text.replace("{{", "{{choice('{')}}{{choice('{')}}")
}

/// The name of a file without its ending: nothing that leads elsewhere or needs quotes.
pub(super) fn file_name(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let name: String = name
        .chars()
        .map(|c| if plain(c) { c } else { '-' })
        .take(NAME_CHARS_MAX)
        .collect();
    let name = name.trim_matches('-');
    if name.is_empty() {
        "imported".to_owned()
    } else {
        name.to_owned()
    }
}

/// A name for a variable, as near to the given one as may be.
pub(super) fn variable(name: &str) -> String {
    let name = identifier(name);
    if is_variable_name(&name) {
        name
    } else {
        identifier(&format!("{name}_"))
    }
}

/// Letters, digits and `_`, not beginning with a digit.
pub(super) fn identifier(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let name: String = name.chars().map(plain).collect();
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let name = if begins { name } else { format!("_{name}") };
    name.chars().take(IDENTIFIER_CHARS_MAX).collect()
}

/// With room for a number.
const NAME_CHARS_MAX: usize = 90;
/// With room for a `_`.
const IDENTIFIER_CHARS_MAX: usize = 63;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_as_near_as_may_be() {
        let mut names = Names::default();
        let all = ["a", "a", "a 2", "", "\n"].map(|name| names.unique(name));
        assert_eq!(
            all,
            ["a", "a 2", "a 2 2", "unnamed", "  2"].map(|n| if n == "  2" {
                "unnamed 2".to_owned()
            } else {
                n.to_owned()
            })
        );
        assert_eq!(file_name("../etc/Pass wd.json"), "etc-Pass-wd-json");
        assert_eq!(file_name("…"), "imported");
        assert_eq!(identifier("2 fast"), "_2_fast");
        assert_eq!(variable("uuid"), "uuid_");
        assert_eq!(variable("user.id"), "user_id");
        assert_eq!(literal("a{{b}}"), "a{{choice('{')}}{{choice('{')}}b}}");
    }
}
