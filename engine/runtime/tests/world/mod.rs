//! The world around whole dataflows: a source of numbers, a log with transactions, a table that loads in two phases, a store;
//! each call is a step at which a process can die, lose a reply, or be overtaken by a second copy.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Int64Array};
use millrace_checkpoint::{MemoryStore, PendingPut, Store, StoreError};
use millrace_connector::sink::{
    CommitOutcome, CommitRole, Committable, Mark, SinkBatch, SinkGroup, SinkWriter, Written,
};
use millrace_connector::source::{
    Poll, PollLimit, RowOrigin, Source, SourceBatch, SplitReader, SplitRun, SplitStart,
};
use millrace_connector::{
    ChangelogMode, ConnectorError, DeliveryGuarantee, Epoch, ErrorKind, LaneId, MetadataKey,
    OpenContext, Position, Positions, Projection, Retry, RowKind, SinkSpec, SourceSpec, SplitId,
};
use parking_lot::Mutex;

/// What happens at the chosen step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The process dies before the call has an effect.
    Before,
    /// The call has its effect, then the process dies: its reply is lost.
    After,
    /// As `Before`, but of a file that is written the beginning is there.
    Torn,
    /// Another copy of the pipeline runs to its end before this call goes on.
    SecondCopy,
    /// The process dies, and is started again only after the table has thrown away all that was prepared.
    DiesForLong,
}

/// A row that reached a sink: kind, key, value.
pub(crate) type Row = (RowKind, i64, i64);

/// What other systems hold.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) steps: u64,
    pub(crate) faults: Vec<(u64, Fault)>,
    producer: u64,
    open: Vec<Row>,
    pub(crate) log: Vec<Row>,
    mark: Option<Mark>,
    loads: BTreeMap<String, Load>,
    loads_committed: u64,
    pub(crate) replays: u64,
}

struct Load {
    rows: Vec<Row>,
    phase: Phase,
    /// The order of commits.
    at: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Prepared,
    Visible,
    Aborted,
    Expired,
}

impl World {
    fn expire(&mut self) {
        for load in self.loads.values_mut() {
            if load.phase == Phase::Prepared {
                load.phase = Phase::Expired;
            }
        }
    }

    /// Returns the rows that a reader of the table sees, in the order of the commits.
    pub(crate) fn table(&self) -> Vec<Row> {
        let loads = self.loads.values();
        let mut visible: Vec<&Load> = loads.filter(|load| load.phase == Phase::Visible).collect();
        visible.sort_by_key(|load| load.at);
        visible
            .iter()
            .flat_map(|load| load.rows.iter().copied())
            .collect()
    }
}

/// One process among those that share the world.
#[derive(Clone)]
pub(crate) struct Process {
    pub(crate) world: Arc<Mutex<World>>,
    pub(crate) files: MemoryStore,
    dead: Arc<AtomicBool>,
    /// Runs another copy to its end.
    pub(crate) copy: Arc<dyn Fn() + Send + Sync>,
}

pub(crate) fn died() -> ConnectorError {
    ConnectorError::new(ErrorKind::Internal, Retry::Never, "the process died")
}

fn fenced() -> ConnectorError {
    ConnectorError::new(ErrorKind::Fenced, Retry::Never, "fenced")
}

impl Process {
    pub(crate) fn new(
        world: &Arc<Mutex<World>>,
        files: &MemoryStore,
        copy: Arc<dyn Fn() + Send + Sync>,
    ) -> Self {
        Self {
            world: Arc::clone(world),
            files: files.clone(),
            dead: Arc::default(),
            copy,
        }
    }

    /// Returns the fault that is planned for this step.
    fn fault(&self) -> Result<Option<Fault>, ConnectorError> {
        if self.dead.load(Ordering::SeqCst) {
            return Err(died());
        }
        let mut world = self.world.lock();
        let at = world.steps;
        world.steps += 1;
        let fault = world.faults.iter().find(|(step, _)| *step == at);
        Ok(fault.map(|(_, fault)| *fault))
    }

    fn die<T>(&self) -> Result<T, ConnectorError> {
        self.dead.store(true, Ordering::SeqCst);
        Err(died())
    }

    fn step<T>(&self, call: impl FnOnce(&mut World) -> T) -> Result<T, ConnectorError> {
        let fault = self.fault()?;
        match fault {
            Some(Fault::Before | Fault::Torn) => return self.die(),
            Some(Fault::DiesForLong) => {
                self.world.lock().expire();
                return self.die();
            }
            Some(Fault::SecondCopy) => (self.copy)(),
            Some(Fault::After) | None => {}
        }
        let result = call(&mut self.world.lock());
        if fault == Some(Fault::After) {
            return self.die();
        }
        Ok(result)
    }
}

fn store_died(path: &str) -> StoreError {
    StoreError {
        action: "reach",
        path: path.into(),
        location: "sim".into(),
        source: Box::new(died()),
    }
}

impl Store for Process {
    fn put_if_absent(&self, path: &str, bytes: Vec<u8>) -> PendingPut {
        let put = || -> Result<_, ConnectorError> {
            let fault = self.fault()?;
            match fault {
                Some(Fault::Torn) => {
                    let half = bytes[..bytes.len() / 2].to_vec();
                    // A file that is read whole is made whole or not at all by every store that is supported.
                    if path.contains("/state/") {
                        drop(self.files.put_if_absent(path, half));
                    }
                    return self.die();
                }
                Some(Fault::Before | Fault::DiesForLong) => return self.die(),
                Some(Fault::SecondCopy) => (self.copy)(),
                Some(Fault::After) | None => {}
            }
            let outcome = self.files.put_if_absent(path, bytes).wait();
            if fault == Some(Fault::After) {
                return self.die();
            }
            Ok(outcome)
        };
        let outcome = put().unwrap_or_else(|_| Err(store_died(path)));
        PendingPut::new(move || outcome)
    }
    fn get(&self, path: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let got = self.step(|_| self.files.get(path));
        got.unwrap_or_else(|_| Err(store_died(path)))
    }
    fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let listed = self.step(|_| self.files.list(prefix));
        listed.unwrap_or_else(|_| Err(store_died(prefix)))
    }
    fn delete(&self, path: &str) -> Result<(), StoreError> {
        let deleted = self.step(|_| self.files.delete(path));
        deleted.unwrap_or_else(|_| Err(store_died(path)))
    }
    fn location(&self) -> String {
        "sim".into()
    }
}

/// A source of `splits` splits; split `s` gives `rows` rows `n`, each as the number `n * splits + s`.
#[derive(Clone)]
pub(crate) struct Numbers {
    pub(crate) process: Process,
    pub(crate) splits: i64,
    pub(crate) rows: i64,
    pub(crate) batch: i64,
    pub(crate) pause: Duration,
    /// Where a replay ends each split.
    ends: BTreeMap<i64, i64>,
}

impl Numbers {
    pub(crate) fn new(process: &Process, splits: i64, rows: i64) -> Self {
        Self {
            process: process.clone(),
            splits,
            rows,
            batch: 20,
            pause: Duration::from_millis(2),
            ends: BTreeMap::new(),
        }
    }
}

impl std::fmt::Debug for Numbers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Numbers")
    }
}

impl SourceSpec for Numbers {
    fn metadata(&self) -> Vec<MetadataKey> {
        Vec::new()
    }
    fn is_bounded(&self) -> bool {
        true
    }
    fn changelog_mode(&self) -> ChangelogMode {
        ChangelogMode::InsertOnly
    }
    fn describe(&self) -> Vec<(String, String)> {
        Vec::new()
    }
    fn open(&self, _: &Projection, _: &OpenContext) -> Result<Box<dyn Source>, ConnectorError> {
        Ok(Box::new(self.clone()))
    }
}

impl Source for Numbers {
    fn discover(&mut self, known: &Positions) -> Result<Vec<SplitStart>, ConnectorError> {
        let starts = (0..self.splits).map(|split| SplitStart {
            split: SplitId(split.to_string()),
            position: Position(0.into()),
        });
        Ok(starts
            .filter(|start| !known.contains_key(&start.split))
            .collect())
    }
    fn reader(&mut self, _: LaneId) -> Result<Box<dyn SplitReader>, ConnectorError> {
        Ok(Box::new(NumbersReader {
            source: self.clone(),
            splits: Vec::new(),
        }))
    }
    fn stop_at(&mut self, ends: &Positions) -> Result<(), ConnectorError> {
        let ends = ends.iter();
        self.ends = ends
            .map(|(split, end)| (split.0.parse().unwrap(), end.0.as_i64().unwrap()))
            .collect();
        Ok(())
    }
    fn publish(&mut self, _: &Positions) -> Result<(), ConnectorError> {
        Ok(())
    }
    fn lag(&mut self, _: &Positions) -> Option<u64> {
        None
    }
}

struct NumbersReader {
    source: Numbers,
    splits: Vec<(i64, i64)>,
}

struct OneSplit(SplitRun);

impl RowOrigin for OneSplit {
    fn describe(&self, row: usize) -> String {
        format!("split {}, row {row}", self.0.split)
    }
    fn runs(&self) -> Vec<SplitRun> {
        vec![self.0.clone()]
    }
}

impl SplitReader for NumbersReader {
    fn assign(&mut self, splits: &[SplitStart]) -> Result<(), ConnectorError> {
        self.splits.extend(splits.iter().map(|start| {
            let split = start.split.0.parse::<i64>().unwrap();
            (split, start.position.0.as_i64().unwrap())
        }));
        Ok(())
    }

    fn poll(&mut self, _: &PollLimit) -> Result<Poll, ConnectorError> {
        self.source.process.step(|_| ())?;
        let end = |split: &i64| self.source.ends.get(split).copied();
        let rows = self.source.rows;
        // The split that is behind goes on.
        let open = self
            .splits
            .iter_mut()
            .filter(|(split, next)| *next < end(split).unwrap_or(rows))
            .min_by_key(|(_, next)| *next);
        let Some((split, next)) = open else {
            return Ok(Poll::Finished);
        };
        let to = (*next + self.source.batch).min(end(split).unwrap_or(rows));
        let splits = self.source.splits;
        let values: Vec<i64> = (*next..to).map(|n| n * splits + *split).collect();
        *next = to;
        std::thread::sleep(self.source.pause);
        let id = SplitId(split.to_string());
        let run = SplitRun {
            split: id.clone(),
            end: values.len(),
        };
        Ok(Poll::Batch(SourceBatch {
            rows: values.len(),
            records: values.len() as u64,
            bytes: 8 * values.len() as u64,
            columns: vec![Arc::new(Int64Array::from(values)) as ArrayRef],
            kinds: None,
            positions: vec![SplitStart {
                split: id,
                position: Position(to.into()),
            }],
            skipped: 0,
            origin: Box::new(OneSplit(run)),
        }))
    }
}

/// Which sink a dataflow has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SinkKind {
    /// A log with transactions, which decides.
    Log,
    /// A table that loads in two phases, which follows.
    Table,
}

#[derive(Clone)]
pub(crate) struct Sink {
    pub(crate) process: Process,
    pub(crate) kind: SinkKind,
}

impl std::fmt::Debug for Sink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.kind)
    }
}

impl SinkSpec for Sink {
    fn metadata(&self) -> Vec<MetadataKey> {
        Vec::new()
    }
    fn guarantee(&self) -> DeliveryGuarantee {
        DeliveryGuarantee::ExactlyOnce
    }
    fn role(&self) -> CommitRole {
        match self.kind {
            SinkKind::Log => CommitRole::Decides,
            SinkKind::Table => CommitRole::Follows,
        }
    }
    fn changelog_mode(&self) -> ChangelogMode {
        ChangelogMode::All
    }
    fn describe(&self) -> Vec<(String, String)> {
        Vec::new()
    }
    fn group_key(&self) -> String {
        "sink".into()
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn open_group(
        &self,
        _: &[&dyn SinkSpec],
        _: &OpenContext,
    ) -> Result<Box<dyn SinkGroup>, ConnectorError> {
        Ok(match self.kind {
            SinkKind::Log => Box::new(LogGroup {
                process: self.process.clone(),
                producer: Arc::default(),
            }),
            SinkKind::Table => Box::new(TableGroup {
                process: self.process.clone(),
                rows: Arc::default(),
            }),
        })
    }
}

/// Reads rows of a key and a value.
fn rows_of(batch: &SinkBatch<'_>) -> Vec<Row> {
    let column = |index: usize| batch.columns[index].as_primitive::<Int64Type>();
    let kind = |row: usize| batch.kinds.map_or(RowKind::Insert, |kinds| kinds[row]);
    (0..batch.rows)
        .map(|row| (kind(row), column(0).value(row), column(1).value(row)))
        .collect()
}

fn written(batch: &SinkBatch<'_>) -> Written {
    Written {
        records: batch.rows as u64,
        bytes: 0,
        bad_rows: 0,
    }
}

struct LogGroup {
    process: Process,
    producer: Arc<AtomicU64>,
}

impl LogGroup {
    fn act<T>(&self, call: impl FnOnce(&mut World) -> T) -> Result<T, ConnectorError> {
        let mine = self.producer.load(Ordering::SeqCst);
        self.process.step(|world| {
            if world.producer == mine {
                Ok(call(world))
            } else {
                Err(fenced())
            }
        })?
    }
}

impl SinkGroup for LogGroup {
    fn role(&self) -> CommitRole {
        CommitRole::Decides
    }
    fn fence(&mut self) -> Result<(), ConnectorError> {
        let producer = self.process.step(|world| {
            world.open.clear();
            world.producer += 1;
            world.producer
        })?;
        self.producer.store(producer, Ordering::SeqCst);
        Ok(())
    }
    fn read_mark(&mut self) -> Result<Option<Mark>, ConnectorError> {
        self.process.step(|world| world.mark.clone())
    }
    fn writer(&mut self, _: usize, _: LaneId) -> Result<Box<dyn SinkWriter>, ConnectorError> {
        Ok(Box::new(Self {
            process: self.process.clone(),
            producer: Arc::clone(&self.producer),
        }))
    }
    fn begin(&mut self, _: Epoch) -> Result<(), ConnectorError> {
        self.act(|world| assert!(world.open.is_empty(), "a transaction begins empty"))
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
        self.act(|world| {
            let rows = std::mem::take(&mut world.open);
            world.log.extend(rows);
            world.mark = Some(mark.clone());
            CommitOutcome::Committed
        })
    }
    fn discard(&mut self, _: Epoch, _: Option<&Committable>) -> Result<(), ConnectorError> {
        self.act(|world| world.open.clear())
    }
}

impl SinkWriter for LogGroup {
    fn write(&mut self, batch: &SinkBatch<'_>) -> Result<Written, ConnectorError> {
        let rows = rows_of(batch);
        self.act(|world| world.open.extend(rows))?;
        Ok(written(batch))
    }
}

struct TableGroup {
    process: Process,
    rows: Arc<Mutex<Vec<Row>>>,
}

impl SinkGroup for TableGroup {
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
        Ok(Box::new(TableWriter(Arc::clone(&self.rows))))
    }
    fn begin(&mut self, _: Epoch) -> Result<(), ConnectorError> {
        self.rows.lock().clear();
        Ok(())
    }
    fn prepare(&mut self, epoch: Epoch) -> Result<Committable, ConnectorError> {
        let rows = std::mem::take(&mut *self.rows.lock());
        let label = self.process.step(|world| {
            let label = format!("e{epoch}-{}", world.loads.len());
            let load = Load {
                rows,
                phase: Phase::Prepared,
                at: 0,
            };
            world.loads.insert(label.clone(), load);
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
        self.process.step(|world| {
            world.loads_committed += 1;
            let at = world.loads_committed;
            let load = world.loads.get_mut(&label).unwrap();
            assert_ne!(load.phase, Phase::Aborted, "{label} was aborted");
            match load.phase {
                Phase::Expired => {
                    world.replays += 1;
                    return CommitOutcome::Lost(vec![0]);
                }
                Phase::Prepared => load.at = at,
                Phase::Visible | Phase::Aborted => {}
            }
            load.phase = Phase::Visible;
            CommitOutcome::Committed
        })
    }
    fn discard(&mut self, _: Epoch, handle: Option<&Committable>) -> Result<(), ConnectorError> {
        let Some(label) = handle.and_then(|handle| handle.0.as_str()) else {
            return Ok(());
        };
        let label = label.to_owned();
        self.process.step(|world| {
            let load = world.loads.get_mut(&label).unwrap();
            assert_ne!(load.phase, Phase::Visible, "{label} was visible");
            if load.phase != Phase::Expired {
                load.phase = Phase::Aborted;
            }
        })
    }
}

struct TableWriter(Arc<Mutex<Vec<Row>>>);

impl SinkWriter for TableWriter {
    fn write(&mut self, batch: &SinkBatch<'_>) -> Result<Written, ConnectorError> {
        self.0.lock().extend(rows_of(batch));
        Ok(written(batch))
    }
}
