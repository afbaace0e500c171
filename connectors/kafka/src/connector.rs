//! The connector: table definitions turned into validated sources and sinks.

use millrace_connector::{
    ColumnKind, Connector, DeliveryGuarantee, Diagnostic, OptionDef, Options, Place, SinkSpec,
    SourceSpec, TableDefinition, ValidateContext, check_options, parse_time_zone,
};
use millrace_formats::FormatContext;
use regex::Regex;

use crate::format::{self, FormatUse, Formats};
use crate::metadata::Metadata;
use crate::properties::{self, Role};
use crate::sink::{KafkaSinkSpec, Partitioner};
use crate::source::KafkaSourceSpec;
use crate::{SINK_OPTIONS, SOURCE_OPTIONS, reading, startup, writing};

/// The `kafka` connector.
#[derive(Clone, Copy, Debug, Default)]
pub struct KafkaConnector;

/// Which topics a table stands for.
#[derive(Clone, Debug)]
pub(crate) enum Topics {
    /// These.
    List(Vec<String>),
    /// All whose whole name matches.
    Pattern(Regex),
}

impl Topics {
    pub(crate) fn list(&self) -> &[String] {
        match self {
            Self::List(topics) => topics,
            Self::Pattern(_) => &[],
        }
    }

    /// Returns where these topics are.
    pub(crate) fn place(&self, servers: &str) -> Place {
        let mut servers: Vec<&str> = servers.split(',').map(str::trim).collect();
        servers.sort_unstable();
        let objects = match self {
            Self::List(topics) => topics.clone(),
            Self::Pattern(pattern) => vec![pattern.to_string()],
        };
        Place {
            system: "kafka".to_owned(),
            address: servers.join(","),
            objects,
            is_pattern: matches!(self, Self::Pattern(_)),
        }
    }
}

/// What the columns of a table are, by index.
#[derive(Clone, Debug)]
pub(crate) struct TableColumns {
    /// For each column of the table, its metadata key if it is one.
    pub(crate) metadata: Vec<Option<Metadata>>,
    /// For each column of the table, its key if it is metadata that the value's format has.
    pub(crate) value_metadata: Vec<Option<&'static str>>,
    /// For a sink: the columns that rows written have, in order (indexes into the table's columns).
    pub(crate) persisted: Vec<usize>,
}

impl TableColumns {
    /// Returns the columns of a table that is read, with what its value's format says besides the rows.
    pub(crate) fn of_source(table: &TableDefinition, value: &FormatUse) -> Self {
        let known = value.metadata();
        let key = |kind: &ColumnKind| match kind {
            ColumnKind::Metadata { key, .. } => {
                let found = known.iter().find(|known| known.key == key.value)?;
                Some(found.key)
            }
            ColumnKind::Physical | ColumnKind::Computed => None,
        };
        let columns = table.columns.iter();
        Self {
            value_metadata: columns.map(|column| key(&column.kind)).collect(),
            ..Self::new(table)
        }
    }

    pub(crate) fn new(table: &TableDefinition) -> Self {
        let key = |kind: &ColumnKind| match kind {
            ColumnKind::Metadata { key, .. } => Metadata::from_key(&key.value),
            ColumnKind::Physical | ColumnKind::Computed => None,
        };
        let is_persisted = |kind: &ColumnKind| match kind {
            ColumnKind::Physical => true,
            ColumnKind::Metadata { is_virtual, .. } => !is_virtual,
            ColumnKind::Computed => false,
        };
        Self {
            metadata: table
                .columns
                .iter()
                .map(|column| key(&column.kind))
                .collect(),
            value_metadata: vec![None; table.columns.len()],
            persisted: (0..table.columns.len())
                .filter(|i| is_persisted(&table.columns[*i].kind))
                .collect(),
        }
    }
}

impl Connector for KafkaConnector {
    fn identifier(&self) -> &'static str {
        "kafka"
    }

    fn summary(&self) -> &'static str {
        "reads and writes topics of Apache Kafka, exactly once if wanted"
    }

    fn options(&self) -> &'static [OptionDef] {
        SOURCE_OPTIONS
    }

    fn source(
        &self,
        table: &TableDefinition,
        ctx: &ValidateContext,
    ) -> Result<Box<dyn SourceSpec>, Vec<Diagnostic>> {
        let options = check_options(table, &format::definitions(table, SOURCE_OPTIONS), "kafka")?;
        let formats = format::parse(table, &options);
        let client = properties::map(&options, Role::Consumer);
        let mut diagnostics = Vec::new();
        let topics = topics(table, &options, &mut diagnostics);
        let startup = startup::startup(&options, topics.list().len(), &mut diagnostics);
        let bound = startup::bound(&options, topics.list().len(), &mut diagnostics);
        let context = format_context(ctx);
        let (formats, client) = collect(formats, client, &mut diagnostics)?;
        diagnostics.extend(format::key_of_inserts(table, &formats.value));
        for used in std::iter::once(&formats.value).chain(&formats.key) {
            diagnostics.extend(used.check_decoder(table, &context));
        }
        let reading = reading::reading(&options, &client, &mut diagnostics);
        if !diagnostics.is_empty() {
            return Err(diagnostics);
        }
        Ok(Box::new(KafkaSourceSpec {
            table: table.name.value.clone(),
            servers: servers(&options),
            group: options.text("properties.group.id").map(str::to_owned),
            discovery: discovery(&options),
            reading,
            notes: client.notes,
            topics,
            startup,
            bound,
            columns: TableColumns::of_source(table, &formats.value),
            formats,
            context,
        }))
    }

    fn sink(
        &self,
        table: &TableDefinition,
        ctx: &ValidateContext,
    ) -> Result<Box<dyn SinkSpec>, Vec<Diagnostic>> {
        let options = check_options(table, &format::definitions(table, SINK_OPTIONS), "kafka")?;
        let formats = format::parse(table, &options);
        let client = properties::map(&options, Role::Producer);
        let mut diagnostics = Vec::new();
        let topics = topics(table, &options, &mut diagnostics);
        let columns = TableColumns::new(table);
        check_sink_topics(table, &options, &topics, &columns, &mut diagnostics);
        let guarantee = guarantee(&options);
        let prefix = options
            .text("sink.transactional-id-prefix")
            .map(str::to_owned);
        check_guarantee(
            table,
            &options,
            guarantee,
            prefix.as_deref(),
            &mut diagnostics,
        );
        let partitioner = partitioner(&options, &mut diagnostics);
        let context = format_context(ctx);
        let (formats, client) = collect(formats, client, &mut diagnostics)?;
        diagnostics.extend(format::key_of_inserts(table, &formats.value));
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
            prefix: prefix.unwrap_or_default(),
            partitioner,
            context,
            is_upsert: false,
        }))
    }
}

/// Puts the results of independent checks together, so that all faults come at once.
pub(crate) fn collect<A, B>(
    a: Result<A, Vec<Diagnostic>>,
    b: Result<B, Vec<Diagnostic>>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Result<(A, B), Vec<Diagnostic>> {
    match (a, b) {
        (Ok(a), Ok(b)) => Ok((a, b)),
        (a, b) => {
            diagnostics.extend(a.err().into_iter().flatten());
            diagnostics.extend(b.err().into_iter().flatten());
            Err(std::mem::take(diagnostics))
        }
    }
}

pub(crate) fn format_context(ctx: &ValidateContext) -> FormatContext {
    FormatContext {
        session_tz: parse_time_zone(&ctx.session_time_zone).unwrap_or(jiff::tz::TimeZone::UTC),
        ..FormatContext::default()
    }
}

pub(crate) fn servers(options: &Options) -> String {
    options
        .text("properties.bootstrap.servers")
        .unwrap_or_default()
        .to_owned()
}

fn discovery(options: &Options) -> Option<std::time::Duration> {
    options
        .duration("scan.topic-partition-discovery.interval")
        .filter(|interval| !interval.is_zero())
}

pub(crate) fn topics(
    table: &TableDefinition,
    options: &Options,
    diagnostics: &mut Vec<Diagnostic>,
) -> Topics {
    let list = options.list("topic");
    let Some(pattern) = options.text("topic-pattern") else {
        if list.is_empty() {
            diagnostics.push(
                Diagnostic::error(
                    "MR0101",
                    "connector 'kafka' needs the option 'topic'",
                    table.options_span,
                )
                .label("no 'topic' here")
                .help("write 'topic' = '…', or 'topic-pattern' = '…' for reading"),
            );
        }
        return Topics::List(list);
    };
    let span = options.span("topic-pattern").unwrap_or_default();
    if !list.is_empty() {
        diagnostics.push(Diagnostic::error(
            "MR0114",
            "'topic' and 'topic-pattern' exclude each other",
            span,
        ));
    }
    // Java's Pattern.matches takes the whole name.
    match Regex::new(&format!("^(?:{pattern})$")) {
        Ok(regex) => Topics::Pattern(regex),
        Err(_) => {
            diagnostics.push(
                Diagnostic::error("MR0102", "bad value for option 'topic-pattern'", span)
                    .label("not a regular expression that is understood here"),
            );
            Topics::List(list)
        }
    }
}

pub(crate) fn check_sink_topics(
    table: &TableDefinition,
    options: &Options,
    topics: &Topics,
    columns: &TableColumns,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let routed = columns
        .persisted
        .iter()
        .any(|index| columns.metadata[*index] == Some(Metadata::Topic));
    let span = options
        .span("topic")
        .or(options.span("topic-pattern"))
        .unwrap_or(table.options_span);
    if !routed && topics.list().len() > 1 {
        diagnostics.push(
            Diagnostic::error("MR0114", "a table is written to one topic", span).help(
                "to send each row to a topic of its own, add a column: `topic` STRING METADATA",
            ),
        );
    }
    if matches!(topics, Topics::Pattern(_)) {
        diagnostics.push(
            Diagnostic::error(
                "MR0114",
                "a table that is written needs 'topic', not 'topic-pattern'",
                span,
            )
            .help("list the topics that rows may go to, separated by semicolons"),
        );
    }
}

pub(crate) fn guarantee(options: &Options) -> DeliveryGuarantee {
    let semantic = options
        .text("sink.semantic")
        .filter(|_| !options.is_written("sink.delivery-guarantee"));
    let text = semantic
        .or(options.text("sink.delivery-guarantee"))
        .unwrap_or("at-least-once");
    match text.to_ascii_lowercase().as_str() {
        "exactly-once" => DeliveryGuarantee::ExactlyOnce,
        "none" => DeliveryGuarantee::None,
        _ => DeliveryGuarantee::AtLeastOnce,
    }
}

pub(crate) fn check_guarantee(
    table: &TableDefinition,
    options: &Options,
    guarantee: DeliveryGuarantee,
    prefix: Option<&str>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    if guarantee != DeliveryGuarantee::ExactlyOnce {
        return;
    }
    let span = options
        .span("sink.delivery-guarantee")
        .unwrap_or(table.options_span);
    if prefix.is_none_or(|prefix| prefix.trim().is_empty()) {
        diagnostics.push(
            Diagnostic::error("MR0601", "exactly-once needs 'sink.transactional-id-prefix'", span)
                .label("asked for here")
                .help("add 'sink.transactional-id-prefix' = '…', a name that no other pipeline on this cluster uses"),
        );
    }
    if let Some(acks) = options
        .text("properties.acks")
        .filter(|acks| !["all", "-1"].contains(acks))
    {
        diagnostics.push(
            Diagnostic::error(
                "MR0601",
                format!("exactly-once needs 'properties.acks' = 'all', not '{acks}'"),
                options.span("properties.acks").unwrap_or(span),
            )
            .help("leave 'properties.acks' out"),
        );
    }
    if options
        .text("properties.enable.idempotence")
        .is_some_and(|text| text.eq_ignore_ascii_case("false"))
    {
        let span = options
            .span("properties.enable.idempotence")
            .unwrap_or(span);
        diagnostics.push(Diagnostic::error(
            "MR0601",
            "exactly-once needs an idempotent producer",
            span,
        ));
    }
}

fn partitioner(options: &Options, diagnostics: &mut Vec<Diagnostic>) -> Partitioner {
    let written = options.text("sink.partitioner").unwrap_or("default");
    match written {
        "default" => Partitioner::Default,
        "fixed" => Partitioner::Fixed,
        "round-robin" => Partitioner::RoundRobin,
        _ => {
            // # Flink: any other word is the name of a class, also where only its case differs.
            let label = match written.to_ascii_lowercase().as_str() {
                "default" | "fixed" | "round-robin" => "it is written in lower case",
                _ => "Java classes cannot run here",
            };
            diagnostics.push(
                Diagnostic::error(
                    "MR0102",
                    "bad value for option 'sink.partitioner'",
                    options.span("sink.partitioner").unwrap_or_default(),
                )
                .label(label)
                .help("use 'default', 'fixed' or 'round-robin'"),
            );
            Partitioner::Default
        }
    }
}

/// Returns what `explain` shows of formats.
pub(crate) fn describe_formats(formats: &Formats) -> String {
    let one = |used: &FormatUse| used.identifier.clone();
    match &formats.key {
        None => one(&formats.value),
        Some(key) => format!("key {}, value {}", one(key), one(&formats.value)),
    }
}
