//! Rows to messages of `csv`.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, Time32MillisecondType, TimestampMicrosecondType,
};
use arrow_array::{Array, ArrayRef};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use millrace_connector::physical::MICROSECOND_PRECISION_MAX;
use millrace_connector::{FlinkType, RowKind, TypeKind};
use millrace_json::java_decimal::Decimal;
use millrace_json::java_time::{TimestampStyle, WallTime, write_date, write_time, write_timestamp};
use millrace_json::{push_double, push_float};

use super::options::CsvOptions;
use crate::registry::{FormatOptions, Schema};
use crate::{EncodeError, EncodedBatch, Encoder, FormatContext, FormatError};
use millrace_json::push_integer;

/// Makes an encoder of `csv`.
pub(crate) fn make_encoder(
    options: &FormatOptions,
    schema: Schema<'_>,
    _ctx: &FormatContext,
) -> Result<Box<dyn Encoder>, FormatError> {
    let options = CsvOptions::new(options, schema)?;
    Ok(Box::new(CsvEncoder {
        types: schema.iter().map(|(_, ty)| ty.clone()).collect(),
        least_safe: least_safe(&options),
        options,
    }))
}

struct CsvEncoder {
    types: Vec<FlinkType>,
    options: CsvOptions,
    /// Characters below this one make Jackson quote a field.
    least_safe: char,
}

/// Longest text whose characters Jackson looks at; longer ones are quoted.
const CHECKED_MAX: usize = 24;

fn least_safe(options: &CsvOptions) -> char {
    let greatest = options.delimiter.max(options.quote.unwrap_or('\0'));
    char::from_u32(u32::from(greatest) + 1).unwrap_or(greatest)
}

impl CsvEncoder {
    /// Appends a field that is checked for quotes.
    fn write_field(&self, text: &[u8], out: &mut Vec<u8>) {
        let text = std::str::from_utf8(text).expect("fields are made of text");
        let Some(quote) = self
            .options
            .quote
            .filter(|quote| self.needs_quotes(text, *quote))
        else {
            out.extend_from_slice(text.as_bytes());
            return;
        };
        let mut utf8 = [0; 4];
        let mut push =
            |c: char, out: &mut Vec<u8>| out.extend_from_slice(c.encode_utf8(&mut utf8).as_bytes());
        push(quote, out);
        for c in text.chars() {
            if c == quote || Some(c) == self.options.escape {
                push(c, out);
            }
            push(c, out);
        }
        push(quote, out);
    }

    fn needs_quotes(&self, text: &str, quote: char) -> bool {
        if text.len() > CHECKED_MAX && text.encode_utf16().count() > CHECKED_MAX {
            return true;
        }
        let escape = self.options.escape.unwrap_or('\\');
        text.chars()
            .any(|c| c < self.least_safe || c == quote || c == escape)
    }

    fn write_value(
        &self,
        ty: &FlinkType,
        array: &dyn Array,
        row: usize,
        made: &mut Vec<u8>,
        out: &mut Vec<u8>,
    ) {
        if array.is_null(row) {
            self.push_null(out);
            return;
        }
        let is_checked = !matches!(
            ty.kind,
            TypeKind::Boolean
                | TypeKind::TinyInt
                | TypeKind::SmallInt
                | TypeKind::Int
                | TypeKind::BigInt
                | TypeKind::Float
                | TypeKind::Double
        );
        if !is_checked {
            self.push_scalar(ty, array, row, out);
            return;
        }
        made.clear();
        match &ty.kind {
            TypeKind::Array(element) => {
                let elements = array.as_list::<i32>().value(row);
                for i in 0..elements.len() {
                    self.push_element(element, &*elements, i, i, made);
                }
            }
            TypeKind::Row(fields) => {
                for (i, (field, column)) in
                    fields.iter().zip(array.as_struct().columns()).enumerate()
                {
                    self.push_element(&field.ty, &**column, row, i, made);
                }
            }
            _ => self.push_scalar(ty, array, row, made),
        }
        self.write_field(made, out);
    }

    fn push_element(
        &self,
        ty: &FlinkType,
        array: &dyn Array,
        row: usize,
        place: usize,
        out: &mut Vec<u8>,
    ) {
        if place > 0 {
            out.extend_from_slice(self.options.array_delimiter.as_bytes());
        }
        if array.is_null(row) {
            self.push_null(out);
        } else {
            self.push_scalar(ty, array, row, out);
        }
    }

    fn push_null(&self, out: &mut Vec<u8>) {
        if let Some(null) = &self.options.null_literal {
            out.extend_from_slice(null.as_bytes());
        }
    }

    fn push_scalar(&self, ty: &FlinkType, array: &dyn Array, row: usize, out: &mut Vec<u8>) {
        match &ty.kind {
            TypeKind::Boolean => {
                let value = array.as_boolean().value(row);
                out.extend_from_slice(if value { b"true" } else { b"false" });
            }
            TypeKind::TinyInt => {
                push_integer(array.as_primitive::<Int8Type>().value(row).into(), out)
            }
            TypeKind::SmallInt => {
                push_integer(array.as_primitive::<Int16Type>().value(row).into(), out)
            }
            TypeKind::Int | TypeKind::IntervalYearMonth(..) => {
                push_integer(array.as_primitive::<Int32Type>().value(row).into(), out);
            }
            TypeKind::BigInt | TypeKind::IntervalDayTime(..) => {
                push_integer(array.as_primitive::<Int64Type>().value(row), out);
            }
            TypeKind::Float => push_float(array.as_primitive::<Float32Type>().value(row), out),
            TypeKind::Double => push_double(array.as_primitive::<Float64Type>().value(row), out),
            TypeKind::Decimal(_, scale) => {
                let unscaled = array.as_primitive::<Decimal128Type>().value(row);
                let decimal = Decimal {
                    unscaled,
                    scale: i64::from(*scale),
                }
                .stripped();
                if self.options.is_scientific {
                    decimal.write(out);
                } else {
                    decimal.write_plain(out);
                }
            }
            TypeKind::Date => write_date(array.as_primitive::<Date32Type>().value(row).into(), out),
            TypeKind::Time(_) => {
                let ms = i64::from(array.as_primitive::<Time32MillisecondType>().value(row));
                write_time(ms / 1000, ms % 1000 * 1_000_000, out);
            }
            TypeKind::Timestamp(precision) | TypeKind::TimestampLtz(precision) => {
                let time = if *precision <= MICROSECOND_PRECISION_MAX {
                    WallTime::of_micros(array.as_primitive::<TimestampMicrosecondType>().value(row))
                } else {
                    WallTime::of_nanos(array.as_primitive::<Decimal128Type>().value(row))
                };
                let has_zone = matches!(ty.kind, TypeKind::TimestampLtz(_));
                write_timestamp(
                    time,
                    TimestampStyle {
                        is_iso: false,
                        has_zone,
                    },
                    out,
                );
            }
            TypeKind::Binary(_) | TypeKind::Varbinary(_) => {
                out.extend_from_slice(BASE64.encode(array.as_binary_view().value(row)).as_bytes());
            }
            _ => out.extend_from_slice(array.as_string_view().value(row).as_bytes()),
        }
    }
}

impl Encoder for CsvEncoder {
    fn encode(
        &mut self,
        columns: &[ArrayRef],
        _kinds: Option<&[RowKind]>,
        out: &mut EncodedBatch,
    ) -> Result<(), EncodeError> {
        let rows = columns.first().map_or(0, |column| column.len());
        let mut made = Vec::new();
        let mut utf8 = [0; 4];
        let delimiter = self.options.delimiter.encode_utf8(&mut utf8).as_bytes();
        for row in 0..rows {
            for (i, (ty, column)) in self.types.iter().zip(columns).enumerate() {
                if i > 0 {
                    out.bytes.extend_from_slice(delimiter);
                }
                self.write_value(ty, &**column, row, &mut made, &mut out.bytes);
            }
            out.end_row();
        }
        Ok(())
    }
}
