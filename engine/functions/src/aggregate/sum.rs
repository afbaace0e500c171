//! SUM and $SUM0.
//!
//! # Flink
//! `SumAggFunction`, `SumWithRetractAggFunction` and `Sum0AggFunction`, 1.17: integers keep their type and wrap around;
//! FLOAT sums as FLOAT; a DECIMAL becomes DECIMAL(38, s), and beyond its range the sum is NULL, from where the next value
//! begins anew. NULLs are left out; without any value the sum is NULL, that of $SUM0 is 0.

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
pub(super) trait Summand: Fixed + Debug + Send + Sync + Default {
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
    /// Whether the sum of nothing is 0.
    is_sum0: bool,
}

impl Sum {
    /// Returns SUM, or $SUM0, with that result.
    pub(super) fn new(return_type: FlinkType, is_sum0: bool) -> Self {
        Self {
            return_type,
            is_sum0,
        }
    }
}

impl Aggregate for Sum {
    fn return_type(&self) -> &FlinkType {
        &self.return_type
    }

    fn state(&self) -> Box<dyn AggregateState> {
        let is_sum0 = self.is_sum0;
        let output = arrow_type(&self.return_type.kind);
        match self.return_type.kind {
            TypeKind::TinyInt => Dense::boxed(NumberSum::<Int8Type>::new(is_sum0), output),
            TypeKind::SmallInt => Dense::boxed(NumberSum::<Int16Type>::new(is_sum0), output),
            TypeKind::Int => Dense::boxed(NumberSum::<Int32Type>::new(is_sum0), output),
            TypeKind::Float => Dense::boxed(NumberSum::<Float32Type>::new(is_sum0), output),
            TypeKind::Double => Dense::boxed(NumberSum::<Float64Type>::new(is_sum0), output),
            TypeKind::Decimal(..) => Dense::boxed(DecimalSum { is_sum0 }, output),
            _ => Dense::boxed(NumberSum::<Int64Type>::new(is_sum0), output),
        }
    }
}

#[derive(Clone, Debug)]
struct NumberSum<T> {
    is_sum0: bool,
    of: PhantomData<fn() -> T>,
}

impl<T> NumberSum<T> {
    fn new(is_sum0: bool) -> Self {
        Self {
            is_sum0,
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
            sum: if self.is_sum0 {
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
        (self.is_sum0 || cell.count != 0).then_some(cell.sum)
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
}

#[derive(Clone, Debug)]
struct DecimalSum {
    is_sum0: bool,
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
            None if self.is_sum0 => None,
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
            sum: self.is_sum0.then_some(0),
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
            None if self.is_sum0 => cell.sum = None,
            None => {}
        }
        cell.count += other.count;
    }

    fn value(&self, cell: DecimalCell) -> Option<i128> {
        cell.sum.filter(|_| self.is_sum0 || cell.count != 0)
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
}
