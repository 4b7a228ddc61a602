//! Everything up for development: both Workers, rebuilt and reloaded when a source changes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};
use clap::Args;
use devstack::{DevStack, Options, Project, Service};

use crate::{build, setup};

/// Start everything locally, and rebuild on change
#[derive(Args)]
pub(crate) struct Dev {
    /// Keep databases and objects in this folder, for the next start
    #[arg(long, value_name = "DIR", default_value = ".wrangler/dev")]
    state: PathBuf,
}

impl Dev {
    /// Runs until Ctrl-C.
    ///
    /// # Errors
    /// When something does not build or start.
    pub(crate) fn run(self) -> Result<()> {
        let project = setup::ensure()?;
        build::all(&project, build::Packing::ForDevelopment)?;
        let interrupted = on_interrupt()?;
        let state = project.root().join(&self.state);
        let options = Options::default()
            .watch()
            .state(state)
            .interrupted(interrupted.clone());
        let mut stack = DevStack::start(options)?;
        print_access(&stack);
        println!("sources are watched; Ctrl-C ends everything");
        watch(&project, &mut stack, &interrupted)
    }
}

/// A flag that becomes true when the user or the system asks the program to end.
///
/// # Errors
/// When the system refuses a signal handler.
pub(crate) fn on_interrupt() -> Result<Arc<AtomicBool>> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&flag)).context("handle signals")?;
    }
    Ok(flag)
}

/// Prints where the running stack is and how to talk to it.
pub(crate) fn print_access(stack: &DevStack) {
    println!("load tester  {}/api/loadtest", stack.url());
    println!("grove        {}", stack.grove_url());
    println!("token        {}", stack.token());
    println!("logs         {}", stack.log(Service::LoadTest).display());
    println!("             {}", stack.log(Service::Grove).display());
}

fn watch(project: &Project, stack: &mut DevStack, interrupted: &AtomicBool) -> Result<()> {
    let mut known = sources(project.root());
    while !interrupted.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_millis(300));
        for service in [Service::LoadTest, Service::Grove] {
            if let Some(status) = stack.ended(service) {
                bail!(
                    "wrangler ended with {status}: see {}",
                    stack.log(service).display()
                );
            }
        }
        let current = sources(project.root());
        if current == known {
            continue;
        }
        known = current;
        // A mistake in the source is for the user to mend, not the end of the session.
        match build::all(project, build::Packing::ForDevelopment) {
            Ok(()) => println!("rebuilt"),
            Err(error) => eprintln!("error: {error:#}"),
        }
    }
    Ok(())
}

/// When each source of the Workers was last changed.
fn sources(root: &Path) -> BTreeMap<PathBuf, SystemTime> {
    let mut found = BTreeMap::new();
    for folder in ["src", "crates", "grove/src", "scenarios"] {
        collect(&root.join(folder), &mut found);
    }
    for file in ["Cargo.toml", "Cargo.lock", "grove/Cargo.toml"] {
        note(&root.join(file), &mut found);
    }
    found
}

fn collect(folder: &Path, found: &mut BTreeMap<PathBuf, SystemTime>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            collect(&entry.path(), found);
        } else {
            note(&entry.path(), found);
        }
    }
}

fn note(file: &Path, found: &mut BTreeMap<PathBuf, SystemTime>) {
    if let Ok(changed) = fs::metadata(file).and_then(|data| data.modified()) {
        found.insert(file.to_owned(), changed);
    }
}
