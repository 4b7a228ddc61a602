//! The coordinator's side of the line to a batch, without the Worker's coordinator: a request whose body and whose
//! answer are both open streams of lines (src/js/link.js).

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use hmac::{Hmac, KeyInit, Mac};
use sentinel_engine::wire::{Assignment, Frame};
use sha2::{Digest, Sha256};

/// How often the coordinator says that it is still there.
const BEAT: Duration = Duration::from_secs(2);

/// How much longer than its slice a batch may live.
const GRACE_MS: u64 = 60_000;

/// Plays a batch to its end and answers its frames.
///
/// # Errors
/// When the batch is refused, or ends without saying so.
pub(crate) fn play(
    port: u16,
    key: &str,
    assignment: &Assignment,
    order: &str,
) -> Result<Vec<Frame>> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).context("connect to the Worker")?;
    let token = token(key, assignment);
    let head = format!(
        "POST /internal/batch HTTP/1.1\r\nhost: batch\r\nauthorization: Batch {token}\r\n\
         content-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    say(&mut stream, order)?;
    let mut answer = BufReader::new(stream.try_clone().context("share the connection")?);
    let beats = thread::spawn(move || {
        while say(&mut stream, "beat").is_ok() {
            thread::park_timeout(BEAT);
        }
    });
    let frames = read_frames(&mut answer);
    // Ends the beats as well.
    let _ = answer.get_ref().shutdown(std::net::Shutdown::Both);
    beats.thread().unpark();
    let _ = beats.join();
    frames
}

/// Unix time in milliseconds.
pub(crate) fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
}

fn say(stream: &mut TcpStream, line: &str) -> Result<()> {
    write!(stream, "{:x}\r\n{line}\n\r\n", line.len() + 1).context("say a line")
}

fn read_frames(answer: &mut impl BufRead) -> Result<Vec<Frame>> {
    let mut status = String::new();
    answer.read_line(&mut status).context("read the status")?;
    ensure!(status.contains(" 200 "), "the batch was refused: {status}");
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        ensure!(answer.read_line(&mut line)? > 0, "the answer has no end");
    }
    let mut frames: Vec<Frame> = Vec::new();
    let mut text = Vec::new();
    while let Some(mut chunk) = read_chunk(answer)? {
        text.append(&mut chunk);
        while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = text.drain(..=end).collect();
            frames.push(serde_json::from_slice(&line).context("read a frame")?);
        }
    }
    if frames.last().is_none_or(|frame| frame.end.is_none()) {
        bail!("the batch ended without a last frame");
    }
    Ok(frames)
}

fn read_chunk(answer: &mut impl BufRead) -> Result<Option<Vec<u8>>> {
    let mut size = String::new();
    answer.read_line(&mut size).context("read a chunk's size")?;
    let size = usize::from_str_radix(size.trim(), 16).context("a chunk's size is no number")?;
    let mut chunk = vec![0; size + 2];
    answer.read_exact(&mut chunk).context("read a chunk")?;
    chunk.truncate(size);
    Ok((size > 0).then_some(chunk))
}

/// As the Worker signs (src/token.rs).
fn token(key: &str, assignment: &Assignment) -> String {
    let Assignment {
        run, slice, share, ..
    } = assignment;
    let expires_ms = assignment.epoch_ms + assignment.until.as_ms() + GRACE_MS;
    let claims = format!("v1.{run}.{slice}.{}.{expires_ms}", share.index());
    let digest: [u8; 32] = Sha256::digest(key.as_bytes()).into();
    let mut block = [0; 64];
    block[..32].copy_from_slice(&digest);
    let mut mac = Hmac::<Sha256>::new(&block.into());
    mac.update(claims.as_bytes());
    format!("{claims}.{}", hex::encode(mac.finalize().into_bytes()))
}
