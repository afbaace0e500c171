//! A pipeline of one table, driven by hand as the coordinator drives it.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;
use std::time::Duration;

use arrow_array::{
    ArrayRef, Decimal128Array, Int64Array, StringViewArray, TimestampMicrosecondArray,
};
use millrace_connector::sink::{
    CommitOutcome, CommitRole, Committable, Mark, SinkBatch, SinkGroup, SinkWriter, Written,
};
use millrace_connector::{
    Cancel, ColumnDefinition, ColumnKind, Connector, ConnectorError, Diagnostic, Epoch, FlinkType,
    LaneId, OpenContext, RowKind, SinkSpec, Span, Spanned, TableDefinition, TypeKind,
    ValidateContext,
};
use millrace_dev_doris::{Column, DorisStandIn, Keys, Options, TableSchema};
use millrace_doris::DorisConnector;
use tempfile::TempDir;

/// 2024-03-01 12:34:56.789 as a wall clock.
const AT_MICROS: i64 = 1_709_296_496_789_000;

pub(crate) fn start(folder: &TempDir) -> DorisStandIn {
    start_with(Options::in_folder(folder.path()))
}

fn start_with(mut options: Options) -> DorisStandIn {
    options.user = "ro@ot".into();
    options.password = "p@ss w:1".into();
    DorisStandIn::start(options).unwrap()
}

pub(crate) fn doris(keys: Keys) -> (TempDir, DorisStandIn) {
    let folder = tempfile::tempdir().unwrap();
    let doris = start(&folder);
    create(&doris, keys);
    (folder, doris)
}

/// Two frontends and two backends.
pub(crate) fn cluster(keys: Keys) -> (TempDir, DorisStandIn) {
    let folder = tempfile::tempdir().unwrap();
    let mut options = Options::in_folder(folder.path());
    options.more_http_ports = vec![0];
    options.more_be_ports = vec![0];
    let doris = start_with(options);
    create(&doris, keys);
    (folder, doris)
}

fn create(doris: &DorisStandIn, keys: Keys) {
    let schema = TableSchema {
        db: "db".into(),
        table: "t".into(),
        keys,
        columns: vec![
            Column::new("id", "BIGINT").key(),
            Column::new("name", "VARCHAR(20)"),
            Column::new("amount", "DECIMAL(18,4)"),
            Column::new("at", "DATETIME(3)"),
        ],
    };
    doris.create_table(schema).unwrap();
}

pub(crate) fn ids(doris: &DorisStandIn) -> Vec<i64> {
    let rows = doris.rows("db", "t").unwrap();
    rows.iter().map(|row| row["id"].as_i64().unwrap()).collect()
}

pub(crate) fn row_kinds(kinds: &[RowKind]) -> Vec<RowKind> {
    kinds.to_vec()
}

fn spanned(text: &str) -> Spanned<String> {
    Spanned::new(text.to_owned(), Span::default())
}

/// A table's definition under way.
pub(crate) struct Table(TableDefinition);

impl Table {
    pub(crate) fn exactly_once(doris: &DorisStandIn) -> Self {
        Self::new(&[
            ("fenodes", &doris.fe_address()),
            ("table.identifier", "db.t"),
            ("sink.label-prefix", "p"),
        ])
    }

    /// In the names that the documents use.
    pub(crate) fn seed(doris: &DorisStandIn) -> Self {
        Self::new(&[
            ("jdbc-url", "jdbc:mysql://127.0.0.1:9"),
            ("load-url", &doris.fe_address()),
            ("database-name", "db"),
            ("table-name", "t"),
            ("sink.semantic", "at-least-once"),
            ("sink.buffer-flush.interval-ms", "60000"),
        ])
    }

    pub(crate) fn new(options: &[(&str, &str)]) -> Self {
        let column = |name: &str, ty: FlinkType| ColumnDefinition {
            name: spanned(name),
            ty,
            kind: ColumnKind::Physical,
            comment: None,
        };
        let login = [
            ("connector", "doris"),
            ("username", "ro@ot"),
            ("password", "p@ss w:1"),
        ];
        let all = login.iter().chain(options);
        Self(TableDefinition {
            name: spanned("sink"),
            columns: vec![
                column("id", TypeKind::BigInt.nullable()),
                column("name", FlinkType::string()),
                column("amount", TypeKind::Decimal(18, 4).nullable()),
                column("at", TypeKind::Timestamp(3).nullable()),
            ],
            primary_key: Vec::new(),
            options: all
                .map(|(key, value)| (spanned(key), spanned(value)))
                .collect(),
            options_span: Span::default(),
        })
    }

    pub(crate) fn with(mut self, key: &str, value: &str) -> Self {
        self.0.options.retain(|(name, _)| name.value != key);
        self.0.options.push((spanned(key), spanned(value)));
        self
    }

    pub(crate) fn rename(mut self, from: &str, to: &str) -> Self {
        for column in &mut self.0.columns {
            if column.name.value == from {
                column.name.value = to.to_owned();
            }
        }
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.0.columns.retain(|column| column.name.value != name);
        self
    }

    pub(crate) fn column(mut self, name: &str, ty: FlinkType) -> Self {
        let kind = ColumnKind::Physical;
        let column = ColumnDefinition {
            name: spanned(name),
            ty,
            kind,
            comment: None,
        };
        self.0.columns.push(column);
        self
    }

    pub(crate) fn check(&self) -> Result<Box<dyn SinkSpec>, Vec<Diagnostic>> {
        let ctx = ValidateContext {
            session_time_zone: "Asia/Shanghai".into(),
        };
        DorisConnector.sink(&self.0, &ctx)
    }
}

pub(crate) fn write_ids(
    writer: &mut dyn SinkWriter,
    ids: &[i64],
) -> Result<Written, ConnectorError> {
    let rows: Vec<_> = ids
        .iter()
        .map(|id| (*id, format!("tab\t\"你\n{id}")))
        .collect();
    write_rows(writer, &rows, None)
}

fn write_rows(
    writer: &mut dyn SinkWriter,
    rows: &[(i64, String)],
    kinds: Option<&[RowKind]>,
) -> Result<Written, ConnectorError> {
    let columns = columns(rows);
    writer.write(&SinkBatch {
        columns: &columns,
        rows: rows.len(),
        kinds,
    })
}

fn columns(rows: &[(i64, String)]) -> Vec<ArrayRef> {
    let decimals = Decimal128Array::from(vec![1250; rows.len()]);
    vec![
        Arc::new(rows.iter().map(|row| Some(row.0)).collect::<Int64Array>()),
        Arc::new(
            rows.iter()
                .map(|row| Some(row.1.as_str()))
                .collect::<StringViewArray>(),
        ),
        Arc::new(decimals.with_precision_and_scale(18, 4).unwrap()),
        Arc::new(TimestampMicrosecondArray::from(vec![AT_MICROS; rows.len()])),
    ]
}

pub(crate) struct Pipeline {
    group: Box<dyn SinkGroup>,
    writer: Box<dyn SinkWriter>,
}

impl Pipeline {
    pub(crate) fn open(_: &DorisStandIn, table: &Table) -> Self {
        Self::try_open(table).unwrap()
    }

    pub(crate) fn try_open(table: &Table) -> Result<Self, ConnectorError> {
        let ctx = OpenContext {
            pipeline: "orders".into(),
            dataflow: "main".into(),
            names: None,
            slot: 0,
            lanes: 1,
            buffer_bytes_max: 1 << 20,
            checkpointing: true,
            checkpoint_interval: Duration::from_secs(10),
            cancel: Cancel::default(),
        };
        let spec = table.check().unwrap();
        let mut group = spec.open_group(&[spec.as_ref()], &ctx)?;
        group.fence()?;
        let writer = group.writer(0, LaneId(0))?;
        Ok(Self { group, writer })
    }

    pub(crate) fn role(&self) -> CommitRole {
        self.group.role()
    }

    pub(crate) fn writer(&mut self, lane: u32) -> Box<dyn SinkWriter> {
        self.group.writer(0, LaneId(lane)).unwrap()
    }

    pub(crate) fn begin(&mut self, epoch: u64) {
        self.group.begin(Epoch(epoch)).unwrap();
    }

    pub(crate) fn try_write(&mut self, epoch: u64, ids: &[i64]) -> Result<Written, ConnectorError> {
        self.begin(epoch);
        write_ids(self.writer.as_mut(), ids)
    }

    pub(crate) fn write(&mut self, epoch: u64, ids: &[i64]) {
        let written = self.try_write(epoch, ids).unwrap();
        assert_eq!(written.records, ids.len() as u64);
    }

    pub(crate) fn write_more(&mut self, ids: &[i64]) {
        write_ids(self.writer.as_mut(), ids).unwrap();
    }

    pub(crate) fn try_write_named(
        &mut self,
        epoch: u64,
        rows: &[(i64, String)],
    ) -> Result<Written, ConnectorError> {
        self.begin(epoch);
        write_rows(self.writer.as_mut(), rows, None)
    }

    /// Writes all columns but the last.
    pub(crate) fn write_short(&mut self, epoch: u64, ids: &[i64]) {
        self.begin(epoch);
        let rows: Vec<_> = ids
            .iter()
            .map(|id| (*id, format!("tab\t\"你\n{id}")))
            .collect();
        let columns = columns(&rows);
        let batch = SinkBatch {
            columns: &columns[..3],
            rows: rows.len(),
            kinds: None,
        };
        self.writer.write(&batch).unwrap();
    }

    /// Returns the value of a figure.
    pub(crate) fn figure(&self, name: &str) -> f64 {
        let figures = self.group.figures();
        figures
            .iter()
            .find(|figure| figure.name == name)
            .unwrap()
            .value
    }

    pub(crate) fn write_kinds(
        &mut self,
        epoch: u64,
        rows: &[(i64, &str)],
        kinds: Option<&[RowKind]>,
    ) {
        self.try_write_kinds(epoch, rows, kinds).unwrap();
    }

    pub(crate) fn try_write_kinds(
        &mut self,
        epoch: u64,
        rows: &[(i64, &str)],
        kinds: Option<&[RowKind]>,
    ) -> Result<Written, ConnectorError> {
        self.begin(epoch);
        let rows: Vec<_> = rows
            .iter()
            .map(|(id, name)| (*id, (*name).to_owned()))
            .collect();
        write_rows(self.writer.as_mut(), &rows, kinds)
    }

    pub(crate) fn try_prepare(&mut self, epoch: u64) -> Result<Committable, ConnectorError> {
        self.group.prepare(Epoch(epoch))
    }

    /// Prepares, and takes the handles through the form that a checkpoint keeps.
    pub(crate) fn prepare(&mut self, epoch: u64) -> Committable {
        let prepared = self.try_prepare(epoch).unwrap();
        let kept = serde_json::to_string(&prepared).unwrap();
        serde_json::from_str(&kept).unwrap()
    }

    pub(crate) fn try_commit(
        &mut self,
        epoch: u64,
        prepared: &Committable,
    ) -> Result<CommitOutcome, ConnectorError> {
        let mark = Mark {
            epoch: Epoch(epoch),
            generation: 1,
            slot: 0,
            digest: "d".into(),
        };
        self.group.commit(Epoch(epoch), prepared, &mark)
    }

    pub(crate) fn commit(&mut self, epoch: u64, prepared: &Committable) -> CommitOutcome {
        self.try_commit(epoch, prepared).unwrap()
    }

    pub(crate) fn discard(&mut self, epoch: u64, prepared: &Committable) {
        self.group.discard(Epoch(epoch), Some(prepared)).unwrap();
    }
}
