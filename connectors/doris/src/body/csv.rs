//! Bodies of values as they are between separators. Nothing is escaped, so a value that has a separator in it is refused.

use std::io::Write as _;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType,
};
use arrow_array::{Array, ArrayRef, BooleanArray, Int8Array, PrimitiveArray, StringViewArray};
use millrace_connector::TypeKind;
use millrace_formats::EncodedBatch;
use millrace_json::java_time::date_of_days;

use super::BadRow;
use crate::form::RowForm;

/// What stands for NULL.
const NULL: &[u8] = b"\\N";
const DAY_SECONDS: i64 = 86_400;
const SECOND_MICROS: i64 = 1_000_000;

pub(crate) struct CsvBody {
    form: RowForm,
    separator: Vec<u8>,
    /// No byte of a text may be one of these: the first bytes of both separators.
    forbidden: [u8; 2],
    line: Vec<u8>,
}

/// A column under way, by its type.
enum Values<'a> {
    Boolean(&'a BooleanArray),
    Int8(&'a PrimitiveArray<Int8Type>),
    Int16(&'a PrimitiveArray<Int16Type>),
    Int32(&'a PrimitiveArray<Int32Type>),
    Int64(&'a PrimitiveArray<Int64Type>),
    Float(&'a PrimitiveArray<Float32Type>),
    Double(&'a PrimitiveArray<Float64Type>),
    Date(&'a PrimitiveArray<Date32Type>),
    Time(&'a PrimitiveArray<TimestampMicrosecondType>),
    Text(&'a StringViewArray),
}

impl CsvBody {
    pub(crate) fn new(
        form: &RowForm,
        separator: &[u8],
        line: &[u8],
    ) -> Result<Self, (usize, String)> {
        for (index, (_, ty)) in form.prepared().enumerate() {
            if matches!(
                ty.kind,
                TypeKind::Array(_) | TypeKind::Map(..) | TypeKind::Row(_)
            ) {
                let why = format!(
                    "{ty} cannot stand in a CSV body: use 'sink.properties.format' = 'json'"
                );
                return Err((index, why));
            }
        }
        Ok(Self {
            form: form.clone(),
            separator: separator.to_vec(),
            forbidden: [separator[0], line[0]],
            line: line.to_vec(),
        })
    }

    pub(crate) fn encode(
        &mut self,
        columns: &[ArrayRef],
        signs: Option<&Int8Array>,
        out: &mut EncodedBatch,
    ) -> Result<(), BadRow> {
        let prepared = self.form.prepare(columns);
        let mut values: Vec<Values<'_>> = prepared
            .iter()
            .zip(self.form.prepared())
            .map(|(column, (_, ty))| Values::of(column, &ty.kind))
            .collect();
        values.extend(signs.map(Values::Int8));
        let rows = prepared.first().map_or(0, |column| column.len());
        for row in 0..rows {
            for (index, column) in values.iter().enumerate() {
                if index > 0 {
                    out.bytes.extend_from_slice(&self.separator);
                }
                if let Err(reason) = self.write(column, row, &mut out.bytes) {
                    let name = self.form.declared().get(index).map_or("", |(name, _)| name);
                    let reason = format!("column '{name}': {reason}");
                    return Err(BadRow { row, reason });
                }
            }
            out.ends.push(out.bytes.len());
        }
        Ok(())
    }

    fn write(&self, column: &Values<'_>, row: usize, out: &mut Vec<u8>) -> Result<(), String> {
        if column.is_null(row) {
            out.extend_from_slice(NULL);
            return Ok(());
        }
        match column {
            Values::Boolean(values) => {
                let text: &[u8] = if values.value(row) { b"true" } else { b"false" };
                out.extend_from_slice(text);
            }
            Values::Int8(values) => integer(i64::from(values.value(row)), out),
            Values::Int16(values) => integer(i64::from(values.value(row)), out),
            Values::Int32(values) => integer(i64::from(values.value(row)), out),
            Values::Int64(values) => integer(values.value(row), out),
            Values::Float(values) => {
                out.extend_from_slice(ryu::Buffer::new().format(values.value(row)).as_bytes());
            }
            Values::Double(values) => {
                out.extend_from_slice(ryu::Buffer::new().format(values.value(row)).as_bytes());
            }
            Values::Date(values) => date(i64::from(values.value(row)), out),
            Values::Time(values) => time(values.value(row), out),
            Values::Text(values) => self.text(values.value(row).as_bytes(), out)?,
        }
        Ok(())
    }

    fn text(&self, text: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
        let [a, b] = self.forbidden;
        if memchr::memchr2(a, b, text).is_some() && self.is_broken_by(text) {
            return Err("the value has a separator in it: name others in 'sink.properties.column_separator' and '….line_delimiter', or use 'sink.properties.format' = 'json'".into());
        }
        if text == NULL {
            return Err(
                "the text \\N would become NULL: use 'sink.properties.format' = 'json'".into(),
            );
        }
        out.extend_from_slice(text);
        Ok(())
    }
}

impl CsvBody {
    /// Tells whether a reader would find a separator in `text`, or one that begins at its end: the two have no byte in common, so
    /// only the separator itself can complete it.
    fn is_broken_by(&self, text: &[u8]) -> bool {
        [&self.separator, &self.line].into_iter().any(|separator| {
            let tail = &text[text.len().saturating_sub(separator.len() - 1)..];
            let joined = [tail, separator.as_slice()].concat();
            let begins_early = memchr::memmem::find(&joined, separator) != Some(tail.len());
            begins_early || memchr::memmem::find(text, separator).is_some()
        })
    }
}

impl<'a> Values<'a> {
    fn of(column: &'a ArrayRef, kind: &TypeKind) -> Self {
        match kind {
            TypeKind::Boolean => Self::Boolean(column.as_boolean()),
            TypeKind::TinyInt => Self::Int8(column.as_primitive()),
            TypeKind::SmallInt => Self::Int16(column.as_primitive()),
            TypeKind::Int => Self::Int32(column.as_primitive()),
            TypeKind::BigInt => Self::Int64(column.as_primitive()),
            TypeKind::Float => Self::Float(column.as_primitive()),
            TypeKind::Double => Self::Double(column.as_primitive()),
            TypeKind::Date => Self::Date(column.as_primitive()),
            TypeKind::Timestamp(_) => Self::Time(column.as_primitive()),
            _ => Self::Text(column.as_string_view()),
        }
    }

    fn is_null(&self, row: usize) -> bool {
        match self {
            Self::Boolean(values) => values.is_null(row),
            Self::Int8(values) => values.is_null(row),
            Self::Int16(values) => values.is_null(row),
            Self::Int32(values) => values.is_null(row),
            Self::Int64(values) => values.is_null(row),
            Self::Float(values) => values.is_null(row),
            Self::Double(values) => values.is_null(row),
            Self::Date(values) => values.is_null(row),
            Self::Time(values) => values.is_null(row),
            Self::Text(values) => values.is_null(row),
        }
    }
}

/// Appends a whole number; from its end, since digits come out that way.
fn integer(value: i64, out: &mut Vec<u8>) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    let mut rest = value.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(rest % 10).expect("a digit");
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[at..]);
}

fn two(value: i64, out: &mut Vec<u8>) {
    let digit = |value: i64| b'0' + u8::try_from(value % 10).expect("a digit");
    out.extend_from_slice(&[digit(value / 10), digit(value)]);
}

/// Appends a day since 1970 as `YYYY-MM-DD`.
fn date(days: i64, out: &mut Vec<u8>) {
    let (year, month, day) = date_of_days(days);
    if (0..=9999).contains(&year) {
        two(year / 100, out);
        two(year % 100, out);
    } else {
        write!(out, "{year}").expect("a Vec takes everything");
    }
    out.push(b'-');
    two(month, out);
    out.push(b'-');
    two(day, out);
}

/// Appends microseconds since 1970 as `YYYY-MM-DD HH:MM:SS[.fff[fff]]`.
fn time(micros: i64, out: &mut Vec<u8>) {
    let seconds = micros.div_euclid(SECOND_MICROS);
    let fraction = micros.rem_euclid(SECOND_MICROS);
    date(seconds.div_euclid(DAY_SECONDS), out);
    let of_day = seconds.rem_euclid(DAY_SECONDS);
    out.push(b' ');
    two(of_day / 3600, out);
    out.push(b':');
    two(of_day / 60 % 60, out);
    out.push(b':');
    two(of_day % 60, out);
    if fraction > 0 {
        out.push(b'.');
        let (first, last) = (fraction / 1000, fraction % 1000);
        for part in [Some(first), (last > 0).then_some(last)]
            .into_iter()
            .flatten()
        {
            out.push(b'0' + u8::try_from(part / 100).expect("a digit"));
            two(part % 100, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Decimal128Array, Int64Array, TimestampMicrosecondArray};
    use jiff::tz::TimeZone;
    use millrace_connector::FlinkType;
    use proptest::prelude::*;

    use super::*;

    fn body(columns: &[(&str, FlinkType)], separators: (&[u8], &[u8])) -> CsvBody {
        let columns: Vec<_> = columns
            .iter()
            .map(|(name, ty)| ((*name).to_owned(), ty.clone()))
            .collect();
        let form = RowForm::new(&columns, TimeZone::UTC).unwrap();
        CsvBody::new(&form, separators.0, separators.1).unwrap()
    }

    #[test]
    fn writes_values_as_doris_takes_them() {
        let mut body = body(
            &[
                ("id", TypeKind::BigInt.nullable()),
                ("amount", TypeKind::Decimal(18, 4).nullable()),
                ("at", TypeKind::Timestamp(3).nullable()),
                ("name", FlinkType::string()),
            ],
            (b"\x01", b"\x02\n"),
        );
        let amounts = Decimal128Array::from(vec![Some(-1250), None]);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(vec![Some(i64::MIN), None])),
            Arc::new(amounts.with_precision_and_scale(18, 4).unwrap()),
            Arc::new(TimestampMicrosecondArray::from(vec![
                1_709_296_496_789_000,
                -1,
            ])),
            Arc::new(StringViewArray::from(vec!["tab\t\"你\n", ""])),
        ];
        let mut out = EncodedBatch::default();
        let signs = Int8Array::from(vec![0, 1]);
        body.encode(&columns, Some(&signs), &mut out).unwrap();
        let row = |row| std::str::from_utf8(out.row(row)).unwrap();
        assert_eq!(
            row(0),
            "-9223372036854775808\x01-0.1250\x012024-03-01 12:34:56.789\x01tab\t\"你\n\x010"
        );
        assert_eq!(row(1), "\\N\x01\\N\x011969-12-31 23:59:59.999999\x01\x011");
    }

    #[test]
    fn values_that_would_break_a_row_are_refused() {
        let mut body = body(&[("name", FlinkType::string())], (b"||", b"\n"));
        let mut check = |text: &str| {
            let column: ArrayRef = Arc::new(StringViewArray::from(vec!["good", text]));
            let result = body.encode(&[column], None, &mut EncodedBatch::default());
            result.map_err(|bad| bad.row)
        };
        assert_eq!(check("a|b"), Ok(()));
        assert_eq!(check("a||b"), Err(1));
        assert_eq!(check("a|"), Err(1), "the separator would begin too early");
        assert_eq!(check("a\nb"), Err(1));
        assert_eq!(check("\\N"), Err(1));
        assert_eq!(check("\\n"), Ok(()));
    }

    proptest! {
        #[test]
        fn times_are_written_as_jiff_writes_them(micros in -62_167_219_200_000_000_i64..253_402_300_799_000_000) {
            let mut text = Vec::new();
            time(micros, &mut text);
            let expected = jiff::Timestamp::from_microsecond(micros).unwrap().to_zoned(TimeZone::UTC).datetime();
            let text = String::from_utf8(text).unwrap();
            prop_assert_eq!(text.parse::<jiff::civil::DateTime>().unwrap(), expected, "{}", text);
        }

        #[test]
        fn numbers_are_written_as_rust_writes_them(value: i64) {
            let mut text = Vec::new();
            integer(value, &mut text);
            prop_assert_eq!(String::from_utf8(text).unwrap(), value.to_string());
        }
    }
}
