//! Reads timestamps of both layouts.

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, Decimal128Array, TimestampMicrosecondArray};

use crate::Column;

/// Returns the values for `rows` rows of the only argument that is no literal: a constant comes with a batch of
/// one row, or of none.
pub(crate) fn values(column: &Column, rows: usize) -> ArrayRef {
    let array = column.array();
    array.slice(0, rows.min(array.len()))
}

/// A point on the time line as Flink's `TimestampData` has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    /// Milliseconds since 1970-01-01 00:00:00, floored.
    pub(crate) millis: i64,
    /// Nanoseconds of the millisecond, 0..=999,999.
    pub(crate) nanos: i64,
}

impl Moment {
    /// Returns the moment of so many microseconds.
    pub(crate) fn from_micros(micros: i64) -> Self {
        Self {
            millis: micros.div_euclid(1000),
            nanos: micros.rem_euclid(1000) * 1000,
        }
    }

    /// Returns the moment of so many nanoseconds.
    pub(crate) fn from_nanos(nanos: i128) -> Self {
        // Java's milliseconds wrap around beyond 292 million years.
        let millis = nanos.div_euclid(1_000_000) as i64;
        let rest = i64::try_from(nanos.rem_euclid(1_000_000)).expect("below a million");
        Self {
            millis,
            nanos: rest,
        }
    }

    /// Returns it in microseconds; far outside of Flink's years it wraps.
    pub(crate) fn micros(self) -> i64 {
        self.millis
            .wrapping_mul(1000)
            .wrapping_add(self.nanos / 1000)
    }

    /// Returns it in nanoseconds.
    pub(crate) fn total_nanos(self) -> i128 {
        i128::from(self.millis) * 1_000_000 + i128::from(self.nanos)
    }
}

/// A TIMESTAMP or TIMESTAMP_LTZ argument.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Moments<'a> {
    /// Up to precision 6.
    Micros(&'a TimestampMicrosecondArray, bool),
    /// Above.
    Nanos(&'a Decimal128Array, bool),
}

impl<'a> Moments<'a> {
    /// Reads `column` as timestamps.
    pub(crate) fn new(column: &'a Column) -> Self {
        let constant = column.is_constant();
        match column
            .array()
            .as_primitive_opt::<TimestampMicrosecondType>()
        {
            Some(array) => Self::Micros(array, constant),
            None => Self::Nanos(column.array().as_primitive::<Decimal128Type>(), constant),
        }
    }

    /// Returns the moment of `row`, or `None` for NULL.
    #[inline]
    pub(crate) fn get(&self, row: usize) -> Option<Moment> {
        match self {
            Self::Micros(array, constant) => {
                let row = if *constant { 0 } else { row };
                array
                    .is_valid(row)
                    .then(|| Moment::from_micros(array.value(row)))
            }
            Self::Nanos(array, constant) => {
                let row = if *constant { 0 } else { row };
                array
                    .is_valid(row)
                    .then(|| Moment::from_nanos(array.value(row)))
            }
        }
    }
}
