//! The `raw` format: a message's bytes as the only column.
//!
//! # Flink
//! `RawFormatDeserializationSchema` and `RawFormatSerializationSchema`, 1.17.

mod charset;
mod decoder;
mod encoder;
mod java_tables;

use millrace_connector::{FlinkType, OptionDef, TypeKind};

use self::charset::Charset;
pub(crate) use self::decoder::make_decoder;
pub(crate) use self::encoder::make_encoder;
use crate::FormatError;
use crate::registry::{FormatOptions, Schema};

const CHARSET: OptionDef = OptionDef {
    default: Some("UTF-8"),
    ..OptionDef::text("charset", "The charset of a text column, by its Java name.")
};
const ENDIANNESS: OptionDef = OptionDef {
    default: Some("big-endian"),
    ..OptionDef::text(
        "endianness",
        "The byte order of a number column: `big-endian` or `little-endian`.",
    )
};

/// The options of `raw`.
pub(crate) static OPTIONS: &[OptionDef] = &[CHARSET, ENDIANNESS];

/// What the options of a table come to.
struct RawOptions {
    kind: TypeKind,
    charset: Charset,
    is_little: bool,
}

impl RawOptions {
    fn new(options: &FormatOptions, schema: Schema<'_>) -> Result<Self, FormatError> {
        let [(_, ty)] = schema else {
            let columns: Vec<String> = schema
                .iter()
                .map(|(name, ty)| format!("`{name}` {ty}"))
                .collect();
            return Err(FormatError::UnsupportedSchema {
                message: format!(
                    "The 'raw' format only supports single physical column. However the defined schema contains multiple physical columns: [{}]",
                    columns.join(", ")
                ),
            });
        };
        let name = options.text(CHARSET.key).unwrap_or("UTF-8");
        let charset = Charset::find(name).ok_or_else(|| {
            options.bad_value(
                CHARSET.key,
                format!("Unsupported 'raw.charset' name: {name}."),
            )
        })?;
        let is_little = match options.text(ENDIANNESS.key) {
            None | Some("big-endian") => false,
            Some("little-endian") => true,
            Some(other) => {
                return Err(options.bad_value(
                    ENDIANNESS.key,
                    format!(
                        "Unsupported endianness name: {other}. Supported names for 'raw.endianness' are: 'big-endian' and 'little-endian'."
                    ),
                ));
            }
        };
        check_type(ty)?;
        Ok(Self {
            kind: ty.kind.clone(),
            charset,
            is_little,
        })
    }
}

fn check_type(ty: &FlinkType) -> Result<(), FormatError> {
    match ty.kind {
        TypeKind::Char(_)
        | TypeKind::Varchar(_)
        | TypeKind::Binary(_)
        | TypeKind::Varbinary(_)
        | TypeKind::Boolean
        | TypeKind::TinyInt
        | TypeKind::SmallInt
        | TypeKind::Int
        | TypeKind::BigInt
        | TypeKind::Float
        | TypeKind::Double => Ok(()),
        _ => Err(FormatError::UnsupportedType {
            column: 0,
            message: format!("The 'raw' format doesn't supports '{ty}' as column type."),
        }),
    }
}
