//! A thousand slots of one pipeline on one store and one Kafka, each with calls that fail: what a big deployment asks of
//! the store, and that every row still arrives once.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::sync::Arc;

use millrace_checkpoint::protocol::{
    EpochCommit, NamedGroup, ProtocolError, Recovered, commit_epoch, commit_genesis, discard_void,
    recover, retire,
};
use millrace_checkpoint::{Identity, MemoryStore, PendingPut, Store, StoreError, owner};
use millrace_connector::sink::{
    CommitOutcome, CommitRole, Committable, Mark, SinkGroup, SinkWriter,
};
use millrace_connector::{
    ConnectorError, Epoch, ErrorKind, LaneId, Position, Positions, Retry, SplitId,
};
use parking_lot::Mutex;

const SLOTS: u32 = 1_000;
const PARTITIONS: u32 = 4_000;
const ROWS: u64 = 60;
const ROWS_PER_EPOCH: u64 = 5;
/// One call in so many fails.
const CALLS_PER_FAULT: u64 = 150;
/// Checkpoints are removed every so many epochs, as the runtime does every ten seconds.
const EPOCHS_PER_RETIRE: u64 = 10;

/// What happens to a call.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    Before,
    After,
}

#[derive(Default)]
struct Requests {
    puts: u64,
    gets: u64,
    lists: u64,
    listed: u64,
    deletes: u64,
}

/// One slot's producer as the brokers see it.
#[derive(Clone, Default)]
struct Producer {
    epoch: u64,
    open: Vec<(u32, u64)>,
    mark: Option<Mark>,
}

struct World {
    random: u64,
    faults: u64,
    producers: Vec<Producer>,
    /// How often each row of each partition is committed.
    committed: Vec<Vec<u8>>,
    requests: Requests,
}

#[derive(Clone)]
struct Shared {
    world: Arc<Mutex<World>>,
    store: MemoryStore,
}

fn died() -> ConnectorError {
    ConnectorError::new(ErrorKind::Internal, Retry::Never, "the process died")
}

fn fenced() -> ConnectorError {
    ConnectorError::new(ErrorKind::Fenced, Retry::Never, "fenced")
}

impl World {
    /// xorshift64: the same faults in every run.
    fn fault(&mut self) -> Option<Fault> {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let fault = match self.random % (2 * CALLS_PER_FAULT) {
            0 => Fault::Before,
            1 => Fault::After,
            _ => return None,
        };
        self.faults += 1;
        Some(fault)
    }
}

impl Shared {
    fn call<T>(&self, call: impl FnOnce(&mut World) -> T) -> Result<T, ConnectorError> {
        let fault = self.world.lock().fault();
        if fault == Some(Fault::Before) {
            return Err(died());
        }
        let result = call(&mut self.world.lock());
        if fault == Some(Fault::After) {
            return Err(died());
        }
        Ok(result)
    }

    fn stored<T>(
        &self,
        path: &str,
        count: impl FnOnce(&mut Requests),
        call: impl FnOnce() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let result = self.call(|world| {
            count(&mut world.requests);
            call()
        });
        result.unwrap_or_else(|error| {
            Err(StoreError {
                action: "reach",
                path: path.to_owned(),
                location: "sim".to_owned(),
                source: Box::new(error),
            })
        })
    }
}

impl Store for Shared {
    fn put_if_absent(&self, path: &str, bytes: Vec<u8>) -> PendingPut {
        let put = self.stored(
            path,
            |requests| requests.puts += 1,
            || self.store.put_if_absent(path, bytes).wait(),
        );
        PendingPut::new(move || put)
    }
    fn get(&self, path: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.stored(path, |requests| requests.gets += 1, || self.store.get(path))
    }
    fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let found = self.stored(
            prefix,
            |requests| requests.lists += 1,
            || self.store.list(prefix),
        )?;
        self.world.lock().requests.listed += found.len() as u64;
        Ok(found)
    }
    fn delete(&self, path: &str) -> Result<(), StoreError> {
        self.stored(
            path,
            |requests| requests.deletes += 1,
            || self.store.delete(path),
        )
    }
    fn location(&self) -> String {
        "sim".to_owned()
    }
}

struct KafkaGroup {
    shared: Shared,
    slot: usize,
    epoch: Arc<Mutex<u64>>,
}

impl KafkaGroup {
    fn act<T>(&self, call: impl FnOnce(&mut World) -> T) -> Result<T, ConnectorError> {
        let (slot, mine) = (self.slot, *self.epoch.lock());
        self.shared.call(|world| {
            if world.producers[slot].epoch == mine {
                Ok(call(world))
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
        *self.epoch.lock() = self.shared.call(|world| {
            let producer = &mut world.producers[slot];
            producer.open.clear();
            producer.epoch += 1;
            producer.epoch
        })?;
        Ok(())
    }
    fn read_mark(&mut self) -> Result<Option<Mark>, ConnectorError> {
        let slot = self.slot;
        self.shared.call(|world| world.producers[slot].mark.clone())
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
        let slot = self.slot;
        self.act(|world| {
            for (partition, row) in std::mem::take(&mut world.producers[slot].open) {
                world.committed[partition as usize][usize::try_from(row).unwrap()] += 1;
            }
            world.producers[slot].mark = Some(mark.clone());
            CommitOutcome::Committed
        })
    }
    fn discard(&mut self, _: Epoch, _: Option<&Committable>) -> Result<(), ConnectorError> {
        let slot = self.slot;
        self.act(|world| world.producers[slot].open.clear())
    }
}

/// A process; none after it died.
struct Process {
    groups: Vec<NamedGroup>,
    epoch: Arc<Mutex<u64>>,
    state: Recovered,
}

struct Slot {
    identity: Identity,
    partitions: Vec<u32>,
    process: Option<Process>,
    deaths: u64,
}

fn split(partition: u32) -> SplitId {
    SplitId(format!("orders-{partition}"))
}

fn offset(position: &Position) -> u64 {
    position.0.as_u64().unwrap()
}

impl Slot {
    fn new(number: u32) -> Self {
        Self {
            identity: Identity {
                pipeline: "p".to_owned(),
                dataflow: "d".to_owned(),
                generation: 1,
                slot: number,
                slots: SLOTS,
            },
            partitions: (0..PARTITIONS)
                .filter(|partition| owner("orders", &split(*partition), SLOTS) == number)
                .collect(),
            process: None,
            deaths: 0,
        }
    }

    /// Starts the process, or lets it commit one epoch. Returns whether all rows are committed.
    fn advance(&mut self, shared: &Shared) -> bool {
        let result = match self.process.take() {
            None => self.start(shared).map(|process| (process, false)),
            Some(process) => self.commit(shared, process),
        };
        match result {
            Ok((process, done)) => {
                self.process = Some(process);
                done
            }
            Err(_) => {
                self.deaths += 1;
                false
            }
        }
    }

    fn start(&self, shared: &Shared) -> Result<Process, ProtocolError> {
        let epoch = Arc::new(Mutex::new(0));
        let group = KafkaGroup {
            shared: shared.clone(),
            slot: self.identity.slot as usize,
            epoch: Arc::clone(&epoch),
        };
        let mut groups = vec![NamedGroup {
            key: "kafka".to_owned(),
            group: Box::new(group),
        }];
        let mut state = recover(shared, &mut self.identity.clone(), &mut groups)?;
        if state.checkpoint.is_none() {
            let begin = self
                .partitions
                .iter()
                .map(|p| (split(*p), Position(0.into())));
            state.positions = BTreeMap::from([("orders".to_owned(), begin.collect())]);
            let genesis = EpochCommit {
                identity: &self.identity,
                epoch: Epoch(0),
                parent: None,
                from: &state.positions,
                to: &state.positions,
                replay: None,
                closes: false,
                state: None,
                now_ms: 0,
            };
            state.checkpoint = Some(commit_genesis(shared, &groups, &genesis)?);
            state.next_epoch = Epoch(1);
        }
        Ok(Process {
            groups,
            epoch,
            state,
        })
    }

    fn commit(
        &self,
        shared: &Shared,
        mut process: Process,
    ) -> Result<(Process, bool), ProtocolError> {
        let state = &mut process.state;
        let from: &Positions = &state.positions["orders"];
        let mut rows = Vec::new();
        let mut to = from.clone();
        for partition in &self.partitions {
            let at = offset(&from[&split(*partition)]);
            let end = (at + ROWS_PER_EPOCH).min(ROWS);
            rows.extend((at..end).map(|row| (*partition, row)));
            to.insert(split(*partition), Position(end.into()));
        }
        if rows.is_empty() {
            return Ok((process, true));
        }
        let (slot, mine) = (self.identity.slot as usize, *process.epoch.lock());
        shared.call(|world| {
            let producer = &mut world.producers[slot];
            if producer.epoch != mine {
                return Err(fenced());
            }
            producer.open.extend(rows);
            Ok(())
        })??;
        let to = BTreeMap::from([("orders".to_owned(), to)]);
        let commit = EpochCommit {
            identity: &self.identity,
            epoch: state.next_epoch,
            parent: state.checkpoint.as_ref(),
            from: &state.positions,
            to: &to,
            replay: None,
            closes: false,
            state: None,
            now_ms: 0,
        };
        let done = commit_epoch(shared, &mut process.groups, &commit)?;
        discard_void(&mut process.groups, &std::mem::take(&mut state.void))?;
        if done.epoch.0 % EPOCHS_PER_RETIRE == 0 {
            retire(shared, &self.identity, done.epoch, 3)?;
        }
        state.next_epoch = done.epoch.next();
        state.checkpoint = Some(done);
        state.positions = to;
        Ok((process, false))
    }
}

#[test]
fn a_thousand_slots_deliver_every_row_once() {
    let shared = Shared {
        world: Arc::new(Mutex::new(World {
            random: 0x9e37_79b9_7f4a_7c15,
            faults: 0,
            producers: vec![Producer::default(); SLOTS as usize],
            committed: vec![vec![0; usize::try_from(ROWS).unwrap()]; PARTITIONS as usize],
            requests: Requests::default(),
        })),
        store: MemoryStore::default(),
    };
    let mut slots: Vec<Slot> = (0..SLOTS).map(Slot::new).collect();
    assert!(slots.iter().all(|slot| slot.partitions.len() == 4));
    // All take a step in turn, as pods that started together do.
    let mut rounds = 0;
    let mut open: Vec<usize> = (0..slots.len()).collect();
    while !open.is_empty() {
        open.retain(|slot| !slots[*slot].advance(&shared));
        rounds += 1;
        assert!(rounds < 400, "{} slots do not come to an end", open.len());
    }
    let world = shared.world.lock();
    for (partition, rows) in world.committed.iter().enumerate() {
        for (row, times) in rows.iter().enumerate() {
            assert_eq!(*times, 1, "row {row} of partition {partition}");
        }
    }
    let deaths: u64 = slots.iter().map(|slot| slot.deaths).sum();
    assert!(deaths > 100, "the faults must have met somebody: {deaths}");
    let epochs = u64::from(SLOTS) * ROWS / ROWS_PER_EPOCH;
    let Requests {
        puts,
        gets,
        lists,
        listed,
        deletes,
    } = world.requests;
    eprintln!(
        "{SLOTS} slots, {epochs} epochs, {deaths} deaths of {} faults: {puts} puts, {gets} gets, {lists} lists of {listed} names, {deletes} deletes",
        world.faults
    );
    // One put an epoch; what starts cost is counted by start.
    let starts = u64::from(SLOTS) + deaths;
    assert!(puts <= epochs + 2 * starts, "{puts} puts");
    assert!(gets <= 6 * starts, "{gets} gets");
    assert!(
        lists <= 12 * starts + epochs / EPOCHS_PER_RETIRE * 2,
        "{lists} lists"
    );
}

/// A process of another number of slots neither reads nor fences.
#[test]
fn another_number_of_slots_is_refused() {
    let shared = Shared {
        world: Arc::new(Mutex::new(World {
            random: 88_172_645_463_325_252,
            faults: 0,
            producers: vec![Producer::default(); SLOTS as usize],
            committed: vec![vec![0; 1]; PARTITIONS as usize],
            requests: Requests::default(),
        })),
        store: MemoryStore::default(),
    };
    let first = Slot::new(0);
    while first.start(&shared).is_err() {}
    let fenced = shared.world.lock().producers[7].epoch;
    let mut other = Slot::new(7);
    other.identity.slots = 8;
    let refused = (0..10).map(|_| other.start(&shared).err());
    let found = refused
        .flatten()
        .any(|error| matches!(error, ProtocolError::SlotsChanged { was: SLOTS, now: 8 }));
    assert!(found);
    assert_eq!(shared.world.lock().producers[7].epoch, fenced);
}
