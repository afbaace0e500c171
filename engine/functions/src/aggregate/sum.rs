//! SUM and $SUM0.
//!
//! # Flink
//! `SumAggFunction`, `SumWithRetractAggFunction` and `Sum0AggFunction`, 1.17: integers keep their type and wrap around;
//! FLOAT sums as FLOAT; a DECIMAL becomes DECIMAL(38, s), and beyond its range the sum is NULL, from where the next value
//! begins anew. NULLs are left out; without any value the sum is NULL, that of $SUM0 is 0.
//!
//! Where the argument is NOT NULL and a group can be empty, the planner writes
//! `CASE COUNT(*) = 0 WHEN TRUE THEN NULL ELSE $SUM0(x) END` (`AggregateReduceFunctionsRule`): the count is compared too
//! when Flink looks whether a row changed anything.

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
use crate::cast::decimal::fits;

/// A number that can be summed up.
pub(super) trait Summand: Fixed + Debug + Send + Sync + Default + PartialEq {
    /// What added to any number gives that number.
    const IDENTITY: Self;
    fn plus(self, other: Self) -> Self;
    fn minus(self, other: Self) -> Self;
}

macro_rules! summand {
    ($($ty:ty),*) => {$(
        impl Summand for $ty {
            const IDENTITY: Self = 0;

            fn plus(self, other: Self) -> Self {
                self.wrapping_add(other)
            }

            fn minus(self, other: Self) -> Self {
                self.wrapping_sub(other)
            }
        }
    )*};
}

summand!(i8, i16, i32, i64);

macro_rules! float_summand {
    ($($ty:ty),*) => {$(
        impl Summand for $ty {
            // The first value is the sum as it is, and -0.0 stays so.
            const IDENTITY: Self = -0.0;

            fn plus(self, other: Self) -> Self {
                self + other
            }

            fn minus(self, other: Self) -> Self {
                self - other
            }
        }
    )*};
}

float_summand!(f32, f64);

/// SUM over one type.
#[derive(Debug)]
pub(super) struct Sum {
    return_type: FlinkType,
    options: Options,
}

#[derive(Clone, Copy, Debug)]
struct Options {
    /// Whether the sum of nothing is 0.
    is_sum0: bool,
    /// Whether another count is a change, even if the sum stays.
    shows_count: bool,
}

impl Sum {
    /// Returns SUM, or $SUM0, with that result.
    pub(super) fn new(return_type: FlinkType, is_sum0: bool, arg: &FlinkType) -> Self {
        let shows_count = !is_sum0 && !arg.nullable && return_type.nullable;
        Self {
            return_type,
            options: Options {
                is_sum0,
                shows_count,
            },
        }
    }
}

impl Aggregate for Sum {
    fn return_type(&self) -> &FlinkType {
        &self.return_type
    }

    fn state(&self) -> Box<dyn AggregateState> {
        let options = self.options;
        let output = arrow_type(&self.return_type.kind);
        match self.return_type.kind {
            TypeKind::TinyInt => Dense::boxed(NumberSum::<Int8Type>::new(options), output),
            TypeKind::SmallInt => Dense::boxed(NumberSum::<Int16Type>::new(options), output),
            TypeKind::Int => Dense::boxed(NumberSum::<Int32Type>::new(options), output),
            TypeKind::Float => Dense::boxed(NumberSum::<Float32Type>::new(options), output),
            TypeKind::Double => Dense::boxed(NumberSum::<Float64Type>::new(options), output),
            TypeKind::Decimal(..) => Dense::boxed(DecimalSum { options }, output),
            _ => Dense::boxed(NumberSum::<Int64Type>::new(options), output),
        }
    }
}

#[derive(Clone, Debug)]
struct NumberSum<T> {
    options: Options,
    of: PhantomData<fn() -> T>,
}

impl<T> NumberSum<T> {
    fn new(options: Options) -> Self {
        Self {
            options,
            of: PhantomData,
        }
    }
}

/// A sum and how many values went into it.
#[derive(Clone, Copy, Debug)]
struct SumCell<N> {
    sum: N,
    count: i64,
}

impl<T> Accumulator for NumberSum<T>
where
    T: ArrowPrimitiveType<Native: Summand> + Debug,
{
    type Input = T;
    type Output = T;
    type Cell = SumCell<T::Native>;

    fn initial(&self) -> Self::Cell {
        SumCell {
            sum: if self.options.is_sum0 {
                T::Native::default()
            } else {
                T::Native::IDENTITY
            },
            count: 0,
        }
    }

    fn add(&self, cell: &mut Self::Cell, value: T::Native) {
        cell.sum = cell.sum.plus(value);
        cell.count += 1;
    }

    fn retract(&self, cell: &mut Self::Cell, value: T::Native) {
        cell.sum = cell.sum.minus(value);
        cell.count -= 1;
    }

    fn merge(&self, cell: &mut Self::Cell, other: Self::Cell) {
        cell.sum = cell.sum.plus(other.sum);
        cell.count += other.count;
    }

    fn value(&self, cell: Self::Cell) -> Option<Native<T>> {
        (self.options.is_sum0 || cell.count != 0).then_some(cell.sum)
    }

    fn write(&self, cell: Self::Cell, out: &mut Vec<u8>) {
        cell.sum.put(out);
        cell.count.put(out);
    }

    fn read(&self, bytes: &mut &[u8]) -> Option<Self::Cell> {
        Some(SumCell {
            sum: Fixed::take(bytes)?,
            count: Fixed::take(bytes)?,
        })
    }

    fn differ(&self, before: Self::Cell, after: Self::Cell) -> Option<bool> {
        self.options
            .shows_count
            .then(|| before.count != after.count || before.sum != after.sum)
    }
}

#[derive(Clone, Debug)]
struct DecimalSum {
    options: Options,
}

/// A sum that may be NULL: before the first value, and after one that was too much.
#[derive(Clone, Copy, Debug)]
struct DecimalCell {
    sum: Option<i128>,
    count: i64,
}

/// Returns the sum of two decimals of one scale; `None` = out of range.
pub(super) fn decimal_plus(left: i128, right: i128) -> Option<i128> {
    left.checked_add(right)
        .and_then(|sum| fits(sum, DECIMAL_PRECISION_MAX))
}

impl DecimalSum {
    /// $SUM0 of something out of range stays NULL, SUM begins anew.
    fn plus(&self, cell: &mut DecimalCell, value: i128) {
        cell.sum = match cell.sum {
            Some(sum) => decimal_plus(sum, value),
            None if self.options.is_sum0 => None,
            None => Some(value),
        };
    }
}

impl Accumulator for DecimalSum {
    type Input = Decimal128Type;
    type Output = Decimal128Type;
    type Cell = DecimalCell;

    fn initial(&self) -> DecimalCell {
        DecimalCell {
            sum: self.options.is_sum0.then_some(0),
            count: 0,
        }
    }

    fn add(&self, cell: &mut DecimalCell, value: i128) {
        self.plus(cell, value);
        cell.count += 1;
    }

    fn retract(&self, cell: &mut DecimalCell, value: i128) {
        self.plus(cell, -value);
        cell.count -= 1;
    }

    fn merge(&self, cell: &mut DecimalCell, other: DecimalCell) {
        match other.sum {
            Some(sum) => self.plus(cell, sum),
            None if self.options.is_sum0 => cell.sum = None,
            None => {}
        }
        cell.count += other.count;
    }

    fn value(&self, cell: DecimalCell) -> Option<i128> {
        cell.sum.filter(|_| self.options.is_sum0 || cell.count != 0)
    }

    fn write(&self, cell: DecimalCell, out: &mut Vec<u8>) {
        cell.sum.is_some().put(out);
        cell.sum.unwrap_or_default().put(out);
        cell.count.put(out);
    }

    fn read(&self, bytes: &mut &[u8]) -> Option<DecimalCell> {
        let is_some = bool::take(bytes)?;
        let sum = i128::take(bytes)?;
        Some(DecimalCell {
            sum: is_some.then_some(sum),
            count: Fixed::take(bytes)?,
        })
    }

    fn differ(&self, before: DecimalCell, after: DecimalCell) -> Option<bool> {
        self.options
            .shows_count
            .then(|| before.count != after.count || before.sum != after.sum)
    }
}
