//! Compiled patterns of columns whose pattern is not constant.

use std::sync::{Arc, Mutex, PoisonError};

use super::program::JavaRegex;
use super::syntax::PatternError;

/// How many patterns a cache keeps.
const PATTERNS_MAX: usize = 64;

/// A compiled pattern, or why there is none.
pub(crate) type Compiled = Arc<Result<JavaRegex, PatternError>>;

/// Keeps the patterns used last, the latest first.
#[derive(Debug)]
pub(crate) struct PatternCache {
    compile: fn(&str) -> Result<JavaRegex, PatternError>,
    entries: Mutex<Vec<(String, Compiled)>>,
}

impl PatternCache {
    /// Returns an empty cache that compiles with `compile`.
    pub(crate) fn new(compile: fn(&str) -> Result<JavaRegex, PatternError>) -> Self {
        Self {
            compile,
            entries: Mutex::new(Vec::new()),
        }
    }

    /// Returns the program of `pattern`, compiled now or before.
    pub(crate) fn get(&self, pattern: &str) -> Compiled {
        // A panic elsewhere leaves the list whole: it is changed by single calls only.
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = entries.iter().position(|(known, _)| known == pattern) {
            entries[..=place].rotate_right(1);
            return Arc::clone(&entries[0].1);
        }
        entries.truncate(PATTERNS_MAX - 1);
        let compiled = Arc::new((self.compile)(pattern));
        entries.insert(0, (pattern.to_owned(), Arc::clone(&compiled)));
        compiled
    }
}
