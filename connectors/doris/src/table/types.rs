//! Types of columns in Doris, as its different answers write them.

use std::fmt::Write as _;

use millrace_connector::physical::MICROSECOND_PRECISION_MAX;
use millrace_connector::{FlinkType, TypeKind};

/// A type of Doris; bounds are `None` where the answer did not tell them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DorisType {
    Boolean,
    /// A whole number of so many bits.
    Integer(u32),
    Float,
    Double,
    /// Digits in all, digits behind the point.
    Decimal(Option<(u8, u8)>),
    Date,
    /// Digits of a second's fraction.
    DateTime(Option<u8>),
    /// At most so many bytes of UTF-8.
    Varchar(Option<usize>),
    String,
    Json,
    Array,
    Map,
    Struct,
    /// BITMAP, HLL and others that rows alone do not make.
    Other,
}

impl DorisType {
    /// Reads `DECIMAL(18, 4)`, `decimalv3(18,4)`, `bigint(20)`, `DATETIMEV2`, `array<int>` …
    pub(crate) fn parse(text: &str) -> Self {
        let lower = text.trim().to_ascii_lowercase();
        let (name, rest) = match lower.find(['(', '<']) {
            Some(at) => lower.split_at(at),
            None => (lower.as_str(), ""),
        };
        let numbers: Vec<usize> = rest
            .trim_matches(['(', ')'])
            .split(',')
            .filter_map(|number| number.trim().parse().ok())
            .collect();
        let small = |at: usize| numbers.get(at).and_then(|n: &usize| u8::try_from(*n).ok());
        match name.trim() {
            "boolean" | "bool" => Self::Boolean,
            // The number behind a whole number's type is how wide it is shown.
            "tinyint" => Self::Integer(8),
            "smallint" => Self::Integer(16),
            "int" | "integer" => Self::Integer(32),
            "bigint" => Self::Integer(64),
            "largeint" => Self::Integer(128),
            "float" => Self::Float,
            "double" => Self::Double,
            name if name.starts_with("decimal") => {
                Self::Decimal(small(0).map(|precision| (precision, small(1).unwrap_or(0))))
            }
            "date" | "datev1" | "datev2" => Self::Date,
            "datetimev2" | "datetime" if rest.is_empty() => Self::DateTime(None),
            "datetimev2" | "datetime" | "datetimev1" => Self::DateTime(small(0)),
            "char" | "varchar" => Self::Varchar(numbers.first().copied()),
            "string" | "text" => Self::String,
            "json" | "jsonb" | "variant" => Self::Json,
            "array" => Self::Array,
            "map" => Self::Map,
            "struct" => Self::Struct,
            _ => Self::Other,
        }
    }
}

/// Returns the type of CREATE TABLE that holds every value of `ty`.
pub(super) fn suggestion(ty: &FlinkType, is_key: bool) -> String {
    match &ty.kind {
        TypeKind::Boolean => "BOOLEAN".into(),
        TypeKind::TinyInt => "TINYINT".into(),
        TypeKind::SmallInt => "SMALLINT".into(),
        TypeKind::Int => "INT".into(),
        TypeKind::BigInt => "BIGINT".into(),
        TypeKind::Float => "FLOAT".into(),
        TypeKind::Double => "DOUBLE".into(),
        TypeKind::Decimal(precision, scale) => format!("DECIMAL({precision}, {scale})"),
        TypeKind::Date => "DATE".into(),
        TypeKind::Timestamp(digits) | TypeKind::TimestampLtz(digits) => {
            format!("DATETIME({})", digits.min(&MICROSECOND_PRECISION_MAX))
        }
        TypeKind::Array(element) => format!("ARRAY<{}>", suggestion(element, false)),
        TypeKind::Map(key, value) => format!(
            "MAP<{}, {}>",
            suggestion(key, false),
            suggestion(value, false)
        ),
        TypeKind::Row(fields) => {
            let mut text = String::from("STRUCT<");
            for (index, field) in fields.iter().enumerate() {
                let comma = if index == 0 { "" } else { ", " };
                write!(
                    text,
                    "{comma}{}: {}",
                    field.name,
                    suggestion(&field.ty, false)
                )
                .expect("a String takes everything");
            }
            text + ">"
        }
        // A key cannot be a STRING.
        _ if is_key => "VARCHAR(255)".into(),
        _ => "STRING".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_types_of_all_answers() {
        for (text, expected) in [
            ("bigint(20)", DorisType::Integer(64)),
            ("LARGEINT", DorisType::Integer(128)),
            ("DECIMALV3(18, 4)", DorisType::Decimal(Some((18, 4)))),
            ("DECIMAL64", DorisType::Decimal(None)),
            ("decimal(9)", DorisType::Decimal(Some((9, 0)))),
            ("datetime(3)", DorisType::DateTime(Some(3))),
            ("DATETIMEV2", DorisType::DateTime(None)),
            ("varchar(20)", DorisType::Varchar(Some(20))),
            ("VARCHAR", DorisType::Varchar(None)),
            ("varchar(*)", DorisType::Varchar(None)),
            ("text", DorisType::String),
            ("array<int(11)>", DorisType::Array),
            ("MAP<STRING, INT>", DorisType::Map),
            ("bitmap", DorisType::Other),
        ] {
            assert_eq!(DorisType::parse(text), expected, "{text}");
        }
    }

    #[test]
    fn suggests_types_that_hold_everything() {
        let of = |kind: TypeKind| suggestion(&kind.nullable(), false);
        assert_eq!(of(TypeKind::Decimal(18, 4)), "DECIMAL(18, 4)");
        assert_eq!(of(TypeKind::Timestamp(9)), "DATETIME(6)");
        let nested = TypeKind::Array(Box::new(TypeKind::Int.nullable()));
        assert_eq!(of(nested), "ARRAY<INT>");
        assert_eq!(suggestion(&FlinkType::string(), true), "VARCHAR(255)");
    }
}
