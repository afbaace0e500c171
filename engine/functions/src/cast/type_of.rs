//! TYPEOF.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow_array::StringViewArray;
use arrow_array::cast::AsArray;
use millrace_connector::{FlinkType, LENGTH_MAX, TypeKind};

use crate::operator::signature::{bad_types, between};
use crate::{Bound, Category, Column, EvalContext, FunctionDef, Kernel, RowError, Volatility};

/// The name of a type, which is the same for all rows.
#[derive(Debug)]
struct TypeName(String);

impl Kernel for TypeName {
    fn evaluate(
        &self,
        _args: &[Column],
        _rows: usize,
        _ctx: &EvalContext,
    ) -> Result<Column, RowError> {
        let name = StringViewArray::from(vec![self.0.as_str()]);
        Ok(Column::Constant(Arc::new(name)))
    }

    fn can_fail(&self) -> bool {
        false
    }
}

pub(super) static TYPEOF: FunctionDef = FunctionDef {
    name: "TYPEOF",
    aliases: &[],
    category: Category::Conversion,
    signatures: &[
        "TYPEOF(x) → STRING",
        "TYPEOF(x, force_serializable BOOLEAN) → STRING",
    ],
    doc: "Returns the type of the expression, with NOT NULL where it cannot be NULL.",
    examples: &[("TYPEOF('abc')", "CHAR(3) NOT NULL")],
    volatility: Volatility::Deterministic,
    bind: |args, _| {
        between("TYPEOF", 1, 2, args)?;
        let mut serializable = false;
        if let Some(flag) = args.get(1) {
            let literal = flag
                .literal
                .as_ref()
                .filter(|_| flag.ty.kind == TypeKind::Boolean);
            let literal = literal.ok_or_else(|| bad_types("TYPEOF", args))?;
            serializable = literal.value.as_boolean().value(0);
        }
        let name = if serializable {
            args[0].ty.to_string()
        } else {
            summary(&args[0].ty)
        };
        Ok(Bound {
            arg_types: args.iter().map(|arg| arg.ty.clone()).collect(),
            return_type: FlinkType::string(),
            kernel: Arc::new(TypeName(name)),
        })
    },
};

/// Writes the type as Flink's `asSummaryString` does, with STRING and BYTES for the longest texts.
fn summary(ty: &FlinkType) -> String {
    let mut name = match &ty.kind {
        TypeKind::Varchar(LENGTH_MAX) => "STRING".to_owned(),
        TypeKind::Varbinary(LENGTH_MAX) => "BYTES".to_owned(),
        TypeKind::TimestampLtz(precision) => format!("TIMESTAMP_LTZ({precision})"),
        TypeKind::Array(element) => format!("ARRAY<{}>", summary(element)),
        TypeKind::Multiset(element) => format!("MULTISET<{}>", summary(element)),
        TypeKind::Map(key, value) => format!("MAP<{}, {}>", summary(key), summary(value)),
        TypeKind::Row(fields) => {
            let mut text = String::from("ROW<");
            for (i, field) in fields.iter().enumerate() {
                let comma = if i > 0 { ", " } else { "" };
                let name = field.name.replace('`', "``");
                write!(text, "{comma}`{name}` {}", summary(&field.ty)).expect("strings take all");
            }
            text.push('>');
            text
        }
        other => other.to_string(),
    };
    if !ty.nullable && ty.kind != TypeKind::Null {
        name.push_str(" NOT NULL");
    }
    name
}
