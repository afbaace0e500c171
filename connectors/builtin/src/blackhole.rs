//! `blackhole`: takes everything and keeps nothing, to measure what comes before it.

use std::any::Any;

use millrace_connector::sink::{CommitRole, SinkBatch, SinkGroup, SinkWriter, Written};
use millrace_connector::{
    ChangelogMode, Connector, ConnectorError, DeliveryGuarantee, Diagnostic, MetadataKey,
    OpenContext, OptionDef, OptionKind, SinkSpec, SourceSpec, TableDefinition, ValidateContext,
    check_options,
};

use crate::flush::{FlushGroup, only_sink};

static OPTIONS: &[OptionDef] = &[
    OptionDef {
        required: true,
        ..OptionDef::text("connector", "which connector: 'blackhole'")
    },
    OptionDef {
        kind: OptionKind::Integer,
        ..OptionDef::text("property-version", "accepted, as Flink does")
    },
];

/// The `blackhole` connector.
#[derive(Clone, Copy, Debug, Default)]
pub struct BlackholeConnector;

impl Connector for BlackholeConnector {
    fn identifier(&self) -> &'static str {
        "blackhole"
    }

    fn summary(&self) -> &'static str {
        "takes all rows and keeps none"
    }

    fn options(&self) -> &'static [OptionDef] {
        OPTIONS
    }

    fn source(
        &self,
        table: &TableDefinition,
        _ctx: &ValidateContext,
    ) -> Result<Box<dyn SourceSpec>, Vec<Diagnostic>> {
        Err(only_sink(table, "blackhole"))
    }

    fn sink(
        &self,
        table: &TableDefinition,
        _ctx: &ValidateContext,
    ) -> Result<Box<dyn SinkSpec>, Vec<Diagnostic>> {
        let definitions: Vec<_> = OPTIONS
            .iter()
            .map(|def| (def.key.to_owned(), *def))
            .collect();
        check_options(table, &definitions, "blackhole")?;
        Ok(Box::new(BlackholeSpec {
            table: table.name.value.clone(),
        }))
    }
}

#[derive(Clone, Debug)]
struct BlackholeSpec {
    table: String,
}

impl SinkSpec for BlackholeSpec {
    fn metadata(&self) -> Vec<MetadataKey> {
        Vec::new()
    }

    fn guarantee(&self) -> DeliveryGuarantee {
        DeliveryGuarantee::None
    }

    fn role(&self) -> CommitRole {
        CommitRole::Flushes
    }

    fn changelog_mode(&self) -> ChangelogMode {
        ChangelogMode::All
    }

    fn describe(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    fn group_key(&self) -> String {
        format!("blackhole table {}", self.table)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn open_group(
        &self,
        _members: &[&dyn SinkSpec],
        _ctx: &OpenContext,
    ) -> Result<Box<dyn SinkGroup>, ConnectorError> {
        Ok(Box::new(FlushGroup::new(|_| Ok(Box::new(Nothing)))))
    }
}

/// Takes rows and keeps none.
#[derive(Clone, Copy, Debug)]
pub struct Nothing;

impl SinkWriter for Nothing {
    fn write(&mut self, rows: &SinkBatch<'_>) -> Result<Written, ConnectorError> {
        Ok(Written {
            records: rows.rows as u64,
            bytes: 0,
            ..Written::default()
        })
    }
}
