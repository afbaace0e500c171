//! Values as bytes: numbers of state in checkpoints, and values of any type in states that keep them.

use arrow_array::{ArrayRef, new_null_array};
use arrow_row::{RowConverter, RowParser, Rows, SortField};
use arrow_schema::DataType;

/// A number as bytes of a fixed length, big-endian.
pub(super) trait Fixed: Copy {
    fn put(self, out: &mut Vec<u8>);
    fn take(bytes: &mut &[u8]) -> Option<Self>;
}

macro_rules! fixed {
    ($($ty:ty),*) => {$(
        impl Fixed for $ty {
            fn put(self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_be_bytes());
            }

            fn take(bytes: &mut &[u8]) -> Option<Self> {
                let (value, rest) = bytes.split_first_chunk()?;
                *bytes = rest;
                Some(<$ty>::from_be_bytes(*value))
            }
        }
    )*};
}

fixed!(u8, i8, i16, i32, u32, i64, u64, i128, f32, f64);

impl Fixed for bool {
    fn put(self, out: &mut Vec<u8>) {
        out.push(u8::from(self));
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        u8::take(bytes).map(|byte| byte != 0)
    }
}

/// Appends bytes with their length.
pub(super) fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    u32::try_from(bytes.len())
        .expect("a value has less than 4 GiB")
        .put(out);
    out.extend_from_slice(bytes);
}

/// Takes bytes that [`put_bytes`] appended.
pub(super) fn take_bytes<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(u32::take(bytes)?).ok()?;
    let (value, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(value)
}

/// Appends bytes that may be absent.
pub(super) fn put_option(bytes: Option<&[u8]>, out: &mut Vec<u8>) {
    bytes.is_some().put(out);
    if let Some(bytes) = bytes {
        put_bytes(bytes, out);
    }
}

/// Takes what [`put_option`] appended.
pub(super) fn take_option<'a>(bytes: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
    if bool::take(bytes)? {
        take_bytes(bytes).map(Some)
    } else {
        Some(None)
    }
}

/// Values of fixed types as bytes: equal if the values are, ordered as the values, NULL first.
///
/// The bytes are arrow-row's; they stand in checkpoints.
#[derive(Debug)]
pub(super) struct ValueCodec {
    converter: RowConverter,
    parser: RowParser,
    null: Box<[u8]>,
}

impl ValueCodec {
    /// Returns the codec of values that are so many columns together.
    pub(super) fn new(types: &[DataType]) -> Self {
        let fields = types.iter().map(|ty| SortField::new(ty.clone())).collect();
        let converter = RowConverter::new(fields).expect("each of Flink's types has a row format");
        let nulls: Vec<ArrayRef> = types.iter().map(|ty| new_null_array(ty, 1)).collect();
        let null = converter
            .convert_columns(&nulls)
            .expect("NULL has a row format");
        Self {
            parser: converter.parser(),
            null: null.row(0).data().into(),
            converter,
        }
    }

    pub(super) fn encode(&self, columns: &[ArrayRef]) -> Rows {
        self.converter
            .convert_columns(columns)
            .expect("values have the types that were bound")
    }

    /// Returns the columns of values.
    pub(super) fn decode<'a>(
        &'a self,
        values: impl IntoIterator<Item = &'a [u8]>,
    ) -> Vec<ArrayRef> {
        let rows = values.into_iter().map(|value| self.parser.parse(value));
        self.converter
            .convert_rows(rows)
            .expect("the bytes were made by this codec")
    }

    /// Returns the one column of values; `None` is NULL.
    pub(super) fn decode_options<'a>(
        &'a self,
        values: impl IntoIterator<Item = Option<&'a [u8]>>,
    ) -> ArrayRef {
        let values = values.into_iter();
        self.decode(values.map(|value| value.unwrap_or(&self.null)))
            .pop()
            .expect("one column")
    }
}

/// Values as bytes, one behind another.
#[derive(Debug, Default)]
pub(super) struct ValueList {
    bytes: Vec<u8>,
    /// Where each value ends, and whether it is one.
    ends: Vec<(usize, bool)>,
}

impl ValueList {
    pub(super) fn push(&mut self, value: Option<&[u8]>) {
        self.bytes.extend_from_slice(value.unwrap_or_default());
        self.ends.push((self.bytes.len(), value.is_some()));
    }

    /// Returns them as a column.
    pub(super) fn decode(&self, codec: &ValueCodec) -> ArrayRef {
        let mut start = 0;
        codec.decode_options(self.ends.iter().map(|(end, is_some)| {
            let value = &self.bytes[start..*end];
            start = *end;
            is_some.then_some(value)
        }))
    }
}
