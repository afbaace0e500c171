//! Projections and filters folded into one lane program.

use std::sync::Arc;

use datafusion_common::Result;
use datafusion_expr::{Filter, Projection};
use millrace_program::{
    Expr, ExprKind, ExprRef, Folding, LaneProgram, OutputColumn, ProgramSource, Unnest, fold,
    stands_alone,
};

use super::{Fused, Input, LaneScan, StreamNode, Walk};
use crate::logical::{PlannedTable, Restorer};

/// One way that rows come, not yet compiled: of one input, with UNNESTs, then filters, then columns. All expressions are over the
/// input's columns and those that UNNEST adds behind them.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    pub(crate) input: Input,
    pub(crate) unnests: Vec<Unnest>,
    pub(crate) filters: Vec<ExprRef>,
    pub(crate) columns: Vec<ExprRef>,
}

impl Chain {
    /// Returns the rows of a table; `projection` names its columns, or all.
    pub(super) fn scan(table: &PlannedTable, projection: Option<&[usize]>) -> Self {
        let columns = &table.table.definition.columns;
        let column = |index: usize| {
            let column = &columns[index];
            let kind = ExprKind::Column(index);
            Expr::new(kind, column.ty.clone(), column.name.span)
        };
        Self {
            columns: match projection {
                Some(projection) => projection.iter().map(|index| column(*index)).collect(),
                None => (0..columns.len()).map(column).collect(),
            },
            input: Input::Scan(Arc::new(LaneScan {
                table: Arc::clone(&table.table),
            })),
            unnests: Vec::new(),
            filters: Vec::new(),
        }
    }

    /// Returns one row without columns.
    pub(super) fn one_row() -> Self {
        Self {
            input: Input::OneRow,
            unnests: Vec::new(),
            filters: Vec::new(),
            columns: Vec::new(),
        }
    }

    /// Returns the rows of a node with state.
    #[expect(dead_code, reason = "the exit of nodes with state")]
    pub(crate) fn over(node: Arc<dyn StreamNode>) -> Self {
        let columns = node.columns().iter().enumerate();
        let columns = columns.map(|(index, column)| {
            Expr::new(
                ExprKind::Column(index),
                column.ty.clone(),
                millrace_connector::Span::default(),
            )
        });
        Self {
            columns: columns.collect(),
            input: Input::Node(node),
            unnests: Vec::new(),
            filters: Vec::new(),
        }
    }

    /// Returns how many columns its expressions can number: the input's and those of its collections.
    pub(super) fn width(&self) -> usize {
        self.input.width() + self.unnests.iter().map(Unnest::width).sum::<usize>()
    }
}

impl Walk<'_> {
    pub(super) fn project(&mut self, projection: &Projection) -> Result<Vec<Chain>> {
        let mut chains = self.chains(&projection.input)?;
        for chain in &mut chains {
            let mut restorer = Restorer::new(projection.input.schema(), &chain.columns);
            let columns = projection.expr.iter().map(|expr| restorer.restore(expr));
            let columns = columns.collect::<Result<_>>()?;
            chain.columns = columns;
        }
        Ok(chains)
    }

    pub(super) fn filter(&mut self, filter: &Filter) -> Result<Vec<Chain>> {
        let mut chains = self.chains(&filter.input)?;
        for chain in &mut chains {
            let mut restorer = Restorer::new(filter.input.schema(), &chain.columns);
            let mut conditions = restorer.conjuncts(&filter.predicate)?;
            chain.filters.append(&mut conditions);
        }
        Ok(chains)
    }

    /// Folds constants and compiles the program.
    pub(super) fn fuse(&mut self, chain: Chain, outputs: Vec<OutputColumn>) -> Fused {
        let mut folding = Folding::default();
        let mut fold_all = |exprs: &[ExprRef]| -> Vec<ExprRef> {
            exprs.iter().map(|expr| fold(expr, &mut folding)).collect()
        };
        let filters = fold_all(&chain.filters);
        let columns: Vec<ExprRef> = fold_all(&chain.columns)
            .into_iter()
            .map(stands_alone)
            .collect();
        let unnests: Vec<Unnest> = chain
            .unnests
            .iter()
            .map(|unnest| Unnest {
                collection: fold(&unnest.collection, &mut folding),
                outer: unnest.outer,
                ordinality: unnest.ordinality,
            })
            .collect();
        self.diagnostics.append(&mut folding.diagnostics);
        let program = LaneProgram::compile(ProgramSource {
            width: chain.input.width(),
            unnests: &unnests,
            filters: &filters,
            projection: &columns,
            outputs,
            not_null: self.not_null,
        });
        Fused {
            input: chain.input,
            filters,
            columns,
            program,
        }
    }
}
