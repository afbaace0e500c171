//! JSON_VALUE.
//!
//! # Flink
//! `SqlJsonUtils.jsonValue`, 1.17. The value must be a scalar; an array, an object or null counts as empty in lax mode
//! and as an error in strict mode, which is the mode of a path that names none. A malformed document is empty in lax
//! mode and an error in strict mode; what follows a document is not looked at. Numbers are shown as Java shows them:
//! `1.50` is `1.5`, `1e3` is `1000.0`. RETURNING takes STRING, VARCHAR(n) (without cutting), BOOLEAN, INT and DOUBLE,
//! and casts nothing: a value of another class fails the row. A DEFAULT that is NULL makes every result NULL.

use std::sync::Arc;

use arrow_array::builder::{BooleanBuilder, Float64Builder, Int32Builder};
use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, StringViewArray};
use millrace_connector::{FlinkType, TypeKind};
use millrace_json::{Kind, Number, Tape};

use super::clauses::{Outcome, Paths, check_texts, clause, literal_text, look, no_clause};
use super::extract::{json_value_many, push_scalar};
use super::path::{Found, Item, Path};
use crate::cast::parse_number::{parse_boolean, parse_double, parse_integer};
use crate::string::kernel::{BatchKernel, Texts};
use crate::string::text_builder::TextBuilder;
use crate::{Arg, Bound, CallError, Category, Column, FunctionDef, RowError, Volatility};

/// `JSON_VALUE`.
pub(crate) static JSON_VALUE: FunctionDef = FunctionDef {
    name: "JSON_VALUE",
    aliases: &[],
    category: Category::Json,
    signatures: &[
        "JSON_VALUE(json STRING, path STRING [RETURNING type] [{NULL | ERROR | DEFAULT value} ON EMPTY] [{NULL | ERROR | DEFAULT value} ON ERROR]) → STRING or type",
    ],
    doc: "Returns the scalar that the path leads to in a JSON text.\n\
          An array, an object or null is no scalar.\nThe type is STRING, or one of STRING, BOOLEAN, INT and DOUBLE after RETURNING.\n\
          Numbers are written as Java does: `1.50` becomes `1.5`.",
    examples: &[
        (r#"JSON_VALUE('{"a": true}', '$.a')"#, "true"),
        (r#"JSON_VALUE('{"a": [1, 2]}', '$.a[1]')"#, "2"),
        (
            r#"JSON_VALUE('{"a": 1}', 'lax $.b' DEFAULT 'none' ON EMPTY)"#,
            "none",
        ),
    ],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind(args),
};

/// What comes instead of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Behavior {
    Null,
    Error,
    Default,
}

impl Behavior {
    fn of(args: &[Arg], index: usize) -> Result<Self, CallError> {
        if args.len() <= index {
            return Ok(Self::Null);
        }
        match clause(args, index)? {
            "NULL" => Ok(Self::Null),
            "ERROR" => Ok(Self::Error),
            "DEFAULT" => Ok(Self::Default),
            other => Err(no_clause(index, other)),
        }
    }
}

const ON_EMPTY: usize = 2;
const ON_ERROR: usize = 4;
const RETURNING: usize = 6;

fn bind(args: &[Arg]) -> Result<Bound, CallError> {
    let args = &as_text(args)[..];
    check_texts("JSON_VALUE", args)?;
    let on_empty = Behavior::of(args, ON_EMPTY)?;
    let on_error = Behavior::of(args, ON_ERROR)?;
    let return_type = match args.get(RETURNING) {
        None => FlinkType::string(),
        Some(arg) => arg.ty.clone().with_nullable(true),
    };
    let is_supported = matches!(
        return_type.kind,
        TypeKind::Varchar(_) | TypeKind::Boolean | TypeKind::Int | TypeKind::Double
    );
    if !is_supported {
        return Err(CallError::Argument {
            index: RETURNING,
            message: format!("Unsupported type '{return_type}' for RETURNING in JSON_VALUE()."),
        });
    }
    // A default is of the type that is returned; a NULL in its place stays what it is.
    let mut arg_types: Vec<FlinkType> = args.iter().map(|arg| arg.ty.clone()).collect();
    for (index, behavior) in [(ON_EMPTY + 1, on_empty), (ON_ERROR + 1, on_error)] {
        if behavior == Behavior::Default && !is_misfit(&args[index], &return_type.kind) {
            arg_types[index] = match return_type.kind {
                TypeKind::Varchar(_) => FlinkType::string(),
                _ => return_type.clone(),
            };
        }
    }
    let is_plain = on_empty == Behavior::Null
        && on_error == Behavior::Null
        && matches!(return_type.kind, TypeKind::Varchar(_));
    let constant = literal_text(args[1].literal.as_ref()).map(Path::parse);
    let kernel = match constant {
        Some(path) if is_plain => {
            BatchKernel::infallible("JSON_VALUE", move |args: &[Column], rows| {
                plain(args, rows, &path)
            })
        }
        _ => {
            let kind = return_type.kind.clone();
            let call = Call { on_empty, on_error };
            BatchKernel::fallible("JSON_VALUE", move |args: &[Column], rows| {
                evaluate(call, &kind, args, rows)
            })
        }
    };
    Ok(Bound {
        arg_types,
        return_type,
        kernel,
    })
}

/// Lets a DECIMAL or a timestamp in as its text, as Java's `toString` does in Flink's code; a timestamp's text is no
/// JSON.
fn as_text(args: &[Arg]) -> Vec<Arg> {
    let mut args = args.to_vec();
    if let Some(input) = args.first_mut()
        && matches!(
            input.ty.kind,
            TypeKind::Decimal(..) | TypeKind::Timestamp(_) | TypeKind::TimestampLtz(_)
        )
    {
        input.ty.kind = FlinkType::string().kind;
        input.literal = None;
    }
    args
}

/// Tells whether a default is a text that is no value of the type: it fails where it is needed, and not before.
fn is_misfit(default: &Arg, kind: &TypeKind) -> bool {
    let Some(text) = literal_text(default.literal.as_ref()) else {
        return false;
    };
    match kind {
        TypeKind::Int => parse_integer(text, i64::from(i32::MIN), i64::from(i32::MAX)).is_err(),
        TypeKind::Double => parse_double(text).is_err(),
        TypeKind::Boolean => parse_boolean(text).is_err(),
        _ => false,
    }
}

/// Without clauses and with a constant path: the same pass that serves many paths.
fn plain(args: &[Column], rows: usize, path: &Path) -> ArrayRef {
    let Some(input) = args[0].array().as_string_view_opt() else {
        return Arc::new(StringViewArray::new_null(rows));
    };
    let mut columns = if args[0].is_constant() && rows != 1 {
        let text = input.is_valid_at(0).then(|| input.value(0));
        json_value_many(
            &StringViewArray::from_iter(vec![text; rows]),
            std::slice::from_ref(path),
        )
    } else {
        json_value_many(input, std::slice::from_ref(path))
    };
    columns.pop().expect("one path gives one column")
}

/// Says whether a place of an array has a value.
trait IsValidAt {
    fn is_valid_at(&self, index: usize) -> bool;
}

impl IsValidAt for StringViewArray {
    fn is_valid_at(&self, index: usize) -> bool {
        arrow_array::Array::is_valid(self, index)
    }
}

#[derive(Clone, Copy, Debug)]
struct Call {
    on_empty: Behavior,
    on_error: Behavior,
}

/// What a row comes to.
enum Value {
    Null,
    /// The default of the clause whose value is this argument.
    Default(usize),
    Item(Item),
}

impl Call {
    fn value(
        self,
        outcome: Outcome,
        is_strict: bool,
        tape: &Tape,
        row: usize,
    ) -> Result<Value, RowError> {
        let fault = match outcome {
            Outcome::Found(Found::Item(item)) if is_scalar(&item, tape) => return Ok(Value::Item(item)),
            Outcome::Fault(fault) => fault,
            Outcome::Found(_) if is_strict => {
                "Strict jsonpath mode requires scalar value, and the actual value is an array or object".to_owned()
            }
            Outcome::Found(_) | Outcome::Empty => {
                return match self.on_empty {
                    Behavior::Null => Ok(Value::Null),
                    Behavior::Default => Ok(Value::Default(ON_EMPTY + 1)),
                    Behavior::Error => Err(RowError::new(
                        row,
                        "Empty result of JSON_VALUE function is not allowed",
                    )),
                };
            }
        };
        match self.on_error {
            Behavior::Null => Ok(Value::Null),
            Behavior::Default => Ok(Value::Default(ON_ERROR + 1)),
            Behavior::Error => Err(RowError::new(row, fault)),
        }
    }
}

fn is_scalar(item: &Item, tape: &Tape) -> bool {
    match item {
        Item::Node(node) => !matches!(tape.kind(*node), Kind::Array | Kind::Object | Kind::Null),
        Item::Long(_) | Item::Double(_) | Item::Text(_) => true,
        Item::List(_) | Item::Merged(_) => false,
    }
}

fn evaluate(
    call: Call,
    kind: &TypeKind,
    args: &[Column],
    rows: usize,
) -> Result<ArrayRef, RowError> {
    let mut out = match kind {
        TypeKind::Boolean => Out::Boolean(BooleanBuilder::new()),
        TypeKind::Int => Out::Int(Int32Builder::new()),
        TypeKind::Double => Out::Double(Float64Builder::new()),
        _ => Out::Text(TextBuilder::over(
            args[0].array().as_string_view_opt(),
            rows,
        )),
    };
    let input = Texts::new(&args[0]);
    let mut paths = Paths::new(&args[1]);
    let mut tape = Tape::new();
    let defaults: Vec<usize> = [(call.on_empty, ON_EMPTY + 1), (call.on_error, ON_ERROR + 1)]
        .into_iter()
        .filter(|(behavior, _)| *behavior == Behavior::Default)
        .map(|(_, index)| index)
        .collect();
    for row in 0..rows {
        // As any argument of a generated call, a default that is NULL makes the whole call NULL.
        let has_null_default = defaults.iter().any(|index| args[*index].is_null(row));
        let value = match (input.get(row), paths.get(row)) {
            (Some(text), Some(path)) if !has_null_default => {
                let (outcome, _) = look(&mut tape, text, path);
                call.value(outcome, path.is_strict, &tape, row)?
            }
            _ => Value::Null,
        };
        match value {
            Value::Null => out.push_null(),
            Value::Default(index) => out
                .push_default(&args[index], row)
                .map_err(|fault| RowError::new(row, fault))?,
            Value::Item(item) => {
                let text = input.get(row).expect("a value comes from a text");
                out.push(&item, &tape, text)
                    .map_err(|fault| RowError::new(row, fault))?;
            }
        }
    }
    Ok(out.finish())
}

/// The column that is made.
enum Out {
    Text(TextBuilder),
    Boolean(BooleanBuilder),
    Int(Int32Builder),
    Double(Float64Builder),
}

impl Out {
    fn push_null(&mut self) {
        match self {
            Self::Text(out) => out.push_null(),
            Self::Boolean(out) => out.append_null(),
            Self::Int(out) => out.append_null(),
            Self::Double(out) => out.append_null(),
        }
    }

    fn push_default(&mut self, default: &Column, row: usize) -> Result<(), String> {
        if default.is_null(row) {
            self.push_null();
            return Ok(());
        }
        let (array, index) = (default.array(), default.index(row));
        if !matches!(self, Self::Text(_))
            && let Some(texts) = array.as_string_view_opt()
        {
            return Err(format!("For input string: '{}'.", texts.value(index)));
        }
        match self {
            Self::Text(out) => out.push(array.as_string_view().value(index)),
            Self::Boolean(out) => out.append_value(array.as_boolean().value(index)),
            Self::Int(out) => out.append_value(
                array
                    .as_primitive::<arrow_array::types::Int32Type>()
                    .value(index),
            ),
            Self::Double(out) => out.append_value(
                array
                    .as_primitive::<arrow_array::types::Float64Type>()
                    .value(index),
            ),
        }
        Ok(())
    }

    /// Appends a scalar; one of another class than the column's fails, as Java's cast does.
    fn push(&mut self, item: &Item, tape: &Tape, text: &str) -> Result<(), String> {
        let class = class(item, tape, text);
        let span = match item {
            Item::Node(node) => Some(tape.span(*node)),
            _ => None,
        };
        match (self, class) {
            (Self::Text(out), _) => match (item, span) {
                (_, Some(span)) => push_scalar(span, text, out, &mut Vec::new()),
                (Item::Long(value), _) => out.push(&value.to_string()),
                (Item::Double(value), _) => out.push(&millrace_json::double_to_string(*value)),
                (Item::Text(made), _) => out.push(made),
                _ => out.push_null(),
            },
            (Self::Boolean(out), Class::Boolean(value)) => out.append_value(value),
            (Self::Int(out), Class::Integer(value)) => out.append_value(value),
            (Self::Double(out), Class::Double(value)) => out.append_value(value),
            (Self::Boolean(_), class) => return Err(class.no_cast("java.lang.Boolean")),
            (Self::Int(_), class) => return Err(class.no_cast("java.lang.Integer")),
            (Self::Double(_), class) => return Err(class.no_cast("java.lang.Double")),
        }
        Ok(())
    }

    fn finish(self) -> ArrayRef {
        match self {
            Self::Text(out) => out.finish(),
            Self::Boolean(mut out) => Arc::new(out.finish()),
            Self::Int(mut out) => Arc::new(out.finish()),
            Self::Double(mut out) => Arc::new(out.finish()),
        }
    }
}

/// The Java class of a scalar.
enum Class {
    Boolean(bool),
    Integer(i32),
    Long,
    BigInteger,
    Double(f64),
    Text,
}

impl Class {
    fn no_cast(&self, wanted: &str) -> String {
        let class = match self {
            Self::Boolean(_) => "java.lang.Boolean",
            Self::Integer(_) => "java.lang.Integer",
            Self::Long => "java.lang.Long",
            Self::BigInteger => "java.math.BigInteger",
            Self::Double(_) => "java.lang.Double",
            Self::Text => "java.lang.String",
        };
        format!("class {class} cannot be cast to class {wanted}")
    }
}

fn class(item: &Item, tape: &Tape, text: &str) -> Class {
    let long = |value: i64| i32::try_from(value).map_or(Class::Long, Class::Integer);
    match item {
        Item::Long(value) => long(*value),
        Item::Double(value) => Class::Double(*value),
        Item::Node(node) => match tape.kind(*node) {
            Kind::True => Class::Boolean(true),
            Kind::False => Class::Boolean(false),
            Kind::Int | Kind::Float => match tape.number(text.as_bytes(), *node) {
                Number::Long(value) => long(value),
                Number::Big(_) => Class::BigInteger,
                Number::Double(value) => Class::Double(value),
            },
            _ => Class::Text,
        },
        _ => Class::Text,
    }
}
