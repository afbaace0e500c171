//! JSON_QUERY.
//!
//! # Flink
//! `SqlJsonUtils.jsonQuery`, 1.17. The value must be an array or object, if it is not wrapped into an array; a scalar
//! counts as empty in lax mode and as an error in strict mode, which is the mode of a path that names none. The text
//! is Jackson's: without white space, entries in the order of the document, numbers as Java shows them.

use arrow_array::ArrayRef;
use arrow_array::cast::AsArray;
use millrace_connector::FlinkType;
use millrace_json::{Kind, Tape};

use super::clauses::{Outcome, Paths, check_texts, clause, look, no_clause};
use super::path::{Document, Found, Item, write_item};
use crate::string::kernel::{BatchKernel, Texts};
use crate::string::text_builder::TextBuilder;
use crate::{Arg, Bound, CallError, Category, Column, FunctionDef, RowError, Volatility};

/// `JSON_QUERY`.
pub(crate) static JSON_QUERY: FunctionDef = FunctionDef {
    name: "JSON_QUERY",
    aliases: &[],
    category: Category::Json,
    signatures: &[
        "JSON_QUERY(json STRING, path STRING [{WITHOUT | WITH CONDITIONAL | WITH UNCONDITIONAL} [ARRAY] WRAPPER] [{NULL | EMPTY ARRAY | EMPTY OBJECT | ERROR} ON EMPTY] [{NULL | EMPTY ARRAY | EMPTY OBJECT | ERROR} ON ERROR]) → STRING",
    ],
    doc: "Returns the array or object that the path leads to, as JSON text.\n\
          A wrapper makes an array of one element of it: always, or with CONDITIONAL where it is no array yet.",
    examples: &[
        (r#"JSON_QUERY('{"a": [1, 2.50]}', '$.a')"#, "[1,2.5]"),
        (
            r#"JSON_QUERY('{"a": 1}', '$.a' WITH CONDITIONAL WRAPPER)"#,
            "[1]",
        ),
    ],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind(args),
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrapper {
    Without,
    Conditional,
    Unconditional,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Behavior {
    Text(Option<&'static str>),
    Error,
}

impl Behavior {
    fn of(args: &[Arg], index: usize) -> Result<Self, CallError> {
        if args.len() <= index {
            return Ok(Self::Text(None));
        }
        match clause(args, index)? {
            "NULL" => Ok(Self::Text(None)),
            "EMPTY ARRAY" => Ok(Self::Text(Some("[]"))),
            "EMPTY OBJECT" => Ok(Self::Text(Some("{}"))),
            "ERROR" => Ok(Self::Error),
            other => Err(no_clause(index, other)),
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Call {
    wrapper: Wrapper,
    on_empty: Behavior,
    on_error: Behavior,
}

fn bind(args: &[Arg]) -> Result<Bound, CallError> {
    check_texts("JSON_QUERY", args)?;
    let wrapper = match args.len() {
        2 => Wrapper::Without,
        _ => match clause(args, 2)? {
            "WITHOUT" => Wrapper::Without,
            "CONDITIONAL" => Wrapper::Conditional,
            "UNCONDITIONAL" => Wrapper::Unconditional,
            other => return Err(no_clause(2, other)),
        },
    };
    let call = Call {
        wrapper,
        on_empty: Behavior::of(args, 3)?,
        on_error: Behavior::of(args, 4)?,
    };
    Ok(Bound {
        arg_types: args.iter().map(|arg| arg.ty.clone()).collect(),
        return_type: FlinkType::string(),
        kernel: BatchKernel::fallible("JSON_QUERY", move |args: &[Column], rows| {
            evaluate(call, args, rows)
        }),
    })
}

fn evaluate(call: Call, args: &[Column], rows: usize) -> Result<ArrayRef, RowError> {
    let mut out = TextBuilder::over(args[0].array().as_string_view_opt(), rows);
    let input = Texts::new(&args[0]);
    let mut paths = Paths::new(&args[1]);
    let mut tape = Tape::new();
    let mut made = Vec::new();
    for row in 0..rows {
        let (Some(text), Some(path)) = (input.get(row), paths.get(row)) else {
            out.push_null();
            continue;
        };
        let (outcome, root) = look(&mut tape, text, path);
        let instead = match outcome {
            Outcome::Found(Found::Item(item)) => {
                let is_list = matches!(item, Item::List(_)) || is_kind(&item, &tape, Kind::Array);
                let is_wrapped = match call.wrapper {
                    Wrapper::Without => false,
                    Wrapper::Conditional => !is_list,
                    Wrapper::Unconditional => true,
                };
                let is_container = is_list
                    || is_wrapped
                    || matches!(item, Item::Merged(_))
                    || is_kind(&item, &tape, Kind::Object);
                if is_container {
                    let document = Document {
                        tape: &tape,
                        bytes: text.as_bytes(),
                        root,
                    };
                    made.clear();
                    if is_wrapped {
                        made.push(b'[');
                    }
                    write_item(&document, &item, &mut made);
                    if is_wrapped {
                        made.push(b']');
                    }
                    out.push(std::str::from_utf8(&made).expect("JSON text of valid UTF-8"));
                    continue;
                }
                if path.is_strict {
                    call.on_error.instead(row, || {
                        "Strict jsonpath mode requires array or object value, and the actual value is a scalar"
                            .to_owned()
                    })?
                } else {
                    call.empty(row)?
                }
            }
            Outcome::Found(Found::Nothing) | Outcome::Empty => call.empty(row)?,
            Outcome::Fault(fault) => call.on_error.instead(row, || fault)?,
        };
        out.push_option(instead);
    }
    Ok(out.finish())
}

fn is_kind(item: &Item, tape: &Tape, kind: Kind) -> bool {
    matches!(item, Item::Node(node) if tape.kind(*node) == kind)
}

impl Call {
    fn empty(self, row: usize) -> Result<Option<&'static str>, RowError> {
        self.on_empty.instead(row, || {
            "Empty result of JSON_QUERY function is not allowed".to_owned()
        })
    }
}

impl Behavior {
    fn instead(
        self,
        row: usize,
        fault: impl FnOnce() -> String,
    ) -> Result<Option<&'static str>, RowError> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Error => Err(RowError::new(row, fault())),
        }
    }
}
