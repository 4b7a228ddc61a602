//! Where the project's tools are, and how a command must be run so that it finds them.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A checkout of the project.
#[derive(Debug, Clone)]
pub struct Project {
    root: PathBuf,
}

impl Project {
    /// The checkout that this program was built from.
    pub fn here() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        Self::at(root.ancestors().nth(2).unwrap_or(root))
    }

    /// The checkout at `root`.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The folder that holds the workspace's `Cargo.toml`.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder that set-up fills with tools.
    pub fn tools_dir(&self) -> PathBuf {
        self.root.join(".tools")
    }

    /// The folder of the programs that npm installed.
    pub fn node_bin_dir(&self) -> PathBuf {
        self.root.join("node_modules/.bin")
    }

    /// `program` in the project's folder, with the project's tools first on the search path and
    /// the environment in which wrangler and worker-build use what set-up installed and nothing
    /// else.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(&self.root)
            .env("PATH", self.search_path())
            .env(
                "WASM_BINDGEN_BIN",
                self.tools_dir().join("bin/wasm-bindgen"),
            )
            .env("ESBUILD_BIN", self.node_bin_dir().join("esbuild"))
            .env("WRANGLER_SEND_METRICS", "false")
            .env("WRANGLER_SEND_ERROR_REPORTS", "false")
            .env("WRANGLER_WRITE_LOGS", "false")
            .env("CLOUDFLARE_CF_FETCH_ENABLED", "false");
        command
    }

    /// Wrangler, without the launcher that would put one more process between us and it.
    pub fn wrangler(&self) -> Command {
        let mut command = self.command(self.node_bin_dir().join("node"));
        command.arg(self.root.join("node_modules/wrangler/wrangler-dist/cli.js"));
        command
    }

    fn search_path(&self) -> OsString {
        let mut folders = vec![self.node_bin_dir(), self.tools_dir().join("bin")];
        folders.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
        env::join_paths(folders).unwrap_or_else(|_| env::var_os("PATH").unwrap_or_default())
    }
}
