//! Rows of one table into the columns of the Flink table.

use std::sync::Arc;

use millrace_connector::FlinkType;
use mysql::Value;

use super::cell::{Cell, Reader, Reason};
use super::columns::Columns;
use super::error::{RowError, Unsupported, ValueError, shown};
use super::options::ValueOptions;
use super::rows_event::{Image, ImageCell};
use super::target::{Context, Target, advice, refusal};
use super::temporal::Zone;
use super::wire::Wire;
use crate::definition::{Contradiction, TableDefinition, TableMap};

/// A column of the Flink table that the server's table is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeclaredColumn {
    /// Its name, which is the name of a column of the server's table.
    pub name: String,
    /// Its type.
    pub ty: FlinkType,
}

/// Decodes rows of one table under one definition.
#[derive(Debug)]
pub struct RowDecoder {
    definition: Arc<TableDefinition>,
    /// One for each declared column; `None` where the table lacks it.
    columns: Vec<Option<Column>>,
    query_columns: Vec<usize>,
    /// Readers of the primary key's columns, for messages.
    key: Vec<(usize, Reader)>,
    /// How each column of the table lies in an image.
    wires: Vec<Wire>,
    context: Context,
    warnings: Vec<String>,
    replacements: u64,
}

/// A column that both tables have.
#[derive(Debug)]
struct Column {
    place: usize,
    declared: FlinkType,
    reader: Reader,
    target: Target,
}

impl RowDecoder {
    /// Returns the decoder of rows of `definition` into `declared`, which are found by their exact names; one that the
    /// table lacks is NULL in every row.
    ///
    /// # Errors
    /// A column can never become what it is declared as, or its charset cannot be read.
    pub fn new(
        definition: Arc<TableDefinition>,
        declared: &[DeclaredColumn],
        options: &ValueOptions,
    ) -> Result<Self, Unsupported> {
        let mut columns = Vec::with_capacity(declared.len());
        let mut warnings = Vec::new();
        for column in declared {
            let Some(place) = definition.column_index(&column.name) else {
                warnings.push(lacks(&definition, &column.name));
                columns.push(None);
                continue;
            };
            if let Some(advice) = advice(&definition.columns[place].kind, &column.ty) {
                warnings.push(format!(
                    "table {}, column '{}' (MySQL {}), declared {}: {advice}",
                    definition.name, column.name, definition.columns[place].kind, column.ty
                ));
            }
            columns.push(Some(Column::new(&definition, place, column, options)?));
        }
        let reader = |place: &usize| {
            let column = &definition.columns[*place];
            Reader::new(&column.kind, column.nullable, options).map(|reader| (*place, reader))
        };
        Ok(Self {
            query_columns: columns
                .iter()
                .flatten()
                .map(|column| column.place)
                .collect(),
            key: definition.primary_key.iter().filter_map(reader).collect(),
            columns,
            wires: Vec::new(),
            context: Context {
                zone: Zone::new(options.server_time_zone.clone()),
                text: String::new(),
                bytes: Vec::new(),
            },
            warnings,
            replacements: 0,
            definition,
        })
    }

    /// Returns the definition.
    #[must_use]
    pub fn definition(&self) -> &Arc<TableDefinition> {
        &self.definition
    }

    /// Returns what is worth a warning once for each table: columns that it lacks, bytes declared as text.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Takes over the layout of the images to come. To be called before the first [`Self::append`], and again when a
    /// TABLE_MAP event differs from the last one.
    ///
    /// # Errors
    /// The event is not one of this definition.
    pub fn set_layout(&mut self, map: &TableMap) -> Result<(), Contradiction> {
        map.check(&self.definition)?;
        self.wires = map.columns.iter().map(|column| column.wire).collect();
        // DDL does not tell of every column whether it takes NULL: for TIMESTAMP that depends on the server.
        for column in self.columns.iter_mut().flatten() {
            column.reader.nullable = map.columns[column.place].nullable;
        }
        Ok(())
    }

    /// Appends a row of the binary log: the after image of an insert, the before image of an update or delete.
    ///
    /// # Errors
    /// A value is none of the declared type, or the image lacks a wanted column.
    pub fn append(&mut self, image: &Image<'_>, columns: &mut Columns) -> Result<(), RowError> {
        self.append_image(image, None, columns)
    }

    /// Appends the row after an update. What the after image lacks is taken from the before image; differences of JSON
    /// are applied to it.
    ///
    /// # Errors
    /// As [`Self::append`]; differences to a value that the before image lacks.
    pub fn append_after(
        &mut self,
        before: &Image<'_>,
        after: &Image<'_>,
        columns: &mut Columns,
    ) -> Result<(), RowError> {
        self.append_image(after, Some(before), columns)
    }

    #[inline]
    fn append_image(
        &mut self,
        image: &Image<'_>,
        before: Option<&Image<'_>>,
        columns: &mut Columns,
    ) -> Result<(), RowError> {
        for at in 0..self.columns.len() {
            let builder = &mut columns.builders[at];
            let Some(column) = &self.columns[at] else {
                builder.append_null();
                continue;
            };
            let mut cell = image.cell(column.place);
            if cell == ImageCell::Absent
                && let Some(before) = before
            {
                cell = before.cell(column.place);
            }
            let result = match cell {
                ImageCell::Null => {
                    builder.append_null();
                    continue;
                }
                ImageCell::Value(bytes) => {
                    columns.bytes += bytes.len();
                    let wire = self.wires.get(column.place).copied();
                    let wire = wire.ok_or(Reason::Borrowed("came before its TABLE_MAP event"));
                    wire.and_then(|wire| column.reader.read(wire, bytes, &mut self.replacements))
                }
                ImageCell::Absent => return Err(self.absent(image, before)),
                ImageCell::Differences(differences) => {
                    match before.map(|before| before.cell(column.place)) {
                        Some(ImageCell::Value(value)) => {
                            columns.bytes += value.len();
                            Ok(Cell::ChangedJson(value, differences))
                        }
                        _ => {
                            return Err(RowError::Differences {
                                table: self.definition.name.clone(),
                                column: self.definition.columns[column.place].name.clone(),
                            });
                        }
                    }
                }
            };
            let shown_cell = match result {
                Ok(cell) => match column.target.append(&cell, builder, &mut self.context) {
                    Ok(()) => continue,
                    Err(reason) => (Some(cell), reason),
                },
                Err(reason) => (None, reason),
            };
            let key = self.key_of(|place| match image.cell(place) {
                ImageCell::Absent => before.map_or(ImageCell::Absent, |image| image.cell(place)),
                cell => cell,
            });
            return Err(self.value_error(at, shown_cell, key));
        }
        columns.rows += 1;
        Ok(())
    }

    /// Tells whether an update changed the primary key of the server's table; `false` without one.
    #[must_use]
    pub fn key_changed(&self, before: &Image<'_>, after: &Image<'_>) -> bool {
        let mut places = self.definition.primary_key.iter();
        places.any(|place| match (before.cell(*place), after.cell(*place)) {
            (_, ImageCell::Absent) => false,
            (before, after) => before != after,
        })
    }

    /// Returns places of the columns that a query must select for [`Self::append_query`], in its order.
    #[must_use]
    pub fn query_columns(&self) -> &[usize] {
        &self.query_columns
    }

    /// Appends a row of a query of [`Self::query_columns`] by the binary protocol, on a session with
    /// `time_zone='+00:00'` and `character_set_results=NULL`. More values may follow the columns.
    ///
    /// # Errors
    /// A value is none of the declared type.
    ///
    /// # Panics
    /// With fewer values than columns.
    pub fn append_query(
        &mut self,
        values: &[Value],
        columns: &mut Columns,
    ) -> Result<(), RowError> {
        let mut next = values.iter();
        for at in 0..self.columns.len() {
            let builder = &mut columns.builders[at];
            let Some(column) = &self.columns[at] else {
                builder.append_null();
                continue;
            };
            let value = next.next().expect("a value for each column of the query");
            columns.bytes += match value {
                Value::Bytes(bytes) => bytes.len(),
                _ => 8,
            };
            let failure = match column.reader.read_query(value, &mut self.replacements) {
                Ok(cell) => match column.target.append(&cell, builder, &mut self.context) {
                    Ok(()) => continue,
                    Err(reason) => (Some(cell), reason),
                },
                Err(reason) => (None, reason),
            };
            let key = self.key_of_query(values);
            return Err(self.value_error(at, failure, key));
        }
        columns.rows += 1;
        Ok(())
    }

    /// Returns how many texts had bytes that are none in their charset, since the last call.
    pub fn take_replacements(&mut self) -> u64 {
        std::mem::take(&mut self.replacements)
    }

    #[cold]
    fn absent(&self, image: &Image<'_>, before: Option<&Image<'_>>) -> RowError {
        let is_absent = |image: &Image<'_>, place| image.cell(place) == ImageCell::Absent;
        let wanted = self.columns.iter().flatten().map(|column| column.place);
        let absent = wanted.filter(|place| {
            is_absent(image, *place) && before.is_none_or(|before| is_absent(before, *place))
        });
        RowError::Absent {
            table: self.definition.name.clone(),
            columns: absent
                .map(|place| self.definition.columns[place].name.clone())
                .collect(),
        }
    }

    #[cold]
    fn value_error(
        &self,
        at: usize,
        (cell, reason): (Option<Cell<'_>>, Reason),
        key: String,
    ) -> RowError {
        let column = self.columns[at].as_ref().expect("the column that failed");
        let mut value = String::new();
        if let Some(cell) = &cell {
            // A value that cannot be printed is shown as far as it could be.
            let _ = column.target.printer.write(cell, &mut value);
        }
        RowError::Value(Box::new(ValueError {
            table: self.definition.name.clone(),
            column: self.definition.columns[column.place].name.clone(),
            kind: self.definition.columns[column.place].kind.to_string(),
            declared: column.declared.to_string(),
            value: shown(&value),
            reason: reason.into_owned(),
            key,
        }))
    }

    /// Prints the primary key of an image.
    #[cold]
    fn key_of<'a>(&self, cell: impl Fn(usize) -> ImageCell<'a>) -> String {
        let values = self.key.iter().map(|(place, reader)| {
            let ImageCell::Value(bytes) = cell(*place) else {
                return (*place, None);
            };
            let wire = self.wires.get(*place).copied();
            let cell = wire.and_then(|wire| reader.read(wire, bytes, &mut 0).ok());
            (*place, cell)
        });
        self.print_key(values)
    }

    /// Prints the primary key of a query's row, as far as its columns are among the declared ones.
    #[cold]
    fn key_of_query(&self, values: &[Value]) -> String {
        let values = self.key.iter().map(|(place, reader)| {
            let at = self.query_columns.iter().position(|other| other == place);
            let value = at.and_then(|at| values.get(at));
            let cell = value.and_then(|value| reader.read_query(value, &mut 0).ok());
            (*place, cell)
        });
        self.print_key(values)
    }

    fn print_key<'a>(&self, values: impl Iterator<Item = (usize, Option<Cell<'a>>)>) -> String {
        let mut parts = Vec::new();
        for (place, cell) in values {
            let column = &self.definition.columns[place];
            let Some(cell) = cell else { continue };
            let printer = super::natural::Printer::new(&column.kind, &ValueOptions::default());
            let mut text = String::new();
            if printer.write(&cell, &mut text).is_ok() {
                parts.push(format!("{}={}", column.name, shown(&text)));
            }
        }
        parts.join(", ")
    }
}

impl Column {
    fn new(
        definition: &TableDefinition,
        place: usize,
        column: &DeclaredColumn,
        options: &ValueOptions,
    ) -> Result<Self, Unsupported> {
        let own = &definition.columns[place];
        let unsupported = |reason: String| Unsupported {
            table: definition.name.clone(),
            column: own.name.as_str().into(),
            kind: own.kind.to_string().into(),
            declared: column.ty.to_string().into(),
            reason: reason.into(),
        };
        if let Some(reason) = refusal(&own.kind, &column.ty.kind) {
            return Err(unsupported(reason));
        }
        let reader = Reader::new(&own.kind, own.nullable, options).ok_or_else(|| {
            let charset = own.kind.charset().unwrap_or_default();
            unsupported(format!("its charset '{charset}' cannot be read"))
        })?;
        Ok(Self {
            place,
            declared: column.ty.clone(),
            reader,
            target: Target::new(&own.kind, &column.ty.kind, options),
        })
    }
}

fn lacks(definition: &TableDefinition, name: &str) -> String {
    let hint = match definition.column_index_ignoring_case(name) {
        Some(place) => format!("; did you mean '{}'?", definition.columns[place].name),
        None => String::new(),
    };
    format!(
        "table {} has no column '{name}', which is NULL in all its rows{hint}",
        definition.name
    )
}
