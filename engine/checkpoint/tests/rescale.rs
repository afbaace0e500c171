//! The number of slots changes 2 → 3 → 1 → 2 while rows flow, with a crash, a lost reply, processes of any number of slots
//! that still run, or another whole rescale at every single step.
//!
//! The world (store, Kafka, Doris) survives; processes die. Each external call is a step. After the run, every row of every
//! split must be in the read-committed Kafka log once and in its order, and in the Doris table once.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::sync::Arc;

use millrace_checkpoint::protocol::{
    EpochCommit, NamedGroup, ProtocolError, Recovered, commit_epoch, commit_genesis, discard_void,
    recover, retire,
};
use millrace_checkpoint::rescale::{Plan, RescaleError, plan};
use millrace_checkpoint::{
    Identity, MemoryStore, ParentRef, PendingPut, Ranges, Store, StoreError, owner,
};
use millrace_connector::sink::{
    CommitOutcome, CommitRole, Committable, Mark, SinkGroup, SinkWriter,
};
use millrace_connector::{
    ConnectorError, Epoch, ErrorKind, LaneId, Position, Positions, Retry, SplitId,
};
use parking_lot::Mutex;
use proptest::prelude::*;

const TABLE: &str = "t";
const SPLITS: u64 = 4;
/// One more appears with the second number of slots.
const SPLITS_LATER: u64 = 5;
const ROWS: u64 = 8;
const ROWS_PER_EPOCH: u64 = 2;
/// The numbers of slots, and how many epochs each process commits.
const SCRIPT: [(u32, u64); 4] = [(2, 1), (3, 1), (1, 1), (2, u64::MAX)];
const STEPS_MAX: u64 = 600;

/// What happens at the chosen step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// The process dies before the call has an effect.
    Before,
    /// The call has its effect, then the process dies.
    After,
    /// So much time passes before the call that Doris throws away all that is prepared.
    Expiry,
    /// The process dies before the call has an effect, and the next one starts only after such a time.
    DiesForLong,
    /// All processes of so many slots start and work before this call goes on.
    Copies(u32),
    /// The number of slots is changed, and the new processes work, before this call goes on.
    Rescale(u32),
}

const KINDS: [Fault; 10] = [
    Fault::Before,
    Fault::After,
    Fault::Expiry,
    Fault::DiesForLong,
    Fault::Copies(1),
    Fault::Copies(2),
    Fault::Copies(3),
    Fault::Rescale(1),
    Fault::Rescale(2),
    Fault::Rescale(3),
];

/// A split's number and an offset within it.
type Row = (u64, u64);

#[derive(Default)]
struct World {
    steps: u64,
    faults: Vec<(u64, Fault)>,
    splits: u64,
    producers: BTreeMap<u32, Producer>,
    kafka: Vec<Row>,
    doris: BTreeMap<String, (Vec<Row>, DorisState)>,
}

/// One slot's transactional producer as the brokers see it.
#[derive(Default)]
struct Producer {
    epoch: u64,
    open: Vec<Row>,
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

const SINKS: [Sinks; 3] = [Sinks::Kafka, Sinks::Doris, Sinks::Both];

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
            let mut faults = world.faults.iter();
            faults.find(|(step, _)| *step == at).map(|found| found.1)
        };
        match fault {
            Some(Fault::Before) => return Err(died()),
            Some(Fault::DiesForLong) => {
                self.world.lock().expire();
                return Err(died());
            }
            Some(Fault::Expiry) => self.world.lock().expire(),
            Some(Fault::Copies(slots)) => self.all_work(slots),
            Some(Fault::Rescale(slots)) => {
                if rescale(self, slots).is_ok() {
                    self.all_work(slots);
                }
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

    fn all_work(&self, slots: u32) {
        for slot in 0..slots {
            if let Err(error) = run(self, slot, slots, 2) {
                must_be_passing(&error);
            }
        }
    }
}

/// What no fault may ever lead to.
fn must_be_passing(error: &ProtocolError) {
    let is_wrong = matches!(
        error,
        ProtocolError::Contradiction(_)
            | ProtocolError::ParentGone { .. }
            | ProtocolError::RecordGone { .. }
            | ProtocolError::Record { .. }
            | ProtocolError::Manifest { .. }
    );
    assert!(!is_wrong, "{error}");
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
        let inner = &self.0.store;
        let put = self.0.step(|_| inner.put_if_absent(path, bytes).wait());
        let path = path.to_owned();
        PendingPut::new(move || put.unwrap_or_else(|_| Err(store_died(&path))))
    }
    fn get(&self, path: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let got = self.0.step(|_| self.0.store.get(path));
        got.map_err(|_| store_died(path))?
    }
    fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let listed = self.0.step(|_| self.0.store.list(prefix));
        listed.map_err(|_| store_died(prefix))?
    }
    fn delete(&self, path: &str) -> Result<(), StoreError> {
        let deleted = self.0.step(|_| self.0.store.delete(path));
        deleted.map_err(|_| store_died(path))?
    }
    fn location(&self) -> String {
        "sim".into()
    }
}

/// A transactional producer: fenced by a newer one of its slot, its mark inside the transaction.
struct KafkaGroup {
    shared: Shared,
    slot: u32,
    epoch: Arc<Mutex<u64>>,
}

impl KafkaGroup {
    fn act<T>(
        &self,
        call: impl FnOnce(&mut Producer, &mut Vec<Row>) -> T,
    ) -> Result<T, ConnectorError> {
        let (slot, mine) = (self.slot, *self.epoch.lock());
        self.shared.step(|world| {
            let World {
                producers, kafka, ..
            } = world;
            let producer = producers.entry(slot).or_default();
            if producer.epoch == mine {
                Ok(call(producer, kafka))
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
        let slot = self.slot;
        *self.epoch.lock() = self.shared.step(|world| {
            let producer = world.producers.entry(slot).or_default();
            producer.open.clear();
            producer.epoch += 1;
            producer.epoch
        })?;
        Ok(())
    }
    fn read_mark(&mut self) -> Result<Option<Mark>, ConnectorError> {
        let slot = self.slot;
        self.shared
            .step(|world| world.producers.entry(slot).or_default().mark.clone())
    }
    fn writer(&mut self, _: usize, _: LaneId) -> Result<Box<dyn SinkWriter>, ConnectorError> {
        Err(died())
    }
    fn begin(&mut self, _: Epoch) -> Result<(), ConnectorError> {
        Ok(())
    }
    fn prepare(&mut self, _: Epoch) -> Result<Committable, ConnectorError> {
        self.act(|_, _| Committable::default())
    }
    fn commit(
        &mut self,
        _: Epoch,
        _: &Committable,
        mark: &Mark,
    ) -> Result<CommitOutcome, ConnectorError> {
        self.act(|producer, kafka| {
            kafka.append(&mut producer.open);
            producer.mark = Some(mark.clone());
            CommitOutcome::Committed
        })
    }
    fn discard(&mut self, _: Epoch, _: Option<&Committable>) -> Result<(), ConnectorError> {
        self.act(|producer, _| producer.open.clear())
    }
}

/// A two-phase sink: labels are functions of slot and epoch, and the next try where one is taken.
struct DorisGroup {
    shared: Shared,
    slot: u32,
    rows: Arc<Mutex<Vec<Row>>>,
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
        let rows = std::mem::take(&mut *self.rows.lock());
        if rows.is_empty() {
            return Ok(Committable::default());
        }
        let slot = self.slot;
        let label = self.shared.step(|world| {
            let label = (0..)
                .map(|attempt| format!("{slot}-{epoch}-{attempt}"))
                .find(|label| !world.doris.contains_key(label))
                .unwrap();
            let load = (rows, DorisState::Prepared);
            world.doris.insert(label.clone(), load);
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
        let Some(label) = handle.0.as_str().map(str::to_owned) else {
            return Ok(CommitOutcome::Committed);
        };
        self.shared.step(|world| {
            let load = world.doris.get_mut(&label).unwrap();
            assert_ne!(load.1, DorisState::Aborted, "{label}");
            if load.1 == DorisState::Expired {
                return CommitOutcome::Lost(vec![0]);
            }
            load.1 = DorisState::Visible;
            CommitOutcome::Committed
        })
    }
    fn discard(&mut self, _: Epoch, handle: Option<&Committable>) -> Result<(), ConnectorError> {
        let label = handle.and_then(|handle| handle.0.as_str());
        let Some(label) = label.map(str::to_owned) else {
            return Ok(());
        };
        self.shared.step(|world| {
            let load = world.doris.get_mut(&label).unwrap();
            assert_ne!(load.1, DorisState::Visible, "{label}");
            if load.1 != DorisState::Expired {
                load.1 = DorisState::Aborted;
            }
        })
    }
}

fn split(number: u64) -> SplitId {
    SplitId(format!("t-{number}"))
}

fn number(split: &SplitId) -> u64 {
    split.0.trim_start_matches("t-").parse().unwrap()
}

fn offset(position: &Position) -> u64 {
    position.0.as_u64().unwrap()
}

/// One process of a slot.
struct Process {
    shared: Shared,
    store: StepStore,
    identity: Identity,
    groups: Vec<NamedGroup>,
    producer_epoch: Arc<Mutex<u64>>,
    doris_rows: Arc<Mutex<Vec<Row>>>,
}

impl Process {
    fn new(shared: &Shared, slot: u32, slots: u32) -> Self {
        let producer_epoch = Arc::new(Mutex::new(0));
        let doris_rows = Arc::new(Mutex::new(Vec::new()));
        let mut groups = Vec::new();
        let mut add = |key: &str, group: Box<dyn SinkGroup>| {
            let key = key.to_owned();
            groups.push(NamedGroup { key, group });
        };
        if shared.sinks != Sinks::Doris {
            let group = KafkaGroup {
                shared: shared.clone(),
                slot,
                epoch: Arc::clone(&producer_epoch),
            };
            add("kafka", Box::new(group));
        }
        if shared.sinks != Sinks::Kafka {
            let group = DorisGroup {
                shared: shared.clone(),
                slot,
                rows: Arc::clone(&doris_rows),
            };
            add("doris", Box::new(group));
        }
        Self {
            shared: shared.clone(),
            store: StepStore(shared.clone()),
            identity: Identity {
                pipeline: "p".into(),
                dataflow: "d".into(),
                generation: 0,
                slot,
                slots,
            },
            groups,
            producer_epoch,
            doris_rows,
        }
    }

    fn commit(
        &mut self,
        epoch: Epoch,
        parent: Option<&ParentRef>,
        (from, to): (&Positions, &Positions),
        replay: Option<&Ranges>,
    ) -> Result<ParentRef, ProtocolError> {
        let of = |positions: &Positions| BTreeMap::from([(TABLE.to_owned(), positions.clone())]);
        let commit = EpochCommit {
            identity: &self.identity,
            epoch,
            parent,
            from: &of(from),
            to: &of(to),
            replay,
            closes: false,
            state: None,
            now_ms: 0,
        };
        if parent.is_none() {
            return commit_genesis(&self.store, &self.groups, &commit);
        }
        commit_epoch(&self.store, &mut self.groups, &commit)
    }

    /// Commits an epoch with its housekeeping, as the runtime does.
    fn epoch(
        &mut self,
        state: &mut Recovered,
        ends: (&Positions, &Positions),
        replay: Option<&Ranges>,
    ) -> Result<(), ProtocolError> {
        let done = self.commit(state.next_epoch, state.checkpoint.as_ref(), ends, replay)?;
        retire(&self.store, &self.identity, done.epoch, 1)?;
        discard_void(&mut self.groups, &std::mem::take(&mut state.void))?;
        state.next_epoch = done.epoch.next();
        state.checkpoint = Some(done);
        Ok(())
    }

    /// Adds the splits that nobody knew.
    fn discover(&self, known: &mut Positions) {
        let splits = self.shared.world.lock().splits;
        for split in (0..splits).map(split) {
            if owner(TABLE, &split, self.identity.slots) == self.identity.slot {
                known.entry(split).or_insert(Position(0.into()));
            }
        }
    }
}

fn rows_of(from: &Positions, to: &Positions) -> Vec<Row> {
    let rows = |(split, end): (&SplitId, &Position)| {
        let number = number(split);
        (offset(&from[split])..offset(end)).map(move |row| (number, row))
    };
    to.iter().flat_map(rows).collect()
}

/// One process: recovers, writes again what was lost, and commits at most `epochs_max` epochs. Returns whether it has
/// nothing left to read.
fn run(shared: &Shared, slot: u32, slots: u32, epochs_max: u64) -> Result<bool, ProtocolError> {
    let mut process = Process::new(shared, slot, slots);
    let mut state = recover(&process.store, &mut process.identity, &mut process.groups)?;
    let mut positions = state.positions.remove(TABLE).unwrap_or_default();
    if let Some(replay) = state.replay.take() {
        let ends = |end: fn(&millrace_checkpoint::SplitRange) -> &Position| -> Positions {
            let ranges = replay.ranges[TABLE].iter();
            ranges
                .map(|(split, range)| (split.clone(), end(range).clone()))
                .collect()
        };
        let rows = rows_of(&ends(|range| &range.from), &ends(|range| &range.to));
        *process.doris_rows.lock() = rows;
        process.epoch(&mut state, (&positions, &positions), Some(&replay.ranges))?;
    }
    process.discover(&mut positions);
    if state.checkpoint.is_none() {
        let genesis = process.commit(state.next_epoch, None, (&positions, &positions), None)?;
        state.next_epoch = genesis.epoch.next();
        state.checkpoint = Some(genesis);
    }
    for _ in 0..epochs_max {
        let to: Positions = positions
            .iter()
            .map(|(split, at)| {
                let end = (offset(at) + ROWS_PER_EPOCH).min(ROWS);
                (split.clone(), Position(end.into()))
            })
            .collect();
        if to == positions {
            return Ok(true);
        }
        let rows = rows_of(&positions, &to);
        if shared.sinks != Sinks::Doris {
            let mine = *process.producer_epoch.lock();
            shared.step(|world| {
                let producer = world.producers.entry(slot).or_default();
                if producer.epoch != mine {
                    return Err(fenced());
                }
                producer.open.extend(&rows);
                Ok(())
            })??;
        }
        *process.doris_rows.lock() = rows;
        process.epoch(&mut state, (&positions, &to), None)?;
        positions = to;
    }
    Ok(false)
}

/// `millrace rescale`, without a second try of anything.
fn rescale(shared: &Shared, slots: u32) -> Result<(), RescaleError> {
    let store = StepStore(shared.clone());
    let Plan::Change(mut rescale) = plan(&store, "p", "d", slots)? else {
        return Ok(());
    };
    for slot in 0..rescale.from().slots {
        let mut process = Process::new(shared, slot, 0);
        rescale.close(&store, slot, &mut process.groups, 0)?;
    }
    rescale.finish(&store).map(drop)
}

/// What a user does who wants so many slots: starts them, and follows what they say when they stop.
fn drive(shared: &Shared, slots: u32, epochs: u64) -> bool {
    for _ in 0..40 {
        let mut must_rescale = false;
        let mut all_well = true;
        // The last one first: what is there already must not depend on slot 0.
        for slot in (0..slots).rev() {
            match run(shared, slot, slots, epochs) {
                Ok(done) => all_well &= done || epochs < u64::MAX,
                Err(error) => {
                    must_be_passing(&error);
                    all_well = false;
                    must_rescale |= matches!(
                        error,
                        ProtocolError::SlotsChanged { .. } | ProtocolError::SlotClosed { .. }
                    );
                }
            }
        }
        if all_well {
            return true;
        }
        if must_rescale {
            match rescale(shared, slots) {
                Ok(()) | Err(RescaleError::Other { .. }) => {}
                Err(RescaleError::Protocol(error)) => must_be_passing(&error),
                Err(
                    RescaleError::Lost { slot, slots: old }
                    | RescaleError::NeverRan { slot, slots: old },
                ) => {
                    if let Err(error) = run(shared, slot, old, 0) {
                        must_be_passing(&error);
                    }
                }
                Err(error @ RescaleError::Twice { .. }) => panic!("{error}"),
            }
        }
    }
    false
}

fn check(sinks: Sinks, faults: &[(u64, Fault)]) -> u64 {
    let shared = Shared {
        sinks,
        ..Shared::default()
    };
    shared.world.lock().faults = faults.to_vec();
    for (phase, (slots, epochs)) in SCRIPT.into_iter().enumerate() {
        shared.world.lock().splits = if phase == 0 { SPLITS } else { SPLITS_LATER };
        let ended = drive(&shared, slots, epochs);
        assert!(
            ended,
            "{sinks:?} {faults:?}: {slots} slots make no progress"
        );
    }
    let world = shared.world.lock();
    let expected: Vec<Row> = (0..SPLITS_LATER)
        .flat_map(|split| (0..ROWS).map(move |row| (split, row)))
        .collect();
    if sinks != Sinks::Doris {
        let mut committed = world.kafka.clone();
        // Stable: within a split, rows stay as they were committed.
        committed.sort_by_key(|(split, _)| *split);
        assert_eq!(committed, expected, "Kafka, {sinks:?} {faults:?}");
    }
    if sinks != Sinks::Kafka {
        let loads = world.doris.values();
        let visible = loads.filter(|(_, state)| *state == DorisState::Visible);
        let mut rows: Vec<Row> = visible.flat_map(|(rows, _)| rows.clone()).collect();
        rows.sort_unstable();
        assert_eq!(rows, expected, "Doris, {sinks:?} {faults:?}");
    }
    world.steps
}

fn steps(sinks: Sinks) -> u64 {
    let steps = check(sinks, &[]);
    assert!(steps < STEPS_MAX, "the simulation has {steps} steps");
    steps
}

#[test]
fn every_row_arrives_once_through_a_fault_at_every_step() {
    for sinks in SINKS {
        for step in 0..steps(sinks) {
            for fault in KINDS {
                check(sinks, &[(step, fault)]);
            }
        }
    }
}

/// The second fault falls among the calls of whoever the first one woke, or of who comes after a death.
#[test]
fn every_row_arrives_once_through_two_faults() {
    for sinks in SINKS {
        for first in (0..steps(sinks)).step_by(4) {
            for second in (first + 1..first + 40).step_by(7) {
                for (a, b) in [
                    (Fault::After, Fault::After),
                    (Fault::Copies(2), Fault::Before),
                    (Fault::Copies(2), Fault::Rescale(3)),
                    (Fault::Copies(3), Fault::Rescale(1)),
                    (Fault::Rescale(3), Fault::Copies(2)),
                    (Fault::Rescale(3), Fault::Rescale(1)),
                    (Fault::Rescale(2), Fault::After),
                    (Fault::DiesForLong, Fault::Rescale(3)),
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
        faults in proptest::collection::vec((0_u64..500, 0..KINDS.len()), 0..10),
        sinks in 0_usize..3,
    ) {
        let faults: Vec<_> = faults.into_iter().map(|(step, kind)| (step, KINDS[kind])).collect();
        check(SINKS[sinks], &faults);
    }
}
