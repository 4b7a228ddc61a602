//! What the rounds say: ratios of neighbours, their median, and between which values the middle half of them lies.

use serde_json::{Map, Value, json};

use crate::contenders::Contender;
use crate::work::{CONCURRENCY, Work};

/// What a contender achieved in a round.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    /// Requests per second.
    pub(crate) per_s: f64,
    /// CPU time of the runtime per request, in microseconds.
    pub(crate) cpu_us: f64,
    /// How much of a core the runtime used.
    pub(crate) cpu_share: f64,
    /// How much of a core the target used.
    pub(crate) target_cpu: f64,
}

/// The outcome of all rounds of a kind of work.
#[derive(Debug)]
pub(crate) struct Measured {
    work: Work,
    rounds: Vec<Vec<(Contender, Rate)>>,
}

/// The quartiles of some values.
#[derive(Clone, Copy, Debug)]
struct Quartiles {
    low: f64,
    median: f64,
    high: f64,
}

impl Measured {
    /// Nothing yet.
    pub(crate) const fn new(work: Work) -> Self {
        Self {
            work,
            rounds: Vec::new(),
        }
    }

    /// Adds what all contenders achieved in a round.
    pub(crate) fn add(&mut self, rates: Vec<(Contender, Rate)>) {
        self.rounds.push(rates);
    }

    /// The last round, for people.
    pub(crate) fn last(&self) -> String {
        let rates = self.rounds.last().into_iter().flatten();
        let parts = rates.map(|(contender, rate)| {
            let (name, Rate { per_s, cpu_us, .. }) = (contender.name(), rate);
            format!("{name} {per_s:>6.0}/s {cpu_us:>5.1} µs")
        });
        parts.collect::<Vec<_>>().join(", ")
    }

    /// Whether the ratio is what it must be.
    pub(crate) fn passed(&self) -> bool {
        self.ratio().median >= self.work.ratio_min()
    }

    /// For machines.
    pub(crate) fn json(&self) -> Value {
        let mut contenders = Map::new();
        for contender in self.contenders() {
            let figures = json!({
                "perS": self.median(contender, |rate| rate.per_s),
                "cpuUs": self.median(contender, |rate| rate.cpu_us),
                "runtimeCpuShare": self.median(contender, |rate| rate.cpu_share),
                "targetCpuShare": self.median(contender, |rate| rate.target_cpu),
                "ratioPerCpu": self.per_cpu(contender).json(),
                "ratio": self.per_s(contender).json(),
            });
            contenders.insert(contender.name().to_owned(), figures);
        }
        json!({
            "name": self.work.name(), "concurrency": CONCURRENCY, "rounds": self.rounds.len(),
            "contenders": contenders, "ratioMin": self.work.ratio_min(), "ratio": self.ratio().median,
            "passed": self.passed(),
        })
    }

    /// For people, the ratio last.
    pub(crate) fn print(&self) {
        let name = self.work.name();
        for contender in self.contenders() {
            println!(
                "{name}: {:>7} {:>6.0}/s, {:>5.1} µs of CPU per request; the runtime had {:.0} % of its core, the \
                 target used {:.0} % of its; per second of CPU {}, per second {} of the bare loop's",
                contender.name(),
                self.median(contender, |rate| rate.per_s),
                self.median(contender, |rate| rate.cpu_us),
                100.0 * self.median(contender, |rate| rate.cpu_share),
                100.0 * self.median(contender, |rate| rate.target_cpu),
                self.per_cpu(contender).text(),
                self.per_s(contender).text(),
            );
        }
        println!(
            "{name}: ratio per second of CPU {}; ratio of requests per second (quartiles {:.3} and {:.3}, must be at \
             least {}): {:.3}",
            self.per_cpu(Contender::Batch).text(),
            self.ratio().low,
            self.ratio().high,
            self.work.ratio_min(),
            self.ratio().median,
        );
    }

    fn contenders(&self) -> impl Iterator<Item = Contender> {
        let first = self.rounds.first().into_iter().flatten();
        first.map(|(contender, _)| *contender)
    }

    fn ratio(&self) -> Quartiles {
        self.per_s(Contender::Batch)
    }

    /// Requests per second, as a part of the bare loop's in the same round.
    fn per_s(&self, contender: Contender) -> Quartiles {
        self.ratios(contender, |rate| rate.per_s)
    }

    /// Requests per second of CPU, as a part of the bare loop's in the same round.
    fn per_cpu(&self, contender: Contender) -> Quartiles {
        self.ratios(contender, |rate| 1.0 / rate.cpu_us)
    }

    fn ratios(&self, contender: Contender, value: impl Fn(&Rate) -> f64) -> Quartiles {
        let values = self.values(contender, &value).into_iter();
        let bare = self.values(Contender::Bare, &value);
        Quartiles::of(values.zip(bare).map(|(ours, bare)| ours / bare).collect())
    }

    fn median(&self, contender: Contender, value: impl Fn(&Rate) -> f64) -> f64 {
        Quartiles::of(self.values(contender, value)).median
    }

    fn values(&self, contender: Contender, value: impl Fn(&Rate) -> f64) -> Vec<f64> {
        let rates = self.rounds.iter().flatten();
        let rates = rates.filter(|(of, _)| *of == contender);
        rates.map(|(_, rate)| value(rate)).collect()
    }
}

impl Quartiles {
    /// Between two values lies a straight line.
    fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let last = values.len().saturating_sub(1);
        let at = |quarters: usize| {
            let (below, rest) = (quarters * last / 4, quarters * last % 4);
            let value = |at| values.get(at).copied().unwrap_or(f64::NAN);
            let weight = [0.0, 0.25, 0.5, 0.75][rest];
            value(below) * (1.0 - weight) + value((below + 1).min(last)) * weight
        };
        Self {
            low: at(1),
            median: at(2),
            high: at(3),
        }
    }

    fn json(self) -> Value {
        json!({ "lowerQuartile": self.low, "median": self.median, "upperQuartile": self.high })
    }

    fn text(self) -> String {
        let Self { low, median, high } = self;
        format!("{median:.3} ({low:.3} to {high:.3})")
    }
}
