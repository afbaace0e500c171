//! A program as text, for `explain`: one step a line, lazy parts indented.

use std::fmt;

use super::LaneProgram;
use super::block::{Block, Logic, StepOp};

impl fmt::Display for LaneProgram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inputs: Vec<String> = self
            .inputs
            .iter()
            .map(|input| format!("#{input}"))
            .collect();
        write!(f, "takes columns {} of the batch", inputs.join(", "))?;
        if let Some(filter) = &self.filter {
            write!(
                f,
                "\nfilter, keeps rows where {} is TRUE",
                registers(&filter.outputs)
            )?;
            write_block(f, filter, 1)?;
            write!(
                f,
                "\nprojection, with {} of the filter",
                registers(&self.project.imports)
            )?;
        } else {
            write!(f, "\nprojection")?;
        }
        write_block(f, &self.project, 1)?;
        write!(f, "\n  gives {}", registers(&self.project.outputs))
    }
}

fn registers(list: &[usize]) -> String {
    list.iter()
        .map(|register| format!("r{register}"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// Debug output of an array has its type, and each value on a line of its own between brackets.
pub(super) fn constant(value: &arrow_array::ArrayRef) -> String {
    let shown = format!("{value:?}");
    let inner = shown.split_once('\n').map_or("", |(_, rest)| rest);
    let text: Vec<&str> = inner
        .trim_matches(['[', ']', '\n', ' '])
        .lines()
        .map(str::trim)
        .collect();
    text.join(" ").trim_end_matches(',').to_owned()
}

fn logic(logic: Logic) -> &'static str {
    match logic {
        Logic::And => "AND",
        Logic::Or => "OR",
    }
}

fn write_block(f: &mut fmt::Formatter<'_>, block: &Block, depth: usize) -> fmt::Result {
    for step in &block.steps {
        write!(f, "\n{}r{} = ", "  ".repeat(depth), step.out)?;
        write_op(f, &step.op, depth)?;
    }
    Ok(())
}

fn write_lazy(f: &mut fmt::Formatter<'_>, what: &str, block: &Block, depth: usize) -> fmt::Result {
    let taken = registers(&block.imports);
    write!(
        f,
        "\n{}{what}, with {taken}, gives {}",
        "  ".repeat(depth),
        registers(&block.outputs)
    )?;
    write_block(f, block, depth + 1)
}

fn write_op(f: &mut fmt::Formatter<'_>, op: &StepOp, depth: usize) -> fmt::Result {
    match op {
        StepOp::Import(index) => write!(f, "input {index}"),
        StepOp::Constant(value) => write!(f, "constant {}", constant(value)),
        StepOp::Call { name, args, .. } => write!(f, "{name}({})", registers(args)),
        StepOp::Many {
            kernel,
            input,
            results,
        } => write!(
            f,
            "{} of r{input}, {results} registers from here on",
            kernel.describe()
        ),
        StepOp::Logic {
            logic: word,
            left,
            right,
        } => write!(f, "r{left} {} r{right}", logic(*word)),
        StepOp::LazyLogic {
            logic: word,
            left,
            right,
        } => {
            write!(
                f,
                "r{left} {} what is below, on the rows that r{left} leaves open",
                logic(*word)
            )?;
            write_lazy(f, "right side", right, depth + 1)
        }
        StepOp::Choose {
            condition,
            then,
            otherwise,
        } => write!(f, "r{then} where r{condition} is TRUE, else r{otherwise}"),
        StepOp::Branch {
            condition,
            then,
            otherwise,
        } => {
            write!(f, "by r{condition}, each side on its rows only")?;
            write_lazy(f, "where TRUE", then, depth + 1)?;
            write_lazy(f, "else", otherwise, depth + 1)
        }
        StepOp::Coalesce { first, rest } => {
            write!(f, "r{first} where it is not NULL, else r{rest}")
        }
    }
}
