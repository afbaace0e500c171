//! Keys of rows, equal for a row of a query and its image in the binary log.

use mysql::Value;

use super::rows_event::Image;
use crate::definition::{TableDefinition, TableMap};

/// Reads the values of some columns as a key.
#[derive(Clone, Debug)]
pub struct KeyReader {
    places: Vec<usize>,
}

/// The value of a chunk's column, in the server's order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyValue {
    /// NULL, which comes first.
    Null,
    /// An integer, a DECIMAL by its unscaled digits, a date or time by its parts.
    Number(i128),
    /// Bytes, also of a text whose collation compares bytes.
    Bytes(Vec<u8>),
}

impl KeyReader {
    /// Returns a reader of the columns at `places` of a table.
    #[must_use]
    pub fn new(definition: &TableDefinition, places: &[usize]) -> Self {
        let _ = definition;
        Self {
            places: places.to_vec(),
        }
    }

    /// Tells whether [`KeyValue`]s of the first column order as the server orders them.
    #[must_use]
    pub fn is_ordered(&self) -> bool {
        false
    }

    /// Takes over the layout of images.
    pub fn set_layout(&mut self, map: &TableMap) {
        let _ = map;
    }

    /// Returns the key of an image as bytes that are equal for equal keys; `None` if the image lacks a column.
    #[must_use]
    pub fn of_image(&self, image: &Image<'_>) -> Option<Vec<u8>> {
        let _ = image;
        None
    }

    /// Returns the key of a row of a query; `values` are those of the key's columns, in its order.
    #[must_use]
    pub fn of_query(&self, values: &[Value]) -> Option<Vec<u8>> {
        let _ = (values, &self.places);
        None
    }

    /// Returns the first column's value in an image.
    #[must_use]
    pub fn first_of_image(&self, image: &Image<'_>) -> Option<KeyValue> {
        let _ = image;
        None
    }

    /// Returns the first column's value in a row of a query, or of a chunk's bound.
    #[must_use]
    pub fn first_of_query(&self, value: &Value) -> Option<KeyValue> {
        let _ = value;
        None
    }
}
