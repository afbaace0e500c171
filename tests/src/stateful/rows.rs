//! Input rows: values as the cases write them, collections too.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use arrow_array::{Array, ArrayRef, ListArray, MapArray, StructArray};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::DataType;
use millrace_connector::physical::arrow_type;
use millrace_connector::{FlinkType, TypeKind};
use serde_json::Value;

/// Returns an array of one value.
///
/// # Errors
/// A text that is no value of the type.
pub fn one(ty: &FlinkType, value: &Value) -> Result<ArrayRef> {
    if value.is_null() {
        return crate::value::parse(ty, value, 1);
    }
    match &ty.kind {
        TypeKind::Array(element) => {
            let items = value.as_array().context("an ARRAY is a list")?;
            let values = concat(element, items)?;
            let DataType::List(field) = arrow_type(&ty.kind) else {
                bail!("an ARRAY is a list in Arrow");
            };
            let offsets = OffsetBuffer::from_lengths([items.len()]);
            Ok(Arc::new(ListArray::try_new(field, offsets, values, None)?))
        }
        TypeKind::Row(fields) => {
            let items = value["row"].as_array().context("a ROW has 'row'")?;
            let DataType::Struct(arrow) = arrow_type(&ty.kind) else {
                bail!("a ROW is a struct in Arrow");
            };
            let cells = fields.iter().zip(items);
            let columns = cells.map(|(field, item)| one(&field.ty, item));
            let columns = columns.collect::<Result<Vec<_>>>()?;
            Ok(Arc::new(StructArray::try_new(arrow, columns, None)?))
        }
        TypeKind::Map(key, element) => map(ty, key, element, value),
        TypeKind::Multiset(element) => map(ty, element, &TypeKind::Int.not_null(), value),
        _ => crate::value::parse(ty, value, 1),
    }
}

fn map(ty: &FlinkType, key: &FlinkType, element: &FlinkType, value: &Value) -> Result<ArrayRef> {
    let pairs = value["map"].as_array().context("a MAP has 'map'")?;
    let part = |at: usize| {
        pairs
            .iter()
            .map(|pair| pair[at].clone())
            .collect::<Vec<_>>()
    };
    let (keys, values) = (concat(key, &part(0))?, concat(element, &part(1))?);
    let DataType::Map(field, sorted) = arrow_type(&ty.kind) else {
        bail!("a MAP is a map in Arrow");
    };
    let DataType::Struct(fields) = field.data_type().clone() else {
        bail!("a map's entries are a struct");
    };
    let entries = StructArray::try_new(fields, vec![keys, values], None)?;
    let offsets = OffsetBuffer::from_lengths([pairs.len()]);
    let nulls: Option<NullBuffer> = None;
    Ok(Arc::new(MapArray::try_new(
        field, offsets, entries, nulls, sorted,
    )?))
}

fn concat(ty: &FlinkType, items: &[Value]) -> Result<ArrayRef> {
    if items.is_empty() {
        return Ok(arrow_array::new_empty_array(&arrow_type(&ty.kind)));
    }
    let arrays = items
        .iter()
        .map(|item| one(ty, item))
        .collect::<Result<Vec<_>>>()?;
    let parts: Vec<&dyn Array> = arrays.iter().map(AsRef::as_ref).collect();
    Ok(arrow_select::concat::concat(&parts)?)
}
