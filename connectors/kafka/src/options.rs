//! The options of the `kafka` connector, by Flink's names.

use millrace_connector::{OptionDef, OptionKind};

const DISCOVERY_INTERVAL: &str = "5 min";

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

const CONNECTOR: OptionDef = OptionDef {
    required: true,
    ..OptionDef::text("connector", "which connector: 'kafka'")
};
const SERVERS: OptionDef = OptionDef {
    required: true,
    ..OptionDef::text(
        "properties.bootstrap.servers",
        "the brokers to ask first, host:port separated by commas",
    )
};
const PROPERTIES: OptionDef = OptionDef {
    secret: true,
    ..option(
        "properties.",
        OptionKind::Prefix,
        None,
        "a property of Kafka's Java clients; see the list of what becomes of each in the connector's page",
    )
};
const FORMAT: OptionDef = OptionDef::text(
    "format",
    "the format of the value; the same as 'value.format'",
);
const VALUE_FORMAT: OptionDef = OptionDef::text("value.format", "the format of the value");
const KEY_FORMAT: OptionDef =
    OptionDef::text("key.format", "the format of the key; needs 'key.fields'");
const KEY_FIELDS: OptionDef = option(
    "key.fields",
    OptionKind::List,
    None,
    "the columns in the key, separated by semicolons",
);
const KEY_PREFIX: OptionDef = OptionDef::text(
    "key.fields-prefix",
    "what the key columns' names begin with in the table but not in the key",
);
const VALUE_INCLUDE: OptionDef = option(
    "value.fields-include",
    OptionKind::OneOf(&["ALL", "EXCEPT_KEY"]),
    Some("ALL"),
    "whether key columns are in the value too",
);

/// What a source table may say, without its formats' options.
pub static SOURCE_OPTIONS: &[OptionDef] = &[
    CONNECTOR,
    option(
        "topic",
        OptionKind::List,
        None,
        "the topics to read, separated by semicolons",
    ),
    OptionDef::text(
        "topic-pattern",
        "a regular expression; every topic whose whole name matches is read",
    ),
    SERVERS,
    PROPERTIES,
    FORMAT,
    VALUE_FORMAT,
    KEY_FORMAT,
    KEY_FIELDS,
    KEY_PREFIX,
    VALUE_INCLUDE,
    option(
        "scan.startup.mode",
        OptionKind::OneOf(&[
            "earliest-offset",
            "latest-offset",
            "group-offsets",
            "timestamp",
            "specific-offsets",
        ]),
        Some("group-offsets"),
        "where the first start begins; later starts go on from the checkpoint",
    ),
    OptionDef::text(
        "scan.startup.specific-offsets",
        "'partition:0,offset:42;partition:1,offset:300'",
    ),
    option(
        "scan.startup.timestamp-millis",
        OptionKind::Integer,
        None,
        "milliseconds since the epoch",
    ),
    option(
        "scan.bounded.mode",
        OptionKind::OneOf(&[
            "unbounded",
            "latest-offset",
            "group-offsets",
            "timestamp",
            "specific-offsets",
        ]),
        Some("unbounded"),
        "where reading ends",
    ),
    OptionDef::text(
        "scan.bounded.specific-offsets",
        "'partition:0,offset:42;partition:1,offset:300'",
    ),
    option(
        "scan.bounded.timestamp-millis",
        OptionKind::Integer,
        None,
        "milliseconds since the epoch",
    ),
    option(
        "scan.topic-partition-discovery.interval",
        OptionKind::Duration,
        Some(DISCOVERY_INTERVAL),
        "how often to look for new topics and partitions; 0 = never",
    ),
    option(
        "scan.parallelism",
        OptionKind::Integer,
        None,
        "accepted; lanes follow 'parallelism.default'",
    ),
    // A table that is read may also have a sink's words, as one definition serves both in Flink.
    option(
        "sink.partitioner",
        OptionKind::Text,
        None,
        "only for writing",
    ),
    option("sink.semantic", OptionKind::Text, None, "only for writing"),
    option(
        "sink.delivery-guarantee",
        OptionKind::Text,
        None,
        "only for writing",
    ),
    option(
        "sink.transactional-id-prefix",
        OptionKind::Text,
        None,
        "only for writing",
    ),
    option(
        "sink.parallelism",
        OptionKind::Integer,
        None,
        "only for writing",
    ),
];

/// What a sink table may say, without its formats' options.
pub static SINK_OPTIONS: &[OptionDef] = &[
    CONNECTOR,
    option(
        "topic",
        OptionKind::List,
        None,
        "the topic to write to; with a writable metadata column 'topic', the topics that rows may name",
    ),
    OptionDef::text(
        "topic-pattern",
        "with a writable metadata column 'topic': which topics rows may name",
    ),
    SERVERS,
    PROPERTIES,
    FORMAT,
    VALUE_FORMAT,
    KEY_FORMAT,
    KEY_FIELDS,
    KEY_PREFIX,
    VALUE_INCLUDE,
    option(
        "sink.partitioner",
        OptionKind::Text,
        Some("default"),
        "'default' (by key, else sticky), 'fixed' (each lane one partition) or 'round-robin'",
    ),
    option(
        "sink.delivery-guarantee",
        OptionKind::OneOf(&["none", "at-least-once", "exactly-once"]),
        Some("at-least-once"),
        "what is promised",
    ),
    option(
        "sink.semantic",
        OptionKind::OneOf(&["none", "at-least-once", "exactly-once"]),
        None,
        "the old name of 'sink.delivery-guarantee'",
    ),
    OptionDef::text(
        "sink.transactional-id-prefix",
        "what transactional ids begin with; needed for exactly-once",
    ),
    option(
        "sink.parallelism",
        OptionKind::Positive,
        None,
        "accepted; lanes follow 'parallelism.default'",
    ),
    option(
        "scan.startup.mode",
        OptionKind::Text,
        None,
        "only for reading",
    ),
    option(
        "scan.startup.specific-offsets",
        OptionKind::Text,
        None,
        "only for reading",
    ),
    option(
        "scan.startup.timestamp-millis",
        OptionKind::Integer,
        None,
        "only for reading",
    ),
    option(
        "scan.bounded.mode",
        OptionKind::Text,
        None,
        "only for reading",
    ),
    option(
        "scan.bounded.specific-offsets",
        OptionKind::Text,
        None,
        "only for reading",
    ),
    option(
        "scan.bounded.timestamp-millis",
        OptionKind::Integer,
        None,
        "only for reading",
    ),
    option(
        "scan.topic-partition-discovery.interval",
        OptionKind::Duration,
        None,
        "only for reading",
    ),
    option(
        "scan.parallelism",
        OptionKind::Integer,
        None,
        "only for reading",
    ),
];

/// What a table of `upsert-kafka` may say, without its formats' options.
pub static UPSERT_OPTIONS: &[OptionDef] = &[
    OptionDef {
        required: true,
        ..OptionDef::text("connector", "which connector: 'upsert-kafka'")
    },
    OptionDef {
        required: true,
        ..option("topic", OptionKind::List, None, "the topic")
    },
    SERVERS,
    PROPERTIES,
    OptionDef {
        required: true,
        ..OptionDef::text(
            "key.format",
            "the format of the key, which holds the PRIMARY KEY",
        )
    },
    KEY_PREFIX,
    OptionDef {
        required: true,
        ..VALUE_FORMAT
    },
    VALUE_INCLUDE,
    option(
        "sink.parallelism",
        OptionKind::Positive,
        None,
        "accepted; lanes follow 'parallelism.default'",
    ),
    option(
        "sink.buffer-flush.max-rows",
        OptionKind::Integer,
        Some("0"),
        "accepted; rows go out batch by batch",
    ),
    option(
        "sink.buffer-flush.interval",
        OptionKind::Duration,
        Some("0"),
        "accepted; rows go out batch by batch",
    ),
    option(
        "sink.delivery-guarantee",
        OptionKind::OneOf(&["none", "at-least-once", "exactly-once"]),
        Some("at-least-once"),
        "what is promised; as in later versions of Flink",
    ),
    OptionDef::text(
        "sink.transactional-id-prefix",
        "what transactional ids begin with; needed for exactly-once",
    ),
];
