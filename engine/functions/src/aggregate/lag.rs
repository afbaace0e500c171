//! LAG, as an aggregate over the rows so far.
//!
//! # Flink
//! `LagAggFunction`, 1.17: NULLs count; before there are so many rows the result is the default. With RANGE, the rows of
//! one time are all there before any of them is answered.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, UInt32Array};
use arrow_select::concat::concat;
use arrow_select::take::take;
use millrace_connector::FlinkType;
use millrace_connector::physical::arrow_type;

use super::codec::{Fixed, ValueCodec, put_bytes, take_bytes};
use super::state::{Aggregate, AggregateState, Rows};
use crate::RowError;

/// LAG with its distance and default.
#[derive(Debug)]
pub(super) struct Lag {
    return_type: FlinkType,
    distance: usize,
    /// One value, of the result's type; `None` = NULL.
    default: Option<ArrayRef>,
}

impl Lag {
    pub(super) fn new(return_type: FlinkType, distance: usize, default: Option<ArrayRef>) -> Self {
        Self {
            return_type,
            distance,
            default,
        }
    }
}

impl Aggregate for Lag {
    fn return_type(&self) -> &FlinkType {
        &self.return_type
    }

    fn merges(&self) -> bool {
        false
    }

    fn state(&self) -> Box<dyn AggregateState> {
        Box::new(Last {
            codec: ValueCodec::new(&[arrow_type(&self.return_type.kind)]),
            distance: self.distance,
            default: self.default.clone(),
            groups: Vec::new(),
            bytes: 0,
        })
    }
}

/// The last rows of each group, one more than the distance.
#[derive(Debug)]
struct Last {
    codec: ValueCodec,
    distance: usize,
    default: Option<ArrayRef>,
    groups: Vec<VecDeque<Box<[u8]>>>,
    bytes: usize,
}

impl Last {
    fn push(&mut self, group: u32, value: &[u8]) {
        let values = &mut self.groups[group as usize];
        values.push_back(value.into());
        self.bytes += value.len();
        if values.len() > self.distance + 1 {
            let old = values.pop_front().expect("there is one at least");
            self.bytes -= old.len();
        }
    }

    /// Returns the value as many rows back, if there are so many.
    fn lagging(&self, group: u32) -> Option<&[u8]> {
        let values = &self.groups[group as usize];
        (values.len() > self.distance).then(|| &*values[0])
    }
}

impl AggregateState for Last {
    fn resize(&mut self, groups: usize) {
        self.groups.resize_with(groups, VecDeque::new);
    }

    fn reset(&mut self, group: u32) {
        let old = std::mem::take(&mut self.groups[group as usize]);
        self.bytes -= old.iter().map(|value| value.len()).sum::<usize>();
    }

    fn fold(&mut self, rows: Rows<'_>) -> Result<(), RowError> {
        let encoded = self.codec.encode(rows.args);
        for (row, group) in rows.groups.iter().enumerate() {
            let sign = rows.signs.map_or(1, |signs| signs[row]);
            debug_assert!(sign >= 0, "the frame of LAG has no bound");
            if sign > 0 {
                self.push(*group, encoded.row(row).data());
            }
        }
        Ok(())
    }

    fn merge(&mut self, into: &[u32], from: &[u32]) -> Result<(), RowError> {
        for (into, from) in into.iter().zip(from) {
            for value in self.groups[*from as usize].clone() {
                self.push(*into, &value);
            }
        }
        Ok(())
    }

    fn value(&self, groups: &[u32]) -> ArrayRef {
        let values = groups.iter().map(|group| self.lagging(*group));
        let values = self.codec.decode_options(values);
        let Some(default) = &self.default else {
            return values;
        };
        let end = u32::try_from(values.len()).expect("a batch has fewer than 2^32 rows");
        let places = groups.iter().zip(0..).map(|(group, place)| {
            if self.lagging(*group).is_some() {
                place
            } else {
                end
            }
        });
        let places = UInt32Array::from_iter_values(places);
        concat(&[&values as &dyn Array, &Arc::clone(default)])
            .and_then(|both| take(&both, &places, None))
            .expect("values and default have one type")
    }

    fn write(&self, group: u32, out: &mut Vec<u8>) {
        let values = &self.groups[group as usize];
        u32::try_from(values.len())
            .expect("a distance has 31 bits")
            .put(out);
        for value in values {
            put_bytes(value, out);
        }
    }

    fn read(&mut self, group: u32, bytes: &mut &[u8]) -> Option<()> {
        self.reset(group);
        for _ in 0..u32::take(bytes)? {
            let value = take_bytes(bytes)?;
            self.push(group, value);
        }
        Some(())
    }

    fn bytes(&self) -> usize {
        self.bytes + self.groups.capacity() * size_of::<VecDeque<Box<[u8]>>>()
    }
}
