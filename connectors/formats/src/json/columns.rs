//! Columns built from values of documents.

use std::marker::PhantomData;
use std::sync::Arc;

use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, Time32MillisecondType, TimestampMicrosecondType,
};
use arrow_array::{ArrayRef, BooleanArray, PrimitiveArray};
use arrow_buffer::{BooleanBufferBuilder, Buffer, NullBufferBuilder, ScalarBuffer};
use arrow_schema::DataType;
use millrace_connector::physical::{MICROSECOND_PRECISION_MAX, arrow_type};
use millrace_connector::{FlinkType, TypeKind};
use millrace_json::{Kind, Span, Tape, unescape, write_canonical, write_canonical_exact};

use super::cells::Cell;
use super::convert::{
    Converted, decode_base64, to_bigint, to_boolean, to_date, to_decimal, to_double, to_float,
    to_int, to_smallint, to_time, to_timestamp, to_tinyint,
};
use super::nested::{ArrayColumn, MapColumn, RowColumn};
use super::options::TimestampFormat;
use crate::registry::Schema;
use crate::strings::{BytesColumn, TextColumn};
use crate::{BadMessages, FormatError};

/// What reading depends on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReadOptions {
    pub(crate) fail_on_missing_field: bool,
    pub(crate) ignore_parse_errors: bool,
    pub(crate) timestamp_format: TimestampFormat,
    pub(crate) bad_messages: BadMessages,
    /// Numbers with a point are decimals, not doubles ([`has_exact_numbers`]).
    pub(crate) has_exact_numbers: bool,
}

/// Tells whether Flink reads the numbers of a table's messages as decimals: one of its columns holds a DECIMAL.
pub(crate) fn has_exact_numbers(schema: Schema<'_>) -> bool {
    fn holds_decimal(ty: &FlinkType) -> bool {
        match &ty.kind {
            TypeKind::Decimal(..) => true,
            TypeKind::Array(inner) | TypeKind::Multiset(inner) => holds_decimal(inner),
            TypeKind::Map(key, value) => holds_decimal(key) || holds_decimal(value),
            TypeKind::Row(fields) => fields.iter().any(|field| holds_decimal(&field.ty)),
            _ => false,
        }
    }
    schema.iter().any(|(_, ty)| holds_decimal(ty))
}

/// Where the values of a batch lie.
pub(crate) struct Source<'a> {
    /// The messages.
    pub(crate) bytes: &'a [u8],
    /// The same bytes as text.
    text: &'a str,
    /// The same bytes as what columns may point into.
    pub(crate) buffer: &'a Buffer,
    /// Numbers with a point are decimals, not doubles.
    has_exact_numbers: bool,
}

impl<'a> Source<'a> {
    /// Returns the messages in `buffer`, if all of it is text.
    pub(crate) fn new(buffer: &'a Buffer) -> Option<Self> {
        let bytes = buffer.as_slice();
        let text = simdutf8::basic::from_utf8(bytes).ok()?;
        Some(Self {
            bytes,
            text,
            buffer,
            has_exact_numbers: false,
        })
    }

    /// Reads numbers with a point as decimals if `exact`.
    pub(crate) fn with_exact_numbers(mut self, exact: bool) -> Self {
        self.has_exact_numbers = exact;
        self
    }

    /// Returns the value at `span`.
    #[inline]
    pub(crate) fn cell(&self, span: Span) -> Cell<'a> {
        Cell {
            span,
            bytes: self.bytes,
            has_exact_numbers: self.has_exact_numbers,
        }
    }

    /// Appends a container as Jackson's `toString` does.
    fn write_container(&self, tape: &Tape, bytes: &[u8], node: usize, out: &mut Vec<u8>) {
        if self.has_exact_numbers {
            write_canonical_exact(tape, bytes, node, out);
        } else {
            write_canonical(tape, bytes, node, out);
        }
    }

    /// Returns the text at `span`; `None` where a message begins or ends inside of a character.
    #[inline]
    fn text(&self, span: Span) -> Option<&'a str> {
        self.text.get(span.start as usize..span.end as usize)
    }
}

/// Builds a column value by value. Every append adds exactly one value, a NULL where it fails.
pub(crate) trait ColumnBuilder: Send {
    /// Appends a value that is not null and not missing.
    fn append(&mut self, span: Span, source: &Source<'_>) -> Result<(), String>;

    /// Appends a value that has been put on a tape, with what is inside it.
    fn append_node(&mut self, tape: &Tape, node: usize, source: &Source<'_>) -> Result<(), String> {
        self.append(tape.span(node), source)
    }

    /// Appends NULL.
    fn append_null(&mut self);

    /// Appends a value for each span; `on_fault` hears of the rows that fail and tells whether to go on.
    fn append_all(
        &mut self,
        spans: &[Span],
        source: &Source<'_>,
        on_fault: &mut dyn FnMut(usize, String) -> bool,
    ) {
        for (row, span) in spans.iter().enumerate() {
            match span.kind {
                Kind::Missing | Kind::Null => self.append_null(),
                _ => {
                    if let Err(reason) = self.append(*span, source)
                        && !on_fault(row, reason)
                    {
                        return;
                    }
                }
            }
        }
    }

    /// Returns the column and starts anew.
    fn finish(&mut self, messages: &Buffer) -> ArrayRef;
}

/// Appends a node to a column as Flink's nullable converters do: null stays null, and faults become null where
/// parse errors are ignored.
pub(crate) fn append_nullable(
    column: &mut dyn ColumnBuilder,
    tape: &Tape,
    node: usize,
    source: &Source<'_>,
    ignore_parse_errors: bool,
) -> Result<(), String> {
    if tape.kind(node) == Kind::Null {
        column.append_null();
        return Ok(());
    }
    match column.append_node(tape, node, source) {
        Err(_) if ignore_parse_errors => Ok(()),
        result => result,
    }
}

/// Returns a builder for columns of `ty`.
///
/// # Errors
/// Flink's `json` has no such columns, in its words.
pub(crate) fn column_builder(
    ty: &FlinkType,
    options: &ReadOptions,
) -> Result<Box<dyn ColumnBuilder>, String> {
    let format = options.timestamp_format;
    Ok(match &ty.kind {
        TypeKind::Char(_) | TypeKind::Varchar(_) => Box::new(Texts::new()),
        TypeKind::Binary(_) | TypeKind::Varbinary(_) => Box::new(Bytes(BytesColumn::new())),
        TypeKind::Boolean => Box::new(Booleans::new()),
        TypeKind::TinyInt => primitive::<Int8Type>(ty, to_tinyint),
        TypeKind::SmallInt => primitive::<Int16Type>(ty, to_smallint),
        TypeKind::Int | TypeKind::IntervalYearMonth(..) => primitive::<Int32Type>(ty, to_int),
        TypeKind::BigInt | TypeKind::IntervalDayTime(..) => primitive::<Int64Type>(ty, to_bigint),
        TypeKind::Float => primitive::<Float32Type>(ty, to_float),
        TypeKind::Double => primitive::<Float64Type>(ty, to_double),
        TypeKind::Decimal(precision, scale) => {
            let (precision, scale) = (*precision, *scale);
            primitive::<Decimal128Type>(ty, move |cell| to_decimal(cell, precision, scale))
        }
        TypeKind::Date => primitive::<Date32Type>(ty, to_date),
        TypeKind::Time(_) => primitive::<Time32MillisecondType>(ty, to_time),
        TypeKind::Timestamp(precision) => timestamp(ty, *precision, format, false),
        TypeKind::TimestampLtz(precision) => timestamp(ty, *precision, format, true),
        TypeKind::Array(element) => Box::new(ArrayColumn::new(element, options)?),
        TypeKind::Map(key, value) => Box::new(MapColumn::new(ty, key, value, options)?),
        TypeKind::Multiset(element) => Box::new(MapColumn::new(
            ty,
            element,
            &TypeKind::Int.not_null(),
            options,
        )?),
        TypeKind::Row(fields) => Box::new(RowColumn::new(fields, options)?),
        TypeKind::Null => Box::new(Nulls(0)),
    })
}

/// Returns a fault of a column's type.
pub(crate) fn unsupported_type(column: usize, message: String) -> FormatError {
    FormatError::UnsupportedType { column, message }
}

fn timestamp(
    ty: &FlinkType,
    precision: u8,
    format: TimestampFormat,
    has_zone: bool,
) -> Box<dyn ColumnBuilder> {
    if precision <= MICROSECOND_PRECISION_MAX {
        primitive::<TimestampMicrosecondType>(ty, move |cell| {
            let nanos = to_timestamp(cell, format, has_zone)?.nanos(precision);
            i64::try_from(nanos.div_euclid(1000))
                .map(Some)
                .map_err(|_| "the timestamp is out of range".to_owned())
        })
    } else {
        primitive::<Decimal128Type>(ty, move |cell| {
            Ok(Some(to_timestamp(cell, format, has_zone)?.nanos(precision)))
        })
    }
}

/// Returns a builder of numbers that `convert` makes.
pub(crate) fn primitive<T: ArrowPrimitiveType>(
    ty: &FlinkType,
    convert: impl Fn(&Cell<'_>) -> Converted<T::Native> + Send + 'static,
) -> Box<dyn ColumnBuilder> {
    Box::new(Primitives::<T, _> {
        values: Vec::new(),
        nulls: NullBufferBuilder::new(0),
        data_type: arrow_type(&ty.kind),
        convert,
        arrow: PhantomData,
    })
}

struct Primitives<T: ArrowPrimitiveType, F> {
    values: Vec<T::Native>,
    nulls: NullBufferBuilder,
    data_type: DataType,
    convert: F,
    arrow: PhantomData<fn() -> T>,
}

impl<T, F> ColumnBuilder for Primitives<T, F>
where
    T: ArrowPrimitiveType,
    F: Fn(&Cell<'_>) -> Converted<T::Native> + Send,
{
    fn append(&mut self, span: Span, source: &Source<'_>) -> Result<(), String> {
        let cell = source.cell(span);
        match (self.convert)(&cell) {
            Ok(Some(value)) => {
                self.values.push(value);
                self.nulls.append_non_null();
                Ok(())
            }
            Ok(None) => {
                self.append_null();
                Ok(())
            }
            Err(reason) => {
                self.append_null();
                Err(reason)
            }
        }
    }

    fn append_null(&mut self) {
        self.values.push(T::Native::default());
        self.nulls.append_null();
    }

    fn finish(&mut self, _messages: &Buffer) -> ArrayRef {
        let values = ScalarBuffer::from(std::mem::take(&mut self.values));
        let nulls = self.nulls.finish();
        let array = PrimitiveArray::<T>::new(values, nulls).with_data_type(self.data_type.clone());
        Arc::new(array)
    }
}

struct Booleans {
    values: BooleanBufferBuilder,
    nulls: NullBufferBuilder,
}

impl Booleans {
    fn new() -> Self {
        Self {
            values: BooleanBufferBuilder::new(0),
            nulls: NullBufferBuilder::new(0),
        }
    }
}

impl ColumnBuilder for Booleans {
    fn append(&mut self, span: Span, source: &Source<'_>) -> Result<(), String> {
        let value = to_boolean(&source.cell(span))?;
        self.values.append(value.unwrap_or_default());
        self.nulls.append_non_null();
        Ok(())
    }

    fn append_null(&mut self) {
        self.values.append(false);
        self.nulls.append_null();
    }

    fn finish(&mut self, _messages: &Buffer) -> ArrayRef {
        Arc::new(BooleanArray::new(self.values.finish(), self.nulls.finish()))
    }
}

/// Strings, which take any value: a container as Jackson's text of it.
struct Texts {
    column: TextColumn,
    tape: Tape,
}

impl Texts {
    fn new() -> Self {
        Self {
            column: TextColumn::default(),
            tape: Tape::new(),
        }
    }

    #[inline]
    fn append_slice(&mut self, span: Span, source: &Source<'_>) {
        match source.text(span) {
            Some(text) => self.column.append_slice(text, source.buffer),
            None => {
                let text = String::from_utf8_lossy(span.of(source.bytes));
                self.column.append_copy(text.as_bytes());
            }
        }
    }

    #[cold]
    fn append_rewritten(&mut self, span: Span, source: &Source<'_>) -> Result<(), String> {
        let cell = source.cell(span);
        if !matches!(span.kind, Kind::Array | Kind::Object) {
            self.column.append_copy(&cell.text());
            return Ok(());
        }
        let bytes = &source.bytes[..span.end as usize];
        match self.tape.parse::<true>(bytes, span.start as usize) {
            Ok(root) => {
                let tape = &self.tape;
                self.column
                    .append_made(|side| source.write_container(tape, bytes, root, side));
                Ok(())
            }
            Err(error) => {
                self.column.append_null();
                Err(error.to_string())
            }
        }
    }
}

impl ColumnBuilder for Texts {
    #[inline]
    fn append(&mut self, span: Span, source: &Source<'_>) -> Result<(), String> {
        match span.kind {
            Kind::String if span.is_escaped() => {
                let raw = span.of(source.bytes);
                self.column.append_made(|side| unescape(raw, side));
                Ok(())
            }
            Kind::String => {
                self.append_slice(span, source);
                Ok(())
            }
            Kind::Float | Kind::Array | Kind::Object if source.has_exact_numbers => {
                self.append_rewritten(span, source)
            }
            _ if span.needs_rewrite() => self.append_rewritten(span, source),
            _ => {
                self.append_slice(span, source);
                Ok(())
            }
        }
    }

    fn append_node(&mut self, tape: &Tape, node: usize, source: &Source<'_>) -> Result<(), String> {
        let span = tape.span(node);
        if matches!(span.kind, Kind::Array | Kind::Object) {
            self.column
                .append_made(|side| source.write_container(tape, source.bytes, node, side));
            return Ok(());
        }
        self.append(span, source)
    }

    fn append_null(&mut self) {
        self.column.append_null();
    }

    fn append_all(
        &mut self,
        spans: &[Span],
        source: &Source<'_>,
        on_fault: &mut dyn FnMut(usize, String) -> bool,
    ) {
        self.column.reserve(spans.len());
        for (row, span) in spans.iter().enumerate() {
            match span.kind {
                Kind::Missing | Kind::Null => self.append_null(),
                _ => {
                    if let Err(reason) = self.append(*span, source)
                        && !on_fault(row, reason)
                    {
                        return;
                    }
                }
            }
        }
    }

    fn finish(&mut self, _messages: &Buffer) -> ArrayRef {
        self.column.finish()
    }
}

/// Bytes, from Base64; of what is no string, NULL.
struct Bytes(BytesColumn);

impl ColumnBuilder for Bytes {
    fn append(&mut self, span: Span, source: &Source<'_>) -> Result<(), String> {
        if span.kind != Kind::String {
            self.0.append_null();
            return Ok(());
        }
        let mut bytes = Vec::new();
        let cell = source.cell(span);
        let decoded = decode_base64(&cell.text(), &mut bytes);
        match decoded {
            Ok(()) => self.0.append_copy(&bytes),
            Err(_) => self.0.append_null(),
        }
        decoded
    }

    fn append_null(&mut self) {
        self.0.append_null();
    }

    fn finish(&mut self, messages: &Buffer) -> ArrayRef {
        self.0.finish(messages)
    }
}

/// A column of the type NULL.
struct Nulls(usize);

impl ColumnBuilder for Nulls {
    fn append(&mut self, _span: Span, _source: &Source<'_>) -> Result<(), String> {
        self.0 += 1;
        Ok(())
    }

    fn append_null(&mut self) {
        self.0 += 1;
    }

    fn finish(&mut self, _messages: &Buffer) -> ArrayRef {
        Arc::new(arrow_array::NullArray::new(std::mem::take(&mut self.0)))
    }
}
