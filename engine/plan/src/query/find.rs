//! Calls of aggregate functions in a SELECT, looked for before anything is bound.

use millrace_functions::aggregate::is_aggregate;
use millrace_sql::ast::{self, ExprKind as K};

/// Looks for calls of aggregate functions outside of OVER and of queries inside.
#[derive(Debug, Default)]
pub(super) struct Aggregates {
    pub(super) found: bool,
}

impl Aggregates {
    pub(super) fn visit(&mut self, expr: &ast::Expr) {
        match &expr.kind {
            K::Function(call) => self.call(call),
            K::JsonObject {
                aggregate, entries, ..
            } => {
                self.found |= aggregate;
                for (key, value) in entries {
                    self.visit(key);
                    self.visit(value);
                }
            }
            K::JsonArray {
                aggregate, items, ..
            } => {
                self.found |= aggregate;
                items.iter().for_each(|item| self.visit(item));
            }
            _ => parts(expr, &mut |part| self.visit(part)),
        }
    }

    fn call(&mut self, call: &ast::FunctionCall) {
        let name = call.name.last().value.to_ascii_uppercase();
        if call.over.is_none() && (is_aggregate(&name) || name.starts_with("GROUPING")) {
            self.found = true;
        }
        for argument in &call.args {
            self.visit(&argument.value);
        }
        if let Some(ast::Over::Spec(window)) = &call.over {
            window.partition_by.iter().for_each(|expr| self.visit(expr));
            window
                .order_by
                .iter()
                .for_each(|item| self.visit(&item.expr));
        }
    }
}

/// Calls `visit` for each direct part of an expression; queries are none.
pub(super) fn parts(expr: &ast::Expr, visit: &mut dyn FnMut(&ast::Expr)) {
    match &expr.kind {
        K::Unary { expr, .. }
        | K::Cast { expr, .. }
        | K::Is { expr, .. }
        | K::Field { expr, .. } => visit(expr),
        K::Binary { left, right, .. }
        | K::IsDistinctFrom { left, right, .. }
        | K::Difference { left, right, .. } => {
            visit(left);
            visit(right);
        }
        K::Between {
            expr, low, high, ..
        } => {
            visit(expr);
            visit(low);
            visit(high);
        }
        K::InList { expr, list, .. } => {
            visit(expr);
            list.iter().for_each(visit);
        }
        K::InSubquery { expr, .. } => visit(expr),
        K::Like {
            expr,
            pattern,
            escape,
            ..
        } => {
            visit(expr);
            visit(pattern);
            if let Some(escape) = escape {
                visit(escape);
            }
        }
        K::Case {
            operand,
            branches,
            otherwise,
        } => {
            if let Some(operand) = operand {
                visit(operand);
            }
            for branch in branches {
                branch.when.iter().for_each(&mut *visit);
                visit(&branch.then);
            }
            if let Some(otherwise) = otherwise {
                visit(otherwise);
            }
        }
        K::Row { fields, .. } => fields.iter().for_each(visit),
        K::Array(items) | K::Map(items) | K::Multiset(items) => items.iter().for_each(visit),
        K::Item { expr, index } => {
            visit(expr);
            visit(index);
        }
        K::Function(call) => call.args.iter().for_each(|arg| visit(&arg.value)),
        _ => special(expr, visit),
    }
}

/// The same for expressions with a form of their own.
fn special(expr: &ast::Expr, visit: &mut dyn FnMut(&ast::Expr)) {
    match &expr.kind {
        K::JsonValue(call) => visit(&call.input),
        K::JsonQuery(call) => visit(&call.input),
        K::JsonExists { input, .. } => visit(input),
        K::Extract { expr, .. } => visit(expr),
        K::RoundTo { expr, .. } => visit(expr),
        K::TimestampAdd { count, expr, .. } => {
            visit(count);
            visit(expr);
        }
        K::TimestampDiff { from, to, .. } => {
            visit(from);
            visit(to);
        }
        K::Substring { expr, .. }
        | K::Trim { expr, .. }
        | K::Position { expr, .. }
        | K::Overlay { expr, .. } => visit(expr),
        _ => {}
    }
}
