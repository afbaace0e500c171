//! Arrays, maps, multisets and rows: constructors, access, and what is asked of their types.

mod elements;

mod access;
mod construct;
mod describe;

use crate::FunctionDef;

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
