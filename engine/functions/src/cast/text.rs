//! Conversions from and to text and bytes.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, Time32MillisecondType,
};
use arrow_array::{Array, ArrayRef, BooleanArray};
use arrow_buffer::BooleanBufferBuilder;
use jiff::tz::TimeZone;
use millrace_connector::physical::arrow_type;
use millrace_connector::{FlinkType, LENGTH_MAX, TypeKind};

use super::convert::{
    Converter, OnFailure, build_binary, build_primitive, build_text, cut, merge_nulls,
};
use super::parse_number::{parse_boolean, parse_decimal, parse_double, parse_float, parse_integer};
use super::parse_temporal::{bad_datetime, parse_date, parse_time, parse_timestamp};
use super::print::print_value;
use super::temporal::timestamp_builder;
use super::zone::ZoneOffsets;
use crate::RowError;

/// Returns the conversion of text to a type that is no text.
pub(crate) fn from_text(to: &TypeKind, on_failure: OnFailure, tz: &TimeZone) -> Option<Converter> {
    macro_rules! integer {
        ($arrow:ty, $native:ty) => {
            parse_into::<$arrow>(to, on_failure, |text| {
                parse_integer(text, i64::from(<$native>::MIN), i64::from(<$native>::MAX))
                    .map(|v| <$native>::try_from(v).expect("parsed within its range"))
                    .map_err(|reason| bad_number(text, reason))
            })
        };
    }
    let converter = match to {
        TypeKind::TinyInt => integer!(Int8Type, i8),
        TypeKind::SmallInt => integer!(Int16Type, i16),
        TypeKind::Int => integer!(Int32Type, i32),
        TypeKind::BigInt => integer!(Int64Type, i64),
        TypeKind::Float => parse_into::<Float32Type>(to, on_failure, parse_float),
        TypeKind::Double => parse_into::<Float64Type>(to, on_failure, parse_double),
        TypeKind::Decimal(precision, scale) => {
            let (precision, scale) = (*precision, *scale);
            let data_type = arrow_type(to);
            Converter::fallible(move |array| {
                let input = array.as_string_view();
                build_primitive::<Decimal128Type>(
                    input.len(),
                    input.nulls(),
                    &data_type,
                    on_failure,
                    |row| {
                        let text = input.value(row);
                        parse_decimal(text, precision, scale)
                            .map_err(|reason| bad_number(text, reason))
                    },
                )
            })
        }
        TypeKind::Boolean => Converter::fallible(move |array| text_to_boolean(array, on_failure)),
        TypeKind::Date => parse_into::<Date32Type>(to, on_failure, |text| {
            parse_date(text).ok_or_else(|| bad_datetime(text))
        }),
        TypeKind::Time(_) => parse_into::<Time32MillisecondType>(to, on_failure, |text| {
            parse_time(text).ok_or_else(|| bad_datetime(text))
        }),
        TypeKind::Timestamp(precision) | TypeKind::TimestampLtz(precision) => {
            let precision = *precision;
            let local = matches!(to, TypeKind::TimestampLtz(_)).then(|| tz.clone());
            Converter::fallible(move |array| {
                let input = array.as_string_view();
                let mut zone = local.as_ref().map(ZoneOffsets::new);
                timestamp_builder(input.len(), input.nulls(), precision, on_failure, |row| {
                    let clock = parse_timestamp(input.value(row), precision)?;
                    let millis = match &mut zone {
                        Some(zone) => zone.instant_millis(clock.millis),
                        None => clock.millis,
                    };
                    Ok((millis, clock.nanos_of_milli))
                })
            })
        }
        TypeKind::Binary(length) => sized_bytes(*length, true, text_bytes),
        TypeKind::Varbinary(length) => sized_bytes(*length, false, text_bytes),
        _ => return None,
    };
    Some(converter.with_fallible(on_failure == OnFailure::Fail && !to.is_binary()))
}

fn bad_number(text: &str, reason: &str) -> String {
    format!("For input string: '{}'. {reason}", cut(text))
}

fn parse_into<O: arrow_array::ArrowPrimitiveType>(
    to: &TypeKind,
    on_failure: OnFailure,
    parse: impl Fn(&str) -> Result<O::Native, String> + Send + Sync + 'static,
) -> Converter {
    let data_type = arrow_type(to);
    Converter::fallible(move |array| {
        let input = array.as_string_view();
        build_primitive::<O>(input.len(), input.nulls(), &data_type, on_failure, |row| {
            parse(input.value(row)).map(Some)
        })
    })
}

fn text_to_boolean(array: &ArrayRef, on_failure: OnFailure) -> Result<ArrayRef, RowError> {
    let input = array.as_string_view();
    let mut values = BooleanBufferBuilder::new(input.len());
    let mut unknown = Vec::new();
    for row in 0..input.len() {
        if input.is_null(row) {
            values.append(false);
            continue;
        }
        match parse_boolean(input.value(row)) {
            Ok(value) => values.append(value),
            Err(message) if on_failure == OnFailure::Fail => {
                return Err(RowError::new(row, message));
            }
            Err(_) => {
                unknown.push(row);
                values.append(false);
            }
        }
    }
    let nulls = merge_nulls(input.len(), input.nulls(), &unknown);
    Ok(Arc::new(BooleanArray::new(values.finish(), nulls)))
}

/// How a conversion reads the bytes of a row.
type BytesOf = fn(&ArrayRef, usize) -> &[u8];

fn text_bytes(array: &ArrayRef, row: usize) -> &[u8] {
    array.as_string_view().value(row).as_bytes()
}

fn binary_bytes(array: &ArrayRef, row: usize) -> &[u8] {
    array.as_binary_view().value(row)
}

/// Returns the conversion of bytes to BINARY or VARBINARY: cut or filled with zeros where the type is BINARY or shorter
/// than what is cast.
pub(crate) fn bytes_to_bytes(from: &TypeKind, to: &TypeKind) -> Option<Converter> {
    let (TypeKind::Binary(given) | TypeKind::Varbinary(given)) = from else {
        return None;
    };
    match to {
        TypeKind::Varbinary(length) if given <= length => Some(Converter::identity()),
        TypeKind::Binary(length) | TypeKind::Varbinary(length) => {
            Some(sized_bytes(*length, true, binary_bytes))
        }
        _ => None,
    }
}

fn sized_bytes(length: u32, fixed: bool, bytes_of: BytesOf) -> Converter {
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    Converter::infallible(move |array| {
        Ok(build_binary(array.len(), array.nulls(), |row, out| {
            let bytes = bytes_of(array, row);
            out.extend_from_slice(&bytes[..bytes.len().min(length)]);
            if fixed {
                out.resize(length, 0);
            }
        }))
    })
}

/// Returns the conversion of any type to CHAR or VARCHAR.
pub(crate) fn to_text(from: &FlinkType, to: &TypeKind, legacy: bool, tz: &TimeZone) -> Converter {
    let sized = fit_length(&from.kind, to, legacy);
    if from.kind.is_character() {
        return sized;
    }
    let (kind, tz) = (from.kind.clone(), tz.clone());
    let lower = legacy && kind == TypeKind::Boolean;
    Converter::infallible(move |array| {
        let mut zone = ZoneOffsets::new(&tz);
        Ok(build_text(array.len(), array.nulls(), |row, out| {
            print_value(&kind, array, row, &mut zone, out);
            if lower {
                out.make_ascii_lowercase();
            }
        }))
    })
    .then(sized)
}

/// Returns the conversion that cuts text to the characters a type has, and fills CHAR with spaces.
fn fit_length(from: &TypeKind, to: &TypeKind, legacy: bool) -> Converter {
    let (length, fixed) = match to {
        TypeKind::Char(length) => (*length, true),
        TypeKind::Varchar(length) => (*length, false),
        _ => unreachable!("the target is text"),
    };
    let known = match from {
        TypeKind::Char(n) if fixed => *n == length,
        TypeKind::Char(n) | TypeKind::Varchar(n) if !fixed => *n <= length,
        _ => false,
    };
    if legacy || known || (!fixed && length == LENGTH_MAX) {
        return Converter::identity();
    }
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    Converter::infallible(move |array| {
        let input = array.as_string_view();
        let fits = |text: &str| text.len() <= length || text.chars().count() <= length;
        let exact = |text: &str| fits(text) && text.chars().count() == length;
        let kept = input
            .iter()
            .flatten()
            .all(|text| if fixed { exact(text) } else { fits(text) });
        if kept {
            return Ok(Arc::clone(array));
        }
        Ok(build_text(input.len(), input.nulls(), |row, out| {
            let mut count = 0;
            for c in input.value(row).chars().take(length) {
                out.push(c);
                count += 1;
            }
            if fixed {
                out.extend(std::iter::repeat_n(' ', length - count));
            }
        }))
    })
}
