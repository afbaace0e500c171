//! States of a fixed size a group: one cell each in one vector, folded by one loop over a column of numbers.

use std::fmt::Debug;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, PrimitiveArray};
use arrow_buffer::NullBufferBuilder;
use arrow_schema::DataType;

use super::state::{AggregateState, Rows, Trace};
use crate::RowError;

/// A function from numbers to a number with a state of a fixed size. NULL is never given to it.
pub(super) trait Accumulator: Debug + Send + Sync + 'static {
    /// The argument.
    type Input: ArrowPrimitiveType;
    /// The result.
    type Output: ArrowPrimitiveType;
    /// The state of a group.
    type Cell: Copy + Debug + Send;

    /// Returns the state of an empty group.
    fn initial(&self) -> Self::Cell;
    fn add(&self, cell: &mut Self::Cell, value: Native<Self::Input>);
    fn retract(&self, cell: &mut Self::Cell, value: Native<Self::Input>);
    fn merge(&self, cell: &mut Self::Cell, other: Self::Cell);
    fn value(&self, cell: Self::Cell) -> Option<Native<Self::Output>>;
    fn write(&self, cell: Self::Cell, out: &mut Vec<u8>);
    fn read(&self, bytes: &mut &[u8]) -> Option<Self::Cell>;

    /// Tells whether two states differ for Flink; `None` = if their results do.
    fn differ(&self, _before: Self::Cell, _after: Self::Cell) -> Option<bool> {
        None
    }
}

/// The Rust type of a column's values.
pub(super) type Native<T> = <T as ArrowPrimitiveType>::Native;

/// The cells of all groups.
#[derive(Debug)]
pub(super) struct Dense<A: Accumulator> {
    accumulator: A,
    output: DataType,
    cells: Vec<A::Cell>,
}

impl<A: Accumulator> Dense<A> {
    /// Returns the state of no groups; `output` is the results' Arrow type.
    pub(super) fn boxed(accumulator: A, output: DataType) -> Box<dyn AggregateState> {
        Box::new(Self {
            accumulator,
            output,
            cells: Vec::new(),
        })
    }

    fn apply(&mut self, group: u32, sign: i8, value: Native<A::Input>) {
        let cell = &mut self.cells[group as usize];
        match sign {
            1 => self.accumulator.add(cell, value),
            -1 => self.accumulator.retract(cell, value),
            _ => {}
        }
    }
}

impl<A: Accumulator> AggregateState for Dense<A> {
    fn resize(&mut self, groups: usize) {
        self.cells.resize(groups, self.accumulator.initial());
    }

    fn reset(&mut self, group: u32) {
        self.cells[group as usize] = self.accumulator.initial();
    }

    fn fold(&mut self, rows: Rows<'_>) -> Result<(), RowError> {
        let values = rows.args[0].as_primitive::<A::Input>();
        let nulls = values.nulls().filter(|nulls| nulls.null_count() > 0);
        match (nulls, rows.signs) {
            (None, None) => {
                for (group, value) in rows.groups.iter().zip(values.values()) {
                    let cell = &mut self.cells[*group as usize];
                    self.accumulator.add(cell, *value);
                }
            }
            (nulls, signs) => {
                for (row, (group, value)) in rows.groups.iter().zip(values.values()).enumerate() {
                    if nulls.is_none_or(|nulls| nulls.is_valid(row)) {
                        self.apply(*group, signs.map_or(1, |signs| signs[row]), *value);
                    }
                }
            }
        }
        Ok(())
    }

    fn trace(&mut self, rows: Rows<'_>) -> Result<Trace, RowError> {
        let values = rows.args[0].as_primitive::<A::Input>();
        let mut before = Column::<A::Output>::with_capacity(rows.groups.len());
        let mut after = Column::<A::Output>::with_capacity(rows.groups.len());
        let mut changed = Vec::new();
        for (row, (group, value)) in rows.groups.iter().zip(values.values()).enumerate() {
            let old = self.cells[*group as usize];
            before.push(self.accumulator.value(old));
            if values.is_valid(row) {
                self.apply(*group, rows.signs.map_or(1, |signs| signs[row]), *value);
            }
            let new = self.cells[*group as usize];
            after.push(self.accumulator.value(new));
            changed.extend(self.accumulator.differ(old, new));
        }
        Ok(Trace {
            before: before.finish(&self.output),
            after: after.finish(&self.output),
            changed: (!changed.is_empty()).then_some(changed),
        })
    }

    fn merge(&mut self, into: &[u32], from: &[u32]) -> Result<(), RowError> {
        for (into, from) in into.iter().zip(from) {
            let other = self.cells[*from as usize];
            self.accumulator
                .merge(&mut self.cells[*into as usize], other);
        }
        Ok(())
    }

    fn value(&self, groups: &[u32]) -> ArrayRef {
        let mut column = Column::<A::Output>::with_capacity(groups.len());
        for group in groups {
            column.push(self.accumulator.value(self.cells[*group as usize]));
        }
        column.finish(&self.output)
    }

    fn write(&self, group: u32, out: &mut Vec<u8>) {
        self.accumulator.write(self.cells[group as usize], out);
    }

    fn read(&mut self, group: u32, bytes: &mut &[u8]) -> Option<()> {
        self.cells[group as usize] = self.accumulator.read(bytes)?;
        Some(())
    }

    fn bytes(&self) -> usize {
        self.cells.capacity() * size_of::<A::Cell>()
    }
}

/// Builds a column of numbers.
struct Column<T: ArrowPrimitiveType> {
    values: Vec<T::Native>,
    nulls: NullBufferBuilder,
}

impl<T: ArrowPrimitiveType> Column<T> {
    fn with_capacity(rows: usize) -> Self {
        Self {
            values: Vec::with_capacity(rows),
            nulls: NullBufferBuilder::new(rows),
        }
    }

    fn push(&mut self, value: Option<T::Native>) {
        self.values.push(value.unwrap_or_default());
        self.nulls.append(value.is_some());
    }

    fn finish(mut self, ty: &DataType) -> ArrayRef {
        let array = PrimitiveArray::<T>::new(self.values.into(), self.nulls.finish());
        Arc::new(array.with_data_type(ty.clone()))
    }
}
