//! Lane programs: straight lists of steps over registers, run batch by batch.
//!
//! ```text
//! input columns ─► filter block ─► rows whose condition is TRUE ─► projection block ─► output columns
//!                       │                                                │
//!                       └ lazy parts (CASE, AND, COALESCE …) are blocks of their own, run on their rows only
//! ```
//! What cannot fail may be evaluated for rows that a CASE skips; what can fail never is.

mod block;
mod boolean;
mod compile;
mod explode;
pub(crate) mod graph;
pub(crate) mod many;
mod profile;
mod selection;
mod show;
mod steps;

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, UInt32Array};
use millrace_connector::FlinkType;
use millrace_functions::{Column, EvalContext, RowError};

use crate::expr::ExprRef;
use block::Block;
use explode::Explode;
pub use explode::unnested_columns;
use selection::Selection;

pub use profile::{Profile, StepCost};
pub use selection::expand;

/// A compiled filter and projection. One instance serves one lane; clones share the kernels.
#[derive(Clone, Debug)]
pub struct LaneProgram {
    /// Indexes of the input's columns that are read, in the order in which [`LaneProgram::run`] takes them.
    inputs: Vec<usize>,
    /// Stages that multiply rows. The working set is the inputs, then what each stage adds.
    explodes: Vec<Explode>,
    /// The columns of the working set that the outermost block takes.
    reads: Vec<usize>,
    filter: Option<Block>,
    project: Block,
    outputs: Vec<OutputColumn>,
    not_null: NotNullEnforcer,
    profile: Option<Arc<Profile>>,
}

/// A column that a program yields.
#[derive(Clone, Debug)]
pub struct OutputColumn {
    /// Its name.
    pub name: String,
    /// Its type. A NULL for a NOT NULL type is an error or drops the row.
    pub ty: FlinkType,
    /// Whether NULL must be looked for: the sink says NOT NULL.
    pub enforced: bool,
}

/// What a program made of a batch.
#[derive(Debug)]
pub struct Output {
    /// The columns, each of `rows` values.
    pub columns: Vec<ArrayRef>,
    /// How many rows are left.
    pub rows: usize,
    /// The input row of each output row; `None` = all rows were kept.
    pub kept: Option<Vec<u32>>,
    /// How many rows were left out because a NULL would have gone into a NOT NULL column of the sink.
    pub not_null_dropped: usize,
}

/// What a program is compiled from.
#[derive(Clone, Debug)]
pub struct ProgramSource<'a> {
    /// How many columns the input has; those that UNNEST adds are numbered behind them.
    pub width: usize,
    /// Collections that are taken apart, in order.
    pub unnests: &'a [Unnest],
    /// All must be TRUE.
    pub filters: &'a [ExprRef],
    /// The columns that the program gives.
    pub projection: &'a [ExprRef],
    /// Their names and types.
    pub outputs: Vec<OutputColumn>,
    /// What happens to a NULL for an enforced column.
    pub not_null: NotNullEnforcer,
}

/// What happens to a NULL for a NOT NULL column of a sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotNullEnforcer {
    /// The row fails.
    Error,
    /// The row is left out.
    Drop,
}

/// A collection that is taken apart.
#[derive(Clone, Debug)]
pub struct Unnest {
    /// The array, map or multiset.
    pub collection: ExprRef,
    /// Whether a row without elements stays.
    pub outer: bool,
    /// Whether the element's number comes behind it.
    pub ordinality: bool,
}

impl Unnest {
    /// Returns how many columns it adds.
    #[must_use]
    pub fn width(&self) -> usize {
        let columns = unnested_columns(&self.collection.ty.kind).map_or(0, |columns| columns.len());
        columns + usize::from(self.ordinality)
    }
}

impl LaneProgram {
    /// Compiles filters (all must be TRUE) and a projection over input columns.
    #[must_use]
    pub fn compile(source: ProgramSource<'_>) -> Self {
        let compiled = compile::compile(source.filters, source.projection);
        let collections: Vec<compile::Compiled> = source
            .unnests
            .iter()
            .map(|unnest| compile::compile(&[], std::slice::from_ref(&unnest.collection)))
            .collect();
        let mut inputs: Vec<usize> = collections
            .iter()
            .chain([&compiled])
            .flat_map(|part| part.inputs.iter().copied())
            .filter(|column| *column < source.width)
            .collect();
        inputs.sort_unstable();
        inputs.dedup();
        let place = |column: &usize| match column.checked_sub(source.width) {
            Some(added) => inputs.len() + added,
            None => inputs
                .binary_search(column)
                .expect("the list holds every column that a part reads"),
        };
        let explodes = source
            .unnests
            .iter()
            .zip(collections)
            .map(|(unnest, part)| Explode {
                reads: part.inputs.iter().map(place).collect(),
                block: part.project,
                outer: unnest.outer,
                ordinality: unnest.ordinality,
                collection: unnest.collection.ty.kind.clone(),
            })
            .collect();
        let reads = compiled.inputs.iter().map(place).collect();
        Self {
            explodes,
            reads,
            inputs,
            filter: compiled.filter,
            project: compiled.project,
            outputs: source.outputs,
            not_null: source.not_null,
            profile: None,
        }
    }

    /// Returns the indexes of the source's columns that [`LaneProgram::run`] takes, in its order.
    #[must_use]
    pub fn inputs(&self) -> &[usize] {
        &self.inputs
    }

    /// Makes the program take its input columns from a wider batch: `position[i]` is where source column `i` lies.
    pub fn reorder_inputs(&mut self, position: impl Fn(usize) -> usize) {
        for input in &mut self.inputs {
            *input = position(*input);
        }
    }

    /// Books what each step takes in `profile`, which was made for this program.
    #[must_use]
    pub fn profiled(self, profile: Arc<Profile>) -> Self {
        Self {
            profile: Some(profile),
            ..self
        }
    }

    /// Returns the filter's steps and the projection's.
    pub(crate) fn blocks(&self) -> (Option<&Block>, &Block) {
        (self.filter.as_ref(), &self.project)
    }

    /// Tells whether a row may become several.
    #[must_use]
    pub fn multiplies_rows(&self) -> bool {
        !self.explodes.is_empty()
    }

    /// Returns the stages that multiply rows.
    pub(crate) fn explodes(&self) -> &[Explode] {
        &self.explodes
    }

    /// Returns the columns of the working set that the outermost block takes.
    pub(crate) fn reads(&self) -> &[usize] {
        &self.reads
    }

    /// Returns what it yields.
    #[must_use]
    pub fn outputs(&self) -> &[OutputColumn] {
        &self.outputs
    }

    /// Runs over a batch. `input` holds the columns that the source was asked for.
    ///
    /// # Errors
    /// A row that fails, counted in the input.
    pub fn run(
        &self,
        input: &[ArrayRef],
        rows: usize,
        ctx: &EvalContext,
    ) -> Result<Output, RowError> {
        if rows == 0 {
            return Ok(self.no_rows());
        }
        let mut working: Vec<ArrayRef> = self
            .inputs
            .iter()
            .map(|index| ArrayRef::clone(&input[*index]))
            .collect();
        if self.explodes.is_empty() {
            return self.run_flat(&working, rows, ctx);
        }
        let mut origins: Option<UInt32Array> = None;
        let mut count = rows;
        for explode in &self.explodes {
            let step = explode
                .run(&mut working, count, ctx)
                .map_err(|error| to_origin(error, origins.as_ref()))?;
            count = step.len();
            origins = Some(match &origins {
                None => step,
                Some(outer) => step
                    .values()
                    .iter()
                    .map(|row| outer.value(*row as usize))
                    .collect(),
            });
        }
        if count == 0 {
            return Ok(self.no_rows());
        }
        let output = self
            .run_flat(&working, count, ctx)
            .map_err(|error| to_origin(error, origins.as_ref()))?;
        let Some(origins) = origins else {
            return Ok(output);
        };
        let kept = match output.kept {
            None => origins.values().to_vec(),
            Some(kept) => kept
                .into_iter()
                .map(|row| origins.value(row as usize))
                .collect(),
        };
        Ok(Output {
            kept: Some(kept),
            ..output
        })
    }

    /// Filters and projects the working set.
    fn run_flat(
        &self,
        working: &[ArrayRef],
        rows: usize,
        ctx: &EvalContext,
    ) -> Result<Output, RowError> {
        let columns: Vec<Column> = self
            .reads
            .iter()
            .map(|index| Column::Array(ArrayRef::clone(&working[*index])))
            .collect();
        let (imports, selection) = match &self.filter {
            None => (columns, None),
            Some(filter) => {
                let times = self.profile.as_deref().map(Profile::of_filter);
                let registers = filter.run_timed(&columns, rows, ctx, times)?;
                let selection = Selection::of_true(registers.output(0), rows);
                if selection.is_empty() {
                    return Ok(self.no_rows());
                }
                let imports = registers.export(&self.project.imports, &selection);
                (imports, (!selection.is_all()).then_some(selection))
            }
        };
        let kept_rows = selection.as_ref().map_or(rows, Selection::len);
        let times = self.profile.as_deref().map(Profile::of_projection);
        let result = self.project.run_timed(&imports, kept_rows, ctx, times);
        let registers = match (result, &selection) {
            (Ok(registers), _) => registers,
            (Err(error), Some(selection)) => return Err(selection.to_outer(error)),
            (Err(error), None) => return Err(error),
        };
        let columns = (0..self.outputs.len())
            .map(|i| expand(registers.output(i), kept_rows))
            .collect();
        let output = Output {
            columns,
            rows: kept_rows,
            kept: selection.map(|selection| selection.indices()),
            not_null_dropped: 0,
        };
        self.enforce_not_null(output)
    }

    fn no_rows(&self) -> Output {
        let columns = self
            .outputs
            .iter()
            .map(|column| {
                arrow_array::new_empty_array(&millrace_connector::physical::arrow_type(
                    &column.ty.kind,
                ))
            })
            .collect();
        Output {
            columns,
            rows: 0,
            kept: Some(Vec::new()),
            not_null_dropped: 0,
        }
    }

    fn enforce_not_null(&self, output: Output) -> Result<Output, RowError> {
        let mut bad: Option<Vec<bool>> = None;
        for (column, array) in self.outputs.iter().zip(&output.columns) {
            if !column.enforced || array.logical_null_count() == 0 {
                continue;
            }
            let nulls = array.logical_nulls();
            let is_null = |row: usize| nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
            if self.not_null == NotNullEnforcer::Error {
                let row = (0..output.rows)
                    .find(|row| is_null(*row))
                    .expect("the null count is not zero");
                let outer = output.kept.as_ref().map_or(row, |kept| kept[row] as usize);
                return Err(RowError::new(outer, not_null_message(&column.name)));
            }
            let marks = bad.get_or_insert_with(|| vec![false; output.rows]);
            for (row, mark) in marks.iter_mut().enumerate() {
                *mark |= is_null(row);
            }
        }
        Ok(match bad {
            None => output,
            Some(marks) => drop_rows(&output, &marks),
        })
    }
}

/// Counts an error's row in the rows before they were multiplied.
fn to_origin(error: RowError, origins: Option<&UInt32Array>) -> RowError {
    let row = origins.map_or(error.row, |origins| origins.value(error.row) as usize);
    RowError { row, ..error }
}

fn not_null_message(column: &str) -> String {
    format!(
        "column '{column}' is NOT NULL, however, a null value is being written into it; set \
         'table.exec.sink.not-null-enforcer' = 'DROP' to leave such records out silently"
    )
}

fn drop_rows(output: &Output, drop: &[bool]) -> Output {
    let selection = Selection::of_mask(drop.iter().map(|drop| !drop).collect());
    let columns = output
        .columns
        .iter()
        .map(|array| selection.filter(array))
        .collect();
    let inner = selection.indices();
    let kept = match &output.kept {
        None => inner,
        Some(outer) => inner.into_iter().map(|row| outer[row as usize]).collect(),
    };
    Output {
        columns,
        not_null_dropped: drop.len() - kept.len(),
        rows: kept.len(),
        kept: Some(kept),
    }
}
