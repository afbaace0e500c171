//! TYPEOF and CURRENT_DATABASE.
//!
//! # Flink
//! TYPEOF gives `LogicalType.asSummaryString`, in which STRING, BYTES and TIMESTAMP_LTZ have their short names;
//! with TRUE as second argument `asSerializableString`, in which they have not.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, StringViewArray};
use millrace_connector::{FlinkType, LENGTH_MAX, TypeKind};

use crate::string::{BatchKernel, count_error, types_error};
use crate::{Arg, Bound, CallError, Category, Column, FunctionDef, Volatility};

/// `TYPEOF`.
pub(crate) static TYPEOF: FunctionDef = FunctionDef {
    name: "TYPEOF",
    aliases: &[],
    category: Category::Conversion,
    signatures: &[
        "TYPEOF(value ANY) → STRING",
        "TYPEOF(value ANY, serializable BOOLEAN) → STRING",
    ],
    doc: "Returns the name of the value's type; with TRUE, in the long form that can be read back.",
    examples: &[("TYPEOF(1)", "INT NOT NULL")],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind_typeof(args),
};

/// `CURRENT_DATABASE`.
pub(crate) static CURRENT_DATABASE: FunctionDef = FunctionDef {
    name: "CURRENT_DATABASE",
    aliases: &[],
    category: Category::Other,
    signatures: &["CURRENT_DATABASE() → STRING NOT NULL"],
    doc: "Returns the name of the current database: that of the last USE before the statement, else `default_database`.",
    examples: &[("CURRENT_DATABASE()", "default_database")],
    volatility: Volatility::Deterministic,
    bind: |args, ctx| {
        if !args.is_empty() {
            return Err(count_error("CURRENT_DATABASE", args.len(), 0, Some(0)));
        }
        let name = ctx.current_database.clone();
        Ok(Bound {
            arg_types: Vec::new(),
            return_type: FlinkType::string().with_nullable(false),
            kernel: BatchKernel::infallible("CURRENT_DATABASE", move |_: &[Column], rows| {
                texts(&name, rows)
            }),
        })
    },
};

fn texts(text: &str, rows: usize) -> ArrayRef {
    Arc::new(StringViewArray::from_iter_values(std::iter::repeat_n(
        text, rows,
    )))
}

fn bind_typeof(args: &[Arg]) -> Result<Bound, CallError> {
    let serializable = match args {
        [_] => false,
        [_, flag] => literal_boolean(flag).ok_or_else(|| types_error("TYPEOF", args))?,
        _ => return Err(count_error("TYPEOF", args.len(), 1, Some(2))),
    };
    let ty = &args[0].ty;
    let name = if serializable {
        ty.to_string()
    } else {
        summary(ty)
    };
    Ok(Bound {
        arg_types: args.iter().map(|arg| arg.ty.clone()).collect(),
        return_type: FlinkType::string(),
        kernel: BatchKernel::infallible("TYPEOF", move |_: &[Column], rows| texts(&name, rows)),
    })
}

fn literal_boolean(arg: &Arg) -> Option<bool> {
    let value = arg.literal.as_ref()?.value.as_boolean_opt()?;
    (value.len() == 1 && value.is_valid(0)).then(|| value.value(0))
}

/// Returns the type as `asSummaryString` writes it.
fn summary(ty: &FlinkType) -> String {
    let name = match &ty.kind {
        TypeKind::Varchar(LENGTH_MAX) => "STRING".to_owned(),
        TypeKind::Varbinary(LENGTH_MAX) => "BYTES".to_owned(),
        TypeKind::TimestampLtz(precision) => format!("TIMESTAMP_LTZ({precision})"),
        TypeKind::Array(element) => format!("ARRAY<{}>", summary(element)),
        TypeKind::Multiset(element) => format!("MULTISET<{}>", summary(element)),
        TypeKind::Map(key, value) => format!("MAP<{}, {}>", summary(key), summary(value)),
        TypeKind::Row(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|field| format!("`{}` {}", field.name.replace('`', "``"), summary(&field.ty)))
                .collect();
            format!("ROW<{}>", fields.join(", "))
        }
        kind => kind.to_string(),
    };
    if ty.nullable || ty.kind == TypeKind::Null {
        name
    } else {
        format!("{name} NOT NULL")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summary_has_short_names_at_every_depth() {
        let text = FlinkType::string().with_nullable(false);
        let ty = TypeKind::Map(
            Box::new(text),
            Box::new(TypeKind::TimestampLtz(3).nullable()),
        );
        assert_eq!(
            summary(&ty.not_null()),
            "MAP<STRING NOT NULL, TIMESTAMP_LTZ(3)> NOT NULL"
        );
    }
}
