//! The options about connections. Names are k6's, then curl's.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use hyper::header::{HeaderName, HeaderValue};
use sentinel_engine::tick::Span;
use sentinel_engine::{batch, duration};

use super::client::{Client, Identity};
use super::connect::Connector;
use super::names::Names;
use super::pool::{Pool, Reuse};
use super::proxy::Proxies;
use super::tls::{self, Trust};
use crate::number::whole;

/// How users connect.
#[derive(Args, Debug)]
#[command(next_help_heading = "Connections")]
pub(crate) struct HttpArguments {
    /// Connect to this address instead of what the name resolves to, such as example.com:443:127.0.0.1:8443
    #[arg(long, value_name = "HOST:PORT:ADDRESS")]
    resolve: Vec<Resolve>,
    /// Go through this proxy, such as http://localhost:3128; by default through those of the environment
    /// (HTTP_PROXY, HTTPS_PROXY, NO_PROXY)
    #[arg(long, value_name = "URL")]
    proxy: Option<String>,
    /// A file with certificates that are trusted besides those of the system
    #[arg(long, value_name = "FILE")]
    cacert: Option<PathBuf>,
    /// Accept any certificate
    #[arg(long)]
    insecure_skip_tls_verify: bool,
    /// Do not offer HTTP/2 to servers
    #[arg(long = "http1.1", conflicts_with = "http2_prior_knowledge")]
    http1: bool,
    /// Speak HTTP/2 without asking the server, also where there is no TLS
    #[arg(long)]
    http2_prior_knowledge: bool,
    /// Make a new connection for each request
    #[arg(long)]
    no_connection_reuse: bool,
    /// Make new connections for each iteration of a user
    #[arg(long)]
    no_vu_connection_reuse: bool,
    /// How long looking up a name, connecting and the TLS handshake may take each
    #[arg(
        long,
        value_name = "TIME",
        default_value = "30s",
        allow_hyphen_values = true
    )]
    connect_timeout: String,
    /// How many requests may wait for their answers at once; those that are due meanwhile queue, and their response
    /// times count it, like wrk2's connections
    #[arg(long, value_name = "N", value_parser = whole(NonZeroU16::MIN..=NonZeroU16::MAX), allow_negative_numbers = true)]
    max_in_flight: Option<NonZeroU16>,
    /// What requests say that they come from, where the scenario does not say it
    #[arg(long, value_name = "TEXT", default_value = concat!("vista-loadtest/", env!("CARGO_PKG_VERSION")))]
    user_agent: String,
}

/// Where a name leads, against what its resolution says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Resolve {
    authority: String, // the name and port in URLs
    address: SocketAddr,
}

impl HttpArguments {
    /// How many requests may be under way at once.
    pub(crate) const fn max_in_flight(&self) -> Option<NonZeroU16> {
        self.max_in_flight
    }

    /// The client that was asked for, for the run of this identifier.
    ///
    /// # Errors
    /// What cannot be used of it, in words.
    pub(crate) fn client(&self, run: &str) -> Result<Client, String> {
        let trust = if self.insecure_skip_tls_verify {
            Trust::Anything
        } else {
            Trust::System(self.cacert.as_deref())
        };
        let tls = tls::config(trust, !self.http2_prior_knowledge, !self.http1)
            .map_err(|error| format!("--cacert: {error}"))?;
        let resolved = self.resolve.iter();
        let resolved: BTreeMap<_, _> = resolved
            .map(|resolve| (resolve.authority.clone(), resolve.address))
            .collect();
        let limit = duration::parse(&self.connect_timeout)
            .map_err(|error| format!("--connect-timeout: {error}"))?;
        if limit == Span::ZERO {
            return Err(format!(
                "--connect-timeout: {:?} leaves no time: accepted are times above zero",
                self.connect_timeout
            ));
        }
        let limit = Duration::from_micros(limit.as_us());
        let reuse = match (self.no_connection_reuse, self.no_vu_connection_reuse) {
            (true, _) => Reuse::Never,
            (false, true) => Reuse::WithinIteration,
            (false, false) => Reuse::Always,
        };
        let agent = HeaderValue::from_str(&self.user_agent).map_err(|_| {
            format!(
                "--user-agent: {:?} cannot be sent: accepted are visible ASCII characters",
                self.user_agent
            )
        })?;
        let run = HeaderValue::from_str(run).map_err(|error| error.to_string())?;
        Ok(Client::new(
            Connector::new(tls, Names::new(resolved), limit),
            Proxies::new(self.proxy.as_deref())?,
            Pool::new(reuse),
            self.http2_prior_knowledge,
            Identity {
                agent,
                fields: vec![(HeaderName::from_static(batch::RUN_FIELD), run)],
            },
        ))
    }
}

impl FromStr for Resolve {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let accepted = || {
            "accepted is HOST:PORT:ADDRESS, where ADDRESS is an IP address with a port".to_owned()
        };
        let mut colons = text.match_indices(':').map(|(at, _)| at);
        let second = colons.nth(1).ok_or_else(accepted)?;
        let (authority, address) = text.split_at(second);
        let (_, port) = authority.split_once(':').ok_or_else(accepted)?;
        port.parse::<u16>().map_err(|_| accepted())?;
        Ok(Self {
            authority: authority.to_ascii_lowercase(),
            address: address
                .trim_start_matches(':')
                .parse()
                .map_err(|_| accepted())?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_against_the_names_are_read_or_refused() {
        let resolve: Resolve = "Example.com:443:127.0.0.1:8443".parse().unwrap();
        assert_eq!(resolve.authority, "example.com:443");
        assert_eq!(resolve.address, "127.0.0.1:8443".parse().unwrap());
        let resolve: Resolve = "example.com:443:[::1]:8443".parse().unwrap();
        assert_eq!(resolve.address, "[::1]:8443".parse().unwrap());
        for text in ["a:1", "a:b:127.0.0.1:1", "a:1:b:1", "a:1:127.0.0.1"] {
            assert!(text.parse::<Resolve>().is_err(), "{text}");
        }
    }
}
