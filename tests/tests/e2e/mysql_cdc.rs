//! `mysql-cdc` beside what Flink CDC gave, on a real MySQL and a real MariaDB: see `tests/mysql-cdc`.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::mysql::Session;
use crate::pipeline::{Pipeline, Running, binary};
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
    script("faults.py", &["readers"], "mysql", &server)?;
    script("faults.py", &["few"], "mysql", &server)
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

/// Options under which sessions begin in a way that a reader must not rely on.
const ODD_SESSIONS: &str = "--autocommit=0 --completion-type=CHAIN --transaction-isolation=SERIALIZABLE \
    --sql-mode=ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_LENGTH --init-connect=SET@@sql_select_limit=7";

#[test]
fn reads_servers_whose_sessions_begin_in_another_way() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    let cases = [
        "run",
        "--filter",
        "ddl_add_column_live|ddl_client|type_text",
    ];
    let server = Service::mysql_with(13_538, ODD_SESSIONS)?;
    script("judge.py", &cases, "mysql", &server)?;
    script("faults.py", &["load"], "mysql", &server)?;
    let server = Service::mariadb_with(13_539, ODD_SESSIONS)?;
    script("judge.py", &cases, "mariadb", &server)?;
    script("faults.py", &["load"], "mariadb", &server)
}

#[test]
fn goes_on_when_nobody_took_what_mysql_sent_and_warns_before_its_log_is_purged() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    let server = Service::mysql(13520)?;
    script("faults.py", &["held"], "mysql", &server)?;
    script("faults.py", &["retention"], "mysql", &server)?;
    tells_its_figures(&server)
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

/// Waits until `/metrics` holds each of these figures of the source, by the ends of their names; counters at least.
fn figures(running: &mut Running, wanted: &[(&str, f64)]) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        running.ensure_alive()?;
        let (_, text) = running.get("/metrics").unwrap_or_default();
        let value = |name: &str| {
            let start = format!("millrace_mysql_{name}{{");
            let is_it = |line: &&str| line.starts_with(&start) && line.contains("table=\"src\"");
            let line = text.lines().find(is_it)?;
            line.rsplit(' ').next()?.parse::<f64>().ok()
        };
        let is_there = |(name, wanted): &(&str, f64)| match value(name) {
            Some(value) if name.ends_with("_total") => value >= *wanted,
            value => value == Some(*wanted),
        };
        if wanted.iter().all(is_there) {
            return Ok(());
        }
        let told: Vec<&str> = text.lines().filter(|l| l.contains("mysql")).collect();
        ensure!(Instant::now() < deadline, "{}", told.join("\n"));
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// The table is that of `faults.py held`: 60 transactions of 300 rows.
fn tells_its_figures(server: &Service) -> Result<()> {
    let sql = format!(
        "CREATE TABLE src (id INT NOT NULL, v STRING, n INT, PRIMARY KEY (id) NOT ENFORCED) WITH ('connector' = 'mysql-cdc',
  'hostname' = '127.0.0.1', 'port' = '{}', 'username' = 'cdc', 'password' = 'cdc', 'database-name' = 'cdc_held',
  'table-name' = 't_1', 'server-time-zone' = '+00:00', 'heartbeat.interval' = '1s');
CREATE TABLE nothing (id INT NOT NULL, v STRING, n INT, PRIMARY KEY (id) NOT ENFORCED) WITH ('connector' = 'blackhole');
INSERT INTO nothing SELECT * FROM src;
",
        server.port()
    );
    let pipeline = Pipeline::new("figures", &sql)?;
    let mut running = pipeline.start()?;
    figures(
        &mut running,
        &[
            ("snapshot_rows_total", 18_000.0),
            ("snapshot_running", 0.0),
            ("snapshot_tables_left", 0.0),
            ("snapshot_chunks_left", 0.0),
            ("binlog_connected", 1.0),
            ("binlog_behind_bytes", 0.0),
            ("binlog_delay_seconds", 0.0),
        ],
    )?;
    let mut session = Session::open(server)?;
    let dumps = session
        .query("SELECT id FROM information_schema.processlist WHERE command LIKE 'Binlog Dump%'")?;
    for dump in dumps {
        session.query(&format!("KILL {dump}"))?;
    }
    figures(
        &mut running,
        &[("reconnects_total", 1.0), ("binlog_connected", 1.0)],
    )?;
    running.ends_on_sigterm()
}
