//! The metadata columns of a Kafka record.

use millrace_connector::{FlinkType, LENGTH_MAX, MetadataKey, TypeKind};

/// A metadata key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Metadata {
    Topic,
    Partition,
    Headers,
    LeaderEpoch,
    Offset,
    Timestamp,
    TimestampType,
}

const ALL: [(&str, Metadata); 7] = [
    ("topic", Metadata::Topic),
    ("partition", Metadata::Partition),
    ("headers", Metadata::Headers),
    ("leader-epoch", Metadata::LeaderEpoch),
    ("offset", Metadata::Offset),
    ("timestamp", Metadata::Timestamp),
    ("timestamp-type", Metadata::TimestampType),
];

impl Metadata {
    /// Returns the key of that name.
    pub(crate) fn from_key(key: &str) -> Option<Self> {
        ALL.iter()
            .find(|(name, _)| *name == key)
            .map(|(_, metadata)| *metadata)
    }

    fn ty(self) -> FlinkType {
        match self {
            Self::Topic | Self::TimestampType => TypeKind::Varchar(LENGTH_MAX).not_null(),
            Self::Partition => TypeKind::Int.not_null(),
            Self::Headers => TypeKind::Map(
                Box::new(TypeKind::Varchar(LENGTH_MAX).not_null()),
                Box::new(FlinkType::bytes()),
            )
            .not_null(),
            Self::LeaderEpoch => TypeKind::Int.nullable(),
            Self::Offset => TypeKind::BigInt.not_null(),
            Self::Timestamp => TypeKind::TimestampLtz(3).not_null(),
        }
    }
}

/// Returns the keys that a source table may name.
///
/// # Flink
/// `KafkaDynamicSource.ReadableMetadata` of flink-connector-kafka 3.0.
pub(crate) fn readable() -> Vec<MetadataKey> {
    ALL.iter()
        .map(|(key, metadata)| MetadataKey {
            key,
            ty: metadata.ty(),
            writable: false,
        })
        .collect()
}

/// Returns the keys that a sink table may name. `topic` is ours for 1.17 (Flink's connector has it since 3.4); the others are
/// `KafkaDynamicSink.WritableMetadata`.
pub(crate) fn writable() -> Vec<MetadataKey> {
    let nullable = |metadata: Metadata| metadata.ty().with_nullable(true);
    vec![
        MetadataKey {
            key: "headers",
            ty: nullable(Metadata::Headers),
            writable: true,
        },
        MetadataKey {
            key: "timestamp",
            ty: nullable(Metadata::Timestamp),
            writable: true,
        },
        MetadataKey {
            key: "topic",
            ty: nullable(Metadata::Topic),
            writable: true,
        },
    ]
}
