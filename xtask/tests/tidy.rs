//! Rules of the source that no compiler checks. A rule is either here and blocks, or it is no rule.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use syn::visit::Visit;

const LINES_MAX: usize = 500;

/// Crates that would bring a clock, entropy, I/O or an executor into the engine.
const NOT_IN_THE_ENGINE: [&str; 22] = [
    "async_std",
    "crossbeam",
    "fastrand",
    "futures",
    "getrandom",
    "hyper",
    "iana_time_zone",
    "instant",
    "js_sys",
    "mio",
    "parking_lot",
    "rayon",
    "reqwest",
    "smol",
    "socket2",
    "time",
    "tokio",
    "tracing",
    "ureq",
    "wasm_bindgen",
    "web_time",
    "worker",
];

#[test]
fn every_module_starts_with_what_it_is_for() {
    let offenders = rust_files(|text| !text.starts_with("//!"));
    assert_none(&offenders, "start the file with a `//!` paragraph");
}

#[test]
fn no_file_is_too_long_to_read() {
    let offenders = rust_files(|text| code(text).lines().count() > LINES_MAX);
    assert_none(
        &offenders,
        "at most 500 lines before `#[cfg(test)]`: split the file",
    );
}

#[test]
fn nothing_is_left_unfinished() {
    // In parts, so that this file does not contain what it looks for.
    let marks = [
        ["tod", "o!("],
        ["dbg", "!("],
        ["#[ign", "ore"],
        ["unimplem", "ented!("],
    ];
    let marks = marks.map(|parts| parts.concat());
    let offenders = rust_files(|text| marks.iter().any(|mark| text.contains(mark.as_str())));
    assert_none(&offenders, "no todo, dbg, unimplemented or ignored test");
}

#[test]
fn what_is_read_can_be_read_by_place() {
    let offenders = tracked(|path, text| {
        let is_of_the_worker = path.starts_with("src") || path.starts_with("crates/engine/src");
        if !is_of_the_worker || path.extension() != Some("rs".as_ref()) {
            return false;
        }
        let mut types = ReadTypes::default();
        types.visit_file(&syn::parse_file(text).expect("a file that compiles"));
        types.is_any_bad
    });
    assert_none(
        &offenders,
        "crates/engine/src/json reads fields by their place: no `serde(alias)` or `serde(flatten)`, and an `Option` \
         says `serde(default)` if nothing may be there",
    );
}

#[test]
fn lints_are_expected_with_a_reason_or_obeyed() {
    let allow = ["#[al", "low("].concat();
    let expect = ["#[exp", "ect("].concat();
    let offenders = rust_files(|text| {
        text.contains(&allow)
            || text.split(&expect).skip(1).any(|rest| {
                let attribute = rest
                    .split_once(")]")
                    .map_or(rest, |(attribute, _)| attribute);
                !attribute.contains("reason")
            })
    });
    assert_none(
        &offenders,
        "suppress a lint only as `#[expect(lint, reason = \"…\")]`",
    );
}

#[test]
fn the_engine_depends_on_nothing_that_has_a_clock_entropy_or_io() {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "-p",
            "sentinel-engine",
            "--edges",
            "normal",
            "--prefix",
            "none",
        ])
        .args(["--format", "{lib}", "--target", "wasm32-unknown-unknown"])
        .current_dir(root())
        .output()
        .expect("cargo tree runs");
    let tree = String::from_utf8_lossy(&output.stdout);
    let crates: BTreeSet<&str> = tree.lines().map(str::trim).collect();
    assert!(
        crates.contains("sentinel_engine"),
        "cargo tree printed {tree:?}"
    );
    let found: Vec<_> = NOT_IN_THE_ENGINE
        .iter()
        .filter(|name| crates.contains(*name))
        .collect();
    assert!(found.is_empty(), "the engine depends on {found:?}");
}

#[test]
fn no_file_knows_the_machine_it_was_written_on() {
    let machine = [
        ["/ho", "me/"],
        ["/ro", "ot/"],
        ["/wor", "k/"],
        ["/Us", "ers/"],
    ];
    let machine = machine.map(|parts| parts.concat());
    // A mark inside of a longer path or an address is none.
    let starts_a_path = |text: &str, mark: &str| {
        text.match_indices(mark).any(|(at, _)| {
            let before = text[..at].chars().next_back();
            before.is_none_or(|c| c.is_whitespace() || "\"'`=(:".contains(c))
        })
    };
    let offenders = tracked(|_, text| machine.iter().any(|mark| starts_a_path(text, mark)));
    assert_none(&offenders, "no path of a machine");
}

#[test]
fn the_npm_lock_names_no_registry() {
    let text = fs::read_to_string(root().join("package-lock.json")).expect("the lock file");
    let field = ["\"reso", "lved\""].concat();
    assert!(
        !text.contains(&field),
        "package-lock.json names a registry: see .npmrc"
    );
}

#[test]
fn the_cargo_lock_names_no_registry_but_the_public_one() {
    let text = fs::read_to_string(root().join("Cargo.lock")).expect("the lock file");
    let public = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";
    let others: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("source = ") && *line != public)
        .collect();
    assert!(others.is_empty(), "{others:?}");
}

/// What stands before the tests of a file.
/// What is wrong with the structs that derive `Deserialize`.
#[derive(Default)]
struct ReadTypes {
    is_any_bad: bool,
}

impl<'ast> Visit<'ast> for ReadTypes {
    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        if words(&item.attrs, "derive").contains("Deserialize") {
            self.look_at(&item.fields, &words(&item.attrs, "serde"));
        }
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        if words(&item.attrs, "derive").contains("Deserialize") {
            for variant in &item.variants {
                let of_all = words(&variant.attrs, "serde");
                self.is_any_bad |= of_all.contains("alias");
                self.look_at(&variant.fields, &of_all);
            }
        }
    }
}

impl ReadTypes {
    fn look_at(&mut self, fields: &syn::Fields, of_all: &BTreeSet<String>) {
        let syn::Fields::Named(fields) = fields else {
            return;
        };
        for field in &fields.named {
            let own = words(&field.attrs, "serde");
            let is_optional = matches!(&field.ty, syn::Type::Path(ty)
                if ty.path.segments.last().is_some_and(|last| last.ident == "Option"));
            let may_be_absent = ["default", "skip"].iter().any(|word| own.contains(*word));
            self.is_any_bad |= own.contains("alias") || own.contains("flatten");
            self.is_any_bad |= is_optional && !may_be_absent && !of_all.contains("default");
        }
    }
}

/// The identifiers in the attributes of this name.
fn words(attributes: &[syn::Attribute], name: &str) -> BTreeSet<String> {
    let attributes = attributes.iter().filter(|it| it.path().is_ident(name));
    attributes
        .filter_map(|attribute| attribute.meta.require_list().ok())
        .flat_map(|list| list.tokens.clone())
        .map(|token| token.to_string())
        .collect()
}

fn code(text: &str) -> &str {
    text.split_once("#[cfg(test)]")
        .map_or(text, |(code, _)| code)
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask is in the workspace")
}

/// The text files of the project, ignored ones apart, that `is_bad` finds something in.
fn tracked(is_bad: impl Fn(&Path, &str) -> bool) -> Vec<PathBuf> {
    let output = Command::new("git")
        // Also in a checkout that belongs to another user, as in a container.
        .args(["-c", "safe.directory=*"])
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(root())
        .output()
        .expect("git runs");
    assert!(output.status.success(), "git ls-files failed");
    let list = String::from_utf8(output.stdout).expect("paths are UTF-8");
    let files: Vec<&str> = list.split('\0').filter(|path| !path.is_empty()).collect();
    assert!(files.len() > 10, "git lists {} files", files.len());
    files
        .into_iter()
        .map(PathBuf::from)
        // A binary file and one that was just deleted have no text.
        .filter(|path| fs::read_to_string(root().join(path)).is_ok_and(|text| is_bad(path, &text)))
        .collect()
}

fn rust_files(is_bad: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    tracked(|path, text| {
        path.extension().is_some_and(|extension| extension == "rs") && is_bad(text)
    })
}

fn assert_none(offenders: &[PathBuf], rule: &str) {
    assert!(offenders.is_empty(), "{rule}: {offenders:#?}");
}
