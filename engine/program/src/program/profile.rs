//! What each step of a program costs, for `millrace bench`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::LaneProgram;
use super::block::{Block, Register, StepOp};

/// How deep an expression is written out.
const DEPTH_MAX: usize = 4;

/// Measured steps of a program. Shared by the lanes that run it.
#[derive(Debug)]
pub struct Profile {
    now: fn() -> Duration,
    filter: Vec<AtomicU64>,
    project: Vec<AtomicU64>,
}

/// The cost of one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepCost {
    /// The expression as a person reads it.
    pub expression: String,
    /// The time that all its runs took.
    pub time: Duration,
}

impl Profile {
    /// Returns an empty profile of `program`. `now` tells the time since some fixed moment.
    #[must_use]
    pub fn new(program: &LaneProgram, now: fn() -> Duration) -> Self {
        let counters = |block: &Block| block.steps.iter().map(|_| AtomicU64::new(0)).collect();
        Self {
            now,
            filter: program.filter.as_ref().map(counters).unwrap_or_default(),
            project: counters(&program.project),
        }
    }

    pub(crate) fn of_filter(&self) -> StepTimes<'_> {
        StepTimes {
            now: self.now,
            counters: &self.filter,
        }
    }

    pub(crate) fn of_projection(&self) -> StepTimes<'_> {
        StepTimes {
            now: self.now,
            counters: &self.project,
        }
    }

    /// Returns the steps of `program`, which this is a profile of, that took time; the dearest first. What a lazy part
    /// (CASE, AND …) costs counts for the step that holds it. `names` are those of the batch's columns.
    #[must_use]
    pub fn costs(&self, program: &LaneProgram, names: &[String]) -> Vec<StepCost> {
        let columns: Vec<String> = program
            .reads
            .iter()
            .map(|read| {
                program
                    .inputs
                    .get(*read)
                    .and_then(|input| names.get(*input))
            })
            .map(|name| name.map_or("element".to_owned(), |name| format!("`{name}`")))
            .collect();
        let mut costs = Vec::new();
        let mut imports = columns;
        if let Some(filter) = &program.filter {
            collect(&mut costs, "WHERE ", (filter, &imports), &self.filter);
            let exported = program.project.imports.iter();
            imports = exported
                .map(|register| expression(filter, &imports, *register, DEPTH_MAX))
                .collect();
        }
        collect(&mut costs, "", (&program.project, &imports), &self.project);
        costs.sort_by_key(|cost| std::cmp::Reverse(cost.time));
        costs
    }
}

/// The counters of one block's steps.
#[derive(Clone, Copy)]
pub(crate) struct StepTimes<'a> {
    now: fn() -> Duration,
    counters: &'a [AtomicU64],
}

impl StepTimes<'_> {
    pub(crate) fn now(self) -> Duration {
        (self.now)()
    }

    pub(crate) fn book(self, step: usize, since: Duration) {
        let spent = self.now().saturating_sub(since);
        let nanos = u64::try_from(spent.as_nanos()).unwrap_or(u64::MAX);
        self.counters[step].fetch_add(nanos, Ordering::Relaxed);
    }
}

fn collect(
    costs: &mut Vec<StepCost>,
    prefix: &str,
    (block, imports): (&Block, &[String]),
    counters: &[AtomicU64],
) {
    for (step, counter) in block.steps.iter().zip(counters) {
        let time = Duration::from_nanos(counter.load(Ordering::Relaxed));
        if time.is_zero() || matches!(step.op, StepOp::Import(_) | StepOp::Constant(_)) {
            continue;
        }
        costs.push(StepCost {
            expression: format!(
                "{prefix}{}",
                expression(block, imports, step.out, DEPTH_MAX)
            ),
            time,
        });
    }
}

/// Writes out what fills a register; `imports` are the block's as a person reads them.
fn expression(block: &Block, imports: &[String], register: Register, depth: usize) -> String {
    let filled_by = block
        .steps
        .iter()
        .rev()
        .find(|step| step.out <= register)
        .filter(|step| step.out == register || matches!(step.op, StepOp::Many { .. }));
    let Some(step) = filled_by.filter(|_| depth > 0) else {
        return "…".to_owned();
    };
    let inner = |register: Register| expression(block, imports, register, depth - 1);
    let list = |registers: &[Register]| {
        let parts: Vec<String> = registers.iter().map(|register| inner(*register)).collect();
        parts.join(", ")
    };
    match &step.op {
        StepOp::Import(index) => imports[*index].clone(),
        StepOp::Constant(value) => super::show::constant(value),
        StepOp::Call { name, args, .. } => format!("{name}({})", list(args)),
        StepOp::Many { kernel, input, .. } => format!("{} of {}", kernel.describe(), inner(*input)),
        StepOp::Logic { left, right, .. } => format!("({} AND/OR {})", inner(*left), inner(*right)),
        StepOp::LazyLogic { left, .. } => format!("({} AND/OR …)", inner(*left)),
        StepOp::Choose { condition, .. } | StepOp::Branch { condition, .. } => {
            format!("CASE WHEN {} …", inner(*condition))
        }
        StepOp::Coalesce { first, rest } => {
            format!("COALESCE({}, {})", inner(*first), inner(*rest))
        }
    }
}
