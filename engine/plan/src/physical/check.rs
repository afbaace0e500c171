//! Flink's types after planning: what a node's fields say and what its values are must be the same.
//!
//! Rules and nodes of DataFusion know nothing of Flink's types, which travel as metadata. A node that loses or changes
//! one is a mistake of ours, found here and not in a row.

use datafusion_common::{Result, internal_err};
use datafusion_expr::LogicalPlan;
use millrace_connector::{FlinkType, TypeKind};
use millrace_program::ExprRef;

use crate::logical::type_of;

/// Compares the fields of a plan with the values that are made for them.
///
/// # Errors
/// A field whose type was lost or is another; the error names the node.
pub(super) fn columns(plan: &LogicalPlan, values: &[ExprRef]) -> Result<()> {
    let fields = plan.schema().fields();
    if fields.len() != values.len() {
        return internal_err!(
            "{} has {} columns, its fields are {}",
            plan.display(),
            values.len(),
            fields.len()
        );
    }
    for (field, value) in fields.iter().zip(values) {
        match type_of(field) {
            None => {
                return internal_err!(
                    "the type of column {} is lost in {}",
                    field.name(),
                    plan.display()
                );
            }
            Some(said) if !is_type(said, &value.ty) => {
                return internal_err!(
                    "column {} is {}, but {said} in {}",
                    field.name(),
                    value.ty,
                    plan.display()
                );
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// Tells whether the text names the type. To expressions, all times of day have the precision 0.
fn is_type(said: &str, ty: &FlinkType) -> bool {
    match ty.kind {
        TypeKind::Time(_) => said.starts_with("TIME("),
        _ => ty.to_string() == said,
    }
}
