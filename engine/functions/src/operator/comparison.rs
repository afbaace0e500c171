//! `=`, `<>`, `<`, `<=`, `>`, `>=` and `IS [NOT] DISTINCT FROM`.
//!
//! # Flink
//! Equality brings both sides to their least restrictive type; text against a date, time or timestamp is
//! converted at run time and gives NULL where it cannot be; text against a number is refused. The ordering
//! operators convert text to the other side's type (numbers: at least BIGINT) and fail where it cannot be.
//! DATE against TIMESTAMP is refused, and TIMESTAMP against TIMESTAMP_LTZ for the ordering operators.

use std::sync::Arc;

use arrow_array::BooleanArray;
use arrow_array::cast::AsArray;
use arrow_buffer::BooleanBuffer;
use arrow_schema::DataType;
use millrace_connector::{FlinkType, TypeKind};

use super::coercion::{common_type, comparison_type, least_restrictive};
use super::compare::{Comparison, compare};
use super::elementwise::{all_constant, column, like, null_column, test_pairs};
use super::signature::{bad_types, boolean, exactly, with_kind};
use crate::cast::{CastMode, bind_cast};
use crate::{
    Arg, BindContext, Bound, CallError, Category, Column, EvalContext, FunctionDef, Kernel,
    RowError, Volatility,
};

macro_rules! comparison {
    ($static:ident, $name:literal, $op:ident, $bind:ident, $doc:literal, $example:expr) => {
        pub(super) static $static: FunctionDef = FunctionDef {
            name: $name,
            aliases: &[],
            category: Category::Comparison,
            signatures: &[concat!("a ", $name, " b → BOOLEAN")],
            doc: $doc,
            examples: &[$example],
            volatility: Volatility::Deterministic,
            bind: |args, ctx| $bind($name, Comparison::$op, args, ctx),
        };
    };
}

comparison!(
    EQUAL,
    "=",
    Equal,
    bind_equality,
    "Tells whether both values are equal; NULL when one is NULL.\nCHAR values are compared with their padding. Text is not compared with numbers.",
    ("1 = 1.0", "true")
);
comparison!(
    NOT_EQUAL,
    "<>",
    NotEqual,
    bind_equality,
    "Tells whether both values differ; NULL when one is NULL.",
    ("'a' <> 'b'", "true")
);
comparison!(
    LESS,
    "<",
    Less,
    bind_order,
    "Tells whether the first value is less; NULL when one is NULL.\nText is ordered by its UTF-16 units.",
    ("'10' < '9'", "true")
);
comparison!(
    LESS_OR_EQUAL,
    "<=",
    LessOrEqual,
    bind_order,
    "Tells whether the first value is not greater; NULL when one is NULL.",
    ("1 <= 1", "true")
);
comparison!(
    GREATER,
    ">",
    Greater,
    bind_order,
    "Tells whether the first value is greater; NULL when one is NULL.",
    ("2 > 1", "true")
);
comparison!(
    GREATER_OR_EQUAL,
    ">=",
    GreaterOrEqual,
    bind_order,
    "Tells whether the first value is not less; NULL when one is NULL.",
    ("2 >= 1", "true")
);

pub(super) static DISTINCT: FunctionDef = FunctionDef {
    name: "IS DISTINCT FROM",
    aliases: &[],
    category: Category::Comparison,
    signatures: &["a IS DISTINCT FROM b → BOOLEAN NOT NULL"],
    doc: "Tells whether both values differ, where NULL equals NULL.",
    examples: &[("1 IS DISTINCT FROM NULL", "true")],
    volatility: Volatility::Deterministic,
    bind: |args, ctx| bind_distinct(true, args, ctx),
};

pub(super) static NOT_DISTINCT: FunctionDef = FunctionDef {
    name: "IS NOT DISTINCT FROM",
    aliases: &[],
    category: Category::Comparison,
    signatures: &["a IS NOT DISTINCT FROM b → BOOLEAN NOT NULL"],
    doc: "Tells whether both values are equal, where NULL equals NULL.",
    examples: &[("NULL IS NOT DISTINCT FROM NULL", "true")],
    volatility: Volatility::Deterministic,
    bind: |args, ctx| bind_distinct(false, args, ctx),
};

/// Tells whether Flink's validator lets the two types meet in a comparison.
pub(super) fn comparable(left: &TypeKind, right: &TypeKind) -> bool {
    use TypeKind::{
        Array, Boolean, Date, IntervalDayTime, IntervalYearMonth, Map, Multiset, Null, Row, Time,
        Timestamp, TimestampLtz,
    };
    let beside_text = |kind: &TypeKind| {
        kind.is_numeric() || kind.is_datetime() || kind.is_interval() || *kind == Boolean
    };
    match (left, right) {
        (Null, _) | (_, Null) => true,
        (a, b) if a.is_character() => b.is_character() || beside_text(b),
        (a, b) if b.is_character() => beside_text(a),
        (a, b) if a.is_binary() || b.is_binary() => a.is_binary() && b.is_binary(),
        (a, b) if a.is_numeric() || b.is_numeric() => a.is_numeric() && b.is_numeric(),
        (Boolean, Boolean) | (Date, Date) | (Time(_), Time(_)) => true,
        (Timestamp(_) | TimestampLtz(_), Timestamp(_) | TimestampLtz(_)) => true,
        (IntervalYearMonth(..), IntervalYearMonth(..))
        | (IntervalDayTime(..), IntervalDayTime(..)) => true,
        (Array(a), Array(b)) | (Multiset(a), Multiset(b)) => comparable(&a.kind, &b.kind),
        (Map(ak, av), Map(bk, bv)) => {
            comparable(&ak.kind, &bk.kind) && comparable(&av.kind, &bv.kind)
        }
        (Row(a), Row(b)) => {
            a.len() == b.len()
                && a.iter()
                    .zip(b)
                    .all(|(a, b)| comparable(&a.ty.kind, &b.ty.kind))
        }
        _ => false,
    }
}

/// How two columns are tested for equality.
#[derive(Clone, Debug)]
enum EqualityPlan {
    /// One is the untyped NULL.
    Unknown,
    /// Values of different kinds, which are never equal.
    Never,
    /// As values of these types.
    Typed(TypeKind, TypeKind),
    /// The text at this index is first converted, and is NULL where it cannot be.
    Converted(usize, Arc<dyn Kernel>, TypeKind),
}

impl EqualityPlan {
    /// Finds the plan, and the types the arguments must have. Without `casts`, values of both sides are compared
    /// as they are, as for the ordering operators.
    fn new(
        name: &str,
        casts: bool,
        args: &[Arg],
        ctx: &BindContext,
    ) -> Result<(Self, Vec<FlinkType>), CallError> {
        let (left, right) = (&args[0].ty, &args[1].ty);
        let as_given = vec![left.clone(), right.clone()];
        if !comparable(&left.kind, &right.kind) {
            return Err(bad_types(name, args));
        }
        if left.kind == TypeKind::Null || right.kind == TypeKind::Null {
            return Ok((Self::Unknown, as_given));
        }
        if left.kind.is_character() == right.kind.is_character() {
            let (l, r) = equality_types(left, right, casts).ok_or_else(|| bad_types(name, args))?;
            let types = vec![with_kind(left, l.clone()), with_kind(right, r.clone())];
            return Ok((Self::Typed(l, r), types));
        }
        let text = usize::from(right.kind.is_character());
        let other = &args[1 - text].ty;
        if other.kind == TypeKind::Boolean {
            return Ok((Self::Never, as_given));
        }
        if !other.kind.is_datetime() {
            return Err(CallError::Argument {
                index: text,
                message: format!(
                    "implicit type conversion between {} and {} is not supported now",
                    left.kind, right.kind
                ),
            });
        }
        let target = other.clone().with_nullable(true);
        if let Some(literal) = &args[text].literal {
            check_literal(literal, &target, text, ctx)?;
        }
        let (convert, _) = bind_cast(&args[text].ty, &target, CastMode::TryCast, ctx)?;
        Ok((Self::Converted(text, convert, target.kind), as_given))
    }

    /// Compares two columns.
    fn evaluate(
        &self,
        op: Comparison,
        args: &[Column],
        rows: usize,
        ctx: &EvalContext,
    ) -> Result<Column, RowError> {
        match self {
            Self::Unknown => Ok(null_column(&DataType::Boolean)),
            Self::Never => test_pairs(args, rows, |_, _| op == Comparison::NotEqual),
            Self::Typed(left, right) => compare(op, left, right, args, rows),
            Self::Converted(text, convert, kind) => {
                let mut pair = [args[0].clone(), args[1].clone()];
                pair[*text] = convert.evaluate(&args[*text..=*text], rows, ctx)?;
                compare(op, kind, kind, &pair, rows)
            }
        }
    }
}

/// Returns the types in which two sides are tested for equality.
fn equality_types(
    left: &FlinkType,
    right: &FlinkType,
    casts: bool,
) -> Option<(TypeKind, TypeKind)> {
    if casts || left.kind == right.kind {
        let common = comparison_type(left, right)?;
        return Some((common.kind.clone(), common.kind));
    }
    match (&left.kind, &right.kind) {
        (TypeKind::Timestamp(_), TypeKind::Timestamp(_))
        | (TypeKind::TimestampLtz(_), TypeKind::TimestampLtz(_)) => None,
        _ => order_types(left, right),
    }
}

/// Refuses a literal that cannot be converted, before the start.
fn check_literal(
    literal: &crate::Literal,
    target: &FlinkType,
    index: usize,
    ctx: &BindContext,
) -> Result<(), CallError> {
    let (convert, _) = bind_cast(&literal.ty, target, CastMode::Implicit, ctx)?;
    let value = [Column::Constant(Arc::clone(&literal.value))];
    let moment = EvalContext { now_ms: 0 };
    match convert.evaluate(&value, 1, &moment) {
        Ok(_) => Ok(()),
        Err(error) => Err(CallError::Argument {
            index,
            message: error.message,
        }),
    }
}

/// `=` and `<>`.
#[derive(Debug)]
struct Equality {
    op: Comparison,
    plan: EqualityPlan,
}

impl Kernel for Equality {
    fn evaluate(
        &self,
        args: &[Column],
        rows: usize,
        ctx: &EvalContext,
    ) -> Result<Column, RowError> {
        self.plan.evaluate(self.op, args, rows, ctx)
    }

    fn can_fail(&self) -> bool {
        false
    }
}

/// Returns BOOLEAN, nullable when an argument is or a row's field.
fn equality_type(args: &[Arg]) -> FlinkType {
    let field_nullable = |arg: &Arg| match &arg.ty.kind {
        TypeKind::Row(fields) => fields.iter().any(|field| field.ty.nullable),
        _ => false,
    };
    let ty = boolean(args);
    let nullable = ty.nullable || args.iter().any(field_nullable);
    ty.with_nullable(nullable)
}

fn bind_equality(
    name: &'static str,
    op: Comparison,
    args: &[Arg],
    ctx: &BindContext,
) -> Result<Bound, CallError> {
    exactly(name, 2, args)?;
    let (plan, arg_types) = EqualityPlan::new(name, true, args, ctx)?;
    Ok(Bound {
        arg_types,
        return_type: equality_type(args),
        kernel: Arc::new(Equality { op, plan }),
    })
}

/// The ordering operators, on two columns of these types.
#[derive(Debug)]
struct Order {
    op: Comparison,
    types: Option<(TypeKind, TypeKind)>,
}

impl Kernel for Order {
    fn evaluate(
        &self,
        args: &[Column],
        rows: usize,
        _ctx: &EvalContext,
    ) -> Result<Column, RowError> {
        match &self.types {
            Some((left, right)) => compare(self.op, left, right, args, rows),
            None => Ok(null_column(&DataType::Boolean)),
        }
    }

    fn can_fail(&self) -> bool {
        false
    }
}

fn bind_order(
    name: &'static str,
    op: Comparison,
    args: &[Arg],
    _ctx: &BindContext,
) -> Result<Bound, CallError> {
    exactly(name, 2, args)?;
    let (left, right) = (&args[0].ty, &args[1].ty);
    let refused = || bad_types(name, args);
    if !comparable(&left.kind, &right.kind) || left.kind.is_constructed() {
        return Err(refused());
    }
    let (types, arg_types) = if left.kind == TypeKind::Null || right.kind == TypeKind::Null {
        (None, vec![left.clone(), right.clone()])
    } else {
        let (l, r) = order_types(left, right).ok_or_else(refused)?;
        let arg_types = vec![with_kind(left, l.clone()), with_kind(right, r.clone())];
        (Some((l, r)), arg_types)
    };
    Ok(Bound {
        arg_types,
        return_type: boolean(args),
        kernel: Arc::new(Order { op, types }),
    })
}

/// Returns the types in which two sides are put in order.
fn order_types(left: &FlinkType, right: &FlinkType) -> Option<(TypeKind, TypeKind)> {
    let both = |kind: TypeKind| Some((kind.clone(), kind));
    match (&left.kind, &right.kind) {
        (l, r) if l.is_character() != r.is_character() => {
            let other = if l.is_character() { right } else { left };
            if !other.kind.is_numeric() {
                return both(other.kind.clone());
            }
            both(least_restrictive(&[other.clone(), TypeKind::BigInt.nullable()])?.kind)
        }
        (l, r) if l.is_numeric() => both_numbers(l, r),
        (TypeKind::Timestamp(_), TypeKind::TimestampLtz(_))
        | (TypeKind::TimestampLtz(_), TypeKind::Timestamp(_)) => None,
        _ => both(common_type(&[left.clone(), right.clone()])?.kind),
    }
}

/// Numbers are compared as Java compares them, decimals exactly.
fn both_numbers(left: &TypeKind, right: &TypeKind) -> Option<(TypeKind, TypeKind)> {
    let both = |kind: TypeKind| Some((kind.clone(), kind));
    let decimal = |kind: &TypeKind| {
        super::decimal_types::of(kind).map(|(p, s)| super::decimal_types::decimal(p, s))
    };
    let is_decimal = |kind: &TypeKind| matches!(kind, TypeKind::Decimal(..));
    if left.is_approximate() || right.is_approximate() {
        let single = |kind: &TypeKind| *kind == TypeKind::Float || kind.is_integer();
        return both(if single(left) && single(right) {
            TypeKind::Float
        } else {
            TypeKind::Double
        });
    }
    if is_decimal(left) || is_decimal(right) {
        return Some((decimal(left)?, decimal(right)?));
    }
    both(common_type(&[left.clone().nullable(), right.clone().nullable()])?.kind)
}

/// `IS [NOT] DISTINCT FROM`.
#[derive(Debug)]
struct Distinct {
    plan: EqualityPlan,
    distinct: bool,
}

impl Kernel for Distinct {
    fn evaluate(
        &self,
        args: &[Column],
        rows: usize,
        ctx: &EvalContext,
    ) -> Result<Column, RowError> {
        let equal = self.plan.evaluate(Comparison::Equal, args, rows, ctx)?;
        let test = |row: usize| {
            let (left_null, right_null) = (args[0].is_null(row), args[1].is_null(row));
            let same = if left_null || right_null {
                left_null && right_null
            } else {
                !equal.is_null(row) && equal.array().as_boolean().value(equal.index(row))
            };
            same != self.distinct
        };
        column(args, rows, |rows| {
            let values = BooleanBuffer::collect_bool(rows, test);
            Ok(Arc::new(BooleanArray::new(values, None)))
        })
    }

    fn can_fail(&self) -> bool {
        false
    }
}

fn bind_distinct(distinct: bool, args: &[Arg], ctx: &BindContext) -> Result<Bound, CallError> {
    let name = if distinct {
        "IS DISTINCT FROM"
    } else {
        "IS NOT DISTINCT FROM"
    };
    exactly(name, 2, args)?;
    let (plan, arg_types) = EqualityPlan::new(name, false, args, ctx)?;
    Ok(Bound {
        arg_types,
        return_type: TypeKind::Boolean.not_null(),
        kernel: Arc::new(Distinct { plan, distinct }),
    })
}

/// Returns the boolean column with NULL where the other has none to say; used by IN.
pub(super) fn or_unknown(left: &Column, right: &Column, rows: usize) -> Column {
    let pair = [left.clone(), right.clone()];
    if all_constant(&pair) {
        let value = super::logic::or_arrays(&pair[0], &pair[1], 1);
        return like(left, value);
    }
    Column::Array(super::logic::or_arrays(left, right, rows))
}
