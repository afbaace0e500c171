//! Casts over whole arrays: NULLs, failures, zero copies and elements.

use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, Int64Array, ListArray, StringViewArray};
use jiff::tz::TimeZone;
use millrace_connector::{FlinkType, TypeKind};

use super::print::Printer;
use super::{CastMode, bind_cast, can_implicitly_cast};
use crate::{BindContext, Column, EvalContext};

fn context() -> BindContext {
    BindContext {
        session_tz: TimeZone::get("Asia/Shanghai").expect("bundled"),
        legacy_cast: false,
        ..BindContext::default()
    }
}

/// Casts an array and prints what comes out, a value a line.
fn cast(
    array: ArrayRef,
    from: TypeKind,
    to: TypeKind,
    mode: CastMode,
) -> Result<Vec<String>, String> {
    let ctx = context();
    let (kernel, result) = bind_cast(&from.nullable(), &to.nullable(), mode, &ctx)
        .map_err(|error| error.to_string())?;
    let rows = array.len();
    let column = kernel
        .evaluate(&[Column::Array(array)], rows, &EvalContext { now_ms: 0 })
        .map_err(|error| format!("row {}: {}", error.row, error.message))?;
    let printer = Printer::new(&result, &ctx.session_tz);
    Ok((0..rows)
        .map(|row| {
            let mut out = String::new();
            if column.is_null(row) {
                out.push_str("NULL");
            } else {
                printer.print(column.array(), row, &mut out);
            }
            out
        })
        .collect())
}

fn texts(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringViewArray::from(values.to_vec()))
}

const STRING: TypeKind = TypeKind::Varchar(millrace_connector::LENGTH_MAX);

#[test]
fn reports_the_first_row_that_fails() {
    let input = texts(&[Some("1"), None, Some("x"), Some("y")]);
    let failed = cast(Arc::clone(&input), STRING, TypeKind::Int, CastMode::Cast);
    assert_eq!(
        failed,
        Err("row 2: For input string: 'x'. Invalid character found.".to_owned())
    );
    let tried = cast(input, STRING, TypeKind::Int, CastMode::TryCast);
    assert_eq!(
        tried,
        Ok(["1", "NULL", "NULL", "NULL"].map(String::from).to_vec())
    );
}

#[test]
fn goes_through_the_session_zone() {
    let input = texts(&[Some("1900-01-01 00:00:00"), Some("2024-01-02 03:04:05.678")]);
    let instants = cast(input, STRING, TypeKind::TimestampLtz(9), CastMode::Cast);
    assert_eq!(
        instants,
        Ok([
            "1900-01-01 00:00:00.000000000",
            "2024-01-02 03:04:05.678000000"
        ]
        .map(String::from)
        .to_vec())
    );
}

#[test]
fn keeps_text_that_fits() {
    let input = texts(&[Some("ab"), None, Some("中文字")]);
    let (kernel, _) = bind_cast(
        &FlinkType::string(),
        &TypeKind::Varchar(3).nullable(),
        CastMode::Cast,
        &context(),
    )
    .expect("text to text");
    let output = kernel
        .evaluate(
            &[Column::Array(Arc::clone(&input))],
            3,
            &EvalContext { now_ms: 0 },
        )
        .expect("cannot fail");
    assert!(Arc::ptr_eq(output.array(), &input));
    assert_eq!(
        cast(input, STRING, TypeKind::Char(2), CastMode::Cast),
        Ok(["ab", "NULL", "中文"].map(String::from).to_vec())
    );
}

#[test]
fn casts_elements_and_names_the_row() {
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>(vec![
        Some(vec![Some(1), None]),
        None,
        Some(vec![]),
    ]);
    let ints = TypeKind::Array(Box::new(TypeKind::Int.nullable()));
    let printed = cast(Arc::new(list.clone()), ints.clone(), STRING, CastMode::Cast);
    assert_eq!(
        printed,
        Ok(["[1, NULL]", "NULL", "[]"].map(String::from).to_vec())
    );
    let strings = TypeKind::Array(Box::new(FlinkType::string()));
    let cast_list = cast(
        Arc::new(list),
        ints.clone(),
        strings.clone(),
        CastMode::Cast,
    );
    assert_eq!(
        cast_list,
        Ok(["[1, NULL]", "NULL", "[]"].map(String::from).to_vec())
    );

    let offsets = arrow_buffer::OffsetBuffer::new(vec![0, 1, 3].into());
    let arrow_schema::DataType::List(field) = millrace_connector::physical::arrow_type(&strings)
    else {
        panic!("an ARRAY is a list");
    };
    let words = texts(&[Some("1"), Some("2"), Some("x")]);
    let words: ArrayRef = Arc::new(ListArray::new(field, offsets, words, None));
    let failed = cast(
        Arc::clone(&words),
        strings.clone(),
        ints.clone(),
        CastMode::Cast,
    );
    assert_eq!(
        failed,
        Err("row 1: For input string: 'x'. Invalid character found.".to_owned())
    );
    let tried = cast(words, strings, ints, CastMode::TryCast);
    assert_eq!(tried, Ok(["[1]", "NULL"].map(String::from).to_vec()));
}

#[test]
fn refuses_what_flink_refuses() {
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let refused = cast(numbers, TypeKind::BigInt, TypeKind::Date, CastMode::Cast);
    assert_eq!(
        refused,
        Err("Cast function cannot convert value of type BIGINT to type DATE".to_owned())
    );
    let implicit =
        |from: TypeKind, to: TypeKind| can_implicitly_cast(&from.nullable(), &to.nullable());
    assert!(implicit(TypeKind::BigInt, TypeKind::Decimal(3, 1)));
    assert!(implicit(TypeKind::Timestamp(9), TypeKind::Date));
    assert!(!implicit(TypeKind::TimestampLtz(3), TypeKind::Date));
    assert!(!implicit(STRING, TypeKind::Char(5)));
    assert!(!implicit(TypeKind::Int, STRING));
}
