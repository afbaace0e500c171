//! What `explain` shows: sources with the columns they decode, expressions, and the steps of lane programs.

pub(crate) mod logical;
pub(crate) mod physical;
mod tree;

use std::fmt::{self, Display, Formatter, Write};

use millrace_connector::{ColumnKind, TableDefinition};
use millrace_program::ShownExpr as Shown;

use crate::pipeline::{Branch, Dataflow, Feed, Pipeline, Sink, Source};

pub use tree::PlanTree;

/// The width of a nested line.
const INDENT: &str = "  ";

impl Display for Pipeline {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (index, flow) in self.flows.iter().enumerate() {
            if index > 0 {
                f.write_char('\n')?;
            }
            flow.fmt(f)?;
        }
        Ok(())
    }
}

impl Display for Dataflow {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "dataflow {}", self.name)?;
        for source in &self.sources {
            write_source(f, source, &self.sinks)?;
        }
        for (index, stage) in self.stages.iter().enumerate() {
            writeln!(
                f,
                "{INDENT}stage {index} {}: {}",
                stage.node.name(),
                stage.node.describe()
            )?;
            let names: Vec<&str> = stage
                .node
                .columns()
                .iter()
                .map(|column| column.name.as_str())
                .collect();
            for branch in &stage.branches {
                let sink = &self.sinks[branch.sink].table;
                writeln!(
                    f,
                    "{INDENT}-> sink {} ({})",
                    sink.name.value,
                    connector(sink)
                )?;
                branch.program.write_steps(f, &names)?;
            }
            write_feeds(f, &stage.feeds, &names)?;
        }
        Ok(())
    }
}

fn connector(table: &TableDefinition) -> &str {
    table
        .option("connector")
        .map_or("?", |word| word.value.as_str())
}

fn write_source(f: &mut Formatter<'_>, source: &Source, sinks: &[Sink]) -> fmt::Result {
    let table = &source.table;
    if source.is_one_row {
        writeln!(f, "{INDENT}source {}", source.name)?;
        return write_branches(f, source, sinks);
    }
    writeln!(f, "{INDENT}source {} ({})", source.name, connector(table))?;
    let decoded: Vec<String> = source
        .projection
        .columns
        .iter()
        .map(|index| {
            let column = &table.columns[*index];
            match &column.kind {
                ColumnKind::Metadata { key, .. } => {
                    format!("{} (metadata '{}')", column.name.value, key.value)
                }
                _ => column.name.value.clone(),
            }
        })
        .collect();
    let total = table
        .columns
        .iter()
        .filter(|column| column.kind != ColumnKind::Computed)
        .count();
    writeln!(
        f,
        "{INDENT}{INDENT}decodes {} of {total} columns: {}",
        decoded.len(),
        decoded.join(", ")
    )?;
    write_branches(f, source, sinks)
}

fn write_branches(f: &mut Formatter<'_>, source: &Source, sinks: &[Sink]) -> fmt::Result {
    for branch in &source.branches {
        write_branch(f, branch, source, &sinks[branch.sink])?;
    }
    let columns = &source.table.columns;
    let decoded = source.projection.columns.iter();
    let decoded: Vec<&str> = decoded
        .map(|index| columns[*index].name.value.as_str())
        .collect();
    write_feeds(f, &source.feeds, &decoded)
}

fn write_feeds(f: &mut Formatter<'_>, feeds: &[Feed], names: &[&str]) -> fmt::Result {
    for feed in feeds {
        writeln!(f, "{INDENT}-> stage {}, input {}", feed.stage, feed.input)?;
        feed.program.write_steps(f, names)?;
    }
    Ok(())
}

fn write_branch(
    f: &mut Formatter<'_>,
    branch: &Branch,
    source: &Source,
    sink: &Sink,
) -> fmt::Result {
    let names: Vec<&str> = source
        .table
        .columns
        .iter()
        .map(|column| column.name.value.as_str())
        .collect();
    writeln!(
        f,
        "{INDENT}-> sink {} ({})",
        sink.table.name.value,
        connector(&sink.table)
    )?;
    for filter in &branch.logical.filters {
        writeln!(
            f,
            "{INDENT}{INDENT}where {}",
            Shown {
                expr: filter,
                names: &names
            }
        )?;
    }
    for (column, expr) in branch.program.outputs().iter().zip(&branch.logical.columns) {
        writeln!(
            f,
            "{INDENT}{INDENT}{} {} = {}",
            column.name,
            column.ty,
            Shown {
                expr,
                names: &names
            }
        )?;
    }
    writeln!(f, "{INDENT}{INDENT}program")?;
    let decoded: Vec<&str> = source
        .projection
        .columns
        .iter()
        .map(|index| names[*index])
        .collect();
    branch.program.write_steps(f, &decoded)
}
