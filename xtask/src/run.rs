//! Running other programs: with their output shown, or kept back until something fails.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::progress::Step;

/// Runs a program with its output on ours.
///
/// # Errors
/// When it cannot be started or fails.
pub(crate) fn shown(command: &mut Command) -> Result<()> {
    let what = describe(command);
    let status = command.status().with_context(|| format!("run {what}"))?;
    if !status.success() {
        bail!("{what} ended with {status}");
    }
    Ok(())
}

/// Runs a program with its output on ours, and hands over each line of its standard output. Returns whether it
/// succeeded.
///
/// # Errors
/// When it cannot be started.
pub(crate) fn overheard(command: &mut Command, mut hear: impl FnMut(&str)) -> Result<bool> {
    let what = describe(command);
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("run {what}"))?;
    let output = child.stdout.take().context("take the output")?;
    for line in lines(output) {
        println!("{line}");
        hear(&line);
    }
    let status = child.wait().with_context(|| format!("wait for {what}"))?;
    Ok(status.success())
}

/// Runs a program as part of a step, which shows the line that the program is at.
///
/// # Errors
/// When it cannot be started or fails; with the end of what it printed.
pub(crate) fn quiet(command: &mut Command, step: &Step) -> Result<()> {
    const LINES_KEPT: usize = 60;
    let what = describe(command);
    let (reader, writer) = std::io::pipe().context("make a pipe")?;
    command
        .stdin(Stdio::null())
        .stdout(writer.try_clone().context("share a pipe")?)
        .stderr(writer);
    let mut child = command.spawn().with_context(|| format!("run {what}"))?;
    // The command holds the writing end; without this the pipe would never end.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut kept = std::collections::VecDeque::new();
    for line in lines(reader) {
        step.doing(&line);
        if kept.len() == LINES_KEPT {
            kept.pop_front();
        }
        kept.push_back(line);
    }
    let status = child.wait().with_context(|| format!("wait for {what}"))?;
    if !status.success() {
        bail!("{what} ended with {status}\n{}", Vec::from(kept).join("\n"));
    }
    Ok(())
}

/// What a program prints, or `None` if it cannot be run or fails.
pub(crate) fn output(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// What a program prints, line by line, until it can be read no further.
fn lines(output: impl Read) -> impl Iterator<Item = String> {
    let lines = BufReader::new(output).split(b'\n').map_while(Result::ok);
    lines.map(|line| String::from_utf8_lossy(&line).into_owned())
}

fn describe(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let mut words = vec![
        program
            .file_name()
            .unwrap_or(command.get_program())
            .to_string_lossy(),
    ];
    words.extend(command.get_args().map(|word| word.to_string_lossy()));
    format!("`{}`", words.join(" "))
}
