//! SINGLE_VALUE, which the planner puts over a scalar sub-query.
//!
//! # Flink
//! `SingleValueAggFunction`, 1.17: a second row fails.

use arrow_array::ArrayRef;
use millrace_connector::FlinkType;
use millrace_connector::physical::arrow_type;

use super::codec::{Fixed, ValueCodec, put_option, take_option};
use super::state::{Aggregate, AggregateState, Rows};
use crate::RowError;

/// The value of the only row.
#[derive(Debug)]
pub(super) struct Single {
    return_type: FlinkType,
}

impl Single {
    pub(super) fn new(return_type: FlinkType) -> Self {
        Self { return_type }
    }
}

impl Aggregate for Single {
    fn return_type(&self) -> &FlinkType {
        &self.return_type
    }

    fn merges(&self) -> bool {
        false
    }

    fn state(&self) -> Box<dyn AggregateState> {
        Box::new(Values {
            codec: ValueCodec::new(&[arrow_type(&self.return_type.kind)]),
            values: Vec::new(),
            bytes: 0,
        })
    }
}

#[derive(Debug)]
struct Values {
    codec: ValueCodec,
    /// How many rows there are, and the value of the last.
    values: Vec<(i64, Option<Box<[u8]>>)>,
    bytes: usize,
}

impl Values {
    fn set(&mut self, group: u32, count: i64, value: Option<&[u8]>) {
        let old = std::mem::replace(
            &mut self.values[group as usize],
            (count, value.map(Into::into)),
        );
        self.bytes += value.map_or(0, <[u8]>::len);
        self.bytes -= old.1.map_or(0, |old| old.len());
    }

    fn add(&mut self, group: u32, row: usize, value: &[u8]) -> Result<(), RowError> {
        let count = self.values[group as usize].0;
        if count > 0 {
            return Err(too_many(row));
        }
        self.set(group, count + 1, Some(value));
        Ok(())
    }
}

fn too_many(row: usize) -> RowError {
    RowError::new(
        row,
        "SingleValueAggFunction received more than one element.",
    )
}

impl AggregateState for Values {
    fn resize(&mut self, groups: usize) {
        self.values.resize(groups, (0, None));
    }

    fn reset(&mut self, group: u32) {
        self.set(group, 0, None);
    }

    fn fold(&mut self, rows: Rows<'_>) -> Result<(), RowError> {
        let encoded = self.codec.encode(rows.args);
        for (row, group) in rows.groups.iter().enumerate() {
            match rows.signs.map_or(1, |signs| signs[row]) {
                1 => self.add(*group, row, encoded.row(row).data())?,
                -1 => {
                    let count = self.values[*group as usize].0;
                    if count > 1 {
                        return Err(too_many(row));
                    }
                    self.set(*group, count - 1, None);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn merge(&mut self, into: &[u32], from: &[u32]) -> Result<(), RowError> {
        for (row, (into, from)) in into.iter().zip(from).enumerate() {
            if let (1.., Some(value)) = self.values[*from as usize].clone() {
                self.add(*into, row, &value)?;
            }
        }
        Ok(())
    }

    fn value(&self, groups: &[u32]) -> ArrayRef {
        let values = groups.iter().map(|group| &self.values[*group as usize].1);
        self.codec.decode_options(values.map(Option::as_deref))
    }

    fn write(&self, group: u32, out: &mut Vec<u8>) {
        let (count, value) = &self.values[group as usize];
        count.put(out);
        put_option(value.as_deref(), out);
    }

    fn read(&mut self, group: u32, bytes: &mut &[u8]) -> Option<()> {
        let count = i64::take(bytes)?;
        let value = take_option(bytes)?;
        self.set(group, count, value);
        Some(())
    }

    fn bytes(&self) -> usize {
        self.bytes + self.values.capacity() * size_of::<(i64, Option<Box<[u8]>>)>()
    }
}
