//! MIN, MAX, FIRST_VALUE and LAST_VALUE over rows that are never taken back: one value a group is kept.
//!
//! # Flink
//! `MinAggFunction`, `MaxAggFunction`, `FirstValueAggFunction` and `LastValueAggFunction`, 1.17: NULLs are left out,
//! without any value the result is NULL. MIN and MAX compare as `<` and `>` do, so NaN stays if it came first and is
//! never taken later; texts order by their UTF-8 bytes. First and last are meant in order of arrival.

use std::fmt::Debug;
use std::marker::PhantomData;

use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, Time32MillisecondType, TimestampMicrosecondType,
};
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType};
use arrow_schema::{DataType, TimeUnit};
use millrace_connector::FlinkType;
use millrace_connector::physical::arrow_type;

use super::codec::{Fixed, ValueCodec, ValueList, put_option, take_option};
use super::dense::{Accumulator, Dense};
use super::state::{Aggregate, AggregateState, Rows, Trace};
use crate::RowError;

/// Which value is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    Least,
    Greatest,
    First,
    Last,
}

impl Choice {
    /// Tells whether a new value takes the place of the one before.
    pub(super) fn takes<N: PartialOrd + ?Sized>(self, new: &N, old: &N) -> bool {
        match self {
            Self::Least => new < old,
            Self::Greatest => new > old,
            Self::First => false,
            Self::Last => true,
        }
    }
}

/// A value of the argument, chosen among all.
#[derive(Debug)]
pub(super) struct Chosen {
    choice: Choice,
    return_type: FlinkType,
}

impl Chosen {
    pub(super) fn new(choice: Choice, return_type: FlinkType) -> Self {
        Self {
            choice,
            return_type,
        }
    }
}

impl Aggregate for Chosen {
    fn return_type(&self) -> &FlinkType {
        &self.return_type
    }

    fn merges(&self) -> bool {
        matches!(self.choice, Choice::Least | Choice::Greatest)
    }

    fn state(&self) -> Box<dyn AggregateState> {
        let choice = self.choice;
        let ty = arrow_type(&self.return_type.kind);
        match &ty {
            DataType::Int8 => Dense::boxed(Number::<Int8Type>::new(choice), ty),
            DataType::Int16 => Dense::boxed(Number::<Int16Type>::new(choice), ty),
            DataType::Int32 => Dense::boxed(Number::<Int32Type>::new(choice), ty),
            DataType::Int64 => Dense::boxed(Number::<Int64Type>::new(choice), ty),
            DataType::Float32 => Dense::boxed(Number::<Float32Type>::new(choice), ty),
            DataType::Float64 => Dense::boxed(Number::<Float64Type>::new(choice), ty),
            DataType::Decimal128(..) => Dense::boxed(Number::<Decimal128Type>::new(choice), ty),
            DataType::Date32 => Dense::boxed(Number::<Date32Type>::new(choice), ty),
            DataType::Time32(TimeUnit::Millisecond) => {
                Dense::boxed(Number::<Time32MillisecondType>::new(choice), ty)
            }
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                Dense::boxed(Number::<TimestampMicrosecondType>::new(choice), ty)
            }
            _ => Box::new(Values {
                choice,
                codec: ValueCodec::new(std::slice::from_ref(&ty)),
                values: Vec::new(),
                bytes: 0,
            }),
        }
    }
}

#[derive(Clone, Debug)]
struct Number<T> {
    choice: Choice,
    of: PhantomData<fn() -> T>,
}

impl<T> Number<T> {
    fn new(choice: Choice) -> Self {
        Self {
            choice,
            of: PhantomData,
        }
    }
}

impl<T> Accumulator for Number<T>
where
    T: ArrowPrimitiveType<Native: Fixed> + Debug,
{
    type Input = T;
    type Output = T;
    type Cell = Option<T::Native>;

    fn initial(&self) -> Self::Cell {
        None
    }

    fn add(&self, cell: &mut Self::Cell, value: T::Native) {
        if cell.is_none_or(|old| self.choice.takes(&value, &old)) {
            *cell = Some(value);
        }
    }

    /// The planner takes the variant that keeps all values where rows are taken back.
    fn retract(&self, _cell: &mut Self::Cell, _value: T::Native) {
        debug_assert!(
            false,
            "a row is taken back from a state that keeps one value"
        );
    }

    fn merge(&self, cell: &mut Self::Cell, other: Self::Cell) {
        if let Some(value) = other {
            self.add(cell, value);
        }
    }

    fn value(&self, cell: Self::Cell) -> Option<T::Native> {
        cell
    }

    fn write(&self, cell: Self::Cell, out: &mut Vec<u8>) {
        cell.is_some().put(out);
        if let Some(value) = cell {
            value.put(out);
        }
    }

    fn read(&self, bytes: &mut &[u8]) -> Option<Self::Cell> {
        if bool::take(bytes)? {
            Some(Some(Fixed::take(bytes)?))
        } else {
            Some(None)
        }
    }
}

/// A value of any type a group, as bytes that order as the values do.
#[derive(Debug)]
struct Values {
    choice: Choice,
    codec: ValueCodec,
    values: Vec<Option<Box<[u8]>>>,
    bytes: usize,
}

impl Values {
    fn offer(&mut self, group: u32, value: &[u8]) {
        let old = &mut self.values[group as usize];
        if old
            .as_deref()
            .is_none_or(|old| self.choice.takes(value, old))
        {
            self.bytes += value.len();
            self.bytes -= old.as_ref().map_or(0, |old| old.len());
            *old = Some(value.into());
        }
    }
}

impl AggregateState for Values {
    fn resize(&mut self, groups: usize) {
        self.values.resize(groups, None);
    }

    fn reset(&mut self, group: u32) {
        let old = self.values[group as usize].take();
        self.bytes -= old.map_or(0, |old| old.len());
    }

    fn fold(&mut self, rows: Rows<'_>) -> Result<(), RowError> {
        let values = &rows.args[0];
        let encoded = self.codec.encode(rows.args);
        for (row, group) in rows.groups.iter().enumerate() {
            let sign = rows.signs.map_or(1, |signs| signs[row]);
            debug_assert!(sign >= 0, "this state keeps one value");
            if sign > 0 && values.is_valid(row) {
                self.offer(*group, encoded.row(row).data());
            }
        }
        Ok(())
    }

    fn trace(&mut self, rows: Rows<'_>) -> Result<Trace, RowError> {
        let values = &rows.args[0];
        let encoded = self.codec.encode(rows.args);
        let (mut before, mut after) = (ValueList::default(), ValueList::default());
        for (row, group) in rows.groups.iter().enumerate() {
            before.push(self.values[*group as usize].as_deref());
            let sign = rows.signs.map_or(1, |signs| signs[row]);
            if sign > 0 && values.is_valid(row) {
                self.offer(*group, encoded.row(row).data());
            }
            after.push(self.values[*group as usize].as_deref());
        }
        Ok(Trace {
            before: before.decode(&self.codec),
            after: after.decode(&self.codec),
            changed: None,
        })
    }

    fn merge(&mut self, into: &[u32], from: &[u32]) -> Result<(), RowError> {
        for (into, from) in into.iter().zip(from) {
            if let Some(value) = self.values[*from as usize].clone() {
                self.offer(*into, &value);
            }
        }
        Ok(())
    }

    fn value(&self, groups: &[u32]) -> ArrayRef {
        let values = groups.iter().map(|group| &self.values[*group as usize]);
        self.codec.decode_options(values.map(Option::as_deref))
    }

    fn write(&self, group: u32, out: &mut Vec<u8>) {
        put_option(self.values[group as usize].as_deref(), out);
    }

    fn read(&mut self, group: u32, bytes: &mut &[u8]) -> Option<()> {
        self.reset(group);
        if let Some(value) = take_option(bytes)? {
            self.bytes += value.len();
            self.values[group as usize] = Some(value.into());
        }
        Some(())
    }

    fn bytes(&self) -> usize {
        self.values.capacity() * size_of::<Option<Box<[u8]>>>() + self.bytes
    }
}
