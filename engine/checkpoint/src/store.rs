//! What the protocol needs of a store of files.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use parking_lot::Mutex;
use thiserror::Error;

/// A store of small files with a conditional put. All calls block, bounded in time.
pub trait Store: Send + Sync {
    /// Begins to create `path` if nothing is there. [`PendingPut::wait`] tells what came of it.
    fn put_if_absent(&self, path: &str, bytes: Vec<u8>) -> PendingPut;

    /// Returns the content of `path`, or `None` where nothing is.
    ///
    /// # Errors
    /// The store did not answer.
    fn get(&self, path: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// Returns a range of the content of `path`, or `None` where nothing is. What lies beyond its end is left out.
    ///
    /// # Errors
    /// The store did not answer.
    fn get_range(&self, path: &str, range: Range<u64>) -> Result<Option<Vec<u8>>, StoreError> {
        let bytes = self.get(path)?;
        Ok(bytes.map(|bytes| within(&bytes, &range).to_vec()))
    }

    /// Returns the paths below the folder `prefix`, in no order.
    ///
    /// # Errors
    /// The store did not answer.
    fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError>;

    /// Removes `path`; nothing happens where nothing is.
    ///
    /// # Errors
    /// The store did not answer.
    fn delete(&self, path: &str) -> Result<(), StoreError>;

    /// Returns where it is, for people; without secrets.
    fn location(&self) -> String;
}

/// Returns the part of `bytes` that lies within `range`.
fn within<'a>(bytes: &'a [u8], range: &Range<u64>) -> &'a [u8] {
    let at = |offset: u64| usize::try_from(offset).map_or(bytes.len(), |at| at.min(bytes.len()));
    &bytes[at(range.start)..at(range.end)]
}

/// What came of a conditional put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutOutcome {
    /// The file was made.
    Created,
    /// Something was there already.
    Exists,
}

/// A store that did not answer, or said no.
#[derive(Debug, Error)]
#[error("cannot {action} '{path}' in the checkpoint store {location}")]
pub struct StoreError {
    /// What was tried.
    pub action: &'static str,
    /// The path.
    pub path: String,
    /// The store.
    pub location: String,
    /// The cause.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// A put under way.
pub struct PendingPut(Box<dyn FnOnce() -> Result<PutOutcome, StoreError> + Send>);

impl PendingPut {
    /// Returns a put that `finish` waits for.
    pub fn new(finish: impl FnOnce() -> Result<PutOutcome, StoreError> + Send + 'static) -> Self {
        Self(Box::new(finish))
    }

    /// Waits for the store's answer.
    ///
    /// # Errors
    /// The store did not answer; the file may or may not be there.
    pub fn wait(self) -> Result<PutOutcome, StoreError> {
        (self.0)()
    }
}

impl std::fmt::Debug for PendingPut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PendingPut")
    }
}

/// A store in memory, for tests and for runs that shall leave nothing behind. Clones share the files.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    files: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
}

impl Store for MemoryStore {
    fn put_if_absent(&self, path: &str, bytes: Vec<u8>) -> PendingPut {
        let mut files = self.files.lock();
        let outcome = if files.contains_key(path) {
            PutOutcome::Exists
        } else {
            files.insert(path.to_owned(), bytes);
            PutOutcome::Created
        };
        PendingPut::new(move || Ok(outcome))
    }

    fn get(&self, path: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.files.lock().get(path).cloned())
    }

    fn get_range(&self, path: &str, range: Range<u64>) -> Result<Option<Vec<u8>>, StoreError> {
        let files = self.files.lock();
        let bytes = files.get(path);
        Ok(bytes.map(|bytes| within(bytes, &range).to_vec()))
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let folder = format!("{prefix}/");
        Ok(self
            .files
            .lock()
            .keys()
            .filter(|path| path.starts_with(&folder))
            .cloned()
            .collect())
    }

    fn delete(&self, path: &str) -> Result<(), StoreError> {
        self.files.lock().remove(path);
        Ok(())
    }

    fn location(&self) -> String {
        "memory".into()
    }
}
