//! Sources that end after so many rows and tell nobody, and sinks that do a lane's work and throw the result away.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use millrace_builtin::{FlushGroup, Nothing};
use millrace_connector::sink::{CommitRole, SinkGroup};
use millrace_connector::source::{Poll, PollLimit, Source, SplitReader, SplitStart};
use millrace_connector::{
    ChangelogMode, ConnectorError, DeliveryGuarantee, LaneId, MetadataKey, OpenContext, Positions,
    Projection, SinkSpec, SourceSpec,
};

/// Without a record for so long, the input is at its end.
const QUIET: Duration = Duration::from_secs(3);
/// How long the first record may take.
const FIRST_RECORD: Duration = Duration::from_secs(20);

/// A source of which so many records are read, from all lanes together.
#[derive(Clone, Debug)]
pub(crate) struct LimitedSource {
    pub(crate) inner: Arc<dyn SourceSpec>,
    /// How many records may still be read.
    pub(crate) left: Arc<AtomicU64>,
}

impl SourceSpec for LimitedSource {
    fn metadata(&self) -> Vec<MetadataKey> {
        self.inner.metadata()
    }

    fn is_bounded(&self) -> bool {
        true
    }

    fn changelog_mode(&self) -> ChangelogMode {
        self.inner.changelog_mode()
    }

    fn describe(&self) -> Vec<(String, String)> {
        self.inner.describe()
    }

    fn open(
        &self,
        projection: &Projection,
        ctx: &OpenContext,
    ) -> Result<Box<dyn Source>, ConnectorError> {
        Ok(Box::new(Limited {
            inner: self.inner.open(projection, ctx)?,
            left: Arc::clone(&self.left),
        }))
    }
}

struct Limited<T> {
    inner: T,
    left: Arc<AtomicU64>,
}

impl Source for Limited<Box<dyn Source>> {
    fn discover(&mut self, known: &Positions) -> Result<Vec<SplitStart>, ConnectorError> {
        self.inner.discover(known)
    }

    fn reader(&mut self, lane: LaneId) -> Result<Box<dyn SplitReader>, ConnectorError> {
        Ok(Box::new(LimitedReader {
            inner: self.inner.reader(lane)?,
            left: Arc::clone(&self.left),
            seen: None,
            begun: Instant::now(),
        }))
    }

    /// The user's consumer group is not ours to move.
    fn publish(&mut self, _positions: &Positions) -> Result<(), ConnectorError> {
        Ok(())
    }

    fn lag(&mut self, _positions: &Positions) -> Option<u64> {
        None
    }
}

struct LimitedReader {
    inner: Box<dyn SplitReader>,
    left: Arc<AtomicU64>,
    seen: Option<Instant>,
    begun: Instant,
}

impl LimitedReader {
    fn is_at_end(&self) -> bool {
        match self.seen {
            Some(seen) => seen.elapsed() > QUIET,
            None => self.begun.elapsed() > FIRST_RECORD,
        }
    }
}

impl SplitReader for LimitedReader {
    fn assign(&mut self, splits: &[SplitStart]) -> Result<(), ConnectorError> {
        self.inner.assign(splits)
    }

    fn poll(&mut self, limit: &PollLimit) -> Result<Poll, ConnectorError> {
        let left = self.left.load(Ordering::Relaxed);
        if left == 0 {
            return Ok(Poll::Finished);
        }
        let limit = PollLimit {
            rows_max: limit
                .rows_max
                .min(usize::try_from(left).unwrap_or(usize::MAX)),
            ..*limit
        };
        let poll = self.inner.poll(&limit)?;
        match &poll {
            Poll::Batch(batch) => {
                self.seen = Some(Instant::now());
                let taken = batch.records;
                let lower = |left: u64| Some(left.saturating_sub(taken));
                let _before = self
                    .left
                    .fetch_update(Ordering::Relaxed, Ordering::Relaxed, lower);
            }
            Poll::Idle if self.is_at_end() => return Ok(Poll::Finished),
            Poll::Idle | Poll::Finished => {}
        }
        Ok(poll)
    }
}

/// A sink whose writers encode and throw away.
#[derive(Clone, Debug)]
pub(crate) struct RehearsedSink {
    pub(crate) inner: Arc<dyn SinkSpec>,
    pub(crate) table: String,
}

impl SinkSpec for RehearsedSink {
    fn metadata(&self) -> Vec<MetadataKey> {
        self.inner.metadata()
    }

    fn guarantee(&self) -> DeliveryGuarantee {
        DeliveryGuarantee::None
    }

    fn role(&self) -> CommitRole {
        CommitRole::Flushes
    }

    fn changelog_mode(&self) -> ChangelogMode {
        self.inner.changelog_mode()
    }

    fn describe(&self) -> Vec<(String, String)> {
        self.inner.describe()
    }

    fn group_key(&self) -> String {
        format!("rehearsal of {}", self.table)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn open_group(
        &self,
        _members: &[&dyn SinkSpec],
        _ctx: &OpenContext,
    ) -> Result<Box<dyn SinkGroup>, ConnectorError> {
        let inner = Arc::clone(&self.inner);
        Ok(Box::new(FlushGroup::new(move |_| {
            Ok(inner.rehearsal()?.unwrap_or_else(|| Box::new(Nothing)))
        })))
    }
}
