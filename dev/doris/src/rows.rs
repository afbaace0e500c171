//! Rows on disk: a file a load, its layout in the first line, then one array of values a row; and how a table's loads
//! become the rows that a query sees.
//!
//! Values stand as they came, so long as they surely convert; reading converts them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::schema::{Aggregation, ColumnType, DELETE_SIGN, Keys, TableSchema};
use crate::value::{add, compare, convert};

/// Which values a row of a file has, in their order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Layout {
    pub(crate) columns: Vec<String>,
    /// Whether other columns keep what they have.
    pub(crate) is_partial: bool,
}

/// The rows of a table that a query sees, where they are.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub(crate) schema: TableSchema,
    /// Changes when rows went that were there: by TRUNCATE, or by another definition.
    pub(crate) generation: u64,
    /// The loads by version, with their files.
    pub(crate) loads: Vec<(u64, PathBuf)>,
}

/// One row of a file.
struct Stored {
    /// By column; `None` where the load did not name it.
    cells: Vec<Option<Value>>,
    is_deleted: bool,
}

impl Snapshot {
    /// Gives each row to `take`, values by column. Only the columns for which `wanted` says so are read in a DUPLICATE
    /// table; the others are NULL there.
    pub(crate) fn visit(
        &self,
        wanted: &dyn Fn(usize) -> bool,
        take: &mut dyn FnMut(&[Value]) -> io::Result<()>,
    ) -> io::Result<()> {
        let types = self.schema.types().map_err(io::Error::other)?;
        let defaults = self.defaults(&types);
        if self.schema.keys == Keys::Duplicate {
            let mut row = Vec::new();
            for (_, path) in &self.loads {
                read(
                    path,
                    &self.schema,
                    (&types, &defaults),
                    wanted,
                    &mut |stored| {
                        row.clear();
                        row.extend(stored.cells.into_iter().map(Option::unwrap_or_default));
                        take(&row)
                    },
                )?;
            }
            return Ok(());
        }
        let mut merged = Merged::new(&self.schema, &types, &defaults);
        for (_, path) in &self.loads {
            read(
                path,
                &self.schema,
                (&types, &defaults),
                &|_| true,
                &mut |stored| {
                    merged.put(stored);
                    Ok(())
                },
            )?;
        }
        merged
            .rows
            .iter()
            .filter(|row| !row.is_deleted)
            .try_for_each(|row| take(&row.cells))
    }

    fn defaults(&self, types: &[ColumnType]) -> Vec<Value> {
        let columns = self.schema.columns.iter().zip(types);
        columns
            .map(|(column, ty)| match &column.default {
                None => Value::Null,
                Some(text) => {
                    convert(*ty, &Value::from(text.as_str()), &TimeZone::UTC).unwrap_or(Value::Null)
                }
            })
            .collect()
    }
}

/// Gives each row of a file to `take`.
fn read(
    path: &Path,
    schema: &TableSchema,
    (types, defaults): (&[ColumnType], &[Value]),
    wanted: &dyn Fn(usize) -> bool,
    take: &mut dyn FnMut(Stored) -> io::Result<()>,
) -> io::Result<()> {
    let mut reader = BufReader::with_capacity(1 << 20, File::open(path)?);
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(());
    }
    let layout: Layout = serde_json::from_str(&line)?;
    let targets: Vec<Option<usize>> = layout
        .columns
        .iter()
        .map(|name| schema.position(name))
        .collect();
    let sign = layout.columns.iter().position(|name| name == DELETE_SIGN);
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let values: Vec<&RawValue> = serde_json::from_str(&line)?;
        let mut cells: Vec<Option<Value>> = if layout.is_partial {
            vec![None; schema.columns.len()]
        } else {
            defaults.iter().cloned().map(Some).collect()
        };
        for (value, target) in values.iter().zip(&targets) {
            if let Some(at) = target.filter(|at| wanted(*at)) {
                let value: Value = serde_json::from_str(value.get())?;
                let converted = convert(types[at], &value, &TimeZone::UTC);
                cells[at] = Some(converted.unwrap_or(Value::Null));
            }
        }
        let is_deleted = sign.is_some_and(|at| matches!(values[at].get(), "1" | "\"1\""));
        take(Stored { cells, is_deleted })?;
    }
}

struct MergedRow {
    cells: Vec<Value>,
    is_deleted: bool,
}

/// One row for each key.
struct Merged<'a> {
    schema: &'a TableSchema,
    types: &'a [ColumnType],
    defaults: &'a [Value],
    sequence: Option<usize>,
    rows: Vec<MergedRow>,
    by_key: HashMap<String, usize>,
}

impl<'a> Merged<'a> {
    fn new(schema: &'a TableSchema, types: &'a [ColumnType], defaults: &'a [Value]) -> Self {
        Self {
            schema,
            types,
            defaults,
            sequence: schema.sequence(),
            rows: Vec::new(),
            by_key: HashMap::new(),
        }
    }

    fn put(&mut self, stored: Stored) {
        let keys = self.schema.columns.iter().zip(&stored.cells);
        let key: Vec<&Option<Value>> = keys
            .filter(|(column, _)| column.key)
            .map(|(_, cell)| cell)
            .collect();
        let key = serde_json::to_string(&key).expect("values are JSON");
        match self.by_key.entry(key) {
            Entry::Vacant(entry) => {
                entry.insert(self.rows.len());
                let cells = stored.cells.into_iter().zip(self.defaults);
                self.rows.push(MergedRow {
                    cells: cells
                        .map(|(cell, default)| cell.unwrap_or_else(|| default.clone()))
                        .collect(),
                    is_deleted: stored.is_deleted,
                });
            }
            Entry::Occupied(entry) => {
                let at = *entry.get();
                match self.schema.keys {
                    Keys::Aggregate => self.aggregate(at, stored),
                    Keys::Unique | Keys::Duplicate => self.replace(at, stored),
                }
            }
        }
    }

    fn replace(&mut self, at: usize, stored: Stored) {
        let row = &mut self.rows[at];
        if let Some(sequence) = self.sequence
            && let Some(new) = &stored.cells[sequence]
            && compare(self.types[sequence], new, &row.cells[sequence]).is_lt()
        {
            return;
        }
        let was_deleted = std::mem::replace(&mut row.is_deleted, stored.is_deleted);
        let cells = row.cells.iter_mut().zip(stored.cells).zip(self.defaults);
        for ((cell, new), default) in cells {
            match new {
                Some(new) => *cell = new,
                // What a deleted row had is gone.
                None if was_deleted => cell.clone_from(default),
                None => {}
            }
        }
    }

    fn aggregate(&mut self, at: usize, stored: Stored) {
        let cells = self.rows[at].cells.iter_mut().zip(stored.cells);
        for ((cell, new), (column, ty)) in cells.zip(self.schema.columns.iter().zip(self.types)) {
            let (Some(new), Some(aggregation)) = (new, column.aggregation) else {
                continue;
            };
            let takes_over = match aggregation {
                Aggregation::Sum => {
                    *cell = add(*ty, cell, &new);
                    false
                }
                Aggregation::Min => {
                    !new.is_null() && (cell.is_null() || compare(*ty, &new, cell).is_lt())
                }
                Aggregation::Max => !new.is_null() && compare(*ty, &new, cell).is_gt(),
                Aggregation::Replace => true,
                Aggregation::ReplaceIfNotNull => !new.is_null(),
            };
            if takes_over {
                *cell = new;
            }
        }
    }
}
