//! Lookup joins: each row beside the rows that a table outside has for its key just then.

mod cache;

use std::fmt::Debug;

use arrow_array::{ArrayRef, UInt32Array};
use arrow_schema::DataType;
use hashbrown::HashMap;

use self::cache::Cache;
pub use self::cache::LookupCacheSpec;
use crate::condition::{JoinCondition, add_matches};
use crate::emit::{ByteRows, Matchable, matchable, take_rows};
use crate::pair_output::{JOINED_ROWS_MAX, Other, PairOutput, Shape, Sides};
use crate::{Batch, Context, EncodedRows, Operator, OperatorError, Output, RowCodec};

/// A table that rows are looked up in.
pub trait LookupTable: Debug + Send {
    /// Returns the rows that the table has for some keys, none of them NULL and each only once; it waits for the answer.
    ///
    /// # Errors
    /// A table that cannot be reached, after it has been tried as often as its options say.
    fn lookup(&mut self, keys: &[ArrayRef], count: usize) -> Result<LookedUp, OperatorError>;
}

/// What a table has for some keys.
#[derive(Clone, Debug, Default)]
pub struct LookedUp {
    /// The rows' columns.
    pub columns: Vec<ArrayRef>,
    /// The key of each row, by its place; in any order.
    pub keys: Vec<u32>,
}

/// What a lookup join is told: `left [LEFT] JOIN table FOR SYSTEM_TIME AS OF left.proctime`.
#[derive(Debug)]
pub struct LookupJoinSpec {
    /// Whether a row without a match comes out beside NULLs.
    pub is_left_outer: bool,
    /// The types of the input's columns.
    pub columns: Vec<DataType>,
    /// The input's columns that are looked up, in the order in which the table takes them.
    pub key: Vec<usize>,
    /// The types of the table's columns that come out.
    pub table_columns: Vec<DataType>,
    /// The table.
    pub table: Box<dyn LookupTable>,
    /// What a row and the table's row must fulfil beside.
    pub condition: Option<Box<dyn JoinCondition>>,
    /// `lookup.cache` = `PARTIAL`; `None` = every key is asked for.
    pub cache: Option<LookupCacheSpec>,
}

/// Looks up the keys of a batch, each once, and joins.
///
/// # Flink
/// `LookupJoinRunner`: a row keeps its kind, and a NULL in the key matches nothing. There a table is asked for each row, here
/// for each key of a batch. It keeps no state; what its cache holds is gone after a restart.
#[derive(Debug)]
pub struct LookupJoin {
    is_left_outer: bool,
    columns: Vec<DataType>,
    key: Vec<usize>,
    keys: RowCodec,
    rows: RowCodec,
    table_columns: Vec<DataType>,
    table: Box<dyn LookupTable>,
    condition: Option<Box<dyn JoinCondition>>,
    cache: Option<Cache>,
}

/// The table's rows for each key of a batch.
type Found = HashMap<Box<[u8]>, Vec<Box<[u8]>>>;

impl LookupJoin {
    /// Returns the operator.
    ///
    /// # Errors
    /// A type that has no place in Flink.
    pub fn new(spec: LookupJoinSpec) -> Result<Self, OperatorError> {
        let key = spec.key.iter();
        Ok(Self {
            is_left_outer: spec.is_left_outer,
            keys: RowCodec::new(key.map(|column| spec.columns[*column].clone()))?,
            rows: RowCodec::new(spec.table_columns.iter().cloned())?,
            columns: spec.columns,
            key: spec.key,
            table_columns: spec.table_columns,
            table: spec.table,
            condition: spec.condition,
            cache: spec.cache.map(Cache::new),
        })
    }

    fn look_up(
        &mut self,
        batch: &Batch,
        keys: &EncodedRows,
        matchable: &Matchable,
        now_ms: i64,
    ) -> Result<Found, OperatorError> {
        let mut found = Found::new();
        let mut asked: Vec<u32> = Vec::new();
        for (row, key) in keys
            .iter()
            .enumerate()
            .filter(|(row, _)| matchable.has(*row))
        {
            if found.contains_key(key) {
                continue;
            }
            let cached = self.cache.as_mut().and_then(|cache| cache.get(key, now_ms));
            if cached.is_none() {
                asked.push(row as u32);
            }
            found.insert(key.into(), cached.unwrap_or_default());
        }
        if asked.is_empty() {
            return Ok(found);
        }
        let places = UInt32Array::from(asked.clone());
        let columns = self
            .key
            .iter()
            .map(|column| take_rows(&batch.columns[*column], &places));
        let answer = self
            .table
            .lookup(&columns.collect::<Result<Vec<_>, _>>()?, asked.len())?;
        let rows = self.rows.encode(&answer.columns, answer.keys.len())?;
        for (row, key) in rows.iter().zip(&answer.keys) {
            let key = keys.row(asked[*key as usize] as usize);
            found
                .get_mut(key)
                .expect("each key has a place")
                .push(row.into());
        }
        if let Some(cache) = &mut self.cache {
            for key in asked.iter().map(|row| keys.row(*row as usize)) {
                cache.put(key, &found[key], now_ms);
            }
        }
        Ok(found)
    }

    /// Returns for each pair, the first row's one after another, whether it matches.
    fn matches(
        &mut self,
        batch: &Batch,
        rows: &[u32],
        table: &[ArrayRef],
        now_ms: i64,
    ) -> Result<Vec<bool>, OperatorError> {
        let Some(condition) = &mut self.condition else {
            return Ok(vec![true; rows.len()]);
        };
        let places = UInt32Array::from(rows.to_vec());
        let columns = batch
            .columns
            .iter()
            .map(|column| take_rows(column, &places));
        let columns = columns.chain(table.iter().cloned().map(Ok));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        let mask =
            condition
                .evaluate(&columns, rows.len(), now_ms)
                .map_err(|error| match error {
                    OperatorError::Row { row, message } => OperatorError::Row {
                        row: rows[row] as usize,
                        message,
                    },
                    error => error,
                })?;
        let mut matches = Vec::with_capacity(rows.len());
        add_matches(&mask, &mut matches);
        Ok(matches)
    }
}

impl Operator for LookupJoin {
    fn batch(
        &mut self,
        _input: usize,
        batch: Batch,
        ctx: &Context,
        out: &mut Output,
    ) -> Result<(), OperatorError> {
        let keys = self.keys.encode_some(&batch, &self.key)?;
        let matchable = matchable(&batch, &self.key, &vec![true; self.key.len()]);
        let found = self.look_up(&batch, &keys, &matchable, ctx.now_ms)?;
        let mut from = 0;
        while from < batch.rows {
            let mut rows: Vec<u32> = Vec::new();
            let mut ends = Vec::new();
            let mut stored = ByteRows::default();
            for row in from..batch.rows {
                let met = found.get(keys.row(row)).filter(|_| matchable.has(row));
                for table_row in met.into_iter().flatten() {
                    stored.push(table_row);
                    rows.push(row as u32);
                }
                ends.push(rows.len());
                if rows.len() >= JOINED_ROWS_MAX {
                    break;
                }
            }
            let table = self.rows.decode(stored.iter())?;
            let matches = self.matches(&batch, &rows, &table, ctx.now_ms)?;
            let sides = Sides {
                input: &batch.columns,
                input_types: &self.columns,
                codec: &self.rows,
                other_types: &self.table_columns,
            };
            let mut output = PairOutput::new(Shape::InputOther, sides, Some(&table));
            let mut start = 0;
            for (row, end) in (from..).zip(&ends) {
                let met = (start..*end).filter(|pair| matches[*pair]);
                let mut any = false;
                for pair in met {
                    any = true;
                    output.push(batch.kind(row), Some(row), Some(Other::Decoded(pair)), out)?;
                }
                if !any && self.is_left_outer {
                    output.push(batch.kind(row), Some(row), None, out)?;
                }
                start = *end;
            }
            output.flush(out)?;
            from += ends.len();
        }
        Ok(())
    }

    fn size(&self) -> (u64, u64) {
        self.cache.as_ref().map_or((0, 0), Cache::size)
    }
}

#[cfg(test)]
mod tests;
