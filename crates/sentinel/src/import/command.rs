//! From a document to files.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use sentinel_engine::plan::Problem;
use sentinel_engine::scenario::{parse_application, parse_scenario};
use serde::Serialize;
use serde_json::{Value, json};

use super::arguments::{ImportArguments, Kind};
use super::document::{detect, read};
use super::draft::Draft;
use super::report::Report;
use super::tree::{Marks, Node};
use super::{artillery, har, k6, openapi};
use crate::arguments::ScenarioArguments;
use crate::exit::{Exit, Stopped};
use crate::source::{self, Purpose};

/// Imports a document, writes the scenario and its applications, and says what is not in them.
pub(crate) fn command(arguments: &ImportArguments) -> Result<Exit, Stopped> {
    let document = read(&arguments.file)?;
    let shown = arguments.file.display();
    let Some(kind) = arguments.kind.or_else(|| detect(&document)) else {
        return Err(Stopped::invalid(format_args!(
            "{shown}: nothing in it says what it is: name its kind, artillery, har, k6 or openapi"
        )));
    };
    let (draft, report) = import(kind, &document, arguments);
    for line in report.lines() {
        note!("{line}");
    }
    if draft.applications.is_empty() {
        return Err(Stopped::invalid(format_args!(
            "{shown}: there is nothing in it that can be played"
        )));
    }
    let scenario = arguments.to.join(&draft.name).with_extension("json");
    let written = write(&draft, &scenario, arguments.force)?;
    if let Some(path) = &arguments.report {
        let report = json!({ "source": shown.to_string(), "kind": name(kind), "written": written, "report": report });
        put(path, &report, true)?;
    }
    for path in &written {
        say!("{}", path.display())?;
    }
    let target = draft
        .target
        .as_deref()
        .filter(|target| target.contains("://"));
    note!(
        "run it with: sentinel run {} --base-url {}",
        scenario.display(),
        target.unwrap_or("URL")
    );
    // What was written is what is read when it is run.
    let checked = ScenarioArguments {
        scenario: scenario.display().to_string(),
        allowed_hosts: arguments.allowed_hosts.clone(),
        ..ScenarioArguments::default()
    };
    let plan = source::prepare(&checked, Purpose::Looking)?;
    for Problem { path, message } in plan.warnings() {
        note!("note: {path}: {message}");
    }
    Ok(Exit::Passed)
}

fn import(kind: Kind, document: &Value, arguments: &ImportArguments) -> (Draft, Report) {
    let stem = arguments.file.file_stem().and_then(|stem| stem.to_str());
    let name = arguments.name.as_deref().or(stem).unwrap_or("imported");
    let folder = arguments.file.parent().unwrap_or(Path::new("."));
    let marks = Marks::default();
    let root = Node::root(document, &marks);
    let draft = match kind {
        Kind::Artillery => artillery::import(&root, name, folder, &arguments.allowed_hosts),
        Kind::Har => har::import(&root, name, arguments),
        Kind::K6 => k6::import(&root, name),
        Kind::Openapi => openapi::import(&root, name),
    };
    (draft, marks.finish(document))
}

/// Writes the files, the scenario last: what is there before it can be looked at is whole.
fn write(draft: &Draft, scenario: &Path, force: bool) -> Result<Vec<PathBuf>, Stopped> {
    let folder = scenario.with_file_name("applications");
    fs::create_dir_all(&folder).map_err(|error| wrong(&folder, &error))?;
    let mut written = Vec::new();
    for (application, _) in &draft.applications {
        let path = folder.join(&application.name).with_extension("json");
        put(
            &path,
            &ordered(&application.file(), parse_application),
            force,
        )?;
        written.push(path);
    }
    put(scenario, &ordered(&draft.scenario(), parse_scenario), force)?;
    written.push(scenario.to_owned());
    Ok(written)
}

/// The fields in the order in which people write them; what cannot be read stays as it is, and is told at the end.
fn ordered<T: Serialize, E>(file: &Value, parse: impl Fn(&[u8]) -> Result<T, E>) -> String {
    let text = file.to_string();
    let ordered = parse(text.as_bytes()).ok();
    let ordered = ordered.and_then(|parsed| serde_json::to_string_pretty(&parsed).ok());
    ordered.unwrap_or_else(|| format!("{file:#}"))
}

/// Writes JSON into a file that is not there yet, unless `force` says otherwise.
fn put(path: &Path, content: &impl ToString, force: bool) -> Result<(), Stopped> {
    let mut options = OpenOptions::new();
    let options = options.write(true);
    let options = if force {
        options.create(true).truncate(true)
    } else {
        options.create_new(true)
    };
    let mut file = options.open(path).map_err(|error| wrong(path, &error))?;
    writeln!(file, "{}", content.to_string()).map_err(|error| wrong(path, &error))
}

fn wrong(path: &Path, error: &std::io::Error) -> Stopped {
    let advice = if error.kind() == std::io::ErrorKind::AlreadyExists {
        ": --force overwrites it"
    } else {
        ""
    };
    Stopped::invalid(format_args!("{}: {error}{advice}", path.display()))
}

const fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Artillery => "artillery",
        Kind::Har => "har",
        Kind::K6 => "k6",
        Kind::Openapi => "openapi",
    }
}
