//! What JavaScript has been told of requests, so that it is told only what is new to it.
//!
//! Invariant: what is kept here of a place and a kind of requests is what `exchange.js` keeps of them, and both are
//! bounded by the plan's steps.

use std::mem::take;

use sentinel_engine::batch::Request;
use sentinel_engine::scenario::Method;
use sentinel_engine::window::StepId;

use crate::batch::message;

/// At how many places it is kept what was told. No more requests than there are slots wait for headers at the same
/// time; at places beyond, bodies arrive or streams go on.
pub(super) const LANES_KEPT: u32 = 32;

/// What was told.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// By number. A table by step would be large: a poll of the target has a step beyond all of a plan's.
    kinds: Vec<(StepId, Method)>,
    lanes: Vec<Vec<Message>>, // by place, then by kind
}

/// A request without what all requests of its kind have in common.
#[derive(Debug, Default)]
struct Message {
    is_told: bool,
    url: String,
    headers: Vec<(String, String)>,
}

/// What is new of a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct News {
    /// Its URL.
    pub(super) url: UrlNews,
    /// Its header fields as lines, if they are others.
    pub(super) fields: Option<String>,
}

/// How a URL is told. A text that crosses is decoded, which costs more than all that is done with the few characters in
/// which the URLs of one flow mostly differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UrlNews {
    /// It is the one that was told last.
    Same,
    /// It begins as the one that was told last.
    Tail {
        /// With so many characters of that one.
        kept: u32,
        /// The characters after those, all of ASCII, from the lowest byte of the first number on; zero is none.
        tail: [u32; 2],
    },
    /// It is told as a whole.
    Whole,
}

impl UrlNews {
    /// What is new of a URL after the one that was `told` last.
    fn of(told: &str, url: &str) -> Self {
        let pairs = told.bytes().zip(url.bytes());
        // Beyond ASCII, JavaScript counts other characters than bytes.
        let kept = pairs.take_while(|(told, byte)| told == byte && byte.is_ascii());
        let kept = kept.count();
        let tail = url.as_bytes().get(kept..).unwrap_or_default();
        if tail.is_empty() && kept == told.len() {
            return Self::Same;
        }
        let is_short = tail.len() <= TAIL_BYTES_MAX && tail.iter().all(u8::is_ascii_graphic);
        match u32::try_from(kept) {
            Ok(kept) if kept > 0 && is_short => {
                let (low, high) = tail.split_at(tail.len().min(TAIL_BYTES_MAX / 2));
                let tail = [low, high].map(packed);
                Self::Tail { kept, tail }
            }
            _ => Self::Whole,
        }
    }
}

/// How much of a URL fits into two numbers.
const TAIL_BYTES_MAX: usize = 8;

/// Up to four bytes as a number, the first as its lowest.
fn packed(bytes: &[u8]) -> u32 {
    let bytes = bytes.iter().rev();
    bytes.fold(0, |packed, byte| packed << 8 | u32::from(*byte))
}

impl Told {
    /// The number of the kind of requests that this one is of, and whether it is new. Those of a step are of one kind,
    /// unless a redirect has another method.
    pub(super) fn kind(&mut self, request: &Request) -> (u32, bool) {
        let kind = (request.step, request.method);
        let known = self.kinds.iter().position(|known| *known == kind);
        let number = known.unwrap_or(self.kinds.len());
        if known.is_none() {
            self.kinds.push(kind);
        }
        (u32::try_from(number).unwrap_or(u32::MAX), known.is_none())
    }

    /// What is new of a request of this kind at this place. Takes its header fields.
    pub(super) fn news(
        &mut self,
        place: u32,
        kind: u32,
        request: &mut Request,
        own_fields: &str,
    ) -> News {
        let headers = take(&mut request.headers);
        let fields = |headers: &[_]| Some(message::fields(headers, own_fields));
        let Some(told) = self.told(place, kind) else {
            return News {
                url: UrlNews::Whole,
                fields: fields(&headers),
            };
        };
        let is_new = !std::mem::replace(&mut told.is_told, true);
        let url = if is_new {
            UrlNews::Whole
        } else {
            UrlNews::of(&told.url, &request.url)
        };
        if url != UrlNews::Same {
            told.url.clone_from(&request.url);
        }
        if !is_new && told.headers == headers {
            return News { url, fields: None };
        }
        told.headers = headers;
        News {
            url,
            fields: fields(&told.headers),
        }
    }

    /// What was told last of a kind at a place, `None` where it is not kept.
    fn told(&mut self, place: u32, kind: u32) -> Option<&mut Message> {
        if place >= LANES_KEPT {
            return None;
        }
        let (place, kind) = (place as usize, kind as usize);
        if self.lanes.len() <= place {
            self.lanes.resize_with(place + 1, Vec::new);
        }
        let lane = self.lanes.get_mut(place)?;
        if lane.len() <= kind {
            lane.resize_with(kind + 1, Message::default);
        }
        lane.get_mut(kind)
    }
}

#[cfg(test)]
mod tests {
    use sentinel_engine::batch::{Address, RequestId};
    use sentinel_engine::tick::Span;
    use sentinel_engine::window::StepId;

    use super::UrlNews::{Same, Tail, Whole};
    use super::*;

    fn request(step: u16, method: Method, url: &str, headers: &[(&str, &str)]) -> Request {
        let headers = headers.iter();
        Request {
            id: RequestId(0),
            step: StepId(step),
            vu: 0,
            iteration: 0,
            address: Address::Host,
            method,
            url: url.to_owned(),
            headers: headers
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            body: None,
            wants_body: false,
            wants_headers: Vec::new(),
            streams: false,
            body_limit_bytes: 0,
            timeout: Span::ZERO,
        }
    }

    fn news(
        told: &mut Told,
        place: u32,
        url: &str,
        header: (&str, &str),
    ) -> (UrlNews, Option<String>) {
        let mut request = request(0, Method::Get, url, &[header]);
        let News { url, fields } = told.news(place, 0, &mut request, "own\nfield");
        (url, fields)
    }

    #[test]
    fn each_step_has_a_kind_and_another_one_for_each_other_method() {
        let mut told = Told::default();
        let mut kind = |step, method| told.kind(&request(step, method, "", &[]));
        assert_eq!(kind(3, Method::Post), (0, true));
        assert_eq!(kind(1, Method::Get), (1, true));
        assert_eq!(kind(3, Method::Get), (2, true));
        assert_eq!(kind(3, Method::Post), (0, false));
        assert_eq!(kind(1, Method::Get), (1, false));
        assert_eq!(kind(3, Method::Get), (2, false));
    }

    #[test]
    fn only_what_differs_is_told_again() {
        let mut told = Told::default();
        let fields = |value| Some(format!("x-a\n{value}\nown\nfield"));
        let b = Tail {
            kept: 1,
            tail: [u32::from(b'b'), 0],
        };
        assert_eq!(news(&mut told, 0, "/a", ("x-a", "1")), (Whole, fields("1")));
        assert_eq!(news(&mut told, 0, "/a", ("x-a", "1")), (Same, None));
        assert_eq!(news(&mut told, 0, "/b", ("x-a", "1")), (b, None));
        assert_eq!(news(&mut told, 0, "/b", ("x-a", "2")), (Same, fields("2")));
        assert_eq!(news(&mut told, 1, "/b", ("x-a", "2")), (Whole, fields("2")));
        assert_eq!(news(&mut told, 0, "/b", ("x-a", "2")), (Same, None));
    }

    #[test]
    fn a_first_request_is_told_even_if_there_is_nothing_in_it() {
        let mut told = Told::default();
        let mut empty = request(0, Method::Get, "", &[]);
        let first = told.news(0, 0, &mut empty, "");
        assert_eq!((first.url, first.fields.as_deref()), (Whole, Some("")));
    }

    /// As exchange.js puts it together.
    fn url_after(told: &str, url: &str) -> String {
        let (kept, tail) = match UrlNews::of(told, url) {
            Same => (told.len(), [0; 2]),
            Whole => return "whole".to_owned(),
            Tail { kept, tail } => (kept as usize, tail),
        };
        let bytes = tail.into_iter().flat_map(u32::to_le_bytes);
        let tail = bytes.filter(|byte| *byte != 0).map(char::from);
        told.chars().take(kept).chain(tail).collect()
    }

    #[test]
    fn a_url_that_ends_differently_is_told_by_its_end() {
        let told = "http://a/b?turn=999";
        for url in [
            "http://a/b?turn=999",
            "http://a/b?turn=1000",
            "http://a/b?turn=99",
            "http://a/b?turn=",
            "http://a/b?turn=12345678",
            "http://a/b?turn=999&more=1",
        ] {
            assert_eq!(url_after(told, url), url);
        }
    }

    #[test]
    fn a_url_is_told_as_a_whole_where_its_end_is_long_or_not_ascii_or_all_is_new() {
        let told = "http://a/b?turn=9";
        for url in [
            "http://a/b?turn=123456789",
            "http://a/cc?turn=9",
            "http://a/b?turn=\u{e9}",
            "http://a/b?turn=\0",
            "x",
        ] {
            assert_eq!(url_after(told, url), "whole", "{url:?}");
        }
        assert_eq!(url_after("", "/a"), "whole");
        assert_eq!(url_after("/\u{e9}/1", "/\u{e9}/2"), "whole");
    }

    #[test]
    fn beyond_the_places_that_are_kept_everything_is_told() {
        let mut told = Told::default();
        for place in [LANES_KEPT, LANES_KEPT + 1, u32::MAX] {
            for _ in 0..2 {
                let (url, fields) = news(&mut told, place, "/a", ("x-a", "1"));
                assert!(url == Whole && fields.is_some());
            }
        }
    }
}
