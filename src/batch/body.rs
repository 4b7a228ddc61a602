//! Bodies that were read as text: from the text back to the bytes, as far as anything is made to depend on them.
//!
//! Invariant: of a body that is UTF-8 the bytes are those that arrived, a byte order mark among them. Of any other
//! they are no UTF-8 either, and say the same to who replaces what is none.

/// What reading as text leaves out at the beginning.
const BYTE_ORDER_MARK: &[u8] = "\u{FEFF}".as_bytes();

/// No byte of UTF-8.
const INVALID: u8 = 0xFF;

/// The bytes of a body of `size` bytes that was read as `text`, nothing if its bytes were not kept. What was no UTF-8
/// has become U+FFFD there, one for each part that is replaced, which mostly makes it longer or shorter. Where it does
/// not, as in a character of four bytes that breaks off before the last, the replaced text stands for it.
pub(super) fn bytes_of(text: String, size: usize) -> Vec<u8> {
    if text.is_empty() || text.len() == size {
        return text.into_bytes();
    }
    if text.len() + BYTE_ORDER_MARK.len() == size && !text.contains(char::REPLACEMENT_CHARACTER) {
        return [BYTE_ORDER_MARK, text.as_bytes()].concat();
    }
    let mut parts = text.split(char::REPLACEMENT_CHARACTER);
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        bytes.push(INVALID);
        bytes.extend_from_slice(part.as_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `Response.text` reads bytes.
    fn read(bytes: &[u8]) -> String {
        let text = String::from_utf8_lossy(bytes);
        text.strip_prefix('\u{FEFF}').unwrap_or(&text).to_owned()
    }

    #[test]
    fn of_text_the_bytes_are_those_that_arrived() {
        for body in [
            "",
            "{}",
            "h\u{e9}llo",
            "a\u{FFFD}b",
            "\u{FEFF}{}",
            "\u{1F600}",
        ] {
            let bytes = body.as_bytes();
            assert_eq!(bytes_of(read(bytes), bytes.len()), bytes, "{body:?}");
        }
    }

    #[test]
    fn what_is_no_text_stays_none_and_is_replaced_alike() {
        let bodies: [&[u8]; 6] = [
            b"\xFF",
            b"\"\xC3\"",
            b"\x80\x80abc",
            b"\xED\xA0\x80",
            b"a\xEF\xBF\xBDb\xF0\x9F",
            b"\x89PNG\r\n\x1A\n\x00\xFE",
        ];
        for bytes in bodies {
            let restored = bytes_of(read(bytes), bytes.len());
            assert!(std::str::from_utf8(&restored).is_err(), "{bytes:?}");
            assert_eq!(read(&restored), read(bytes), "{bytes:?}");
        }
    }

    #[test]
    fn what_was_not_kept_is_nothing() {
        assert_eq!(bytes_of(String::new(), 11), b"");
    }
}
