//! Reading: the validated source, its partitions, and where each begins and ends.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use millrace_connector::source::{Source, SplitReader, SplitStart};
use millrace_connector::{
    ChangelogMode, ConnectorError, ErrorKind, LaneId, MetadataKey, OpenContext, Positions,
    Projection, Retry, SourceSpec,
};
use millrace_formats::FormatContext;
use parking_lot::Mutex;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};

use crate::client::{Ear, config, failure};
use crate::connector::{TableColumns, Topics, describe_formats};
use crate::format::Formats;
use crate::metadata;
use crate::properties::ClientProperties;
use crate::reader::KafkaReader;
use crate::splits::{TopicPartition, position, read};
use crate::startup::{Bound, Reset, Startup};

/// How long one question to the brokers may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(15);
/// How long the lag may take: it is asked for between two epochs.
const LAG_TIMEOUT: Duration = Duration::from_millis(500);
/// The most that one fetch brings of one partition and in all, whatever the user asks for: librdkafka unpacks the whole answer of a
/// partition before it hands over the first record, so large answers delay the first row and fill memory. A single larger
/// record still arrives: a broker always sends at least one batch.
const PARTITION_FETCH_BYTES_MAX: u64 = 2 << 20;
const FETCH_BYTES_MAX: u64 = 16 << 20;
/// What one fetch brings of one partition where the user says nothing, as Java's consumer has it.
const PARTITION_FETCH_BYTES: u64 = 1 << 20;

/// Where each partition ends, shared with the readers.
pub(crate) type Stops = Arc<Mutex<HashMap<TopicPartition, i64>>>;

/// A validated source.
#[derive(Clone, Debug)]
pub(crate) struct KafkaSourceSpec {
    pub(crate) table: String,
    pub(crate) servers: String,
    pub(crate) group: Option<String>,
    pub(crate) read_committed: bool,
    pub(crate) discovery: Option<Duration>,
    pub(crate) client: ClientProperties,
    pub(crate) topics: Topics,
    pub(crate) startup: Startup,
    pub(crate) bound: Bound,
    pub(crate) columns: TableColumns,
    pub(crate) formats: Formats,
    pub(crate) context: FormatContext,
}

impl SourceSpec for KafkaSourceSpec {
    fn metadata(&self) -> Vec<MetadataKey> {
        metadata::readable()
    }

    fn is_bounded(&self) -> bool {
        self.bound != Bound::Unbounded
    }

    fn changelog_mode(&self) -> ChangelogMode {
        if self.formats.value.is_changelog {
            ChangelogMode::All
        } else {
            ChangelogMode::InsertOnly
        }
    }

    fn describe(&self) -> Vec<(String, String)> {
        let topics = match &self.topics {
            Topics::List(topics) => topics.join(", "),
            Topics::Pattern(pattern) => format!("all that match {pattern}"),
        };
        vec![
            ("topics".into(), topics),
            ("brokers".into(), self.servers.clone()),
            ("format".into(), describe_formats(&self.formats)),
            ("starts at".into(), format!("{:?}", self.startup)),
            ("ends at".into(), format!("{:?}", self.bound)),
            (
                "reads".into(),
                if self.read_committed {
                    "committed records"
                } else {
                    "all records"
                }
                .into(),
            ),
        ]
    }

    fn notes(&self) -> Vec<String> {
        self.client.notes.clone()
    }

    fn open(
        &self,
        projection: &Projection,
        ctx: &OpenContext,
    ) -> Result<Box<dyn Source>, ConnectorError> {
        let ear = Ear::default();
        let consumer: BaseConsumer<Ear> =
            config(&self.client.values, &self.settings(ctx, "coordinator"))
                .create_with_context(ear.clone())
                .map_err(|error| failure("make a Kafka consumer", &self.servers, error, &ear))?;
        Ok(Box::new(KafkaSource {
            spec: self.clone(),
            projection: projection.clone(),
            ctx: ctx.clone(),
            consumer,
            ear,
            stops: Stops::default(),
            resolved_bound: HashMap::new(),
            first: true,
        }))
    }
}

impl KafkaSourceSpec {
    /// Returns what the engine sets, over the user's properties.
    pub(crate) fn settings(&self, ctx: &OpenContext, role: &str) -> Vec<(&'static str, String)> {
        let bytes = |key: &str| {
            self.client
                .values
                .get(key)
                .and_then(|text| text.parse::<u64>().ok())
        };
        let partition_bytes = bytes("max.partition.fetch.bytes")
            .unwrap_or(PARTITION_FETCH_BYTES)
            .min(PARTITION_FETCH_BYTES_MAX);
        let fetch_bytes = bytes("fetch.max.bytes")
            .unwrap_or(FETCH_BYTES_MAX)
            .min(FETCH_BYTES_MAX)
            .min(ctx.buffer_bytes_max.max(1 << 20));
        let group = self
            .group
            .clone()
            .unwrap_or_else(|| format!("millrace-{}-{}", ctx.pipeline, self.table));
        let client_id = self
            .client
            .values
            .get("client.id")
            .cloned()
            .unwrap_or_else(|| ctx.pipeline.clone());
        let mut settings = vec![
            ("group.id", group),
            ("client.id", format!("{client_id}-{role}")),
            ("enable.auto.commit", "false".into()),
            ("enable.auto.offset.store", "false".into()),
            ("enable.partition.eof", "true".into()),
            ("auto.offset.reset", "error".into()),
            ("max.partition.fetch.bytes", partition_bytes.to_string()),
            (
                "fetch.max.bytes",
                fetch_bytes.max(partition_bytes).to_string(),
            ),
            (
                "message.max.bytes",
                partition_bytes.max(1 << 20).to_string(),
            ),
            ("receive.message.max.bytes", (256_u64 << 20).to_string()),
            (
                "queued.max.messages.kbytes",
                (ctx.buffer_bytes_max / 1024).max(1024).to_string(),
            ),
            ("queued.min.messages", "1000000".into()),
            // The default of a second starves a lane whenever the queue was full.
            ("fetch.queue.backoff.ms", "2".into()),
        ];
        // Kafka's Java consumer reads uncommitted records unless told otherwise; librdkafka does the opposite.
        let isolation = if self.read_committed {
            "read_committed"
        } else {
            "read_uncommitted"
        };
        settings.push(("isolation.level", isolation.into()));
        settings
    }
}

struct KafkaSource {
    spec: KafkaSourceSpec,
    projection: Projection,
    ctx: OpenContext,
    consumer: BaseConsumer<Ear>,
    ear: Ear,
    stops: Stops,
    resolved_bound: HashMap<TopicPartition, i64>,
    first: bool,
}

impl Source for KafkaSource {
    fn discover(&mut self, known: &Positions) -> Result<Vec<SplitStart>, ConnectorError> {
        let is_first = std::mem::take(&mut self.first);
        let mut partitions = self.partitions(is_first)?;
        if is_first && self.spec.bound != Bound::Unbounded {
            self.resolve_bound(&partitions)?;
        }
        partitions.retain(|partition| !known.contains_key(&partition.id()));
        if partitions.is_empty() {
            return Ok(Vec::new());
        }
        // What appears later has been empty until then.
        let startup = if is_first && known.is_empty() {
            self.spec.startup.clone()
        } else {
            Startup::Earliest
        };
        let offsets = self.resolve(&startup, &partitions)?;
        Ok(offsets
            .into_iter()
            .map(|(partition, offset)| SplitStart {
                split: partition.id(),
                position: position(offset),
            })
            .collect())
    }

    fn discovery_interval(&self) -> Option<Duration> {
        self.spec
            .discovery
            .filter(|_| self.spec.bound == Bound::Unbounded)
    }

    fn reader(&mut self, lane: LaneId) -> Result<Box<dyn SplitReader>, ConnectorError> {
        KafkaReader::open(
            &self.spec,
            &self.projection,
            &self.ctx,
            lane,
            Arc::clone(&self.stops),
        )
        .map(|reader| Box::new(reader) as Box<dyn SplitReader>)
    }

    fn stop_at(&mut self, ends: &Positions) -> Result<(), ConnectorError> {
        let stops = ends
            .iter()
            .map(|(id, position)| read(id, position))
            .collect::<Result<Vec<_>, _>>()?;
        self.stops.lock().extend(stops);
        Ok(())
    }

    fn publish(&mut self, positions: &Positions) -> Result<(), ConnectorError> {
        if self.spec.group.is_none() {
            return Ok(());
        }
        let mut list = TopicPartitionList::new();
        for (id, position) in positions {
            let (partition, offset) = read(id, position)?;
            list.add_partition_offset(
                &partition.topic,
                partition.partition,
                Offset::Offset(offset),
            )
            .map_err(|error| self.fail("publish offsets", error))?;
        }
        self.consumer
            .commit(&list, CommitMode::Async)
            .map_err(|error| self.fail("publish offsets", error))?;
        // Serves the answers of earlier calls.
        drop(self.consumer.poll(Duration::ZERO));
        Ok(())
    }

    fn lag(&mut self, positions: &Positions) -> Option<u64> {
        let mut lag = 0;
        for (id, position) in positions {
            let (partition, offset) = read(id, position).ok()?;
            let end = match self.resolved_bound.get(&partition) {
                Some(end) => *end,
                None => {
                    let found = self.consumer.fetch_watermarks(
                        &partition.topic,
                        partition.partition,
                        LAG_TIMEOUT,
                    );
                    found.ok()?.1
                }
            };
            lag += u64::try_from(end - offset).unwrap_or(0);
        }
        Some(lag)
    }
}

impl KafkaSource {
    fn fail(&self, action: &str, error: KafkaError) -> ConnectorError {
        // Connection errors wait in the queue until somebody polls.
        for _ in 0..8 {
            drop(self.consumer.poll(Duration::ZERO));
        }
        failure(action, &self.spec.servers, error, &self.ear)
    }

    /// Returns the partitions of the table's topics.
    fn partitions(&self, must_exist: bool) -> Result<Vec<TopicPartition>, ConnectorError> {
        let mut partitions = Vec::new();
        match &self.spec.topics {
            Topics::List(topics) => {
                for topic in topics {
                    self.topic_partitions(topic, must_exist, &mut partitions)?;
                }
            }
            Topics::Pattern(pattern) => {
                let metadata = self
                    .consumer
                    .fetch_metadata(None, CALL_TIMEOUT)
                    .map_err(|error| self.fail("list the topics", error))?;
                for topic in metadata
                    .topics()
                    .iter()
                    .filter(|topic| pattern.is_match(topic.name()))
                {
                    partitions.extend(topic.partitions().iter().map(|partition| TopicPartition {
                        topic: topic.name().to_owned(),
                        partition: partition.id(),
                    }));
                }
                if partitions.is_empty() && must_exist {
                    tracing::warn!(table = self.spec.table, %pattern, "no topic matches yet");
                }
            }
        }
        partitions.sort_unstable();
        Ok(partitions)
    }

    fn topic_partitions(
        &self,
        topic: &str,
        must_exist: bool,
        partitions: &mut Vec<TopicPartition>,
    ) -> Result<(), ConnectorError> {
        let metadata = self
            .consumer
            .fetch_metadata(Some(topic), CALL_TIMEOUT)
            .map_err(|error| self.fail(&format!("look up topic '{topic}'"), error))?;
        let found = metadata.topics().iter().find(|found| found.name() == topic);
        let code = found
            .and_then(|found| found.error())
            .map(RDKafkaErrorCode::from);
        match (found, code) {
            (Some(found), None) if !found.partitions().is_empty() => {
                let of = |id| TopicPartition { topic: topic.to_owned(), partition: id };
                partitions.extend(found.partitions().iter().map(|partition| of(partition.id())));
                Ok(())
            }
            (_, Some(code)) if code != RDKafkaErrorCode::UnknownTopicOrPartition => {
                Err(self.fail(&format!("read topic '{topic}'"), KafkaError::MetadataFetch(code)))
            }
            _ if must_exist => Err(ConnectorError::new(
                ErrorKind::Config,
                Retry::Never,
                format!("topic '{topic}' does not exist on {}", self.spec.servers),
            )
            .help(format!("create it (kafka-topics.sh --create --topic {topic} --partitions 4 …) or correct the option 'topic'"))),
            _ => Ok(()),
        }
    }

    fn resolve_bound(&mut self, partitions: &[TopicPartition]) -> Result<(), ConnectorError> {
        let startup = match &self.spec.bound {
            Bound::Unbounded => return Ok(()),
            Bound::Latest => Startup::Latest,
            Bound::Group => Startup::Group { reset: Reset::Fail },
            Bound::Timestamp(at) => Startup::Timestamp(*at),
            Bound::Specific(offsets) => Startup::Specific(offsets.clone()),
        };
        self.resolved_bound = self.resolve(&startup, partitions)?.into_iter().collect();
        self.stops.lock().extend(self.resolved_bound.clone());
        Ok(())
    }

    fn resolve(
        &self,
        startup: &Startup,
        partitions: &[TopicPartition],
    ) -> Result<BTreeMap<TopicPartition, i64>, ConnectorError> {
        match startup {
            Startup::Earliest => self.watermarks(partitions, |(low, _)| low),
            Startup::Latest => self.watermarks(partitions, |(_, high)| high),
            Startup::Group { reset } => self.group_offsets(partitions, *reset),
            Startup::Timestamp(at) => self.offsets_at(partitions, *at),
            Startup::Specific(offsets) => {
                let (named, others): (Vec<_>, Vec<_>) = partitions
                    .iter()
                    .cloned()
                    .partition(|partition| offsets.contains_key(&partition.partition));
                // A partition that is not named follows the group, as in Flink.
                let mut found = if others.is_empty() {
                    BTreeMap::new()
                } else {
                    self.group_offsets(&others, Reset::Earliest)?
                };
                found.extend(named.into_iter().map(|partition| {
                    let offset = offsets[&partition.partition];
                    (partition, offset)
                }));
                Ok(found)
            }
        }
    }

    fn watermarks(
        &self,
        partitions: &[TopicPartition],
        pick: impl Fn((i64, i64)) -> i64,
    ) -> Result<BTreeMap<TopicPartition, i64>, ConnectorError> {
        let mut found = BTreeMap::new();
        for partition in partitions {
            let marks = self
                .consumer
                .fetch_watermarks(&partition.topic, partition.partition, CALL_TIMEOUT)
                .map_err(|error| {
                    self.fail(&format!("ask for the offsets of {partition}"), error)
                })?;
            found.insert(partition.clone(), pick(marks));
        }
        Ok(found)
    }

    fn group_offsets(
        &self,
        partitions: &[TopicPartition],
        reset: Reset,
    ) -> Result<BTreeMap<TopicPartition, i64>, ConnectorError> {
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            list.add_partition(&partition.topic, partition.partition);
        }
        let committed = self
            .consumer
            .committed_offsets(list, CALL_TIMEOUT)
            .map_err(|error| self.fail("read the group's offsets", error))?;
        let mut found = BTreeMap::new();
        let mut missing = Vec::new();
        for element in committed.elements() {
            let partition = TopicPartition {
                topic: element.topic().to_owned(),
                partition: element.partition(),
            };
            match element.offset() {
                Offset::Offset(offset) => drop(found.insert(partition, offset)),
                _ => missing.push(partition),
            }
        }
        if missing.is_empty() {
            return Ok(found);
        }
        match reset {
            Reset::Earliest => found.extend(self.watermarks(&missing, |(low, _)| low)?),
            Reset::Latest => found.extend(self.watermarks(&missing, |(_, high)| high)?),
            Reset::Fail => return Err(self.no_group_offset(&missing[0])),
        }
        Ok(found)
    }

    fn no_group_offset(&self, partition: &TopicPartition) -> ConnectorError {
        let group = self.spec.group.as_deref().unwrap_or_default();
        ConnectorError::new(
            ErrorKind::Config,
            Retry::Never,
            format!("group '{group}' has no committed offset for {partition}, so 'group-offsets' has nowhere to start"),
        )
        .help("say where a first start begins: 'properties.auto.offset.reset' = 'earliest' (or 'latest'), or another 'scan.startup.mode'")
    }

    fn offsets_at(
        &self,
        partitions: &[TopicPartition],
        at: i64,
    ) -> Result<BTreeMap<TopicPartition, i64>, ConnectorError> {
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            list.add_partition_offset(&partition.topic, partition.partition, Offset::Offset(at))
                .map_err(|error| self.fail("ask for offsets by time", error))?;
        }
        let times = self
            .consumer
            .offsets_for_times(list, CALL_TIMEOUT)
            .map_err(|error| self.fail("ask for offsets by time", error))?;
        let mut found = BTreeMap::new();
        let mut past_end = Vec::new();
        for element in times.elements() {
            let partition = TopicPartition {
                topic: element.topic().to_owned(),
                partition: element.partition(),
            };
            match element.offset() {
                Offset::Offset(offset) => drop(found.insert(partition, offset)),
                _ => past_end.push(partition),
            }
        }
        found.extend(self.watermarks(&past_end, |(_, high)| high)?);
        Ok(found)
    }
}
