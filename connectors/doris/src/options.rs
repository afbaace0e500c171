//! The options of the `doris` connector: Apache's names, and those of the DorisDB connector that `'doris'` was before.

use millrace_connector::{OptionDef, OptionKind};

const fn option(
    key: &'static str,
    kind: OptionKind,
    default: Option<&'static str>,
    doc: &'static str,
) -> OptionDef {
    OptionDef {
        kind,
        default,
        ..OptionDef::text(key, doc)
    }
}

/// An option of which the other connectors' meaning is told, and that nothing here depends on.
const fn unused(key: &'static str, meaning: &'static str) -> OptionDef {
    OptionDef::text(key, meaning)
}

/// What a sink table may say.
pub static SINK_OPTIONS: &[OptionDef] = &[
    OptionDef {
        required: true,
        ..OptionDef::text("connector", "which connector: 'doris'")
    },
    OptionDef::text(
        "fenodes",
        "the frontends' HTTP addresses, host:port separated by commas",
    ),
    OptionDef::text("load-url", "the same as 'fenodes', separated by semicolons"),
    OptionDef::text(
        "benodes",
        "backends' HTTP addresses, separated by commas: loads then go there without redirect",
    ),
    option(
        "auto-redirect",
        OptionKind::Boolean,
        None,
        "'false': loads go to the backends that the frontends list, not where they redirect to",
    ),
    OptionDef::text(
        "jdbc-url",
        "the frontends' MySQL addresses, jdbc:mysql://host:9030,host:9030: the table's columns are compared there before start",
    ),
    OptionDef::text("table.identifier", "the table in Doris: db.table"),
    OptionDef::text(
        "database-name",
        "the database in Doris, with 'table-name' in place of 'table.identifier'",
    ),
    OptionDef::text("table-name", "the table in Doris, with 'database-name'"),
    OptionDef {
        required: true,
        ..OptionDef::text("username", "who logs in")
    },
    OptionDef {
        required: true,
        secret: true,
        ..OptionDef::text("password", "the password, which may be empty")
    },
    option(
        "sink.enable-2pc",
        OptionKind::Boolean,
        None,
        "exactly-once by two-phase commit; without it and 'sink.semantic': yes with 'fenodes', no with 'load-url'",
    ),
    option(
        "sink.semantic",
        OptionKind::OneOf(&["at-least-once", "exactly-once"]),
        None,
        "what is promised; exactly-once is 'sink.enable-2pc' = 'true'",
    ),
    OptionDef::text(
        "sink.label-prefix",
        "what labels of loads begin with; the names of pipeline and table follow",
    ),
    option(
        "sink.enable-delete",
        OptionKind::Boolean,
        Some("true"),
        "whether deletes are written, to UNIQUE tables; else they are left out",
    ),
    option(
        "sink.ignore.update-before",
        OptionKind::Boolean,
        Some("true"),
        "whether rows before an update are left out; else they are written as deletes",
    ),
    option(
        "sink.max-retries",
        OptionKind::Integer,
        Some("3"),
        "how often the begin of a load is tried again",
    ),
    option(
        "sink.enable.batch-mode",
        OptionKind::Boolean,
        None,
        "loads at least once, each ended by 'sink.buffer-flush.*'",
    ),
    OptionDef::text("sink.write-mode", "only 'stream_load'"),
    option(
        "sink.buffer-flush.max-bytes",
        OptionKind::MemorySize,
        None,
        "at-least-once in batches: a load ends at this size",
    ),
    option(
        "sink.buffer-flush.max-rows",
        OptionKind::Integer,
        None,
        "at-least-once in batches: a load ends at so many rows",
    ),
    option(
        "sink.buffer-flush.interval",
        OptionKind::Duration,
        None,
        "at-least-once in batches: a load ends with the first row after this time, or with the checkpoint",
    ),
    option(
        "sink.buffer-flush.interval-ms",
        OptionKind::Integer,
        None,
        "the same in milliseconds",
    ),
    option(
        "sink.ignore.commit-error",
        OptionKind::Boolean,
        None,
        "only 'false': no rows are thrown away",
    ),
    option(
        "sink.load.max-bytes",
        OptionKind::MemorySize,
        Some("1gb"),
        "a load ends at this size, and the next one of the epoch begins",
    ),
    option(
        "sink.load.max-rows",
        OptionKind::Integer,
        None,
        "a load ends at so many rows",
    ),
    option(
        "sink.load.max-age",
        OptionKind::Duration,
        None,
        "a load ends with the first rows after this time",
    ),
    option(
        "sink.bad-rows",
        OptionKind::OneOf(&["fail", "skip", "dead-letter"]),
        Some("fail"),
        "what happens to rows that do not fit the table: too long, out of range, NULL in a NOT NULL column",
    ),
    OptionDef::text(
        "sink.dead-letter.table",
        "db.table: where 'sink.bad-rows' = 'dead-letter' puts them, in the same commit",
    ),
    option(
        "sink.schema-check",
        OptionKind::OneOf(&["fail", "warn"]),
        Some("fail"),
        "whether a table in Doris that cannot take the rows stops the pipeline before its first row",
    ),
    OptionDef {
        kind: OptionKind::Prefix,
        ..OptionDef::text(
            "sink.properties.",
            "a header of the stream load, such as 'sink.properties.max_filter_ratio'",
        )
    },
    option(
        "doris.request.connect.timeout",
        OptionKind::Duration,
        None,
        "how long a connection may take; 30 s",
    ),
    option(
        "doris.request.connect.timeout.ms",
        OptionKind::Integer,
        None,
        "the same in milliseconds",
    ),
    option(
        "sink.connect.timeout-ms",
        OptionKind::Integer,
        None,
        "the same in milliseconds",
    ),
    option(
        "doris.request.read.timeout",
        OptionKind::Duration,
        None,
        "how long an answer may take that is not a load's; 60 s",
    ),
    option(
        "doris.request.read.timeout.ms",
        OptionKind::Integer,
        None,
        "the same in milliseconds",
    ),
    option(
        "sink.socket.timeout-ms",
        OptionKind::Integer,
        None,
        "how long the answer to a load may take; 10 min",
    ),
    option(
        "doris.enable.tls",
        OptionKind::Boolean,
        None,
        "whether addresses without http:// or https:// are spoken to by TLS",
    ),
    OptionDef::text(
        "doris.tls.ca-file",
        "a PEM file with the certificates that sign the cluster's, besides the system's",
    ),
    OptionDef {
        kind: OptionKind::Positive,
        ..unused(
            "sink.parallelism",
            "without effect: each lane writes, as many as 'parallelism.default' says",
        )
    },
    unused(
        "sink.buffer-size",
        "without effect: the size of a buffer in Java; a load streams in chunks of 256 KiB",
    ),
    unused("sink.buffer-count", "without effect: how many such buffers"),
    unused(
        "sink.use-cache",
        "without effect: keeps rows to load them again after a failure; rows come from the source again",
    ),
    unused(
        "sink.check-interval",
        "without effect: how often a load is looked at; its answer is noticed at once",
    ),
    unused(
        "sink.flush.queue-size",
        "without effect: how many batches wait; none does",
    ),
    unused(
        "sink.retry.interval-ms",
        "without effect: pauses grow from half a second to ten",
    ),
    unused(
        "sink.wait-for-continue.timeout-ms",
        "without effect: the answer may take as long as 'sink.socket.timeout-ms' says",
    ),
    unused(
        "sink.io.thread-count",
        "without effect: threads that send; the lanes do",
    ),
    unused(
        "sink.http-utf8-charset",
        "without effect: headers are always UTF-8",
    ),
    unused(
        "doris.request.retries",
        "without effect: each node is asked, then 'sink.max-retries' counts",
    ),
    unused(
        "sink.version",
        "without effect: which of StarRocks' writers; Doris has only one protocol",
    ),
    unused(
        "sink.chunk-limit",
        "without effect: the size of StarRocks' chunks",
    ),
    unused(
        "sink.scan-frequency.ms",
        "without effect: how often StarRocks' writer looks for full buffers",
    ),
    unused(
        "sink.at-least-once.use-transaction-stream-load",
        "without effect: StarRocks' transactions, which Doris has not",
    ),
    unused(
        "sink.buffer-flush.enqueue-timeout-ms",
        "without effect: how long a row may wait for a buffer; a slow Doris pauses the sources",
    ),
    unused(
        "sink.metric.histogram-window-size",
        "without effect: the window of StarRocks' histograms",
    ),
    unused(
        "sink.wrap-json-as-array",
        "without effect: rows are lines of JSON",
    ),
    unused(
        "sink.use.new-sink-api",
        "without effect: which interface of Flink is used",
    ),
    // A table that is written may also have a source's words.
    unused(
        "doris.request.tablet.size",
        "for reading, without effect: tablets in one request",
    ),
    unused(
        "doris.request.query.timeout.s",
        "for reading, without effect: how long a query may take",
    ),
    unused(
        "doris.batch.size",
        "for reading, without effect: rows in one batch",
    ),
    unused(
        "doris.exec.mem.limit",
        "for reading, without effect: memory of a query",
    ),
    unused(
        "doris.deserialize.arrow.async",
        "for reading, without effect: whether batches are decoded aside",
    ),
    unused(
        "doris.deserialize.queue.size",
        "for reading, without effect: how many batches wait",
    ),
    unused(
        "doris.filter.query",
        "for reading, without effect: a condition that Doris applies",
    ),
    unused(
        "doris.read.field",
        "for reading, without effect: the columns to read",
    ),
    unused(
        "doris.thrift.max.message.size",
        "for reading, without effect: the largest message",
    ),
    OptionDef {
        kind: OptionKind::Prefix,
        ..unused("source.", "for reading, without effect")
    },
    OptionDef {
        kind: OptionKind::Prefix,
        ..unused("lookup.", "for lookup joins, without effect")
    },
    OptionDef {
        kind: OptionKind::Prefix,
        ..unused(
            "sink.exactly-once.",
            "without effect: details of StarRocks' transactions",
        )
    },
];

/// Options of which the user is told that they do nothing.
pub(crate) const WITHOUT_EFFECT: &[&str] = &[
    "sink.buffer-size",
    "sink.buffer-count",
    "sink.use-cache",
    "sink.check-interval",
    "sink.flush.queue-size",
    "sink.retry.interval-ms",
    "sink.io.thread-count",
    "sink.version",
    "sink.chunk-limit",
    "sink.at-least-once.use-transaction-stream-load",
    "sink.wrap-json-as-array",
];
