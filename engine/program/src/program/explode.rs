//! UNNEST: a row for each element of a collection.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, Int32Array, UInt32Array};
use arrow_select::take::take;
use millrace_connector::{FlinkType, TypeKind};
use millrace_functions::{Column, EvalContext, RowError};

use super::block::Block;
use super::selection::expand;

/// A stage that multiplies rows: it adds the collection's columns behind those of the working set.
#[derive(Clone, Debug)]
pub(crate) struct Explode {
    /// Computes the collection.
    pub(crate) block: Block,
    /// The columns of the working set that the block reads.
    pub(crate) reads: Vec<usize>,
    /// Whether a row without elements stays, with NULLs.
    pub(crate) outer: bool,
    /// Whether the element's number within its row comes behind it.
    pub(crate) ordinality: bool,
    /// The collection's type.
    pub(crate) collection: TypeKind,
}

/// Returns the columns that a collection unnests to: names and types; `None` for what is no collection.
#[must_use]
pub fn unnested_columns(kind: &TypeKind) -> Option<Vec<(String, FlinkType)>> {
    let of_element = |element: &FlinkType| match &element.kind {
        TypeKind::Row(fields) => fields
            .iter()
            .map(|field| (field.name.clone(), field.ty.clone()))
            .collect(),
        _ => vec![("EXPR$0".to_owned(), element.clone())],
    };
    match kind {
        TypeKind::Array(element) | TypeKind::Multiset(element) => Some(of_element(element)),
        TypeKind::Map(key, value) => Some(vec![
            ("KEY".to_owned(), key.as_ref().clone()),
            ("VALUE".to_owned(), value.as_ref().clone()),
        ]),
        _ => None,
    }
}

impl Explode {
    /// Multiplies the rows of the working set and returns, for each new row, the old one it came from.
    ///
    /// # Errors
    /// A row whose collection cannot be computed.
    pub(crate) fn run(
        &self,
        columns: &mut Vec<ArrayRef>,
        rows: usize,
        ctx: &EvalContext,
    ) -> Result<UInt32Array, RowError> {
        let imports: Vec<Column> = self
            .reads
            .iter()
            .map(|read| Column::Array(Arc::clone(&columns[*read])))
            .collect();
        let registers = self.block.run(&imports, rows, ctx)?;
        let collection = expand(registers.output(0), rows);
        let (origins, elements) = self.positions(&collection, rows);
        for column in columns.iter_mut() {
            *column = gather(column, &origins);
        }
        columns.extend(self.pieces(&collection, &elements));
        if self.ordinality {
            columns.push(ordinals(&origins, &elements));
        }
        Ok(origins)
    }

    /// Returns, for each new row, the old row and the element; no element for a row that stays without one.
    fn positions(&self, collection: &ArrayRef, rows: usize) -> (UInt32Array, UInt32Array) {
        let mut origins = Vec::new();
        let mut elements: Vec<Option<u32>> = Vec::new();
        for row in 0..rows {
            let before = origins.len();
            if !collection.is_null(row) {
                for element in self.given_elements(collection, row) {
                    origins.push(number(row));
                    elements.push(Some(number(element)));
                }
            }
            if self.outer && origins.len() == before {
                origins.push(number(row));
                elements.push(None);
            }
        }
        (UInt32Array::from(origins), UInt32Array::from(elements))
    }

    /// Returns the positions of the elements that give rows.
    ///
    /// # Flink
    /// An element is the row itself where it is a ROW: a missing one is no row. With a number behind it, it is one.
    /// Other elements, and the values of a MAP, are columns of a row, and may be NULL.
    fn given_elements(&self, collection: &ArrayRef, row: usize) -> Vec<usize> {
        let mut positions = self.elements_of(collection, row);
        if let TypeKind::Array(element) = &self.collection
            && matches!(element.kind, TypeKind::Row(_))
            && !self.ordinality
        {
            let rows = collection.as_list::<i32>().values();
            positions.retain(|position| rows.is_valid(*position));
        }
        positions
    }

    /// Returns the positions of a row's elements among all elements; a multiset's as often as they occur.
    fn elements_of(&self, collection: &ArrayRef, row: usize) -> Vec<usize> {
        let range = |offsets: &[i32]| {
            let bound =
                |index: usize| usize::try_from(offsets[index]).expect("offsets are not negative");
            bound(row)..bound(row + 1)
        };
        match &self.collection {
            TypeKind::Array(_) => range(collection.as_list::<i32>().value_offsets()).collect(),
            TypeKind::Multiset(_) => {
                let map = collection.as_map();
                let counts = map.values().as_primitive::<Int32Type>();
                let times = |element: usize| usize::try_from(counts.value(element)).unwrap_or(0);
                range(map.value_offsets())
                    .flat_map(|element| std::iter::repeat_n(element, times(element)))
                    .collect()
            }
            _ => range(collection.as_map().value_offsets()).collect(),
        }
    }

    /// Returns the new columns.
    fn pieces(&self, collection: &ArrayRef, elements: &UInt32Array) -> Vec<ArrayRef> {
        let of_element = |element: &FlinkType, values: &ArrayRef| match &element.kind {
            TypeKind::Row(_) => {
                let rows = gather(values, elements);
                let rows = rows.as_struct();
                (0..rows.num_columns())
                    .map(|field| field_of(rows, field))
                    .collect()
            }
            _ => vec![gather(values, elements)],
        };
        match &self.collection {
            TypeKind::Array(element) => of_element(element, collection.as_list::<i32>().values()),
            TypeKind::Multiset(element) => of_element(element, collection.as_map().keys()),
            _ => {
                let map = collection.as_map();
                vec![gather(map.keys(), elements), gather(map.values(), elements)]
            }
        }
    }
}

/// Returns the number of each element within its row, from 1; NULL where there is none.
fn ordinals(origins: &UInt32Array, elements: &UInt32Array) -> ArrayRef {
    let mut last = (None, 0);
    let numbers: Int32Array = origins
        .values()
        .iter()
        .enumerate()
        .map(|(index, origin)| {
            let before = if last.0 == Some(origin) { last.1 } else { 0 };
            last = (Some(origin), before + 1);
            elements.is_valid(index).then_some(before + 1)
        })
        .collect();
    Arc::new(numbers)
}

/// Returns a field of rows, NULL where the row is.
fn field_of(rows: &arrow_array::StructArray, field: usize) -> ArrayRef {
    let column = rows.column(field);
    let Some(nulls) = rows.nulls() else {
        return Arc::clone(column);
    };
    let indices: UInt32Array = (0..rows.len())
        .map(|row| nulls.is_valid(row).then(|| number(row)))
        .collect();
    gather(column, &indices)
}

fn gather(values: &ArrayRef, indices: &UInt32Array) -> ArrayRef {
    take(values, indices, None).expect("the indices were made from these values")
}

fn number(index: usize) -> u32 {
    u32::try_from(index).expect("a batch has fewer than 2^32 elements")
}
