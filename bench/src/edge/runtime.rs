//! The runtime as it is deployed, without wrangler's proxies: `workerd serve` with our Worker and the bare loop in
//! one process.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use devstack::Port;
use tempfile::TempDir;
use toml::Table;

/// Signs the permissions of batches.
pub(crate) const BATCH_KEY: &str = "the key of the benchmark's batches";

/// Which Workers a runtime serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Serving<'a> {
    /// The bare loop alone.
    Bare,
    /// The bare loop and the load tester; and another build of that, which lies in this folder.
    Both(Option<&'a Path>),
}

/// A running `workerd`. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Runtime {
    child: Child,
    /// Where the load tester listens.
    pub(crate) batch_port: u16,
    /// Where the other build of the load tester listens, if there is one.
    pub(crate) other_port: Option<u16>,
    /// Where the bare loop listens.
    pub(crate) bare_port: u16,
    /// How long it took from the start of the process until it served.
    pub(crate) started_in: Duration,
    _ports: [Port; 3], // held, so that nobody else chooses them
    _folder: TempDir,
}

impl Runtime {
    /// Starts the runtime on the first core, if `taskset` is there.
    ///
    /// # Errors
    /// When the Worker is not built, or the runtime does not serve within a minute.
    pub(crate) fn start(root: &Path, serving: Serving<'_>) -> Result<Self> {
        let folder = tempfile::tempdir().context("make a folder for the runtime")?;
        let ports = [Port::reserve()?, Port::reserve()?, Port::reserve()?];
        let [batch_port, other_port, bare_port] = ports.each_ref().map(Port::number);
        fs::write(folder.path().join("bare.js"), include_str!("bare.js"))?;
        let build = root.join("build");
        let mut builds = Vec::new(); // name and place, and the port
        if let Serving::Both(other) = serving {
            builds.push(("batch", build.as_path(), batch_port));
            builds.extend(other.map(|other| ("other", other, other_port)));
        }
        for (name, from, _) in &builds {
            copy_worker(from, &folder.path().join(name))?;
        }
        let workers = builds.iter().map(|(name, _, port)| (*name, *port));
        let config = folder.path().join("config.capnp");
        fs::write(&config, capnp(root, workers, bare_port)?)?;
        let begin = Instant::now();
        let mut child = pinned(&binary(root)?)
            .args(["serve", "--experimental"])
            .arg(&config)
            .stdin(Stdio::null())
            .spawn()
            .context("start workerd")?;
        let port = match serving {
            Serving::Bare => bare_port,
            Serving::Both(_) => batch_port,
        };
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if let Some(status) = child.try_wait()? {
                bail!("workerd ended with {status}");
            }
            ensure!(
                begin.elapsed() < Duration::from_secs(60),
                "workerd does not listen"
            );
            thread::sleep(Duration::from_millis(1));
        }
        let mut runtime = Self {
            child,
            batch_port,
            other_port: matches!(serving, Serving::Both(Some(_))).then_some(other_port),
            bare_port,
            started_in: Duration::ZERO,
            _ports: ports,
            _folder: folder,
        };
        answer(port)?;
        runtime.started_in = begin.elapsed();
        Ok(runtime)
    }

    /// CPU time that the runtime has used.
    pub(crate) fn cpu(&self) -> Duration {
        cpu(&self.child.id().to_string())
    }

    /// Memory that the runtime holds, in KiB.
    pub(crate) fn memory_kib(&self) -> u64 {
        let status = format!("/proc/{}/status", self.child.id());
        let status = fs::read_to_string(status).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok())
            .unwrap_or(0)
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// CPU time of a process, as Linux counts it: `self`, or its identifier. Zero elsewhere.
pub(crate) fn cpu(process: &str) -> Duration {
    let tasks = fs::read_dir(format!("/proc/{process}/task"));
    let times = tasks.into_iter().flatten().flatten().filter_map(|task| {
        let times = fs::read_to_string(task.path().join("schedstat")).ok()?;
        times.split_whitespace().next()?.parse().ok()
    });
    times.map(Duration::from_nanos).sum()
}

/// Asks for anything: the answer, whatever it is, shows that the Worker runs.
fn answer(port: u16) -> Result<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.write_all(b"GET /api/loadtest/health?until=0&loops=0&url=http%3A//x HTTP/1.1\r\nhost: x\r\nx-fields: {}\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    std::io::Read::read_to_string(&mut stream, &mut answer).context("read an answer")?;
    ensure!(
        answer.starts_with("HTTP/1.1 "),
        "the Worker does not answer"
    );
    Ok(())
}

fn pinned(binary: &Path) -> Command {
    let found = Command::new("taskset").arg("--version").output().is_ok();
    let mut command = Command::new(if found { Path::new("taskset") } else { binary });
    if found {
        command.args(["-c", "0"]).arg(binary);
    } else {
        eprintln!("taskset is missing: the runtime is not bound to one core");
    }
    command
}

fn binary(root: &Path) -> Result<PathBuf> {
    let folder = root.join("node_modules/@cloudflare");
    let entries = fs::read_dir(&folder).with_context(|| format!("read {}", folder.display()))?;
    entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("workerd-"))
        .map(|entry| entry.path().join("bin/workerd"))
        .find(|binary| binary.is_file())
        .context("workerd is not installed: run `cargo xtask setup`")
}

/// Copies a built Worker.
fn copy_worker(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir(to)?;
    for name in ["index.js", "index_bg.wasm"] {
        let built = from.join(name);
        fs::copy(&built, to.join(name)).with_context(|| format!("copy {}", built.display()))?;
    }
    Ok(())
}

/// The runtime's configuration, with the flags of the Worker's own. `workers` are builds of the load tester, each in
/// the folder of its name, with their ports.
fn capnp<'a>(
    root: &Path,
    workers: impl Iterator<Item = (&'a str, u16)>,
    bare_port: u16,
) -> Result<String> {
    let wrangler: Table = fs::read_to_string(root.join("wrangler.toml"))?.parse()?;
    let date = wrangler.get("compatibility_date").and_then(|v| v.as_str());
    let date = date.context("wrangler.toml has no compatibility_date")?;
    let flags = wrangler.get("compatibility_flags");
    let flags = flags.map_or_else(|| "[]".to_owned(), ToString::to_string);
    let common = format!("compatibilityDate = \"{date}\", compatibilityFlags = {flags}");
    let mut bindings = String::new();
    for (name, value) in [
        ("VISTA_TOKEN", "the token of the benchmark's callers"),
        ("BATCH_KEY", BATCH_KEY),
        ("TARGETS", r#"{\"staging\": \"http://127.0.0.1:9\"}"#),
        ("ALLOWED_HOSTS", "127.0.0.1:9"),
        ("MAX_USERS", "1000"),
        ("MAX_DURATION", "1h"),
        ("ENVIRONMENT", "local"),
    ] {
        write!(bindings, "(name = \"{name}\", text = \"{value}\"), ")?;
    }
    let (mut services, mut sockets) = (String::new(), String::new());
    for (name, port) in workers {
        writeln!(
            services,
            "(name = \"{name}\", worker = (modules = [\
             (name = \"index.js\", esModule = embed \"{name}/index.js\"), \
             (name = \"index_bg.wasm\", wasm = embed \"{name}/index_bg.wasm\")], \
             bindings = [{bindings}], {common})),"
        )?;
        writeln!(
            sockets,
            "(name = \"{name}\", address = \"127.0.0.1:{port}\", service = \"{name}\"),"
        )?;
    }
    Ok(format!(
        "using Workerd = import \"/workerd/workerd.capnp\";\n\
         const config :Workerd.Config = (\n\
         services = [{services}\
         (name = \"bare\", worker = (modules = [(name = \"bare.js\", esModule = embed \"bare.js\")], {common})),\n\
         (name = \"internet\", network = (allow = [\"private\", \"public\"]))],\n\
         sockets = [{sockets}(name = \"bare\", address = \"127.0.0.1:{bare_port}\", service = \"bare\")]);\n"
    ))
}
