//! A bound on the number of rows: a filter on ROW_NUMBER, ORDER BY and LIMIT.

use std::sync::Arc;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{Int8Type, Int16Type, Int32Type, Int64Type};
use datafusion_expr::{Extension, LogicalPlan};
use millrace_connector::{Diagnostic, Span, TypeKind};
use millrace_operators::RankEnd;
use millrace_program::{ExprKind, ExprRef, Folding, conjuncts, fold};
use millrace_sql::ast;

use super::QueryBinder;
use super::staged::Staged;
use crate::bind::{Binder, Scope};
use crate::logical::{BoundQuery, Built, Over, Rank, SortKey, StateKind, StateNode, TimeAttribute};

/// Returns the value of a constant of an integer type, under casts too.
pub(super) fn constant_count(expr: &ExprRef) -> Option<i64> {
    let folded = fold(expr, &mut Folding::default());
    let literal = folded.literal()?;
    if literal.value.is_null(0) {
        return None;
    }
    Some(match literal.ty.kind {
        TypeKind::TinyInt => literal.value.as_primitive::<Int8Type>().value(0).into(),
        TypeKind::SmallInt => literal.value.as_primitive::<Int16Type>().value(0).into(),
        TypeKind::Int => literal.value.as_primitive::<Int32Type>().value(0).into(),
        TypeKind::BigInt => literal.value.as_primitive::<Int64Type>().value(0),
        _ => return None,
    })
}

/// What conditions say of a row number.
#[derive(Default)]
struct Bounds {
    start: Option<i64>,
    end: Option<i64>,
}

impl Bounds {
    /// Takes a condition on `column`; `false` = it is none.
    fn take(&mut self, part: &ExprRef, column: usize) -> bool {
        let ExprKind::Call(call) = &part.kind else {
            return false;
        };
        let [a, b] = call.args.as_slice() else {
            return false;
        };
        let is_number = |expr: &ExprRef| is_column(expr, column);
        let (constant, name) = match (is_number(a), is_number(b)) {
            (true, false) => (constant_count(b), call.name),
            (false, true) => {
                let turned = match call.name {
                    "<" => ">",
                    "<=" => ">=",
                    ">" => "<",
                    ">=" => "<=",
                    other => other,
                };
                (constant_count(a), turned)
            }
            _ => return false,
        };
        let Some(constant) = constant else {
            return false;
        };
        let raise = |bound: Option<i64>, to: i64| Some(bound.map_or(to, |known| known.max(to)));
        let cut = |bound: Option<i64>, to: i64| Some(bound.map_or(to, |known| known.min(to)));
        match name {
            "=" => {
                self.start = raise(self.start, constant);
                self.end = cut(self.end, constant);
            }
            "<" => self.end = cut(self.end, constant - 1),
            "<=" => self.end = cut(self.end, constant),
            ">" => self.start = raise(self.start, constant + 1),
            ">=" => self.start = raise(self.start, constant),
            _ => return false,
        }
        true
    }
}

fn is_column(expr: &ExprRef, column: usize) -> bool {
    match &expr.kind {
        ExprKind::Column(index) => *index == column,
        ExprKind::Retype(inner) => is_column(inner, column),
        ExprKind::Call(call) if call.name == "CAST" => is_column(&call.args[0], column),
        _ => false,
    }
}

impl QueryBinder<'_> {
    /// Keeps the rows that fulfil a condition; a bound on a row number becomes a Top-N, but in batch mode.
    pub(super) fn filtered_by(
        &mut self,
        query: BoundQuery,
        condition: &ExprRef,
        span: Span,
    ) -> Option<BoundQuery> {
        let number = query.columns.iter().position(|column| column.is_rank);
        let Some(number) = number.filter(|_| !self.is_bounded) else {
            return self.built(query.filter(condition), span);
        };
        let mut bounds = Bounds::default();
        let mut rest = Vec::new();
        for part in conjuncts(condition) {
            if !bounds.take(&part, number) {
                rest.push(part);
            }
        }
        let Some(end) = bounds.end else {
            return self.built(query.filter(condition), span);
        };
        let start = bounds.start.unwrap_or(1).max(1);
        let mut query = self.built(bounded(query, start, end), span)?;
        query.columns[number].is_rank = false;
        for part in &rest {
            query = self.built(query.filter(part), span)?;
        }
        Some(query)
    }

    /// Puts ORDER BY, OFFSET and LIMIT on top of a query.
    pub(super) fn ordered(
        &mut self,
        query: BoundQuery,
        clauses: &ast::Query,
    ) -> Option<BoundQuery> {
        let span = clauses.span;
        let limit = self.count(clauses.limit.as_ref())?;
        let offset = self.count(clauses.offset.as_ref())?.unwrap_or(0);
        if clauses.order_by.is_empty() && limit.is_none() && offset == 0 {
            return Some(query);
        }
        let width = query.width();
        let own = Scope::of(&query, &[]);
        let mut staged = Staged::over(&query);
        let mut sort = Vec::new();
        for item in &clauses.order_by {
            let expr = self.order_key(item, &own, &query)?;
            sort.push(SortKey {
                column: staged.column(&expr),
                descending: item.descending,
                nulls_first: item.nulls_first.unwrap_or(!item.descending),
            });
        }
        let input = self.built(staged.project(query), span)?;
        let columns = input.columns.clone();
        if self.is_bounded {
            let kind = StateKind::SortAll {
                sort,
                offset: usize::try_from(offset).unwrap_or(usize::MAX),
                limit: limit.map_or(usize::MAX, |limit| {
                    usize::try_from(limit).unwrap_or(usize::MAX)
                }),
            };
            let query = self.built(BoundQuery::state(kind, vec![input], columns), span)?;
            return self.first_columns(query, width, span);
        }
        let Some(limit) = limit else {
            return self.sorted(input, &sort, offset, width, span);
        };
        let node = Rank {
            partition: Vec::new(),
            sort,
            start: offset + 1,
            end: RankEnd::Constant(offset.saturating_add(limit)),
            number: None,
            is_limit: true,
            window: None,
            span,
        };
        let node = BoundQuery::state(StateKind::Rank(node), vec![input], columns);
        let query = self.built(node, span)?;
        self.first_columns(query, width, span)
    }

    fn sorted(
        &mut self,
        input: BoundQuery,
        sort: &[SortKey],
        offset: i64,
        width: usize,
        span: Span,
    ) -> Option<BoundQuery> {
        let first = sort.first().copied();
        let is_time = first.is_some_and(|key| {
            !key.descending && input.columns[key.column].time == Some(TimeAttribute::Rowtime)
        });
        let is_arrival = first.is_some_and(|key| {
            !key.descending && input.columns[key.column].time == Some(TimeAttribute::Proctime)
        });
        if offset > 0 || !(is_time || is_arrival) {
            self.diagnostics.push(
                Diagnostic::error(
                    "MR0413",
                    "Sort on a non-time-attribute field is not supported",
                    span,
                )
                .label("rows without end cannot be sorted")
                .help("order by a rowtime column first, or add LIMIT"),
            );
            return None;
        }
        if is_arrival && sort.len() == 1 {
            return self.first_columns(input, width, span);
        }
        let first = first.expect("it was looked at");
        let kind = StateKind::TemporalSort {
            rowtime: first.column,
            sort: sort[1..].to_vec(),
        };
        let columns = input.columns.clone();
        let query = self.built(BoundQuery::state(kind, vec![input], columns), span)?;
        self.first_columns(query, width, span)
    }

    fn first_columns(&mut self, query: BoundQuery, width: usize, span: Span) -> Option<BoundQuery> {
        if query.width() == width {
            return Some(query);
        }
        let items = (0..width).map(|index| (query.columns[index].clone(), query.column(index)));
        let items = items.collect();
        self.built(query.project(items), span)
    }

    /// # Flink
    /// A name of the SELECT list comes before a column of FROM; a number is the place of an item.
    fn order_key(
        &mut self,
        item: &ast::OrderItem,
        own: &Scope,
        query: &BoundQuery,
    ) -> Option<ExprRef> {
        if let ast::ExprKind::Literal(_) = &item.expr.kind {
            let bound = Binder::new(own, self.ctx, self.diagnostics).bind(&item.expr)?;
            if let Some(place) = constant_count(&bound) {
                let place = usize::try_from(place - 1).ok();
                if let Some(place) = place.filter(|place| *place < query.width()) {
                    return Some(query.column(place));
                }
            }
        }
        Binder::new(own, self.ctx, self.diagnostics).bind_value(&item.expr)
    }

    fn count(&mut self, expr: Option<&ast::Expr>) -> Option<Option<i64>> {
        let Some(expr) = expr else {
            return Some(None);
        };
        let bound = Binder::new(&Scope::default(), self.ctx, self.diagnostics).bind(expr)?;
        match constant_count(&bound).filter(|count| *count >= 0) {
            Some(count) => Some(Some(count)),
            None => {
                self.diagnostics.push(
                    Diagnostic::error("MR0413", "a number of rows is a constant", expr.span)
                        .label("no number of rows"),
                );
                None
            }
        }
    }
}

/// Turns the OVER that numbers rows into a Top-N.
fn bounded(query: BoundQuery, start: i64, end: i64) -> Built<BoundQuery> {
    let plan = with_bound(&query.plan, start, end)?;
    Ok(BoundQuery {
        plan: Arc::new(plan),
        ..query
    })
}

/// Projections and aliases stand between the filter and the node.
fn with_bound(plan: &LogicalPlan, start: i64, end: i64) -> Built<LogicalPlan> {
    if let LogicalPlan::Extension(Extension { node }) = plan
        && let Some(node) = node.as_any().downcast_ref::<StateNode>()
        && let StateKind::Over(over) = node.kind.as_ref()
    {
        return Ok(node.replaced(StateKind::Rank(rank(over, node, start, end))));
    }
    let inputs = plan.inputs();
    let [input] = inputs.as_slice() else {
        return datafusion_common::internal_err!("no row number stands under {}", plan.display());
    };
    let input = with_bound(input, start, end)?;
    plan.with_new_exprs(plan.expressions(), vec![input])
}

fn rank(over: &Over, node: &StateNode, start: i64, end: i64) -> Rank {
    Rank {
        partition: over.keys.clone(),
        sort: over.sort.clone(),
        start,
        end: RankEnd::Constant(end),
        number: Some(over.calls[0].name.clone()),
        is_limit: false,
        window: window_of(over, node),
        span: over.span,
    }
}

/// Returns the window whose start and end are among the keys.
fn window_of(over: &Over, node: &StateNode) -> Option<crate::logical::RankWindow> {
    use millrace_operators::WindowProperty as P;
    let find = |property: P| {
        let keys = over.keys.iter();
        keys.copied().find(|key| {
            let window = &node.columns[*key].window;
            window
                .as_ref()
                .is_some_and(|window| window.property == property)
        })
    };
    let (start, end) = (find(P::Start)?, find(P::End)?);
    let table = &node.columns[end].window.as_ref()?.table;
    Some(crate::logical::RankWindow {
        start,
        end,
        is_local: table.is_local,
        is_rowtime: table.rowtime.is_some(),
    })
}
