//! A constant with its type.

use arrow_array::ArrayRef;
use millrace_connector::FlinkType;

/// A constant: a type and an array of length 1 in the type's physical form.
#[derive(Clone, Debug)]
pub struct Literal {
    /// Its Flink type.
    pub ty: FlinkType,
    /// Its value; an array of length 1.
    pub value: ArrayRef,
}
