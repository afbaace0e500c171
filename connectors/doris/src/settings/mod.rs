//! What the options of a table come to.

mod dialect;
mod properties;
mod reader;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use millrace_connector::{DeliveryGuarantee, Diagnostic, Options, TableDefinition};

use crate::node::{Node, Scheme};
use reader::Reader;

pub(crate) use properties::{BodyFormat, Compression};

/// A load of an exactly-once table is ended at this size; Doris's own bound is 10 GB (`streaming_load_max_mb`).
const LOAD_BYTES_MAX: u64 = 1 << 30;
const ANSWER_PATIENCE: Duration = Duration::from_mins(10);

/// When a load is ended before its checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LoadLimits {
    pub(crate) bytes_max: u64,
    pub(crate) rows_max: u64,
    pub(crate) age_max: Option<Duration>,
}

/// What happens to rows that cannot stand in their table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BadRows {
    /// The load fails.
    Fail,
    /// They are left out and counted.
    Skip,
    /// They go into another table, with the reason.
    DeadLetter {
        /// Its database.
        db: String,
        /// Its name.
        table: String,
    },
}

/// A password that does not show itself.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Password(String);

impl Password {
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The options of one table, in one dialect.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) fes: Vec<Node>,
    pub(crate) bes: Vec<Node>,
    /// Whether loads go to backends that the frontends name, instead of where they redirect to.
    pub(crate) asks_for_backends: bool,
    /// Addresses of the MySQL protocol.
    pub(crate) query_nodes: Vec<Node>,
    pub(crate) query_tls: bool,
    /// Who signs the cluster's certificates besides those whom the system trusts.
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) user: String,
    pub(crate) password: Password,
    pub(crate) db: String,
    pub(crate) table: String,
    pub(crate) prefix: String,
    pub(crate) guarantee: DeliveryGuarantee,
    pub(crate) is_two_phase: bool,
    pub(crate) deletes: bool,
    /// Whether rows before an update are left out; else they are deletes.
    pub(crate) ignores_before: bool,
    pub(crate) retries_max: u32,
    pub(crate) limits: LoadLimits,
    pub(crate) connect_timeout: Duration,
    pub(crate) request_timeout: Duration,
    pub(crate) load_timeout: Duration,
    /// Headers of the user's, by name.
    pub(crate) headers: Vec<(String, String)>,
    /// The user's `columns` header.
    pub(crate) columns: Option<String>,
    pub(crate) is_partial: bool,
    /// The column that tells which of two rows of a key is newer.
    pub(crate) sequence: Option<String>,
    pub(crate) allows_filtered: bool,
    pub(crate) format: BodyFormat,
    pub(crate) compression: Compression,
    pub(crate) bad_rows: BadRows,
    /// Whether a table that does not fit stops the pipeline; else it is only told.
    pub(crate) checks_schema: bool,
    pub(crate) notes: Vec<String>,
}

impl Settings {
    /// Returns the settings, or what is wrong: `MR0101` missing, `MR0102` bad value, `MR0125` contradictions, `MR0126` not
    /// built.
    pub(crate) fn read(
        table: &TableDefinition,
        options: &Options,
    ) -> Result<Self, Vec<Diagnostic>> {
        let mut reader = Reader::new(table, options);
        let wants_tls = options.boolean("doris.enable.tls");
        let scheme = if wants_tls {
            Scheme::Tls
        } else {
            Scheme::Plain
        };
        let fes = reader.frontends(scheme);
        let bes = reader.nodes("benodes", ',', scheme);
        let (query_nodes, url_wants_tls) = reader.query_nodes();
        let (db, name) = reader.identifier();
        let guarantee = reader.guarantee();
        let properties = reader.properties();
        let bad_rows = reader.bad_rows(query_nodes.is_empty());
        let limits = reader.limits(guarantee);
        reader.refuse_unbuilt();
        reader.note_without_effect();
        let text = |key: &str| options.text(key).unwrap_or_default().to_owned();
        let settings = Self {
            asks_for_backends: reader.is_written("auto-redirect")
                && !options.boolean("auto-redirect")
                && bes.is_empty(),
            fes,
            bes,
            query_nodes,
            query_tls: wants_tls || url_wants_tls,
            ca_file: options.text("doris.tls.ca-file").map(PathBuf::from),
            user: text("username"),
            password: Password(text("password")),
            db,
            table: name,
            prefix: text("sink.label-prefix"),
            guarantee,
            is_two_phase: guarantee == DeliveryGuarantee::ExactlyOnce,
            deletes: options.boolean("sink.enable-delete"),
            ignores_before: options.boolean("sink.ignore.update-before"),
            retries_max: reader
                .number("sink.max-retries")
                .map_or(3, |tries| u32::try_from(tries).unwrap_or(u32::MAX)),
            limits,
            connect_timeout: reader
                .time("doris.request.connect.timeout")
                .or_else(|| reader.millis("sink.connect.timeout-ms"))
                .unwrap_or(Duration::from_secs(30)),
            request_timeout: reader
                .time("doris.request.read.timeout")
                .unwrap_or(Duration::from_secs(60)),
            load_timeout: reader
                .millis("sink.socket.timeout-ms")
                .unwrap_or(ANSWER_PATIENCE),
            headers: properties.headers,
            columns: properties.columns,
            is_partial: properties.is_partial,
            sequence: properties.sequence,
            allows_filtered: properties.allows_filtered,
            format: properties.format,
            compression: properties.compression,
            bad_rows,
            checks_schema: !options
                .text("sink.schema-check")
                .is_some_and(|text| text.eq_ignore_ascii_case("warn")),
            notes: std::mem::take(&mut reader.notes),
        };
        reader.check_combinations(&settings);
        if reader.faults.is_empty() {
            Ok(settings)
        } else {
            Err(reader.faults)
        }
    }
}

impl Reader<'_> {
    /// Returns a time that is also taken in milliseconds, under the name with `.ms` behind.
    fn time(&self, key: &str) -> Option<Duration> {
        let millis = || self.millis(&format!("{key}.ms"));
        self.options.duration(key).or_else(millis)
    }

    /// Returns a number of milliseconds; zero and less mean that nothing is said.
    fn millis(&self, key: &str) -> Option<Duration> {
        let value = u64::try_from(self.options.integer(key)?).ok()?;
        (value > 0).then(|| Duration::from_millis(value))
    }

    fn bad_rows(&mut self, has_no_query_node: bool) -> BadRows {
        let key = "sink.bad-rows";
        let policy = self.word(key).unwrap_or_default().to_ascii_lowercase();
        let table = self.word("sink.dead-letter.table");
        if table.is_some() && policy != "dead-letter" {
            self.contradiction(
                "sink.dead-letter.table",
                key,
                "the table is only used where 'sink.bad-rows' = 'dead-letter'",
            );
        }
        if matches!(policy.as_str(), "skip" | "dead-letter") && has_no_query_node {
            let message = format!(
                "'{key}' = '{policy}' needs 'jdbc-url': lengths and NOT NULL of columns are only told there"
            );
            self.fault("MR0125", key, message);
        }
        match (policy.as_str(), table) {
            ("skip", _) => BadRows::Skip,
            ("dead-letter", Some(table)) => match dialect::db_and_table(&table) {
                Some((db, table)) => BadRows::DeadLetter { db, table },
                None => {
                    let message =
                        "bad value for option 'sink.dead-letter.table': it is no db.table";
                    self.fault("MR0102", "sink.dead-letter.table", message);
                    BadRows::Fail
                }
            },
            ("dead-letter", None) => {
                self.missing(
                    "'sink.dead-letter.table'",
                    "'sink.dead-letter.table' = 'db.orders_dead'",
                );
                BadRows::Fail
            }
            _ => BadRows::Fail,
        }
    }

    fn limits(&mut self, guarantee: DeliveryGuarantee) -> LoadLimits {
        let is_seed = self.is_written("load-url");
        let is_batched = self.options.boolean("sink.enable.batch-mode") || is_seed;
        let own = LoadLimits {
            bytes_max: self
                .options
                .memory_size("sink.load.max-bytes")
                .unwrap_or(LOAD_BYTES_MAX)
                .max(1),
            rows_max: self.number("sink.load.max-rows").unwrap_or(u64::MAX).max(1),
            age_max: self.options.duration("sink.load.max-age"),
        };
        if guarantee == DeliveryGuarantee::ExactlyOnce || !is_batched {
            for key in FLUSH.iter().filter(|key| self.options.is_written(key)) {
                self.notes.push(format!(
                    "'{key}' is without effect: loads end at checkpoints, and at 'sink.load.*'"
                ));
            }
            return own;
        }
        let rows = self.number("sink.buffer-flush.max-rows");
        let interval = self.options.duration("sink.buffer-flush.interval");
        let interval = interval.or_else(|| self.millis("sink.buffer-flush.interval-ms"));
        LoadLimits {
            bytes_max: self
                .options
                .memory_size("sink.buffer-flush.max-bytes")
                .unwrap_or(if is_seed { 94_371_840 } else { 100 << 20 })
                .clamp(1, own.bytes_max),
            rows_max: rows.unwrap_or(500_000).clamp(1, own.rows_max),
            age_max: Some(interval.unwrap_or(Duration::from_secs(if is_seed { 300 } else { 10 }))),
        }
    }

    fn refuse_unbuilt(&mut self) {
        if self.options.boolean("sink.ignore.commit-error") {
            let message = "'sink.ignore.commit-error' throws rows away when a commit fails, which this connector does not do: it loads them again";
            self.fault("MR0126", "sink.ignore.commit-error", message);
        }
        let mode = self.word("sink.write-mode").unwrap_or_default();
        let mode = mode.to_ascii_lowercase();
        if !matches!(mode.as_str(), "" | "stream_load" | "stream_load_batch") {
            let message = format!("the write mode '{mode}' is not built; 'stream_load' is");
            self.fault("MR0126", "sink.write-mode", message);
        }
    }

    /// What no single option is to blame for.
    fn check_combinations(&mut self, settings: &Settings) {
        let property = |name: &str| format!("sink.properties.{name}");
        if settings.format == BodyFormat::Arrow && settings.columns.is_some() {
            self.contradiction(
                &property("format"),
                &property("columns"),
                "columns of an Arrow body go into the columns of their names",
            );
        }
        if settings.columns.is_some() && settings.bad_rows != BadRows::Fail {
            self.contradiction(
                &property("columns"),
                "sink.bad-rows",
                "with expressions in between, only Doris can tell which rows fit",
            );
        }
        if settings.is_partial && settings.columns.is_some() {
            self.notes.push(
                "'sink.properties.columns' says which columns of a partial update are written; it must name the key".into(),
            );
        }
    }

    fn note_without_effect(&mut self) {
        for key in crate::options::WITHOUT_EFFECT {
            if self.options.is_written(key) {
                self.notes.push(format!("'{key}' is without effect here"));
            }
        }
        if !self.options.boolean("sink.enable-delete") {
            self.notes.push(
                "deletes are left out ('sink.enable-delete' = 'false'): the table keeps rows that the query has removed".into(),
            );
        }
    }
}

const FLUSH: &[&str] = &[
    "sink.buffer-flush.max-bytes",
    "sink.buffer-flush.max-rows",
    "sink.buffer-flush.interval",
    "sink.buffer-flush.interval-ms",
];
