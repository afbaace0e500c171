//! CASE, IF, COALESCE, IFNULL, NULLIF. CASE and IF evaluate only what decides a row; COALESCE and IFNULL are
//! functions in Flink, called with all their arguments.

use millrace_connector::{Diagnostic, FlinkType, Span, TypeKind};
use millrace_sql::ast;

use super::{Binder, common_type, implicit_cast, least_restrictive, null_literal};
use millrace_program::{Expr, ExprKind, ExprRef};

impl Binder<'_> {
    /// # Flink
    /// Calcite's `SqlCaseOperator`: the results' least restrictive type, nullable without ELSE.
    pub(super) fn bind_case(
        &mut self,
        operand: Option<&ast::Expr>,
        branches: &[ast::CaseBranch],
        otherwise: Option<&ast::Expr>,
        span: Span,
    ) -> Option<ExprRef> {
        let operand = match operand {
            Some(operand) => Some(self.bind(operand)?),
            None => None,
        };
        let mut bound = Vec::new();
        let mut failed = false;
        for branch in branches {
            let when = self.bind_when(operand.as_ref(), &branch.when);
            let then = self.bind(&branch.then);
            match (when, then) {
                (Some(when), Some(then)) => bound.push((when, then)),
                _ => failed = true,
            }
        }
        let otherwise = match otherwise {
            Some(expr) => self.bind(expr)?,
            None => null_literal(&TypeKind::Null.nullable(), span),
        };
        if failed {
            return None;
        }
        let results = || bound.iter().map(|(_, then)| then).chain([&otherwise]);
        if results().all(|result| result.ty.kind == TypeKind::Null) {
            return self.report(
                Diagnostic::error(
                    "MR0405",
                    "ELSE clause or at least one THEN clause must be non-NULL",
                    span,
                )
                .help("give one NULL a type, such as CAST(NULL AS STRING)"),
            );
        }
        let Some(ty) = least_restrictive(results().map(|result| &result.ty)) else {
            return self.mixed_types("the results of CASE", results(), span);
        };
        self.case(bound, &otherwise, ty, span)
    }

    /// Returns the condition of one WHEN.
    fn bind_when(&mut self, operand: Option<&ExprRef>, values: &[ast::Expr]) -> Option<ExprRef> {
        let mut conditions = Vec::new();
        for value in values {
            conditions.push(match operand {
                None => self.bind_condition(value, "WHEN")?,
                Some(operand) => {
                    let value_bound = self.bind(value)?;
                    self.apply("=", vec![operand.clone(), value_bound], value.span)?
                }
            });
        }
        if conditions.len() == 1 {
            return conditions.pop();
        }
        let nullable = conditions.iter().any(|condition| condition.ty.nullable);
        let span = values.first()?.span;
        Some(Expr::new(
            ExprKind::Or(conditions),
            TypeKind::Boolean.nullable().with_nullable(nullable),
            span,
        ))
    }

    fn case(
        &mut self,
        branches: Vec<(ExprRef, ExprRef)>,
        otherwise: &ExprRef,
        ty: FlinkType,
        span: Span,
    ) -> Option<ExprRef> {
        let mut converted = Vec::with_capacity(branches.len());
        for (when, then) in branches {
            let then = self.coerce(&then, &ty)?;
            converted.push((when, then));
        }
        let otherwise = self.coerce(otherwise, &ty)?;
        Some(Expr::new(
            ExprKind::Case {
                branches: converted,
                otherwise,
            },
            ty,
            span,
        ))
    }

    fn mixed_types<'e, T>(
        &mut self,
        what: &str,
        exprs: impl Iterator<Item = &'e ExprRef>,
        span: Span,
    ) -> Option<T> {
        let mut diagnostic =
            Diagnostic::error("MR0405", format!("{what} have no common type"), span);
        for expr in exprs.filter(|expr| expr.ty.kind != TypeKind::Null && expr.span != span) {
            diagnostic = diagnostic.also(expr.span, expr.ty.kind.to_string());
        }
        self.report(diagnostic.help("cast them to one type"))
    }

    fn argument_count<T>(
        &mut self,
        name: &str,
        expected: &str,
        given: usize,
        span: Span,
    ) -> Option<T> {
        self.report(Diagnostic::error(
            "MR0401",
            format!("'{name}' takes {expected}, but {given} were given"),
            span,
        ))
    }

    /// # Flink
    /// The result is nullable if any argument is, the condition too; untyped NULLs are refused.
    pub(super) fn bind_if(&mut self, args: &[&ast::Expr], span: Span) -> Option<ExprRef> {
        let bound = self.bind_all(args)?;
        let [condition, then, otherwise] = bound.as_slice() else {
            return self.argument_count("IF", "3 arguments", args.len(), span);
        };
        for arg in &bound {
            self.refuse_null(arg)?;
        }
        if condition.ty.kind != TypeKind::Boolean {
            return self.report(
                Diagnostic::error(
                    "MR0402",
                    format!("'IF' does not take {} as its condition", condition.ty.kind),
                    condition.span,
                )
                .label("not BOOLEAN"),
            );
        }
        let Some(ty) = least_restrictive([&then.ty, &otherwise.ty]) else {
            return self.mixed_types("the results of IF", bound[1..].iter(), span);
        };
        let nullable = bound.iter().any(|arg| arg.ty.nullable);
        let ty = ty.with_nullable(nullable);
        self.case(vec![(condition.clone(), then.clone())], otherwise, ty, span)
    }

    /// # Flink
    /// `COMMON_ARG` typing; nullable only if every argument is. `RemoveUnreachableCoalesceArgumentsRule`: what stands
    /// behind the first NOT NULL argument goes away; all others are evaluated, as the function is called with them.
    pub(super) fn bind_coalesce(&mut self, args: &[&ast::Expr], span: Span) -> Option<ExprRef> {
        if args.is_empty() {
            return self.argument_count("COALESCE", "at least 1 argument", 0, span);
        }
        let bound = self.bind_all(args)?;
        if bound.iter().all(|arg| arg.ty.kind == TypeKind::Null) {
            self.refuse_null(&bound[0])?;
        }
        let Some(ty) = common_type(bound.iter().map(|arg| &arg.ty)) else {
            return self.mixed_types("the arguments of COALESCE", bound.iter(), span);
        };
        let ty = ty.with_nullable(bound.iter().all(|arg| arg.ty.nullable));
        self.coalesce(&bound, ty, span)
    }

    fn coalesce(&mut self, args: &[ExprRef], ty: FlinkType, span: Span) -> Option<ExprRef> {
        let mut converted = Vec::with_capacity(args.len());
        for arg in args {
            // The kind is what counts: an argument keeps its own nullability.
            match implicit_cast(arg, &ty, self.ctx) {
                Ok(arg) => converted.push(arg),
                Err(_) => return self.mixed_types("the arguments", args.iter(), span),
            }
            if !arg.ty.nullable {
                break;
            }
        }
        Some(Expr::new(ExprKind::Coalesce(converted), ty, span))
    }

    /// # Flink
    /// `IfNullTypeStrategy`: the first argument's type if it is NOT NULL, else the second's; both brought to their
    /// common type first, where a longer text type needs no cast.
    pub(super) fn bind_if_null(&mut self, args: &[&ast::Expr], span: Span) -> Option<ExprRef> {
        let bound = self.bind_all(args)?;
        let [value, replacement] = bound.as_slice() else {
            return self.argument_count("IFNULL", "2 arguments", args.len(), span);
        };
        if bound.iter().all(|arg| arg.ty.kind == TypeKind::Null) {
            self.refuse_null(value)?;
        }
        let Some(common) = common_type([&value.ty, &replacement.ty]) else {
            return self.mixed_types("the arguments of IFNULL", bound.iter(), span);
        };
        let own = |arg: &ExprRef| {
            let kind = if arg.ty.kind.is_character() || arg.ty.kind.is_binary() {
                &arg.ty.kind
            } else {
                &common.kind
            };
            FlinkType {
                kind: kind.clone(),
                nullable: arg.ty.nullable,
            }
        };
        let ty = if value.ty.nullable {
            own(replacement)
        } else {
            own(value)
        };
        let converted: Vec<ExprRef> = bound
            .iter()
            .map(|arg| self.coerce(arg, &common))
            .collect::<Option<_>>()?;
        Some(Expr::new(ExprKind::Coalesce(converted), ty, span))
    }

    /// # Flink
    /// Calcite rewrites it to `CASE WHEN a = b THEN NULL ELSE a END`.
    pub(super) fn bind_null_if(&mut self, args: &[&ast::Expr], span: Span) -> Option<ExprRef> {
        let bound = self.bind_all(args)?;
        let [value, other] = bound.as_slice() else {
            return self.argument_count("NULLIF", "2 arguments", args.len(), span);
        };
        self.refuse_null(value)?;
        let equal = self.apply("=", vec![value.clone(), other.clone()], span)?;
        let ty = value.ty.clone().with_nullable(true);
        let null = null_literal(&ty, span);
        Some(Expr::new(
            ExprKind::Case {
                branches: vec![(equal, null)],
                otherwise: value.clone(),
            },
            ty,
            span,
        ))
    }
}
