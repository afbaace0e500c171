//! A sink that throws away what an epoch had prepared gets its rows again, and the sink beside it does not.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Int64Array};
use millrace_checkpoint::MemoryStore;
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
    Branch, ChangeForm, Clock, Dataflow, DataflowStatus, End, OperatorOptions, RestartStrategy,
    RunError, RuntimeOptions, SinkInput, SourceInput, SystemClock, Transform, Transformed, run,
};
use parking_lot::Mutex;

const ROWS: i64 = 1_000;

/// One split of the numbers below `ROWS`, slow enough for several epochs.
#[derive(Clone, Debug)]
struct Numbers {
    can_repeat: bool,
    end: i64,
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

fn start(position: i64) -> SplitStart {
    SplitStart {
        split: SplitId("s".into()),
        position: Position(position.into()),
    }
}

impl Source for Numbers {
    fn discover(&mut self, known: &Positions) -> Result<Vec<SplitStart>, ConnectorError> {
        let first = start(0);
        Ok((!known.contains_key(&first.split))
            .then_some(first)
            .into_iter()
            .collect())
    }
    fn reader(&mut self, _: LaneId) -> Result<Box<dyn SplitReader>, ConnectorError> {
        Ok(Box::new(Reader {
            next: None,
            end: self.end,
        }))
    }
    fn stop_at(&mut self, ends: &Positions) -> Result<(), ConnectorError> {
        if !self.can_repeat {
            let text = "this source cannot read a range of rows a second time";
            return Err(ConnectorError::new(ErrorKind::Config, Retry::Never, text));
        }
        self.end = ends.values().next().unwrap().0.as_i64().unwrap();
        Ok(())
    }
    fn publish(&mut self, _: &Positions) -> Result<(), ConnectorError> {
        Ok(())
    }
    fn lag(&mut self, _: &Positions) -> Option<u64> {
        None
    }
}

struct Reader {
    next: Option<i64>,
    end: i64,
}

struct NoOrigin;

impl RowOrigin for NoOrigin {
    fn describe(&self, row: usize) -> String {
        format!("row {row}")
    }
}

impl SplitReader for Reader {
    fn assign(&mut self, splits: &[SplitStart]) -> Result<(), ConnectorError> {
        for start in splits {
            self.next = start.position.0.as_i64();
        }
        Ok(())
    }
    fn poll(&mut self, _: &PollLimit) -> Result<Poll, ConnectorError> {
        let Some(next) = self.next.filter(|next| *next < self.end) else {
            return Ok(Poll::Finished);
        };
        let to = (next + 10).min(self.end);
        self.next = Some(to);
        std::thread::sleep(Duration::from_micros(500));
        let values: ArrayRef = Arc::new(Int64Array::from_iter_values(next..to));
        Ok(Poll::Batch(SourceBatch {
            rows: values.len(),
            columns: vec![values],
            kinds: None,
            positions: vec![start(to)],
            records: 1,
            bytes: 8,
            skipped: 0,
            origin: Box::new(NoOrigin),
        }))
    }
}

/// What two tables hold, and which loads are prepared.
#[derive(Debug, Default)]
struct Vault {
    open: [Vec<i64>; 2],
    prepared: BTreeMap<u64, [Vec<i64>; 2]>,
    visible: [Vec<i64>; 2],
    /// How many more loads of the second table are thrown away before their commit.
    losses: u32,
}

#[derive(Clone, Debug)]
struct Table {
    vault: Arc<Mutex<Vault>>,
}

impl SinkSpec for Table {
    fn metadata(&self) -> Vec<MetadataKey> {
        Vec::new()
    }
    fn guarantee(&self) -> DeliveryGuarantee {
        DeliveryGuarantee::ExactlyOnce
    }
    fn role(&self) -> CommitRole {
        CommitRole::Follows
    }
    fn changelog_mode(&self) -> ChangelogMode {
        ChangelogMode::InsertOnly
    }
    fn describe(&self) -> Vec<(String, String)> {
        Vec::new()
    }
    fn group_key(&self) -> String {
        "vault".into()
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn open_group(
        &self,
        _: &[&dyn SinkSpec],
        _: &OpenContext,
    ) -> Result<Box<dyn SinkGroup>, ConnectorError> {
        Ok(Box::new(VaultGroup(Arc::clone(&self.vault))))
    }
}

struct VaultGroup(Arc<Mutex<Vault>>);

impl SinkGroup for VaultGroup {
    fn role(&self) -> CommitRole {
        CommitRole::Follows
    }
    fn fence(&mut self) -> Result<(), ConnectorError> {
        self.0.lock().open = Default::default();
        Ok(())
    }
    fn read_mark(&mut self) -> Result<Option<Mark>, ConnectorError> {
        Ok(None)
    }
    fn writer(&mut self, member: usize, _: LaneId) -> Result<Box<dyn SinkWriter>, ConnectorError> {
        Ok(Box::new(VaultWriter(Arc::clone(&self.0), member)))
    }
    fn begin(&mut self, _: Epoch) -> Result<(), ConnectorError> {
        Ok(())
    }
    fn prepare(&mut self, epoch: Epoch) -> Result<Committable, ConnectorError> {
        let mut vault = self.0.lock();
        let rows = std::mem::take(&mut vault.open);
        vault.prepared.insert(epoch.0, rows);
        Ok(Committable(epoch.0.into()))
    }
    fn commit(
        &mut self,
        _: Epoch,
        handle: &Committable,
        _: &Mark,
    ) -> Result<CommitOutcome, ConnectorError> {
        let mut vault = self.0.lock();
        let Some([first, second]) = vault.prepared.remove(&handle.0.as_u64().unwrap()) else {
            return Ok(CommitOutcome::Committed);
        };
        vault.visible[0].extend(first);
        // A load that is empty is no loss.
        if vault.losses > 0 && !second.is_empty() {
            vault.losses -= 1;
            vault
                .prepared
                .insert(handle.0.as_u64().unwrap(), [Vec::new(), second]);
            drop(vault);
            // The first answer comes to the process that loses it, the second to the one that recovers.
            return Ok(CommitOutcome::Lost(vec![1]));
        }
        vault.visible[1].extend(second);
        Ok(CommitOutcome::Committed)
    }
    fn discard(&mut self, _: Epoch, _: Option<&Committable>) -> Result<(), ConnectorError> {
        self.0.lock().open = Default::default();
        Ok(())
    }
}

struct VaultWriter(Arc<Mutex<Vault>>, usize);

impl SinkWriter for VaultWriter {
    fn write(&mut self, rows: &SinkBatch<'_>) -> Result<Written, ConnectorError> {
        let values = rows.columns[0].as_primitive::<Int64Type>();
        self.0.lock().open[self.1].extend(values.values());
        Ok(Written::default())
    }
}

struct Pass;

impl Transform for Pass {
    fn run(
        &mut self,
        columns: &[ArrayRef],
        rows: usize,
        _: i64,
    ) -> Result<Transformed, (usize, String)> {
        Ok(Transformed {
            columns: columns.to_vec(),
            rows,
            origins: None,
        })
    }
}

fn run_with(vault: &Arc<Mutex<Vault>>, can_repeat: bool) -> (Result<End, RunError>, u64) {
    let branch = |sink| Branch {
        transform: Arc::new(|| Box::new(Pass)),
        sink,
        changes: ChangeForm::All,
    };
    let sink = |name: &str| SinkInput {
        name: name.into(),
        spec: Arc::new(Table {
            vault: Arc::clone(vault),
        }),
    };
    let dataflow = Dataflow {
        name: "d".into(),
        sources: vec![SourceInput {
            name: "numbers".into(),
            spec: Arc::new(Numbers {
                can_repeat,
                end: ROWS,
            }),
            projection: Projection { columns: vec![0] },
            branches: vec![branch(0), branch(1)],
            watermark: None,
        }],
        sinks: vec![sink("first"), sink("second")],
        operators: None,
    };
    let options = RuntimeOptions {
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
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let status = Arc::new(DataflowStatus::default());
    let store = MemoryStore::default();
    let end = run(
        &dataflow,
        &options,
        &store,
        &status,
        &clock,
        &Cancel::default(),
    );
    (end, status.snapshot().replays)
}

#[test]
fn what_was_lost_is_written_again_to_who_lost_it() {
    // Each loss is told twice: to the attempt that commits, and to its recovery. So the replay is lost once, too.
    let vault = Arc::new(Mutex::new(Vault {
        losses: 4,
        ..Vault::default()
    }));
    let (end, replays) = run_with(&vault, true);
    assert_eq!(end.unwrap(), End::Finished);
    assert_eq!(replays, 1, "the other one was lost");
    let vault = vault.lock();
    assert_eq!(vault.losses, 0);
    for table in &vault.visible {
        let mut rows = table.clone();
        rows.sort_unstable();
        assert_eq!(rows, (0..ROWS).collect::<Vec<i64>>());
    }
}

#[test]
fn a_source_that_cannot_repeat_stops_the_pipeline_with_the_way_out() {
    let vault = Arc::new(Mutex::new(Vault {
        losses: 2,
        ..Vault::default()
    }));
    let (end, _) = run_with(&vault, false);
    let error = end.unwrap_err();
    assert_eq!(error.retry(), Retry::Never);
    assert!(
        error
            .help()
            .unwrap()
            .contains("start from the checkpoint before")
    );
}
