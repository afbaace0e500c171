//! The validated source, and the source once it is open: checks, the first position, the reader.

use std::sync::Arc;

use millrace_connector::source::{Source, SplitReader, SplitStart};
use millrace_connector::{
    ChangelogMode, ConnectorError, ErrorKind, FNV_BASIS, Figure, LaneId, MetadataKey, OpenContext,
    Position, Positions, Projection, Retry, SourceSpec, SplitId, fnv1a,
};
use parking_lot::Mutex;

use crate::config::{Config, Startup};
use crate::connection::{Purpose, connect_patiently};
use crate::decode::DeclaredColumn;
use crate::definition::{TableDefinition, TableName};
use crate::dump::Identity;
use crate::figures::ReadFigures;
use crate::history::{self, History};
use crate::out::{Layout, Metadata, Source as ColumnSource};
use crate::position::State;
use crate::reader::{Opened, Reader, Shared};
use crate::server::{self, Server};
use crate::snapshot;
use crate::startup::Starter;
use crate::stream::Stream;
use crate::tables::Tables;

/// The one split: the log of a server is one stream.
pub(crate) const SPLIT: &str = "binlog";

/// A column of the Flink table.
#[derive(Clone, Debug)]
pub(crate) enum Column {
    Declared(DeclaredColumn),
    Metadata(Metadata),
    /// Computed, or a key that the connector lacks: never asked for.
    Other,
}

/// A validated source.
#[derive(Clone, Debug)]
pub(crate) struct MysqlSourceSpec {
    pub(crate) config: Arc<Config>,
    pub(crate) columns: Vec<Column>,
}

impl SourceSpec for MysqlSourceSpec {
    fn metadata(&self) -> Vec<MetadataKey> {
        Metadata::keys()
    }

    fn is_bounded(&self) -> bool {
        self.config.startup == Startup::Snapshot
    }

    fn changelog_mode(&self) -> ChangelogMode {
        if self.config.append_only {
            return ChangelogMode::InsertOnly;
        }
        ChangelogMode::All
    }

    fn describe(&self) -> Vec<(String, String)> {
        let config = &self.config;
        let startup = match &config.startup {
            Startup::Initial => "snapshot, then the binary log".to_owned(),
            Startup::Snapshot => "snapshot".to_owned(),
            Startup::Earliest => "earliest offset".to_owned(),
            Startup::Latest => "latest offset".to_owned(),
            Startup::File { file, pos, .. } => format!("{file}:{pos}"),
            Startup::Gtids { set, .. } => format!("behind {set}"),
            Startup::Timestamp(seconds) => format!("second {seconds}"),
        };
        vec![
            ("server".into(), config.address()),
            (
                "tables".into(),
                format!("{}.{}", config.database_name, config.table_name),
            ),
            ("startup".into(), startup),
            ("server time zone".into(), config.zone_text.clone()),
        ]
    }

    fn notes(&self) -> Vec<String> {
        self.config.notes.clone()
    }

    fn open(
        &self,
        projection: &Projection,
        ctx: &OpenContext,
    ) -> Result<Box<dyn Source>, ConnectorError> {
        let mut declared = Vec::new();
        let sources = projection
            .columns
            .iter()
            .filter_map(|index| match &self.columns[*index] {
                Column::Declared(column) => {
                    declared.push(column.clone());
                    Some(ColumnSource::Declared(declared.len() - 1))
                }
                Column::Metadata(metadata) => Some(ColumnSource::Metadata(*metadata)),
                Column::Other => None,
            })
            .collect();
        let opener = Opener {
            config: Arc::clone(&self.config),
            layout: Arc::new(Layout {
                sources,
                declared,
                append_only: self.config.append_only,
            }),
            identity: identity(&self.config, ctx),
            ctx: ctx.clone(),
            figures: Arc::default(),
        };
        Ok(Box::new(MysqlSource {
            opener,
            opened: None,
            end: None,
        }))
    }
}

/// Returns how the pipeline presents itself: the same after a restart, so that the server ends what is left of the
/// connection before.
fn identity(config: &Config, ctx: &OpenContext) -> Identity {
    let name = format!(
        "{}\0{}\0{}\0{}",
        ctx.pipeline, ctx.dataflow, ctx.slot, config.table
    );
    let (low, high) = (
        fnv1a(FNV_BASIS, name.bytes()),
        fnv1a(0x8422_2325_cbf2_9ce4, name.bytes()),
    );
    const FIRST: u64 = 1 << 30;
    const LAST: u64 = (1 << 32) - 2;
    let server_id = match config.server_ids {
        Some((first, last)) => {
            u64::from(first) + u64::from(ctx.slot) % (u64::from(last - first) + 1)
        }
        None => FIRST + low % (LAST - FIRST + 1),
    };
    let digits = format!("{low:016x}{high:016x}");
    Identity {
        server_id: server_id as u32,
        uuid: [
            &digits[..8],
            &digits[8..12],
            &digits[12..16],
            &digits[16..20],
            &digits[20..],
        ]
        .join("-"),
    }
}

/// Adds how to go on without a table that cannot be read.
fn odd(error: ConnectorError) -> ConnectorError {
    if error.kind != ErrorKind::Config || error.help.is_some() {
        return error;
    }
    error.help("narrow 'table-name', or leave such tables out with 'debezium.inconsistent.schema.handling.mode' = 'warn'")
}

/// Returns the failure of a wish to read rows of a snapshot as they were.
pub(crate) fn no_snapshot_again() -> ConnectorError {
    ConnectorError::new(
        ErrorKind::Config,
        Retry::Never,
        "rows of the snapshot cannot be read a second time: the table holds what they are now",
    )
    .help("start from the checkpoint before, which writes them again to every sink")
}

/// What it takes to begin reading.
#[derive(Clone)]
pub(crate) struct Opener {
    pub(crate) config: Arc<Config>,
    pub(crate) layout: Arc<Layout>,
    identity: Identity,
    pub(crate) ctx: OpenContext,
    pub(crate) figures: Arc<ReadFigures>,
}

impl Opener {
    /// Checks the server and prepares to read from `known`, or where the startup mode says.
    pub(crate) fn prepare(&self, known: Option<&Position>) -> Result<Opened, ConnectorError> {
        let config = &self.config;
        let cancel = &self.ctx.cancel;
        let mut conn = connect_patiently(config, Purpose::Plain, cancel)?;
        let server = server::examine(&mut conn, config)?;
        tracing::info!(
            table = config.table,
            address = config.address(),
            version = server.version,
            gtids = server.has_gtids,
            "connected to MySQL"
        );
        let mut starter = Starter {
            config,
            server: &server,
            identity: &self.identity,
            cancel,
            conn: &mut conn,
        };
        starter.try_dump()?;
        let mut tables = Tables::new(config, &server, self.layout.declared.clone());
        let (state, is_first) = match known {
            Some(position) => {
                let state = State::from_position(position)?;
                if !state.finished {
                    starter.verify(&state)?;
                }
                (state, false)
            }
            None => (starter.first()?, true),
        };
        let from = starter.from(&state);
        for (database, charset) in server::database_charsets(starter.conn, config)? {
            tables.set_database_charset(&database, &charset);
        }
        let mut unknown = Vec::new();
        for name in server::sequences(starter.conn, config, &server)? {
            tables.insert(TableDefinition::sequence(name))?;
        }
        let mut state = state;
        if is_first {
            self.first_definitions(&mut starter, &mut tables, &server, &from)?;
            if let Some(progress) = &mut state.snapshot {
                let is_left_out = |name: &TableName| tables.is_left_out(name);
                progress.tables.retain(|shown, _| {
                    !progress
                        .order
                        .iter()
                        .any(|name| name.to_string() == *shown && is_left_out(name))
                });
                progress.order.retain(|name| !is_left_out(name));
            }
        } else {
            tables.restore(&state.schema_history);
            if !state.finished {
                unknown = self.later_definitions(&mut starter, &mut tables, &server, &from)?;
            }
        }
        let mut stream = Stream::new(
            config,
            server.clone(),
            self.identity.clone(),
            cancel.clone(),
            tables,
            &state,
        );
        if is_first && !config.startup.has_snapshot() {
            tracing::info!(table = config.table, ?from, "reading the binary log");
        }
        let first = State {
            schema_history: stream.tables.history_text().to_owned(),
            ..state
        };
        Ok(Opened {
            server,
            stream,
            state: first,
            unknown,
        })
    }

    /// Reads the definitions that hold where the first start begins.
    fn first_definitions(
        &self,
        starter: &mut Starter<'_>,
        tables: &mut Tables,
        server: &Server,
        from: &crate::dump::From,
    ) -> Result<(), ConnectorError> {
        let config = &self.config;
        let matching = server::tables(starter.conn, config)?;
        let is_past = !matches!(
            config.startup,
            Startup::Initial | Startup::Snapshot | Startup::Latest
        );
        let history = if is_past {
            history::read(config, server, &self.identity, from, &self.ctx.cancel)?
        } else {
            History::default()
        };
        for name in &matching {
            let learned = match server::definition(starter.conn, config, name) {
                Ok(None) => Ok(()),
                // One that the log changes is not the one that it begins with; it is only checked.
                Ok(Some(definition)) if history.is_untouched(name) => tables.insert(definition),
                Ok(Some(definition)) => tables.check(definition),
                Err(error) => Err(error),
            };
            if let Err(error) = learned {
                tables.leave_out(name, odd(error))?;
            }
        }
        tables.set_history(history);
        self.warn(&matching);
        Ok(())
    }

    /// Finds out which definitions of today do not hold at the place of a checkpoint that does not know the tables.
    fn later_definitions(
        &self,
        starter: &mut Starter<'_>,
        tables: &mut Tables,
        server: &Server,
        from: &crate::dump::From,
    ) -> Result<Vec<TableName>, ConnectorError> {
        let config = &self.config;
        let mut unknown = server::matching(starter.conn, config)?.0;
        unknown.retain(|name| !tables.knows(name));
        if config.properties.skips_unknown_definitions {
            for name in std::mem::take(&mut unknown) {
                match server::definition(starter.conn, config, &name) {
                    Ok(_) => unknown.push(name),
                    Err(error) => tables.leave_out(&name, error)?,
                }
            }
        }
        if !unknown.is_empty() {
            let cancel = &self.ctx.cancel;
            tables.set_history(history::read(config, server, &self.identity, from, cancel)?);
        }
        Ok(unknown)
    }

    /// Has a snapshot made of the tables that the checkpoint does not know.
    fn add_unknown(&self, opened: &mut Opened) {
        let mut added = std::mem::take(&mut opened.unknown);
        let state = &mut opened.state;
        let mut progress = state.snapshot.take().unwrap_or_default();
        added.retain(|name| !progress.tables.contains_key(&name.to_string()));
        for name in &added {
            tracing::info!(table = self.config.table, added = %name, "a snapshot is made of a table that the checkpoint does not know");
        }
        let more = snapshot::begin(added);
        progress.tables.extend(more.tables);
        progress.order.extend(more.order);
        state.snapshot = (!progress.tables.is_empty()).then_some(progress);
    }

    fn warn(&self, matching: &[TableName]) {
        let config = &self.config;
        if matching.len() > 1 && !self.layout.sources.is_empty() {
            tracing::warn!(
                table = config.table,
                tables = matching.len(),
                "'table-name' matches several tables: rows with equal keys in two of them replace each other in a sink with that key"
            );
        }
    }
}

struct MysqlSource {
    opener: Opener,
    /// Taken by the reader that gets the split.
    opened: Option<Shared>,
    /// Where to end: a recorded range is read once more.
    end: Option<State>,
}

impl Source for MysqlSource {
    fn discover(&mut self, known: &Positions) -> Result<Vec<SplitStart>, ConnectorError> {
        let split = SplitId(SPLIT.to_owned());
        if self.opened.is_some() {
            return Ok(Vec::new());
        }
        let position = known.get(&split);
        let mut opened = self.opener.prepare(position)?;
        if position.is_some() && self.opener.config.adds_tables && !opened.state.finished {
            self.opener.add_unknown(&mut opened);
        }
        let first = opened.state.to_position();
        self.opened = Some(Arc::new(Mutex::new(Some(opened))));
        if position.is_some() {
            return Ok(Vec::new());
        }
        Ok(vec![SplitStart {
            split,
            position: first,
        }])
    }

    fn reader(&mut self, lane: LaneId) -> Result<Box<dyn SplitReader>, ConnectorError> {
        // One stream, so one lane; the others find nothing to do.
        let _ = lane;
        let Some(opened) = &self.opened else {
            return Err(ConnectorError::new(
                ErrorKind::Internal,
                Retry::Never,
                "a reader was asked for before the splits",
            ));
        };
        Ok(Box::new(Reader::new(
            self.opener.clone(),
            Arc::clone(opened),
            self.end.clone(),
        )))
    }

    fn stop_at(&mut self, ends: &Positions) -> Result<(), ConnectorError> {
        if let Some(position) = ends.get(&SplitId(SPLIT.to_owned())) {
            let end = State::from_position(position)?;
            if end.snapshot.is_some() || end.finished {
                return Err(no_snapshot_again());
            }
            self.end = Some(end);
        }
        Ok(())
    }

    fn publish(&mut self, _positions: &Positions) -> Result<(), ConnectorError> {
        Ok(())
    }

    fn lag(&mut self, _positions: &Positions) -> Option<u64> {
        // A log has bytes, and no server tells how many rows they are: see the figures.
        None
    }

    fn figures(&self) -> Vec<Figure> {
        self.opener.figures.of(&self.opener.config.table)
    }
}
