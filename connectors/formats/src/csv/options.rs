//! The options of `csv`, and which types it has.

use millrace_connector::{FlinkType, OptionDef, OptionKind, TypeKind};

use crate::FormatError;
use crate::registry::{FormatOptions, Schema};

const FIELD_DELIMITER: OptionDef = OptionDef {
    default: Some(","),
    ..OptionDef::text(
        "field-delimiter",
        "The character between fields; `\\t` and `\\u0001` are understood.",
    )
};
const DISABLE_QUOTE: OptionDef = boolean(
    "disable-quote-character",
    "false",
    "Whether no character quotes fields.",
);
const QUOTE: OptionDef = OptionDef::text(
    "quote-character",
    "The character around fields that need it; `\"` unless another is given.",
);
const ALLOW_COMMENTS: OptionDef = boolean(
    "allow-comments",
    "false",
    "Whether lines that begin with `#` are left out.",
);
const IGNORE_PARSE_ERRORS: OptionDef = boolean(
    "ignore-parse-errors",
    "false",
    "Sets fields that cannot be read to NULL and drops messages that cannot be read, instead of failing.",
);
const ARRAY_DELIMITER: OptionDef = OptionDef {
    default: Some(";"),
    ..OptionDef::text(
        "array-element-delimiter",
        "The text between the elements of an ARRAY or ROW.",
    )
};
const ESCAPE: OptionDef = OptionDef::text(
    "escape-character",
    "The character that takes the next one's meaning away.",
);
const NULL_LITERAL: OptionDef = OptionDef::text("null-literal", "The text that stands for NULL.");
// Flink documents the default true, but writes so only if the table says so.
const SCIENTIFIC: OptionDef = boolean(
    "write-bigdecimal-in-scientific-notation",
    "false",
    "Whether decimals are written with an exponent where Java does: 1E+5 for 100000, 1E-7 for 0.0000001.",
);

const fn boolean(key: &'static str, default: &'static str, doc: &'static str) -> OptionDef {
    OptionDef {
        kind: OptionKind::Boolean,
        default: Some(default),
        ..OptionDef::text(key, doc)
    }
}

/// The options of `csv`.
pub(crate) static OPTIONS: &[OptionDef] = &[
    FIELD_DELIMITER,
    DISABLE_QUOTE,
    QUOTE,
    ALLOW_COMMENTS,
    IGNORE_PARSE_ERRORS,
    ARRAY_DELIMITER,
    ESCAPE,
    NULL_LITERAL,
    SCIENTIFIC,
];

/// What the options of a table come to.
#[derive(Clone, Debug)]
pub(super) struct CsvOptions {
    pub(super) delimiter: char,
    pub(super) quote: Option<char>,
    pub(super) escape: Option<char>,
    pub(super) allow_comments: bool,
    pub(super) ignore_parse_errors: bool,
    pub(super) array_delimiter: String,
    pub(super) null_literal: Option<String>,
    pub(super) is_scientific: bool,
}

impl CsvOptions {
    pub(super) fn new(options: &FormatOptions, schema: Schema<'_>) -> Result<Self, FormatError> {
        let disable_quote = options.boolean(DISABLE_QUOTE.key)?;
        if disable_quote && options.text(QUOTE.key).is_some() {
            return Err(options.bad_value(
                QUOTE.key,
                "Format cannot define a quote character and disabled quote character at the same time.",
            ));
        }
        let single = |key: &'static str| -> Result<Option<char>, FormatError> {
            let Some(text) = options.text(key) else {
                return Ok(None);
            };
            let mut characters = text.chars();
            match (characters.next(), characters.next()) {
                (Some(character), None) => Ok(Some(character)),
                _ => Err(options.bad_value(
                    key,
                    format!(
                        "Option 'csv.{key}' must be a string with single character, but was: {text}"
                    ),
                )),
            }
        };
        let delimiter = unescape_java(options.text(FIELD_DELIMITER.key).unwrap_or(","));
        let mut characters = delimiter.chars();
        let (Some(delimiter), None) = (characters.next(), characters.next()) else {
            return Err(options.bad_value(
                FIELD_DELIMITER.key,
                format!(
                    "Option 'csv.field-delimiter' must be a string with single character, but was: {delimiter}"
                ),
            ));
        };
        for (column, (name, ty)) in schema.iter().enumerate() {
            check_type(name, ty)
                .map_err(|message| FormatError::UnsupportedType { column, message })?;
        }
        Ok(Self {
            delimiter,
            quote: if disable_quote {
                None
            } else {
                single(QUOTE.key)?.or(Some('"'))
            },
            escape: single(ESCAPE.key)?,
            allow_comments: options.boolean(ALLOW_COMMENTS.key)?,
            ignore_parse_errors: options.boolean(IGNORE_PARSE_ERRORS.key)?,
            array_delimiter: options.text(ARRAY_DELIMITER.key).unwrap_or(";").to_owned(),
            null_literal: options.text(NULL_LITERAL.key).map(str::to_owned),
            is_scientific: options.boolean(SCIENTIFIC.key)?,
        })
    }
}

fn check_type(name: &str, ty: &FlinkType) -> Result<(), String> {
    let nested = |inner: &FlinkType| {
        if is_simple(inner) {
            return check_precision(inner);
        }
        Err(format!(
            "Only simple types are supported in the second level nesting of fields '{name}' but was: {inner}"
        ))
    };
    match &ty.kind {
        _ if is_simple(ty) => check_precision(ty),
        TypeKind::Array(element) => nested(element),
        TypeKind::Row(fields) => fields.iter().try_for_each(|field| nested(&field.ty)),
        _ => Err(format!("Unsupported type '{ty}' for field '{name}'.")),
    }
}

fn check_precision(ty: &FlinkType) -> Result<(), String> {
    match ty.kind {
        TypeKind::Time(precision) if precision > 3 => Err(format!(
            "Csv does not support TIME type with precision: {precision}, it only supports precision 0 ~ 3."
        )),
        _ => Ok(()),
    }
}

fn is_simple(ty: &FlinkType) -> bool {
    !ty.kind.is_constructed() && !ty.kind.is_interval() && ty.kind != TypeKind::Null
}

/// Replaces `\t`, `\n`, `\u0001` … as `StringEscapeUtils.unescapeJava` does.
fn unescape_java(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match rest.next() {
            Some('t') => out.push('\t'),
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('b') => out.push('\u{8}'),
            Some('f') => out.push('\u{c}'),
            Some('u') => {
                let digits: String = rest.as_str().chars().take(4).collect();
                rest.by_ref().take(4).for_each(drop);
                let code = u32::from_str_radix(&digits, 16).ok();
                out.extend(code.and_then(char::from_u32));
            }
            Some(other) => out.push(other),
            None => out.push('\\'),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_escaped_delimiters() {
        assert_eq!(unescape_java("\\t"), "\t");
        assert_eq!(unescape_java("\\u0001"), "\u{1}");
        assert_eq!(unescape_java("|"), "|");
    }
}
