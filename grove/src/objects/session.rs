//! `SessionDO`, named `session:{userId}`: one user's authorization codes and sessions.
//!
//! The object knows digests only, never a token. Times are Unix milliseconds.
//! - `GET /`: how many codes and sessions are open.
//! - `POST /codes` ([`NewCode`]): keeps a code until it is exchanged or expires.
//! - `POST /exchange` ([`Exchange`]): turns a code into a session, once.
//! - `POST /verify` ([`Proof`]): the session of an access token, or 401.
//! - `POST /renew` ([`Renewal`]): new tokens for a session; the old ones end.
//! - `POST /logout` ([`Proof`]): ends the session of an access token, or 401.
//!
//! Invariant: a code is exchanged at most once and a refresh token used at most once, also when
//! two requests try at the same moment; at most 32 codes and 32 sessions are kept, the newest.

#![expect(
    missing_docs,
    reason = "the macro of the object class adds public methods without comments"
)]

use serde::{Deserialize, Serialize};
use worker::{DurableObject, Env, Method, Request, Response, Result, State, durable_object};

use crate::app::now_whole_ms;
use crate::error::{ApiError, ApiResult};
use crate::input::TenantName;
use crate::objects::entries;
use crate::objects::host::{Answer, Call, Host, answer, number};
use crate::token::same_digest;

/// How long a code may wait for its exchange: 5 minutes.
const CODE_MS: u64 = 300_000;
/// How long an access token is good: 1 hour.
const ACCESS_MS: u64 = 3_600_000;
/// How long a refresh token is good: 30 days.
const REFRESH_MS: u64 = 30 * 86_400_000;

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS codes (
  name TEXT PRIMARY KEY, digest TEXT NOT NULL, tenant TEXT NOT NULL, client TEXT NOT NULL,
  redirect_uri TEXT NOT NULL, expires_ms INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS sessions (
  name TEXT PRIMARY KEY, access TEXT NOT NULL, refresh TEXT NOT NULL, tenant TEXT NOT NULL,
  created_ms INTEGER NOT NULL, access_expires_ms INTEGER NOT NULL,
  refresh_expires_ms INTEGER NOT NULL
);
";

/// A code that was given to a browser.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct NewCode {
    /// Names the code.
    pub(crate) grant: String,
    /// Digest of its secret.
    pub(crate) digest: String,
    /// For which tenant the user signs in.
    pub(crate) tenant: TenantName,
    /// Which application asked.
    pub(crate) client: String,
    /// Where the browser was sent.
    pub(crate) redirect_uri: String,
}

/// Shows that the sender has a token.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Proof {
    /// Names the session.
    pub(crate) grant: String,
    /// Digest of the token's secret.
    pub(crate) digest: String,
}

/// The digests of a session's tokens.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct NewSession {
    /// Names the session.
    pub(crate) grant: String,
    /// Digest of the access token.
    pub(crate) access: String,
    /// Digest of the refresh token.
    pub(crate) refresh: String,
}

/// A code for a session.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Exchange {
    /// The code.
    pub(crate) code: Proof,
    /// Must be the one that asked, if given.
    pub(crate) client: Option<String>,
    /// Must be where the browser was sent, if given.
    pub(crate) redirect_uri: Option<String>,
    /// The session to open.
    pub(crate) session: NewSession,
}

/// New tokens for a session.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Renewal {
    /// The refresh token.
    pub(crate) refresh: Proof,
    /// The new digests; the session keeps its name.
    pub(crate) session: NewSession,
}

/// A session that holds.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SessionInfo {
    /// For which tenant the user signed in.
    pub(crate) tenant: TenantName,
    /// When the user signed in.
    pub(crate) created_ms: u64,
    /// When the access token ends.
    pub(crate) access_expires_ms: u64,
}

/// How much is open.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct OpenSession {
    /// Codes that wait for their exchange.
    pub(crate) codes: u64,
    /// Sessions.
    pub(crate) sessions: u64,
}

/// A change that was made.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Done {}

#[derive(Debug, Deserialize)]
struct CodeRow {
    digest: String,
    tenant: String,
    client: String,
    redirect_uri: String,
    expires_ms: u64,
}

#[derive(Debug, Deserialize)]
struct SessionRow {
    access: String,
    refresh: String,
    tenant: String,
    created_ms: u64,
    access_expires_ms: u64,
    refresh_expires_ms: u64,
}

impl SessionRow {
    fn info(&self) -> ApiResult<SessionInfo> {
        Ok(SessionInfo {
            tenant: TenantName::parse(&self.tenant)?,
            created_ms: self.created_ms,
            access_expires_ms: self.access_expires_ms,
        })
    }
}

/// Holds the sessions of one user.
#[durable_object]
pub struct SessionDO {
    host: Host,
}

impl DurableObject for SessionDO {
    fn new(state: State, _env: Env) -> Self {
        Self {
            host: Host::new(&state, "SessionDO", SCHEMA),
        }
    }

    async fn fetch(&self, request: Request) -> Result<Response> {
        self.host
            .serve(request, async |call| self.dispatch(&call))
            .await
    }
}

impl SessionDO {
    fn dispatch(&self, call: &Call) -> ApiResult<Answer> {
        match (&call.method, call.path.as_str()) {
            (Method::Get, "/") => answer(&self.open()?),
            (Method::Post, "/entries") => entries::append(&self.host, call),
            (Method::Post, "/codes") => answer(&self.keep_code(&call.json()?)?),
            (Method::Post, "/exchange") => answer(&self.exchange(&call.json()?)?),
            (Method::Post, "/verify") => answer(&self.verify(&call.json()?)?),
            (Method::Post, "/renew") => answer(&self.renew(&call.json()?)?),
            (Method::Post, "/logout") => answer(&self.logout(&call.json()?)?),
            _ => call.unknown(),
        }
    }

    fn open(&self) -> ApiResult<OpenSession> {
        let now = number(now_whole_ms());
        self.host
            .row(
                "SELECT (SELECT COUNT(*) FROM codes WHERE expires_ms > ?1) AS codes, \
                 (SELECT COUNT(*) FROM sessions WHERE refresh_expires_ms > ?1) AS sessions",
                vec![now],
            )
            .map(|row| {
                row.unwrap_or(OpenSession {
                    codes: 0,
                    sessions: 0,
                })
            })
    }

    fn keep_code(&self, code: &NewCode) -> ApiResult<Done> {
        let now_ms = now_whole_ms();
        self.host.run(
            "INSERT OR IGNORE INTO codes (name, digest, tenant, client, redirect_uri, expires_ms) \
             VALUES (?, ?, ?, ?, ?, ?)",
            vec![
                code.grant.as_str().into(),
                code.digest.as_str().into(),
                code.tenant.as_str().into(),
                code.client.as_str().into(),
                code.redirect_uri.as_str().into(),
                number(now_ms + CODE_MS),
            ],
        )?;
        self.host.run(
            "DELETE FROM codes WHERE expires_ms <= ? OR name NOT IN \
             (SELECT name FROM codes ORDER BY expires_ms DESC, rowid DESC LIMIT 32)",
            vec![number(now_ms)],
        )?;
        Ok(Done {})
    }

    fn exchange(&self, exchange: &Exchange) -> ApiResult<SessionInfo> {
        let now_ms = now_whole_ms();
        let row: Option<CodeRow> = self.host.row(
            "SELECT digest, tenant, client, redirect_uri, expires_ms FROM codes WHERE name = ?",
            vec![exchange.code.grant.as_str().into()],
        )?;
        let matches =
            |given: &Option<String>, kept: &str| given.as_deref().is_none_or(|given| given == kept);
        let code = row
            .filter(|code| {
                same_digest(&code.digest, &exchange.code.digest)
                    && code.expires_ms > now_ms
                    && matches(&exchange.client, &code.client)
                    && matches(&exchange.redirect_uri, &code.redirect_uri)
            })
            .ok_or_else(|| invalid_grant("the code"))?;
        let info = SessionInfo {
            tenant: TenantName::parse(&code.tenant)?,
            created_ms: now_ms,
            access_expires_ms: now_ms + ACCESS_MS,
        };
        self.host.run(
            "DELETE FROM codes WHERE name = ?",
            vec![exchange.code.grant.as_str().into()],
        )?;
        self.host.run(
            "INSERT OR REPLACE INTO sessions (name, access, refresh, tenant, created_ms, \
             access_expires_ms, refresh_expires_ms) VALUES (?, ?, ?, ?, ?, ?, ?)",
            vec![
                exchange.session.grant.as_str().into(),
                exchange.session.access.as_str().into(),
                exchange.session.refresh.as_str().into(),
                info.tenant.as_str().into(),
                number(now_ms),
                number(info.access_expires_ms),
                number(now_ms + REFRESH_MS),
            ],
        )?;
        self.host.run(
            "DELETE FROM sessions WHERE refresh_expires_ms <= ? OR name NOT IN \
             (SELECT name FROM sessions ORDER BY created_ms DESC, rowid DESC LIMIT 32)",
            vec![number(now_ms)],
        )?;
        Ok(info)
    }

    fn verify(&self, proof: &Proof) -> ApiResult<SessionInfo> {
        self.session(&proof.grant)?
            .filter(|session| {
                same_digest(&session.access, &proof.digest)
                    && session.access_expires_ms > now_whole_ms()
            })
            .ok_or_else(|| ApiError::unauthorized("the session has ended"))?
            .info()
    }

    fn renew(&self, renewal: &Renewal) -> ApiResult<SessionInfo> {
        let now_ms = now_whole_ms();
        let mut session = self
            .session(&renewal.refresh.grant)?
            .filter(|session| {
                same_digest(&session.refresh, &renewal.refresh.digest)
                    && session.refresh_expires_ms > now_ms
            })
            .ok_or_else(|| invalid_grant("the refresh token"))?;
        session.access_expires_ms = now_ms + ACCESS_MS;
        self.host.run(
            "UPDATE sessions SET name = ?, access = ?, refresh = ?, access_expires_ms = ?, \
             refresh_expires_ms = ? WHERE name = ?",
            vec![
                renewal.session.grant.as_str().into(),
                renewal.session.access.as_str().into(),
                renewal.session.refresh.as_str().into(),
                number(session.access_expires_ms),
                number(now_ms + REFRESH_MS),
                renewal.refresh.grant.as_str().into(),
            ],
        )?;
        session.info()
    }

    fn logout(&self, proof: &Proof) -> ApiResult<Done> {
        self.verify(proof)?;
        self.host.run(
            "DELETE FROM sessions WHERE name = ?",
            vec![proof.grant.as_str().into()],
        )?;
        Ok(Done {})
    }

    fn session(&self, name: &str) -> ApiResult<Option<SessionRow>> {
        self.host.row(
            "SELECT access, refresh, tenant, created_ms, access_expires_ms, refresh_expires_ms \
             FROM sessions WHERE name = ?",
            vec![name.into()],
        )
    }
}

fn invalid_grant(what: &str) -> ApiError {
    ApiError::bad_request(
        "invalid_grant",
        format!("{what} is unknown, used, expired or meant for another client"),
    )
}
