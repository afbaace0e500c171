//! HASH_CODE.
//!
//! # Flink
//! The Java `hashCode` of the value's internal form: the absolute value of what `java.lang.String` has for
//! text, bytes by Murmur 3 with the seed
//! 42, a timestamp by its milliseconds and the nanoseconds within, a decimal as `java.math.BigDecimal`.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, Time32MillisecondType, TimestampMicrosecondType,
};
use arrow_array::{ArrayRef, PrimitiveArray};
use millrace_connector::TypeKind;

use super::kernel::{BatchKernel, Values};
use super::signature::{Param, check, nullable_if_any};
use crate::{Bound, CallError, Category, Column, FunctionDef, Volatility};

/// `HASH_CODE`.
pub(crate) static HASH_CODE: FunctionDef = FunctionDef {
    name: "HASH_CODE",
    aliases: &[],
    category: Category::Hash,
    signatures: &["HASH_CODE(value ANY) → INT"],
    doc: "Returns the value's hash code, as Java computes it.\nNULL gives NULL.",
    examples: &[("HASH_CODE('a')", "97")],
    volatility: Volatility::Deterministic,
    bind: |args, _| {
        let arg_types = check("HASH_CODE", args, &[Param::Any], 0)?;
        let hash = hasher(&args[0].ty.kind).ok_or_else(|| CallError::NotYet {
            what: format!("HASH_CODE of {}", args[0].ty.kind),
        })?;
        Ok(Bound {
            arg_types,
            return_type: nullable_if_any(args, TypeKind::Int),
            kernel: BatchKernel::infallible("HASH_CODE", move |args: &[Column], rows| {
                let column = &args[0];
                let values: PrimitiveArray<Int32Type> = (0..rows)
                    .map(|row| (!column.is_null(row)).then(|| hash(column, row)))
                    .collect();
                Arc::new(values) as ArrayRef
            }),
        })
    },
};

/// Hashes the value of a row that is not NULL.
type Hash = fn(&Column, usize) -> i32;

fn hasher(kind: &TypeKind) -> Option<Hash> {
    Some(match kind {
        TypeKind::Char(_) | TypeKind::Varchar(_) => |column, row| {
            let text = column.array().as_string_view().value(column.index(row));
            let hash = text.encode_utf16().fold(0_i32, |hash, unit| {
                hash.wrapping_mul(31).wrapping_add(i32::from(unit))
            });
            hash.wrapping_abs()
        },
        TypeKind::Boolean => |column, row| {
            if column.array().as_boolean().value(column.index(row)) {
                1231
            } else {
                1237
            }
        },
        TypeKind::Binary(_) | TypeKind::Varbinary(_) => {
            |column, row| murmur3(column.array().as_binary_view().value(column.index(row)))
        }
        TypeKind::Decimal(..) => |column, row| {
            let array = column.array().as_primitive::<Decimal128Type>();
            let scale = i32::from(array.scale());
            big_integer_hash(array.value(column.index(row)))
                .wrapping_mul(31)
                .wrapping_add(scale)
        },
        TypeKind::TinyInt => |column, row| get::<Int8Type>(column, row).into(),
        TypeKind::SmallInt => |column, row| get::<Int16Type>(column, row).into(),
        TypeKind::Int | TypeKind::IntervalYearMonth(..) => get::<Int32Type>,
        TypeKind::BigInt | TypeKind::IntervalDayTime(..) => {
            |column, row| long_hash(get::<Int64Type>(column, row))
        }
        TypeKind::Float => |column, row| {
            let value = get::<Float32Type>(column, row);
            let bits = if value.is_nan() {
                0x7fc0_0000
            } else {
                value.to_bits()
            };
            bits.cast_signed()
        },
        TypeKind::Double => |column, row| {
            let value = get::<Float64Type>(column, row);
            let bits = if value.is_nan() {
                0x7ff8_0000_0000_0000
            } else {
                value.to_bits()
            };
            long_hash(bits.cast_signed())
        },
        TypeKind::Date => get::<Date32Type>,
        TypeKind::Time(_) => get::<Time32MillisecondType>,
        TypeKind::Timestamp(p) | TypeKind::TimestampLtz(p) if *p <= 6 => |column, row| {
            let micros = get::<TimestampMicrosecondType>(column, row);
            timestamp_hash(micros.div_euclid(1000), micros.rem_euclid(1000) * 1000)
        },
        TypeKind::Timestamp(_) | TypeKind::TimestampLtz(_) => |column, row| {
            let nanos = get::<Decimal128Type>(column, row);
            let narrow = |value: i128| i64::try_from(value).unwrap_or(i64::MAX);
            timestamp_hash(
                narrow(nanos.div_euclid(1_000_000)),
                narrow(nanos.rem_euclid(1_000_000)),
            )
        },
        TypeKind::Array(_)
        | TypeKind::Map(..)
        | TypeKind::Multiset(_)
        | TypeKind::Row(_)
        | TypeKind::Null => return None,
    })
}

fn get<T: arrow_array::types::ArrowPrimitiveType>(column: &Column, row: usize) -> T::Native {
    Values::<T>::new(column)
        .get(row)
        .expect("the row is not NULL")
}

/// Returns the low 32 bits.
fn low(value: u64) -> u32 {
    u32::try_from(value & 0xffff_ffff).expect("32 bits are left")
}

fn long_hash(value: i64) -> i32 {
    let bits = value.cast_unsigned();
    low(bits ^ (bits >> 32)).cast_signed()
}

fn timestamp_hash(millis: i64, nanos_of_milli: i64) -> i32 {
    let nanos = low(nanos_of_milli.cast_unsigned()).cast_signed();
    long_hash(millis).wrapping_mul(31).wrapping_add(nanos)
}

/// `java.math.BigInteger.hashCode`: over the magnitude's 32-bit words from the highest, with the sign.
fn big_integer_hash(value: i128) -> i32 {
    let magnitude = value.unsigned_abs();
    let hash = (0..4)
        .rev()
        .map(|word| u32::try_from((magnitude >> (32 * word)) & 0xffff_ffff).expect("32 bits"))
        .fold(0_u32, |hash, word| hash.wrapping_mul(31).wrapping_add(word))
        .cast_signed();
    if value < 0 { hash.wrapping_neg() } else { hash }
}

/// Flink's `MurmurHashUtil.hashUnsafeBytes`: whole words, then each byte left as a signed word of its own.
pub(super) fn murmur3(bytes: &[u8]) -> i32 {
    let (words, rest) = bytes.as_chunks::<4>();
    let mut hash = 42_u32;
    for word in words {
        hash = mix(hash, u32::from_le_bytes(*word));
    }
    for byte in rest {
        hash = mix(hash, i32::from(byte.cast_signed()).cast_unsigned());
    }
    hash ^= u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    hash = (hash ^ (hash >> 16)).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ (hash >> 13)).wrapping_mul(0xc2b2_ae35);
    (hash ^ (hash >> 16)).cast_signed()
}

fn mix(hash: u32, word: u32) -> u32 {
    let word = word
        .wrapping_mul(0xcc9e_2d51)
        .rotate_left(15)
        .wrapping_mul(0x1b87_3593);
    (hash ^ word)
        .rotate_left(13)
        .wrapping_mul(5)
        .wrapping_add(0xe654_6b64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_as_flink_does() {
        assert_eq!(murmur3(b"ab"), -97_053_317);
        assert_eq!(timestamp_hash(1_704_067_200_000, 0), -2_014_528_524);
        assert_eq!(long_hash(1.5_f64.to_bits().cast_signed()), 1_073_217_536);
        assert_eq!(big_integer_hash(150) * 31 + 2, 4652);
    }
}
