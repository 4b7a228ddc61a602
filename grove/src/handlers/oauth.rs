//! Heartwood, Grove's sign-in: OAuth 2.0 with authorization codes and refresh tokens, in front
//! of an identity provider for tests that approves everybody.
//!
//! Invariant: secrets leave in answers only; the session object gets digests, the log nothing.

use serde::{Deserialize, Serialize};
use worker::{Request, Response};

use crate::app::{App, ObjectClass, Operation, now_whole_ms, random_bytes, token_bytes};
use crate::auth;
use crate::body;
use crate::error::{ApiError, ApiResult};
use crate::handlers::dispatch::query;
use crate::input::{JSON_BYTES_MAX, Query, TenantName, UserId, check_redirect_uri, parse_json};
use crate::objects::{Done, Exchange, NewCode, NewSession, Renewal, SessionInfo};
use crate::stats::hex;
use crate::token::{Claim, TokenKey, TokenKind};

const CLIENT_CHARS_MAX: usize = 100;
const STATE_CHARS_MAX: usize = 500;
const DEFAULT_TENANT: &str = "oak";

/// The body of `/oauth/token` and `/oauth/refresh`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenRequest {
    grant_type: Option<String>,
    code: Option<String>,
    refresh_token: Option<String>,
    client_id: Option<String>,
    redirect_uri: Option<String>,
}

/// What a browser brings back to the application.
#[derive(Serialize)]
struct Granted<'a> {
    code: &'a str,
    state: Option<&'a str>,
}

#[derive(Serialize)]
struct TokenAnswer<'a> {
    access_token: &'a str,
    refresh_token: &'a str,
    token_type: &'static str,
    /// Seconds.
    expires_in: u64,
    user: User<'a>,
}

#[derive(Serialize)]
struct User<'a> {
    id: &'a str,
    tenant: &'a str,
}

/// `GET /oauth/authorize?client_id&redirect_uri&response_type=code&state&tenant&user_hint`
pub(super) async fn authorize(app: &App, request: &Request) -> ApiResult<Response> {
    let query = query(request)?;
    let own_origin = request.url()?.origin().ascii_serialization();
    let client = short(query.required("client_id")?, "client_id", CLIENT_CHARS_MAX)?;
    let redirect_uri = check_redirect_uri(query.required("redirect_uri")?, &own_origin)?;
    if query.required("response_type")? != "code" {
        return Err(ApiError::bad_request(
            "unsupported_response_type",
            "response_type must be code",
        ));
    }
    let state = query
        .value("state")
        .map(|state| short(state, "state", STATE_CHARS_MAX))
        .transpose()?;
    let tenant = TenantName::parse(query.value("tenant").unwrap_or(DEFAULT_TENANT))?;
    let user = match query.value("user_hint") {
        Some(hint) => UserId::parse(hint)?,
        None => UserId::parse(&format!("user-{}", hex(&random_bytes::<8>()?)))?,
    };
    let (code, claim) = app
        .token_key()?
        .issue(TokenKind::Code, &user, &token_bytes()?);
    let _: Done = app
        .call(
            ObjectClass::Session,
            &auth::session_name(&user),
            Operation::post(
                "/codes",
                NewCode {
                    grant: claim.grant,
                    digest: claim.digest,
                    tenant,
                    client: client.to_owned(),
                    redirect_uri: redirect_uri.to_owned(),
                },
            ),
        )
        .await?;
    let mut parameters = form_urlencoded::Serializer::new(String::new());
    parameters.append_pair("code", &code);
    if let Some(state) = state {
        parameters.append_pair("state", state);
    }
    let separator = if redirect_uri.contains('?') { '&' } else { '?' };
    // The body says what the address says, for clients that do not follow redirects.
    let response = Response::from_json(&Granted { code: &code, state })?.with_status(302);
    response.headers().set(
        "Location",
        &format!("{redirect_uri}{separator}{}", parameters.finish()),
    )?;
    never_cached(&response)?;
    Ok(response)
}

/// `GET /oauth/callback?code&state`: what the browser brought back. It does not use the code.
pub(super) fn callback(app: &App, request: &Request) -> ApiResult<Response> {
    let query = query(request)?;
    let code = query.required("code")?;
    if app.token_key()?.read(TokenKind::Code, code).is_none() {
        return Err(ApiError::bad_request(
            "invalid_grant",
            "the code is not one of this platform's",
        ));
    }
    let state = query
        .value("state")
        .map(|state| short(state, "state", STATE_CHARS_MAX))
        .transpose()?;
    let response = Response::from_json(&Granted { code, state })?;
    never_cached(&response)?;
    Ok(response)
}

/// `POST /oauth/token`: a code or a refresh token for new tokens.
pub(super) async fn token(app: &App, request: &mut Request) -> ApiResult<Response> {
    let asked = read_token_request(request).await?;
    match asked.grant_type.as_deref() {
        Some("authorization_code") => exchange(app, asked).await,
        Some("refresh_token") => renew(app, asked).await,
        Some(_) => Err(ApiError::bad_request(
            "unsupported_grant_type",
            "grant_type must be authorization_code or refresh_token",
        )),
        None => Err(missing("grant_type")),
    }
}

/// `POST /oauth/refresh`: a refresh token for new tokens.
pub(super) async fn refresh(app: &App, request: &mut Request) -> ApiResult<Response> {
    let asked = read_token_request(request).await?;
    renew(app, asked).await
}

/// `GET /oauth/session`
pub(super) async fn session(app: &App, request: &Request) -> ApiResult<Response> {
    #[derive(Serialize)]
    struct Session<'a> {
        user: User<'a>,
        /// Seconds until the access token ends.
        expires_in: u64,
    }
    let signed_in = auth::signed_in(app, request).await?;
    let response = Response::from_json(&Session {
        user: User {
            id: signed_in.user.as_str(),
            tenant: signed_in.session.tenant.as_str(),
        },
        expires_in: seconds_left(&signed_in.session),
    })?;
    never_cached(&response)?;
    Ok(response)
}

/// `POST /oauth/logout`
pub(super) async fn logout(app: &App, request: &Request) -> ApiResult<Response> {
    let claim = auth::claim(app, request)?;
    let _: Done = app
        .call(
            ObjectClass::Session,
            &auth::session_name(&claim.user),
            Operation::post("/logout", auth::proof(&claim)),
        )
        .await?;
    let response = Response::empty()?.with_status(204);
    response.headers().set(
        "Set-Cookie",
        &format!(
            "{}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0",
            auth::COOKIE
        ),
    )?;
    Ok(response)
}

async fn exchange(app: &App, asked: TokenRequest) -> ApiResult<Response> {
    let code = asked.code.ok_or_else(|| missing("code"))?;
    let key = app.token_key()?;
    let claim = key
        .read(TokenKind::Code, &code)
        .ok_or_else(|| not_ours("the code"))?;
    let tokens = Tokens::issue(&key, &claim.user)?;
    let session: SessionInfo = app
        .call(
            ObjectClass::Session,
            &auth::session_name(&claim.user),
            Operation::post(
                "/exchange",
                Exchange {
                    code: auth::proof(&claim),
                    client: asked.client_id,
                    redirect_uri: asked.redirect_uri,
                    session: tokens.digests(),
                },
            ),
        )
        .await?;
    tokens.answer(app, &claim.user, &session)
}

async fn renew(app: &App, asked: TokenRequest) -> ApiResult<Response> {
    let token = asked
        .refresh_token
        .ok_or_else(|| missing("refresh_token"))?;
    let key = app.token_key()?;
    let claim = key
        .read(TokenKind::Refresh, &token)
        .ok_or_else(|| not_ours("the refresh token"))?;
    let tokens = Tokens::issue(&key, &claim.user)?;
    let session: SessionInfo = app
        .call(
            ObjectClass::Session,
            &auth::session_name(&claim.user),
            Operation::post(
                "/renew",
                Renewal {
                    refresh: auth::proof(&claim),
                    session: tokens.digests(),
                },
            ),
        )
        .await?;
    tokens.answer(app, &claim.user, &session)
}

/// The two tokens of a session; both name the same grant.
struct Tokens {
    access: (String, Claim),
    refresh: (String, Claim),
}

impl Tokens {
    fn issue(key: &TokenKey, user: &UserId) -> ApiResult<Self> {
        let for_access = token_bytes()?;
        let mut for_refresh = token_bytes()?;
        // The grant's name comes first in both.
        for (to, from) in for_refresh.iter_mut().zip(for_access).take(9) {
            *to = from;
        }
        Ok(Self {
            access: key.issue(TokenKind::Access, user, &for_access),
            refresh: key.issue(TokenKind::Refresh, user, &for_refresh),
        })
    }

    fn digests(&self) -> NewSession {
        NewSession {
            grant: self.access.1.grant.clone(),
            access: self.access.1.digest.clone(),
            refresh: self.refresh.1.digest.clone(),
        }
    }

    fn answer(&self, app: &App, user: &UserId, session: &SessionInfo) -> ApiResult<Response> {
        let expires_in = seconds_left(session);
        let response = Response::from_json(&TokenAnswer {
            access_token: &self.access.0,
            refresh_token: &self.refresh.0,
            token_type: "Bearer",
            expires_in,
            user: User {
                id: user.as_str(),
                tenant: session.tenant.as_str(),
            },
        })?;
        // Local development has no TLS.
        let secure = if app.is_local() { "" } else { "; Secure" };
        response.headers().set(
            "Set-Cookie",
            &format!(
                "{}={}; Path=/; HttpOnly; SameSite=Lax; Max-Age={expires_in}{secure}",
                auth::COOKIE,
                self.access.0
            ),
        )?;
        never_cached(&response)?;
        Ok(response)
    }
}

async fn read_token_request(request: &mut Request) -> ApiResult<TokenRequest> {
    let content_type = request.headers().get("Content-Type")?.unwrap_or_default();
    let bytes = body::read(request, JSON_BYTES_MAX).await?;
    if !content_type
        .to_ascii_lowercase()
        .starts_with("application/x-www-form-urlencoded")
    {
        return parse_json(&bytes);
    }
    let form = Query::parse(&String::from_utf8_lossy(&bytes));
    let field = |name| form.value(name).map(str::to_owned);
    Ok(TokenRequest {
        grant_type: field("grant_type"),
        code: field("code"),
        refresh_token: field("refresh_token"),
        client_id: field("client_id"),
        redirect_uri: field("redirect_uri"),
    })
}

fn seconds_left(session: &SessionInfo) -> u64 {
    session.access_expires_ms.saturating_sub(now_whole_ms()) / 1_000
}

fn never_cached(response: &Response) -> ApiResult<()> {
    response.headers().set("Cache-Control", "no-store")?;
    Ok(())
}

fn missing(what: &str) -> ApiError {
    ApiError::bad_request("invalid_request", format!("{what} is missing"))
}

fn not_ours(what: &str) -> ApiError {
    ApiError::bad_request(
        "invalid_grant",
        format!("{what} is not one of this platform's"),
    )
}

fn short<'a>(text: &'a str, what: &str, chars_max: usize) -> ApiResult<&'a str> {
    if text.chars().count() <= chars_max {
        Ok(text)
    } else {
        Err(ApiError::bad_request(
            "invalid_request",
            format!("{what} has more than {chars_max} characters"),
        ))
    }
}
