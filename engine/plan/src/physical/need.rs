//! What the nodes above a plan need of its rows.

use std::collections::BTreeSet;

use datafusion_common::Result;
use datafusion_expr::{Expr as DfExpr, Filter, Projection};

/// What the nodes above a plan need of its rows.
///
/// # Flink
/// `SatisfyUpdateKindTraitVisitor`: whether `-U` is needed goes from the sinks to the sources.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Need {
    /// Whether the old row of an update is needed.
    pub(crate) before: bool,
    /// The columns that are read; `None` = all.
    pub(crate) columns: Option<BTreeSet<usize>>,
}

impl Need {
    /// Everything.
    pub(crate) fn all() -> Self {
        Self {
            before: true,
            columns: None,
        }
    }

    /// All columns, and `-U` if `before`.
    pub(crate) fn rows(before: bool) -> Self {
        Self {
            before,
            columns: None,
        }
    }

    pub(super) fn under_projection(&self, projection: &Projection) -> Result<Self> {
        let schema = projection.input.schema();
        let mut columns = BTreeSet::new();
        for (index, expr) in projection.expr.iter().enumerate() {
            let is_read = self
                .columns
                .as_ref()
                .is_none_or(|columns| columns.contains(&index));
            if is_read {
                for column in expr.column_refs() {
                    columns.insert(schema.index_of_column(column)?);
                }
            }
        }
        Ok(Self {
            before: self.before,
            columns: Some(columns),
        })
    }

    /// # Flink
    /// A filter lets one half of an update pass and not the other, so it needs both.
    pub(super) fn under_filter(&self, filter: &Filter) -> Result<Self> {
        let schema = filter.input.schema();
        let columns = match &self.columns {
            None => None,
            Some(columns) => {
                let mut columns = columns.clone();
                for column in filter.predicate.column_refs() {
                    columns.insert(schema.index_of_column(column)?);
                }
                Some(columns)
            }
        };
        Ok(Self {
            before: true,
            columns,
        })
    }

    /// Tells whether a column is read.
    pub(super) fn reads(&self, column: usize) -> bool {
        self.columns
            .as_ref()
            .is_none_or(|columns| columns.contains(&column))
    }
}

/// Returns for each column of a projection the input's column that it passes on.
pub(super) fn passed_columns(projection: &Projection) -> Result<Vec<Option<usize>>> {
    let schema = projection.input.schema();
    let exprs = projection.expr.iter();
    exprs
        .map(|expr| {
            let mut expr = expr;
            while let DfExpr::Alias(alias) = expr {
                expr = &alias.expr;
            }
            match expr {
                DfExpr::Column(column) => schema.index_of_column(column).map(Some),
                _ => Ok(None),
            }
        })
        .collect()
}
