//! The Worker's configuration: secrets and variables, read and checked once for each request.
//!
//! Invariant: a problem names the variable and what is accepted, never the variable's value: secrets and
//! addresses stay out of answers and logs.

use std::fmt;
use std::num::NonZeroU32;

use js_sys::{JSON, Reflect};
use sentinel_engine::duration;
use sentinel_engine::plan::TARGET_BINDING;
use sentinel_engine::scenario::DurableObject;
use sentinel_engine::sorted::{SortedMap, SortedSet};
use sentinel_engine::target::{TargetPolicy, host_list, parse_url};
use serde::{Deserialize, Serialize};
use url::Url;
use wasm_bindgen::JsValue;
use worker::Env;

use crate::limits::{BATCHES_MAX, SLICE_S_MAX};

/// A text that must not be shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

/// The checked configuration.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// What callers of the API authenticate with.
    pub(crate) token: Secret,
    /// Signs what a coordinator sends to its batches.
    pub(crate) batch_key: Secret,
    /// The environments that can be tested, and where each of them is.
    pub(crate) targets: SortedMap<String, Url>,
    /// Hosts (`name` or `name:port`) that load may go to.
    pub(crate) allowed_hosts: Vec<String>,
    /// The highest number of users of a run.
    pub(crate) users_max: u32,
    /// The longest run, in seconds.
    pub(crate) duration_max_s: u64,
    /// What runs may do to their targets.
    pub(crate) limits: Limits,
    /// For how many days runs are kept; `None` for ever.
    pub(crate) retention_days: Option<u32>,
    /// Where alerts go.
    pub(crate) alert_webhook: Option<Secret>,
    /// The runs of the night.
    pub(crate) nightly: Vec<Nightly>,
    /// Whether this is local development: only there may load go to private addresses.
    pub(crate) local: bool,
    /// The length of a slice of a run, in seconds.
    pub(crate) slice_s: u32,
    /// How many users one batch plays, as long as there are enough batches.
    pub(crate) users_per_batch: NonZeroU32,
    /// How many batches a coordinator or a shard has at most.
    pub(crate) batches_per_shard: u32,
    /// The environment that the bindings of the target's Worker and objects lead to, if they are to be used.
    pub(crate) bound_environment: Option<String>,
    /// The bindings of the target's Worker and objects that there are.
    pub(crate) bindings: SortedSet<&'static str>,
}

/// Limits on the load; what is `None` has no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    /// The highest number of requests in a second.
    pub(crate) rate_max: Option<u64>,
    /// The highest number of requests of a run.
    pub(crate) requests_max: Option<u64>,
    /// The highest number of requests of all runs that begin on the same day, UTC.
    pub(crate) daily_requests: Option<u64>,
}

/// A run that the nightly trigger starts.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nightly {
    /// The scenario's name.
    pub(crate) scenario: String,
    /// The environment's name.
    pub(crate) environment: String,
}

/// What is wrong with one variable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ConfigProblem {
    /// The variable's or secret's name.
    pub(crate) variable: &'static str,
    /// What is wrong with it, and what is accepted.
    pub(crate) message: String,
}

/// Everything that is wrong with the configuration, at least one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConfigProblems(pub(crate) Vec<ConfigProblem>);

impl Secret {
    /// The text itself.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl Config {
    /// Reads the configuration from the Worker's variables and secrets.
    ///
    /// # Errors
    /// All problems at once.
    pub(crate) fn of(env: &Env) -> Result<Self, ConfigProblems> {
        let get = |name: &str| {
            let value = Reflect::get(env, &JsValue::from(name)).ok()?;
            (!value.is_null_or_undefined()).then_some(value)
        };
        let mut config = Self::parse(|name| {
            let value = get(name)?;
            // A variable may be given as JSON and not as text.
            let json = || JSON::stringify(&value).ok().map(String::from);
            value.as_string().or_else(json)
        })?;
        let of_objects = DurableObject::ALL.map(DurableObject::binding);
        let known = of_objects.into_iter().chain([TARGET_BINDING]);
        config.bindings = known
            .filter(|name| get(name).is_some_and(|value| value.is_object()))
            .collect();
        Ok(config)
    }

    /// Reads the configuration from variables; `variable` answers a variable's text, `None` if there is none.
    ///
    /// # Errors
    /// All problems at once.
    pub(crate) fn parse(
        variable: impl Fn(&'static str) -> Option<String>,
    ) -> Result<Self, ConfigProblems> {
        let mut read = Reader {
            variable,
            problems: Vec::new(),
        };
        let config = Self {
            token: read.secret("VISTA_TOKEN"),
            batch_key: read.secret("BATCH_KEY"),
            targets: read.required("TARGETS", targets),
            allowed_hosts: read.required("ALLOWED_HOSTS", hosts),
            users_max: read.required("MAX_USERS", |text| whole(text, 1..=1_000_000)),
            duration_max_s: read.required("MAX_DURATION", duration_s),
            limits: Limits {
                rate_max: read.optional("MAX_RATE", None, |text| count(text).map(Some)),
                requests_max: read.optional("MAX_REQUESTS", None, |text| count(text).map(Some)),
                daily_requests: read.optional("DAILY_REQUESTS", None, |text| count(text).map(Some)),
            },
            retention_days: read.optional("RETENTION_DAYS", None, |text| {
                whole(text, 0..=RETENTION_DAYS_MAX).map(Some)
            }),
            alert_webhook: read.optional("ALERT_WEBHOOK", None, |text| webhook(text).map(Some)),
            nightly: read.optional("NIGHTLY", Vec::new(), nightly),
            local: read.required("ENVIRONMENT", |text| Ok(text == "local")),
            slice_s: read.optional("SLICE_SECONDS", 60, |text| whole(text, 2..=SLICE_S_MAX)),
            users_per_batch: read.optional("USERS_PER_BATCH", USERS_PER_BATCH, |text| {
                let number = whole(text, 1..=1_000)?;
                NonZeroU32::new(number).ok_or_else(|| "is zero".to_owned())
            }),
            batches_per_shard: read.optional("BATCHES_PER_SHARD", BATCHES_MAX, |text| {
                whole(text, 1..=BATCHES_MAX)
            }),
            bound_environment: read
                .optional("BOUND_ENVIRONMENT", None, |text| Ok(Some(text.to_owned()))),
            bindings: SortedSet::new(),
        };
        for night in &config.nightly {
            if !config.targets.contains_key(&night.environment) {
                read.problem("NIGHTLY", "names an environment that TARGETS does not have");
            }
        }
        let webhook = config.alert_webhook.as_ref();
        let is_open = webhook.is_some_and(|url| !url.expose().starts_with("https:"));
        if is_open && !config.local {
            read.problem("ALERT_WEBHOOK", "is not an https URL");
        }
        if read.problems.is_empty() {
            Ok(config)
        } else {
            Err(ConfigProblems(read.problems))
        }
    }

    /// The names of the environments that can be tested.
    pub(crate) fn environments(&self) -> Vec<&str> {
        self.targets.keys().map(String::as_str).collect()
    }
}

struct Reader<F> {
    variable: F,
    problems: Vec<ConfigProblem>,
}

impl<F: Fn(&'static str) -> Option<String>> Reader<F> {
    fn secret(&mut self, name: &'static str) -> Secret {
        self.required(name, |text| {
            if text.len() < SECRET_BYTES_MIN {
                Err(format!("is shorter than {SECRET_BYTES_MIN} characters"))
            } else {
                Ok(text.to_owned())
            }
        })
        .into()
    }

    fn required<T: Default>(
        &mut self,
        name: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> T {
        match self.given(name) {
            Some(text) => self.parsed(name, &text, T::default(), parse),
            None => {
                self.problem(name, "is missing");
                T::default()
            }
        }
    }

    fn optional<T>(
        &mut self,
        name: &'static str,
        default: T,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> T {
        match self.given(name) {
            Some(text) => self.parsed(name, &text, default, parse),
            None => default,
        }
    }

    fn given(&self, name: &'static str) -> Option<String> {
        (self.variable)(name).filter(|text| !text.trim().is_empty())
    }

    fn parsed<T>(
        &mut self,
        name: &'static str,
        text: &str,
        fallback: T,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> T {
        parse(text.trim()).unwrap_or_else(|message| {
            self.problem(name, message);
            fallback
        })
    }

    fn problem(&mut self, variable: &'static str, message: impl Into<String>) {
        self.problems.push(ConfigProblem {
            variable,
            message: message.into(),
        });
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

fn targets(text: &str) -> Result<SortedMap<String, Url>, String> {
    let accepted = "is not a JSON object from environment names to http(s) URLs";
    let texts: SortedMap<String, String> =
        sentinel_engine::json::from_str(text).map_err(|_| accepted.to_owned())?;
    if texts.is_empty() {
        return Err("names no environment".to_owned());
    }
    let mut targets = SortedMap::new();
    for (name, text) in texts {
        let url = parse_url(&text)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .filter(|url| url.username().is_empty() && url.password().is_none());
        let refused = || format!("has no http(s) URL without user name and password for {name:?}");
        let url = url.ok_or_else(refused)?;
        targets.insert(name, url);
    }
    Ok(targets)
}

fn hosts(text: &str) -> Result<Vec<String>, String> {
    let hosts = host_list(text);
    // Whether private addresses are allowed does not matter for the form of the list.
    match TargetPolicy::new(&hosts, &[], true) {
        Ok(_) => Ok(hosts),
        Err(_) => Err(
            "is not a list of hosts such as \"grove.place, staging.grove.place:8443\"".to_owned(),
        ),
    }
}

fn whole(text: &str, range: std::ops::RangeInclusive<u32>) -> Result<u32, String> {
    text.parse()
        .ok()
        .filter(|number| range.contains(number))
        .ok_or_else(|| {
            let (low, high) = (range.start(), range.end());
            format!("is not a whole number from {low} to {high}")
        })
}

fn count(text: &str) -> Result<u64, String> {
    text.parse()
        .ok()
        .filter(|number| (1..=COUNT_MAX).contains(number))
        .ok_or_else(|| format!("is not a whole number from 1 to {COUNT_MAX}"))
}

fn webhook(text: &str) -> Result<Secret, String> {
    let url = Url::parse(text).ok();
    let url = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    url.map(|url| Secret(url.to_string()))
        .ok_or_else(|| "is not an https URL".to_owned())
}

fn duration_s(text: &str) -> Result<u64, String> {
    let accepted =
        || "is not a duration of at least a second such as \"30m\" or \"24h\"".to_owned();
    let span = duration::parse(text).map_err(|_| accepted())?;
    match span.as_us() / 1_000_000 {
        0 => Err(accepted()),
        seconds => Ok(seconds),
    }
}

fn nightly(text: &str) -> Result<Vec<Nightly>, String> {
    sentinel_engine::json::from_str(text).map_err(|_| {
        "is not a JSON list such as [{\"scenario\": \"grove-mix\", \"environment\": \"staging\"}]"
            .to_owned()
    })
}

/// The largest count that every reader of JSON holds exactly.
const COUNT_MAX: u64 = (1 << 53) - 1;

/// A hundred years.
pub(crate) const RETENTION_DAYS_MAX: u32 = 36_525;

/// How many users one batch plays when nothing else is said: hardly more than its 6 connection slots, so that
/// small runs do not wait for slots.
const USERS_PER_BATCH: NonZeroU32 = NonZeroU32::new(8).unwrap();

/// Shorter secrets can be guessed.
const SECRET_BYTES_MIN: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn good(name: &str) -> Option<String> {
        let text = match name {
            "VISTA_TOKEN" => "a token of some length",
            "BATCH_KEY" => "another key of some length",
            "TARGETS" => r#"{"staging": "https://staging.grove.place"}"#,
            "ALLOWED_HOSTS" => "staging.grove.place, 127.0.0.1:8787",
            "MAX_USERS" => "500",
            "MAX_DURATION" => "2h",
            "ENVIRONMENT" => "production",
            "NIGHTLY" => r#"[{"scenario": "grove-mix", "environment": "staging"}]"#,
            _ => return None,
        };
        Some(text.to_owned())
    }

    fn problems_with(name: &'static str, text: Option<&str>) -> Vec<ConfigProblem> {
        let read = |asked| {
            if asked == name {
                text.map(str::to_owned)
            } else {
                good(asked)
            }
        };
        Config::parse(read).map_or_else(|problems| problems.0, |_| Vec::new())
    }

    #[test]
    fn a_complete_configuration_is_read() {
        let config = Config::parse(good).expect("a good configuration");
        assert_eq!(config.environments(), ["staging"]);
        assert_eq!(config.duration_max_s, 7_200);
        assert_eq!(config.slice_s, 60);
        assert!(!config.local);
        assert_eq!(
            config.allowed_hosts,
            ["staging.grove.place", "127.0.0.1:8787"]
        );
    }

    #[test]
    fn everything_that_is_missing_is_named_at_once() {
        let problems = Config::parse(|_| None).expect_err("nothing is set").0;
        let names: Vec<_> = problems.iter().map(|problem| problem.variable).collect();
        assert_eq!(
            names,
            [
                "VISTA_TOKEN",
                "BATCH_KEY",
                "TARGETS",
                "ALLOWED_HOSTS",
                "MAX_USERS",
                "MAX_DURATION",
                "ENVIRONMENT"
            ]
        );
    }

    #[test]
    fn a_malformed_variable_is_named_without_its_value() {
        for (name, text) in [
            ("VISTA_TOKEN", "hunter2"),
            ("TARGETS", "hunter2"),
            ("TARGETS", r#"{"staging": "ftp://hunter2"}"#),
            ("TARGETS", r#"{"staging": "https://me:hunter2@x"}"#),
            ("ALLOWED_HOSTS", "https://hunter2/"),
            ("MAX_USERS", "0hunter2"),
            ("MAX_USERS", "-1"),
            ("MAX_DURATION", "0s"),
            (
                "NIGHTLY",
                r#"[{"scenario": "hunter2", "environment": "hunter2"}]"#,
            ),
            ("NIGHTLY", r#"[{"hunter2": 1}]"#),
            ("SLICE_SECONDS", "1"),
            ("MAX_RATE", "hunter2"),
            ("MAX_RATE", "0"),
            ("MAX_REQUESTS", "1e6"),
            ("DAILY_REQUESTS", "-1"),
            ("DAILY_REQUESTS", "9007199254740992"),
            ("RETENTION_DAYS", "90d"),
            ("ALERT_WEBHOOK", "hunter2"),
            ("ALERT_WEBHOOK", "file:///hunter2"),
            ("ALERT_WEBHOOK", "http://hooks.grove.place/hunter2"),
        ] {
            let problems = problems_with(name, Some(text));
            assert!(
                problems.iter().any(|problem| problem.variable == name),
                "{name}={text}"
            );
            assert!(!format!("{problems:?}").contains("hunter2"), "{problems:?}");
        }
    }

    #[test]
    fn what_is_not_limited_has_no_limit() {
        let config = Config::parse(good).expect("a good configuration");
        assert_eq!(config.limits, Limits::default());
        assert_eq!(config.retention_days, None);
        assert!(config.alert_webhook.is_none());
        let read = |name: &'static str| match name {
            "MAX_RATE" => Some("1000".to_owned()),
            "MAX_REQUESTS" => Some("100000".to_owned()),
            "DAILY_REQUESTS" => Some("1000000".to_owned()),
            "RETENTION_DAYS" => Some("0".to_owned()),
            "ENVIRONMENT" => Some("local".to_owned()),
            "ALERT_WEBHOOK" => Some("http://127.0.0.1:1/hook".to_owned()),
            name => good(name),
        };
        let config = Config::parse(read).expect("a good configuration");
        let limits = Limits {
            rate_max: Some(1_000),
            requests_max: Some(100_000),
            daily_requests: Some(1_000_000),
        };
        assert_eq!(config.limits, limits);
        assert_eq!(config.retention_days, Some(0));
        assert!(config.alert_webhook.is_some(), "http is enough at home");
    }

    #[test]
    fn secrets_do_not_show_in_debug_output() {
        let config = Config::parse(good).expect("a good configuration");
        assert!(!format!("{config:?}").contains("of some length"));
    }
}
