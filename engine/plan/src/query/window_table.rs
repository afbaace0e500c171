//! TUMBLE, HOP and CUMULATE as table functions.

use std::sync::Arc;

use millrace_connector::{Diagnostic, Span, TypeKind};
use millrace_operators::{WindowAssigner, WindowProperty};
use millrace_sql::ast;

use super::QueryBinder;
use super::group_window::interval_ms;
use crate::bind::{Binder, Scope};
use crate::logical::{
    BoundColumn, BoundQuery, StateKind, TimeAttribute, WindowColumn, WindowTable,
};

/// Tells whether a call in FROM is a window.
pub(super) fn is_one(call: &ast::FunctionCall) -> bool {
    let name = call.name.last().value.to_ascii_uppercase();
    matches!(name.as_str(), "TUMBLE" | "HOP" | "CUMULATE")
}

/// The arguments by their places.
struct Arguments<'a> {
    data: &'a ast::Expr,
    time: &'a ast::Expr,
    lengths: Vec<&'a ast::Expr>,
}

/// Returns the names of the parameters, in order.
fn parameters(name: &str) -> &'static [&'static str] {
    match name {
        "TUMBLE" => &["DATA", "TIMECOL", "SIZE", "OFFSET"],
        "HOP" => &["DATA", "TIMECOL", "SLIDE", "SIZE", "OFFSET"],
        _ => &["DATA", "TIMECOL", "STEP", "SIZE", "OFFSET"],
    }
}

impl QueryBinder<'_> {
    /// Binds a window in FROM; its columns have no qualifier.
    pub(super) fn window_table(
        &mut self,
        call: &ast::FunctionCall,
        alias: Option<&ast::TableAlias>,
    ) -> Option<(Scope, BoundQuery)> {
        let name = call.name.last().value.to_ascii_uppercase();
        let arguments = self.window_arguments(call, &name)?;
        let input = self.window_input(arguments.data)?;
        let ast::ExprKind::Descriptor(columns) = &arguments.time.kind else {
            return self.bad_window(
                "the time column is named by DESCRIPTOR(column)",
                arguments.time.span,
            );
        };
        let [time] = columns.as_slice() else {
            return self.bad_window("a window has one time column", arguments.time.span);
        };
        let found = input
            .columns
            .iter()
            .position(|column| column.name == time.value);
        let Some(time_column) = found else {
            return self.bad_window(
                &format!("column '{}' is not in the window's input", time.value),
                time.span,
            );
        };
        let is_time = matches!(
            input.columns[time_column].ty.kind,
            TypeKind::Timestamp(_) | TypeKind::TimestampLtz(_)
        );
        let bounded = (self.is_bounded && is_time).then_some(TimeAttribute::Rowtime);
        let Some(attribute) = input.columns[time_column].time.or(bounded) else {
            let message = format!(
                "The window function {name} requires the timecol to be a time attribute type, but is {}",
                input.columns[time_column].ty.kind
            );
            return self.bad_window(&message, time.span);
        };
        let mut lengths = Vec::new();
        for length in &arguments.lengths {
            let bound = Binder::new(&Scope::default(), self.ctx, self.diagnostics).bind(length)?;
            match interval_ms(&bound) {
                Some(ms) => lengths.push(ms),
                None => {
                    return self.bad_window(
                        "the lengths of a window are constant intervals of days to seconds",
                        length.span,
                    );
                }
            }
        }
        let assigner = match assigner(&name, &lengths) {
            Ok(assigner) => assigner,
            Err(message) => return self.bad_window(&message, call.span),
        };
        let is_rowtime = attribute == TimeAttribute::Rowtime;
        let time_ty = input.columns[time_column].ty.clone();
        let table = WindowTable {
            rowtime: is_rowtime.then_some(time_column),
            is_local: !is_rowtime || matches!(time_ty.kind, TypeKind::TimestampLtz(_)),
            assigner,
        };
        let shared = Arc::new(table);
        let mut columns = input.columns.clone();
        for property in [
            WindowProperty::Start,
            WindowProperty::End,
            WindowProperty::Time,
        ] {
            let (name, ty, time) = match property {
                WindowProperty::Start => ("window_start", TypeKind::Timestamp(3), None),
                WindowProperty::End => ("window_end", TypeKind::Timestamp(3), None),
                WindowProperty::Time => {
                    ("window_time", window_time(&time_ty.kind), Some(attribute))
                }
            };
            let mut column = BoundColumn::plain(name, ty.not_null(), call.span);
            column.time = time;
            column.window = Some(WindowColumn {
                property,
                table: Arc::clone(&shared),
            });
            columns.push(column);
        }
        let query = BoundQuery::state(StateKind::WindowTable(table), vec![input], columns);
        let query = self.built(query, call.span)?;
        self.aliased(query, alias, Vec::new())
    }

    fn window_arguments<'a>(
        &mut self,
        call: &'a ast::FunctionCall,
        name: &str,
    ) -> Option<Arguments<'a>> {
        let names = parameters(name);
        let mut values: Vec<Option<&ast::Expr>> = vec![None; names.len()];
        for (index, argument) in call.args.iter().enumerate() {
            let place = match &argument.name {
                None => Some(index),
                Some(given) => names
                    .iter()
                    .position(|known| known.eq_ignore_ascii_case(&given.value)),
            };
            match place.and_then(|place| values.get_mut(place)) {
                Some(value) => *value = Some(&argument.value),
                None => {
                    return self
                        .bad_window(&format!("{name} takes {}", names.join(", ")), call.span);
                }
            }
        }
        let given: Vec<&ast::Expr> = values.iter().copied().flatten().collect();
        let (Some(data), Some(time)) = (values[0], values[1]) else {
            return self.bad_window(&format!("{name} takes {}", names.join(", ")), call.span);
        };
        if given.len() + 1 < names.len() {
            return self.bad_window(&format!("{name} takes {}", names.join(", ")), call.span);
        }
        Some(Arguments {
            data,
            time,
            lengths: given[2..].to_vec(),
        })
    }

    fn window_input(&mut self, data: &ast::Expr) -> Option<BoundQuery> {
        match &data.kind {
            ast::ExprKind::TableArgument(name) => self.named(name, &[]),
            ast::ExprKind::Subquery(query) => self.query(query),
            _ => self.bad_window(
                "the first argument of a window is TABLE and a name, or a query",
                data.span,
            ),
        }
    }

    fn bad_window<T>(&mut self, message: &str, span: Span) -> Option<T> {
        self.diagnostics
            .push(Diagnostic::error("MR0413", message, span).label("this window"));
        None
    }
}

/// Returns the windows of a call.
///
/// # Flink
/// The checks of `TumblingWindowSpec`, `HoppingWindowSpec`, `CumulativeWindowSpec` and their operators.
fn assigner(name: &str, lengths: &[i64]) -> Result<WindowAssigner, String> {
    let positive = |ms: i64| ms > 0;
    match (name, lengths) {
        ("TUMBLE", [size_ms, rest @ ..]) if positive(*size_ms) => Ok(WindowAssigner::Tumble {
            size_ms: *size_ms,
            offset_ms: rest.first().copied().unwrap_or(0),
        }),
        ("HOP", [slide_ms, size_ms, rest @ ..]) if positive(*slide_ms) && positive(*size_ms) => {
            if size_ms % slide_ms != 0 {
                return Err(format!(
                    "HOP table function based aggregate requires size must be an integral multiple of slide, but got size {size_ms} ms and slide {slide_ms} ms"
                ));
            }
            Ok(WindowAssigner::Hop {
                size_ms: *size_ms,
                slide_ms: *slide_ms,
                offset_ms: rest.first().copied().unwrap_or(0),
            })
        }
        ("CUMULATE", [step_ms, size_ms, rest @ ..]) if positive(*step_ms) && positive(*size_ms) => {
            if size_ms % step_ms != 0 {
                return Err(format!(
                    "CUMULATE table function based aggregate requires maxSize must be an integral multiple of step, but got maxSize {size_ms} ms and step {step_ms} ms"
                ));
            }
            Ok(WindowAssigner::Cumulate {
                size_ms: *size_ms,
                step_ms: *step_ms,
                offset_ms: rest.first().copied().unwrap_or(0),
            })
        }
        _ => Err("the lengths of a window are greater than zero".to_owned()),
    }
}

/// # Flink
/// The window's last millisecond needs the precision 3.
fn window_time(kind: &TypeKind) -> TypeKind {
    match kind {
        TypeKind::TimestampLtz(_) => TypeKind::TimestampLtz(3),
        _ => TypeKind::Timestamp(3),
    }
}
