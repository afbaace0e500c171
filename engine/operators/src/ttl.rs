//! The age at which state is dropped.

use std::collections::BTreeMap;

use millrace_state::StateError;

use crate::stored::{corrupt, put_i64, take_i64};

/// How long an entry is kept after it was last written (`table.exec.state.ttl`).
///
/// # Flink
/// `StateTtlConfig` with `OnCreateAndWrite` and `NeverReturnExpired`: reading does not renew an entry, and an expired
/// one is never seen, whether it is removed yet or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ttl {
    /// Milliseconds of processing time, at least 1.
    pub ms: i64,
}

/// Into how many steps a time to live is cut: an entry stands in a list once for each step in which it was written.
const STEPS: i64 = 16;

/// Knows which slots may have become too old, without looking at the others.
#[derive(Debug)]
pub(crate) struct Expiry {
    ttl: Option<Ttl>,
    /// Slots by the step in which they were written.
    steps: BTreeMap<i64, Vec<u32>>,
}

impl Expiry {
    pub(crate) fn new(ttl: Option<Ttl>) -> Self {
        Self {
            ttl: ttl.filter(|ttl| ttl.ms > 0),
            steps: BTreeMap::new(),
        }
    }

    /// Tells whether what was written then is too old now.
    pub(crate) fn is_over(&self, written_ms: i64, now_ms: i64) -> bool {
        self.ttl
            .is_some_and(|ttl| written_ms.saturating_add(ttl.ms) <= now_ms)
    }

    /// Notes that a slot, last written at `before_ms`, is written now.
    pub(crate) fn touch(&mut self, slot: u32, before_ms: i64, now_ms: i64) {
        let Some(ttl) = self.ttl else { return };
        let step = step(now_ms, ttl);
        if before_ms == i64::MIN || self::step(before_ms, ttl) != step {
            self.steps.entry(step).or_default().push(slot);
        }
    }

    /// Takes the slots of a step whose entries, unless written since, are too old.
    pub(crate) fn take_due(&mut self, now_ms: i64) -> Option<Vec<u32>> {
        let ttl = self.ttl?;
        let first = self.steps.first_entry()?;
        let last_ms = (first.key() + 1) * width(ttl) - 1;
        (last_ms.saturating_add(ttl.ms) <= now_ms).then(|| first.remove())
    }

    pub(crate) fn write(&self, written_ms: i64, out: &mut Vec<u8>) {
        if self.ttl.is_some() {
            put_i64(out, written_ms);
        }
    }

    pub(crate) fn read(&self, bytes: &mut &[u8]) -> Result<i64, StateError> {
        if self.ttl.is_none() {
            return Ok(0);
        }
        take_i64(bytes).ok_or_else(|| corrupt("the time of an entry"))
    }
}

fn width(ttl: Ttl) -> i64 {
    (ttl.ms / STEPS).max(1)
}

fn step(time_ms: i64, ttl: Ttl) -> i64 {
    time_ms.div_euclid(width(ttl))
}
