//! A chunk: rows of one table between two keys, and what the log does to them between the marks.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, UInt32Array};

use crate::decode::Columns;
use crate::definition::TableName;
use crate::position::{Bound, TableProgress};

/// Rows of one table from `lower` to below `upper`.
pub(crate) struct Chunk {
    pub(crate) table: TableName,
    /// Nothing: from NULL on.
    pub(crate) lower: Option<Bound>,
    /// Nothing: to the end.
    pub(crate) upper: Option<Bound>,
    pub(crate) columns: Vec<ArrayRef>,
    pub(crate) rows: usize,
    pub(crate) keys: Keys,
    /// How far the table has come with this chunk.
    pub(crate) after: TableProgress,
    /// The number of its low mark in the wave.
    pub(super) low: usize,
    /// Rows that the log changed, by primary key: removed, or put in with this number.
    touched: HashMap<Vec<u8>, Option<u32>>,
    puts: Option<Columns>,
    put_count: u32,
}

/// Primary keys of the rows, one behind the other.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    pub(super) bytes: Vec<u8>,
    pub(super) ends: Vec<u32>,
}

impl Keys {
    fn get(&self, row: usize) -> &[u8] {
        let start = row
            .checked_sub(1)
            .map_or(0, |before| self.ends[before] as usize);
        &self.bytes[start..self.ends[row] as usize]
    }
}

impl Chunk {
    pub(super) fn new(
        table: TableName,
        range: (Option<Bound>, Option<Bound>),
        columns: Vec<ArrayRef>,
        rows: usize,
        keys: Keys,
        after: TableProgress,
    ) -> Self {
        Self {
            table,
            lower: range.0,
            upper: range.1,
            columns,
            rows,
            keys,
            after,
            low: 0,
            touched: HashMap::new(),
            puts: None,
            put_count: 0,
        }
    }

    pub(super) fn remove(&mut self, key: Vec<u8>) {
        self.touched.insert(key, None);
    }

    /// Returns where to put a row; [`Self::put`] follows.
    pub(super) fn puts(&mut self, new: impl FnOnce() -> Columns) -> &mut Columns {
        self.puts.get_or_insert_with(new)
    }

    /// Notes that the row that was just appended has this key.
    pub(super) fn put(&mut self, key: Vec<u8>) {
        self.touched.insert(key, Some(self.put_count));
        self.put_count += 1;
    }

    /// Returns the rows as they are at the high mark.
    pub(crate) fn finish(&mut self) -> (Vec<ArrayRef>, usize) {
        let columns = std::mem::take(&mut self.columns);
        if self.touched.is_empty() {
            return (columns, self.rows);
        }
        let kept: BooleanArray = (0..self.rows)
            .map(|row| Some(!self.touched.contains_key(self.keys.get(row))))
            .collect();
        let mut order: Vec<u32> = self.touched.values().flatten().copied().collect();
        order.sort_unstable();
        let rows = kept.true_count() + order.len();
        let order = UInt32Array::from(order);
        let puts = self.puts.as_mut().map(Columns::finish).unwrap_or_default();
        let merged = columns.iter().enumerate().map(|(index, column)| {
            let old = arrow_select::filter::filter(column, &kept)
                .expect("the filter has the column's length");
            match puts.get(index) {
                None => old,
                Some(put) => {
                    let new = arrow_select::take::take(put, &order, None)
                        .expect("the numbers are of rows put");
                    arrow_select::concat::concat(&[&old, &new])
                        .expect("both are of the declared type")
                }
            }
        });
        (merged.collect(), rows)
    }

    /// Returns about how many bytes it takes.
    pub(crate) fn bytes(&self) -> usize {
        let columns = self
            .columns
            .iter()
            .map(|column: &Arc<dyn arrow_array::Array>| column.get_array_memory_size());
        columns.sum::<usize>() + self.keys.bytes.len() + self.keys.ends.len() * 4
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::Int32Array;
    use arrow_array::cast::AsArray;
    use arrow_array::types::Int32Type;
    use millrace_connector::TypeKind;

    use super::*;
    use crate::decode::DeclaredColumn;

    #[test]
    fn changes_are_put_into_the_rows() {
        let column: ArrayRef = Arc::new(Int32Array::from(vec![1, 2, 3]));
        let keys = Keys {
            bytes: vec![b'a', b'b', b'c'],
            ends: vec![1, 2, 3],
        };
        let mut chunk = Chunk::new(
            TableName::new("d", "t"),
            (None, None),
            vec![column],
            3,
            keys,
            TableProgress::default(),
        );
        chunk.remove(b"b".to_vec());
        let declared = [DeclaredColumn {
            name: "x".into(),
            ty: TypeKind::Int.nullable(),
        }];
        chunk.puts(|| Columns::new(&declared, 0));
        chunk.remove(b"zz".to_vec());
        let (columns, rows) = chunk.finish();
        assert_eq!(rows, 2);
        assert_eq!(columns[0].as_primitive::<Int32Type>().values(), &[1, 3]);
    }
}
