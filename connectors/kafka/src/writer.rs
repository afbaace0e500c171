//! The writer of one lane: encodes a batch, appends its rows to the batches of their partitions.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array, ArrayRef};
use millrace_connector::sink::{SinkBatch, SinkWriter, Written};
use millrace_connector::{
    Cancel, ConnectorError, DeliveryGuarantee, ErrorKind, LaneId, OpenContext, Retry,
};
use millrace_kafka_wire::{Header, NewRecord, Outlet, Producer, Sticky, WireError};

use crate::encode::RecordEncoder;
use crate::metadata::Metadata;
use crate::sink::{KafkaSinkSpec, Partitioner};
use crate::trouble::{producing, trouble};

/// How many topics one table may route rows to.
const TOPICS_MAX: usize = 10_000;
/// How long a topic's number of partitions may take to look up.
const LOOK_UP_TIMEOUT: Duration = Duration::from_secs(15);

pub(crate) struct KafkaWriter {
    spec: KafkaSinkSpec,
    producer: Arc<Producer>,
    cancel: Cancel,
    lane: usize,
    records: RecordEncoder,
    topic_column: Option<usize>,
    timestamp_column: Option<usize>,
    headers_column: Option<usize>,
    topics: HashMap<String, Topic>,
}

/// A topic and the rows that go to it; `None` = all rows.
type Route = (String, Option<Vec<usize>>);

struct Topic {
    outlet: Outlet,
    sticky: Sticky,
    next: usize,
    /// The rows of each partition, used again for each batch.
    parts: Vec<Vec<usize>>,
}

/// What becomes of a batch's rows as records.
struct Records<'a> {
    encoded: &'a RecordEncoder,
    now: i64,
    timestamps: Option<&'a ArrayRef>,
    /// The headers of each row; none where the table has no column of them.
    headers: Vec<Vec<Header<'a>>>,
}

impl KafkaWriter {
    pub(crate) fn open(
        spec: &KafkaSinkSpec,
        producer: &Arc<Producer>,
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
            cancel: ctx.cancel.clone(),
            lane: lane.0 as usize,
            topics: HashMap::new(),
        })
    }

    /// Looks a topic up once; later rows find it in the map.
    fn prepare_topic(&mut self, name: &str) -> Result<(), ConnectorError> {
        if let Some(topic) = self.topics.get_mut(name) {
            topic.outlet.refresh(LOOK_UP_TIMEOUT);
            return Ok(());
        }
        self.check_routed(name)?;
        let outlet = self
            .producer
            .outlet(name, LOOK_UP_TIMEOUT)
            .map_err(|error| {
                let action = format!("look up topic '{name}'");
                trouble(&action, &self.spec.servers, error)
            })?;
        self.topics.insert(
            name.to_owned(),
            Topic {
                outlet,
                sticky: Sticky::default(),
                next: 0,
                parts: Vec::new(),
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

    /// # Flink
    /// `ProducerRecord` takes no timestamp below 0, and the job fails.
    fn check_timestamps(&self, rows: &SinkBatch<'_>) -> Result<(), ConnectorError> {
        let Some(column) = self.timestamp_column else {
            return Ok(());
        };
        let column = rows.columns[column].as_primitive::<TimestampMicrosecondType>();
        let is_early = |micros: &i64| micros.div_euclid(1000) < 0;
        let Some(micros) = column.iter().flatten().find(is_early) else {
            return Ok(());
        };
        let message = format!(
            "cannot write a row to '{}': invalid timestamp: {}. Timestamp should always be non-negative or null.",
            self.spec.table,
            micros.div_euclid(1000)
        );
        Err(ConnectorError::new(ErrorKind::Data, Retry::Never, message)
            .help("leave such rows out, or write NULL: the record then gets the time at which it is written"))
    }

    fn produce(
        &mut self,
        topic: &str,
        chosen: Option<&[usize]>,
        rows: &SinkBatch<'_>,
    ) -> Result<(), ConnectorError> {
        let target = self.topics.get_mut(topic).expect("it was prepared");
        let records = Records {
            encoded: &self.records,
            now: now(),
            timestamps: self.timestamp_column.map(|column| &rows.columns[column]),
            headers: match self.headers_column {
                Some(column) => headers(&rows.columns[column]),
                None => Vec::new(),
            },
        };
        let spread = (self.spec.partitioner, self.lane);
        let outcome = match chosen {
            Some(chosen) => target.write(spread, &records, chosen.iter().copied(), &self.cancel),
            None => target.write(spread, &records, 0..rows.rows, &self.cancel),
        };
        outcome.map_err(|error| match error {
            WireError::Cancelled => cancelled(),
            error => {
                let action = format!("write to topic '{topic}'");
                trouble(&action, &self.spec.servers, error)
            }
        })
    }
}

impl Topic {
    /// Appends rows to the batches of their partitions.
    ///
    /// # Flink
    /// `FlinkFixedPartitioner`: each sink subtask writes to the partition of its number, modulo the number of partitions.
    fn write(
        &mut self,
        (partitioner, lane): (Partitioner, usize),
        records: &Records<'_>,
        rows: impl Iterator<Item = usize> + Clone,
        cancel: &Cancel,
    ) -> Result<(), WireError> {
        let outlet = &self.outlet;
        let partitions = outlet.partitions();
        match partitioner {
            Partitioner::Fixed => {
                let rows = rows.map(|row| records.get(row));
                outlet.append(lane % partitions, rows, cancel)
            }
            Partitioner::Default if !records.encoded.has_keys() => {
                let rows = rows.map(|row| records.get(row));
                outlet.append_sticky(&mut self.sticky, rows, cancel)
            }
            Partitioner::Default | Partitioner::RoundRobin => {
                self.parts.resize_with(partitions, Vec::new);
                for row in rows {
                    let key = records
                        .key(row)
                        .filter(|_| partitioner == Partitioner::Default);
                    let partition = key.map_or_else(
                        || {
                            self.next = (self.next + 1) % partitions;
                            self.next
                        },
                        |key| outlet.partition_of(key),
                    );
                    self.parts[partition].push(row);
                }
                for (partition, rows) in self.parts.iter_mut().enumerate() {
                    let records = rows.drain(..).map(|row| records.get(row));
                    outlet.append(partition, records, cancel)?;
                }
                Ok(())
            }
        }
    }
}

impl<'a> Records<'a> {
    fn key(&self, row: usize) -> Option<&'a [u8]> {
        let keys = &self.encoded.keys;
        (self.encoded.has_keys() && !keys.is_null(row)).then(|| keys.row(row))
    }

    fn get<'b>(&'b self, row: usize) -> NewRecord<'b> {
        let values = &self.encoded.values;
        let timestamp = self.timestamps.and_then(|column| {
            let column = column.as_primitive::<TimestampMicrosecondType>();
            (!column.is_null(row)).then(|| column.value(row).div_euclid(1000))
        });
        NewRecord {
            key: self.key(row),
            value: (!values.is_null(row)).then(|| values.row(row)),
            timestamp: timestamp.unwrap_or(self.now),
            headers: self.headers.get(row).map_or(&[], Vec::as_slice),
        }
    }
}

impl SinkWriter for KafkaWriter {
    fn write(&mut self, rows: &SinkBatch<'_>) -> Result<Written, ConnectorError> {
        if self.spec.guarantee != DeliveryGuarantee::None
            && let Some(failure) = self.producer.take_failure()
        {
            return Err(producing("write", &self.spec.servers, failure));
        }
        self.records.encode(rows)?;
        self.check_timestamps(rows)?;
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

/// Returns the milliseconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}

/// Returns the headers of each row.
///
/// # Flink
/// `KafkaDynamicSink.WritableMetadata.HEADERS`: an entry without a key or a value is no header.
fn headers(column: &ArrayRef) -> Vec<Vec<Header<'_>>> {
    let map = column.as_map();
    let (names, values) = (map.keys().as_string_view(), map.values().as_binary_view());
    let offsets = map.value_offsets();
    (0..map.len())
        .map(|row| {
            if map.is_null(row) {
                return Vec::new();
            }
            let entries = offsets[row] as usize..offsets[row + 1] as usize;
            entries
                .filter(|at| !values.is_null(*at))
                .map(|at| (names.value(at).as_bytes(), Some(values.value(at))))
                .collect()
        })
        .collect()
}
