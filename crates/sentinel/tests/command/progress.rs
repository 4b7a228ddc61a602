//! What is shown on a terminal while a run goes on.

use std::process::Command;

use serde_json::json;

use crate::lab::Lab;

/// Runs a program on a terminal of 160 columns, and hands on what it shows and how it ends.
const ON_A_TERMINAL: &str = "
import fcntl, os, pty, struct, sys, termios
child, terminal = pty.fork()
if child == 0:
    fcntl.ioctl(2, termios.TIOCSWINSZ, struct.pack('HHHH', 40, 160, 0, 0))
    os.execvp(sys.argv[1], sys.argv[1:])
while True:
    try:
        shown = os.read(terminal, 65536)
    except OSError:
        break
    if not shown:
        break
    sys.stdout.buffer.write(shown)
sys.stdout.flush()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
";

#[test]
fn a_terminal_shows_a_bar_for_each_scenario() {
    let lab = Lab::new();
    for (name, url) in [("good", "/ok"), ("bad", "/errors?rate=1&status=500")] {
        let step = json!({"name": "get", "request": {"method": "GET", "url": url}, "expect": {"status": [200]}});
        lab.write(
            &format!("applications/{name}.json"),
            &json!({"name": name, "steps": [step]}),
        );
    }
    let load = |name: &str, vus: u32| {
        json!({
            "executor": "constant-vus", "vus": vus, "duration": "4s", "exec": name,
        })
    };
    let scenario = lab.write(
        "two.json",
        &json!({
            "name": "two",
            "pause": "10ms",
            "applications": [{"name": "good", "weight": 1}, {"name": "bad", "weight": 1}],
            "scenarios": {"browse": load("good", 3), "fail": load("bad", 2)},
        }),
    );
    let mut command = Command::new("python3");
    command.args(["-c", ON_A_TERMINAL, env!("CARGO_BIN_EXE_sentinel")]);
    command.arg("run").arg(scenario);
    command.args(["--base-url", &lab.target.url(), "--no-summary"]);
    command.env("TERM", "xterm");
    let ended = lab.ended(command.output().expect("Python runs"));
    assert_eq!(ended.code, 0, "{}", ended.out);
    let shown = |parts: &[&str]| {
        let mut lines = ended.out.split(['\n', '\r']);
        assert!(
            lines.any(|line| parts.iter().all(|part| line.contains(part))),
            "{parts:?} in {}",
            ended.out
        );
    };
    shown(&["browse", "of 4 s", "3 users", "/s", "p95 ", "0.0 % errors"]);
    shown(&["fail", "of 4 s", "2 users", "/s", "p95 ", "100.0 % errors"]);
    shown(&["5 users", "requests/s", "p95 "]);
}
