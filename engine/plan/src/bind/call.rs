//! Calls of functions and operators by name.

use std::sync::Arc;

use millrace_connector::{Diagnostic, Span, TypeKind, did_you_mean};
use millrace_functions::{Arg, CallError, FunctionDef, UserFunction, registry};
use millrace_sql::ast;

use super::Binder;
use millrace_program::{Call, Expr, ExprKind, ExprRef};

/// Functions that take an untyped NULL; all others refuse it.
const NULL_TAKERS: &[&str] = &[
    "IN",
    "=",
    "<>",
    "<",
    "<=",
    ">",
    ">=",
    "IS NULL",
    "IS NOT NULL",
    "IS DISTINCT FROM",
    "IS NOT DISTINCT FROM",
    "JSON_STRING",
    "JSON_OBJECT",
    "JSON_ARRAY",
    "JSON_VALUE",
    "ARRAY",
    "MAP",
    "MULTISET",
    "ROW",
    "GREATEST",
    "LEAST",
    "TYPEOF",
    "ARRAY_CONTAINS",
];

/// Functions of standard SQL that are written as a word.
const WORDS: &[&str] = &[
    "CURRENT_DATE",
    "CURRENT_TIME",
    "CURRENT_TIMESTAMP",
    "LOCALTIME",
    "LOCALTIMESTAMP",
];

/// Names by which the binder finds what a text writes in another way; no text can call them.
const INNER_NAMES: &[&str] = &[
    "CEIL_TO",
    "FLOOR_TO",
    "GET_FIELD",
    "ITEM",
    "MINUS_DATE",
    "NEGATE",
    "PLUS_SIGN",
];

impl Binder<'_> {
    pub(super) fn bind_function(&mut self, call: &ast::FunctionCall) -> Option<ExprRef> {
        let name = call.name.last().value.to_ascii_uppercase();
        if let Some(clause) = aggregate_clause(call) {
            return self.not_yet(clause, call.span);
        }
        if crate::not_yet::is_aggregate(&name) {
            return self.report(crate::not_yet::aggregate(&name, call.span));
        }
        if let Some(argument) = call.args.iter().find_map(|arg| arg.name.as_ref()) {
            return self.not_yet("an argument by name", argument.span);
        }
        if call.parenthesized && call.args.is_empty() && WORDS.contains(&name.as_str()) {
            return self.report(
                Diagnostic::error(
                    "MR0401",
                    format!("'{name}' takes no parentheses"),
                    call.span,
                )
                .help(format!("write {name}")),
            );
        }
        let args: Vec<&ast::Expr> = call.args.iter().map(|arg| &arg.value).collect();
        if call.name.parts.len() == 1
            && let Some(function) = self.ctx.user_functions.get(&name)
        {
            let args = self.bind_all(&args)?;
            return self.apply_user(function, &args, call.span);
        }
        match name.as_str() {
            "IF" => self.bind_if(&args, call.span),
            "COALESCE" => self.bind_coalesce(&args, call.span),
            "IFNULL" => self.bind_if_null(&args, call.span),
            "NULLIF" => self.bind_null_if(&args, call.span),
            _ => {
                let Some(def) = self.function(&name).filter(|_| call.name.parts.len() == 1) else {
                    self.bind_all(&args);
                    return self.unknown_function(call);
                };
                let args = self.bind_all(&args)?;
                self.apply_def(def, &args, call.span)
            }
        }
    }

    /// Calls a function of the embedding program.
    fn apply_user(
        &mut self,
        function: &UserFunction,
        args: &[ExprRef],
        span: Span,
    ) -> Option<ExprRef> {
        let given: Vec<String> = args.iter().map(|arg| arg.ty.kind.to_string()).collect();
        if args.len() != function.args.len() {
            let message = format!(
                "{} takes {} arguments, but gets {}",
                function.name,
                function.args.len(),
                args.len()
            );
            return self.report(Diagnostic::error("MR0401", message, span));
        }
        let mut converted = Vec::with_capacity(args.len());
        for (arg, ty) in args.iter().zip(&function.args) {
            match super::implicit_cast(arg, ty, self.ctx) {
                Ok(arg) => converted.push(arg),
                Err(_) => {
                    let message = format!("{} does not take ({})", function.name, given.join(", "));
                    let fault = Diagnostic::error("MR0402", message, arg.span);
                    return self.report(fault.label(format!("needs {ty}")));
                }
            }
        }
        let call = Call {
            name: function.name,
            kernel: Arc::clone(&function.kernel),
            args: converted,
            volatility: function.volatility,
        };
        Some(Expr::new(
            ExprKind::Call(call),
            function.result.clone(),
            span,
        ))
    }

    /// Returns the function that a text names.
    fn function(&self, name: &str) -> Option<&'static FunctionDef> {
        let later = || {
            self.ctx
                .later_functions
                .then(|| registry::lookup_later(name))
        };
        registry::lookup(name)
            .filter(|def| is_callable(def.name))
            .or_else(|| later()?)
    }

    fn unknown_function<T>(&mut self, call: &ast::FunctionCall) -> Option<T> {
        let name = call.name.to_string();
        if self.ctx.later_functions
            && let Some(fault) = crate::not_yet::later_function(&name, call.name.span)
        {
            return self.report(fault);
        }
        let later = registry::later().filter(|_| self.ctx.later_functions);
        let known = registry::all()
            .filter(|def| is_callable(def.name))
            .chain(later)
            .flat_map(|def| std::iter::once(def.name).chain(def.aliases.iter().copied()));
        let mut diagnostic = Diagnostic::error(
            "MR0305",
            format!("unknown function '{name}'"),
            call.name.span,
        )
        .label("no such function");
        if registry::lookup_later(&name).is_some() && !self.ctx.later_functions {
            diagnostic = diagnostic.help(format!(
                "later versions of Flink have it: it is known without SET '{}' = '1.17'",
                crate::settings::FLINK_VERSION
            ));
        } else if let Some(near) = did_you_mean(&name, known) {
            diagnostic = diagnostic.help(format!("did you mean '{near}'?"));
        }
        self.report(diagnostic)
    }

    /// Binds a call of a name that the binder itself chose.
    pub(super) fn bind_call(
        &mut self,
        name: &'static str,
        args: &[&ast::Expr],
        span: Span,
    ) -> Option<ExprRef> {
        let args = self.bind_all(args)?;
        self.apply(name, args, span)
    }

    /// Calls a function by its name.
    pub(crate) fn apply(
        &mut self,
        name: &'static str,
        args: impl AsRef<[ExprRef]>,
        span: Span,
    ) -> Option<ExprRef> {
        match registry::lookup(name) {
            Some(def) => self.apply_def(def, args.as_ref(), span),
            None => self.not_yet(name, span),
        }
    }

    fn apply_def(
        &mut self,
        def: &'static FunctionDef,
        args: &[ExprRef],
        span: Span,
    ) -> Option<ExprRef> {
        if !NULL_TAKERS.contains(&def.name) {
            for arg in args {
                self.refuse_null(arg)?;
            }
        }
        let described: Vec<Arg> = args
            .iter()
            .map(|arg| Arg {
                ty: arg.ty.clone(),
                literal: arg.literal(),
            })
            .collect();
        let bound = match (def.bind)(&described, self.ctx) {
            Ok(bound) => bound,
            Err(error) => return self.report(call_error(def, &error, args, span)),
        };
        let mut converted = Vec::with_capacity(args.len());
        for (arg, ty) in args.iter().zip(&bound.arg_types) {
            match super::implicit_cast(arg, ty, self.ctx) {
                Ok(arg) => converted.push(arg),
                Err(_) => {
                    let error = types_error(def, args);
                    return self.report(call_error(def, &error, args, span));
                }
            }
        }
        let call = Call {
            name: def.name,
            kernel: bound.kernel,
            args: converted,
            volatility: def.volatility,
        };
        Some(Expr::new(ExprKind::Call(call), bound.return_type, span))
    }
}

/// Tells whether a text can call the function by this name: some names stand for a syntax of its own.
fn is_callable(name: &str) -> bool {
    !INNER_NAMES.contains(&name)
}

fn aggregate_clause(call: &ast::FunctionCall) -> Option<&'static str> {
    if call.over.is_some() {
        return Some("OVER");
    }
    if call.distinct {
        return Some("DISTINCT in a call");
    }
    if call.filter.is_some() {
        return Some("FILTER");
    }
    if !call.within_group.is_empty() {
        return Some("WITHIN GROUP");
    }
    call.ignore_nulls.map(|_| "IGNORE NULLS and RESPECT NULLS")
}

fn types_error(def: &FunctionDef, args: &[ExprRef]) -> CallError {
    let given: Vec<String> = args.iter().map(|arg| arg.ty.kind.to_string()).collect();
    CallError::ArgumentTypes {
        function: def.name.to_owned(),
        given: given.join(", "),
    }
}

fn call_error(def: &FunctionDef, error: &CallError, args: &[ExprRef], span: Span) -> Diagnostic {
    let (code, place) = match error {
        CallError::ArgumentCount { .. } => ("MR0401", span),
        CallError::ArgumentTypes { .. } => ("MR0402", span),
        CallError::Argument { index, .. } => {
            ("MR0403", args.get(*index).map_or(span, |arg| arg.span))
        }
        CallError::NotYet { .. } => ("MR0502", span),
    };
    let mut diagnostic = Diagnostic::error(code, error.to_string(), place);
    if code != "MR0502" {
        for signature in def.signatures {
            diagnostic = diagnostic.help(format!("there is: {signature}"));
        }
    }
    if code == "MR0402" && args.iter().any(|arg| arg.ty.kind == TypeKind::Null) {
        diagnostic = diagnostic.help("give the NULL a type, such as CAST(NULL AS STRING)");
    }
    diagnostic
}
