//! Numeric functions through the registry.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, Decimal128Array, Float32Array, Float64Array, Int8Array, Int32Array, StringViewArray,
};
use jiff::tz::TimeZone;
use millrace_connector::TypeKind;
use millrace_connector::physical::arrow_type;

use crate::cast::print::Printer;
use crate::cast::{CastMode, bind_cast};
use crate::{Arg, BindContext, Column, EvalContext, Literal, registry};

fn call(name: &str, args: &[(TypeKind, ArrayRef)]) -> Result<String, String> {
    let ctx = BindContext {
        session_tz: TimeZone::UTC,
        legacy_cast: false,
        ..BindContext::default()
    };
    let bound_args: Vec<Arg> = args
        .iter()
        .map(|(kind, value)| Arg {
            ty: kind.clone().not_null(),
            literal: Some(Literal {
                ty: kind.clone().not_null(),
                value: Arc::clone(value),
            }),
        })
        .collect();
    let def = registry::lookup(name).expect("registered");
    let bound = (def.bind)(&bound_args, &ctx).map_err(|error| error.to_string())?;
    let moment = EvalContext { now_ms: 0 };
    let mut columns = Vec::new();
    for (arg, to) in bound_args.iter().zip(&bound.arg_types) {
        let value = arg
            .literal
            .as_ref()
            .map(|literal| Arc::clone(&literal.value));
        let value = Column::Constant(value.expect("all are literals"));
        let (kernel, _) = bind_cast(&arg.ty, to, CastMode::Implicit, &ctx).expect("casts");
        columns.push(kernel.evaluate(&[value], 1, &moment).expect("cannot fail"));
    }
    let result = bound
        .kernel
        .evaluate(&columns, 1, &moment)
        .map_err(|error| error.message)?;
    let mut text = format!("{} = ", bound.return_type);
    Printer::new(&bound.return_type, &ctx.session_tz).print(result.array(), 0, &mut text);
    Ok(text)
}

fn int(value: i32) -> (TypeKind, ArrayRef) {
    (TypeKind::Int, Arc::new(Int32Array::from(vec![value])))
}

fn double(value: f64) -> (TypeKind, ArrayRef) {
    (TypeKind::Double, Arc::new(Float64Array::from(vec![value])))
}

fn decimal(value: i128, precision: u8, scale: u8) -> (TypeKind, ArrayRef) {
    let kind = TypeKind::Decimal(precision, scale);
    let array = Decimal128Array::from(vec![value]).with_data_type(arrow_type(&kind));
    (kind, Arc::new(array))
}

#[test]
fn answers_as_flink_does() {
    let float = |v: f32| {
        (
            TypeKind::Float,
            Arc::new(Float32Array::from(vec![v])) as ArrayRef,
        )
    };
    let tiny = |v: i8| {
        (
            TypeKind::TinyInt,
            Arc::new(Int8Array::from(vec![v])) as ArrayRef,
        )
    };
    let text = |v: &str| {
        (
            TypeKind::Varchar(9),
            Arc::new(StringViewArray::from(vec![v])) as ArrayRef,
        )
    };
    for (name, args, expect) in [
        (
            "ROUND",
            vec![int(i32::MAX), int(-1)],
            "INT NOT NULL = -2147483646",
        ),
        ("ROUND", vec![tiny(-128), int(-1)], "TINYINT NOT NULL = 126"),
        ("ROUND", vec![float(1.55), int(1)], "FLOAT NOT NULL = 1.5"),
        ("ROUND", vec![double(-0.0)], "DOUBLE NOT NULL = 0.0"),
        (
            "ROUND",
            vec![double(12345.678), int(-2)],
            "DOUBLE NOT NULL = 12300.0",
        ),
        (
            "ROUND",
            vec![decimal(-155, 10, 2), int(1)],
            "DECIMAL(10, 1) NOT NULL = -1.6",
        ),
        (
            "ROUND",
            vec![decimal(12_345_678, 12, 3), int(-2)],
            "DECIMAL(10, 0) NOT NULL = 12300",
        ),
        (
            "TRUNCATE",
            vec![double(44.999), int(2)],
            "DOUBLE NOT NULL = 44.99",
        ),
        (
            "TRUNCATE",
            vec![decimal(-155, 10, 2)],
            "DECIMAL(9, 0) NOT NULL = -1",
        ),
        (
            "FLOOR",
            vec![decimal(-155, 10, 2)],
            "DECIMAL(10, 0) NOT NULL = -2",
        ),
        (
            "CEILING",
            vec![decimal(-155, 10, 2)],
            "DECIMAL(10, 0) NOT NULL = -1",
        ),
        (
            "SIGN",
            vec![decimal(-155, 10, 2)],
            "DECIMAL(10, 2) NOT NULL = -1.00",
        ),
        ("ABS", vec![int(i32::MIN)], "INT NOT NULL = -2147483648"),
        ("BIN", vec![int(5)], "VARCHAR(2147483647) NOT NULL = 101"),
        (
            "HEX",
            vec![int(-15)],
            "VARCHAR(2147483647) NOT NULL = FFFFFFFFFFFFFFF1",
        ),
        (
            "HEX",
            vec![text("中")],
            "VARCHAR(2147483647) NOT NULL = E4B8AD",
        ),
        (
            "LOG",
            vec![double(10.0), double(2.0)],
            "DOUBLE NOT NULL = 0.30102999566398114",
        ),
        ("GREATEST", vec![int(1), int(3), int(2)], "INT NOT NULL = 3"),
        (
            "LEAST",
            vec![text("b"), text("B")],
            "VARCHAR(9) NOT NULL = B",
        ),
        (
            "GREATEST",
            vec![double(f64::NAN), double(1.0)],
            "DOUBLE NOT NULL = NaN",
        ),
    ] {
        assert_eq!(call(name, &args).as_deref(), Ok(expect), "{name}");
    }
    assert_eq!(
        call("ROUND", &[double(f64::NAN)]),
        Err("Infinite or NaN".to_owned())
    );
    assert_eq!(
        call("BIN", &[double(1.0)]),
        Err("'BIN' does not take (DOUBLE)".to_owned())
    );
}
