//! The cookies of a virtual user: what an HTTP client of RFC 6265 keeps and sends, without a clock.
//!
//! Invariant: a jar is bounded in number and size whatever a target sets, a cookie is sent to no host but
//! those it was set for, and what is kept can stand in a header field.
//!
//! Left out of the RFC: the list of public suffixes. A `Domain` without a dot in it is refused instead, and
//! the hosts that load may go to are few and chosen.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::extractor::is_token;
use crate::template::is_header_char;

/// Where a request goes, as far as cookies care: known before the request is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    host: String, // in lower case, without the port
    secure: bool,
    default_path: String,
}

/// The cookies of one virtual user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Jar {
    cookies: Vec<Cookie>, // as they are sent: longer paths first, then older ones
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Cookie {
    name: String,
    value: String,
    domain: String,
    host_only: bool,
    path: String,
    secure: bool,
    created_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_ms: Option<u64>,
}

impl Site {
    /// The site of all URLs that begin with `url_start`, which holds at least the host. Cookies that name no
    /// path are kept for the folder in which `url_start` ends.
    #[must_use]
    pub fn of(url_start: &str) -> Self {
        let (scheme, rest) = url_start.split_once("://").unwrap_or(("", url_start));
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
        let host = match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
            _ => authority,
        };
        let host = host.to_ascii_lowercase();
        // As browsers do: what does not leave the machine is as good as encrypted.
        let is_local = host == "localhost" || host == "[::1]" || host.starts_with("127.");
        let path = path.split(['?', '#']).next().unwrap_or_default();
        let folder = path
            .rfind('/')
            .and_then(|at| path.get(..at))
            .unwrap_or_default();
        Self {
            secure: is_local || scheme.eq_ignore_ascii_case("https"),
            default_path: if folder.is_empty() { "/" } else { folder }.to_owned(),
            host,
        }
    }
}

impl Jar {
    /// Whether there are no cookies.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.cookies.is_empty()
    }

    /// Forgets all cookies.
    pub fn clear(&mut self) {
        self.cookies.clear();
    }

    /// Appends the cookies that belong to a request to this URL of the site, as the value of `Cookie`. Those
    /// whose names already stand in `out` are left out.
    pub fn append_header(&self, site: &Site, url: &str, now_ms: u64, out: &mut String) {
        let path = path_of(url);
        let given = out.len();
        for cookie in &self.cookies {
            let is_given = |pair: &str| {
                pair.split('=')
                    .next()
                    .is_some_and(|n| n.trim() == cookie.name)
            };
            if cookie.is_expired(now_ms)
                || !cookie.belongs_to(site, path)
                || out
                    .get(..given)
                    .is_some_and(|own| !own.is_empty() && own.split(';').any(is_given))
            {
                continue;
            }
            if !out.is_empty() {
                out.push_str("; ");
            }
            out.push_str(&cookie.name);
            out.push('=');
            out.push_str(&cookie.value);
        }
    }

    /// Keeps what a `Set-Cookie` field of an answer of the site says, if a client may keep it.
    pub fn store(&mut self, site: &Site, field: &str, now_ms: u64) {
        let Some(mut cookie) = Cookie::parse(site, field, now_ms) else {
            return;
        };
        let same = |known: &Cookie| {
            known.name == cookie.name && known.domain == cookie.domain && known.path == cookie.path
        };
        let known = self.cookies.iter().position(same);
        if let Some(at) = known {
            if cookie.is_expired(now_ms) {
                self.cookies.remove(at);
            } else if let Some(known) = self.cookies.get_mut(at) {
                cookie.created_ms = known.created_ms;
                *known = cookie;
            }
            return;
        }
        if cookie.is_expired(now_ms) {
            return;
        }
        if self.cookies.len() >= COOKIES_MAX {
            self.cookies.retain(|cookie| !cookie.is_expired(now_ms));
        }
        if self.cookies.len() >= COOKIES_MAX {
            let ages = self.cookies.iter().enumerate();
            let oldest = ages
                .min_by_key(|(_, cookie)| cookie.created_ms)
                .map(|(at, _)| at);
            oldest.map(|at| self.cookies.remove(at));
        }
        let order = |cookie: &Cookie| (usize::MAX - cookie.path.len(), cookie.created_ms);
        let at = self
            .cookies
            .partition_point(|known| order(known) <= order(&cookie));
        self.cookies.insert(at.min(self.cookies.len()), cookie);
    }
}

impl Cookie {
    /// RFC 6265, sections 5.2 and 5.3.
    fn parse(site: &Site, field: &str, now_ms: u64) -> Option<Self> {
        if field.len() > FIELD_BYTES_MAX {
            return None;
        }
        let mut parts = field.split(';');
        let (name, value) = parts.next()?.split_once('=')?;
        let (name, value) = (name.trim(), value.trim());
        let can_be_sent = is_token(name) && value.chars().all(is_header_char);
        if !can_be_sent || name.len() + value.len() > COOKIE_BYTES_MAX {
            return None;
        }
        let mut cookie = Self {
            name: name.to_owned(),
            value: value.to_owned(),
            domain: site.host.clone(),
            host_only: true,
            path: site.default_path.clone(),
            secure: false,
            created_ms: now_ms,
            expires_ms: None,
        };
        let mut max_age = None;
        for part in parts {
            let (attribute, value) = part.split_once('=').unwrap_or((part, ""));
            let value = value.trim();
            match attribute.trim().to_ascii_lowercase().as_str() {
                "secure" => cookie.secure = true,
                "path" if value.starts_with('/') => cookie.path = value.to_owned(),
                "path" => cookie.path.clone_from(&site.default_path),
                "expires" => cookie.expires_ms = parse_date_ms(value).or(cookie.expires_ms),
                "max-age" => max_age = value.parse::<i64>().ok().or(max_age),
                "domain" if !value.is_empty() => {
                    let domain = value
                        .strip_prefix('.')
                        .unwrap_or(value)
                        .to_ascii_lowercase();
                    if !is_within(&site.host, &domain) {
                        return None;
                    }
                    cookie.host_only = domain == site.host && !domain.contains('.');
                    cookie.domain = domain;
                }
                _ => {}
            }
        }
        if let Some(seconds) = max_age {
            let ms = u64::try_from(seconds).unwrap_or(0).saturating_mul(1_000);
            cookie.expires_ms = Some(if seconds <= 0 {
                0
            } else {
                now_ms.saturating_add(ms)
            });
        }
        Some(cookie)
    }

    fn is_expired(&self, now_ms: u64) -> bool {
        self.expires_ms.is_some_and(|expires| expires <= now_ms)
    }

    fn belongs_to(&self, site: &Site, path: &str) -> bool {
        let host = if self.host_only {
            site.host == self.domain
        } else {
            is_within(&site.host, &self.domain)
        };
        let below = path.strip_prefix(self.path.as_str()).is_some_and(|rest| {
            rest.is_empty() || self.path.ends_with('/') || rest.starts_with('/')
        });
        host && below && (site.secure || !self.secure)
    }
}

/// Whether a host is a domain or lies within it. An address lies only within itself, and so does a name in
/// what may be a public suffix.
fn is_within(host: &str, domain: &str) -> bool {
    if host == domain {
        return true;
    }
    let is_address = host.starts_with('[') || host.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let below = host
        .strip_suffix(domain)
        .is_some_and(|rest| rest.ends_with('.'));
    below && domain.contains('.') && !is_address
}

/// The path of an absolute URL, without what follows it.
fn path_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = rest.find(['/', '?', '#']).and_then(|at| rest.get(at..));
    let path = path.unwrap_or_default().split(['?', '#']).next();
    path.filter(|path| !path.is_empty()).unwrap_or("/")
}

/// A date in any of the forms that clients understand (RFC 6265, section 5.1.1), as Unix time in milliseconds.
fn parse_date_ms(text: &str) -> Option<u64> {
    let (mut time, mut day, mut month, mut year) = (None, None, None, None);
    for token in text.split(|c: char| !(c.is_ascii_alphanumeric() || c == ':')) {
        if time.is_none()
            && let Some(found) = parse_time(token)
        {
            time = Some(found);
        } else if day.is_none()
            && token.len() <= 2
            && let Ok(found) = token.parse::<u32>()
        {
            day = Some(found);
        } else if month.is_none()
            && let Some(found) = parse_month(token)
        {
            month = Some(found);
        } else if year.is_none()
            && token.len() <= 4
            && let Ok(found) = token.parse::<i32>()
        {
            year = Some(match found {
                70..=99 => found + 1_900,
                0..=69 => found + 2_000,
                _ => found,
            });
        }
    }
    let (hour, minute, second) = time?;
    let date = NaiveDate::from_ymd_opt(year.filter(|year| *year >= 1_601)?, month?, day?)?;
    let time = date.and_hms_opt(hour, minute, second)?.and_utc();
    Some(u64::try_from(time.timestamp_millis()).unwrap_or(0)) // before 1970 is long ago
}

fn parse_time(token: &str) -> Option<(u32, u32, u32)> {
    let mut parts = token.split(':').map(|part| part.parse().ok());
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(Some(hour)), Some(Some(minute)), Some(Some(second)), None) => {
            Some((hour, minute, second))
        }
        _ => None,
    }
}

fn parse_month(token: &str) -> Option<u32> {
    let start = token.get(..3)?.to_ascii_lowercase();
    (1..)
        .zip(MONTHS)
        .find(|(_, name)| *name == start)
        .map(|(number, _)| number)
}

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];

/// A jar travels with its user from slice to slice.
const COOKIES_MAX: usize = 32;

/// What RFC 6265 asks of clients at least, section 6.1.
const COOKIE_BYTES_MAX: usize = 4 * 1024;

const FIELD_BYTES_MAX: usize = 8 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW_MS: u64 = 1_700_000_000_000;

    fn sent(jar: &Jar, url: &str, now_ms: u64) -> String {
        let mut out = String::new();
        jar.append_header(&Site::of(url), url, now_ms, &mut out);
        out
    }

    fn jar(url: &str, fields: &[&str]) -> Jar {
        let mut jar = Jar::default();
        for field in fields {
            jar.store(&Site::of(url), field, NOW_MS);
        }
        jar
    }

    #[test]
    fn cookies_go_back_to_where_they_came_from() {
        let jar = jar(
            "https://a.grove.place:8443/api/x",
            &[
                "s=1; HttpOnly",
                "all=2; Path=/",
                "d=3; Domain=.Grove.place; Path=/",
            ],
        );
        for (url, expected) in [
            ("https://a.grove.place/api/x", "s=1; all=2; d=3"),
            ("https://a.grove.place/api", "s=1; all=2; d=3"),
            ("https://a.grove.place/api?x", "s=1; all=2; d=3"),
            ("https://A.grove.place/apis", "all=2; d=3"),
            ("https://a.grove.place", "all=2; d=3"),
            ("http://b.grove.place/", "d=3"),
            ("https://grove.place/", "d=3"),
            ("https://b.a.grove.place/", "d=3"),
            ("https://xgrove.place/", ""),
        ] {
            assert_eq!(sent(&jar, url, NOW_MS), expected, "{url}");
        }
    }

    #[test]
    fn cookies_for_others_are_not_kept() {
        for field in [
            "a=1; Domain=other.place",
            "a=1; Domain=place",
            "a=1; Domain=x.a.grove.place",
            "a",
            "=1",
            "a=\u{7f}",
            "a=é",
        ] {
            assert!(
                jar("https://a.grove.place/", &[field]).is_empty(),
                "{field}"
            );
        }
        assert!(jar("http://127.0.0.1/", &["a=1; Domain=0.0.1"]).is_empty());
        assert_eq!(
            sent(
                &jar("http://127.0.0.1:1/", &["a=1; Domain=127.0.0.1"]),
                "http://127.0.0.1:2/",
                NOW_MS
            ),
            "a=1"
        );
    }

    #[test]
    fn secure_cookies_travel_encrypted_or_stay_on_the_machine() {
        let remote = jar("https://a.place/", &["a=1; Secure"]);
        assert_eq!(sent(&remote, "https://a.place/", NOW_MS), "a=1");
        assert_eq!(sent(&remote, "http://a.place/", NOW_MS), "");
        let local = jar("http://localhost:8787/", &["a=1; Secure"]);
        assert_eq!(sent(&local, "http://localhost:8787/", NOW_MS), "a=1");
    }

    #[test]
    fn cookies_are_replaced_expire_and_are_taken_back() {
        let url = "https://a.place/";
        let mut jar = jar(
            url,
            &[
                "a=1",
                "b=2; Max-Age=10",
                "c=3; Expires=Wed, 15 Nov 2023 00:00:00 GMT",
                "a=4",
            ],
        );
        assert_eq!(sent(&jar, url, NOW_MS), "a=4; b=2; c=3");
        assert_eq!(sent(&jar, url, NOW_MS + 10_000), "a=4; c=3");
        assert_eq!(sent(&jar, url, NOW_MS + 86_400_000), "a=4");
        jar.store(
            &Site::of(url),
            "a=; Max-Age=0; Expires=Wed, 01 Jan 2070 00:00:00 GMT",
            NOW_MS,
        );
        jar.store(
            &Site::of(url),
            "b=; Expires=Thu, 01-Jan-70 00:00:00 GMT",
            NOW_MS,
        );
        assert_eq!(sent(&jar, url, NOW_MS), "c=3");
    }

    #[test]
    fn what_a_step_sends_itself_comes_first_and_counts() {
        let jar = jar("https://a.place/", &["a=1", "b=2"]);
        let mut out = "x=9; a=own".to_owned();
        jar.append_header(
            &Site::of("https://a.place/"),
            "https://a.place/",
            NOW_MS,
            &mut out,
        );
        assert_eq!(out, "x=9; a=own; b=2");
    }

    #[test]
    fn a_jar_is_bounded_and_travels() {
        let mut jar = Jar::default();
        let site = Site::of("https://a.place/");
        for number in 0..1_000 {
            jar.store(&site, &format!("n{number}=x"), NOW_MS + number);
        }
        jar.store(&site, &format!("long={}", "x".repeat(5_000)), NOW_MS);
        assert_eq!(jar.cookies.len(), COOKIES_MAX);
        assert!(sent(&jar, "https://a.place/", NOW_MS).ends_with("n999=x"));
        let json = serde_json::to_string(&jar).unwrap();
        assert_eq!(serde_json::from_str::<Jar>(&json).unwrap(), jar);
    }

    #[test]
    fn dates_are_read_in_every_form() {
        for (text, expected) in [
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777_000)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(784_111_777_000)),
            ("Sun Nov  6 08:49:37 1994", Some(784_111_777_000)),
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("Fri, 01 Jan 1960 00:00:00 GMT", Some(0)),
            ("Sun, 31 Feb 1994 08:49:37 GMT", None),
            ("tomorrow", None),
            ("", None),
        ] {
            assert_eq!(parse_date_ms(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_field_is_too_strange(
            field in any::<String>(), near in "a=b(; ?(Domain|Path|Expires|Max-Age|Secure)=[a-z0-9./:é -]{0,12}){0,4}", url in any::<String>(),
        ) {
            let site = Site::of(&url);
            let mut jar = Jar::default();
            for field in [field, near] {
                jar.store(&site, &field, NOW_MS);
            }
            let text = sent(&jar, &url, NOW_MS);
            prop_assert!(text.chars().all(is_header_char));
        }
    }
}
