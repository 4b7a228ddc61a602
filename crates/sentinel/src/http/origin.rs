//! Where a request goes: what of its URL decides about the connection, and what of it is sent.

use hyper::header::HeaderValue;

use super::names::Known;
use super::proxy::{Proxies, Proxy};

/// A server, as URLs name it.
#[derive(Debug)]
pub(super) struct Origin {
    /// Whether the connection is encrypted.
    pub(super) is_https: bool,
    /// The host's name or address, without the brackets of an IPv6 address.
    pub(super) host: String,
    /// The port.
    pub(super) port: u16,
    /// The field `Host`.
    pub(super) authority: HeaderValue,
    /// Scheme and authority, as URLs begin.
    pub(super) text: String,
    /// What is known about its addresses.
    pub(super) known: Known,
    /// The proxy between.
    pub(super) proxy: Option<Proxy>,
}

impl Origin {
    /// The origin of `scheme://authority`, `None` if it is no URL of HTTP.
    pub(super) fn parse(text: &str, proxies: &Proxies) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        let is_https = match scheme {
            "http" => false,
            "https" => true,
            _ => return None,
        };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
            _ => (authority, if is_https { 443 } else { 80 }),
        };
        let host = host.trim_matches(['[', ']']).to_owned();
        Some(Self {
            is_https,
            port,
            authority: HeaderValue::from_str(authority).ok()?,
            text: text.to_owned(),
            known: Known::default(),
            proxy: proxies.for_origin(text, &host),
            host,
        })
    }
}

/// Splits an absolute URL into `scheme://authority` and what is asked for there, the fragment left out.
pub(super) fn split(url: &str) -> Option<(&str, &str)> {
    let url = url.split('#').next().unwrap_or(url);
    let authority_at = url.find("://")? + 3;
    let path_at = url
        .get(authority_at..)?
        .find(['/', '?'])
        .map_or(url.len(), |at| authority_at + at);
    url.split_at_checked(path_at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_split_where_the_request_begins() {
        for (url, expected) in [
            ("http://a.com", ("http://a.com", "")),
            ("http://a.com/", ("http://a.com", "/")),
            (
                "http://a.com:80/b?c=://d#e",
                ("http://a.com:80", "/b?c=://d"),
            ),
            ("https://[::1]:8443?x", ("https://[::1]:8443", "?x")),
        ] {
            assert_eq!(split(url), Some(expected));
        }
        assert_eq!(split("/a"), None);
    }

    #[test]
    fn origins_are_read_with_their_default_ports() {
        let proxies = Proxies::new(Some("http://localhost:3128")).expect("a proxy");
        let read = |text| {
            let origin = Origin::parse(text, &proxies).expect(text);
            (origin.is_https, origin.host, origin.port)
        };
        assert_eq!(read("http://a.com"), (false, "a.com".to_owned(), 80));
        assert_eq!(read("https://a.com"), (true, "a.com".to_owned(), 443));
        assert_eq!(read("http://[::1]"), (false, "::1".to_owned(), 80));
        assert_eq!(read("http://[::1]:81"), (false, "::1".to_owned(), 81));
        for text in ["ftp://a.com", "a.com", "http://a.com:x"] {
            assert!(Origin::parse(text, &proxies).is_none(), "{text}");
        }
    }
}
