//! The folder that a stack keeps everything in, and the migrated databases in it.
//!
//! Applying migrations starts wrangler once for each database. The result is kept in the target
//! folder under a key made of everything that it depends on, and copied into each new state.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::config::{WorkerConfig, copy_folder};
use crate::project::Project;

/// A stack's folder; a temporary one is removed on drop, except while panicking or when the
/// environment variable `DEVSTACK_KEEP` is set: then its logs are worth more than the space.
#[derive(Debug)]
pub(crate) struct StateDir {
    path: PathBuf,
    temporary: Option<TempDir>,
}

impl StateDir {
    /// The folder `given`, or a temporary one.
    pub(crate) fn open(given: Option<&Path>) -> Result<Self> {
        let Some(given) = given else {
            let dir = tempfile::Builder::new().prefix("devstack-").tempdir();
            let dir = dir.context("create a temporary folder")?;
            return Ok(Self {
                path: dir.path().to_owned(),
                temporary: Some(dir),
            });
        };
        fs::create_dir_all(given).with_context(|| format!("create {}", given.display()))?;
        let path = given
            .canonicalize()
            .with_context(|| format!("resolve {}", given.display()))?;
        Ok(Self {
            path,
            temporary: None,
        })
    }

    /// The folder if it is to be removed with the stack.
    pub(crate) fn temporary(&self) -> Option<&Path> {
        self.temporary
            .as_ref()
            .filter(|_| !is_kept())
            .map(TempDir::path)
    }

    /// Where the folder is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for StateDir {
    fn drop(&mut self) {
        if (std::thread::panicking() || is_kept())
            && let Some(dir) = self.temporary.take()
        {
            eprintln!(
                "the stack's state and logs are kept in {}",
                dir.keep().display()
            );
        }
    }
}

fn is_kept() -> bool {
    std::env::var_os("DEVSTACK_KEEP").is_some()
}

/// Brings the databases of a Worker that keeps its state in `persist` up to date.
///
/// # Errors
/// When wrangler refuses a migration; with what it printed.
pub(crate) fn migrate(tools: &Project, config: &WorkerConfig, persist: &Path) -> Result<()> {
    if config.databases.is_empty() {
        return Ok(());
    }
    let key = key(tools, config)?;
    let stamp = persist.join("migrated");
    if fs::read_to_string(&stamp).is_ok_and(|done| done == key) {
        return Ok(());
    }
    if persist.join("v3/d1").exists() {
        apply(tools, config, persist)?;
    } else {
        copy_folder(&template(tools, config, &key)?, persist)?;
    }
    fs::write(&stamp, key).with_context(|| format!("write {}", stamp.display()))
}

/// A state with nothing but migrated databases; made now unless it was made before.
fn template(tools: &Project, config: &WorkerConfig, key: &str) -> Result<PathBuf> {
    let cache = tools.root().join("target/devstack");
    let ready = cache.join(key);
    if ready.is_dir() {
        return Ok(ready);
    }
    fs::create_dir_all(&cache).with_context(|| format!("create {}", cache.display()))?;
    let making = TempDir::new_in(&cache).context("create a temporary folder")?;
    apply(tools, config, making.path())?;
    match fs::rename(making.path(), &ready) {
        Ok(()) => drop(making.keep()),
        // Somebody else was quicker with the same result.
        Err(_) if ready.is_dir() => {}
        Err(error) => bail!(
            "rename {} to {}: {error}",
            making.path().display(),
            ready.display()
        ),
    }
    Ok(ready)
}

fn apply(tools: &Project, config: &WorkerConfig, persist: &Path) -> Result<()> {
    for database in &config.databases {
        let output = tools
            .wrangler()
            .args([
                "d1",
                "migrations",
                "apply",
                &database.name,
                "--local",
                "--config",
            ])
            .arg(&config.file)
            .arg("--persist-to")
            .arg(persist)
            .stdin(Stdio::null())
            .output()
            .context("run wrangler: is `cargo xtask setup` done?")?;
        if !output.status.success() {
            bail!(
                "the migrations of {} failed:\n{}{}",
                database.name,
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
        }
    }
    Ok(())
}

/// Everything that a migrated database depends on, as one word.
fn key(tools: &Project, config: &WorkerConfig) -> Result<String> {
    let mut hash = Sha256::new();
    let mut add = |part: &[u8]| {
        // With its length, so that moving a byte from one part to the next changes the result.
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    };
    let wrangler = tools.root().join("node_modules/wrangler/package.json");
    add(&fs::read(&wrangler)
        .with_context(|| format!("read {}: run `cargo xtask setup`", wrangler.display()))?);
    for database in &config.databases {
        add(database.name.as_bytes());
        add(database.id.as_bytes());
        let mut files = fs::read_dir(&database.migrations)
            .and_then(|entries| {
                entries
                    .map(|entry| Ok(entry?.path()))
                    .collect::<Result<Vec<_>, _>>()
            })
            .with_context(|| format!("list {}", database.migrations.display()))?;
        files.sort();
        for file in files {
            add(file.file_name().unwrap_or_default().as_encoded_bytes());
            add(&fs::read(&file).with_context(|| format!("read {}", file.display()))?);
        }
    }
    Ok(hash
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}
