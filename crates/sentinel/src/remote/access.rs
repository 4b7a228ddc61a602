//! The address of a load tester and the token that opens it.
//!
//! Invariant: the token is in no text that this module makes, and an address that would carry it in the clear
//! over a network is refused.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use url::{Host, Url};

use crate::exit::Stopped;

/// Where the API begins, below the load tester's address.
const API: &str = "/api/loadtest";
/// The environment variable with the token.
const VARIABLE: &str = "VISTA_TOKEN";
/// No token is longer, so that a file named by mistake is not sent.
const TOKEN_BYTES_MAX: u64 = 4 << 10;

/// The address of an API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address(Url);

/// What opens an API.
#[derive(Clone)]
pub(crate) struct Token(String);

impl Address {
    /// Reads an address, with the API's path or without it.
    ///
    /// # Errors
    /// When it is none, or one that would carry the token in the clear or into a log.
    pub(crate) fn parse(text: &str) -> Result<Self, Stopped> {
        let refused = |why: &str| Stopped::invalid(format_args!("--url: {why}"));
        // What was written is not shown: it may hold a password.
        let mut url = Url::parse(text).map_err(|error| {
            refused(&format!(
                "{error}: accepted is an address such as https://loadtest.example.com"
            ))
        })?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refused(
                "a name and a password have no place in it; the token comes from VISTA_TOKEN or --token-file",
            ));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(refused("accepted is an address without ? and #"));
        }
        match url.scheme() {
            "https" => {}
            "http" if is_this_machine(&url) => {}
            "http" => {
                return Err(refused(&format!(
                    "{url} would carry the token in the clear: accepted is https, and http only for this machine's own addresses"
                )));
            }
            other => {
                return Err(refused(&format!("accepted is https, not {other}")));
            }
        }
        let path = url.path().trim_end_matches('/');
        let path = if path.ends_with(API) {
            path.to_owned()
        } else {
            format!("{path}{API}")
        };
        url.set_path(&path);
        Ok(Self(url))
    }

    /// The address of something below the API, such as `/runs`.
    pub(crate) fn of(&self, path: &str) -> Url {
        let mut url = self.0.clone();
        url.set_path(&format!("{}{path}", self.0.path()));
        url
    }

    /// Whether requests are encrypted.
    pub(crate) fn is_encrypted(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// Host and port, for messages.
    pub(crate) fn host(&self) -> &str {
        self.0.authority()
    }
}

impl Token {
    /// Reads the token from a file, or from the environment.
    ///
    /// # Errors
    /// When there is none, or what is there is none.
    pub(crate) fn read(file: Option<&Path>) -> Result<Self, Stopped> {
        if let Some(path) = file {
            let wrong = |why: &dyn fmt::Display| {
                Stopped::invalid(format_args!("--token-file: {}: {why}", path.display()))
            };
            let mut bytes = Vec::new();
            File::open(path)
                .and_then(|file| file.take(TOKEN_BYTES_MAX + 1).read_to_end(&mut bytes))
                .map_err(|error| wrong(&error))?;
            return Self::parse(&bytes).map_err(|why| wrong(&why));
        }
        let Some(value) = std::env::var_os(VARIABLE) else {
            return Err(Stopped::invalid(format_args!(
                "no token: put it into the environment variable {VARIABLE}, or into a file and name that with --token-file"
            )));
        };
        Self::parse(value.as_encoded_bytes())
            .map_err(|why| Stopped::invalid(format_args!("{VARIABLE}: {why}")))
    }

    /// The token, to be sent and nothing else.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    fn parse(bytes: &[u8]) -> Result<Self, &'static str> {
        if bytes.len() as u64 > TOKEN_BYTES_MAX {
            return Err("more than a token can be");
        }
        let text = bytes.trim_ascii();
        if text.is_empty() {
            return Err("there is nothing in it");
        }
        let visible = str::from_utf8(text).ok();
        let visible = visible.filter(|text| text.bytes().all(|byte| byte.is_ascii_graphic()));
        visible
            .map(|text| Self(text.to_owned()))
            .ok_or("accepted is one line of visible ASCII without spaces")
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Whether a request to this address leaves the machine.
fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        // RFC 6761, 6.3: these names are this machine.
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_leads_to_the_api_however_it_is_written() {
        for text in [
            "https://vista.example",
            "https://vista.example/",
            "https://vista.example/api/loadtest",
            "https://vista.example/api/loadtest/",
        ] {
            let address = Address::parse(text).expect(text);
            assert_eq!(
                address.of("/runs").as_str(),
                "https://vista.example/api/loadtest/runs"
            );
        }
        let below = Address::parse("https://example.com/vista").expect("an address");
        assert_eq!(
            below.of("/health").as_str(),
            "https://example.com/vista/api/loadtest/health"
        );
    }

    #[test]
    fn a_token_does_not_travel_in_the_clear() {
        for text in [
            "http://127.0.0.1:8787",
            "http://127.9.9.9",
            "http://[::1]:8787",
            "http://localhost:8787",
            "http://vista.localhost",
        ] {
            assert!(Address::parse(text).is_ok(), "{text}");
        }
        for text in [
            "http://vista.example",
            "http://10.0.0.1",
            "http://0.0.0.0",
            "http://[::]",
            "http://localhost.example.com",
            "http://127.0.0.1.example.com",
            "http://[::ffff:8.8.8.8]",
            "ftp://localhost",
            "vista.example",
            "https://",
            "",
            "https://vista.example?x=1",
            "https://vista.example#x",
        ] {
            assert!(Address::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_password_in_an_address_is_not_repeated() {
        let error = Address::parse("https://me:hunter2@vista.example").expect_err("refused");
        assert!(!error.message.contains("hunter2"), "{}", error.message);
        let error = Address::parse("http://me:hunter2@vista.example").expect_err("refused");
        assert!(!error.message.contains("hunter2"), "{}", error.message);
    }

    #[test]
    fn a_token_is_one_line_and_never_shown() {
        let token = Token::parse(b" s3cret-t0ken\r\n").expect("a token");
        assert_eq!(token.expose(), "s3cret-t0ken");
        assert!(!format!("{token:?}").contains("s3cret"));
        for bytes in [
            &b""[..],
            b" \n",
            b"two words",
            b"two\nlines",
            b"\xff\xfe",
            b"na\xc3\xafve",
        ] {
            let why = Token::parse(bytes).expect_err("refused");
            assert!(!why.contains("words"), "{why}");
        }
        assert!(Token::parse(&[b'x'; 4 << 10]).is_ok());
        assert!(Token::parse(&[b'x'; (4 << 10) + 1]).is_err());
    }
}
