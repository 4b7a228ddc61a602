//! The stack itself: both Workers, started together, each stopped, killed and restarted by name.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;

use anyhow::{Context, Result, anyhow};
use serde_json::{Value, json};

use crate::config::{self, Overrides, WorkerConfig};
use crate::group::Group;
use crate::options::Options;
use crate::port::Port;
use crate::project::Project;
use crate::readiness::{Wait, wait_until_ready};
use crate::state::{self, StateDir};

/// One of the two Workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// The load tester.
    LoadTest,
    /// The reference platform, its target.
    Grove,
}

/// Both Workers in local workerd. Dropping it ends every process that it started.
#[derive(Debug)]
pub struct DevStack {
    pub(crate) tools: Project,
    // Before `state`: the processes must be gone when a temporary folder is removed.
    load_test: Running,
    grove: Running,
    state: StateDir,
    token: String,
    interrupted: Option<Arc<AtomicBool>>,
}

#[derive(Debug)]
struct Running {
    config: WorkerConfig,
    folder: PathBuf,
    port: Port,
    health: &'static str,
    log_level: &'static str,
    group: Option<Group>,
}

impl DevStack {
    /// Starts both Workers on free ports of the loopback interface, with migrated databases, and
    /// returns when both answer.
    ///
    /// # Errors
    /// When a Worker is not built or does not become ready; with the end of its log.
    pub fn start(options: Options) -> Result<Self> {
        let state = StateDir::open(options.state.as_deref())?;
        let token = options.token.clone().map_or_else(random_secret, Ok)?;
        let batch_key = options.batch_key.clone().map_or_else(random_secret, Ok)?;
        let root = options.project.root();

        let grove = Running::prepare(
            &root.join("grove/wrangler.toml"),
            state.path().join("grove"),
            Port::reserve()?,
            "/__stats",
            // Below this level wrangler prints a line for each request: work that competes with it.
            "warn",
            &Overrides {
                vars: local(&options.grove_vars, [("ENVIRONMENT", json!("local"))]),
                secrets: BTreeMap::new(),
                watch: options.watch,
                entry: None,
            },
        )?;
        let mut hosts = vec![grove.authority()];
        hosts.extend(options.allowed_hosts);
        let targets = json!({"staging": grove.url(), "production": grove.url()});
        let load_test = Running::prepare(
            &root.join("wrangler.toml"),
            state.path().join("loadtest"),
            Port::reserve()?,
            "/api/loadtest/health",
            "log",
            &Overrides {
                vars: local(
                    &options.vars,
                    [
                        ("ENVIRONMENT", json!("local")),
                        ("TARGETS", json!(targets.to_string())),
                        ("ALLOWED_HOSTS", json!(hosts.join(", "))),
                    ],
                ),
                secrets: BTreeMap::from([
                    ("VISTA_TOKEN", token.as_str()),
                    ("BATCH_KEY", batch_key.as_str()),
                ]),
                watch: options.watch,
                entry: options.entry,
            },
        )?;
        let mut stack = Self {
            tools: options.tools,
            load_test,
            grove,
            state,
            token,
            interrupted: options.interrupted,
        };
        stack.migrate()?;
        stack.launch(&[Service::LoadTest, Service::Grove])?;
        Ok(stack)
    }

    /// The load tester's address, without a slash at the end.
    pub fn url(&self) -> String {
        self.load_test.url()
    }

    /// Grove's address, without a slash at the end.
    pub fn grove_url(&self) -> String {
        self.grove.url()
    }

    /// The bearer token of the API.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The file that the runtime of a Worker prints to; it grows over restarts.
    pub fn log(&self, service: Service) -> PathBuf {
        self.running(service).log()
    }

    /// The folder of everything that the stack stores.
    pub fn state_dir(&self) -> &Path {
        self.state.path()
    }

    /// How a Worker's runtime ended, if it did without being told to.
    pub fn ended(&mut self, service: Service) -> Option<std::process::ExitStatus> {
        self.running_mut(service).group.as_mut()?.ended()
    }

    /// The ids of the process groups that run now, for [`processes_in`](crate::processes_in).
    pub fn process_groups(&self) -> Vec<i32> {
        let running = [&self.load_test, &self.grove];
        running
            .into_iter()
            .filter_map(|running| running.group.as_ref())
            .map(Group::id)
            .collect()
    }

    /// Stops both Workers in good order. The state stays, for [`Self::restart`].
    pub fn stop(&mut self) {
        self.stop_service(Service::LoadTest);
        self.stop_service(Service::Grove);
    }

    /// Stops one Worker in good order.
    pub fn stop_service(&mut self, service: Service) {
        self.running_mut(service).group = None;
    }

    /// Kills the runtime of one Worker with SIGKILL, as a crash of the machine would.
    pub fn kill_hard(&mut self, service: Service) {
        if let Some(mut group) = self.running_mut(service).group.take() {
            group.kill();
        }
    }

    /// Starts a Worker that was stopped or killed again, on the same state and the same port, and
    /// returns when it answers.
    ///
    /// # Errors
    /// When the Worker does not become ready.
    pub fn restart(&mut self, service: Service) -> Result<()> {
        self.stop_service(service);
        self.launch(&[service])
    }

    pub(crate) fn config(&self, service: Service) -> &WorkerConfig {
        &self.running(service).config
    }

    pub(crate) fn persist(&self, service: Service) -> PathBuf {
        self.running(service).persist()
    }

    fn running(&self, service: Service) -> &Running {
        match service {
            Service::LoadTest => &self.load_test,
            Service::Grove => &self.grove,
        }
    }

    fn running_mut(&mut self, service: Service) -> &mut Running {
        match service {
            Service::LoadTest => &mut self.load_test,
            Service::Grove => &mut self.grove,
        }
    }

    /// Both at the same time: most of it is waiting for wrangler to load.
    fn migrate(&self) -> Result<()> {
        let migrate =
            |running: &Running| state::migrate(&self.tools, &running.config, &running.persist());
        thread::scope(|scope| {
            let grove = scope.spawn(|| migrate(&self.grove));
            let load_test = migrate(&self.load_test);
            let grove = grove
                .join()
                .unwrap_or_else(|_| Err(anyhow!("the migration panicked")));
            load_test.and(grove)
        })
    }

    fn launch(&mut self, services: &[Service]) -> Result<()> {
        let registry = self.state.path().join("registry");
        let tools = self.tools.clone();
        let temporary = self.state.temporary().map(Path::to_owned);
        for &service in services {
            self.running_mut(service)
                .spawn(&tools, &registry, temporary.as_deref())?;
        }
        let interrupted = self.interrupted.clone();
        for &service in services {
            self.running_mut(service).wait(interrupted.as_deref())?;
        }
        Ok(())
    }
}

impl Running {
    fn prepare(
        source: &Path,
        folder: PathBuf,
        port: Port,
        health: &'static str,
        log_level: &'static str,
        overrides: &Overrides<'_>,
    ) -> Result<Self> {
        std::fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
        let config = config::write(source, &folder, overrides)?;
        Ok(Self {
            config,
            folder,
            port,
            health,
            log_level,
            group: None,
        })
    }

    fn url(&self) -> String {
        format!("http://{}", self.authority())
    }

    fn authority(&self) -> String {
        format!("127.0.0.1:{}", self.port.number())
    }

    fn log(&self) -> PathBuf {
        self.folder.join("wrangler.log")
    }

    fn persist(&self) -> PathBuf {
        self.folder.join("state")
    }

    fn spawn(&mut self, tools: &Project, registry: &Path, temporary: Option<&Path>) -> Result<()> {
        let mut command = tools.wrangler();
        command
            .args(["dev", "--ip", "127.0.0.1", "--inspector-port", "0"])
            .args(["--show-interactive-dev-session", "false"])
            .args(["--log-level", self.log_level, "--port"])
            .arg(self.port.number().to_string())
            .arg("--config")
            .arg(&self.config.file)
            .arg("--persist-to")
            .arg(self.persist())
            .current_dir(&self.folder)
            .env("WRANGLER_REGISTRY_PATH", registry)
            // It would record each request in a database: work that competes with the load.
            .env("X_LOCAL_OBSERVABILITY", "false")
            .env("X_LOCAL_EXPLORER", "false");
        self.group = Some(Group::start(&command, &self.log(), temporary)?);
        Ok(())
    }

    fn wait(&mut self, interrupted: Option<&AtomicBool>) -> Result<()> {
        let (url, log) = (format!("{}{}", self.url(), self.health), self.log());
        let group = self.group.as_mut().context("not started")?;
        let wait = Wait {
            name: &self.config.name,
            url,
            log: &log,
            interrupted,
        };
        wait_until_ready(group, &wait)
    }
}

/// What the stack says about a variable, unless the caller says otherwise.
fn local<const N: usize>(
    given: &BTreeMap<String, Value>,
    ours: [(&str, Value); N],
) -> BTreeMap<String, Value> {
    let mut vars: BTreeMap<_, _> = ours
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    vars.extend(given.clone());
    vars
}

/// 256 random bits in hexadecimal.
fn random_secret() -> Result<String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| anyhow!("no entropy: {error}"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
