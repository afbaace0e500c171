//! The connector: table definitions turned into validated sources.

use std::sync::Arc;

use millrace_connector::{
    ColumnKind, Connector, Diagnostic, OptionDef, SinkSpec, SourceSpec, TableDefinition, TypeKind,
    ValidateContext, check_options,
};

use crate::config;
use crate::decode::DeclaredColumn;
use crate::options::OPTIONS;
use crate::out::Metadata;
use crate::source::{Column, MysqlSourceSpec};
use crate::zone;

/// The `mysql-cdc` connector.
#[derive(Clone, Copy, Debug, Default)]
pub struct MysqlCdcConnector;

impl Connector for MysqlCdcConnector {
    fn identifier(&self) -> &'static str {
        "mysql-cdc"
    }

    fn summary(&self) -> &'static str {
        "reads tables of MySQL and MariaDB with all their changes"
    }

    fn options(&self) -> &'static [OptionDef] {
        OPTIONS
    }

    fn source(
        &self,
        table: &TableDefinition,
        ctx: &ValidateContext,
    ) -> Result<Box<dyn SourceSpec>, Vec<Diagnostic>> {
        let definitions: Vec<(String, OptionDef)> = OPTIONS
            .iter()
            .map(|option| (option.key.to_owned(), *option))
            .collect();
        let options = check_options(table, &definitions, "mysql-cdc")?;
        let mut config = config::read(table, &options, ctx)?;
        let columns: Vec<Column> = table
            .columns
            .iter()
            .map(|column| match &column.kind {
                ColumnKind::Physical => Column::Declared(DeclaredColumn {
                    name: column.name.value.clone(),
                    ty: column.ty.clone(),
                }),
                ColumnKind::Metadata { key, .. } => {
                    Metadata::from_key(&key.value).map_or(Column::Other, Column::Metadata)
                }
                ColumnKind::Computed => Column::Other,
            })
            .collect();
        let reads_instants = columns.iter().any(|column| {
            matches!(column, Column::Declared(column) if matches!(column.ty.kind, TypeKind::TimestampLtz(_)))
        });
        if reads_instants && !config.ltz_instant && zone::offset_now(&config.zone).0 != 0 {
            config.notes.push(format!(
                "TIMESTAMP_LTZ columns hold the server's wall clock in '{}' as if it were UTC, as in Flink CDC; set 'millrace.timestamp-ltz-instant' = 'true' for the right instants",
                config.zone_text
            ));
        }
        Ok(Box::new(MysqlSourceSpec {
            config: Arc::new(config),
            columns,
        }))
    }

    fn sink(
        &self,
        table: &TableDefinition,
        _ctx: &ValidateContext,
    ) -> Result<Box<dyn SinkSpec>, Vec<Diagnostic>> {
        let span = table
            .option("connector")
            .map_or(table.options_span, |option| option.span);
        Err(vec![
            Diagnostic::error("MR0106", "connector 'mysql-cdc' can only be read", span)
                .label("written by an INSERT"),
        ])
    }
}
