//! Calls by name, with what Flink 1.17.2 answers; each is bound and run with literals and with columns.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, Int32Array, StringViewArray};
use millrace_connector::{FlinkType, TypeKind};

use crate::{Arg, BindContext, CallError, Column, EvalContext, FunctionDef, Literal, RowError};

#[derive(Clone, Copy, Debug)]
enum Value {
    Text(&'static str),
    Int(i32),
    NullText,
}

use Value::{Int, NullText, Text};

impl Value {
    fn array(self, rows: usize) -> ArrayRef {
        match self {
            Text(text) => Arc::new(StringViewArray::from(vec![text; rows])),
            Int(value) => Arc::new(Int32Array::from(vec![value; rows])),
            NullText => Arc::new(StringViewArray::new_null(rows)),
        }
    }

    fn arg(self, literal: bool) -> Arg {
        let ty = match self {
            Text(text) if literal => {
                let length = u32::try_from(text.encode_utf16().count()).unwrap();
                TypeKind::Char(length).not_null()
            }
            Text(_) | NullText => FlinkType::string(),
            Int(_) => TypeKind::Int.nullable().with_nullable(!literal),
        };
        let literal = literal.then(|| Literal {
            ty: ty.clone(),
            value: self.array(1),
        });
        Arg { ty, literal }
    }
}

#[derive(Debug)]
enum Failure {
    Call,
    Row,
}

impl From<CallError> for Failure {
    fn from(_: CallError) -> Self {
        Self::Call
    }
}

impl From<RowError> for Failure {
    fn from(_: RowError) -> Self {
        Self::Row
    }
}

const ROWS: usize = 3;

fn call(name: &str, args: &[Value], literal: bool) -> Result<(String, Option<String>), Failure> {
    let def: &FunctionDef = super::FUNCTIONS
        .iter()
        .chain(super::LATER_FUNCTIONS)
        .find(|def| def.name == name)
        .unwrap();
    let ctx = BindContext {
        session_tz: jiff::tz::TimeZone::UTC,
        legacy_cast: false,
        ..BindContext::default()
    };
    let described: Vec<Arg> = args.iter().map(|arg| arg.arg(literal)).collect();
    let bound = (def.bind)(&described, &ctx)?;
    let columns: Vec<Column> = args
        .iter()
        .map(|arg| match literal {
            true => Column::Constant(arg.array(1)),
            false => Column::Array(arg.array(ROWS)),
        })
        .collect();
    let result = bound
        .kernel
        .evaluate(&columns, ROWS, &EvalContext { now_ms: 0 })?;
    assert_eq!(result.array().len(), if literal { 1 } else { ROWS });
    let last = result.index(ROWS - 1);
    let array = result.array();
    let value = array.is_valid(last).then(|| {
        if let Some(texts) = array.as_string_view_opt() {
            texts.value(last).to_owned()
        } else if let Some(ints) = array.as_primitive_opt::<Int32Type>() {
            ints.value(last).to_string()
        } else {
            array.as_boolean().value(last).to_string()
        }
    });
    Ok((bound.return_type.to_string(), value))
}

fn check(name: &str, args: &[Value], expected: Option<&str>) {
    for literal in [true, false] {
        let (_, value) = call(name, args, literal).unwrap();
        assert_eq!(
            value.as_deref(),
            expected,
            "{name}{args:?} literal={literal}"
        );
    }
}

#[test]
fn texts_come_out_as_flink_gives_them() {
    let long = "a text of more than twelve bytes";
    for (name, args, expected) in [
        ("UPPER", &[Text("straße")][..], Some("STRASSE")),
        ("LOWER", &[Text("ΣΑΣ")], Some("σας")),
        ("LOWER", &[Text(long)], Some(long)),
        (
            "INITCAP",
            &[Text("o'neil mc-donald")],
            Some("O'Neil Mc-Donald"),
        ),
        ("CONCAT", &[Text("a"), NullText], None),
        (
            "CONCAT_WS",
            &[Text(","), NullText, Text("b"), Text("")],
            Some("b,"),
        ),
        (
            "SUBSTRING",
            &[Text("中文😀é"), Int(-2), Int(5)],
            Some("😀é"),
        ),
        ("SUBSTRING", &[Text("abcdef"), Int(-99), Int(100)], Some("")),
        ("SUBSTRING", &[Text("abcdef"), Int(1), Int(-1)], None),
        (
            "SUBSTRING",
            &[Text(long), Int(3), Int(20)],
            Some("text of more than tw"),
        ),
        ("LEFT", &[Text("abc"), Int(-1)], Some("")),
        ("RIGHT", &[Text("中文😀é"), Int(3)], Some("文😀é")),
        ("LTRIM", &[Text("xyxabcyx"), Text("xy")], Some("abcyx")),
        ("RTRIM", &[Text("a　 ")], Some("a　")),
        ("LPAD", &[Text("中"), Int(3), Text("😀")], Some("😀中")),
        ("LPAD", &[Text("hi"), Int(2), Text("")], None),
        ("RPAD", &[Text("hi"), Int(7), Text("abc")], Some("hiabcab")),
        (
            "REPLACE",
            &[Text("hello"), Text(""), Text("x")],
            Some("xhxexlxlxox"),
        ),
        ("REPLACE", &[Text("aaa"), Text("aa"), Text("b")], Some("ba")),
        ("REVERSE", &[Text("a😀b")], Some("b😀a")),
        ("FROM_BASE64", &[Text("/+8=")], Some("\u{fffd}\u{fffd}")),
        ("SPLIT_INDEX", &[Text("a||b"), Text("|"), Int(1)], Some("")),
        ("SPLIT_INDEX", &[Text(""), Text("|"), Int(0)], None),
        ("SPLIT_INDEX", &[Text("a b"), Text(""), Int(1)], Some("b")),
        (
            "SPLIT_INDEX",
            &[Text("kälÿm"), Int(228), Int(1)],
            Some("lÿm"),
        ),
        ("SPLIT_INDEX", &[Text("a"), Int(65_536), Int(0)], None),
        (
            "REGEXP_EXTRACT",
            &[Text("foothebar"), Text("foo(.*?)(bar)"), Int(3)],
            None,
        ),
        (
            "REGEXP_EXTRACT",
            &[Text("x(a1)"), Text(r"([\(=])([a-z0-9]+)"), Int(2)],
            Some("a1"),
        ),
        ("REGEXP_EXTRACT", &[Text("[x]"), Text("["), Int(0)], None),
        (
            "REGEXP_REPLACE",
            &[Text("aaa"), Text("a*"), Text("X")],
            Some("XX"),
        ),
        (
            "REGEXP_REPLACE",
            &[Text("foobar"), Text("o"), Text("$1")],
            Some("f$1$1bar"),
        ),
        (
            "PARSE_URL",
            &[Text("http://[::1]:80/x?k=1"), Text("AUTHORITY")],
            Some("[::1]:80"),
        ),
        (
            "PARSE_URL",
            &[Text("http://h/p?a.b=1&axb=2"), Text("QUERY"), Text("axb")],
            Some("2"),
        ),
        ("BTRIM", &[Text(" a ")], Some("a")),
        (
            "TRANSLATE",
            &[Text("abcb"), Text("ab"), Text("x")],
            Some("xc"),
        ),
        ("URL_ENCODE", &[Text("a b&中")], Some("a+b%26%E4%B8%AD")),
        ("URL_DECODE", &[Text("a+b%2")], None),
    ] {
        check(name, args, expected);
    }
}

#[test]
fn numbers_and_truths_come_out_as_flink_gives_them() {
    for (name, args, expected) in [
        ("CHAR_LENGTH", &[Text("a😀b")][..], Some("3")),
        ("ASCII", &[Text("ß")], Some("-61")),
        ("LOCATE", &[Text(""), Text("abc"), Int(99)], Some("1")),
        ("LOCATE", &[Text("b"), Text("a😀b"), Int(-1)], Some("3")),
        (
            "INSTR",
            &[Text("abcb"), Text("b"), Int(-1), Int(2)],
            Some("2"),
        ),
        ("HASH_CODE", &[Text("a")], Some("97")),
        ("IS_DECIMAL", &[Text(" 1 ")], Some("true")),
        ("IS_DECIMAL", &[Text("0x1")], Some("false")),
        ("IS_DIGIT", &[Text("１２")], Some("true")),
        ("IS_ALPHA", &[NullText], Some("false")),
        ("REGEXP", &[Text("abc"), Text("")], Some("false")),
        ("REGEXP", &[Text("abc"), Text("[")], Some("false")),
        ("LIKE", &[Text("a\nb"), Text("a%b")], Some("true")),
        ("LIKE", &[Text("a\nb"), Text("a_b")], Some("false")),
        (
            "LIKE",
            &[Text("a%c"), Text("a!%c"), Text("!")],
            Some("true"),
        ),
        (
            "SIMILAR TO",
            &[Text("abc"), Text("[[:ALPHA:]]+")],
            Some("true"),
        ),
        ("SIMILAR TO", &[NullText, Text("[")], None),
    ] {
        check(name, args, expected);
    }
}

#[test]
fn later_functions_take_null_for_a_wrong_pattern() {
    for (name, args, expected) in [
        ("STARTSWITH", &[Text("abc"), Text("")][..], Some("true")),
        ("ENDSWITH", &[Text("abc"), Text("ab")], Some("false")),
        ("ELT", &[Int(2), Text("a"), Text("b")], Some("b")),
        ("ELT", &[Int(0), Text("a")], None),
        ("REGEXP_COUNT", &[Text("aaa"), Text("a*")], Some("2")),
        ("REGEXP_INSTR", &[Text("😀1"), Text("[0-9]")], Some("3")),
        ("REGEXP_INSTR", &[Text("a"), Text("[")], None),
        (
            "REGEXP_SUBSTR",
            &[Text("a1b22"), Text("[0-9]{2}")],
            Some("22"),
        ),
    ] {
        check(name, args, expected);
    }
}

#[test]
fn full_stop_in_a_column_pattern_is_a_wildcard() {
    let args = [Text("abc"), Text("a.c")];
    assert_eq!(
        call("LIKE", &args, true).unwrap().1.as_deref(),
        Some("false")
    );
    assert_eq!(
        call("LIKE", &args, false).unwrap().1.as_deref(),
        Some("true")
    );
}

#[test]
fn types_are_derived_as_flink_does() {
    for (name, args, literal, column) in [
        (
            "UPPER",
            &[Text("abc")][..],
            "CHAR(3) NOT NULL",
            "VARCHAR(2147483647)",
        ),
        (
            "LEFT",
            &[Text("abc"), Int(1)],
            "VARCHAR(3)",
            "VARCHAR(2147483647)",
        ),
        (
            "LTRIM",
            &[Text("abc")],
            "VARCHAR(3) NOT NULL",
            "VARCHAR(2147483647)",
        ),
        ("MD5", &[Text("a")], "CHAR(32) NOT NULL", "CHAR(32)"),
        (
            "IS_ALPHA",
            &[Text("a")],
            "BOOLEAN NOT NULL",
            "BOOLEAN NOT NULL",
        ),
        (
            "REVERSE",
            &[Text("a")],
            "VARCHAR(2147483647)",
            "VARCHAR(2147483647)",
        ),
        (
            "LIKE",
            &[Text("a"), Text("b")],
            "BOOLEAN NOT NULL",
            "BOOLEAN",
        ),
    ] {
        assert_eq!(call(name, args, true).unwrap().0, literal, "{name}");
        assert_eq!(call(name, args, false).unwrap().0, column, "{name}");
    }
}

#[test]
fn failures_come_where_flink_has_them() {
    assert!(matches!(
        call("LIKE", &[Text("a"), Text("a!b"), Text("!")], true),
        Err(Failure::Call)
    ));
    assert!(matches!(
        call("LIKE", &[Text("a"), Text("a!b"), Text("!")], false),
        Err(Failure::Row)
    ));
    assert!(matches!(
        call("SIMILAR TO", &[Text("a"), Text(")")], true),
        Err(Failure::Row)
    ));
    assert!(matches!(
        call("SHA2", &[NullText, Int(1)], true),
        Err(Failure::Call)
    ));
    assert!(matches!(
        call("FROM_BASE64", &[Text("=")], false),
        Err(Failure::Row)
    ));
    assert!(matches!(
        call("UPPER", &[Int(1)], false),
        Err(Failure::Call)
    ));
    assert!(matches!(call("UPPER", &[], false), Err(Failure::Call)));
    assert!(matches!(
        call("SPLIT_INDEX", &[Text("a"), Text("b")], false),
        Err(Failure::Call)
    ));
}
