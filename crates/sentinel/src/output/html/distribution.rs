//! How response times are distributed: bars over a logarithmic axis, because latency has a long tail.

use maud::{Markup, html};
use sentinel_engine::histogram::{SparseHistogram, bucket_end};
use sentinel_engine::summary::TestRunResult;

use super::format;

const WIDTH: f64 = 1_040.0;
const HEIGHT: f64 = 190.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 26.0;

/// How many bars there are for each doubling of the response time.
const BARS_PER_DOUBLING: f64 = 4.0;

/// The distribution of all response times.
pub(super) fn chart(result: &TestRunResult) -> Markup {
    let mut all = SparseHistogram::default();
    let steps = result.samples.iter().flat_map(|samples| &samples.steps);
    for block in steps.flat_map(|step| &step.blocks) {
        all.merge(&block.response_us);
    }
    let Some(bars) = Bars::of(&all) else {
        let why = if result.latency_percentiles.max.is_some() {
            "The distribution was not kept."
        } else {
            "No answer came."
        };
        return html! { p class="none" { (why) } };
    };
    let latency = &result.latency_percentiles;
    let marks = [
        ("p50", "c-p50", latency.p50),
        ("p90", "c-p90", latency.p90),
        ("p95", "c-p95", latency.p95),
        ("p99", "c-p99", latency.p99),
    ];
    let marks = marks.map(|(name, class, ms)| (name, class, ms.map(|ms| (ms, bars.x(ms * 1e3)))));
    html! {
        figure class="chart" {
            figcaption {
                span class="chart-title" { "Distribution of response times" }
                span class="legend" {
                    @for (name, class, ms) in &marks {
                        @if let Some((ms, _)) = ms {
                            span class="key" { i class=(class) {} (name) " " b { (format::ms(Some(*ms))) } }
                        }
                    }
                    span class="key" { "largest " b { (format::ms(latency.max)) } }
                }
            }
            svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label="Distribution of response times" {
                (bars.draw())
                @for (name, class, ms) in &marks {
                    @if let Some((_, x)) = ms {
                        line class=(format!("percentile {class}")) x1=(rounded(*x)) x2=(rounded(*x)) y1=(TOP - 12.0) y2=(HEIGHT - BOTTOM) {
                            title { (name) }
                        }
                    }
                }
            }
        }
    }
}

/// Counts of values by their logarithm.
struct Bars {
    first: i32,
    counts: Vec<u64>, // not empty
}

impl Bars {
    fn of(histogram: &SparseHistogram) -> Option<Self> {
        let places: Vec<(i32, u64)> = histogram
            .buckets()
            .map(|(start, count)| (place(bucket_end(start) as f64), count))
            .collect();
        let first = places.first()?.0 - 1; // a bar's width of space on both sides
        let last = places.last()?.0 + 1;
        let mut counts = vec![0; usize::try_from(last - first).ok()? + 1];
        for (place, count) in places {
            if let Some(sum) = counts.get_mut(usize::try_from(place - first).ok()?) {
                *sum += count;
            }
        }
        Some(Self { first, counts })
    }

    fn draw(&self) -> Markup {
        let highest = self.counts.iter().copied().max().unwrap_or(1).max(1) as f64;
        let total: u64 = self.counts.iter().sum();
        let width = WIDTH / self.counts.len() as f64;
        html! {
            @for (at, count) in self.counts.iter().enumerate() {
                @if *count > 0 {
                    // A single value is seen beside a million.
                    @let height = ((HEIGHT - TOP - BOTTOM) * *count as f64 / highest).max(1.5);
                    rect class="bar" x=(rounded(at as f64 * width + 0.75)) width=(rounded(width - 1.5))
                        y=(rounded(HEIGHT - BOTTOM - height)) height=(rounded(height)) rx="1.5" {
                        title {
                            "up to " (format::ms(Some(self.end_us(at) / 1e3))) ": "
                            (format::count(*count)) " requests, "
                            (format::percent(Some(*count as f64 / total as f64)))
                        }
                    }
                }
            }
            line class="grid" x1="0" x2=(WIDTH) y1=(HEIGHT - BOTTOM) y2=(HEIGHT - BOTTOM) {}
            @for (us, x) in self.ticks() {
                text class="tick x" x=(rounded(x)) y=(HEIGHT - 7.0) { (format::ms(Some(us / 1e3))) }
            }
        }
    }

    /// 1, 2 and 5 times each power of ten, as far as there is room.
    fn ticks(&self) -> Vec<(f64, f64)> {
        let decades = (0..11).map(|decade| 10_f64.powi(decade));
        let ticks = decades.flat_map(|decade| [1.0, 2.0, 5.0].map(|factor| factor * decade));
        let ticks = ticks.map(|us| (us, self.x(us)));
        let mut shown: Vec<(f64, f64)> = Vec::new();
        for (us, x) in ticks.filter(|(_, x)| (30.0..=WIDTH - 30.0).contains(x)) {
            if shown.last().is_none_or(|(_, before)| x - before > 70.0) {
                shown.push((us, x));
            }
        }
        shown
    }

    fn x(&self, us: f64) -> f64 {
        let doublings = us.max(0.5).log2() * BARS_PER_DOUBLING - f64::from(self.first);
        WIDTH * (doublings / self.counts.len() as f64).clamp(0.0, 1.0)
    }

    fn end_us(&self, bar: usize) -> f64 {
        ((bar as f64 + 1.0 + f64::from(self.first)) / BARS_PER_DOUBLING).exp2()
    }
}

/// The bar of a value: that of its logarithm.
fn place(us: f64) -> i32 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "an hour of microseconds has 32 doublings"
    )]
    let place = (us.max(0.5).log2() * BARS_PER_DOUBLING).floor() as i32;
    place
}

fn rounded(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_in_a_bar_that_holds_it() {
        let mut histogram = SparseHistogram::default();
        for us in [0, 1, 999, 12_345, 12_400, 3_000_000_000] {
            histogram.record(us);
        }
        let bars = Bars::of(&histogram).unwrap();
        assert_eq!(bars.counts.iter().sum::<u64>(), 6);
        for (bar, count) in bars
            .counts
            .iter()
            .enumerate()
            .filter(|(_, count)| **count > 0)
        {
            assert!(bars.end_us(bar) > 0.0, "{count}");
        }
        assert!(Bars::of(&SparseHistogram::default()).is_none());
    }
}
