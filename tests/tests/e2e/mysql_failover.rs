//! mysql-cdc when another server takes over, lacks what was read, or is shared with a client of the same number.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::broker::{Broker, unique};
use crate::forwarder::Forwarder;
use crate::mysql::Session;
use crate::pipeline::{Pipeline, Running};
use crate::reader::{Isolation, Reader};
use crate::services::Service;

/// A transaction so large that several checkpoints lie in it.
const LARGE: u64 = 40_000;

fn source(port: u16, more: &str) -> String {
    format!(
        "CREATE TABLE s (id BIGINT, v STRING, n INT, PRIMARY KEY (id) NOT ENFORCED) WITH (
           'connector' = 'mysql-cdc', 'hostname' = '127.0.0.1', 'port' = '{port}', 'username' = 'cdc', 'password' = 'cdc',
           'database-name' = 'moved', 'table-name' = 't_[0-9]+', 'server-time-zone' = '+00:00' {more});"
    )
}

/// What the log of changes must hold, written while the statements are sent.
#[derive(Default)]
struct Expected(Vec<(char, u64, u64)>);

impl Expected {
    fn inserted(&mut self, ids: impl Iterator<Item = u64>, n: u64) {
        self.0.extend(ids.map(|id| ('c', id, n)));
    }

    fn updated(&mut self, id: u64, old: u64, new: u64) {
        self.0.extend([('d', id, old), ('c', id, new)]);
    }
}

fn changes(broker: &Broker, topic: &str) -> Result<Vec<(char, u64, u64)>> {
    let lines = Reader::open(broker, topic, Isolation::Committed)?.read_to_end()?;
    let change = |line: Vec<u8>| -> Result<_> {
        let value: Value = serde_json::from_slice(&line)?;
        let kind = value["op"].as_str().and_then(|op| op.chars().next());
        let row = if value["after"].is_null() {
            &value["before"]
        } else {
            &value["after"]
        };
        let number = |name: &str| row[name].as_u64().context("a number");
        Ok((kind.context("a kind")?, number("id")?, number("n")?))
    };
    lines.into_iter().map(change).collect()
}

/// Waits until `count` changes came, and compares them in their order.
fn wait_for(
    broker: &Broker,
    topic: &str,
    expected: &Expected,
    running: &mut Running,
) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(90);
    loop {
        let got = changes(broker, topic)?;
        if got.len() >= expected.0.len() {
            let first = got.iter().zip(&expected.0).position(|(a, b)| a != b);
            let shown = first.map(|at| (at, got[at], expected.0[at]));
            ensure!(
                got == expected.0,
                "{} changes instead of {}; first difference {shown:?}\n{}",
                got.len(),
                expected.0.len(),
                running.log_end()
            );
            return Ok(());
        }
        running.ensure_alive()?;
        ensure!(
            Instant::now() < deadline,
            "{} changes of {}\n{}",
            got.len(),
            expected.0.len(),
            running.log_end()
        );
        std::thread::sleep(Duration::from_millis(300));
    }
}

fn replicate(from: &Service, to: &mut Session) -> Result<()> {
    to.query(&format!(
        "CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1', SOURCE_PORT = {}, SOURCE_USER = 'app',
           SOURCE_PASSWORD = 'app', SOURCE_AUTO_POSITION = 1, GET_SOURCE_PUBLIC_KEY = 1, SOURCE_CONNECT_RETRY = 1;
         START REPLICA",
        from.port()
    ))?;
    Ok(())
}

/// Waits until a replica has executed everything that its source has.
fn catch_up(source: &mut Session, replica: &mut Session) -> Result<()> {
    // Lines of a set end with commas.
    let set = source.query("SELECT @@GLOBAL.gtid_executed")?.concat();
    let answer = replica.query(&format!("SELECT WAIT_FOR_EXECUTED_GTID_SET('{set}', 60)"))?;
    ensure!(answer == ["0"], "the replica is behind: {answer:?}");
    Ok(())
}

/// Sends small transactions and a large one, and returns when the pipeline's connection has stopped within the large one.
fn write(
    first: u64,
    session: &mut Session,
    replica: &mut Session,
    forwarder: &Forwarder,
    expected: &mut Expected,
) -> Result<()> {
    for id in first..first + 20 {
        session.query(&format!(
            "BEGIN; INSERT INTO moved.t_1 VALUES ({id}, 'a', 1); UPDATE moved.t_1 SET n = 2 WHERE id = {id}; COMMIT"
        ))?;
        expected.inserted(id..=id, 1);
        expected.updated(id, 1, 2);
    }
    let large = first + 1_000;
    forwarder.stop_after(LARGE * 100 / 2);
    session.query(&format!(
        "SET SESSION cte_max_recursion_depth = {LARGE}; BEGIN; INSERT INTO moved.other VALUES ({large});
         INSERT INTO moved.t_2 WITH RECURSIVE c (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM c WHERE i + 1 < {LARGE})
           SELECT {large} + i, REPEAT('x', 90), 3 FROM c;
         UPDATE moved.t_2 SET n = 4 WHERE id = {large}; COMMIT; INSERT INTO moved.t_1 VALUES ({first} + 20, 'z', 5)"
    ))?;
    expected.inserted(large..large + LARGE, 3);
    expected.updated(large, 3, 4);
    expected.inserted(first + 20..=first + 20, 5);
    catch_up(session, replica)?;
    let deadline = Instant::now() + Duration::from_secs(30);
    while !forwarder.has_stopped() {
        ensure!(
            Instant::now() < deadline,
            "the large transaction was not read"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Waits until a part of what is expected came that ends within the large transaction, and nothing of it is under way.
fn wait_for_part(
    broker: &Broker,
    topic: &str,
    expected: &Expected,
    running: &mut Running,
) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(60);
    let begin = expected.0.len() - LARGE as usize;
    let mut came = 0;
    loop {
        let now = changes(broker, topic)?.len();
        if now > begin && now == came {
            ensure!(now < expected.0.len() - 3, "all of it came");
            return Ok(());
        }
        came = now;
        running.ensure_alive()?;
        ensure!(
            Instant::now() < deadline,
            "{now} changes, none of the large transaction\n{}",
            running.log_end()
        );
        std::thread::sleep(Duration::from_millis(1_500));
    }
}

#[test]
fn goes_on_from_a_replica_without_loss_or_doubling() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    let broker = Broker::shared();
    let topic = broker.topic("mysql-failover", 1)?;
    let primary = Service::mysql(13_530)?;
    // Another size of row events: counts of events mean nothing there.
    let replica = Service::mysql_with(13_531, "--binlog-row-event-max-size=1024")?;
    let (mut a, mut b) = (Session::open(&primary)?, Session::open(&replica)?);
    replicate(&primary, &mut b)?;
    let table = "(id bigint PRIMARY KEY, v varchar(100), n int)";
    a.query(&format!(
        "CREATE DATABASE moved; CREATE TABLE moved.t_1 {table}; CREATE TABLE moved.t_2 {table};
         CREATE TABLE moved.other (id bigint PRIMARY KEY); INSERT INTO moved.t_1 VALUES (1, 'a', 7), (2, 'b', 7)"
    ))?;
    let mut expected = Expected::default();
    expected.inserted(1..=2, 7);

    let forwarder = Forwarder::start(primary.port())?;
    let sink = format!(
        "CREATE TABLE k (id BIGINT, v STRING, n INT) WITH ('connector' = 'kafka', 'topic' = '{topic}',
           'properties.bootstrap.servers' = '{}', 'format' = 'debezium-json', 'sink.delivery-guarantee' = 'exactly-once',
           'sink.transactional-id-prefix' = '{topic}'); INSERT INTO k SELECT * FROM s;",
        broker.address
    );
    let pipeline = Pipeline::new(
        "mysql-failover",
        &format!("{} {sink}", source(forwarder.port(), "")),
    )?;
    let mut running = pipeline.start()?;
    wait_for(&broker, &topic, &expected, &mut running)?;

    // The primary dies, and its name leads to the replica.
    write(100, &mut a, &mut b, &forwarder, &mut expected)?;
    wait_for_part(&broker, &topic, &expected, &mut running)?;
    drop(a);
    primary.kill()?;
    b.query("STOP REPLICA; RESET REPLICA ALL")?;
    forwarder.lead_to(replica.port());
    wait_for(&broker, &topic, &expected, &mut running)?;
    ensure!(
        running.log().contains("another server answers"),
        "{}",
        running.log_end()
    );

    // The old primary follows the new one; that dies too, and the process with it.
    primary.start()?;
    let mut a = Session::open(&primary)?;
    replicate(&replica, &mut a)?;
    write(1_000_000, &mut b, &mut a, &forwarder, &mut expected)?;
    wait_for_part(&broker, &topic, &expected, &mut running)?;
    running.kill()?;
    drop(b);
    replica.kill()?;
    a.query("STOP REPLICA; RESET REPLICA ALL")?;
    forwarder.lead_to(primary.port());
    let mut running = pipeline.start()?;
    wait_for(&broker, &topic, &expected, &mut running)?;

    // What was read here never comes to the other.
    a.query("INSERT INTO moved.t_1 VALUES (3, 'only here', 8)")?;
    expected.inserted(3..=3, 8);
    wait_for(&broker, &topic, &expected, &mut running)?;
    running.ends_on_sigterm()?;
    replica.start()?;
    forwarder.lead_to(replica.port());
    let mut running = pipeline.start()?;
    running.ends_with(1, Duration::from_secs(60))?;
    let uuid = a.query("SELECT @@GLOBAL.server_uuid")?.concat();
    running.says(&[
        "has not executed",
        &uuid,
        "replica that never got these transactions",
    ])?;
    ensure!(
        changes(&broker, &topic)? == expected.0,
        "rows came nevertheless"
    );
    Ok(())
}

/// Two clients with one number: one of them ends and says why, the other goes on.
fn clash(server: &Service, names: [&str; 2]) -> Result<()> {
    let mut session = Session::open(server)?;
    session.query(
        "CREATE DATABASE moved; CREATE TABLE moved.t_1 (id bigint PRIMARY KEY, v varchar(100), n int)",
    )?;
    let sql = format!(
        "{} CREATE TABLE k (id BIGINT, v STRING, n INT) WITH ('connector' = 'print'); INSERT INTO k SELECT * FROM s;",
        source(
            server.port(),
            ", 'server-id' = '7001', 'scan.startup.mode' = 'latest-offset'"
        )
    );
    let start = |name: &str| {
        Pipeline::new("clash", &sql)?
            .set("pipeline.name", name)
            .start()
    };
    let mut both = [start(names[0])?, start(names[1])?];
    let deadline = Instant::now() + Duration::from_secs(180);
    let loser = loop {
        let ended = [both[0].has_ended()?, both[1].has_ended()?];
        if let Some(loser) = ended.iter().position(|has_ended| *has_ended) {
            break loser;
        }
        ensure!(
            Instant::now() < deadline,
            "both still run\n{}\n{}",
            both[0].log_end(),
            both[1].log_end()
        );
        std::thread::sleep(Duration::from_millis(100));
    };
    both[loser].says(&[
        "another client connected with server-id 7001",
        "'server-id'",
    ])?;
    let winner = &mut both[1 - loser];
    session.query("INSERT INTO moved.t_1 VALUES (1, 'through', 1)")?;
    let deadline = Instant::now() + Duration::from_secs(60);
    while !winner.log().contains("through") {
        winner.ensure_alive()?;
        ensure!(
            Instant::now() < deadline,
            "the other reads nothing\n{}",
            winner.log_end()
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

#[test]
fn of_two_clients_with_one_number_one_ends_and_says_why_on_mysql() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    // MySQL tells clients apart by a uuid, which comes from the names of pipeline and table.
    let name = unique("clash");
    clash(&Service::mysql(13_532)?, [&name, &name])
}

#[test]
fn of_two_clients_with_one_number_one_ends_and_says_why_on_mariadb() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    clash(&Service::mariadb(13_533)?, ["clash-a", "clash-b"])
}
