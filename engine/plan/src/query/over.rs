//! Calls with OVER.

use millrace_connector::{Diagnostic, Span, TypeKind};
use millrace_functions::aggregate::Ranking;
use millrace_program::{Expr, ExprKind, ExprRef, map_columns, same};
use millrace_sql::ast;

use super::calls::{Call, Calls, OVERS, described};
use super::group_window::interval_ms;
use super::staged::Staged;
use super::{QueryBinder, constant_count};
use crate::bind::Binder;
use crate::logical::{
    AggregateCall, BoundColumn, BoundQuery, Frame, FrameBound, Over, SortKey, StateKind,
};

/// A call with its window, before its node is made.
#[derive(Clone, Debug)]
pub(crate) struct OverCall {
    pub(crate) call: Call,
    partition: Vec<ExprRef>,
    order: Vec<(ExprRef, bool, bool)>,
    frame: Option<Frame>,
    /// Whether only batch mode has the function.
    is_bounded: bool,
}

/// Functions that number rows; the frame means nothing to them.
const RANKS: &[&str] = &["ROW_NUMBER", "RANK", "DENSE_RANK"];

/// Functions that only batch mode has.
const BOUNDED: &[&str] = &["CUME_DIST", "LEAD", "NTILE", "PERCENT_RANK"];

impl OverCall {
    /// Returns it with each expression replaced.
    pub(super) fn map(self, map: &dyn Fn(&ExprRef) -> ExprRef) -> Self {
        let mut call = self.call;
        call.args = call.args.iter().map(map).collect();
        Self {
            call,
            partition: self.partition.iter().map(map).collect(),
            order: self
                .order
                .iter()
                .map(|(expr, descending, nulls_first)| (map(expr), *descending, *nulls_first))
                .collect(),
            frame: self.frame,
            is_bounded: self.is_bounded,
        }
    }

    fn has_window_of(&self, other: &Self) -> bool {
        let all = |a: &[ExprRef], b: &[ExprRef]| {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        };
        let order = |over: &Self| {
            let order = over.order.iter().map(|(expr, ..)| expr.clone());
            order.collect::<Vec<_>>()
        };
        let directions = |over: &Self| {
            let order = over.order.iter();
            order.map(|(_, a, b)| (*a, *b)).collect::<Vec<_>>()
        };
        all(&self.partition, &other.partition)
            && all(&order(self), &order(other))
            && directions(self) == directions(other)
            && self.frame == other.frame
    }
}

impl Calls<'_> {
    pub(super) fn over(
        &mut self,
        binder: &mut Binder<'_>,
        call: &ast::FunctionCall,
        name: &str,
    ) -> Option<ExprRef> {
        if !self.is_allowed {
            return binder.report(
                Diagnostic::error("MR0413", "a call with OVER cannot stand here", call.span)
                    .label("calls with OVER stand in SELECT"),
            );
        }
        let window = match call.over.as_ref()? {
            ast::Over::Spec(spec) => spec.clone(),
            ast::Over::Name(name) => self.named_window(binder, name)?,
        };
        let args = self.arguments(binder, call)?;
        let partition: Vec<&ast::Expr> = window.partition_by.iter().collect();
        let partition = self.inner(binder).bind_all(&partition)?;
        let mut order = Vec::new();
        for item in &window.order_by {
            let expr = self.inner(binder).bind(&item.expr)?;
            let nulls_first = item.nulls_first.unwrap_or(!item.descending);
            order.push((expr, item.descending, nulls_first));
        }
        let is_rank = RANKS.contains(&name);
        if is_rank && order.is_empty() && name != "ROW_NUMBER" {
            return binder.report(
                Diagnostic::error(
                    "MR0413",
                    format!("{name} needs ORDER BY in OVER"),
                    call.span,
                )
                .label("no order"),
            );
        }
        let frame = match &window.frame {
            Some(frame) if !is_rank && !BOUNDED.contains(&name) => Some(self.frame(binder, frame)?),
            _ => None,
        };
        let call = if is_rank {
            Call {
                name: name.to_owned(),
                args,
                filter: None,
                distinct: false,
                may_be_empty: false,
                absent_on_null: None,
                ty: TypeKind::BigInt.not_null(),
                span: call.span,
                said: None,
            }
        } else {
            let call = Call {
                name: name.to_owned(),
                args,
                filter: None,
                distinct: call.distinct,
                may_be_empty: true,
                absent_on_null: None,
                ty: TypeKind::Null.nullable(),
                span: call.span,
                said: None,
            };
            self.over_typed(binder, call)?
        };
        let (ty, span) = (call.ty.clone(), call.span);
        self.overs.push(OverCall {
            call,
            partition,
            order,
            frame,
            is_bounded: BOUNDED.contains(&name),
        });
        let index = OVERS + self.overs.len() - 1;
        Some(Expr::new(ExprKind::Column(index), ty, span))
    }

    /// Gives a call its result's type. Whether the mode has the function is known where its node is made.
    fn over_typed(&mut self, binder: &mut Binder<'_>, mut call: Call) -> Option<Call> {
        let ranking = match call.name.as_str() {
            // The arguments are those of LAG.
            "LEAD" => {
                call.name = "LAG".to_owned();
                let mut call = self.typed(binder, call, true)?;
                call.name = "LEAD".to_owned();
                return Some(call);
            }
            "CUME_DIST" => Ranking::CumeDist,
            "NTILE" => Ranking::Ntile { parts: 1 },
            "PERCENT_RANK" => Ranking::PercentRank,
            _ => return self.typed(binder, call, true),
        };
        let expected = usize::from(call.name == "NTILE");
        if call.args.len() != expected {
            let message = format!("{} takes {expected} arguments", call.name);
            return binder
                .report(Diagnostic::error("MR0402", message, call.span).label("other arguments"));
        }
        call.ty = ranking.return_type();
        call.may_be_empty = false;
        Some(call)
    }

    fn named_window(
        &mut self,
        binder: &mut Binder<'_>,
        name: &ast::Ident,
    ) -> Option<ast::WindowSpec> {
        let found = self
            .windows
            .iter()
            .find(|window| window.name.value == name.value);
        match found {
            Some(found) => Some(found.window.clone()),
            None => binder.report(
                Diagnostic::error(
                    "MR0301",
                    format!("there is no window '{}'", name.value),
                    name.span,
                )
                .label("not in the WINDOW clause"),
            ),
        }
    }

    fn frame(&mut self, binder: &mut Binder<'_>, frame: &ast::WindowFrame) -> Option<Frame> {
        let start = self.frame_bound(binder, &frame.start, frame)?;
        let end = match &frame.end {
            Some(end) => self.frame_bound(binder, end, frame)?,
            None => FrameBound::CurrentRow,
        };
        Some(Frame {
            rows: frame.rows,
            start,
            end,
        })
    }

    fn frame_bound(
        &mut self,
        binder: &mut Binder<'_>,
        bound: &ast::FrameBound,
        frame: &ast::WindowFrame,
    ) -> Option<FrameBound> {
        let mut distance = |expr: &ast::Expr| {
            let value = self.inner(binder).bind(expr)?;
            let found = match frame.rows {
                true => constant_count(&value),
                false => interval_ms(&value).or_else(|| constant_count(&value)),
            };
            match found {
                Some(distance) => Some(distance),
                None => binder.report(
                    Diagnostic::error(
                        "MR0413",
                        "the bound of a window's frame is a constant",
                        expr.span,
                    )
                    .label("no constant number of rows, or interval"),
                ),
            }
        };
        Some(match bound {
            ast::FrameBound::UnboundedPreceding => FrameBound::UnboundedPreceding,
            ast::FrameBound::Preceding(expr) => FrameBound::Preceding(distance(expr)?),
            ast::FrameBound::CurrentRow => FrameBound::CurrentRow,
            ast::FrameBound::Following(expr) => FrameBound::Following(distance(expr)?),
            ast::FrameBound::UnboundedFollowing => FrameBound::UnboundedFollowing,
        })
    }
}

impl QueryBinder<'_> {
    /// Puts the nodes of calls with OVER on top of a query, and the SELECT list on top of them.
    pub(super) fn with_overs(
        &mut self,
        query: BoundQuery,
        overs: &[OverCall],
        items: Vec<(String, ExprRef)>,
        span: Span,
    ) -> Option<BoundQuery> {
        if let Some(over) = overs
            .iter()
            .find(|over| over.is_bounded && (!self.is_bounded || over.order.is_empty()))
        {
            let name = &over.call.name;
            let (code, message) = match self.is_bounded {
                true => ("MR0413", format!("{name} needs ORDER BY in OVER")),
                false => (
                    "MR0402",
                    format!("{name} Function is not supported in stream mode."),
                ),
            };
            self.diagnostics
                .push(Diagnostic::error(code, message, over.call.span));
            return None;
        }
        let mut groups: Vec<Vec<usize>> = Vec::new();
        for (index, over) in overs.iter().enumerate() {
            let known = groups
                .iter_mut()
                .find(|group| overs[group[0]].has_window_of(over));
            match known {
                Some(group) => group.push(index),
                None => groups.push(vec![index]),
            }
        }
        let numbers = |group: &&Vec<usize>| RANKS.contains(&overs[group[0]].call.name.as_str());
        if !self.is_bounded && groups.len() > 1 && !groups.iter().any(|group| numbers(&group)) {
            self.diagnostics.push(
                Diagnostic::error(
                    "MR0413",
                    "Over Agg: Unsupported use of OVER windows. All aggregates must be computed on the same window.",
                    span,
                )
                .label("several windows"),
            );
            return None;
        }
        let mut places = vec![0; overs.len()];
        let mut query = query;
        for group in groups {
            query = self.over_node(query, overs, &group, &mut places, span)?;
        }
        let items = items.into_iter().map(|(name, expr)| {
            let expr = map_columns(&expr, &mut |column, index| {
                let place = places.get(index.checked_sub(OVERS)?)?;
                let kind = ExprKind::Column(*place);
                Some(Expr::new(kind, column.ty.clone(), column.span))
            });
            (query.item(name, &expr), expr)
        });
        let items = items.collect();
        self.built(query.project(items), span)
    }

    fn over_node(
        &mut self,
        query: BoundQuery,
        overs: &[OverCall],
        group: &[usize],
        places: &mut [usize],
        span: Span,
    ) -> Option<BoundQuery> {
        let mut staged = Staged::over(&query);
        let window = &overs[group[0]];
        let keys = window.partition.iter().map(|expr| staged.column(expr));
        let keys: Vec<usize> = keys.collect();
        let sort = window
            .order
            .iter()
            .map(|(expr, descending, nulls_first)| SortKey {
                column: staged.column(expr),
                descending: *descending,
                nulls_first: *nulls_first,
            });
        let sort: Vec<SortKey> = sort.collect();
        let calls = group.iter().map(|index| {
            let call = &overs[*index].call;
            AggregateCall {
                name: call.name.clone(),
                args: described(&call.args),
                columns: call.args.iter().map(|arg| staged.column(arg)).collect(),
                distinct: call.distinct,
                may_be_empty: call.may_be_empty,
                absent_on_null: call.absent_on_null,
                filter: None,
                span: call.span,
            }
        });
        let calls: Vec<AggregateCall> = calls.collect();
        let input = self.built(staged.project(query), span)?;
        let mut columns = input.columns.clone();
        let time = sort.first().and_then(|key| input.columns[key.column].time);
        for index in group {
            places[*index] = columns.len();
            let call = &overs[*index].call;
            let mut column = BoundColumn::plain(format!("w{index}$o"), call.ty.clone(), call.span);
            column.is_rank = RANKS.contains(&call.name.as_str()) && group.len() == 1;
            columns.push(column);
        }
        let node = Over {
            keys,
            sort,
            time,
            frame: window.frame.clone(),
            calls,
            span,
        };
        self.built(
            BoundQuery::state(StateKind::Over(node), vec![input], columns),
            span,
        )
    }
}
