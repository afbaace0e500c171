//! The JSON functions with clauses: which arguments the functions get for them.

use millrace_connector::{Span, TypeKind};
use millrace_sql::ast::{
    self, JsonExistsOnError, JsonOnNull, JsonQueryBehavior, JsonValueBehavior, JsonWrapper,
};

use super::{Binder, null_literal, text_literal};
use crate::expr::{Expr, ExprKind, ExprRef};

impl Binder<'_> {
    pub(super) fn bind_json_value(&mut self, call: &ast::JsonValue, span: Span) -> Option<ExprRef> {
        let mut args = self.bind_all(&[&call.input, &call.path])?;
        for behavior in [&call.on_empty, &call.on_error] {
            let (kind, default) = match behavior {
                None | Some(JsonValueBehavior::Null) => ("NULL", None),
                Some(JsonValueBehavior::Error) => ("ERROR", None),
                Some(JsonValueBehavior::Default(expr)) => ("DEFAULT", Some(self.bind(expr)?)),
            };
            args.push(text_literal(kind, span));
            args.push(default.unwrap_or_else(|| null_literal(&TypeKind::Null.nullable(), span)));
        }
        if let Some(returning) = &call.returning {
            args.push(null_literal(&returning.value, returning.span));
        }
        self.apply("JSON_VALUE", args, span)
    }

    pub(super) fn bind_json_query(&mut self, call: &ast::JsonQuery, span: Span) -> Option<ExprRef> {
        let mut args = self.bind_all(&[&call.input, &call.path])?;
        let wrapper = match call.wrapper {
            None | Some(JsonWrapper::Without) => "WITHOUT",
            Some(JsonWrapper::Conditional) => "CONDITIONAL",
            Some(JsonWrapper::Unconditional) => "UNCONDITIONAL",
        };
        args.push(text_literal(wrapper, span));
        for behavior in [call.on_empty, call.on_error] {
            let kind = match behavior {
                None | Some(JsonQueryBehavior::Null) => "NULL",
                Some(JsonQueryBehavior::Error) => "ERROR",
                Some(JsonQueryBehavior::EmptyArray) => "EMPTY ARRAY",
                Some(JsonQueryBehavior::EmptyObject) => "EMPTY OBJECT",
            };
            args.push(text_literal(kind, span));
        }
        self.apply("JSON_QUERY", args, span)
    }

    pub(super) fn bind_json_exists(
        &mut self,
        input: &ast::Expr,
        path: &ast::Expr,
        on_error: Option<JsonExistsOnError>,
        span: Span,
    ) -> Option<ExprRef> {
        let mut args = self.bind_all(&[input, path])?;
        let kind = match on_error {
            None | Some(JsonExistsOnError::False) => "FALSE",
            Some(JsonExistsOnError::True) => "TRUE",
            Some(JsonExistsOnError::Unknown) => "UNKNOWN",
            Some(JsonExistsOnError::Error) => "ERROR",
        };
        args.push(text_literal(kind, span));
        self.apply("JSON_EXISTS", args, span)
    }

    pub(super) fn bind_json_object(
        &mut self,
        entries: &[(ast::Expr, ast::Expr)],
        on_null: Option<JsonOnNull>,
        span: Span,
    ) -> Option<ExprRef> {
        let parts: Vec<&ast::Expr> = entries
            .iter()
            .flat_map(|(key, value)| [key, value])
            .collect();
        let null = on_null.unwrap_or(JsonOnNull::Null);
        self.bind_json_constructor("JSON_OBJECT", null, 2, &parts, span)
    }

    pub(super) fn bind_json_array(
        &mut self,
        items: &[ast::Expr],
        on_null: Option<JsonOnNull>,
        span: Span,
    ) -> Option<ExprRef> {
        let parts: Vec<&ast::Expr> = items.iter().collect();
        let null = on_null.unwrap_or(JsonOnNull::Absent);
        self.bind_json_constructor("JSON_ARRAY", null, 1, &parts, span)
    }

    fn bind_json_constructor(
        &mut self,
        name: &'static str,
        on_null: JsonOnNull,
        stride: usize,
        parts: &[&ast::Expr],
        span: Span,
    ) -> Option<ExprRef> {
        let on_null = match on_null {
            JsonOnNull::Null => "NULL",
            JsonOnNull::Absent => "ABSENT",
        };
        let parts = self.bind_all(parts)?;
        // A value is the last of each `stride` parts.
        let nested = nested_positions(parts.iter().skip(stride - 1).step_by(stride));
        let mut args = vec![text_literal(on_null, span), text_literal(&nested, span)];
        args.extend(parts);
        self.apply(name, args, span)
    }
}

/// Returns the positions, from 0, of values that are JSON constructors themselves: their text is put in as JSON, not
/// as a string.
fn nested_positions<'e>(values: impl Iterator<Item = &'e ExprRef>) -> String {
    let positions: Vec<String> = values
        .enumerate()
        .filter(|(_, value)| is_json_constructor(value))
        .map(|(position, _)| position.to_string())
        .collect();
    positions.join(",")
}

/// Sees through what does nothing, as the planner removes it: a COALESCE of one argument.
fn is_json_constructor(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Call(call) => matches!(call.name, "JSON_OBJECT" | "JSON_ARRAY"),
        ExprKind::Coalesce(parts) if parts.len() == 1 => is_json_constructor(&parts[0]),
        ExprKind::Retype(inner) => is_json_constructor(inner),
        _ => false,
    }
}
