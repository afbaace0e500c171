//! The connectors of this build, and tables checked against them. No I/O.

use std::sync::Arc;

use millrace_connector::{
    ColumnKind, Connector, Diagnostic, MetadataKey, SinkSpec, SourceSpec, TableDefinition,
    ValidateContext, did_you_mean,
};

static CONNECTORS: &[&dyn Connector] = &[
    &millrace_kafka::KafkaConnector,
    &millrace_kafka::UpsertKafkaConnector,
    &millrace_doris::DorisConnector,
    &millrace_mysql_cdc::MysqlCdcConnector,
    &millrace_builtin::PrintConnector,
    &millrace_builtin::BlackholeConnector,
    &millrace_builtin::DatagenConnector,
];

/// Connectors of Flink's users that are not here yet.
const KNOWN: &[&str] = &[
    "starrocks",
    "jdbc",
    "filesystem",
    "hive",
    "hbase-2.2",
    "hudi",
    "iceberg",
    "paimon",
    "elasticsearch-7",
    "mongodb",
    "mongodb-cdc",
    "postgres-cdc",
    "oracle-cdc",
    "sqlserver-cdc",
    "pulsar",
    "kinesis",
    "rabbitmq",
    "redis",
    "clickhouse",
    "socket",
    "python-input-format",
];

/// Returns all connectors.
pub(crate) fn all() -> &'static [&'static dyn Connector] {
    CONNECTORS
}

/// The connectors of a pipeline: those of this build, and those of a program that embeds it.
#[derive(Clone, Default)]
pub(crate) struct Connectors {
    registered: Vec<Arc<dyn Connector>>,
}

impl std::fmt::Debug for Connectors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = self.registered.iter();
        f.debug_list()
            .entries(names.map(|connector| connector.identifier()))
            .finish()
    }
}

impl Connectors {
    /// Adds a connector, which wins over others of its name.
    pub(crate) fn register(&mut self, connector: Arc<dyn Connector>) {
        self.registered.insert(0, connector);
    }

    /// Returns `table` as something to read, or everything that is wrong with it.
    pub(crate) fn source(
        &self,
        table: &TableDefinition,
        ctx: &ValidateContext,
    ) -> Result<Arc<dyn SourceSpec>, Vec<Diagnostic>> {
        match self.find(table) {
            Some(connector) => source_of(connector, table, ctx),
            None => source(table, ctx),
        }
    }

    /// Returns `table` as something to write, or everything that is wrong with it.
    pub(crate) fn sink(
        &self,
        table: &TableDefinition,
        ctx: &ValidateContext,
    ) -> Result<Arc<dyn SinkSpec>, Vec<Diagnostic>> {
        match self.find(table) {
            Some(connector) => sink_of(connector, table, ctx),
            None => sink(table, ctx),
        }
    }

    fn find(&self, table: &TableDefinition) -> Option<&dyn Connector> {
        let written = table.option("connector")?.value.as_str();
        let found = self
            .registered
            .iter()
            .find(|connector| connector.identifier() == written);
        found.map(AsRef::as_ref)
    }
}

/// Returns `table` as something to read by a connector of this build, or everything that is wrong with it.
pub(crate) fn source(
    table: &TableDefinition,
    ctx: &ValidateContext,
) -> Result<Arc<dyn SourceSpec>, Vec<Diagnostic>> {
    source_of(find(table)?, table, ctx)
}

fn source_of(
    connector: &dyn Connector,
    table: &TableDefinition,
    ctx: &ValidateContext,
) -> Result<Arc<dyn SourceSpec>, Vec<Diagnostic>> {
    let spec = connector.source(table, ctx)?;
    check_metadata(table, &spec.metadata(), connector.identifier(), Use::Read)?;
    Ok(spec.into())
}

/// Returns `table` as something to write by a connector of this build, or everything that is wrong with it.
fn sink(
    table: &TableDefinition,
    ctx: &ValidateContext,
) -> Result<Arc<dyn SinkSpec>, Vec<Diagnostic>> {
    sink_of(find(table)?, table, ctx)
}

fn sink_of(
    connector: &dyn Connector,
    table: &TableDefinition,
    ctx: &ValidateContext,
) -> Result<Arc<dyn SinkSpec>, Vec<Diagnostic>> {
    let spec = connector.sink(table, ctx)?;
    check_metadata(table, &spec.metadata(), connector.identifier(), Use::Write)?;
    Ok(spec.into())
}

fn find(table: &TableDefinition) -> Result<&'static dyn Connector, Vec<Diagnostic>> {
    let written = table.option("connector").map(|option| &option.value);
    let found = CONNECTORS
        .iter()
        .find(|connector| Some(connector.identifier()) == written.map(String::as_str));
    found.copied().ok_or_else(|| vec![not_found(table)])
}

fn not_found(table: &TableDefinition) -> Diagnostic {
    let names = || CONNECTORS.iter().map(|connector| connector.identifier());
    let list = || names().collect::<Vec<_>>().join(", ");
    let Some(written) = table.option("connector") else {
        return Diagnostic::error(
            "MR0101",
            format!("table '{}' has no option 'connector'", table.name.value),
            table.options_span,
        )
        .label("no 'connector' here")
        .help(format!("write WITH ('connector' = '…'): {}", list()));
    };
    let unknown = Diagnostic::error(
        "MR0105",
        format!("there is no connector '{}'", written.value),
        written.span,
    );
    if KNOWN.contains(&written.value.as_str()) {
        return unknown
            .label("not built yet")
            .help(format!("this version has: {}", list()));
    }
    match did_you_mean(&written.value, names()) {
        Some(near) => unknown.help(format!("did you mean '{near}'?")),
        None => unknown.help(format!("this version has: {}", list())),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Read,
    Write,
}

/// Checks that the metadata columns name keys that the connector has.
fn check_metadata(
    table: &TableDefinition,
    keys: &[MetadataKey],
    connector: &str,
    usage: Use,
) -> Result<(), Vec<Diagnostic>> {
    let mut faults = Vec::new();
    for column in &table.columns {
        let ColumnKind::Metadata { key, is_virtual } = &column.kind else {
            continue;
        };
        if usage == Use::Write && *is_virtual {
            continue;
        }
        match keys.iter().find(|known| known.key == key.value) {
            None => faults.push(unknown_metadata(&key.value, key.span, keys, connector, usage)),
            Some(known) if usage == Use::Write && !known.writable => faults.push(
                Diagnostic::error("MR0306", format!("metadata '{}' can only be read", key.value), key.span)
                    .label("not writable")
                    .help("add VIRTUAL behind METADATA: the column is then left out when rows are written"),
            ),
            Some(_) => {}
        }
    }
    if faults.is_empty() {
        Ok(())
    } else {
        Err(faults)
    }
}

fn unknown_metadata(
    key: &str,
    span: millrace_connector::Span,
    keys: &[MetadataKey],
    connector: &str,
    usage: Use,
) -> Diagnostic {
    let fault = Diagnostic::error(
        "MR0306",
        format!("connector '{connector}' has no metadata '{key}'"),
        span,
    )
    .label("unknown metadata key");
    let names: Vec<&str> = keys
        .iter()
        .filter(|known| usage == Use::Read || known.writable)
        .map(|known| known.key)
        .collect();
    if let Some(near) = did_you_mean(key, names.iter().copied()) {
        return fault.help(format!("did you mean '{near}'?"));
    }
    if names.is_empty() {
        fault.help("it has none")
    } else {
        fault.help(format!("it has: {}", names.join(", ")))
    }
}
