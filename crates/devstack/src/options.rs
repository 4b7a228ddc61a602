//! What a caller can decide about a stack before it starts.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use serde_json::Value;

use crate::project::Project;

/// How a stack is started. [`Options::default`] is right for most tests: the project that the test
/// was built from, a temporary state that is removed afterwards, fresh random secrets.
#[derive(Debug, Clone)]
pub struct Options {
    pub(crate) project: Project,
    pub(crate) tools: Project,
    pub(crate) state: Option<PathBuf>,
    pub(crate) token: Option<String>,
    pub(crate) batch_key: Option<String>,
    pub(crate) vars: BTreeMap<String, Value>,
    pub(crate) grove_vars: BTreeMap<String, Value>,
    pub(crate) allowed_hosts: Vec<String>,
    pub(crate) watch: bool,
    pub(crate) entry: Option<&'static str>,
    pub(crate) interrupted: Option<Arc<AtomicBool>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            project: Project::here(),
            tools: Project::here(),
            state: None,
            token: None,
            batch_key: None,
            vars: BTreeMap::new(),
            grove_vars: BTreeMap::new(),
            allowed_hosts: Vec::new(),
            watch: false,
            entry: None,
            interrupted: None,
        }
    }
}

impl Options {
    /// Takes both Workers (`wrangler.toml` and `grove/wrangler.toml`) from another project. The
    /// tools stay those of this one.
    #[must_use]
    pub fn project(mut self, project: Project) -> Self {
        self.project = project;
        self
    }

    /// Keeps databases, objects and logs in `folder`, which outlives the stack; a later stack with
    /// the same folder goes on from there. Without it the state is temporary, and kept only when
    /// the environment variable `DEVSTACK_KEEP` is set or a panic drops the stack.
    #[must_use]
    pub fn state(mut self, folder: impl Into<PathBuf>) -> Self {
        self.state = Some(folder.into());
        self
    }

    /// The secret that the API's callers must present. Random if not given.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// The secret that signs what the coordinator sends to its batches. Random if not given.
    #[must_use]
    pub fn batch_key(mut self, key: impl Into<String>) -> Self {
        self.batch_key = Some(key.into());
        self
    }

    /// Puts a module in JavaScript before the load test Worker, which it imports as `./index.js`: it can make parts
    /// of the Worker misbehave, without the Worker knowing of it.
    #[must_use]
    pub fn entry(mut self, module: &'static str) -> Self {
        self.entry = Some(module);
        self
    }

    /// Sets a variable of the load test Worker, instead of what `wrangler.toml` or the stack says.
    #[must_use]
    pub fn var(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.vars.insert(name.into(), value.into());
        self
    }

    /// Sets a variable of Grove.
    #[must_use]
    pub fn grove_var(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.grove_vars.insert(name.into(), value.into());
        self
    }

    /// Lets load go to another host besides Grove, `name` or `name:port`.
    #[must_use]
    pub fn allowed_host(mut self, host: impl Into<String>) -> Self {
        self.allowed_hosts.push(host.into());
        self
    }

    /// Runs the built Workers in place and reloads them whenever they are built again. Without it
    /// the stack runs a copy, which a build at the same time cannot disturb.
    #[must_use]
    pub fn watch(mut self) -> Self {
        self.watch = true;
        self
    }

    /// A flag that makes the start give up when it becomes true, for a program that handles Ctrl-C.
    #[must_use]
    pub fn interrupted(mut self, flag: Arc<AtomicBool>) -> Self {
        self.interrupted = Some(flag);
        self
    }
}
