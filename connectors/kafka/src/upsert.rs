//! `upsert-kafka`: a topic whose last record of a key is the key's row; one without a value says that there is none.
//!
//! # Flink
//! `UpsertKafkaDynamicTableFactory` and the upsert mode of `DynamicKafkaRecordSerializationSchema`, 1.17. Reading turns
//! records into changes, for which the last row of every key must be kept; that state is not built yet.

use millrace_connector::{
    Connector, Diagnostic, OptionDef, Options, SinkSpec, SourceSpec, TableDefinition,
    ValidateContext, check_options,
};

use crate::UPSERT_OPTIONS;
use crate::connector::{
    TableColumns, check_guarantee, check_sink_topics, collect, format_context, guarantee, servers,
    topics,
};
use crate::format::{self, Formats};
use crate::properties::{self, Role};
use crate::sink::{KafkaSinkSpec, Partitioner};
use crate::writing;

/// The `upsert-kafka` connector.
#[derive(Clone, Copy, Debug, Default)]
pub struct UpsertKafkaConnector;

impl Connector for UpsertKafkaConnector {
    fn identifier(&self) -> &'static str {
        "upsert-kafka"
    }

    fn summary(&self) -> &'static str {
        "writes the last row of each key to a topic of Apache Kafka"
    }

    fn options(&self) -> &'static [OptionDef] {
        UPSERT_OPTIONS
    }

    fn source(
        &self,
        table: &TableDefinition,
        _ctx: &ValidateContext,
    ) -> Result<Box<dyn SourceSpec>, Vec<Diagnostic>> {
        let span = table
            .option("connector")
            .map_or(table.options_span, |option| option.span);
        Err(vec![
            Diagnostic::error("MR0172", "'upsert-kafka' cannot be read yet", span)
                .label("needs the last row of every key in state")
                .help("read the topic as it is with 'connector' = 'kafka': every record is then a new row"),
        ])
    }

    fn sink(
        &self,
        table: &TableDefinition,
        ctx: &ValidateContext,
    ) -> Result<Box<dyn SinkSpec>, Vec<Diagnostic>> {
        let definitions = format::definitions(table, UPSERT_OPTIONS);
        let options = check_options(table, &definitions, "upsert-kafka")?;
        let mut diagnostics = Vec::new();
        check_key(table, &mut diagnostics);
        check_buffer(&options, &mut diagnostics);
        let formats = format::parse_keyed(table, &options);
        let client = properties::map(&options, Role::Producer);
        let topics = topics(table, &options, &mut diagnostics);
        let columns = TableColumns::new(table);
        check_sink_topics(table, &options, &topics, &columns, &mut diagnostics);
        let guarantee = guarantee(&options);
        let prefix = options.text("sink.transactional-id-prefix");
        check_guarantee(table, &options, guarantee, prefix, &mut diagnostics);
        let context = format_context(ctx);
        let (formats, client) = collect(formats, client, &mut diagnostics)?;
        check_formats(&formats, table, &options, &mut diagnostics);
        for used in std::iter::once(&formats.value).chain(&formats.key) {
            diagnostics.extend(used.check_encoder(table, &context));
        }
        let writing = writing::writing(&options, &client, &mut diagnostics);
        if !diagnostics.is_empty() {
            return Err(diagnostics);
        }
        Ok(Box::new(KafkaSinkSpec {
            table: table.name.value.clone(),
            servers: servers(&options),
            client,
            writing,
            topics,
            columns,
            formats,
            guarantee,
            prefix: prefix.unwrap_or_default().to_owned(),
            partitioner: Partitioner::Default,
            context,
            is_upsert: true,
        }))
    }
}

fn check_key(table: &TableDefinition, diagnostics: &mut Vec<Diagnostic>) {
    if table.primary_key.is_empty() {
        diagnostics.push(
            Diagnostic::error(
                "MR0173",
                "'upsert-kafka' tables require to define a PRIMARY KEY constraint",
                table.name.span,
            )
            .label("no PRIMARY KEY here")
            .help("add PRIMARY KEY (…) NOT ENFORCED: its columns are the record's key"),
        );
    }
}

/// A change among changes has no meaning as the last row of a key.
fn check_formats(
    formats: &Formats,
    table: &TableDefinition,
    options: &Options,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let named = [
        (formats.key.as_ref(), "key"),
        (Some(&formats.value), "value"),
    ];
    for (used, which) in named {
        let Some(used) = used.filter(|used| used.is_changelog) else {
            continue;
        };
        let name = &used.identifier;
        let option = format!("{which}.format");
        diagnostics.push(
            Diagnostic::error(
                "MR0173",
                format!(
                    "'upsert-kafka' connector doesn't support '{name}' as {which} format, because '{name}' is not in insert-only mode"
                ),
                options.span(&option).unwrap_or(table.options_span),
            )
            .help("use 'json', or write the changes themselves with 'connector' = 'kafka'"),
        );
    }
}

fn check_buffer(options: &Options, diagnostics: &mut Vec<Diagnostic>) {
    const ROWS: &str = "sink.buffer-flush.max-rows";
    const INTERVAL: &str = "sink.buffer-flush.interval";
    let rows = options.integer(ROWS).unwrap_or(0) > 0;
    let interval = options
        .duration(INTERVAL)
        .is_some_and(|interval| !interval.is_zero());
    if rows != interval {
        let key = if rows { ROWS } else { INTERVAL };
        diagnostics.push(
            Diagnostic::error(
                "MR0173",
                format!("'{ROWS}' and '{INTERVAL}' must be set to be greater than zero together"),
                options.span(key).unwrap_or_default(),
            )
            .help("set both or none"),
        );
    }
}
