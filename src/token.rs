//! The signed, expiring permission to play one batch of one slice of one run.
//!
//! Invariant: without the key nobody can make one, and one that was made is good for exactly its run, slice and
//! batch until it expires.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// What a token permits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Permit<'a> {
    /// The run's identifier.
    pub(crate) run: &'a str,
    /// The slice.
    pub(crate) slice: u32,
    /// The batch.
    pub(crate) batch: u32,
    /// Unix time in milliseconds after which the token is worth nothing.
    pub(crate) expires_ms: u64,
}

impl Permit<'_> {
    /// The token: the permit's fields and their signature, in characters that a header field may hold.
    pub(crate) fn sign(&self, key: &str) -> String {
        let claims = self.claims();
        let signature = hex::encode(mac(key, &claims).finalize().into_bytes());
        format!("{claims}.{signature}")
    }

    fn claims(&self) -> String {
        let Self {
            run,
            slice,
            batch,
            expires_ms,
        } = self;
        format!("v1.{run}.{slice}.{batch}.{expires_ms}")
    }
}

/// Reads a token; `None` unless it was signed with this key and has not expired.
pub(crate) fn verify<'a>(token: &'a str, key: &str, now_ms: u64) -> Option<Permit<'a>> {
    let (claims, signature) = token.rsplit_once('.')?;
    let signature = hex::decode(signature).ok()?;
    // Compares in constant time.
    mac(key, claims).verify_slice(&signature).ok()?;
    let mut parts = claims.split('.');
    let (Some("v1"), Some(run), Some(slice), Some(batch), Some(expires_ms), None) = (
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
    ) else {
        return None;
    };
    let permit = Permit {
        run,
        slice: slice.parse().ok()?,
        batch: batch.parse().ok()?,
        expires_ms: expires_ms.parse().ok()?,
    };
    (now_ms < permit.expires_ms).then_some(permit)
}

/// Whether two secrets are equal, in a time that tells nothing about where they differ or how long they are.
pub(crate) fn same_secret(left: &str, right: &str) -> bool {
    let left = Sha256::digest(left.as_bytes());
    let right = Sha256::digest(right.as_bytes());
    left.as_slice().ct_eq(right.as_slice()).into()
}

fn mac(key: &str, claims: &str) -> Hmac<Sha256> {
    // The key's digest, filled up to the block size, so that a key of any length will do.
    let digest: [u8; 32] = Sha256::digest(key.as_bytes()).into();
    let mut block = [0; 64];
    for (place, byte) in block.iter_mut().zip(digest) {
        *place = byte;
    }
    let mut mac = Hmac::<Sha256>::new(&block.into());
    mac.update(claims.as_bytes());
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERMIT: Permit<'static> = Permit {
        run: "0b9f8f4e-7c67-4c4e-9f6e-1d2b3c4d5e6f",
        slice: 3,
        batch: 7,
        expires_ms: 1_000,
    };

    #[test]
    fn a_token_says_what_was_signed() {
        let token = PERMIT.sign("key");
        assert_eq!(verify(&token, "key", 999), Some(PERMIT));
    }

    #[test]
    fn a_token_expires() {
        assert_eq!(verify(&PERMIT.sign("key"), "key", 1_000), None);
    }

    #[test]
    fn a_token_of_another_key_or_with_a_changed_field_is_nothing() {
        let token = PERMIT.sign("key");
        assert_eq!(verify(&token, "other", 0), None);
        assert_eq!(verify(&token.replace(".3.", ".4."), "key", 0), None);
        assert_eq!(verify(&token.replace(".1000.", ".9000."), "key", 0), None);
        for cut in 0..token.len() {
            assert_eq!(verify(token.get(..cut).unwrap_or(""), "key", 0), None);
        }
    }

    #[test]
    fn secrets_compare_by_value_whatever_their_length() {
        assert!(same_secret("abc", "abc"));
        assert!(!same_secret("abc", "abd"));
        assert!(!same_secret("abc", "abcd"));
        assert!(!same_secret("abc", ""));
    }
}
