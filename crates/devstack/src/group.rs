//! One process group: a command, everything it starts, and a watchdog.
//!
//! A shell leads the group. It starts the command and a watchdog that reads the leader's standard
//! input, which only our program holds open: when our program is gone, however it went, the read
//! ends and the watchdog ends the group. The watchdog ignores SIGTERM, so the group's id stays
//! taken until the group is killed and a signal can never reach a stranger. The leader lives through it as well,
//! from before it starts the command, so that the command has the time to clean up.

use std::fs::OpenOptions;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process_group};
use std::os::unix::process::CommandExt;

/// A running process group. Dropping it ends the group.
#[derive(Debug)]
pub(crate) struct Group {
    leader: Child,
    id: Pid,
}

impl Group {
    /// Starts `command` as a group of its own; what it prints is appended to `log`. When the watchdog
    /// has to end the group, it removes the folder `temporary`: nobody else is left to do it.
    pub(crate) fn start(command: &Command, log: &Path, temporary: Option<&Path>) -> Result<Self> {
        let output = OpenOptions::new()
            .create(true)
            .append(true)
            .open(log)
            .with_context(|| format!("open the log {}", log.display()))?;
        let mut shell = Command::new("sh");
        shell
            .args(["-c", LEADER, "devstack"])
            .arg(command.get_program())
            .args(command.get_args())
            .env("DEVSTACK_TEMPORARY", temporary.unwrap_or(Path::new("")))
            .stdin(Stdio::piped())
            .stdout(output.try_clone().context("share the log")?)
            .stderr(output)
            .process_group(0);
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        if let Some(folder) = command.get_current_dir() {
            shell.current_dir(folder);
        }
        let leader = shell.spawn().context("start a shell")?;
        let id = i32::try_from(leader.id())
            .ok()
            .and_then(Pid::from_raw)
            .context("the shell has no usable process id")?;
        Ok(Self { leader, id })
    }

    /// The group's id.
    pub(crate) fn id(&self) -> i32 {
        self.id.as_raw_pid()
    }

    /// How the command ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.leader.try_wait().ok().flatten()
    }

    /// Asks the command to end, waits at most `grace` for it, then kills what is left of the group.
    pub(crate) fn stop(&mut self, grace: Duration) {
        self.signal(Signal::TERM);
        let deadline = Instant::now() + grace;
        while self.ended().is_none() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(10));
        }
        self.kill();
    }

    /// Kills every process of the group at once, as a crash would.
    pub(crate) fn kill(&mut self) {
        self.signal(Signal::KILL);
        // An error means that the leader was waited for before: then there is nothing to do.
        let _ = self.leader.wait();
    }

    fn signal(&self, signal: Signal) {
        // The only possible error is that no process of the group is left.
        let _ = kill_process_group(self.id, signal);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.stop(Duration::from_secs(5));
    }
}

const LEADER: &str = r#"
exec 3<&0
temporary=$DEVSTACK_TEMPORARY
unset DEVSTACK_TEMPORARY
trap : TERM INT HUP
"$@" </dev/null 3<&- &
command=$!
trap '' TERM INT HUP
( cat <&3 >/dev/null
  kill -TERM 0
  sleep 3
  if [ -n "$temporary" ]; then rm -rf "$temporary"; fi
  kill -KILL 0 ) </dev/null &
exec 3<&-
trap : TERM INT HUP
wait $command
code=$?
while kill -0 $command 2>/dev/null; do wait $command; code=$?; done
exit $code
"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::processes::processes_in;

    fn group(script: &str) -> (Group, tempfile::TempDir) {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        let group =
            Group::start(&command, &dir.path().join("log"), None).expect("the group starts");
        (group, dir)
    }

    /// Polls until `condition` holds, for at most ten seconds.
    fn eventually(condition: impl FnMut() -> bool) -> bool {
        let deadline = Instant::now() + Duration::from_secs(10);
        let mut condition = condition;
        while !condition() {
            if Instant::now() > deadline {
                return false;
            }
            thread::sleep(Duration::from_millis(5));
        }
        true
    }

    #[test]
    fn a_command_that_ignores_sigterm_is_killed_with_all_its_children() {
        let (mut group, _dir) = group("trap '' TERM; sleep 100 & sleep 100; sleep 100");
        group.stop(Duration::from_millis(200));
        assert!(eventually(|| processes_in(&[group.id()]).is_empty()));
    }

    #[test]
    fn the_exit_code_of_the_command_is_seen() {
        let (mut group, _dir) = group("exit 7");
        assert!(eventually(|| group.ended().is_some()));
        assert_eq!(group.ended().and_then(|status| status.code()), Some(7));
    }

    #[test]
    fn the_group_ends_when_our_end_of_the_pipe_is_gone() {
        let (mut group, _dir) = group("sleep 100");
        drop(group.leader.stdin.take());
        assert!(eventually(|| group.ended().is_some()));
        assert!(eventually(|| processes_in(&[group.id()]).is_empty()));
    }

    #[test]
    fn sigterm_reaches_the_command_so_that_it_can_clean_up() {
        let (mut group, dir) =
            group("trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.01; done");
        let log = dir.path().join("log");
        let text = || std::fs::read_to_string(&log).unwrap_or_default();
        assert!(eventually(|| text().contains("up")));
        group.stop(Duration::from_secs(10));
        assert!(text().ends_with("bye\n"), "{}", text());
    }
}
