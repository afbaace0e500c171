//! `mysql-cdc` beside what Flink CDC gave, on a real MySQL and a real MariaDB: see `tests/mysql-cdc`.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::pipeline::binary;
use crate::services::Service;

/// How long all cases of one server may take.
const LIMIT: Duration = Duration::from_secs(1_500);

/// Runs the judge on `server`: all cases, or those that `MILLRACE_CDC_CASES` names as a regular expression.
fn judge(kind: &str, server: &Service) -> Result<()> {
    let filter = std::env::var("MILLRACE_CDC_CASES");
    let filter = filter.iter().flat_map(|filter| ["--filter", filter]);
    let words: Vec<&str> = std::iter::once("run").chain(filter).collect();
    script("judge.py", &words, kind, server)
}

/// Runs one of the scripts beside the cases on `server`.
fn script(name: &str, words: &[&str], kind: &str, server: &Service) -> Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("mysql-cdc");
    let log = tempfile::NamedTempFile::new()?;
    let product = format!(
        "{} --log warn run --changes-to-stdout {{sql}}",
        binary()?.display()
    );
    let mut command = Command::new("python3");
    command
        .arg(folder.join(name))
        .args(words)
        .args(["--server", kind, "--port", &server.port().to_string()])
        .args(["--client", &server.client(), "--product", &product]);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(log.reopen()?)
        .stderr(log.reopen()?)
        .spawn()
        .with_context(|| format!("{name} could not be started"))?;
    let deadline = Instant::now() + LIMIT;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if Instant::now() > deadline {
            child.kill()?;
            child.wait()?;
            bail!(
                "{name} was not done after {LIMIT:?}\n{}",
                std::fs::read_to_string(log.path())?
            );
        }
        std::thread::sleep(Duration::from_millis(100));
    };
    let said = std::fs::read_to_string(log.path())?;
    eprintln!("{kind}: {}", said.lines().last().unwrap_or_default());
    ensure!(status.success(), "{kind}\n{said}");
    Ok(())
}

#[test]
fn gives_the_changes_of_flink_cdc_on_mysql() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    judge("mysql", &Service::mysql(13516)?)
}

#[test]
fn gives_the_changes_of_flink_cdc_on_mariadb() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    judge("mariadb", &Service::mariadb(13517)?)
}

#[test]
fn loses_nothing_of_mysql_when_connections_are_killed_and_writers_run_beside_the_snapshot()
-> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    let server = Service::mysql(13518)?;
    script("faults.py", &["kills"], "mysql", &server)?;
    script("faults.py", &["load"], "mysql", &server)?;
    script("faults.py", &["load", "--keys", "text"], "mysql", &server)?;
    script("faults.py", &["readers"], "mysql", &server)
}

#[test]
fn loses_nothing_of_mariadb_when_connections_are_killed_and_writers_run_beside_the_snapshot()
-> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    let server = Service::mariadb(13519)?;
    script("faults.py", &["kills"], "mariadb", &server)?;
    script("faults.py", &["load"], "mariadb", &server)?;
    script("faults.py", &["load", "--keys", "text"], "mariadb", &server)?;
    script("faults.py", &["readers"], "mariadb", &server)
}

#[test]
fn goes_on_when_nobody_took_what_mysql_sent_and_warns_before_its_log_is_purged() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    let server = Service::mysql(13520)?;
    script("faults.py", &["held"], "mysql", &server)?;
    script("faults.py", &["retention"], "mysql", &server)
}

#[test]
fn goes_on_when_nobody_took_what_mariadb_sent_and_warns_before_its_log_is_purged() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    let server = Service::mariadb(13521)?;
    script("faults.py", &["held"], "mariadb", &server)?;
    script("faults.py", &["retention"], "mariadb", &server)
}
