//! Columns of generated values.

use std::sync::Arc;

use arrow_array::builder::{BinaryViewBuilder, StringViewBuilder};
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, Time32MillisecondType, TimestampMicrosecondType,
};
use arrow_array::{
    ArrayRef, BooleanArray, Decimal128Array, ListArray, MapArray, PrimitiveArray, StructArray,
    new_null_array,
};
use arrow_buffer::OffsetBuffer;
use arrow_schema::DataType;
use millrace_connector::physical::{MICROSECOND_PRECISION_MAX, arrow_type};
use millrace_connector::{FlinkType, TypeKind};

use super::options::{Field, How, Range};
use crate::random::Random;

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Returns the values of rows `numbers` for the column number `column`.
pub(crate) fn column(field: &Field, column: u64, numbers: &[u64]) -> ArrayRef {
    match &field.how {
        How::Sequence { start, .. } => {
            let values: Vec<i128> = numbers
                .iter()
                .map(|number| i128::from(*start) + i128::from(*number))
                .collect();
            of_integers(&field.ty.kind, &values)
        }
        How::Random(range) => {
            let mut randoms: Vec<Random> = numbers
                .iter()
                .map(|number| Random::new(0, *number, column))
                .collect();
            random(&field.ty.kind, range, &mut randoms)
        }
    }
}

fn primitive<T: ArrowPrimitiveType>(values: impl Iterator<Item = T::Native>) -> ArrayRef {
    Arc::new(PrimitiveArray::<T>::from_iter_values(values))
}

/// Narrows to the type; a sequence that leaves it wraps as Java's casts do.
fn of_integers(kind: &TypeKind, values: &[i128]) -> ArrayRef {
    let iter = values.iter();
    match kind {
        TypeKind::TinyInt => primitive::<Int8Type>(iter.map(|value| *value as i8)),
        TypeKind::SmallInt => primitive::<Int16Type>(iter.map(|value| *value as i16)),
        TypeKind::Int => primitive::<Int32Type>(iter.map(|value| *value as i32)),
        TypeKind::BigInt => primitive::<Int64Type>(iter.map(|value| *value as i64)),
        TypeKind::Float => primitive::<Float32Type>(iter.map(|value| *value as f32)),
        TypeKind::Double => primitive::<Float64Type>(iter.map(|value| *value as f64)),
        TypeKind::Decimal(precision, scale) => {
            let unit = 10_i128.pow(u32::from(*scale));
            decimals(*precision, *scale, iter.map(|value| value * unit))
        }
        _ => {
            let mut builder = StringViewBuilder::with_capacity(values.len());
            for value in values {
                builder.append_value(value.to_string());
            }
            Arc::new(builder.finish())
        }
    }
}

fn decimals(precision: u8, scale: u8, values: impl Iterator<Item = i128>) -> ArrayRef {
    let array = Decimal128Array::from_iter_values(values);
    let scale = i8::try_from(scale).unwrap_or(i8::MAX);
    Arc::new(
        array
            .with_precision_and_scale(precision, scale)
            .expect("Flink's types are within Arrow's bounds"),
    )
}

fn random(kind: &TypeKind, range: &Range, randoms: &mut [Random]) -> ArrayRef {
    let within = |low: i128, high: i128| {
        let low = range.min.map_or(low, |min| min as i128);
        let high = range.max.map_or(high, |max| max as i128);
        (low, high.max(low))
    };
    let mut integers = |low: i64, high: i64| -> Vec<i128> {
        let (low, high) = within(i128::from(low), i128::from(high));
        randoms
            .iter_mut()
            .map(|random| random.within(low, high))
            .collect()
    };
    match kind {
        TypeKind::TinyInt => of_integers(kind, &integers(i8::MIN.into(), i8::MAX.into())),
        TypeKind::SmallInt => of_integers(kind, &integers(i16::MIN.into(), i16::MAX.into())),
        TypeKind::Int => of_integers(kind, &integers(i32::MIN.into(), i32::MAX.into())),
        TypeKind::BigInt => of_integers(kind, &integers(i64::MIN, i64::MAX)),
        TypeKind::IntervalYearMonth(..) => {
            primitive::<Int32Type>(integers(0, 1_200).into_iter().map(|value| value as i32))
        }
        TypeKind::IntervalDayTime(..) => primitive::<Int64Type>(
            integers(0, 86_400_000)
                .into_iter()
                .map(|value| value as i64),
        ),
        TypeKind::Date => {
            primitive::<Date32Type>(integers(0, 20_000).into_iter().map(|value| value as i32))
        }
        TypeKind::Time(_) => primitive::<Time32MillisecondType>(
            integers(0, 86_399_999)
                .into_iter()
                .map(|value| value as i32),
        ),
        TypeKind::Boolean => Arc::new(
            randoms
                .iter_mut()
                .map(|random| Some(random.next() & 1 == 1))
                .collect::<BooleanArray>(),
        ),
        TypeKind::Float => primitive::<Float32Type>(
            floats(range, randoms, f64::from(f32::MAX)).map(|value| value as f32),
        ),
        TypeKind::Double => primitive::<Float64Type>(floats(range, randoms, f64::MAX)),
        TypeKind::Decimal(precision, scale) => random_decimals(*precision, *scale, range, randoms),
        TypeKind::Timestamp(precision) | TypeKind::TimestampLtz(precision) => {
            timestamps(*precision, range, randoms)
        }
        TypeKind::Char(_) | TypeKind::Varchar(_) => texts(range.length, randoms),
        TypeKind::Binary(_) | TypeKind::Varbinary(_) => binaries(range.length, randoms),
        TypeKind::Array(element) => lists(element, range, randoms),
        TypeKind::Map(key, value) => maps(kind, &key.kind, &value.kind, range, randoms),
        TypeKind::Multiset(element) => maps(kind, &element.kind, &TypeKind::Int, range, randoms),
        TypeKind::Row(fields) => {
            let columns = fields
                .iter()
                .map(|field| random(&field.ty.kind, range, randoms))
                .collect();
            let DataType::Struct(fields) = arrow_type(kind) else {
                unreachable!("a ROW is a struct")
            };
            Arc::new(StructArray::new(fields, columns, None))
        }
        TypeKind::Null => new_null_array(&DataType::Null, randoms.len()),
    }
}

fn floats<'a>(
    range: &Range,
    randoms: &'a mut [Random],
    greatest: f64,
) -> impl Iterator<Item = f64> + 'a {
    let low = range.min.unwrap_or(0.0);
    let high = range
        .max
        .unwrap_or(if range.min.is_some() { greatest } else { 1.0 })
        .max(low);
    randoms
        .iter_mut()
        .map(move |random| low + random.fraction() * (high - low))
}

fn random_decimals(precision: u8, scale: u8, range: &Range, randoms: &mut [Random]) -> ArrayRef {
    let unit = 10_i128.pow(u32::from(scale));
    // 18 digits of chance are enough for any type.
    let greatest = 10_i128.pow(u32::from(precision.min(18))) - 1;
    let bound = |number: f64| (number * unit as f64) as i128;
    let low = range
        .min
        .map_or(-greatest, bound)
        .clamp(-greatest, greatest);
    let high = range.max.map_or(greatest, bound).clamp(low, greatest);
    decimals(
        precision,
        scale,
        randoms.iter_mut().map(|random| random.within(low, high)),
    )
}

/// Timestamps lie up to `max-past` before now.
fn timestamps(precision: u8, range: &Range, randoms: &mut [Random]) -> ArrayRef {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    let now_ms = i128::try_from(now.as_millis()).unwrap_or_default();
    let past = i128::try_from(range.max_past.as_millis()).unwrap_or_default();
    let millis = randoms
        .iter_mut()
        .map(|random| now_ms - random.within(0, past));
    if precision <= MICROSECOND_PRECISION_MAX {
        primitive::<TimestampMicrosecondType>(millis.map(|ms| (ms * 1_000) as i64))
    } else {
        let array =
            PrimitiveArray::<Decimal128Type>::from_iter_values(millis.map(|ms| ms * 1_000_000));
        Arc::new(
            array
                .with_precision_and_scale(38, 0)
                .expect("38 digits are Arrow's bound"),
        )
    }
}

fn hex(length: usize, random: &mut Random, text: &mut Vec<u8>) {
    text.clear();
    while text.len() < length {
        let mut bits = random.next();
        for _ in 0..16.min(length - text.len()) {
            text.push(HEX[(bits & 15) as usize]);
            bits >>= 4;
        }
    }
}

fn texts(length: usize, randoms: &mut [Random]) -> ArrayRef {
    let mut builder = StringViewBuilder::with_capacity(randoms.len());
    let mut text = Vec::new();
    for random in randoms {
        hex(length, random, &mut text);
        builder.append_value(std::str::from_utf8(&text).expect("hexadecimal digits are ASCII"));
    }
    Arc::new(builder.finish())
}

fn binaries(length: usize, randoms: &mut [Random]) -> ArrayRef {
    let mut builder = BinaryViewBuilder::with_capacity(randoms.len());
    for random in randoms {
        let bytes: Vec<u8> = (0..length).map(|_| random.next() as u8).collect();
        builder.append_value(bytes);
    }
    Arc::new(builder.finish())
}

/// Returns a generator for each element of each row's list.
fn elements(length: usize, randoms: &mut [Random]) -> Vec<Random> {
    randoms
        .iter_mut()
        .flat_map(|random| {
            (0..length)
                .map(|_| Random::new(random.next(), 0, 0))
                .collect::<Vec<_>>()
        })
        .collect()
}

fn inner_range(range: &Range) -> Range {
    Range {
        length: 10,
        ..range.clone()
    }
}

fn lists(element: &FlinkType, range: &Range, randoms: &mut [Random]) -> ArrayRef {
    let rows = randoms.len();
    let values = random(
        &element.kind,
        &inner_range(range),
        &mut elements(range.length, randoms),
    );
    let DataType::List(field) = arrow_type(&TypeKind::Array(Box::new(element.clone()))) else {
        unreachable!("an ARRAY is a list")
    };
    let offsets = OffsetBuffer::from_lengths(std::iter::repeat_n(range.length, rows));
    Arc::new(ListArray::new(field, offsets, values, None))
}

fn maps(
    kind: &TypeKind,
    key: &TypeKind,
    value: &TypeKind,
    range: &Range,
    randoms: &mut [Random],
) -> ArrayRef {
    let rows = randoms.len();
    let mut each = elements(range.length, randoms);
    let keys = random(key, &inner_range(range), &mut each);
    let values = random(value, &inner_range(range), &mut each);
    let DataType::Map(field, ordered) = arrow_type(kind) else {
        unreachable!("a MAP is a map")
    };
    let DataType::Struct(fields) = field.data_type() else {
        unreachable!("a map has entries")
    };
    let entries = StructArray::new(fields.clone(), vec![keys, values], None);
    let offsets = OffsetBuffer::from_lengths(std::iter::repeat_n(range.length, rows));
    Arc::new(MapArray::new(field, offsets, entries, None, ordered))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::Array;

    #[test]
    fn every_type_is_made_in_its_physical_form() {
        let int = || Box::new(TypeKind::Int.nullable());
        let kinds = [
            TypeKind::TinyInt,
            TypeKind::SmallInt,
            TypeKind::Int,
            TypeKind::BigInt,
            TypeKind::Float,
            TypeKind::Double,
            TypeKind::Boolean,
            TypeKind::Decimal(10, 2),
            TypeKind::Decimal(38, 10),
            TypeKind::Date,
            TypeKind::Time(0),
            TypeKind::Timestamp(3),
            TypeKind::TimestampLtz(9),
            TypeKind::Varchar(20),
            TypeKind::Varbinary(20),
            TypeKind::Array(int()),
            TypeKind::Map(Box::new(TypeKind::Varchar(5).not_null()), int()),
            TypeKind::Multiset(int()),
        ];
        for kind in kinds {
            let range = Range {
                length: 4,
                ..Range::default()
            };
            let field = Field {
                ty: kind.clone().nullable(),
                how: How::Random(range),
            };
            let array = column(&field, 1, &[0, 1, 2]);
            assert_eq!(array.len(), 3, "{kind:?}");
            assert_eq!(*array.data_type(), arrow_type(&kind), "{kind:?}");
            let again = column(&field, 1, &[1]);
            if !matches!(kind, TypeKind::Timestamp(_) | TypeKind::TimestampLtz(_)) {
                assert_eq!(*again, *array.slice(1, 1), "{kind:?} comes out the same");
            }
        }
    }
}
