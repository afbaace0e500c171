//! Operators through the registry: types, NULLs, constants and arrays.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Decimal128Array, Int32Array, StringViewArray, new_null_array};
use jiff::tz::TimeZone;
use millrace_connector::physical::arrow_type;
use millrace_connector::{FlinkType, TypeKind};

use crate::cast::print::Printer;
use crate::cast::{CastMode, bind_cast};
use crate::{Arg, BindContext, Column, EvalContext, Literal, registry};

const MOMENT: EvalContext = EvalContext { now_ms: 0 };

/// Text of a value of a type, or NULL.
type Value<'a> = (TypeKind, Option<&'a str>);

fn context() -> BindContext {
    BindContext {
        session_tz: TimeZone::UTC,
        legacy_cast: false,
        ..BindContext::default()
    }
}

fn array(value: &Value<'_>) -> ArrayRef {
    let text: ArrayRef = Arc::new(StringViewArray::from(vec![value.1]));
    if value.1.is_none() {
        return new_null_array(&arrow_type(&value.0), 1);
    }
    let to = value.0.clone().nullable();
    let (kernel, _) = bind_cast(&FlinkType::string(), &to, CastMode::Implicit, &context())
        .expect("text casts to all types");
    let column = kernel.evaluate(&[Column::Array(text)], 1, &MOMENT);
    Arc::clone(column.expect("valid text").array())
}

/// Evaluates a call over columns, or over literals, and returns `type = value`.
fn call(name: &str, values: &[Value<'_>], literals: bool) -> Result<String, String> {
    let ctx = context();
    let args: Vec<Arg> = values
        .iter()
        .map(|value| {
            let ty = value.0.clone().nullable();
            let literal = literals.then(|| Literal {
                ty: ty.clone(),
                value: array(value),
            });
            Arg { ty, literal }
        })
        .collect();
    let def = registry::lookup(name).expect("it is registered");
    let bound = (def.bind)(&args, &ctx).map_err(|error| error.to_string())?;
    let mut columns = Vec::new();
    for ((value, arg), to) in values.iter().zip(&args).zip(&bound.arg_types) {
        let column = if literals {
            Column::Constant(array(value))
        } else {
            Column::Array(array(value))
        };
        let (kernel, _) =
            bind_cast(&arg.ty, to, CastMode::Implicit, &ctx).map_err(|error| error.to_string())?;
        columns.push(
            kernel
                .evaluate(&[column], 1, &MOMENT)
                .map_err(|e| e.message)?,
        );
    }
    let result = bound
        .kernel
        .evaluate(&columns, 1, &MOMENT)
        .map_err(|error| error.message)?;
    let mut text = format!("{} = ", bound.return_type.kind);
    if result.is_null(0) {
        text.push_str("NULL");
    } else {
        Printer::new(&bound.return_type, &ctx.session_tz).print(result.array(), 0, &mut text);
    }
    Ok(text)
}

#[track_caller]
fn check(name: &str, values: &[Value<'_>], expect: Result<&str, &str>) {
    let expect = expect.map(str::to_owned).map_err(str::to_owned);
    assert_eq!(call(name, values, false), expect, "over columns");
    assert_eq!(call(name, values, true), expect, "over literals");
}

use TypeKind::{
    BigInt, Boolean, Date, Decimal, Double, Float, Int, Time, Timestamp, TimestampLtz, TinyInt,
    Varchar,
};

#[test]
fn arithmetic_follows_the_types() {
    check(
        "+",
        &[(Int, Some("2147483647")), (Int, Some("1"))],
        Ok("INT = -2147483648"),
    );
    check(
        "+",
        &[(TinyInt, Some("127")), (TinyInt, Some("1"))],
        Ok("TINYINT = -128"),
    );
    check(
        "%",
        &[(BigInt, Some("7")), (TinyInt, Some("4"))],
        Ok("TINYINT = 3"),
    );
    check("/", &[(Int, Some("7")), (Int, Some("0"))], Err("/ by zero"));
    check("/", &[(Int, None), (Int, Some("0"))], Ok("INT = NULL"));
    check(
        "+",
        &[(Float, Some("1.1")), (Double, Some("0"))],
        Ok("FLOAT = 1.1"),
    );
    check(
        "-",
        &[(Double, Some("2.5")), (Float, Some("1.1"))],
        Ok("DOUBLE = 1.399999976158142"),
    );
    check(
        "*",
        &[(Int, Some("7")), (Decimal(5, 0), Some("7"))],
        Ok("DECIMAL(16, 0) = 49"),
    );
    check(
        "/",
        &[(Decimal(10, 2), Some("1")), (Decimal(10, 2), Some("3"))],
        Ok("DECIMAL(23, 13) = 0.3333333333333"),
    );
    check(
        "+",
        &[(Int, Some("1")), (Varchar(5), Some("1"))],
        Err("'+' does not take (INT, VARCHAR(5))"),
    );
}

#[test]
fn comparison_converts_text_as_flink_does() {
    check(
        "<",
        &[(Int, Some("10")), (Varchar(5), Some("9"))],
        Ok("BOOLEAN = FALSE"),
    );
    check(
        "=",
        &[(Int, Some("1")), (Varchar(5), Some("1"))],
        Err("implicit type conversion between INT and VARCHAR(5) is not supported now"),
    );
    check(
        "=",
        &[(Boolean, Some("true")), (Varchar(5), Some("true"))],
        Ok("BOOLEAN = FALSE"),
    );
    check(
        "<",
        &[(Date, Some("2024-01-02")), (Varchar(5), Some("bad"))],
        Err("For input string: 'bad'."),
    );
    check(
        "<",
        &[(Date, Some("2024-01-02")), (Timestamp(3), None)],
        Err("'<' does not take (DATE, TIMESTAMP(3))"),
    );
    check(
        "=",
        &[(Float, Some("0.1")), (Double, Some("0.1"))],
        Ok("BOOLEAN = TRUE"),
    );
    check(
        "=",
        &[(Double, Some("NaN")), (Double, Some("NaN"))],
        Ok("BOOLEAN = FALSE"),
    );
    check(
        "IS NOT DISTINCT FROM",
        &[(Int, None), (Int, None)],
        Ok("BOOLEAN = TRUE"),
    );
    check(
        "=",
        &[
            (Varchar(30), Some("longer than a view")),
            (Varchar(30), Some("longer than a view")),
        ],
        Ok("BOOLEAN = TRUE"),
    );
    // Over columns text that is no date is unknown; over literals it is refused.
    let pair = [(Date, Some("2024-01-02")), (Varchar(5), Some("bad"))];
    assert_eq!(call("=", &pair, false), Ok("BOOLEAN = NULL".to_owned()));
    assert_eq!(
        call("=", &pair, true),
        Err("For input string: 'bad'.".to_owned())
    );
}

#[test]
fn in_casts_to_the_left_side() {
    check(
        "IN",
        &[
            (Int, Some("5")),
            (Decimal(2, 1), Some("1.0")),
            (Decimal(2, 1), Some("5.5")),
        ],
        Ok("BOOLEAN = TRUE"),
    );
    check(
        "IN",
        &[(Int, Some("2")), (Int, Some("1")), (Int, None)],
        Ok("BOOLEAN = NULL"),
    );
    check(
        "IN",
        &[(Int, Some("1")), (Int, Some("1")), (Int, None)],
        Ok("BOOLEAN = TRUE"),
    );
    let many: Vec<String> = (0..20).map(|i| format!("word number {i}")).collect();
    let mut values = vec![(Varchar(20), Some("word number 7"))];
    values.extend(many.iter().map(|word| (Varchar(20), Some(word.as_str()))));
    check("IN", &values, Ok("BOOLEAN = TRUE"));
    values[0].1 = Some("other");
    check("IN", &values, Ok("BOOLEAN = FALSE"));
    values.push((Varchar(20), None));
    check("IN", &values, Ok("BOOLEAN = NULL"));
}

#[test]
fn three_valued_logic() {
    let bool = |text| (Boolean, text);
    let (yes, no, unknown) = (Some("true"), Some("false"), None);
    check("AND", &[bool(yes), bool(unknown)], Ok("BOOLEAN = NULL"));
    check("AND", &[bool(no), bool(unknown)], Ok("BOOLEAN = FALSE"));
    check("OR", &[bool(yes), bool(unknown)], Ok("BOOLEAN = TRUE"));
    check("OR", &[bool(no), bool(unknown)], Ok("BOOLEAN = NULL"));
    check("NOT", &[bool(unknown)], Ok("BOOLEAN = NULL"));
    check("IS NOT TRUE", &[bool(unknown)], Ok("BOOLEAN = TRUE"));
    check("IS FALSE", &[bool(unknown)], Ok("BOOLEAN = FALSE"));
    check("IS NULL", &[bool(unknown)], Ok("BOOLEAN = TRUE"));
    check("IS NOT NULL", &[bool(yes)], Ok("BOOLEAN = TRUE"));
}

#[test]
fn datetimes_move_by_intervals() {
    let months = TypeKind::IntervalYearMonth(millrace_connector::YearMonthResolution::Month, 2);
    let ctx = context();
    let shift = |name: &str, kind: TypeKind, text: &str, interval: Column| {
        let args: Vec<Arg> = [kind.clone(), months.clone()]
            .map(|kind| Arg {
                ty: kind.nullable(),
                literal: None,
            })
            .to_vec();
        let bound = (registry::lookup(name).expect("registered").bind)(&args, &ctx).expect("binds");
        let datetime = Column::Array(array(&(kind, Some(text))));
        let result = bound.kernel.evaluate(&[datetime, interval], 1, &MOMENT);
        let result = result.expect("cannot fail");
        let mut out = String::new();
        Printer::new(&bound.return_type, &ctx.session_tz).print(result.array(), 0, &mut out);
        out
    };
    let one = || Column::Constant(Arc::new(Int32Array::from(vec![1])));
    assert_eq!(shift("+", Date, "2024-01-31", one()), "2024-02-29");
    assert_eq!(shift("-", Date, "2024-03-31", one()), "2024-02-29");
    assert_eq!(shift("+", Time(0), "23:30:00", one()), "23:30:00");
    assert_eq!(
        shift("+", Timestamp(9), "2023-12-31 01:02:03.000000004", one()),
        "2024-01-31 01:02:03.000000004"
    );
    assert_eq!(
        shift("+", TimestampLtz(3), "2024-01-31 01:02:03", one()),
        "2024-02-29 01:02:03.000"
    );
}

#[test]
fn arrays_and_constants_mix() {
    let def = registry::lookup("-").expect("registered");
    let arg = || Arg {
        ty: Decimal(5, 2).nullable(),
        literal: None,
    };
    let bound = (def.bind)(&[arg(), arg()], &context()).expect("binds");
    let values = Decimal128Array::from(vec![Some(100), None, Some(-250)])
        .with_data_type(arrow_type(&Decimal(5, 2)));
    let one = Decimal128Array::from(vec![Some(50)]).with_data_type(arrow_type(&Decimal(5, 2)));
    let args = [
        Column::Array(Arc::new(values)),
        Column::Constant(Arc::new(one)),
    ];
    let result = bound
        .kernel
        .evaluate(&args, 3, &MOMENT)
        .expect("cannot fail");
    assert_eq!(result.array().len(), 3);
    let mut out = String::new();
    let utc = TimeZone::UTC;
    let printer = Printer::new(&bound.return_type, &utc);
    printer.print(result.array(), 0, &mut out);
    out.push(' ');
    printer.print(result.array(), 2, &mut out);
    assert_eq!(out, "0.50 -3.00");
    assert!(result.is_null(1));
}
