//! What is played.

use std::fs;
use std::path::PathBuf;

use anyhow::Result;
use serde_json::{Value, json};

/// Many sessions at once, for a minute.
pub(crate) const SESSIONS: &str = "sessions";
/// Few sessions and streams, whose times are compared.
pub(crate) const TIMES: &str = "times";

/// How long sessions are held, in seconds.
const HELD_S: u32 = 60;
/// How often a session sends a message: every so many seconds.
const EVERY_S: u32 = 2;

/// A folder of scenarios.
pub(crate) struct Scenarios {
    folder: tempfile::TempDir,
    target: String,
}

impl Scenarios {
    /// Writes them for this target and so many sessions.
    ///
    /// # Errors
    /// When they cannot be written.
    pub(crate) fn write(target: &str, sessions: u32) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        fs::create_dir(folder.path().join("applications"))?;
        let scenarios = Self {
            folder,
            target: target.to_owned(),
        };
        let socket = target.replacen("http", "ws", 1);
        let ping = json!({"name": "ping", "send": {"rpc": {"method": "ping"}, "timeout": "30s"}});
        let talk = |url: String, times: u32, think: &str| {
            json!({"name": "talk", "ws": {"url": url, "steps": [
                {"loop": {"times": times, "steps": [&ping, {"think": think}]}}
            ]}})
        };
        let held = talk(
            format!("{socket}/ws/held?replies=rpc"),
            HELD_S / EVERY_S,
            &format!("{EVERY_S}s"),
        );
        scenarios.application("held", &json!([held]))?;
        scenarios.scenario(
            SESSIONS,
            &["held"],
            &json!({
                "executor": "per-vu-iterations", "vus": sessions, "iterations": 1,
                "maxDuration": "5m", "gracefulStop": "1m",
            }),
        )?;
        let timed = talk(
            format!("{socket}/ws/timed?replies=rpc&after=20"),
            100,
            "20ms~10ms",
        );
        scenarios.application("talk", &json!([timed]))?;
        // A request before them makes the connection, which is no time of the target's.
        let get = |url: String| json!({"method": "GET", "url": format!("{target}{url}")});
        let events = "/sse/timed?n=40&first=30&every=25&stall=20,200".to_owned();
        let listen = json!({"name": "listen", "request": get(events), "stream": {"format": "sse"}});
        scenarios.application(
            "listen",
            &json!([
                {"name": "connect", "request": get("/ok".to_owned()), "think": "60ms~50ms"},
                {"loop": {"times": 3, "steps": [listen, {"think": "60ms~50ms"}]}},
            ]),
        )?;
        scenarios.scenario(
            TIMES,
            &["talk", "listen"],
            &json!({
                "executor": "per-vu-iterations", "vus": 12, "iterations": 4,
                "maxDuration": "3m", "gracefulStop": "30s",
            }),
        )?;
        Ok(scenarios)
    }

    /// Where the target is.
    pub(crate) fn target(&self) -> &str {
        &self.target
    }

    /// The file of a scenario.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name).with_extension("json")
    }

    fn application(&self, name: &str, steps: &Value) -> Result<()> {
        let path = self.path(&format!("applications/{name}"));
        fs::write(path, json!({"name": name, "steps": steps}).to_string())?;
        Ok(())
    }

    fn scenario(&self, name: &str, applications: &[&str], load: &Value) -> Result<()> {
        let applications = applications.iter();
        let listed: Vec<Value> = applications
            .map(|name| json!({"name": name, "weight": 1}))
            .collect();
        // Thresholds that always hold tell averages and percentiles of all messages.
        let asked = crate::accuracy::METHODS.map(|method| format!("{method}<1e9"));
        let thresholds: Value = crate::accuracy::METRICS
            .iter()
            .map(|(metric, _)| ((*metric).to_owned(), json!(asked)))
            .collect::<serde_json::Map<_, _>>()
            .into();
        let scenario = json!({
            "name": name, "applications": listed, "load": load, "pause": "0s",
            "thresholds": if name == TIMES { thresholds } else { json!({}) },
        });
        fs::write(self.path(name), scenario.to_string())?;
        Ok(())
    }
}
