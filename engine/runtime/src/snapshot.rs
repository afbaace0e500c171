//! What a lane with operators hands over at a barrier.

use std::collections::BTreeMap;

use millrace_state::ChangeBuffer;
use serde::{Deserialize, Serialize};

use crate::watermark::SavedWatermark;

/// The state of a lane at a barrier, as far as it changed.
#[derive(Debug, Default)]
pub(crate) struct LaneSnapshot {
    /// For each node with state, in order, what changed since the snapshot before.
    pub(crate) changes: Vec<ChangeBuffer>,
    /// The rest, whole.
    pub(crate) time: LaneTime,
}

/// Where a lane stands in time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LaneTime {
    /// The clock as the operators know it.
    pub(crate) now_ms: i64,
    /// The watermark of each source, by table name.
    pub(crate) sources: BTreeMap<String, SavedWatermark>,
    /// The watermark of each input of the nodes with state, by the node's id.
    pub(crate) inputs: BTreeMap<String, Vec<i64>>,
}

impl Default for LaneTime {
    fn default() -> Self {
        Self {
            now_ms: i64::MIN,
            sources: BTreeMap::new(),
            inputs: BTreeMap::new(),
        }
    }
}

impl LaneSnapshot {
    /// Tells whether no operator changed anything.
    pub(crate) fn is_unchanged(&self) -> bool {
        self.changes.iter().all(ChangeBuffer::is_empty)
    }
}
