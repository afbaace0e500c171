//! The operators: arithmetic, comparison, logic, `||` and IN, by their sign as name.
//!
//! [`coercion`] finds the type that several types have in common.

pub(crate) mod arithmetic;
pub mod coercion;
pub(crate) mod compare;
mod comparison;
mod concat;
pub(crate) mod datetime_arithmetic;
mod decimal_arithmetic;
pub(crate) mod decimal_types;
pub(crate) mod elementwise;
mod in_list;
mod logic;
pub(crate) mod signature;
#[cfg(test)]
mod tests;

pub(crate) use decimal_arithmetic::decimal_quotient;

use crate::FunctionDef;

/// The functions of this group.
pub(crate) static FUNCTIONS: &[&FunctionDef] = &[
    &arithmetic::ADD,
    &arithmetic::SUBTRACT,
    &arithmetic::MULTIPLY,
    &arithmetic::DIVIDE,
    &arithmetic::MODULO,
    &arithmetic::NEGATE,
    &arithmetic::PLUS_SIGN,
    &comparison::EQUAL,
    &comparison::NOT_EQUAL,
    &comparison::LESS,
    &comparison::LESS_OR_EQUAL,
    &comparison::GREATER,
    &comparison::GREATER_OR_EQUAL,
    &comparison::DISTINCT,
    &comparison::NOT_DISTINCT,
    &concat::CONCAT,
    &in_list::IN,
    &logic::AND,
    &logic::OR,
    &logic::NOT,
    &logic::IS_NULL,
    &logic::IS_NOT_NULL,
    &logic::IS_TRUE,
    &logic::IS_NOT_TRUE,
    &logic::IS_FALSE,
    &logic::IS_NOT_FALSE,
    &logic::IS_UNKNOWN,
    &logic::IS_NOT_UNKNOWN,
];
