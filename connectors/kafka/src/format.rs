//! Which columns a record's key and value hold, and in which format.

use std::collections::BTreeMap;

use millrace_connector::{
    ColumnKind, Diagnostic, FlinkType, MetadataKey, OptionDef, Options, Span, TableDefinition,
};
use millrace_formats::{
    Decoder, Encoder, FormatContext, FormatDef, FormatError, create_decoder, create_encoder,
    format, formats,
};

/// A format with its options and the table's columns in it.
#[derive(Clone, Debug)]
pub(crate) struct FormatUse {
    /// Its name.
    pub(crate) identifier: String,
    /// Its options, without prefix.
    pub(crate) options: BTreeMap<String, String>,
    /// Indexes into the table's columns.
    pub(crate) columns: Vec<usize>,
    /// Name in the message and type of each.
    pub(crate) schema: Vec<(String, FlinkType)>,
    /// Whether its rows have kinds other than insert.
    pub(crate) is_changelog: bool,
    span: Span,
}

/// The formats of a table.
#[derive(Clone, Debug)]
pub(crate) struct Formats {
    pub(crate) value: FormatUse,
    pub(crate) key: Option<FormatUse>,
}

/// Returns `base` and the options of the formats that `table` names, each with its full key.
pub(crate) fn definitions(table: &TableDefinition, base: &[OptionDef]) -> Vec<(String, OptionDef)> {
    let mut all: Vec<_> = base.iter().map(|def| (def.key.to_owned(), *def)).collect();
    for (key, prefix) in [
        ("format", ""),
        ("value.format", "value."),
        ("key.format", "key."),
    ] {
        // Where both are written, 'format' counts.
        if key == "value.format" && table.option("format").is_some() {
            continue;
        }
        let Some(def) = table.option(key).and_then(|name| format(&name.value).ok()) else {
            continue;
        };
        all.extend(def.options.iter().map(|option| {
            (
                format!("{prefix}{}.{}", def.identifier, option.key),
                *option,
            )
        }));
    }
    all
}

/// Returns the formats of `table`, or what is wrong with them: `MR0112` for the format options, `MR0113` for key fields.
pub(crate) fn parse(
    table: &TableDefinition,
    options: &Options,
) -> Result<Formats, Vec<Diagnostic>> {
    let mut diagnostics = Vec::new();
    let columns = key_columns(table, options, options.list("key.fields"), &mut diagnostics);
    with_key(table, options, &columns, diagnostics)
}

/// Returns the formats of a table whose key is its PRIMARY KEY.
pub(crate) fn parse_keyed(
    table: &TableDefinition,
    options: &Options,
) -> Result<Formats, Vec<Diagnostic>> {
    let mut diagnostics = Vec::new();
    let names = table.primary_key.iter().map(|name| name.value.clone());
    let columns = key_columns(table, options, names.collect(), &mut diagnostics);
    with_key(table, options, &columns, diagnostics)
}

fn physical_columns(table: &TableDefinition) -> Vec<usize> {
    (0..table.columns.len())
        .filter(|index| table.columns[*index].kind == ColumnKind::Physical)
        .collect()
}

fn with_key(
    table: &TableDefinition,
    options: &Options,
    key_columns: &[usize],
    mut diagnostics: Vec<Diagnostic>,
) -> Result<Formats, Vec<Diagnostic>> {
    let physical = physical_columns(table);
    let except_key = options
        .text("value.fields-include")
        .is_some_and(|text| text.eq_ignore_ascii_case("EXCEPT_KEY"));
    let in_value = |index: &usize| !(except_key && key_columns.contains(index));
    let value_columns: Vec<usize> = physical.iter().copied().filter(in_value).collect();
    // # Flink: `getValueDecodingFormat` looks for 'value.format' only where there is no 'format'.
    let value = match (options.text("format"), options.text("value.format")) {
        (Some(name), _) => Some((name, "", "format")),
        (None, Some(name)) => Some((name, "value.", "value.format")),
        (None, None) => {
            diagnostics.push(
                Diagnostic::error(
                    "MR0101",
                    "connector 'kafka' needs the option 'format'",
                    table.options_span,
                )
                .label("no 'format' here")
                .help(format!(
                    "formats: {}",
                    formats()
                        .iter()
                        .map(|f| f.identifier)
                        .collect::<Vec<_>>()
                        .join(", ")
                )),
            );
            None
        }
    };
    let value = value.and_then(|(name, prefix, key)| {
        let span = options.span(key).unwrap_or(table.options_span);
        one(
            table,
            options,
            (name, prefix, span),
            value_columns,
            "",
            &mut diagnostics,
        )
    });
    let key_prefix = options.text("key.fields-prefix").unwrap_or_default();
    diagnostics.extend(prefix_with_all(key_prefix, except_key, options));
    let key = options.text("key.format").and_then(|name| {
        let span = options.span("key.format").unwrap_or(table.options_span);
        if key_columns.is_empty() {
            diagnostics.push(Diagnostic::error(
                "MR0113",
                "'key.format' needs 'key.fields'",
                span,
            ));
        }
        one(
            table,
            options,
            (name, "key.", span),
            key_columns.to_vec(),
            key_prefix,
            &mut diagnostics,
        )
    });
    diagnostics.extend(
        key.as_ref()
            .filter(|key| key.is_changelog)
            .map(changes_in_key),
    );
    match value {
        Some(value) if diagnostics.is_empty() => Ok(Formats { value, key }),
        _ => Err(diagnostics),
    }
}

/// # Flink
/// `KafkaConnectorOptionsUtil.createValueFormatProjection`.
fn prefix_with_all(prefix: &str, except_key: bool, options: &Options) -> Option<Diagnostic> {
    let span = options.span("key.fields-prefix")?;
    (!prefix.is_empty() && !except_key).then(|| {
        Diagnostic::error(
            "MR0113",
            "'key.fields-prefix' is not allowed where 'value.fields-include' is 'ALL'",
            span,
        )
        .label("the value would have the key's fields under these names too")
        .help("write 'value.fields-include' = 'EXCEPT_KEY'")
    })
}

/// # Flink
/// `KafkaDynamicTableFactory.getKeyDecodingFormat`.
fn changes_in_key(key: &FormatUse) -> Diagnostic {
    let message = format!(
        "a key format should only deal with INSERT-only records, but '{}' has changes",
        key.identifier
    );
    Diagnostic::error("MR0112", message, key.span).help("use 'json', 'csv' or 'raw' for the key")
}

/// Returns what is wrong with a PRIMARY KEY of a `kafka` table.
///
/// # Flink
/// `KafkaDynamicTableFactory.validatePKConstraints`.
pub(crate) fn key_of_inserts(table: &TableDefinition, value: &FormatUse) -> Option<Diagnostic> {
    let first = table.primary_key.first().filter(|_| !value.is_changelog)?;
    let message = format!(
        "the Kafka table '{}' with '{}' format doesn't support defining PRIMARY KEY constraint on the table, \
         because it can't guarantee the semantic of primary key",
        table.name.value, value.identifier
    );
    let fault = Diagnostic::error("MR0412", message, first.span)
        .label("each record is a row of its own")
        .help("leave PRIMARY KEY out, or write the last row of each key with 'connector' = 'upsert-kafka'");
    Some(fault)
}

fn key_columns(
    table: &TableDefinition,
    options: &Options,
    fields: Vec<String>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<usize> {
    let physical = physical_columns(table);
    let span = options.span("key.fields").unwrap_or(table.options_span);
    if !fields.is_empty() && options.text("key.format").is_none() {
        diagnostics.push(Diagnostic::error(
            "MR0113",
            "'key.fields' needs 'key.format'",
            span,
        ));
    }
    let prefix = options.text("key.fields-prefix").unwrap_or_default();
    let mut columns = Vec::new();
    for field in fields {
        match physical
            .iter()
            .find(|index| table.columns[**index].name.value == field)
        {
            Some(index) if field.starts_with(prefix) => columns.push(*index),
            Some(_) => diagnostics.push(Diagnostic::error(
                "MR0113",
                format!("key field '{field}' does not begin with 'key.fields-prefix' = '{prefix}'"),
                span,
            )),
            None => diagnostics.push(
                Diagnostic::error(
                    "MR0113",
                    format!("key field '{field}' is no physical column of the table"),
                    span,
                )
                .help("'key.fields' lists column names separated by semicolons"),
            ),
        }
    }
    columns
}

fn one(
    table: &TableDefinition,
    options: &Options,
    (name, prefix, span): (&str, &str, Span),
    columns: Vec<usize>,
    name_prefix: &str,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<FormatUse> {
    let def = match format(name) {
        Ok(def) => def,
        Err(error) => {
            diagnostics.push(diagnose(&error, table, &columns, span));
            return None;
        }
    };
    let schema = columns
        .iter()
        .map(|index| {
            let column = &table.columns[*index];
            let name = column
                .name
                .value
                .strip_prefix(name_prefix)
                .unwrap_or(&column.name.value);
            (name.to_owned(), column.ty.clone())
        })
        .collect();
    let keys = format!("{prefix}{}.", def.identifier);
    let options = options
        .with_prefix(&keys)
        .map(|(key, value)| (key.to_owned(), value.value.clone()))
        .collect();
    Some(FormatUse {
        identifier: def.identifier.to_owned(),
        options,
        columns,
        schema,
        is_changelog: def.is_changelog,
        span,
    })
}

fn diagnose(
    error: &FormatError,
    table: &TableDefinition,
    columns: &[usize],
    span: Span,
) -> Diagnostic {
    match error {
        FormatError::UnknownFormat { did_you_mean, .. } => {
            let diagnostic = Diagnostic::error("MR0112", error.to_string(), span);
            let names = formats()
                .iter()
                .map(|f| f.identifier)
                .collect::<Vec<_>>()
                .join(", ");
            match did_you_mean {
                Some(near) => diagnostic.help(format!("did you mean '{near}'?")),
                None => diagnostic.help(format!("formats: {names}")),
            }
        }
        FormatError::UnsupportedType { column, .. } => {
            let at = columns
                .get(*column)
                .map_or(span, |index| table.columns[*index].name.span);
            Diagnostic::error("MR0112", error.to_string(), at)
        }
        _ => Diagnostic::error("MR0112", error.to_string(), span),
    }
}

impl FormatUse {
    /// Returns what the format says besides its rows.
    pub(crate) fn metadata(&self) -> Vec<MetadataKey> {
        format(&self.identifier).map_or_else(|_| Vec::new(), FormatDef::metadata)
    }

    /// Returns a decoder of the columns `wanted` (indexes into [`FormatUse::columns`]).
    pub(crate) fn decoder(
        &self,
        wanted: &[usize],
        ctx: &FormatContext,
    ) -> Result<Box<dyn Decoder>, FormatError> {
        create_decoder(&self.identifier, &self.options, &self.schema, wanted, ctx)
    }

    /// Returns an encoder of all columns.
    pub(crate) fn encoder(&self, ctx: &FormatContext) -> Result<Box<dyn Encoder>, FormatError> {
        create_encoder(&self.identifier, &self.options, &self.schema, ctx)
    }

    /// Returns what keeps a decoder from being made, so that types and values are checked before start.
    pub(crate) fn check_decoder(
        &self,
        table: &TableDefinition,
        ctx: &FormatContext,
    ) -> Option<Diagnostic> {
        let wanted: Vec<usize> = (0..self.columns.len()).collect();
        let error = self.decoder(&wanted, ctx).err()?;
        Some(diagnose(&error, table, &self.columns, self.span))
    }

    /// Returns what keeps an encoder from being made, so that types and values are checked before start.
    pub(crate) fn check_encoder(
        &self,
        table: &TableDefinition,
        ctx: &FormatContext,
    ) -> Option<Diagnostic> {
        let error = self.encoder(ctx).err()?;
        Some(diagnose(&error, table, &self.columns, self.span))
    }
}
