//! Rows that do not fit their table: found before they are sent, since a load that has one fails as a whole.
//!
//! What the MySQL port tells of columns can be checked here: NOT NULL, bytes of texts, bounds of whole numbers and decimals.
//! Whether a text is a number or a date, and whether a row has a partition, only Doris can tell.

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Int8Type, Int16Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, BooleanArray};
use millrace_connector::{FlinkType, TypeKind};
use serde_json::json;

use crate::table::{DorisType, TableFacts};

/// The columns of a dead-letter table, as CREATE TABLE has them.
pub(crate) const DEAD_LETTER_COLUMNS: &[(&str, &str)] = &[
    ("pipeline", "VARCHAR(255)"),
    ("target", "VARCHAR(255)"),
    ("column_name", "VARCHAR(255)"),
    ("reason", "STRING"),
    ("content", "STRING"),
];

/// A row that does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Misfit {
    pub(crate) row: usize,
    /// The name of the first column that is to blame.
    pub(crate) column: String,
    pub(crate) reason: String,
}

/// What can be wrong with a value of one column.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Rule {
    NotNull,
    /// At most so many bytes.
    Bytes(usize),
    /// A whole number of so many bits.
    Bits(u32),
    /// From a decimal's scale to a column's precision and scale.
    Digits {
        from: u8,
        precision: u8,
        scale: u8,
    },
}

/// The rules of a table.
#[derive(Clone, Debug, Default)]
pub(crate) struct Checker {
    rules: Vec<(usize, String, Rule)>,
}

impl Checker {
    pub(crate) fn new(columns: &[(String, FlinkType)], facts: &TableFacts) -> Self {
        let mut rules = Vec::new();
        for (index, (name, ty)) in columns.iter().enumerate() {
            let Some(column) = facts.column(name) else {
                continue;
            };
            let mut add = |rule| rules.push((index, name.clone(), rule));
            if column.nullable == Some(false) && ty.nullable {
                add(Rule::NotNull);
            }
            match (&ty.kind, &column.ty) {
                (TypeKind::Char(_) | TypeKind::Varchar(_), DorisType::Varchar(Some(bytes))) => {
                    add(Rule::Bytes(*bytes));
                }
                (
                    TypeKind::SmallInt | TypeKind::Int | TypeKind::BigInt,
                    DorisType::Integer(bits),
                ) if *bits < 64 => add(Rule::Bits(*bits)),
                (TypeKind::Decimal(_, from), DorisType::Decimal(Some((precision, scale)))) => {
                    add(Rule::Digits {
                        from: *from,
                        precision: *precision,
                        scale: *scale,
                    });
                }
                _ => {}
            }
        }
        Self { rules }
    }

    /// Returns the rows that do not fit, ascending.
    pub(crate) fn misfits(&self, columns: &[ArrayRef]) -> Vec<Misfit> {
        let mut found: Vec<Misfit> = Vec::new();
        for (index, name, rule) in &self.rules {
            rule.apply(&columns[*index], |row, reason| {
                found.push(Misfit {
                    row,
                    column: name.clone(),
                    reason,
                });
            });
        }
        // The sort is stable, so the first column of a row stays first.
        found.sort_by_key(|misfit| misfit.row);
        found.dedup_by_key(|misfit| misfit.row);
        found
    }
}

impl Rule {
    fn apply(&self, column: &ArrayRef, mut bad: impl FnMut(usize, String)) {
        match self {
            Self::NotNull => {
                if column.null_count() > 0 {
                    (0..column.len())
                        .filter(|row| column.is_null(*row))
                        .for_each(|row| bad(row, "NULL in a NOT NULL column".into()));
                }
            }
            Self::Bytes(max) => {
                for (row, text) in column.as_string_view().iter().enumerate() {
                    if let Some(text) = text.filter(|text| text.len() > *max) {
                        let length = text.len();
                        bad(row, format!("{length} bytes, the column takes {max}"));
                    }
                }
            }
            Self::Bits(bits) => {
                let max = i64::MAX >> (64 - bits);
                for (row, value) in whole_numbers(column).enumerate() {
                    if let Some(value) = value.filter(|value| *value > max || *value < -max - 1) {
                        bad(row, format!("{value} needs more than {bits} bits"));
                    }
                }
            }
            Self::Digits {
                from,
                precision,
                scale,
            } => {
                let bound = 10_u128.pow(u32::from(*precision));
                for (row, value) in column.as_primitive::<Decimal128Type>().iter().enumerate() {
                    let Some(value) = value else { continue };
                    let digits = rescale(value.unsigned_abs(), *from, *scale);
                    if digits.is_none_or(|digits| digits >= bound) {
                        bad(row, format!("too large for DECIMAL({precision}, {scale})"));
                    }
                }
            }
        }
    }
}

/// Rounds half up from one scale to another, as Doris does; `None` if there are too many digits for anything.
fn rescale(digits: u128, from: u8, to: u8) -> Option<u128> {
    if to >= from {
        return digits.checked_mul(10_u128.pow(u32::from(to - from)));
    }
    let unit = 10_u128.pow(u32::from(from - to));
    Some(digits / unit + u128::from(digits % unit >= unit / 2))
}

fn whole_numbers(column: &ArrayRef) -> Box<dyn Iterator<Item = Option<i64>> + '_> {
    use arrow_schema::DataType;
    match column.data_type() {
        DataType::Int8 => Box::new(
            column
                .as_primitive::<Int8Type>()
                .iter()
                .map(|v| v.map(i64::from)),
        ),
        DataType::Int16 => Box::new(
            column
                .as_primitive::<Int16Type>()
                .iter()
                .map(|v| v.map(i64::from)),
        ),
        DataType::Int32 => Box::new(
            column
                .as_primitive::<Int32Type>()
                .iter()
                .map(|v| v.map(i64::from)),
        ),
        _ => Box::new(column.as_primitive::<Int64Type>().iter()),
    }
}

/// Returns which rows are left when the misfits are gone.
pub(crate) fn mask(misfits: &[Misfit], rows: usize) -> BooleanArray {
    let mut fits = vec![true; rows];
    for misfit in misfits {
        fits[misfit.row] = false;
    }
    fits.into()
}

/// Returns a row of the dead-letter table.
pub(crate) fn letter(pipeline: &str, target: &str, misfit: &Misfit, content: &str) -> String {
    json!({
        "pipeline": pipeline,
        "target": target,
        "column_name": misfit.column,
        "reason": misfit.reason,
        "content": content,
    })
    .to_string()
}

/// Returns a CREATE TABLE for dead letters; Doris itself says when one came.
pub(crate) fn create_dead_letter_table(name: &str) -> String {
    let columns: Vec<String> = DEAD_LETTER_COLUMNS
        .iter()
        .map(|(name, ty)| format!("`{name}` {ty}"))
        .collect();
    format!(
        "CREATE TABLE {name} ({}, `at` DATETIME DEFAULT CURRENT_TIMESTAMP) DUPLICATE KEY (`pipeline`) DISTRIBUTED BY HASH (`pipeline`) BUCKETS AUTO;",
        columns.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Decimal128Array, Int64Array, StringViewArray};

    use super::*;
    use crate::query::Described;
    use crate::table::ColumnFact;

    #[test]
    fn finds_what_doris_would_refuse() {
        let columns = [
            ("id".to_owned(), TypeKind::BigInt.nullable()),
            ("name".to_owned(), FlinkType::string()),
            ("amount".to_owned(), TypeKind::Decimal(18, 4).nullable()),
        ];
        let fact = |name: &str, ty: &str, nullable| {
            ColumnFact::from(Described {
                name: name.into(),
                ty: ty.into(),
                nullable,
                is_key: false,
                has_default: false,
            })
        };
        let facts = TableFacts {
            model: None,
            columns: vec![
                fact("id", "smallint", false),
                fact("name", "varchar(3)", true),
                fact("amount", "decimal(4,2)", true),
            ],
        };
        let amounts = Decimal128Array::from(vec![999_949, 999_950, 0, 0, -1_000_000]);
        let arrays: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(vec![
                Some(32_767),
                Some(1),
                None,
                Some(32_768),
                Some(-32_769),
            ])),
            Arc::new(StringViewArray::from(vec!["abc", "a", "你", "你a", ""])),
            Arc::new(amounts.with_precision_and_scale(18, 4).unwrap()),
        ];
        let found = Checker::new(&columns, &facts).misfits(&arrays);
        let short: Vec<_> = found
            .iter()
            .map(|misfit| (misfit.row, misfit.column.as_str(), misfit.reason.as_str()))
            .collect();
        assert_eq!(
            short,
            [
                (1, "amount", "too large for DECIMAL(4, 2)"),
                (2, "id", "NULL in a NOT NULL column"),
                (3, "id", "32768 needs more than 16 bits"),
                (4, "id", "-32769 needs more than 16 bits"),
            ]
        );
        let left: Vec<_> = mask(&found, 5).iter().flatten().collect();
        assert_eq!(left, [true, false, false, false, false]);
    }

    #[test]
    fn a_letter_is_a_row_of_its_table() {
        let misfit = Misfit {
            row: 0,
            column: "id".into(),
            reason: "r".into(),
        };
        let letter = letter("p", "db.t", &misfit, "{\"id\":1}");
        let row: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(&letter).unwrap();
        let names: Vec<_> = row.keys().map(String::as_str).collect();
        let expected: Vec<_> = DEAD_LETTER_COLUMNS.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, expected);
        assert_eq!(row["content"], "{\"id\":1}");
    }
}
