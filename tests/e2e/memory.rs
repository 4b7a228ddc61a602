//! What a target sends without end is read and let go of: the runtime's memory stays small beside it.

use std::fs;
use std::time::Duration;

use serde_json::json;

use crate::support::{Lab, Run, steps_of_each};

/// How much the runtime's processes may grow together. They grow by 210 to 260 MiB, on a busy machine and on a quiet
/// one: what streams keep, and what the runtime leaves to its garbage collector. Keeping a tenth of what comes would
/// be beyond this.
const GROWTH_MIB_MAX: u64 = 448;

/// How much has to have come for that to say anything.
const CAME_MIB_MIN: u64 = 4 * GROWTH_MIB_MAX;

#[test]
fn gigabytes_of_a_stream_are_let_go_of() {
    let lab = Lab::own_with(|options| options.var("SLICE_SECONDS", "120"));
    let testbed = lab.testbed();
    let step = |path: &str, stream: serde_json::Value| {
        let url = format!("{}{path}", testbed.url());
        json!({"name": "read", "request": {"method": "GET", "url": url}, "stream": stream})
    };
    let bytes = format!("/bytes?n={}", 256 * 1_048_576);
    let apps = [
        (
            "pieces",
            step(&bytes, json!({"format": "chunks", "maxDuration": "5m"})),
        ),
        // A line that never ends is given up at its limit, and asked for again.
        (
            "line",
            step("/sse/line?n=1&end=line", json!({"format": "sse"})),
        ),
    ];
    let mut body = steps_of_each(&apps, (2, 4), "5m");
    for scenario in ["pieces", "line"] {
        body["scenario"]["scenarios"][scenario]["maxDuration"] = json!("5m");
    }
    let before = memory_mib(&lab, "VmRSS:");
    let run = Run::start(&lab, &body);
    assert_eq!(run.ended(Duration::from_secs(420)), "completed");
    let peak = memory_mib(&lab, "VmHWM:");
    let summary = run.summary();
    summary.assert_balanced();
    assert_eq!(
        summary.step("line")["errorBreakdown"],
        json!({"event_too_large": 8})
    );
    let pieces = &summary.step("pieces")["stream"];
    assert_eq!(pieces["ended"], json!({"server": 8}));
    let came = &summary.0["applicationResults"]["pieces"]["bytesReceived"];
    let came = came.as_u64().expect("a number") / 1_048_576;
    println!("{came} MiB came, and {before} MiB became {peak} MiB");
    assert!(came >= CAME_MIB_MIN, "{came} MiB");
    assert!(
        peak <= before + GROWTH_MIB_MAX,
        "{came} MiB came, and {before} MiB became {peak} MiB"
    );
}

/// What all processes of a stack hold, by this line of what the kernel tells of each.
fn memory_mib(lab: &Lab, line: &str) -> u64 {
    let groups = lab.process_groups();
    let processes = fs::read_dir("/proc").expect("processes").flatten();
    let of_process = processes.filter_map(|process| {
        let read = |file: &str| fs::read_to_string(process.path().join(file)).ok();
        let stat = read("stat")?;
        let group = stat.rsplit_once(')')?.1.split_whitespace().nth(2)?.parse();
        if !groups.contains(&group.ok()?) {
            return None;
        }
        let status = read("status")?;
        let kib = status.lines().find_map(|text| text.strip_prefix(line))?;
        kib.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()
    });
    of_process.sum::<u64>() / 1_024
}
