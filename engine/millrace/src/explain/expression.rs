//! Expressions of a plan as a person writes them.

use arrow_array::{Array, ArrayRef};
use millrace_connector::{FlinkType, TableDefinition};
use millrace_functions::cast::print::Printer;
use millrace_plan::{Call, Expr, ExprKind};

/// Returns the expression over the columns of `table`.
pub(crate) fn shown(expr: &Expr, table: &TableDefinition) -> String {
    let list = |parts: &[millrace_plan::ExprRef], between: &str| {
        parts
            .iter()
            .map(|part| shown(part, table))
            .collect::<Vec<_>>()
            .join(between)
    };
    match &expr.kind {
        ExprKind::Column(index) => table.columns.get(*index).map_or_else(
            || format!("column {index}"),
            |column| name(&column.name.value),
        ),
        ExprKind::Literal(value) => literal(value, &expr.ty),
        ExprKind::Call(call) => shown_call(call, table),
        ExprKind::And(parts) => format!("({})", list(parts, " AND ")),
        ExprKind::Or(parts) => format!("({})", list(parts, " OR ")),
        ExprKind::Coalesce(parts) => format!("COALESCE({})", list(parts, ", ")),
        ExprKind::Case {
            branches,
            otherwise,
        } => {
            let whens: String = branches
                .iter()
                .map(|(when, then)| {
                    format!(" WHEN {} THEN {}", shown(when, table), shown(then, table))
                })
                .collect();
            format!("CASE{whens} ELSE {} END", shown(otherwise, table))
        }
        ExprKind::Retype(inner) => shown(inner, table),
    }
}

fn shown_call(call: &Call, table: &TableDefinition) -> String {
    let args: Vec<String> = call.args.iter().map(|arg| shown(arg, table)).collect();
    let is_sign = !call.name.starts_with(|c: char| c.is_ascii_alphabetic());
    match args.as_slice() {
        [left, right] if is_sign => format!("({left} {} {right})", call.name),
        [only] if is_sign => format!("({}{only})", call.name),
        _ => format!("{}({})", call.name, args.join(", ")),
    }
}

fn name(name: &str) -> String {
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if plain {
        name.to_owned()
    } else {
        format!("`{name}`")
    }
}

fn literal(value: &ArrayRef, ty: &FlinkType) -> String {
    if value.is_empty() || value.logical_null_count() > 0 {
        return "NULL".to_owned();
    }
    let mut text = String::new();
    Printer::new(ty, &jiff::tz::TimeZone::UTC).print(value, 0, &mut text);
    if ty.kind.is_character() {
        format!("'{}'", text.replace('\'', "''"))
    } else {
        text
    }
}
