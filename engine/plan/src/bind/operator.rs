//! Operators, IS tests, LIKE, BETWEEN and the functions with a syntax of their own.

use std::sync::Arc;

use millrace_connector::{Diagnostic, Span, Spanned, TypeKind};
use millrace_functions::registry;
use millrace_sql::ast::{
    self, BinaryOperator, IsTest, JsonKind, TimeUnit, TrimSide, UnaryOperator,
};

use super::{Binder, text_literal};
use millrace_program::{Expr, ExprKind, ExprRef, may_miss};

impl Binder<'_> {
    pub(super) fn bind_unary(
        &mut self,
        op: UnaryOperator,
        expr: &ast::Expr,
        span: Span,
    ) -> Option<ExprRef> {
        if op == UnaryOperator::Minus
            && let ast::ExprKind::Literal(
                value @ (ast::Literal::Exact(_) | ast::Literal::Approximate(_)),
            ) = &expr.kind
        {
            return self.bind_negative(value, span);
        }
        let operand = self.bind(expr)?;
        match op {
            UnaryOperator::Not => self.not(operand, span),
            // Calcite keeps an operator of no effect; only numbers and intervals have one.
            UnaryOperator::Plus
                if operand.ty.kind.is_numeric() || operand.ty.kind.is_interval() =>
            {
                Some(operand)
            }
            UnaryOperator::Plus => {
                self.refuse_null(&operand)?;
                let message = format!("'+' does not take {}", operand.ty.kind);
                self.report(Diagnostic::error("MR0402", message, span).label("not a number"))
            }
            UnaryOperator::Minus => {
                let name = if registry::lookup("NEGATE").is_some() {
                    "NEGATE"
                } else {
                    "-"
                };
                self.apply(name, vec![operand], span)
            }
        }
    }

    /// Returns NOT of a BOOLEAN.
    pub(super) fn not(&mut self, operand: ExprRef, span: Span) -> Option<ExprRef> {
        self.boolean_operand("NOT", &operand)?;
        self.apply("NOT", vec![operand], span)
    }

    fn boolean_operand(&mut self, name: &str, operand: &ExprRef) -> Option<()> {
        self.refuse_null(operand)?;
        if operand.ty.kind == TypeKind::Boolean {
            return Some(());
        }
        let message = format!("'{name}' does not take {}", operand.ty.kind);
        self.report(Diagnostic::error("MR0402", message, operand.span).label("not BOOLEAN"))
    }

    pub(super) fn bind_binary(
        &mut self,
        op: BinaryOperator,
        left: &ast::Expr,
        right: &ast::Expr,
        op_span: Span,
        span: Span,
    ) -> Option<ExprRef> {
        use BinaryOperator as B;
        let name = match op {
            B::And | B::Or => return self.bind_logic(op, left, right, span),
            B::Plus => "+",
            B::Minus => "-",
            B::Multiply => "*",
            B::Divide => "/",
            B::Modulo => "%",
            B::Concat => "||",
            B::Eq => "=",
            B::NotEq => "<>",
            B::Lt => "<",
            B::LtEq => "<=",
            B::Gt => ">",
            B::GtEq => ">=",
            B::Overlaps => "OVERLAPS",
            B::MemberOf
            | B::SubmultisetOf
            | B::MultisetUnion
            | B::MultisetIntersect
            | B::MultisetExcept => {
                return self.not_yet("an operator on multisets", op_span);
            }
        };
        if op == B::Overlaps {
            return self.bind_overlaps(left, right, span);
        }
        self.bind_call(name, &[left, right], span)
    }

    /// `(a, b) OVERLAPS (c, d)`: four points, or start and length.
    fn bind_overlaps(
        &mut self,
        left: &ast::Expr,
        right: &ast::Expr,
        span: Span,
    ) -> Option<ExprRef> {
        let (ast::ExprKind::Row { fields: left, .. }, ast::ExprKind::Row { fields: right, .. }) =
            (&left.kind, &right.kind)
        else {
            return self.report(Diagnostic::error(
                "MR0402",
                "'OVERLAPS' takes two periods, as in (a, b) OVERLAPS (c, d)",
                span,
            ));
        };
        if left.len() != 2 || right.len() != 2 {
            return self.report(Diagnostic::error(
                "MR0402",
                "a period of 'OVERLAPS' has a start and an end",
                span,
            ));
        }
        let args: Vec<&ast::Expr> = left.iter().chain(right).collect();
        let args = self.bind_all(&args)?;
        let (a, b) = self.period(&args[0], &args[1], span)?;
        let (c, d) = self.period(&args[2], &args[3], span)?;
        let begins = self.apply("<=", vec![a, d], span)?;
        let ends = self.apply("<=", vec![c, b], span)?;
        Some(self.logic(BinaryOperator::And, vec![begins, ends], span))
    }

    /// Returns a period's two ends, the earlier one first.
    fn period(&mut self, start: &ExprRef, end: &ExprRef, span: Span) -> Option<(ExprRef, ExprRef)> {
        let end = if end.ty.kind.is_interval() {
            self.apply("+", vec![start.clone(), end.clone()], span)?
        } else {
            end.clone()
        };
        let ordered = self.apply("<=", vec![start.clone(), end.clone()], span)?;
        let pick = |when: &ExprRef, then: &ExprRef, otherwise: &ExprRef| {
            let branches = vec![(when.clone(), then.clone())];
            let nullable = then.ty.nullable || otherwise.ty.nullable;
            let ty = then.ty.clone().with_nullable(nullable);
            Expr::new(
                ExprKind::Case {
                    branches,
                    otherwise: otherwise.clone(),
                },
                ty,
                span,
            )
        };
        Some((pick(&ordered, start, &end), pick(&ordered, &end, start)))
    }

    fn bind_logic(
        &mut self,
        op: BinaryOperator,
        left: &ast::Expr,
        right: &ast::Expr,
        span: Span,
    ) -> Option<ExprRef> {
        let (left, right) = (self.bind(left), self.bind(right));
        let (left, right) = (left?, right?);
        let name = if op == BinaryOperator::And {
            "AND"
        } else {
            "OR"
        };
        self.boolean_operand(name, &left)?;
        self.boolean_operand(name, &right)?;
        Some(self.logic(op, vec![left, right], span))
    }

    /// Returns AND or OR of BOOLEANs, flattened.
    pub(super) fn logic(&mut self, op: BinaryOperator, parts: Vec<ExprRef>, span: Span) -> ExprRef {
        let nullable = parts.iter().any(|part| part.ty.nullable);
        let ty = TypeKind::Boolean.not_null().with_nullable(nullable);
        let mut flat = Vec::with_capacity(parts.len());
        for part in parts {
            match (&part.kind, op) {
                (ExprKind::And(inner), BinaryOperator::And)
                | (ExprKind::Or(inner), BinaryOperator::Or) => {
                    flat.extend(inner.iter().map(Arc::clone));
                }
                _ => flat.push(part),
            }
        }
        let kind = if op == BinaryOperator::And {
            ExprKind::And(flat)
        } else {
            ExprKind::Or(flat)
        };
        Expr::new(kind, ty, span)
    }

    pub(super) fn bind_between(
        &mut self,
        expr: &ast::Expr,
        [low, high]: [&ast::Expr; 2],
        negated: bool,
        symmetric: bool,
        span: Span,
    ) -> Option<ExprRef> {
        let args = self.bind_all(&[expr, low, high])?;
        let [value, low, high] = <[ExprRef; 3]>::try_from(args).ok()?;
        let mut result = self.between(&value, &low, &high, span)?;
        if symmetric {
            let swapped = self.between(&value, &high, &low, span)?;
            result = self.logic(BinaryOperator::Or, vec![result, swapped], span);
        }
        if negated {
            self.not(result, span)
        } else {
            Some(result)
        }
    }

    fn between(
        &mut self,
        value: &ExprRef,
        low: &ExprRef,
        high: &ExprRef,
        span: Span,
    ) -> Option<ExprRef> {
        let above = self.apply(">=", vec![value.clone(), low.clone()], span)?;
        let below = self.apply("<=", vec![value.clone(), high.clone()], span)?;
        Some(self.logic(BinaryOperator::And, vec![above, below], span))
    }

    pub(super) fn bind_like(
        &mut self,
        expr: &ast::Expr,
        pattern: &ast::Expr,
        escape: Option<&ast::Expr>,
        similar: bool,
        negated: bool,
        span: Span,
    ) -> Option<ExprRef> {
        let name = if similar { "SIMILAR TO" } else { "LIKE" };
        let mut args = vec![expr, pattern];
        args.extend(escape);
        let result = self.bind_call(name, &args, span)?;
        if negated {
            self.not(result, span)
        } else {
            Some(result)
        }
    }

    /// # Flink
    /// Both forms are made of `=` and IS NULL, which is FALSE for an access of NOT NULL elements: there only `=` counts.
    pub(super) fn bind_distinct(
        &mut self,
        left: &ast::Expr,
        right: &ast::Expr,
        negated: bool,
        span: Span,
    ) -> Option<ExprRef> {
        let args = self.bind_all(&[left, right])?;
        if args.iter().any(|arg| may_miss(arg).is_some()) {
            let equal = self.apply("=", args, span)?;
            let test = if negated { "IS TRUE" } else { "IS NOT TRUE" };
            return self.apply(test, [equal], span);
        }
        let name = if negated {
            "IS NOT DISTINCT FROM"
        } else {
            "IS DISTINCT FROM"
        };
        self.apply(name, args, span)
    }

    pub(super) fn bind_is(
        &mut self,
        expr: &ast::Expr,
        test: IsTest,
        negated: bool,
        span: Span,
    ) -> Option<ExprRef> {
        let operand = self.bind(expr)?;
        let name = match (test, negated) {
            (IsTest::Null, false) => "IS NULL",
            (IsTest::Null, true) => "IS NOT NULL",
            (IsTest::True, false) => "IS TRUE",
            (IsTest::True, true) => "IS NOT TRUE",
            (IsTest::False, false) => "IS FALSE",
            (IsTest::False, true) => "IS NOT FALSE",
            (IsTest::Unknown, _) => {
                self.boolean_operand("IS UNKNOWN", &operand)?;
                if negated { "IS NOT NULL" } else { "IS NULL" }
            }
            (IsTest::Json(kind), negated) => {
                let kind = match kind {
                    JsonKind::Value => "VALUE",
                    JsonKind::Scalar => "SCALAR",
                    JsonKind::Array => "ARRAY",
                    JsonKind::Object => "OBJECT",
                };
                let result =
                    self.apply("IS JSON", vec![operand, text_literal(kind, span)], span)?;
                return if negated {
                    self.not(result, span)
                } else {
                    Some(result)
                };
            }
            (IsTest::Empty, _) => return self.not_yet("IS EMPTY", span),
            (IsTest::Set, _) => return self.not_yet("IS A SET", span),
        };
        self.apply(name, vec![operand], span)
    }

    /// Binds the functions whose arguments stand between words.
    pub(super) fn bind_special(&mut self, kind: &ast::ExprKind, span: Span) -> Option<ExprRef> {
        use ast::ExprKind as K;
        match kind {
            K::Extract { unit, expr } => {
                let value = self.bind(expr)?;
                self.apply("EXTRACT", vec![unit_literal(unit), value], span)
            }
            K::RoundTo { ceil, expr, unit } => {
                let value = self.bind(expr)?;
                self.apply(
                    if *ceil { "CEIL_TO" } else { "FLOOR_TO" },
                    vec![value, unit_literal(unit)],
                    span,
                )
            }
            K::Difference {
                left,
                right,
                qualifier,
            } => {
                let args = self.bind_all(&[left, right])?;
                let unit = unit_literal(&Spanned::new(qualifier.start, span));
                self.apply("MINUS_DATE", prepend(unit, args), span)
            }
            K::TimestampAdd { unit, count, expr } => {
                let args = self.bind_all(&[count, expr])?;
                self.apply("TIMESTAMPADD", prepend(unit_literal(unit), args), span)
            }
            K::TimestampDiff { unit, from, to } => {
                let args = self.bind_all(&[from, to])?;
                self.apply("TIMESTAMPDIFF", prepend(unit_literal(unit), args), span)
            }
            K::Trim {
                side,
                characters,
                expr,
            } => {
                let flag = match side {
                    TrimSide::Both => "BOTH",
                    TrimSide::Leading => "LEADING",
                    TrimSide::Trailing => "TRAILING",
                };
                let characters = match characters {
                    Some(characters) => self.bind(characters)?,
                    None => text_literal(" ", span),
                };
                let value = self.bind(expr)?;
                self.apply(
                    "TRIM",
                    vec![text_literal(flag, span), characters, value],
                    span,
                )
            }
            _ => self.bind_text_form(kind, span),
        }
    }

    /// Binds POSITION, OVERLAY and SUBSTRING.
    fn bind_text_form(&mut self, kind: &ast::ExprKind, span: Span) -> Option<ExprRef> {
        use ast::ExprKind as K;
        match kind {
            K::Position {
                needle,
                expr,
                start,
            } => {
                let mut args: Vec<&ast::Expr> = vec![needle, expr];
                args.extend(start.as_deref());
                self.bind_call("POSITION", &args, span)
            }
            K::Overlay {
                expr,
                replacement,
                start,
                length,
            } => {
                let mut args: Vec<&ast::Expr> = vec![expr, replacement, start];
                args.extend(length.as_deref());
                self.bind_call("OVERLAY", &args, span)
            }
            K::Substring {
                expr,
                start,
                length,
            } => {
                let mut args: Vec<&ast::Expr> = vec![expr, start];
                args.extend(length.as_deref());
                self.bind_call("SUBSTRING", &args, span)
            }
            _ => self.not_yet("this expression", span),
        }
    }
}

fn prepend(first: ExprRef, rest: Vec<ExprRef>) -> Vec<ExprRef> {
    std::iter::once(first).chain(rest).collect()
}

fn unit_literal(unit: &Spanned<TimeUnit>) -> ExprRef {
    let name = match unit.value {
        TimeUnit::Millennium => "MILLENNIUM",
        TimeUnit::Century => "CENTURY",
        TimeUnit::Decade => "DECADE",
        TimeUnit::Year => "YEAR",
        TimeUnit::IsoYear => "ISOYEAR",
        TimeUnit::Quarter => "QUARTER",
        TimeUnit::Month => "MONTH",
        TimeUnit::Week => "WEEK",
        TimeUnit::Day => "DAY",
        TimeUnit::DayOfWeek => "DOW",
        TimeUnit::IsoDayOfWeek => "ISODOW",
        TimeUnit::DayOfYear => "DOY",
        TimeUnit::Hour => "HOUR",
        TimeUnit::Minute => "MINUTE",
        TimeUnit::Second => "SECOND",
        TimeUnit::Millisecond => "MILLISECOND",
        TimeUnit::Microsecond => "MICROSECOND",
        TimeUnit::Nanosecond => "NANOSECOND",
        TimeUnit::Epoch => "EPOCH",
    };
    text_literal(name, unit.span)
}
