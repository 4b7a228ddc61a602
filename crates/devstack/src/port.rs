//! Ports for Workers, chosen so that several stacks can start at the same moment.
//!
//! Invariant: as long as a [`Port`] lives, no other one has its number, in this process or in another.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::ops::Range;

use anyhow::{Context, Result, anyhow};

/// A TCP port of the loopback interface on which nobody listened when it was chosen.
///
/// The runtime that will listen on it opens it seconds later, so that a listener cannot hold it until then. What
/// holds it is the UDP port of the same number, which nobody else wants: the system gives it to one process at a
/// time, and takes it back from one that was killed.
#[derive(Debug)]
pub struct Port {
    number: u16,
    _held: UdpSocket,
}

impl Port {
    /// A port that nobody listens on and no other stack has chosen.
    ///
    /// # Errors
    /// When there is none.
    pub fn reserve() -> Result<Self> {
        let count = RANGE.end - RANGE.start;
        let mut random = [0; 2];
        getrandom::fill(&mut random).map_err(|error| anyhow!("no entropy: {error}"))?;
        let first = u16::from_ne_bytes(random) % count;
        (first..count)
            .chain(0..first)
            .find_map(|offset| Self::hold(RANGE.start + offset))
            .context("find a free port")
    }

    /// Its number.
    #[must_use]
    pub const fn number(&self) -> u16 {
        self.number
    }

    fn hold(number: u16) -> Option<Self> {
        let address = (Ipv4Addr::LOCALHOST, number);
        let held = UdpSocket::bind(address).ok()?;
        TcpListener::bind(address).ok()?;
        Some(Self {
            number,
            _held: held,
        })
    }
}

/// Below the ports that Linux (from 32,768) and other systems (from 49,152) give to outgoing connections: the load
/// itself opens thousands of them, also while a Worker that was killed is started again.
const RANGE: Range<u16> = 20_000..32_000;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::thread;

    use super::*;

    #[test]
    fn ports_that_are_chosen_at_the_same_moment_differ() {
        let choose = || -> Vec<Port> {
            let ports = (0..100).map(|_| Port::reserve().expect("a port"));
            ports.collect()
        };
        let ports: Vec<Port> = thread::scope(|scope| {
            let choosing: Vec<_> = (0..8).map(|_| scope.spawn(choose)).collect();
            let chosen = choosing
                .into_iter()
                .map(|thread| thread.join().expect("ports"));
            chosen.flatten().collect()
        });
        let numbers: BTreeSet<u16> = ports.iter().map(Port::number).collect();
        assert_eq!(numbers.len(), 800);
    }

    #[test]
    fn a_port_on_which_somebody_listens_is_not_chosen() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let number = listener.local_addr().expect("an address").port();
        assert!(Port::hold(number).is_none());
    }
}
