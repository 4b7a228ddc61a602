//! Which processes are alive, to prove that none is left behind, and how long processors have worked for them.

use std::fs;
use std::process::Command;
use std::time::Duration;

/// The processes that run in one of `groups`, each as its process id and command. A process that
/// has ended and was not waited for yet does not run.
pub fn processes_in(groups: &[i32]) -> Vec<String> {
    let list = if cfg!(target_os = "linux") {
        from_proc()
    } else {
        from_ps()
    };
    list.into_iter()
        .filter(|process| groups.contains(&process.group) && !process.ended)
        .map(|process| format!("{} {}", process.id, process.command))
        .collect()
}

/// The time that processors have worked for the processes that run in one of `groups`, in steps of 10 ms. Zero on
/// systems that do not tell it in `/proc`.
pub fn cpu_in(groups: &[i32]) -> Duration {
    let processes = from_proc().into_iter();
    let ours = processes.filter(|process| groups.contains(&process.group));
    ours.map(|process| process.cpu).sum()
}

struct Process {
    id: String,
    group: i32,
    ended: bool,
    command: String,
    cpu: Duration,
}

/// `/proc/ID/stat` is `ID (COMMAND) STATE PARENT GROUP … UTIME STIME …`, see proc_pid_stat(5).
fn from_proc() -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let parse = |text: &str| {
        let (start, rest) = text.rsplit_once(')')?;
        let (id, command) = start.split_once(" (")?;
        let mut fields = rest.split_whitespace();
        let ended = matches!(fields.next()?, "Z" | "X");
        let group = fields.nth(1)?.parse().ok()?;
        let mut ticks = fields.skip(8).map_while(|field| field.parse::<u64>().ok());
        let cpu = Duration::from_millis((ticks.next()? + ticks.next()?) * MS_PER_TICK);
        Some(Process {
            id: id.to_owned(),
            group,
            ended,
            command: command.to_owned(),
            cpu,
        })
    };
    entries
        .flatten()
        .filter_map(|entry| parse(&fs::read_to_string(entry.path().join("stat")).ok()?))
        .collect()
}

fn from_ps() -> Vec<Process> {
    let output = Command::new("ps")
        .args(["-axo", "pid=,pgid=,stat=,command="])
        .output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let parse = |line: &str| {
        let mut fields = line.split_whitespace();
        Some(Process {
            id: fields.next()?.to_owned(),
            group: fields.next()?.parse().ok()?,
            ended: fields.next()?.starts_with('Z'),
            command: fields.collect::<Vec<_>>().join(" "),
            cpu: Duration::ZERO,
        })
    };
    text.unwrap_or_default().lines().filter_map(parse).collect()
}

/// The kernel counts in hundredths of a second here, whatever its own clock does.
const MS_PER_TICK: u64 = 10;

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::getpgrp;

    #[test]
    #[cfg(target_os = "linux")]
    fn the_time_that_is_worked_for_a_group_grows() {
        use std::os::unix::process::CommandExt as _;
        let mut busy = Command::new("sh");
        busy.args(["-c", "while :; do :; done"]).process_group(0);
        let mut busy = busy.spawn().expect("a shell");
        let groups = [i32::try_from(busy.id()).expect("an identifier")];
        while cpu_in(&groups) < Duration::from_millis(20) {
            std::thread::yield_now();
        }
        busy.kill().expect("it runs");
        busy.wait().expect("it ends");
        assert_eq!(cpu_in(&groups), Duration::ZERO);
    }

    #[test]
    fn our_own_process_is_found_by_either_way() {
        let group = getpgrp().as_raw_pid();
        let id = std::process::id().to_string();
        let is_us =
            |process: &Process| process.id == id && process.group == group && !process.ended;
        assert!(
            processes_in(&[group])
                .iter()
                .any(|line| line.starts_with(&format!("{id} ")))
        );
        let ps_is_here = Command::new("ps").output().is_ok();
        assert!(!ps_is_here || from_ps().iter().any(is_us));
    }
}
