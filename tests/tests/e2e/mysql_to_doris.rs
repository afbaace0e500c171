//! The published pipeline from sharded tables of a real MySQL into Doris, played by its stand-in: after a random
//! workload, kills of the process and a restart of the server, the tables in Doris are the tables in MySQL.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use millrace_dev_doris::{DorisStandIn, Options};
use serde_json::Value;

use crate::crash::Random;
use crate::mysql::Session;
use crate::mysql_workload::{DATABASE, Rows, Workload, in_order};
use crate::pipeline::{Pipeline, Running};
use crate::services::Service;

const DORIS_DATABASE: &str = "ro_sea_player_user_center";
const KILLS: u64 = 20;
/// Returns how many changes the workload has: `MILLRACE_CDC_CHANGES`, or a few.
fn changes() -> u64 {
    let asked = std::env::var("MILLRACE_CDC_CHANGES").ok();
    asked.and_then(|text| text.parse().ok()).unwrap_or(40_000)
}

/// Returns a table of Doris in the same form, with the columns that the comparison has.
fn in_doris(doris: &DorisStandIn, table: &str, id: &str, columns: &[&str]) -> Result<Rows> {
    let mut rows = Rows::new();
    for row in doris.rows(DORIS_DATABASE, table)? {
        let key = Value::Array(vec![row["date"].clone(), row[id].clone()]).to_string();
        let chosen = columns
            .iter()
            .map(|name| ((*name).to_owned(), row[*name].clone()));
        let earlier = rows.insert(key, in_order(&Value::Object(chosen.collect())));
        ensure!(earlier.is_none(), "two rows of one key: {row}");
    }
    Ok(rows)
}

const LOGIN_COLUMNS: &[&str] = &[
    "account_id",
    "long_account_id",
    "package_code",
    "channel_id",
    "login_at",
    "device_ua",
    "ext",
    "created_at",
    "updated_at",
    "deleted_at",
];
const ACCOUNT_COLUMNS: &[&str] = &[
    "open_id",
    "dy_openid",
    "dy_ios_openid",
    "ext",
    "last_channel",
    "last_login_time",
    "created_at",
    "deleted_at",
];

/// Returns how two tables differ, briefly; `None` = not at all.
fn difference(expected: &Rows, got: &Rows) -> Option<String> {
    if expected == got {
        return None;
    }
    let missing = expected
        .keys()
        .filter(|key| !got.contains_key(*key))
        .count();
    let extra = got
        .keys()
        .filter(|key| !expected.contains_key(*key))
        .count();
    let other = expected
        .iter()
        .find(|(key, row)| got.get(*key).is_some_and(|found| found != *row));
    let first = expected.keys().find(|key| !got.contains_key(*key));
    let more = got.keys().find(|key| !expected.contains_key(*key));
    Some(format!(
        "{} rows instead of {}: {missing} missing ({first:?}), {extra} too many ({more:?}), different: {other:?} is {:?}",
        got.len(),
        expected.len(),
        other.and_then(|(key, _)| got.get(key))
    ))
}

fn wait_until_equal(
    workload: &Workload,
    session: &mut Session,
    doris: &DorisStandIn,
    running: &mut Running,
) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(300);
    let (logins, accounts) = (workload.logins(session)?, workload.accounts(session)?);
    ensure!(
        !logins.is_empty() && !accounts.is_empty(),
        "the workload left nothing"
    );
    loop {
        let first = difference(
            &logins,
            &in_doris(doris, "ods_login_log", "login_log_id", LOGIN_COLUMNS)?,
        );
        let second = difference(
            &accounts,
            &in_doris(doris, "ods_account_log", "account_id", ACCOUNT_COLUMNS)?,
        );
        if first.is_none() && second.is_none() {
            eprintln!("{} + {} rows are equal", logins.len(), accounts.len());
            return Ok(());
        }
        running.ensure_alive()?;
        ensure!(
            Instant::now() < deadline,
            "login_log: {first:?}\naccount: {second:?}\n{}",
            running.log_end()
        );
        std::thread::sleep(Duration::from_millis(500));
    }
}

#[test]
fn shards_in_doris_equal_those_in_mysql_after_kills_and_a_restart() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    let server = Service::mysql(13526)?;
    let folder = tempfile::tempdir()?;
    let doris = DorisStandIn::start(Options::in_folder(folder.path()))?;
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sql-examples/mysql_to_doris");
    doris.execute(&std::fs::read_to_string(example.join("doris.sql"))?)?;
    let pipeline = Pipeline::new(
        "mysql-doris",
        &std::fs::read_to_string(example.join("pipeline.sql"))?,
    )?;
    let variables = [
        "mysql.host=127.0.0.1".to_owned(),
        format!("mysql.port={}", server.port()),
        "mysql.user=cdc".to_owned(),
        "mysql.password=cdc".to_owned(),
        "mysql.zone=+00:00".to_owned(),
        format!("doris.jdbc=jdbc:mysql://{}", doris.query_address()),
        format!("doris.load={}", doris.fe_address()),
        "doris.user=root".to_owned(),
        "doris.password=".to_owned(),
    ];
    let arguments: Vec<&str> = variables.iter().flat_map(|pair| ["--var", pair]).collect();

    let mut session = Session::open(&server)?;
    session.query(&format!("CREATE DATABASE {DATABASE}"))?;
    let mut random = Random::from_environment();
    let mut workload = Workload::new(random.fork());
    for _ in 0..3 {
        workload.add_login_shard(&mut session)?;
        workload.add_account_shard(&mut session)?;
    }
    let total = changes();
    workload.run(total / 20, &mut session)?;
    let done = workload.done();
    let writer = std::thread::spawn(move || -> Result<_> {
        workload.run(total - total / 10, &mut session)?;
        Ok((workload, session))
    });
    for kill in 1..=KILLS {
        let running = pipeline.start_with(&arguments)?;
        let begun = Instant::now();
        let instant = random.between(200, 3_000);
        // The kills are spread over the workload, and some over what is left to read behind it.
        let until = total * kill / (KILLS + 4);
        while begun.elapsed() < instant
            || done.load(Ordering::Relaxed) < until && !writer.is_finished()
        {
            std::thread::sleep(Duration::from_millis(10));
        }
        running.kill()?;
        eprintln!(
            "kill {kill} after {:?} and {} changes",
            begun.elapsed(),
            done.load(Ordering::Relaxed)
        );
    }
    let (mut workload, session) = writer.join().expect("the writer does not panic")?;
    let mut last = pipeline.start_with(&arguments)?;
    drop(session);
    server.stop()?;
    server.start()?;
    let mut session = Session::open(&server)?;
    workload.add_login_shard(&mut session)?;
    workload.run(total / 20, &mut session)?;
    wait_until_equal(&workload, &mut session, &doris, &mut last)?;
    eprintln!(
        "{} changes of rows, {} of definitions",
        done.load(Ordering::Relaxed),
        workload.definitions()
    );
    last.ends_on_sigterm()?;
    drop(session);
    Ok(())
}
