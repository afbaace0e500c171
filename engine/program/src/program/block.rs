//! Steps and their execution.

use std::sync::Arc;

use arrow_array::ArrayRef;
use millrace_functions::{Column, EvalContext, Kernel, RowError, Volatility};

use super::boolean;
use super::many::ManyKernel;
use super::profile::StepTimes;
use super::selection::Selection;

/// The number of a value within a block.
pub(crate) type Register = usize;

/// Steps over registers; every step fills its own.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    /// Registers of the enclosing block that `Import` steps read. Empty for a program's outermost block, which imports
    /// the input columns.
    pub(crate) imports: Vec<Register>,
    pub(crate) steps: Vec<Step>,
    pub(crate) registers: usize,
    pub(crate) outputs: Vec<Register>,
}

/// What fills one register (`Many`: several).
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) out: Register,
    pub(crate) op: StepOp,
}

/// Which of the two logical operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Logic {
    And,
    Or,
}

/// How a register is filled.
#[derive(Clone, Debug)]
pub(crate) enum StepOp {
    /// The import of that index.
    Import(usize),
    /// The same value for all rows.
    Constant(ArrayRef),
    /// A kernel.
    Call {
        name: &'static str,
        kernel: Arc<dyn Kernel>,
        args: Vec<Register>,
        volatility: Volatility,
    },
    /// A kernel with several results, in the registers from `out` on.
    Many {
        kernel: Arc<dyn ManyKernel>,
        input: Register,
        results: usize,
    },
    /// AND, OR of two registers.
    Logic {
        logic: Logic,
        left: Register,
        right: Register,
    },
    /// AND, OR whose right side is evaluated only where the left side leaves the result open.
    LazyLogic {
        logic: Logic,
        left: Register,
        right: Box<Block>,
    },
    /// `then` where `condition` is TRUE, else `otherwise`.
    Choose {
        condition: Register,
        then: Register,
        otherwise: Register,
    },
    /// The same, each side evaluated only on its rows.
    Branch {
        condition: Register,
        then: Box<Block>,
        otherwise: Box<Block>,
    },
    /// `first` where it is not NULL, else `rest`.
    Coalesce { first: Register, rest: Register },
}

/// The registers after a run.
pub(crate) struct Registers<'a> {
    block: &'a Block,
    values: Vec<Option<Column>>,
}

impl Registers<'_> {
    fn get(&self, register: Register) -> &Column {
        self.values[register]
            .as_ref()
            .expect("a step reads only registers that earlier steps filled")
    }

    /// Returns the block's output.
    pub(crate) fn output(&self, index: usize) -> &Column {
        self.get(self.block.outputs[index])
    }

    /// Returns the selected rows of the given registers.
    pub(crate) fn export(&self, registers: &[Register], selection: &Selection) -> Vec<Column> {
        registers
            .iter()
            .map(|register| selection.filter_column(self.get(*register)))
            .collect()
    }
}

impl Block {
    /// Runs all steps over `rows` rows.
    pub(crate) fn run(
        &self,
        imports: &[Column],
        rows: usize,
        ctx: &EvalContext,
    ) -> Result<Registers<'_>, RowError> {
        self.run_timed(imports, rows, ctx, None)
    }

    /// The same, and books what each step took.
    pub(crate) fn run_timed(
        &self,
        imports: &[Column],
        rows: usize,
        ctx: &EvalContext,
        times: Option<StepTimes<'_>>,
    ) -> Result<Registers<'_>, RowError> {
        let mut registers = Registers {
            block: self,
            values: vec![None; self.registers],
        };
        for (index, step) in self.steps.iter().enumerate() {
            let begun = times.map(StepTimes::now);
            step.run(imports, &mut registers, rows, ctx)?;
            if let (Some(times), Some(begun)) = (times, begun) {
                times.book(index, begun);
            }
        }
        Ok(registers)
    }

    /// Runs on the selected rows of the enclosing block and returns the one output.
    fn run_on(
        &self,
        outer: &Registers<'_>,
        selection: &Selection,
        ctx: &EvalContext,
    ) -> Result<Column, RowError> {
        let imports = outer.export(&self.imports, selection);
        match self.run(&imports, selection.len(), ctx) {
            Ok(registers) => Ok(registers.output(0).clone()),
            Err(error) => Err(selection.to_outer(error)),
        }
    }
}

impl Step {
    /// Fills the step's registers.
    fn run(
        &self,
        imports: &[Column],
        registers: &mut Registers<'_>,
        rows: usize,
        ctx: &EvalContext,
    ) -> Result<(), RowError> {
        match &self.op {
            StepOp::Import(index) => {
                registers.values[self.out] = Some(imports[*index].clone());
            }
            StepOp::Many { kernel, input, .. } => {
                let columns = kernel.columns(registers.get(*input));
                for (i, column) in columns.into_iter().enumerate() {
                    registers.values[self.out + i] = Some(column);
                }
            }
            op => registers.values[self.out] = Some(op.evaluate(registers, rows, ctx)?),
        }
        Ok(())
    }
}

impl StepOp {
    fn evaluate(
        &self,
        registers: &Registers<'_>,
        rows: usize,
        ctx: &EvalContext,
    ) -> Result<Column, RowError> {
        match self {
            Self::Constant(value) => Ok(Column::Constant(ArrayRef::clone(value))),
            Self::Call {
                kernel,
                args,
                volatility,
                ..
            } => {
                let args: Vec<Column> =
                    args.iter().map(|arg| registers.get(*arg).clone()).collect();
                call(kernel.as_ref(), &args, rows, *volatility, ctx)
            }
            Self::Logic { logic, left, right } => Ok(combine(
                *logic,
                registers.get(*left),
                registers.get(*right),
                rows,
            )),
            Self::LazyLogic { logic, left, right } => {
                let left = registers.get(*left);
                let settled = match logic {
                    Logic::And => boolean::falses(left, rows),
                    Logic::Or => boolean::trues(left, rows),
                };
                let open = Selection::of_mask(!&settled);
                if open.is_empty() {
                    return Ok(left.clone());
                }
                let right = right.run_on(registers, &open, ctx)?;
                // Where the left side settles the result, any right value gives it.
                let settled_part = left_part(left, &open);
                let right = open.combine(&right, &settled_part);
                Ok(combine(*logic, left, &right, rows))
            }
            Self::Choose {
                condition,
                then,
                otherwise,
            } => {
                let selection = Selection::of_true(registers.get(*condition), rows);
                Ok(selection.choose(registers.get(*then), registers.get(*otherwise)))
            }
            Self::Branch {
                condition,
                then,
                otherwise,
            } => {
                let selection = Selection::of_true(registers.get(*condition), rows);
                branch(registers, &selection, then, otherwise, ctx)
            }
            Self::Coalesce { first, rest } => {
                let first = registers.get(*first);
                Ok(Selection::of_mask(boolean::valid(first, rows))
                    .choose(first, registers.get(*rest)))
            }
            Self::Import(_) | Self::Many { .. } => unreachable!("Block::run handles these itself"),
        }
    }
}

/// Returns the left side's values of the rows that are not open.
fn left_part(left: &Column, open: &Selection) -> Column {
    open.inverse().filter_column(left)
}

fn combine(logic: Logic, left: &Column, right: &Column, rows: usize) -> Column {
    match logic {
        Logic::And => boolean::and(left, right, rows),
        Logic::Or => boolean::or(left, right, rows),
    }
}

fn branch(
    registers: &Registers<'_>,
    selection: &Selection,
    then: &Block,
    otherwise: &Block,
    ctx: &EvalContext,
) -> Result<Column, RowError> {
    if selection.is_all() {
        return then.run_on(registers, selection, ctx);
    }
    let rest = selection.inverse();
    if selection.is_empty() {
        return otherwise.run_on(registers, &rest, ctx);
    }
    let then = then.run_on(registers, selection, ctx);
    let otherwise = otherwise.run_on(registers, &rest, ctx);
    match (then, otherwise) {
        (Ok(then), Ok(otherwise)) => Ok(selection.combine(&then, &otherwise)),
        (Err(a), Err(b)) => Err(if a.row <= b.row { a } else { b }),
        (Err(error), Ok(_)) | (Ok(_), Err(error)) => Err(error),
    }
}

/// Runs a kernel; once for all rows where nothing differs between them.
pub(crate) fn call(
    kernel: &dyn Kernel,
    args: &[Column],
    rows: usize,
    volatility: Volatility,
    ctx: &EvalContext,
) -> Result<Column, RowError> {
    let once = volatility != Volatility::PerRow && args.iter().all(Column::is_constant);
    if !once {
        return kernel.evaluate(args, rows, ctx);
    }
    Ok(match kernel.evaluate(args, 1, ctx)? {
        Column::Array(array) | Column::Constant(array) => Column::Constant(array),
    })
}
