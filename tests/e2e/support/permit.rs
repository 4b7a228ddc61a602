//! The permits of batches, signed as a coordinator signs them, or as somebody who would like to be one.

use std::time::{SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// The permission to play one batch of one slice of a run.
pub(crate) fn sign(key: &str, run: &str, slice: u32, batch: u32, expires: SystemTime) -> String {
    let expires_ms = expires
        .duration_since(UNIX_EPOCH)
        .expect("after 1970")
        .as_millis();
    let claims = format!("v1.{run}.{slice}.{batch}.{expires_ms}");
    let mut block = [0; 64];
    block[..32].copy_from_slice(&Sha256::digest(key.as_bytes()));
    let mut mac = Hmac::<Sha256>::new(&block.into());
    mac.update(claims.as_bytes());
    let signature = mac.finalize().into_bytes();
    let hex: String = signature.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{claims}.{hex}")
}
