//! Top-N and deduplication.

use arrow_schema::SortOptions;
use datafusion_common::Result;
use millrace_connector::{Span, TypeKind};
use millrace_operators::{
    Deduplicate, DeduplicateSpec, Rank, RankEnd, RankSpec, RankStrategy, SortColumn, WindowRank,
    WindowRankSpec,
};
use millrace_program::{Expr, ExprKind, ExprRef, OutputColumn};

use super::{Given, StateInput, boxed};
use crate::logical::{self, Changes, SortKey, StateNode, TimeAttribute};
use crate::physical::{Chain, Need, Walk};

pub(super) fn sort_column(key: &SortKey) -> SortColumn {
    SortColumn {
        column: key.column,
        options: SortOptions {
            descending: key.descending,
            nulls_first: key.nulls_first,
        },
    }
}

impl Walk<'_> {
    pub(super) fn rank(
        &mut self,
        node: &StateNode,
        rank: &logical::Rank,
        need: &Need,
    ) -> Result<Vec<Chain>> {
        if let Some(function) = &rank.number
            && function != "ROW_NUMBER"
        {
            let message = format!("{function}() on streaming table is not supported currently");
            return self.refuse(&message, rank.span);
        }
        if matches!(rank.end, RankEnd::Constant(end) if end < 1) && !rank.is_limit {
            return self.refuse("Rank end should not less than zero", rank.span);
        }
        let columns = need.columns.clone().map(|mut columns| {
            columns.extend(&rank.partition);
            columns.extend(rank.sort.iter().map(|key| key.column));
            if let RankEnd::Column(column) = rank.end {
                columns.insert(column);
            }
            columns
        });
        let input_need = Need {
            before: true,
            columns,
        };
        let input = self.state_input(&node.inputs[0], &input_need)?;
        let width = input.types.len();
        let constant = match rank.end {
            RankEnd::Constant(end) if end == rank.start => Some(end),
            _ => None,
        };
        // # Flink: the number of a Top-1 is a constant, and what nobody reads is not kept up.
        let with_number = rank.number.is_some() && constant.is_none() && need.reads(width);
        let time = match rank.sort.as_slice() {
            [key] => node.columns[key.column].time.map(|time| (*key, time)),
            _ => None,
        };
        let is_first = rank.start == 1 && constant.is_some() && !rank.is_limit;
        let mut chains = match (&rank.window, time) {
            (Some(window), _) => self.window_rank(node, rank, window, input, with_number)?,
            (None, Some(_)) if is_first && !input.changes.is_insert_only() => {
                return self.refuse(
                    "StreamPhysicalDeduplicate doesn't support consuming update and delete changes",
                    rank.span,
                );
            }
            (None, Some((key, time))) if is_first => {
                self.deduplicate(node, rank, key, time, input, need)?
            }
            _ => self.top_n(node, rank, input, with_number, need)?,
        };
        if rank.number.is_some() && !with_number {
            let number: ExprRef = literal(constant.unwrap_or(0));
            for chain in &mut chains {
                chain.columns.push(number.clone());
            }
        }
        Ok(chains)
    }

    fn top_n(
        &mut self,
        node: &StateNode,
        rank: &logical::Rank,
        input: StateInput,
        with_number: bool,
        need: &Need,
    ) -> Result<Vec<Chain>> {
        let is_insert_only = input.changes.is_insert_only();
        let by_arrival = matches!(rank.sort.as_slice(), [key] if !key.descending
            && node.columns[key.column].time == Some(TimeAttribute::Proctime));
        let strategy = match is_insert_only {
            true if (by_arrival && !with_number && !need.before) || rank.sort.is_empty() => {
                RankStrategy::First
            }
            true => RankStrategy::Append,
            false => RankStrategy::Retract,
        };
        let is_first = strategy == RankStrategy::First;
        let spec = RankSpec {
            columns: input.arrow(),
            partition: rank.partition.clone(),
            sort: rank.sort.iter().map(sort_column).collect(),
            start: rank.start,
            end: rank.end,
            with_number,
            update_before: need.before,
            strategy,
            ttl: self.options.ttl,
        };
        let width = input.types.len();
        let mut keys: Vec<Vec<usize>> = input.keys.clone();
        if with_number {
            let mut key = rank.partition.clone();
            key.push(width);
            keys = vec![key];
        } else if matches!(rank.end, RankEnd::Constant(end) if end == rank.start) {
            keys.push(rank.partition.clone());
        }
        let changes = match is_first {
            true => Changes::INSERT,
            false => Changes {
                update_before: need.before,
                ..Changes::ALL
            },
        };
        let mut upserts = input.upserts.clone();
        upserts.retain(|key| rank.partition.iter().all(|column| key.contains(column)));
        if with_number || matches!(rank.end, RankEnd::Constant(end) if end == rank.start) {
            upserts.extend(keys.last().cloned());
        }
        let given = Given {
            changes,
            keys,
            upserts,
        };
        let columns = outputs(node, width, with_number);
        let make = move || boxed(Rank::new(spec.clone()));
        self.operator(
            "Rank",
            node.kind.structure(),
            columns,
            vec![input],
            given,
            Box::new(make),
        )
    }

    fn deduplicate(
        &mut self,
        node: &StateNode,
        rank: &logical::Rank,
        key: SortKey,
        time: TimeAttribute,
        input: StateInput,
        need: &Need,
    ) -> Result<Vec<Chain>> {
        let is_rowtime = time == TimeAttribute::Rowtime;
        let spec = DeduplicateSpec {
            columns: input.arrow(),
            key: rank.partition.clone(),
            rowtime: is_rowtime.then_some(key.column),
            keep_last: key.descending,
            update_before: need.before,
            insert: true,
            ttl: self.options.ttl,
        };
        let changes = match !is_rowtime && !key.descending {
            true => Changes::INSERT,
            false => Changes {
                update_before: need.before,
                delete: false,
                ..Changes::ALL
            },
        };
        let given = Given {
            changes,
            keys: vec![rank.partition.clone()],
            upserts: vec![rank.partition.clone()],
        };
        let columns = outputs(node, input.types.len(), false);
        let make = move || boxed(Deduplicate::new(spec.clone()));
        self.operator(
            "Deduplicate",
            node.kind.structure(),
            columns,
            vec![input],
            given,
            Box::new(make),
        )
    }

    fn window_rank(
        &mut self,
        node: &StateNode,
        rank: &logical::Rank,
        window: &logical::RankWindow,
        input: StateInput,
        with_number: bool,
    ) -> Result<Vec<Chain>> {
        self.insert_only(&input, "WindowRank", rank.span)?;
        if !window.is_rowtime {
            return self.refuse(
                "Processing time Window TopN is not supported yet.",
                rank.span,
            );
        }
        let RankEnd::Constant(end) = rank.end else {
            return self.refuse("a Top-N within windows has a constant bound", rank.span);
        };
        let is_window = |column: &usize| *column == window.start || *column == window.end;
        let partition = rank.partition.iter().copied();
        let partition = partition.filter(|column| !is_window(column)).collect();
        let later_wins = matches!(rank.sort.as_slice(), [key] if key.descending
            && node.columns[key.column].time.is_some() && rank.start == 1 && end == 1);
        let spec = WindowRankSpec {
            columns: input.arrow(),
            partition,
            window_end: window.end,
            zone: self.options.zone(window.is_local),
            sort: rank.sort.iter().map(sort_column).collect(),
            later_wins,
            start: rank.start,
            end,
            with_number,
        };
        let given = Given::keyed(Changes::INSERT, Vec::new());
        let columns = outputs(node, input.types.len(), with_number);
        let make = move || boxed(WindowRank::new(spec.clone()));
        self.operator(
            "WindowRank",
            node.kind.structure(),
            columns,
            vec![input],
            given,
            Box::new(make),
        )
    }
}

/// Returns the columns that an operator gives: the input's, and the number if it is kept up.
fn outputs(node: &StateNode, width: usize, with_number: bool) -> Vec<OutputColumn> {
    let columns = node.columns.iter().take(width + usize::from(with_number));
    let columns = columns.map(|column| OutputColumn {
        name: column.name.clone(),
        ty: column.ty.clone(),
        enforced: false,
    });
    columns.collect()
}

fn literal(value: i64) -> ExprRef {
    let value = std::sync::Arc::new(arrow_array::Int64Array::from(vec![value]));
    Expr::new(
        ExprKind::Literal(value),
        TypeKind::BigInt.not_null(),
        Span::default(),
    )
}
