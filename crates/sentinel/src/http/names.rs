//! From names to addresses.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use sentinel_engine::error_class::ErrorClass;
use tokio::net::lookup_host;
use tokio::sync::Mutex;

/// How long an answer is believed, as in k6 (`dns.ttl`).
const BELIEVED: Duration = Duration::from_secs(300);

/// What is known about the addresses of one host. The lock makes those who ask at the same time wait for one
/// answer: thousands of users that begin at once would otherwise ask thousands of times.
#[derive(Debug, Default)]
pub(super) struct Known(Mutex<Option<(Instant, Rc<[SocketAddr]>)>>);

/// Where names lead.
#[derive(Debug)]
pub(super) struct Names {
    given: BTreeMap<String, SocketAddr>, // by host:port, against what the name says
}

impl Names {
    /// Names that lead where the system says, except for these, `host:port` in lower case.
    pub(super) const fn new(given: BTreeMap<String, SocketAddr>) -> Self {
        Self { given }
    }

    /// The addresses of a host, at least one.
    ///
    /// # Errors
    /// When the name is not known.
    pub(super) async fn addresses(
        &self,
        host: &str,
        port: u16,
        known: &Known,
    ) -> Result<Rc<[SocketAddr]>, ErrorClass> {
        if !self.given.is_empty() {
            let asked = format!("{}:{port}", host.to_ascii_lowercase());
            if let Some(address) = self.given.get(&asked) {
                return Ok(Rc::new([*address]));
            }
        }
        if let Ok(ip) = host.parse() {
            return Ok(Rc::new([SocketAddr::new(ip, port)]));
        }
        let mut known = known.0.lock().await;
        if let Some((since, addresses)) = &*known
            && since.elapsed() < BELIEVED
        {
            return Ok(Rc::clone(addresses));
        }
        let found = lookup_host((host, port)).await;
        let addresses: Rc<[SocketAddr]> = found.map_err(|_| ErrorClass::Dns)?.collect();
        if addresses.is_empty() {
            return Err(ErrorClass::Dns);
        }
        *known = Some((Instant::now(), Rc::clone(&addresses)));
        Ok(addresses)
    }
}
