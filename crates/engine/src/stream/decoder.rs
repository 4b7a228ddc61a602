//! From the bytes of a stream to its events.

use std::borrow::Cow;
use std::num::NonZeroUsize;

use sse_core::{SseDecoder, SseEvent};

/// Finds events in the pieces of a stream.
#[derive(Debug)]
pub(super) enum Decoder {
    /// Server-sent events, as the HTML standard reads them.
    Sse(Box<SseDecoder>),
    /// Each piece is an event.
    Chunks,
}

/// An event of a stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Event<'a> {
    /// Its type; empty of a chunk.
    pub(super) kind: Cow<'static, str>,
    /// Its data.
    pub(super) data: Cow<'a, [u8]>,
}

/// An event has more bytes than [`EVENT_BYTES_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLarge;

impl Decoder {
    pub(super) fn new(is_sse: bool) -> Self {
        if is_sse {
            Self::Sse(Box::new(SseDecoder::with_limit(EVENT_BYTES_MAX)))
        } else {
            Self::Chunks
        }
    }

    /// The next event of `bytes`, which are taken up to its end; `None` when nothing is left of them.
    pub(super) fn next<'a>(&mut self, bytes: &mut &'a [u8]) -> Option<Result<Event<'a>, TooLarge>> {
        let decoder = match self {
            Self::Sse(decoder) => decoder,
            Self::Chunks if bytes.is_empty() => return None,
            Self::Chunks => {
                let data = Cow::Borrowed(std::mem::take(bytes));
                let kind = Cow::Borrowed("");
                return Some(Ok(Event { kind, data }));
            }
        };
        loop {
            match decoder.next(bytes)? {
                Ok(SseEvent::Message(message)) => {
                    return Some(Ok(Event {
                        kind: message.event,
                        data: Cow::Owned(message.data.into_bytes()),
                    }));
                }
                // When to connect again is the flow's business.
                Ok(SseEvent::Retry(_)) => {}
                Err(_) => return Some(Err(TooLarge)),
            }
        }
    }

    /// The id of the last event that had one.
    pub(super) fn last_id(&self) -> Option<&str> {
        match self {
            Self::Sse(decoder) => decoder.last_event_id().map(AsRef::as_ref),
            Self::Chunks => None,
        }
    }
}

/// How many bytes the data of an event may have, and its type, and its id: what a stream keeps in memory.
const EVENT_BYTES_MAX: NonZeroUsize = NonZeroUsize::new(256 * 1024).expect("not zero");

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Types, data and ids of the events in `text`, which comes in pieces of `size` bytes.
    fn read(text: &[u8], size: usize) -> Vec<(String, String, String)> {
        let mut decoder = Decoder::new(true);
        let mut events = Vec::new();
        for mut piece in text.chunks(size) {
            while let Some(event) = decoder.next(&mut piece) {
                let event = event.expect("it is small");
                let data = String::from_utf8(event.data.into_owned()).expect("it is text");
                let id = decoder.last_id().unwrap_or_default().to_owned();
                events.push((event.kind.into_owned(), data, id));
            }
        }
        events
    }

    /// The events in `text`, whole and in pieces of every size.
    fn events(text: &str) -> Vec<(String, String, String)> {
        let whole = read(text.as_bytes(), text.len().max(1));
        for size in 1..text.len() {
            assert_eq!(read(text.as_bytes(), size), whole, "{text:?} by {size}");
        }
        whole
    }

    fn data(text: &str) -> Vec<String> {
        events(text).into_iter().map(|(_, data, _)| data).collect()
    }

    /// The examples of <https://html.spec.whatwg.org/multipage/server-sent-events.html>.
    #[test]
    fn the_examples_of_the_standard_are_read_as_it_says() {
        assert_eq!(
            data(
                "data: This is the first message.\n\ndata: This is the second message, it\ndata: has two lines.\n\ndata: This is the third message.\n\n"
            ),
            [
                "This is the first message.",
                "This is the second message, it\nhas two lines.",
                "This is the third message."
            ]
        );
        let kinds = events(
            "event: add\ndata: 73857293\n\nevent: remove\ndata: 2153\n\nevent: add\ndata: 113411\n\n",
        );
        let kinds: Vec<_> = kinds
            .iter()
            .map(|(kind, data, _)| (kind.as_str(), data.as_str()))
            .collect();
        assert_eq!(
            kinds,
            [("add", "73857293"), ("remove", "2153"), ("add", "113411")]
        );
        assert_eq!(data("data: YHOO\ndata: +2\ndata: 10\n\n"), ["YHOO\n+2\n10"]);
        let stream = ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n";
        let read = events(stream);
        let read: Vec<_> = read
            .iter()
            .map(|(_, data, id)| (data.as_str(), id.as_str()))
            .collect();
        assert_eq!(
            read,
            [
                ("first event", "1"),
                ("second event", ""),
                (" third event", "")
            ]
        );
        assert_eq!(
            data("data\n\ndata\ndata\n\ndata:"),
            ["", "\n"],
            "the last one is not complete"
        );
        assert_eq!(data("data:test\n\ndata: test\n\n"), ["test", "test"]);
    }

    #[test]
    fn lines_end_with_each_of_the_three() {
        for text in [
            "data: a\n\ndata: b\n\n",
            "data: a\r\rdata: b\r\r",
            "data: a\r\n\r\ndata: b\r\n\r\n",
            "data: a\r\n\rdata: b\n\r\n",
        ] {
            assert_eq!(data(text), ["a", "b"], "{text:?}");
        }
    }

    #[test]
    fn what_is_no_field_is_left_alone() {
        assert_eq!(data("\u{feff}data: a\n\n"), ["a"], "a byte order mark");
        assert_eq!(
            data("data: a\n\u{feff}data: b\n\n"),
            ["a"],
            "only at the start"
        );
        assert_eq!(
            data(":\n: keep-alive\n\ndatum: x\nDATA: x\n data: x\ndata : x\n\n"),
            Vec::<String>::new()
        );
        assert_eq!(
            data("event: x\n\ndata: a\n\n"),
            ["a"],
            "a type without data is forgotten"
        );
        assert_eq!(events("event: x\n\ndata: a\n\n")[0].0, "message");
        assert_eq!(data("retry: 100\nretry: x\nretry\ndata: a\n\n"), ["a"]);
        let with_nul = events("id: a\0b\ndata: x\n\nid: 2\n\ndata: y\n\n");
        let ids: Vec<_> = with_nul.iter().map(|(_, _, id)| id.as_str()).collect();
        assert_eq!(
            ids,
            ["", "2"],
            "an id with a NUL counts for nothing, one without data counts"
        );
    }

    #[test]
    fn characters_may_be_split_and_bytes_may_be_no_characters() {
        assert_eq!(data("data: für 🌳\n\n"), ["für 🌳"]);
        assert_eq!(read(b"data: a\xffb\n\n", 1)[0].1, "a\u{fffd}b");
    }

    #[test]
    fn a_line_without_an_end_is_given_up_and_needs_little_memory() {
        let mut decoder = Decoder::new(true);
        let piece = [b'x'; 8 * 1024];
        let mut line = &b"data: "[..];
        assert_eq!(decoder.next(&mut line), None);
        let mut pieces = 0;
        let error = loop {
            pieces += 1;
            if let Some(result) = decoder.next(&mut &piece[..]) {
                break result.expect_err("it has no end");
            }
        };
        assert_eq!(error, TooLarge);
        assert_eq!(pieces, 256 / 8 + 1);
        let mut comment = Decoder::new(true);
        assert_eq!(comment.next(&mut &b": "[..]), None);
        for _ in 0..10_000 {
            assert_eq!(comment.next(&mut &piece[..]), None, "nothing of it is kept");
        }
    }

    #[test]
    fn each_piece_of_a_plain_stream_is_an_event() {
        let mut decoder = Decoder::new(false);
        let mut piece = &b"data: x\n\n"[..];
        let event = decoder
            .next(&mut piece)
            .expect("an event")
            .expect("a chunk");
        assert_eq!((&*event.kind, &*event.data), ("", &b"data: x\n\n"[..]));
        assert_eq!(decoder.next(&mut piece), None);
        assert_eq!(decoder.last_id(), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn how_bytes_are_cut_into_pieces_changes_nothing(
            text in "(data|event|id|retry|: |[a-z]|\r|\n|\r\n|\\PC){0,40}", size in 1usize..8,
        ) {
            let text = text.as_bytes();
            prop_assert_eq!(read(text, size), read(text, text.len().max(1)));
        }

        #[test]
        fn no_bytes_are_too_strange(bytes in any::<Vec<u8>>(), size in 1usize..8) {
            let mut decoder = Decoder::new(true);
            for mut piece in bytes.chunks(size) {
                while decoder.next(&mut piece).is_some() {}
            }
        }
    }
}
