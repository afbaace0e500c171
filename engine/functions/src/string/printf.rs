//! PRINTF of Flink 2.0.
//!
//! # Flink
//! `String.format` of Java over the runtime's own values: a DATE is its day number, a TIME its milliseconds, a DECIMAL
//! only a text (`%f` does not take it), a TIMESTAMP stands with a `T`. What Java refuses gives NULL: an unknown
//! conversion, an argument of a wrong type, one that is missing.

mod format;
mod number;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    Time32MillisecondType,
};
use jiff::tz::TimeZone;
use millrace_connector::{FlinkType, TypeKind};

use super::kernel::{BatchKernel, Texts};
use super::signature::{count_error, types_error};
use super::text_builder::TextBuilder;
use crate::cast::print::Printer;
use crate::{Arg, Bound, CallError, Category, Column, FunctionDef, Volatility};
use format::Format;

/// `PRINTF`.
pub(crate) static PRINTF: FunctionDef = FunctionDef {
    name: "PRINTF",
    aliases: &[],
    category: Category::String,
    signatures: &["PRINTF(format STRING, value ANY, …) → STRING"],
    doc: "Returns the format with the values put in, by the rules of Java's `String.format`.\n\
          A format that Java refuses, a value that does not fit its place and a NULL format give NULL; \
          a NULL value is written as `null`.\nConversions of dates (`%t`) give NULL.\nFlink has it from 2.0 on.",
    examples: &[("PRINTF('%d %s', 100, 'days')", "100 days")],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind(args),
};

/// A value as Java's formatter meets it.
#[derive(Clone, Debug, PartialEq)]
enum Value {
    Null,
    Boolean(bool),
    /// An integer and how many bits it has.
    Integer(i64, u32),
    Float(f32),
    Double(f64),
    Text(String),
}

fn bind(args: &[Arg]) -> Result<Bound, CallError> {
    let Some((format, values)) = args.split_first() else {
        return Err(count_error("PRINTF", 0, 1, None));
    };
    let is_value =
        |kind: &TypeKind| !kind.is_constructed() && !kind.is_binary() && *kind != TypeKind::Null;
    if !format.ty.kind.is_character() || !values.iter().all(|arg| is_value(&arg.ty.kind)) {
        return Err(types_error("PRINTF", args));
    }
    let types: Vec<FlinkType> = values.iter().map(|arg| arg.ty.clone()).collect();
    Ok(Bound {
        arg_types: args.iter().map(|arg| arg.ty.clone()).collect(),
        return_type: FlinkType::string(),
        kernel: BatchKernel::infallible("PRINTF", move |args: &[Column], rows| {
            let formats = Texts::new(&args[0]);
            let mut known: Option<(String, Option<Format>)> = None;
            let mut out = TextBuilder::new(rows);
            for row in 0..rows {
                let Some(text) = formats.get(row) else {
                    out.push_null();
                    continue;
                };
                if known.as_ref().is_none_or(|(known, _)| known != text) {
                    known = Some((text.to_owned(), Format::parse(text)));
                }
                let values: Vec<Value> = types
                    .iter()
                    .zip(&args[1..])
                    .map(|(ty, column)| value(ty, column, row))
                    .collect();
                let format = known.as_ref().and_then(|(_, format)| format.as_ref());
                out.push_option(format.and_then(|format| format.apply(&values)).as_deref());
            }
            out.finish()
        }),
    })
}

fn value(ty: &FlinkType, column: &Column, row: usize) -> Value {
    if column.is_null(row) {
        return Value::Null;
    }
    let (array, row) = (column.array(), column.index(row));
    match &ty.kind {
        TypeKind::Boolean => Value::Boolean(array.as_boolean().value(row)),
        TypeKind::TinyInt => Value::Integer(array.as_primitive::<Int8Type>().value(row).into(), 8),
        TypeKind::SmallInt => {
            Value::Integer(array.as_primitive::<Int16Type>().value(row).into(), 16)
        }
        TypeKind::Int | TypeKind::IntervalYearMonth(..) => {
            Value::Integer(array.as_primitive::<Int32Type>().value(row).into(), 32)
        }
        TypeKind::BigInt | TypeKind::IntervalDayTime(..) => {
            Value::Integer(array.as_primitive::<Int64Type>().value(row), 64)
        }
        TypeKind::Date => Value::Integer(array.as_primitive::<Date32Type>().value(row).into(), 32),
        TypeKind::Time(_) => {
            let millis = array.as_primitive::<Time32MillisecondType>().value(row);
            Value::Integer(millis.into(), 32)
        }
        TypeKind::Float => Value::Float(array.as_primitive::<Float32Type>().value(row)),
        TypeKind::Double => Value::Double(array.as_primitive::<Float64Type>().value(row)),
        TypeKind::Timestamp(_) | TypeKind::TimestampLtz(_) => {
            let mut text = String::new();
            Printer::new(&TypeKind::Timestamp(9).nullable(), &TimeZone::UTC)
                .print(array, row, &mut text);
            Value::Text(iso(&text))
        }
        _ => {
            let mut text = String::new();
            Printer::new(ty, &TimeZone::UTC).print(array, row, &mut text);
            Value::Text(text)
        }
    }
}

/// Returns `yyyy-MM-dd HH:mm:ss.nnnnnnnnn` as `LocalDateTime.toString` writes it: a `T`, no second where it is 0, and
/// groups of three digits of its fraction.
fn iso(text: &str) -> String {
    let text = text.replacen(' ', "T", 1);
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let kept = fraction.trim_end_matches('0').len().div_ceil(3) * 3;
    match kept {
        0 => whole.strip_suffix(":00").unwrap_or(whole).to_owned(),
        _ => format!("{whole}.{}", &fraction[..kept]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(format: &str, values: &[Value]) -> Option<String> {
        Format::parse(format)?.apply(values)
    }

    #[test]
    fn writes_as_java_does() {
        let int = |value| Value::Integer(value, 32);
        let text = |value: &str| Value::Text(value.to_owned());
        for (format, values, expected) in [
            ("%d %s", vec![int(100), text("days")], "100 days"),
            (
                "%,d|%05d|%x",
                vec![int(1_234_567), int(42), int(255)],
                "1,234,567|00042|ff",
            ),
            ("%+d % d %(d", vec![int(5), int(5), int(-5)], "+5  5 (5)"),
            ("%2$s %1$s %<s", vec![text("a"), text("b")], "b a a"),
            (
                "%-5s|%5s|%.2s",
                vec![text("ab"), text("ab"), text("abcdef")],
                "ab   |   ab|ab",
            ),
            ("%08.3f", vec![Value::Double(3.25159)], "0003.252"),
            (
                "%e %g",
                vec![Value::Double(12345.678), Value::Double(0.00012345)],
                "1.234568e+04 0.000123450",
            ),
            (
                "%.0f %.1f",
                vec![Value::Double(2.5), Value::Double(0.25)],
                "3 0.3",
            ),
            (
                "%S %X %#x %o",
                vec![text("abc"), int(255), int(255), int(8)],
                "ABC FF 0xff 10",
            ),
            (
                "%h %b %b %s",
                vec![text("hello"), Value::Null, text("x"), Value::Null],
                "c3e28528 false true null",
            ),
            ("%c%%%n", vec![int(65)], "A%\n"),
            ("%x %x", vec![int(-1), Value::Integer(-1, 8)], "ffffffff ff"),
        ] {
            assert_eq!(
                printed(format, &values).as_deref(),
                Some(expected),
                "{format}"
            );
        }
    }

    #[test]
    fn what_java_refuses_is_null() {
        let text = |value: &str| Value::Text(value.to_owned());
        for (format, values) in [
            ("%d", vec![text("a")]),
            ("%s %s", vec![text("a")]),
            ("%q", vec![text("a")]),
            ("%", vec![text("a")]),
            ("%-d", vec![Value::Integer(1, 32)]),
            ("%.2d", vec![Value::Integer(1, 32)]),
            ("%c", vec![text("x")]),
            ("%tY", vec![Value::Integer(1, 32)]),
            ("%f", vec![text("1.5")]),
            ("%99999999999d", vec![Value::Integer(1, 32)]),
        ] {
            assert_eq!(printed(format, &values), None, "{format}");
        }
    }

    #[test]
    fn timestamps_are_as_short_as_java_writes_them() {
        assert_eq!(
            iso("2020-01-02 03:04:05.678000000"),
            "2020-01-02T03:04:05.678"
        );
        assert_eq!(iso("2020-01-02 03:04:05.000000000"), "2020-01-02T03:04:05");
        assert_eq!(iso("2020-01-02 03:04:00.000000000"), "2020-01-02T03:04");
        assert_eq!(
            iso("2020-01-02 03:04:00.100200000"),
            "2020-01-02T03:04:00.100200"
        );
    }
}
