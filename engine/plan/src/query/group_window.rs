//! TUMBLE, HOP and SESSION in GROUP BY, and the functions of such a window.

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use millrace_connector::{Diagnostic, FlinkType, Span, TypeKind};
use millrace_functions::BindContext;
use millrace_operators::{GroupWindows, WindowAssigner, WindowProperty};
use millrace_program::{ExprKind, ExprRef};
use millrace_sql::ast;

use crate::bind::{Binder, Scope};
use crate::logical::{BoundColumn, TimeAttribute};

/// A group window of a GROUP BY.
#[derive(Clone, Debug)]
pub(crate) struct GroupWindowClause {
    pub(crate) windows: GroupWindows,
    /// The rowtime column; `None` = processing time.
    pub(crate) rowtime: Option<ExprRef>,
    /// Whether the time is TIMESTAMP_LTZ or processing time.
    pub(crate) is_local: bool,
    time_ty: FlinkType,
    span: Span,
}

/// Returns what a function of a group window gives; `None` = it is none.
pub(super) fn property(name: &str) -> Option<WindowProperty> {
    let (window, property) = name.split_once('_')?;
    if !matches!(window, "TUMBLE" | "HOP" | "SESSION") {
        return None;
    }
    match property {
        "START" => Some(WindowProperty::Start),
        "END" => Some(WindowProperty::End),
        "ROWTIME" | "PROCTIME" => Some(WindowProperty::Time),
        _ => None,
    }
}

/// Returns the milliseconds of a constant interval of days to seconds.
pub(super) fn interval_ms(expr: &ExprRef) -> Option<i64> {
    let literal = expr.literal()?;
    let is_interval = matches!(literal.ty.kind, TypeKind::IntervalDayTime(..));
    (is_interval && !literal.value.is_null(0))
        .then(|| literal.value.as_primitive::<Int64Type>().value(0))
}

impl GroupWindowClause {
    /// Tells whether a call in GROUP BY is a group window.
    pub(super) fn is_one(call: &ast::FunctionCall) -> bool {
        let name = call.name.last().value.to_ascii_uppercase();
        matches!(name.as_str(), "TUMBLE" | "HOP" | "SESSION")
    }

    /// Reads the call in GROUP BY, or a function of the window, which has the same arguments.
    pub(super) fn of(
        call: &ast::FunctionCall,
        scope: &Scope,
        ctx: &BindContext,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<Self> {
        let name = call.name.last().value.to_ascii_uppercase();
        let window = name.split('_').next().unwrap_or_default().to_owned();
        let args: Vec<&ast::Expr> = call.args.iter().map(|argument| &argument.value).collect();
        let bound = Binder::new(scope, ctx, diagnostics).bind_all(&args)?;
        let fault = |message: &str| Diagnostic::error("MR0413", message, call.span);
        let Some((time, rest)) = bound.split_first() else {
            diagnostics.push(fault("a group window needs a time attribute"));
            return None;
        };
        let attribute = match time.kind {
            ExprKind::Column(index) => scope.columns.get(index).and_then(|column| column.time),
            ExprKind::Call(ref call) if call.name == "PROCTIME" => Some(TimeAttribute::Proctime),
            _ => None,
        };
        let Some(attribute) = attribute else {
            diagnostics.push(
                fault("Window aggregate can only be defined over a time attribute column")
                    .label("its time is no time attribute")
                    .help("declare WATERMARK FOR the column, or use PROCTIME()"),
            );
            return None;
        };
        let lengths: Option<Vec<i64>> = rest.iter().map(interval_ms).collect();
        let windows = match (window.as_str(), lengths.as_deref()) {
            ("TUMBLE", Some([size_ms])) if *size_ms > 0 => {
                GroupWindows::Fixed(WindowAssigner::Tumble {
                    size_ms: *size_ms,
                    offset_ms: 0,
                })
            }
            ("HOP", Some([slide_ms, size_ms])) if *slide_ms > 0 && *size_ms > 0 => {
                GroupWindows::Fixed(WindowAssigner::Hop {
                    size_ms: *size_ms,
                    slide_ms: *slide_ms,
                    offset_ms: 0,
                })
            }
            ("SESSION", Some([gap_ms])) if *gap_ms > 0 => GroupWindows::Session { gap_ms: *gap_ms },
            _ => {
                diagnostics.push(fault(
                    "the lengths of a group window are constant intervals of days to seconds",
                ));
                return None;
            }
        };
        let is_rowtime = attribute == TimeAttribute::Rowtime;
        Some(Self {
            windows,
            is_local: !is_rowtime || matches!(time.ty.kind, TypeKind::TimestampLtz(_)),
            time_ty: time.ty.clone(),
            rowtime: is_rowtime.then(|| time.clone()),
            span: call.span,
        })
    }

    /// Tells whether two calls mean one window.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.windows == other.windows
            && match (&self.rowtime, &other.rowtime) {
                (None, None) => true,
                (Some(a), Some(b)) => millrace_program::same(a, b),
                _ => false,
            }
    }

    /// Returns the type of a function of the window; `None` = it does not fit the window's time.
    pub(super) fn result_type(&self, property: WindowProperty, name: &str) -> Option<FlinkType> {
        let fits = match name.rsplit('_').next() {
            Some("ROWTIME") => self.rowtime.is_some(),
            Some("PROCTIME") => self.rowtime.is_none(),
            _ => true,
        };
        fits.then(|| self.column(property).ty)
    }

    /// Returns the column of a property.
    pub(super) fn column(&self, property: WindowProperty) -> BoundColumn {
        let mut column = BoundColumn::plain("w$", TypeKind::Timestamp(3).not_null(), self.span);
        match property {
            WindowProperty::Start => column.name = "w$start".to_owned(),
            WindowProperty::End => column.name = "w$end".to_owned(),
            WindowProperty::Time => {
                column.name = "w$time".to_owned();
                column.ty = match self.rowtime {
                    Some(_) => self.time_ty.clone(),
                    None => TypeKind::TimestampLtz(3).not_null(),
                };
                column.time = Some(match self.rowtime {
                    Some(_) => TimeAttribute::Rowtime,
                    None => TimeAttribute::Proctime,
                });
            }
        }
        column
    }
}
