//! Joins.

use std::collections::BTreeSet;

use datafusion_common::Result;
use millrace_connector::{Span, TypeKind};
use millrace_operators::{
    IntervalJoin, IntervalJoinSpec, IntervalSideSpec, Join, JoinCondition, JoinKind, JoinSideSpec,
    JoinSpec, TemporalJoin, TemporalJoinSpec, TemporalSideSpec, UniqueKey, WindowJoin,
    WindowJoinSpec, WindowSideSpec,
};
use millrace_program::{
    Expr, ExprKind, ExprRef, Folding, LaneProgram, NotNullEnforcer, OutputColumn, ProgramCondition,
    ProgramSource, fold,
};

use super::{Given, StateInput, boxed};
use crate::logical::{self, Changes, StateNode};
use crate::physical::{Chain, Need, Walk};

/// The key columns of one side.
fn side_key(keys: &[(usize, usize, bool)], left: bool) -> Vec<usize> {
    let keys = keys.iter();
    keys.map(|(a, b, _)| if left { *a } else { *b }).collect()
}

fn holds(key: &[usize], unique: &[usize]) -> bool {
    unique.iter().all(|column| key.contains(column))
}

fn unique_key(input: &StateInput, key: &[usize]) -> UniqueKey {
    if input.keys.iter().any(|unique| holds(key, unique)) {
        return UniqueKey::JoinKey;
    }
    match input.keys.iter().min_by_key(|unique| unique.len()) {
        Some(unique) => UniqueKey::Columns(unique.clone()),
        None => UniqueKey::None,
    }
}

/// A condition of a join before its program is copied for a lane.
#[derive(Clone)]
struct Condition(Option<LaneProgram>);

impl Condition {
    fn make(&self) -> Option<Box<dyn JoinCondition>> {
        let program = self.0.clone()?;
        Some(Box::new(ProgramCondition::new(program)))
    }
}

impl Walk<'_> {
    pub(super) fn join(
        &mut self,
        node: &StateNode,
        join: &logical::Join,
        need: &Need,
    ) -> Result<Vec<Chain>> {
        let (left_key, right_key) = (side_key(&join.keys, true), side_key(&join.keys, false));
        let reads = side_reads(node, join, need);
        let left = self.join_side(node, 0, &left_key, need, reads[0].as_ref())?;
        let right = self.join_side(node, 1, &right_key, need, reads[1].as_ref())?;
        let is_insert_only = left.changes.is_insert_only() && right.changes.is_insert_only();
        let condition = self.condition(&join.condition, left.types.len() + right.types.len());
        if let Some(interval) = &join.interval
            && is_insert_only
        {
            return self.interval_join(node, join, *interval, left, right, condition);
        }
        if let Some(window) = &join.window
            && is_insert_only
        {
            return self.window_join(node, join, window, left, right, condition);
        }
        let side = |input: &StateInput, key: &[usize], ttl| JoinSideSpec {
            columns: input.arrow(),
            key: key.to_vec(),
            unique: unique_key(input, key),
            ttl,
        };
        let left_side = side(&left, &left_key, self.options.ttl);
        let right_side = side(&right, &right_key, self.options.ttl);
        let filter_nulls: Vec<bool> = join.keys.iter().map(|key| !key.2).collect();
        let given = Given {
            changes: join_changes(join.kind, &left, &right, need),
            keys: join_keys(join.kind, &left, &right, &left_key, &right_key, false),
            upserts: join_keys(join.kind, &left, &right, &left_key, &right_key, true),
        };
        let kind = join.kind;
        let make = move || {
            boxed(Join::new(JoinSpec {
                kind,
                left: left_side.clone(),
                right: right_side.clone(),
                filter_nulls: filter_nulls.clone(),
                condition: condition.make(),
            }))
        };
        self.stage(node, vec![left, right], given, Box::new(make))
    }

    /// # Flink
    /// A side whose key holds a unique key can do without `-U` where what comes after can.
    fn join_side(
        &mut self,
        node: &StateNode,
        side: usize,
        key: &[usize],
        need: &Need,
        columns: Option<&BTreeSet<usize>>,
    ) -> Result<StateInput> {
        let with = |before: bool| Need {
            before,
            columns: columns.cloned(),
        };
        let input = self.state_input(&node.inputs[side], &with(true))?;
        let is_unique = input.keys.iter().any(|unique| holds(key, unique));
        if need.before || !is_unique || input.changes.is_insert_only() {
            return Ok(input);
        }
        self.state_input(&node.inputs[side], &with(false))
    }

    /// Compiles a condition over the columns of both sides.
    fn condition(&mut self, parts: &[ExprRef], width: usize) -> Condition {
        let mut folding = Folding::default();
        let parts: Vec<ExprRef> = parts.iter().map(|part| fold(part, &mut folding)).collect();
        self.diagnostics.append(&mut folding.diagnostics);
        let ty = TypeKind::Boolean.nullable();
        let whole = match parts.as_slice() {
            [] => return Condition(None),
            [only] => only.clone(),
            _ => Expr::new(ExprKind::And(parts), ty.clone(), Span::default()),
        };
        let output = OutputColumn {
            name: "condition".to_owned(),
            ty,
            enforced: false,
        };
        let program = LaneProgram::compile(ProgramSource {
            width,
            unnests: &[],
            filters: &[],
            projection: &[whole],
            outputs: vec![output],
            not_null: NotNullEnforcer::Error,
        });
        Condition(Some(program))
    }

    fn interval_join(
        &mut self,
        node: &StateNode,
        join: &logical::Join,
        interval: logical::Interval,
        left: StateInput,
        right: StateInput,
        condition: Condition,
    ) -> Result<Vec<Chain>> {
        let side = |input: &StateInput, key: Vec<usize>, rowtime| IntervalSideSpec {
            columns: input.arrow(),
            key,
            rowtime,
        };
        let rowtimes = interval.rowtimes;
        let left_side = side(
            &left,
            side_key(&join.keys, true),
            rowtimes.map(|times| times.0),
        );
        let right_side = side(
            &right,
            side_key(&join.keys, false),
            rowtimes.map(|times| times.1),
        );
        let filter_nulls: Vec<bool> = join.keys.iter().map(|key| !key.2).collect();
        let kind = join.kind;
        let given = Given::keyed(Changes::INSERT, Vec::new());
        let make = move || {
            boxed(IntervalJoin::new(IntervalJoinSpec {
                kind,
                left: left_side.clone(),
                right: right_side.clone(),
                lower_ms: interval.lower_ms,
                upper_ms: interval.upper_ms,
                filter_nulls: filter_nulls.clone(),
                condition: condition.make(),
            }))
        };
        self.stage(node, vec![left, right], given, Box::new(make))
    }

    fn window_join(
        &mut self,
        node: &StateNode,
        join: &logical::Join,
        window: &logical::WindowPair,
        left: StateInput,
        right: StateInput,
        condition: Condition,
    ) -> Result<Vec<Chain>> {
        if !window.is_rowtime {
            return self.refuse(
                "Processing time Window Join is not supported yet.",
                join.span,
            );
        }
        let is_window = |key: &&(usize, usize, bool)| {
            let key = (key.0, key.1);
            key == window.start || key == window.end
        };
        let keys: Vec<(usize, usize, bool)> = join
            .keys
            .iter()
            .filter(|key| !is_window(key))
            .copied()
            .collect();
        let side = |input: &StateInput, key: Vec<usize>, window_end| WindowSideSpec {
            columns: input.arrow(),
            key,
            window_end,
        };
        let left_side = side(&left, side_key(&keys, true), window.end.0);
        let right_side = side(&right, side_key(&keys, false), window.end.1);
        let filter_nulls: Vec<bool> = keys.iter().map(|key| !key.2).collect();
        let kind = join.kind;
        let zone = self.options.zone(window.is_local);
        let given = Given::keyed(Changes::INSERT, Vec::new());
        let make = move || {
            boxed(WindowJoin::new(WindowJoinSpec {
                kind,
                left: left_side.clone(),
                right: right_side.clone(),
                filter_nulls: filter_nulls.clone(),
                condition: condition.make(),
                zone: zone.clone(),
            }))
        };
        self.stage(node, vec![left, right], given, Box::new(make))
    }

    pub(super) fn temporal_join(
        &mut self,
        node: &StateNode,
        temporal: &logical::Temporal,
        need: &Need,
    ) -> Result<Vec<Chain>> {
        let left = self.state_input(&node.inputs[0], &Need::rows(need.before))?;
        let right = self.state_input(&node.inputs[1], &Need::rows(false))?;
        let condition = self.condition(&temporal.condition, left.types.len() + right.types.len());
        let side = |input: &StateInput, key: Vec<usize>, rowtime| TemporalSideSpec {
            columns: input.arrow(),
            key,
            rowtime,
        };
        let keys = temporal.keys.iter();
        let left_side = side(
            &left,
            keys.clone().map(|key| key.0).collect(),
            temporal.rowtimes.0,
        );
        let right_side = side(&right, keys.map(|key| key.1).collect(), temporal.rowtimes.1);
        let filter_nulls = vec![false; temporal.keys.len()];
        let (is_left_outer, ttl) = (temporal.outer, self.options.ttl);
        let given = Given {
            changes: left.changes,
            keys: left.keys.clone(),
            upserts: left.upserts.clone(),
        };
        let make = move || {
            boxed(TemporalJoin::new(TemporalJoinSpec {
                is_left_outer,
                left: left_side.clone(),
                right: right_side.clone(),
                filter_nulls: filter_nulls.clone(),
                condition: condition.make(),
                ttl,
            }))
        };
        self.stage(node, vec![left, right], given, Box::new(make))
    }
}

/// Returns the columns that a join and what comes after it read of each side.
fn side_reads(node: &StateNode, join: &logical::Join, need: &Need) -> [Option<BTreeSet<usize>>; 2] {
    let width = node.inputs[0].schema().fields().len();
    let is_semi = matches!(join.kind, JoinKind::Semi | JoinKind::Anti);
    let (mut left, mut right) = (BTreeSet::new(), BTreeSet::new());
    match &need.columns {
        None => {
            left.extend(0..width);
            if !is_semi {
                right.extend(0..node.inputs[1].schema().fields().len());
            }
        }
        Some(columns) => {
            for column in columns {
                match *column < width {
                    true => left.insert(*column),
                    false => right.insert(column - width),
                };
            }
        }
    }
    for (a, b, _) in &join.keys {
        left.insert(*a);
        right.insert(*b);
    }
    for part in &join.condition {
        millrace_program::for_each_column(part, &mut |column| {
            match column < width {
                true => left.insert(column),
                false => right.insert(column - width),
            };
        });
    }
    if let Some((a, b)) = join.interval.and_then(|interval| interval.rowtimes) {
        left.insert(a);
        right.insert(b);
    }
    [Some(left), Some(right)]
}

fn join_changes(kind: JoinKind, left: &StateInput, right: &StateInput, need: &Need) -> Changes {
    let either = left.changes.or(right.changes);
    match kind {
        JoinKind::Inner => either,
        JoinKind::Semi if either.is_insert_only() => either,
        _ => Changes {
            update_before: need.before,
            ..Changes::ALL
        },
    }
}

/// Returns the keys of a join's rows; with `in_order` those by which changes of a row come in order.
fn join_keys(
    kind: JoinKind,
    left: &StateInput,
    right: &StateInput,
    left_key: &[usize],
    right_key: &[usize],
    in_order: bool,
) -> Vec<Vec<usize>> {
    let own = |input: &StateInput, key: &[usize]| -> Vec<Vec<usize>> {
        match in_order {
            false => input.keys.clone(),
            true => {
                let keys = input.upserts.iter();
                keys.filter(|known| holds(known, key)).cloned().collect()
            }
        }
    };
    let (left_keys, right_keys) = (own(left, left_key), own(right, right_key));
    if matches!(kind, JoinKind::Semi | JoinKind::Anti) {
        return left_keys;
    }
    let width = left.types.len();
    let moved =
        |key: &Vec<usize>| -> Vec<usize> { key.iter().map(|column| column + width).collect() };
    let left_unique = left.keys.iter().any(|unique| holds(left_key, unique));
    let right_unique = right.keys.iter().any(|unique| holds(right_key, unique));
    let mut keys: Vec<Vec<usize>> = Vec::new();
    if right_unique && matches!(kind, JoinKind::Inner | JoinKind::Left) {
        keys.extend(left_keys.iter().cloned());
    }
    if left_unique && matches!(kind, JoinKind::Inner | JoinKind::Right) {
        keys.extend(right_keys.iter().map(moved));
    }
    for a in &left_keys {
        for b in &right_keys {
            let both: BTreeSet<usize> = a.iter().copied().chain(moved(b)).collect();
            keys.push(both.into_iter().collect());
        }
    }
    keys
}
