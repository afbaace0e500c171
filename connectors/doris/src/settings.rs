//! What the options of a table come to.

use std::fmt;
use std::time::Duration;

use millrace_connector::{DeliveryGuarantee, Diagnostic, Options, TableDefinition};

use crate::node::Node;

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

/// A password that does not show itself.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Password(String);

impl fmt::Display for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
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
    pub(crate) user: String,
    pub(crate) password: Password,
    pub(crate) db: String,
    pub(crate) table: String,
    pub(crate) prefix: String,
    pub(crate) guarantee: DeliveryGuarantee,
    pub(crate) is_two_phase: bool,
    pub(crate) deletes: bool,
    pub(crate) retries_max: u32,
    pub(crate) limits: LoadLimits,
    pub(crate) connect_timeout: Duration,
    pub(crate) request_timeout: Duration,
    pub(crate) load_timeout: Duration,
    /// Headers of the user's, by name.
    pub(crate) headers: Vec<(String, String)>,
    /// The user's `columns` header.
    pub(crate) columns: Option<String>,
    pub(crate) allows_filtered: bool,
    pub(crate) notes: Vec<String>,
}

/// Reads options while it collects what is wrong with them.
struct Reader<'a> {
    table: &'a TableDefinition,
    options: &'a Options,
    faults: Vec<Diagnostic>,
}

impl Settings {
    /// Returns the settings, or what is wrong: `MR0101` missing, `MR0102` bad value, `MR0125` contradictions, `MR0126` not
    /// built yet.
    pub(crate) fn read(
        table: &TableDefinition,
        options: &Options,
    ) -> Result<Self, Vec<Diagnostic>> {
        let mut reader = Reader {
            table,
            options,
            faults: Vec::new(),
        };
        let fes = reader.frontends();
        let bes = reader.nodes("benodes", ',');
        let (db, name) = reader.identifier();
        let guarantee = reader.guarantee();
        let properties = reader.properties();
        reader.refuse_unbuilt();
        let text = |key: &str| options.text(key).unwrap_or_default().to_owned();
        let millis = |key: &str| {
            let value = options
                .integer(key)
                .and_then(|value| u64::try_from(value).ok());
            value.filter(|value| *value > 0).map(Duration::from_millis)
        };
        let request_timeout = options
            .duration("doris.request.read.timeout")
            .or_else(|| millis("doris.request.read.timeout.ms"));
        let settings = Self {
            fes,
            bes,
            user: text("username"),
            password: Password(text("password")),
            db,
            table: name,
            prefix: text("sink.label-prefix"),
            guarantee,
            is_two_phase: guarantee == DeliveryGuarantee::ExactlyOnce,
            deletes: options.boolean("sink.enable-delete"),
            retries_max: options
                .integer("sink.max-retries")
                .map_or(3, |tries| u32::try_from(tries).unwrap_or(0)),
            limits: reader.limits(guarantee),
            connect_timeout: options
                .duration("doris.request.connect.timeout")
                .or_else(|| millis("doris.request.connect.timeout.ms"))
                .or_else(|| millis("sink.connect.timeout-ms"))
                .unwrap_or(Duration::from_secs(30)),
            request_timeout: request_timeout.unwrap_or(Duration::from_secs(60)),
            load_timeout: millis("sink.socket.timeout-ms").unwrap_or(ANSWER_PATIENCE),
            headers: properties.headers,
            columns: properties.columns,
            allows_filtered: properties.allows_filtered,
            notes: reader.notes(properties.notes),
        };
        if reader.faults.is_empty() {
            Ok(settings)
        } else {
            Err(reader.faults)
        }
    }
}

#[derive(Default)]
struct Properties {
    headers: Vec<(String, String)>,
    columns: Option<String>,
    allows_filtered: bool,
    notes: Vec<String>,
}

impl Reader<'_> {
    fn fault(&mut self, code: &'static str, key: &str, message: impl Into<String>) {
        let span = self.options.span(key).unwrap_or(self.table.options_span);
        self.faults.push(Diagnostic::error(code, message, span));
    }

    fn missing(&mut self, keys: &str, example: &str) {
        let fault = Diagnostic::error(
            "MR0101",
            format!("connector 'doris' needs {keys}"),
            self.table.options_span,
        );
        self.faults.push(fault.help(format!("such as {example}")));
    }

    fn contradiction(&mut self, one: &str, other: &str, why: &str) {
        let mut fault = Diagnostic::error(
            "MR0125",
            format!("'{one}' and '{other}' contradict each other: {why}"),
            self.options.span(other).unwrap_or(self.table.options_span),
        );
        if let Some(span) = self.options.span(one) {
            fault = fault.also(span, "the other one");
        }
        self.faults
            .push(fault.help("write one of them, or both with the same meaning"));
    }

    fn nodes(&mut self, key: &str, separator: char) -> Vec<Node> {
        let Some(text) = self.options.text(key) else {
            return Vec::new();
        };
        match Node::parse_list(text, separator) {
            Ok(nodes) => nodes,
            Err(why) => {
                let code = if text.contains("https://") {
                    "MR0126"
                } else {
                    "MR0102"
                };
                self.fault(code, key, format!("bad value for option '{key}': {why}"));
                Vec::new()
            }
        }
    }

    fn frontends(&mut self) -> Vec<Node> {
        let faults = self.faults.len();
        let (apache, seed) = (self.nodes("fenodes", ','), self.nodes("load-url", ';'));
        if self.faults.len() > faults {
            return Vec::new();
        }
        match (apache.is_empty(), seed.is_empty()) {
            (true, true) => {
                self.missing("'fenodes' or 'load-url'", "'fenodes' = 'fe1:8030,fe2:8030'");
            }
            (false, false) if apache != seed => {
                self.contradiction("fenodes", "load-url", "they name different frontends");
            }
            _ => {}
        }
        if apache.is_empty() { seed } else { apache }
    }

    fn identifier(&mut self) -> (String, String) {
        let written = |key| {
            self.options
                .text(key)
                .map(|text: &str| text.trim().to_owned())
        };
        let identifier = written("table.identifier");
        let parts = (written("database-name"), written("table-name"));
        let apache = identifier.as_ref().map(|text| match text.split_once('.') {
            Some((db, name)) if is_name(db) && is_name(name) => {
                Ok((db.to_owned(), name.to_owned()))
            }
            _ => Err(()),
        });
        match (apache, parts) {
            (Some(Err(())), _) => {
                let message = "bad value for option 'table.identifier': it is no db.table";
                self.fault("MR0102", "table.identifier", message);
            }
            (Some(Ok(names)), (None, None)) => return names,
            (Some(Ok(names)), (db, name)) => {
                if db.is_some_and(|db| db != names.0) {
                    self.contradiction(
                        "table.identifier",
                        "database-name",
                        "they name different databases",
                    );
                }
                if name.is_some_and(|name| name != names.1) {
                    self.contradiction(
                        "table.identifier",
                        "table-name",
                        "they name different tables",
                    );
                }
                return names;
            }
            (None, (Some(db), Some(name))) if is_name(&db) && is_name(&name) => return (db, name),
            (None, (Some(_), Some(_))) => {
                self.fault(
                    "MR0102",
                    "table-name",
                    "the name of the database or table has characters that no URL takes",
                );
            }
            (None, _) => self.missing(
                "'table.identifier', or 'database-name' and 'table-name'",
                "'table.identifier' = 'db.table'",
            ),
        }
        Default::default()
    }

    fn guarantee(&mut self) -> DeliveryGuarantee {
        let exactly = DeliveryGuarantee::ExactlyOnce;
        let at_least = DeliveryGuarantee::AtLeastOnce;
        let pick = |is_exactly| if is_exactly { exactly } else { at_least };
        let is_written = |key: &str| self.options.is_written(key);
        let semantic = self
            .options
            .text("sink.semantic")
            .map(|text| pick(text.eq_ignore_ascii_case("exactly-once")));
        let two_phase =
            is_written("sink.enable-2pc").then(|| pick(self.options.boolean("sink.enable-2pc")));
        let is_batch = self.options.boolean("sink.enable.batch-mode");
        if let (Some(semantic), Some(two_phase)) = (semantic, two_phase)
            && semantic != two_phase
        {
            self.contradiction(
                "sink.semantic",
                "sink.enable-2pc",
                "exactly-once is two-phase commit",
            );
        }
        for (key, asked) in [("sink.semantic", semantic), ("sink.enable-2pc", two_phase)] {
            if is_batch && asked == Some(exactly) {
                self.contradiction(
                    key,
                    "sink.enable.batch-mode",
                    "batches are loaded at least once",
                );
            }
        }
        let by_dialect = pick(self.options.is_written("fenodes"));
        match (semantic.or(two_phase), is_batch) {
            (Some(asked), _) => asked,
            (None, true) => at_least,
            (None, false) => by_dialect,
        }
    }

    fn limits(&self, guarantee: DeliveryGuarantee) -> LoadLimits {
        let options = self.options;
        let is_seed = options.is_written("load-url");
        let is_batched = options.boolean("sink.enable.batch-mode") || is_seed;
        if guarantee == DeliveryGuarantee::ExactlyOnce || !is_batched {
            return LoadLimits {
                bytes_max: LOAD_BYTES_MAX,
                rows_max: u64::MAX,
                age_max: None,
            };
        }
        let rows = options.integer("sink.buffer-flush.max-rows");
        let millis = options.integer("sink.buffer-flush.interval-ms");
        let interval = options.duration("sink.buffer-flush.interval").or(millis
            .and_then(|ms| u64::try_from(ms).ok())
            .map(Duration::from_millis));
        LoadLimits {
            bytes_max: options
                .memory_size("sink.buffer-flush.max-bytes")
                .unwrap_or(if is_seed { 94_371_840 } else { 100 << 20 })
                .max(1),
            rows_max: rows
                .and_then(|rows| u64::try_from(rows).ok())
                .unwrap_or(500_000)
                .max(1),
            age_max: Some(interval.unwrap_or(Duration::from_secs(if is_seed { 300 } else { 10 }))),
        }
    }

    fn refuse_unbuilt(&mut self) {
        let wants = |key: &str| self.options.boolean(key);
        if wants("doris.enable.tls") {
            self.fault(
                "MR0126",
                "doris.enable.tls",
                "TLS to Doris is not built yet",
            );
        }
        if wants("sink.ignore.commit-error") {
            let message = "'sink.ignore.commit-error' throws rows away when a commit fails, which this connector does not do";
            self.fault("MR0126", "sink.ignore.commit-error", message);
        }
        let mode = self
            .options
            .text("sink.write-mode")
            .unwrap_or("stream_load")
            .to_ascii_lowercase();
        if !matches!(mode.as_str(), "stream_load" | "stream_load_batch") {
            let message = format!("the write mode '{mode}' is not built; 'stream_load' is");
            self.fault("MR0126", "sink.write-mode", message);
        }
        if self.options.is_written("sink.ignore.update-before")
            && !wants("sink.ignore.update-before")
        {
            let message = "rows before an update are not written as deletes: keys of a UNIQUE table do not change without a delete of their own";
            self.fault("MR0126", "sink.ignore.update-before", message);
        }
        if self.options.is_written("auto-redirect")
            && !wants("auto-redirect")
            && !self.options.is_written("benodes")
        {
            let message =
                "'auto-redirect' = 'false' needs 'benodes': backends are not looked up yet";
            self.fault("MR0126", "auto-redirect", message);
        }
    }

    fn properties(&mut self) -> Properties {
        let mut found = Properties::default();
        let prefix = "sink.properties.";
        let all: Vec<(String, String)> = self
            .options
            .with_prefix(prefix)
            .map(|(name, value)| (name.trim().to_owned(), value.value.trim().to_owned()))
            .collect();
        for (name, value) in all {
            let key = format!("{prefix}{name}");
            let lower = match name.to_ascii_lowercase().as_str() {
                "row_delimiter" => "line_delimiter".to_owned(),
                "partial_update" => "partial_columns".to_owned(),
                lower => lower.to_owned(),
            };
            if !is_header(&lower) || value.contains(['\r', '\n']) {
                self.fault(
                    "MR0102",
                    &key,
                    format!("'{name}' cannot be sent as a header of HTTP"),
                );
                continue;
            }
            match lower.as_str() {
                "label" | "two_phase_commit" | "authorization" | "expect" | "content-length"
                | "transfer-encoding" | "host" | "connection" | "group_commit"
                | "hidden_columns" => {
                    let message = format!("'{key}' cannot be set: the connector decides about it");
                    self.fault("MR0125", &key, message);
                }
                "format"
                    if ["csv", "json"]
                        .iter()
                        .any(|known| value.eq_ignore_ascii_case(known)) =>
                {
                    if value.eq_ignore_ascii_case("csv") {
                        found.notes.push("rows go to Doris as JSON, not CSV: the table gets the same values, and separators inside of values break nothing".into());
                    }
                }
                "format" => {
                    let message = format!("loads in the format '{value}' are not built; JSON is");
                    self.fault("MR0126", &key, message);
                }
                // They say how rows stand in a body, which the connector decides.
                "strip_outer_array"
                | "read_json_by_line"
                | "column_separator"
                | "line_delimiter"
                | "enclose"
                | "escape"
                | "trim_double_quotes"
                | "compress_type"
                | "num_as_string"
                | "fuzzy_parse"
                | "empty_field_as_null"
                | "ignore_json_size" => {
                    found.notes.push(format!(
                        "'{key}' is without effect: rows go to Doris as lines of JSON"
                    ));
                }
                "columns" => found.columns = Some(value),
                _ => {
                    found.allows_filtered |= lower == "max_filter_ratio"
                        && value.parse::<f64>().is_ok_and(|ratio| ratio > 0.0);
                    found.headers.push((lower, value));
                }
            }
        }
        found
    }

    fn notes(&self, mut notes: Vec<String>) -> Vec<String> {
        let is_written = |key: &&&str| self.options.is_written(key);
        for key in crate::options::WITHOUT_EFFECT.iter().filter(is_written) {
            notes.push(format!("'{key}' is without effect here"));
        }
        notes
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
}

fn is_header(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
}
