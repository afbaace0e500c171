//! INSERT: from a query's columns to a sink's.

use std::sync::Arc;

use millrace_connector::{Diagnostic, FlinkType, Span};
use millrace_functions::cast::can_implicitly_cast;
use millrace_functions::{BindContext, Kernel, Volatility};
use millrace_sql::ast;

use crate::bind::{implicit_cast, null_literal};
use crate::catalog::Table;
use crate::length::LengthEnforcer;
use crate::logical::{self, BoundQuery};
use crate::query::persisted_columns;
use millrace_program::OutputColumn;
use millrace_program::{Call, Expr, ExprKind, ExprRef};

/// Brings a query's columns to those that `table` persists, in the table's order; `None` after errors.
pub(crate) fn fit(
    query: BoundQuery,
    insert: &ast::Insert,
    table: &Table,
    trims: bool,
    ctx: &BindContext,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<(BoundQuery, Vec<OutputColumn>)> {
    let errors = diagnostics.len();
    if insert.overwrite {
        diagnostics.push(crate::not_yet::clause(
            "INSERT OVERWRITE",
            insert.target.span,
        ));
    }
    if let Some((column, _)) = insert.partition.first() {
        diagnostics.push(crate::not_yet::clause("PARTITION", column.span));
    }
    let persisted = persisted_columns(table);
    let sources = source_columns(insert, table, &persisted, &query, diagnostics);
    if diagnostics.len() > errors {
        return None;
    }
    let sources = sources?;
    check_types(&query, insert, table, &persisted, &sources, diagnostics);
    if diagnostics.len() > errors {
        return None;
    }
    let columns = &table.definition.columns;
    let mut items = Vec::with_capacity(persisted.len());
    for (index, source) in persisted.iter().zip(&sources) {
        let ty = &columns[*index].ty;
        let value = match source {
            Some(source) => query.column(*source),
            None => null_literal(ty, insert.target.span),
        };
        match convert(&value, ty, trims, ctx) {
            Ok(value) => {
                let name = columns[*index].name.value.clone();
                items.push((query.item(name, &value), value));
            }
            Err(message) => diagnostics.push(Diagnostic::error("MR0410", message, value.span)),
        }
    }
    if diagnostics.len() > errors {
        return None;
    }
    let outputs: Vec<OutputColumn> = persisted
        .iter()
        .map(|index| OutputColumn {
            name: columns[*index].name.value.clone(),
            ty: columns[*index].ty.clone(),
            enforced: !columns[*index].ty.nullable,
        })
        .collect();
    let fitted = match query.project(items) {
        Ok(fitted) => fitted,
        Err(error) => {
            diagnostics.push(logical::internal(&error, insert.target.span));
            return None;
        }
    };
    Some((fitted, outputs))
}

/// # Flink
/// `DynamicSinkUtils.validateSchemaAndApplyImplicitCast`: a cast wherever the types differ, which also cuts and pads
/// texts; the length enforcer then looks at the values themselves, whatever their declared length.
fn convert(
    value: &ExprRef,
    ty: &FlinkType,
    trims: bool,
    ctx: &BindContext,
) -> Result<ExprRef, String> {
    let cast = implicit_cast(value, ty, ctx).map_err(|error| error.to_string())?;
    let Some(enforcer) = LengthEnforcer::of(&ty.kind).filter(|_| trims) else {
        return Ok(cast);
    };
    let ty = cast.ty.clone();
    let span = cast.span;
    let kernel: Arc<dyn Kernel> = Arc::new(enforcer);
    let call = Call {
        name: "trim or pad",
        kernel,
        args: vec![cast],
        volatility: Volatility::Deterministic,
    };
    Ok(Expr::new(ExprKind::Call(call), ty, span))
}

/// Returns, for each persisted column, the query's column that fills it; `None` = NULL.
fn source_columns(
    insert: &ast::Insert,
    table: &Table,
    persisted: &[usize],
    relation: &BoundQuery,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Vec<Option<usize>>> {
    let given = relation.columns.len();
    let columns = &table.definition.columns;
    let Some(names) = &insert.columns else {
        if given != persisted.len() {
            let expected = persisted
                .iter()
                .map(|i| (columns[*i].name.value.as_str(), &columns[*i].ty));
            diagnostics.push(mismatch(
                insert,
                relation,
                expected,
                "different number of columns",
            ));
            return None;
        }
        return Some((0..given).map(Some).collect());
    };
    if names.len() != given {
        diagnostics.push(
            Diagnostic::error(
                "MR0411",
                "the list of columns does not fit the query",
                insert.target.span,
            )
            .label(format!(
                "{} columns are named, the query has {given}",
                names.len()
            )),
        );
        return None;
    }
    Some(named_columns(insert, names, table, persisted, diagnostics))
}

/// Returns the same for an INSERT that names its columns.
fn named_columns(
    insert: &ast::Insert,
    names: &[ast::Ident],
    table: &Table,
    persisted: &[usize],
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<Option<usize>> {
    let columns = &table.definition.columns;
    let mut sources = vec![None; persisted.len()];
    for (source, name) in names.iter().enumerate() {
        let place = persisted
            .iter()
            .position(|index| columns[*index].name.value == name.value);
        match place {
            None => diagnostics.push(
                Diagnostic::error(
                    "MR0302",
                    format!(
                        "'{}' is not a column to write of '{}'",
                        name.value, insert.target
                    ),
                    name.span,
                )
                .label("not a physical or writable metadata column"),
            ),
            Some(place) if sources[place].is_some() => {
                diagnostics.push(Diagnostic::error(
                    "MR0304",
                    format!("column '{}' is named twice", name.value),
                    name.span,
                ));
            }
            Some(place) => sources[place] = Some(source),
        }
    }
    for (place, index) in persisted.iter().enumerate() {
        let column = &columns[*index];
        if sources[place].is_none() && !column.ty.nullable {
            diagnostics.push(
                Diagnostic::error(
                    "MR0410",
                    format!(
                        "column '{}' has no default value and does not allow NULLs",
                        column.name.value
                    ),
                    insert.target.span,
                )
                .also(column.name.span, "NOT NULL here"),
            );
        }
    }
    sources
}

fn check_types(
    relation: &BoundQuery,
    insert: &ast::Insert,
    table: &Table,
    persisted: &[usize],
    sources: &[Option<usize>],
    diagnostics: &mut Vec<Diagnostic>,
) {
    let columns = &table.definition.columns;
    let mut bad = Vec::new();
    for (index, source) in persisted.iter().zip(sources) {
        let Some(source) = source else { continue };
        let (from, to) = (&relation.columns[*source], &columns[*index]);
        if !can_implicitly_cast(&from.ty, &to.ty) {
            bad.push((from, to));
        }
    }
    let Some((first, to)) = bad.first() else {
        return;
    };
    let expected = persisted
        .iter()
        .map(|i| (columns[*i].name.value.as_str(), &columns[*i].ty));
    let cause = format!("incompatible types for sink column '{}'", to.name.value);
    let mut diagnostic = mismatch(insert, relation, expected, &cause);
    for (from, to) in &bad {
        diagnostic = diagnostic.also(
            from.span,
            format!(
                "{} does not go into {} '{}'",
                from.ty.kind, to.ty.kind, to.name.value
            ),
        );
    }
    diagnostics.push(diagnostic.help(format!(
        "write CAST(… AS {}) where the query makes '{}'",
        to.ty.kind, first.name
    )));
}

fn mismatch<'t>(
    insert: &ast::Insert,
    relation: &BoundQuery,
    sink: impl Iterator<Item = (&'t str, &'t FlinkType)>,
    cause: &str,
) -> Diagnostic {
    let list = |columns: Vec<String>| format!("[{}]", columns.join(", "));
    let query = relation
        .columns
        .iter()
        .map(|column| format!("{}: {}", column.name, column.ty))
        .collect();
    let sink = sink.map(|(name, ty)| format!("{name}: {ty}")).collect();
    let place: Span = insert.target.span;
    Diagnostic::error(
        "MR0410",
        format!(
            "column types of query result and sink for '{}' do not match",
            insert.target
        ),
        place,
    )
    .label(cause)
    .help(format!("query schema: {}", list(query)))
    .help(format!("sink schema:  {}", list(sink)))
}
