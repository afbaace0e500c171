//! The commit protocol run through a crash, a lost reply or a second copy at every single step.
//!
//! The world (store, Kafka, Doris) survives; processes die. Each external call is a step. After the run, every source
//! row must be in the read-committed Kafka log once and in the Doris table once. The state is the list of all rows so far: with
//! whatever checkpoint a process goes on, its state must be the rows before its position.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::sync::Arc;

use millrace_checkpoint::protocol::{
    EpochCommit, NamedGroup, ProtocolError, Recovered, commit_epoch, commit_epoch_after,
    commit_genesis, discard_void, epochs, recover, retire,
};
use millrace_checkpoint::{
    Identity, MemoryStore, ObjectRef, PendingObject, PendingPut, StateRecord, Store, StoreError,
    put_object, read_object, retire_objects,
};
use millrace_connector::sink::{
    CommitOutcome, CommitRole, Committable, Mark, SinkGroup, SinkWriter,
};
use millrace_connector::{
    ConnectorError, Epoch, ErrorKind, LaneId, Position, Positions, Retry, SplitId,
};
use parking_lot::Mutex;
use proptest::prelude::*;

const ROWS: u64 = 12;
const ROWS_PER_EPOCH: u64 = 3;
const STEPS_MAX: u64 = 400;

/// What happens at the chosen step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// The process dies before the call has an effect.
    Before,
    /// The call has its effect, then the process dies.
    After,
    /// Another copy of the pipeline starts and works before this call goes on.
    SecondCopy,
    /// So much time passes before the call that Doris throws away all that is prepared.
    Expiry,
    /// The process dies before the call has an effect, and is started again only after such a time.
    DiesForLong,
}

/// What the other systems hold.
#[derive(Default)]
struct World {
    steps: u64,
    faults: Vec<(u64, Fault)>,
    kafka: Kafka,
    doris: BTreeMap<String, (Vec<u64>, DorisState)>,
}

#[derive(Default)]
struct Kafka {
    producer_epoch: u64,
    open: Vec<u64>,
    committed: Vec<u64>,
    mark: Option<Mark>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DorisState {
    Prepared,
    Visible,
    Aborted,
    Expired,
}

impl World {
    fn expire(&mut self) {
        for (_, state) in self.doris.values_mut() {
            if *state == DorisState::Prepared {
                *state = DorisState::Expired;
            }
        }
    }
}

#[derive(Clone, Default)]
struct Shared {
    world: Arc<Mutex<World>>,
    store: MemoryStore,
    sinks: Sinks,
}

/// Which sinks the dataflow has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Sinks {
    #[default]
    Kafka,
    Doris,
    Both,
}

fn died() -> ConnectorError {
    ConnectorError::new(ErrorKind::Internal, Retry::Never, "the process died")
}

fn fenced() -> ConnectorError {
    ConnectorError::new(ErrorKind::Fenced, Retry::Never, "fenced")
}

impl Shared {
    /// Runs one external call under the faults planned for it.
    fn step<T>(&self, call: impl FnOnce(&mut World) -> T) -> Result<T, ConnectorError> {
        let fault = {
            let mut world = self.world.lock();
            let at = world.steps;
            world.steps += 1;
            world
                .faults
                .iter()
                .find(|(step, _)| *step == at)
                .map(|(_, fault)| *fault)
        };
        match fault {
            Some(Fault::Before) => return Err(died()),
            Some(Fault::SecondCopy) => drop(run(self, 2)),
            Some(Fault::Expiry) => self.world.lock().expire(),
            Some(Fault::DiesForLong) => {
                self.world.lock().expire();
                return Err(died());
            }
            Some(Fault::After) | None => {}
        }
        let result = call(&mut self.world.lock());
        if fault == Some(Fault::After) {
            Err(died())
        } else {
            Ok(result)
        }
    }
}

/// The store as a process sees it.
struct StepStore(Shared);

fn store_died(path: &str) -> StoreError {
    StoreError {
        action: "reach",
        path: path.into(),
        location: "sim".into(),
        source: Box::new(died()),
    }
}

impl Store for StepStore {
    fn put_if_absent(&self, path: &str, bytes: Vec<u8>) -> PendingPut {
        let put = self
            .0
            .step(|_| self.0.store.put_if_absent(path, bytes).wait());
        let path = path.to_owned();
        PendingPut::new(move || put.unwrap_or_else(|_| Err(store_died(&path))))
    }
    fn get(&self, path: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.0
            .step(|_| self.0.store.get(path))
            .map_err(|_| store_died(path))?
    }
    fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        self.0
            .step(|_| self.0.store.list(prefix))
            .map_err(|_| store_died(prefix))?
    }
    fn delete(&self, path: &str) -> Result<(), StoreError> {
        self.0
            .step(|_| self.0.store.delete(path))
            .map_err(|_| store_died(path))?
    }
    fn location(&self) -> String {
        "sim".into()
    }
}

/// A transactional producer: fenced by a newer one, its mark inside the transaction.
struct KafkaGroup {
    shared: Shared,
    producer_epoch: u64,
}

impl KafkaGroup {
    fn act<T>(&self, call: impl FnOnce(&mut Kafka) -> T) -> Result<T, ConnectorError> {
        let mine = self.producer_epoch;
        self.shared.step(|world| {
            if world.kafka.producer_epoch == mine {
                Ok(call(&mut world.kafka))
            } else {
                Err(fenced())
            }
        })?
    }
}

impl SinkGroup for KafkaGroup {
    fn role(&self) -> CommitRole {
        CommitRole::Decides
    }
    fn fence(&mut self) -> Result<(), ConnectorError> {
        self.producer_epoch = self.shared.step(|world| {
            world.kafka.open.clear();
            world.kafka.producer_epoch += 1;
            world.kafka.producer_epoch
        })?;
        Ok(())
    }
    fn read_mark(&mut self) -> Result<Option<Mark>, ConnectorError> {
        self.shared.step(|world| world.kafka.mark.clone())
    }
    fn writer(&mut self, _: usize, _: LaneId) -> Result<Box<dyn SinkWriter>, ConnectorError> {
        Err(died())
    }
    fn begin(&mut self, _: Epoch) -> Result<(), ConnectorError> {
        Ok(())
    }
    fn prepare(&mut self, _: Epoch) -> Result<Committable, ConnectorError> {
        self.act(|_| Committable::default())
    }
    fn commit(
        &mut self,
        _: Epoch,
        _: &Committable,
        mark: &Mark,
    ) -> Result<CommitOutcome, ConnectorError> {
        self.act(|kafka| {
            let rows = std::mem::take(&mut kafka.open);
            kafka.committed.extend(rows);
            kafka.mark = Some(mark.clone());
            CommitOutcome::Committed
        })
    }
    fn discard(&mut self, _: Epoch, _: Option<&Committable>) -> Result<(), ConnectorError> {
        self.act(|kafka| kafka.open.clear())
    }
}

/// A two-phase sink: labels are functions of the epoch and a counter kept at the other side.
struct DorisGroup {
    shared: Shared,
    rows: Vec<u64>,
}

impl SinkGroup for DorisGroup {
    fn role(&self) -> CommitRole {
        CommitRole::Follows
    }
    fn fence(&mut self) -> Result<(), ConnectorError> {
        Ok(())
    }
    fn read_mark(&mut self) -> Result<Option<Mark>, ConnectorError> {
        Ok(None)
    }
    fn writer(&mut self, _: usize, _: LaneId) -> Result<Box<dyn SinkWriter>, ConnectorError> {
        Err(died())
    }
    fn begin(&mut self, _: Epoch) -> Result<(), ConnectorError> {
        Ok(())
    }
    fn prepare(&mut self, epoch: Epoch) -> Result<Committable, ConnectorError> {
        let rows = std::mem::take(&mut self.rows);
        let label = self.shared.step(|world| {
            let label = format!("e{epoch}-{}", world.doris.len());
            world
                .doris
                .insert(label.clone(), (rows, DorisState::Prepared));
            label
        })?;
        Ok(Committable(label.into()))
    }
    fn commit(
        &mut self,
        _: Epoch,
        handle: &Committable,
        _: &Mark,
    ) -> Result<CommitOutcome, ConnectorError> {
        let label = handle.0.as_str().unwrap().to_owned();
        self.shared.step(|world| {
            let load = world.doris.get_mut(&label).unwrap();
            assert_ne!(
                load.1,
                DorisState::Aborted,
                "{label} was aborted before its commit"
            );
            if load.1 == DorisState::Expired {
                return CommitOutcome::Lost(vec![0]);
            }
            load.1 = DorisState::Visible;
            CommitOutcome::Committed
        })
    }
    fn discard(&mut self, _: Epoch, handle: Option<&Committable>) -> Result<(), ConnectorError> {
        let Some(label) = handle
            .and_then(|handle| handle.0.as_str())
            .map(str::to_owned)
        else {
            return Ok(());
        };
        self.shared.step(|world| {
            let load = world.doris.get_mut(&label).unwrap();
            assert_ne!(
                load.1,
                DorisState::Visible,
                "{label} was visible before its abort"
            );
            if load.1 != DorisState::Expired {
                load.1 = DorisState::Aborted;
            }
        })
    }
}

fn identity() -> Identity {
    Identity {
        pipeline: "p".into(),
        dataflow: "d".into(),
        generation: 1,
        slot: 0,
        slots: 1,
    }
}

fn at(offset: u64) -> BTreeMap<String, Positions> {
    let positions = Positions::from([(SplitId("t-0".into()), Position(offset.into()))]);
    BTreeMap::from([("t".to_owned(), positions)])
}

fn offset_of(positions: &BTreeMap<String, Positions>) -> u64 {
    positions["t"][&SplitId("t-0".into())].0.as_u64().unwrap()
}

/// The state of a process: objects of rows, as bytes.
struct Rows<'a> {
    store: &'a StepStore,
    identity: &'a Identity,
    record: StateRecord,
    is_followed: bool,
    /// The number that follows all manifests that recovery saw.
    next_epoch: Epoch,
}

impl<'a> Rows<'a> {
    fn new(
        store: &'a StepStore,
        identity: &'a Identity,
        recovered: &Recovered,
        sinks: Sinks,
    ) -> Self {
        Self {
            store,
            identity,
            record: recovered.state.clone().unwrap_or_default(),
            is_followed: sinks != Sinks::Kafka,
            next_epoch: recovered.next_epoch,
        }
    }

    fn read(&self, objects: &[ObjectRef]) -> Result<Vec<u8>, ProtocolError> {
        let mut rows = Vec::new();
        for object in objects {
            let read = read_object(self.store, self.identity, object, 0..object.bytes)?;
            let Some(read) = read else {
                // Only a copy that has overtaken this one may have removed it.
                let newest = epochs(self.store, self.identity)?.pop().unwrap();
                assert!(newest >= self.next_epoch, "{object:?} is gone");
                return Err(ProtocolError::Raced {
                    epoch: newest,
                    location: "sim".into(),
                });
            };
            rows.extend(read);
        }
        Ok(rows)
    }

    /// Checks that the state is that of a position.
    fn check(&self, objects: &[ObjectRef], position: u64) -> Result<(), ProtocolError> {
        let rows: Vec<u64> = self.read(objects)?.into_iter().map(u64::from).collect();
        assert_eq!(rows, (0..position).collect::<Vec<_>>());
        Ok(())
    }

    fn object(epoch: Epoch, rows: &[u8]) -> ObjectRef {
        let digest: String = rows.iter().map(|row| format!("{row:02x}")).collect();
        ObjectRef {
            epoch,
            digest,
            bytes: rows.len() as u64,
            contents: 0,
            part: 0,
        }
    }

    /// Adds rows, and folds three objects into one.
    fn commit(&mut self, epoch: Epoch, rows: &[u64]) -> Result<PendingObject, ProtocolError> {
        let before = StateRecord {
            before: None,
            ..self.record.clone()
        };
        if self.record.objects.len() == 3 {
            let all = self.read(&self.record.objects)?;
            let folded = Self::object(epoch, &all);
            put_object(self.store, self.identity, &folded, all).wait(self.store)?;
            self.record.objects = vec![folded];
        }
        let rows: Vec<u8> = rows.iter().map(|row| u8::try_from(*row).unwrap()).collect();
        let object = Self::object(epoch, &rows);
        let upload = put_object(self.store, self.identity, &object, rows);
        self.record.objects.push(object);
        self.record.before = self.is_followed.then(|| Box::new(before));
        Ok(upload)
    }
}

/// One process: recovers and commits at most `epochs_max` epochs. The two groups keep their rows outside of the trait, as
/// writers do.
fn run(shared: &Shared, epochs_max: u64) -> Result<(), ProtocolError> {
    let store = StepStore(shared.clone());
    let kafka = || KafkaGroup {
        shared: shared.clone(),
        producer_epoch: 0,
    };
    let doris_rows = Arc::new(Mutex::new(Vec::new()));
    let doris = || Doris {
        rows: Arc::clone(&doris_rows),
        inner: DorisGroup {
            shared: shared.clone(),
            rows: Vec::new(),
        },
    };
    let mut groups = Vec::new();
    let kafka_epoch = Arc::new(Mutex::new(0));
    if shared.sinks != Sinks::Doris {
        let group = Box::new(KafkaWriting {
            inner: kafka(),
            epoch: Arc::clone(&kafka_epoch),
        });
        groups.push(NamedGroup {
            key: "kafka".into(),
            group,
        });
    }
    if shared.sinks != Sinks::Kafka {
        groups.push(NamedGroup {
            key: "doris".into(),
            group: Box::new(doris()),
        });
    }
    let mut identity = identity();
    let mut state = recover(&store, &mut identity, &mut groups)?;
    if state.checkpoint.is_none() {
        state.positions = at(0);
        let genesis = EpochCommit {
            identity: &identity,
            epoch: Epoch(0),
            parent: None,
            from: &state.positions,
            to: &state.positions,
            replay: None,
            closes: false,
            state: Some(&StateRecord::default()),
            now_ms: 0,
        };
        state.checkpoint = Some(commit_genesis(&store, &groups, &genesis)?);
        state.next_epoch = Epoch(1);
    }
    let mut rows_so_far = Rows::new(&store, &identity, &state, shared.sinks);
    rows_so_far.check(&rows_so_far.record.objects, offset_of(&state.positions))?;
    if let Some(replay) = state.replay.take() {
        assert_eq!(replay.lost, [("doris".to_owned(), vec![0])]);
        let range = &replay.ranges["t"][&SplitId("t-0".into())];
        let ends = [&range.from, &range.to].map(|position| position.0.as_u64().unwrap());
        doris_rows.lock().extend(ends[0]..ends[1]);
        let before = rows_so_far.record.before.clone().unwrap();
        rows_so_far.check(&before.objects, ends[0])?;
        let commit = EpochCommit {
            identity: &identity,
            epoch: state.next_epoch,
            parent: state.checkpoint.as_ref(),
            from: &state.positions,
            to: &state.positions,
            replay: Some(&replay.ranges),
            closes: false,
            state: Some(&rows_so_far.record),
            now_ms: 0,
        };
        let done = commit_epoch(&store, &mut groups, &commit)?;
        retire(&store, &identity, done.epoch, 1)?;
        retire_objects(&store, &identity, &[])?;
        discard_void(&mut groups, &std::mem::take(&mut state.void))?;
        state.next_epoch = done.epoch.next();
        state.checkpoint = Some(done);
    }
    for _ in 0..epochs_max {
        let from = offset_of(&state.positions);
        if from == ROWS {
            return Ok(());
        }
        let rows: Vec<u64> = (from..from + ROWS_PER_EPOCH).collect();
        if shared.sinks != Sinks::Doris {
            let mine = *kafka_epoch.lock();
            shared.step(|world| {
                if world.kafka.producer_epoch == mine {
                    world.kafka.open.extend(&rows);
                    Ok(())
                } else {
                    Err(fenced())
                }
            })??;
        }
        doris_rows.lock().clone_from(&rows);
        let to = at(from + ROWS_PER_EPOCH);
        let upload = rows_so_far.commit(state.next_epoch, &rows)?;
        let commit = EpochCommit {
            identity: &identity,
            epoch: state.next_epoch,
            parent: state.checkpoint.as_ref(),
            from: &state.positions,
            to: &to,
            replay: None,
            closes: false,
            state: Some(&rows_so_far.record),
            now_ms: 0,
        };
        let done = commit_epoch_after(&store, &mut groups, &commit, vec![upload])?;
        retire(&store, &identity, done.epoch, 1)?;
        retire_objects(&store, &identity, &[])?;
        discard_void(&mut groups, &std::mem::take(&mut state.void))?;
        state.next_epoch = done.epoch.next();
        state.checkpoint = Some(done);
        state.positions = to;
    }
    Ok(())
}

/// The Doris group with rows that a writer handed over.
struct Doris {
    rows: Arc<Mutex<Vec<u64>>>,
    inner: DorisGroup,
}

/// The Kafka group that tells its writer which producer epoch it has.
struct KafkaWriting {
    inner: KafkaGroup,
    epoch: Arc<Mutex<u64>>,
}

macro_rules! delegate {
    ($type:ty, $before_prepare:expr, $after_fence:expr) => {
        impl SinkGroup for $type {
            fn role(&self) -> CommitRole {
                self.inner.role()
            }
            fn fence(&mut self) -> Result<(), ConnectorError> {
                self.inner.fence()?;
                ($after_fence)(self);
                Ok(())
            }
            fn read_mark(&mut self) -> Result<Option<Mark>, ConnectorError> {
                self.inner.read_mark()
            }
            fn writer(
                &mut self,
                m: usize,
                l: LaneId,
            ) -> Result<Box<dyn SinkWriter>, ConnectorError> {
                self.inner.writer(m, l)
            }
            fn begin(&mut self, epoch: Epoch) -> Result<(), ConnectorError> {
                self.inner.begin(epoch)
            }
            fn prepare(&mut self, epoch: Epoch) -> Result<Committable, ConnectorError> {
                ($before_prepare)(self);
                self.inner.prepare(epoch)
            }
            fn commit(
                &mut self,
                e: Epoch,
                c: &Committable,
                m: &Mark,
            ) -> Result<CommitOutcome, ConnectorError> {
                self.inner.commit(e, c, m)
            }
            fn discard(&mut self, e: Epoch, c: Option<&Committable>) -> Result<(), ConnectorError> {
                self.inner.discard(e, c)
            }
        }
    };
}

delegate!(
    Doris,
    |this: &mut Doris| this.inner.rows = std::mem::take(&mut *this.rows.lock()),
    |_: &mut Doris| ()
);
delegate!(
    KafkaWriting,
    |_: &mut KafkaWriting| (),
    |this: &mut KafkaWriting| *this.epoch.lock() = this.inner.producer_epoch
);

/// Runs processes until one gets through, and checks what readers see.
fn check(sinks: Sinks, faults: &[(u64, Fault)]) {
    let shared = Shared {
        sinks,
        ..Shared::default()
    };
    shared.world.lock().faults = faults.to_vec();
    let mut finished = false;
    for _ in 0..20 {
        match run(&shared, u64::MAX) {
            Ok(()) => {
                finished = true;
                break;
            }
            Err(error) => assert!(
                !matches!(
                    error,
                    ProtocolError::Contradiction(_) | ProtocolError::ParentGone { .. }
                ),
                "{sinks:?} {faults:?}: {error}"
            ),
        }
    }
    assert!(finished, "{sinks:?} {faults:?}: no progress");
    let world = shared.world.lock();
    let expected: Vec<u64> = (0..ROWS).collect();
    if sinks != Sinks::Doris {
        assert_eq!(
            world.kafka.committed, expected,
            "Kafka, {sinks:?} {faults:?}"
        );
    }
    if sinks != Sinks::Kafka {
        let mut visible: Vec<u64> = world
            .doris
            .values()
            .filter(|(_, state)| *state == DorisState::Visible)
            .flat_map(|(rows, _)| rows.clone())
            .collect();
        visible.sort_unstable();
        assert_eq!(visible, expected, "Doris, {sinks:?} {faults:?}");
    }
}

fn steps(sinks: Sinks) -> u64 {
    let shared = Shared {
        sinks,
        ..Shared::default()
    };
    run(&shared, u64::MAX).unwrap();
    let steps = shared.world.lock().steps;
    assert!(steps < STEPS_MAX, "the simulation has {steps} steps");
    steps
}

const KINDS: [Fault; 5] = [
    Fault::Before,
    Fault::After,
    Fault::SecondCopy,
    Fault::Expiry,
    Fault::DiesForLong,
];

#[test]
fn every_row_arrives_once_through_a_fault_at_every_step() {
    for sinks in [Sinks::Kafka, Sinks::Doris, Sinks::Both] {
        for step in 0..steps(sinks) {
            for fault in KINDS {
                check(sinks, &[(step, fault)]);
            }
        }
    }
}

#[test]
fn every_row_arrives_once_through_two_faults() {
    for sinks in [Sinks::Kafka, Sinks::Doris, Sinks::Both] {
        let steps = steps(sinks);
        for first in 0..steps {
            for second in first + 1..(first + 20).min(steps + 10) {
                for (a, b) in [
                    (Fault::Before, Fault::After),
                    (Fault::After, Fault::After),
                    (Fault::SecondCopy, Fault::After),
                    (Fault::SecondCopy, Fault::SecondCopy),
                    (Fault::DiesForLong, Fault::After),
                    (Fault::DiesForLong, Fault::DiesForLong),
                    (Fault::SecondCopy, Fault::Expiry),
                ] {
                    check(sinks, &[(first, a), (second, b)]);
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn every_row_arrives_once_through_many_faults(
        faults in proptest::collection::vec((0_u64..120, 0..KINDS.len()), 0..8),
        sinks in 0_usize..3,
    ) {
        let faults: Vec<_> = faults.into_iter().map(|(step, kind)| (step, KINDS[kind])).collect();
        check([Sinks::Kafka, Sinks::Doris, Sinks::Both][sinks], &faults);
    }
}
