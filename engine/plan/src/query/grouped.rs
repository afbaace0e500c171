//! SELECT with GROUP BY, HAVING, aggregates and DISTINCT.

use millrace_connector::{Diagnostic, Span};
use millrace_operators::WindowProperty;
use millrace_program::{Expr, ExprKind, ExprRef, map_columns};
use millrace_sql::ast;

use super::calls::{CALLS, Call, Calls, Grouping, KEYS, OVERS, PROPERTIES, described};
use super::group_window::GroupWindowClause;
use super::grouping_sets::{Sets, grouping_number};
use super::staged::Staged;
use super::{QueryBinder, bind_items};
use crate::bind::{Binder, Scope};
use crate::logical::{
    Aggregate, AggregateCall, BoundColumn, BoundQuery, Expand, GroupWindow, StateKind,
    WindowAggregate, WindowColumn,
};

/// Tells whether a SELECT groups rows.
pub(super) fn is_grouped(select: &ast::Select) -> bool {
    let mut calls = super::find::Aggregates::default();
    for item in &select.items {
        if let ast::SelectItem::Expr { expr, .. } = item {
            calls.visit(expr);
        }
    }
    select.group_by.is_some() || select.having.is_some() || calls.found
}

/// What a node yields for what was bound.
struct Placed {
    query: BoundQuery,
    keys: Vec<usize>,
    calls: Vec<Option<usize>>,
    /// The number of the grouping set.
    set: Option<usize>,
    properties: usize,
}

impl QueryBinder<'_> {
    /// Binds what stands behind FROM and WHERE of a SELECT that groups rows.
    pub(super) fn grouped(
        &mut self,
        select: &ast::Select,
        scope: &Scope,
        query: BoundQuery,
    ) -> Option<BoundQuery> {
        let (grouping, sets) = self.grouping(select, scope)?;
        let mut calls = Calls::new(self.ctx, &select.windows);
        calls.grouping = Some(grouping);
        let mut binder = calls.binder(scope, self.diagnostics);
        let items = bind_items(&mut binder, &select.items);
        let having = match &select.having {
            Some(expr) => binder.bind_condition(expr, "HAVING").map(Some),
            None => Some(None),
        };
        let (items, having) = (items?, having?);
        let Calls {
            grouping,
            calls,
            overs,
            properties,
            ..
        } = calls;
        let grouping = grouping.expect("it was just set");
        let placed = self.aggregate(query, &grouping, &sets, &calls, &properties, select.span)?;
        let settle = |expr: &ExprRef| settle(expr, &placed, &calls, &sets);
        let having = having.as_ref().map(&settle);
        let items: Vec<(String, ExprRef)> = items
            .iter()
            .map(|(name, expr)| (name.clone(), settle(expr)))
            .collect();
        let overs: Vec<_> = overs.into_iter().map(|over| over.map(&settle)).collect();
        let mut query = placed.query;
        if let Some(having) = having {
            query = self.built(query.filter(&having), select.span)?;
        }
        self.with_overs(query, &overs, items, select.span)
    }

    /// SELECT DISTINCT: the rows of a query without repetition.
    pub(super) fn distinct(&mut self, query: BoundQuery, span: Span) -> Option<BoundQuery> {
        let grouping = Grouping {
            keys: (0..query.width())
                .map(|index| query.column(index))
                .collect(),
            ..Grouping::default()
        };
        let names: Vec<String> = query
            .columns
            .iter()
            .map(|column| column.name.clone())
            .collect();
        let sets = Sets::one(grouping.keys.len());
        let placed = self.aggregate(query, &grouping, &sets, &[], &[], span)?;
        let items = placed.keys.iter().zip(names).map(|(key, name)| {
            let value = placed.query.column(*key);
            (placed.query.item(name, &value), value)
        });
        let items = items.collect();
        self.built(placed.query.project(items), span)
    }

    /// Groups a query and returns its keys, then the calls.
    pub(super) fn grouped_by(
        &mut self,
        query: BoundQuery,
        grouping: &Grouping,
        sets: &Sets,
        calls: &[Call],
        span: Span,
    ) -> Option<BoundQuery> {
        Some(
            self.aggregate(query, grouping, sets, calls, &[], span)?
                .query,
        )
    }

    /// Groups a query and returns its keys, then one item over keys and calls.
    pub(super) fn grouped_items(
        &mut self,
        query: BoundQuery,
        grouping: &Grouping,
        calls: &[Call],
        (name, item): (&str, &ExprRef),
        span: Span,
    ) -> Option<BoundQuery> {
        let sets = Sets::one(grouping.keys.len());
        let placed = self.aggregate(query, grouping, &sets, calls, &[], span)?;
        let item = settle(item, &placed, calls, &sets);
        let query = placed.query;
        let mut items: Vec<(BoundColumn, ExprRef)> = placed
            .keys
            .iter()
            .map(|key| (query.columns[*key].clone(), query.column(*key)))
            .collect();
        items.push((query.item(name.to_owned(), &item), item));
        self.built(query.project(items), span)
    }

    fn grouping(&mut self, select: &ast::Select, scope: &Scope) -> Option<(Grouping, Sets)> {
        let mut grouping = Grouping::default();
        let Some(clause) = &select.group_by else {
            grouping.is_global = true;
            return Some((grouping, Sets::one(0)));
        };
        let mut keys: Vec<ExprRef> = Vec::new();
        let errors = self.diagnostics.len();
        let mut window = None;
        let sets = {
            let (ctx, diagnostics) = (self.ctx, &mut *self.diagnostics);
            Sets::of(clause, &mut |expr: &ast::Expr| {
                if let ast::ExprKind::Function(call) = &expr.kind
                    && GroupWindowClause::is_one(call)
                {
                    window = GroupWindowClause::of(call, scope, ctx, diagnostics);
                    return None;
                }
                let bound = Binder::new(scope, ctx, diagnostics).bind_value(expr)?;
                let known = keys
                    .iter()
                    .position(|key| millrace_program::same(key, &bound));
                Some(known.unwrap_or_else(|| {
                    keys.push(bound);
                    keys.len() - 1
                }))
            })
        };
        if self.diagnostics[errors..].iter().any(Diagnostic::is_error) {
            return None;
        }
        let sets = sets.complete(keys.len());
        grouping.is_global = keys.is_empty() && window.is_none();
        grouping.has_sets = sets.has_absent();
        grouping.keys = keys;
        grouping.window = window;
        Some((grouping, sets))
    }

    /// Puts the node of a GROUP BY on top of a query.
    fn aggregate(
        &mut self,
        query: BoundQuery,
        grouping: &Grouping,
        sets: &Sets,
        calls: &[Call],
        properties: &[WindowProperty],
        span: Span,
    ) -> Option<Placed> {
        let mut staged = Staged::empty();
        // GROUPING SETS change the keys of a row, so that an argument has a column of its own.
        let keys: Vec<usize> = grouping.keys.iter().map(|key| staged.push(key)).collect();
        let window_time = grouping
            .window
            .as_ref()
            .and_then(|window| window.rowtime.as_ref())
            .map(|rowtime| staged.column(rowtime));
        let is_call = |call: &Call| call.name != "GROUPING";
        let mut bound = Vec::new();
        for call in calls.iter().filter(|call| is_call(call)) {
            let mut place = |expr: &ExprRef| match sets.has_absent() {
                true => staged.push(expr),
                false => staged.column(expr),
            };
            bound.push(AggregateCall {
                name: call.name.clone(),
                args: described(&call.args),
                columns: call.args.iter().map(&mut place).collect(),
                distinct: call.distinct,
                may_be_empty: call.may_be_empty,
                absent_on_null: call.absent_on_null,
                filter: call.filter.as_ref().map(&mut place),
                span: call.span,
            });
        }
        let input = self.built(staged.project(query), span)?;
        let windows = window_keys(&input, &keys, sets);
        let (input, keys, set) = self.expanded(input, keys, sets, span)?;
        let mut places = Vec::new();
        let mut next = 0;
        for call in calls {
            places.push(is_call(call).then(|| {
                next += 1;
                next - 1
            }));
        }
        let types: Vec<_> = calls.iter().filter(|call| is_call(call)).collect();
        let mut placed = match (windows, &grouping.window) {
            (Some((start_end, window)), None) => {
                self.window_aggregate(input, &keys, bound, &types, &start_end, &window, span)?
            }
            (_, Some(window)) => {
                let node = GroupWindow {
                    keys: keys.clone(),
                    calls: bound,
                    rowtime: window_time,
                    is_local: window.is_local,
                    windows: window.windows,
                    properties: properties.to_vec(),
                    span,
                };
                let mut columns = output_columns(&input, &keys, &types);
                columns.extend(properties.iter().map(|property| window.column(*property)));
                let kind = StateKind::GroupWindow(node);
                let count = keys.len();
                let properties = columns.len() - properties.len();
                let query = self.built(BoundQuery::state(kind, vec![input], columns), span)?;
                Placed {
                    query,
                    keys: (0..count).collect(),
                    calls: Vec::new(),
                    set: None,
                    properties,
                }
            }
            (None, None) => {
                let columns = output_columns(&input, &keys, &types);
                let count = keys.len();
                let kind = StateKind::Aggregate(Aggregate { keys, calls: bound });
                let query = self.built(BoundQuery::state(kind, vec![input], columns), span)?;
                Placed {
                    query,
                    keys: (0..count).collect(),
                    calls: Vec::new(),
                    set: None,
                    properties: 0,
                }
            }
        };
        // The number of the set is the last key.
        placed.set = set.map(|_| placed.keys.pop().expect("the number of the set is a key"));
        let offset = placed.call_offset(grouping.keys.len(), set.is_some());
        placed.calls = places
            .into_iter()
            .map(|place| place.map(|place| place + offset))
            .collect();
        Some(placed)
    }

    /// Multiplies rows by the grouping sets; the number of the set becomes the last key.
    fn expanded(
        &mut self,
        input: BoundQuery,
        mut keys: Vec<usize>,
        sets: &Sets,
        span: Span,
    ) -> Option<(BoundQuery, Vec<usize>, Option<usize>)> {
        if sets.len() == 1 && !sets.has_absent() {
            return Some((input, keys, None));
        }
        let mut columns = input.columns.clone();
        for (index, key) in keys.iter().enumerate() {
            if sets.is_absent_somewhere(index) {
                columns[*key].ty.nullable = true;
                columns[*key].time = None;
            }
        }
        columns.push(BoundColumn::plain(
            "$e",
            millrace_connector::TypeKind::BigInt.not_null(),
            span,
        ));
        let kind = StateKind::Expand(Expand {
            keys: keys.len(),
            sets: sets.present(),
        });
        let set = columns.len() - 1;
        keys.push(set);
        let query = self.built(BoundQuery::state(kind, vec![input], columns), span)?;
        Some((query, keys, Some(set)))
    }

    #[expect(clippy::too_many_arguments, reason = "one call, of what it is made of")]
    fn window_aggregate(
        &mut self,
        input: BoundQuery,
        keys: &[usize],
        calls: Vec<AggregateCall>,
        types: &[&Call],
        window_keys: &[(usize, WindowProperty)],
        window: &WindowColumn,
        span: Span,
    ) -> Option<Placed> {
        let is_window = |key: &usize| window_keys.iter().any(|(known, _)| known == key);
        let own: Vec<usize> = keys.iter().copied().filter(|key| !is_window(key)).collect();
        let end = window_keys
            .iter()
            .find(|(_, property)| *property == WindowProperty::End)
            .expect("a window has an end")
            .0;
        let mut properties: Vec<WindowProperty> = Vec::new();
        for (_, property) in window_keys {
            if !properties.contains(property) {
                properties.push(*property);
            }
        }
        let mut columns = output_columns(&input, &own, types);
        let first_property = columns.len();
        for property in &properties {
            let key = window_keys.iter().find(|(_, known)| known == property);
            columns.push(input.columns[key.expect("it was found by it").0].clone());
        }
        let places = keys.iter().map(|key| {
            if let Some(place) = own.iter().position(|own| own == key) {
                return place;
            }
            let (_, property) = window_keys
                .iter()
                .find(|(known, _)| known == key)
                .expect("it is a column of the window");
            let place = properties.iter().position(|known| known == property);
            first_property + place.expect("each property has a column")
        });
        let places = places.collect();
        let kind = StateKind::WindowAggregate(WindowAggregate {
            keys: own,
            calls,
            end,
            window: std::sync::Arc::clone(&window.table),
            properties,
            span,
        });
        let query = self.built(BoundQuery::state(kind, vec![input], columns), span)?;
        Some(Placed {
            query,
            keys: places,
            calls: Vec::new(),
            set: None,
            properties: first_property,
        })
    }
}

impl Placed {
    /// Returns the column of the first call: it stands behind the node's own keys.
    fn call_offset(&self, keys: usize, has_set: bool) -> usize {
        let all = keys + usize::from(has_set);
        let of_window = self
            .keys
            .iter()
            .chain(&self.set)
            .filter(|place| self.properties > 0 && **place >= self.properties)
            .count();
        all - of_window
    }
}

/// Returns the columns of a node: keys, then calls.
fn output_columns(input: &BoundQuery, keys: &[usize], calls: &[&Call]) -> Vec<BoundColumn> {
    let mut columns: Vec<BoundColumn> = keys
        .iter()
        .map(|key| {
            let key = &input.columns[*key];
            BoundColumn {
                time: None,
                window: None,
                is_rank: false,
                said: key.said.or(key.time),
                ..key.clone()
            }
        })
        .collect();
    for (index, call) in calls.iter().enumerate() {
        let name = format!("EXPR${index}");
        let mut column = BoundColumn::plain(name, call.ty.clone(), call.span);
        if let Some(said) = call.said {
            column.said = Some(said);
        }
        columns.push(column);
    }
    columns
}

/// Returns the keys that are columns of one window, if both its start and its end are among them, in each set.
fn window_keys(
    input: &BoundQuery,
    keys: &[usize],
    sets: &Sets,
) -> Option<(Vec<(usize, WindowProperty)>, WindowColumn)> {
    let mut found: Vec<(usize, WindowProperty)> = Vec::new();
    let mut window: Option<WindowColumn> = None;
    for (index, key) in keys.iter().enumerate() {
        let Some(column) = &input.columns[*key].window else {
            continue;
        };
        if sets.is_absent_somewhere(index) {
            return None;
        }
        if let Some(known) = &window
            && !std::sync::Arc::ptr_eq(&known.table, &column.table)
        {
            return None;
        }
        window.get_or_insert_with(|| column.clone());
        found.push((*key, column.property));
    }
    let has = |property| found.iter().any(|(_, known)| *known == property);
    let is_whole = has(WindowProperty::Start) && has(WindowProperty::End);
    window.filter(|_| is_whole).map(|window| (found, window))
}

/// Puts the node's columns in place of what stood for them.
fn settle(expr: &ExprRef, placed: &Placed, calls: &[Call], sets: &Sets) -> ExprRef {
    map_columns(expr, &mut |column, index| {
        let place = match index {
            _ if (OVERS..PROPERTIES).contains(&index) => return None,
            _ if index >= PROPERTIES => placed.properties + (index - PROPERTIES),
            _ if index >= CALLS => match placed.calls[index - CALLS] {
                Some(place) => place,
                None => {
                    let bits: Vec<usize> = calls[index - CALLS]
                        .args
                        .iter()
                        .filter_map(|arg| match arg.kind {
                            ExprKind::Column(key) => Some(key - KEYS),
                            _ => None,
                        })
                        .collect();
                    let set = placed.set.map(|set| placed.query.column(set));
                    return Some(grouping_number(set.as_ref(), &bits, sets, column.span));
                }
            },
            _ if index >= KEYS => placed.keys[index - KEYS],
            _ => return None,
        };
        let mut ty = column.ty.clone();
        if let Some(own) = placed.query.columns.get(place) {
            ty.nullable = own.ty.nullable;
        }
        Some(Expr::new(ExprKind::Column(place), ty, column.span))
    })
}
