//! mysql-cdc and tables that match only at a later start.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::mysql::Session;
use crate::pipeline::{Pipeline, Running};
use crate::services::Service;

const SQL: &str = "CREATE TABLE s (id BIGINT, v STRING, t STRING METADATA FROM 'table_name' VIRTUAL, PRIMARY KEY (id) NOT ENFORCED)
    WITH ('connector' = 'mysql-cdc', 'hostname' = '127.0.0.1', 'port' = '${port}', 'username' = 'cdc', 'password' = 'cdc',
      'database-name' = 'd', 'table-name' = '${tables}', 'server-time-zone' = '+00:00',
      'scan.newly-added-table.enabled' = 'true');
    CREATE TABLE k (t STRING, id BIGINT, v STRING) WITH ('connector' = 'print'); INSERT INTO k SELECT t, id, v FROM s;";

/// Returns the changes that were printed, in order of their text.
fn printed(running: &Running) -> Vec<String> {
    let log = running.log();
    let lines = log
        .lines()
        .filter(|line| line.contains("[t_") || line.contains("[u_"));
    let mut changes: Vec<String> = lines
        .filter_map(|line| Some(line[line.find(['+', '-'])?..].to_owned()))
        .filter(|change| change.len() < 40)
        .collect();
    changes.sort();
    changes
}

fn wait_for(running: &mut Running, expected: &[&str]) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut expected: Vec<String> = expected.iter().map(|text| (*text).to_owned()).collect();
    expected.sort();
    loop {
        let got = printed(running);
        if got == expected {
            return Ok(());
        }
        running.ensure_alive()?;
        ensure!(
            Instant::now() < deadline && got.len() <= expected.len(),
            "{got:#?} instead of {expected:#?}\n{}",
            running.log_end()
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn tables_that_match_at_a_later_start_get_a_snapshot() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    let server = Service::mysql(13_537)?;
    let mut session = Session::open(&server)?;
    let columns = "(id bigint PRIMARY KEY, v varchar(20))";
    session.query(&format!(
        "CREATE DATABASE d; CREATE TABLE d.t_1 {columns}; CREATE TABLE d.u_1 {columns};
         INSERT INTO d.t_1 VALUES (1, 'a'), (2, 'b'); INSERT INTO d.u_1 VALUES (11, 'x'), (12, 'y')"
    ))?;
    let pipeline = Pipeline::new("mysql-tables", SQL)?;
    let port = format!("port={}", server.port());
    let start = |tables: &str| {
        let tables = format!("tables={tables}");
        pipeline.start_with(&["--var", &port, "--var", &tables])
    };
    let mut running = start("t_[0-9]+")?;
    wait_for(&mut running, &["+I[t_1, 1, a]", "+I[t_1, 2, b]"])?;
    running.ends_on_sigterm()?;

    session.query(&format!(
        "INSERT INTO d.u_1 VALUES (13, 'z'); CREATE TABLE d.u_2 {columns}; INSERT INTO d.u_2 VALUES (21, 'p');
         INSERT INTO d.t_1 VALUES (3, 'c'); UPDATE d.u_1 SET v = 'w' WHERE id = 11"
    ))?;
    let mut running = start("[tu]_[0-9]+")?;
    let mut expected = vec![
        "+I[t_1, 3, c]",
        "+I[u_1, 11, w]",
        "+I[u_1, 12, y]",
        "+I[u_1, 13, z]",
        "+I[u_2, 21, p]",
    ];
    wait_for(&mut running, &expected)?;
    session.query("UPDATE d.u_1 SET v = 'v' WHERE id = 12; DELETE FROM d.u_2 WHERE id = 21")?;
    expected.extend(["-U[u_1, 12, y]", "+U[u_1, 12, v]", "-D[u_2, 21, p]"]);
    wait_for(&mut running, &expected)?;
    running.ends_on_sigterm()?;

    session.query("INSERT INTO d.u_2 VALUES (22, 'q')")?;
    let mut running = start("[tu]_[0-9]+")?;
    wait_for(&mut running, &["+I[u_2, 22, q]"])?;
    running.ends_on_sigterm()
}
