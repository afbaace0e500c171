//! From MySQL into two tables of Doris, which throws prepared rows away: what counts is read from the log again.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use millrace_dev_doris::{Settings, TransactionState};

use crate::doris::Doris;
use crate::doris_points::{Point, TABLES, states_since, wait_until};
use crate::mysql::Session;
use crate::pipeline::Pipeline;
use crate::services::Service;

/// One transaction of these, so that epochs end within it.
const LARGE: u64 = 60_000;

fn sql(doris: &Doris, port: u16) -> String {
    let mut sql = format!(
        "CREATE TABLE s (id BIGINT, v STRING, n INT, kind STRING METADATA FROM 'row_kind' VIRTUAL, PRIMARY KEY (id) NOT ENFORCED)
         WITH ('connector' = 'mysql-cdc', 'hostname' = '127.0.0.1', 'port' = '{port}', 'username' = 'cdc', 'password' = 'cdc',
           'database-name' = 'd', 'table-name' = 't_[0-9]+', 'server-time-zone' = '+00:00',
           'scan.startup.mode' = 'latest-offset', 'scan.read-changelog-as-append-only.enabled' = 'true');"
    );
    for table in TABLES {
        sql.push_str(&format!(
            "CREATE TABLE {table} (id BIGINT, name STRING, amount INT, src_topic STRING)
             WITH ('connector' = 'doris', 'fenodes' = '{}', 'jdbc-url' = 'jdbc:mysql://{}', 'table.identifier' = 'db.{table}',
               'username' = 'root', 'password' = '', 'sink.enable-2pc' = 'true', 'sink.label-prefix' = 'mysql');",
            doris.now().fe_address(),
            doris.now().query_address()
        ));
    }
    sql.push_str("EXECUTE STATEMENT SET BEGIN ");
    for table in TABLES {
        sql.push_str(&format!(
            "INSERT INTO {table} SELECT id, v, n, kind FROM s;"
        ));
    }
    sql + "END;"
}

/// How often each change was delivered.
type Counts = BTreeMap<(String, u64, u64), u64>;

fn in_table(doris: &Doris, table: &str) -> Result<Counts> {
    let mut counts = Counts::new();
    for row in doris.now().rows("db", table)? {
        let kind = row["src_topic"].as_str().context("a kind")?.to_owned();
        let number = |name: &str| row[name].as_u64().context("a number");
        *counts
            .entry((kind, number("id")?, number("amount")?))
            .or_default() += 1;
    }
    Ok(counts)
}

#[test]
fn rows_of_the_log_that_doris_threw_away_are_read_again() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    let server = Service::mysql(13_536)?;
    let mut session = Session::open(&server)?;
    session.query(
        "CREATE DATABASE d; CREATE TABLE d.t_1 (id bigint PRIMARY KEY, v varchar(50), n int)",
    )?;
    let mut doris = Doris::start()?;
    doris.create_table(TABLES[1])?;
    let pipeline = Pipeline::new("mysql-points", &sql(&doris, server.port()))?;
    let mut expected = Counts::new();
    for (round, point) in [Point::Expired, Point::HalfExpired].into_iter().enumerate() {
        let mut process = pipeline.start()?;
        // Not before: recovery commits the last epoch once more.
        while !process.log().contains("\"message\":\"running\"") {
            process.ensure_alive()?;
            std::thread::sleep(Duration::from_millis(10));
        }
        let known = doris.now().transactions()?.len();
        let fault = point.fault().context("one that is made by a fault")?;
        doris.now().add_fault(fault);
        let first = 1 + round as u64 * LARGE;
        session.query(&format!(
            "SET SESSION cte_max_recursion_depth = {LARGE}; BEGIN;
             INSERT INTO d.t_1 WITH RECURSIVE c (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM c WHERE i + 1 < {LARGE})
               SELECT {first} + i, REPEAT('x', 40), 1 FROM c;
             UPDATE d.t_1 SET n = 2 WHERE id = {first}; DELETE FROM d.t_1 WHERE id = {first} + 1; COMMIT"
        ))?;
        for id in first..first + LARGE {
            expected.insert(("+I".into(), id, 1), 1);
        }
        expected.insert(("-U".into(), first, 1), 1);
        expected.insert(("+U".into(), first, 2), 1);
        expected.insert(("-D".into(), first + 1, 1), 1);
        wait_until(&mut process, &format!("{point:?}"), || {
            Ok(point.is_reached(&states_since(&doris, known)?))
        })?;
        // So that the manifest is written; commits are tried again meanwhile.
        std::thread::sleep(Duration::from_millis(700));
        process.kill()?;
        // A definition of later must not be taken for the one of then.
        session.query(
            "ALTER TABLE d.t_1 DROP COLUMN v; ALTER TABLE d.t_1 ADD COLUMN v varchar(50) AFTER id",
        )?;
        doris.now().set_settings(Settings {
            precommit_timeout_ms: -1,
            ..Settings::default()
        });
        ensure!(
            !states_since(&doris, known)?.contains(&TransactionState::Precommitted),
            "nothing timed out"
        );
        doris.kill_and_restart()?;
        let mut next = pipeline.start()?;
        let rows: u64 = expected.values().sum();
        doris.wait_for(
            rows * TABLES.len() as u64,
            Duration::from_secs(60),
            &mut next,
        )?;
        next.says(&["read and written again"])?;
        next.ends_on_sigterm()?;
        for table in TABLES {
            let got = in_table(&doris, table)?;
            let wrong = expected
                .iter()
                .find(|(change, count)| got.get(*change) != Some(count));
            ensure!(
                got == expected,
                "{point:?}, {table}: {} changes, wrong: {wrong:?}",
                got.len()
            );
        }
        eprintln!("{point:?}: {rows} changes");
    }
    Ok(())
}
