//! `+`, `-`, `*`, `/`, `%` and the signs.
//!
//! # Flink
//! Integers wrap around in the wider of both types. An integer divided by zero fails, and so does a DECIMAL; a
//! floating-point number does not. With a DECIMAL on one side an integer counts as a DECIMAL, and with a
//! FLOAT or DOUBLE on the other the result is DOUBLE; FLOAT and DOUBLE give the type of the left one. `%` has the
//! type of its right side, and takes no floating-point numbers.

use std::sync::Arc;

use arrow_array::ArrowNativeTypeOp;
use arrow_array::types::{
    ArrowPrimitiveType, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type,
};
use millrace_connector::TypeKind;
use millrace_connector::physical::arrow_type;

use super::decimal_arithmetic::DecimalOp;
use super::elementwise::{binary, try_binary, unary};
use super::signature::{bad_types, exactly, nullable_if_args, with_kind};
use super::{datetime_arithmetic, decimal_types};
use crate::{
    Arg, Bound, CallError, Category, Column, EvalContext, FunctionDef, Kernel, RowError, Volatility,
};

/// The binary operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arithmetic {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Modulo,
}

macro_rules! operator {
    ($static:ident, $name:literal, $op:ident, $signatures:expr, $doc:literal, $examples:expr) => {
        pub(super) static $static: FunctionDef = FunctionDef {
            name: $name,
            aliases: &[],
            category: Category::Arithmetic,
            signatures: $signatures,
            doc: $doc,
            examples: $examples,
            volatility: Volatility::Deterministic,
            bind: |args, _| bind_binary($name, Arithmetic::$op, args),
        };
    };
}

operator!(
    ADD,
    "+",
    Add,
    &[
        "a NUMERIC + b NUMERIC → NUMERIC",
        "a DATETIME + b INTERVAL → DATETIME",
        "a INTERVAL + b INTERVAL → INTERVAL"
    ],
    "Returns the sum; NULL when one side is NULL or the sum is a DECIMAL that is too large.\nIntegers wrap around.\nMonths added to a date never leave the month they lead to.",
    &[
        ("1 + 2.5", "3.5"),
        ("DATE '2024-01-31' + INTERVAL '1' MONTH", "2024-02-29")
    ]
);
operator!(
    SUBTRACT,
    "-",
    Subtract,
    &[
        "a NUMERIC - b NUMERIC → NUMERIC",
        "a DATETIME - b INTERVAL → DATETIME",
        "a INTERVAL - b INTERVAL → INTERVAL"
    ],
    "Returns the difference; NULL when one side is NULL or the difference is a DECIMAL that is too large.\nIntegers wrap around.",
    &[("3 - 1", "2")]
);
operator!(
    MULTIPLY,
    "*",
    Multiply,
    &[
        "a NUMERIC * b NUMERIC → NUMERIC",
        "a INTERVAL * b NUMERIC → INTERVAL"
    ],
    "Returns the product; NULL when one side is NULL or the product is a DECIMAL that is too large.\nIntegers wrap around.",
    &[("2 * 1.5", "3.0")]
);
operator!(
    DIVIDE,
    "/",
    Divide,
    &[
        "a NUMERIC / b NUMERIC → NUMERIC",
        "a INTERVAL / b NUMERIC → INTERVAL"
    ],
    "Returns the quotient; of integers without fraction.\nAn integer or DECIMAL divided by zero fails the row; a floating-point number gives an infinity or NaN.",
    &[("7 / 2", "3"), ("1.0 / 3", "0.333333333333")]
);
operator!(
    MODULO,
    "%",
    Modulo,
    &["a EXACT NUMERIC % b EXACT NUMERIC → EXACT NUMERIC"],
    "Returns the rest of the division, with the sign of the first value.\nZero as the second value fails the row.",
    &[("-5 % 3", "-2")]
);

/// Binds a binary operation; MOD is `%` by another name.
pub(crate) fn bind_binary(
    name: &'static str,
    op: Arithmetic,
    args: &[Arg],
) -> Result<Bound, CallError> {
    exactly(name, 2, args)?;
    let (left, right) = (&args[0].ty.kind, &args[1].ty.kind);
    if !(left.is_numeric() && right.is_numeric()) {
        return datetime_arithmetic::bind(op, args).ok_or_else(|| bad_types(name, args));
    }
    let modulo = op == Arithmetic::Modulo;
    if modulo && (left.is_approximate() || right.is_approximate()) {
        return Err(bad_types(name, args));
    }
    let is_decimal = |kind: &TypeKind| matches!(kind, TypeKind::Decimal(..));
    if left.is_approximate() || right.is_approximate() {
        return Ok(bind_float(op, args));
    }
    if is_decimal(left) || is_decimal(right) {
        return Ok(bind_decimal(op, args));
    }
    Ok(bind_integer(op, args))
}

fn wider<'a>(left: &'a TypeKind, right: &'a TypeKind) -> &'a TypeKind {
    if decimal_types::of(right) > decimal_types::of(left) {
        right
    } else {
        left
    }
}

fn bind_integer(op: Arithmetic, args: &[Arg]) -> Bound {
    let (left, right) = (&args[0].ty.kind, &args[1].ty.kind);
    let wide = wider(left, right).clone();
    let result = if op == Arithmetic::Modulo {
        right.clone()
    } else {
        wide.clone()
    };
    Bound {
        arg_types: args
            .iter()
            .map(|arg| with_kind(&arg.ty, wide.clone()))
            .collect(),
        return_type: nullable_if_args(result.clone(), args),
        kernel: Arc::new(Integers { op, wide, result }),
    }
}

/// Arithmetic of two integers of one type.
#[derive(Debug)]
struct Integers {
    op: Arithmetic,
    wide: TypeKind,
    /// Narrower than the operands for `%` only.
    result: TypeKind,
}

impl Kernel for Integers {
    fn evaluate(
        &self,
        args: &[Column],
        rows: usize,
        _ctx: &EvalContext,
    ) -> Result<Column, RowError> {
        let computed = match self.wide {
            TypeKind::TinyInt => self.run::<Int8Type>(args, rows),
            TypeKind::SmallInt => self.run::<Int16Type>(args, rows),
            TypeKind::Int => self.run::<Int32Type>(args, rows),
            _ => self.run::<Int64Type>(args, rows),
        }?;
        if self.result == self.wide {
            return Ok(computed);
        }
        let narrow = crate::cast::numeric::converter(&self.wide, &self.result)
            .expect("integers convert to integers");
        let array = narrow.apply(computed.array())?;
        Ok(super::elementwise::like(&computed, array))
    }

    fn can_fail(&self) -> bool {
        matches!(self.op, Arithmetic::Divide | Arithmetic::Modulo)
    }
}

impl Integers {
    fn run<T: ArrowPrimitiveType>(&self, args: &[Column], rows: usize) -> Result<Column, RowError> {
        let ty = arrow_type(&self.wide);
        let zero = T::Native::default();
        let checked = |value: T::Native, divisor: T::Native| {
            if divisor == zero {
                Err("/ by zero".to_owned())
            } else {
                Ok(Some(value))
            }
        };
        match self.op {
            Arithmetic::Add => binary::<T, T, T>(args, rows, &ty, |l, r| l.add_wrapping(r)),
            Arithmetic::Subtract => binary::<T, T, T>(args, rows, &ty, |l, r| l.sub_wrapping(r)),
            Arithmetic::Multiply => binary::<T, T, T>(args, rows, &ty, |l, r| l.mul_wrapping(r)),
            Arithmetic::Divide => try_binary::<T, T, T>(args, rows, &ty, |l, r| {
                checked(if r == zero { zero } else { l.div_wrapping(r) }, r)
            }),
            Arithmetic::Modulo => try_binary::<T, T, T>(args, rows, &ty, |l, r| {
                checked(if r == zero { zero } else { l.mod_wrapping(r) }, r)
            }),
        }
    }
}

fn bind_float(op: Arithmetic, args: &[Arg]) -> Bound {
    let (left, right) = (&args[0].ty.kind, &args[1].ty.kind);
    let single = |kind: &TypeKind| *kind == TypeKind::Float || kind.is_integer();
    let wide = if single(left) && single(right) {
        TypeKind::Float
    } else {
        TypeKind::Double
    };
    let result = if matches!((left, right), (TypeKind::Float, TypeKind::Double)) {
        TypeKind::Float
    } else {
        wide.clone()
    };
    Bound {
        arg_types: args
            .iter()
            .map(|arg| with_kind(&arg.ty, wide.clone()))
            .collect(),
        return_type: nullable_if_args(result.clone(), args),
        kernel: Arc::new(Floats { op, wide, result }),
    }
}

/// Arithmetic of two floating-point numbers of one type.
#[derive(Debug)]
struct Floats {
    op: Arithmetic,
    wide: TypeKind,
    result: TypeKind,
}

impl Kernel for Floats {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "FLOAT and DOUBLE give FLOAT"
    )]
    fn evaluate(
        &self,
        args: &[Column],
        rows: usize,
        _ctx: &EvalContext,
    ) -> Result<Column, RowError> {
        type D = Float64Type;
        type F = Float32Type;
        let ty = arrow_type(&self.result);
        match (&self.wide, &self.result) {
            (TypeKind::Float, _) => match self.op {
                Arithmetic::Add => binary::<F, F, F>(args, rows, &ty, |l, r| l + r),
                Arithmetic::Subtract => binary::<F, F, F>(args, rows, &ty, |l, r| l - r),
                Arithmetic::Multiply => binary::<F, F, F>(args, rows, &ty, |l, r| l * r),
                Arithmetic::Divide => binary::<F, F, F>(args, rows, &ty, |l, r| l / r),
                Arithmetic::Modulo => binary::<F, F, F>(args, rows, &ty, |l, r| l % r),
            },
            (_, TypeKind::Float) => {
                let op = self.double_op();
                binary::<D, D, F>(args, rows, &ty, |l, r| op(l, r) as f32)
            }
            _ => match self.op {
                Arithmetic::Add => binary::<D, D, D>(args, rows, &ty, |l, r| l + r),
                Arithmetic::Subtract => binary::<D, D, D>(args, rows, &ty, |l, r| l - r),
                Arithmetic::Multiply => binary::<D, D, D>(args, rows, &ty, |l, r| l * r),
                Arithmetic::Divide => binary::<D, D, D>(args, rows, &ty, |l, r| l / r),
                Arithmetic::Modulo => binary::<D, D, D>(args, rows, &ty, |l, r| l % r),
            },
        }
    }

    fn can_fail(&self) -> bool {
        false
    }
}

impl Floats {
    fn double_op(&self) -> fn(f64, f64) -> f64 {
        match self.op {
            Arithmetic::Add => |l, r| l + r,
            Arithmetic::Subtract => |l, r| l - r,
            Arithmetic::Multiply => |l, r| l * r,
            Arithmetic::Divide => |l, r| l / r,
            Arithmetic::Modulo => |l, r| l % r,
        }
    }
}

fn bind_decimal(op: Arithmetic, args: &[Arg]) -> Bound {
    let exact = |arg: &Arg| decimal_types::of(&arg.ty.kind).expect("an exact number");
    let (left, right) = (exact(&args[0]), exact(&args[1]));
    let result = match op {
        Arithmetic::Add | Arithmetic::Subtract => decimal_types::addition(left, right),
        Arithmetic::Multiply => decimal_types::multiplication(left, right),
        Arithmetic::Divide => decimal_types::division(left, right),
        // Whole numbers keep the type of the right side, even where that is no DECIMAL.
        Arithmetic::Modulo if left.1 == 0 && right.1 == 0 => args[1].ty.kind.clone(),
        Arithmetic::Modulo => decimal_types::modulo(left, right),
    };
    let (precision, scale) = decimal_types::of(&result).expect("an exact number");
    let small = |v: i32| u8::try_from(v).expect("precision and scale are at most 38");
    let kernel = Decimals {
        op: DecimalOp {
            op,
            left_scale: small(left.1),
            right_scale: small(right.1),
            precision: small(precision),
            scale: small(scale),
        },
        result: result.clone(),
    };
    let as_decimal = |arg: &Arg, (p, s)| with_kind(&arg.ty, decimal_types::decimal(p, s));
    Bound {
        arg_types: vec![as_decimal(&args[0], left), as_decimal(&args[1], right)],
        return_type: nullable_if_args(result, args),
        kernel: Arc::new(kernel),
    }
}

/// Arithmetic of two DECIMALs.
#[derive(Debug)]
struct Decimals {
    op: DecimalOp,
    result: TypeKind,
}

impl Kernel for Decimals {
    fn evaluate(
        &self,
        args: &[Column],
        rows: usize,
        _ctx: &EvalContext,
    ) -> Result<Column, RowError> {
        type D = Decimal128Type;
        let decimal = TypeKind::Decimal(self.op.precision, self.op.scale);
        let ty = arrow_type(&decimal);
        let computed = try_binary::<D, D, D>(args, rows, &ty, |l, r| self.op.apply(l, r))?;
        if self.result == decimal {
            return Ok(computed);
        }
        let convert = crate::cast::numeric::converter(&decimal, &self.result)
            .expect("a DECIMAL converts to integers");
        let array = convert.apply(computed.array())?;
        Ok(super::elementwise::like(&computed, array))
    }

    fn can_fail(&self) -> bool {
        matches!(self.op.op, Arithmetic::Divide | Arithmetic::Modulo)
    }
}

/// `-x` and `+x`.
#[derive(Debug)]
struct Signed {
    kind: TypeKind,
    negative: bool,
}

impl Kernel for Signed {
    fn evaluate(
        &self,
        args: &[Column],
        _rows: usize,
        _ctx: &EvalContext,
    ) -> Result<Column, RowError> {
        if !self.negative {
            return Ok(args[0].clone());
        }
        let ty = arrow_type(&self.kind);
        match &self.kind {
            TypeKind::TinyInt => unary::<Int8Type, Int8Type>(args, &ty, i8::wrapping_neg),
            TypeKind::SmallInt => unary::<Int16Type, Int16Type>(args, &ty, i16::wrapping_neg),
            TypeKind::Int | TypeKind::IntervalYearMonth(..) => {
                unary::<Int32Type, Int32Type>(args, &ty, i32::wrapping_neg)
            }
            TypeKind::Float => unary::<Float32Type, Float32Type>(args, &ty, |v| -v),
            TypeKind::Double => unary::<Float64Type, Float64Type>(args, &ty, |v| -v),
            TypeKind::Decimal(..) => unary::<Decimal128Type, Decimal128Type>(args, &ty, |v| -v),
            _ => unary::<Int64Type, Int64Type>(args, &ty, i64::wrapping_neg),
        }
    }

    fn can_fail(&self) -> bool {
        false
    }
}

fn bind_signed(name: &'static str, negative: bool, args: &[Arg]) -> Result<Bound, CallError> {
    exactly(name, 1, args)?;
    let ty = &args[0].ty;
    if !ty.kind.is_numeric() && !ty.kind.is_interval() {
        return Err(bad_types(name, args));
    }
    Ok(Bound {
        arg_types: vec![ty.clone()],
        return_type: ty.clone(),
        kernel: Arc::new(Signed {
            kind: ty.kind.clone(),
            negative,
        }),
    })
}

pub(super) static NEGATE: FunctionDef = FunctionDef {
    name: "NEGATE",
    aliases: &[],
    category: Category::Arithmetic,
    signatures: &["-a NUMERIC → NUMERIC", "-a INTERVAL → INTERVAL"],
    doc: "Returns the value with the other sign; the least integer stays as it is.",
    examples: &[("-(1)", "-1")],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind_signed("NEGATE", true, args),
};

pub(super) static PLUS_SIGN: FunctionDef = FunctionDef {
    name: "PLUS_SIGN",
    aliases: &[],
    category: Category::Arithmetic,
    signatures: &["+a NUMERIC → NUMERIC"],
    doc: "Returns the value.",
    examples: &[("+(1)", "1")],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind_signed("PLUS_SIGN", false, args),
};
