//! The options of `json`, which the CDC formats share in part.

use millrace_connector::{OptionDef, OptionKind};

use super::columns::ReadOptions;
use super::write::WriteOptions;
use crate::registry::{FormatOptions, Schema};
use crate::{FormatContext, FormatError};

/// How timestamps are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimestampFormat {
    /// `2024-01-02 03:04:05.678`.
    Sql,
    /// `2024-01-02T03:04:05.678`.
    Iso8601,
}

/// What becomes of a NULL key of a map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NullKey {
    Fail,
    Drop,
    Literal(String),
}

const fn boolean(key: &'static str, default: &'static str, doc: &'static str) -> OptionDef {
    OptionDef {
        kind: OptionKind::Boolean,
        default: Some(default),
        ..OptionDef::text(key, doc)
    }
}

pub(crate) const IGNORE_PARSE_ERRORS: OptionDef = boolean(
    "ignore-parse-errors",
    "false",
    "Sets fields that cannot be read to NULL and drops messages that cannot be read, instead of failing.",
);
pub(crate) const TIMESTAMP_FORMAT: OptionDef = OptionDef {
    default: Some("SQL"),
    ..OptionDef::text(
        "timestamp-format.standard",
        "How timestamps are written: `SQL` (`2024-01-02 03:04:05.678`) or `ISO-8601` (`2024-01-02T03:04:05.678`).",
    )
};
pub(crate) const NULL_KEY_MODE: OptionDef = OptionDef {
    default: Some("FAIL"),
    ..OptionDef::text(
        "map-null-key.mode",
        "What becomes of a NULL key of a map that is written: `FAIL`, `DROP` or `LITERAL`.",
    )
};
pub(crate) const NULL_KEY_LITERAL: OptionDef = OptionDef {
    default: Some("null"),
    ..OptionDef::text(
        "map-null-key.literal",
        "The key written for a NULL key when `map-null-key.mode` is `LITERAL`.",
    )
};
pub(crate) const PLAIN_DECIMAL: OptionDef = boolean(
    "encode.decimal-as-plain-number",
    "false",
    "Writes decimals without an exponent: 0.000000027 instead of 2.7E-8.",
);
const FAIL_ON_MISSING_FIELD: OptionDef = boolean(
    "fail-on-missing-field",
    "false",
    "Fails where a column's key is missing, instead of reading NULL.",
);
const PARSER_ENABLED: OptionDef = boolean(
    "decode.json-parser.enabled",
    "true",
    "Accepted and without effect: messages are never turned into trees here.",
);

/// The options of `json`.
pub(crate) static OPTIONS: &[OptionDef] = &[
    FAIL_ON_MISSING_FIELD,
    IGNORE_PARSE_ERRORS,
    TIMESTAMP_FORMAT,
    NULL_KEY_MODE,
    NULL_KEY_LITERAL,
    PLAIN_DECIMAL,
    PARSER_ENABLED,
];

/// Returns what a decoder of `json` needs to know.
pub(crate) fn decode_options(
    options: &FormatOptions,
    ctx: &FormatContext,
) -> Result<ReadOptions, FormatError> {
    let read = ReadOptions {
        fail_on_missing_field: options.boolean(FAIL_ON_MISSING_FIELD.key)?,
        ignore_parse_errors: options.boolean(IGNORE_PARSE_ERRORS.key)?,
        timestamp_format: timestamp_format(options)?,
        bad_messages: ctx.bad_messages,
        has_exact_numbers: false,
    };
    if read.fail_on_missing_field && read.ignore_parse_errors {
        return Err(options.bad_value(
            FAIL_ON_MISSING_FIELD.key,
            "fail-on-missing-field and ignore-parse-errors shouldn't both be true.",
        ));
    }
    Ok(read)
}

/// Returns what an encoder needs to know.
pub(crate) fn encode_options(options: &FormatOptions) -> Result<WriteOptions, FormatError> {
    let mode = options.text(NULL_KEY_MODE.key).unwrap_or("FAIL");
    let null_key = match mode.to_ascii_uppercase().as_str() {
        "FAIL" => NullKey::Fail,
        "DROP" => NullKey::Drop,
        "LITERAL" => NullKey::Literal(
            options
                .text(NULL_KEY_LITERAL.key)
                .unwrap_or("null")
                .to_owned(),
        ),
        _ => {
            return Err(options.bad_value(
                NULL_KEY_MODE.key,
                format!(
                    "Unsupported value '{mode}' for option map-null-key.mode. Supported values are [LITERAL, FAIL, DROP]."
                ),
            ));
        }
    };
    Ok(WriteOptions {
        timestamp_format: timestamp_format(options)?,
        null_key,
        plain_decimal: options.boolean(PLAIN_DECIMAL.key)?,
    })
}

/// Returns how timestamps are written.
pub(crate) fn timestamp_format(options: &FormatOptions) -> Result<TimestampFormat, FormatError> {
    match options.text(TIMESTAMP_FORMAT.key) {
        None | Some("SQL") => Ok(TimestampFormat::Sql),
        Some("ISO-8601") => Ok(TimestampFormat::Iso8601),
        Some(other) => Err(options.bad_value(
            TIMESTAMP_FORMAT.key,
            format!(
                "Unsupported value '{other}' for timestamp-format.standard. Supported values are [SQL, ISO-8601]."
            ),
        )),
    }
}

/// Refuses columns without a name, as Flink's ROW type does.
pub(crate) fn check_names(schema: Schema<'_>) -> Result<(), FormatError> {
    if schema.iter().any(|(name, _)| name.trim().is_empty()) {
        return Err(FormatError::UnsupportedSchema {
            message: "Field names must contain at least one non-whitespace character.".to_owned(),
        });
    }
    Ok(())
}
