//! IN with a list of values.
//!
//! # Flink
//! Each value of the list is cast to the type of the left side, unless both types have the same name, and then
//! compared with `=`: `5 IN (5.5)` is TRUE, as 5.5 becomes 5. Timestamps of different precision are refused.

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};

use arrow_array::cast::AsArray;
use arrow_array::types::{Int8Type, Int16Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, BooleanArray};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use millrace_connector::{FlinkType, TypeKind};

use super::coercion::least_restrictive;
use super::compare::{Comparison, compare};
use super::comparison::{comparable, or_unknown};
use super::elementwise::null_column;
use super::signature::{bad_types, between, boolean};
use crate::{
    Arg, BindContext, Bound, CallError, Category, Column, EvalContext, FunctionDef, Kernel,
    RowError, Volatility,
};

/// From how many literals on a hash set is faster than comparing with each.
const SET_LENGTH_MIN: usize = 8;

/// The values of a list of literals; NULLs are counted apart.
#[derive(Debug)]
enum Set {
    Integers(HashSet<i64>),
    Text(HashSet<Box<str>>),
}

#[derive(Debug)]
struct InSet {
    values: Set,
    has_null: bool,
}

#[derive(Debug)]
struct InList {
    kind: TypeKind,
    /// Whether the list is one of literals, so that its set can be kept.
    literal: bool,
    set: OnceLock<Option<InSet>>,
}

impl Kernel for InList {
    fn evaluate(
        &self,
        args: &[Column],
        rows: usize,
        _ctx: &EvalContext,
    ) -> Result<Column, RowError> {
        if self.literal
            && args.len() > SET_LENGTH_MIN
            && !args[0].is_constant()
            && let Some(set) = self.set.get_or_init(|| InSet::of(&self.kind, &args[1..]))
        {
            return Ok(Column::Array(set.test(args[0].array())));
        }
        let mut result: Option<Column> = None;
        for value in &args[1..] {
            let pair = [args[0].clone(), value.clone()];
            let equal = if value.array().data_type() == &arrow_schema::DataType::Null {
                null_column(&arrow_schema::DataType::Boolean)
            } else {
                compare(Comparison::Equal, &self.kind, &self.kind, &pair, rows)?
            };
            result = Some(match result {
                None => equal,
                Some(result) => or_unknown(&result, &equal, rows),
            });
        }
        Ok(result.expect("the list has a value"))
    }

    fn can_fail(&self) -> bool {
        false
    }
}

impl InSet {
    fn of(kind: &TypeKind, list: &[Column]) -> Option<Self> {
        fn integers<T>(list: &[Column]) -> Set
        where
            T: ArrowPrimitiveType,
            T::Native: Into<i64>,
        {
            let known = list.iter().filter(|value| !value.is_null(0));
            Set::Integers(
                known
                    .map(|value| value.array().as_primitive::<T>().value(0).into())
                    .collect(),
            )
        }
        let values = match kind {
            TypeKind::TinyInt => integers::<Int8Type>(list),
            TypeKind::SmallInt => integers::<Int16Type>(list),
            TypeKind::Int => integers::<Int32Type>(list),
            TypeKind::BigInt => integers::<Int64Type>(list),
            TypeKind::Char(_) | TypeKind::Varchar(_) => Set::Text(
                list.iter()
                    .filter(|value| !value.is_null(0))
                    .map(|value| value.array().as_string_view().value(0).into())
                    .collect(),
            ),
            _ => return None,
        };
        Some(Self {
            values,
            has_null: list.iter().any(|value| value.is_null(0)),
        })
    }

    fn test(&self, array: &ArrayRef) -> ArrayRef {
        let rows = array.len();
        fn found<T>(array: &ArrayRef, set: &HashSet<i64>) -> BooleanBuffer
        where
            T: ArrowPrimitiveType,
            T::Native: Into<i64>,
        {
            let values = array.as_primitive::<T>().values();
            BooleanBuffer::collect_bool(values.len(), |i| set.contains(&values[i].into()))
        }
        let found = match &self.values {
            Set::Integers(set) => match array.data_type() {
                arrow_schema::DataType::Int8 => found::<Int8Type>(array, set),
                arrow_schema::DataType::Int16 => found::<Int16Type>(array, set),
                arrow_schema::DataType::Int32 => found::<Int32Type>(array, set),
                _ => found::<Int64Type>(array, set),
            },
            Set::Text(set) => {
                let text = array.as_string_view();
                BooleanBuffer::collect_bool(rows, |i| set.contains(text.value(i)))
            }
        };
        // With a NULL in the list, what is not found is unknown.
        let missing = self.has_null.then(|| NullBuffer::new(found.clone()));
        let nulls = NullBuffer::union(array.nulls(), missing.as_ref());
        Arc::new(BooleanArray::new(found, nulls))
    }
}

/// Tells whether Calcite leaves a value of the list as it is.
fn same_name(left: &TypeKind, right: &TypeKind) -> bool {
    std::mem::discriminant(left) == std::mem::discriminant(right)
        || matches!((left, right), (TypeKind::Varchar(_), TypeKind::Char(_)))
}

fn bind(args: &[Arg], _ctx: &BindContext) -> Result<Bound, CallError> {
    between("IN", 2, usize::MAX, args)?;
    let left = &args[0].ty;
    let list: Vec<FlinkType> = args[1..].iter().map(|arg| arg.ty.clone()).collect();
    let all_null = list.iter().all(|ty| ty.kind == TypeKind::Null);
    let refused = || bad_types("IN", args);
    if !all_null {
        let component = least_restrictive(&list).ok_or_else(refused)?;
        if !comparable(&left.kind, &component.kind) {
            return Err(refused());
        }
    }
    let mut kind = left.kind.clone();
    for ty in list.iter().filter(|ty| same_name(&left.kind, &ty.kind)) {
        match (&left.kind, &ty.kind) {
            (TypeKind::Timestamp(p), TypeKind::Timestamp(q))
            | (TypeKind::TimestampLtz(p), TypeKind::TimestampLtz(q))
                if p != q =>
            {
                return Err(CallError::Argument {
                    index: 1,
                    message: format!("Incomparable types: {} and {}", left.kind, ty.kind),
                });
            }
            (TypeKind::Decimal(..), _) => {
                let both = [kind.clone().nullable(), ty.clone()];
                kind = least_restrictive(&both).ok_or_else(refused)?.kind;
            }
            _ => {}
        }
    }
    let mut arg_types = vec![FlinkType {
        kind: kind.clone(),
        nullable: left.nullable,
    }];
    for ty in &list {
        let kept = ty.kind.is_character() && same_name(&left.kind, &ty.kind);
        arg_types.push(if kept || ty.kind == TypeKind::Null {
            ty.clone()
        } else {
            FlinkType {
                kind: kind.clone(),
                nullable: ty.nullable,
            }
        });
    }
    if left.kind == TypeKind::Null {
        return Err(refused());
    }
    Ok(Bound {
        arg_types,
        return_type: boolean(args),
        kernel: Arc::new(InList {
            kind,
            literal: args[1..].iter().all(|arg| arg.literal.is_some()),
            set: OnceLock::new(),
        }),
    })
}

pub(super) static IN: FunctionDef = FunctionDef {
    name: "IN",
    aliases: &[],
    category: Category::Comparison,
    signatures: &["a IN (b, …) → BOOLEAN"],
    doc: "Tells whether the value equals one of the list.\nNULL when it is NULL, or when it is not found and the list has a NULL.\nThe values of the list are cast to the type of the value before it.",
    examples: &[("'a' IN ('a', 'b')", "true")],
    volatility: Volatility::Deterministic,
    bind,
};
