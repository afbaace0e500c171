//! From the syntax tree's expressions to typed ones.
//!
//! All errors of an expression are reported, not only the first: a part that cannot be bound gives `None` after its
//! diagnostics were written down.

mod call;
mod conditional;
mod construct;
mod convert;
mod hook;
mod json;
mod literal;
mod membership;
mod merge;
mod operator;
mod peek;
mod scope;

use millrace_connector::{Diagnostic, FlinkType, Span, TypeKind};
use millrace_functions::BindContext;
use millrace_sql::ast;

use millrace_program::{Expr, ExprKind, ExprRef};

pub(crate) use convert::implicit_cast;
pub(crate) use hook::Hook;
pub(crate) use merge::{common_type, least_restrictive};
pub(crate) use scope::{Scope, ScopeColumn};

/// Binds expressions against the columns of one input.
pub(crate) struct Binder<'a> {
    pub(crate) scope: &'a Scope,
    pub(crate) ctx: &'a BindContext,
    pub(crate) diagnostics: &'a mut Vec<Diagnostic>,
    /// Who is asked first about each expression.
    hook: Option<&'a mut dyn Hook>,
}

impl<'a> Binder<'a> {
    pub(crate) fn new(
        scope: &'a Scope,
        ctx: &'a BindContext,
        diagnostics: &'a mut Vec<Diagnostic>,
    ) -> Self {
        Self {
            scope,
            ctx,
            diagnostics,
            hook: None,
        }
    }

    /// Returns a binder that asks `hook` about each expression first.
    pub(crate) fn with_hook(
        scope: &'a Scope,
        ctx: &'a BindContext,
        diagnostics: &'a mut Vec<Diagnostic>,
        hook: &'a mut dyn Hook,
    ) -> Self {
        Self {
            scope,
            ctx,
            diagnostics,
            hook: Some(hook),
        }
    }

    /// Binds a value that stands on its own: an untyped NULL is none.
    pub(crate) fn bind_value(&mut self, expr: &ast::Expr) -> Option<ExprRef> {
        let bound = self.bind(expr)?;
        self.refuse_null(&bound)?;
        Some(bound)
    }

    /// Binds the condition of WHERE.
    pub(crate) fn bind_condition(&mut self, expr: &ast::Expr, clause: &str) -> Option<ExprRef> {
        let bound = self.bind_value(expr)?;
        if bound.ty.kind == TypeKind::Boolean {
            return Some(bound);
        }
        self.report(
            Diagnostic::error(
                "MR0408",
                format!("{clause} needs a BOOLEAN, but this is {}", bound.ty.kind),
                expr.span,
            )
            .label("not a condition"),
        )
    }

    /// Binds any expression.
    pub(crate) fn bind(&mut self, expr: &ast::Expr) -> Option<ExprRef> {
        use ast::ExprKind as K;
        if let Some(hook) = self.hook.take() {
            let bound = hook.bind(self, expr);
            self.hook = Some(hook);
            if let Some(bound) = bound {
                return bound;
            }
        }
        let span = expr.span;
        match &expr.kind {
            K::Identifier(parts) => self.bind_name(parts, span),
            K::Literal(value) => self.bind_literal(value, span),
            K::Unary { op, expr } => self.bind_unary(*op, expr, span),
            K::Binary {
                op,
                left,
                right,
                op_span,
            } => self.bind_binary(*op, left, right, *op_span, span),
            K::Between {
                expr,
                negated,
                symmetric,
                low,
                high,
            } => self.bind_between(expr, [low, high], *negated, *symmetric, span),
            K::InList {
                expr,
                negated,
                list,
            } => self.bind_in(expr, list, *negated, span),
            K::Quantified {
                expr,
                op,
                all,
                right: ast::QuantifiedSet::List(list),
            } => self.bind_quantified(expr, *op, *all, list, span),
            K::Like {
                expr,
                negated,
                similar,
                pattern,
                escape,
            } => self.bind_like(expr, pattern, escape.as_deref(), *similar, *negated, span),
            K::Is {
                expr,
                negated,
                test,
            } => self.bind_is(expr, *test, *negated, span),
            K::IsDistinctFrom {
                left,
                negated,
                right,
            } => self.bind_distinct(left, right, *negated, span),
            K::Case {
                operand,
                branches,
                otherwise,
            } => self.bind_case(operand.as_deref(), branches, otherwise.as_deref(), span),
            _ => self.bind_form(expr),
        }
    }

    /// Binds the expressions with a form of their own.
    fn bind_form(&mut self, expr: &ast::Expr) -> Option<ExprRef> {
        use ast::ExprKind as K;
        let span = expr.span;
        match &expr.kind {
            K::Cast {
                try_cast,
                expr,
                data_type,
            } => self.bind_cast(expr, data_type, *try_cast, span),
            K::Function(call) => self.bind_function(call),
            K::Extract { .. }
            | K::RoundTo { .. }
            | K::Difference { .. }
            | K::TimestampAdd { .. }
            | K::TimestampDiff { .. }
            | K::Trim { .. }
            | K::Position { .. }
            | K::Overlay { .. }
            | K::Substring { .. } => self.bind_special(&expr.kind, span),
            K::JsonValue(call) => self.bind_json_value(call, span),
            K::JsonQuery(call) => self.bind_json_query(call, span),
            K::JsonExists {
                input,
                path,
                on_error,
            } => self.bind_json_exists(input, path, *on_error, span),
            K::JsonObject {
                aggregate: false,
                entries,
                on_null,
            } => self.bind_json_object(entries, *on_null, span),
            K::JsonArray {
                aggregate: false,
                items,
                on_null,
            } => self.bind_json_array(items, *on_null, span),
            K::Row { fields, .. } => self.bind_row(fields, span),
            K::Array(items) => self.bind_items("ARRAY", items, span),
            K::Map(items) => self.bind_items("MAP", items, span),
            K::Multiset(items) => self.bind_items("MULTISET", items, span),
            K::Item { expr, index } => self.bind_call("ITEM", &[expr, index], span),
            K::Field { expr, field } => {
                let row = self.bind(expr)?;
                self.field(row, field)
            }
            other => self.not_yet(not_yet_name(other), span),
        }
    }

    /// Binds all, so that all errors are found.
    pub(crate) fn bind_all(&mut self, exprs: &[&ast::Expr]) -> Option<Vec<ExprRef>> {
        let bound: Vec<Option<ExprRef>> = exprs.iter().map(|expr| self.bind(expr)).collect();
        bound.into_iter().collect()
    }

    /// Writes an error down.
    pub(crate) fn report<T>(&mut self, diagnostic: Diagnostic) -> Option<T> {
        self.diagnostics.push(diagnostic);
        None
    }

    pub(crate) fn not_yet<T>(&mut self, what: &str, span: Span) -> Option<T> {
        self.report(crate::not_yet::expression(what, span))
    }

    /// Reports an untyped NULL.
    pub(crate) fn refuse_null(&mut self, expr: &Expr) -> Option<()> {
        if expr.ty.kind != TypeKind::Null {
            return Some(());
        }
        self.report(
            Diagnostic::error(
                "MR0406",
                "illegal use of NULL: its type is unknown here",
                expr.span,
            )
            .label("untyped NULL")
            .help("give it a type, such as CAST(NULL AS STRING)"),
        )
    }
}

fn not_yet_name(kind: &ast::ExprKind) -> &'static str {
    use ast::ExprKind as K;
    match kind {
        K::InSubquery { .. } => "IN with a query",
        K::Quantified { .. } => "a comparison with SOME, ANY or ALL of a query",
        K::JsonObject { .. } => "JSON_OBJECTAGG",
        K::JsonArray { .. } => "JSON_ARRAYAGG",
        K::CollectionQuery(..) => "a collection made from a query",
        K::Subquery(_) => "a query as a value",
        K::Exists(_) => "EXISTS",
        K::Unique(_) => "UNIQUE",
        K::Star => "'*' as an argument",
        K::Default => "DEFAULT",
        K::TableArgument(_) => "TABLE as an argument",
        K::Descriptor(_) => "DESCRIPTOR",
        K::Parameter => "a '?' parameter",
        _ => "this expression",
    }
}

/// Returns a NOT NULL text constant: the flags and units of special forms.
pub(crate) fn text_literal(text: &str, span: Span) -> ExprRef {
    let length = u32::try_from(text.encode_utf16().count()).unwrap_or(u32::MAX);
    let value = std::sync::Arc::new(arrow_array::StringViewArray::from(vec![text]));
    Expr::new(
        ExprKind::Literal(value),
        TypeKind::Char(length).not_null(),
        span,
    )
}

/// Returns a NULL of the given type.
pub(crate) fn null_literal(ty: &FlinkType, span: Span) -> ExprRef {
    let value = arrow_array::new_null_array(&millrace_connector::physical::arrow_type(&ty.kind), 1);
    Expr::new(
        ExprKind::Literal(value),
        ty.clone().with_nullable(true),
        span,
    )
}
