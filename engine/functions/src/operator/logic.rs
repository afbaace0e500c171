//! AND, OR, NOT, and the tests IS TRUE, IS NULL and their kin.
//!
//! The evaluator decides which operand of AND and OR it evaluates for which row; the kernels here combine what
//! it has.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BooleanArray};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use millrace_connector::TypeKind;

use super::elementwise::{column, like};
use super::signature::{bad_types, boolean, exactly};
use crate::{
    Arg, Bound, CallError, Category, Column, EvalContext, FunctionDef, Kernel, RowError, Volatility,
};

/// Where a boolean column is TRUE and where it is FALSE; NULL is neither.
struct Truth {
    yes: BooleanBuffer,
    no: BooleanBuffer,
}

impl Truth {
    fn of(argument: &Column, rows: usize) -> Self {
        if argument.is_constant() {
            let known = !argument.is_null(0);
            let value = known && argument.array().as_boolean().value(0);
            let all = |bit| {
                if bit {
                    BooleanBuffer::new_set(rows)
                } else {
                    BooleanBuffer::new_unset(rows)
                }
            };
            return Self {
                yes: all(value),
                no: all(known && !value),
            };
        }
        let Some(array) = argument.array().as_boolean_opt() else {
            // An untyped NULL.
            return Self {
                yes: BooleanBuffer::new_unset(rows),
                no: BooleanBuffer::new_unset(rows),
            };
        };
        let values = array.values();
        match array.nulls() {
            Some(nulls) => Self {
                yes: values & nulls.inner(),
                no: &!values & nulls.inner(),
            },
            None => Self {
                yes: values.clone(),
                no: !values,
            },
        }
    }

    fn into_array(self) -> ArrayRef {
        let known = &self.yes | &self.no;
        let nulls = NullBuffer::new(known);
        let nulls = (nulls.null_count() > 0).then_some(nulls);
        Arc::new(BooleanArray::new(self.yes, nulls))
    }
}

/// Returns `left OR right` in three-valued logic.
pub(super) fn or_arrays(left: &Column, right: &Column, rows: usize) -> ArrayRef {
    let (l, r) = (Truth::of(left, rows), Truth::of(right, rows));
    Truth {
        yes: &l.yes | &r.yes,
        no: &l.no & &r.no,
    }
    .into_array()
}

fn and_arrays(left: &Column, right: &Column, rows: usize) -> ArrayRef {
    let (l, r) = (Truth::of(left, rows), Truth::of(right, rows));
    Truth {
        yes: &l.yes & &r.yes,
        no: &l.no | &r.no,
    }
    .into_array()
}

/// AND and OR of two or more columns.
#[derive(Debug)]
struct Junction {
    and: bool,
}

impl Kernel for Junction {
    fn evaluate(
        &self,
        args: &[Column],
        rows: usize,
        _ctx: &EvalContext,
    ) -> Result<Column, RowError> {
        let join = if self.and { and_arrays } else { or_arrays };
        column(args, rows, |rows| {
            let mut result = join(&args[0], &args[1], rows);
            for argument in &args[2..] {
                result = join(&Column::Array(result), argument, rows);
            }
            Ok(result)
        })
    }

    fn can_fail(&self) -> bool {
        false
    }
}

fn bind_junction(name: &'static str, and: bool, args: &[Arg]) -> Result<Bound, CallError> {
    super::signature::between(name, 2, usize::MAX, args)?;
    if args.iter().any(|arg| arg.ty.kind != TypeKind::Boolean) {
        return Err(bad_types(name, args));
    }
    Ok(Bound {
        arg_types: args.iter().map(|arg| arg.ty.clone()).collect(),
        return_type: boolean(args),
        kernel: Arc::new(Junction { and }),
    })
}

pub(super) static AND: FunctionDef = FunctionDef {
    name: "AND",
    aliases: &[],
    category: Category::Logical,
    signatures: &["a BOOLEAN AND b BOOLEAN → BOOLEAN"],
    doc: "FALSE when one side is FALSE, else NULL when one is NULL, else TRUE.",
    examples: &[("TRUE AND FALSE", "false")],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind_junction("AND", true, args),
};

pub(super) static OR: FunctionDef = FunctionDef {
    name: "OR",
    aliases: &[],
    category: Category::Logical,
    signatures: &["a BOOLEAN OR b BOOLEAN → BOOLEAN"],
    doc: "TRUE when one side is TRUE, else NULL when one is NULL, else FALSE.",
    examples: &[("TRUE OR FALSE", "true")],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind_junction("OR", false, args),
};

#[derive(Debug)]
struct Not;

impl Kernel for Not {
    fn evaluate(
        &self,
        args: &[Column],
        _rows: usize,
        _ctx: &EvalContext,
    ) -> Result<Column, RowError> {
        let array = args[0].array().as_boolean();
        let negated = BooleanArray::new(!array.values(), array.nulls().cloned());
        Ok(like(&args[0], Arc::new(negated)))
    }

    fn can_fail(&self) -> bool {
        false
    }
}

pub(super) static NOT: FunctionDef = FunctionDef {
    name: "NOT",
    aliases: &[],
    category: Category::Logical,
    signatures: &["NOT a BOOLEAN → BOOLEAN"],
    doc: "TRUE for FALSE, FALSE for TRUE, NULL for NULL.",
    examples: &[("NOT TRUE", "false")],
    volatility: Volatility::Deterministic,
    bind: |args, _| {
        exactly("NOT", 1, args)?;
        if args[0].ty.kind != TypeKind::Boolean {
            return Err(bad_types("NOT", args));
        }
        Ok(Bound {
            arg_types: vec![args[0].ty.clone()],
            return_type: boolean(args),
            kernel: Arc::new(Not),
        })
    },
};

/// What a value is tested for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Null,
    True,
    False,
}

/// IS [NOT] NULL, TRUE, FALSE.
#[derive(Debug)]
struct Is {
    state: State,
    negated: bool,
}

impl Kernel for Is {
    fn evaluate(
        &self,
        args: &[Column],
        rows: usize,
        _ctx: &EvalContext,
    ) -> Result<Column, RowError> {
        column(args, rows, |rows| {
            let holds = match self.state {
                State::Null if args[0].is_constant() || args[0].array().nulls().is_none() => {
                    let null = (0..rows).next().is_some_and(|_| args[0].is_null(0));
                    if null {
                        BooleanBuffer::new_set(rows)
                    } else {
                        BooleanBuffer::new_unset(rows)
                    }
                }
                State::Null => {
                    let nulls = args[0].array().nulls().expect("there is one");
                    !nulls.inner()
                }
                State::True => Truth::of(&args[0], rows).yes,
                State::False => Truth::of(&args[0], rows).no,
            };
            let holds = if self.negated { !&holds } else { holds };
            Ok(Arc::new(BooleanArray::new(holds, None)))
        })
    }

    fn can_fail(&self) -> bool {
        false
    }
}

fn bind_is(
    name: &'static str,
    state: State,
    negated: bool,
    args: &[Arg],
) -> Result<Bound, CallError> {
    exactly(name, 1, args)?;
    let kind = &args[0].ty.kind;
    if state != State::Null && !matches!(kind, TypeKind::Boolean | TypeKind::Null) {
        return Err(bad_types(name, args));
    }
    Ok(Bound {
        arg_types: vec![args[0].ty.clone()],
        return_type: TypeKind::Boolean.not_null(),
        kernel: Arc::new(Is { state, negated }),
    })
}

macro_rules! is_test {
    ($static:ident, $name:literal, $alias:expr, $category:ident, $state:ident, $negated:literal, $doc:literal, $example:expr) => {
        pub(super) static $static: FunctionDef = FunctionDef {
            name: $name,
            aliases: $alias,
            category: Category::$category,
            signatures: &[concat!("a ", $name, " → BOOLEAN NOT NULL")],
            doc: $doc,
            examples: &[$example],
            volatility: Volatility::Deterministic,
            bind: |args, _| bind_is($name, State::$state, $negated, args),
        };
    };
}

is_test!(
    IS_NULL,
    "IS NULL",
    &[],
    Comparison,
    Null,
    false,
    "Tells whether the value is NULL.",
    ("NULL IS NULL", "true")
);
is_test!(
    IS_NOT_NULL,
    "IS NOT NULL",
    &[],
    Comparison,
    Null,
    true,
    "Tells whether the value is not NULL.",
    ("1 IS NOT NULL", "true")
);
is_test!(
    IS_TRUE,
    "IS TRUE",
    &[],
    Logical,
    True,
    false,
    "Tells whether the value is TRUE.",
    ("TRUE IS TRUE", "true")
);
is_test!(
    IS_NOT_TRUE,
    "IS NOT TRUE",
    &[],
    Logical,
    True,
    true,
    "Tells whether the value is FALSE or NULL.",
    ("FALSE IS NOT TRUE", "true")
);
is_test!(
    IS_FALSE,
    "IS FALSE",
    &[],
    Logical,
    False,
    false,
    "Tells whether the value is FALSE.",
    ("FALSE IS FALSE", "true")
);
is_test!(
    IS_NOT_FALSE,
    "IS NOT FALSE",
    &[],
    Logical,
    False,
    true,
    "Tells whether the value is TRUE or NULL.",
    ("TRUE IS NOT FALSE", "true")
);
is_test!(
    IS_UNKNOWN,
    "IS UNKNOWN",
    &[],
    Logical,
    Null,
    false,
    "Tells whether the truth value is NULL.",
    ("CAST(NULL AS BOOLEAN) IS UNKNOWN", "true")
);
is_test!(
    IS_NOT_UNKNOWN,
    "IS NOT UNKNOWN",
    &[],
    Logical,
    Null,
    true,
    "Tells whether the truth value is not NULL.",
    ("TRUE IS NOT UNKNOWN", "true")
);
