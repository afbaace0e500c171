//! Calls over many rows: found while a SELECT is bound, put into nodes of their own afterwards.

use millrace_connector::{Diagnostic, FlinkType, Span, TypeKind};
use millrace_functions::aggregate::{self, AggregateCall as FunctionCall};
use millrace_functions::{Arg, BindContext};
use millrace_operators::WindowProperty;
use millrace_program::{Expr, ExprKind, ExprRef, for_each_column, same};
use millrace_sql::ast;

use super::group_window::GroupWindowClause;
use super::over::OverCall;
use crate::bind::{Binder, Hook, Scope};
use crate::logical::TimeAttribute;

/// Columns from here on stand for group keys, until the node that yields them is made.
pub(crate) const KEYS: usize = 1 << 40;
/// The same for calls of aggregate functions.
pub(crate) const CALLS: usize = 2 << 40;
/// The same for calls with OVER.
pub(crate) const OVERS: usize = 3 << 40;
/// The same for the columns of a group window.
pub(crate) const PROPERTIES: usize = 4 << 40;
/// The number of the grouping set.
pub(crate) const GROUPING: usize = 5 << 40;

/// A call before its node is made: its arguments are expressions.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) name: String,
    pub(crate) args: Vec<ExprRef>,
    pub(crate) filter: Option<ExprRef>,
    pub(crate) distinct: bool,
    pub(crate) may_be_empty: bool,
    pub(crate) absent_on_null: Option<bool>,
    pub(crate) ty: FlinkType,
    pub(crate) span: Span,
    /// The time attribute of the argument, which the result's type still names.
    pub(crate) said: Option<TimeAttribute>,
}

/// What a SELECT with GROUP BY or aggregates may name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Grouping {
    pub(crate) keys: Vec<ExprRef>,
    /// Whether a key is NULL in some grouping set.
    pub(crate) has_sets: bool,
    /// Whether a row comes without rows: there is no key.
    pub(crate) is_global: bool,
    pub(crate) window: Option<GroupWindowClause>,
}

/// Finds the calls of one SELECT.
pub(crate) struct Calls<'q> {
    pub(crate) ctx: &'q BindContext,
    pub(crate) windows: &'q [ast::NamedWindow],
    pub(crate) grouping: Option<Grouping>,
    pub(crate) calls: Vec<Call>,
    pub(crate) overs: Vec<OverCall>,
    pub(crate) properties: Vec<WindowProperty>,
    /// Whether calls may stand here: in SELECT and HAVING, not in WHERE.
    pub(crate) is_allowed: bool,
    /// Queries that stand as values, with what has their value.
    pub(crate) scalars: Vec<(Span, ExprRef)>,
    /// Within the arguments of an aggregate function: columns are those of the input.
    inside: bool,
}

impl<'q> Calls<'q> {
    pub(crate) fn new(ctx: &'q BindContext, windows: &'q [ast::NamedWindow]) -> Self {
        Self {
            ctx,
            windows,
            grouping: None,
            calls: Vec::new(),
            overs: Vec::new(),
            properties: Vec::new(),
            is_allowed: true,
            scalars: Vec::new(),
            inside: false,
        }
    }

    /// Returns a binder that finds calls.
    pub(crate) fn binder<'b>(
        &'b mut self,
        scope: &'b Scope,
        diagnostics: &'b mut Vec<Diagnostic>,
    ) -> Binder<'b> {
        let ctx = self.ctx;
        Binder::with_hook(scope, ctx, diagnostics, self)
    }

    /// Returns a binder over the same columns that finds calls too.
    pub(super) fn inner<'b>(&'b mut self, binder: &'b mut Binder<'_>) -> Binder<'b> {
        let ctx = self.ctx;
        Binder::with_hook(binder.scope, ctx, binder.diagnostics, self)
    }

    fn function(
        &mut self,
        binder: &mut Binder<'_>,
        call: &ast::FunctionCall,
    ) -> Option<Option<ExprRef>> {
        let name = call.name.last().value.to_ascii_uppercase();
        if call.over.is_some() {
            return Some(self.over(binder, call, &name));
        }
        if name == "GROUPING" || name == "GROUPING_ID" {
            return Some(self.grouping_number(binder, call));
        }
        if let Some(property) = super::group_window::property(&name) {
            return Some(self.window_property(binder, call, property));
        }
        if !aggregate::is_aggregate(&name) {
            return None;
        }
        Some(self.aggregate(binder, call, &name))
    }

    fn aggregate(
        &mut self,
        binder: &mut Binder<'_>,
        call: &ast::FunctionCall,
        name: &str,
    ) -> Option<ExprRef> {
        if self.inside || !self.is_allowed || self.grouping.is_none() {
            return binder.report(misplaced(name, call.span));
        }
        if call.ignore_nulls.is_some() {
            return binder.report(
                Diagnostic::error(
                    "MR0413",
                    format!("'{name}' takes no IGNORE NULLS or RESPECT NULLS"),
                    call.span,
                )
                .label("not in Flink"),
            );
        }
        if let Some(item) = call.within_group.first() {
            return binder.report(
                Diagnostic::error(
                    "MR0413",
                    format!("'{name}' must not contain a WITHIN GROUP clause"),
                    item.expr.span,
                )
                .label("not allowed"),
            );
        }
        self.inside = true;
        let args = self.arguments(binder, call);
        let filter = match &call.filter {
            Some(filter) => {
                let bound = self.inner(binder).bind_condition(filter, "FILTER");
                bound.map(Some)
            }
            None => Some(None),
        };
        self.inside = false;
        let (args, filter) = (args?, filter?);
        let is_global = self
            .grouping
            .as_ref()
            .is_some_and(|grouping| grouping.is_global);
        let may_be_empty = is_global || filter.is_some();
        let mut bound = self.call(binder, name, args, call.distinct, may_be_empty, call.span)?;
        bound.filter = filter;
        if let ("MAX" | "MIN", [arg]) = (name, bound.args.as_slice())
            && let ExprKind::Column(index) = arg.kind
        {
            bound.said = binder
                .scope
                .columns
                .get(index)
                .and_then(|column| column.time);
        }
        Some(self.add(bound))
    }

    /// Returns a call whose types fit.
    pub(super) fn call(
        &mut self,
        binder: &mut Binder<'_>,
        name: &str,
        args: Vec<ExprRef>,
        distinct: bool,
        may_be_empty: bool,
        span: Span,
    ) -> Option<Call> {
        let call = Call {
            name: name.to_owned(),
            args,
            filter: None,
            distinct,
            may_be_empty,
            absent_on_null: None,
            ty: TypeKind::Null.nullable(),
            span,
            said: None,
        };
        self.typed(binder, call, false)
    }

    /// Gives a call its result's type.
    pub(super) fn typed(
        &mut self,
        binder: &mut Binder<'_>,
        mut call: Call,
        over: bool,
    ) -> Option<Call> {
        for arg in &call.args {
            binder.refuse_null(arg)?;
        }
        let described = described(&call.args);
        let bound = aggregate::bind(&FunctionCall {
            name: &call.name,
            args: &described,
            distinct: call.distinct,
            may_be_empty: call.may_be_empty,
            retract: false,
            over,
            bounded: false,
            absent_on_null: call.absent_on_null,
        });
        match bound {
            Ok(bound) => {
                call.ty = bound.return_type().clone();
                Some(call)
            }
            Err(error) => binder.report(Diagnostic::error("MR0402", error.to_string(), call.span)),
        }
    }

    /// Binds the arguments; `*` is none.
    pub(super) fn arguments(
        &mut self,
        binder: &mut Binder<'_>,
        call: &ast::FunctionCall,
    ) -> Option<Vec<ExprRef>> {
        let args = call.args.iter().map(|argument| &argument.value);
        let args: Vec<&ast::Expr> = args
            .filter(|argument| !matches!(argument.kind, ast::ExprKind::Star))
            .collect();
        self.inner(binder).bind_all(&args)
    }

    /// Adds a call, once for equal ones, and returns what stands for its result.
    fn add(&mut self, call: Call) -> ExprRef {
        let found = self.calls.iter().position(|known| is_same(known, &call));
        let (ty, span) = (call.ty.clone(), call.span);
        let index = found.unwrap_or_else(|| {
            self.calls.push(call);
            self.calls.len() - 1
        });
        Expr::new(ExprKind::Column(CALLS + index), ty, span)
    }

    fn window_property(
        &mut self,
        binder: &mut Binder<'_>,
        call: &ast::FunctionCall,
        property: WindowProperty,
    ) -> Option<ExprRef> {
        let window = self
            .grouping
            .as_ref()
            .and_then(|grouping| grouping.window.clone());
        let name = call.name.last().value.to_ascii_uppercase();
        let own = GroupWindowClause::of(call, binder.scope, self.ctx, &mut Vec::new());
        let fits = matches!((&own, &window), (Some(own), Some(window)) if own.is_same(window));
        let Some(window) = window.filter(|_| fits) else {
            return binder.report(
                Diagnostic::error(
                    "MR0413",
                    format!("'{name}' needs the same window in GROUP BY"),
                    call.span,
                )
                .label("no such window in GROUP BY"),
            );
        };
        let Some(ty) = window.result_type(property, &name) else {
            return binder.report(Diagnostic::error(
                "MR0413",
                format!("'{name}' does not fit the time of the window"),
                call.span,
            ));
        };
        let known = self.properties.iter().position(|known| *known == property);
        let index = known.unwrap_or_else(|| {
            self.properties.push(property);
            self.properties.len() - 1
        });
        Some(Expr::new(
            ExprKind::Column(PROPERTIES + index),
            ty,
            call.span,
        ))
    }

    /// Binds what is a group key as a whole; `None` = it is none.
    fn key(&mut self, binder: &mut Binder<'_>, expr: &ast::Expr) -> Option<ExprRef> {
        let grouping = self.grouping.as_ref()?;
        let mut ignored = Vec::new();
        let bound = Binder::new(binder.scope, self.ctx, &mut ignored).bind(expr)?;
        let index = grouping.keys.iter().position(|key| same(key, &bound))?;
        let nullable = bound.ty.nullable || grouping.has_sets;
        let ty = bound.ty.clone().with_nullable(nullable);
        Some(Expr::new(ExprKind::Column(KEYS + index), ty, expr.span))
    }

    /// A column outside of any aggregate that is no key; a name of the query around is left to the binder.
    fn ungrouped(
        &mut self,
        binder: &mut Binder<'_>,
        parts: &[ast::Ident],
        expr: &ast::Expr,
    ) -> Option<Option<ExprRef>> {
        let mut ignored = Vec::new();
        let bound = Binder::new(binder.scope, self.ctx, &mut ignored).bind(expr)?;
        let mut own = false;
        for_each_column(&bound, &mut |column| own |= column >= binder.scope.outer);
        if !own {
            return Some(Some(bound));
        }
        // A field of a key: `k.f` where `k` is grouped.
        if let Some((field, row)) = parts.split_last().filter(|(_, row)| !row.is_empty()) {
            let row = ast::Expr::new(ast::ExprKind::Identifier(row.to_vec()), expr.span);
            if let Some(row) = self.key(binder, &row) {
                return Some(binder.field(row, field));
            }
        }
        let name = parts.last().map_or("", |part| part.value.as_str());
        Some(
            binder.report(
                Diagnostic::error(
                    "MR0414",
                    format!("expression '{name}' is not being grouped"),
                    expr.span,
                )
                .label("neither in GROUP BY nor in an aggregate function"),
            ),
        )
    }

    fn json_aggregate(
        &mut self,
        binder: &mut Binder<'_>,
        name: &str,
        args: &[&ast::Expr],
        absent_on_null: Option<bool>,
        span: Span,
    ) -> Option<ExprRef> {
        if self.inside || !self.is_allowed || self.grouping.is_none() {
            return binder.report(misplaced(name, span));
        }
        self.inside = true;
        let args = self.inner(binder).bind_all(args);
        self.inside = false;
        let call = Call {
            name: name.to_owned(),
            args: args?,
            filter: None,
            distinct: false,
            may_be_empty: self
                .grouping
                .as_ref()
                .is_some_and(|grouping| grouping.is_global),
            absent_on_null,
            ty: TypeKind::Null.nullable(),
            span,
            said: None,
        };
        let call = self.typed(binder, call, false)?;
        Some(self.add(call))
    }

    /// GROUPING and GROUPING_ID: the bits of keys that a set leaves out.
    fn grouping_number(
        &mut self,
        binder: &mut Binder<'_>,
        call: &ast::FunctionCall,
    ) -> Option<ExprRef> {
        let mut bits = Vec::new();
        for argument in &call.args {
            let key = self.key(binder, &argument.value);
            let Some(ExprKind::Column(index)) = key.map(|key| key.kind.clone()) else {
                return binder.report(
                    Diagnostic::error(
                        "MR0414",
                        "the argument of GROUPING must be a key of GROUP BY",
                        argument.value.span,
                    )
                    .label("no group key"),
                );
            };
            bits.push(index - KEYS);
        }
        // Which keys are asked for is part of the number: the node makes a column for each such call.
        let args = bits.iter().map(|bit| {
            let kind = ExprKind::Column(KEYS + bit);
            Expr::new(kind, TypeKind::BigInt.not_null(), call.span)
        });
        let number = Call {
            name: "GROUPING".to_owned(),
            args: args.collect(),
            filter: None,
            distinct: false,
            may_be_empty: false,
            absent_on_null: None,
            ty: TypeKind::BigInt.not_null(),
            span: call.span,
            said: None,
        };
        let place = self.add(number);
        Some(place)
    }
}

fn misplaced(name: &str, span: Span) -> Diagnostic {
    Diagnostic::error(
        "MR0413",
        format!("the aggregate function '{name}' cannot stand here"),
        span,
    )
    .label("aggregate calls stand in SELECT and HAVING, and not in each other")
}

/// Returns what the typing rules see of arguments.
pub(super) fn described(args: &[ExprRef]) -> Vec<Arg> {
    let args = args.iter();
    args.map(|arg| Arg {
        ty: arg.ty.clone(),
        literal: arg.literal(),
    })
    .collect()
}

fn is_same(a: &Call, b: &Call) -> bool {
    let same_filter = match (&a.filter, &b.filter) {
        (None, None) => true,
        (Some(a), Some(b)) => same(a, b),
        _ => false,
    };
    a.name == b.name
        && (a.distinct, a.absent_on_null) == (b.distinct, b.absent_on_null)
        && same_filter
        && a.args.len() == b.args.len()
        && a.args.iter().zip(&b.args).all(|(a, b)| same(a, b))
}

impl Hook for Calls<'_> {
    fn bind(&mut self, binder: &mut Binder<'_>, expr: &ast::Expr) -> Option<Option<ExprRef>> {
        use ast::ExprKind as K;
        if self.grouping.is_some() && !self.inside && !matches!(expr.kind, K::Literal(_)) {
            if let Some(key) = self.key(binder, expr) {
                return Some(Some(key));
            }
            if let K::Identifier(parts) = &expr.kind {
                return self.ungrouped(binder, parts, expr);
            }
        }
        match &expr.kind {
            K::Subquery(_) => {
                let found = self.scalars.iter().find(|(span, _)| *span == expr.span);
                found.map(|(_, value)| Some(value.clone()))
            }
            K::Function(call) => self.function(binder, call),
            K::JsonObject {
                aggregate: true,
                entries,
                on_null,
            } => {
                let (key, value) = entries.first()?;
                let absent = on_null.map(|on_null| on_null == ast::JsonOnNull::Absent);
                Some(self.json_aggregate(
                    binder,
                    "JSON_OBJECTAGG",
                    &[key, value],
                    absent,
                    expr.span,
                ))
            }
            K::JsonArray {
                aggregate: true,
                items,
                on_null,
            } => {
                let item = items.first()?;
                let absent = on_null.map(|on_null| on_null == ast::JsonOnNull::Absent);
                Some(self.json_aggregate(binder, "JSON_ARRAYAGG", &[item], absent, expr.span))
            }
            _ => None,
        }
    }
}
