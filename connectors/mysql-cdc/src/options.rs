//! The options of the `mysql-cdc` connector, by Flink CDC's names.

use millrace_connector::{OptionDef, OptionKind};

const fn option(
    key: &'static str,
    kind: OptionKind,
    default: Option<&'static str>,
    doc: &'static str,
) -> OptionDef {
    OptionDef {
        key,
        kind,
        default,
        required: false,
        secret: false,
        doc,
    }
}

const fn required(key: &'static str, doc: &'static str) -> OptionDef {
    OptionDef {
        required: true,
        ..OptionDef::text(key, doc)
    }
}

/// What `scan.startup.mode` may say.
pub(crate) const STARTUP_MODES: &[&str] = &[
    "initial",
    "earliest-offset",
    "latest-offset",
    "specific-offset",
    "timestamp",
    "snapshot",
];

/// What a source table may say.
pub static OPTIONS: &[OptionDef] = &[
    required("connector", "which connector: 'mysql-cdc'"),
    required("hostname", "the server's name or address"),
    option(
        "port",
        OptionKind::Integer,
        Some("3306"),
        "the server's port",
    ),
    required(
        "username",
        "who reads; needs SELECT, SHOW DATABASES, REPLICATION SLAVE and REPLICATION CLIENT",
    ),
    OptionDef {
        secret: true,
        ..required("password", "the user's password; may be empty")
    },
    required(
        "database-name",
        "a regular expression that the whole name of a database must match",
    ),
    required(
        "table-name",
        "a regular expression that the whole name of a table must match",
    ),
    OptionDef::text(
        "server-time-zone",
        "the time zone of the server's sessions, such as '+07:00' or 'Asia/Bangkok'; default: 'table.local-time-zone'",
    ),
    OptionDef::text(
        "server-id",
        "the number, or a range such as '5400-5408', that this reader has among the server's replicas; default: a number that follows from the names of pipeline and table",
    ),
    option(
        "scan.startup.mode",
        OptionKind::OneOf(STARTUP_MODES),
        Some("initial"),
        "where the first start begins; later starts go on from the checkpoint",
    ),
    OptionDef::text(
        "scan.startup.specific-offset.file",
        "with 'specific-offset': the file of the binary log",
    ),
    option(
        "scan.startup.specific-offset.pos",
        OptionKind::Integer,
        None,
        "with 'specific-offset': the position in the file",
    ),
    OptionDef::text(
        "scan.startup.specific-offset.gtid-set",
        "with 'specific-offset': the transactions that were read already",
    ),
    option(
        "scan.startup.specific-offset.skip-events",
        OptionKind::Integer,
        Some("0"),
        "with 'specific-offset': how many row events of the first transaction to leave out",
    ),
    option(
        "scan.startup.specific-offset.skip-rows",
        OptionKind::Integer,
        Some("0"),
        "with 'specific-offset': how many rows of the row event after those to leave out",
    ),
    option(
        "scan.startup.timestamp-millis",
        OptionKind::Integer,
        None,
        "with 'timestamp': changes of this time and later are read; whole seconds count",
    ),
    option(
        "scan.incremental.snapshot.enabled",
        OptionKind::Boolean,
        Some("true"),
        "accepted; the snapshot never locks",
    ),
    option(
        "scan.incremental.snapshot.chunk.size",
        OptionKind::Integer,
        Some("8096"),
        "how many rows a chunk of the snapshot has",
    ),
    OptionDef::text(
        "scan.incremental.snapshot.chunk.key-column",
        "the column that chunks are cut by; default: the first of the primary key. Needed for tables without one",
    ),
    option(
        "scan.incremental.snapshot.backfill.skip",
        OptionKind::Boolean,
        Some("false"),
        "accepted; the snapshot is always exact",
    ),
    option(
        "scan.incremental.snapshot.unbounded-chunk-first.enabled",
        OptionKind::Boolean,
        Some("true"),
        "accepted; the open-ended chunk is always read first",
    ),
    option(
        "scan.incremental.close-idle-reader.enabled",
        OptionKind::Boolean,
        Some("false"),
        "accepted; there are no idle readers",
    ),
    option(
        "scan.snapshot.fetch.size",
        OptionKind::Integer,
        Some("1024"),
        "accepted; rows are streamed",
    ),
    option(
        "scan.newly-added-table.enabled",
        OptionKind::Boolean,
        Some("false"),
        "'true': a start from a checkpoint reads a snapshot of tables that match now and were not known then",
    ),
    option(
        "scan.read-changelog-as-append-only.enabled",
        OptionKind::Boolean,
        Some("false"),
        "'true': every change is a row of its own, +I; the metadata column 'row_kind' tells what it was",
    ),
    option(
        "scan.parse.online.schema.changes.enabled",
        OptionKind::Boolean,
        Some("false"),
        "accepted; tables made by gh-ost and pt-osc are followed by their names",
    ),
    option(
        "use.legacy.json.format",
        OptionKind::Boolean,
        Some("true"),
        "'true': JSON text without blanks; 'false': with a blank behind ':' and ','",
    ),
    option(
        "heartbeat.interval",
        OptionKind::Duration,
        Some("30s"),
        "how often the position moves on without a change",
    ),
    option(
        "connect.timeout",
        OptionKind::Duration,
        Some("30s"),
        "how long one attempt to connect may take; at least 250 ms",
    ),
    option(
        "connect.max-retries",
        OptionKind::Integer,
        Some("3"),
        "how often to try to connect at the start",
    ),
    option(
        "connection.pool.size",
        OptionKind::Integer,
        Some("20"),
        "the most connections that read chunks of the snapshot side by side",
    ),
    option(
        "chunk-meta.group.size",
        OptionKind::Integer,
        Some("1000"),
        "accepted; has no use in one process",
    ),
    OptionDef {
        default: Some("1000.0"),
        ..OptionDef::text(
            "chunk-key.even-distribution.factor.upper-bound",
            "keys further apart than this, on average, are not cut by arithmetic",
        )
    },
    OptionDef {
        default: Some("0.05"),
        ..OptionDef::text(
            "chunk-key.even-distribution.factor.lower-bound",
            "keys closer together than this, on average, are not cut by arithmetic",
        )
    },
    option(
        "millrace.snapshot-readers",
        OptionKind::Integer,
        None,
        "how many connections read chunks of the snapshot side by side, at most 'connection.pool.size'; default: one a core, 2 to 4",
    ),
    option(
        "millrace.timestamp-ltz-instant",
        OptionKind::Boolean,
        Some("false"),
        "'true': a TIMESTAMP read as TIMESTAMP_LTZ is the right instant; 'false': off by the zone's offset, as in Flink CDC",
    ),
    OptionDef {
        secret: true,
        ..option(
            "jdbc.properties.",
            OptionKind::Prefix,
            None,
            "a property of MySQL's Java driver; see the list of what becomes of each in the connector's page",
        )
    },
    OptionDef {
        secret: true,
        ..option(
            "debezium.",
            OptionKind::Prefix,
            None,
            "a property of Debezium; see the list of what becomes of each in the connector's page",
        )
    },
];
