//! What patterns and zone ids were made into, remembered by their text.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::java_zone::{JavaZone, ZoneCursor};

/// How many texts are remembered; a column of patterns that are all different must not fill the memory.
const REMEMBERED: usize = 256;

type Outcome<T> = Arc<Result<T, String>>;

/// Texts and what they were made into, for all batches of a kernel.
pub(crate) struct Compiled<T> {
    compile: fn(&str) -> Result<T, String>,
    known: Mutex<HashMap<String, Outcome<T>>>,
}

impl<T> Compiled<T> {
    /// Returns an empty memory.
    pub(crate) fn new(compile: fn(&str) -> Result<T, String>) -> Self {
        Self {
            compile,
            known: Mutex::default(),
        }
    }

    fn get(&self, text: &str) -> Outcome<T> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(outcome) = known.get(text) {
            return Arc::clone(outcome);
        }
        if known.len() == REMEMBERED {
            known.clear();
        }
        let outcome = Arc::new((self.compile)(text));
        known.insert(text.to_owned(), Arc::clone(&outcome));
        outcome
    }

    /// Returns a reader for one batch.
    pub(crate) fn reader(&self) -> CompiledReader<'_, T> {
        CompiledReader {
            all: self,
            last: None,
        }
    }
}

impl<T> fmt::Debug for Compiled<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Compiled")
    }
}

/// Looks texts up; the same text as the row before costs a comparison.
pub(crate) struct CompiledReader<'a, T> {
    all: &'a Compiled<T>,
    last: Option<(String, Outcome<T>)>,
}

impl<T> CompiledReader<'_, T> {
    /// Returns what the text was made into.
    ///
    /// # Errors
    /// Why it could not be.
    pub(crate) fn get(&mut self, text: &str) -> Result<&T, String> {
        if self.last.as_ref().is_none_or(|(known, _)| known != text) {
            self.last = Some((text.to_owned(), self.all.get(text)));
        }
        let (_, outcome) = self.last.as_ref().expect("just set");
        outcome.as_ref().as_ref().map_err(Clone::clone)
    }
}

/// Zones by id, for all batches of a kernel.
pub(crate) type Zones = Compiled<Arc<JavaZone>>;

/// Returns an empty memory of zones.
pub(crate) fn zones() -> Zones {
    Compiled::new(|id| Ok(Arc::new(JavaZone::of_id(id))))
}

/// Zones by id, for one batch.
pub(crate) struct ZoneReader<'a> {
    all: &'a Zones,
    known: Vec<(String, ZoneCursor)>,
    last: usize,
}

/// How many zones of one batch keep what they looked up.
const CURSORS: usize = 32;

impl<'a> ZoneReader<'a> {
    /// Returns a reader for one batch.
    pub(crate) fn new(all: &'a Zones) -> Self {
        Self {
            all,
            known: Vec::new(),
            last: 0,
        }
    }

    /// Returns the zone of that id.
    pub(crate) fn get(&mut self, id: &str) -> &mut ZoneCursor {
        if self
            .known
            .get(self.last)
            .is_none_or(|(known, _)| known != id)
        {
            self.last = self.find(id);
        }
        &mut self.known[self.last].1
    }

    fn find(&mut self, id: &str) -> usize {
        if let Some(index) = self.known.iter().position(|(known, _)| known == id) {
            return index;
        }
        if self.known.len() == CURSORS {
            self.known.clear();
        }
        let zone = self.all.get(id);
        let zone = zone.as_ref().as_ref().expect("every id is a zone");
        self.known
            .push((id.to_owned(), ZoneCursor::new(Arc::clone(zone))));
        self.known.len() - 1
    }
}
