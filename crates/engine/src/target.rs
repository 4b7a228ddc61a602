//! The policy that decides where load may go.
//!
//! Invariant: a URL passes only if its host is on the list of allowed hosts, is not the generator itself and,
//! outside local development, is not inside anybody's private network. What a redirect leads to is held against
//! it before it is followed; no driver follows any by itself.

use std::net::{Ipv4Addr, Ipv6Addr};

use url::{Host, ParseError, Url};

/// Where load may go.
#[derive(Clone, Debug)]
pub struct TargetPolicy {
    allowed: Vec<HostRule>,
    own: Vec<HostRule>,
    allow_private: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct HostRule {
    host: String, // as `Url` writes it, without a dot at the end
    port: Option<u16>,
}

impl TargetPolicy {
    /// A policy from lists of hosts (`name` or `name:port`). An allowed host without a port stands for the
    /// default port of its scheme; a host of our own without a port stands for all its ports.
    ///
    /// # Errors
    /// All entries that are no hosts.
    pub fn new(
        allowed: &[String],
        own: &[String],
        allow_private: bool,
    ) -> Result<Self, Vec<HostRuleError>> {
        let mut errors = Vec::new();
        let mut rules = |entries: &[String]| {
            let mut rules = Vec::new();
            for entry in entries {
                match HostRule::parse(entry) {
                    Some(rule) => rules.push(rule),
                    None => errors.push(HostRuleError {
                        entry: entry.chars().take(80).collect(),
                    }),
                }
            }
            rules
        };
        let (allowed, own) = (rules(allowed), rules(own));
        if errors.is_empty() {
            Ok(Self {
                allowed,
                own,
                allow_private,
            })
        } else {
            Err(errors)
        }
    }

    /// Whether load may go to this URL.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, url: &Url) -> Result<(), TargetError> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(TargetError::Scheme {
                scheme: url.scheme().to_owned(),
            });
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(TargetError::Userinfo);
        }
        let host = url.host().ok_or(TargetError::NoHost)?;
        let name = normal(url.host_str().unwrap_or_default()).to_owned();
        if is_metadata_service(&host, &name) || (!self.allow_private && is_private(&host, &name)) {
            return Err(TargetError::Private { host: name });
        }
        let is_own = |rule: &HostRule| {
            rule.host == name && (rule.port.is_none() || rule.port == url.port_or_known_default())
        };
        if self.own.iter().any(is_own) {
            return Err(TargetError::Own { host: name });
        }
        let is_allowed = |rule: &HostRule| {
            rule.host == name
                && match rule.port {
                    None => url.port().is_none(),
                    port => port == url.port_or_known_default(),
                }
        };
        if self.allowed.iter().any(is_allowed) {
            return Ok(());
        }
        let host = url
            .port()
            .map_or_else(|| name.clone(), |port| format!("{name}:{port}"));
        Err(TargetError::NotAllowed { host })
    }
}

/// Reads a URL whose host is plain ASCII. Names beyond it are accepted as DNS knows them (`xn--…`): the tables that
/// bring them into that form would be a tenth of a Worker.
///
/// # Errors
/// The text is not a URL, or its host is not ASCII.
pub fn parse_url(text: &str) -> Result<Url, ParseError> {
    let (_, rest) = text.split_once(':').unwrap_or(("", text));
    let rest = rest.trim_start_matches(['/', '\\', '\t', '\n', '\r']);
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or(rest);
    let plain = authority.is_ascii() && !authority.contains('%');
    if plain {
        Url::parse(text)
    } else {
        Err(ParseError::IdnaError)
    }
}

/// The entries of a list such as `grove.place, staging.grove.place:8443`, separated by commas or white space.
#[must_use]
pub fn host_list(text: &str) -> Vec<String> {
    text.split(|c: char| c == ',' || c.is_whitespace())
        .filter(|entry| !entry.is_empty())
        .map(str::to_owned)
        .collect()
}

/// A URL as a step gives it, taken apart before anything is filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepUrl<'a> {
    /// A path with an optional query, on the base URL.
    OnBase(&'a str),
    /// A scheme with its host, all literal, and a path with an optional query.
    Absolute {
        /// Such as `https://grove.place:8443`.
        origin: &'a str,
        /// Empty, or beginning with `/` or `?`.
        rest: &'a str,
    },
}

impl<'a> StepUrl<'a> {
    /// Takes a URL apart, without believing in any of the spellings by which clients disagree about the host.
    ///
    /// # Errors
    /// The host could be another one than it seems, or depends on what is filled in.
    pub fn parse(text: &'a str) -> Result<Self, TargetError> {
        if text.contains('\\') || text.chars().any(char::is_control) || text.trim() != text {
            return Err(TargetError::Characters);
        }
        if text.starts_with("//") {
            return Err(TargetError::Relative);
        }
        if text.starts_with('/') {
            return Ok(Self::OnBase(text));
        }
        let after_scheme = ["http://", "https://"].iter().find_map(|scheme| {
            let (start, rest) = text.split_at_checked(scheme.len())?;
            start.eq_ignore_ascii_case(scheme).then_some(rest)
        });
        let Some(after_scheme) = after_scheme else {
            return Err(TargetError::Relative);
        };
        let authority_end = after_scheme.find(['/', '?', '#']);
        let rest_bytes = authority_end.map_or(0, |end| after_scheme.len() - end);
        let (origin, rest) = text
            .split_at_checked(text.len() - rest_bytes)
            .ok_or(TargetError::NoHost)?;
        if origin.ends_with('/') {
            return Err(TargetError::NoHost);
        }
        if origin.contains('{') {
            return Err(TargetError::TemplateInHost);
        }
        if origin.contains('@') {
            return Err(TargetError::Userinfo);
        }
        Ok(Self::Absolute { origin, rest })
    }
}

/// An entry of a list of hosts that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{entry:?} is not a host: accepted are names (in ASCII, otherwise as \"xn--…\") and addresses with an optional port, such as \"grove.place\", \"127.0.0.1:8787\" or \"[::1]:8787\""
)]
pub struct HostRuleError {
    entry: String,
}

/// Why load may not go to a URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Use http or https.
    #[error("the scheme {scheme:?} is not allowed: accepted are http and https")]
    Scheme {
        /// The scheme.
        scheme: String,
    },
    /// Put credentials into a header field.
    #[error("user name and password are not accepted in a URL")]
    Userinfo,
    /// Name a host.
    #[error("the URL has no host")]
    NoHost,
    /// Test something that is meant to be reached from outside.
    #[error("host {host:?} is private, local or reserved: accepted only in local development")]
    Private {
        /// The host.
        host: String,
    },
    /// Test something else.
    #[error("host {host:?} is the load generator itself")]
    Own {
        /// The host.
        host: String,
    },
    /// Have the host added to the allowed ones.
    #[error("host {host:?} is not among the allowed hosts")]
    NotAllowed {
        /// The host, with its port if it is not the default one.
        host: String,
    },
    /// Write the URL plainly.
    #[error(
        "backslashes, control characters and white space at the ends are not accepted in a URL"
    )]
    Characters,
    /// Begin with one slash or with the scheme.
    #[error(
        "accepted are a path that begins with one \"/\", on the base URL, and URLs that begin with http:// or https://"
    )]
    Relative,
    /// Fill in only the path and the query.
    #[error(
        "the host must be literal: places to fill in are accepted only in the path and the query"
    )]
    TemplateInHost,
}

impl HostRule {
    fn parse(entry: &str) -> Option<Self> {
        let plain = |c: char| c.is_ascii_graphic() && !"/\\@?#%*{}".contains(c);
        if entry.is_empty() || !entry.chars().all(plain) {
            return None;
        }
        // A port that is the default of one scheme is only seen with the other.
        let [http, https] = ["http", "https"].map(|s| Url::parse(&format!("{s}://{entry}/")).ok());
        let (http, https) = (http?, https?);
        Some(Self {
            host: normal(https.host_str()?).to_owned(),
            port: http.port().or(https.port()),
        })
    }
}

/// `Url` has brought the name to lower case and the numbers to one form; a dot at the end means the same host.
fn normal(host: &str) -> &str {
    host.strip_suffix('.').unwrap_or(host)
}

/// Addresses at which clouds hand out credentials: never a target, not even in local development.
fn is_metadata_service(host: &Host<&str>, name: &str) -> bool {
    const AWS_V6: Ipv6Addr = Ipv6Addr::new(0xFD00, 0x0EC2, 0, 0, 0, 0, 0, 0x0254);
    match host {
        Host::Domain(_) => name == "metadata.google.internal" || name == "metadata",
        Host::Ipv4(ip) => ip.octets() == [169, 254, 169, 254],
        Host::Ipv6(ip) => {
            *ip == AWS_V6 || embedded_v4(*ip).is_some_and(|v4| v4.octets() == [169, 254, 169, 254])
        }
    }
}

fn is_private(host: &Host<&str>, name: &str) -> bool {
    match host {
        Host::Domain(_) => is_private_name(name),
        Host::Ipv4(ip) => is_private_v4(*ip),
        Host::Ipv6(ip) => is_private_v6(*ip),
    }
}

/// Names that are resolved inside a network: those without a dot, and under domains kept for that purpose.
fn is_private_name(name: &str) -> bool {
    const DOMAINS: [&str; 9] = [
        "localhost",
        "local",
        "internal",
        "localdomain",
        "lan",
        "home",
        "corp",
        "intranet",
        "home.arpa",
    ];
    !name.contains('.')
        || DOMAINS.iter().any(|domain| {
            name.strip_suffix(domain)
                .is_some_and(|before| before.ends_with('.'))
        })
}

/// What is not reachable from the whole internet (IANA's registry of special-purpose addresses).
fn is_private_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    matches!(
        (a, b, c),
        (0 | 10 | 127 | 224.., ..)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 0, 0 | 2)
            | (192, 168, _)
            | (198, 18 | 19, _)
            | (198, 51, 100)
            | (203, 0, 113)
    )
}

fn is_private_v6(ip: Ipv6Addr) -> bool {
    if let Some(v4) = embedded_v4(ip) {
        return is_private_v4(v4);
    }
    let [a, b, c, ..] = ip.segments();
    // Only 2000::/3 is given out at all; of it, Teredo, benchmarking and documentation are not for targets.
    (a & 0xE000) != 0x2000
        || (a, b) == (0x2001, 0)
        || (a, b, c) == (0x2001, 2, 0)
        || (a, b) == (0x2001, 0x0DB8)
        || (a & 0xFFF0) == 0x3FF0
}

/// The IPv4 address that an IPv6 address leads to: mapped, compatible, NAT64 and 6to4.
fn embedded_v4(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let from = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    match ip.segments() {
        [0, 0, 0, 0, 0, 0 | 0xFFFF, high, low] if high != 0 => Some(from(high, low)),
        [0, 0, 0, 0, 0, 0xFFFF, high, low] | [0x64, 0xFF9B, 0, 0, 0, 0, high, low] => {
            Some(from(high, low))
        }
        [0x2002, high, low, ..] => Some(from(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn strings(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|&text| text.to_owned()).collect()
    }

    fn check(allowed: &[&str], own: &[&str], private: bool, url: &str) -> Result<(), TargetError> {
        let policy = TargetPolicy::new(&strings(allowed), &strings(own), private).expect("hosts");
        policy.check(&Url::parse(url).expect("URL"))
    }

    #[test]
    fn only_listed_hosts_and_ports_are_allowed() {
        let allowed = [
            "grove.place",
            "Staging.Grove.Place:8443",
            "api.example.com:443",
            "xn--bcher-kva.example",
            "8.8.8.8",
        ];
        for url in [
            "https://grove.place/a",
            "http://GROVE.place./a",
            "https://grove.place:443/",
            "https://staging.grove.place:8443/",
            "https://api.example.com/",
            "http://api.example.com:443/",
            "https://xn--bcher-kva.example/",
            "https://0x8.0x8.8.8/",
        ] {
            assert_eq!(check(&allowed, &[], false, url), Ok(()), "{url}");
        }
        for url in [
            "https://grove.place:8443/",
            "https://staging.grove.place/",
            "https://evil.grove.place/",
            "https://grove.place.evil.com/",
            "http://api.example.com/",
            "https://evil.com/?grove.place",
            "https://1.1.1.1/",
        ] {
            let result = check(&allowed, &[], false, url);
            assert!(
                matches!(result, Err(TargetError::NotAllowed { .. })),
                "{url} {result:?}"
            );
        }
    }

    #[test]
    fn private_places_are_refused_even_when_listed() {
        let private = [
            "localhost",
            "LOCALHOST.",
            "a.localhost",
            "printer.local",
            "db.internal",
            "nas",
            "router.lan",
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f.1",
            "0177.0.0.1",
            "0",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.0.1",
            "100.64.0.1",
            "169.254.1.1",
            "224.0.0.1",
            "255.255.255.255",
            "198.18.0.1",
            "[::1]",
            "[::]",
            "[::ffff:127.0.0.1]",
            "[::ffff:0:1]",
            "[::ffff:10.0.0.1]",
            "[::7f00:1]",
            "[64:ff9b::10.0.0.1]",
            "[2002:7f00:1::]",
            "[fc00::1]",
            "[fd12::1]",
            "[fe80::1]",
            "[fec0::1]",
            "[ff02::1]",
            "[2001:db8::1]",
            "[2001::1]",
        ];
        for host in private {
            let url = format!("http://{host}/");
            let result = check(&[host], &[], false, &url);
            assert!(
                matches!(result, Err(TargetError::Private { .. })),
                "{url} {result:?}"
            );
            assert_eq!(
                check(&[host], &[], true, &url),
                Ok(()),
                "{url} in local development"
            );
            let result = check(&["grove.place"], &[], true, &url);
            assert!(
                matches!(result, Err(TargetError::NotAllowed { .. })),
                "{url} unlisted"
            );
        }
        for host in [
            "172.32.0.1",
            "[2606:4700::1111]",
            "[::ffff:8.8.8.8]",
            "[2002:808:808::]",
            "localhost.com",
        ] {
            assert_eq!(
                check(&[host], &[], false, &format!("http://{host}/")),
                Ok(()),
                "{host}"
            );
        }
    }

    #[test]
    fn credential_services_are_refused_always() {
        for host in [
            "169.254.169.254",
            "2852039166",
            "0xa9fea9fe",
            "[::ffff:169.254.169.254]",
            "[fd00:ec2::254]",
            "metadata.google.internal",
            "metadata.google.internal.",
        ] {
            let result = check(&[host], &[], true, &format!("http://{host}/"));
            assert!(
                matches!(result, Err(TargetError::Private { .. })),
                "{host} {result:?}"
            );
        }
    }

    #[test]
    fn the_generator_does_not_test_itself() {
        let own = |own: &str, url: &str| {
            check(&["a.com", "a.com:8443", "127.0.0.1:1"], &[own], true, url)
        };
        assert!(matches!(
            own("a.com", "https://a.com:8443/"),
            Err(TargetError::Own { .. })
        ));
        assert!(matches!(
            own("A.com.", "https://a.com/"),
            Err(TargetError::Own { .. })
        ));
        assert!(matches!(
            own("127.0.0.1:1", "http://127.1:1/"),
            Err(TargetError::Own { .. })
        ));
        assert_eq!(own("127.0.0.1:2", "http://127.0.0.1:1/"), Ok(()));
    }

    #[test]
    fn schemes_and_credentials_in_urls_are_refused() {
        for (url, scheme) in [("ftp://a.com/", "ftp"), ("data:text/plain,x", "data")] {
            let scheme = scheme.to_owned();
            assert_eq!(
                check(&["a.com"], &[], false, url),
                Err(TargetError::Scheme { scheme })
            );
        }
        assert_eq!(
            check(&["a.com"], &[], false, "https://u:p@a.com/"),
            Err(TargetError::Userinfo)
        );
    }

    #[test]
    fn step_urls_are_plain_about_their_host() {
        assert_eq!(
            StepUrl::parse("/a/{{b}}?c"),
            Ok(StepUrl::OnBase("/a/{{b}}?c"))
        );
        for (text, origin, rest) in [
            ("https://a.com", "https://a.com", ""),
            ("HTTPS://a.com:8/x", "HTTPS://a.com:8", "/x"),
            ("http://a.com?q={{b}}", "http://a.com", "?q={{b}}"),
        ] {
            assert_eq!(StepUrl::parse(text), Ok(StepUrl::Absolute { origin, rest }));
        }
        for text in [
            "",
            "//evil.com",
            "/\\evil.com",
            "\\\\evil.com",
            "/\t/evil.com",
            " /a",
            "/a\n",
            "a/b",
            "{{x}}",
            "?a",
            "https:/a.com",
            "https:a.com",
            "https:///a.com",
            "https://",
            "https://?x",
            "javascript:x",
            "file:///x",
            "https://{{x}}.a.com/",
            "https://a.com{{x}}/",
            "https://a.com:{{x}}",
            "https://u@a.com/",
            "ws://a.com",
        ] {
            assert!(StepUrl::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn hosts_beyond_ascii_are_refused_however_they_are_spelled() {
        for url in [
            "https://bücher.example/",
            "https:bücher.example/",
            "https:\\\\b\u{fc}cher.example/",
            "https://b%C3%BCcher.example/",
            "https://user@１２７.0.0.1/",
            "http://A\u{fffc}",
        ] {
            assert_eq!(parse_url(url), Err(ParseError::IdnaError), "{url}");
        }
        for url in [
            "https://xn--bcher-kva.example/ü?ü#ü",
            "http://[::1]:8787/100%25",
        ] {
            assert_eq!(parse_url(url), Url::parse(url), "{url}");
        }
    }

    #[test]
    fn entries_that_are_no_hosts_are_named() {
        let bad = strings(&[
            "",
            "https://a.com",
            "a.com/x",
            "*.a.com",
            "a b",
            "u@a.com",
            "a.com:99999",
            "bücher.example",
        ]);
        let errors = TargetPolicy::new(&bad, &[], false).expect_err("no hosts");
        assert_eq!(errors.len(), bad.len(), "{errors:?}");
        assert_eq!(
            host_list(" a.com, b.com:1\n c,,"),
            ["a.com", "b.com:1", "c"]
        );
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(text in any::<String>()) {
            let _ = StepUrl::parse(&text);
            let _ = TargetPolicy::new(std::slice::from_ref(&text), &[], false);
            let _ = parse_url(&text);
        }

        #[test]
        fn what_passes_goes_where_it_seems_to(text in "(https?:)?[/\\\\@:#?{}a.com%\\t]{0,24}") {
            if let Ok(StepUrl::Absolute { origin, .. }) = StepUrl::parse(&text)
                && let Ok(url) = Url::parse(&text)
                && let Ok(plain) = Url::parse(origin)
            {
                prop_assert_eq!(url.origin(), plain.origin());
            }
        }
    }
}
