//! Columns of arrays, maps and rows.

use std::sync::Arc;

use arrow_array::{ArrayRef, ListArray, MapArray, StructArray};
use arrow_buffer::{Buffer, NullBufferBuilder, OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, FieldRef, Fields};
use millrace_connector::physical::arrow_type;
use millrace_connector::{FlinkType, RowField, TypeKind};
use millrace_json::{Kind, Span, Tape};

use super::columns::{ColumnBuilder, ReadOptions, Source, append_nullable, column_builder};
use super::convert::class_cast;
use crate::strings::TextColumn;

/// Puts a value of a message on a tape, and gives it to `append`.
fn with_tape<R>(
    tape: &mut Tape,
    span: Span,
    source: &Source<'_>,
    append: impl FnOnce(&Tape, usize) -> Result<R, String>,
) -> Result<R, String> {
    let bytes = &source.bytes[..span.end as usize];
    let start = span.start as usize - usize::from(span.kind == Kind::String);
    let bytes = if span.kind == Kind::String {
        &source.bytes[..=span.end as usize]
    } else {
        bytes
    };
    let root = tape
        .parse::<true>(bytes, start)
        .map_err(|error| error.to_string())?;
    append(tape, root)
}

fn offset(length: usize) -> i32 {
    i32::try_from(length).expect("a batch has fewer than 2^31 elements")
}

fn child_field(data_type: &DataType) -> FieldRef {
    match data_type {
        DataType::List(field) | DataType::Map(field, _) => Arc::clone(field),
        other => unreachable!("{other} has no child"),
    }
}

/// ARRAY.
pub(crate) struct ArrayColumn {
    element: Box<dyn ColumnBuilder>,
    field: FieldRef,
    offsets: Vec<i32>,
    length: usize,
    nulls: NullBufferBuilder,
    tape: Tape,
    ignore_parse_errors: bool,
}

impl ArrayColumn {
    pub(crate) fn new(element: &FlinkType, options: &ReadOptions) -> Result<Self, String> {
        let data_type = arrow_type(&TypeKind::Array(Box::new(element.clone())));
        Ok(Self {
            element: column_builder(element, options)?,
            field: child_field(&data_type),
            offsets: vec![0],
            length: 0,
            nulls: NullBufferBuilder::new(0),
            tape: Tape::new(),
            ignore_parse_errors: options.ignore_parse_errors,
        })
    }

    fn end(&mut self, is_valid: bool) {
        self.offsets.push(offset(self.length));
        self.nulls.append(is_valid);
    }
}

impl ColumnBuilder for ArrayColumn {
    fn append(&mut self, span: Span, source: &Source<'_>) -> Result<(), String> {
        let mut tape = std::mem::take(&mut self.tape);
        let result = with_tape(&mut tape, span, source, |tape, node| {
            self.append_node(tape, node, source)
        });
        self.tape = tape;
        result
    }

    fn append_node(&mut self, tape: &Tape, node: usize, source: &Source<'_>) -> Result<(), String> {
        if tape.kind(node) != Kind::Array {
            self.end(false);
            let cell = source.cell(tape.span(node));
            return Err(class_cast(&cell, "ArrayNode"));
        }
        let mut fault = None;
        for element in tape.elements(node) {
            let ignore = self.ignore_parse_errors;
            self.length += 1;
            if let Err(reason) = append_nullable(&mut *self.element, tape, element, source, ignore)
            {
                fault = Some(reason);
                break;
            }
        }
        self.end(fault.is_none());
        fault.map_or(Ok(()), Err)
    }

    fn append_null(&mut self) {
        self.end(false);
    }

    fn finish(&mut self, messages: &Buffer) -> ArrayRef {
        let offsets = std::mem::replace(&mut self.offsets, vec![0]);
        self.length = 0;
        Arc::new(ListArray::new(
            Arc::clone(&self.field),
            OffsetBuffer::new(ScalarBuffer::from(offsets)),
            self.element.finish(messages),
            self.nulls.finish(),
        ))
    }
}

/// MAP with keys of text, and MULTISET.
pub(crate) struct MapColumn {
    keys: TextColumn,
    value: Box<dyn ColumnBuilder>,
    field: FieldRef,
    offsets: Vec<i32>,
    length: usize,
    nulls: NullBufferBuilder,
    tape: Tape,
    ignore_parse_errors: bool,
}

impl MapColumn {
    pub(crate) fn new(
        ty: &FlinkType,
        key: &FlinkType,
        value: &FlinkType,
        options: &ReadOptions,
    ) -> Result<Self, String> {
        if !key.kind.is_character() {
            return Err(non_string_key(ty));
        }
        Ok(Self {
            keys: TextColumn::default(),
            value: column_builder(value, options)?,
            field: child_field(&arrow_type(&ty.kind)),
            offsets: vec![0],
            length: 0,
            nulls: NullBufferBuilder::new(0),
            tape: Tape::new(),
            ignore_parse_errors: options.ignore_parse_errors,
        })
    }

    fn end(&mut self, is_valid: bool) {
        self.offsets.push(offset(self.length));
        self.nulls.append(is_valid);
    }
}

/// Returns Flink's complaint about a map whose keys are no text.
pub(crate) fn non_string_key(ty: &FlinkType) -> String {
    let what = if matches!(ty.kind, TypeKind::Multiset(_)) {
        "JSON format doesn't support non-string as type of multiset. The type is: "
    } else {
        "JSON format doesn't support non-string as key type of map. The type is: "
    };
    format!("{what}{}", ty.kind)
}

impl ColumnBuilder for MapColumn {
    fn append(&mut self, span: Span, source: &Source<'_>) -> Result<(), String> {
        let mut tape = std::mem::take(&mut self.tape);
        let result = with_tape(&mut tape, span, source, |tape, node| {
            self.append_node(tape, node, source)
        });
        self.tape = tape;
        result
    }

    /// What is no object has no fields, so it is an empty map.
    fn append_node(&mut self, tape: &Tape, node: usize, source: &Source<'_>) -> Result<(), String> {
        let entries = if tape.kind(node) == Kind::Object {
            tape.entries(source.bytes, node)
        } else {
            Vec::new()
        };
        let mut fault = None;
        for (key, value) in entries {
            self.keys.append_copy(&key);
            self.length += 1;
            let ignore = self.ignore_parse_errors;
            if let Err(reason) = append_nullable(&mut *self.value, tape, value, source, ignore) {
                fault = Some(reason);
                break;
            }
        }
        self.end(fault.is_none());
        fault.map_or(Ok(()), Err)
    }

    fn append_null(&mut self) {
        self.end(false);
    }

    fn finish(&mut self, messages: &Buffer) -> ArrayRef {
        let offsets = std::mem::replace(&mut self.offsets, vec![0]);
        self.length = 0;
        let DataType::Struct(fields) = self.field.data_type() else {
            unreachable!("the entries of a map are a struct");
        };
        let columns = vec![self.keys.finish(), self.value.finish(messages)];
        Arc::new(MapArray::new(
            Arc::clone(&self.field),
            OffsetBuffer::new(ScalarBuffer::from(offsets)),
            StructArray::new(fields.clone(), columns, None),
            self.nulls.finish(),
            false,
        ))
    }
}

/// ROW.
pub(crate) struct RowColumn {
    names: Vec<String>,
    columns: Vec<Box<dyn ColumnBuilder>>,
    fields: Fields,
    nulls: NullBufferBuilder,
    length: usize,
    tape: Tape,
    options: ReadOptions,
}

impl RowColumn {
    pub(crate) fn new(fields: &[RowField], options: &ReadOptions) -> Result<Self, String> {
        let DataType::Struct(arrow_fields) = arrow_type(&TypeKind::Row(fields.to_vec())) else {
            unreachable!("a ROW is a struct");
        };
        Ok(Self {
            names: fields.iter().map(|field| field.name.clone()).collect(),
            columns: fields
                .iter()
                .map(|field| column_builder(&field.ty, options))
                .collect::<Result<_, _>>()?,
            fields: arrow_fields,
            nulls: NullBufferBuilder::new(0),
            length: 0,
            tape: Tape::new(),
            options: *options,
        })
    }

    fn append_fields(
        &mut self,
        tape: &Tape,
        node: usize,
        source: &Source<'_>,
    ) -> Result<(), String> {
        let mut fault = None;
        for (name, column) in self.names.iter().zip(&mut self.columns) {
            let result = match tape.get(source.bytes, node, name.as_bytes()) {
                _ if fault.is_some() => {
                    column.append_null();
                    Ok(())
                }
                Some(value) => append_nullable(
                    &mut **column,
                    tape,
                    value,
                    source,
                    self.options.ignore_parse_errors,
                ),
                None => {
                    column.append_null();
                    if self.options.fail_on_missing_field {
                        Err(missing_field(name))
                    } else {
                        Ok(())
                    }
                }
            };
            if let Err(reason) = result {
                fault = Some(reason);
            }
        }
        fault.map_or(Ok(()), Err)
    }
}

/// Returns Flink's complaint about a key that is missing.
pub(crate) fn missing_field(name: &str) -> String {
    format!("Could not find field with name '{name}'.")
}

impl ColumnBuilder for RowColumn {
    fn append(&mut self, span: Span, source: &Source<'_>) -> Result<(), String> {
        let mut tape = std::mem::take(&mut self.tape);
        let result = with_tape(&mut tape, span, source, |tape, node| {
            self.append_node(tape, node, source)
        });
        self.tape = tape;
        result
    }

    fn append_node(&mut self, tape: &Tape, node: usize, source: &Source<'_>) -> Result<(), String> {
        if tape.kind(node) != Kind::Object {
            self.append_null();
            let cell = source.cell(tape.span(node));
            return Err(class_cast(&cell, "ObjectNode"));
        }
        let result = self.append_fields(tape, node, source);
        self.length += 1;
        self.nulls.append(result.is_ok());
        result
    }

    fn append_null(&mut self) {
        for column in &mut self.columns {
            column.append_null();
        }
        self.length += 1;
        self.nulls.append_null();
    }

    fn finish(&mut self, messages: &Buffer) -> ArrayRef {
        let columns: Vec<ArrayRef> = self
            .columns
            .iter_mut()
            .map(|column| column.finish(messages))
            .collect();
        let length = std::mem::take(&mut self.length);
        let nulls = self.nulls.finish();
        if columns.is_empty() {
            return Arc::new(StructArray::new_empty_fields(length, nulls));
        }
        Arc::new(StructArray::new(self.fields.clone(), columns, nulls))
    }
}
