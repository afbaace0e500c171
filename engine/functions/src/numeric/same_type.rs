//! ABS, SIGN, FLOOR and CEIL of numbers, whose results are of their argument's type.
//!
//! # Flink
//! The least integer has no ABS and stays as it is. SIGN of a DECIMAL is 1 or -1 with the argument's scale.
//! FLOOR and CEIL of DECIMAL(p, s) are DECIMAL(p, 0). Flink 1.17 fails for SIGN of TINYINT and SMALLINT; here it works.

use std::sync::Arc;

use arrow_array::types::{
    Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
};
use millrace_connector::TypeKind;
use millrace_connector::physical::arrow_type;

use crate::cast::decimal::POW10;
use crate::operator::elementwise::unary;
use crate::operator::signature::{bad_types, exactly, with_kind};
use crate::{
    Arg, Bound, CallError, Category, Column, EvalContext, FunctionDef, Kernel, RowError, Volatility,
};

/// Which function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Code {
    Abs,
    Sign,
    Floor,
    Ceil,
}

#[derive(Debug)]
struct SameType {
    code: Code,
    from: TypeKind,
    to: TypeKind,
}

impl Kernel for SameType {
    fn evaluate(
        &self,
        args: &[Column],
        _rows: usize,
        _ctx: &EvalContext,
    ) -> Result<Column, RowError> {
        let ty = arrow_type(&self.to);
        let whole = matches!(self.code, Code::Floor | Code::Ceil);
        match (&self.from, self.code) {
            (TypeKind::Decimal(_, scale), code) => self.decimal(args, code, *scale),
            (TypeKind::Float, Code::Abs) => unary::<Float32Type, Float32Type>(args, &ty, f32::abs),
            (TypeKind::Float, Code::Sign) => {
                unary::<Float32Type, Float32Type>(
                    args,
                    &ty,
                    |v| {
                        if v == 0.0 { v } else { v.signum() }
                    },
                )
            }
            (TypeKind::Float, Code::Floor) => {
                unary::<Float32Type, Float32Type>(args, &ty, f32::floor)
            }
            (TypeKind::Float, Code::Ceil) => {
                unary::<Float32Type, Float32Type>(args, &ty, f32::ceil)
            }
            (TypeKind::Double, Code::Abs) => unary::<Float64Type, Float64Type>(args, &ty, f64::abs),
            (TypeKind::Double, Code::Sign) => {
                unary::<Float64Type, Float64Type>(
                    args,
                    &ty,
                    |v| {
                        if v == 0.0 { v } else { v.signum() }
                    },
                )
            }
            (TypeKind::Double, Code::Floor) => {
                unary::<Float64Type, Float64Type>(args, &ty, f64::floor)
            }
            (TypeKind::Double, Code::Ceil) => {
                unary::<Float64Type, Float64Type>(args, &ty, f64::ceil)
            }
            _ if whole => Ok(args[0].clone()),
            (TypeKind::TinyInt, Code::Abs) => {
                unary::<Int8Type, Int8Type>(args, &ty, i8::wrapping_abs)
            }
            (TypeKind::TinyInt, _) => unary::<Int8Type, Int8Type>(args, &ty, i8::signum),
            (TypeKind::SmallInt, Code::Abs) => {
                unary::<Int16Type, Int16Type>(args, &ty, i16::wrapping_abs)
            }
            (TypeKind::SmallInt, _) => unary::<Int16Type, Int16Type>(args, &ty, i16::signum),
            (TypeKind::Int, Code::Abs) => {
                unary::<Int32Type, Int32Type>(args, &ty, i32::wrapping_abs)
            }
            (TypeKind::Int, _) => unary::<Int32Type, Int32Type>(args, &ty, i32::signum),
            (_, Code::Abs) => unary::<Int64Type, Int64Type>(args, &ty, i64::wrapping_abs),
            _ => unary::<Int64Type, Int64Type>(args, &ty, i64::signum),
        }
    }

    fn can_fail(&self) -> bool {
        false
    }
}

impl SameType {
    fn decimal(&self, args: &[Column], code: Code, scale: u8) -> Result<Column, RowError> {
        type D = Decimal128Type;
        let ty = arrow_type(&self.to);
        let unit = POW10[usize::from(scale)];
        match code {
            Code::Abs => unary::<D, D>(args, &ty, i128::abs),
            // One may have a digit more than a type without whole digits; Flink keeps it all the same.
            Code::Sign => unary::<D, D>(args, &ty, |v| v.signum() * unit),
            Code::Floor => unary::<D, D>(args, &ty, |v| v.div_euclid(unit)),
            Code::Ceil => unary::<D, D>(args, &ty, |v| -(-v).div_euclid(unit)),
        }
    }
}

fn bind(name: &'static str, code: Code, args: &[Arg]) -> Result<Bound, CallError> {
    exactly(name, 1, args)?;
    let ty = &args[0].ty;
    if !ty.kind.is_numeric() {
        return Err(bad_types(name, args));
    }
    let to = match (&ty.kind, code) {
        (TypeKind::Decimal(precision, _), Code::Floor | Code::Ceil) => {
            TypeKind::Decimal(*precision, 0)
        }
        (kind, _) => kind.clone(),
    };
    Ok(Bound {
        arg_types: vec![ty.clone()],
        return_type: with_kind(ty, to.clone()),
        kernel: Arc::new(SameType {
            code,
            from: ty.kind.clone(),
            to,
        }),
    })
}

macro_rules! same_type {
    ($static:ident, $name:literal, $aliases:expr, $code:ident, $doc:literal, $example:expr) => {
        pub(super) static $static: FunctionDef = FunctionDef {
            name: $name,
            aliases: $aliases,
            category: Category::Arithmetic,
            signatures: &[concat!($name, "(x NUMERIC) → NUMERIC")],
            doc: $doc,
            examples: &[$example],
            volatility: Volatility::Deterministic,
            bind: |args, _| bind($name, Code::$code, args),
        };
    };
}

same_type!(
    ABS,
    "ABS",
    &[],
    Abs,
    "Returns the value without its sign; the least integer stays as it is.",
    ("ABS(-5)", "5")
);
same_type!(
    SIGN,
    "SIGN",
    &[],
    Sign,
    "Returns -1, 0 or 1 in the type of the argument.",
    ("SIGN(-5)", "-1")
);
same_type!(
    FLOOR,
    "FLOOR",
    &[],
    Floor,
    "Returns the greatest whole number that is not above the value.",
    ("FLOOR(-1.2)", "-2")
);
same_type!(
    CEIL,
    "CEIL",
    &["CEILING"],
    Ceil,
    "Returns the least whole number that is not below the value.",
    ("CEIL(1.2)", "2")
);
