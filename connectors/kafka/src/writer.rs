//! The writer of one lane: encodes a batch, hands it over in one call.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array, ArrayRef};
use millrace_connector::sink::{SinkBatch, SinkWriter, Written};
use millrace_connector::{
    Cancel, ConnectorError, DeliveryGuarantee, ErrorKind, LaneId, OpenContext, Retry,
};
use millrace_librdkafka::{Record, TopicHandle};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer};

use crate::client::{Ear, failure};
use crate::encode::RecordEncoder;
use crate::metadata::Metadata;
use crate::sink::{KafkaSinkSpec, Partitioner, SharedProducer, check_deliveries};

/// How long to wait for room in the producer's queue before asking again.
const FULL_WAIT: Duration = Duration::from_millis(2);
/// How many topics one table may route rows to.
const TOPICS_MAX: usize = 10_000;
/// How long a topic's number of partitions may take to look up.
const LOOK_UP_TIMEOUT: Duration = Duration::from_secs(15);

pub(crate) struct KafkaWriter {
    spec: KafkaSinkSpec,
    producer: SharedProducer,
    ear: Ear,
    cancel: Cancel,
    lane: u32,
    records: RecordEncoder,
    topic_column: Option<usize>,
    timestamp_column: Option<usize>,
    headers_column: Option<usize>,
    topics: HashMap<String, Topic>,
}

/// A topic and the rows that go to it; `None` = all rows.
type Route = (String, Option<Vec<usize>>);

struct Topic {
    handle: TopicHandle<Ear>,
    partitions: i32,
    next: i32,
}

impl KafkaWriter {
    pub(crate) fn open(
        spec: &KafkaSinkSpec,
        producer: &SharedProducer,
        ear: Ear,
        ctx: &OpenContext,
        lane: LaneId,
    ) -> Result<Self, ConnectorError> {
        let persisted = &spec.columns.persisted;
        let metadata = |wanted: Metadata| {
            persisted
                .iter()
                .position(|column| spec.columns.metadata[*column] == Some(wanted))
        };
        Ok(Self {
            records: RecordEncoder::new(spec)?,
            topic_column: metadata(Metadata::Topic),
            timestamp_column: metadata(Metadata::Timestamp),
            headers_column: metadata(Metadata::Headers),
            spec: spec.clone(),
            producer: Arc::clone(producer),
            ear,
            cancel: ctx.cancel.clone(),
            lane: lane.0,
            topics: HashMap::new(),
        })
    }

    /// Looks a topic up once; later rows find it in the map.
    fn prepare_topic(&mut self, name: &str) -> Result<(), ConnectorError> {
        if self.topics.contains_key(name) {
            return Ok(());
        }
        self.check_routed(name)?;
        let servers = &self.spec.servers;
        let fail = |action: String, error| failure(&action, servers, error, &self.ear);
        let metadata = self
            .producer
            .client()
            .fetch_metadata(Some(name), LOOK_UP_TIMEOUT)
            .map_err(|error| fail(format!("look up topic '{name}'"), error))?;
        let found = metadata.topics().iter().find(|topic| topic.name() == name);
        let partitions = found.map_or(0, |topic| topic.partitions().len());
        let handle = TopicHandle::new(Arc::clone(&self.producer), name)
            .map_err(|error| fail(format!("write to topic '{name}'"), error))?;
        let partitions = i32::try_from(partitions.max(1)).unwrap_or(i32::MAX);
        self.topics.insert(
            name.to_owned(),
            Topic {
                handle,
                partitions,
                next: 0,
            },
        );
        Ok(())
    }

    fn check_routed(&self, name: &str) -> Result<(), ConnectorError> {
        let allowed = self.spec.topics.list();
        let routed = self.topic_column.is_some();
        if routed && allowed.len() > 1 && !allowed.iter().any(|topic| topic == name) {
            return Err(ConnectorError::new(
                ErrorKind::Data,
                Retry::Never,
                format!(
                    "a row of '{}' names topic '{name}', which is not in the table's option 'topic'",
                    self.spec.table
                ),
            ));
        }
        if self.topics.len() >= TOPICS_MAX {
            return Err(ConnectorError::new(
                ErrorKind::Data,
                Retry::Never,
                format!(
                    "rows of '{}' name more than {TOPICS_MAX} topics",
                    self.spec.table
                ),
            ));
        }
        Ok(())
    }

    /// Returns the rows of each topic; without a topic column all rows go to the table's own.
    fn route(&self, rows: &SinkBatch<'_>) -> Result<Vec<Route>, ConnectorError> {
        let own = self.spec.topics.list().first().cloned().unwrap_or_default();
        let Some(column) = self.topic_column else {
            return Ok(vec![(own, None)]);
        };
        let names = rows.columns[column].as_string_view();
        let mut routes: Vec<Route> = Vec::new();
        let mut index: HashMap<&str, usize> = HashMap::new();
        for row in 0..rows.rows {
            let name = if names.is_null(row) {
                if self.spec.topics.list().len() > 1 {
                    let message = format!(
                        "a row of '{}' has no topic (NULL), and the table lists several",
                        self.spec.table
                    );
                    return Err(ConnectorError::new(ErrorKind::Data, Retry::Never, message));
                }
                own.as_str()
            } else {
                names.value(row)
            };
            let at = *index.entry(name).or_insert_with(|| {
                routes.push((name.to_owned(), Some(Vec::new())));
                routes.len() - 1
            });
            routes[at].1.get_or_insert_default().push(row);
        }
        Ok(routes)
    }

    fn produce(
        &mut self,
        topic: &str,
        chosen: Option<&[usize]>,
        rows: &SinkBatch<'_>,
    ) -> Result<(), ConnectorError> {
        let all: Vec<usize>;
        let chosen = match chosen {
            Some(chosen) => chosen,
            None => {
                all = (0..rows.rows).collect();
                &all
            }
        };
        if self.timestamp_column.is_some() || self.headers_column.is_some() {
            return chosen
                .iter()
                .try_for_each(|row| self.produce_one(topic, *row, rows));
        }
        let Self {
            topics,
            records,
            spec,
            lane,
            ..
        } = self;
        let (keys, values) = (&records.keys, &records.values);
        let target = topics.get_mut(topic).expect("it was prepared");
        let batch: Vec<Record<'_>> = chosen
            .iter()
            .map(|row| Record {
                key: (records.has_keys() && !keys.is_null(*row)).then(|| keys.row(*row)),
                payload: (!values.is_null(*row)).then(|| values.row(*row)),
                partition: partition(spec.partitioner, target.partitions, &mut target.next, *lane),
            })
            .collect();
        let mut from = 0;
        loop {
            let failures = target.handle.produce(batch[from..].iter().copied());
            let Some(first) = failures.first() else {
                return Ok(());
            };
            if first.code != RDKafkaErrorCode::QueueFull {
                let error = KafkaError::MessageProduction(first.code);
                return Err(failure(
                    &format!("write to topic '{topic}'"),
                    &spec.servers,
                    error,
                    &self.ear,
                ));
            }
            // Once the queue is full no later record of the call is taken, so the order holds.
            from += first.index;
            if self.cancel.is_cancelled() {
                return Err(cancelled());
            }
            std::thread::sleep(FULL_WAIT);
        }
    }

    /// The way of records with a timestamp or headers of their own, which a batch call cannot carry.
    fn produce_one(
        &mut self,
        topic: &str,
        row: usize,
        rows: &SinkBatch<'_>,
    ) -> Result<(), ConnectorError> {
        let target = self.topics.get_mut(topic).expect("it was prepared");
        let partition = partition(
            self.spec.partitioner,
            target.partitions,
            &mut target.next,
            self.lane,
        );
        let timestamp = self.timestamp_column.and_then(|column| {
            let column = rows.columns[column].as_primitive::<TimestampMicrosecondType>();
            (!column.is_null(row)).then(|| column.value(row).div_euclid(1000))
        });
        let headers = self
            .headers_column
            .and_then(|column| headers(&rows.columns[column], row));
        let (keys, values) = (&self.records.keys, &self.records.values);
        let has_key = self.records.has_keys() && !keys.is_null(row);
        loop {
            let mut record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(topic);
            record.key = has_key.then(|| keys.row(row));
            record.payload = (!values.is_null(row)).then(|| values.row(row));
            record.timestamp = timestamp;
            record.headers.clone_from(&headers);
            if partition >= 0 {
                record.partition = Some(partition);
            }
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((error, _))
                    if error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull) =>
                {
                    if self.cancel.is_cancelled() {
                        return Err(cancelled());
                    }
                    std::thread::sleep(FULL_WAIT);
                }
                Err((error, _)) => {
                    return Err(failure(
                        &format!("write to topic '{topic}'"),
                        &self.spec.servers,
                        error,
                        &self.ear,
                    ));
                }
            }
        }
    }
}

impl SinkWriter for KafkaWriter {
    fn write(&mut self, rows: &SinkBatch<'_>) -> Result<Written, ConnectorError> {
        if self.spec.guarantee != DeliveryGuarantee::None {
            check_deliveries(&self.producer, &self.ear, &self.spec.servers)?;
        }
        self.records.encode(rows)?;
        for (topic, chosen) in self.route(rows)? {
            self.prepare_topic(&topic)?;
            self.produce(&topic, chosen.as_deref(), rows)?;
        }
        Ok(self.records.written(rows))
    }
}

fn cancelled() -> ConnectorError {
    ConnectorError::new(ErrorKind::Internal, Retry::Restart, "writing was cancelled")
}

/// Returns the partition of a record; -1 leaves it to the producer.
///
/// # Flink
/// `FlinkFixedPartitioner`: each sink subtask writes to the partition of its number, modulo the number of partitions.
fn partition(partitioner: Partitioner, partitions: i32, next: &mut i32, lane: u32) -> i32 {
    match partitioner {
        Partitioner::Default => -1,
        Partitioner::Fixed => i32::try_from(lane).unwrap_or(0) % partitions,
        Partitioner::RoundRobin => {
            *next = (*next + 1) % partitions;
            *next
        }
    }
}

fn headers(column: &ArrayRef, row: usize) -> Option<OwnedHeaders> {
    let map = column.as_map();
    if map.is_null(row) {
        return None;
    }
    let entries = map.value(row);
    let (names, values) = (
        entries.column(0).as_string_view(),
        entries.column(1).as_binary_view(),
    );
    let headers = (0..entries.len()).fold(OwnedHeaders::new(), |headers, index| {
        let value = (!values.is_null(index)).then(|| values.value(index));
        headers.insert(Header {
            key: names.value(index),
            value,
        })
    });
    Some(headers)
}
