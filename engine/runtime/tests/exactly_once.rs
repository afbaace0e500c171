//! Whole dataflows over fakes: a counting source, and a transactional sink whose committed rows survive attempts and runs.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Int64Array};
use millrace_checkpoint::{Manifest, MemoryStore, PendingPut, Store, StoreError};
use millrace_connector::sink::{
    CommitOutcome, CommitRole, Committable, Mark, SinkBatch, SinkGroup, SinkWriter, Written,
};
use millrace_connector::source::{
    Poll, PollLimit, RowOrigin, Source, SourceBatch, SplitReader, SplitStart,
};
use millrace_connector::{
    Cancel, ChangelogMode, ConnectorError, DeliveryGuarantee, Epoch, ErrorKind, LaneId,
    MetadataKey, OpenContext, Position, Positions, Projection, Retry, SinkSpec, SourceSpec,
    SplitId,
};
use millrace_runtime::{
    Branch, ChangeForm, Clock, Dataflow, DataflowStatus, End, OperatorOptions, Phase,
    RestartStrategy, RunError, RuntimeOptions, SinkInput, SourceInput, SystemClock, Transform,
    Transformed, run,
};
use parking_lot::Mutex;

const SPLITS: i64 = 3;
const ROWS_PER_SPLIT: i64 = 2_000;

/// A source of `SPLITS` splits; row `n` of split `s` is `s * 1_000_000 + n`.
#[derive(Clone, Debug)]
struct Counting {
    end: Option<i64>,
    /// How many rows all readers give before one of them fails, once.
    fail_after: Arc<AtomicU64>,
}

impl SourceSpec for Counting {
    fn metadata(&self) -> Vec<MetadataKey> {
        Vec::new()
    }
    fn is_bounded(&self) -> bool {
        self.end.is_some()
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

impl Source for Counting {
    fn discover(&mut self, known: &Positions) -> Result<Vec<SplitStart>, ConnectorError> {
        Ok((0..SPLITS)
            .map(|split| SplitStart {
                split: SplitId(split.to_string()),
                position: Position(0.into()),
            })
            .filter(|start| !known.contains_key(&start.split))
            .collect())
    }
    fn reader(&mut self, _: LaneId) -> Result<Box<dyn SplitReader>, ConnectorError> {
        Ok(Box::new(CountingReader {
            source: self.clone(),
            splits: Vec::new(),
        }))
    }
    fn publish(&mut self, _: &Positions) -> Result<(), ConnectorError> {
        Ok(())
    }
    fn lag(&mut self, _: &Positions) -> Option<u64> {
        None
    }
}

struct CountingReader {
    source: Counting,
    splits: Vec<(i64, i64)>,
}

struct NoOrigin;

impl RowOrigin for NoOrigin {
    fn describe(&self, row: usize) -> String {
        format!("row {row}")
    }
}

impl SplitReader for CountingReader {
    fn assign(&mut self, splits: &[SplitStart]) -> Result<(), ConnectorError> {
        self.splits.extend(splits.iter().map(|start| {
            (
                start.split.0.parse::<i64>().unwrap(),
                start.position.0.as_i64().unwrap(),
            )
        }));
        Ok(())
    }

    fn poll(&mut self, _: &PollLimit) -> Result<Poll, ConnectorError> {
        let end = self.source.end;
        let Some((split, next)) = self
            .splits
            .iter_mut()
            .find(|(_, next)| end.is_none_or(|end| *next < end))
        else {
            return Ok(Poll::Finished);
        };
        let to = end.map_or(*next + 50, |end| end.min(*next + 50));
        let values: Vec<i64> = (*next..to).map(|n| *split * 1_000_000 + n).collect();
        let left = self.source.fail_after.load(Ordering::Relaxed);
        if left != u64::MAX {
            if left < values.len() as u64 {
                self.source.fail_after.store(u64::MAX, Ordering::Relaxed);
                return Err(ConnectorError::new(
                    ErrorKind::Unreachable,
                    Retry::Restart,
                    "the source went away",
                ));
            }
            self.source
                .fail_after
                .store(left - values.len() as u64, Ordering::Relaxed);
        }
        *next = to;
        std::thread::sleep(Duration::from_micros(300));
        Ok(Poll::Batch(SourceBatch {
            rows: values.len(),
            records: values.len() as u64,
            bytes: 8 * values.len() as u64,
            columns: vec![Arc::new(Int64Array::from(values)) as ArrayRef],
            kinds: None,
            positions: vec![SplitStart {
                split: SplitId(split.to_string()),
                position: Position(to.into()),
            }],
            skipped: 0,
            origin: Box::new(NoOrigin),
        }))
    }
}

/// A log with transactions, shared by all runs.
#[derive(Debug, Default)]
struct Log {
    producer: u64,
    open: Vec<i64>,
    committed: Vec<i64>,
    mark: Option<Mark>,
    /// How many commits get no answer though they are applied.
    lost_replies: u32,
}

#[derive(Clone, Debug, Default)]
struct LogSink(Arc<Mutex<Log>>);

struct LogGroup {
    log: Arc<Mutex<Log>>,
    producer: Arc<AtomicU64>,
}

fn fenced() -> ConnectorError {
    ConnectorError::new(ErrorKind::Fenced, Retry::Never, "another copy took over")
}

impl SinkSpec for LogSink {
    fn metadata(&self) -> Vec<MetadataKey> {
        Vec::new()
    }
    fn guarantee(&self) -> DeliveryGuarantee {
        DeliveryGuarantee::ExactlyOnce
    }
    fn role(&self) -> CommitRole {
        CommitRole::Decides
    }
    fn changelog_mode(&self) -> ChangelogMode {
        ChangelogMode::InsertOnly
    }
    fn describe(&self) -> Vec<(String, String)> {
        Vec::new()
    }
    fn group_key(&self) -> String {
        "log".into()
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn open_group(
        &self,
        _: &[&dyn SinkSpec],
        _: &OpenContext,
    ) -> Result<Box<dyn SinkGroup>, ConnectorError> {
        Ok(Box::new(LogGroup {
            log: Arc::clone(&self.0),
            producer: Arc::default(),
        }))
    }
}

impl LogGroup {
    fn act<T>(&self, call: impl FnOnce(&mut Log) -> T) -> Result<T, ConnectorError> {
        let mut log = self.log.lock();
        if log.producer == self.producer.load(Ordering::Relaxed) {
            Ok(call(&mut log))
        } else {
            Err(fenced())
        }
    }
}

impl SinkGroup for LogGroup {
    fn role(&self) -> CommitRole {
        CommitRole::Decides
    }
    fn fence(&mut self) -> Result<(), ConnectorError> {
        let mut log = self.log.lock();
        log.producer += 1;
        log.open.clear();
        self.producer.store(log.producer, Ordering::Relaxed);
        Ok(())
    }
    fn read_mark(&mut self) -> Result<Option<Mark>, ConnectorError> {
        Ok(self.log.lock().mark.clone())
    }
    fn writer(&mut self, _: usize, _: LaneId) -> Result<Box<dyn SinkWriter>, ConnectorError> {
        Ok(Box::new(LogGroup {
            log: Arc::clone(&self.log),
            producer: Arc::clone(&self.producer),
        }))
    }
    fn begin(&mut self, _: Epoch) -> Result<(), ConnectorError> {
        self.act(|log| assert!(log.open.is_empty(), "a transaction begins empty"))
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
        self.act(|log| {
            let rows = std::mem::take(&mut log.open);
            log.committed.extend(rows);
            log.mark = Some(mark.clone());
            if log.lost_replies > 0 {
                log.lost_replies -= 1;
                CommitOutcome::Unknown
            } else {
                CommitOutcome::Committed
            }
        })
    }
    fn discard(&mut self, _: Epoch, _: Option<&Committable>) -> Result<(), ConnectorError> {
        self.act(|log| log.open.clear())
    }
}

impl SinkWriter for LogGroup {
    fn write(&mut self, rows: &SinkBatch<'_>) -> Result<Written, ConnectorError> {
        let values = rows.columns[0]
            .as_primitive::<Int64Type>()
            .values()
            .to_vec();
        self.act(|log| log.open.extend(&values))?;
        Ok(Written {
            records: rows.rows as u64,
            bytes: 0,
        })
    }
}

/// Passes rows on; fails on one value if told to.
struct Pass {
    poison: Option<i64>,
}

impl Transform for Pass {
    fn run(
        &mut self,
        columns: &[ArrayRef],
        rows: usize,
        _: i64,
    ) -> Result<Transformed, (usize, String)> {
        let values = columns[0].as_primitive::<Int64Type>();
        if let Some(row) = values
            .values()
            .iter()
            .position(|value| Some(*value) == self.poison)
        {
            return Err((row, "poison".into()));
        }
        Ok(Transformed {
            columns: columns.to_vec(),
            rows,
            origins: None,
        })
    }
}

fn dataflow(source: Counting, sink: LogSink, poison: Option<i64>) -> Dataflow {
    Dataflow {
        name: "d".into(),
        sources: vec![SourceInput {
            name: "numbers".into(),
            spec: Arc::new(source),
            projection: Projection { columns: vec![0] },
            branches: vec![Branch {
                transform: Arc::new(move || Box::new(Pass { poison })),
                sink: 0,
                changes: ChangeForm::All,
            }],
            watermark: None,
        }],
        sinks: vec![SinkInput {
            name: "log".into(),
            spec: Arc::new(sink),
        }],
        operators: None,
    }
}

fn options() -> RuntimeOptions {
    RuntimeOptions {
        pipeline: "p".into(),
        slot: 0,
        slots: 1,
        parallelism: 2,
        checkpoint_interval: Duration::from_millis(3),
        checkpoint_timeout: Duration::from_secs(10),
        checkpoints_retained: 1,
        buffer_bytes_max: 1 << 20,
        batch_rows_max: 100,
        batch_bytes_max: 1 << 20,
        restart: RestartStrategy::FixedDelay {
            attempts_max: 100,
            delay: Duration::from_millis(1),
        },
        operators: OperatorOptions::default(),
    }
}

struct Setting {
    store: MemoryStore,
    sink: LogSink,
    status: Arc<DataflowStatus>,
}

impl Setting {
    fn new() -> Self {
        Self {
            store: MemoryStore::default(),
            sink: LogSink::default(),
            status: Arc::default(),
        }
    }

    fn run(&self, source: Counting, poison: Option<i64>, stop: &Cancel) -> Result<End, RunError> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        run(
            &dataflow(source, self.sink.clone(), poison),
            &options(),
            &self.store,
            &self.status,
            &clock,
            stop,
        )
    }

    fn assert_all_once(&self) {
        let mut committed = self.sink.0.lock().committed.clone();
        committed.sort_unstable();
        let expected: Vec<i64> = (0..SPLITS)
            .flat_map(|split| (0..ROWS_PER_SPLIT).map(move |n| split * 1_000_000 + n))
            .collect();
        assert_eq!(committed.len(), expected.len());
        assert_eq!(committed, expected);
    }
}

fn bounded() -> Counting {
    Counting {
        end: Some(ROWS_PER_SPLIT),
        fail_after: Arc::new(AtomicU64::new(u64::MAX)),
    }
}

#[test]
fn a_bounded_source_ends_with_every_row_committed_once() {
    let setting = Setting::new();
    assert_eq!(
        setting.run(bounded(), None, &Cancel::default()).unwrap(),
        End::Finished
    );
    setting.assert_all_once();
    let figures = setting.status.snapshot();
    assert_eq!(figures.phase, Phase::Finished);
    assert_eq!(figures.records_in, 6_000);
    assert!(
        figures.checkpoints > 1,
        "several epochs: {}",
        figures.checkpoints
    );
}

#[test]
fn goes_on_from_the_last_checkpoint_when_the_source_fails() {
    let setting = Setting::new();
    let source = Counting {
        fail_after: Arc::new(AtomicU64::new(3_000)),
        ..bounded()
    };
    assert_eq!(
        setting.run(source, None, &Cancel::default()).unwrap(),
        End::Finished
    );
    setting.assert_all_once();
    assert_eq!(setting.status.snapshot().restarts, 1);
}

#[test]
fn finds_out_by_the_mark_when_commits_get_no_answer() {
    let setting = Setting::new();
    setting.sink.0.lock().lost_replies = 2;
    assert_eq!(
        setting.run(bounded(), None, &Cancel::default()).unwrap(),
        End::Finished
    );
    setting.assert_all_once();
    assert_eq!(setting.status.snapshot().restarts, 2);
}

#[test]
fn a_stop_commits_what_was_read_and_the_next_run_goes_on() {
    let setting = Setting::new();
    let endless = Counting {
        end: None,
        ..bounded()
    };
    for _ in 0..5 {
        let stop = Cancel::default();
        std::thread::scope(|scope| {
            let handle = scope.spawn(|| setting.run(endless.clone(), None, &stop));
            std::thread::sleep(Duration::from_millis(30));
            stop.cancel();
            assert_eq!(handle.join().unwrap().unwrap(), End::Stopped);
        });
    }
    let mut committed = setting.sink.0.lock().committed.clone();
    let total = committed.len();
    committed.sort_unstable();
    committed.dedup();
    assert_eq!(committed.len(), total, "no row twice");
    for split in 0..SPLITS {
        let rows: Vec<i64> = committed
            .iter()
            .filter(|v| **v / 1_000_000 == split)
            .map(|v| v % 1_000_000)
            .collect();
        assert_eq!(
            rows,
            (0..rows.len() as i64).collect::<Vec<_>>(),
            "no gap in split {split}"
        );
    }
    assert!(total > 0);
}

#[test]
fn the_older_of_two_copies_stops_and_no_row_is_doubled() {
    let setting = Setting::new();
    let endless = Counting {
        end: None,
        ..bounded()
    };
    let stop = Cancel::default();
    std::thread::scope(|scope| {
        let first = scope.spawn(|| setting.run(endless.clone(), None, &stop));
        std::thread::sleep(Duration::from_millis(20));
        let second = scope.spawn(|| setting.run(endless.clone(), None, &stop));
        let error = first.join().unwrap().unwrap_err();
        assert!(error.is_fenced(), "{error}");
        std::thread::sleep(Duration::from_millis(20));
        stop.cancel();
        assert_eq!(second.join().unwrap().unwrap(), End::Stopped);
    });
    let mut committed = setting.sink.0.lock().committed.clone();
    let total = committed.len();
    committed.sort_unstable();
    committed.dedup();
    assert_eq!(committed.len(), total, "no row twice");
}

/// A store into which another copy, fenced and not yet aware of it, writes the first manifests of some epochs.
struct Raced {
    store: MemoryStore,
    lost: Vec<Epoch>,
}

impl Store for Raced {
    fn put_if_absent(&self, path: &str, bytes: Vec<u8>) -> PendingPut {
        // Records of generations pass.
        if let Ok((mut rival, _)) = Manifest::open(&bytes)
            && self.lost.contains(&rival.epoch)
        {
            rival.created_ms += 1;
            let first = self.store.put_if_absent(path, rival.seal().bytes);
            assert!(first.wait().is_ok());
        }
        self.store.put_if_absent(path, bytes)
    }
    fn get(&self, path: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.get(path)
    }
    fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        self.store.list(prefix)
    }
    fn delete(&self, path: &str) -> Result<(), StoreError> {
        self.store.delete(path)
    }
    fn location(&self) -> String {
        self.store.location()
    }
}

#[test]
fn the_newer_of_two_copies_goes_on_where_the_older_still_wrote_its_checkpoint() {
    let setting = Setting::new();
    let store = Raced {
        store: MemoryStore::default(),
        lost: vec![Epoch(0), Epoch(1), Epoch(4)],
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let end = run(
        &dataflow(bounded(), setting.sink.clone(), None),
        &options(),
        &store,
        &setting.status,
        &clock,
        &Cancel::default(),
    );
    assert_eq!(end.unwrap(), End::Finished);
    setting.assert_all_once();
    assert_eq!(setting.status.snapshot().restarts, 3);
}

#[test]
fn a_row_that_fails_stops_the_run_and_names_its_record() {
    let setting = Setting::new();
    let error = setting
        .run(bounded(), Some(1_000_123), &Cancel::default())
        .unwrap_err();
    assert!(
        matches!(&error, RunError::Row { origin, .. } if origin == "row 23"),
        "{error}"
    );
    assert!(!setting.sink.0.lock().committed.contains(&1_000_123));
    assert_eq!(setting.status.snapshot().phase, Phase::Failed);
}
