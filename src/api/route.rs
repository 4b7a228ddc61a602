//! Which request is for what.

use uuid::Uuid;

/// Where the API lives.
pub(crate) const BASE: &str = "/api/loadtest";

/// Where a coordinator reaches its batches: for anybody without its token it does not exist.
pub(crate) const BATCH_PATH: &str = "/internal/batch";

/// What a request is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// `GET health`
    Health,
    /// `GET scenarios`
    Scenarios,
    /// `GET scenarios/:name`
    Scenario(String),
    /// `GET runs`
    Runs,
    /// `POST runs`
    Start,
    /// `GET runs/:id` and what is below it
    Run(RunId, View),
    /// `POST runs/:id/cancel`
    Cancel(RunId),
    /// `GET runs/:id/stream`
    Stream(RunId),
    /// `GET openapi.json`
    OpenApi,
    /// `GET metrics`
    Metrics,
    /// `GET stop`
    StopState,
    /// `POST stop`
    StopAll,
    /// `DELETE stop`
    LiftStop,
}

/// What is asked about a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum View {
    /// The run itself.
    Run,
    /// Its time line.
    Metrics,
    /// Its bottlenecks.
    Bottlenecks,
    /// Its results by application.
    Apps,
    /// Its assertions.
    Assertions,
    /// All times of its steps.
    Histograms,
}

/// The identifier of a run: a UUID in its usual form, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RunId(String);

impl RunId {
    /// The identifier as text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a request is for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoRoute {
    /// There is nothing at this path.
    Unknown,
    /// There is something, but not for this method; the accepted methods follow.
    Method(&'static str),
    /// What stands in the place of a run's identifier is none.
    Id,
}

/// Finds the route of a request whose path begins with [`BASE`]; `path` is the rest of it.
///
/// # Errors
/// Why there is none.
pub(crate) fn route(method: &str, path: &str) -> Result<Route, NoRoute> {
    let segments: Vec<&str> = path.strip_prefix('/').unwrap_or(path).split('/').collect();
    let reads = matches!(method, "GET" | "HEAD");
    let get = |found: Route| {
        if reads {
            Ok(found)
        } else {
            Err(NoRoute::Method("GET, HEAD"))
        }
    };
    match segments.as_slice() {
        ["health"] => get(Route::Health),
        ["scenarios"] => get(Route::Scenarios),
        ["scenarios", name] => get(Route::Scenario((*name).to_owned())),
        ["runs"] if reads => Ok(Route::Runs),
        ["runs"] if method == "POST" => Ok(Route::Start),
        ["runs"] => Err(NoRoute::Method("GET, HEAD, POST")),
        ["runs", id] => get(Route::Run(run_id(id)?, View::Run)),
        ["runs", id, "cancel"] if method == "POST" => Ok(Route::Cancel(run_id(id)?)),
        ["runs", _, "cancel"] => Err(NoRoute::Method("POST")),
        ["runs", id, "stream"] => get(Route::Stream(run_id(id)?)),
        ["openapi.json"] => get(Route::OpenApi),
        ["metrics"] => get(Route::Metrics),
        ["stop"] if reads => Ok(Route::StopState),
        ["stop"] if method == "POST" => Ok(Route::StopAll),
        ["stop"] if method == "DELETE" => Ok(Route::LiftStop),
        ["stop"] => Err(NoRoute::Method("GET, HEAD, POST, DELETE")),
        ["runs", id, view] => {
            let view = match *view {
                "metrics" => View::Metrics,
                "bottlenecks" => View::Bottlenecks,
                "apps" => View::Apps,
                "assertions" => View::Assertions,
                "histograms" => View::Histograms,
                _ => return Err(NoRoute::Unknown),
            };
            get(Route::Run(run_id(id)?, view))
        }
        _ => Err(NoRoute::Unknown),
    }
}

fn run_id(text: &str) -> Result<RunId, NoRoute> {
    // A UUID has other forms, with braces or without dashes; one run has one address.
    match Uuid::try_parse(text) {
        Ok(id) if text.len() == 36 => Ok(RunId(id.to_string())),
        _ => Err(NoRoute::Id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0b9f8f4e-7c67-4c4e-9f6e-1d2b3c4d5e6f";

    /// Every method and path below the base, with its route.
    fn addresses() -> Vec<(&'static str, String, Route)> {
        let id = || RunId(ID.to_owned());
        vec![
            ("GET", "/health".to_owned(), Route::Health),
            ("GET", "/scenarios".to_owned(), Route::Scenarios),
            (
                "GET",
                "/scenarios/x".to_owned(),
                Route::Scenario("x".to_owned()),
            ),
            ("GET", "/runs".to_owned(), Route::Runs),
            ("POST", "/runs".to_owned(), Route::Start),
            ("GET", format!("/runs/{ID}"), Route::Run(id(), View::Run)),
            (
                "GET",
                format!("/runs/{ID}/metrics"),
                Route::Run(id(), View::Metrics),
            ),
            (
                "GET",
                format!("/runs/{ID}/bottlenecks"),
                Route::Run(id(), View::Bottlenecks),
            ),
            (
                "GET",
                format!("/runs/{ID}/apps"),
                Route::Run(id(), View::Apps),
            ),
            (
                "GET",
                format!("/runs/{ID}/assertions"),
                Route::Run(id(), View::Assertions),
            ),
            (
                "GET",
                format!("/runs/{ID}/histograms"),
                Route::Run(id(), View::Histograms),
            ),
            ("POST", format!("/runs/{ID}/cancel"), Route::Cancel(id())),
            ("GET", format!("/runs/{ID}/stream"), Route::Stream(id())),
            ("GET", "/metrics".to_owned(), Route::Metrics),
            ("GET", "/openapi.json".to_owned(), Route::OpenApi),
            ("GET", "/stop".to_owned(), Route::StopState),
            ("POST", "/stop".to_owned(), Route::StopAll),
            ("DELETE", "/stop".to_owned(), Route::LiftStop),
        ]
    }

    #[test]
    fn each_address_has_its_route() {
        for (method, path, expected) in addresses() {
            assert_eq!(route(method, &path), Ok(expected), "{method} {path}");
        }
        assert_eq!(route("HEAD", "/health"), Ok(Route::Health));
        let shouted = format!("/runs/{}", ID.to_uppercase());
        let expected = Route::Run(RunId(ID.to_owned()), View::Run);
        assert_eq!(route("GET", &shouted), Ok(expected));
    }

    #[test]
    fn the_openapi_document_has_every_route_and_no_other() {
        let document: serde_json::Value =
            serde_json::from_str(include_str!("openapi.json")).expect("JSON");
        let paths = document["paths"].as_object().expect("paths");
        let mut documented = Vec::new();
        for (path, item) in paths {
            let methods = item.as_object().expect("an object").keys();
            for method in methods.filter(|key| *key != "parameters") {
                let path = path.replace("{id}", ID).replace("{name}", "x");
                let found = route(&method.to_uppercase(), &path);
                documented.push(found.unwrap_or_else(|none| panic!("{method} {path}: {none:?}")));
            }
        }
        let routes: Vec<Route> = addresses().into_iter().map(|(.., route)| route).collect();
        for route in &routes {
            assert!(documented.contains(route), "{route:?} is not documented");
        }
        assert_eq!(documented.len(), routes.len());
        assert_eq!(document["servers"][0]["url"], BASE);
        assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    }

    /// A new route must be documented: this match has to be extended first, then the list above.
    #[test]
    fn the_list_of_addresses_is_complete() {
        let place = |route: &Route| match route {
            Route::Health => 0,
            Route::Scenarios => 1,
            Route::Scenario(_) => 2,
            Route::Runs => 3,
            Route::Start => 4,
            Route::Run(_, View::Run) => 5,
            Route::Run(_, View::Metrics) => 6,
            Route::Run(_, View::Bottlenecks) => 7,
            Route::Run(_, View::Apps) => 8,
            Route::Run(_, View::Assertions) => 9,
            Route::Cancel(_) => 10,
            Route::Stream(_) => 11,
            Route::OpenApi => 12,
            Route::Metrics => 13,
            Route::StopState => 14,
            Route::StopAll => 15,
            Route::LiftStop => 16,
            Route::Run(_, View::Histograms) => 17,
        };
        let mut places: Vec<i32> = addresses().iter().map(|(.., route)| place(route)).collect();
        places.sort_unstable();
        assert_eq!(places, (0..18).collect::<Vec<_>>());
    }

    #[test]
    fn a_wrong_method_is_told_apart_from_a_wrong_path() {
        assert_eq!(
            route("PUT", "/runs"),
            Err(NoRoute::Method("GET, HEAD, POST"))
        );
        assert_eq!(
            route("GET", &format!("/runs/{ID}/cancel")),
            Err(NoRoute::Method("POST"))
        );
        assert_eq!(
            route("DELETE", &format!("/runs/{ID}")),
            Err(NoRoute::Method("GET, HEAD"))
        );
        assert_eq!(
            route("PUT", "/stop"),
            Err(NoRoute::Method("GET, HEAD, POST, DELETE"))
        );
        for path in ["", "/", "/run", "/runs/", "/health/", "/runs//metrics"] {
            assert!(route("GET", path).is_err(), "{path:?}");
        }
        assert_eq!(
            route("GET", &format!("/runs/{ID}/secrets")),
            Err(NoRoute::Unknown)
        );
    }

    #[test]
    fn only_a_uuid_in_its_usual_form_is_an_identifier() {
        for id in [
            "1",
            "..",
            "%2e%2e",
            "' OR 1=1 --",
            "0b9f8f4e7c674c4e9f6e1d2b3c4d5e6f",
            "{0b9f8f4e-7c67-4c4e-9f6e-1d2b3c4d5e6f}",
            "urn:uuid:0b9f8f4e-7c67-4c4e-9f6e-1d2b3c4d5e6f",
            "0b9f8f4e-7c67-4c4e-9f6e-1d2b3c4d5e6f'",
        ] {
            assert_eq!(
                route("GET", &format!("/runs/{id}")),
                Err(NoRoute::Id),
                "{id}"
            );
        }
    }
}
