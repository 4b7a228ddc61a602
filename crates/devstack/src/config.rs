//! From a Worker's `wrangler.toml` to the configuration that it runs with locally.
//!
//! The generated file says the same as the Worker's own one about bindings, objects and dates. It
//! has no `[build]` (the Worker was built before) and no environments, its paths are absolute, and
//! its variables are those of the local stack. Secrets stand in `.dev.vars`, so that wrangler
//! prints their names only.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};

/// What is changed in a Worker's configuration.
pub(crate) struct Overrides<'a> {
    pub(crate) vars: BTreeMap<String, Value>,
    pub(crate) secrets: BTreeMap<&'a str, &'a str>,
    pub(crate) watch: bool,
    /// A module that is put before the Worker's own.
    pub(crate) entry: Option<&'a str>,
}

/// A Worker's configuration in its folder of the stack's state.
#[derive(Debug)]
pub(crate) struct WorkerConfig {
    /// The Worker's script name.
    pub(crate) name: String,
    /// The generated configuration file.
    pub(crate) file: PathBuf,
    /// The databases that have migrations.
    pub(crate) databases: Vec<Database>,
}

/// A D1 database of a Worker.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) migrations: PathBuf,
}

/// Writes the configuration of the Worker that `source` describes into `folder`.
///
/// # Errors
/// When `source` is missing or malformed, or the Worker has not been built.
pub(crate) fn write(
    source: &Path,
    folder: &Path,
    overrides: &Overrides<'_>,
) -> Result<WorkerConfig> {
    let text = fs::read_to_string(source).with_context(|| format!("read {}", source.display()))?;
    let mut config: Map<String, Value> =
        toml::from_str(&text).with_context(|| format!("parse {}", source.display()))?;
    let home = source.parent().unwrap_or(Path::new("."));

    for unwanted in ["build", "env", "route", "routes", "workers_dev", "$schema"] {
        config.remove(unwanted);
    }
    let name = string(&config, "name", source)?;
    let main = bundle(
        &home.join(string(&config, "main", source)?),
        folder,
        overrides.watch,
    )?;
    let main = match overrides.entry {
        Some(module) => put_before(&main, module)?,
        None => main,
    };
    config.insert("main".into(), json!(main));
    if let Some(directory) = config
        .get_mut("assets")
        .and_then(|assets| assets.get_mut("directory"))
    {
        absolute(directory, home);
    }
    let databases = databases(&mut config, home);
    set_vars(&mut config, &overrides.vars);

    let file = folder.join("wrangler.json");
    fs::write(&file, format!("{:#}\n", Value::Object(config)))
        .with_context(|| format!("write {}", file.display()))?;
    write_secrets(&folder.join(".dev.vars"), &overrides.secrets)?;
    Ok(WorkerConfig {
        name,
        file,
        databases,
    })
}

fn string(config: &Map<String, Value>, key: &str, source: &Path) -> Result<String> {
    config
        .get(key)
        .and_then(Value::as_str)
        .map(str::to_owned)
        .with_context(|| format!("{} has no string `{key}`", source.display()))
}

/// The entry point to run: `main` itself, or that of a copy of the folder that `main` is in.
fn bundle(main: &Path, folder: &Path, in_place: bool) -> Result<PathBuf> {
    if !main.is_file() {
        bail!("{} does not exist: run `cargo xtask build`", main.display());
    }
    if in_place {
        return Ok(main.to_owned());
    }
    let (Some(built), Some(file)) = (main.parent(), main.file_name()) else {
        bail!("{} is not a file in a folder", main.display());
    };
    let copy = folder.join("bundle");
    if copy.exists() {
        fs::remove_dir_all(&copy).with_context(|| format!("remove {}", copy.display()))?;
    }
    copy_folder(built, &copy)?;
    Ok(copy.join(file))
}

/// Puts a module beside `main`, to be run in its place.
fn put_before(main: &Path, module: &str) -> Result<PathBuf> {
    let entry = main.with_file_name("entry.js");
    fs::write(&entry, module).with_context(|| format!("write {}", entry.display()))?;
    Ok(entry)
}

/// Copies a folder with everything in it.
pub(crate) fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    let what = || format!("copy {} to {}", from.display(), to.display());
    fs::create_dir_all(to).with_context(what)?;
    for entry in fs::read_dir(from).with_context(what)? {
        let entry = entry.with_context(what)?;
        let target = to.join(entry.file_name());
        if entry.file_type().with_context(what)?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target).with_context(what)?;
        }
    }
    Ok(())
}

fn absolute(path: &mut Value, home: &Path) {
    if let Some(relative) = path.as_str() {
        *path = json!(home.join(relative));
    }
}

fn databases(config: &mut Map<String, Value>, home: &Path) -> Vec<Database> {
    let Some(entries) = config.get_mut("d1_databases").and_then(Value::as_array_mut) else {
        return Vec::new();
    };
    let mut databases = Vec::new();
    for entry in entries {
        let migrations = home.join(text(entry, "migrations_dir").unwrap_or("migrations"));
        if let Some(entry) = entry.as_object_mut() {
            entry.insert("migrations_dir".into(), json!(migrations));
        }
        if let (Some(name), true) = (text(entry, "database_name"), migrations.is_dir()) {
            let id = text(entry, "database_id").unwrap_or_default();
            databases.push(Database {
                name: name.to_owned(),
                id: id.to_owned(),
                migrations,
            });
        }
    }
    databases
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str)
}

fn set_vars(config: &mut Map<String, Value>, vars: &BTreeMap<String, Value>) {
    let section = config.entry("vars").or_insert_with(|| json!({}));
    if let Some(section) = section.as_object_mut() {
        section.extend(
            vars.iter()
                .map(|(name, value)| (name.clone(), value.clone())),
        );
    }
}

fn write_secrets(file: &Path, secrets: &BTreeMap<&str, &str>) -> Result<()> {
    let mut text = String::new();
    for (name, value) in secrets {
        if value.contains(['\'', '\n', '\r']) {
            bail!("the secret {name} contains a single quote or a line break");
        }
        text.push_str(&format!("{name}='{value}'\n"));
    }
    // Written anew each time: the mode applies to a new file only.
    let _ = fs::remove_file(file);
    fs::OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(file)
        .and_then(|mut open| open.write_all(text.as_bytes()))
        .with_context(|| format!("write {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = r#"
        name = "some-worker"
        main = "out/index.js"
        compatibility_date = "2026-11-01"
        [build]
        command = "false"
        [vars]
        KEPT = "as it was"
        ENVIRONMENT = "production"
        [[d1_databases]]
        binding = "DB"
        database_name = "some-db"
        database_id = "an-id"
        [env.staging]
        vars = { ENVIRONMENT = "staging" }
    "#;

    fn written(overrides: &Overrides<'_>) -> (tempfile::TempDir, Value, WorkerConfig) {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let (home, folder) = (dir.path().join("home"), dir.path().join("folder"));
        fs::create_dir_all(home.join("out/nested")).expect("a folder");
        fs::create_dir_all(home.join("migrations")).expect("a folder");
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(home.join("out/index.js"), "built").expect("a file");
        fs::write(home.join("out/nested/a.wasm"), "built").expect("a file");
        let source = home.join("wrangler.toml");
        fs::write(&source, SOURCE).expect("a file");
        let config = write(&source, &folder, overrides).expect("a configuration");
        let text = fs::read_to_string(&config.file).expect("the file was written");
        (dir, serde_json::from_str(&text).expect("JSON"), config)
    }

    fn overrides(watch: bool) -> Overrides<'static> {
        Overrides {
            vars: BTreeMap::from([("ENVIRONMENT".into(), json!("local"))]),
            secrets: BTreeMap::from([("VISTA_TOKEN", "secret")]),
            watch,
            entry: None,
        }
    }

    #[test]
    fn the_local_configuration_is_the_top_level_one_without_build_and_environments() {
        let (dir, json, config) = written(&overrides(false));
        assert_eq!(json.get("build"), None);
        assert_eq!(json.get("env"), None);
        assert_eq!(json["compatibility_date"], "2026-11-01");
        assert_eq!(
            json["vars"],
            json!({"KEPT": "as it was", "ENVIRONMENT": "local"})
        );
        let migrations = dir.path().join("home/migrations");
        assert_eq!(json["d1_databases"][0]["migrations_dir"], json!(migrations));
        assert_eq!(config.databases[0].name, "some-db");
        assert_eq!(config.name, "some-worker");
    }

    #[test]
    fn secrets_stand_in_a_file_that_only_the_owner_reads() {
        use std::os::unix::fs::PermissionsExt;
        let (dir, json, _) = written(&overrides(false));
        assert!(!json.to_string().contains("secret"));
        let file = dir.path().join("folder/.dev.vars");
        assert_eq!(
            fs::read_to_string(&file).expect("readable"),
            "VISTA_TOKEN='secret'\n"
        );
        let mode = fs::metadata(&file).expect("it exists").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn the_built_files_are_copied_unless_watched() {
        let (dir, json, _) = written(&overrides(false));
        assert_eq!(
            json["main"],
            json!(dir.path().join("folder/bundle/index.js"))
        );
        assert!(dir.path().join("folder/bundle/nested/a.wasm").is_file());
        let (dir, json, _) = written(&overrides(true));
        assert_eq!(json["main"], json!(dir.path().join("home/out/index.js")));
    }

    #[test]
    fn a_worker_that_was_not_built_is_an_error_that_names_the_command() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let source = dir.path().join("wrangler.toml");
        fs::write(&source, SOURCE).expect("a file");
        let error = write(&source, dir.path(), &overrides(false)).expect_err("not built");
        assert!(error.to_string().contains("cargo xtask build"), "{error}");
    }
}
