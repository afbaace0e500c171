//! Where the shown pipeline writes: a topic of the stand-in for Kafka, or a table of the one for Doris.

use std::collections::HashMap;
use std::path::PathBuf;

use anyhow::{Context, ensure};
use millrace_dev_doris::{DorisStandIn, Options};

use super::audit::{self, Audit};
use super::generator::FilebeatEvents;
use super::scene::Scene;

const SINK_TOPIC: &str = "ro_sea_tlog_clean";
const DATABASE: &str = "ro_sea";
const TABLE: &str = "dwd_moneyflow_log";
const DEFINITION: &str = include_str!("../../../../sql-examples/dwd_moneyflow/doris.sql");

/// A place for rows.
pub(super) enum Target {
    Topic,
    Table {
        doris: Box<DorisStandIn>,
        folder: PathBuf,
    },
}

/// What was fed: enough to make it again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'a> {
    pub(super) scene: Scene,
    pub(super) brokers: &'a str,
    pub(super) partitions: u32,
    pub(super) rows: u64,
    pub(super) seed: u64,
}

impl Target {
    pub(super) fn start(scene: Scene) -> anyhow::Result<Self> {
        if scene == Scene::Filebeat {
            return Ok(Self::Topic);
        }
        let folder =
            std::env::temp_dir().join(format!("millrace-demo-doris-{}", std::process::id()));
        let doris = DorisStandIn::start(Options::in_folder(&folder))
            .context("cannot start the stand-in for Doris")?;
        doris
            .execute(DEFINITION)
            .context("the stand-in for Doris refuses the table")?;
        Ok(Self::Table {
            doris: Box::new(doris),
            folder,
        })
    }

    /// Returns the topics that it needs in the stand-in for Kafka.
    pub(super) fn topics(&self) -> &'static [&'static str] {
        match self {
            Self::Topic => &[SINK_TOPIC],
            Self::Table { .. } => &[],
        }
    }

    pub(super) fn path(&self) -> &'static str {
        match self {
            Self::Topic => "Kafka → SQL → Kafka",
            Self::Table { .. } => "Kafka → SQL → Doris",
        }
    }

    /// Says what stands in, if anything more does.
    pub(super) fn introduction(&self) -> Option<String> {
        match self {
            Self::Topic => None,
            Self::Table { doris, folder } => Some(format!(
                "  doris     a stand-in at {}, which is no Doris: rows in {}",
                doris.fe_address(),
                folder.display()
            )),
        }
    }

    pub(super) fn variables(&self, brokers: &str) -> Vec<(&'static str, String)> {
        let mut variables = vec![("source.brokers", brokers.to_owned())];
        match self {
            Self::Topic => {
                variables.push(("sink.brokers", brokers.to_owned()));
                variables.push(("sink.topic", SINK_TOPIC.to_owned()));
            }
            Self::Table { doris, .. } => {
                let jdbc = format!("jdbc:mysql://{}", doris.query_address());
                variables.push(("doris.jdbc", jdbc));
                variables.push(("doris.load", doris.fe_address()));
                variables.push(("doris.user", "root".to_owned()));
                variables.push(("doris.password", String::new()));
            }
        }
        variables
    }

    /// Counts what arrived.
    pub(super) fn audit(&self, source: Source<'_>) -> anyhow::Result<Audit> {
        match self {
            Self::Topic => {
                let topic = source.scene.topic();
                let partitions = source.partitions;
                audit::audit(source.brokers, SINK_TOPIC, topic, partitions, source.rows)
            }
            Self::Table { doris, .. } => audit_table(doris, source),
        }
    }

    /// Says who looked, and by what rows are told apart.
    pub(super) fn witness(&self) -> (String, &'static str) {
        match self {
            Self::Topic => (
                format!("a read_committed reader finds in {SINK_TOPIC}"),
                "by source topic, partition and offset",
            ),
            Self::Table { .. } => (format!("a query finds in {DATABASE}.{TABLE}"), "by uuid"),
        }
    }

    /// Says how to look at it while it stays.
    pub(super) fn look(&self, brokers: &str, scene: Scene) -> String {
        match self {
            Self::Topic => format!(
                "the stand-in stays at {brokers} until Ctrl-C; topics {} and {SINK_TOPIC}",
                scene.topic()
            ),
            Self::Table { doris, .. } => {
                let address = doris.query_address();
                let (host, port) = address.split_once(':').unwrap_or((&address, "9030"));
                format!(
                    "the stand-ins stay until Ctrl-C; Kafka at {brokers}, and\n  mysql -h {host} -P {port} -u root -e 'SELECT COUNT(*), COUNT(DISTINCT uuid) FROM {DATABASE}.{TABLE}'"
                )
            }
        }
    }

    /// Says how to run it for real.
    pub(super) fn next_steps(&self) -> &'static [&'static str] {
        match self {
            Self::Topic => &[
                "the same pipeline on your Kafka:",
                "",
                "  millrace run sql-examples/filebeat_sync/pipeline.sql \\",
                "    --var source.brokers=HOST:9092 --var sink.brokers=HOST:9092 --var sink.topic=ro_sea_tlog_clean",
            ],
            Self::Table { .. } => &[
                "the same pipeline on your Kafka and Doris, with the table of sql-examples/dwd_moneyflow/doris.sql:",
                "",
                "  millrace run sql-examples/dwd_moneyflow/pipeline.sql --var source.brokers=HOST:9092 \\",
                "    --var doris.jdbc=jdbc:mysql://FE:9030 --var doris.load=FE:8030 --var doris.user=USER --var doris.password=…",
            ],
        }
    }

    /// Ends it, and removes what it kept.
    pub(super) fn end(self) {
        if let Self::Table { doris, folder } = self {
            drop(doris);
            drop(std::fs::remove_dir_all(folder));
        }
    }
}

/// Makes the events again, and looks for the uuid of each among the rows of the table.
fn audit_table(doris: &DorisStandIn, source: Source<'_>) -> anyhow::Result<Audit> {
    let mut times_seen: HashMap<u128, u32> = HashMap::new();
    let mut generators: Vec<FilebeatEvents> = (0..source.partitions)
        .map(|partition| FilebeatEvents::new(source.seed, partition))
        .collect();
    let (mut event, partitions) = (String::new(), u64::from(source.partitions));
    for row in 0..source.rows {
        let partition = usize::try_from(row % partitions).expect("partitions are few");
        source.scene.next(&mut generators[partition], &mut event);
        let uuid = event
            .split_once("\"uuid\":\"")
            .and_then(|(_, rest)| rest.get(..36))
            .context("an event has no uuid")?;
        times_seen.insert(number_of(uuid)?, 0);
    }
    ensure!(
        times_seen.len() as u64 == source.rows,
        "two events have the same uuid"
    );
    let mut audit = Audit::default();
    let columns = ["uuid", "date", "vroleid", "reason", "imoney", "unionname"];
    doris.visit_rows((DATABASE, TABLE), &columns, |row| {
        audit.rows += 1;
        let uuid = row[0].as_str().unwrap_or_default();
        let seen = number_of(uuid)
            .ok()
            .and_then(|uuid| times_seen.get_mut(&uuid));
        let Some(seen) = seen else {
            return Err(std::io::Error::other(format!(
                "a row has the uuid '{uuid}' of no event"
            )));
        };
        audit.duplicates += u64::from(*seen > 0);
        *seen += 1;
        if audit.samples.len() < audit::SAMPLES {
            let cells = columns.iter().zip(row);
            let cells: Vec<String> = cells
                .map(|(name, cell)| format!("{name}: {cell}"))
                .collect();
            audit.samples.push(cells.join(", "));
        }
        Ok(())
    })?;
    audit.missing = times_seen.values().filter(|seen| **seen == 0).count() as u64;
    Ok(audit)
}

fn number_of(uuid: &str) -> anyhow::Result<u128> {
    u128::from_str_radix(&uuid.replace('-', ""), 16).with_context(|| format!("'{uuid}' is no uuid"))
}
