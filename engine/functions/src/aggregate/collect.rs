//! COLLECT.
//!
//! # Flink
//! `CollectAggFunction`, 1.17: a MULTISET, never NULL; NULLs are left out.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Int32Array, MapArray, StructArray};
use arrow_buffer::OffsetBuffer;
use arrow_schema::DataType;
use millrace_connector::physical::arrow_type;
use millrace_connector::{FlinkType, TypeKind};

use super::codec::ValueCodec;
use super::counted::Counted;
use super::state::{Aggregate, AggregateState, EntryVisitor, Rows};
use crate::RowError;

/// COLLECT over one type.
#[derive(Debug)]
pub(super) struct Collect {
    element: FlinkType,
    return_type: FlinkType,
}

impl Collect {
    pub(super) fn new(element: FlinkType) -> Self {
        Self {
            return_type: TypeKind::Multiset(Box::new(element.clone())).not_null(),
            element,
        }
    }
}

impl Aggregate for Collect {
    fn return_type(&self) -> &FlinkType {
        &self.return_type
    }

    fn state(&self) -> Box<dyn AggregateState> {
        Box::new(Multisets {
            ty: arrow_type(&self.return_type.kind),
            codec: ValueCodec::new(&[arrow_type(&self.element.kind)]),
            values: Counted::default(),
        })
    }
}

#[derive(Debug)]
struct Multisets {
    ty: DataType,
    codec: ValueCodec,
    values: Counted,
}

impl AggregateState for Multisets {
    fn resize(&mut self, groups: usize) {
        self.values.resize(groups);
    }

    fn reset(&mut self, group: u32) {
        self.values.reset(group);
    }

    fn fold(&mut self, rows: Rows<'_>) -> Result<(), RowError> {
        let values = &rows.args[0];
        let encoded = self.codec.encode(rows.args);
        for (row, group) in rows.groups.iter().enumerate() {
            let sign = rows.signs.map_or(1, |signs| signs[row]);
            if sign != 0 && values.is_valid(row) {
                let value = encoded.row(row);
                self.values.change(*group, value.data(), sign.into());
            }
        }
        Ok(())
    }

    fn merge(&mut self, into: &[u32], from: &[u32]) -> Result<(), RowError> {
        for (into, from) in into.iter().zip(from) {
            self.values.merge(*into, *from);
        }
        Ok(())
    }

    fn value(&self, groups: &[u32]) -> ArrayRef {
        let (mut values, mut counts, mut lengths) = (Vec::new(), Vec::new(), Vec::new());
        for group in groups {
            let first = values.len();
            for (value, count) in self.values.of_group(*group) {
                values.push(value);
                counts.push(i32::try_from(count).unwrap_or(i32::MAX));
            }
            // In order of arrival.
            values[first..].reverse();
            counts[first..].reverse();
            lengths.push(values.len() - first);
        }
        let values = self.codec.decode(values).pop().expect("one column");
        let DataType::Map(entries, sorted) = &self.ty else {
            unreachable!("a multiset lies in a map")
        };
        let DataType::Struct(fields) = entries.data_type() else {
            unreachable!("the entries of a map are a struct")
        };
        let columns = vec![values, Arc::new(Int32Array::from(counts)) as ArrayRef];
        Arc::new(MapArray::new(
            Arc::clone(entries),
            OffsetBuffer::from_lengths(lengths),
            StructArray::new(fields.clone(), columns, None),
            None,
            *sorted,
        ))
    }

    fn write(&self, _group: u32, _out: &mut Vec<u8>) {}

    fn read(&mut self, _group: u32, _bytes: &mut &[u8]) -> Option<()> {
        Some(())
    }

    fn take_entries(&mut self, visit: &mut EntryVisitor<'_>) {
        self.values.take_entries(visit);
    }

    fn read_entry(&mut self, group: u32, key: &[u8], value: &[u8]) -> Option<()> {
        self.values.read_entry(group, key, value)
    }

    fn bytes(&self) -> usize {
        self.values.bytes()
    }
}
