//! The JSON functions. [`json_value_many`] is what an optimiser calls for several JSON_VALUE of one column.

mod clauses;
mod constructors;
mod extract;
mod generate;
mod is_json;
mod json_exists;
mod json_query;
mod json_value;
mod path;
mod quote;
mod scan;

pub use extract::json_value_many;
pub(crate) use generate::{Generator, comma, java_order, key_text};
pub use path::Path;

use crate::FunctionDef;

/// The functions of this group.
pub(crate) static FUNCTIONS: &[&FunctionDef] = &[
    &is_json::IS_JSON,
    &constructors::JSON_ARRAY,
    &json_exists::JSON_EXISTS,
    &constructors::JSON_OBJECT,
    &json_query::JSON_QUERY,
    &constructors::JSON_STRING,
    &json_value::JSON_VALUE,
];

/// The functions of this group that only later versions of Flink have; see the registry.
pub(crate) static LATER_FUNCTIONS: &[&FunctionDef] = &[&quote::JSON_QUOTE, &quote::JSON_UNQUOTE];
