//! What `explain` shows: sources with the columns they decode, expressions, and the steps of lane programs.

use std::fmt::{self, Display, Formatter, Write};

use arrow_array::Array;
use arrow_array::ArrayRef;
use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Float64Type, Int32Type, Int64Type};
use arrow_schema::DataType;
use millrace_connector::{ColumnKind, TableDefinition};

use crate::expr::{Expr, ExprKind};
use crate::pipeline::{Branch, Dataflow, Pipeline, Sink, Source};
use crate::program::{Block, LaneProgram, Logic, StepOp};

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
    write_program(f, &branch.program, &decoded)
}

fn write_program(f: &mut Formatter<'_>, program: &LaneProgram, decoded: &[&str]) -> fmt::Result {
    let inputs: Vec<&str> = program
        .inputs()
        .iter()
        .map(|index| decoded[*index])
        .collect();
    // The working set: the inputs, then what UNNEST adds.
    let named = |reads: &[usize]| -> Vec<String> {
        let name = |index: &usize| match inputs.get(*index) {
            Some(name) => (*name).to_owned(),
            None => format!("#{} of UNNEST", index - inputs.len()),
        };
        reads.iter().map(name).collect()
    };
    for explode in program.explodes() {
        let kept = if explode.outer {
            ", at least one a row"
        } else {
            ""
        };
        writeln!(f, "{INDENT}{INDENT}{INDENT}unnest{kept}")?;
        write_block(f, &explode.block, &named(&explode.reads), 4)?;
    }
    let (filter, project) = program.blocks();
    let inputs = named(program.reads());
    if let Some(filter) = filter {
        writeln!(f, "{INDENT}{INDENT}{INDENT}filter")?;
        write_block(f, filter, &inputs, 4)?;
        writeln!(f, "{INDENT}{INDENT}{INDENT}project")?;
        return write_block(f, project, &[], 4);
    }
    write_block(f, project, &inputs, 3)
}

fn write_block(
    f: &mut Formatter<'_>,
    block: &Block,
    inputs: &[String],
    depth: usize,
) -> fmt::Result {
    let indent = INDENT.repeat(depth);
    for step in &block.steps {
        write!(f, "{indent}r{} = ", step.out)?;
        match &step.op {
            StepOp::Import(index) => match inputs.get(*index) {
                Some(name) => writeln!(f, "column {name}")?,
                None => writeln!(f, "outer r{}", block.imports[*index])?,
            },
            StepOp::Constant(value) => writeln!(f, "{}", Constant(value))?,
            StepOp::Call { name, args, .. } => writeln!(f, "{name}({})", registers(args))?,
            StepOp::Many {
                kernel,
                input,
                results,
            } => {
                writeln!(
                    f,
                    "… r{}: {} of r{input}, in one pass",
                    step.out + results - 1,
                    kernel.describe()
                )?;
            }
            StepOp::Logic { logic, left, right } => {
                writeln!(f, "r{left} {} r{right}", word(*logic))?
            }
            StepOp::LazyLogic { logic, left, right } => {
                writeln!(f, "r{left} {}, where that leaves it open", word(*logic))?;
                write_block(f, right, &[], depth + 1)?;
            }
            StepOp::Choose {
                condition,
                then,
                otherwise,
            } => {
                writeln!(f, "r{then} where r{condition}, else r{otherwise}")?;
            }
            StepOp::Branch {
                condition,
                then,
                otherwise,
            } => {
                writeln!(f, "where r{condition}")?;
                write_block(f, then, &[], depth + 1)?;
                writeln!(f, "{indent}else")?;
                write_block(f, otherwise, &[], depth + 1)?;
            }
            StepOp::Coalesce { first, rest } => writeln!(f, "r{first}, where NULL r{rest}")?,
        }
    }
    writeln!(f, "{indent}gives {}", registers(&block.outputs))
}

fn word(logic: Logic) -> &'static str {
    match logic {
        Logic::And => "AND",
        Logic::Or => "OR",
    }
}

fn registers(registers: &[usize]) -> String {
    registers
        .iter()
        .map(|register| format!("r{register}"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// An expression over named columns.
struct Shown<'a> {
    expr: &'a Expr,
    names: &'a [&'a str],
}

impl Shown<'_> {
    fn list(&self, parts: &[crate::ExprRef], separator: &str) -> String {
        parts
            .iter()
            .map(|expr| {
                Shown {
                    expr,
                    names: self.names,
                }
                .to_string()
            })
            .collect::<Vec<_>>()
            .join(separator)
    }
}

impl Display for Shown<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let inner = |expr| Shown {
            expr,
            names: self.names,
        };
        match &self.expr.kind {
            ExprKind::Column(index) => f.write_str(self.names.get(*index).copied().unwrap_or("?")),
            ExprKind::Literal(value) => Constant(value).fmt(f),
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
struct Constant<'a>(&'a ArrayRef);

impl Display for Constant<'_> {
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
