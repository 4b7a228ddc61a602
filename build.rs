//! Embeds the scenarios, the applications and the API's description into the Worker, so that a deployed Worker always
//! knows the same ones as its repository. What makes them readable stays out.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let root = env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?;
    let folder = Path::new(&root).join("scenarios");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut source = String::new();
    for (name, folder) in [
        ("SCENARIOS", folder.clone()),
        ("APPLICATIONS", folder.join("applications")),
    ] {
        println!("cargo::rerun-if-changed={}", folder.display());
        list(&mut source, name, &folder)?;
    }
    let out = env::var("OUT_DIR").map_err(io::Error::other)?;
    let out = Path::new(&out);
    fs::write(out.join("catalog.rs"), source)?;

    let description = Path::new(&root).join("src/api/openapi.json");
    println!("cargo::rerun-if-changed={}", description.display());
    fs::write(out.join("openapi.json"), compact(&description)?)
}

/// Writes a constant with the names and texts of a folder's JSON files.
fn list(source: &mut String, constant: &str, folder: &Path) -> io::Result<()> {
    let mut files = Vec::new();
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        entries => Some(entries?),
    };
    for entry in entries.into_iter().flatten() {
        let path = entry?.path();
        let is_json = path
            .extension()
            .is_some_and(|extension| extension == "json");
        if is_json && path.file_stem().is_some_and(|stem| stem != "schema") {
            files.push(path);
        }
    }
    files.sort();
    writeln!(source, "const {constant}: &[(&str, &str)] = &[").map_err(io::Error::other)?;
    for path in files {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let text = compact(&path)?;
        writeln!(source, "    ({stem:?}, {text:?}),").map_err(io::Error::other)?;
    }
    writeln!(source, "];").map_err(io::Error::other)
}

/// A file of JSON without the white space between what it says.
fn compact(path: &Path) -> io::Result<String> {
    let mut compact = String::new();
    let (mut in_text, mut is_escaped) = (false, false);
    for c in fs::read_to_string(path)?.chars() {
        if in_text || !c.is_ascii_whitespace() {
            compact.push(c);
        }
        if c == '"' && !is_escaped {
            in_text = !in_text;
        }
        is_escaped = in_text && c == '\\' && !is_escaped;
    }
    Ok(compact)
}
