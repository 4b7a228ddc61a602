//! The parts of the Worker that are written in JavaScript, played in Node.

use std::path::Path;
use std::process::Command;

#[test]
fn the_exchanges_of_a_batch_tell_what_happens() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new("node")
        .args(["--test", "tests/js/exchange.test.mjs"])
        .current_dir(root)
        .output()
        .expect("node, which is on the path");
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
