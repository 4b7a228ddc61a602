//! A target of known behaviour, and the command that is to be run against it.

use std::fs;
use std::net::TcpListener;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;
use testbed::{Service, Testbed};

/// A target and a folder of scenarios.
pub(crate) struct Lab {
    /// The target.
    pub(crate) target: Testbed,
    folder: TempDir,
}

/// How a command ended.
pub(crate) struct Ended {
    /// Its exit code.
    pub(crate) code: i32,
    /// What it printed as its result.
    pub(crate) out: String,
    /// What it said besides.
    pub(crate) err: String,
    /// The summary that it wrote, null if it wrote none.
    pub(crate) summary: Value,
}

impl Lab {
    /// A lab of its own.
    pub(crate) fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let threads = NonZeroUsize::MIN;
        Self::around(Testbed::start(listener, threads).expect("the testbed starts"))
    }

    /// A lab in which a platform is the target.
    pub(crate) fn serving(service: Service) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let threads = NonZeroUsize::MIN;
        Self::around(Testbed::serve(listener, threads, service).expect("the platform starts"))
    }

    fn around(target: Testbed) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir(folder.path().join("applications")).expect("a folder");
        Self { target, folder }
    }

    /// Writes a scenario that plays one application with one request, and more as `change` says.
    pub(crate) fn scenario(&self, url: &str, change: impl FnOnce(&mut Value)) -> PathBuf {
        let application = json!({
            "name": "visit",
            "steps": [{"name": "get", "request": {"method": "GET", "url": url}, "expect": {"status": [200]}}],
        });
        let mut scenario = json!({
            "name": "visits",
            "applications": [{"name": "visit", "weight": 1}],
            "load": {"vus": 3, "iterations": 30},
            "pause": "0s",
        });
        change(&mut scenario);
        self.write("applications/visit.json", &application);
        self.write("visits.json", &scenario)
    }

    /// Runs a scenario against the target.
    pub(crate) fn run(&self, scenario: &Path, more: &[&str]) -> Ended {
        let url = self.target.url();
        let mut command = self.command();
        command.arg("run").arg(scenario).args(more);
        if !more.contains(&"--base-url") {
            command.args(["--base-url", &url]);
        }
        command.args(["--out", &self.summary_output()]);
        self.ended(command.output().expect("the command runs"))
    }

    /// The command, in the lab's folder.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sentinel"));
        command.current_dir(self.folder.path());
        for variable in [
            "SENTINEL_BASE_URL",
            "HTTP_PROXY",
            "http_proxy",
            "ALL_PROXY",
            "all_proxy",
        ] {
            command.env_remove(variable);
        }
        command
    }

    /// A place for a file.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Where the summary is written.
    fn summary_path(&self) -> PathBuf {
        self.path("summary.json")
    }

    /// The option that has the summary written there.
    pub(crate) fn summary_output(&self) -> String {
        format!("json={}", self.summary_path().display())
    }

    /// Reads what a command left behind.
    pub(crate) fn ended(&self, output: Output) -> Ended {
        let summary = fs::read(self.summary_path()).unwrap_or_default();
        Ended {
            code: output.status.code().expect("no signal ended it"),
            out: String::from_utf8(output.stdout).expect("text"),
            err: String::from_utf8(output.stderr).expect("text"),
            summary: serde_json::from_slice(&summary).unwrap_or_default(),
        }
    }

    /// Writes a file into the lab's folder.
    pub(crate) fn write(&self, name: &str, json: &Value) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, json.to_string()).expect("a file");
        path
    }
}

impl Ended {
    /// A count of the ledger.
    pub(crate) fn ledger(&self, column: &str) -> u64 {
        let count = &self.summary["ledger"][column];
        count
            .as_u64()
            .unwrap_or_else(|| panic!("{column} in {}", self.err))
    }

    /// Every planned iteration and every request is in exactly one column.
    pub(crate) fn assert_balanced(&self) {
        let of = |column| self.ledger(column);
        assert_eq!(of("planned"), of("started") + of("dropped"));
        assert_eq!(
            of("started"),
            of("finished") + of("interrupted") + of("lost")
        );
        assert_eq!(of("sent"), of("answered") + of("failed") + of("cutOff"));
        assert_eq!(self.summary["ledgerFaults"], json!([]));
    }

    /// How many requests had this class of error.
    pub(crate) fn errors(&self, class: &str) -> u64 {
        let breakdown = &self.summary["steps"][0]["errorBreakdown"];
        breakdown[class].as_u64().unwrap_or(0)
    }
}
