//! What `sentinel` plays: a plain GET, a GET with a delay, and a flow of everything that costs time.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::{Value, json};

/// A folder of scenarios.
pub(crate) struct Scenarios {
    folder: tempfile::TempDir,
}

impl Scenarios {
    /// Writes them.
    ///
    /// # Errors
    /// When they cannot be written.
    pub(crate) fn write() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let scenarios = Self { folder };
        let get = |url: &str| json!([{"name": "get", "request": {"method": "GET", "url": url}, "expect": {"status": [200]}}]);
        scenarios.add("plain", &get("/ok"), "0s")?;
        scenarios.add("think", &get("/ok"), "1s")?;
        scenarios.add("freeze", &get("/freeze"), "0s")?;
        let delay = format!("/delay?ms={}", crate::DELAY_MS);
        scenarios.add("delay", &get(&delay), "0s")?;
        scenarios.add("flow", &flow(), "0s")?;
        Ok(scenarios)
    }

    /// The file of a scenario.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name).with_extension("json")
    }

    /// Where a summary is written.
    pub(crate) fn summary(&self) -> PathBuf {
        self.folder.path().join("summary")
    }

    fn add(&self, name: &str, steps: &Value, pause: &str) -> Result<()> {
        let applications = self.folder.path().join("applications");
        let write = |path: &Path, value: &Value| fs::write(path, value.to_string());
        fs::create_dir_all(&applications)?;
        let application = json!({"name": name, "steps": steps});
        write(
            &applications.join(name).with_extension("json"),
            &application,
        )?;
        let scenario = json!({
            "name": name,
            "applications": [{"name": name, "weight": 1}],
            "load": {"vus": 1, "iterations": 1},
            "pause": pause,
        });
        write(&self.path(name), &scenario)?;
        Ok(())
    }
}

/// Templates, extraction, cookies and checks in each of three requests.
fn flow() -> Value {
    let checked = |name: &str, path: &str| json!({"name": name, "on": path, "exists": true});
    json!([
        {
            "name": "list",
            "request": {"method": "GET", "url": "/json?n=200&_page={{iteration}}"},
            "expect": {"status": [200], "checks": [
                checked("numbered", "$.n"), {"name": "ok", "on": "$.ok", "equals": true}
            ]},
            "extract": {"number": "$.n"},
        },
        {
            "name": "write",
            "request": {
                "method": "POST",
                "url": "/echo/{{number}}",
                "headers": {"authorization": "Bearer {{number}}", "content-type": "application/json"},
                "body": {"id": "{{number}}", "text": "{{uuid}}", "user": "{{vu}}"},
            },
            "expect": {"status": [200], "checks": [checked("text", "$.text")]},
            "extract": {"text": "$.text"},
        },
        {
            "name": "read",
            "request": {
                "method": "GET",
                "url": "/json/{{text}}?n=200",
                "headers": {"cookie": "session={{number}}"},
            },
            "expect": {"status": [200], "checks": [checked("numbered", "$.n")]},
        },
    ])
}
