//! The published pipeline from sharded tables of a real MySQL into Doris, played by its stand-in: after a random
//! workload, kills of the process and a restart of the server, the tables in Doris are the tables in MySQL.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use millrace_dev_doris::{DorisStandIn, Options};
use serde_json::Value;

use crate::crash::Random;
use crate::mysql::Session;
use crate::pipeline::{Pipeline, Running};
use crate::services::Service;

const DATABASE: &str = "player_user_center";
const DORIS_DATABASE: &str = "ro_sea_player_user_center";
const KILLS: u64 = 20;
/// How many ids each shard has at most; a small number makes changes meet.
const IDS: u64 = 400;
/// 2023-11-14 00:00:00 UTC; times lie in the eight days behind it.
const FIRST_SECOND: u64 = 1_699_920_000;
const SECONDS: u64 = 8 * 86_400;

/// Returns how many changes the workload has: `MILLRACE_CDC_CHANGES`, or a few.
fn changes() -> u64 {
    let asked = std::env::var("MILLRACE_CDC_CHANGES").ok();
    asked.and_then(|text| text.parse().ok()).unwrap_or(40_000)
}

/// The tables of MySQL that a random workload changes.
struct Workload {
    random: Random,
    login_shards: Vec<String>,
    account_shards: Vec<String>,
    done: u64,
}

impl Workload {
    fn new(random: Random) -> Self {
        Self {
            random,
            login_shards: Vec::new(),
            account_shards: Vec::new(),
            done: 0,
        }
    }

    fn add_login_shard(&mut self, month: &str, session: &mut Session) -> Result<()> {
        let table = format!("{DATABASE}.login_log_{month}");
        session.send(&format!(
            "CREATE TABLE {table} (login_log_id bigint unsigned NOT NULL, account_id bigint, long_account_id varchar(64),
               short_account_id varchar(32), game_code varchar(32), package_code varchar(64), channel_id int,
               login_at int unsigned NOT NULL, login_ip varchar(64), device_ua text, device_id char(36), device_net varchar(16),
               device_ratio varchar(16), device_os varchar(64), device_carrier varchar(64), ext json, created_at int unsigned,
               updated_at int unsigned, deleted_at int unsigned, PRIMARY KEY (login_log_id)) DEFAULT CHARSET=utf8mb4"
        ))?;
        self.login_shards.push(table);
        Ok(())
    }

    fn add_account_shard(&mut self, number: usize, session: &mut Session) -> Result<()> {
        let table = format!("{DATABASE}.account_{number}");
        session.send(&format!(
            "CREATE TABLE {table} (account_id bigint NOT NULL, open_id varchar(128), dy_openid varchar(128),
               dy_ios_openid varchar(128), ext text, last_channel int, last_login_time int, last_login_ip varchar(45),
               created_at int NOT NULL, updated_at int, deleted_at int, PRIMARY KEY (account_id)) DEFAULT CHARSET=utf8mb4"
        ))?;
        self.account_shards.push(table);
        Ok(())
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.random.next() % bound
    }

    fn second(&mut self) -> u64 {
        FIRST_SECOND + self.below(SECONDS)
    }

    /// Sends one transaction of a few statements; some are rolled back.
    fn transaction(&mut self, session: &mut Session) -> Result<()> {
        session.send("BEGIN")?;
        for _ in 0..=self.below(12) {
            let statement = if self.below(3) == 0 {
                self.account_statement()
            } else {
                self.login_statement()
            };
            session.send(&statement)?;
            self.done += 1;
        }
        let end = if self.below(20) == 0 {
            "ROLLBACK"
        } else {
            "COMMIT"
        };
        session.send(end)
    }

    /// Ids of different shards never meet: the shard's number is the last digits.
    fn login_statement(&mut self) -> String {
        let shard = self.below(self.login_shards.len() as u64);
        let table = self.login_shards[shard as usize].clone();
        let (id, other) = (self.below(IDS) * 100 + shard, self.below(IDS) * 100 + shard);
        let (second, number) = (self.second(), self.below(100_000));
        match self.below(10) {
            0..4 => format!(
                "REPLACE INTO {table} VALUES ({id}, {number}, 'l{number}', NULL, 'g', 'pä', {}, {second}, '1.2.3.4', 'ua \\\\ \"q\"\\n\\t', 'd',
                   'wifi', '1x1', 'os', NULL, '{{\"n\": {number}, \"t\": \"x\"}}', {second}, NULL, NULL)",
                number % 7
            ),
            4 => format!("UPDATE {table} SET login_at = {second} WHERE login_log_id = {id}"),
            5 => format!("UPDATE {table} SET long_account_id = 'u{number}', updated_at = {second} WHERE login_log_id = {id}"),
            6 => format!("UPDATE {table} SET channel_id = channel_id + 1 WHERE login_log_id BETWEEN {id} AND {id} + 700"),
            7 => format!("UPDATE IGNORE {table} SET login_log_id = {other}, login_at = {second} WHERE login_log_id = {id}"),
            8 => format!("DELETE FROM {table} WHERE login_log_id = {id}"),
            _ => format!("DELETE FROM {table} WHERE login_log_id BETWEEN {id} AND {id} + 300"),
        }
    }

    fn account_statement(&mut self) -> String {
        let shard = self.below(self.account_shards.len() as u64);
        let table = self.account_shards[shard as usize].clone();
        let (id, other) = (self.below(IDS) * 100 + shard, self.below(IDS) * 100 + shard);
        let (second, number) = (self.second(), self.below(100_000));
        match self.below(6) {
            0..3 => format!(
                "INSERT INTO {table} VALUES ({id}, 'o{number}', 'ไทย😀', '', NULL, {number}, {second}, '::1', {second}, NULL, {number})
                   ON DUPLICATE KEY UPDATE last_login_time = {second}, ext = 'again {number}', deleted_at = NULL"
            ),
            3 => format!("UPDATE {table} SET created_at = {second} WHERE account_id = {id}"),
            4 => format!("UPDATE IGNORE {table} SET account_id = {other} WHERE account_id = {id}"),
            _ => format!("DELETE FROM {table} WHERE account_id = {id}"),
        }
    }

    /// Sends transactions until `changes` more statements were sent, and waits for them.
    fn run(&mut self, changes: u64, session: &mut Session) -> Result<()> {
        let until = self.done + changes;
        while self.done < until {
            self.transaction(session)?;
        }
        session.query("SELECT 1")?;
        Ok(())
    }

    /// Returns what the pipeline's query gives of the tables now, by key.
    fn logins(&self, session: &mut Session) -> Result<BTreeMap<String, String>> {
        let time = |column: &str| format!("CONCAT(FROM_UNIXTIME({column}), '.000')");
        table(session, &self.login_shards, &format!(
            "JSON_ARRAY(DATE(FROM_UNIXTIME(login_at)), login_log_id), JSON_OBJECT('account_id', account_id, 'long_account_id',
               long_account_id, 'package_code', package_code, 'channel_id', channel_id, 'login_at', {}, 'device_ua', device_ua,
               'ext', ext, 'created_at', {}, 'updated_at', {}, 'deleted_at', {})",
            time("login_at"), time("created_at"), time("updated_at"), time("deleted_at")
        ))
    }

    fn accounts(&self, session: &mut Session) -> Result<BTreeMap<String, String>> {
        let time = |column: &str| format!("CONCAT(FROM_UNIXTIME({column}), '.000')");
        table(session, &self.account_shards, &format!(
            "JSON_ARRAY(DATE(FROM_UNIXTIME(created_at)), account_id), JSON_OBJECT('open_id', open_id, 'dy_openid', dy_openid,
               'dy_ios_openid', dy_ios_openid, 'ext', ext, 'last_channel', last_channel, 'last_login_time', {}, 'created_at', {},
               'deleted_at', CAST(deleted_at AS CHAR))",
            time("last_login_time"), time("created_at")
        ))
    }
}

/// Reads two JSON columns of several tables.
fn table(
    session: &mut Session,
    tables: &[String],
    columns: &str,
) -> Result<BTreeMap<String, String>> {
    let mut rows = BTreeMap::new();
    for table in tables {
        for line in session.query(&format!("SELECT {columns} FROM {table}"))? {
            let (key, row) = line.split_once('\t').context("two columns")?;
            let key: Value = serde_json::from_str(key)?;
            let row: Value = serde_json::from_str(row)?;
            rows.insert(key.to_string(), in_order(&row));
        }
    }
    Ok(rows)
}

/// Returns an object's members by name, texts that hold JSON as values: MySQL and the binary log space them differently.
fn in_order(row: &Value) -> String {
    let members: BTreeMap<&String, Value> = row
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| {
            let inner = value.as_str().filter(|text| text.starts_with('{'));
            let parsed = inner.and_then(|text| serde_json::from_str(text).ok());
            (name, parsed.unwrap_or_else(|| value.clone()))
        })
        .collect();
    format!("{members:?}")
}

/// Returns a table of Doris in the same form, with the columns that the comparison has.
fn in_doris(
    doris: &DorisStandIn,
    table: &str,
    id: &str,
    columns: &[&str],
) -> Result<BTreeMap<String, String>> {
    let mut rows = BTreeMap::new();
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
fn difference(
    expected: &BTreeMap<String, String>,
    got: &BTreeMap<String, String>,
) -> Option<String> {
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
    let mut workload = Workload::new(Random::from_environment());
    for month in ["202301", "202312"] {
        workload.add_login_shard(month, &mut session)?;
    }
    for number in [0, 1, 15] {
        workload.add_account_shard(number, &mut session)?;
    }
    let part = changes() / (KILLS + 2);
    workload.run(part, &mut session)?;
    for kill in 1..=KILLS {
        let running = pipeline.start_with(&arguments)?;
        let begun = Instant::now();
        let instant = workload.random.between(200, 3_000);
        workload.run(part, &mut session)?;
        std::thread::sleep(instant.saturating_sub(begun.elapsed()));
        running.kill()?;
        eprintln!("kill {kill} after {:?}", begun.elapsed());
        if kill == KILLS / 2 {
            // The next month's shard, while nobody listens.
            workload.add_login_shard("202401", &mut session)?;
        }
    }
    let mut last = pipeline.start_with(&arguments)?;
    workload.run(part / 2, &mut session)?;
    drop(session);
    server.stop()?;
    server.start()?;
    let mut session = Session::open(&server)?;
    workload.add_login_shard("202402", &mut session)?;
    workload.run(part / 2, &mut session)?;
    wait_until_equal(&workload, &mut session, &doris, &mut last)?;
    last.ends_on_sigterm()?;
    drop(session);
    Ok(())
}
