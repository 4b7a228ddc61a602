//! Where a request goes: what of its URL decides about the connection, and what of it is sent.

use std::net::{IpAddr, SocketAddr};

use hyper::header::HeaderValue;

/// A server, as URLs name it.
#[derive(Debug)]
pub(crate) struct Origin {
    /// Whether the connection is encrypted.
    pub(crate) is_https: bool,
    /// The host's name or address, without the brackets of an IPv6 address.
    pub(crate) host: String,
    /// The port.
    pub(crate) port: u16,
    /// The field `Host`.
    pub(crate) authority: HeaderValue,
}

impl Origin {
    /// The origin of `scheme://authority`, `None` if it is no URL of HTTP.
    pub(crate) fn parse(text: &str) -> Option<Self> {
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
        Some(Self {
            is_https,
            host: host.trim_matches(['[', ']']).to_owned(),
            port,
            authority: HeaderValue::from_str(authority).ok()?,
        })
    }

    /// The address, when the host is one.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        let ip: IpAddr = self.host.parse().ok()?;
        Some(SocketAddr::new(ip, self.port))
    }
}

/// Splits an absolute URL into `scheme://authority` and what is asked for there, the fragment left out.
pub(crate) fn split(url: &str) -> Option<(&str, &str)> {
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
        let read = |text| {
            let origin = Origin::parse(text).expect(text);
            (origin.is_https, origin.host, origin.port)
        };
        assert_eq!(read("http://a.com"), (false, "a.com".to_owned(), 80));
        assert_eq!(read("https://a.com"), (true, "a.com".to_owned(), 443));
        assert_eq!(read("http://[::1]"), (false, "::1".to_owned(), 80));
        assert_eq!(read("http://[::1]:81"), (false, "::1".to_owned(), 81));
        for text in ["ftp://a.com", "a.com", "http://a.com:x"] {
            assert!(Origin::parse(text).is_none(), "{text}");
        }
    }
}
