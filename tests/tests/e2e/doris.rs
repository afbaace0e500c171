//! From Kafka into Doris, played by the stand-in of `dev/doris`: each row once in the table, through kills of both sides.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use millrace_dev_doris::{Column, DorisStandIn, Keys, Options, TableSchema, TransactionState};
use tempfile::TempDir;

use crate::broker::{Broker, Feeder, RowWriter};
use crate::crash::kill_repeatedly;
use crate::delivery::Delivered;
use crate::pipeline::{Pipeline, Running};

const PARTITIONS: usize = 4;
const TABLE: &str = "checked";
/// So many rows arrive while nothing is wrong, before Doris is killed.
const ROWS_FLOWING: u64 = 20_000;

/// A stand-in that can be killed and started again on its ports and its folder.
pub(crate) struct Doris {
    folder: TempDir,
    running: Option<DorisStandIn>,
}

impl Doris {
    pub(crate) fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let running = DorisStandIn::start(Options::in_folder(folder.path()))?;
        let doris = Self {
            folder,
            running: Some(running),
        };
        doris.create_table(TABLE)?;
        Ok(doris)
    }

    pub(crate) fn create_table(&self, name: &str) -> Result<()> {
        self.now().create_table(TableSchema {
            db: "db".into(),
            table: name.into(),
            keys: Keys::Duplicate,
            columns: vec![
                Column::new("id", "BIGINT").not_null(),
                Column::new("name", "VARCHAR(40)"),
                Column::new("amount", "INT"),
                Column::new("src_topic", "VARCHAR(100)"),
                Column::new("src_partition", "INT"),
                Column::new("src_offset", "BIGINT"),
            ],
        })?;
        Ok(())
    }

    pub(crate) fn now(&self) -> &DorisStandIn {
        self.running.as_ref().expect("it was started again")
    }

    pub(crate) fn kill_and_restart(&mut self) -> Result<()> {
        let port = |address: String| -> Result<u16> { Ok(address.parse::<SocketAddr>()?.port()) };
        let options = Options {
            http_port: port(self.now().fe_address())?,
            be_port: port(self.now().be_address())?,
            query_port: port(self.now().query_address())?,
            ..Options::in_folder(self.folder.path())
        };
        self.running = None;
        let deadline = Instant::now() + Duration::from_secs(20);
        let started = loop {
            match DorisStandIn::start(options.clone()) {
                Err(_) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(50))
                }
                other => break other?,
            }
        };
        self.running = Some(started);
        Ok(())
    }

    pub(crate) fn delivered(&self, table: &str, source: &str) -> Result<Delivered> {
        Delivered::of_table(&self.now().rows("db", table)?, source)
    }

    /// Waits until the tables have that many rows together.
    pub(crate) fn wait_for(&self, rows: u64, limit: Duration, process: &mut Running) -> Result<()> {
        let deadline = Instant::now() + limit;
        loop {
            let visible = self.now().transactions()?.into_iter();
            let visible: u64 = visible
                .filter(|transaction| transaction.state == TransactionState::Visible)
                .map(|transaction| transaction.rows)
                .sum();
            if visible >= rows {
                return Ok(());
            }
            process.ensure_alive()?;
            ensure!(
                Instant::now() < deadline,
                "{visible} of {rows} rows after {limit:?}\n{}",
                process.log_end()
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Returns a pipeline that writes each row of `source` to each of `tables`, looking at them over both protocols.
    pub(crate) fn sql(&self, broker: &Broker, source: &str, tables: &[&str]) -> String {
        let mut sql = format!(
            "CREATE TABLE numbered (
  id BIGINT,
  `name` STRING,
  amount INT,
  src_topic STRING METADATA FROM 'topic' VIRTUAL,
  src_partition INT METADATA FROM 'partition' VIRTUAL,
  src_offset BIGINT METADATA FROM 'offset' VIRTUAL
) WITH (
  'connector' = 'kafka',
  'topic' = '{source}',
  'properties.bootstrap.servers' = '{}',
  'properties.group.id' = '{source}',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
",
            broker.address
        );
        for table in tables {
            sql.push_str(&format!(
                "CREATE TABLE {table} (
  id BIGINT,
  `name` STRING,
  amount INT,
  src_topic STRING,
  src_partition INT,
  src_offset BIGINT
) WITH (
  'connector' = 'doris',
  'fenodes' = '{}',
  'jdbc-url' = 'jdbc:mysql://{}',
  'table.identifier' = 'db.{table}',
  'username' = 'root',
  'password' = '',
  'sink.enable-2pc' = 'true',
  'sink.label-prefix' = 'e2e'
);
",
                self.now().fe_address(),
                self.now().query_address()
            ));
        }
        sql.push_str("EXECUTE STATEMENT SET BEGIN\n");
        for table in tables {
            sql.push_str(&format!(
                "INSERT INTO {table} SELECT id, UPPER(`name`), amount * 2, src_topic, src_partition, src_offset FROM numbered;\n"
            ));
        }
        sql + "END;\n"
    }
}

/// Returns how many rows the run with kills has at least: `MILLRACE_DORIS_ROWS`, or a million.
fn rows_min() -> u64 {
    let asked = std::env::var("MILLRACE_DORIS_ROWS").ok();
    asked
        .and_then(|text| text.parse().ok())
        .unwrap_or(1_000_000)
}

#[test]
fn survives_twenty_kills_on_the_way_to_doris_and_one_of_doris() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    let broker = Broker::shared();
    let source = broker.topic("doris-in", PARTITIONS as i32)?;
    let mut doris = Doris::start()?;
    let pipeline = Pipeline::new("doris", &doris.sql(&broker, &source, &[TABLE]))?;
    let writer = RowWriter::new(&broker, &source, PARTITIONS)?;
    let mut writer = kill_repeatedly(&pipeline, writer)?;
    let rows: u64 = writer.finish()?.iter().sum();
    writer.write(rows_min().saturating_sub(rows))?;
    let rows: u64 = writer.finish()?.iter().sum();

    let during = doris.delivered(TABLE, &source)?.rows();
    eprintln!("{during} of {rows} rows were committed by the killed processes");
    ensure!(
        during > 0,
        "no process committed anything before its kill: the test tests nothing"
    );

    let mut last = pipeline.start()?;
    let feeder = Feeder::start(writer, 10_000);
    doris.wait_for(rows + ROWS_FLOWING, Duration::from_secs(180), &mut last)?;
    doris.kill_and_restart()?;
    // So that rows come while Doris is gone, and after it is back.
    std::thread::sleep(Duration::from_secs(3));
    let written = feeder.stop()?.finish()?;
    let rows = written.iter().sum();
    doris.wait_for(rows, Duration::from_secs(180), &mut last)?;
    last.ends_on_sigterm()?;
    doris
        .delivered(TABLE, &source)?
        .ensure_exactly_once(&written)
}
