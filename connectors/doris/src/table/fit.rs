//! Whether a column in Doris holds the values of a column in the file.

use millrace_connector::{FlinkType, TypeKind};

use super::{ColumnFact, DorisType};

/// How well a column fits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// Every value.
    Whole,
    /// Some values may not fit.
    Partly(String),
    /// No value does.
    No(String),
}

/// Digits that a whole number of so many bits has at most.
fn digits(bits: u32) -> u8 {
    match bits {
        8 => 3,
        16 => 5,
        32 => 10,
        64 => 19,
        _ => 39,
    }
}

fn integer_bits(kind: &TypeKind) -> Option<u32> {
    match kind {
        TypeKind::TinyInt => Some(8),
        TypeKind::SmallInt => Some(16),
        TypeKind::Int => Some(32),
        TypeKind::BigInt => Some(64),
        _ => None,
    }
}

fn is_text(kind: &TypeKind) -> bool {
    matches!(kind, TypeKind::Char(_) | TypeKind::Varchar(_))
}

fn is_nested(kind: &TypeKind) -> bool {
    matches!(
        kind,
        TypeKind::Array(_) | TypeKind::Map(..) | TypeKind::Row(_)
    )
}

/// Returns how values of `ty` fit into a column.
pub(super) fn fit(ty: &FlinkType, column: &DorisType) -> Fit {
    let kind = &ty.kind;
    match column {
        DorisType::String => Fit::Whole,
        DorisType::Other => {
            Fit::No("such a column is filled by an expression in 'sink.properties.columns'".into())
        }
        DorisType::Varchar(_) if is_nested(kind) => partly("its text may be too long"),
        DorisType::Varchar(Some(bytes_max)) => match kind {
            // Texts of no stated length are what everybody declares; they are checked row by row.
            TypeKind::Varchar(length) | TypeKind::Char(length)
                if *length as usize > *bytes_max && *length < 65_536 =>
            {
                partly(&format!("texts of more than {bytes_max} bytes are refused"))
            }
            _ => Fit::Whole,
        },
        DorisType::Varchar(None) => Fit::Whole,
        DorisType::Json => match kind {
            kind if is_text(kind) => partly("only texts that are JSON are taken"),
            _ => Fit::Whole,
        },
        DorisType::Array => nested(kind, matches!(kind, TypeKind::Array(_))),
        DorisType::Map => nested(kind, matches!(kind, TypeKind::Map(..))),
        DorisType::Struct => nested(kind, matches!(kind, TypeKind::Row(_) | TypeKind::Map(..))),
        DorisType::Boolean => match kind {
            TypeKind::Boolean => Fit::Whole,
            kind if is_text(kind) || integer_bits(kind).is_some() => {
                partly("only true, false, 1 and 0 are taken")
            }
            _ => no(ty),
        },
        DorisType::Integer(bits) => integer(ty, *bits),
        DorisType::Float | DorisType::Double => match kind {
            TypeKind::Double if *column == DorisType::Float => partly("digits are lost"),
            TypeKind::Float | TypeKind::Double | TypeKind::Decimal(..) => Fit::Whole,
            kind if integer_bits(kind).is_some() => Fit::Whole,
            kind if is_text(kind) => partly("only texts that are numbers are taken"),
            _ => no(ty),
        },
        DorisType::Decimal(bounds) => decimal(ty, *bounds),
        DorisType::Date => match kind {
            TypeKind::Date => Fit::Whole,
            TypeKind::Timestamp(_) | TypeKind::TimestampLtz(_) => partly("the time of day is lost"),
            kind if is_text(kind) => partly("only texts that are dates are taken"),
            _ => no(ty),
        },
        DorisType::DateTime(bound) => match kind {
            TypeKind::Timestamp(p) | TypeKind::TimestampLtz(p) => match bound {
                Some(bound) if bound < p => partly(&format!(
                    "digits after the {bound}th of a second are rounded"
                )),
                _ => Fit::Whole,
            },
            TypeKind::Date => Fit::Whole,
            kind if is_text(kind) => partly("only texts that are times are taken"),
            _ => no(ty),
        },
    }
}

fn integer(ty: &FlinkType, bits: u32) -> Fit {
    match &ty.kind {
        TypeKind::Boolean => partly("true and false become 1 and 0"),
        TypeKind::Decimal(precision, 0) if *precision < digits(bits) => Fit::Whole,
        TypeKind::Decimal(..) | TypeKind::Float | TypeKind::Double => {
            partly("only whole numbers within bounds are taken")
        }
        kind if is_text(kind) => partly("only texts that are whole numbers are taken"),
        kind => match integer_bits(kind) {
            Some(given) if given <= bits => Fit::Whole,
            Some(_) => partly(&format!("numbers of more than {bits} bits are refused")),
            None => no(ty),
        },
    }
}

fn decimal(ty: &FlinkType, bounds: Option<(u8, u8)>) -> Fit {
    let (whole, fraction) = match &ty.kind {
        TypeKind::Decimal(precision, scale) => (precision - scale, *scale),
        TypeKind::Float | TypeKind::Double => return partly("digits are rounded"),
        kind if is_text(kind) => return partly("only texts that are numbers are taken"),
        kind => match integer_bits(kind) {
            Some(bits) => (digits(bits), 0),
            None => return no(ty),
        },
    };
    let Some((precision, scale)) = bounds else {
        return Fit::Whole;
    };
    let room = precision.saturating_sub(scale);
    match (whole > room, fraction > scale) {
        (true, _) => partly(&format!(
            "numbers of more than {room} digits before the point are refused"
        )),
        (false, true) => partly(&format!("digits after the {scale}th are rounded")),
        (false, false) => Fit::Whole,
    }
}

fn nested(kind: &TypeKind, is_same: bool) -> Fit {
    match kind {
        _ if is_same => Fit::Whole,
        kind if is_text(kind) => partly("only texts in the form of such values are taken"),
        _ => Fit::No("such a value cannot be made of it".into()),
    }
}

fn partly(why: &str) -> Fit {
    Fit::Partly(why.to_owned())
}

fn no(ty: &FlinkType) -> Fit {
    Fit::No(format!("{ty} is never taken"))
}

/// Tells whether the server may take an array of `ty` as the column's own, without a conversion, since it makes none: why not
/// is the error.
pub(crate) fn is_equal_in_arrow(ty: &FlinkType, column: &ColumnFact) -> Result<(), String> {
    let is_same = match (&ty.kind, &column.ty) {
        (TypeKind::Boolean, DorisType::Boolean)
        | (TypeKind::Float, DorisType::Float)
        | (TypeKind::Double, DorisType::Double)
        | (TypeKind::Date, DorisType::Date)
        | (TypeKind::Char(_) | TypeKind::Varchar(_), DorisType::Varchar(_) | DorisType::String) => {
            true
        }
        (TypeKind::Decimal(precision, scale), DorisType::Decimal(bounds)) => {
            *bounds == Some((*precision, *scale))
        }
        (TypeKind::Timestamp(_) | TypeKind::TimestampLtz(_), DorisType::DateTime(_)) => {
            return Err("times in an Arrow body are shifted by the server's own time zone".into());
        }
        (kind, DorisType::Integer(bits)) => integer_bits(kind) == Some(*bits),
        _ => false,
    };
    if is_same {
        Ok(())
    } else {
        Err("an Arrow body is taken without conversion, so the types must be equal".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: &TypeKind, column: &str, expected: &str) {
        let found = match fit(&kind.clone().nullable(), &DorisType::parse(column)) {
            Fit::Whole => "whole",
            Fit::Partly(_) => "partly",
            Fit::No(_) => "no",
        };
        assert_eq!(found, expected, "{kind:?} into {column}");
    }

    #[test]
    fn tells_what_fits_wholly_partly_and_not_at_all() {
        check(&TypeKind::BigInt, "BIGINT", "whole");
        check(&TypeKind::BigInt, "INT", "partly");
        check(&TypeKind::BigInt, "DATE", "no");
        check(&TypeKind::BigInt, "DECIMAL(18,0)", "partly");
        check(&TypeKind::BigInt, "DECIMAL(19,0)", "whole");
        check(&TypeKind::Decimal(18, 4), "DECIMAL(18,4)", "whole");
        check(&TypeKind::Decimal(18, 4), "DECIMAL(18,2)", "partly");
        check(&TypeKind::Decimal(18, 4), "DECIMAL64", "whole");
        check(&TypeKind::Decimal(18, 0), "BIGINT", "whole");
        check(&TypeKind::Decimal(19, 0), "BIGINT", "partly");
        check(&FlinkType::string().kind, "VARCHAR(10)", "whole");
        check(&TypeKind::Varchar(20), "VARCHAR(10)", "partly");
        check(&FlinkType::string().kind, "INT", "partly");
        check(&TypeKind::Timestamp(3), "DATETIME(3)", "whole");
        check(&TypeKind::Timestamp(6), "DATETIME(3)", "partly");
        check(&TypeKind::Timestamp(3), "BOOLEAN", "no");
        check(&TypeKind::Int, "BITMAP", "no");
        check(&TypeKind::Int, "ARRAY<INT>", "no");
        check(&TypeKind::Boolean, "STRING", "whole");
    }

    #[test]
    fn arrow_takes_only_what_is_equal() {
        let is_equal = |kind: TypeKind, column: &str| {
            let fact = ColumnFact {
                name: "c".into(),
                ty: DorisType::parse(column),
                shown: column.into(),
                nullable: None,
                is_key: None,
                has_default: None,
            };
            is_equal_in_arrow(&kind.nullable(), &fact).is_ok()
        };
        assert!(is_equal(TypeKind::BigInt, "BIGINT"));
        assert!(
            !is_equal(TypeKind::Int, "BIGINT"),
            "the server would read garbage"
        );
        assert!(is_equal(TypeKind::Decimal(18, 4), "DECIMAL(18,4)"));
        assert!(!is_equal(TypeKind::Decimal(18, 4), "DECIMAL(18,2)"));
        assert!(
            !is_equal(TypeKind::Decimal(18, 4), "DECIMAL64"),
            "not proven"
        );
        assert!(is_equal(FlinkType::string().kind, "VARCHAR(10)"));
        assert!(!is_equal(TypeKind::Timestamp(3), "DATETIME(3)"));
        assert!(!is_equal(FlinkType::string().kind, "JSON"));
    }
}
