//! Which version of each tool the project uses. Every version stands in one place: the tools that
//! must match a crate take theirs from `Cargo.lock`, those from npm from `package-lock.json`, and
//! the rest stand here.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use toml::{Table, Value};

/// The oldest Node with which npm can install the project's own, newer Node.
pub(crate) const NODE_MAJOR_MIN: u32 = 20;

/// The target that Workers are compiled for.
pub(crate) const WASM_TARGET: &str = "wasm32-unknown-unknown";

/// Checks licences, advisories and sources of the dependencies; needed by `check` only.
pub(crate) const CARGO_DENY: CargoTool = CargoTool::fixed("cargo-deny", "0.20.2");

/// Another load generator, which ours is compared with.
pub(crate) const OHA: CargoTool = CargoTool {
    name: "oha",
    version: std::borrow::Cow::Borrowed("1.16.0"),
    used: Used::ForComparison,
};

/// A tool that cargo builds and installs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CargoTool {
    /// The crate's name.
    pub(crate) name: &'static str,
    /// The exact version.
    pub(crate) version: std::borrow::Cow<'static, str>,
    /// What for.
    pub(crate) used: Used,
}

/// What a tool is used for, which decides how it is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Used {
    /// For seconds: what counts is how soon it is there.
    Briefly,
    /// To be as quick as its authors meant it to be.
    ForComparison,
}

impl CargoTool {
    const fn fixed(name: &'static str, version: &'static str) -> Self {
        Self {
            name,
            version: std::borrow::Cow::Borrowed(version),
            used: Used::Briefly,
        }
    }

    /// The tools that build a Worker, each in the version that the locked crates ask for.
    ///
    /// # Errors
    /// When `Cargo.lock` cannot be read or does not name the crates.
    pub(crate) fn for_workers(root: &Path) -> Result<[Self; 2]> {
        let path = root.join("Cargo.lock");
        let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        let lock = text
            .parse()
            .with_context(|| format!("parse {}", path.display()))?;
        let tool = |name, krate| {
            locked(&lock, krate)
                .map(|version| Self {
                    name,
                    version: version.into(),
                    used: Used::Briefly,
                })
                .with_context(|| format!("{} names no crate `{krate}`", path.display()))
        };
        Ok([
            tool("worker-build", "worker")?,
            tool("wasm-bindgen-cli", "wasm-bindgen")?,
        ])
    }

    /// Whether `folder`, a `cargo install --root`, holds this version.
    pub(crate) fn is_installed_in(&self, folder: &Path) -> bool {
        let list = fs::read_to_string(folder.join(".crates.toml")).unwrap_or_default();
        let wanted = format!("\"{} {} (", self.name, self.version);
        list.lines().any(|line| line.starts_with(&wanted))
    }
}

fn locked(lock: &Table, name: &str) -> Option<String> {
    let packages = lock.get("package")?.as_array()?;
    let package = packages
        .iter()
        .find(|package| text(package, "name") == Some(name))?;
    text(package, "version").map(str::to_owned)
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_versions_are_those_of_the_lock_file() {
        let lock = "[[package]]\nname = \"worker\"\nversion = \"0.8.7\"\n\n\
                    [[package]]\nname = \"worker-sys\"\nversion = \"0.1.0\"\n";
        let lock: Table = lock.parse().expect("TOML");
        assert_eq!(locked(&lock, "worker").as_deref(), Some("0.8.7"));
        assert_eq!(locked(&lock, "wasm-bindgen"), None);
    }
}
