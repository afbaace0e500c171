//! Casts: the written ones and those that the planner adds.

use millrace_connector::{
    DayTimeResolution, Diagnostic, FlinkType, Span, Spanned, TypeKind, YearMonthResolution,
};
use millrace_functions::cast::{CastMode, bind_cast};
use millrace_functions::{BindContext, CallError, Volatility};
use millrace_sql::ast::{self, TimeUnit};

use super::{Binder, null_literal};
use millrace_program::{Call, Expr, ExprKind, ExprRef};

impl Binder<'_> {
    pub(super) fn bind_cast(
        &mut self,
        expr: &ast::Expr,
        data_type: &Spanned<FlinkType>,
        try_cast: bool,
        span: Span,
    ) -> Option<ExprRef> {
        let input = self.bind(expr)?;
        let input = written_interval(expr, &data_type.value.kind, input);
        let mode = if try_cast {
            CastMode::TryCast
        } else {
            CastMode::Cast
        };
        match cast(&input, &data_type.value, mode, span, self.ctx) {
            // A cast that changes nothing still makes a plain timestamp of a time attribute.
            Ok(cast) => Some(match cast.kind {
                ExprKind::Column(index) if self.is_time(index) => {
                    let ty = cast.ty.clone();
                    Expr::new(ExprKind::Retype(cast), ty, span)
                }
                _ => cast,
            }),
            Err(error) => self.report(
                Diagnostic::error("MR0404", error.to_string(), span)
                    .label(format!("{} to {}", input.ty.kind, data_type.value.kind)),
            ),
        }
    }

    fn is_time(&self, column: usize) -> bool {
        let column = self.scope.columns.get(column);
        column.is_some_and(|column| column.time.is_some())
    }

    /// Brings `expr` to `ty` as the planner does; reports where that is impossible.
    pub(super) fn coerce(&mut self, expr: &ExprRef, ty: &FlinkType) -> Option<ExprRef> {
        match implicit_cast(expr, ty, self.ctx) {
            Ok(cast) => Some(cast),
            Err(error) => self.report(Diagnostic::error("MR0404", error.to_string(), expr.span)),
        }
    }
}

/// Gives an interval literal the type of its qualifier where it goes to an exact number: `INTERVAL '3' DAY` is 3
/// then. Elsewhere Flink has but two types of intervals, of milliseconds and of months.
fn written_interval(expr: &ast::Expr, to: &TypeKind, input: ExprRef) -> ExprRef {
    use {DayTimeResolution as Day, YearMonthResolution as Year};
    let ast::ExprKind::Literal(ast::Literal::Interval { qualifier, .. }) = &expr.kind else {
        return input;
    };
    if !to.is_integer() && !matches!(to, TypeKind::Decimal(..)) {
        return input;
    }
    let kind = match (qualifier.start, qualifier.end) {
        (TimeUnit::Year, None) => TypeKind::IntervalYearMonth(Year::Year, 2),
        (TimeUnit::Year, Some(_)) => TypeKind::IntervalYearMonth(Year::YearToMonth, 2),
        (TimeUnit::Day, None) => TypeKind::IntervalDayTime(Day::Day, 2, 3),
        (TimeUnit::Hour, None) => TypeKind::IntervalDayTime(Day::Hour, 2, 3),
        (TimeUnit::Minute, None) => TypeKind::IntervalDayTime(Day::Minute, 2, 3),
        (TimeUnit::Day, Some(_)) => TypeKind::IntervalDayTime(Day::DayToSecond, 2, 3),
        (TimeUnit::Hour, Some(_)) => TypeKind::IntervalDayTime(Day::HourToSecond, 2, 3),
        (TimeUnit::Minute, Some(_)) => TypeKind::IntervalDayTime(Day::MinuteToSecond, 2, 3),
        _ => return input,
    };
    let ty = FlinkType {
        kind,
        nullable: input.ty.nullable,
    };
    let span = input.span;
    Expr::new(ExprKind::Retype(input), ty, span)
}

fn cast(
    input: &ExprRef,
    to: &FlinkType,
    mode: CastMode,
    span: Span,
    ctx: &BindContext,
) -> Result<ExprRef, CallError> {
    let (kernel, ty) = bind_cast(&input.ty, to, mode, ctx)?;
    let name = match mode {
        CastMode::Cast => "CAST",
        CastMode::TryCast => "TRY_CAST",
        CastMode::Implicit => "implicit CAST",
    };
    if input.ty.kind == TypeKind::Null {
        return Ok(null_literal(&ty, span));
    }
    if input.ty == ty {
        return Ok(input.clone());
    }
    let call = Call {
        name,
        kernel,
        args: vec![input.clone()],
        volatility: Volatility::Deterministic,
    };
    Ok(Expr::new(ExprKind::Call(call), ty, span))
}

/// Brings `expr` to `ty` as the planner does, keeping its nullability.
///
/// # Errors
/// When no value of its type can be brought to `ty`.
pub(crate) fn implicit_cast(
    expr: &ExprRef,
    ty: &FlinkType,
    ctx: &BindContext,
) -> Result<ExprRef, CallError> {
    if expr.ty.kind == ty.kind {
        return Ok(expr.clone());
    }
    if expr.ty.kind == TypeKind::Null {
        return Ok(null_literal(ty, expr.span));
    }
    let target = ty.clone().with_nullable(expr.ty.nullable);
    if is_same_value(&expr.ty.kind, &ty.kind) {
        return Ok(Expr::new(ExprKind::Retype(expr.clone()), target, expr.span));
    }
    cast(expr, &target, CastMode::Implicit, expr.span, ctx)
}

/// Tells whether every value of `from` is the same value of `to`, in the same physical form.
fn is_same_value(from: &TypeKind, to: &TypeKind) -> bool {
    match (from, to) {
        (TypeKind::Char(n) | TypeKind::Varchar(n), TypeKind::Varchar(m))
        | (TypeKind::Binary(n) | TypeKind::Varbinary(n), TypeKind::Varbinary(m)) => n <= m,
        (TypeKind::IntervalYearMonth(..), TypeKind::IntervalYearMonth(..))
        | (TypeKind::IntervalDayTime(..), TypeKind::IntervalDayTime(..)) => true,
        _ => false,
    }
}
