//! Whether the checkpoint store answers: told once when it stops, once when it answers again, and to whoever asks.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// The state of a store; clones share it.
#[derive(Clone, Debug, Default)]
pub struct StoreHealth(Arc<Mutex<Option<Down>>>);

#[derive(Debug)]
struct Down {
    since: Instant,
    location: String,
    cause: String,
}

/// A store that does not answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outage {
    /// The store.
    pub location: String,
    /// For how long.
    pub time: Duration,
    /// What the last attempt met.
    pub cause: String,
}

impl StoreHealth {
    /// Returns the outage that lasts, if one does.
    #[must_use]
    pub fn outage(&self) -> Option<Outage> {
        self.0.lock().as_ref().map(|down| Outage {
            location: down.location.clone(),
            time: down.since.elapsed(),
            cause: down.cause.clone(),
        })
    }

    /// Notes that an attempt failed.
    pub(crate) fn failed(&self, location: &str, cause: &str) {
        let mut down = self.0.lock();
        match &mut *down {
            Some(down) => cause.clone_into(&mut down.cause),
            None => {
                tracing::warn!(
                    store = location,
                    error = cause,
                    "the checkpoint store does not answer; trying again"
                );
                *down = Some(Down {
                    since: Instant::now(),
                    location: location.to_owned(),
                    cause: cause.to_owned(),
                });
            }
        }
    }

    /// Notes that the store answered.
    pub(crate) fn answered(&self, location: &str) {
        if let Some(down) = self.0.lock().take() {
            tracing::info!(
                store = location,
                seconds = down.since.elapsed().as_secs(),
                "the checkpoint store answers again"
            );
        }
    }
}
