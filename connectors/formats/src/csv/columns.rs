//! Columns built from fields. Most conversions are those of JSON texts.

use std::sync::Arc;

use arrow_array::types::{Date32Type, Time32MillisecondType};
use arrow_array::{ArrayRef, ListArray, StructArray};
use arrow_buffer::{Buffer, NullBufferBuilder, OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, FieldRef, Fields};
use millrace_connector::physical::arrow_type;
use millrace_connector::{FlinkType, TypeKind};
use millrace_json::java_time::{days_of_date, parse_iso_time};
use millrace_json::{Kind, Span};

use super::options::CsvOptions;
use crate::BadMessages;
use crate::java_number::{parse_integer, trim};
use crate::json::{ColumnBuilder, ReadOptions, Source, TimestampFormat, column_builder, primitive};

/// Returns a builder for columns of `ty`, which the options have accepted.
pub(super) fn csv_column(
    ty: &FlinkType,
    options: &CsvOptions,
) -> Result<Box<dyn ColumnBuilder>, String> {
    let read = ReadOptions {
        fail_on_missing_field: false,
        ignore_parse_errors: options.ignore_parse_errors,
        timestamp_format: TimestampFormat::Sql,
        bad_messages: BadMessages::Fail,
        has_exact_numbers: false,
    };
    Ok(match &ty.kind {
        TypeKind::Date => primitive::<Date32Type>(ty, |cell| sql_date(cell.raw())),
        TypeKind::Time(precision) => {
            let unit = 10_i64.pow(3 - u32::from((*precision).min(3)));
            primitive::<Time32MillisecondType>(ty, move |cell| {
                let (second, nano) = parse_iso_time(cell.raw())?;
                let ms = second * 1000 + nano / 1_000_000;
                Ok(i32::try_from(ms - ms % unit).ok())
            })
        }
        TypeKind::Array(element) => Box::new(CsvArray {
            element: csv_column(element, options)?,
            field: match arrow_type(&ty.kind) {
                DataType::List(field) => field,
                other => unreachable!("an ARRAY is a list, not {other}"),
            },
            offsets: vec![0],
            length: 0,
            nulls: NullBufferBuilder::new(0),
            options: options.clone(),
        }),
        TypeKind::Row(fields) => Box::new(CsvRow {
            columns: fields
                .iter()
                .map(|field| csv_column(&field.ty, options))
                .collect::<Result<_, _>>()?,
            fields: match arrow_type(&ty.kind) {
                DataType::Struct(fields) => fields,
                other => unreachable!("a ROW is a struct, not {other}"),
            },
            length: 0,
            nulls: NullBufferBuilder::new(0),
            options: options.clone(),
        }),
        _ => column_builder(ty, &read)?,
    })
}

/// `java.sql.Date.valueOf`: month and day of one or two digits; 30 February is 1 or 2 March.
fn sql_date(text: &[u8]) -> Result<Option<i32>, String> {
    // Java's exception has no message.
    let no_date = || "not a date of the form yyyy-[m]m-[d]d".to_owned();
    let mut parts = text.splitn(3, |b| *b == b'-');
    let mut part = |lengths: std::ops::RangeInclusive<usize>| {
        let part = parts
            .next()
            .filter(|part| lengths.contains(&part.len()))
            .ok_or_else(no_date)?;
        parse_integer(part, 0, 9999, false)
    };
    let (year, month, day) = (part(4..=4)?, part(1..=2)?, part(1..=2)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return Err(no_date());
    }
    let days = days_of_date(year, month, 1) + day - 1;
    Ok(i32::try_from(days).ok())
}

/// Returns the elements of a field, and whether each is NULL.
fn elements<'a>(
    span: Span,
    source: &'a Source<'_>,
    options: &'a CsvOptions,
) -> impl Iterator<Item = (Span, bool)> + 'a {
    let text = span.of(source.bytes);
    let delimiter = options.array_delimiter.as_bytes();
    let mut next = if trim(text).is_empty() { None } else { Some(0) };
    std::iter::from_fn(move || {
        let start = next?;
        let rest = &text[start..];
        let length = if delimiter.is_empty() {
            None
        } else {
            rest.windows(delimiter.len())
                .position(|window| window == delimiter)
        };
        next = length.map(|length| start + length + delimiter.len());
        let end = start + length.unwrap_or(rest.len());
        let element = Span {
            start: span.start + start as u32,
            end: span.start + end as u32,
            kind: Kind::String,
            facts: 0,
        };
        let is_null = options
            .null_literal
            .as_ref()
            .is_some_and(|null| null.as_bytes() == &text[start..end]);
        Some((element, is_null))
    })
}

/// Appends an element as the nullable converters do.
fn append(
    column: &mut dyn ColumnBuilder,
    element: Option<(Span, bool)>,
    source: &Source<'_>,
    options: &CsvOptions,
) -> Result<(), String> {
    match element {
        Some((span, false)) => match column.append(span, source) {
            Err(_) if options.ignore_parse_errors => Ok(()),
            result => result,
        },
        _ => {
            column.append_null();
            Ok(())
        }
    }
}

/// ARRAY: `1;2`.
struct CsvArray {
    element: Box<dyn ColumnBuilder>,
    field: FieldRef,
    offsets: Vec<i32>,
    length: i32,
    nulls: NullBufferBuilder,
    options: CsvOptions,
}

impl ColumnBuilder for CsvArray {
    fn append(&mut self, span: Span, source: &Source<'_>) -> Result<(), String> {
        let mut fault = None;
        for element in elements(span, source, &self.options) {
            self.length += 1;
            if let Err(reason) = append(&mut *self.element, Some(element), source, &self.options) {
                fault = Some(reason);
                break;
            }
        }
        self.offsets.push(self.length);
        self.nulls.append(fault.is_none());
        fault.map_or(Ok(()), Err)
    }

    fn append_null(&mut self) {
        self.offsets.push(self.length);
        self.nulls.append_null();
    }

    fn finish(&mut self, messages: &Buffer) -> ArrayRef {
        let offsets = std::mem::replace(&mut self.offsets, vec![0]);
        self.length = 0;
        Arc::new(ListArray::new(
            Arc::clone(&self.field),
            OffsetBuffer::new(ScalarBuffer::from(offsets)),
            self.element.finish(messages),
            self.nulls.finish(),
        ))
    }
}

/// ROW: `1;a`. An empty field is NULL.
struct CsvRow {
    columns: Vec<Box<dyn ColumnBuilder>>,
    fields: Fields,
    length: usize,
    nulls: NullBufferBuilder,
    options: CsvOptions,
}

impl CsvRow {
    fn append_elements(&mut self, span: Span, source: &Source<'_>) -> Result<bool, String> {
        let elements: Vec<(Span, bool)> = elements(span, source, &self.options).collect();
        let is_present = !elements.is_empty();
        let arity = self.columns.len();
        let mut fault = None;
        if is_present && elements.len() != arity && !self.options.ignore_parse_errors {
            fault = Some(length_mismatch(arity, elements.len()));
        }
        let mut elements = elements.into_iter();
        for column in &mut self.columns {
            let element = elements.next().filter(|_| fault.is_none());
            if let Err(reason) = append(&mut **column, element, source, &self.options) {
                fault = Some(reason);
            }
        }
        fault.map_or(Ok(is_present), Err)
    }
}

/// Returns Flink's complaint about a record of another length.
pub(super) fn length_mismatch(expected: usize, given: usize) -> String {
    format!("Row length mismatch. {expected} fields expected but was {given}.")
}

impl ColumnBuilder for CsvRow {
    fn append(&mut self, span: Span, source: &Source<'_>) -> Result<(), String> {
        let result = self.append_elements(span, source);
        self.length += 1;
        self.nulls.append(matches!(result, Ok(true)));
        result.map(drop)
    }

    fn append_null(&mut self) {
        for column in &mut self.columns {
            column.append_null();
        }
        self.length += 1;
        self.nulls.append_null();
    }

    fn finish(&mut self, messages: &Buffer) -> ArrayRef {
        let columns: Vec<ArrayRef> = self
            .columns
            .iter_mut()
            .map(|column| column.finish(messages))
            .collect();
        let length = std::mem::take(&mut self.length);
        let nulls = self.nulls.finish();
        if columns.is_empty() {
            return Arc::new(StructArray::new_empty_fields(length, nulls));
        }
        Arc::new(StructArray::new(self.fields.clone(), columns, nulls))
    }
}
