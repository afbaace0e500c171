//! The reader of one lane: consumes in batches, decodes the wanted columns.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::builder::{
    BinaryViewBuilder, Int32Builder, Int64Builder, MapBuilder, MapFieldNames, StringViewBuilder,
    TimestampMicrosecondBuilder,
};
use arrow_array::{ArrayRef, UInt32Array};
use arrow_buffer::Buffer;
use arrow_schema::{DataType, Field};
use millrace_connector::source::{
    Poll, PollLimit, RowOrigin, SourceBatch, SplitReader, SplitStart,
};
use millrace_connector::{ConnectorError, ErrorKind, LaneId, OpenContext, Projection, Retry};
use millrace_formats::{Decoded, Decoder, Payloads};
use millrace_librdkafka::{BatchQueue, Message, TimestampKind};
use rdkafka::Offset;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::client::{Ear, config, failure};
use crate::format::FormatUse;
use crate::metadata::Metadata;
use crate::source::{KafkaSourceSpec, Stops};
use crate::splits::{TopicPartition, position, read};

/// Where a column of the batch comes from.
#[derive(Clone, Copy, Debug)]
enum Column {
    /// Column of the value decoder's output.
    Value(usize),
    /// Column of the key decoder's output.
    Key(usize),
    /// The record.
    Metadata(Metadata),
}

pub(crate) struct KafkaReader {
    table: String,
    /// What error messages call the value and the key.
    value_name: String,
    key_name: String,
    servers: String,
    ear: Ear,
    queue: BatchQueue<Ear>,
    stops: Stops,
    partitions: Vec<Partition>,
    names: Arc<Vec<TopicPartition>>,
    by_handle: HashMap<(usize, i32), usize>,
    value: Box<dyn Decoder>,
    key: Option<Box<dyn Decoder>>,
    columns: Vec<Column>,
    wants_headers: bool,
    records: Records,
}

/// A partition that this lane reads.
struct Partition {
    name: TopicPartition,
    next: i64,
    stop: Option<i64>,
    finished: bool,
    touched: bool,
}

/// The records of a batch, before decoding. Cleared and used again.
#[derive(Default)]
struct Records {
    values: Vec<u8>,
    value_ranges: Vec<Option<std::ops::Range<u32>>>,
    keys: Vec<u8>,
    key_ranges: Vec<Option<std::ops::Range<u32>>>,
    facts: Vec<Facts>,
    headers: Vec<Vec<(String, Option<Vec<u8>>)>>,
}

/// What is known of a record besides its bytes.
#[derive(Clone, Copy, Debug)]
struct Facts {
    partition: usize,
    offset: i64,
    timestamp_ms: i64,
    timestamp_kind: TimestampKind,
    leader_epoch: Option<i32>,
}

impl KafkaReader {
    pub(crate) fn open(
        spec: &KafkaSourceSpec,
        projection: &Projection,
        ctx: &OpenContext,
        lane: LaneId,
        stops: Stops,
    ) -> Result<Self, ConnectorError> {
        let ear = Ear::default();
        let fail = |error| failure("make a Kafka consumer", &spec.servers, error, &ear);
        let consumer: BaseConsumer<Ear> = config(
            &spec.client.values,
            &spec.settings(ctx, &format!("lane-{}", lane.0)),
        )
        .create_with_context(ear.clone())
        .map_err(fail)?;
        let queue = BatchQueue::new(Arc::new(consumer)).map_err(fail)?;
        let name = |part: &str, format: Option<&FormatUse>| {
            let format = format.map_or("", |format| format.identifier.as_str());
            format!("the {format} {part} of a record of '{}'", spec.table)
        };
        let plan = ColumnPlan::new(spec, projection);
        let internal = |error: millrace_formats::FormatError| {
            ConnectorError::new(
                ErrorKind::Internal,
                Retry::Never,
                "a checked format cannot be made",
            )
            .caused_by(error)
        };
        let value = spec
            .formats
            .value
            .decoder(&plan.value, &spec.context)
            .map_err(internal)?;
        let key = match &spec.formats.key {
            Some(format) => Some(format.decoder(&plan.key, &spec.context).map_err(internal)?),
            None => None,
        };
        Ok(Self {
            table: spec.table.clone(),
            value_name: name("value", Some(&spec.formats.value)),
            key_name: name("key", spec.formats.key.as_ref()),
            servers: spec.servers.clone(),
            ear: ear.clone(),
            queue,
            stops,
            partitions: Vec::new(),
            names: Arc::default(),
            by_handle: HashMap::new(),
            value,
            key,
            wants_headers: plan
                .columns
                .iter()
                .any(|c| matches!(c, Column::Metadata(Metadata::Headers))),
            columns: plan.columns,
            records: Records::default(),
        })
    }
}

/// Which decoder gives which column.
struct ColumnPlan {
    columns: Vec<Column>,
    value: Vec<usize>,
    key: Vec<usize>,
}

impl ColumnPlan {
    fn new(spec: &KafkaSourceSpec, projection: &Projection) -> Self {
        let mut plan = Self {
            columns: Vec::new(),
            value: Vec::new(),
            key: Vec::new(),
        };
        for wanted in &projection.columns {
            let at = |columns: &[usize]| columns.iter().position(|column| column == wanted);
            let column = if let Some(metadata) = spec.columns.metadata[*wanted] {
                Column::Metadata(metadata)
            } else if let Some(index) = at(&spec.formats.value.columns) {
                // Where a column is in both, the value's wins, as in Flink.
                plan.value.push(index);
                Column::Value(plan.value.len() - 1)
            } else {
                let key = spec.formats.key.as_ref().and_then(|key| at(&key.columns));
                plan.key
                    .push(key.expect("a physical column is in the value or the key"));
                Column::Key(plan.key.len() - 1)
            };
            plan.columns.push(column);
        }
        plan
    }
}

impl SplitReader for KafkaReader {
    fn assign(&mut self, splits: &[SplitStart]) -> Result<(), ConnectorError> {
        if splits.is_empty() {
            return Ok(());
        }
        let mut list = TopicPartitionList::new();
        for start in splits {
            let (name, next) = read(&start.split, &start.position)?;
            let stop = self.stops.lock().get(&name).copied();
            let finished = stop.is_some_and(|stop| next >= stop);
            if !finished {
                list.add_partition_offset(&name.topic, name.partition, Offset::Offset(next))
                    .map_err(|error| self.fail("assign partitions", error))?;
            }
            self.partitions.push(Partition {
                name,
                next,
                stop,
                finished,
                touched: false,
            });
        }
        self.names = Arc::new(
            self.partitions
                .iter()
                .map(|partition| partition.name.clone())
                .collect(),
        );
        if list.count() > 0 {
            let consumer = self.queue.consumer();
            consumer
                .incremental_assign(&list)
                .map_err(|error| self.fail("assign partitions", error))?;
        }
        Ok(())
    }

    fn poll(&mut self, limit: &PollLimit) -> Result<Poll, ConnectorError> {
        if !self.partitions.is_empty() && self.partitions.iter().all(|partition| partition.finished)
        {
            return Ok(Poll::Finished);
        }
        if self.partitions.is_empty() {
            return self.poll_nothing(limit);
        }
        self.records.clear();
        self.fill(limit)?;
        if self.records.facts.is_empty()
            && !self.partitions.iter().any(|partition| partition.touched)
        {
            return Ok(Poll::Idle);
        }
        self.decode().map(Poll::Batch)
    }
}

impl KafkaReader {
    /// Without a partition a bounded reader is at its end, another one waits for partitions to appear.
    fn poll_nothing(&mut self, limit: &PollLimit) -> Result<Poll, ConnectorError> {
        let bounded = !self.stops.lock().is_empty();
        if bounded {
            return Ok(Poll::Finished);
        }
        self.queue.consume(1, limit.wait, |_| ());
        Ok(Poll::Idle)
    }

    fn fill(&mut self, limit: &PollLimit) -> Result<(), ConnectorError> {
        let mut failed = None;
        let mut wait = limit.wait;
        while self.records.facts.len() < limit.rows_max
            && self.records.values.len() < limit.bytes_max
        {
            let room = limit.rows_max - self.records.facts.len();
            // Records are large at times: small steps keep the bytes near their bound.
            let step = room.min(1024);
            let Self {
                queue,
                records,
                partitions,
                by_handle,
                wants_headers,
                ..
            } = self;
            let taken = queue.consume(step, wait, |message| {
                let outcome = take(message, records, partitions, by_handle, *wants_headers);
                if let (Err(error), true) = (outcome, failed.is_none()) {
                    failed = Some(error);
                }
            });
            wait = std::time::Duration::ZERO;
            if taken < step || failed.is_some() {
                break;
            }
        }
        match failed {
            None => Ok(()),
            Some(event) => Err(self.event_error(&event)),
        }
    }

    fn event_error(&self, event: &Event) -> ConnectorError {
        if event.code == RDKafkaErrorCode::AutoOffsetReset
            || event.code == RDKafkaErrorCode::OffsetOutOfRange
        {
            return ConnectorError::new(
                ErrorKind::Data,
                Retry::Never,
                format!("the records to be read next in {} are gone from the broker: {}", event.place, event.text),
            )
            .help("retention removed them before they were read; to go on without them, start with another 'pipeline.name' and 'scan.startup.mode' = 'earliest-offset'");
        }
        let error = KafkaError::MessageConsumption(event.code);
        failure(
            &format!("read {}", event.place),
            &self.servers,
            error,
            &self.ear,
        )
    }

    fn fail(&self, action: &str, error: KafkaError) -> ConnectorError {
        failure(action, &self.servers, error, &self.ear)
    }

    fn decode(&mut self) -> Result<SourceBatch, ConnectorError> {
        let records = &mut self.records;
        let bytes = (records.values.len() + records.keys.len()) as u64;
        let buffer = Buffer::from_vec(std::mem::take(&mut records.values));
        records.values = Vec::with_capacity(buffer.len() + buffer.len() / 8);
        let payloads = Payloads {
            buffer: &buffer,
            ranges: &records.value_ranges,
        };
        let value = self.value.decode(&payloads).map_err(|error| {
            bad_record(
                &self.value_name,
                &self.partitions,
                &records.facts,
                error.message,
                &error.reason,
            )
        })?;
        let key = match &mut self.key {
            None => None,
            Some(decoder) => {
                let buffer = Buffer::from_vec(std::mem::take(&mut records.keys));
                let payloads = Payloads {
                    buffer: &buffer,
                    ranges: &records.key_ranges,
                };
                Some(decoder.decode(&payloads).map_err(|error| {
                    bad_record(
                        &self.key_name,
                        &self.partitions,
                        &records.facts,
                        error.message,
                        &error.reason,
                    )
                })?)
            }
        };
        if let Some(reason) = &value.skip_reason {
            let facts = &records.facts[reason.message];
            tracing::debug!(table = self.table, origin = %origin(&self.partitions, facts), cause = reason.reason, "skipped a record");
        }
        let columns = self.build_columns(&value, key.as_ref());
        let facts: Vec<Facts> = match &value.message_of_row {
            None => self.records.facts.clone(),
            Some(messages) => messages
                .iter()
                .map(|message| self.records.facts[*message as usize])
                .collect(),
        };
        let names = Arc::clone(&self.names);
        Ok(SourceBatch {
            columns,
            rows: value.rows,
            kinds: value.kinds,
            positions: self.take_positions(),
            records: self.records.facts.len() as u64,
            bytes,
            skipped: value.skipped,
            origin: Box::new(Origin { names, facts }),
        })
    }

    fn take_positions(&mut self) -> Vec<SplitStart> {
        self.partitions
            .iter_mut()
            .filter_map(|partition| {
                let touched = std::mem::take(&mut partition.touched);
                touched.then(|| SplitStart {
                    split: partition.name.id(),
                    position: position(partition.next),
                })
            })
            .collect()
    }

    fn build_columns(&self, value: &Decoded, key: Option<&Decoded>) -> Vec<ArrayRef> {
        let message_of_row = value.message_of_row.as_deref();
        let key_rows = key.map(|key| key_rows(key, message_of_row, value.rows));
        let column = |column: &Column| match column {
            Column::Value(index) => Arc::clone(&value.columns[*index]),
            Column::Key(index) => {
                let (key, rows) = key
                    .zip(key_rows.as_ref())
                    .expect("a key column has a key decoder");
                arrow_select::take::take(&key.columns[*index], rows, None)
                    .expect("the indexes are of the key's rows")
            }
            Column::Metadata(metadata) => {
                self.metadata_column(*metadata, message_of_row, value.rows)
            }
        };
        self.columns.iter().map(column).collect()
    }

    fn metadata_column(
        &self,
        metadata: Metadata,
        message_of_row: Option<&[u32]>,
        rows: usize,
    ) -> ArrayRef {
        let message = |row: usize| message_of_row.map_or(row, |messages| messages[row] as usize);
        let facts = (0..rows).map(|row| &self.records.facts[message(row)]);
        match metadata {
            Metadata::Topic => {
                let mut builder = StringViewBuilder::with_capacity(rows).with_deduplicate_strings();
                facts.for_each(|facts| {
                    builder.append_value(&self.partitions[facts.partition].name.topic)
                });
                Arc::new(builder.finish())
            }
            Metadata::Partition => {
                let mut builder = Int32Builder::with_capacity(rows);
                facts.for_each(|facts| {
                    builder.append_value(self.partitions[facts.partition].name.partition)
                });
                Arc::new(builder.finish())
            }
            Metadata::Offset => {
                let mut builder = Int64Builder::with_capacity(rows);
                facts.for_each(|facts| builder.append_value(facts.offset));
                Arc::new(builder.finish())
            }
            Metadata::LeaderEpoch => {
                let mut builder = Int32Builder::with_capacity(rows);
                facts.for_each(|facts| builder.append_option(facts.leader_epoch));
                Arc::new(builder.finish())
            }
            Metadata::Timestamp => {
                let mut builder = TimestampMicrosecondBuilder::with_capacity(rows);
                facts.for_each(|facts| {
                    builder.append_value(facts.timestamp_ms.saturating_mul(1000))
                });
                Arc::new(builder.finish())
            }
            Metadata::TimestampType => {
                let mut builder = StringViewBuilder::with_capacity(rows);
                facts.for_each(|facts| {
                    builder.append_value(match facts.timestamp_kind {
                        TimestampKind::NotAvailable => "NoTimestampType",
                        TimestampKind::CreateTime => "CreateTime",
                        TimestampKind::LogAppendTime => "LogAppendTime",
                    });
                });
                Arc::new(builder.finish())
            }
            Metadata::Headers => {
                headers_column((0..rows).map(|row| &self.records.headers[message(row)]))
            }
        }
    }
}

fn headers_column<'a>(rows: impl Iterator<Item = &'a Vec<(String, Option<Vec<u8>>)>>) -> ArrayRef {
    let names = MapFieldNames {
        entry: "entries".into(),
        key: "key".into(),
        value: "value".into(),
    };
    let mut builder = MapBuilder::new(
        Some(names),
        StringViewBuilder::new(),
        BinaryViewBuilder::new(),
    )
    .with_keys_field(Field::new("key", DataType::Utf8View, false))
    .with_values_field(Field::new("value", DataType::BinaryView, true));
    for headers in rows {
        // A Java map keeps the last value of a repeated name.
        for (index, (name, value)) in headers.iter().enumerate() {
            if headers[index + 1..].iter().all(|(later, _)| later != name) {
                builder.keys().append_value(name);
                builder.values().append_option(value.as_deref());
            }
        }
        builder
            .append(true)
            .expect("as many keys as values were appended");
    }
    Arc::new(builder.finish())
}

/// Returns, for each row of the value, the row of the key of the same message, if it has one.
fn key_rows(key: &Decoded, message_of_row: Option<&[u32]>, rows: usize) -> UInt32Array {
    let row_of_message: Option<HashMap<u32, u32>> = key.message_of_row.as_ref().map(|messages| {
        messages
            .iter()
            .enumerate()
            .map(|(row, message)| (*message, row as u32))
            .collect()
    });
    (0..rows as u32)
        .map(|row| {
            let message = message_of_row.map_or(row, |messages| messages[row as usize]);
            row_of_message
                .as_ref()
                .map_or(Some(message), |rows| rows.get(&message).copied())
        })
        .collect()
}

/// An error event of the client.
struct Event {
    code: RDKafkaErrorCode,
    place: String,
    text: String,
}

fn take(
    message: &Message<'_>,
    records: &mut Records,
    partitions: &mut [Partition],
    by_handle: &mut HashMap<(usize, i32), usize>,
    wants_headers: bool,
) -> Result<(), Event> {
    let handle = (message.topic_handle(), message.partition());
    let index = match by_handle.get(&handle) {
        Some(index) => Some(*index),
        None => {
            let found = partitions.iter().position(|partition| {
                partition.name.partition == handle.1 && partition.name.topic == message.topic()
            });
            if let Some(index) = found {
                by_handle.insert(handle, index);
            }
            found
        }
    };
    if let Some(code) = message.error() {
        return event(message, code, index, partitions);
    }
    let Some(index) = index else { return Ok(()) };
    let partition = &mut partitions[index];
    if partition.finished {
        return Ok(());
    }
    if partition.stop.is_some_and(|stop| message.offset() >= stop) {
        partition.finished = true;
        return Ok(());
    }
    debug_assert!(
        message.offset() >= partition.next,
        "offsets go up within a partition"
    );
    partition.next = message.offset() + 1;
    partition.touched = true;
    partition.finished = partition.stop.is_some_and(|stop| partition.next >= stop);
    records.push(message, index, wants_headers);
    Ok(())
}

/// Errors that librdkafka mends by itself; it tells of them while it does.
const PASSING: [RDKafkaErrorCode; 5] = [
    RDKafkaErrorCode::BrokerTransportFailure,
    RDKafkaErrorCode::AllBrokersDown,
    RDKafkaErrorCode::OperationTimedOut,
    RDKafkaErrorCode::Resolve,
    RDKafkaErrorCode::NodeUpdate,
];

fn event(
    message: &Message<'_>,
    code: RDKafkaErrorCode,
    index: Option<usize>,
    partitions: &mut [Partition],
) -> Result<(), Event> {
    if code == RDKafkaErrorCode::PartitionEOF {
        if let Some(partition) = index.map(|index| &mut partitions[index]) {
            // The end lies behind transaction markers too, which never arrive as records.
            if message.offset() > partition.next {
                partition.next = message.offset();
                partition.touched = true;
            }
            partition.finished |= partition.stop.is_some_and(|stop| partition.next >= stop);
        }
        return Ok(());
    }
    if PASSING.contains(&code) {
        tracing::debug!(?code, text = message.error_text(), "the client reconnects");
        return Ok(());
    }
    let place = index.map_or_else(
        || "the brokers".to_owned(),
        |index| partitions[index].name.to_string(),
    );
    Err(Event {
        code,
        place,
        text: message.error_text(),
    })
}

impl Records {
    fn clear(&mut self) {
        self.values.clear();
        self.value_ranges.clear();
        self.keys.clear();
        self.key_ranges.clear();
        self.facts.clear();
        self.headers.clear();
    }

    fn push(&mut self, message: &Message<'_>, partition: usize, wants_headers: bool) {
        self.value_ranges
            .push(append(&mut self.values, message.payload()));
        self.key_ranges.push(append(&mut self.keys, message.key()));
        let (timestamp_kind, timestamp_ms) = message.timestamp();
        self.facts.push(Facts {
            partition,
            offset: message.offset(),
            timestamp_ms,
            timestamp_kind,
            leader_epoch: message.leader_epoch(),
        });
        if wants_headers {
            let own =
                |(name, value): (&str, Option<&[u8]>)| (name.to_owned(), value.map(<[u8]>::to_vec));
            self.headers.push(message.headers().map(own).collect());
        }
    }
}

fn append(buffer: &mut Vec<u8>, bytes: Option<&[u8]>) -> Option<std::ops::Range<u32>> {
    let bytes = bytes?;
    let start = u32::try_from(buffer.len()).expect("a batch has less than 4 GiB");
    buffer.extend_from_slice(bytes);
    let end = u32::try_from(buffer.len()).expect("a batch has less than 4 GiB");
    Some(start..end)
}

fn origin(partitions: &[Partition], facts: &Facts) -> String {
    format!(
        "{}, offset {}",
        partitions[facts.partition].name, facts.offset
    )
}

fn bad_record(
    what: &str,
    partitions: &[Partition],
    facts: &[Facts],
    message: usize,
    reason: &str,
) -> ConnectorError {
    let place = origin(partitions, &facts[message]);
    ConnectorError::new(ErrorKind::Data, Retry::Never, format!("cannot read {what} ({place}): {reason}"))
        .help("mend the record's producer, or leave such records out with the format's 'ignore-parse-errors' = 'true'; nothing after the last checkpoint was committed")
}

struct Origin {
    names: Arc<Vec<TopicPartition>>,
    facts: Vec<Facts>,
}

impl RowOrigin for Origin {
    fn describe(&self, row: usize) -> String {
        match self.facts.get(row) {
            Some(facts) => format!("{}, offset {}", self.names[facts.partition], facts.offset),
            None => "an unknown record".into(),
        }
    }
}
