//! The terminal: log lines above, status lines below, one lock for both.

use std::io::{self, IsTerminal, Write};

use parking_lot::Mutex;

use crate::secrets;

static STATUS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Tells whether status lines can be shown.
pub(crate) fn is_terminal() -> bool {
    io::stderr().is_terminal() && std::env::var("TERM").is_ok_and(|term| term != "dumb")
}

/// Prints text to standard error, above the status lines.
pub(crate) fn print_above(text: &str) {
    let text = secrets::redacted(text);
    let status = STATUS.lock();
    let mut bytes = erase(&status);
    bytes.push_str(&text);
    bytes.push_str(&shown(&status));
    write(&bytes);
}

/// Replaces the status lines; none removes them.
pub(crate) fn set_status(lines: Vec<String>) {
    let mut status = STATUS.lock();
    let mut bytes = erase(&status);
    *status = lines;
    bytes.push_str(&shown(&status));
    write(&bytes);
}

fn erase(status: &[String]) -> String {
    // Up over each status line, then everything below is cleared.
    if status.is_empty() {
        String::new()
    } else {
        format!("\x1b[{}F\x1b[J", status.len())
    }
}

fn shown(status: &[String]) -> String {
    status
        .iter()
        .map(|line| format!("\x1b[?7l{line}\x1b[?7h\n"))
        .collect()
}

fn write(text: &str) {
    // A terminal that is gone takes nothing; there is nobody left to tell.
    drop(io::stderr().lock().write_all(text.as_bytes()));
}

/// A writer for log lines: what is written between two flushes goes out in one piece.
#[derive(Debug, Default)]
pub(crate) struct LogLine(Vec<u8>);

impl Write for LogLine {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for LogLine {
    fn drop(&mut self) {
        if !self.0.is_empty() {
            print_above(&String::from_utf8_lossy(&self.0));
        }
    }
}
