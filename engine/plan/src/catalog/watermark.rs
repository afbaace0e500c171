//! WATERMARK FOR: checked as Flink checks it, though nothing here waits for a watermark.

use millrace_connector::{ColumnDefinition, Diagnostic, Span, TypeKind, did_you_mean};
use millrace_functions::BindContext;
use millrace_program::{Expr, ExprKind, ExprRef, substitute};
use millrace_sql::ast;

use crate::bind::{Binder, Scope, ScopeColumn};

/// The column that a table's WATERMARK is for.
#[derive(Clone, Debug)]
pub(crate) struct Rowtime {
    /// Its index among the table's columns; `None` for a field of a ROW.
    pub(crate) column: Option<usize>,
    /// The watermark of a row, over the table's columns; `None` where the connector has it.
    pub(crate) strategy: Option<ExprRef>,
    /// Where the table says that its connector has the watermarks: `AS SOURCE_WATERMARK()`.
    pub(crate) from_source: Option<Span>,
}

impl Rowtime {
    /// Returns the same for a table that has taken over the columns `kept`, in this order; `None` if it lacks one that
    /// the watermark is made of.
    pub(super) fn moved(&self, kept: &[usize]) -> Option<Self> {
        let place = |column: usize| kept.iter().position(|known| *known == column);
        let column = match self.column {
            Some(column) => Some(place(column)?),
            None => None,
        };
        let strategy = match &self.strategy {
            Some(strategy) => Some(moved_expr(strategy, &place)?),
            None => None,
        };
        Some(Self {
            column,
            strategy,
            from_source: self.from_source,
        })
    }
}

fn moved_expr(expr: &ExprRef, place: &impl Fn(usize) -> Option<usize>) -> Option<ExprRef> {
    if let ExprKind::Column(column) = expr.kind {
        let column = place(column)?;
        return Some(Expr::new(
            ExprKind::Column(column),
            expr.ty.clone(),
            expr.span,
        ));
    }
    let mut complete = true;
    let moved = expr.map_children(|child| match moved_expr(child, place) {
        Some(child) => child,
        None => {
            complete = false;
            child.clone()
        }
    });
    complete.then_some(moved)
}

/// Checks the clause; `None` after errors. `values` are those of the table's columns.
pub(super) fn bind(
    clause: &ast::Watermark,
    columns: &[ColumnDefinition],
    values: &[ExprRef],
    ctx: &BindContext,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Rowtime> {
    let errors = diagnostics.len();
    match rowtime_type(clause, columns) {
        Ok(kind) => diagnostics.extend(unfit(&kind, clause)),
        Err(fault) => diagnostics.push(fault),
    }
    let from_source = is_source_watermark(&clause.expr).then_some(clause.expr.span);
    let bound = match from_source {
        Some(_) => None,
        None => strategy(clause, columns, ctx, diagnostics),
    };
    let first = &clause.column.parts[0];
    let column = columns
        .iter()
        .position(|column| column.name.value == first.value)
        .filter(|_| clause.column.parts.len() == 1);
    (diagnostics.len() == errors).then(|| Rowtime {
        column,
        strategy: bound.map(|bound| substitute(&bound, values)),
        from_source,
    })
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
) -> Option<ExprRef> {
    let columns = columns.iter().map(|column| ScopeColumn {
        table: Vec::new(),
        name: column.name.value.clone(),
        ty: column.ty.clone(),
        time: None,
    });
    let scope = Scope {
        columns: columns.collect(),
        outer: 0,
    };
    let bound = Binder::new(&scope, ctx, diagnostics).bind_value(&clause.expr)?;
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
        return None;
    }
    Some(bound)
}
