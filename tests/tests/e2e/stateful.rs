//! Queries with state through kills: each change comes once, and each window once.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::broker::Broker;
use crate::crash::Random;
use crate::pipeline::{Pipeline, Running};
use crate::reader::{Isolation, Reader};

const PARTITIONS: i32 = 4;
const KEYS: u64 = 97;
const KILLS: u64 = 8;
const ROWS_A_KILL: u64 = 8_000;
/// How many numbers of a partition fall into a minute.
const ROWS_A_MINUTE: u64 = 100;
const LIMIT: Duration = Duration::from_secs(120);

/// What the rows so far add up to.
#[derive(Default)]
struct Expected {
    next: u64,
    /// By key: how many, and their sum.
    totals: BTreeMap<u64, (u64, u64)>,
    /// By minute: how many.
    minutes: BTreeMap<u64, u64>,
}

impl Expected {
    fn write(&mut self, broker: &Broker, topic: &str, rows: u64) -> Result<()> {
        let mut payloads: Vec<Vec<Option<Vec<u8>>>> = vec![Vec::new(); PARTITIONS as usize];
        for number in self.next..self.next + rows {
            let place = number % PARTITIONS as u64;
            let ms = number / PARTITIONS as u64 * 60_000 / ROWS_A_MINUTE;
            let key = number.wrapping_mul(2_654_435_761) % KEYS;
            let total = self.totals.entry(key).or_default();
            *total = (total.0 + 1, total.1 + number);
            *self.minutes.entry(ms / 60_000).or_default() += 1;
            let row = format!(r#"{{"k":{key},"v":{number},"ms":{ms}}}"#);
            payloads[place as usize].push(Some(row.into_bytes()));
        }
        self.next += rows;
        for (partition, payloads) in payloads.into_iter().enumerate() {
            broker.write(topic, partition as i32, payloads)?;
        }
        Ok(())
    }

    /// Writes a row far behind all others into each partition: it closes their windows.
    fn close(&self, broker: &Broker, topic: &str) -> Result<()> {
        for partition in 0..PARTITIONS {
            let row = br#"{"k":-1,"v":0,"ms":4000000000000}"#.to_vec();
            broker.write(topic, partition, [Some(row)])?;
        }
        Ok(())
    }
}

fn sql(broker: &Broker, source: &str, totals: &str, minutes: &str) -> String {
    let brokers = &broker.address;
    format!(
        "CREATE TABLE s (
  k BIGINT, v BIGINT, ms BIGINT,
  ts AS TO_TIMESTAMP_LTZ(ms, 3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND
) WITH ('connector' = 'kafka', 'topic' = '{source}', 'properties.bootstrap.servers' = '{brokers}',
  'properties.group.id' = '{source}', 'scan.startup.mode' = 'earliest-offset', 'format' = 'json');
CREATE TABLE totals (k BIGINT, n BIGINT, total BIGINT, PRIMARY KEY (k) NOT ENFORCED)
WITH ('connector' = 'upsert-kafka', 'topic' = '{totals}', 'properties.bootstrap.servers' = '{brokers}',
  'key.format' = 'json', 'value.format' = 'json', 'sink.delivery-guarantee' = 'exactly-once',
  'sink.transactional-id-prefix' = '{totals}', 'properties.transaction.timeout.ms' = '600000');
CREATE TABLE minutes (at_ms BIGINT, n BIGINT)
WITH ('connector' = 'kafka', 'topic' = '{minutes}', 'properties.bootstrap.servers' = '{brokers}',
  'format' = 'json', 'sink.delivery-guarantee' = 'exactly-once',
  'sink.transactional-id-prefix' = '{minutes}', 'properties.transaction.timeout.ms' = '600000');
EXECUTE STATEMENT SET BEGIN
INSERT INTO totals SELECT k, COUNT(*), SUM(v) FROM s WHERE k >= 0 GROUP BY k;
INSERT INTO minutes SELECT MIN(ms), COUNT(*)
FROM TABLE(TUMBLE(TABLE s, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end;
END;
"
    )
}

fn rows(broker: &Broker, topic: &str) -> Result<Vec<Value>> {
    let values = Reader::open(broker, topic, Isolation::Committed)?.read_to_end()?;
    let parsed = values.iter().map(|value| serde_json::from_slice(value));
    Ok(parsed.collect::<Result<_, _>>()?)
}

fn number(row: &Value, field: &str) -> Result<u64> {
    row[field]
        .as_u64()
        .with_context(|| format!("{row} has no {field}"))
}

/// Waits for as many committed rows, and returns them.
fn wait_for(
    broker: &Broker,
    topic: &str,
    count: usize,
    running: &mut Running,
) -> Result<Vec<Value>> {
    let deadline = Instant::now() + LIMIT;
    loop {
        let found = rows(broker, topic)?;
        if found.len() >= count {
            return Ok(found);
        }
        running.ensure_alive()?;
        ensure!(
            Instant::now() < deadline,
            "{} of {count} rows in {topic}\n{}",
            found.len(),
            running.log_end()
        );
        std::thread::sleep(Duration::from_millis(300));
    }
}

#[test]
fn aggregates_and_windows_are_exact_over_kills() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    let broker = Broker::shared();
    let source = broker.topic("stateful-in", PARTITIONS)?;
    let totals = broker.topic("stateful-totals", 3)?;
    let minutes = broker.topic("stateful-minutes", 1)?;
    let pipeline = Pipeline::new("stateful", &sql(&broker, &source, &totals, &minutes))?;
    let mut expected = Expected::default();
    let mut random = Random::from_environment();
    for kill in 1..=KILLS {
        expected.write(&broker, &source, ROWS_A_KILL)?;
        let running = pipeline.start()?;
        let instant = random.between(500, 4_000);
        std::thread::sleep(instant);
        running.kill()?;
        let committed = rows(&broker, &totals)?.len();
        eprintln!("kill {kill} after {instant:?}: {committed} changes are committed");
    }
    let during = rows(&broker, &totals)?.len();
    ensure!(during > 0, "no killed process committed anything");
    expected.close(&broker, &source)?;

    let mut last = pipeline.start()?;
    let found = wait_for(&broker, &totals, expected.next as usize, &mut last)?;
    let windows = wait_for(&broker, &minutes, expected.minutes.len(), &mut last)?;
    last.ends_on_sigterm()?;
    eprintln!(
        "{during} of {} changes came before the last start",
        found.len()
    );

    // Each row is one change of its key, and the changes of a key come in order.
    let mut table: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
    for row in &found {
        let key = number(row, "k")?;
        let known = table.entry(key).or_default();
        let (n, total) = (number(row, "n")?, number(row, "total")?);
        ensure!(n == known.0 + 1, "{row} follows {known:?}");
        *known = (n, total);
    }
    ensure!(table == expected.totals, "other totals");
    let mut counts: BTreeMap<u64, u64> = BTreeMap::new();
    for row in &windows {
        let before = counts.insert(number(row, "at_ms")? / 60_000, number(row, "n")?);
        ensure!(before.is_none(), "{row} came twice");
    }
    ensure!(counts == expected.minutes, "other windows");
    Ok(())
}
