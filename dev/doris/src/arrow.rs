//! Bodies of Arrow IPC streams. Doris takes the arrays as they are, without a look at their types, so that a wrong type
//! gives garbage; here it fails the load.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_ipc::reader::StreamDecoder;
use arrow_schema::{DataType, TimeUnit};
use jiff::Timestamp;
use jiff::tz::{TimeZone, offset};

use crate::line::Field;
use crate::schema::ColumnType;
use crate::value::scaled;

type Cell<'a> = Box<dyn Fn(usize, &mut Vec<u8>) -> Result<(), String> + 'a>;

/// Reads streams as they arrive, and gives stored rows.
pub(crate) struct ArrowBody {
    decoder: StreamDecoder,
    stored: Vec<Field>,
}

impl ArrowBody {
    pub(crate) fn new(stored: Vec<Field>) -> Self {
        Self {
            decoder: StreamDecoder::new(),
            stored,
        }
    }

    /// Appends the stored lines of the batches that these bytes complete, and returns how many.
    pub(crate) fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<u64, String> {
        let mut buffer = arrow_buffer::Buffer::from(bytes);
        let mut rows = 0;
        while !buffer.is_empty() {
            match self.decoder.decode(&mut buffer) {
                Ok(Some(batch)) => {
                    self.write(&batch, out)?;
                    rows += batch.num_rows() as u64;
                }
                Ok(None) => {}
                // One stream is at its end, and the next one follows.
                Err(error) if error.to_string().contains("Unexpected EOS") => {
                    self.decoder = StreamDecoder::new();
                }
                Err(error) => return Err(format!("arrow: {error}")),
            }
        }
        Ok(rows)
    }

    /// Checks that the last stream is whole.
    pub(crate) fn finish(mut self) -> Result<(), String> {
        self.decoder
            .finish()
            .map_err(|error| format!("arrow: {error}"))
    }

    fn write(&self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<(), String> {
        for field in batch.schema_ref().fields() {
            if !self
                .stored
                .iter()
                .any(|stored| stored.name == *field.name())
            {
                return Err(format!(
                    "the arrow column '{}' is not in the load",
                    field.name()
                ));
            }
        }
        let cells = self
            .stored
            .iter()
            .map(|field| match batch.column_by_name(&field.name) {
                Some(array) => cell(field, array),
                None => Err(format!("the arrow batch has no column '{}'", field.name)),
            })
            .collect::<Result<Vec<_>, String>>()?;
        for row in 0..batch.num_rows() {
            let mut before = b'[';
            for cell in &cells {
                out.push(before);
                cell(row, out)?;
                before = b',';
            }
            out.extend_from_slice(b"]\n");
        }
        Ok(())
    }
}

fn push(out: &mut Vec<u8>, text: impl std::fmt::Display) {
    use std::io::Write;
    write!(out, "{text}").expect("writing to memory cannot fail");
}

/// Returns what writes the value of a row.
fn cell<'a>(field: &'a Field, array: &'a ArrayRef) -> Result<Cell<'a>, String> {
    let some = some_cell(field, array)?;
    Ok(Box::new(move |row, out| {
        if array.is_valid(row) {
            return some(row, out);
        }
        if !field.nullable {
            return Err(format!("column '{}' is NULL but NOT NULL", field.name));
        }
        out.extend_from_slice(b"null");
        Ok(())
    }))
}

fn some_cell<'a>(field: &'a Field, array: &'a ArrayRef) -> Result<Cell<'a>, String> {
    macro_rules! number {
        ($ty:ty) => {{
            let values = array.as_primitive::<$ty>();
            Box::new(move |row, out| {
                push(out, values.value(row));
                Ok(())
            })
        }};
    }
    macro_rules! float {
        ($ty:ty) => {{
            let values = array.as_primitive::<$ty>();
            Box::new(move |row, out| {
                let value = values.value(row);
                if value.is_finite() {
                    push(out, format_args!("\"{value}\""));
                } else {
                    out.extend_from_slice(b"null");
                }
                Ok(())
            })
        }};
    }
    Ok(match (field.ty, array.data_type()) {
        (ColumnType::Boolean, DataType::Boolean) => {
            let values = array.as_boolean();
            Box::new(move |row, out| {
                push(out, values.value(row));
                Ok(())
            })
        }
        (ColumnType::Integer(8), DataType::Int8) => number!(Int8Type),
        (ColumnType::Integer(16), DataType::Int16) => number!(Int16Type),
        (ColumnType::Integer(32), DataType::Int32) => number!(Int32Type),
        (ColumnType::Integer(64), DataType::Int64) => number!(Int64Type),
        (ColumnType::Float, DataType::Float32) => float!(Float32Type),
        (ColumnType::Double, DataType::Float64) => float!(Float64Type),
        (ColumnType::Decimal(_, scale), DataType::Decimal128(_, there))
            if u32::try_from(*there) == Ok(scale) =>
        {
            let values = array.as_primitive::<Decimal128Type>();
            Box::new(move |row, out| {
                push(
                    out,
                    format_args!("\"{}\"", scaled(values.value(row), scale)),
                );
                Ok(())
            })
        }
        (ColumnType::Text(_) | ColumnType::Json | ColumnType::Integer(128), DataType::Utf8) => {
            let values = array.as_string::<i32>();
            Box::new(move |row, out| text(field, values.value(row), out))
        }
        (ColumnType::Text(_) | ColumnType::Json, DataType::Binary) => {
            let values = array.as_binary::<i32>();
            Box::new(
                move |row, out| match std::str::from_utf8(values.value(row)) {
                    Ok(value) => text(field, value, out),
                    Err(error) => Err(format!("column '{}': {error}", field.name)),
                },
            )
        }
        _ => return time_cell(field, array),
    })
}

/// Returns what writes a day or an instant.
fn time_cell<'a>(field: &Field, array: &'a ArrayRef) -> Result<Cell<'a>, String> {
    macro_rules! instant {
        ($ty:ty, $from:expr) => {{
            let values = array.as_primitive::<$ty>();
            Box::new(move |row, out| {
                let instant =
                    $from(values.value(row)).map_err(|error| format!("arrow: {error}"))?;
                // The BE's own zone, whatever the header says.
                let wall = TimeZone::fixed(offset(8)).to_datetime(instant);
                push(
                    out,
                    format_args!("\"{}\"", wall.strftime("%Y-%m-%d %H:%M:%S%.f")),
                );
                Ok(())
            })
        }};
    }
    Ok(match (field.ty, array.data_type()) {
        (ColumnType::Date, DataType::Date32) => {
            let values = array.as_primitive::<Date32Type>();
            Box::new(move |row, out| {
                let day = jiff::civil::date(1970, 1, 1)
                    .checked_add(jiff::Span::new().days(values.value(row)))
                    .map_err(|error| format!("arrow: {error}"))?;
                push(out, format_args!("\"{day}\""));
                Ok(())
            })
        }
        (ColumnType::DateTime(_), DataType::Timestamp(unit, _)) => match unit {
            TimeUnit::Second => instant!(TimestampSecondType, Timestamp::from_second),
            TimeUnit::Millisecond => {
                instant!(TimestampMillisecondType, Timestamp::from_millisecond)
            }
            TimeUnit::Microsecond => {
                instant!(TimestampMicrosecondType, Timestamp::from_microsecond)
            }
            TimeUnit::Nanosecond => {
                instant!(TimestampNanosecondType, |nanos| Timestamp::from_nanosecond(
                    i128::from(nanos)
                ))
            }
        },
        (ty, there) => {
            return Err(format!(
                "column '{}' of type {ty:?} cannot take the arrow type {there}",
                field.name
            ));
        }
    })
}

fn text(field: &Field, value: &str, out: &mut Vec<u8>) -> Result<(), String> {
    if let ColumnType::Text(most) = field.ty
        && value.len() > most
    {
        return Err(format!(
            "column '{}': the length of input is too long than schema",
            field.name
        ));
    }
    serde_json::to_writer(out, value).expect("writing to memory cannot fail");
    Ok(())
}
