//! Who sends a request.
//!
//! Invariant: an object is asked only about tokens that carry this platform's signature.

use worker::Request;

use crate::app::{App, ObjectClass, Operation};
use crate::error::{ApiError, ApiResult};
use crate::input::{TenantName, UserId};
use crate::objects::{Proof, SessionInfo};
use crate::token::{Claim, TokenKind};

/// The cookie that carries the access token of a browser.
pub(crate) const COOKIE: &str = "session";

/// A request's valid session.
pub(crate) struct SignedIn {
    /// Who it is.
    pub(crate) user: UserId,
    /// What the session object knows.
    pub(crate) session: SessionInfo,
}

/// The session of the request's bearer token or cookie, or 401.
pub(crate) async fn signed_in(app: &App, request: &Request) -> ApiResult<SignedIn> {
    let claim = claim(app, request)?;
    let session = app
        .call(
            ObjectClass::Session,
            &session_name(&claim.user),
            Operation::post("/verify", proof(&claim)),
        )
        .await?;
    Ok(SignedIn {
        user: claim.user,
        session,
    })
}

/// The same, and 403 when the session is for another tenant.
pub(crate) async fn signed_in_to(
    app: &App,
    request: &Request,
    tenant: &TenantName,
) -> ApiResult<SignedIn> {
    let signed_in = signed_in(app, request).await?;
    if signed_in.session.tenant == *tenant {
        Ok(signed_in)
    } else {
        Err(ApiError::new(
            403,
            "wrong_tenant",
            format!(
                "the session is for the tenant \"{}\"",
                signed_in.session.tenant.as_str()
            ),
        ))
    }
}

/// What the request's token claims; its signature has been checked, its session has not.
pub(crate) fn claim(app: &App, request: &Request) -> ApiResult<Claim> {
    let headers = request.headers();
    let bearer = headers.get("Authorization")?;
    let cookies = headers.get("Cookie")?;
    let token = match &bearer {
        Some(value) => bearer_token(value),
        None => cookies.as_deref().and_then(cookie_token),
    };
    let token = token.ok_or_else(|| {
        ApiError::unauthorized("send an access token as \"Authorization: Bearer …\"")
    })?;
    app.token_key()?
        .read(TokenKind::Access, token)
        .ok_or_else(|| ApiError::unauthorized("the access token is not one of this platform's"))
}

/// What a session object needs to see of a claim.
pub(crate) fn proof(claim: &Claim) -> Proof {
    Proof {
        grant: claim.grant.clone(),
        digest: claim.digest.clone(),
    }
}

/// The object that holds a user's sessions.
pub(crate) fn session_name(user: &UserId) -> String {
    format!("session:{}", user.as_str())
}

fn bearer_token(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| token.trim())
        .filter(|token| !token.is_empty())
}

fn cookie_token(header: &str) -> Option<&str> {
    header
        .split(';')
        .filter_map(|cookie| cookie.trim().split_once('='))
        .find(|(name, _)| *name == COOKIE)
        .map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_found_in_headers() {
        assert_eq!(bearer_token("Bearer abc"), Some("abc"));
        assert_eq!(bearer_token("bearer  abc "), Some("abc"));
        for header in ["", "Bearer", "Bearer ", "Basic abc"] {
            assert_eq!(bearer_token(header), None, "{header}");
        }
        assert_eq!(cookie_token("a=1; session=xyz; b=2"), Some("xyz"));
        assert_eq!(cookie_token("mysession=xyz"), None);
    }
}
