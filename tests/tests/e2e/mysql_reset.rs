//! A log that began again while the pipeline was down: the same names of files, the same numbers of transactions.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::mysql::Session;
use crate::pipeline::{Pipeline, Running};
use crate::services::Service;

const SQL: &str = "CREATE TABLE s (id BIGINT, PRIMARY KEY (id) NOT ENFORCED)
    WITH ('connector' = 'mysql-cdc', 'hostname' = '127.0.0.1', 'port' = '${port}', 'username' = 'cdc', 'password' = 'cdc',
      'database-name' = 'd', 'table-name' = 't', 'server-time-zone' = '+00:00', 'scan.startup.mode' = 'latest-offset');
    CREATE TABLE k (id BIGINT) WITH ('connector' = 'print'); INSERT INTO k SELECT id FROM s;";

fn wait_for(running: &mut Running, words: &str) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !running.log().contains(words) {
        running.ensure_alive()?;
        ensure!(
            Instant::now() < deadline,
            "nothing was said of {words:?}\n{}",
            running.log_end()
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// Reads some changes, has the log begin again and grow longer than it was, and starts once more.
fn is_noticed(kind: &str, server: &Service, reset: &str) -> Result<()> {
    let mut session = Session::open(server)?;
    session.query("CREATE DATABASE d; CREATE TABLE d.t (id bigint PRIMARY KEY)")?;
    let pipeline = Pipeline::new("mysql-reset", SQL)?;
    let port = format!("port={}", server.port());
    let start = || pipeline.start_with(&["--var", &port]);
    let mut running = start()?;
    wait_for(&mut running, "reading the binary log")?;
    for id in 0..5 {
        session.query(&format!("INSERT INTO d.t VALUES ({id})"))?;
    }
    wait_for(&mut running, "+I[4]")?;
    running.ends_on_sigterm()?;
    // A server that only stopped and started goes on.
    server.stop()?;
    server.start()?;
    let mut session = Session::open(server)?;
    session.query("INSERT INTO d.t VALUES (10)")?;
    let mut running = start()?;
    wait_for(&mut running, "+I[10]")?;
    running.ends_on_sigterm()?;
    session.query(&format!("DO SLEEP(1.1); {reset}"))?;
    for id in 100..140 {
        session.query(&format!("INSERT INTO d.t VALUES ({id})"))?;
    }
    session.query("FLUSH BINARY LOGS; FLUSH BINARY LOGS; INSERT INTO d.t VALUES (200)")?;
    let mut running = start()?;
    running.ends_with(1, Duration::from_secs(60))?;
    let log = running.log();
    ensure!(
        log.contains("began again") && !log.contains("+I[1") && !log.contains("+I[2"),
        "{kind}\n{log}"
    );
    Ok(())
}

#[test]
fn a_log_that_began_again_is_noticed_on_mysql() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    let server = Service::mysql(13_540)?;
    is_noticed("mysql", &server, "RESET BINARY LOGS AND GTIDS")
}

#[test]
fn a_log_that_began_again_is_noticed_on_mariadb() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    let server = Service::mariadb(13_541)?;
    is_noticed("mariadb", &server, "RESET MASTER")
}
