//! Redirects: each is a request of its own, so that the ledger and the policy for hosts hold for it too.
//!
//! Invariant: nothing is sent to a host that the plan does not allow, a chain of redirects ends within the time
//! limit of its first request, and credentials stay with the origin that they were meant for.

use url::Url;

use crate::batch::machine::Batch;
use crate::batch::message::add_cookies;
use crate::batch::requests::{Hop, Pending};
use crate::batch::types::{Output, Request, RequestId};
use crate::cookie::Site;
use crate::error_class::ErrorClass;
use crate::plan::{Destination, Plan, Step};
use crate::response::Exchange;
use crate::scenario::Method;
use crate::target::TargetPolicy;
use crate::tick::Tick;

/// What is needed of a request to follow where it is redirected.
#[derive(Clone, Debug)]
pub(super) struct Trail {
    request: Request,   // without the cookies of its user
    site: Option<Site>, // where its cookies belong; where its step's do when absent
    redirects_left: u16,
    deadline: Tick, // of the whole chain
}

impl Trail {
    /// The beginning of a chain, if redirects of the step's requests are followed: those of streams, WebSockets and
    /// Durable Objects are not.
    pub(super) fn begin(
        plan: &Plan,
        step: &Step,
        request: &Request,
        deadline: Tick,
    ) -> Option<Box<Self>> {
        let is_plain = matches!(step.destination, Destination::Host)
            && step.stream.is_none()
            && step.socket.is_none();
        (is_plain && plan.max_redirects > 0).then(|| {
            Box::new(Self {
                request: request.clone(),
                site: None,
                redirects_left: plan.max_redirects,
                deadline,
            })
        })
    }

    /// Where the cookies of the request belong, if it is not where its step's do.
    pub(super) const fn site(&self) -> Option<&Site> {
        self.site.as_ref()
    }

    /// What comes after an answer with this status and location. `None`: it is no redirect, or leads nowhere.
    ///
    /// # Errors
    /// [`ErrorClass::Refused`]: it leads to where load may not go.
    fn next(
        &self,
        status: u16,
        location: &str,
        policy: &TargetPolicy,
    ) -> Option<Result<Box<Self>, ErrorClass>> {
        let method = method_after(status, self.request.method)?;
        let from = Url::parse(&self.request.url).ok()?;
        let mut to = from.join(location).ok()?;
        to.set_fragment(None);
        if policy.check(&to).is_err() {
            return Some(Err(ErrorClass::Refused));
        }
        let mut request = self.request.clone();
        let is_elsewhere = from.origin() != to.origin();
        let loses_body = method != request.method;
        request.headers.retain(|(name, _)| {
            let is = |names: &[&str]| names.iter().any(|other| name.eq_ignore_ascii_case(other));
            !(is_elsewhere && is(&OF_ORIGIN) || loses_body && is(&OF_BODY))
        });
        if loses_body {
            request.body = None;
        }
        request.method = method;
        request.url = to.into();
        Some(Ok(Box::new(Self {
            site: Some(Site::of(&request.url)),
            request,
            redirects_left: self.redirects_left.saturating_sub(1),
            deadline: self.deadline,
        })))
    }
}

/// With which method a redirect is followed (Fetch, section "HTTP-redirect fetch"), `None` when the status is not
/// that of a redirect.
fn method_after(status: u16, method: Method) -> Option<Method> {
    match (status, method) {
        (301 | 302, Method::Post) | (303, _) => Some(Method::Get),
        (301 | 302 | 307 | 308, method) => Some(method),
        _ => None,
    }
}

/// Fields that another origin must not see.
const OF_ORIGIN: [&str; 4] = ["authorization", "cookie", "host", "proxy-authorization"];

/// Fields that say something about a body.
const OF_BODY: [&str; 5] = [
    "content-encoding",
    "content-language",
    "content-length",
    "content-location",
    "content-type",
];

impl Batch {
    /// Follows an answer that redirects. Answers whether it did, or counted a redirect that must not be followed:
    /// otherwise the answer is one like any other. A redirect that its step expects is not followed, and neither is
    /// one beyond the limit.
    pub(super) fn redirected(&mut self, now: Tick, id: RequestId, exchange: &Exchange<'_>) -> bool {
        let Some(next) = self.next_of(id, exchange) else {
            return false;
        };
        self.keep_cookies(now, id, exchange);
        let Some(request) = self.requests.end(id) else {
            return true;
        };
        self.write_down(now, &request, exchange, next.as_ref().err().copied());
        match next {
            Ok(trail) => self.requests.wait_for_hop(Hop {
                pending: Pending {
                    user: request.user,
                    step: request.step,
                    planned: now,
                    queued: now,
                    background: !request.awaited,
                },
                trail,
            }),
            Err(_) => {
                self.fail_checks(now, &request);
                self.after(now, &request, false);
            }
        }
        true
    }

    /// Sends the redirects that have a slot to go: also at the end of a slice, because they belong to requests that
    /// are under way.
    pub(super) fn follow_ready(&mut self, now: Tick) {
        while let Some(Hop { pending, trail }) = self.requests.next_hop() {
            let id = self.requests.send(&pending, now, trail.deadline);
            let mut request = trail.request.clone();
            request.id = id;
            request.timeout = trail.deadline.saturating_since(now);
            let user = self.users.get(pending.user);
            if let (Some(user), Some(site)) = (user, &trail.site) {
                let unix_ms = self.epoch_ms.saturating_add(now.as_ms());
                add_cookies(&user.cookies, site, unix_ms, &mut request);
            }
            self.requests.keep_trail(id, trail);
            let bytes = request.body.as_ref().map_or(0, |body| body.len() as u64);
            let of = (self.scenario_of(pending.user), pending.step);
            let waited = now.saturating_since(pending.queued);
            self.recorder
                .request_sent(&self.plan, now, of, bytes, waited);
            self.outputs.push_back(Output::Send(request));
        }
    }

    fn next_of(
        &self,
        id: RequestId,
        exchange: &Exchange<'_>,
    ) -> Option<Result<Box<Trail>, ErrorClass>> {
        let trail = self.requests.trail(id)?;
        let (_, step) = self.plan.step(self.requests.get(id)?.step)?;
        if trail.redirects_left == 0 || step.expected.accepts(exchange.status) {
            return None;
        }
        let mut fields = exchange.headers.iter();
        let (_, location) = fields.find(|(name, _)| name == "location")?;
        trail.next(exchange.status, location, &self.plan.policy)
    }
}
