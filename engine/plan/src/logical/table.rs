//! Tables of the catalog as sources of a plan.

use std::sync::Arc;

use arrow_schema::{Schema, SchemaRef};
use datafusion_expr::TableSource;
use millrace_connector::Span;

use super::bound::{BoundColumn, TimeAttribute};
use super::field;
use crate::catalog::Table;

/// A table while a query is planned. Column `i` is column `i` of its definition; computed columns have a place, but nobody
/// reads them: a projection above the scan computes them.
#[derive(Debug)]
pub(crate) struct PlannedTable {
    pub(crate) table: Arc<Table>,
    schema: SchemaRef,
}

impl PlannedTable {
    pub(crate) fn new(table: Arc<Table>) -> Self {
        let columns = &table.definition.columns;
        let fields = columns.iter().enumerate().map(|(index, column)| {
            field::field(&column.name.value, &column.ty, table.time_attribute(index))
        });
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        Self { table, schema }
    }

    /// Returns the table's columns as they are read at `span`.
    pub(crate) fn columns(&self, span: Span) -> Vec<BoundColumn> {
        let columns = self.table.definition.columns.iter().enumerate();
        columns
            .map(|(index, column)| {
                let name = column.name.value.clone();
                let mut bound = BoundColumn::plain(name, column.ty.clone(), span);
                bound.time = self.table.time_attribute(index);
                bound
            })
            .collect()
    }
}

impl TableSource for PlannedTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

impl Table {
    /// Returns the time attribute that a column is.
    pub(crate) fn time_attribute(&self, column: usize) -> Option<TimeAttribute> {
        let rowtime = self.rowtime.as_ref()?;
        (rowtime.column == Some(column)).then_some(TimeAttribute::Rowtime)
    }
}
