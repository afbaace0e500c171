//! The reader of one lane: takes chunks from its fetcher, unpacks them, decodes the wanted columns.

use std::sync::Arc;
use std::time::Duration;

use arrow_buffer::Buffer;
use millrace_connector::source::{Poll, PollLimit, SourceBatch, SplitReader, SplitStart};
use millrace_connector::{ConnectorError, ErrorKind, LaneId, OpenContext, Projection, Retry};
use millrace_formats::{Decoded, Decoder, FormatContext, Payloads};
use millrace_kafka_wire::{Arena, Chunk, Fetcher, Step, TopicPartition, Unpacker, WireError};

use crate::columns::{ColumnPlan, without_keyless};
use crate::format::FormatUse;
use crate::records::{Pending, Records, Wants};
use crate::source::{KafkaSourceSpec, Stops};
use crate::splits::{position, read, split};
use crate::trouble::{fetching, trouble};

pub(crate) struct KafkaReader {
    table: String,
    /// What error messages call the value and the key.
    value_name: String,
    key_name: String,
    servers: String,
    fetcher: Fetcher,
    stops: Stops,
    partitions: Vec<Partition>,
    names: Arc<Vec<TopicPartition>>,
    value: Box<dyn Decoder>,
    key: Option<Box<dyn Decoder>>,
    columns: ColumnPlan,
    wants: Wants,
    records: Records,
    unpacker: Unpacker,
    /// What was taken from the fetcher and is not read to its end.
    chunk: Option<Chunk>,
    /// A batch of more records than a poll may bring, unpacked apart from `records`.
    large: Option<(Pending, Arena)>,
}

/// A partition that this lane reads.
struct Partition {
    name: TopicPartition,
    next: i64,
    stop: Option<i64>,
    finished: bool,
    touched: bool,
}

impl Partition {
    /// Goes on to `next`, over records or over what never arrives as a record.
    fn advance(&mut self, next: i64) {
        if next > self.next {
            self.next = next;
            self.touched = true;
        }
        self.finished |= self.stop.is_some_and(|stop| self.next >= stop);
    }
}

/// What filling the batch came to.
enum Filled {
    /// There may be room for more.
    Room,
    /// What comes next does not fit in.
    Full,
    /// The chunk is at its end.
    Empty,
}

impl KafkaReader {
    pub(crate) fn open(
        spec: &KafkaSourceSpec,
        projection: &Projection,
        ctx: &OpenContext,
        lane: LaneId,
        stops: Stops,
    ) -> Result<Self, ConnectorError> {
        let (settings, fetch) = spec.reading.open(ctx, &format!("lane-{}", lane.0));
        let fetcher = Fetcher::new(settings, fetch)
            .map_err(|error| trouble("make a Kafka consumer", &spec.servers, error))?;
        let name = |part: &str, format: Option<&FormatUse>| {
            let format = format.map_or("", |format| format.identifier.as_str());
            format!("the {format} {part} of a record of '{}'", spec.table)
        };
        let columns = ColumnPlan::new(spec, projection);
        let internal = |error: millrace_formats::FormatError| {
            ConnectorError::new(
                ErrorKind::Internal,
                Retry::Never,
                "a checked format cannot be made",
            )
            .caused_by(error)
        };
        let context = FormatContext {
            metadata: columns.metadata.clone(),
            ..spec.context.clone()
        };
        let value = spec
            .formats
            .value
            .decoder(&columns.value, &context)
            .map_err(internal)?;
        let key = match &spec.formats.key {
            Some(format) => Some(
                format
                    .decoder(&columns.key, &spec.context)
                    .map_err(internal)?,
            ),
            None => None,
        };
        Ok(Self {
            table: spec.table.clone(),
            value_name: name("value", Some(&spec.formats.value)),
            key_name: name("key", spec.formats.key.as_ref()),
            servers: spec.servers.clone(),
            fetcher,
            stops,
            partitions: Vec::new(),
            names: Arc::default(),
            wants: columns.wants(key.is_some()),
            value,
            key,
            columns,
            records: Records::default(),
            unpacker: Unpacker::default(),
            chunk: None,
            large: None,
        })
    }
}

impl SplitReader for KafkaReader {
    fn assign(&mut self, splits: &[SplitStart]) -> Result<(), ConnectorError> {
        let mut new = Vec::new();
        for start in splits {
            let (name, next) = read(&start.split, &start.position)?;
            let stop = self.stops.lock().get(&name).copied();
            let finished = stop.is_some_and(|stop| next >= stop);
            if !finished {
                new.push((self.partitions.len(), name.clone(), next));
            }
            self.partitions.push(Partition {
                name,
                next,
                stop,
                finished,
                touched: false,
            });
        }
        let names = self.partitions.iter();
        self.names = Arc::new(names.map(|partition| partition.name.clone()).collect());
        if !new.is_empty() {
            self.fetcher.assign(new);
        }
        Ok(())
    }

    fn poll(&mut self, limit: &PollLimit) -> Result<Poll, ConnectorError> {
        if !self.partitions.is_empty() && self.partitions.iter().all(|partition| partition.finished)
        {
            return Ok(Poll::Finished);
        }
        // Without a partition a bounded reader is at its end, another one waits for partitions to appear.
        if self.partitions.is_empty() && !self.stops.lock().is_empty() {
            return Ok(Poll::Finished);
        }
        self.records.clear();
        self.fill(limit)?;
        if self.records.is_empty() && !self.partitions.iter().any(|partition| partition.touched) {
            return Ok(Poll::Idle);
        }
        self.decode().map(Poll::Batch)
    }
}

impl KafkaReader {
    fn fill(&mut self, limit: &PollLimit) -> Result<(), ConnectorError> {
        let mut wait = limit.wait;
        while self.records.len() < limit.rows_max && self.records.values.len() < limit.bytes_max {
            if self.large.is_some() {
                self.copy_large(limit)?;
                continue;
            }
            if self.chunk.is_none() {
                self.chunk = self.fetcher.next(wait).map_err(|failure| {
                    fetching(failure, &self.servers, |partition| {
                        self.names[partition].clone()
                    })
                })?;
                wait = Duration::ZERO;
                if self.chunk.is_none() {
                    break;
                }
            }
            match self.take(limit)? {
                Filled::Room => {}
                Filled::Full => break,
                Filled::Empty => self.chunk = None,
            }
        }
        Ok(())
    }

    /// Takes the next batch of the chunk.
    fn take(&mut self, limit: &PollLimit) -> Result<Filled, ConnectorError> {
        let Some(chunk) = &mut self.chunk else {
            return Ok(Filled::Empty);
        };
        let Some(count) = chunk.peek_count() else {
            return Ok(Filled::Empty);
        };
        let partition = &mut self.partitions[chunk.partition];
        if partition.finished {
            return Ok(Filled::Empty);
        }
        if count > limit.rows_max - self.records.len() && !self.records.is_empty() {
            return Ok(Filled::Full);
        }
        let place = chunk.partition;
        let fail = |error: WireError| bad_batch(&self.servers, &self.names[place], error);
        match chunk.step().map_err(fail)? {
            None => return Ok(Filled::Empty),
            Some(Step::Skip(last)) => partition.advance(last.saturating_add(1)),
            Some(Step::Records(batch)) if batch.last_offset < partition.next => {}
            Some(Step::Records(batch)) if count > limit.rows_max => {
                let mut arena = Arena::default();
                let rest = batch.unpack(&mut self.unpacker, &mut arena).map_err(fail)?;
                self.large = Some((Pending::new(place, &batch, rest), arena));
            }
            Some(Step::Records(batch)) => {
                let values = &mut self.records.values;
                let rest = batch.unpack(&mut self.unpacker, values).map_err(fail)?;
                let mut pending = Pending::new(place, &batch, rest);
                self.records
                    .read_in_place(&mut pending, partition.next, partition.stop, self.wants)
                    .map_err(fail)?;
                partition.advance(end(pending.last_offset, partition.stop));
            }
        }
        if partition.finished {
            self.fetcher.stop(place);
        }
        Ok(Filled::Room)
    }

    /// Takes more records of the large batch.
    fn copy_large(&mut self, limit: &PollLimit) -> Result<(), ConnectorError> {
        let Some((mut pending, arena)) = self.large.take() else {
            return Ok(());
        };
        let place = pending.partition;
        let partition = &mut self.partitions[place];
        let next = self
            .records
            .copy_some(
                &mut pending,
                &arena,
                (partition.next, partition.stop),
                (limit.rows_max, limit.bytes_max),
                self.wants,
            )
            .map_err(|error| bad_batch(&self.servers, &partition.name, error))?;
        if pending.is_done() {
            partition.advance(end(pending.last_offset, partition.stop));
        } else {
            partition.advance(partition.stop.map_or(next, |stop| stop.min(next)));
            self.large = Some((pending, arena));
        }
        if partition.finished {
            self.large = None;
            self.fetcher.stop(place);
        }
        Ok(())
    }

    /// Decodes the keys, which Flink reads before the values.
    fn decode_keys(&mut self) -> Result<Option<Decoded>, ConnectorError> {
        let Some(decoder) = &mut self.key else {
            return Ok(None);
        };
        let buffer = Buffer::from_vec(std::mem::take(&mut self.records.keys));
        let payloads = Payloads {
            buffer: &buffer,
            ranges: &self.records.key_ranges,
        };
        let decoded = decoder.decode(&payloads).map_err(|error| {
            let origin = origin(&self.names, &self.records, error.message);
            bad_record(&self.key_name, &origin, &error.reason)
        });
        decoded.map(Some)
    }

    fn decode(&mut self) -> Result<SourceBatch, ConnectorError> {
        let key = self.decode_keys()?;
        let buffer = self.records.freeze();
        let records = &mut self.records;
        let payloads = Payloads {
            buffer: &buffer,
            ranges: &records.value_ranges,
        };
        let value = self.value.decode(&payloads).map_err(|error| {
            let origin = origin(&self.names, records, error.message);
            bad_record(&self.value_name, &origin, &error.reason)
        })?;
        let value = match &key {
            None => value,
            Some(key) => without_keyless(value, key),
        };
        let skipped_keys = key.as_ref().map_or(0, |key| key.skipped);
        let skip_reasons = [
            key.as_ref().and_then(|key| key.skip_reason.as_ref()),
            value.skip_reason.as_ref(),
        ];
        for reason in skip_reasons.into_iter().flatten() {
            let origin = origin(&self.names, records, reason.message);
            tracing::debug!(table = self.table, %origin, cause = reason.reason, "skipped a record");
        }
        let columns = self
            .columns
            .build(records, &self.names, &value, key.as_ref());
        let origin = records.origin(&self.names, value.message_of_row.as_deref());
        let (count, bytes) = (records.len() as u64, records.bytes);
        Ok(SourceBatch {
            columns,
            rows: value.rows,
            kinds: value.kinds,
            positions: self.take_positions(),
            records: count,
            bytes,
            skipped: value.skipped + skipped_keys,
            origin: Box::new(origin),
        })
    }

    fn take_positions(&mut self) -> Vec<SplitStart> {
        self.partitions
            .iter_mut()
            .filter_map(|partition| {
                let touched = std::mem::take(&mut partition.touched);
                touched.then(|| SplitStart {
                    split: split(&partition.name),
                    position: position(partition.next),
                })
            })
            .collect()
    }
}

/// Returns the position after the record at `last`: a bounded read ends at its bound, not at the end of a batch.
fn end(last: i64, stop: Option<i64>) -> i64 {
    let next = last.saturating_add(1);
    stop.map_or(next, |stop| stop.min(next))
}

fn origin(names: &[TopicPartition], records: &Records, message: usize) -> String {
    let name = &names[records.run(message).partition];
    format!("{name}, offset {}", records.offset(message))
}

fn bad_batch(servers: &str, name: &TopicPartition, error: WireError) -> ConnectorError {
    trouble(&format!("read {name}"), servers, error)
}

fn bad_record(what: &str, origin: &str, reason: &str) -> ConnectorError {
    ConnectorError::new(ErrorKind::Data, Retry::Never, format!("cannot read {what} ({origin}): {reason}"))
        .help("mend the record's producer, or leave such records out with the format's 'ignore-parse-errors' = 'true'; nothing after the last checkpoint was committed")
}
