//! Servers that nobody here wrote. Where one is not installed, its test says so and is skipped.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::lab::Lab;

/// A server that ends with its test.
pub(crate) struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It has nothing that could be lost.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The program of this name, if it is installed.
pub(crate) fn installed(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Where Debian keeps servers, which is not on everybody's search path.
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into()]);
    let found = folders
        .map(|folder| folder.join(name))
        .find(|file| file.is_file());
    if found.is_none() {
        eprintln!("SKIPPED: {name} is not installed, so nothing is tried against it");
    }
    found
}

/// Starts a server of Python's, whose first line says on which port it listens.
fn python(folder: &Path, arguments: &[&str]) -> Option<(Running, u16)> {
    Some(python_of(&installed("python3")?, folder, arguments))
}

/// As [`python`], with this Python.
pub(crate) fn python_of(python: &Path, folder: &Path, arguments: &[&str]) -> (Running, u16) {
    let mut child = Command::new(python)
        .arg("-u")
        .args(arguments)
        .current_dir(folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("Python starts");
    let out = child.stdout.take().expect("a pipe");
    let running = Running(child);
    let mut line = String::new();
    BufReader::new(out).read_line(&mut line).expect("a line");
    let mut numbers = line.split(|c: char| !c.is_ascii_digit());
    let port = numbers.rfind(|text| text.len() > 3).expect("a port");
    (running, port.parse().expect("a port"))
}

#[test]
fn pythons_http_server_has_a_connection_for_each_request() {
    let lab = Lab::new();
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("page.txt"), "hello").expect("a file");
    let serve = ["-m", "http.server", "0", "--bind", "127.0.0.1"];
    let Some((_server, port)) = python(folder.path(), &serve) else {
        return;
    };
    let scenario = lab.scenario("/page.txt", |scenario| {
        scenario["thresholds"] = json!({"http_req_failed": ["rate==0"]});
    });
    let base_url = format!("http://127.0.0.1:{port}");
    let ended = lab.run(&scenario, &["--base-url", &base_url]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    ended.assert_balanced();
    assert_eq!(ended.ledger("answered"), 30);
    let connecting = &ended.summary["requestParts"]["connecting"];
    assert!(
        connecting["min"].as_f64() > Some(0.0),
        "HTTP/1.0 keeps none: {connecting}"
    );
}

/// Closes three connections in ten after their answer, without having said so.
const CLOSES_AT_RANDOM: &str = r#"
import http.server, random
random.seed(1)
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
        self.close_connection = random.random() < 0.3
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print("port", server.server_port)
server.serve_forever()
"#;

#[test]
fn a_server_that_closes_at_random_costs_at_most_the_requests_it_met() {
    let lab = Lab::new();
    let folder = tempfile::tempdir().expect("a folder");
    let Some((_server, port)) = python(folder.path(), &["-c", CLOSES_AT_RANDOM]) else {
        return;
    };
    let scenario = lab.scenario("/", |scenario| {
        scenario["load"] = json!({"vus": 5, "iterations": 200});
    });
    let base_url = format!("http://127.0.0.1:{port}");
    let ended = lab.run(&scenario, &["--base-url", &base_url]);
    ended.assert_balanced();
    assert_eq!(ended.ledger("sent"), 200);
    // A request that was sent while the server closed is not sent again: nobody knows what became of it.
    let failed = ended.ledger("failed");
    assert_eq!(ended.errors("reset"), failed, "{}", ended.summary["steps"]);
    assert!(ended.ledger("answered") > 0);
}

#[test]
fn nginx_answers_in_gzip_and_ends_connections_when_it_likes() {
    let Some(nginx) = installed("nginx") else {
        return;
    };
    let lab = Lab::new();
    let folder = tempfile::tempdir().expect("a folder");
    // It cannot choose a port by itself.
    let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = free.local_addr().expect("an address");
    drop(free);
    let text = "hello ".repeat(500);
    let config = format!(
        "daemon off; master_process off; pid nginx.pid; error_log stderr;
         events {{}}
         http {{
            access_log off; gzip on; gzip_min_length 1; gzip_types *; default_type text/plain;
            keepalive_requests 7;
            client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
            uwsgi_temp_path uwsgi; scgi_temp_path scgi;
            server {{ listen {address}; location / {{ return 200 '{text}'; }} }}
         }}"
    );
    let path = folder.path().join("nginx.conf");
    fs::write(&path, config).expect("a file");
    let child = Command::new(nginx)
        .arg("-p")
        .arg(folder.path())
        .arg("-c")
        .arg(&path)
        .stderr(Stdio::null())
        .spawn()
        .expect("nginx starts");
    let mut server = Running(child);
    while TcpStream::connect(address).is_err() {
        let ended = server.0.try_wait().expect("its state");
        assert!(ended.is_none(), "nginx has ended: {ended:?}");
        thread::sleep(Duration::from_millis(10));
    }
    let scenario = lab.scenario("/", |_| {});
    lab.write(
        "applications/visit.json",
        &json!({"name": "visit", "steps": [{
            "name": "get",
            "request": {"method": "GET", "url": "/", "headers": {"accept-encoding": "gzip"}},
            "expect": {"status": [200], "checks": [
                {"name": "whole", "on": "body", "equals": text, "required": true}
            ]},
        }]}),
    );
    let base_url = format!("http://{address}");
    let ended = lab.run(&scenario, &["--base-url", &base_url]);
    assert_eq!(ended.code, 0, "{} {}", ended.err, ended.out);
    ended.assert_balanced();
    assert_eq!(ended.ledger("answered"), 30);
    assert_eq!(ended.summary["checks"][0]["passes"], 30, "decoded");
    let received = ended.summary["applicationResults"]["visit"]["bytesReceived"].as_u64();
    assert!(received < Some(30 * 1_000), "as it travelled: {received:?}");
}
