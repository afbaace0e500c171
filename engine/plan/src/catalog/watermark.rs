//! WATERMARK FOR: checked as Flink checks it, though nothing here waits for a watermark.

use millrace_connector::{ColumnDefinition, Diagnostic, Span, TypeKind, did_you_mean};
use millrace_functions::BindContext;
use millrace_sql::ast;

use crate::bind::{Binder, Scope, ScopeColumn};

/// The column that a table's WATERMARK is for.
#[derive(Clone, Debug)]
pub(crate) struct Rowtime {
    /// Where the table says that its connector has the watermarks: `AS SOURCE_WATERMARK()`.
    pub(crate) from_source: Option<Span>,
}

/// Checks the clause; `None` after errors.
pub(super) fn bind(
    clause: &ast::Watermark,
    columns: &[ColumnDefinition],
    ctx: &BindContext,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Rowtime> {
    let errors = diagnostics.len();
    match rowtime_type(clause, columns) {
        Ok(kind) => diagnostics.extend(unfit(&kind, clause)),
        Err(fault) => diagnostics.push(fault),
    }
    let from_source = is_source_watermark(&clause.expr).then_some(clause.expr.span);
    if from_source.is_none() {
        strategy(clause, columns, ctx, diagnostics);
    }
    (diagnostics.len() == errors).then_some(Rowtime { from_source })
}

fn is_source_watermark(expr: &ast::Expr) -> bool {
    matches!(&expr.kind, ast::ExprKind::Function(call)
        if call.args.is_empty() && call.name.last().value.eq_ignore_ascii_case("SOURCE_WATERMARK"))
}

/// Returns the type of the column.
///
/// # Flink
/// `MergeTableLikeUtil` looks among the columns alone: a field of a ROW cannot be the rowtime.
#[expect(
    clippy::result_large_err,
    reason = "made once, at start; boxing would only burden callers"
)]
fn rowtime_type(
    clause: &ast::Watermark,
    columns: &[ColumnDefinition],
) -> Result<TypeKind, Diagnostic> {
    let (first, fields) = clause
        .column
        .parts
        .split_first()
        .expect("a name has at least one part");
    let missing = || {
        let fault = Diagnostic::error(
            "MR0302",
            format!("the rowtime column '{}' is not in the table", clause.column),
            clause.column.span,
        )
        .label("no such column");
        let names: Vec<&str> = columns
            .iter()
            .map(|column| column.name.value.as_str())
            .collect();
        match did_you_mean(&clause.column.last().value, names.iter().copied()) {
            Some(near) => fault.help(format!("did you mean '{near}'?")),
            None => fault.help(format!("there are: {}", names.join(", "))),
        }
    };
    let column = columns
        .iter()
        .find(|column| column.name.value == first.value)
        .ok_or_else(missing)?;
    if fields.is_empty() {
        return Ok(column.ty.kind.clone());
    }
    let message = format!(
        "the rowtime '{}' is a field of a ROW: WATERMARK is for a column of the table",
        clause.column
    );
    let field = &clause.column.last().value;
    Err(Diagnostic::error("MR0302", message, clause.column.span)
        .label("no column")
        .help(format!("make it a column: {field} AS {}", clause.column)))
}

fn unfit(kind: &TypeKind, clause: &ast::Watermark) -> Option<Diagnostic> {
    let message = match kind {
        TypeKind::Timestamp(0..=3) | TypeKind::TimestampLtz(0..=3) => return None,
        TypeKind::Timestamp(_) | TypeKind::TimestampLtz(_) => format!(
            "the rowtime column '{}' is {kind}: more than 3 digits of a second are too fine for a watermark",
            clause.column
        ),
        _ => format!(
            "the rowtime column '{}' must be TIMESTAMP or TIMESTAMP_LTZ, but is {kind}",
            clause.column
        ),
    };
    Some(Diagnostic::error("MR0402", message, clause.column.span).label("no rowtime"))
}

/// Binds the strategy, which sees all columns, the computed ones too.
fn strategy(
    clause: &ast::Watermark,
    columns: &[ColumnDefinition],
    ctx: &BindContext,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let columns = columns.iter().map(|column| ScopeColumn {
        table: Vec::new(),
        name: column.name.value.clone(),
        ty: column.ty.clone(),
    });
    let scope = Scope {
        columns: columns.collect(),
        outer: 0,
    };
    let bound = Binder::new(&scope, ctx, diagnostics).bind_value(&clause.expr);
    let Some(bound) = bound else { return };
    if !matches!(
        bound.ty.kind,
        TypeKind::Timestamp(_) | TypeKind::TimestampLtz(_)
    ) {
        let message = format!(
            "a watermark must be TIMESTAMP or TIMESTAMP_LTZ, but this is {}",
            bound.ty.kind
        );
        diagnostics
            .push(Diagnostic::error("MR0402", message, clause.expr.span).label("no watermark"));
    }
}
