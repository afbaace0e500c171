//! ROUND and TRUNCATE.
//!
//! # Flink
//! Both go through Java's `BigDecimal`: ROUND away from zero at half, TRUNCATE towards zero, at the given digit
//! after the point (negative: before it). An integer that becomes too large wraps around. NaN and the infinities
//! fail the row. A DECIMAL gets the scale of a literal digit count; with a count that varies it keeps its type.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type,
};
use arrow_array::{Array, ArrayRef};
use millrace_connector::physical::arrow_type;
use millrace_connector::{FlinkType, TypeKind};
use num_bigint::BigInt;

use crate::cast::convert::{OnFailure, build_primitive};
use crate::cast::decimal::{POW10, divide_pow10_half_up, fits};
use crate::cast::java_double::double_to_string;
use crate::operator::decimal_types;
use crate::operator::elementwise::{column, has_null_constant, null_column, union_nulls};
use crate::operator::signature::{bad_types, between, nullable_if_args};
use crate::{
    Arg, Bound, CallError, Category, Column, EvalContext, FunctionDef, Kernel, RowError, Volatility,
};

#[derive(Debug)]
struct Round {
    from: TypeKind,
    to: TypeKind,
    truncate: bool,
}

impl Kernel for Round {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "integers wrap around as in Flink"
    )]
    fn evaluate(
        &self,
        args: &[Column],
        rows: usize,
        _ctx: &EvalContext,
    ) -> Result<Column, RowError> {
        match &self.from {
            TypeKind::TinyInt => self.run::<Int8Type>(args, rows, |v, d| {
                self.integer(v.into(), d).map(|v| v as i8)
            }),
            TypeKind::SmallInt => self.run::<Int16Type>(args, rows, |v, d| {
                self.integer(v.into(), d).map(|v| v as i16)
            }),
            TypeKind::Int => self.run::<Int32Type>(args, rows, |v, d| {
                self.integer(v.into(), d).map(|v| v as i32)
            }),
            TypeKind::BigInt => self.run::<Int64Type>(args, rows, |v, d| {
                self.integer(v.into(), d).map(|v| v as i64)
            }),
            TypeKind::Float => self.run::<Float32Type>(args, rows, |v, d| {
                self.double(v.into(), d).map(|v| v as f32)
            }),
            TypeKind::Double => self.run::<Float64Type>(args, rows, |v, d| self.double(v, d)),
            _ => self.decimal(args, rows),
        }
    }

    fn can_fail(&self) -> bool {
        self.from.is_approximate()
    }
}

impl Round {
    /// Applies `op` to each value with its digit count.
    fn run<T: ArrowPrimitiveType>(
        &self,
        args: &[Column],
        rows: usize,
        op: impl Fn(T::Native, i32) -> Result<T::Native, String>,
    ) -> Result<Column, RowError> {
        self.build::<T>(args, rows, |array, row, digits| {
            op(array.as_primitive::<T>().value(row), digits).map(Some)
        })
    }

    fn build<T: ArrowPrimitiveType>(
        &self,
        args: &[Column],
        rows: usize,
        op: impl Fn(&ArrayRef, usize, i32) -> Result<Option<T::Native>, String>,
    ) -> Result<Column, RowError> {
        let ty = arrow_type(&self.to);
        if has_null_constant(args) {
            return Ok(null_column(&ty));
        }
        let nulls = union_nulls(args);
        let digits = args
            .get(1)
            .map(|arg| (arg, arg.array().as_primitive::<Int32Type>()));
        column(args, rows, |rows| {
            build_primitive::<T>(rows, nulls.as_ref(), &ty, OnFailure::Fail, |row| {
                let digits = digits.map_or(0, |(arg, digits)| digits.value(arg.index(row)));
                op(args[0].array(), args[0].index(row), digits)
            })
        })
    }

    /// Rounds before the point; after it there is nothing to round.
    fn integer(&self, value: i128, digits: i32) -> Result<i128, String> {
        if digits >= 0 {
            return Ok(value);
        }
        let dropped = usize::try_from(digits.unsigned_abs()).unwrap_or(usize::MAX);
        if dropped > 38 {
            return Ok(0);
        }
        let power = POW10[dropped];
        Ok(if self.truncate {
            value / power * power
        } else {
            // Nothing of 64 bits is half of 10^20, so the product fits.
            divide_pow10_half_up(value, dropped)
                .checked_mul(power)
                .unwrap_or(0)
        })
    }

    /// Rounds the number that the double's text stands for.
    fn double(&self, value: f64, digits: i32) -> Result<f64, String> {
        let text = double_to_string(value);
        if !value.is_finite() {
            return Err("Infinite or NaN".to_owned());
        }
        let (mantissa, exponent) = text.split_once('E').unwrap_or((&text, "0"));
        let exponent: i32 = exponent.parse().expect("Java writes a number");
        let (whole, fraction) = mantissa.split_once('.').expect("Java writes a point");
        let unscaled: i128 = [whole, fraction].concat().parse().expect("digits");
        let scale = i32::try_from(fraction.len()).expect("at most 20") - exponent;
        if digits >= scale {
            return Ok(if value == 0.0 { 0.0 } else { value });
        }
        let dropped = usize::try_from(scale.saturating_sub(digits)).expect("positive");
        let kept = if dropped > 38 {
            0
        } else if self.truncate {
            unscaled / POW10[dropped]
        } else {
            divide_pow10_half_up(unscaled, dropped)
        };
        if kept == 0 {
            return Ok(0.0);
        }
        Ok(format!("{kept}e{}", -i64::from(digits))
            .parse()
            .expect("a number"))
    }

    fn decimal(&self, args: &[Column], rows: usize) -> Result<Column, RowError> {
        let (TypeKind::Decimal(_, scale), TypeKind::Decimal(precision, to_scale)) =
            (&self.from, &self.to)
        else {
            unreachable!("a DECIMAL gives a DECIMAL");
        };
        self.build::<Decimal128Type>(args, rows, |array, row, digits| {
            let value = array.as_primitive::<Decimal128Type>().value(row);
            Ok(self.decimal_value(value, *scale, digits, *precision, *to_scale))
        })
    }

    fn decimal_value(
        &self,
        value: i128,
        scale: u8,
        digits: i32,
        precision: u8,
        to_scale: u8,
    ) -> Option<i128> {
        let dropped = i32::from(scale).saturating_sub(digits).max(0);
        let kept = match usize::try_from(dropped) {
            Ok(dropped) if dropped <= 38 && self.truncate => value / POW10[dropped],
            Ok(dropped) if dropped <= 38 => divide_pow10_half_up(value, dropped),
            _ => 0,
        };
        // `kept` counts units of 10^(dropped - scale).
        let shift = dropped - i32::from(scale) + i32::from(to_scale);
        let value = if shift >= 0 {
            let power = BigInt::from(10).pow(shift.unsigned_abs());
            i128::try_from(BigInt::from(kept) * power).ok()?
        } else {
            kept / POW10.get(usize::try_from(-shift).ok()?)?
        };
        fits(value, precision)
    }
}

/// Returns the value of a literal digit count.
fn literal_digits(arg: &Arg) -> Option<i32> {
    let literal = arg.literal.as_ref()?;
    if literal.value.is_null(0) {
        return None;
    }
    Some(match literal.ty.kind {
        TypeKind::TinyInt => literal.value.as_primitive::<Int8Type>().value(0).into(),
        TypeKind::SmallInt => literal.value.as_primitive::<Int16Type>().value(0).into(),
        TypeKind::Int => literal.value.as_primitive::<Int32Type>().value(0),
        _ => return None,
    })
}

fn bind(name: &'static str, truncate: bool, args: &[Arg]) -> Result<Bound, CallError> {
    between(name, 1, 2, args)?;
    let ty = &args[0].ty;
    let small =
        |kind: &TypeKind| matches!(kind, TypeKind::TinyInt | TypeKind::SmallInt | TypeKind::Int);
    if !ty.kind.is_numeric() || args.get(1).is_some_and(|arg| !small(&arg.ty.kind)) {
        return Err(bad_types(name, args));
    }
    let to = match (&ty.kind, args.get(1)) {
        (TypeKind::Decimal(p, s), digits) => {
            let digits = digits.map_or(Some(0), literal_digits);
            match digits {
                Some(digits) => decimal_types::round((i32::from(*p), i32::from(*s)), digits),
                None => ty.kind.clone(),
            }
        }
        (kind, _) => kind.clone(),
    };
    let mut arg_types = vec![ty.clone()];
    arg_types.extend(args.get(1).map(|arg| FlinkType {
        kind: TypeKind::Int,
        nullable: arg.ty.nullable,
    }));
    Ok(Bound {
        arg_types,
        return_type: nullable_if_args(to.clone(), args),
        kernel: Arc::new(Round {
            from: ty.kind.clone(),
            to,
            truncate,
        }),
    })
}

pub(super) static ROUND: FunctionDef = FunctionDef {
    name: "ROUND",
    aliases: &[],
    category: Category::Arithmetic,
    signatures: &[
        "ROUND(x NUMERIC) → NUMERIC",
        "ROUND(x NUMERIC, digits INT) → NUMERIC",
    ],
    doc: "Returns the value rounded to so many digits after the point, half away from zero.\nA negative count rounds before the point.",
    examples: &[("ROUND(2.567, 2)", "2.57"), ("ROUND(25, -1)", "30")],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind("ROUND", false, args),
};

pub(super) static TRUNCATE: FunctionDef = FunctionDef {
    name: "TRUNCATE",
    aliases: &[],
    category: Category::Arithmetic,
    signatures: &[
        "TRUNCATE(x NUMERIC) → NUMERIC",
        "TRUNCATE(x NUMERIC, digits INT) → NUMERIC",
    ],
    doc: "Returns the value with so many digits after the point, the rest cut off.\nA negative count sets digits before the point to zero.",
    examples: &[("TRUNCATE(42.345)", "42"), ("TRUNCATE(25, -1)", "20")],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind("TRUNCATE", true, args),
};
