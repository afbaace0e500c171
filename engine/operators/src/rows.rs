//! Keys and rows as bytes: what state is kept under, and how it is kept.
//!
//! # Format
//! The row format of arrow-row 59, over the columns' Arrow types ([`millrace_connector::physical::arrow_type`]). Its bytes are
//! equal if the values are (NULL equals NULL, `0.0` and `-0.0` differ), and they order as the values do under the
//! columns' sort options. They stand in checkpoints, so they are fixed: [`ROW_FORMAT_VERSION`] names them, a test
//! holds them, and an upgrade of arrow-row that changes them needs a new version and a conversion.
//!
//! | value | bytes |
//! |---|---|
//! | NULL | `00` (`ff` where NULLs come last), for a fixed width followed by as many zeroes |
//! | BOOLEAN, numbers, dates, times | `01`, then big-endian with the sign bit flipped (floats: as IEEE total order) |
//! | texts and bytes | `01` if empty; else `02`, then blocks of 8 (four times) and 32 bytes, each followed by its length or `ff` |
//! | ROW | `01`, then the fields |
//! | ARRAY, MAP, MULTISET | the elements, each encoded as bytes, then an end; entries of maps keep their order |
//!
//! # Flink
//! `BinaryRowData` compares bytes too, so keys that are equal here are equal there.

use arrow_array::ArrayRef;
use arrow_row::{RowConverter, RowParser, Rows, SortField};
use arrow_schema::{ArrowError, DataType, SortOptions};

use crate::{Batch, OperatorError};

/// The version of the bytes that [`RowCodec`] makes, written into checkpoints.
pub const ROW_FORMAT_VERSION: u16 = 1;

/// Encodes columns of fixed types, row by row, to bytes, and back.
#[derive(Debug)]
pub struct RowCodec {
    converter: RowConverter,
    parser: RowParser,
    width: usize,
}

/// Rows of one batch as bytes, in one buffer.
#[derive(Debug)]
pub struct EncodedRows {
    /// `None` = rows without columns.
    rows: Option<Rows>,
    count: usize,
}

impl RowCodec {
    /// Returns the codec for columns of these types, NULLs first and ascending.
    ///
    /// # Errors
    /// A type that has no place in Flink.
    pub fn new(types: impl IntoIterator<Item = DataType>) -> Result<Self, OperatorError> {
        Self::of(types.into_iter().map(SortField::new).collect())
    }

    /// Returns the codec whose bytes order as the columns do under their sort options.
    ///
    /// # Errors
    /// A type that has no place in Flink.
    pub fn sorted(
        columns: impl IntoIterator<Item = (DataType, SortOptions)>,
    ) -> Result<Self, OperatorError> {
        let fields = columns.into_iter();
        Self::of(
            fields
                .map(|(ty, options)| SortField::new_with_options(ty, options))
                .collect(),
        )
    }

    fn of(fields: Vec<SortField>) -> Result<Self, OperatorError> {
        let width = fields.len();
        let converter = RowConverter::new(fields).map_err(|error| failed(&error))?;
        let parser = converter.parser();
        Ok(Self {
            converter,
            parser,
            width,
        })
    }

    /// Returns how many columns it takes and gives.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Encodes `rows` rows of columns.
    ///
    /// # Errors
    /// Columns of other types.
    pub fn encode(&self, columns: &[ArrayRef], rows: usize) -> Result<EncodedRows, OperatorError> {
        if self.width == 0 {
            return Ok(EncodedRows {
                rows: None,
                count: rows,
            });
        }
        let encoded = self
            .converter
            .convert_columns(columns)
            .map_err(|error| failed(&error))?;
        Ok(EncodedRows {
            rows: Some(encoded),
            count: rows,
        })
    }

    /// Encodes some columns of a batch.
    ///
    /// # Errors
    /// Columns of other types.
    pub fn encode_some(
        &self,
        batch: &Batch,
        columns: &[usize],
    ) -> Result<EncodedRows, OperatorError> {
        let columns: Vec<ArrayRef> = columns
            .iter()
            .map(|column| ArrayRef::clone(&batch.columns[*column]))
            .collect();
        self.encode(&columns, batch.rows)
    }

    /// Decodes rows that a codec of the same types made; no columns come back where there are none.
    ///
    /// # Errors
    /// Bytes of other types.
    pub fn decode<'a>(
        &'a self,
        rows: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Vec<ArrayRef>, OperatorError> {
        if self.width == 0 {
            return Ok(Vec::new());
        }
        let rows = rows.into_iter().map(|row| self.parser.parse(row));
        self.converter
            .convert_rows(rows)
            .map_err(|error| failed(&error))
    }
}

impl EncodedRows {
    /// Returns how many rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Tells whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Returns a row's bytes.
    #[must_use]
    pub fn row(&self, row: usize) -> &[u8] {
        debug_assert!(row < self.count);
        self.rows.as_ref().map_or(&[], |rows| rows.row(row).data())
    }

    /// Returns the bytes of each row in turn.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.count).map(|row| self.row(row))
    }
}

fn failed(error: &ArrowError) -> OperatorError {
    OperatorError::Failed(format!("rows cannot be encoded: {error}"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::builder::{ListBuilder, StringViewBuilder};
    use arrow_array::types::Int32Type;
    use arrow_array::{
        Array, BinaryViewArray, BooleanArray, Date32Array, Decimal128Array, Float32Array,
        Float64Array, Int8Array, Int16Array, Int32Array, Int64Array, MapArray, NullArray,
        StringViewArray, StructArray, Time32MillisecondArray, TimestampMicrosecondArray,
    };
    use arrow_buffer::{NullBuffer, OffsetBuffer};
    use millrace_connector::physical::arrow_type;
    use millrace_connector::{FlinkType, RowField, TypeKind};

    use super::*;

    fn codec(columns: &[ArrayRef]) -> RowCodec {
        RowCodec::new(columns.iter().map(|column| column.data_type().clone())).unwrap()
    }

    fn round_trip(columns: &[ArrayRef]) {
        let rows = columns[0].len();
        let codec = codec(columns);
        let encoded = codec.encode(columns, rows).unwrap();
        assert_eq!(encoded.len(), rows);
        // From the last to the first, so that nothing hangs on neighbours.
        let order: Vec<u32> = (0..u32::try_from(rows).unwrap()).rev().collect();
        let back = codec
            .decode(order.iter().map(|row| encoded.row(*row as usize)))
            .unwrap();
        let take = arrow_array::UInt32Array::from(order);
        for (column, back) in columns.iter().zip(back) {
            assert_eq!(column.data_type(), back.data_type());
            let expected = arrow_select::take::take(column, &take, None).unwrap();
            assert_eq!(&expected, &back);
        }
    }

    fn map(keys: Vec<&str>, values: Vec<Option<i32>>, lengths: [usize; 3]) -> MapArray {
        let ty = arrow_type(&TypeKind::Map(
            Box::new(TypeKind::Varchar(9).not_null()),
            Box::new(TypeKind::Int.nullable()),
        ));
        let DataType::Map(entries, sorted) = ty else {
            panic!("a map")
        };
        let DataType::Struct(fields) = entries.data_type() else {
            panic!("entries")
        };
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringViewArray::from(keys)),
            Arc::new(Int32Array::from(values)),
        ];
        MapArray::new(
            Arc::clone(&entries),
            OffsetBuffer::from_lengths(lengths),
            StructArray::new(fields.clone(), columns, None),
            Some(NullBuffer::from(vec![true, false, true])),
            sorted,
        )
    }

    #[test]
    fn brings_every_type_back() {
        let text = "längere Texte als zweiunddreißig Bytes, damit Blöcke voll werden";
        round_trip(&[
            Arc::new(StringViewArray::from(vec![Some(text), None, Some("")])),
            Arc::new(BinaryViewArray::from(vec![
                Some(&[0_u8, 255][..]),
                Some(b""),
                None,
            ])),
            Arc::new(BooleanArray::from(vec![Some(true), Some(false), None])),
            Arc::new(
                Decimal128Array::from(vec![Some(-12), None, Some(i128::MAX / 2)])
                    .with_precision_and_scale(38, 0)
                    .unwrap(),
            ),
            Arc::new(Int8Array::from(vec![Some(-1), None, Some(1)])),
            Arc::new(Int16Array::from(vec![Some(-1), None, Some(1)])),
            Arc::new(Int32Array::from(vec![Some(-1), None, Some(1)])),
            Arc::new(Int64Array::from(vec![Some(i64::MIN), None, Some(1)])),
            Arc::new(Float32Array::from(vec![Some(-0.5), None, Some(1.0)])),
            Arc::new(Float64Array::from(vec![Some(-0.5), None, Some(1e300)])),
            Arc::new(Date32Array::from(vec![Some(-1), None, Some(1)])),
            Arc::new(Time32MillisecondArray::from(vec![Some(1), None, Some(2)])),
            Arc::new(TimestampMicrosecondArray::from(vec![
                Some(-1),
                None,
                Some(2),
            ])),
            Arc::new(NullArray::new(3)),
        ]);
    }

    #[test]
    fn brings_nested_values_back() {
        let mut list = ListBuilder::new(StringViewBuilder::new());
        list.append_value([Some("a"), None, Some("b")]);
        list.append_value([] as [Option<&str>; 0]);
        list.append_null();
        let row = TypeKind::Row(vec![
            RowField {
                name: "m".into(),
                ty: FlinkType {
                    kind: TypeKind::Int,
                    nullable: true,
                },
            },
            RowField {
                name: "n".into(),
                ty: TypeKind::Multiset(Box::new(TypeKind::Varchar(9).not_null())).nullable(),
            },
        ]);
        let DataType::Struct(fields) = arrow_type(&row) else {
            panic!("a struct")
        };
        let inner = map(
            vec!["a", "b", "c"],
            vec![Some(1), Some(2), Some(3)],
            [2, 0, 1],
        );
        let structs = StructArray::new(
            fields,
            vec![
                Arc::new(Int32Array::from(vec![None, Some(1), Some(2)])),
                Arc::new(inner),
            ],
            Some(NullBuffer::from(vec![true, true, false])),
        );
        round_trip(&[
            Arc::new(list.finish()),
            Arc::new(map(vec!["a", "b"], vec![None, Some(2)], [2, 0, 0])),
            Arc::new(structs),
        ]);
    }

    #[test]
    fn keys_are_equal_as_flink_compares_them() {
        let column: ArrayRef = Arc::new(Float64Array::from(vec![
            Some(0.0),
            Some(-0.0),
            Some(f64::NAN),
            Some(f64::NAN),
            None,
            None,
        ]));
        let codec = codec(&[ArrayRef::clone(&column)]);
        let rows = codec.encode(&[column], 6).unwrap();
        assert_ne!(rows.row(0), rows.row(1));
        assert_eq!(rows.row(2), rows.row(3));
        assert_eq!(rows.row(4), rows.row(5));
    }

    #[test]
    fn sorted_rows_order_as_their_columns() {
        let types = [
            (
                DataType::Int32,
                SortOptions {
                    descending: true,
                    nulls_first: false,
                },
            ),
            (DataType::Utf8View, SortOptions::default()),
        ];
        let codec = RowCodec::sorted(types).unwrap();
        let columns: [ArrayRef; 2] = [
            Arc::new(Int32Array::from(vec![None, Some(1), Some(2), Some(2)])),
            Arc::new(StringViewArray::from(vec!["", "a", "b", "ab"])),
        ];
        let rows = codec.encode(&columns, 4).unwrap();
        let mut order = vec![0, 1, 2, 3];
        order.sort_by_key(|row| rows.row(*row));
        assert_eq!(order, [3, 2, 1, 0]);
    }

    #[test]
    fn rows_without_columns_are_rows() {
        let codec = RowCodec::new([]).unwrap();
        let rows = codec.encode(&[], 3).unwrap();
        assert_eq!(rows.iter().collect::<Vec<_>>(), [b""; 3]);
        assert!(codec.decode(rows.iter()).unwrap().is_empty());
    }

    /// Bytes that stand in checkpoints: a change needs a new [`ROW_FORMAT_VERSION`].
    #[test]
    fn bytes_stay_as_they_are() {
        let list = arrow_array::ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![
            Some(1),
            None,
        ])]);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int32Array::from(vec![5])),
            Arc::new(StringViewArray::from(vec!["MEEP"])),
            Arc::new(BooleanArray::from(vec![None])),
            Arc::new(Float64Array::from(vec![-1.5])),
            Arc::new(list),
        ];
        let codec = codec(&columns);
        let rows = codec.encode(&columns, 1).unwrap();
        let hex: String = rows
            .row(0)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(
            hex,
            "0180000005024d45455000000000040000014007ffffffffffff020180000001000000050200000000000000000501"
        );
    }
}
