//! What changes of the log mean while a snapshot runs: by their key and place they belong to what was read, to what is
//! being read, or to what will be.

use std::collections::HashMap;
use std::sync::Arc;

use millrace_connector::{ConnectorError, ErrorKind, Retry};
use mysql::Conn;

use super::bound::literal;
use super::key::{ChunkKey, Order};
use super::query::collation;
use super::{Chunk, Low, Wave};
use crate::config::Config;
use crate::connection::{Purpose, connect, failure, rows};
use crate::decode::{Columns, DeclaredColumn, Image, ImageCell, KeyReader, KeyValue, RowError};
use crate::definition::{TableMap, TableName};
use crate::events::hex;
use crate::gtid::Gtid;
use crate::position::{Bound, Place, SnapshotProgress, TableProgress};
use crate::tables::Captured;

/// Where a row stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// It was read, or is of no table of the snapshot: its change is emitted.
    Read,
    /// It will be read, with the change in it.
    Left,
    /// It is in this chunk, and the change came after the chunk's query.
    Reading(usize),
}

/// The changes' view of a snapshot.
pub(crate) struct Replay {
    config: Arc<Config>,
    declared: Vec<DeclaredColumn>,
    pub(crate) progress: SnapshotProgress,
    wave: Option<Wave>,
    /// The wave must be read again.
    pub(crate) is_void: bool,
    /// Changes of what was read are emitted.
    emits: bool,
    readers: HashMap<u32, Readers>,
    /// For each low mark of the wave: the event's changes came after it.
    is_after: Vec<bool>,
    conn: Option<Conn>,
    /// What the server said of keys, until bounds change.
    answers: HashMap<(u32, Vec<u8>), Vec<bool>>,
}

/// How keys of a table are read.
struct Readers {
    version: u64,
    key: ChunkKey,
    primary: Option<KeyReader>,
    collation: Option<String>,
}

impl Replay {
    pub(crate) fn new(
        config: &Arc<Config>,
        declared: &[DeclaredColumn],
        progress: SnapshotProgress,
        emits: bool,
    ) -> Self {
        Self {
            config: Arc::clone(config),
            declared: declared.to_vec(),
            progress,
            wave: None,
            is_void: false,
            emits,
            readers: HashMap::new(),
            is_after: Vec::new(),
            conn: None,
            answers: HashMap::new(),
        }
    }

    /// Begins to put changes into a wave.
    pub(crate) fn begin(&mut self, wave: Wave) {
        self.answers.clear();
        self.is_void = false;
        self.wave = Some(wave);
    }

    /// Returns where the wave in hand can be emitted.
    pub(crate) fn high(&self) -> Option<&Place> {
        self.wave.as_ref().map(|wave| &wave.high)
    }

    /// Ends the wave in hand.
    pub(crate) fn end(&mut self) -> Vec<Chunk> {
        self.answers.clear();
        self.wave.take().map(|wave| wave.chunks).unwrap_or_default()
    }

    /// Notes that definitions changed: chunks of these tables hold rows of two shapes.
    pub(crate) fn changed(&mut self, tables: &[TableName]) {
        if let Some(wave) = &self.wave {
            self.is_void |= wave
                .chunks
                .iter()
                .any(|chunk| tables.contains(&chunk.table));
        }
    }

    /// Tells whether all tables are read.
    pub(crate) fn is_done(&self) -> bool {
        self.progress.tables.is_empty()
    }

    /// Notes how far a table has come; one that is read is not carried on.
    pub(crate) fn advance(&mut self, table: &TableName, after: &TableProgress) {
        self.answers.clear();
        note(&mut self.progress, table, after);
    }

    /// Gets ready for the rows of an event.
    pub(crate) fn prepare(
        &mut self,
        captured: &Captured,
        map: &TableMap,
        at: &Place,
        gtid: Option<&Gtid>,
    ) {
        let lows = self.wave.iter().flat_map(|wave| &wave.lows);
        self.is_after.clear();
        self.is_after.extend(lows.map(|low| match &**low {
            low @ Low::Gtids(_) => !low.has_seen(at, gtid),
            // The event ends behind where it begins: at the mark is still before it.
            Low::Place(place) => at.reaches(place),
        }));
        let readers = self.readers.get_mut(&captured.number);
        if let Some(readers) = readers.filter(|readers| readers.version == captured.version) {
            readers.set_layout(map);
            return;
        }
        self.readers.remove(&captured.number);
        let definition = captured.decoder.definition();
        if let Ok(key) = ChunkKey::of(definition, &self.config) {
            let primary = match definition.primary_key.as_slice() {
                [] => None,
                places => KeyReader::new(definition, places),
            };
            let mut readers = Readers {
                version: captured.version,
                key,
                primary,
                collation: None,
            };
            readers.set_layout(map);
            self.readers.insert(captured.number, readers);
        }
    }

    /// Returns where the row of an image stands.
    pub(crate) fn side(
        &mut self,
        captured: &Captured,
        image: &Image<'_>,
    ) -> Result<Side, ConnectorError> {
        let name = captured.name.to_string();
        let Some(progress) = self.progress.tables.get(&name) else {
            return Ok(if self.emits { Side::Read } else { Side::Left });
        };
        let progress = progress.clone();
        let chunks: Vec<(usize, Option<Bound>, Option<Bound>)> = self
            .wave
            .iter()
            .flat_map(|wave| wave.chunks.iter().enumerate())
            .filter(|(_, chunk)| chunk.table == captured.name)
            .map(|(index, chunk)| (index, chunk.lower.clone(), chunk.upper.clone()))
            .collect();
        let mut bounds: Vec<&Bound> = progress.below.iter().chain(&progress.from).collect();
        let known = bounds.len();
        bounds.extend(
            chunks
                .iter()
                .flat_map(|(_, lower, upper)| lower.iter().chain(upper)),
        );
        let is_below = self.compare(captured, image, &bounds)?;
        if was_read(&progress, &is_below[..known]) {
            return Ok(if self.emits { Side::Read } else { Side::Left });
        }
        let mut at = known;
        for (index, lower, upper) in &chunks {
            let mut inside = true;
            if lower.is_some() {
                inside &= !is_below[at];
                at += 1;
            }
            if upper.is_some() {
                inside &= is_below[at];
                at += 1;
            }
            if inside {
                return Ok(self.in_chunk(captured, *index));
            }
        }
        Ok(Side::Left)
    }

    fn in_chunk(&mut self, captured: &Captured, chunk: usize) -> Side {
        let low = self.wave.as_ref().map_or(0, |wave| wave.chunks[chunk].low);
        if self.is_after.get(low) != Some(&true) {
            return Side::Left;
        }
        let has_key = self
            .readers
            .get(&captured.number)
            .is_some_and(|readers| readers.primary.is_some());
        if has_key {
            return Side::Reading(chunk);
        }
        // Rows cannot be told apart: the chunk is read once more, until nothing comes between.
        self.is_void = true;
        Side::Left
    }

    /// Tells for each bound whether the key of an image lies below it.
    fn compare(
        &mut self,
        captured: &Captured,
        image: &Image<'_>,
        bounds: &[&Bound],
    ) -> Result<Vec<bool>, ConnectorError> {
        let Some(readers) = self.readers.get(&captured.number) else {
            return Ok(vec![true; bounds.len()]);
        };
        let key = &readers.key;
        match key.order {
            Order::Whole => Ok(vec![true; bounds.len()]),
            Order::Here => {
                let reader = key.reader.as_ref();
                let Some(value) = reader.and_then(|reader| reader.first_of_image(image)) else {
                    return Err(no_key(captured, &key.name));
                };
                let below = |bound: &&Bound| match key.value(bound) {
                    Some(bound) => value == KeyValue::Null || value < bound,
                    None => true,
                };
                Ok(bounds.iter().map(below).collect())
            }
            Order::Server => match image.cell(key.place) {
                ImageCell::Null => Ok(vec![true; bounds.len()]),
                ImageCell::Value(bytes) => self.ask(captured, bytes, bounds),
                ImageCell::Absent | ImageCell::Differences(_) => Err(no_key(captured, &key.name)),
            },
        }
    }

    /// Asks the server how a text compares under its column's collation.
    fn ask(
        &mut self,
        captured: &Captured,
        text: &[u8],
        bounds: &[&Bound],
    ) -> Result<Vec<bool>, ConnectorError> {
        if bounds.is_empty() {
            return Ok(Vec::new());
        }
        let cached = (captured.number, text.to_vec());
        if let Some(answer) = self.answers.get(&cached) {
            return Ok(answer.clone());
        }
        let mut conn = match self.conn.take() {
            Some(conn) => conn,
            None => connect(&self.config, Purpose::Plain)
                .map_err(|error| failure(&self.config, &error, "connect"))?,
        };
        let told = |error: &mysql::Error| failure(&self.config, error, "compare keys");
        let readers = self
            .readers
            .get_mut(&captured.number)
            .expect("the caller found them");
        if readers.collation.is_none() {
            readers.collation = collation(&mut conn, &captured.name, &readers.key.name)
                .map_err(|error| told(&error))?;
        }
        let collate = readers
            .collation
            .as_ref()
            .map_or(String::new(), |name| format!(" COLLATE {name}"));
        let key = literal(&Bound::Bytes(hex(text)), &readers.key.kind);
        let parts: Vec<String> = bounds
            .iter()
            .map(|bound| format!("{key}{collate} < {}", literal(bound, &readers.key.kind)))
            .collect();
        let found = rows(&mut conn, &format!("SELECT {}", parts.join(", ")))
            .map_err(|error| told(&error))?;
        self.conn = Some(conn);
        let answer: Vec<bool> = (0..bounds.len())
            .map(|index| {
                let row = found
                    .first()
                    .and_then(|row| crate::connection::text(row, index));
                row.as_deref() == Some("1")
            })
            .collect();
        self.answers.insert(cached, answer.clone());
        Ok(answer)
    }

    /// Takes a row out of a chunk.
    pub(crate) fn remove(&mut self, chunk: usize, captured: &Captured, image: &Image<'_>) {
        match self.key(captured, image) {
            Some(key) => {
                if let Some(wave) = &mut self.wave {
                    wave.chunks[chunk].remove(key);
                }
            }
            None => self.is_void = true,
        }
    }

    /// Puts a row into a chunk.
    pub(crate) fn put(
        &mut self,
        chunk: usize,
        captured: &mut Captured,
        before: Option<&Image<'_>>,
        after: &Image<'_>,
    ) -> Result<(), RowError> {
        let Some(key) = self.key(captured, after) else {
            self.is_void = true;
            return Ok(());
        };
        let Some(wave) = &mut self.wave else {
            return Ok(());
        };
        let chunk = &mut wave.chunks[chunk];
        let columns = chunk.puts(|| Columns::new(&self.declared, 64));
        match before {
            Some(before) => captured.decoder.append_after(before, after, columns)?,
            None => captured.decoder.append(after, columns)?,
        }
        chunk.put(key);
        Ok(())
    }

    fn key(&self, captured: &Captured, image: &Image<'_>) -> Option<Vec<u8>> {
        let mut key = Vec::new();
        let readers = self.readers.get(&captured.number)?;
        readers.primary.as_ref()?.of_image(image, &mut key)?;
        Some(key)
    }
}

/// Notes in `progress` how far a table has come.
pub(crate) fn note(progress: &mut SnapshotProgress, table: &TableName, after: &TableProgress) {
    if after.done {
        progress.tables.remove(&table.to_string());
        progress.order.retain(|other| other != table);
    } else {
        progress.tables.insert(table.to_string(), after.clone());
    }
}

impl Readers {
    fn set_layout(&mut self, map: &TableMap) {
        for reader in self.key.reader.iter_mut().chain(&mut self.primary) {
            reader.set_layout(map);
        }
    }
}

/// Tells whether a key lies in what was read; `is_below` is of the bounds that there are.
fn was_read(progress: &TableProgress, is_below: &[bool]) -> bool {
    let mut answers = is_below.iter();
    let below = progress.below.is_some() && answers.next() == Some(&true);
    let above = progress.from.is_some() && answers.next() == Some(&false);
    below || above
}

fn no_key(captured: &Captured, column: &str) -> ConnectorError {
    ConnectorError::new(
        ErrorKind::Data,
        Retry::Never,
        format!(
            "table {}: the row image lacks the key column '{column}' (binlog_row_image was MINIMAL in the writing session)",
            captured.name
        ),
    )
    .help("let the writing application SET binlog_row_image='FULL'")
}
