//! StatsD over UDP, with tags as DogStatsD and Telegraf read them.
//!
//! Names begin with `k6.`. A Trend's values are sent as timings with a sample rate that says how many they stand
//! for, and a Rate as two Counters, `.occurred` and `.total`: counts add up over seconds, fractions would not.

use std::fmt::Write as _;
use std::net::UdpSocket;

use sentinel_engine::metric::{Contains, TagSet, Value};

use super::points::{Point, Second};
use super::stream::Sink;

/// The largest datagram: what fits an Ethernet frame with an IPv6 header.
const DATAGRAM_BYTES_MAX: usize = 1_432;

/// Sends to a StatsD server.
pub(super) struct Statsd {
    socket: UdpSocket,
    datagram: String,
}

impl Statsd {
    /// Sends from this socket, which knows where to.
    pub(super) const fn new(socket: UdpSocket) -> Self {
        Self {
            socket,
            datagram: String::new(),
        }
    }

    fn push(&mut self, line: &str) -> Result<(), String> {
        if !self.datagram.is_empty() && self.datagram.len() + 1 + line.len() > DATAGRAM_BYTES_MAX {
            self.flush()?;
        }
        if !self.datagram.is_empty() {
            self.datagram.push('\n');
        }
        self.datagram.push_str(line);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), String> {
        let datagram = std::mem::take(&mut self.datagram);
        if datagram.is_empty() {
            return Ok(());
        }
        let sent = self.socket.send(datagram.as_bytes());
        sent.map(drop).map_err(|error| error.to_string())
    }
}

impl Sink for Statsd {
    fn write(&mut self, second: &Second) -> Result<(), String> {
        for point in &second.points {
            for line in lines(point) {
                self.push(&line)?;
            }
        }
        self.flush()
    }

    fn recovers(&self) -> bool {
        true
    }
}

fn lines(point: &Point) -> Vec<String> {
    let name = &point.definition.name;
    let contains = point.definition.contains;
    let tags = tags(&point.tags);
    match &point.value {
        Value::Counter(sum) => {
            let count = contains.in_unit(*sum as f64);
            vec![format!("k6.{name}:{count}|c{tags}")]
        }
        Value::Gauge(gauge) => {
            let value = contains.in_unit(gauge.value as f64);
            vec![format!("k6.{name}:{value}|g{tags}")]
        }
        Value::Rate(rate) => vec![
            format!("k6.{name}.occurred:{}|c{tags}", rate.matches),
            format!("k6.{name}.total:{}|c{tags}", rate.total),
        ],
        Value::Trend(trend) => {
            let kind = match contains {
                Contains::Time => "ms",
                Contains::Default | Contains::Data | Contains::Whole => "h",
            };
            let lines = trend.ascending().filter(|(_, count)| *count > 0);
            let lines = lines.map(|(steps, count)| {
                let value = contains.in_unit(steps);
                let rate = match count {
                    1 => String::new(),
                    count => format!("|@{}", 1.0 / count as f64),
                };
                format!("k6.{name}:{value}|{kind}{rate}{tags}")
            });
            lines.collect()
        }
    }
}

/// Without the characters that mean something in a line.
fn tags(tags: &TagSet) -> String {
    let mut text = String::new();
    for (at, (name, value)) in tags.iter().enumerate() {
        let before = if at == 0 { "|#" } else { "," };
        let clean = |text: &str| text.replace(['|', ',', '#', ':', '\n'], "_");
        // Writing into a text does not fail.
        let _ = write!(text, "{before}{}:{}", clean(name), clean(value));
    }
    text
}
