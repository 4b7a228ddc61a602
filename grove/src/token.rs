//! Heartwood's tokens: authorization codes, access tokens and refresh tokens.
//!
//! A token is `kind.user.random.mac`. The user says which session object has to be asked; the
//! MAC keeps invented tokens from waking objects; the random part is what the object compares,
//! by its digest. The object never sees a secret, and the platform never stores one.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::input::UserId;

/// 9 bytes name the grant, 24 bytes prove it.
pub(crate) const RANDOM_BYTES: usize = 33;
const NAME_BYTES: usize = 9;
/// 128 bits of HMAC-SHA256.
const MAC_BYTES: usize = 16;
/// Longer than any token that this module makes.
const TOKEN_CHARS_MAX: usize = 160;

/// What a token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// Exchanged once for a session.
    Code,
    /// Proves a session.
    Access,
    /// Renews a session, once.
    Refresh,
}

impl TokenKind {
    fn letter(self) -> &'static str {
        match self {
            Self::Code => "gc",
            Self::Access => "ga",
            Self::Refresh => "gr",
        }
    }
}

/// The parts of a token that the session object is asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claim {
    /// Whose token it is.
    pub(crate) user: UserId,
    /// Names the grant; not secret.
    pub(crate) grant: String,
    /// SHA-256 of the secret part, in base64.
    pub(crate) digest: String,
}

/// Makes and reads tokens with the platform's key.
pub(crate) struct TokenKey {
    mac: Hmac<Sha256>,
}

impl TokenKey {
    /// `None` when the key is too short to be one (16 characters are the least).
    pub(crate) fn new(key: &str) -> Option<Self> {
        if key.len() < 16 {
            return None;
        }
        let mac = Hmac::new_from_slice(key.as_bytes()).ok()?;
        Some(Self { mac })
    }

    /// Makes a token out of fresh random bytes. Tokens that share their first 9 bytes name the
    /// same grant.
    pub(crate) fn issue(
        &self,
        kind: TokenKind,
        user: &UserId,
        random: &[u8; RANDOM_BYTES],
    ) -> (String, Claim) {
        let body = format!(
            "{}.{}.{}",
            kind.letter(),
            user.as_str(),
            URL_SAFE_NO_PAD.encode(random)
        );
        let token = format!("{body}.{}", URL_SAFE_NO_PAD.encode(self.sign(&body)));
        (token, claim(user.clone(), random))
    }

    /// Reads a token; `None` when it is not one of that kind that this platform made.
    pub(crate) fn read(&self, kind: TokenKind, token: &str) -> Option<Claim> {
        if token.len() > TOKEN_CHARS_MAX {
            return None;
        }
        let (body, mac) = token.rsplit_once('.')?;
        let mac = URL_SAFE_NO_PAD.decode(mac).ok()?;
        if !bool::from(self.sign(body).as_slice().ct_eq(mac.as_slice())) {
            return None;
        }
        let mut parts = body.split('.');
        let (letter, user, random) = (parts.next()?, parts.next()?, parts.next()?);
        if letter != kind.letter() || parts.next().is_some() {
            return None;
        }
        let random = URL_SAFE_NO_PAD.decode(random).ok()?;
        let random: [u8; RANDOM_BYTES] = random.try_into().ok()?;
        Some(claim(UserId::parse(user).ok()?, &random))
    }

    fn sign(&self, body: &str) -> Vec<u8> {
        let mut mac = self.mac.clone();
        mac.update(body.as_bytes());
        mac.finalize()
            .into_bytes()
            .into_iter()
            .take(MAC_BYTES)
            .collect()
    }
}

/// Compares two digests without telling by the time it takes where they differ.
pub(crate) fn same_digest(left: &str, right: &str) -> bool {
    left.as_bytes().ct_eq(right.as_bytes()).into()
}

fn claim(user: UserId, random: &[u8; RANDOM_BYTES]) -> Claim {
    let (grant, secret) = random.split_at(NAME_BYTES);
    Claim {
        user,
        grant: URL_SAFE_NO_PAD.encode(grant),
        digest: URL_SAFE_NO_PAD.encode(Sha256::digest(secret)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> TokenKey {
        TokenKey::new("a key of the tests").expect("long enough")
    }

    fn user() -> UserId {
        UserId::parse("user-0001").expect("a valid user")
    }

    #[test]
    fn a_token_read_back_names_its_user_and_grant() {
        let (token, issued) = key().issue(TokenKind::Access, &user(), &[7; RANDOM_BYTES]);
        assert!(token.starts_with("ga.user-0001."));
        assert_eq!(key().read(TokenKind::Access, &token), Some(issued));
    }

    #[test]
    fn a_token_is_good_for_its_kind_only() {
        let (token, _) = key().issue(TokenKind::Code, &user(), &[7; RANDOM_BYTES]);
        assert_eq!(key().read(TokenKind::Access, &token), None);
        assert_eq!(key().read(TokenKind::Refresh, &token), None);
    }

    #[test]
    fn every_changed_character_breaks_a_token() {
        let (token, _) = key().issue(TokenKind::Access, &user(), &[7; RANDOM_BYTES]);
        for index in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[index] = if bytes[index] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).expect("ASCII");
            assert_eq!(key().read(TokenKind::Access, &changed), None, "{changed}");
        }
    }

    #[test]
    fn another_key_reads_nothing() {
        let (token, _) = key().issue(TokenKind::Access, &user(), &[7; RANDOM_BYTES]);
        let other = TokenKey::new("another key of the tests").expect("long enough");
        assert_eq!(other.read(TokenKind::Access, &token), None);
    }

    #[test]
    fn rubbish_is_not_a_token() {
        for text in ["", ".", "...", "ga.u.AA.AA", "ga", &"x".repeat(100_000)] {
            assert_eq!(key().read(TokenKind::Access, text), None, "{text:.20}");
        }
        assert!(TokenKey::new("short").is_none());
    }

    #[test]
    fn the_digest_does_not_contain_the_secret() {
        let (token, claim) = key().issue(TokenKind::Access, &user(), &[7; RANDOM_BYTES]);
        assert!(!token.contains(&claim.digest));
        assert!(same_digest(&claim.digest, &claim.digest.clone()));
        assert!(!same_digest(&claim.digest, "other"));
    }
}
