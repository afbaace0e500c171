//! AVG.
//!
//! # Flink
//! `AvgAggFunction`, 1.17: integers are summed as BIGINT, which wraps around, divided as integers and given back in
//! their own type; FLOAT and DOUBLE are summed as DOUBLE; a DECIMAL is summed as DECIMAL(38, s), beyond whose range the
//! result stays NULL, and divided to DECIMAL(38, max(6, s)).
//!
//! Over a NOT NULL argument, and before OVER, the planner writes `$SUM0(x) / COUNT(*)` instead (`AggregateReduceFunctionsRule`), so there
//! the sum has the argument's own type and wraps around in it, and sum and count are what Flink compares to tell an
//! update (`narrow` below).

use std::fmt::Debug;
use std::marker::PhantomData;

use arrow_array::ArrowPrimitiveType;
use arrow_array::types::{
    Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
};
use millrace_connector::physical::arrow_type;
use millrace_connector::{DECIMAL_PRECISION_MAX, FlinkType, TypeKind};

use super::codec::Fixed;
use super::dense::{Accumulator, Dense, Native};
use super::state::{Aggregate, AggregateState};
use super::sum::decimal_plus;
use crate::operator::decimal_quotient;

/// AVG over one type.
#[derive(Debug)]
pub(super) struct Average {
    return_type: FlinkType,
    /// The argument's type.
    arg: FlinkType,
    /// Whether the sum has the argument's own type.
    narrow: bool,
}

impl Average {
    pub(super) fn new(arg: FlinkType, return_type: FlinkType, narrow: bool) -> Self {
        Self {
            return_type,
            arg,
            narrow,
        }
    }
}

impl Aggregate for Average {
    fn return_type(&self) -> &FlinkType {
        &self.return_type
    }

    fn state(&self) -> Box<dyn AggregateState> {
        let narrow = self.narrow;
        let output = arrow_type(&self.return_type.kind);
        match self.arg.kind {
            TypeKind::TinyInt => Dense::boxed(WholeAverage::<Int8Type>::new(narrow), output),
            TypeKind::SmallInt => Dense::boxed(WholeAverage::<Int16Type>::new(narrow), output),
            TypeKind::Int => Dense::boxed(WholeAverage::<Int32Type>::new(narrow), output),
            TypeKind::Float => Dense::boxed(FloatAverage { narrow }, output),
            TypeKind::Double => Dense::boxed(DoubleAverage { narrow }, output),
            TypeKind::Decimal(_, scale) => {
                let result_scale = match self.return_type.kind {
                    TypeKind::Decimal(_, result_scale) => result_scale,
                    _ => scale,
                };
                let average = DecimalAverage {
                    scale,
                    result_scale,
                    narrow,
                };
                Dense::boxed(average, output)
            }
            _ => Dense::boxed(WholeAverage::<Int64Type>::new(narrow), output),
        }
    }
}

/// An integer that an average gives back.
trait Whole: Fixed + Debug + Send + Sync + Into<i64> {
    /// Returns the lowest bits, as Java's casts do.
    fn of(value: i64) -> Self;
}

macro_rules! whole {
    ($($ty:ty),*) => {$(
        impl Whole for $ty {
            fn of(value: i64) -> Self {
                value as Self
            }
        }
    )*};
}

whole!(i8, i16, i32, i64);

#[derive(Clone, Debug)]
struct WholeAverage<T> {
    /// Whether the sum wraps around in the argument's type.
    narrow: bool,
    of: PhantomData<fn() -> T>,
}

impl<T> WholeAverage<T> {
    fn new(narrow: bool) -> Self {
        Self {
            narrow,
            of: PhantomData,
        }
    }
}

/// A sum and how many values went into it.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Sum<N> {
    sum: N,
    count: i64,
}

impl<N: Fixed> Sum<N> {
    fn write(self, out: &mut Vec<u8>) {
        self.sum.put(out);
        self.count.put(out);
    }

    fn read(bytes: &mut &[u8]) -> Option<Self> {
        Some(Self {
            sum: Fixed::take(bytes)?,
            count: Fixed::take(bytes)?,
        })
    }
}

impl<T> Accumulator for WholeAverage<T>
where
    T: ArrowPrimitiveType<Native: Whole> + Debug,
{
    type Input = T;
    type Output = T;
    type Cell = Sum<i64>;

    fn initial(&self) -> Sum<i64> {
        Sum { sum: 0, count: 0 }
    }

    fn add(&self, cell: &mut Sum<i64>, value: T::Native) {
        cell.sum = cell.sum.wrapping_add(value.into());
        cell.count += 1;
    }

    fn retract(&self, cell: &mut Sum<i64>, value: T::Native) {
        cell.sum = cell.sum.wrapping_sub(value.into());
        cell.count -= 1;
    }

    fn merge(&self, cell: &mut Sum<i64>, other: Sum<i64>) {
        cell.sum = cell.sum.wrapping_add(other.sum);
        cell.count += other.count;
    }

    fn value(&self, cell: Sum<i64>) -> Option<Native<T>> {
        let sum = if self.narrow {
            T::Native::of(cell.sum).into()
        } else {
            cell.sum
        };
        (cell.count != 0).then(|| T::Native::of(sum.wrapping_div(cell.count)))
    }

    fn write(&self, cell: Sum<i64>, out: &mut Vec<u8>) {
        cell.write(out);
    }

    fn read(&self, bytes: &mut &[u8]) -> Option<Sum<i64>> {
        Sum::read(bytes)
    }

    fn differ(&self, before: Sum<i64>, after: Sum<i64>) -> Option<bool> {
        self.narrow.then_some(before != after)
    }
}

macro_rules! float_average {
    ($name:ident, $arrow:ty, $native:ty, $wide:expr, $divide:expr) => {
        impl Accumulator for $name {
            type Input = $arrow;
            type Output = $arrow;
            type Cell = Sum<f64>;

            fn initial(&self) -> Sum<f64> {
                Sum { sum: 0.0, count: 0 }
            }

            fn add(&self, cell: &mut Sum<f64>, value: $native) {
                cell.sum = $wide(self, cell.sum + f64::from(value));
                cell.count += 1;
            }

            fn retract(&self, cell: &mut Sum<f64>, value: $native) {
                cell.sum = $wide(self, cell.sum - f64::from(value));
                cell.count -= 1;
            }

            fn merge(&self, cell: &mut Sum<f64>, other: Sum<f64>) {
                cell.sum = $wide(self, cell.sum + other.sum);
                cell.count += other.count;
            }

            fn value(&self, cell: Sum<f64>) -> Option<$native> {
                (cell.count != 0).then(|| $divide(cell.sum, cell.count))
            }

            fn write(&self, cell: Sum<f64>, out: &mut Vec<u8>) {
                cell.write(out);
            }

            fn read(&self, bytes: &mut &[u8]) -> Option<Sum<f64>> {
                Sum::read(bytes)
            }

            fn differ(&self, before: Sum<f64>, after: Sum<f64>) -> Option<bool> {
                self.narrow.then_some(before != after)
            }
        }
    };
}

#[derive(Clone, Debug)]
struct FloatAverage {
    /// Whether the sum is a FLOAT too.
    narrow: bool,
}

#[derive(Clone, Debug)]
struct DoubleAverage {
    narrow: bool,
}

float_average!(
    FloatAverage,
    Float32Type,
    f32,
    // The sum of two FLOATs as DOUBLE, rounded to FLOAT, is their sum as FLOAT.
    |average: &FloatAverage, sum: f64| if average.narrow {
        f64::from(sum as f32)
    } else {
        sum
    },
    |sum: f64, count: i64| (sum / count as f64) as f32
);

float_average!(
    DoubleAverage,
    Float64Type,
    f64,
    |_: &DoubleAverage, sum: f64| sum,
    |sum: f64, count: i64| sum / count as f64
);

#[derive(Clone, Debug)]
struct DecimalAverage {
    scale: u8,
    result_scale: u8,
    narrow: bool,
}

impl Accumulator for DecimalAverage {
    type Input = Decimal128Type;
    type Output = Decimal128Type;
    /// The sum; `None` = it was out of range, and stays so.
    type Cell = Sum<Option<i128>>;

    fn initial(&self) -> Self::Cell {
        Sum {
            sum: Some(0),
            count: 0,
        }
    }

    fn add(&self, cell: &mut Self::Cell, value: i128) {
        cell.sum = cell.sum.and_then(|sum| decimal_plus(sum, value));
        cell.count += 1;
    }

    fn retract(&self, cell: &mut Self::Cell, value: i128) {
        cell.sum = cell.sum.and_then(|sum| decimal_plus(sum, -value));
        cell.count -= 1;
    }

    fn merge(&self, cell: &mut Self::Cell, other: Self::Cell) {
        let both = cell.sum.zip(other.sum);
        cell.sum = both.and_then(|(sum, other)| decimal_plus(sum, other));
        cell.count += other.count;
    }

    fn value(&self, cell: Self::Cell) -> Option<i128> {
        if cell.count == 0 {
            return None;
        }
        decimal_quotient(
            cell.sum?,
            self.scale,
            cell.count.into(),
            0,
            (DECIMAL_PRECISION_MAX, self.result_scale),
        )
    }

    fn write(&self, cell: Self::Cell, out: &mut Vec<u8>) {
        cell.sum.is_some().put(out);
        cell.sum.unwrap_or_default().put(out);
        cell.count.put(out);
    }

    fn read(&self, bytes: &mut &[u8]) -> Option<Self::Cell> {
        let is_some = bool::take(bytes)?;
        let sum = i128::take(bytes)?;
        Some(Sum {
            sum: is_some.then_some(sum),
            count: Fixed::take(bytes)?,
        })
    }

    fn differ(&self, before: Self::Cell, after: Self::Cell) -> Option<bool> {
        self.narrow.then_some(before != after)
    }
}
