//! IN over a list, and comparisons with SOME and ALL of a list.

use millrace_connector::{Diagnostic, Span, TypeKind};
use millrace_sql::ast::{self, BinaryOperator};

use super::{Binder, least_restrictive};
use millrace_program::ExprRef;

/// From this length on a list is looked up as a set; a shorter one is compared value by value.
const SET_LENGTH_MIN: usize = 8;

impl Binder<'_> {
    /// # Flink
    /// Calcite's `SqlToRelConverter.convertInToOr`: each value is cast to the left side's type, unless it has the same
    /// type name already or is a CHAR for a VARCHAR; so `5 IN (5.5)` over a column of INT is TRUE.
    pub(super) fn bind_in(
        &mut self,
        expr: &ast::Expr,
        list: &[ast::Expr],
        negated: bool,
        span: Span,
    ) -> Option<ExprRef> {
        let value = self.bind(expr);
        let items: Vec<&ast::Expr> = list.iter().collect();
        let items = self.bind_all(&items)?;
        let value = value?;
        self.check_list(&value, &items)?;
        if items.len() >= SET_LENGTH_MIN {
            let args: Vec<ExprRef> = std::iter::once(value).chain(items).collect();
            let any = self.apply("IN", args, span)?;
            return if negated {
                self.not(any, span)
            } else {
                Some(any)
            };
        }
        let mut tests = Vec::with_capacity(items.len());
        for item in items {
            let item = self.member(&value, item)?;
            let span = item.span;
            tests.push(self.apply("=", vec![value.clone(), item], span)?);
        }
        let any = if tests.len() == 1 {
            tests.pop()?
        } else {
            self.logic(BinaryOperator::Or, tests, span)
        };
        if negated {
            self.not(any, span)
        } else {
            Some(any)
        }
    }

    /// # Flink
    /// A NULL in the list, or a value of the tested type beside one of another, keeps Calcite from casting anything, so
    /// the types must have one in common as they are.
    fn check_list(&mut self, value: &ExprRef, items: &[ExprRef]) -> Option<()> {
        let has_null = items.iter().any(|item| item.ty.kind == TypeKind::Null);
        let fits = |item: &ExprRef| least_restrictive([&value.ty, &item.ty]).is_some();
        let is_mixed = has_null || items.iter().any(fits) && !items.iter().all(fits);
        let types = std::iter::once(value).chain(items).map(|item| &item.ty);
        let is_known = std::iter::once(value)
            .chain(items)
            .any(|item| item.ty.kind != TypeKind::Null);
        if !is_mixed || !is_known || least_restrictive(types).is_some() {
            return Some(());
        }
        self.report(
            Diagnostic::error(
                "MR0405",
                "the values of IN have no type in common with what is tested",
                value.span,
            )
            .label(value.ty.kind.to_string())
            .help("cast the values to one type"),
        )
    }

    fn member(&mut self, value: &ExprRef, item: ExprRef) -> Option<ExprRef> {
        let (left, right) = (&value.ty.kind, &item.ty.kind);
        if *right == TypeKind::Null || *left == TypeKind::Null {
            return Some(item);
        }
        if !is_comparable(left, right) {
            return self.report(
                Diagnostic::error(
                    "MR0405",
                    "the values of IN have no type in common with what is tested",
                    item.span,
                )
                .label(right.to_string())
                .also(value.span, left.to_string()),
            );
        }
        if let (TypeKind::Timestamp(p), TypeKind::Timestamp(q))
        | (TypeKind::TimestampLtz(p), TypeKind::TimestampLtz(q)) = (left, right)
            && p != q
        {
            // Flink casts nothing here and then finds that it cannot compare.
            return self.report(
                Diagnostic::error(
                    "MR0405",
                    format!("incomparable types: {left} and {right}"),
                    item.span,
                )
                .label(right.to_string())
                .also(value.span, left.to_string()),
            );
        }
        let same_name = std::mem::discriminant(left) == std::mem::discriminant(right);
        let char_for_varchar = matches!((left, right), (TypeKind::Varchar(_), TypeKind::Char(_)));
        if same_name || char_for_varchar {
            return Some(item);
        }
        let ty = value.ty.clone().with_nullable(item.ty.nullable);
        self.coerce(&item, &ty)
    }

    pub(super) fn bind_quantified(
        &mut self,
        expr: &ast::Expr,
        op: BinaryOperator,
        all: bool,
        list: &[ast::Expr],
        span: Span,
    ) -> Option<ExprRef> {
        let value = self.bind(expr)?;
        let name = match op {
            BinaryOperator::Eq => "=",
            BinaryOperator::NotEq => "<>",
            BinaryOperator::Lt => "<",
            BinaryOperator::LtEq => "<=",
            BinaryOperator::Gt => ">",
            BinaryOperator::GtEq => ">=",
            _ => return self.not_yet("this comparison with SOME or ALL", span),
        };
        let items: Vec<&ast::Expr> = list.iter().collect();
        let mut tests = Vec::with_capacity(items.len());
        for item in self.bind_all(&items)? {
            tests.push(self.apply(name, vec![value.clone(), item], span)?);
        }
        if tests.len() == 1 {
            return tests.pop();
        }
        let logic = if all {
            BinaryOperator::And
        } else {
            BinaryOperator::Or
        };
        Some(self.logic(logic, tests, span))
    }
}

/// Tells whether values of two types may stand in one IN.
fn is_comparable(left: &TypeKind, right: &TypeKind) -> bool {
    let castable =
        |kind: &TypeKind| kind.is_numeric() || kind.is_datetime() || *kind == TypeKind::Boolean;
    match (left, right) {
        _ if left.is_character() => right.is_character() || castable(right),
        _ if right.is_character() => castable(left),
        _ if left.is_numeric() => right.is_numeric(),
        _ if left.is_binary() => right.is_binary(),
        (
            TypeKind::Timestamp(_) | TypeKind::TimestampLtz(_),
            TypeKind::Timestamp(_) | TypeKind::TimestampLtz(_),
        ) => true,
        _ => std::mem::discriminant(left) == std::mem::discriminant(right),
    }
}
