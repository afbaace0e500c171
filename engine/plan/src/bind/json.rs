//! The JSON functions with clauses: which arguments the functions get for them.

use millrace_connector::{Diagnostic, Span, TypeKind};
use millrace_sql::ast::{
    self, JsonExistsOnError, JsonOnNull, JsonQueryBehavior, JsonValueBehavior, JsonWrapper,
};

use super::{Binder, null_literal, text_literal};
use millrace_program::{Expr, ExprKind, ExprRef};

impl Binder<'_> {
    pub(super) fn bind_json_value(&mut self, call: &ast::JsonValue, span: Span) -> Option<ExprRef> {
        let mut args = self.bind_all(&[&call.input, &call.path])?;
        for behavior in [&call.on_empty, &call.on_error] {
            let (kind, default) = match behavior {
                None | Some(JsonValueBehavior::Null) => ("NULL", None),
                Some(JsonValueBehavior::Error) => ("ERROR", None),
                Some(JsonValueBehavior::Default(expr)) => {
                    let default = self.bind(expr)?;
                    if default.ty.kind == TypeKind::Null {
                        return self.report(Diagnostic::error(
                            "MR0403",
                            "the default of JSON_VALUE cannot be NULL",
                            default.span,
                        ));
                    }
                    // As text, TRUE and FALSE are written as Java writes them.
                    let is_text = call
                        .returning
                        .as_ref()
                        .is_none_or(|returning| returning.value.kind.is_character());
                    let default = match &expr.kind {
                        ast::ExprKind::Literal(ast::Literal::Boolean(value)) if is_text => {
                            text_literal(if *value { "true" } else { "false" }, default.span)
                        }
                        _ => default,
                    };
                    ("DEFAULT", Some(default))
                }
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
        let written = parts;
        let parts = self.bind_all(parts)?;
        // A value is the last of each `stride` parts.
        let values = written.iter().copied().zip(&parts);
        let nested = nested_positions(values.skip(stride - 1).step_by(stride));
        let mut args = vec![text_literal(on_null, span), text_literal(&nested, span)];
        args.extend(parts);
        self.apply(name, args, span)
    }
}

/// Returns the positions, from 0, of values that are JSON constructors themselves: their text is put in as JSON, not
/// as a string.
fn nested_positions<'e>(values: impl Iterator<Item = (&'e ast::Expr, &'e ExprRef)>) -> String {
    let positions: Vec<String> = values
        .enumerate()
        .filter(|(_, (written, value))| is_nested(written, value))
        .map(|(position, _)| position.to_string())
        .collect();
    positions.join(",")
}

/// # Flink
/// The planner has removed what does nothing before it looks: a CAST to the same type, a COALESCE whose first argument
/// is never NULL, a CASE whose first condition is TRUE. IF, IFNULL and TRY_CAST stay, and hide the constructor.
fn is_nested(written: &ast::Expr, value: &Expr) -> bool {
    match (&written.kind, &value.kind) {
        (ast::ExprKind::Function(call), ExprKind::Coalesce(parts)) => {
            let first = call.args.first().map(|arg| &arg.value);
            call.name.last().value.eq_ignore_ascii_case("COALESCE")
                && (parts.len() == 1 || !parts[0].ty.nullable)
                && first.is_some_and(|first| is_nested(first, &parts[0]))
        }
        (
            ast::ExprKind::Case {
                operand: None,
                branches,
                ..
            },
            ExprKind::Case {
                branches: bound, ..
            },
        ) => match (branches.first(), bound.first()) {
            (Some(written), Some((_, value))) => {
                let is_true = |when: &ast::Expr| {
                    matches!(
                        when.kind,
                        ast::ExprKind::Literal(ast::Literal::Boolean(true))
                    )
                };
                written.when.first().is_some_and(is_true) && is_nested(&written.then, value)
            }
            _ => false,
        },
        _ => is_json_constructor(value),
    }
}

fn is_json_constructor(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Call(call) => matches!(call.name, "JSON_OBJECT" | "JSON_ARRAY"),
        ExprKind::Retype(inner) => is_json_constructor(inner),
        _ => false,
    }
}
