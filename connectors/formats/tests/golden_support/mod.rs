//! Types and values as the golden tables write them.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, Time32MillisecondType, TimestampMicrosecondType,
};
use arrow_array::{Array, ArrayRef};
use millrace_connector::{FlinkType, LENGTH_MAX, RowField, TypeKind};
use serde_json::{Value, json};

/// Reads a type as `DECIMAL(10, 2)`, `ROW<x INT, y STRING>`, `INT NOT NULL`.
pub(crate) fn parse_type(text: &str) -> FlinkType {
    let text = text.trim();
    if let Some(rest) = text.strip_suffix(" NOT NULL") {
        return parse_type(rest).with_nullable(false);
    }
    let (name, arguments) = match text.find(['(', '<']) {
        Some(at) => (&text[..at], &text[at + 1..text.len() - 1]),
        None => (text, ""),
    };
    let number = |i: usize| -> u32 {
        let text = arguments.split(',').nth(i).expect("a number");
        text.trim().parse().expect("a number")
    };
    let parts = || split(arguments);
    match name {
        "STRING" => return FlinkType::string(),
        "BYTES" => return FlinkType::bytes(),
        _ => {}
    }
    let kind = match name {
        "CHAR" => TypeKind::Char(number(0)),
        "VARCHAR" => TypeKind::Varchar(number(0).min(LENGTH_MAX)),
        "BOOLEAN" => TypeKind::Boolean,
        "DECIMAL" => TypeKind::Decimal(number(0) as u8, number(1) as u8),
        "TINYINT" => TypeKind::TinyInt,
        "SMALLINT" => TypeKind::SmallInt,
        "INT" => TypeKind::Int,
        "BIGINT" => TypeKind::BigInt,
        "FLOAT" => TypeKind::Float,
        "DOUBLE" => TypeKind::Double,
        "DATE" => TypeKind::Date,
        "TIME" => TypeKind::Time(number(0) as u8),
        "TIMESTAMP" => TypeKind::Timestamp(number(0) as u8),
        "TIMESTAMP_LTZ" => TypeKind::TimestampLtz(number(0) as u8),
        "ARRAY" => TypeKind::Array(Box::new(parse_type(arguments))),
        "MULTISET" => TypeKind::Multiset(Box::new(parse_type(arguments))),
        "MAP" => {
            let parts = parts();
            TypeKind::Map(
                Box::new(parse_type(parts[0])),
                Box::new(parse_type(parts[1])),
            )
        }
        "ROW" => TypeKind::Row(
            parts()
                .into_iter()
                .map(|part| {
                    let (name, ty) = part.trim().split_once(' ').expect("a name and a type");
                    RowField {
                        name: name.trim_matches('`').to_owned(),
                        ty: parse_type(ty),
                    }
                })
                .collect(),
        ),
        other => panic!("no type '{other}'"),
    };
    kind.nullable()
}

/// Splits at commas outside brackets.
fn split(text: &str) -> Vec<&str> {
    let mut depth = 0;
    let mut start = 0;
    let mut parts = Vec::new();
    for (i, c) in text.char_indices() {
        match c {
            '<' | '(' => depth += 1,
            '>' | ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&text[start..i]);
                start = i + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

/// Returns the value at `row` as the tables show it.
pub(crate) fn shown(ty: &FlinkType, array: &ArrayRef, row: usize) -> Value {
    if array.is_null(row) {
        return Value::Null;
    }
    match &ty.kind {
        TypeKind::Char(_) | TypeKind::Varchar(_) => json!(array.as_string_view().value(row)),
        TypeKind::Binary(_) | TypeKind::Varbinary(_) => {
            let hex: String = array
                .as_binary_view()
                .value(row)
                .iter()
                .map(|b| format!("{b:02x}"))
                .collect();
            json!(hex)
        }
        TypeKind::Boolean => json!(array.as_boolean().value(row).to_string()),
        TypeKind::TinyInt => json!(array.as_primitive::<Int8Type>().value(row).to_string()),
        TypeKind::SmallInt => json!(array.as_primitive::<Int16Type>().value(row).to_string()),
        TypeKind::Int => json!(array.as_primitive::<Int32Type>().value(row).to_string()),
        TypeKind::BigInt => json!(array.as_primitive::<Int64Type>().value(row).to_string()),
        TypeKind::Float => json!(millrace_json::float_to_string(
            array.as_primitive::<Float32Type>().value(row)
        )),
        TypeKind::Double => json!(millrace_json::double_to_string(
            array.as_primitive::<Float64Type>().value(row)
        )),
        TypeKind::Decimal(_, scale) => {
            json!(decimal(
                array.as_primitive::<Decimal128Type>().value(row),
                usize::from(*scale)
            ))
        }
        TypeKind::Date => json!(date(array.as_primitive::<Date32Type>().value(row).into())),
        TypeKind::Time(_) => {
            let ms = i64::from(array.as_primitive::<Time32MillisecondType>().value(row));
            let mut text = time(ms / 1000);
            if ms % 1000 != 0 {
                text += format!(".{:03}", ms % 1000).trim_end_matches('0');
            }
            json!(text)
        }
        TypeKind::Timestamp(precision) => json!(timestamp(array, row, *precision)),
        TypeKind::TimestampLtz(precision) => json!(timestamp(array, row, *precision) + "Z"),
        TypeKind::Array(element) => {
            let elements = array.as_list::<i32>().value(row);
            Value::Array(
                (0..elements.len())
                    .map(|i| shown(element, &elements, i))
                    .collect(),
            )
        }
        TypeKind::Map(key, value) => map(key, value, array, row),
        TypeKind::Multiset(element) => map(element, &TypeKind::Int.nullable(), array, row),
        TypeKind::Row(fields) => {
            let values: Vec<Value> = fields
                .iter()
                .zip(array.as_struct().columns())
                .map(|(field, column)| shown(&field.ty, column, row))
                .collect();
            json!({ "row": values })
        }
        other => panic!("no values of {other}"),
    }
}

fn map(key: &FlinkType, value: &FlinkType, array: &ArrayRef, row: usize) -> Value {
    let entries = array.as_map().value(row);
    let mut pairs: Vec<(String, Value)> = (0..entries.len())
        .map(|i| {
            let key = shown(key, entries.column(0), i);
            let pair = json!([key, shown(value, entries.column(1), i)]);
            (key.to_string(), pair)
        })
        .collect();
    pairs.sort_by(|a, b| a.0.cmp(&b.0));
    json!({ "map": pairs.into_iter().map(|(_, pair)| pair).collect::<Vec<_>>() })
}

fn decimal(unscaled: i128, scale: usize) -> String {
    let digits = format!("{:0width$}", unscaled.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let sign = if unscaled < 0 { "-" } else { "" };
    if scale == 0 {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{fraction}")
    }
}

fn date(days: i64) -> String {
    let date = jiff::civil::date(1970, 1, 1)
        .checked_add(jiff::Span::new().days(days))
        .expect("a date up to 9999");
    date.to_string()
}

fn time(second: i64) -> String {
    format!(
        "{:02}:{:02}:{:02}",
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

fn timestamp(array: &ArrayRef, row: usize, precision: u8) -> String {
    let nanos = if precision <= 6 {
        i128::from(array.as_primitive::<TimestampMicrosecondType>().value(row)) * 1000
    } else {
        array.as_primitive::<Decimal128Type>().value(row)
    };
    let seconds = nanos.div_euclid(1_000_000_000) as i64;
    let text = format!(
        "{} {}",
        date(seconds.div_euclid(86_400)),
        time(seconds.rem_euclid(86_400))
    );
    if precision == 0 {
        return text;
    }
    let fraction = format!("{:09}", nanos.rem_euclid(1_000_000_000));
    format!("{text}.{}", &fraction[..usize::from(precision)])
}
