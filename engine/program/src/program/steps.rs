//! The steps of a program for `explain`, with the names of its columns.

use std::fmt::{self, Formatter};

use super::LaneProgram;
use super::block::{Block, Logic, StepOp};
use crate::expr::ShownConstant;

/// The width of a nested line.
const INDENT: &str = "  ";

impl LaneProgram {
    /// Writes its steps, one a line, as `explain` indents them. `decoded` names the batch's columns.
    ///
    /// # Errors
    /// Those of `f`.
    pub fn write_steps(&self, f: &mut Formatter<'_>, decoded: &[&str]) -> fmt::Result {
        write_program(f, self, decoded)
    }
}

impl LaneProgram {
    /// Returns what is cut out of one text in one pass, in words: `JSON_VALUE at $.a, $.b`.
    #[must_use]
    pub fn passes(&self) -> Vec<String> {
        let mut found = Vec::new();
        let blocks = self.explodes.iter().map(|explode| &explode.block);
        for block in blocks.chain(&self.filter).chain([&self.project]) {
            add_passes(block, &mut found);
        }
        found
    }
}

fn add_passes(block: &Block, found: &mut Vec<String>) {
    for step in &block.steps {
        match &step.op {
            StepOp::Many { kernel, .. } => found.push(kernel.describe()),
            StepOp::LazyLogic { right, .. } => add_passes(right, found),
            StepOp::Branch {
                then, otherwise, ..
            } => {
                add_passes(then, found);
                add_passes(otherwise, found);
            }
            _ => {}
        }
    }
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
            StepOp::Constant(value) => writeln!(f, "{}", ShownConstant(value))?,
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
