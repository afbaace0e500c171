//! The connector: table definitions turned into validated sinks. No I/O.

use jiff::tz::TimeZone;
use millrace_connector::{
    ColumnKind, Connector, Diagnostic, FlinkType, OptionDef, SinkSpec, SourceSpec, TableDefinition,
    ValidateContext, check_options, parse_time_zone,
};

use crate::form::RowForm;
use crate::options::SINK_OPTIONS;
use crate::settings::Settings;
use crate::sink::{DorisSinkSpec, check_body};

/// The `doris` connector.
#[derive(Clone, Copy, Debug, Default)]
pub struct DorisConnector;

impl Connector for DorisConnector {
    fn identifier(&self) -> &'static str {
        "doris"
    }

    fn summary(&self) -> &'static str {
        "writes tables of Apache Doris by stream load, exactly once if wanted"
    }

    fn options(&self) -> &'static [OptionDef] {
        SINK_OPTIONS
    }

    fn source(
        &self,
        table: &TableDefinition,
        _: &ValidateContext,
    ) -> Result<Box<dyn SourceSpec>, Vec<Diagnostic>> {
        Err(vec![
            Diagnostic::error(
                "MR0126",
                format!(
                    "table '{}' cannot be read: 'doris' only writes",
                    table.name.value
                ),
                table.options_span,
            )
            .label("reading from Doris is not built"),
        ])
    }

    fn sink(
        &self,
        table: &TableDefinition,
        ctx: &ValidateContext,
    ) -> Result<Box<dyn SinkSpec>, Vec<Diagnostic>> {
        let definitions: Vec<_> = SINK_OPTIONS
            .iter()
            .map(|def| (def.key.to_owned(), *def))
            .collect();
        let options = check_options(table, &definitions, "doris")?;
        let mut faults = Vec::new();
        let settings = Settings::read(table, &options);
        let columns: Vec<usize> = (0..table.columns.len())
            .filter(|index| table.columns[*index].kind == ColumnKind::Physical)
            .collect();
        faults.extend(check_names(table, &columns));
        let schema: Vec<(String, FlinkType)> = columns
            .iter()
            .map(|index| &table.columns[*index])
            .map(|column| (column.name.value.clone(), column.ty.clone()))
            .collect();
        let zone = parse_time_zone(&ctx.session_time_zone).unwrap_or(TimeZone::UTC);
        let form = RowForm::new(&schema, zone).and_then(|form| match &settings {
            Ok(settings) => match check_body(settings, &form) {
                Ok(()) => Ok(form),
                Err(found) => Err(vec![found]),
            },
            Err(_) => Ok(form),
        });
        let form = form.map_err(|found| {
            let fault = |(index, why): (usize, String)| {
                let name = &table.columns[columns[index]].name;
                let message = format!("column '{}' cannot be written: {why}", name.value);
                Diagnostic::error("MR0127", message, name.span)
            };
            found.into_iter().map(fault).collect::<Vec<_>>()
        });
        let primary_key: Vec<String> = table
            .primary_key
            .iter()
            .map(|name| name.value.clone())
            .collect();
        match (settings, form) {
            (Ok(settings), Ok(form)) if faults.is_empty() => Ok(Box::new(DorisSinkSpec {
                name: table.name.value.clone(),
                primary_key,
                settings,
                form,
            })),
            (settings, form) => {
                faults.extend(settings.err().into_iter().flatten());
                faults.extend(form.err().into_iter().flatten());
                Err(faults)
            }
        }
    }
}

/// Names go into a header, between back-ticks.
fn check_names(table: &TableDefinition, columns: &[usize]) -> Vec<Diagnostic> {
    if columns.is_empty() {
        let message = format!("table '{}' has no column to write", table.name.value);
        return vec![Diagnostic::error("MR0127", message, table.name.span)];
    }
    columns
        .iter()
        .map(|index| &table.columns[*index].name)
        .filter(|name| name.value.contains(['`', '\r', '\n']))
        .map(|name| {
            let message = format!(
                "the name of column '{}' cannot be sent to Doris",
                name.value
            );
            Diagnostic::error("MR0127", message, name.span)
        })
        .collect()
}
