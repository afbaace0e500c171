//! Rows of one table into the columns of the Flink table.

use std::sync::Arc;

use millrace_connector::FlinkType;
use mysql::Value;

use super::columns::Columns;
use super::error::{Unsupported, ValueError};
use super::options::ValueOptions;
use super::rows_event::Image;
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
    warnings: Vec<String>,
    replacements: u64,
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
        let _ = (declared, options);
        Ok(Self {
            definition,
            warnings: Vec::new(),
            replacements: 0,
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
        map.check(&self.definition)
    }

    /// Appends a row of the binary log: the after image of an insert, the before image of an update or delete.
    ///
    /// # Errors
    /// A value is none of the declared type, or the image lacks a wanted column.
    pub fn append(&mut self, image: &Image<'_>, columns: &mut Columns) -> Result<(), ValueError> {
        let _ = (image, columns);
        Ok(())
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
    ) -> Result<(), ValueError> {
        let _ = (before, after, columns);
        Ok(())
    }

    /// Tells whether an update changed the primary key of the server's table; `false` without one.
    #[must_use]
    pub fn key_changed(&self, before: &Image<'_>, after: &Image<'_>) -> bool {
        let _ = (before, after);
        false
    }

    /// Returns places of the columns that a query must select for [`Self::append_query`], in its order.
    #[must_use]
    pub fn query_columns(&self) -> &[usize] {
        &[]
    }

    /// Appends a row of a query of [`Self::query_columns`] by the binary protocol, on a session with
    /// `time_zone='+00:00'` and `character_set_results=NULL`. More values may follow the columns.
    ///
    /// # Errors
    /// A value is none of the declared type.
    pub fn append_query(
        &mut self,
        values: &[Value],
        columns: &mut Columns,
    ) -> Result<(), ValueError> {
        let _ = (values, columns);
        Ok(())
    }

    /// Returns how many texts had bytes that are none in their charset, since the last call.
    pub fn take_replacements(&mut self) -> u64 {
        std::mem::take(&mut self.replacements)
    }
}
