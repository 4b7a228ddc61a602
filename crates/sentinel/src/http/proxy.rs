//! Proxies between this machine and the target.

use std::net::IpAddr;

use hyper::Uri;
use hyper::header::HeaderValue;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};

use super::names::Known;

/// Which requests go through which proxy.
pub(super) struct Proxies {
    matcher: Matcher,
    spare_loopback: bool,
}

/// A proxy.
#[derive(Debug)]
pub(super) struct Proxy {
    /// Its name or address.
    pub(super) host: String,
    /// Its port.
    pub(super) port: u16,
    /// The field `Proxy-Authorization`.
    pub(super) authorization: Option<HeaderValue>,
    /// What is known about its addresses.
    pub(super) known: Known,
}

impl Proxies {
    /// The proxy that was asked for, or those of the environment (`HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY`,
    /// `NO_PROXY`). As in k6, those of the environment are not for this machine's own addresses.
    ///
    /// # Errors
    /// When a proxy is none of HTTP, in words.
    pub(super) fn new(asked: Option<&str>) -> Result<Self, String> {
        let matcher = match asked {
            None => Matcher::from_env(),
            Some(url) => Matcher::builder().all(url).build(),
        };
        let proxies = Self {
            matcher,
            spare_loopback: asked.is_none(),
        };
        for probe in ["http://a.invalid/", "https://a.invalid/"] {
            let found = proxies.matcher.intercept(&Uri::from_static(probe));
            match (found.as_ref().map(|found| found.uri()), asked) {
                (Some(uri), _) if uri.scheme_str() != Some("http") => {
                    return Err(format!(
                        "{} is not a proxy that can be used: accepted are http://HOST:PORT",
                        asked.map_or_else(|| without_password(uri), |_| "--proxy".to_owned())
                    ));
                }
                (None, Some(_)) => {
                    return Err("--proxy: accepted is http://HOST:PORT".to_owned());
                }
                _ => {}
            }
        }
        Ok(proxies)
    }

    /// The proxy for an origin, `scheme://authority`, with its host.
    pub(super) fn for_origin(&self, origin: &str, host: &str) -> Option<Proxy> {
        if self.spare_loopback && is_loopback(host) {
            return None;
        }
        let uri = Uri::try_from(format!("{origin}/")).ok()?;
        let found = self.matcher.intercept(&uri)?;
        Proxy::of(&found)
    }
}

impl Proxy {
    fn of(found: &Intercept) -> Option<Self> {
        let uri = found.uri();
        Some(Self {
            host: uri.host()?.trim_matches(['[', ']']).to_owned(),
            port: uri.port_u16().unwrap_or(80),
            authorization: found.basic_auth().cloned(),
            known: Known::default(),
        })
    }
}

fn is_loopback(host: &str) -> bool {
    let is_address = |ip: IpAddr| ip.is_loopback();
    host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(is_address)
}

fn without_password(uri: &Uri) -> String {
    format!(
        "{}://{}",
        uri.scheme_str().unwrap_or_default(),
        uri.host().unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_that_was_asked_for_is_for_everything() {
        let proxies = Proxies::new(Some("http://ann:secret@[::1]:3128")).expect("a proxy");
        for (origin, host) in [
            ("http://a.com", "a.com"),
            ("https://127.0.0.1:8443", "127.0.0.1"),
        ] {
            let proxy = proxies.for_origin(origin, host).expect(origin);
            assert_eq!((proxy.host.as_str(), proxy.port), ("::1", 3128));
            assert_eq!(
                proxy.authorization.expect("credentials"),
                "Basic YW5uOnNlY3JldA=="
            );
        }
    }

    #[test]
    fn what_is_no_proxy_of_http_is_refused_without_its_password() {
        for url in ["socks5://ann:secret@a.com", "https://ann:secret@a.com", ""] {
            let error = Proxies::new(Some(url)).err().expect(url);
            assert!(error.contains("http://HOST:PORT"), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
