//! `ORDER BY … OFFSET … LIMIT` over an input that ends.

use std::collections::BTreeMap;

use arrow_schema::DataType;
use millrace_connector::RowKind;

use crate::rank::SortColumn;
use crate::{Batch, Context, Operator, OperatorError, Output, RowCodec, Watermark};

/// How many rows go out at once.
const ROWS_MAX: usize = 2_048;

/// What a sort of everything is told.
#[derive(Clone, Debug)]
pub struct SortAllSpec {
    /// The columns' types.
    pub columns: Vec<DataType>,
    /// The order; rows that are equal in it keep the order of arrival.
    pub sort: Vec<SortColumn>,
    /// How many of the first rows are left out.
    pub offset: usize,
    /// How many rows behind them are given out.
    pub limit: usize,
}

/// Keeps all rows and gives them out in order when its input has ended. Rows may be taken back before.
/// What ends is run again from its beginning after a failure, so it writes no state.
///
/// # Flink
/// `SortOperator`, `SortLimitOperator` and `LimitOperator` of batch mode.
#[derive(Debug)]
pub struct SortAll {
    spec: SortAllSpec,
    rows: RowCodec,
    sorts: RowCodec,
    /// By sort key and arrival.
    kept: BTreeMap<(Vec<u8>, u64), Vec<u8>>,
    next: u64,
    bytes: u64,
    is_done: bool,
}

impl SortAll {
    /// Returns the operator without rows.
    ///
    /// # Errors
    /// A type that has no place in Flink.
    pub fn new(spec: SortAllSpec) -> Result<Self, OperatorError> {
        let sort = spec.sort.iter();
        let sort = sort.map(|sort| (spec.columns[sort.column].clone(), sort.options));
        Ok(Self {
            rows: RowCodec::new(spec.columns.iter().cloned())?,
            sorts: RowCodec::sorted(sort)?,
            kept: BTreeMap::new(),
            next: 0,
            bytes: 0,
            is_done: false,
            spec,
        })
    }

    fn take_back(&mut self, sort: &[u8], row: &[u8]) {
        let from = (sort.to_vec(), 0);
        let to = (sort.to_vec(), u64::MAX);
        let mut range = self.kept.range(from..=to);
        let found = range.find(|(_, known)| known.as_slice() == row);
        if let Some(place) = found.map(|(place, _)| place.clone()) {
            self.kept.remove(&place);
            self.bytes -= (sort.len() + row.len()) as u64;
        }
    }
}

impl Operator for SortAll {
    fn batch(
        &mut self,
        _input: usize,
        batch: Batch,
        _ctx: &Context,
        _out: &mut Output,
    ) -> Result<(), OperatorError> {
        let columns: Vec<usize> = self.spec.sort.iter().map(|sort| sort.column).collect();
        let sorts = self.sorts.encode_some(&batch, &columns)?;
        let rows = self.rows.encode(&batch.columns, batch.rows)?;
        for row in 0..batch.rows {
            let (sort, bytes) = (sorts.row(row), rows.row(row));
            match batch.kind(row) {
                RowKind::Insert | RowKind::UpdateAfter => {
                    self.kept.insert((sort.to_vec(), self.next), bytes.to_vec());
                    self.next += 1;
                    self.bytes += (sort.len() + bytes.len()) as u64;
                }
                RowKind::UpdateBefore | RowKind::Delete => self.take_back(sort, bytes),
            }
        }
        Ok(())
    }

    fn watermark(
        &mut self,
        watermark: Watermark,
        _ctx: &Context,
        out: &mut Output,
    ) -> Result<(), OperatorError> {
        if watermark == Watermark::END && !std::mem::replace(&mut self.is_done, true) {
            let rows = self.kept.values().skip(self.spec.offset);
            let rows: Vec<&[u8]> = rows.take(self.spec.limit).map(Vec::as_slice).collect();
            for part in rows.chunks(ROWS_MAX) {
                let columns = self.rows.decode(part.iter().copied())?;
                out.batch(Batch::inserts(columns, part.len()));
            }
        }
        out.watermark(watermark);
        Ok(())
    }

    fn size(&self) -> (u64, u64) {
        (self.kept.len() as u64, self.bytes)
    }
}
