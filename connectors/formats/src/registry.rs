//! All formats by name.

use std::collections::BTreeMap;

use millrace_connector::{FlinkType, MetadataKey, OptionDef, did_you_mean};

use crate::{Decoder, Encoder, FormatContext, FormatError};
use crate::{cdc, csv, json, raw};

/// A format: its name, its options and how its decoders and encoders are made.
#[derive(Clone, Copy, Debug)]
pub struct FormatDef {
    /// The name in `'format' = '…'`.
    pub identifier: &'static str,
    /// What it is, in a sentence or two.
    pub doc: &'static str,
    /// Its options; keys without the format's name before them, as in `ignore-parse-errors`.
    pub options: &'static [OptionDef],
    /// Whether its rows carry kinds other than insert.
    pub is_changelog: bool,
    /// What its messages say besides their rows.
    pub(crate) metadata: &'static [cdc::Metadata],
    pub(crate) decoder: MakeDecoder,
    pub(crate) encoder: MakeEncoder,
}

/// The columns of a table: name and type.
pub(crate) type Schema<'a> = &'a [(String, FlinkType)];

/// Makes a decoder from checked options.
pub(crate) type MakeDecoder = fn(
    &FormatOptions,
    Schema<'_>,
    &[usize],
    &FormatContext,
) -> Result<Box<dyn Decoder>, FormatError>;

/// Makes an encoder from checked options.
pub(crate) type MakeEncoder =
    fn(&FormatOptions, Schema<'_>, &FormatContext) -> Result<Box<dyn Encoder>, FormatError>;

static FORMATS: &[FormatDef] = &[
    FormatDef {
        identifier: "json",
        doc: "A JSON object a message; keys are column names.",
        options: json::OPTIONS,
        is_changelog: false,
        metadata: &[],
        decoder: json::make_decoder,
        encoder: json::make_encoder,
    },
    FormatDef {
        identifier: "raw",
        doc: "The message's bytes as the only column.",
        options: raw::OPTIONS,
        is_changelog: false,
        metadata: &[],
        decoder: raw::make_decoder,
        encoder: raw::make_encoder,
    },
    FormatDef {
        identifier: "csv",
        doc: "A line of values with a delimiter between them.",
        options: csv::OPTIONS,
        is_changelog: false,
        metadata: &[],
        decoder: csv::make_decoder,
        encoder: csv::make_encoder,
    },
    FormatDef {
        identifier: "debezium-json",
        doc: "Changes as Debezium writes them.",
        options: cdc::DEBEZIUM_OPTIONS,
        is_changelog: true,
        metadata: cdc::DEBEZIUM,
        decoder: cdc::debezium_decoder,
        encoder: cdc::debezium_encoder,
    },
    FormatDef {
        identifier: "canal-json",
        doc: "Changes as Canal writes them.",
        options: cdc::CANAL_OPTIONS,
        is_changelog: true,
        metadata: cdc::CANAL,
        decoder: cdc::canal_decoder,
        encoder: cdc::canal_encoder,
    },
    FormatDef {
        identifier: "maxwell-json",
        doc: "Changes as Maxwell writes them.",
        options: cdc::OPTIONS,
        is_changelog: true,
        metadata: cdc::MAXWELL,
        decoder: cdc::maxwell_decoder,
        encoder: cdc::maxwell_encoder,
    },
    FormatDef {
        identifier: "ogg-json",
        doc: "Changes as Oracle GoldenGate writes them.",
        options: cdc::OPTIONS,
        is_changelog: true,
        metadata: cdc::OGG,
        decoder: cdc::ogg_decoder,
        encoder: cdc::ogg_encoder,
    },
];

impl FormatDef {
    /// Returns the keys of a message's metadata, each behind `value.`, that a table that is read may name.
    #[must_use]
    pub fn metadata(&self) -> Vec<MetadataKey> {
        self.metadata.iter().map(cdc::Metadata::described).collect()
    }
}

/// Returns all formats.
#[must_use]
pub fn formats() -> &'static [FormatDef] {
    FORMATS
}

/// Returns the format of that name.
///
/// # Errors
/// There is none.
pub fn format(identifier: &str) -> Result<&'static FormatDef, FormatError> {
    FORMATS
        .iter()
        .find(|def| def.identifier == identifier)
        .ok_or_else(|| FormatError::UnknownFormat {
            given: identifier.to_owned(),
            did_you_mean: did_you_mean(identifier, FORMATS.iter().map(|def| def.identifier))
                .map(str::to_owned),
        })
}

/// Returns a decoder of `format` for a table of `schema` that gives the columns `wanted` (indexes into `schema`),
/// in that order. `options` have keys without the format's name before them.
///
/// # Errors
/// An unknown format or option, a bad value, a type that the format cannot hold.
pub fn create_decoder(
    format: &str,
    options: &BTreeMap<String, String>,
    schema: &[(String, FlinkType)],
    wanted: &[usize],
    ctx: &FormatContext,
) -> Result<Box<dyn Decoder>, FormatError> {
    let def = self::format(format)?;
    let options = FormatOptions::new(def, options)?;
    (def.decoder)(&options, schema, wanted, ctx)
}

/// Returns an encoder of `format` for rows of `schema`. `options` have keys without the format's name before them.
///
/// # Errors
/// An unknown format or option, a bad value, a type that the format cannot hold.
pub fn create_encoder(
    format: &str,
    options: &BTreeMap<String, String>,
    schema: &[(String, FlinkType)],
    ctx: &FormatContext,
) -> Result<Box<dyn Encoder>, FormatError> {
    let def = self::format(format)?;
    let options = FormatOptions::new(def, options)?;
    (def.encoder)(&options, schema, ctx)
}

/// The options of one table's format: every key is known.
#[derive(Clone, Debug)]
pub(crate) struct FormatOptions {
    def: &'static FormatDef,
    values: BTreeMap<String, String>,
}

impl FormatOptions {
    fn new(
        def: &'static FormatDef,
        options: &BTreeMap<String, String>,
    ) -> Result<Self, FormatError> {
        for key in options.keys() {
            if !def.options.iter().any(|option| option.key == key) {
                return Err(FormatError::UnknownOption {
                    format: def.identifier,
                    key: key.clone(),
                    did_you_mean: did_you_mean(key, def.options.iter().map(|option| option.key))
                        .map(str::to_owned),
                });
            }
        }
        Ok(Self {
            def,
            values: options.clone(),
        })
    }

    /// Returns the value of an option, its default included.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str).or_else(|| {
            let option = self.def.options.iter().find(|option| option.key == key)?;
            option.default
        })
    }

    /// Returns a truth value; `false` where it is not set.
    pub(crate) fn boolean(&self, key: &str) -> Result<bool, FormatError> {
        match self.text(key) {
            None => Ok(false),
            Some(text) if text.eq_ignore_ascii_case("true") => Ok(true),
            Some(text) if text.eq_ignore_ascii_case("false") => Ok(false),
            Some(text) => Err(self.bad_value(
                key,
                format!(
                    "Unrecognized option for boolean: {text}. Expected either true or false(case insensitive)"
                ),
            )),
        }
    }

    /// Returns a fault of an option's value.
    pub(crate) fn bad_value(&self, key: &str, message: impl Into<String>) -> FormatError {
        FormatError::OptionValue {
            key: format!("{}.{key}", self.def.identifier),
            message: message.into(),
        }
    }
}
