//! Charts over time, as inline SVG.

use std::fmt::Write as _;

use maud::{Markup, html};

use super::format;
use super::scale::{Scale, time_ticks};

/// The size of a chart in its own units.
const WIDTH: f64 = 1_040.0;
const HEIGHT: f64 = 210.0;
const LEFT: f64 = 58.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 22.0;
const BOTTOM: f64 = 26.0;

/// A chart of several numbers over time.
pub(super) struct Chart<'a> {
    /// What the readings of the page's script belong to.
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    /// How a value is written at the axis.
    pub(super) written: fn(f64) -> String,
    pub(super) lines: Vec<Line>,
    pub(super) time: &'a Time,
}

/// A number over time.
pub(super) struct Line {
    pub(super) name: &'static str,
    /// Its colour, by a class of the style sheet.
    pub(super) class: &'static str,
    /// For each point of time; nothing where nothing was measured.
    pub(super) values: Vec<Option<f64>>,
    /// Whether the space below is filled.
    pub(super) filled: bool,
}

/// What all charts of a page share.
pub(super) struct Time {
    pub(super) points: usize, // ≥ 1
    pub(super) seconds_per_point: u64,
    /// Stretches with a name, by their first point and the one after their last.
    pub(super) bands: Vec<(&'static str, usize, usize)>,
    /// Points at which something was found, with what it was.
    pub(super) marks: Vec<(usize, String)>,
}

impl Chart<'_> {
    /// The chart with its title and its legend.
    pub(super) fn draw(&self) -> Markup {
        let highest = self.lines.iter().flat_map(|line| &line.values);
        let highest = highest.flatten().copied().fold(0.0, f64::max);
        let scale = Scale::up_to(highest);
        html! {
            figure class="chart" data-chart=(self.name) {
                figcaption {
                    span class="chart-title" { (self.title) }
                    span class="legend" {
                        @for line in &self.lines {
                            span class="key" {
                                i class=(line.class) {}
                                (line.name) " "
                                b data-line=(line.name) {}
                            }
                        }
                    }
                }
                svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(self.title) {
                    (self.bands())
                    (self.axes(&scale))
                    @for line in &self.lines {
                        @if line.filled {
                            path class=(format!("area {}", line.class)) d=(self.area(line, &scale)) {}
                        }
                        path class=(format!("line {}", line.class)) d=(self.path(line, &scale)) {}
                    }
                    (self.marks())
                    line class="cursor" x1="0" x2="0" y1=(TOP) y2=(HEIGHT - BOTTOM) {}
                }
            }
        }
    }

    fn bands(&self) -> Markup {
        html! {
            @for (at, (name, from, until)) in self.time.bands.iter().enumerate() {
                @let (from, until) = (self.x(*from), self.x(*until));
                @if at % 2 == 1 {
                    rect class="band" x=(rounded(from)) y=(TOP) width=(rounded(until - from))
                        height=(HEIGHT - BOTTOM - TOP) {}
                }
                @if until - from > 60.0 {
                    text class="band-name" x=(rounded(from + 5.0)) y=(TOP - 7.0) { (name) }
                }
            }
        }
    }

    fn axes(&self, scale: &Scale) -> Markup {
        let seconds = self.time.points as u64 * self.time.seconds_per_point;
        html! {
            @for tick in &scale.ticks {
                @let y = rounded(y(*tick, scale));
                line class="grid" x1=(LEFT) x2=(WIDTH - RIGHT) y1=(y) y2=(y) {}
                text class="tick y" x=(LEFT - 8.0) y=(y) { ((self.written)(*tick)) }
            }
            @for tick in time_ticks(seconds) {
                @let x = tick as f64 / self.time.seconds_per_point as f64;
                text class="tick x" x=(rounded(self.x_at(x))) y=(HEIGHT - 7.0) { (format::clock(tick)) }
            }
        }
    }

    fn marks(&self) -> Markup {
        html! {
            @for (point, what) in &self.time.marks {
                @let x = rounded(self.x(*point));
                g class="mark" {
                    title { (what) }
                    line x1=(x) x2=(x) y1=(TOP) y2=(HEIGHT - BOTTOM) {}
                    circle cx=(x) cy=(TOP) r="4" {}
                }
            }
        }
    }

    /// The line through the middles of its points, with gaps where nothing was measured.
    fn path(&self, line: &Line, scale: &Scale) -> String {
        let mut path = String::new();
        for stretch in stretches(&line.values) {
            for (at, (x, value)) in stretch.iter().enumerate() {
                let command = if at == 0 { 'M' } else { 'L' };
                let (x, y) = (rounded(self.middle(*x)), rounded(y(*value, scale)));
                // Writing into a text does not fail.
                let _ = write!(path, "{command}{x} {y}");
            }
            if let [(x, _)] = stretch.as_slice() {
                // A point by itself would not be seen.
                let _ = write!(path, "H{}", rounded(self.middle(*x) + 2.0));
            }
        }
        path
    }

    fn area(&self, line: &Line, scale: &Scale) -> String {
        let mut path = String::new();
        let bottom = rounded(y(0.0, scale));
        for stretch in stretches(&line.values) {
            let (Some((first, _)), Some((last, _))) = (stretch.first(), stretch.last()) else {
                continue;
            };
            let _ = write!(path, "M{} {bottom}", rounded(self.middle(*first)));
            for (x, value) in &stretch {
                let (x, y) = (rounded(self.middle(*x)), rounded(y(*value, scale)));
                let _ = write!(path, "L{x} {y}");
            }
            let _ = write!(path, "L{} {bottom}Z", rounded(self.middle(*last)));
        }
        path
    }

    fn middle(&self, point: usize) -> f64 {
        self.x_at(point as f64 + 0.5)
    }

    fn x(&self, point: usize) -> f64 {
        self.x_at(point as f64)
    }

    fn x_at(&self, point: f64) -> f64 {
        LEFT + (WIDTH - LEFT - RIGHT) * point / self.time.points as f64
    }
}

fn y(value: f64, scale: &Scale) -> f64 {
    HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * value / scale.top
}

/// The runs of values without a gap, with their places.
fn stretches(values: &[Option<f64>]) -> Vec<Vec<(usize, f64)>> {
    let placed: Vec<_> = values
        .iter()
        .enumerate()
        .map(|(at, value)| value.map(|value| (at, value)))
        .collect();
    let runs = placed.split(Option::is_none);
    let runs = runs.map(|run| run.iter().flatten().copied().collect::<Vec<_>>());
    runs.filter(|run| !run.is_empty()).collect()
}

/// A tenth of a unit is finer than any screen.
fn rounded(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_a_gap_where_nothing_was_measured() {
        let time = Time {
            points: 4,
            seconds_per_point: 1,
            bands: Vec::new(),
            marks: Vec::new(),
        };
        let line = Line {
            name: "p50",
            class: "c1",
            values: vec![Some(1.0), Some(2.0), None, Some(4.0)],
            filled: false,
        };
        let chart = Chart {
            name: "latency",
            title: "latency",
            written: |value| value.to_string(),
            lines: Vec::new(),
            time: &time,
        };
        let path = chart.path(&line, &Scale::up_to(4.0));
        assert_eq!(path.matches('M').count(), 2, "{path}");
        assert!(!path.contains("NaN"), "{path}");
    }
}
