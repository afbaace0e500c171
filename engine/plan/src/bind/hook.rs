//! Expressions that mean more than their row: calls over many rows, group keys, subqueries.

use millrace_program::ExprRef;
use millrace_sql::ast;

use super::Binder;

/// Sees each expression before the binder does.
pub(crate) trait Hook {
    /// Binds an expression in a way of its own: `None` leaves it to the binder, `Some(None)` says that it is wrong and
    /// that the fault is written down.
    fn bind(&mut self, binder: &mut Binder<'_>, expr: &ast::Expr) -> Option<Option<ExprRef>>;
}
