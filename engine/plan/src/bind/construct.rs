//! ROW, ARRAY, MAP and MULTISET constructors.

use millrace_connector::{Diagnostic, Span, TypeKind};
use millrace_sql::ast;

use super::{Binder, least_restrictive, null_literal};
use millrace_program::ExprRef;

impl Binder<'_> {
    pub(super) fn bind_row(&mut self, fields: &[ast::Expr], span: Span) -> Option<ExprRef> {
        let fields: Vec<&ast::Expr> = fields.iter().collect();
        self.bind_call("ROW", &fields, span)
    }

    pub(super) fn bind_items(
        &mut self,
        name: &'static str,
        items: &[ast::Expr],
        span: Span,
    ) -> Option<ExprRef> {
        if items.is_empty() {
            return self.report(
                Diagnostic::error(
                    "MR0401",
                    format!("'{name}' needs at least 1 argument"),
                    span,
                )
                .help("Flink has no empty constructor; cast NULL to the type instead"),
            );
        }
        let items: Vec<&ast::Expr> = items.iter().collect();
        let mut items = self.bind_all(&items)?;
        if name != "MAP"
            && let Some(ty) = least_restrictive(items.iter().map(|item| &item.ty))
        {
            for item in items
                .iter_mut()
                .filter(|item| item.ty.kind == TypeKind::Null)
            {
                *item = null_literal(&ty, item.span);
            }
        }
        self.apply(name, items, span)
    }
}
