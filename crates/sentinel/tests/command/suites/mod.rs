//! The suites in `scenarios/`, each against the platform that it is for: it passes when all is well, and fails on
//! the right threshold when an operation of the platform is slow or broken.
//!
//! Runs that are to pass have the limits of their latencies twenty times as high as written, so that a busy machine
//! keeps them; runs that are to fail have those that are written, and nothing is asked of how fast they are.

mod sidepanel;
mod tachikoma;
mod vi;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use testbed::Service;

use crate::lab::{Ended, Lab};

/// A platform, and the scenarios that are for it.
pub(crate) struct Suite {
    lab: Lab,
    folder: &'static str,
}

/// How strict a run is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Limits {
    /// As a busy machine keeps them.
    Generous,
    /// As they are written.
    Written,
}

impl Suite {
    /// The platform, and the applications of the folder with short waiting times.
    pub(crate) fn new(service: Service, folder: &'static str) -> Self {
        let lab = Lab::serving(service);
        for entry in fs::read_dir(scenarios(folder).join("applications")).expect("a folder") {
            let path = entry.expect("an entry").path();
            let mut application = read(&path);
            hurry(&mut application);
            let name = path
                .file_name()
                .and_then(|name| name.to_str())
                .expect("a name");
            lab.write(&format!("applications/{name}"), &application);
        }
        Self { lab, folder }
    }

    /// Plays a scenario of the suite with this load in place of its own.
    fn play(&self, name: &str, load: Value, limits: Limits) -> Ended {
        self.play_changed(name, &[], |scenario| {
            scenario["load"] = load;
            if limits == Limits::Generous {
                relax(&mut scenario["thresholds"]);
                relax_watching(scenario);
            }
        })
    }

    /// As [`Self::play`], with the limits that are written, by users who wait for no answer longer than 200 ms.
    fn play_impatiently(&self, name: &str, load: Value) -> Ended {
        self.play_changed(name, &[], |scenario| {
            scenario["load"] = load;
            scenario["requestTimeout"] = json!("200ms");
        })
    }

    fn play_changed(&self, name: &str, more: &[&str], change: impl FnOnce(&mut Value)) -> Ended {
        let mut scenario = read(&scenarios(self.folder).join(name).with_extension("json"));
        hurry(&mut scenario);
        change(&mut scenario);
        let path = self.lab.write(&format!("{name}.json"), &scenario);
        let ended = self.lab.run(&path, &[&["--seed", "1"], more].concat());
        ended.assert_balanced();
        ended
    }

    /// Plays a scenario, and returns what it tells Prometheus.
    pub(crate) fn tell_prometheus(&self, name: &str, load: Value) -> String {
        let file = self.lab.path("prometheus.txt");
        let output = format!("prometheus={}", file.display());
        let ended = self.play_changed(name, &["--out", &output], |scenario| {
            scenario["load"] = load
        });
        fs::read_to_string(file).unwrap_or_else(|error| panic!("{error}: {}", ended.err))
    }

    /// Plays a scenario that is to pass.
    fn passes(&self, name: &str, load: Value) -> Ended {
        let ended = self.play(name, load, Limits::Generous);
        assert_eq!(ended.code, 0, "{name}: {}\n{}", ended.err, ended.out);
        assert_eq!(failed(&ended), [""; 0], "{name}");
        ended
    }

    /// Plays a scenario while an operation goes wrong; these thresholds must fail, and those must hold.
    fn fails(
        &self,
        name: &str,
        load: Value,
        fault: [&str; 2],
        must_fail: &[&str],
        must_hold: &[&str],
    ) {
        self.lab
            .target
            .disturb(fault[0], fault[1])
            .expect("a fault");
        let ended = self.play(name, load, Limits::Written);
        self.lab.target.heal();
        assert_eq!(
            ended.code, 99,
            "{name} {fault:?}: {}\n{}",
            ended.err, ended.out
        );
        let failed = failed(&ended);
        for threshold in must_fail {
            assert!(
                failed.iter().any(|one| one == threshold),
                "{name} {fault:?}: {failed:?}"
            );
        }
        for threshold in must_hold {
            assert!(
                !failed.iter().any(|one| one == threshold),
                "{name} {fault:?}: {failed:?}"
            );
        }
    }

    /// The steps of the number of users when a profile is laid over a scenario: seconds and users.
    fn users(&self, name: &str, profile: &str) -> Vec<(f64, u64)> {
        let mut command = self.lab.command();
        let scenario = scenarios(self.folder).join(name).with_extension("json");
        let command = command
            .arg("plan")
            .arg(scenario)
            .args(["--json", "--profile", profile]);
        let ended = self.lab.ended(command.output().expect("the command runs"));
        assert_eq!(ended.code, 0, "{name} {profile}: {}", ended.err);
        let plan: Value = serde_json::from_str(&ended.out).expect("JSON");
        let steps = plan["vu_steps"].as_array().expect("steps").iter();
        let number = |value: &Value| value.as_f64().expect("a number");
        steps
            .map(|step| (number(&step[0]), number(&step[1]) as u64))
            .collect()
    }

    /// Checks the number of users at these seconds of a profile, and when its last user leaves.
    fn assert_users(&self, name: &str, profile: &str, at: &[(f64, u64)], end_s: f64) {
        let steps = self.users(name, profile);
        for (second, users) in at {
            let before = steps.iter().take_while(|(start, _)| start <= second);
            let found = before.last().map_or(0, |(_, users)| *users);
            assert_eq!(found, *users, "{name} {profile} at {second} s");
        }
        assert_eq!(steps.last(), Some(&(end_s, 0)), "{name} {profile}");
    }
}

/// Makes the limits of what is watched such that only a target keeps them which tells about itself.
fn relax_watching(scenario: &mut Value) {
    let series = scenario.pointer_mut("/monitoring/series");
    let series = series.and_then(Value::as_object_mut);
    for series in series.into_iter().flat_map(|series| series.values_mut()) {
        if let Some(max) = series["max"].as_f64() {
            series["max"] = json!(max * 20.0);
        }
        if series["alertOnGrowth"].is_string() {
            series["alertOnGrowth"] = json!("1000000%/second");
        }
    }
}

/// Watches a scenario's target every second, and lets five users play for long enough to tell how it grows.
fn watch_closely(scenario: &mut Value) {
    scenario["load"] = json!({ "executor": "constant-vus", "vus": 5, "duration": "14s" });
    scenario["gracefulStop"] = json!("0s");
    scenario["monitoring"]["interval"] = json!("1s");
    scenario["monitoring"]["series"]["memory_bytes"]["warmUp"] = json!("1s");
}

/// So many users and iterations.
pub(crate) fn load(vus: u32, iterations: u32) -> Value {
    json!({ "vus": vus, "iterations": iterations })
}

/// The thresholds that did not hold, or had no data.
fn failed(ended: &Ended) -> Vec<String> {
    let thresholds = ended.summary["thresholds"].as_array().expect("thresholds");
    let failed = thresholds
        .iter()
        .filter(|threshold| threshold["verdict"]["verdict"] != "pass");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    failed
        .map(|one| format!("{}: {}", text(&one["metric"]), text(&one["threshold"])))
        .collect()
}

/// What a metric of the scenario's own adds up to.
fn metric<'a>(ended: &'a Ended, name: &str) -> &'a Value {
    let metrics = ended.summary["metrics"].as_array().expect("metrics");
    let found = metrics.iter().find(|metric| metric["name"] == name);
    found.unwrap_or_else(|| panic!("{name} in {metrics:?}"))
}

/// How often a check passed and failed.
fn check(ended: &Ended, name: &str) -> (u64, u64) {
    let checks = ended.summary["checks"].as_array().expect("checks");
    let found = checks.iter().find(|check| check["check"] == name);
    let found = found.unwrap_or_else(|| panic!("{name} in {checks:?}"));
    let of = |column: &str| found[column].as_u64().expect("a number");
    (of("passes"), of("fails"))
}

fn scenarios(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../scenarios")
        .join(folder)
}

fn read(path: &Path) -> Value {
    let text = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).expect("JSON")
}

/// Makes all waiting times short, and long loops too.
fn hurry(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(hurry),
        Value::Object(members) => {
            for (name, member) in members {
                match name.as_str() {
                    "think" | "delay" | "pause" => *member = json!("5ms"),
                    "times" => {
                        *member = json!(member.as_u64().map_or(0, |times| times.min(TURNS_MAX)))
                    }
                    _ => hurry(member),
                }
            }
        }
        _ => {}
    }
}

const TURNS_MAX: u64 = 20;

/// Makes the limits of latencies twenty times as high, and those of rates per second twenty times as low.
fn relax(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(relax),
        Value::Object(members) => members.values_mut().for_each(relax),
        Value::String(text) => {
            let limit =
                |rest: &str| -> f64 { rest.trim_start_matches('=').parse().expect("a limit") };
            let is_latency = ["p(", "med", "avg", "max"]
                .iter()
                .any(|method| text.starts_with(method));
            if let Some((method, rest)) = text.split_once('<').filter(|_| is_latency) {
                *text = format!("{method}<{}", limit(rest) * 20.0);
            } else if let Some(rest) = text.strip_prefix("rate>").filter(|rest| limit(rest) > 1.0) {
                *text = format!("rate>{}", limit(rest) / 20.0);
            }
        }
        _ => {}
    }
}
