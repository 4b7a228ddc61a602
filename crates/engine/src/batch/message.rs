//! From a step to the request that is sent.

use crate::batch::types::{Address, Request, RequestId};
use crate::cookie::{Jar, Site};
use crate::plan::{Application, Destination, Plan, Step, Streaming, TARGET_BINDING};
use crate::random::Random;
use crate::template::{Escape, RenderContext};

/// Where in a plan something is filled in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) vu: u32,
    pub(super) iteration: u32,
    /// The scenario, by its place in the plan.
    pub(super) scenario: usize,
    pub(super) variant: Option<u16>,
    pub(super) variables: &'a [Option<String>],
    pub(super) rows: &'a [u32],
}

/// What templates are filled in with.
pub(super) fn context<'a>(
    plan: &'a Plan,
    application: &'a Application,
    place: Place<'a>,
    unix_ms: u64,
) -> RenderContext<'a> {
    let tenant = usize::try_from(place.vu)
        .ok()
        .and_then(|vu| plan.tenants.get(vu % plan.tenants.len().max(1)));
    let scenario = plan.scenarios.get(place.scenario);
    RenderContext {
        vu: place.vu,
        iteration: place.iteration,
        tenant: tenant.map_or("", String::as_str),
        variant: place
            .variant
            .and_then(|v| application.variants.get(usize::from(v)))
            .map(String::as_str),
        variables: place.variables,
        tables: &plan.tables,
        rows: place.rows,
        env: scenario.map_or(&[], |scenario| &scenario.env),
        key: None,
        unix_ms,
    }
}

pub(super) fn render(
    plan: &Plan,
    step: &Step,
    id: RequestId,
    context: &RenderContext<'_>,
    random: &mut Random,
) -> Request {
    let (address, context) = match &step.destination {
        Destination::Host => (Address::Host, *context),
        Destination::Binding => (Address::Binding(TARGET_BINDING), *context),
        Destination::Object(call) => {
            let context = RenderContext {
                key: call.keys.map(|keys| keys.draw(random)),
                ..*context
            };
            let address = Address::Object {
                binding: call.class.binding(),
                name: call.name.render(&context, random),
            };
            (address, context)
        }
    };
    let context = &context;
    let url = step.url.render(context, random);
    let mut headers: Vec<(String, String)> = step
        .headers
        .iter()
        .map(|(name, value)| (name.clone(), value.render(context, random)))
        .collect();
    let body = step.body.as_ref().map(|body| {
        if !headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("content-type"))
        {
            headers.push(("content-type".to_owned(), body.content_type().to_owned()));
        }
        body.render(context, random)
    });
    Request {
        id,
        step: step.id,
        vu: context.vu,
        iteration: context.iteration,
        address,
        method: step.method,
        url,
        headers,
        body,
        wants_body: step.wants_body(),
        wants_headers: step.wants_headers().to_vec(),
        streams: step.stream.is_some(),
        body_limit_bytes: plan.body_limit_bytes,
        timeout: plan.request_timeout,
    }
}

/// Lets a stream go on where the one before it ended. Answers whether it does.
pub(super) fn resume(
    streaming: &Streaming,
    variables: &[Option<String>],
    request: &mut Request,
) -> bool {
    let has = |name| {
        let mut names = request.headers.iter().map(|(own, _)| own);
        names.any(|own| own.eq_ignore_ascii_case(name))
    };
    let (accepts, resumes) = (has("accept"), has("last-event-id"));
    if streaming.is_sse() && !accepts {
        let accepted = "text/event-stream".to_owned();
        request.headers.push(("accept".to_owned(), accepted));
    }
    let variable = streaming.resume.map(|id| usize::from(id.0));
    let known = variable.and_then(|at| variables.get(at)?.as_deref());
    let Some(id) = known.filter(|_| !resumes) else {
        return false;
    };
    let mut value = String::new();
    Escape::Header.append(id, &mut value);
    request.headers.push(("last-event-id".to_owned(), value));
    true
}

/// Adds the user's cookies for a site to those that the step sends itself.
pub(super) fn add_cookies(cookies: &Jar, site: &Site, unix_ms: u64, request: &mut Request) {
    let own = request
        .headers
        .iter_mut()
        .find(|(name, _)| name.eq_ignore_ascii_case("cookie"));
    if let Some((_, value)) = own {
        cookies.append_header(site, &request.url, unix_ms, value);
        return;
    }
    let mut value = String::new();
    cookies.append_header(site, &request.url, unix_ms, &mut value);
    if !value.is_empty() {
        request.headers.push(("cookie".to_owned(), value));
    }
}
