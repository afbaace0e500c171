//! COUNT.
//!
//! # Flink
//! `CountAggFunction` and `Count1AggFunction`, 1.17: BIGINT NOT NULL; with an argument, rows where it is NULL do not count.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Int64Array};
use arrow_schema::DataType;
use millrace_connector::{FlinkType, TypeKind};

use super::codec::Fixed;
use super::state::{Aggregate, AggregateState, Rows, Trace};
use crate::RowError;

/// COUNT over all rows, or over those where its one argument is not NULL.
#[derive(Debug)]
pub(super) struct Count(FlinkType);

impl Count {
    pub(super) fn new() -> Self {
        Self(TypeKind::BigInt.not_null())
    }
}

impl Aggregate for Count {
    fn return_type(&self) -> &FlinkType {
        &self.0
    }

    fn state(&self) -> Box<dyn AggregateState> {
        Box::new(Counts(Vec::new()))
    }
}

#[derive(Debug)]
struct Counts(Vec<i64>);

/// Calls `each` with the row, group and sign of each row that counts, and with sign 0 for the others.
fn for_each(rows: Rows<'_>, mut each: impl FnMut(u32, i64)) {
    let arg = rows.args.first();
    let all_null = arg.is_some_and(|arg| arg.data_type() == &DataType::Null);
    let nulls = arg.and_then(|arg| arg.nulls());
    for (row, group) in rows.groups.iter().enumerate() {
        let counts = !all_null && nulls.is_none_or(|nulls| nulls.is_valid(row));
        let sign = rows.signs.map_or(1, |signs| signs[row]);
        each(*group, if counts { i64::from(sign) } else { 0 });
    }
}

impl AggregateState for Counts {
    fn resize(&mut self, groups: usize) {
        self.0.resize(groups, 0);
    }

    fn reset(&mut self, group: u32) {
        self.0[group as usize] = 0;
    }

    fn fold(&mut self, rows: Rows<'_>) -> Result<(), RowError> {
        for_each(rows, |group, sign| self.0[group as usize] += sign);
        Ok(())
    }

    fn trace(&mut self, rows: Rows<'_>) -> Result<Trace, RowError> {
        let mut before = Vec::with_capacity(rows.groups.len());
        let mut after = Vec::with_capacity(rows.groups.len());
        for_each(rows, |group, sign| {
            let count = &mut self.0[group as usize];
            before.push(*count);
            *count += sign;
            after.push(*count);
        });
        Ok(Trace {
            before: Arc::new(Int64Array::from(before)),
            after: Arc::new(Int64Array::from(after)),
            changed: None,
        })
    }

    fn merge(&mut self, into: &[u32], from: &[u32]) -> Result<(), RowError> {
        for (into, from) in into.iter().zip(from) {
            self.0[*into as usize] += self.0[*from as usize];
        }
        Ok(())
    }

    fn value(&self, groups: &[u32]) -> ArrayRef {
        let counts = groups.iter().map(|group| self.0[*group as usize]);
        Arc::new(Int64Array::from_iter_values(counts))
    }

    fn write(&self, group: u32, out: &mut Vec<u8>) {
        self.0[group as usize].put(out);
    }

    fn read(&mut self, group: u32, bytes: &mut &[u8]) -> Option<()> {
        self.0[group as usize] = i64::take(bytes)?;
        Some(())
    }

    fn bytes(&self) -> usize {
        self.0.capacity() * size_of::<i64>()
    }
}
