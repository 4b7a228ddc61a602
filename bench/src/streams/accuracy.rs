//! How far the times that are told are from those of the target.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use testbed::{Held, Stats};

/// The metrics that are compared, with their names for people.
pub(crate) const METRICS: [(&str, &str); 3] = [
    ("ws_rtt", "round trip"),
    ("sse_time_to_first_event", "time to first event"),
    ("sse_event_gap", "gap between events"),
];

/// What is asked of each, in k6's words: the average, and two percentiles.
pub(crate) const METHODS: [&str; 3] = ["avg", "med", "p(95)"];

/// A kind of time, in milliseconds.
#[derive(Debug)]
pub(crate) struct Accuracy {
    metric: &'static str,
    name: &'static str,
    count: u64,
    told: [f64; METHODS.len()],
    truth: [f64; METHODS.len()],
}

/// Holds what a summary tells against what the target says.
///
/// # Errors
/// When they are not about the same messages and events, or something is missing.
pub(crate) fn compare(summary: &Value, stats: &Stats) -> Result<Vec<Accuracy>> {
    let socket = stats.paths.get("/ws/timed");
    let socket = socket.and_then(|path| path.socket.as_ref());
    let stream = stats.paths.get("/sse/timed");
    let stream = stream.and_then(|path| path.stream.as_ref());
    let (socket, stream) = socket.zip(stream).context("the target was not asked")?;
    let of = |name: &str| {
        let mut steps = summary["steps"].as_array().into_iter().flatten();
        steps.find(|step| step["step"] == name)
    };
    let (talk, listen) = of("talk").zip(of("listen")).context("steps are missing")?;
    let answered = talk["socket"]["messages"][0]["answered"].as_u64();
    ensure!(
        answered == Some(socket.reply.count),
        "{answered:?} messages were answered, the target says {}",
        socket.reply.count
    );
    let events = listen["stream"]["events"].as_u64();
    ensure!(
        events == Some(stream.events),
        "{events:?} events came, the target says {}",
        stream.events
    );
    let held = [&socket.reply, &stream.first_event, &stream.gap];
    let both = METRICS.iter().zip(held);
    both.map(|((metric, name), held)| {
        let told = |method: &str| {
            let mut thresholds = summary["thresholds"].as_array().into_iter().flatten();
            let found = thresholds.find(|one| {
                let text = one["threshold"].as_str().unwrap_or_default();
                one["metric"] == *metric && text.starts_with(method)
            });
            let actual = found.and_then(|one| one["verdict"]["actual"].as_f64());
            actual.with_context(|| format!("{metric} has no {method}"))
        };
        let [average, median, high] = METHODS.map(told);
        Ok(Accuracy {
            metric,
            name,
            count: held.count,
            told: [average?, median?, high?],
            truth: in_ms(held),
        })
    })
    .collect()
}

fn in_ms(held: &Held) -> [f64; METHODS.len()] {
    [held.mean_us, held.p50_us as f64, held.p95_us as f64].map(|us| us / 1_000.0)
}

/// Prints how far they are apart.
pub(crate) fn show(name: &str, accuracy: &[Accuracy], error_ms_max: f64) {
    println!("  {name}: milliseconds above what the target says (at most {error_ms_max})");
    for one in accuracy {
        let [average, median, high] = one.errors();
        let verdict = if one.holds(error_ms_max) {
            "holds"
        } else {
            "DOES NOT HOLD"
        };
        println!(
            "    {:20} average {average:+.3}, p50 {median:+.3}, p95 {high:+.3} of {} ({:.1} ms): {verdict}",
            one.name, one.count, one.truth[1]
        );
    }
}

impl Accuracy {
    fn errors(&self) -> [f64; METHODS.len()] {
        let mut errors = self.told;
        for (error, truth) in errors.iter_mut().zip(self.truth) {
            *error -= truth;
        }
        errors
    }

    /// Whether all of them are near enough.
    pub(crate) fn holds(&self, error_ms_max: f64) -> bool {
        self.errors()
            .iter()
            .all(|error| error.abs() <= error_ms_max)
    }

    /// For other programs.
    pub(crate) fn to_json(&self) -> Value {
        let [average, median, high] = self.errors();
        let [truth_average, truth_median, truth_high] = self.truth;
        json!({
            "metric": self.metric,
            "count": self.count,
            "error": {"avg": average, "p50": median, "p95": high},
            "truth": {"avg": truth_average, "p50": truth_median, "p95": truth_high},
        })
    }
}
