//! What the command prints. Invariant: who stops reading loses what it would have read and nothing else; neither a run
//! nor its exit code depends on whether anybody reads.

use std::fmt;
use std::io::{self, Write};

use crate::exit::Stopped;

/// Prints a line to the standard output, as `println!` does, which ends the process when nobody reads it.
macro_rules! say {
    ($($text:tt)*) => {
        $crate::say::line(format_args!($($text)*))
    };
}

/// Prints a line to the standard error. When even that cannot be written, nobody is there to read about it.
macro_rules! note {
    ($($text:tt)*) => {
        $crate::say::aside(format_args!($($text)*))
    };
}

/// Prints a line to the standard output.
///
/// # Errors
/// As [`text`].
pub(crate) fn line(line: fmt::Arguments<'_>) -> Result<(), Stopped> {
    text(format!("{line}\n").as_bytes())
}

/// Prints a text to the standard output. Who has stopped reading does not want the rest of it.
///
/// # Errors
/// When it cannot be written, such as to a file on a full disk.
pub(crate) fn text(text: &[u8]) -> Result<(), Stopped> {
    let mut out = io::stdout().lock();
    match out.write_all(text).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Stopped::failed(
            format_args!("the output could not be printed: {error}"),
        )),
        _ => Ok(()),
    }
}

/// Prints a line to the standard error, if that can be had.
pub(crate) fn aside(line: fmt::Arguments<'_>) {
    // In one piece, so that lines of several threads do not mix.
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}
