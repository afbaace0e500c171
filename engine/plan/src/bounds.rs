//! How large a text may be: a hostile one gets an error, never a full memory or an overflowing stack.

use std::collections::HashMap;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread;

use millrace_connector::{Diagnostic, Span};
use millrace_program::{Expr, ExprKind, ExprRef};

use crate::logical::BoundQuery;

/// The most nodes of a plan; a view counts as often as it is read.
const NODES_MAX: usize = 20_000;
/// The most nodes between a plan's root and a leaf: about 600 views on views.
const DEPTH_MAX: usize = 2_000;
/// The most columns of a query or a node of it: rules look columns up one by one.
const COLUMNS_MAX: usize = 4_000;
/// The most columns of all nodes together.
const FIELDS_MAX: usize = 500_000;
/// How deep calls may be nested once views are put in.
const EXPR_DEPTH_MAX: usize = 4_000;
/// How deep CASE, AND and OR may be nested once views are put in: lanes, with the stack of a common thread, enter one block for each.
const LAZY_DEPTH_MAX: usize = 400;
/// The stack of planning: rules and programs walk plans and expressions of that depth by recursion.
const STACK_BYTES: usize = 256 << 20;

/// Plans on a thread with a stack for the deepest plan that is let through. Only what is touched of it takes memory.
pub(crate) fn with_deep_stack<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        let planner = thread::Builder::new()
            .name("planner".to_owned())
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, work)
            .expect("the system has room for one more thread at start");
        planner.join().unwrap_or_else(|panic| resume_unwind(panic))
    })
}

/// Says what is too large about a query.
pub(crate) fn check(query: &BoundQuery, span: Span) -> Option<Diagnostic> {
    let (what, found, most) = [
        ("columns", query.width(), COLUMNS_MAX),
        ("nodes", query.size.nodes, NODES_MAX),
        ("nodes on one another", query.size.depth, DEPTH_MAX),
        ("columns of all nodes", query.size.fields, FIELDS_MAX),
    ]
    .into_iter()
    .find(|(_, found, most)| found > most)?;
    Some(too_large(what, found, most, span))
}

/// Says that an expression is nested too deep.
pub(crate) fn check_depth(exprs: &[ExprRef]) -> Option<Diagnostic> {
    let mut known = HashMap::new();
    exprs.iter().find_map(|expr| {
        let depth = depth(expr, &mut known);
        let (what, found, most) = [
            ("calls in one another", depth.calls, EXPR_DEPTH_MAX),
            ("levels of CASE, AND and OR", depth.lazy, LAZY_DEPTH_MAX),
        ]
        .into_iter()
        .find(|(_, found, most)| found > most)?;
        Some(too_large(what, found, most, expr.span))
    })
}

/// How deep an expression is nested.
#[derive(Clone, Copy, Default)]
struct Depth {
    calls: usize,
    /// Parts that are evaluated for some rows only.
    lazy: usize,
}

fn depth(expr: &ExprRef, known: &mut HashMap<*const Expr, Depth>) -> Depth {
    if let Some(depth) = known.get(&Arc::as_ptr(expr)) {
        return *depth;
    }
    let mut own = Depth::default();
    expr.for_each_child(|child| {
        let child = depth(child, known);
        own.calls = own.calls.max(child.calls);
        own.lazy = own.lazy.max(child.lazy);
    });
    own.calls += 1;
    let is_lazy = matches!(
        expr.kind,
        ExprKind::Case { .. } | ExprKind::And(_) | ExprKind::Or(_)
    );
    own.lazy += usize::from(is_lazy);
    known.insert(Arc::as_ptr(expr), own);
    own
}

fn too_large(what: &str, found: usize, most: usize, span: Span) -> Diagnostic {
    Diagnostic::error(
        "MR0509",
        format!("the query is too large: {found} {what}, the most is {most}"),
        span,
    )
    .label("too large")
    .help(
        "a view counts as often as it is read; split the query, or write a part of it into a table",
    )
}
