//! A physical plan as a tree.

use std::fmt::{self, Display, Formatter};
use std::sync::Arc;

use datafusion_physical_plan::ExecutionPlan;
use datafusion_physical_plan::placeholder_row::PlaceholderRowExec;
use datafusion_physical_plan::union::UnionExec;
use millrace_program::{LaneProgram, ShownExpr};

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
    if let Some(node) = plan.downcast_ref::<Node<Fused>>() {
        return ("Fused".to_owned(), fused(&node.kind));
    }
    let described = |name: &str, detail: String| (name.to_owned(), detail);
    if let Some(node) = plan.downcast_ref::<Node<LaneScan>>() {
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
fn names(fused: &Fused) -> Vec<&str> {
    match &fused.input {
        Input::Table(table) => {
            let columns = table.definition.columns.iter();
            columns.map(|column| column.name.value.as_str()).collect()
        }
        Input::OneRow => Vec::new(),
        Input::Stage(node, _) => {
            let columns = node.columns().iter();
            columns.map(|column| column.name.as_str()).collect()
        }
    }
}

fn fused(fused: &Fused) -> String {
    let names = names(fused);
    let shown = |expr| {
        ShownExpr {
            expr,
            names: &names,
        }
        .to_string()
    };
    let outputs = fused.program.outputs().iter().zip(&fused.columns);
    let columns = outputs.map(|(column, expr)| {
        let value = shown(expr);
        if value == column.name {
            return value;
        }
        format!("{value} AS {}", column.name)
    });
    let mut text = columns.collect::<Vec<_>>().join(", ");
    let filters: Vec<String> = fused.filters.iter().map(|filter| shown(filter)).collect();
    if !filters.is_empty() {
        text.push_str(" WHERE ");
        text.push_str(&filters.join(" AND "));
    }
    text
}

fn steps(plan: &Arc<dyn ExecutionPlan>) -> Vec<String> {
    let Some(node) = plan.downcast_ref::<Node<Fused>>() else {
        return Vec::new();
    };
    let names = names(&node.kind);
    let text = Steps {
        program: &node.kind.program,
        names: &names,
    };
    let text = text.to_string();
    // The text is indented for a pipeline's page.
    let indent = text.lines().map(leading_blanks).min().unwrap_or(0);
    text.lines().map(|line| line[indent..].to_owned()).collect()
}

fn leading_blanks(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// The steps of a program, whose inputs count all columns of its source.
struct Steps<'a> {
    program: &'a LaneProgram,
    names: &'a [&'a str],
}

impl Display for Steps<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.program.write_steps(f, self.names)
    }
}
