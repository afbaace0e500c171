//! The state of a dataflow's operators in the store: restored before the first row, one object of changes an epoch, folded in
//! the background.
//!
//! ```text
//!  lane      ── snapshot ──► coordinator: sort, pack ──► object N ─┐ in the store before the deciding act
//!                                                     manifest N ──┘ names objects: base … N
//!  fold thread:  newest runs ─► one run of parts ─► named by a later manifest in their place
//! ```

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{Scope, ScopedJoinHandle};

use millrace_checkpoint::{
    Identity, ObjectRef, PendingObject, StateRecord, Store, object_path, put_object, read_object,
};
use millrace_connector::{Cancel, Epoch};
use millrace_operators::{NodeId, ROW_FORMAT_VERSION};
use millrace_state::{
    Head, KEY_HASH_VERSION, MergedReader, ObjectRanges, OperatorHead, SealedObject, StateError,
    StateObject, fold_part, parts, runs_to_fold, seal_changes,
};
use parking_lot::Mutex;

use crate::dataflow::{NodeInput, NodeState};
use crate::lane::LaneOperators;
use crate::snapshot::{LaneSnapshot, LaneTime};
use crate::{DataflowStatus, RunError};

/// The state of a dataflow with operators, as its coordinator keeps it.
pub(crate) struct StateKeeper<'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
    store: &'env dyn Store,
    status: &'env DataflowStatus,
    identity: Identity,
    head: Head,
    /// What the newest checkpoint says.
    record: StateRecord,
    /// Whether a sink follows the decision, so that an epoch's rows may have to be written again.
    is_followed: bool,
    fold: Option<Fold<'scope>>,
    cancel: Cancel,
}

/// A fold under way.
struct Fold<'scope> {
    /// What it replaces.
    folded: Vec<ObjectRef>,
    /// What it has begun to write, for retention to leave alone.
    written: Arc<Mutex<Vec<ObjectRef>>>,
    thread: ScopedJoinHandle<'scope, Result<Vec<ObjectRef>, StateError>>,
}

/// An object in the store.
struct StoredRanges<'a> {
    store: &'a dyn Store,
    identity: &'a Identity,
    object: &'a ObjectRef,
}

impl ObjectRanges for StoredRanges<'_> {
    fn read(&self, range: Range<u64>) -> Result<Vec<u8>, StateError> {
        let path = object_path(self.identity, self.object);
        let read = read_object(self.store, self.identity, self.object, range);
        let found = read.map_err(|error| StateError::Unreachable(error_chain(&error)))?;
        found.ok_or_else(|| StateError::Corrupt {
            what: format!("'{path}'"),
            reason: "it is missing, or cut short".into(),
        })
    }
}

fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

fn open_all<'a>(
    store: &'a dyn Store,
    identity: &'a Identity,
    objects: &'a [ObjectRef],
) -> Result<Vec<StateObject<'a>>, StateError> {
    let open = |object: &'a ObjectRef| {
        let ranges = StoredRanges {
            store,
            identity,
            object,
        };
        let contents = (object.contents, object.digest.as_str());
        let name = object_path(identity, object);
        StateObject::open(&name, object.bytes, contents, Box::new(ranges))
    };
    objects.iter().map(open).collect()
}

/// Returns what the objects of a dataflow say about themselves.
pub(crate) fn head(nodes: &[NodeInput], key_groups: u16) -> Head {
    let states = nodes.iter().filter_map(|node| node.state.as_ref());
    let operator = |state: &NodeState| OperatorHead {
        id: state.id.clone(),
        fingerprint: state.fingerprint.clone(),
        ttl_ms: state.ttl_ms,
    };
    Head {
        key_groups,
        key_hash: KEY_HASH_VERSION,
        row_format: ROW_FORMAT_VERSION,
        operators: states.map(operator).collect(),
    }
}

/// Checks that state belongs to these operators.
fn check(found: &Head, own: &Head) -> Result<(), StateError> {
    let foreign = |text: String| Err(StateError::Foreign(text));
    if found.key_groups != own.key_groups {
        return foreign(format!(
            "'pipeline.max-parallelism' was {} and is {}",
            found.key_groups, own.key_groups
        ));
    }
    for (what, found, own) in [
        ("hash of keys", found.key_hash, own.key_hash),
        ("encoding of rows", found.row_format, own.row_format),
    ] {
        if found != own {
            return foreign(format!(
                "its {what} has version {found}, this build has {own}"
            ));
        }
    }
    for known in &found.operators {
        let Some(operator) = own.operators.iter().find(|it| it.id == known.id) else {
            return foreign(format!(
                "the file no longer has the operator '{}'",
                known.id
            ));
        };
        if let Some(difference) = known.fingerprint.difference(&operator.fingerprint) {
            return foreign(format!("operator '{}': {difference}", known.id));
        }
        // With a TTL each entry has its time, without one it has none.
        if (known.ttl_ms == 0) != (operator.ttl_ms == 0) {
            let (was, is) = (known.ttl_ms, operator.ttl_ms);
            return foreign(format!(
                "operator '{}': 'table.exec.state.ttl' was {was} ms and is {is} ms",
                known.id
            ));
        }
    }
    let is_known = |id: &str| found.operators.iter().any(|known| known.id == id);
    match own.operators.iter().find(|own| !is_known(&own.id)) {
        Some(new) => foreign(format!("the checkpoint lacks the operator '{}'", new.id)),
        None => Ok(()),
    }
}

/// Gives the operators of a lane the state of a checkpoint.
pub(crate) fn restore(
    (store, identity): (&dyn Store, &Identity),
    record: &StateRecord,
    nodes: &[NodeInput],
    key_groups: u16,
    lane: &mut LaneOperators,
    now_ms: i64,
) -> Result<(), RunError> {
    let own = head(nodes, key_groups);
    let objects = open_all(store, identity, &record.objects)?;
    for object in &objects {
        check(object.head(), &own)?;
    }
    for (index, node) in nodes.iter().enumerate() {
        let Some(state) = &node.state else {
            continue;
        };
        let mut reader = MergedReader {
            objects: &objects,
            id: &state.id,
            groups: 0..key_groups,
        };
        lane.graph_mut()
            .restore(NodeId(index), &mut reader)
            .map_err(|error| match error {
                millrace_operators::OperatorError::State(error) => RunError::State(error),
                error => RunError::Operator {
                    operator: node.name.clone(),
                    message: error.to_string(),
                },
            })?;
    }
    if !record.lanes.is_null() {
        lane.restore_time(&time_of(record)?, now_ms)?;
    }
    Ok(())
}

/// Returns where the lane stood in time at a checkpoint.
pub(crate) fn time_of(record: &StateRecord) -> Result<LaneTime, RunError> {
    let time = serde_json::from_value(record.lanes.clone());
    time.map_err(|error| {
        RunError::State(StateError::Corrupt {
            what: "the checkpoint's watermarks".into(),
            reason: error.to_string(),
        })
    })
}

impl<'scope, 'env> StateKeeper<'scope, 'env> {
    pub(crate) fn new(
        scope: &'scope Scope<'scope, 'env>,
        (store, status): (&'env dyn Store, &'env DataflowStatus),
        identity: Identity,
        head: Head,
        record: StateRecord,
        is_followed: bool,
    ) -> Self {
        Self {
            scope,
            store,
            status,
            identity,
            head,
            record,
            is_followed,
            fold: None,
            cancel: Cancel::default(),
        }
    }

    /// Returns what the newest checkpoint says, or the one that is being committed.
    pub(crate) fn record(&self) -> &StateRecord {
        &self.record
    }

    /// Begins to write the changes of an epoch; returns what its commit has to wait for.
    pub(crate) fn commit(&mut self, epoch: Epoch, snapshot: &LaneSnapshot) -> Vec<PendingObject> {
        let before = StateRecord {
            before: None,
            ..self.record.clone()
        };
        self.take_fold();
        let mut uploads = Vec::new();
        let sealed = seal_changes(&self.head, &snapshot.changes);
        for (part, sealed) in sealed.into_iter().enumerate() {
            let part = u16::try_from(part).expect("a part has a key group at least");
            let object = named(epoch, part, &sealed);
            let counters = &self.status.state;
            counters
                .delta_bytes
                .fetch_add(object.bytes, Ordering::Relaxed);
            uploads.push(put_object(
                self.store,
                &self.identity,
                &object,
                sealed.bytes,
            ));
            self.record.objects.push(object);
        }
        self.record.lanes = serde_json::to_value(&snapshot.time).expect("it is plain data");
        self.record.before = self.is_followed.then(|| Box::new(before));
        self.show();
        uploads
    }

    fn show(&self) {
        let objects = &self.record.objects;
        let bytes: u64 = objects.iter().map(|object| object.bytes).sum();
        let counters = &self.status.state;
        counters
            .objects
            .store(objects.len() as u64, Ordering::Relaxed);
        counters.stored_bytes.store(bytes, Ordering::Relaxed);
    }

    /// Returns what a fold has written and no manifest names yet.
    pub(crate) fn pinned(&self) -> Vec<ObjectRef> {
        let fold = self.fold.as_ref();
        fold.map(|fold| fold.written.lock().clone())
            .unwrap_or_default()
    }

    /// Starts a fold where one is due. `next` is the number of the epoch that is open.
    pub(crate) fn fold(&mut self, next: Epoch) {
        if self.fold.is_some() {
            return;
        }
        let runs = runs(&self.record.objects);
        let sizes: Vec<u64> = runs
            .iter()
            .map(|run| self.record.objects[run.clone()].iter())
            .map(|objects| objects.map(|object| object.bytes).sum())
            .collect();
        let Some(range) = runs_to_fold(&sizes) else {
            return;
        };
        let is_oldest = range.start == 0;
        let folded = self.record.objects[runs[range.start].start..].to_vec();
        let written = Arc::new(Mutex::new(Vec::new()));
        let thread = {
            let (folded, written) = (folded.clone(), Arc::clone(&written));
            let (store, identity) = (self.store, self.identity.clone());
            let (cancel, status) = (self.cancel.clone(), self.status);
            self.scope.spawn(move || {
                let job = FoldJob {
                    store,
                    identity: &identity,
                    epoch: next,
                    is_oldest,
                    cancel: &cancel,
                };
                let done = job.run(&folded, &written)?;
                let bytes: u64 = done.iter().map(|object| object.bytes).sum();
                status
                    .state
                    .folded_bytes
                    .fetch_add(bytes, Ordering::Relaxed);
                Ok(done)
            })
        };
        self.fold = Some(Fold {
            folded,
            written,
            thread,
        });
    }

    /// Puts what a fold that has ended wrote in the place of what it read.
    fn take_fold(&mut self) {
        let is_done = self
            .fold
            .as_ref()
            .is_some_and(|fold| fold.thread.is_finished());
        let Some(fold) = self.fold.take_if(|_| is_done) else {
            return;
        };
        let objects = &mut self.record.objects;
        match fold.thread.join() {
            Ok(Ok(done)) => {
                let first = objects.iter().position(|object| *object == fold.folded[0]);
                let start = first.expect("only folds take objects away, one at a time");
                let end = start + fold.folded.len();
                assert_eq!(objects[start..end], fold.folded[..], "deltas come behind");
                objects.splice(start..end, done);
            }
            Ok(Err(error)) => tracing::warn!(
                error = error_chain(&error),
                "state could not be folded; it is tried again"
            ),
            Err(_) => tracing::error!("folding state panicked; this is a bug, please report it"),
        }
    }
}

impl Drop for StateKeeper<'_, '_> {
    fn drop(&mut self) {
        // The thread looks between two parts.
        self.cancel.cancel();
        if let Some(fold) = self.fold.take() {
            drop(fold.thread.join());
        }
    }
}

/// Returns the ranges of objects that are one run each.
fn runs(objects: &[ObjectRef]) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for (index, object) in objects.iter().enumerate() {
        match runs.last_mut() {
            Some(run) if object.part > 0 => run.end = index + 1,
            _ => runs.push(index..index + 1),
        }
    }
    runs
}

fn named(epoch: Epoch, part: u16, sealed: &SealedObject) -> ObjectRef {
    ObjectRef {
        epoch,
        digest: sealed.digest.clone(),
        bytes: sealed.bytes.len() as u64,
        contents: sealed.contents_bytes,
        part,
    }
}

struct FoldJob<'a> {
    store: &'a dyn Store,
    identity: &'a Identity,
    epoch: Epoch,
    is_oldest: bool,
    cancel: &'a Cancel,
}

impl FoldJob<'_> {
    fn run(
        &self,
        folded: &[ObjectRef],
        written: &Mutex<Vec<ObjectRef>>,
    ) -> Result<Vec<ObjectRef>, StateError> {
        let unreachable =
            |error: &dyn std::error::Error| StateError::Unreachable(error_chain(error));
        let objects = open_all(self.store, self.identity, folded)?;
        let mut done = Vec::new();
        for groups in parts(&objects) {
            if self.cancel.is_cancelled() {
                return Err(StateError::Unreachable("the run has ended".into()));
            }
            let Some(sealed) = fold_part(&objects, &groups, self.is_oldest)? else {
                continue;
            };
            let part = u16::try_from(done.len()).expect("a part has a key group at least");
            let object = named(self.epoch, part, &sealed);
            written.lock().push(object.clone());
            let put = put_object(self.store, self.identity, &object, sealed.bytes);
            put.wait(self.store).map_err(|error| unreachable(&error))?;
            done.push(object);
        }
        Ok(done)
    }
}

#[cfg(test)]
mod tests {
    use millrace_state::Fingerprint;

    use super::*;

    fn own() -> Head {
        let state = NodeState {
            id: "count".into(),
            fingerprint: Fingerprint {
                kind: "counter".into(),
                ..Fingerprint::default()
            },
            ttl_ms: 0,
        };
        let node = NodeInput {
            name: "Count".into(),
            state: Some(state),
        };
        head(&[node], 128)
    }

    #[test]
    fn state_of_other_operators_is_refused_with_the_difference() {
        type Case = (&'static str, fn(&mut Head));
        let cases: [Case; 7] = [
            ("max-parallelism", |head| head.key_groups = 64),
            ("hash of keys", |head| head.key_hash += 1),
            ("encoding of rows", |head| head.row_format += 1),
            ("no longer has", |head| {
                head.operators[0].id = "other".into()
            }),
            ("kind", |head| {
                head.operators[0].fingerprint.kind = "join".into();
            }),
            ("state.ttl", |head| head.operators[0].ttl_ms = 1_000),
            ("lacks", |head| head.operators.clear()),
        ];
        check(&own(), &own()).unwrap();
        for (word, change) in cases {
            let mut found = own();
            change(&mut found);
            let text = check(&found, &own()).unwrap_err().to_string();
            assert!(text.contains(word), "{word}: {text}");
        }
    }

    #[test]
    fn parts_of_a_fold_are_one_run() {
        let object = |part| ObjectRef {
            epoch: Epoch(1),
            digest: String::new(),
            bytes: 1,
            contents: 1,
            part,
        };
        let objects = [0, 1, 2, 0, 0, 1].map(object);
        assert_eq!(runs(&objects), [0..3, 3..4, 4..6]);
    }
}
