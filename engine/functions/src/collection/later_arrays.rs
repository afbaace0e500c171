//! The array functions of Flink 1.18 to 2.x that need no order among elements.
//!
//! # Flink
//! NULL is an element like others; a NULL array gives NULL. Elements given beside an array are brought to its
//! element type, which becomes nullable where they are.

use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, ListArray, PrimitiveArray, new_null_array};
use arrow_buffer::{NullBufferBuilder, OffsetBuffer};
use arrow_schema::DataType;
use millrace_connector::physical::arrow_type;
use millrace_connector::{FlinkType, TypeKind};

use super::elements::{Equality, Lists, choose};
use crate::cast::can_implicitly_cast;
use crate::operator::coercion::common_type;
use crate::string::{BatchKernel, Ints, count_error, types_error};
use crate::{Arg, Bound, CallError, Category, Column, FunctionDef, Volatility};

/// A chosen element: the argument it comes from and its index in that argument's values.
type Choice = (usize, usize);
/// Returns the elements of a row's result, or `None` for NULL.
type RowOf = fn(&Inputs<'_>, usize) -> Option<Vec<Choice>>;

macro_rules! array_function {
    ($constant:ident, $name:literal, $shape:expr, $row:expr, $since:literal, $signature:literal, $doc:literal, $example:expr) => {
        #[doc = concat!("`", $name, "`.")]
        pub(crate) static $constant: FunctionDef = FunctionDef {
            name: $name,
            aliases: &[],
            category: Category::Collection,
            signatures: &[$signature],
            doc: concat!(
                $doc,
                "\nA NULL array gives NULL.\nFlink has it from ",
                $since,
                " on."
            ),
            examples: &[$example],
            volatility: Volatility::Deterministic,
            bind: |args, _| bind($name, args, $shape, $row),
        };
    };
}

array_function!(
    ARRAY_DISTINCT,
    "ARRAY_DISTINCT",
    Shape::Array,
    |inputs, row| Some(distinct(inputs, inputs.elements(0, row)?)),
    "1.18",
    "ARRAY_DISTINCT(array ARRAY<t>) → ARRAY<t>",
    "Returns the array without the elements that came before in it.",
    ("ARRAY_DISTINCT(ARRAY[1, 2, 1])", "[1, 2]")
);
array_function!(
    ARRAY_REVERSE,
    "ARRAY_REVERSE",
    Shape::Array,
    |inputs, row| {
        let mut elements = inputs.elements(0, row)?;
        elements.reverse();
        Some(elements)
    },
    "1.18",
    "ARRAY_REVERSE(array ARRAY<t>) → ARRAY<t>",
    "Returns the array from its last element to its first.",
    ("ARRAY_REVERSE(ARRAY[1, 2])", "[2, 1]")
);
array_function!(
    ARRAY_SLICE,
    "ARRAY_SLICE",
    Shape::ArrayAndBounds,
    slice,
    "1.18",
    "ARRAY_SLICE(array ARRAY<t>, start INT [, end INT]) → ARRAY<t>",
    "Returns the elements from `start` to `end`, both counted from 1 and included; negative ones count from the end.\n\
     A range outside the array gives the empty array.",
    ("ARRAY_SLICE(ARRAY[1, 2, 3], -2)", "[2, 3]")
);
array_function!(
    ARRAY_REMOVE,
    "ARRAY_REMOVE",
    Shape::ArrayAndElement,
    |inputs, row| {
        let needle = inputs.element(1, row);
        let mut elements = inputs.elements(0, row)?;
        elements.retain(|element| !inputs.same(*element, needle));
        Some(elements)
    },
    "1.18",
    "ARRAY_REMOVE(array ARRAY<t>, element t) → ARRAY<t>",
    "Returns the array without the elements equal to `element`.",
    ("ARRAY_REMOVE(ARRAY[1, 2, 1], 1)", "[2]")
);
array_function!(
    ARRAY_APPEND,
    "ARRAY_APPEND",
    Shape::ArrayAndElement,
    |inputs, row| {
        let mut elements = inputs.elements(0, row)?;
        elements.push(inputs.element(1, row));
        Some(elements)
    },
    "1.20",
    "ARRAY_APPEND(array ARRAY<t>, element t) → ARRAY<t>",
    "Returns the array with `element` behind its last.",
    ("ARRAY_APPEND(ARRAY[1], 2)", "[1, 2]")
);
array_function!(
    ARRAY_PREPEND,
    "ARRAY_PREPEND",
    Shape::ArrayAndElement,
    |inputs, row| {
        let mut elements = vec![inputs.element(1, row)];
        elements.extend(inputs.elements(0, row)?);
        Some(elements)
    },
    "1.20",
    "ARRAY_PREPEND(array ARRAY<t>, element t) → ARRAY<t>",
    "Returns the array with `element` before its first.",
    ("ARRAY_PREPEND(ARRAY[1], 2)", "[2, 1]")
);
array_function!(
    ARRAY_CONCAT,
    "ARRAY_CONCAT",
    Shape::Arrays(1),
    |inputs, row| inputs.joined(row),
    "1.18",
    "ARRAY_CONCAT(array ARRAY<t>, …) → ARRAY<t>",
    "Returns the elements of all arrays, one array after the other.",
    ("ARRAY_CONCAT(ARRAY[1], ARRAY[2, 1])", "[1, 2, 1]")
);
array_function!(
    ARRAY_UNION,
    "ARRAY_UNION",
    Shape::Arrays(2),
    |inputs, row| Some(distinct(inputs, inputs.joined(row)?)),
    "1.18",
    "ARRAY_UNION(array1 ARRAY<t>, array2 ARRAY<t>) → ARRAY<t>",
    "Returns the elements of both arrays, each once.",
    ("ARRAY_UNION(ARRAY[1, 2], ARRAY[2, 3])", "[1, 2, 3]")
);
array_function!(
    ARRAY_EXCEPT,
    "ARRAY_EXCEPT",
    Shape::Arrays(2),
    |inputs, row| filtered(inputs, row, false),
    "1.20",
    "ARRAY_EXCEPT(array1 ARRAY<t>, array2 ARRAY<t>) → ARRAY<t>",
    "Returns the elements of the first array that the second lacks, each once.",
    ("ARRAY_EXCEPT(ARRAY[1, 2, 1], ARRAY[2])", "[1]")
);
array_function!(
    ARRAY_INTERSECT,
    "ARRAY_INTERSECT",
    Shape::Arrays(2),
    |inputs, row| filtered(inputs, row, true),
    "1.20",
    "ARRAY_INTERSECT(array1 ARRAY<t>, array2 ARRAY<t>) → ARRAY<t>",
    "Returns the elements of the first array that the second has too, each once.",
    ("ARRAY_INTERSECT(ARRAY[1, 2, 1], ARRAY[1])", "[1]")
);

/// `ARRAY_POSITION`.
pub(crate) static ARRAY_POSITION: FunctionDef = FunctionDef {
    name: "ARRAY_POSITION",
    aliases: &[],
    category: Category::Collection,
    signatures: &["ARRAY_POSITION(array ARRAY<t>, element t) → INT"],
    doc: "Returns where `element` first stands in the array, counted from 1; 0 if it does not.\n\
          A NULL array and a NULL element give NULL.\nFlink has it from 1.18 on.",
    examples: &[("ARRAY_POSITION(ARRAY[3, 2], 2)", "2")],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind_position(args),
};

/// Which arguments a function takes.
#[derive(Clone, Copy, Debug)]
enum Shape {
    /// An array.
    Array,
    /// An array and one or two places.
    ArrayAndBounds,
    /// An array and an element.
    ArrayAndElement,
    /// That many arrays; for one, any number.
    Arrays(usize),
}

impl Shape {
    fn check(self, name: &str, args: &[Arg]) -> Result<(), CallError> {
        let (least, most) = match self {
            Self::Array => (1, Some(1)),
            Self::ArrayAndBounds => (2, Some(3)),
            Self::ArrayAndElement | Self::Arrays(2) => (2, Some(2)),
            Self::Arrays(_) => (1, None),
        };
        if args.len() < least || most.is_some_and(|most| args.len() > most) {
            return Err(count_error(name, args.len(), least, most));
        }
        Ok(())
    }

    /// Returns the type of the result's elements.
    fn element(self, name: &str, args: &[Arg]) -> Result<FlinkType, CallError> {
        let wrong = || types_error(name, args);
        let element = |arg: &Arg| match &arg.ty.kind {
            TypeKind::Array(element) => Ok((**element).clone()),
            _ => Err(wrong()),
        };
        let types = match self {
            Self::Array | Self::ArrayAndBounds => vec![element(&args[0])?],
            Self::ArrayAndElement => {
                let element = element(&args[0])?;
                let taken =
                    can_implicitly_cast(&args[1].ty, &element) || args[1].ty.kind == element.kind;
                let nullable = element.nullable || args[1].ty.nullable;
                return taken
                    .then(|| element.with_nullable(nullable))
                    .ok_or_else(wrong);
            }
            Self::Arrays(_) => args.iter().map(element).collect::<Result<_, _>>()?,
        };
        common_type(&types).ok_or_else(wrong)
    }

    fn arg_types(self, args: &[Arg], element: &FlinkType) -> Vec<FlinkType> {
        let array = TypeKind::Array(Box::new(element.clone()));
        args.iter()
            .enumerate()
            .map(|(place, arg)| {
                let kind = match (self, place) {
                    (_, 0) | (Self::Arrays(_), _) => array.clone(),
                    (Self::ArrayAndElement, _) => element.kind.clone(),
                    _ => TypeKind::Int,
                };
                kind.nullable().with_nullable(arg.ty.nullable)
            })
            .collect()
    }

    /// Tells whether the argument at `place` is an array.
    fn is_array(self, place: usize) -> bool {
        place == 0 || matches!(self, Self::Arrays(_))
    }
}

fn bind(name: &'static str, args: &[Arg], shape: Shape, row_of: RowOf) -> Result<Bound, CallError> {
    shape.check(name, args)?;
    if matches!(shape, Shape::ArrayAndBounds)
        && !args[1..].iter().all(|arg| arg.ty.kind.is_integer())
    {
        return Err(types_error(name, args));
    }
    let element = shape.element(name, args)?;
    let kind = TypeKind::Array(Box::new(element.clone()));
    let data_type = arrow_type(&kind);
    // # Flink: ARRAY_REMOVE keeps the array's type, whatever the element's.
    let return_type = match name {
        "ARRAY_REMOVE" => args[0].ty.clone(),
        _ => kind
            .nullable()
            .with_nullable(args.iter().any(|arg| arg.ty.nullable)),
    };
    Ok(Bound {
        arg_types: shape.arg_types(args, &element),
        return_type,
        kernel: BatchKernel::infallible(name, move |args: &[Column], rows| {
            Inputs::new(args, shape, &data_type).lists(rows, row_of, &data_type)
        }),
    })
}

/// The arguments of a call, as lists or single elements.
struct Inputs<'a> {
    args: &'a [Column],
    lists: Vec<Lists<'a>>,
    /// For each argument the array its elements lie in; empty for NULL lists and places.
    values: Vec<ArrayRef>,
}

impl<'a> Inputs<'a> {
    fn new(args: &'a [Column], shape: Shape, data_type: &DataType) -> Self {
        let DataType::List(field) = data_type else {
            unreachable!("an ARRAY is a list");
        };
        let lists: Vec<Lists<'a>> = args.iter().map(Lists::new).collect();
        let empty = || new_null_array(field.data_type(), 0);
        let values = args
            .iter()
            .enumerate()
            .map(|(place, arg)| match lists[place].values() {
                Some(values) if shape.is_array(place) => Arc::clone(values),
                _ if arg.array().data_type() == field.data_type() => Arc::clone(arg.array()),
                _ => empty(),
            })
            .collect();
        Self {
            args,
            lists,
            values,
        }
    }

    fn elements(&self, arg: usize, row: usize) -> Option<Vec<Choice>> {
        let (start, end) = self.lists[arg].range(row)?;
        Some((start..end).map(|at| (arg, at)).collect())
    }

    fn element(&self, arg: usize, row: usize) -> Choice {
        (arg, self.args[arg].index(row))
    }

    fn joined(&self, row: usize) -> Option<Vec<Choice>> {
        let mut elements = Vec::new();
        for arg in 0..self.args.len() {
            elements.extend(self.elements(arg, row)?);
        }
        Some(elements)
    }

    fn same(&self, left: Choice, right: Choice) -> bool {
        let equality = Equality::new(self.values[left.0].as_ref(), self.values[right.0].as_ref());
        equality.same(left.1, right.1)
    }

    fn lists(&self, rows: usize, row_of: RowOf, data_type: &DataType) -> ArrayRef {
        let DataType::List(field) = data_type else {
            unreachable!("an ARRAY is a list");
        };
        let mut choices = Vec::new();
        let mut lengths = Vec::with_capacity(rows);
        let mut nulls = NullBufferBuilder::new(rows);
        for row in 0..rows {
            let elements = row_of(self, row);
            nulls.append(elements.is_some());
            lengths.push(elements.as_ref().map_or(0, Vec::len));
            choices.extend(elements.into_iter().flatten());
        }
        let arrays: Vec<&dyn Array> = self.values.iter().map(AsRef::as_ref).collect();
        let values = choose(&arrays, &choices);
        let offsets = OffsetBuffer::from_lengths(lengths);
        Arc::new(ListArray::new(
            Arc::clone(field),
            offsets,
            values,
            nulls.finish(),
        ))
    }
}

fn distinct(inputs: &Inputs<'_>, elements: Vec<Choice>) -> Vec<Choice> {
    let mut kept: Vec<Choice> = Vec::with_capacity(elements.len());
    for element in elements {
        if !kept.iter().any(|known| inputs.same(*known, element)) {
            kept.push(element);
        }
    }
    kept
}

fn filtered(inputs: &Inputs<'_>, row: usize, wanted: bool) -> Option<Vec<Choice>> {
    let others = inputs.elements(1, row)?;
    let mut elements = inputs.elements(0, row)?;
    elements.retain(|element| others.iter().any(|other| inputs.same(*element, *other)) == wanted);
    Some(distinct(inputs, elements))
}

fn slice(inputs: &Inputs<'_>, row: usize) -> Option<Vec<Choice>> {
    let elements = inputs.elements(0, row)?;
    let length = i64::try_from(elements.len()).ok()?;
    let place = |arg: &Column| {
        let place = i64::from(Ints::new(arg).get(row)?);
        Some(match place {
            0 => 1,
            1.. => place,
            ..0 => (length + place + 1).max(1),
        })
    };
    let start = place(&inputs.args[1])?.max(1);
    let end = match inputs.args.get(2) {
        Some(arg) => place(arg)?.min(length),
        None => length,
    };
    if start > end {
        return Some(Vec::new());
    }
    let (start, end) = (usize::try_from(start - 1).ok()?, usize::try_from(end).ok()?);
    Some(elements[start..end].to_vec())
}

fn bind_position(args: &[Arg]) -> Result<Bound, CallError> {
    let shape = Shape::ArrayAndElement;
    shape.check("ARRAY_POSITION", args)?;
    let element = shape.element("ARRAY_POSITION", args)?;
    let data_type = arrow_type(&TypeKind::Array(Box::new(element.clone())));
    Ok(Bound {
        arg_types: shape.arg_types(args, &element),
        return_type: TypeKind::Int
            .nullable()
            .with_nullable(args.iter().any(|arg| arg.ty.nullable)),
        kernel: BatchKernel::infallible("ARRAY_POSITION", move |args: &[Column], rows| {
            let inputs = Inputs::new(args, shape, &data_type);
            let places: PrimitiveArray<Int32Type> = (0..rows)
                .map(|row| {
                    let needle = inputs.element(1, row);
                    if inputs.args[1].is_null(row) {
                        return None;
                    }
                    let elements = inputs.elements(0, row)?;
                    let found = elements
                        .iter()
                        .position(|known| inputs.same(*known, needle));
                    i32::try_from(found.map_or(0, |place| place + 1)).ok()
                })
                .collect();
            Arc::new(places) as ArrayRef
        }),
    })
}
