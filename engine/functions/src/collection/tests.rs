//! Calls over a column of arrays of texts: `[a, b, a]`, NULL, `[]`, `[NULL, c]`.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, Int32Array, ListArray, StringViewArray};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::DataType;
use millrace_connector::physical::arrow_type;
use millrace_connector::{FlinkType, TypeKind};

use crate::{Arg, BindContext, Column, EvalContext, Literal};

fn texts_type() -> FlinkType {
    TypeKind::Array(Box::new(FlinkType::string())).nullable()
}

fn lists() -> ArrayRef {
    let values = StringViewArray::from(vec![Some("a"), Some("b"), Some("a"), None, Some("c")]);
    let DataType::List(field) = arrow_type(&texts_type().kind) else {
        panic!("not a list");
    };
    let offsets = OffsetBuffer::from_lengths([3, 0, 0, 2]);
    let nulls = NullBuffer::from(vec![true, false, true, true]);
    Arc::new(ListArray::new(
        field,
        offsets,
        Arc::new(values),
        Some(nulls),
    ))
}

fn literal(ty: TypeKind, value: ArrayRef) -> (Arg, Column) {
    let ty = ty.not_null();
    let literal = Some(Literal {
        ty: ty.clone(),
        value: Arc::clone(&value),
    });
    (Arg { ty, literal }, Column::Constant(value))
}

fn text(value: &str) -> (Arg, Column) {
    literal(
        TypeKind::Char(1),
        Arc::new(StringViewArray::from(vec![value])),
    )
}

fn int(value: i32) -> (Arg, Column) {
    literal(TypeKind::Int, Arc::new(Int32Array::from(vec![value])))
}

fn column() -> (Arg, Column) {
    let arg = Arg {
        ty: texts_type(),
        literal: None,
    };
    (arg, Column::Array(lists()))
}

fn show(array: &dyn Array, row: usize) -> String {
    if array.is_null(row) {
        return "NULL".to_owned();
    }
    if let Some(list) = array.as_list_opt::<i32>() {
        let elements = list.value(row);
        let shown: Vec<String> = (0..elements.len()).map(|at| show(&elements, at)).collect();
        return format!("[{}]", shown.join(","));
    }
    if let Some(ints) = array.as_primitive_opt::<Int32Type>() {
        return ints.value(row).to_string();
    }
    match array.as_string_view_opt() {
        Some(texts) => texts.value(row).to_owned(),
        None => array.as_boolean().value(row).to_string(),
    }
}

fn run(name: &str, args: Vec<(Arg, Column)>) -> (String, [String; 4]) {
    let def = super::FUNCTIONS
        .iter()
        .chain(super::LATER_FUNCTIONS)
        .find(|def| def.name == name)
        .unwrap();
    let ctx = BindContext {
        session_tz: jiff::tz::TimeZone::UTC,
        legacy_cast: false,
        ..BindContext::default()
    };
    let (args, columns): (Vec<Arg>, Vec<Column>) = args.into_iter().unzip();
    let bound = (def.bind)(&args, &ctx).unwrap_or_else(|error| panic!("{name}: {error}"));
    let result = bound
        .kernel
        .evaluate(&columns, 4, &EvalContext { now_ms: 0 })
        .unwrap();
    let shown = std::array::from_fn(|row| show(result.array(), result.index(row)));
    assert_eq!(
        result.array().data_type(),
        &arrow_type(&bound.return_type.kind)
    );
    (bound.return_type.to_string(), shown)
}

fn check(name: &str, args: Vec<(Arg, Column)>, expected: [&str; 4]) {
    assert_eq!(run(name, args).1, expected, "{name}");
}

#[test]
fn array_functions_keep_null_arrays_and_null_elements_apart() {
    check("CARDINALITY", vec![column()], ["3", "NULL", "0", "2"]);
    check("ITEM", vec![column(), int(2)], ["b", "NULL", "NULL", "c"]);
    check(
        "ARRAY_CONTAINS",
        vec![column(), text("c")],
        ["false", "NULL", "false", "true"],
    );
    check(
        "ARRAY_DISTINCT",
        vec![column()],
        ["[a,b]", "NULL", "[]", "[NULL,c]"],
    );
    check(
        "ARRAY_REVERSE",
        vec![column()],
        ["[a,b,a]", "NULL", "[]", "[c,NULL]"],
    );
    check(
        "ARRAY_POSITION",
        vec![column(), text("a")],
        ["1", "NULL", "0", "0"],
    );
    check(
        "ARRAY_REMOVE",
        vec![column(), text("a")],
        ["[b]", "NULL", "[]", "[NULL,c]"],
    );
    check(
        "ARRAY_APPEND",
        vec![column(), text("z")],
        ["[a,b,a,z]", "NULL", "[z]", "[NULL,c,z]"],
    );
    check(
        "ARRAY_PREPEND",
        vec![column(), text("z")],
        ["[z,a,b,a]", "NULL", "[z]", "[z,NULL,c]"],
    );
    check(
        "ARRAY_SLICE",
        vec![column(), int(-2)],
        ["[b,a]", "NULL", "[]", "[NULL,c]"],
    );
    check(
        "ARRAY_SLICE",
        vec![column(), int(2), int(2)],
        ["[b]", "NULL", "[]", "[c]"],
    );
    check(
        "ARRAY_UNION",
        vec![column(), column()],
        ["[a,b]", "NULL", "[]", "[NULL,c]"],
    );
    check(
        "ARRAY_EXCEPT",
        vec![column(), column()],
        ["[]", "NULL", "[]", "[]"],
    );
    check(
        "ARRAY_INTERSECT",
        vec![column(), column()],
        ["[a,b]", "NULL", "[]", "[NULL,c]"],
    );
    check(
        "ARRAY_JOIN",
        vec![column(), text("-")],
        ["a-b-a", "NULL", "", "c"],
    );
    check(
        "ARRAY_JOIN",
        vec![column(), text("-"), text("?")],
        ["a-b-a", "NULL", "", "?-c"],
    );
}

#[test]
fn missing_value_of_a_not_null_type_is_its_default() {
    let (ty, shown) = run("ARRAY", vec![int(1), int(2)]);
    assert_eq!(
        (ty.as_str(), shown[0].as_str()),
        ("ARRAY<INT NOT NULL> NOT NULL", "[1,2]")
    );
    let map = || vec![text("a"), int(1), text("a"), int(2)];
    let def = super::FUNCTIONS
        .iter()
        .find(|def| def.name == "MAP")
        .unwrap();
    let ctx = BindContext {
        session_tz: jiff::tz::TimeZone::UTC,
        legacy_cast: false,
        ..BindContext::default()
    };
    let (args, columns): (Vec<Arg>, Vec<Column>) = map().into_iter().unzip();
    let bound = (def.bind)(&args, &ctx).unwrap();
    let value = bound
        .kernel
        .evaluate(&columns, 4, &EvalContext { now_ms: 0 })
        .unwrap();
    let map = Arg {
        ty: bound.return_type,
        literal: None,
    };
    for (key, expected) in [("a", "2"), ("z", "NULL")] {
        let args = vec![(map.clone(), value.clone()), text(key)];
        let (ty, shown) = run("ITEM", args);
        assert_eq!((ty.as_str(), shown[3].as_str()), ("INT", expected));
    }
    let keys = run("MAP_KEYS", vec![(map, value)]);
    assert_eq!(
        (keys.0.as_str(), keys.1[0].as_str()),
        ("ARRAY<CHAR(1) NOT NULL> NOT NULL", "[a]")
    );
}
