//! A session of a MySQL server's own client, fed through its standard input.

use std::io::{BufRead, BufReader, BufWriter, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::services::Service;

/// What the client prints when everything before it is done.
const MARK: &str = "everything-before-this-is-done";

/// A session.
pub(crate) struct Session {
    child: Child,
    input: BufWriter<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Session {
    /// Opens a session as root.
    pub(crate) fn open(server: &Service) -> Result<Self> {
        let client = server.client();
        let mut child = Command::new("sh")
            .args([
                "-c",
                &format!("exec {client} --batch --raw --unbuffered --skip-column-names"),
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("the client could not be started")?;
        let input = child.stdin.take().context("no input")?;
        let output = child.stdout.take().context("no output")?;
        let mut session = Self {
            child,
            input: BufWriter::new(input),
            output: BufReader::new(output),
        };
        session.query("SET NAMES utf8mb4; SET time_zone = '+00:00'; SET sql_mode = ''")?;
        Ok(session)
    }

    /// Hands statements over without waiting for them.
    pub(crate) fn send(&mut self, sql: &str) -> Result<()> {
        self.input.write_all(sql.as_bytes())?;
        self.input.write_all(b";\n")?;
        Ok(())
    }

    /// Runs statements, waits, and returns the lines of their results, columns apart by tabs.
    pub(crate) fn query(&mut self, sql: &str) -> Result<Vec<String>> {
        self.send(sql)?;
        self.send(&format!("SELECT '{MARK}'"))?;
        self.input.flush()?;
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if self.output.read_line(&mut line)? == 0 {
                bail!("the client ended at: {}", &sql[..sql.len().min(300)]);
            }
            let line = line.trim_end_matches('\n');
            if line == MARK {
                return Ok(lines);
            }
            lines.push(line.to_owned());
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // It ends by itself when its input does; a session in the middle of something is of no more use.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
