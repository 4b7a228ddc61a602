//! Which endpoint a request is for.
//!
//! Invariant: the set of labels is fixed, so that counting by label takes bounded memory
//! whatever is asked for.

/// What a request is for, with the raw parts of its path; the handlers check those.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endpoint<'a> {
    Health,
    Stats,
    StatsReset,
    Objects,
    FaultsShow,
    FaultsSet,
    FaultsClear,
    Authorize,
    Callback,
    Token,
    Session,
    Refresh,
    Logout,
    Tenants,
    Tenant(&'a str),
    Posts(&'a str),
    PostCreate(&'a str),
    Post(&'a str, &'a str),
    React(&'a str, &'a str),
    Feed(&'a str),
    MediaUpload(&'a str),
    Media(&'a str, &'a str),
    Read(&'a str, &'a str),
    /// The path exists, under another method.
    WrongMethod,
    NotFound,
}

impl<'a> Endpoint<'a> {
    /// Finds the endpoint.
    pub(crate) fn find(method: &str, path: &'a str) -> Self {
        // No pattern has more than 6 segments, and none has an empty one.
        let segments: Vec<&str> = path.split('/').skip(1).take(8).collect();
        if segments.contains(&"") {
            return Self::NotFound;
        }
        match Self::exact(method, &segments) {
            Self::NotFound
                if ["GET", "POST", "DELETE"]
                    .iter()
                    .any(|other| Self::exact(other, &segments) != Self::NotFound) =>
            {
                Self::WrongMethod
            }
            found => found,
        }
    }

    fn exact(method: &str, segments: &[&'a str]) -> Self {
        match (method, segments) {
            ("GET", ["health"]) => Self::Health,
            ("GET", ["__stats"]) => Self::Stats,
            ("POST", ["__stats", "reset"]) => Self::StatsReset,
            ("GET", ["__objects"]) => Self::Objects,
            ("GET", ["__faults"]) => Self::FaultsShow,
            ("POST", ["__faults"]) => Self::FaultsSet,
            ("DELETE", ["__faults"]) => Self::FaultsClear,
            ("GET", ["oauth", "authorize"]) => Self::Authorize,
            ("GET", ["oauth", "callback"]) => Self::Callback,
            ("POST", ["oauth", "token"]) => Self::Token,
            ("GET", ["oauth", "session"]) => Self::Session,
            ("POST", ["oauth", "refresh"]) => Self::Refresh,
            ("POST", ["oauth", "logout"]) => Self::Logout,
            ("GET", ["api", "tenants"]) => Self::Tenants,
            ("GET", ["api", "tenants", tenant]) => Self::Tenant(tenant),
            ("GET", ["api", "tenants", tenant, "posts"]) => Self::Posts(tenant),
            ("POST", ["api", "tenants", tenant, "posts"]) => Self::PostCreate(tenant),
            ("GET", ["api", "tenants", tenant, "posts", id]) => Self::Post(tenant, id),
            ("POST", ["api", "tenants", tenant, "posts", id, "reactions"]) => {
                Self::React(tenant, id)
            }
            ("GET", ["api", "tenants", tenant, "feed"]) => Self::Feed(tenant),
            ("POST", ["api", "tenants", tenant, "media"]) => Self::MediaUpload(tenant),
            ("GET", ["api", "tenants", tenant, "media", key]) => Self::Media(tenant, key),
            ("GET", ["t", tenant, slug]) => Self::Read(tenant, slug),
            _ => Self::NotFound,
        }
    }

    /// The name under which requests are counted; `None` for the endpoints that are about
    /// Grove itself and count nowhere.
    pub(crate) fn label(self) -> Option<&'static str> {
        Some(match self {
            Self::Health
            | Self::Stats
            | Self::StatsReset
            | Self::Objects
            | Self::FaultsShow
            | Self::FaultsSet
            | Self::FaultsClear => return None,
            Self::Authorize => "GET /oauth/authorize",
            Self::Callback => "GET /oauth/callback",
            Self::Token => "POST /oauth/token",
            Self::Session => "GET /oauth/session",
            Self::Refresh => "POST /oauth/refresh",
            Self::Logout => "POST /oauth/logout",
            Self::Tenants => "GET /api/tenants",
            Self::Tenant(_) => "GET /api/tenants/:tenant",
            Self::Posts(_) => "GET /api/tenants/:tenant/posts",
            Self::PostCreate(_) => "POST /api/tenants/:tenant/posts",
            Self::Post(..) => "GET /api/tenants/:tenant/posts/:id",
            Self::React(..) => "POST /api/tenants/:tenant/posts/:id/reactions",
            Self::Feed(_) => "GET /api/tenants/:tenant/feed",
            Self::MediaUpload(_) => "POST /api/tenants/:tenant/media",
            Self::Media(..) => "GET /api/tenants/:tenant/media/:key",
            Self::Read(..) => "GET /t/:tenant/:slug",
            Self::WrongMethod | Self::NotFound => "unmatched",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_find_their_endpoints() {
        assert_eq!(
            Endpoint::find("GET", "/api/tenants/oak/posts/7"),
            Endpoint::Post("oak", "7")
        );
        assert_eq!(
            Endpoint::find("POST", "/api/tenants/oak/posts/7/reactions"),
            Endpoint::React("oak", "7")
        );
        assert_eq!(Endpoint::find("GET", "/health"), Endpoint::Health);
    }

    #[test]
    fn a_wrong_method_differs_from_a_wrong_path() {
        assert_eq!(
            Endpoint::find("PUT", "/api/tenants/oak/posts"),
            Endpoint::WrongMethod
        );
        for path in ["", "/", "/api/tenants/oak/posts/", "/api//posts", "/x"] {
            assert_eq!(Endpoint::find("GET", path), Endpoint::NotFound, "{path}");
        }
        let deep = "/api/tenants/oak/posts/7".to_owned() + &"/x".repeat(10_000);
        assert_eq!(Endpoint::find("GET", &deep), Endpoint::NotFound);
    }

    #[test]
    fn only_requests_about_grove_itself_are_not_counted() {
        for (method, path) in [
            ("GET", "/health"),
            ("GET", "/__stats"),
            ("POST", "/__stats/reset"),
            ("POST", "/__faults"),
        ] {
            assert_eq!(Endpoint::find(method, path).label(), None, "{path}");
        }
        assert_eq!(Endpoint::find("GET", "/x").label(), Some("unmatched"));
        assert_eq!(Endpoint::find("PUT", "/health").label(), Some("unmatched"));
    }
}
