//! Keys of rows, equal for a row of a query and its image in the binary log.

use mysql::Value;

use super::cell::{Cell, Reader};
use super::decimal::Decimal;
use super::natural::Printer;
use super::options::ValueOptions;
use super::rows_event::{Image, ImageCell};
use super::wire::Wire;
use crate::definition::{ColumnType, TableDefinition, TableMap};

/// Reads the values of some columns as a key.
#[derive(Clone, Debug)]
pub struct KeyReader {
    columns: Vec<KeyColumn>,
}

#[derive(Clone, Debug)]
struct KeyColumn {
    place: usize,
    reader: Reader,
    printer: Printer,
    wire: Option<Wire>,
}

/// The value of a chunk's column, in the server's order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyValue {
    /// NULL, which comes first.
    Null,
    /// An integer, a DECIMAL by its unscaled digits, a time by its microseconds.
    Number(i128),
    /// Bytes.
    Bytes(Vec<u8>),
}

impl KeyReader {
    /// Returns a reader of the columns at `places` of a table; `None` if a column's charset cannot be read or the type
    /// cannot be in a key.
    #[must_use]
    pub fn new(definition: &TableDefinition, places: &[usize]) -> Option<Self> {
        // The server orders the years that it has, and knows a zero date from NULL only by the column.
        let options = ValueOptions {
            adjusts_years: false,
            ..ValueOptions::default()
        };
        let column = |place: &usize| {
            let kind = &definition.columns.get(*place)?.kind;
            if matches!(kind, ColumnType::Json | ColumnType::Geometry) {
                return None;
            }
            Some(KeyColumn {
                place: *place,
                reader: Reader::new(kind, true, &options)?,
                printer: Printer::new(kind, &options),
                wire: None,
            })
        };
        let columns = places.iter().map(column).collect::<Option<_>>()?;
        Some(Self { columns })
    }

    /// Tells whether [`KeyValue`]s of the first column order as the server orders them.
    #[must_use]
    pub fn is_ordered(&self) -> bool {
        use ColumnType as C;
        self.columns.first().is_some_and(|column| {
            matches!(
                column.reader.kind,
                C::TinyInt { .. }
                    | C::SmallInt { .. }
                    | C::MediumInt { .. }
                    | C::Int { .. }
                    | C::BigInt { .. }
                    | C::Decimal {
                        precision: ..=38,
                        ..
                    }
                    | C::Bit(_)
                    | C::Year
                    | C::Time(_)
                    | C::Timestamp(_)
                    | C::Binary(_)
                    | C::Varbinary(_)
            )
        })
    }

    /// Takes over the layout of the images to come. The caller has checked the event against the definition.
    pub fn set_layout(&mut self, map: &TableMap) {
        for column in &mut self.columns {
            column.wire = map.columns.get(column.place).map(|event| event.wire);
        }
    }

    /// Appends the key of an image, as bytes that are equal for equal keys; `None` if the image lacks a column.
    #[must_use]
    pub fn of_image(&self, image: &Image<'_>, key: &mut Vec<u8>) -> Option<()> {
        for column in &self.columns {
            column.encode(&column.of_image(image)?, key)?;
        }
        Some(())
    }

    /// Appends the key of a row of a query; `values` are those of the key's columns, in its order.
    #[must_use]
    pub fn of_query(&self, values: &[Value], key: &mut Vec<u8>) -> Option<()> {
        for (column, value) in self.columns.iter().zip(values) {
            column.encode(&column.reader.read_query(value, &mut 0).ok()?, key)?;
        }
        Some(())
    }

    /// Returns the first column's value in an image.
    #[must_use]
    pub fn first_of_image(&self, image: &Image<'_>) -> Option<KeyValue> {
        let column = self.columns.first()?;
        column.ordered(&column.of_image(image)?)
    }

    /// Returns the first column's value in a row of a query, or of a chunk's bound.
    #[must_use]
    pub fn first_of_query(&self, value: &Value) -> Option<KeyValue> {
        let column = self.columns.first()?;
        column.ordered(&column.reader.read_query(value, &mut 0).ok()?)
    }
}

impl KeyColumn {
    fn of_image<'a>(&self, image: &Image<'a>) -> Option<Cell<'a>> {
        match image.cell(self.place) {
            ImageCell::Null => Some(Cell::Null),
            ImageCell::Value(bytes) => self.reader.read(self.wire?, bytes, &mut 0).ok(),
            ImageCell::Absent | ImageCell::Differences(_) => None,
        }
    }

    /// Returns the number that a value is, unscaled.
    fn number(&self, cell: &Cell<'_>) -> Option<i128> {
        Some(match cell {
            Cell::Int(value)
            | Cell::DateTime(value)
            | Cell::Timestamp(value)
            | Cell::Time(value) => i128::from(*value),
            Cell::Date(days) => i128::from(*days),
            Cell::Unsigned(value) | Cell::Bits(value) | Cell::Members(value) => i128::from(*value),
            Cell::Decimal(Decimal::Narrow(value, _)) => *value,
            _ => return None,
        })
    }

    fn encode(&self, cell: &Cell<'_>, key: &mut Vec<u8>) -> Option<()> {
        if matches!(cell, Cell::Null) {
            key.push(0);
            return Some(());
        }
        if let Some(number) = self.number(cell) {
            key.push(1);
            key.extend_from_slice(&number.to_le_bytes());
            return Some(());
        }
        key.push(2);
        let start = key.len();
        key.extend_from_slice(&[0; 4]);
        match cell {
            Cell::Text(text) => key.extend_from_slice(text.as_bytes()),
            Cell::Bytes(bytes) => key.extend_from_slice(self.unpadded(bytes)),
            Cell::Float(value) => key.extend_from_slice(&(value + 0.0).to_bits().to_le_bytes()),
            Cell::Double(value) => key.extend_from_slice(&(value + 0.0).to_bits().to_le_bytes()),
            other => {
                let mut text = String::new();
                self.printer.write(other, &mut text).ok()?;
                key.extend_from_slice(text.as_bytes());
            }
        }
        let length = u32::try_from(key.len() - start - 4).ok()?;
        key[start..start + 4].copy_from_slice(&length.to_le_bytes());
        Some(())
    }

    /// Cuts the zeros that BINARY has at the end in a query's row only.
    fn unpadded<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        if !matches!(self.reader.kind, ColumnType::Binary(_)) {
            return bytes;
        }
        let end = bytes.iter().rposition(|byte| *byte != 0);
        &bytes[..end.map_or(0, |at| at + 1)]
    }

    fn ordered(&self, cell: &Cell<'_>) -> Option<KeyValue> {
        Some(match cell {
            Cell::Null => KeyValue::Null,
            // Shorter is less where the longer one begins with it, and zeros come first: as if padded.
            Cell::Bytes(bytes) => KeyValue::Bytes(self.unpadded(bytes).to_vec()),
            cell => KeyValue::Number(self.number(cell)?),
        })
    }
}
