//! The formats of change streams: `debezium-json`, `canal-json`, `maxwell-json` and `ogg-json`.
//!
//! # Flink
//! `DebeziumJsonDeserializationSchema`, `CanalJsonDeserializationSchema`, `MaxwellJsonDeserializationSchema`,
//! `OggJsonDeserializationSchema` and their serialization schemas, 1.17. When written, an update is a removal and an
//! insert.

mod decoder;
mod encoder;
mod envelope;
mod metadata;

use millrace_connector::{OptionDef, OptionKind};

use crate::json::{
    IGNORE_PARSE_ERRORS, NULL_KEY_LITERAL, NULL_KEY_MODE, PLAIN_DECIMAL, TIMESTAMP_FORMAT,
};
use crate::registry::{FormatOptions, Schema};
use crate::{Decoder, Encoder, FormatContext, FormatError};
use envelope::Envelope;

pub(crate) use metadata::{CANAL, DEBEZIUM, MAXWELL, Metadata, OGG};

const SCHEMA_INCLUDE: OptionDef = OptionDef {
    kind: OptionKind::Boolean,
    default: Some("false"),
    ..OptionDef::text(
        "schema-include",
        "Whether messages have the schema of Kafka Connect around them, the change in `payload`. Only for reading.",
    )
};
const DATABASE_INCLUDE: OptionDef = OptionDef::text(
    "database.include",
    "A regular expression; only changes of databases whose whole name matches are read.",
);
const TABLE_INCLUDE: OptionDef = OptionDef::text(
    "table.include",
    "A regular expression; only changes of tables whose whole name matches are read.",
);

/// The options of `debezium-json`.
pub(crate) static DEBEZIUM_OPTIONS: &[OptionDef] = &[
    SCHEMA_INCLUDE,
    IGNORE_PARSE_ERRORS,
    TIMESTAMP_FORMAT,
    NULL_KEY_MODE,
    NULL_KEY_LITERAL,
    PLAIN_DECIMAL,
];
/// The options of `canal-json`.
pub(crate) static CANAL_OPTIONS: &[OptionDef] = &[
    DATABASE_INCLUDE,
    TABLE_INCLUDE,
    IGNORE_PARSE_ERRORS,
    TIMESTAMP_FORMAT,
    NULL_KEY_MODE,
    NULL_KEY_LITERAL,
    PLAIN_DECIMAL,
];
/// The options of `maxwell-json` and `ogg-json`.
pub(crate) static OPTIONS: &[OptionDef] = &[
    IGNORE_PARSE_ERRORS,
    TIMESTAMP_FORMAT,
    NULL_KEY_MODE,
    NULL_KEY_LITERAL,
    PLAIN_DECIMAL,
];

type Made<T> = Result<Box<T>, FormatError>;

/// Makes a decoder of `debezium-json`.
pub(crate) fn debezium_decoder(
    options: &FormatOptions,
    schema: Schema<'_>,
    wanted: &[usize],
    ctx: &FormatContext,
) -> Made<dyn Decoder> {
    let envelope = Envelope::Debezium {
        has_schema: options.boolean(SCHEMA_INCLUDE.key)?,
    };
    decoder::make(envelope, DEBEZIUM, options, schema, wanted, ctx)
}

/// Makes a decoder of `canal-json`.
pub(crate) fn canal_decoder(
    options: &FormatOptions,
    schema: Schema<'_>,
    wanted: &[usize],
    ctx: &FormatContext,
) -> Made<dyn Decoder> {
    let pattern = |key: &'static str| {
        options
            .text(key)
            .map(|text| {
                regex::Regex::new(&format!("^(?:{text})$"))
                    .map_err(|error| options.bad_value(key, error.to_string()))
            })
            .transpose()
    };
    let envelope = Envelope::Canal {
        database: pattern(DATABASE_INCLUDE.key)?,
        table: pattern(TABLE_INCLUDE.key)?,
    };
    decoder::make(envelope, CANAL, options, schema, wanted, ctx)
}

/// Makes a decoder of `maxwell-json`.
pub(crate) fn maxwell_decoder(
    options: &FormatOptions,
    schema: Schema<'_>,
    wanted: &[usize],
    ctx: &FormatContext,
) -> Made<dyn Decoder> {
    decoder::make(Envelope::Maxwell, MAXWELL, options, schema, wanted, ctx)
}

/// Makes a decoder of `ogg-json`.
pub(crate) fn ogg_decoder(
    options: &FormatOptions,
    schema: Schema<'_>,
    wanted: &[usize],
    ctx: &FormatContext,
) -> Made<dyn Decoder> {
    decoder::make(Envelope::Ogg, OGG, options, schema, wanted, ctx)
}

/// Makes an encoder of `debezium-json`.
pub(crate) fn debezium_encoder(
    options: &FormatOptions,
    schema: Schema<'_>,
    _ctx: &FormatContext,
) -> Made<dyn Encoder> {
    if options.boolean(SCHEMA_INCLUDE.key)? {
        return Err(options.bad_value(
            SCHEMA_INCLUDE.key,
            "Debezium JSON serialization doesn't support 'debezium-json.schema-include' option been set to true.",
        ));
    }
    encoder::make(&encoder::DEBEZIUM, options, schema)
}

/// Makes an encoder of `canal-json`.
pub(crate) fn canal_encoder(
    options: &FormatOptions,
    schema: Schema<'_>,
    _ctx: &FormatContext,
) -> Made<dyn Encoder> {
    encoder::make(&encoder::CANAL, options, schema)
}

/// Makes an encoder of `maxwell-json`.
pub(crate) fn maxwell_encoder(
    options: &FormatOptions,
    schema: Schema<'_>,
    _ctx: &FormatContext,
) -> Made<dyn Encoder> {
    encoder::make(&encoder::MAXWELL, options, schema)
}

/// Makes an encoder of `ogg-json`.
pub(crate) fn ogg_encoder(
    options: &FormatOptions,
    schema: Schema<'_>,
    _ctx: &FormatContext,
) -> Made<dyn Encoder> {
    encoder::make(&encoder::OGG, options, schema)
}
