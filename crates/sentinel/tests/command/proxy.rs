//! A forward proxy, as small as it gets.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A proxy that runs until the test ends, and remembers what it was asked for.
pub(crate) struct Proxy {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    /// A proxy of its own.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let heads = Arc::<Mutex<Vec<String>>>::default();
        let seen = Arc::clone(&heads);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let seen = Arc::clone(&seen);
                thread::spawn(move || pass(stream, &seen));
            }
        });
        Self { address, heads }
    }

    /// The heads of the requests that came first on each connection.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().expect("no thread has panicked").clone()
    }
}

fn pass(client: TcpStream, seen: &Mutex<Vec<String>>) -> io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Ok(());
        }
    }
    let mut words = head.split_whitespace();
    let (method, target) = (words.next(), words.next().unwrap_or_default().to_owned());
    let connects = method == Some("CONNECT");
    let authority = target.trim_start_matches("http://").split('/').next();
    let server = TcpStream::connect(authority.unwrap_or_default())?;
    seen.lock()
        .expect("no thread has panicked")
        .push(head.clone());
    if connects {
        (&client).write_all(b"HTTP/1.1 200 Connected\r\n\r\n")?;
    } else {
        (&server).write_all(head.as_bytes())?;
    }
    let (mut from_server, mut to_client) = (server.try_clone()?, client);
    thread::spawn(move || io::copy(&mut from_server, &mut to_client));
    io::copy(&mut reader, &mut &server)?;
    Ok(())
}
