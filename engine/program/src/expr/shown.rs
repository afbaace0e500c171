//! Expressions as text.

use std::fmt::{self, Display, Formatter};

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Float64Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;

use super::{Expr, ExprKind, ExprRef};

/// An expression over named columns.
#[derive(Debug)]
pub struct ShownExpr<'a> {
    /// The expression.
    pub expr: &'a Expr,
    /// The names of its input's columns.
    pub names: &'a [&'a str],
}

impl ShownExpr<'_> {
    fn list(&self, parts: &[ExprRef], separator: &str) -> String {
        parts
            .iter()
            .map(|expr| {
                ShownExpr {
                    expr,
                    names: self.names,
                }
                .to_string()
            })
            .collect::<Vec<_>>()
            .join(separator)
    }
}

impl Display for ShownExpr<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let inner = |expr| ShownExpr {
            expr,
            names: self.names,
        };
        match &self.expr.kind {
            ExprKind::Column(index) => f.write_str(self.names.get(*index).copied().unwrap_or("?")),
            ExprKind::Literal(value) => ShownConstant(value).fmt(f),
            ExprKind::Call(call) => match (call.name, call.args.as_slice()) {
                ("CAST" | "TRY_CAST", [arg]) => {
                    write!(f, "{}({} AS {})", call.name, inner(arg), self.expr.ty.kind)
                }
                ("implicit CAST", [arg]) => write!(f, "{} as {}", inner(arg), self.expr.ty.kind),
                (name, [arg]) if name.starts_with("IS ") => write!(f, "({} {name})", inner(arg)),
                (name, [left, right])
                    if !name.starts_with(|c: char| c.is_ascii_alphabetic()) || name == "LIKE" =>
                {
                    write!(f, "({} {name} {})", inner(left), inner(right))
                }
                // Clauses that were not written are not shown.
                ("JSON_VALUE", [document, path, on_empty, _, on_error, _])
                    if is_text(on_empty, "NULL") && is_text(on_error, "NULL") =>
                {
                    write!(f, "JSON_VALUE({}, {})", inner(document), inner(path))
                }
                ("TRIM", [side, characters, text])
                    if is_text(side, "BOTH") && is_text(characters, " ") =>
                {
                    write!(f, "TRIM({})", inner(text))
                }
                (name, args) => write!(f, "{name}({})", self.list(args, ", ")),
            },
            ExprKind::And(parts) => write!(f, "({})", self.list(parts, " AND ")),
            ExprKind::Or(parts) => write!(f, "({})", self.list(parts, " OR ")),
            ExprKind::Coalesce(parts) => write!(f, "COALESCE({})", self.list(parts, ", ")),
            ExprKind::Case {
                branches,
                otherwise,
            } => {
                f.write_str("CASE")?;
                for (when, then) in branches {
                    write!(f, " WHEN {} THEN {}", inner(when), inner(then))?;
                }
                write!(f, " ELSE {} END", inner(otherwise))
            }
            ExprKind::Retype(value) => inner(value).fmt(f),
        }
    }
}

fn is_text(expr: &Expr, text: &str) -> bool {
    let value = expr.literal().map(|literal| literal.value);
    let texts = value.as_ref().and_then(|value| value.as_string_view_opt());
    texts.is_some_and(|texts| texts.is_valid(0) && texts.value(0) == text)
}

/// A constant, short.
#[derive(Debug)]
pub(crate) struct ShownConstant<'a>(pub(crate) &'a ArrayRef);

impl Display for ShownConstant<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let array = self.0;
        if array.is_null(0) || array.data_type() == &DataType::Null {
            return f.write_str("NULL");
        }
        match array.data_type() {
            DataType::Utf8View => write!(f, "'{}'", array.as_string_view().value(0)),
            DataType::Boolean => write!(f, "{}", array.as_boolean().value(0)),
            DataType::Int32 => write!(f, "{}", array.as_primitive::<Int32Type>().value(0)),
            DataType::Int64 => write!(f, "{}", array.as_primitive::<Int64Type>().value(0)),
            DataType::Float64 => write!(f, "{:?}", array.as_primitive::<Float64Type>().value(0)),
            DataType::Date32 => write!(f, "day {}", array.as_primitive::<Date32Type>().value(0)),
            other => write!(f, "a constant {other}"),
        }
    }
}
