//! The encodings of a body that make it smaller on its way.

use std::io::{self, Read};

use brotli_decompressor::Decompressor;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use hyper::HeaderMap;
use hyper::header::CONTENT_ENCODING;

/// How a body was made smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// RFC 1952.
    Gzip,
    /// RFC 1950, or RFC 1951 as some servers have it.
    Deflate,
    /// RFC 7932.
    Brotli,
    /// RFC 8878.
    Zstd,
}

/// A decoded body.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Decoded {
    /// Its bytes, up to the limit.
    pub(super) bytes: Vec<u8>,
    /// Whether there were more.
    pub(super) truncated: bool,
}

impl Encoding {
    /// The encodings of an answer, in the order in which they were applied; `None` when the body is as it is
    /// meant, or in a way that nobody here can read.
    pub(super) fn of(fields: &HeaderMap) -> Option<Vec<Self>> {
        let mut encodings = Vec::new();
        for field in fields.get_all(CONTENT_ENCODING) {
            for name in field.to_str().ok()?.split(',').map(str::trim) {
                encodings.push(match name.to_ascii_lowercase().as_str() {
                    "gzip" | "x-gzip" => Self::Gzip,
                    "deflate" => Self::Deflate,
                    "br" => Self::Brotli,
                    "zstd" => Self::Zstd,
                    "identity" | "" => continue,
                    _ => return None,
                });
            }
        }
        (!encodings.is_empty()).then_some(encodings)
    }

    /// Undoes it.
    ///
    /// # Errors
    /// When the bytes are none of this encoding.
    fn decode(self, bytes: &[u8], limit: u64) -> io::Result<Decoded> {
        match self {
            Self::Gzip => read(MultiGzDecoder::new(bytes), limit),
            Self::Deflate => read(ZlibDecoder::new(bytes), limit)
                .or_else(|_| read(DeflateDecoder::new(bytes), limit)),
            Self::Brotli => read(Decompressor::new(bytes, BROTLI_BUFFER_BYTES), limit),
            Self::Zstd => read(zstd::stream::read::Decoder::with_buffer(bytes)?, limit),
        }
    }
}

/// Undoes all encodings, and keeps at most `limit` bytes of each step's outcome, however small the body was.
///
/// # Errors
/// When the bytes are not what the encodings say.
pub(super) fn decode(encodings: &[Encoding], bytes: Vec<u8>, limit: u64) -> io::Result<Decoded> {
    let mut body = Decoded {
        bytes,
        truncated: false,
    };
    // What has no body, such as the answer to HEAD, tells the encoding that the body would have.
    if body.bytes.is_empty() {
        return Ok(body);
    }
    for encoding in encodings.iter().rev() {
        body = encoding.decode(&body.bytes, limit)?;
        if body.truncated {
            break;
        }
    }
    Ok(body)
}

fn read(decoder: impl Read, limit: u64) -> io::Result<Decoded> {
    let mut bytes = Vec::new();
    decoder
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes)?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let truncated = bytes.len() > limit;
    bytes.truncate(limit);
    Ok(Decoded { bytes, truncated })
}

const BROTLI_BUFFER_BYTES: usize = 4_096;

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use hyper::header::HeaderValue;

    use super::*;

    /// "hello brotli " three times, made by Node.
    const BROTLI: [u8; 29] = [
        27, 38, 0, 248, 29, 169, 83, 159, 187, 112, 45, 86, 134, 38, 39, 65, 216, 232, 146, 45,
        237, 45, 136, 138, 6, 102, 102, 252, 2,
    ];

    fn fields(values: &[&'static str]) -> HeaderMap {
        let mut fields = HeaderMap::new();
        for value in values {
            fields.append(CONTENT_ENCODING, HeaderValue::from_static(value));
        }
        fields
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).expect("memory");
        encoder.finish().expect("memory")
    }

    fn decoded(encodings: &[Encoding], bytes: Vec<u8>) -> Vec<u8> {
        decode(encodings, bytes, 1_000).expect("well encoded").bytes
    }

    #[test]
    fn encodings_are_read_in_the_order_in_which_they_were_applied() {
        use Encoding::{Brotli, Deflate, Gzip, Zstd};
        for (values, expected) in [
            (&[][..], None),
            (&["identity"], None),
            (&["gzip"], Some(vec![Gzip])),
            (&["GZIP, br"], Some(vec![Gzip, Brotli])),
            (&["deflate", "zstd"], Some(vec![Deflate, Zstd])),
            (&["gzip, compress"], None),
        ] {
            assert_eq!(Encoding::of(&fields(values)), expected, "{values:?}");
        }
    }

    #[test]
    fn what_was_encoded_is_decoded() {
        let text = b"hello ".repeat(50);
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
        zlib.write_all(&text).expect("memory");
        let mut raw = DeflateEncoder::new(Vec::new(), Compression::default());
        raw.write_all(&text).expect("memory");
        let zstd = zstd::encode_all(text.as_slice(), 1).expect("memory");
        for (encoding, bytes) in [
            (Encoding::Gzip, gzip(&text)),
            (Encoding::Deflate, zlib.finish().expect("memory")),
            (Encoding::Deflate, raw.finish().expect("memory")),
            (Encoding::Zstd, zstd),
        ] {
            assert_eq!(decoded(&[encoding], bytes), text, "{encoding:?}");
        }
        let brotli = decoded(&[Encoding::Brotli], BROTLI.to_vec());
        assert_eq!(brotli, b"hello brotli ".repeat(3));
        let twice = gzip(&gzip(&text));
        assert_eq!(decoded(&[Encoding::Gzip, Encoding::Gzip], twice), text);
        assert_eq!(decoded(&[Encoding::Gzip], Vec::new()), b"", "no body");
    }

    #[test]
    fn a_small_body_that_becomes_a_large_one_is_cut() {
        let bomb = gzip(&vec![0; 1_000_000]);
        let body = decode(&[Encoding::Gzip], bomb, 1_000).expect("well encoded");
        assert_eq!((body.bytes.len(), body.truncated), (1_000, true));
        let whole = decode(&[Encoding::Gzip], gzip(&[0; 1_000]), 1_000).expect("well encoded");
        assert!(!whole.truncated);
    }

    #[test]
    fn what_is_not_encoded_as_it_says_is_an_error() {
        for encoding in [
            Encoding::Gzip,
            Encoding::Deflate,
            Encoding::Brotli,
            Encoding::Zstd,
        ] {
            let plain = b"<html>this is plain text</html>".to_vec();
            assert!(decode(&[encoding], plain, 1_000).is_err(), "{encoding:?}");
        }
    }
}
