//! Columns as Arrow fields: Flink's type and the time attribute travel in the field's metadata.
//!
//! Arrow's own nullable flag is always set: Flink's NOT NULL is part of the type's text. No value depends on the
//! metadata; `explain`, state schemas and the check after planning read it.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_schema::{Field, FieldRef};
use millrace_connector::{FlinkType, physical};

use super::bound::TimeAttribute;

/// The key of Flink's type, as Flink writes it: `VARCHAR(9) NOT NULL`.
pub(crate) const TYPE: &str = "millrace:type";
/// The key of the time attribute: `ROWTIME` or `PROCTIME`.
pub(crate) const TIME: &str = "millrace:time";

/// Returns a field of that type.
pub(crate) fn field(name: &str, ty: &FlinkType, time: Option<TimeAttribute>) -> FieldRef {
    let mut metadata = HashMap::from([(TYPE.to_owned(), ty.to_string())]);
    if let Some(time) = time {
        metadata.insert(TIME.to_owned(), time.to_string());
    }
    let data_type = physical::arrow_type(&ty.kind);
    Arc::new(Field::new(name, data_type, true).with_metadata(metadata))
}

/// Returns Flink's type of a field as text; `None` = it was lost.
pub(crate) fn type_of(field: &Field) -> Option<&str> {
    field.metadata().get(TYPE).map(String::as_str)
}

/// Returns the time attribute of a field.
pub(crate) fn time_of(field: &Field) -> Option<&str> {
    field.metadata().get(TIME).map(String::as_str)
}

/// Returns Flink's type as a person writes it, with the time attribute.
pub(crate) fn shown_type(field: &Field) -> String {
    let ty = short(type_of(field).unwrap_or("?"));
    match time_of(field) {
        Some(time) => format!("{ty} *{time}*"),
        None => ty,
    }
}

/// Returns a type as a person writes it: STRING and BYTES instead of the longest VARCHAR and VARBINARY.
#[must_use]
pub fn written_type(ty: &FlinkType) -> String {
    short(&ty.to_string())
}

fn short(ty: &str) -> String {
    ty.replace("VARCHAR(2147483647)", "STRING")
        .replace("VARBINARY(2147483647)", "BYTES")
}
