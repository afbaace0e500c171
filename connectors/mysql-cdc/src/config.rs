//! A table's options, checked: what to read, from where, and how.

use std::fmt;
use std::time::Duration;

use jiff::tz::TimeZone;
use millrace_connector::{Diagnostic, Options, TableDefinition, ValidateContext};

use crate::definition::TableMatcher;
use crate::gtid::GtidSet;
use crate::properties::{self, Properties};
use crate::zone;

/// A text that is never shown.
#[derive(Clone)]
pub(crate) struct Secret(pub(crate) String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Connections that read chunks side by side, one a core in these bounds: with one, a distant server would pace it.
const READERS_MIN: usize = 2;
const READERS_MAX: usize = 4;

/// Where the first start begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Startup {
    /// All rows, then their changes.
    Initial,
    /// All rows, then the end.
    Snapshot,
    /// The oldest change that the server has.
    Earliest,
    /// The changes from now on.
    Latest,
    /// A place in the binary log.
    File {
        file: String,
        pos: u64,
        skip_events: u64,
        skip_rows: u64,
    },
    /// All but these transactions.
    Gtids {
        set: GtidSet,
        skip_events: u64,
        skip_rows: u64,
    },
    /// Changes of this second and later.
    Timestamp(u64),
}

impl Startup {
    pub(crate) fn has_snapshot(&self) -> bool {
        matches!(self, Self::Initial | Self::Snapshot)
    }
}

/// A table's options, checked.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) table: String,
    pub(crate) hostname: String,
    pub(crate) port: u16,
    pub(crate) username: String,
    pub(crate) password: Secret,
    pub(crate) database_name: String,
    pub(crate) table_name: String,
    pub(crate) matcher: TableMatcher,
    pub(crate) zone: TimeZone,
    pub(crate) zone_text: String,
    pub(crate) server_ids: Option<(u32, u32)>,
    pub(crate) startup: Startup,
    pub(crate) chunk_size: u64,
    pub(crate) chunk_key: Option<String>,
    /// The most connections that read chunks side by side.
    pub(crate) readers_max: usize,
    /// How many are asked for.
    pub(crate) readers: Option<usize>,
    pub(crate) legacy_json: bool,
    /// Tables that match only since the last checkpoint get a snapshot.
    pub(crate) adds_tables: bool,
    /// Every change is a row of its own, `+I`.
    pub(crate) append_only: bool,
    pub(crate) ltz_instant: bool,
    pub(crate) heartbeat: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) connect_retries: u32,
    pub(crate) properties: Properties,
    pub(crate) notes: Vec<String>,
}

impl Config {
    /// Returns `host:port`, for messages.
    pub(crate) fn address(&self) -> String {
        format!("{}:{}", self.hostname, self.port)
    }

    /// Returns how many connections read chunks side by side.
    pub(crate) fn snapshot_readers(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let wanted = self
            .readers
            .unwrap_or_else(|| cores().clamp(READERS_MIN, READERS_MAX));
        wanted.clamp(1, self.readers_max.max(1))
    }
}

/// Collects faults while options are read.
struct Reader<'a> {
    table: &'a TableDefinition,
    options: &'a Options,
    faults: Vec<Diagnostic>,
}

/// Returns the options' meaning, or everything that is wrong with it.
pub(crate) fn read(
    table: &TableDefinition,
    options: &Options,
    ctx: &ValidateContext,
) -> Result<Config, Vec<Diagnostic>> {
    let mut reader = Reader {
        table,
        options,
        faults: Vec::new(),
    };
    let properties = properties::map(options);
    let matcher = reader.matcher();
    let (zone, zone_text) = reader.zone(ctx);
    let startup = reader.startup();
    let port = reader.number("port", 1, 65_535) as u16;
    let chunk_size = reader.number("scan.incremental.snapshot.chunk.size", 2, i64::MAX) as u64;
    let retries = reader.number("connect.max-retries", 1, 1_000_000) as u32;
    let readers_max = reader.number("connection.pool.size", 1, i64::MAX) as usize;
    let readers = options
        .integer("millrace.snapshot-readers")
        .map(|_| reader.number("millrace.snapshot-readers", 1, 64) as usize);
    reader.number("scan.snapshot.fetch.size", 1, i64::MAX);
    let connect_timeout = reader.duration("connect.timeout", Duration::from_millis(250));
    let heartbeat = reader.duration("heartbeat.interval", Duration::from_millis(1));
    reader.factor(
        "chunk-key.even-distribution.factor.upper-bound",
        1.0,
        f64::MAX,
    );
    reader.factor("chunk-key.even-distribution.factor.lower-bound", 0.0, 1.0);
    let server_ids = reader.server_ids();
    let chunk_key = reader.chunk_key();
    reader.newly_added(&startup);
    let mut faults = reader.faults;
    let properties = properties.unwrap_or_else(|more| {
        faults.extend(more);
        Properties::default()
    });
    let Some(matcher) = matcher.filter(|_| faults.is_empty()) else {
        return Err(faults);
    };
    let text = |key: &str| options.text(key).unwrap_or_default().to_owned();
    let mut notes = matcher.warnings().to_vec();
    notes.extend(properties.notes.iter().cloned());
    notes.extend(accepted(options));
    Ok(Config {
        table: table.name.value.clone(),
        hostname: text("hostname"),
        port,
        username: text("username"),
        password: Secret(text("password")),
        database_name: text("database-name"),
        table_name: text("table-name"),
        matcher,
        zone,
        zone_text,
        server_ids,
        startup,
        chunk_size,
        chunk_key,
        readers_max,
        readers,
        legacy_json: options.boolean("use.legacy.json.format"),
        adds_tables: options.boolean("scan.newly-added-table.enabled"),
        append_only: options.boolean("scan.read-changelog-as-append-only.enabled"),
        ltz_instant: options.boolean("millrace.timestamp-ltz-instant"),
        heartbeat,
        connect_timeout: properties.connect_timeout.unwrap_or(connect_timeout),
        connect_retries: retries,
        properties,
        notes,
    })
}

/// Returns what to say once about options without effect.
fn accepted(options: &Options) -> Vec<String> {
    let without_effect = [
        (
            "scan.incremental.snapshot.enabled",
            "the snapshot is always read in chunks and without locks",
        ),
        (
            "scan.incremental.snapshot.backfill.skip",
            "the snapshot is always exact",
        ),
        (
            "scan.incremental.snapshot.unbounded-chunk-first.enabled",
            "the open-ended chunk is always read first",
        ),
        (
            "scan.incremental.close-idle-reader.enabled",
            "there are no idle readers",
        ),
        (
            "scan.parse.online.schema.changes.enabled",
            "there are no schema events",
        ),
        ("scan.snapshot.fetch.size", "rows are streamed"),
        ("chunk-meta.group.size", "it has no use in one process"),
        (
            "chunk-key.even-distribution.factor.upper-bound",
            "chunks are cut by the keys that are there",
        ),
        (
            "chunk-key.even-distribution.factor.lower-bound",
            "chunks are cut by the keys that are there",
        ),
    ];
    without_effect
        .into_iter()
        .filter(|(key, _)| options.is_written(key))
        .map(|(key, why)| format!("option '{key}' has no effect: {why}"))
        .collect()
}

impl Reader<'_> {
    fn fault(&mut self, code: &'static str, message: String, key: &str, label: &str, help: &str) {
        let span = self.options.span(key).unwrap_or(self.table.options_span);
        let mut fault = Diagnostic::error(code, message, span).label(label);
        if !help.is_empty() {
            fault = fault.help(help);
        }
        self.faults.push(fault);
    }

    fn bad(&mut self, key: &str, label: &str, help: &str) {
        self.fault(
            "MR0102",
            format!("bad value for option '{key}'"),
            key,
            label,
            help,
        );
    }

    fn number(&mut self, key: &str, min: i64, max: i64) -> i64 {
        let value = self.options.integer(key).unwrap_or(min);
        if (min..=max).contains(&value) {
            return value;
        }
        let bound = if max == i64::MAX {
            format!("must be at least {min}")
        } else {
            format!("must be between {min} and {max}")
        };
        self.bad(key, &bound, "");
        min
    }

    fn duration(&mut self, key: &str, min: Duration) -> Duration {
        let value = self.options.duration(key).unwrap_or(min);
        if value < min {
            self.bad(key, &format!("must be at least {} ms", min.as_millis()), "");
        }
        value
    }

    fn factor(&mut self, key: &str, min: f64, max: f64) {
        let value = self
            .options
            .text(key)
            .and_then(|text| text.trim().parse().ok());
        if value.is_some_and(|value: f64| (min..=max).contains(&value)) {
            return;
        }
        let bound = if max == f64::MAX {
            format!("must be a number of at least {min}")
        } else {
            format!("must be a number between {min} and {max}")
        };
        self.bad(key, &bound, "");
    }

    fn matcher(&mut self) -> Option<TableMatcher> {
        let database = self.options.text("database-name").unwrap_or_default();
        let table = self.options.text("table-name").unwrap_or_default();
        match TableMatcher::new(database, table) {
            Ok(matcher) => Some(matcher),
            Err(error) => {
                let message = format!("{error}");
                self.fault(
                    "MR0141",
                    message,
                    error.option,
                    &format!("position {}", error.position),
                    "the expression is one of Java's java.util.regex; look-around, back-references and possessive quantifiers cannot be used",
                );
                None
            }
        }
    }

    fn zone(&mut self, ctx: &ValidateContext) -> (TimeZone, String) {
        let text = self
            .options
            .text("server-time-zone")
            .unwrap_or(&ctx.session_time_zone)
            .to_owned();
        match zone::parse(&text) {
            Some(zone) => (zone, text),
            None => {
                self.bad(
                    "server-time-zone",
                    "not a time zone",
                    "write an offset such as '+07:00' or a name such as 'Asia/Bangkok'",
                );
                (TimeZone::UTC, text)
            }
        }
    }

    fn server_ids(&mut self) -> Option<(u32, u32)> {
        let text = self.options.text("server-id")?;
        let mut parts = text.splitn(2, '-').map(|part| part.trim().parse::<u32>());
        let first = parts.next().and_then(Result::ok).filter(|id| *id > 0);
        let last = parts.next().map_or(first, Result::ok);
        match (first, last) {
            (Some(first), Some(last)) if first <= last => Some((first, last)),
            _ => {
                self.bad(
                    "server-id",
                    "neither a number from 1 to 4294967295 nor a range",
                    "write '5400' or '5400-5408'",
                );
                None
            }
        }
    }

    fn startup(&mut self) -> Startup {
        let mode = self.options.text("scan.startup.mode").unwrap_or("initial");
        match mode.to_ascii_lowercase().as_str() {
            "earliest-offset" => Startup::Earliest,
            "latest-offset" => Startup::Latest,
            "snapshot" => Startup::Snapshot,
            "timestamp" => match self.options.integer("scan.startup.timestamp-millis") {
                Some(ms) => Startup::Timestamp(u64::try_from(ms).unwrap_or(0) / 1000),
                None => {
                    self.needs("scan.startup.timestamp-millis", "timestamp");
                    Startup::Initial
                }
            },
            "specific-offset" => self.specific_offset(),
            _ => Startup::Initial,
        }
    }

    fn specific_offset(&mut self) -> Startup {
        let skip_events =
            self.number("scan.startup.specific-offset.skip-events", 0, i64::MAX) as u64;
        let skip_rows = self.number("scan.startup.specific-offset.skip-rows", 0, i64::MAX) as u64;
        const GTIDS: &str = "scan.startup.specific-offset.gtid-set";
        const FILE: &str = "scan.startup.specific-offset.file";
        if let Some(text) = self.options.text(GTIDS) {
            return match GtidSet::parse(text) {
                Ok(set) => Startup::Gtids {
                    set,
                    skip_events,
                    skip_rows,
                },
                Err(why) => {
                    self.bad(
                        GTIDS,
                        &why,
                        "write '3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5,…'",
                    );
                    Startup::Initial
                }
            };
        }
        let file = self.options.text(FILE).map(str::to_owned);
        let pos = self.options.integer("scan.startup.specific-offset.pos");
        match (file, pos) {
            (Some(file), Some(pos)) => Startup::File {
                file,
                pos: u64::try_from(pos).unwrap_or(4).max(4),
                skip_events,
                skip_rows,
            },
            _ => {
                self.needs(
                    "scan.startup.specific-offset.file' and 'scan.startup.specific-offset.pos', or 'scan.startup.specific-offset.gtid-set",
                    "specific-offset",
                );
                Startup::Initial
            }
        }
    }

    fn needs(&mut self, keys: &str, mode: &str) {
        self.fault(
            "MR0101",
            format!("'scan.startup.mode' = '{mode}' needs '{keys}'"),
            "scan.startup.mode",
            "asked for here",
            "",
        );
    }

    fn chunk_key(&mut self) -> Option<String> {
        const KEY: &str = "scan.incremental.snapshot.chunk.key-column";
        let written = self.options.text(KEY).map(str::to_owned);
        let mode = self.options.text("scan.startup.mode").unwrap_or_default();
        let has_snapshot = ["initial", "snapshot"]
            .iter()
            .any(|m| mode.eq_ignore_ascii_case(m));
        if written.is_none() && self.table.primary_key.is_empty() && has_snapshot {
            self.fault(
                "MR0142",
                format!("a table without a primary key needs the option '{KEY}'"),
                "scan.startup.mode",
                "reads a snapshot",
                "name a column that is indexed and seldom changes, or declare PRIMARY KEY (…) NOT ENFORCED",
            );
        }
        written
    }

    fn newly_added(&mut self, startup: &Startup) {
        const KEY: &str = "scan.newly-added-table.enabled";
        if self.options.boolean(KEY) && startup != &Startup::Initial {
            self.fault(
                "MR0102",
                format!("'{KEY}' = 'true' needs 'scan.startup.mode' = 'initial'"),
                KEY,
                "there is no snapshot to add tables to",
                "take it out",
            );
        }
    }
}
