//! Rows on their way to a batch, with what the metadata columns say of them.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::{StringViewBuilder, TimestampMicrosecondBuilder};
use millrace_connector::source::{RowOrigin, SourceBatch, SplitStart};
use millrace_connector::{MetadataKey, RowKind, TypeKind};

use crate::decode::{Columns, DeclaredColumn};
use crate::definition::TableName;

/// A metadata column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Metadata {
    DatabaseName,
    TableName,
    OpTs,
    RowKind,
}

impl Metadata {
    pub(crate) fn from_key(key: &str) -> Option<Self> {
        match key {
            "database_name" => Some(Self::DatabaseName),
            "table_name" => Some(Self::TableName),
            "op_ts" => Some(Self::OpTs),
            "row_kind" => Some(Self::RowKind),
            _ => None,
        }
    }

    pub(crate) fn keys() -> Vec<MetadataKey> {
        let text = || TypeKind::Varchar(millrace_connector::LENGTH_MAX).not_null();
        let key = |key, ty| MetadataKey {
            key,
            ty,
            writable: false,
        };
        vec![
            key("database_name", text()),
            key("table_name", text()),
            key("op_ts", TypeKind::TimestampLtz(3).not_null()),
            key("row_kind", text()),
        ]
    }
}

/// What a column of a batch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The column of the declared ones with this number.
    Declared(usize),
    Metadata(Metadata),
}

/// Columns of a batch, in the order of the projection.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub(crate) sources: Vec<Source>,
    pub(crate) declared: Vec<DeclaredColumn>,
    /// Every change goes out as `+I`; only the metadata tells its kind.
    pub(crate) append_only: bool,
}

/// Where a row comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    /// The number of its table.
    pub(crate) table: u32,
    /// Seconds since the epoch; 0 in a snapshot.
    pub(crate) seconds: u32,
}

/// Names of tables by number, shared with the batches.
pub(crate) type Names = Arc<Vec<TableName>>;

/// Rows on their way to a batch.
pub(crate) struct Out {
    pub(crate) columns: Columns,
    kinds: Vec<RowKind>,
    origins: Vec<Origin>,
    layout: Arc<Layout>,
    /// Row images and chunk rows read.
    pub(crate) records: u64,
    /// Their bytes in the log.
    pub(crate) bytes: u64,
}

const ROWS: usize = 1024;

impl Out {
    pub(crate) fn new(layout: Arc<Layout>) -> Self {
        Self {
            columns: Columns::new(&layout.declared, ROWS),
            kinds: Vec::with_capacity(ROWS),
            origins: Vec::with_capacity(ROWS),
            layout,
            records: 0,
            bytes: 0,
        }
    }

    pub(crate) fn rows(&self) -> usize {
        self.kinds.len()
    }

    /// Notes the kind and origin of the row that was appended to the columns last.
    pub(crate) fn push(&mut self, kind: RowKind, origin: Origin) {
        self.kinds.push(kind);
        self.origins.push(origin);
    }

    /// Takes back the rows from `rows` on. Only before [`Self::finish`].
    pub(crate) fn truncate(&mut self, rows: usize) {
        self.kinds.truncate(rows);
        self.origins.truncate(rows);
    }

    /// Returns the batch of the rows so far.
    pub(crate) fn finish(&mut self, names: &Names, place: String, at: SplitStart) -> SourceBatch {
        let rows = self.kinds.len();
        let mut declared = self.columns.finish();
        // A row that failed may have left values behind.
        for column in declared.iter_mut().filter(|column| column.len() > rows) {
            *column = column.slice(0, rows);
        }
        let kinds = std::mem::take(&mut self.kinds);
        let origins = std::mem::take(&mut self.origins);
        let columns = build(&self.layout, &declared, &kinds, &origins, names);
        let is_insert_only =
            self.layout.append_only || kinds.iter().all(|kind| *kind == RowKind::Insert);
        SourceBatch {
            columns,
            rows,
            kinds: (!is_insert_only).then_some(kinds),
            positions: vec![at],
            records: std::mem::take(&mut self.records),
            bytes: std::mem::take(&mut self.bytes),
            skipped: 0,
            origin: Box::new(Origins {
                names: Arc::clone(names),
                origins,
                place,
            }),
        }
    }
}

/// Returns a batch of rows of a snapshot, all of one table.
pub(crate) fn snapshot_batch(
    layout: &Layout,
    declared: &[ArrayRef],
    rows: usize,
    table: u32,
    names: &Names,
    place: String,
    at: SplitStart,
) -> SourceBatch {
    let origins = vec![Origin { table, seconds: 0 }; rows];
    let kinds = vec![RowKind::Insert; rows];
    SourceBatch {
        columns: build(layout, declared, &kinds, &origins, names),
        rows,
        kinds: None,
        positions: vec![at],
        records: rows as u64,
        bytes: 0,
        skipped: 0,
        origin: Box::new(Origins {
            names: Arc::clone(names),
            origins,
            place,
        }),
    }
}

fn build(
    layout: &Layout,
    declared: &[ArrayRef],
    kinds: &[RowKind],
    origins: &[Origin],
    names: &Names,
) -> Vec<ArrayRef> {
    let name = |origin: &Origin| &names[origin.table as usize];
    let column = |source: &Source| -> ArrayRef {
        let metadata = match source {
            Source::Declared(index) => return Arc::clone(&declared[*index]),
            Source::Metadata(metadata) => *metadata,
        };
        let mut text = StringViewBuilder::with_capacity(kinds.len()).with_deduplicate_strings();
        match metadata {
            Metadata::DatabaseName => origins
                .iter()
                .for_each(|o| text.append_value(&name(o).database)),
            Metadata::TableName => origins
                .iter()
                .for_each(|o| text.append_value(&name(o).table)),
            Metadata::RowKind => kinds
                .iter()
                .for_each(|kind| text.append_value(kind.short())),
            Metadata::OpTs => {
                let mut times = TimestampMicrosecondBuilder::with_capacity(kinds.len());
                for origin in origins {
                    times.append_value(i64::from(origin.seconds) * 1_000_000);
                }
                return Arc::new(times.finish());
            }
        }
        Arc::new(text.finish())
    };
    layout.sources.iter().map(column).collect()
}

struct Origins {
    names: Names,
    origins: Vec<Origin>,
    place: String,
}

impl RowOrigin for Origins {
    fn describe(&self, row: usize) -> String {
        match self.origins.get(row) {
            Some(origin) => format!(
                "table {}, {}",
                self.names[origin.table as usize], self.place
            ),
            None => self.place.clone(),
        }
    }
}
