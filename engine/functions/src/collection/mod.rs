//! Arrays, maps, multisets and rows: constructors, access, and what is asked of their types.

mod elements;

mod access;
mod construct;
mod describe;
mod later_arrays;
mod later_map_makers;
mod later_maps;
mod later_order;

#[cfg(test)]
mod tests;

use crate::FunctionDef;

pub use access::missing_element;

/// The functions of this group that Flink 1.17 has.
pub(crate) static FUNCTIONS: &[&FunctionDef] = &[
    &construct::ARRAY,
    &access::ARRAY_CONTAINS,
    &access::CARDINALITY,
    &describe::CURRENT_DATABASE,
    &access::ELEMENT,
    &access::GET_FIELD,
    &access::ITEM,
    &construct::MAP,
    &construct::MULTISET,
    &construct::ROW,
    &describe::TYPEOF,
];

/// The functions of this group that only later versions of Flink have; see the registry.
pub(crate) static LATER_FUNCTIONS: &[&FunctionDef] = &[
    &later_arrays::ARRAY_APPEND,
    &later_arrays::ARRAY_CONCAT,
    &later_arrays::ARRAY_DISTINCT,
    &later_arrays::ARRAY_EXCEPT,
    &later_arrays::ARRAY_INTERSECT,
    &later_maps::ARRAY_JOIN,
    &later_order::ARRAY_MAX,
    &later_order::ARRAY_MIN,
    &later_arrays::ARRAY_POSITION,
    &later_arrays::ARRAY_PREPEND,
    &later_arrays::ARRAY_REMOVE,
    &later_arrays::ARRAY_REVERSE,
    &later_arrays::ARRAY_SLICE,
    &later_order::ARRAY_SORT,
    &later_arrays::ARRAY_UNION,
    &later_maps::MAP_ENTRIES,
    &later_map_makers::MAP_FROM_ARRAYS,
    &later_maps::MAP_KEYS,
    &later_map_makers::MAP_UNION,
    &later_maps::MAP_VALUES,
];
