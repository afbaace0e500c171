//! `datagen`: makes rows, at random or in sequence.

mod options;
mod source;
mod value;

use millrace_connector::{
    ChangelogMode, ColumnKind, Connector, ConnectorError, Diagnostic, MetadataKey, OpenContext,
    OptionDef, Projection, SinkSpec, SourceSpec, TableDefinition, ValidateContext,
};

use crate::flush::only_source;
use options::{Field, OPTIONS};
use source::DatagenSource;

/// The `datagen` connector.
#[derive(Clone, Copy, Debug, Default)]
pub struct DatagenConnector;

impl Connector for DatagenConnector {
    fn identifier(&self) -> &'static str {
        "datagen"
    }

    fn summary(&self) -> &'static str {
        "makes rows, at random or in sequence"
    }

    fn options(&self) -> &'static [OptionDef] {
        OPTIONS
    }

    fn source(
        &self,
        table: &TableDefinition,
        _ctx: &ValidateContext,
    ) -> Result<Box<dyn SourceSpec>, Vec<Diagnostic>> {
        options::parse(table).map(|spec| Box::new(spec) as Box<dyn SourceSpec>)
    }

    fn sink(
        &self,
        table: &TableDefinition,
        _ctx: &ValidateContext,
    ) -> Result<Box<dyn SinkSpec>, Vec<Diagnostic>> {
        Err(only_source(table, "datagen"))
    }
}

/// A validated table.
#[derive(Clone, Debug)]
pub(crate) struct DatagenSpec {
    pub(crate) rows_per_second: u64,
    pub(crate) rows_max: Option<u64>,
    /// For each column of the table how its values are made; `None` for what is not stored.
    pub(crate) fields: Vec<Option<Field>>,
}

impl SourceSpec for DatagenSpec {
    fn metadata(&self) -> Vec<MetadataKey> {
        Vec::new()
    }

    fn is_bounded(&self) -> bool {
        self.end().is_some()
    }

    fn changelog_mode(&self) -> ChangelogMode {
        ChangelogMode::InsertOnly
    }

    fn describe(&self) -> Vec<(String, String)> {
        let rows = self
            .end()
            .map_or_else(|| "without end".to_owned(), |end| end.to_string());
        vec![
            ("rows".into(), rows),
            ("rows a second".into(), self.rows_per_second.to_string()),
        ]
    }

    fn open(
        &self,
        projection: &Projection,
        ctx: &OpenContext,
    ) -> Result<Box<dyn millrace_connector::source::Source>, ConnectorError> {
        Ok(Box::new(DatagenSource::new(
            self.clone(),
            projection.clone(),
            ctx.lanes.max(1),
        )))
    }
}

impl DatagenSpec {
    /// Returns how many rows there are: the shortest sequence ends all.
    pub(crate) fn end(&self) -> Option<u64> {
        let sequences = self.fields.iter().flatten().filter_map(Field::length);
        sequences.chain(self.rows_max).min()
    }
}

/// Tells whether a column is made here.
pub(crate) fn is_made(kind: &ColumnKind) -> bool {
    *kind == ColumnKind::Physical
}
