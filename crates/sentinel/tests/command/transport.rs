//! What lies between a user and its answer: protocols, encryption, encodings, proxies, and the time each takes.

use std::net::TcpListener;
use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, IsCa, date_time_ymd};
use serde_json::{Value, json};

use crate::lab::{Ended, Lab};
use crate::proxy::Proxy;
use crate::server::Server;

/// A scenario of 20 requests by 2 users, whose answers must say this at `$.version`.
fn expecting(lab: &Lab, url: &str, version: &str) -> PathBuf {
    let scenario = lab.scenario(url, |scenario| {
        scenario["load"] = json!({"vus": 2, "iterations": 20});
    });
    lab.write(
        "applications/visit.json",
        &json!({"name": "visit", "steps": [{
            "name": "get",
            "request": {"method": "GET", "url": url},
            "expect": {"status": [200], "checks": [
                {"name": "version", "on": "$.version", "equals": version, "required": true}
            ]},
        }]}),
    );
    scenario
}

fn assert_passed(ended: &Ended, what: &str) {
    assert_eq!(ended.code, 0, "{what}: {} {}", ended.err, ended.out);
    ended.assert_balanced();
    assert_eq!(ended.ledger("answered"), 20, "{what}");
    assert_eq!(
        ended.summary["checks"][0]["passes"], 20,
        "{what}: {}",
        ended.out
    );
}

fn part(ended: &Ended, part: &str, value: &str) -> f64 {
    let value = &ended.summary["requestParts"][part][value];
    value
        .as_f64()
        .unwrap_or_else(|| panic!("{part} in {}", ended.summary["requestParts"]))
}

#[test]
fn the_protocol_is_what_the_server_chooses_or_what_was_asked_for() {
    let lab = Lab::new();
    let certificate = lab.path("trusted.pem");
    let encrypted = Server::encrypted(&certificate);
    let encrypted = format!("https://localhost:{}", encrypted.address.port());
    let trusted = certificate.to_str().expect("text");
    let plain = Server::plain();
    let plain = format!("http://localhost:{}", plain.address.port());
    for (base_url, options, version) in [
        (&encrypted, &["--cacert", trusted][..], "HTTP/2.0"),
        (&encrypted, &["--insecure-skip-tls-verify"], "HTTP/2.0"),
        (&encrypted, &["--cacert", trusted, "--http1.1"], "HTTP/1.1"),
        (&plain, &[], "HTTP/1.1"),
        (&plain, &["--http2-prior-knowledge"], "HTTP/2.0"),
        (
            &plain,
            &["--http2-prior-knowledge", "--no-connection-reuse"],
            "HTTP/2.0",
        ),
    ] {
        let scenario = expecting(&lab, "/", version);
        let ended = lab.run(&scenario, &[&["--base-url", base_url], options].concat());
        assert_passed(&ended, &format!("{base_url} {options:?}"));
    }
    // Nobody has signed the certificate.
    let scenario = expecting(&lab, "/", "HTTP/2.0");
    let ended = lab.run(&scenario, &["--base-url", &encrypted]);
    assert_eq!(ended.errors("tls"), 20, "{}", ended.summary["steps"]);
}

#[test]
fn a_certificate_that_a_server_has_signed_itself_is_trusted_if_it_is_given() {
    let lab = Lab::new();
    let authority = IsCa::Ca(BasicConstraints::Unconstrained); // as `openssl req -x509` makes them
    let certificate_of = |name: &str, is_ca: IsCa| {
        let mut params = CertificateParams::new([name.to_owned()]).expect("a name");
        params.is_ca = is_ca;
        params
    };
    let is = |is_ca| certificate_of("localhost", is_ca);
    let mut long_ago = is(authority);
    long_ago.not_before = date_time_ymd(1990, 1, 1);
    long_ago.not_after = date_time_ymd(1991, 1, 1);
    let elsewhere = certificate_of("elsewhere.test", authority);
    let scenario = expecting(&lab, "/", "HTTP/2.0");
    for (what, params, is_trusted) in [
        ("no word about it", is(IsCa::NoCa), true),
        ("no authority", is(IsCa::ExplicitNoCa), true),
        ("an authority", is(authority), true),
        ("long expired", long_ago, false),
        ("for another name", elsewhere, false),
    ] {
        let certificate = lab.path("certificate.pem");
        let server = Server::certified(params, &certificate);
        let url = format!("https://localhost:{}", server.address.port());
        let trusted = certificate.to_str().expect("text");
        let ended = lab.run(&scenario, &["--base-url", &url, "--cacert", trusted]);
        if is_trusted {
            assert_passed(&ended, what);
        } else {
            assert_eq!(
                ended.errors("tls"),
                20,
                "{what}: {}",
                ended.summary["steps"]
            );
        }
        // Another one of the same names is not the one that was given.
        let other = lab.path("other.pem");
        let _other = Server::encrypted(&other);
        let other = other.to_str().expect("text");
        let ended = lab.run(&scenario, &["--base-url", &url, "--cacert", other]);
        assert_eq!(
            ended.errors("tls"),
            20,
            "{what}: {}",
            ended.summary["steps"]
        );
    }
}

#[test]
fn encoded_bodies_are_decoded_for_checks_and_counted_as_they_came() {
    let lab = Lab::new();
    let server = Server::plain();
    let base_url = format!("http://{}", server.address);
    let bytes = |ended: &Ended| -> u64 {
        let received = &ended.summary["applicationResults"]["visit"]["bytesReceived"];
        received.as_u64().expect("a number")
    };
    for encoding in ["/gzip", "/deflate", "/zstd"] {
        let scenario = expecting(&lab, encoding, "HTTP/1.1");
        let ended = lab.run(&scenario, &["--base-url", &base_url]);
        assert_passed(&ended, encoding);
        assert!(bytes(&ended) < 20 * 2_000, "{encoding}: {}", bytes(&ended));
    }
    let scenario = expecting(&lab, "/identity", "HTTP/1.1");
    let ended = lab.run(&scenario, &["--base-url", &base_url]);
    assert!(bytes(&ended) > 20 * 4_000, "{}", bytes(&ended));
    let scenario = expecting(&lab, "/br", "HTTP/1.1");
    let ended = lab.run(&scenario, &["--base-url", &base_url]);
    assert_eq!(ended.errors("protocol"), 20, "it is not what it says to be");
}

#[test]
fn requests_go_through_a_proxy() {
    let lab = Lab::new();
    let certificate = lab.path("trusted.pem");
    let encrypted = Server::encrypted(&certificate);
    let encrypted = format!("https://localhost:{}", encrypted.address.port());
    let plain = Server::plain();
    let plain = format!("http://{}", plain.address);
    let trusted = certificate.to_str().expect("text");
    for (base_url, version, begins) in [
        (&plain, "HTTP/1.1", format!("GET {plain}/ HTTP/1.1")),
        (
            &encrypted,
            "HTTP/2.0",
            format!(
                "CONNECT {} HTTP/1.1",
                encrypted.trim_start_matches("https://")
            ),
        ),
    ] {
        let proxy = Proxy::start();
        let url = format!("http://ann:secret@{}", proxy.address);
        let scenario = expecting(&lab, "/", version);
        let options = ["--base-url", base_url, "--cacert", trusted, "--proxy", &url];
        assert_passed(&lab.run(&scenario, &options), base_url);
        let heads = proxy.heads();
        assert_eq!(heads.len(), 2, "a connection for each user: {heads:?}");
        for head in heads {
            assert!(head.starts_with(&begins), "{head}");
            let head = head.to_ascii_lowercase();
            assert!(
                head.contains("proxy-authorization: basic yw5uonnly3jlda=="),
                "{head}"
            );
        }
    }
    // Those of the environment are not for this machine's own addresses.
    let proxy = Proxy::start();
    let scenario = expecting(&lab, "/", "HTTP/1.1");
    let mut command = lab.command();
    command.env("HTTP_PROXY", format!("http://{}", proxy.address));
    command
        .arg("run")
        .arg(&scenario)
        .args(["--base-url", &plain]);
    command.args(["--out", &lab.summary_output()]);
    assert_passed(&lab.ended(command.output().expect("it runs")), "loopback");
    assert_eq!(proxy.heads(), [""; 0]);
}

#[test]
fn a_proxy_that_does_not_connect_is_a_failed_connection() {
    let lab = Lab::new();
    let scenario = expecting(&lab, "/", "HTTP/1.1");
    let proxy = Proxy::start();
    let url = format!("http://{}", proxy.address);
    // Nobody listens where the proxy is asked to connect to.
    let options = ["--base-url", "https://localhost:1", "--proxy", &url];
    let ended = lab.run(&scenario, &options);
    assert_eq!(ended.errors("connect"), 20, "{}", ended.summary["steps"]);
}

#[test]
fn a_handshake_that_never_ends_is_given_up() {
    let lab = Lab::new();
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = silent.local_addr().expect("an address");
    let base_url = format!("https://localhost:{}", address.port());
    let scenario = lab.scenario("/", |scenario| {
        scenario["load"] = json!({"vus": 1, "iterations": 2});
    });
    let ended = lab.run(
        &scenario,
        &["--base-url", &base_url, "--connect-timeout", "100ms"],
    );
    assert_eq!(ended.errors("tls"), 2, "{}", ended.summary["steps"]);
}

#[test]
fn the_parts_of_a_requests_time_are_told_apart() {
    let lab = Lab::new();
    let scenario = lab.scenario("/delay?ms=20", |scenario| {
        scenario["thresholds"] = json!({
            "http_req_waiting{name:get}": ["max>=0"],
            "http_req_duration": ["min>=20"],
            "http_req_connecting": ["max>=0"],
            "http_req_tls_handshaking": ["max==0"],
        });
    });
    let ended = lab.run(
        &scenario,
        &["--no-connection-reuse", "--summary-mode", "full"],
    );
    assert_eq!(ended.code, 0, "{}", ended.err);
    for name in [
        "blocked",
        "lookingUp",
        "connecting",
        "tlsHandshaking",
        "sending",
        "waiting",
        "receiving",
        "exchange",
    ] {
        assert_eq!(part(&ended, name, "total"), 30.0, "{name}");
    }
    // The answer may be on its way before this process learns that its request is: only the whole has a lower bound.
    assert!(part(&ended, "exchange", "min") >= 20.0);
    assert!(part(&ended, "exchange", "max") >= part(&ended, "waiting", "max"));
    assert!(part(&ended, "connecting", "min") > 0.0);
    assert!(part(&ended, "blocked", "max") >= part(&ended, "connecting", "max"));
    for shown in [
        "http_req_waiting",
        "http_req_connecting",
        "http_req_tls_handshaking",
    ] {
        assert!(ended.out.contains(shown), "{shown} in {}", ended.out);
    }
    let ended = lab.run(&scenario, &[]);
    assert_eq!(
        part(&ended, "connecting", "p50"),
        0.0,
        "connections are used again"
    );
}

#[test]
fn a_user_says_who_it_is() {
    let lab = Lab::new();
    let server = Server::plain();
    let base_url = format!("http://{}", server.address);
    let scenario = lab.scenario("/", |scenario| {
        scenario["load"] = json!({"vus": 1, "iterations": 1});
    });
    let application = |headers: Value, agent: &str| {
        json!({"name": "visit", "steps": [{
            "name": "get",
            "request": {"method": "GET", "url": "/", "headers": headers},
            "expect": {"status": [200], "checks": [
                {"name": "agent", "on": "$.agent", "equals": agent, "required": true}
            ]},
        }]})
    };
    for (headers, agent) in [
        (json!({}), "agent/1"),
        (json!({"user-agent": "own/2"}), "own/2"),
    ] {
        lab.write("applications/visit.json", &application(headers, agent));
        let ended = lab.run(
            &scenario,
            &["--base-url", &base_url, "--user-agent", "agent/1"],
        );
        assert_eq!(ended.code, 0, "{agent}: {}", ended.out);
        assert_eq!(ended.summary["checks"][0]["passes"], 1, "{agent}");
    }
}

#[test]
fn connections_can_be_kept_for_an_iteration_only() {
    let lab = Lab::new();
    let scenario = lab.scenario("/ok", |scenario| {
        scenario["load"] = json!({"vus": 2, "iterations": 10});
    });
    let step = |name: &str| json!({"name": name, "request": {"method": "GET", "url": "/ok"}, "expect": {"status": [200]}});
    lab.write(
        "applications/visit.json",
        &json!({"name": "visit", "steps": [step("one"), step("two"), step("three")]}),
    );
    let ended = lab.run(&scenario, &["--no-vu-connection-reuse"]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert_eq!(ended.ledger("answered"), 30);
    assert_eq!(
        lab.target.stats().connections_opened,
        10,
        "one for each iteration"
    );
}
