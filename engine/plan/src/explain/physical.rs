//! A physical plan as a tree.

use std::sync::Arc;

use datafusion_physical_plan::ExecutionPlan;
use datafusion_physical_plan::placeholder_row::PlaceholderRowExec;
use datafusion_physical_plan::union::UnionExec;
use millrace_program::{ShownExpr, unnested_columns};

use super::PlanTree;
use crate::logical::field;
use crate::physical::{Fused, Input, LaneScan, Node, Sink, Stage};

/// Returns the tree of a plan.
pub(crate) fn tree(plan: &Arc<dyn ExecutionPlan>) -> PlanTree {
    let (name, detail) = head(plan);
    let schema = plan.schema();
    let fields = schema.fields().iter();
    let columns = fields.map(|field| (field.name().clone(), field::shown_type(field)));
    PlanTree {
        name,
        detail,
        columns: columns.collect(),
        steps: steps(plan),
        inputs: plan.children().into_iter().map(tree).collect(),
    }
}

fn head(plan: &Arc<dyn ExecutionPlan>) -> (String, String) {
    let described = |name: &str, detail: String| (name.to_owned(), detail);
    if let Some(node) = plan.downcast_ref::<Node<LaneScan>>() {
        return described(node.name(), node.detail());
    }
    if let Some(node) = plan.downcast_ref::<Node<Fused>>() {
        return described(node.name(), node.detail());
    }
    if let Some(node) = plan.downcast_ref::<Node<Stage>>() {
        return described(node.name(), node.detail());
    }
    if let Some(node) = plan.downcast_ref::<Node<Sink>>() {
        return described(node.name(), node.detail());
    }
    let name = match () {
        () if plan.is::<PlaceholderRowExec>() => "OneRow",
        () if plan.is::<UnionExec>() => "UnionAll",
        () => plan.name(),
    };
    (name.to_owned(), String::new())
}

/// Returns the names of the columns that a program's expressions count.
fn names(fused: &Fused) -> Vec<String> {
    let mut names: Vec<String> = match &fused.input {
        Input::Table(table) => {
            let columns = table.definition.columns.iter();
            columns.map(|column| column.name.value.clone()).collect()
        }
        Input::OneRow => Vec::new(),
        Input::Stage(node, _) => {
            let columns = node.columns().iter();
            columns.map(|column| column.name.clone()).collect()
        }
    };
    for unnest in &fused.unnests {
        let added = unnested_columns(&unnest.collection.ty.kind).unwrap_or_default();
        names.extend(added.into_iter().map(|(name, _)| name));
        if unnest.ordinality {
            names.push("ORDINALITY".to_owned());
        }
    }
    names
}

/// Returns what a program does, each part in a line: collections that are taken apart, filters, computed columns, and what is parsed once.
fn steps(plan: &Arc<dyn ExecutionPlan>) -> Vec<String> {
    let Some(node) = plan.downcast_ref::<Node<Fused>>() else {
        return Vec::new();
    };
    let fused = &node.kind;
    let names = names(fused);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let shown = |expr| ShownExpr {
        expr,
        names: &names,
    };
    let mut steps = Vec::new();
    for unnest in &fused.unnests {
        let outer = if unnest.outer {
            ", at least one row"
        } else {
            ""
        };
        steps.push(format!("unnest {}{outer}", shown(&unnest.collection)));
    }
    let filters = fused.filters.iter();
    steps.extend(filters.map(|filter| format!("where {}", shown(filter))));
    for (column, expr) in fused.program.outputs().iter().zip(&fused.columns) {
        let value = shown(expr).to_string();
        if value != column.name {
            steps.push(format!("{} = {value}", column.name));
        }
    }
    let passes = fused.program.passes().into_iter();
    steps.extend(passes.map(|pass| format!("in one pass: {pass}")));
    steps
}
