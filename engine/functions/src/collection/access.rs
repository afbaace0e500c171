//! `array[i]`, `map[key]`, `row.field`, CARDINALITY, ELEMENT and ARRAY_CONTAINS.
//!
//! # Flink
//! An index outside the array and a missing key give NULL. Where the element or value type is NOT NULL, Flink's
//! generated code takes the result for not null and shows the type's default instead: -1 for numbers, dates and
//! times, FALSE, the empty text. That is copied, as the value goes into the sink.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{
    Array, ArrayRef, BooleanArray, Date32Array, Float32Array, Float64Array, Int8Array, Int16Array,
    Int32Array, Int64Array, PrimitiveArray, StringViewArray, Time32MillisecondArray,
    new_null_array,
};
use millrace_connector::physical::arrow_type;
use millrace_connector::{FlinkType, RowField, TypeKind};

use super::elements::{Equality, Lists, Maps, choose};
use crate::cast::can_implicitly_cast;
use crate::string::{BatchKernel, Ints, count_error, literal_text, types_error};
use crate::{Arg, Bound, CallError, Category, Column, FunctionDef, Kernel, RowError, Volatility};

/// `array[i]` and `map[key]`.
pub(crate) static ITEM: FunctionDef = FunctionDef {
    name: "ITEM",
    aliases: &[],
    category: Category::Collection,
    signatures: &[
        "array ARRAY<t> '[' index INT ']' → t",
        "map MAP<k, v> '[' key k ']' → v",
        "row ROW<…> '[' literal INT ']' → the field's type",
    ],
    doc: "Returns the array's element at `index`, counted from 1, the map's value for `key`, or the row's field at a literal index.\n\
          An index outside the array, a missing key and NULL give NULL.\n\
          Where the element's type is NOT NULL, Flink does not look for that NULL in two places, and neither does \
          this: a column that is nothing but the access shows -1, FALSE or the empty text, and IS NULL is FALSE.\n\
          A literal index below 1 is refused.",
    examples: &[("ARRAY[1, 2, 3][1]", "1"), ("MAP['a', 1]['a']", "1")],
    volatility: Volatility::Deterministic,
    bind: |args, _| {
        two("ITEM", args)?;
        match &args[0].ty.kind {
            TypeKind::Array(element) => bind_array_item(args, element),
            TypeKind::Map(key, value) => bind_map_item(args, key, value),
            TypeKind::Row(fields) => bind_row_item(args, fields),
            _ => Err(types_error("ITEM", args)),
        }
    },
};

/// `row.field`.
pub(crate) static GET_FIELD: FunctionDef = FunctionDef {
    name: "GET_FIELD",
    aliases: &[],
    category: Category::Collection,
    signatures: &["row ROW<…> '.' name → the field's type"],
    doc: "Returns the row's field of that name.\nA NULL row gives NULL.",
    examples: &[("CAST(ROW(1, 'z') AS ROW<a INT, b STRING>).b", "z")],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind_field(args),
};

/// `CARDINALITY`.
pub(crate) static CARDINALITY: FunctionDef = FunctionDef {
    name: "CARDINALITY",
    aliases: &[],
    category: Category::Collection,
    signatures: &[
        "CARDINALITY(array ARRAY) → INT",
        "CARDINALITY(map MAP) → INT",
    ],
    doc: "Returns the number of elements or entries.\nNULL gives NULL.",
    examples: &[("CARDINALITY(ARRAY[1, 2])", "2")],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind_cardinality(args),
};

/// `ELEMENT`.
pub(crate) static ELEMENT: FunctionDef = FunctionDef {
    name: "ELEMENT",
    aliases: &[],
    category: Category::Collection,
    signatures: &["ELEMENT(array ARRAY<t>) → t"],
    doc: "Returns the only element of the array; NULL if it is empty.\n\
          An array of more elements fails the row.\nNULL gives NULL.",
    examples: &[("ELEMENT(ARRAY[5])", "5")],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind_element(args),
};

/// `ARRAY_CONTAINS`.
pub(crate) static ARRAY_CONTAINS: FunctionDef = FunctionDef {
    name: "ARRAY_CONTAINS",
    aliases: &[],
    category: Category::Collection,
    signatures: &["ARRAY_CONTAINS(array ARRAY<t>, element t) → BOOLEAN"],
    doc: "Tells whether the element is in the array; NULL is an element like others.\n\
          The element must be NOT NULL where the array's elements are.\nA NULL array gives NULL.",
    examples: &[("ARRAY_CONTAINS(ARRAY[1, 2], 2)", "true")],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind_contains(args),
};

fn two(name: &str, args: &[Arg]) -> Result<(), CallError> {
    match args.len() {
        2 => Ok(()),
        given => Err(count_error(name, given, 2, Some(2))),
    }
}

fn one(name: &str, args: &[Arg]) -> Result<(), CallError> {
    match args.len() {
        1 => Ok(()),
        given => Err(count_error(name, given, 1, Some(1))),
    }
}

/// Returns the kernel that puts in what Flink writes for a missing element of a NOT NULL type; `None` where that is
/// NULL.
///
/// # Flink
/// `ScalarOperatorGens.generateArrayElementAt` and `generateMapGet` give the access the element's own type: an
/// expression around it still sees the NULL, but what is written or tested as it is, is taken for NOT NULL.
#[must_use]
pub fn missing_element(element: &FlinkType) -> Option<Arc<dyn Kernel>> {
    if element.nullable {
        return None;
    }
    let default = default_of(&element.kind)?;
    Some(BatchKernel::infallible(
        "missing element",
        move |args: &[Column], rows| {
            let values = args[0].array();
            let choices: Vec<(usize, usize)> = (0..rows)
                .map(|row| args[0].index(row))
                .map(|at| if values.is_valid(at) { (0, at) } else { (1, 0) })
                .collect();
            choose(&[values.as_ref(), default.as_ref()], &choices)
        },
    ))
}

/// Returns the default of Flink's generated code for a type that Java has as a primitive or a text.
fn default_of(kind: &TypeKind) -> Option<ArrayRef> {
    Some(match kind {
        TypeKind::Char(_) | TypeKind::Varchar(_) => Arc::new(StringViewArray::from(vec![""])),
        TypeKind::Boolean => Arc::new(BooleanArray::from(vec![false])),
        TypeKind::TinyInt => Arc::new(Int8Array::from(vec![-1])),
        TypeKind::SmallInt => Arc::new(Int16Array::from(vec![-1])),
        TypeKind::Int | TypeKind::IntervalYearMonth(..) => Arc::new(Int32Array::from(vec![-1])),
        TypeKind::BigInt | TypeKind::IntervalDayTime(..) => Arc::new(Int64Array::from(vec![-1])),
        TypeKind::Float => Arc::new(Float32Array::from(vec![-1.0])),
        TypeKind::Double => Arc::new(Float64Array::from(vec![-1.0])),
        TypeKind::Date => Arc::new(Date32Array::from(vec![-1])),
        TypeKind::Time(_) => Arc::new(Time32MillisecondArray::from(vec![-1])),
        TypeKind::Binary(_)
        | TypeKind::Varbinary(_)
        | TypeKind::Decimal(..)
        | TypeKind::Timestamp(_)
        | TypeKind::TimestampLtz(_)
        | TypeKind::Array(_)
        | TypeKind::Map(..)
        | TypeKind::Multiset(_)
        | TypeKind::Row(_)
        | TypeKind::Null => return None,
    })
}

/// Picks the value at each row's index, or NULL.
fn pick(
    values: Option<&ArrayRef>,
    null: &ArrayRef,
    rows: usize,
    index: impl Fn(usize) -> Option<usize>,
) -> ArrayRef {
    let Some(values) = values else {
        return choose(&[null.as_ref()], &vec![(0, 0); rows]);
    };
    let choices: Vec<(usize, usize)> = (0..rows)
        .map(|row| match index(row) {
            Some(at) if values.is_valid(at) => (0, at),
            _ => (1, 0),
        })
        .collect();
    choose(&[values.as_ref(), null.as_ref()], &choices)
}

fn bind_array_item(args: &[Arg], element: &FlinkType) -> Result<Bound, CallError> {
    let index = &args[1];
    if !index.ty.kind.is_integer() {
        return Err(types_error("ITEM", args));
    }
    if let Some(literal) = literal_integer(index).filter(|literal| *literal < 1) {
        return Err(CallError::Argument {
            index: 1,
            message: format!(
                "Array element access needs an index starting at 1 but was {literal}."
            ),
        });
    }
    let null = new_null_array(&arrow_type(&element.kind), 1);
    Ok(Bound {
        arg_types: vec![
            args[0].ty.clone(),
            TypeKind::Int.nullable().with_nullable(index.ty.nullable),
        ],
        return_type: element.clone().with_nullable(true),
        kernel: BatchKernel::infallible("ITEM", move |args: &[Column], rows| {
            let lists = Lists::new(&args[0]);
            let indexes = Ints::new(&args[1]);
            pick(lists.values(), &null, rows, |row| {
                let (start, end) = lists.range(row)?;
                let index = usize::try_from(indexes.get(row)?.checked_sub(1)?).ok()?;
                Some(start.checked_add(index)?).filter(|at| *at < end)
            })
        }),
    })
}

fn literal_integer(arg: &Arg) -> Option<i64> {
    let value = &arg.literal.as_ref()?.value;
    if value.len() != 1 || value.is_null(0) {
        return None;
    }
    if let Some(value) = value.as_primitive_opt::<Int32Type>() {
        return Some(value.value(0).into());
    }
    value
        .as_primitive_opt::<Int64Type>()
        .map(|value| value.value(0))
}

fn bind_map_item(args: &[Arg], key: &FlinkType, value: &FlinkType) -> Result<Bound, CallError> {
    let given = &args[1].ty;
    let fits = given.kind == key.kind
        || given.kind.is_character() && key.kind.is_character()
        || can_implicitly_cast(given, &key.clone().with_nullable(true));
    if !fits {
        return Err(types_error("ITEM", args));
    }
    // A text is compared as it is: cut to a CHAR key's length it might meet a key it is not.
    let key_type = if given.kind.is_character() {
        given.clone()
    } else {
        key.clone().with_nullable(given.nullable)
    };
    let null = new_null_array(&arrow_type(&value.kind), 1);
    Ok(Bound {
        arg_types: vec![args[0].ty.clone(), key_type],
        return_type: value.clone().with_nullable(true),
        kernel: BatchKernel::infallible("ITEM", move |args: &[Column], rows| {
            let maps = Maps::new(&args[0]);
            let wanted = &args[1];
            let equality = maps
                .keys()
                .map(|keys| Equality::new(keys.as_ref(), wanted.array().as_ref()));
            pick(maps.values(), &null, rows, |row| {
                let (start, end) = maps.range(row)?;
                let equality = equality.as_ref()?;
                (start..end).find(|at| equality.same(*at, wanted.index(row)))
            })
        }),
    })
}

fn bind_field(args: &[Arg]) -> Result<Bound, CallError> {
    two("GET_FIELD", args)?;
    let (TypeKind::Row(fields), Some(name)) = (&args[0].ty.kind, literal_text(&args[1])) else {
        return Err(types_error("GET_FIELD", args));
    };
    let found = fields.iter().position(|field| field.name == name);
    let Some(place) = found else {
        return Err(CallError::Argument {
            index: 1,
            message: format!("the row has no field '{name}'"),
        });
    };
    Ok(field_at(args, fields, place))
}

/// `row[2]`: the field of that number.
fn bind_row_item(args: &[Arg], fields: &[RowField]) -> Result<Bound, CallError> {
    let literal = args[1].literal.as_ref();
    let index = literal.and_then(|literal| {
        let values = literal.value.as_primitive_opt::<Int32Type>()?;
        (values.len() == 1 && values.is_valid(0)).then(|| values.value(0))
    });
    let index = index.ok_or_else(|| types_error("ITEM", args))?;
    let place = usize::try_from(i64::from(index) - 1).ok();
    let place = place.filter(|place| *place < fields.len());
    let place = place.ok_or_else(|| CallError::Argument {
        index: 1,
        message: format!(
            "the row has {} fields, and none is number {index}",
            fields.len()
        ),
    })?;
    Ok(field_at(args, fields, place))
}

fn field_at(args: &[Arg], fields: &[RowField], place: usize) -> Bound {
    let field = &fields[place].ty;
    let data_type = arrow_type(&field.kind);
    Bound {
        arg_types: args.iter().map(|arg| arg.ty.clone()).collect(),
        return_type: field
            .clone()
            .with_nullable(field.nullable || args[0].ty.nullable),
        kernel: BatchKernel::infallible("GET_FIELD", move |args: &[Column], rows| {
            let Some(structs) = args[0].array().as_struct_opt() else {
                return new_null_array(&data_type, rows);
            };
            let field = structs.column(place);
            match structs.nulls() {
                // Under a NULL row the field may hold anything.
                Some(nulls) if nulls.null_count() > 0 => {
                    let null = new_null_array(field.data_type(), 1);
                    let choices: Vec<(usize, usize)> = (0..structs.len())
                        .map(|row| if nulls.is_null(row) { (1, 0) } else { (0, row) })
                        .collect();
                    choose(&[field.as_ref(), null.as_ref()], &choices)
                }
                _ if args[0].is_constant() && rows != 1 => {
                    choose(&[field.as_ref()], &vec![(0, 0); rows])
                }
                _ => Arc::clone(field),
            }
        }),
    }
}

fn bind_cardinality(args: &[Arg]) -> Result<Bound, CallError> {
    one("CARDINALITY", args)?;
    let ty = &args[0].ty;
    if !matches!(
        ty.kind,
        TypeKind::Array(_) | TypeKind::Map(..) | TypeKind::Multiset(_)
    ) {
        return Err(types_error("CARDINALITY", args));
    }
    Ok(Bound {
        arg_types: vec![ty.clone()],
        return_type: TypeKind::Int.nullable().with_nullable(ty.nullable),
        kernel: BatchKernel::infallible("CARDINALITY", |args: &[Column], rows| {
            let lists = Lists::new(&args[0]);
            let maps = Maps::new(&args[0]);
            let lengths: PrimitiveArray<Int32Type> = (0..rows)
                .map(|row| {
                    let (start, end) = lists.range(row).or_else(|| maps.range(row))?;
                    i32::try_from(end - start).ok()
                })
                .collect();
            Arc::new(lengths) as ArrayRef
        }),
    })
}

fn bind_element(args: &[Arg]) -> Result<Bound, CallError> {
    one("ELEMENT", args)?;
    let TypeKind::Array(element) = &args[0].ty.kind else {
        return Err(types_error("ELEMENT", args));
    };
    let null = new_null_array(&arrow_type(&element.kind), 1);
    Ok(Bound {
        arg_types: vec![args[0].ty.clone()],
        return_type: FlinkType {
            kind: element.kind.clone(),
            nullable: element.nullable || args[0].ty.nullable,
        },
        kernel: BatchKernel::fallible("ELEMENT", move |args: &[Column], rows| {
            let lists = Lists::new(&args[0]);
            let long = |row: &usize| {
                lists
                    .range(*row)
                    .is_some_and(|(start, end)| end - start > 1)
            };
            if let Some(row) = (0..rows).find(long) {
                return Err(RowError::new(row, "Array has more than one element."));
            }
            Ok(pick(lists.values(), &null, rows, |row| {
                lists
                    .range(row)
                    .filter(|(start, end)| start < end)
                    .map(|(start, _)| start)
            }))
        }),
    })
}

fn bind_contains(args: &[Arg]) -> Result<Bound, CallError> {
    two("ARRAY_CONTAINS", args)?;
    let TypeKind::Array(element) = &args[0].ty.kind else {
        return Err(types_error("ARRAY_CONTAINS", args));
    };
    let needle = &args[1].ty;
    let nulls_fit = element.nullable || !(needle.nullable || needle.kind == TypeKind::Null);
    if !nulls_fit || !can_implicitly_cast(needle, element) {
        return Err(types_error("ARRAY_CONTAINS", args));
    }
    Ok(Bound {
        arg_types: vec![args[0].ty.clone(), (**element).clone()],
        return_type: TypeKind::Boolean
            .nullable()
            .with_nullable(args[0].ty.nullable),
        kernel: BatchKernel::infallible("ARRAY_CONTAINS", |args: &[Column], rows| {
            let lists = Lists::new(&args[0]);
            let needles = &args[1];
            let equality = lists
                .values()
                .map(|values| Equality::new(values.as_ref(), needles.array().as_ref()));
            let found: BooleanArray = (0..rows)
                .map(|row| {
                    let (start, end) = lists.range(row)?;
                    let equality = equality.as_ref()?;
                    Some((start..end).any(|at| equality.same(at, needles.index(row))))
                })
                .collect();
            Arc::new(found) as ArrayRef
        }),
    })
}
