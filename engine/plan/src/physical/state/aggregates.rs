//! GROUP BY, windows and OVER.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, BooleanArray, Int64Array};
use arrow_schema::DataType;
use datafusion_common::Result;
use millrace_connector::FlinkType;
use millrace_functions::Arg;
use millrace_functions::aggregate::{self, AggregateCall as FunctionCall, Ranking};
use millrace_operators::{
    AggregateSpec, Expand, ExpandColumn, ExpandSpec, FrameEdge, GroupAggregate, GroupAggregateSpec,
    GroupWindow, GroupWindowSpec, Operator, OverAggregate, OverAggregateSpec, OverAll, OverAllCall,
    OverAllFrame, OverAllSpec, OverFrame, WindowAggregate, WindowAggregateSpec, WindowTime,
};

use super::rank::sort_column;
use super::{Given, StateInput, boxed};
use crate::logical::{self, AggregateCall, Changes, FrameBound, StateNode, TimeAttribute};
use crate::physical::{Chain, Need, Walk};
use crate::query::Sets;

impl Walk<'_> {
    pub(super) fn group_aggregate(
        &mut self,
        node: &StateNode,
        aggregate: &logical::Aggregate,
        need: &Need,
    ) -> Result<Vec<Chain>> {
        let input = self.state_input(&node.inputs[0], &Need::rows(true))?;
        let retract = !input.changes.is_insert_only();
        let mut aggregates = self.calls(&aggregate.calls, retract, false)?;
        // # Flink: `AggsHandlerCodeGenerator` takes the filter column 0 for none.
        for call in &mut aggregates {
            call.filter = call.filter.filter(|column| *column != 0);
        }
        let spec = GroupAggregateSpec {
            keys: aggregate.keys.clone(),
            key_types: key_types(&input, &aggregate.keys),
            aggregates,
            retract,
            update_before: need.before,
            ttl: self.options.ttl,
            emit: self.options.emit,
            bounded: self.options.is_bounded,
        };
        let given = Given {
            changes: Changes {
                insert: true,
                update_before: need.before,
                update_after: true,
                delete: retract,
            },
            keys: vec![(0..aggregate.keys.len()).collect()],
            upserts: vec![(0..aggregate.keys.len()).collect()],
        };
        let make = move || boxed(GroupAggregate::new(spec.clone()));
        self.stage(node, vec![input], given, Box::new(make))
    }

    /// Binds calls to what is known of the input.
    fn calls(
        &mut self,
        calls: &[AggregateCall],
        retract: bool,
        over: bool,
    ) -> Result<Vec<AggregateSpec>> {
        let mut specs = Vec::with_capacity(calls.len());
        for call in calls {
            let bound = aggregate::bind(&FunctionCall {
                name: &call.name,
                args: &call.args,
                distinct: call.distinct,
                may_be_empty: call.may_be_empty,
                retract,
                over,
                bounded: self.options.is_bounded,
                absent_on_null: call.absent_on_null,
            });
            match bound {
                Ok(bound) => specs.push(AggregateSpec {
                    columns: bound.columns.iter().map(|arg| call.columns[*arg]).collect(),
                    aggregate: Arc::clone(&bound.aggregate),
                    filter: call.filter,
                }),
                Err(error) => return self.refuse(&error.to_string(), call.span),
            }
        }
        Ok(specs)
    }

    pub(super) fn expand(
        &mut self,
        node: &StateNode,
        expand: &logical::Expand,
        need: &Need,
    ) -> Result<Vec<Chain>> {
        let input = self.state_input(&node.inputs[0], &Need::rows(need.before))?;
        let mut columns = Vec::with_capacity(input.types.len() + 1);
        for column in 0..input.types.len() {
            let has = |set: &Vec<bool>| column >= expand.keys || set[column];
            columns.push(ExpandColumn::Input {
                column,
                present: expand.sets.iter().map(has).collect(),
            });
        }
        columns.push(ExpandColumn::Set(Sets::numbers(&expand.sets)));
        let spec = ExpandSpec {
            columns,
            sets: expand.sets.len(),
        };
        let given = Given {
            changes: input.changes,
            keys: Vec::new(),
            upserts: Vec::new(),
        };
        let make = move || Ok(Box::new(Expand::new(spec.clone())) as Box<dyn Operator>);
        self.stage(node, vec![input], given, Box::new(make))
    }

    pub(super) fn window_aggregate(
        &mut self,
        node: &StateNode,
        aggregate: &logical::WindowAggregate,
    ) -> Result<Vec<Chain>> {
        let input = self.state_input(&node.inputs[0], &Need::rows(true))?;
        self.insert_only(&input, "StreamPhysicalWindowAggregate", aggregate.span)?;
        if self.options.windows.updates {
            return self.refuse("Currently, window table function based aggregate doesn't support early-fire and late-fire configuration 'table.exec.emit.early-fire.enabled' and 'table.exec.emit.late-fire.enabled'.", aggregate.span);
        }
        let spec = WindowAggregateSpec {
            keys: aggregate.keys.clone(),
            key_types: key_types(&input, &aggregate.keys),
            aggregates: self.calls(&aggregate.calls, false, false)?,
            time: WindowTime::Attached {
                end: aggregate.end,
                processing: aggregate.window.rowtime.is_none(),
            },
            assigner: aggregate.window.assigner,
            zone: self.options.zone(aggregate.window.is_local),
            properties: aggregate.properties.clone(),
        };
        let first = aggregate.keys.len() + aggregate.calls.len();
        let mut key: Vec<usize> = (0..aggregate.keys.len()).collect();
        key.extend(first..first + aggregate.properties.len());
        let given = Given {
            changes: Changes::INSERT,
            keys: vec![key.clone()],
            upserts: vec![key],
        };
        let make = move || boxed(WindowAggregate::new(spec.clone()));
        self.stage(node, vec![input], given, Box::new(make))
    }

    pub(super) fn group_window(
        &mut self,
        node: &StateNode,
        window: &logical::GroupWindow,
        need: &Need,
    ) -> Result<Vec<Chain>> {
        let input = self.state_input(&node.inputs[0], &Need::rows(true))?;
        let retract = !input.changes.is_insert_only();
        if self.options.is_bounded {
            self.bounded_group_window(window)?;
        }
        let mut emit = self.options.windows;
        emit.update_before = need.before;
        let first = window.keys.len();
        let results = &node.columns[first..first + window.calls.len()];
        let results = results.iter().map(|column| &column.ty);
        let spec = GroupWindowSpec {
            keys: window.keys.clone(),
            key_types: key_types(&input, &window.keys),
            aggregates: self.calls(&window.calls, retract, false)?,
            result_types: results
                .map(|ty| millrace_connector::physical::arrow_type(&ty.kind))
                .collect(),
            rowtime: window.rowtime,
            zone: self.options.zone(window.is_local),
            windows: window.windows,
            properties: window.properties.clone(),
            retract,
            emit,
        };
        let changes = match emit.updates {
            false => Changes::INSERT,
            true => Changes {
                update_before: need.before,
                delete: retract,
                ..Changes::ALL
            },
        };
        let given = Given {
            changes,
            keys: Vec::new(),
            upserts: Vec::new(),
        };
        let make = move || boxed(GroupWindow::new(spec.clone()));
        self.stage(node, vec![input], given, Box::new(make))
    }

    /// # Flink
    /// What its batch planner refuses of group windows.
    fn bounded_group_window(&mut self, window: &logical::GroupWindow) -> Result<()> {
        if matches!(
            window.windows,
            millrace_operators::GroupWindows::Session { .. }
        ) {
            return self.refuse(
                "Window SessionGroupWindow is not supported right now.",
                window.span,
            );
        }
        if window.calls.iter().any(|call| call.distinct) {
            return self.refuse(
                "DISTINCT aggregates are currently not supported.",
                window.span,
            );
        }
        if window.is_local {
            return self.refuse(
                "a group window over TIMESTAMP_LTZ is not supported in batch mode",
                window.span,
            );
        }
        Ok(())
    }

    pub(super) fn over_aggregate(
        &mut self,
        node: &StateNode,
        over: &logical::Over,
    ) -> Result<Vec<Chain>> {
        let input = self.state_input(&node.inputs[0], &Need::rows(true))?;
        if self.options.is_bounded {
            return self.over_all(node, over, input);
        }
        self.insert_only(&input, "OverAggregate", over.span)?;
        let rowtime = self.over_time(over)?;
        let frame = self.over_frame(over)?;
        let is_bounded = matches!(frame, OverFrame::Rows { .. } | OverFrame::Range { .. });
        let spec = OverAggregateSpec {
            keys: over.keys.clone(),
            key_types: key_types(&input, &over.keys),
            input_types: input.arrow(),
            aggregates: self.calls(&over.calls, is_bounded, true)?,
            rowtime,
            frame,
            ttl: self.options.ttl,
        };
        let given = Given::keyed(Changes::INSERT, Vec::new());
        let make = move || boxed(OverAggregate::new(spec.clone()));
        self.stage(node, vec![input], given, Box::new(make))
    }

    /// OVER over rows that end: any order and any frame.
    fn over_all(
        &mut self,
        node: &StateNode,
        over: &logical::Over,
        input: StateInput,
    ) -> Result<Vec<Chain>> {
        let frame = match &over.frame {
            Some(frame) => OverAllFrame {
                rows: frame.rows,
                start: frame_edge(frame.start),
                end: frame_edge(frame.end),
            },
            None => OverAllFrame {
                rows: false,
                start: FrameEdge::First,
                end: match over.sort.is_empty() {
                    true => FrameEdge::Last,
                    false => FrameEdge::At(0),
                },
            },
        };
        let is_distance = |edge| matches!(edge, FrameEdge::At(distance) if distance != 0);
        if !frame.rows
            && over.sort.len() != 1
            && (is_distance(frame.start) || is_distance(frame.end))
        {
            let message = "a RANGE with a distance needs one key in ORDER BY";
            return self.refuse(message, over.span);
        }
        let mut calls = Vec::with_capacity(over.calls.len());
        for call in &over.calls {
            calls.push(self.over_all_call(call)?);
        }
        let spec = OverAllSpec {
            columns: input.arrow(),
            keys: over.keys.clone(),
            sort: over.sort.iter().map(sort_column).collect(),
            frame,
            calls,
        };
        let given = Given::keyed(Changes::INSERT, Vec::new());
        let make = move || boxed(OverAll::new(spec.clone()));
        self.stage(node, vec![input], given, Box::new(make))
    }

    fn over_all_call(&mut self, call: &AggregateCall) -> Result<OverAllCall> {
        if call.distinct {
            return self.refuse("Distinct not supported in Windowing function!", call.span);
        }
        let ranking = match call.name.as_str() {
            "ROW_NUMBER" => Ranking::RowNumber,
            "RANK" => Ranking::Rank,
            "DENSE_RANK" => Ranking::DenseRank,
            "PERCENT_RANK" => Ranking::PercentRank,
            "CUME_DIST" => Ranking::CumeDist,
            "NTILE" => {
                let parts = call.args.first().and_then(whole_literal);
                let parts = parts.and_then(|parts| usize::try_from(parts).ok());
                match parts.filter(|parts| *parts > 0) {
                    Some(parts) => Ranking::Ntile { parts },
                    None => {
                        let message = "the argument of NTILE must be a positive literal";
                        return self.refuse(message, call.span);
                    }
                }
            }
            "LAG" | "LEAD" => return self.shifted(call),
            _ => {
                let mut specs = self.calls(std::slice::from_ref(call), false, true)?;
                let spec = specs.pop().expect("a call was given");
                return Ok(OverAllCall::Aggregate(spec));
            }
        };
        Ok(OverAllCall::Ranking(ranking))
    }

    fn shifted(&mut self, call: &AggregateCall) -> Result<OverAllCall> {
        let lag = AggregateCall {
            name: "LAG".to_owned(),
            ..call.clone()
        };
        let mut specs = self.calls(&[lag], false, true)?;
        let spec = specs.pop().expect("a call was given");
        let distance = match call.args.get(1) {
            None => 1,
            Some(arg) => whole_literal(arg).unwrap_or(1),
        };
        // A group without rows has the default.
        let mut state = spec.aggregate.state();
        state.resize(1);
        Ok(OverAllCall::Shifted {
            column: spec.columns[0],
            distance: match call.name.as_str() {
                "LAG" => -distance,
                _ => distance,
            },
            default: state.value(&[0]),
            null: null_of(spec.aggregate.return_type()),
        })
    }

    /// Returns the rowtime column of the order; `None` = processing time.
    fn over_time(&mut self, over: &logical::Over) -> Result<Option<usize>> {
        if let Some(rank) = over
            .calls
            .iter()
            .find(|call| matches!(call.name.as_str(), "RANK" | "DENSE_RANK"))
        {
            let message = format!(
                "{}() on streaming table requires a bound on it in WHERE: a Top-N",
                rank.name
            );
            return self.refuse(&message, over.span);
        }
        let [key] = over.sort.as_slice() else {
            return self.refuse(
                match over.sort.is_empty() {
                    true => "Over Agg: The window rank function requires order by clause with non-constant fields: OVER needs ORDER BY a time attribute",
                    false => "The window can only be ordered by a single time column.",
                },
                over.span,
            );
        };
        if key.descending {
            return self.refuse(
                "The window can only be ordered in ASCENDING mode.",
                over.span,
            );
        }
        match over.time {
            Some(TimeAttribute::Rowtime) => Ok(Some(key.column)),
            Some(TimeAttribute::Proctime) => Ok(None),
            None => self.refuse(
                "OVER windows' ordering in stream mode must be defined on a time attribute.",
                over.span,
            ),
        }
    }

    fn over_frame(&mut self, over: &logical::Over) -> Result<OverFrame> {
        let Some(frame) = &over.frame else {
            let numbers = over.calls.iter().any(|call| call.name == "ROW_NUMBER");
            return Ok(match numbers {
                true => OverFrame::RowsUnbounded,
                false => OverFrame::RangeUnbounded,
            });
        };
        if frame.end != FrameBound::CurrentRow {
            return self.refuse(
                "OVER RANGE FOLLOWING windows are not supported yet.",
                over.span,
            );
        }
        match (frame.rows, frame.start) {
            (true, FrameBound::UnboundedPreceding) => Ok(OverFrame::RowsUnbounded),
            (false, FrameBound::UnboundedPreceding) => Ok(OverFrame::RangeUnbounded),
            (true, FrameBound::Preceding(rows)) => Ok(OverFrame::Rows {
                preceding: usize::try_from(rows).unwrap_or(0),
            }),
            (true, FrameBound::CurrentRow) => Ok(OverFrame::Rows { preceding: 0 }),
            (false, FrameBound::Preceding(preceding_ms)) => Ok(OverFrame::Range { preceding_ms }),
            (false, FrameBound::CurrentRow) => Ok(OverFrame::Range { preceding_ms: 0 }),
            _ => self.refuse(
                "OVER RANGE FOLLOWING windows are not supported yet.",
                over.span,
            ),
        }
    }
}

fn frame_edge(bound: FrameBound) -> FrameEdge {
    match bound {
        FrameBound::UnboundedPreceding => FrameEdge::First,
        FrameBound::Preceding(distance) => FrameEdge::At(-distance),
        FrameBound::CurrentRow => FrameEdge::At(0),
        FrameBound::Following(distance) => FrameEdge::At(distance),
        FrameBound::UnboundedFollowing => FrameEdge::Last,
    }
}

/// Returns what stands for NULL in a column that is NOT NULL, as with LAG(v, 1, 0) where a row before has NULL.
///
/// # Flink
/// `CodeGenUtils.primitiveDefaultValue`: it takes the NULL flag off and shows the value under it.
fn null_of(ty: &FlinkType) -> Option<ArrayRef> {
    if ty.nullable {
        return None;
    }
    let of = millrace_connector::physical::arrow_type(&ty.kind);
    if of == DataType::Boolean {
        return Some(Arc::new(BooleanArray::from(vec![false])));
    }
    if !of.is_integer() && !matches!(of, DataType::Float32 | DataType::Float64) {
        return None;
    }
    arrow_cast::cast(&Int64Array::from(vec![-1]), &of).ok()
}

/// Returns the value of a literal that is a whole number.
fn whole_literal(arg: &Arg) -> Option<i64> {
    let literal = arg.literal.as_ref()?;
    let wide = arrow_cast::cast(&literal.value, &DataType::Int64).ok()?;
    let values = wide.as_primitive_opt::<Int64Type>()?;
    (literal.ty.kind.is_numeric() && values.is_valid(0)).then(|| values.value(0))
}

fn key_types(input: &StateInput, keys: &[usize]) -> Vec<DataType> {
    let types = input.arrow();
    keys.iter().map(|key| types[*key].clone()).collect()
}
