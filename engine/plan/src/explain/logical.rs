//! A logical plan as a tree.

use datafusion_common::DFSchema;
use datafusion_expr::{Expr as DfExpr, Extension, LogicalPlan};

use super::PlanTree;
use crate::logical::{field, shown};

/// Returns the tree of a plan.
pub(crate) fn tree(plan: &LogicalPlan) -> PlanTree {
    let (name, detail) = head(plan);
    PlanTree {
        name,
        detail,
        columns: columns(plan.schema()),
        steps: Vec::new(),
        inputs: plan.inputs().into_iter().map(tree).collect(),
    }
}

fn head(plan: &LogicalPlan) -> (String, String) {
    let (name, detail) = match plan {
        LogicalPlan::TableScan(scan) => ("TableScan", scan.table_name.table().to_owned()),
        LogicalPlan::Projection(projection) => {
            let schema = projection.input.schema();
            let items = projection.expr.iter().map(|expr| item(expr, schema));
            ("Projection", items.collect::<Vec<_>>().join(", "))
        }
        LogicalPlan::Filter(filter) => ("Filter", shown(&filter.predicate, filter.input.schema())),
        LogicalPlan::SubqueryAlias(alias) => ("SubqueryAlias", alias.alias.table().to_owned()),
        LogicalPlan::Union(_) => ("UnionAll", String::new()),
        LogicalPlan::EmptyRelation(_) => ("OneRow", String::new()),
        LogicalPlan::Extension(Extension { node }) => {
            let text = LogicalPlan::Extension(Extension { node: node.clone() });
            return split(&text.display().to_string());
        }
        other => return split(&other.display().to_string()),
    };
    (name.to_owned(), detail)
}

/// Splits `Name: what it does`.
fn split(line: &str) -> (String, String) {
    match line.split_once(": ") {
        Some((name, detail)) => (name.to_owned(), detail.to_owned()),
        None => (line.to_owned(), String::new()),
    }
}

fn item(expr: &DfExpr, schema: &DFSchema) -> String {
    let value = shown(expr, schema);
    match expr {
        DfExpr::Alias(alias) if alias.name != value => format!("{value} AS {}", alias.name),
        _ => value,
    }
}

fn columns(schema: &DFSchema) -> Vec<(String, String)> {
    let fields = schema.fields().iter();
    fields
        .map(|field| (field.name().clone(), field::shown_type(field)))
        .collect()
}
