//! What happened, on disk: one line of JSON for each change, only ever appended to.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::schema::TableSchema;
use crate::transaction::Transaction;

/// One change.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Event {
    /// A database was made.
    Database(String),
    /// A database was dropped, after its tables.
    DropDatabase(String),
    /// A table was made, or is now defined so.
    Table(TableSchema),
    /// A table was dropped.
    DropTable((String, String)),
    /// A table lost its rows.
    Truncate((String, String)),
    /// A transaction is now as this says.
    Transaction(Transaction),
    /// A finished transaction was forgotten; its rows stay.
    Forget(i64),
}

#[derive(Debug)]
pub(crate) struct Journal(File);

impl Journal {
    /// Opens the journal at `path`, hands each event to `replay`, and cuts off a line that a crash left unfinished.
    pub(crate) fn open(path: &Path, mut replay: impl FnMut(Event)) -> io::Result<Self> {
        let mut file = OpenOptions::new()
            .create(true)
            .read(true)
            .append(true)
            .open(path)?;
        let mut whole = 0;
        let mut reader = BufReader::new(&file);
        let mut line = String::new();
        loop {
            line.clear();
            let read = reader.read_line(&mut line)?;
            if read == 0 || !line.ends_with('\n') {
                break;
            }
            let event = serde_json::from_str(&line).map_err(|error| {
                io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("{} at byte {whole}: {error}", path.display()),
                )
            })?;
            replay(event);
            whole += read as u64;
        }
        file.set_len(whole)?;
        file.seek(SeekFrom::End(0))?;
        Ok(Self(file))
    }

    /// Appends an event, and with `sync` waits until the disk has it.
    pub(crate) fn append(&mut self, event: &Event, sync: bool) -> io::Result<()> {
        let mut line = serde_json::to_vec(event).expect("events have no maps with odd keys");
        line.push(b'\n');
        self.0.write_all(&line)?;
        if sync {
            self.0.sync_data()?;
        }
        Ok(())
    }
}
