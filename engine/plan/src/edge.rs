//! The edge between a connector and a program: metadata columns come and go in the connector's types, while the table declares its own.

use std::sync::Arc;

use arrow_array::ArrayRef;
use millrace_connector::{
    ColumnKind, Diagnostic, FlinkType, MetadataKey, Span, TableDefinition, did_you_mean,
};
use millrace_functions::cast::{CastMode, bind_cast};
use millrace_functions::{BindContext, Column, EvalContext, Kernel, RowError};

/// Casts of some columns of a batch; empty where the types agree.
#[derive(Clone, Debug, Default)]
pub struct EdgeCasts {
    casts: Vec<(usize, Arc<dyn Kernel>)>,
}

/// Which way rows cross the edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    In,
    Out,
}

impl EdgeCasts {
    /// Returns the casts from what a source with these metadata keys gives to what `table` declares, for the columns
    /// `projection` (indexes into the table's columns, in the batch's order).
    ///
    /// # Errors
    /// `MR0306` for a key that the connector lacks, `MR0307` for a type that its values cannot have.
    ///
    /// # Flink
    /// `DynamicSourceUtils.validateAndApplyMetadata`, 1.17: an explicit cast must exist.
    pub fn source(
        table: &TableDefinition,
        projection: &[usize],
        keys: &[MetadataKey],
        ctx: &BindContext,
    ) -> Result<Self, Vec<Diagnostic>> {
        Self::new(table, projection, keys, Way::In, ctx)
    }

    /// Returns the casts from what `table` declares to what a sink with these metadata keys takes, for the persisted
    /// columns `columns`.
    ///
    /// # Errors
    /// As [`EdgeCasts::source`]; a key that cannot be written is `MR0306` too.
    pub fn sink(
        table: &TableDefinition,
        columns: &[usize],
        keys: &[MetadataKey],
        ctx: &BindContext,
    ) -> Result<Self, Vec<Diagnostic>> {
        Self::new(table, columns, keys, Way::Out, ctx)
    }

    fn new(
        table: &TableDefinition,
        wanted: &[usize],
        keys: &[MetadataKey],
        way: Way,
        ctx: &BindContext,
    ) -> Result<Self, Vec<Diagnostic>> {
        let mut casts = Vec::new();
        let mut diagnostics = Vec::new();
        for (index, column) in table.columns.iter().enumerate() {
            let ColumnKind::Metadata { key, is_virtual } = &column.kind else {
                continue;
            };
            if way == Way::Out && *is_virtual {
                continue;
            }
            let Some(known) = keys.iter().find(|known| known.key == key.value) else {
                diagnostics.push(unknown_key(&key.value, key.span, keys, way));
                continue;
            };
            let (from, to) = match way {
                Way::In => (&known.ty, &column.ty),
                Way::Out => (&column.ty, &known.ty),
            };
            match bind_cast(from, to, CastMode::Cast, ctx) {
                Err(_) => diagnostics.push(bad_type(
                    &column.name.value,
                    column.name.span,
                    &column.ty,
                    &known.ty,
                )),
                Ok((kernel, _)) if from.kind != to.kind => {
                    casts.extend(
                        wanted
                            .iter()
                            .position(|wanted| *wanted == index)
                            .map(|place| (place, kernel)),
                    );
                }
                Ok(_) => {}
            }
        }
        if diagnostics.is_empty() {
            Ok(Self { casts })
        } else {
            Err(diagnostics)
        }
    }

    /// Casts the columns in place.
    ///
    /// # Errors
    /// The first row whose value cannot be cast.
    pub fn apply(
        &self,
        columns: &mut [ArrayRef],
        rows: usize,
        ctx: &EvalContext,
    ) -> Result<(), RowError> {
        for (place, kernel) in &self.casts {
            let cast =
                kernel.evaluate(&[Column::Array(Arc::clone(&columns[*place]))], rows, ctx)?;
            columns[*place] = millrace_program::expand(&cast, rows);
        }
        Ok(())
    }

    /// Tells whether there is nothing to cast.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.casts.is_empty()
    }
}

fn unknown_key(key: &str, span: Span, keys: &[MetadataKey], way: Way) -> Diagnostic {
    let what = if way == Way::In { "read" } else { "written" };
    let diagnostic = Diagnostic::error(
        "MR0306",
        format!("there is no metadata '{key}' that can be {what} here"),
        span,
    );
    match did_you_mean(key, keys.iter().map(|known| known.key)) {
        Some(near) => diagnostic.help(format!("did you mean '{near}'?")),
        None if way == Way::Out => diagnostic
            .help("mark the column VIRTUAL, so that it is left out when the table is written"),
        None => diagnostic.help(format!(
            "metadata: {}",
            keys.iter()
                .map(|known| known.key)
                .collect::<Vec<_>>()
                .join(", ")
        )),
    }
}

fn bad_type(column: &str, span: Span, declared: &FlinkType, known: &FlinkType) -> Diagnostic {
    Diagnostic::error(
        "MR0307",
        format!("metadata column '{column}' cannot be of type {declared}"),
        span,
    )
    .label(format!("its values are {known}"))
}
