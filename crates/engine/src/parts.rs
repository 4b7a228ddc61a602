//! The parts of a request's time, as far as a driver can tell them apart.
//!
//! Invariant: a part that was not measured is absent, never zero: zero says that it took no time, as connecting
//! does where a connection is used again.

use serde::{Deserialize, Serialize};

use crate::histogram::SparseHistogram;
use crate::sorted::SortedMap;
use crate::tick::Span;

/// A part of the time that a request takes, in k6's terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum Part {
    /// Until there was a connection for it: looking up, connecting and handshaking included.
    Blocked,
    /// Asking for the host's addresses.
    LookingUp,
    /// Making the TCP connection, to the proxy if there is one.
    Connecting,
    /// The TLS handshake.
    TlsHandshaking,
    /// Sending, waiting and receiving together: k6's `http_req_duration`.
    Exchange,
    /// Writing the request.
    Sending,
    /// From the end of the request to the first byte of the answer.
    Waiting,
    /// Reading the answer.
    Receiving,
}

impl Part {
    /// All of them, in the order of a request, each whole before what it is made of.
    pub const ALL: [Self; 8] = [
        Self::Blocked,
        Self::LookingUp,
        Self::Connecting,
        Self::TlsHandshaking,
        Self::Exchange,
        Self::Sending,
        Self::Waiting,
        Self::Receiving,
    ];

    /// The metric that holds it.
    #[must_use]
    pub const fn metric(self) -> &'static str {
        match self {
            Self::Blocked => "http_req_blocked",
            Self::LookingUp => "http_req_looking_up",
            Self::Connecting => "http_req_connecting",
            Self::TlsHandshaking => "http_req_tls_handshaking",
            Self::Sending => "http_req_sending",
            Self::Waiting => "http_req_waiting",
            Self::Receiving => "http_req_receiving",
            Self::Exchange => "http_req_duration",
        }
    }
}

/// How long the parts of one request took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parts([Option<Span>; Part::ALL.len()]);

impl Parts {
    /// The same with one part more.
    #[must_use]
    pub fn with(mut self, part: Part, took: Span) -> Self {
        if let Some(place) = self.0.get_mut(part as usize) {
            *place = Some(took);
        }
        self
    }

    /// How long a part took, `None` if nobody knows.
    #[must_use]
    pub fn get(&self, part: Part) -> Option<Span> {
        self.0.get(part as usize).copied().flatten()
    }

    /// The parts that are known.
    pub fn iter(&self) -> impl Iterator<Item = (Part, Span)> + '_ {
        let parts = Part::ALL.into_iter().zip(self.0);
        parts.filter_map(|(part, took)| Some((part, took?)))
    }
}

/// The parts of many requests, in microseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PartTimes(SortedMap<Part, SparseHistogram>);

impl PartTimes {
    /// Adds the parts of a request.
    pub fn record(&mut self, parts: &Parts) {
        for (part, took) in parts.iter() {
            self.0.entry(part).or_default().record(took.as_us());
        }
    }

    /// Adds the parts of other requests.
    pub fn merge(&mut self, other: &Self) {
        for (part, times) in &other.0 {
            self.0.entry(*part).or_default().merge(times);
        }
    }

    /// How long a part took, `None` if it was never measured.
    #[must_use]
    pub fn get(&self, part: Part) -> Option<&SparseHistogram> {
        self.0.get(&part)
    }

    /// The parts that were measured.
    pub fn iter(&self) -> impl Iterator<Item = (Part, &SparseHistogram)> {
        self.0.iter().map(|(part, times)| (*part, times))
    }

    /// Whether nothing was measured.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::Catalog;

    #[test]
    fn only_what_was_measured_is_told() {
        let parts = Parts::default()
            .with(Part::Waiting, Span::from_ms(5))
            .with(Part::Connecting, Span::ZERO);
        let told: Vec<_> = parts.iter().collect();
        assert_eq!(
            told,
            [
                (Part::Connecting, Span::ZERO),
                (Part::Waiting, Span::from_ms(5))
            ]
        );
        assert_eq!(parts.get(Part::Sending), None);
        let mut times = PartTimes::default();
        times.record(&parts);
        let mut sum = times.clone();
        sum.merge(&times);
        assert_eq!(sum.get(Part::Waiting).map(SparseHistogram::count), Some(2));
        assert!(sum.get(Part::Blocked).is_none());
    }

    #[test]
    fn each_part_has_its_place_and_its_metric() {
        let catalog = Catalog::default();
        for (at, part) in Part::ALL.into_iter().enumerate() {
            assert_eq!(part as usize, at);
            assert!(catalog.id(part.metric()).is_some(), "{part:?}");
        }
    }
}
