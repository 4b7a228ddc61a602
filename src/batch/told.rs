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
    /// Whether its URL is another one.
    pub(super) url: bool,
    /// Its header fields as lines, if they are others.
    pub(super) fields: Option<String>,
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
                url: true,
                fields: fields(&headers),
            };
        };
        let is_new = !std::mem::replace(&mut told.is_told, true);
        let url = is_new || told.url != request.url;
        if url {
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
    ) -> (bool, Option<String>) {
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
        assert_eq!(news(&mut told, 0, "/a", ("x-a", "1")), (true, fields("1")));
        assert_eq!(news(&mut told, 0, "/a", ("x-a", "1")), (false, None));
        assert_eq!(news(&mut told, 0, "/b", ("x-a", "1")), (true, None));
        assert_eq!(news(&mut told, 0, "/b", ("x-a", "2")), (false, fields("2")));
        assert_eq!(news(&mut told, 1, "/b", ("x-a", "2")), (true, fields("2")));
        assert_eq!(news(&mut told, 0, "/b", ("x-a", "2")), (false, None));
    }

    #[test]
    fn a_first_request_is_told_even_if_there_is_nothing_in_it() {
        let mut told = Told::default();
        let mut empty = request(0, Method::Get, "", &[]);
        let first = told.news(0, 0, &mut empty, "");
        assert_eq!((first.url, first.fields.as_deref()), (true, Some("")));
    }

    #[test]
    fn beyond_the_places_that_are_kept_everything_is_told() {
        let mut told = Told::default();
        for place in [LANES_KEPT, LANES_KEPT + 1, u32::MAX] {
            for _ in 0..2 {
                let (url, fields) = news(&mut told, place, "/a", ("x-a", "1"));
                assert!(url && fields.is_some());
            }
        }
    }
}
