//! How Flink's types lie in memory: the one mapping from [`FlinkType`] to Arrow.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};

use crate::{FlinkType, TypeKind};

/// The greatest precision of a timestamp that is kept as microseconds; above it nanoseconds in 128 bits.
pub const MICROSECOND_PRECISION_MAX: u8 = 6;

/// Returns the Arrow type that holds values of `kind`.
///
/// Timestamps up to precision 6 are microseconds since the epoch in 64 bits (a TIMESTAMP as if its wall
/// clock were UTC, a TIMESTAMP_LTZ as the instant); above it, `Decimal128(38, 0)` counts nanoseconds, since
/// 64 bits of nanoseconds end in 2262 and Flink's years reach 9999.
#[must_use]
pub fn arrow_type(kind: &TypeKind) -> DataType {
    match kind {
        TypeKind::Char(_) | TypeKind::Varchar(_) => DataType::Utf8View,
        TypeKind::Boolean => DataType::Boolean,
        TypeKind::Binary(_) | TypeKind::Varbinary(_) => DataType::BinaryView,
        TypeKind::Decimal(precision, scale) => {
            DataType::Decimal128(*precision, i8::try_from(*scale).unwrap_or(i8::MAX))
        }
        TypeKind::TinyInt => DataType::Int8,
        TypeKind::SmallInt => DataType::Int16,
        TypeKind::Int | TypeKind::IntervalYearMonth(..) => DataType::Int32,
        TypeKind::BigInt | TypeKind::IntervalDayTime(..) => DataType::Int64,
        TypeKind::Float => DataType::Float32,
        TypeKind::Double => DataType::Float64,
        TypeKind::Date => DataType::Date32,
        TypeKind::Time(_) => DataType::Time32(TimeUnit::Millisecond),
        TypeKind::Timestamp(p) | TypeKind::TimestampLtz(p) if *p <= MICROSECOND_PRECISION_MAX => {
            DataType::Timestamp(TimeUnit::Microsecond, None)
        }
        TypeKind::Timestamp(_) | TypeKind::TimestampLtz(_) => DataType::Decimal128(38, 0),
        TypeKind::Array(element) => DataType::List(Arc::new(item_field("item", element))),
        TypeKind::Map(key, value) => map_type(key, value),
        TypeKind::Multiset(element) => map_type(element, &TypeKind::Int.not_null()),
        TypeKind::Row(fields) => DataType::Struct(
            fields
                .iter()
                .map(|field| item_field(&field.name, &field.ty))
                .collect::<Fields>(),
        ),
        TypeKind::Null => DataType::Null,
    }
}

/// Returns the Arrow field of a column or element. Every field is nullable for Arrow: Flink derives NOT NULL
/// for values that it then leaves null, so the flag is a statement about types and not about buffers.
fn item_field(name: &str, ty: &FlinkType) -> Field {
    Field::new(name, arrow_type(&ty.kind), true)
}

fn map_type(key: &FlinkType, value: &FlinkType) -> DataType {
    let entries = Fields::from(vec![
        Field::new("key", arrow_type(&key.kind), false),
        Field::new("value", arrow_type(&value.kind), true),
    ]);
    DataType::Map(
        Arc::new(Field::new("entries", DataType::Struct(entries), false)),
        false,
    )
}

/// Returns the Arrow schema of columns with the given names and types.
pub fn arrow_schema<'a>(columns: impl IntoIterator<Item = (&'a str, &'a FlinkType)>) -> SchemaRef {
    Arc::new(Schema::new(
        columns
            .into_iter()
            .map(|(name, ty)| item_field(name, ty))
            .collect::<Vec<_>>(),
    ))
}
