//! Functions of one or two DOUBLEs that give a DOUBLE: roots, logarithms, trigonometry.
//!
//! # Flink
//! `java.lang.Math`; all numbers are taken as DOUBLE. Outside of a function's domain the result is NaN, not an
//! error. LOG(b, x) is LN(x) / LN(b), LOG2(x) is LN(x) / LN(2) and SQRT(x) is POWER(x, 0.5), with their rounding.
//! The inverse and hyperbolic functions of Java are those of fdlibm, whose last digit differs from the system's;
//! the `libm` crate has the same algorithms.

use std::sync::Arc;

use arrow_array::types::Float64Type;
use arrow_schema::DataType;
use millrace_connector::TypeKind;

use crate::operator::elementwise::{binary, unary};
use crate::operator::signature::{bad_types, between, nullable_if_args, with_kind};
use crate::{
    Arg, Bound, CallError, Category, Column, EvalContext, FunctionDef, Kernel, RowError, Volatility,
};

/// The code of a function.
#[derive(Clone, Copy, Debug)]
enum Code {
    Of1(fn(f64) -> f64),
    Of2(fn(f64, f64) -> f64),
}

impl Kernel for Code {
    fn evaluate(
        &self,
        args: &[Column],
        rows: usize,
        _ctx: &EvalContext,
    ) -> Result<Column, RowError> {
        type D = Float64Type;
        match *self {
            Self::Of1(op) => unary::<D, D>(args, &DataType::Float64, op),
            Self::Of2(op) => binary::<D, D, D>(args, rows, &DataType::Float64, op),
        }
    }

    fn can_fail(&self) -> bool {
        false
    }
}

fn bind(name: &'static str, codes: &[Code], args: &[Arg]) -> Result<Bound, CallError> {
    let count = |code: &Code| match code {
        Code::Of1(_) => 1,
        Code::Of2(_) => 2,
    };
    let counts: Vec<usize> = codes.iter().map(count).collect();
    let (min, max) = (counts[0], counts[counts.len() - 1]);
    between(name, min, max, args)?;
    if !args.iter().all(|arg| arg.ty.kind.is_numeric()) {
        return Err(bad_types(name, args));
    }
    let code = codes
        .iter()
        .find(|code| count(code) == args.len())
        .expect("the count was checked");
    Ok(Bound {
        arg_types: args
            .iter()
            .map(|arg| with_kind(&arg.ty, TypeKind::Double))
            .collect(),
        return_type: nullable_if_args(TypeKind::Double, args),
        kernel: Arc::new(*code),
    })
}

macro_rules! double_functions {
    ($($static:ident $name:literal [$($code:expr),+] $signatures:expr, $doc:literal, $example:expr;)+) => {
        $(static $static: FunctionDef = FunctionDef {
            name: $name,
            aliases: &[],
            category: Category::Arithmetic,
            signatures: $signatures,
            doc: $doc,
            examples: &[$example],
            volatility: Volatility::Deterministic,
            bind: |args, _| bind($name, &[$($code),+], args),
        };)+

        /// The functions of this file.
        pub(super) static FUNCTIONS: &[&FunctionDef] = &[$(&$static),+];
    };
}

double_functions! {
    SQRT "SQRT" [Code::Of1(|x| power(x, 0.5))] &["SQRT(x NUMERIC) → DOUBLE"],
        "Returns the square root; NaN of a negative number.", ("SQRT(4)", "2.0");
    EXP "EXP" [Code::Of1(f64::exp)] &["EXP(x NUMERIC) → DOUBLE"],
        "Returns e to the power of x.", ("EXP(0)", "1.0");
    LN "LN" [Code::Of1(f64::ln)] &["LN(x NUMERIC) → DOUBLE"],
        "Returns the natural logarithm; -Infinity of 0 and NaN of a negative number.", ("LN(1)", "0.0");
    LOG10 "LOG10" [Code::Of1(f64::log10)] &["LOG10(x NUMERIC) → DOUBLE"],
        "Returns the logarithm to base 10.", ("LOG10(100)", "2.0");
    LOG2 "LOG2" [Code::Of1(|x| x.ln() / 2_f64.ln())] &["LOG2(x NUMERIC) → DOUBLE"],
        "Returns the logarithm to base 2.", ("LOG2(2)", "1.0");
    LOG "LOG" [Code::Of1(f64::ln), Code::Of2(|base, x| x.ln() / base.ln())]
        &["LOG(x NUMERIC) → DOUBLE", "LOG(base NUMERIC, x NUMERIC) → DOUBLE"],
        "Returns the logarithm of x to the base, or the natural logarithm.", ("LOG(2, 8)", "3.0");
    POWER "POWER" [Code::Of2(power)] &["POWER(x NUMERIC, y NUMERIC) → DOUBLE"],
        "Returns x to the power of y.", ("POWER(2, 3)", "8.0");
    SIN "SIN" [Code::Of1(f64::sin)] &["SIN(x NUMERIC) → DOUBLE"],
        "Returns the sine of an angle in radians.", ("SIN(0)", "0.0");
    COS "COS" [Code::Of1(f64::cos)] &["COS(x NUMERIC) → DOUBLE"],
        "Returns the cosine of an angle in radians.", ("COS(0)", "1.0");
    TAN "TAN" [Code::Of1(f64::tan)] &["TAN(x NUMERIC) → DOUBLE"],
        "Returns the tangent of an angle in radians.", ("TAN(0)", "0.0");
    COT "COT" [Code::Of1(|x| 1.0 / x.tan())] &["COT(x NUMERIC) → DOUBLE"],
        "Returns the cotangent of an angle in radians.", ("COT(0)", "Infinity");
    ASIN "ASIN" [Code::Of1(libm::asin)] &["ASIN(x NUMERIC) → DOUBLE"],
        "Returns the arc sine in radians; NaN beyond -1 and 1.", ("ASIN(0)", "0.0");
    ACOS "ACOS" [Code::Of1(libm::acos)] &["ACOS(x NUMERIC) → DOUBLE"],
        "Returns the arc cosine in radians; NaN beyond -1 and 1.", ("ACOS(1)", "0.0");
    ATAN "ATAN" [Code::Of1(libm::atan)] &["ATAN(x NUMERIC) → DOUBLE"],
        "Returns the arc tangent in radians.", ("ATAN(0)", "0.0");
    ATAN2 "ATAN2" [Code::Of2(libm::atan2)] &["ATAN2(y NUMERIC, x NUMERIC) → DOUBLE"],
        "Returns the angle of the point (x, y) in radians.", ("ATAN2(0, 0)", "0.0");
    SINH "SINH" [Code::Of1(sinh)] &["SINH(x NUMERIC) → DOUBLE"],
        "Returns the hyperbolic sine.", ("SINH(0)", "0.0");
    COSH "COSH" [Code::Of1(cosh)] &["COSH(x NUMERIC) → DOUBLE"],
        "Returns the hyperbolic cosine.", ("COSH(0)", "1.0");
    TANH "TANH" [Code::Of1(tanh)] &["TANH(x NUMERIC) → DOUBLE"],
        "Returns the hyperbolic tangent.", ("TANH(0)", "0.0");
    DEGREES "DEGREES" [Code::Of1(|x| x * (180.0 / std::f64::consts::PI))] &["DEGREES(x NUMERIC) → DOUBLE"],
        "Converts an angle from radians to degrees.", ("DEGREES(0)", "0.0");
    RADIANS "RADIANS" [Code::Of1(|x| x * (std::f64::consts::PI / 180.0))] &["RADIANS(x NUMERIC) → DOUBLE"],
        "Converts an angle from degrees to radians.", ("RADIANS(0)", "0.0");
}

/// From where on `e^-x` says nothing beside `e^x`.
const EXP_DOMINATES: f64 = 22.0;

fn sinh(x: f64) -> f64 {
    let half = 0.5_f64.copysign(x);
    let size = x.abs();
    if size < EXP_DOMINATES {
        if size < 2_f64.powi(-28) {
            return x;
        }
        let t = libm::expm1(size);
        return if size < 1.0 {
            half * (2.0 * t - t * t / (t + 1.0))
        } else {
            half * (t + t / (t + 1.0))
        };
    }
    scaled_exp(half, size)
}

fn cosh(x: f64) -> f64 {
    let size = x.abs();
    if size < 0.5 * std::f64::consts::LN_2 {
        let t = libm::expm1(size);
        let w = 1.0 + t;
        return if size < 2_f64.powi(-55) {
            w
        } else {
            1.0 + t * t / (w + w)
        };
    }
    if size < EXP_DOMINATES {
        let t = libm::exp(size);
        return 0.5 * t + 0.5 / t;
    }
    scaled_exp(0.5, size)
}

fn tanh(x: f64) -> f64 {
    let size = x.abs();
    let value = if x.is_nan() {
        return x;
    } else if size >= EXP_DOMINATES {
        1.0
    } else if size < 2_f64.powi(-55) {
        return x * (1.0 + x);
    } else if size >= 1.0 {
        1.0 - 2.0 / (libm::expm1(2.0 * size) + 2.0)
    } else {
        let t = libm::expm1(-2.0 * size);
        -t / (t + 2.0)
    };
    value.copysign(x)
}

/// Returns `factor * e^x` where `e^x` itself may be too large.
fn scaled_exp(factor: f64, x: f64) -> f64 {
    /// The logarithm of the greatest double.
    const EXP_MAX: f64 = 709.782_712_893_384;
    if x < EXP_MAX {
        return factor * libm::exp(x);
    }
    let root = libm::exp(0.5 * x);
    factor * root * root
}

/// Java's power differs from C's where the base is 1 or -1 and the exponent is no number or infinite.
fn power(x: f64, y: f64) -> f64 {
    if y.is_nan() || (x.abs() == 1.0 && y.is_infinite()) {
        return f64::NAN;
    }
    x.powf(y)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_as_java_does() {
        for (got, expect) in [
            (cosh(-1.0), 1.543_080_634_815_244),
            (sinh(0.5), 0.521_095_305_493_747_4),
            (tanh(-1.0), -0.761_594_155_955_764_9),
            (cosh(1e300), f64::INFINITY),
            (sinh(f64::NEG_INFINITY), f64::NEG_INFINITY),
            (power(2.0, 1024.0), f64::INFINITY),
            (power(-1.55, 2.0), 2.402_500_000_000_000_3),
        ] {
            assert_eq!(got.to_bits(), f64::to_bits(expect), "{got}");
        }
        assert!(power(1.0, f64::NAN).is_nan());
        assert_eq!(power(-0.0, 0.5).to_bits(), 0.0_f64.to_bits());
    }
}
