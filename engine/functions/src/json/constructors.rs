//! JSON_OBJECT, JSON_ARRAY and JSON_STRING.
//!
//! # Flink
//! `JsonObjectCallGen`, `JsonArrayCallGen` and `JsonStringCallGen`, 1.17. JSON_OBJECT sorts its keys, whatever their
//! order in the SQL, and writes NULL as null; JSON_ARRAY leaves NULL out, unless told otherwise. A constructor as a
//! value of another becomes JSON in it; any other text becomes a string, JSON or not.

use arrow_array::ArrayRef;
use millrace_connector::{FlinkType, TypeKind};

use super::clauses::{clause, literal_text, no_clause};
use super::generate::{Generator, comma, java_order, key_text};
use crate::string::kernel::BatchKernel;
use crate::string::text_builder::TextBuilder;
use crate::{Arg, Bound, CallError, Category, Column, FunctionDef, Volatility};

/// `JSON_OBJECT`.
pub(crate) static JSON_OBJECT: FunctionDef = FunctionDef {
    name: "JSON_OBJECT",
    aliases: &[],
    category: Category::Json,
    signatures: &[
        "JSON_OBJECT([[KEY] key VALUE value, …] [{NULL | ABSENT} ON NULL]) → STRING NOT NULL",
    ],
    doc: "Builds a JSON object; its entries are sorted by key.\n\
          Keys are literals.\nA NULL value is written as null, with ABSENT ON NULL its entry is left out.",
    examples: &[
        (
            "JSON_OBJECT('b' VALUE 1, 'a' VALUE 'x')",
            r#"{"a":"x","b":1}"#,
        ),
        (
            "JSON_OBJECT('o' VALUE JSON_OBJECT('k' VALUE TRUE))",
            r#"{"o":{"k":true}}"#,
        ),
    ],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind_object(args),
};

/// `JSON_ARRAY`.
pub(crate) static JSON_ARRAY: FunctionDef = FunctionDef {
    name: "JSON_ARRAY",
    aliases: &[],
    category: Category::Json,
    signatures: &["JSON_ARRAY([value, …] [{NULL | ABSENT} ON NULL]) → STRING NOT NULL"],
    doc: "Builds a JSON array.\nA NULL value is left out, with NULL ON NULL it is written as null.",
    examples: &[("JSON_ARRAY(1, 'x', TRUE)", r#"[1,"x",true]"#)],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind_array(args),
};

/// `JSON_STRING`.
pub(crate) static JSON_STRING: FunctionDef = FunctionDef {
    name: "JSON_STRING",
    aliases: &[],
    category: Category::Json,
    signatures: &["JSON_STRING(value ANY) → STRING"],
    doc: "Returns a value as JSON text.\nNULL gives NULL.",
    examples: &[
        ("JSON_STRING('a\"b')", r#""a\"b""#),
        ("JSON_STRING(ARRAY[1, 2])", "[1,2]"),
    ],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind_string(args),
};

/// The clause ON NULL, and the positions of values that are constructors themselves, come first.
const VALUES: usize = 2;

/// Returns whether NULL is left out, and which values are constructors.
fn head(function: &str, args: &[Arg]) -> Result<(bool, Vec<usize>), CallError> {
    if args.len() < VALUES {
        return Err(CallError::ArgumentCount {
            function: function.to_owned(),
            expected: "the clause ON NULL and the positions of nested constructors".to_owned(),
            given: args.len(),
        });
    }
    let is_absent = match clause(args, 0)? {
        "NULL" => false,
        "ABSENT" => true,
        other => return Err(no_clause(0, other)),
    };
    let nested = clause(args, 1)?;
    let positions = nested
        .split(',')
        .filter(|position| !position.is_empty())
        .map(|position| position.parse().map_err(|_| no_clause(1, nested)))
        .collect::<Result<_, _>>()?;
    Ok((is_absent, positions))
}

fn generator(arg: &Arg, index: usize, is_nested: bool) -> Result<Generator, CallError> {
    if is_nested {
        return Ok(Generator::Json);
    }
    if arg.ty.kind == TypeKind::Null {
        return Err(CallError::Argument {
            index,
            message: "an untyped NULL has no JSON here: write CAST(NULL AS type)".to_owned(),
        });
    }
    Generator::of(&arg.ty).map_err(|message| CallError::Argument { index, message })
}

/// A key with the arguments that are given for it, in their order.
struct Entry {
    name: String,
    /// `"name":`.
    text: Vec<u8>,
    values: Vec<(usize, Generator)>,
}

fn bind_object(args: &[Arg]) -> Result<Bound, CallError> {
    let (is_absent, nested) = head("JSON_OBJECT", args)?;
    let mut entries: Vec<Entry> = Vec::new();
    for (position, pair) in args[VALUES..].chunks(2).enumerate() {
        let index = VALUES + 2 * position;
        let [key, value] = pair else {
            return Err(CallError::Argument {
                index,
                message: "a key needs a value".to_owned(),
            });
        };
        if !key.ty.kind.is_character() && key.ty.kind != TypeKind::Null {
            return Err(CallError::Argument {
                index,
                message: "Expected a character type".to_owned(),
            });
        }
        let Some(name) = literal_text(key.literal.as_ref()) else {
            return Err(CallError::Argument {
                index,
                message: "a key of JSON_OBJECT must be a literal that is not NULL".to_owned(),
            });
        };
        let generator = generator(value, index + 1, nested.contains(&position))?;
        match entries.iter_mut().find(|entry| entry.name == name) {
            Some(entry) => entry.values.push((index + 1, generator)),
            None => entries.push(Entry {
                name: name.to_owned(),
                text: key_text(name),
                values: vec![(index + 1, generator)],
            }),
        }
    }
    entries.sort_by(|a, b| java_order(&a.name, &b.name));
    Ok(Bound {
        arg_types: args.iter().map(|arg| arg.ty.clone()).collect(),
        return_type: FlinkType::string().with_nullable(false),
        kernel: BatchKernel::infallible("JSON_OBJECT", move |args: &[Column], rows| {
            rows_of(rows, |row, out| {
                write_object(&entries, is_absent, args, row, out)
            })
        }),
    })
}

fn write_object(
    entries: &[Entry],
    is_absent: bool,
    args: &[Column],
    row: usize,
    out: &mut Vec<u8>,
) {
    out.push(b'{');
    let mut written = 0;
    for entry in entries {
        // Of a key that is given twice, the last value counts.
        let value = if is_absent {
            entry
                .values
                .iter()
                .rev()
                .find(|(index, _)| !args[*index].is_null(row))
        } else {
            entry.values.last()
        };
        if let Some((index, generator)) = value {
            comma(written, out);
            written += 1;
            out.extend_from_slice(&entry.text);
            let column = &args[*index];
            generator.write(&**column.array(), column.index(row), out);
        }
    }
    out.push(b'}');
}

fn bind_array(args: &[Arg]) -> Result<Bound, CallError> {
    let (is_absent, nested) = head("JSON_ARRAY", args)?;
    let generators = args[VALUES..]
        .iter()
        .enumerate()
        .map(|(position, arg)| generator(arg, VALUES + position, nested.contains(&position)))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Bound {
        arg_types: args.iter().map(|arg| arg.ty.clone()).collect(),
        return_type: FlinkType::string().with_nullable(false),
        kernel: BatchKernel::infallible("JSON_ARRAY", move |args: &[Column], rows| {
            rows_of(rows, |row, out| {
                out.push(b'[');
                let mut written = 0;
                for (column, generator) in args[VALUES..].iter().zip(&generators) {
                    if is_absent && column.is_null(row) {
                        continue;
                    }
                    comma(written, out);
                    written += 1;
                    generator.write(&**column.array(), column.index(row), out);
                }
                out.push(b']');
            })
        }),
    })
}

fn bind_string(args: &[Arg]) -> Result<Bound, CallError> {
    let [arg] = args else {
        return Err(CallError::ArgumentCount {
            function: "JSON_STRING".to_owned(),
            expected: "1 argument".to_owned(),
            given: args.len(),
        });
    };
    let generator = Generator::of(&arg.ty).map_err(|_| CallError::ArgumentTypes {
        function: "JSON_STRING".to_owned(),
        given: arg.ty.to_string(),
    })?;
    let is_nullable = arg.ty.nullable || arg.ty.kind == TypeKind::Null;
    Ok(Bound {
        arg_types: vec![arg.ty.clone()],
        return_type: FlinkType::string().with_nullable(is_nullable),
        kernel: BatchKernel::infallible("JSON_STRING", move |args: &[Column], rows| {
            let column = &args[0];
            let mut out = TextBuilder::new(rows);
            let mut made = Vec::new();
            for row in 0..rows {
                if column.is_null(row) {
                    out.push_null();
                    continue;
                }
                made.clear();
                generator.write(&**column.array(), column.index(row), &mut made);
                out.push(as_text(&made));
            }
            out.finish()
        }),
    })
}

/// Builds a text for each row.
fn rows_of(rows: usize, write: impl Fn(usize, &mut Vec<u8>)) -> ArrayRef {
    let mut out = TextBuilder::new(rows);
    let mut made = Vec::new();
    for row in 0..rows {
        made.clear();
        write(row, &mut made);
        out.push(as_text(&made));
    }
    out.finish()
}

fn as_text(made: &[u8]) -> &str {
    std::str::from_utf8(made).expect("JSON made of valid UTF-8 is valid UTF-8")
}
