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
use millrace_kafka_wire::{At, Cluster, ResponseError, Topic, TopicPartition, WireError};
use parking_lot::Mutex;

use crate::connector::{TableColumns, Topics, describe_formats};
use crate::format::Formats;
use crate::metadata;
use crate::reader::KafkaReader;
use crate::reading::Reading;
use crate::splits::{position, read, split};
use crate::startup::{Bound, Reset, Startup};
use crate::trouble::trouble;

/// How long one question to the brokers may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(15);
/// How long the lag may take: it is asked for between two epochs.
const LAG_TIMEOUT: Duration = Duration::from_millis(500);
/// How long publishing offsets may take, for the same reason.
const PUBLISH_TIMEOUT: Duration = Duration::from_secs(2);
/// How often a topic is looked at that is just being made.
const MAKING_PAUSE: Duration = Duration::from_millis(100);

/// Where each partition ends, shared with the readers.
pub(crate) type Stops = Arc<Mutex<HashMap<TopicPartition, i64>>>;

/// A validated source.
#[derive(Clone, Debug)]
pub(crate) struct KafkaSourceSpec {
    pub(crate) table: String,
    pub(crate) servers: String,
    pub(crate) group: Option<String>,
    pub(crate) discovery: Option<Duration>,
    pub(crate) reading: Reading,
    /// What the user should be told of properties.
    pub(crate) notes: Vec<String>,
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
            ("starts at".into(), self.startup.to_string()),
            ("ends at".into(), self.bound.to_string()),
            (
                "reads".into(),
                if self.reading.read_committed() {
                    "committed records"
                } else {
                    "all records"
                }
                .into(),
            ),
        ]
    }

    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }

    fn open(
        &self,
        projection: &Projection,
        ctx: &OpenContext,
    ) -> Result<Box<dyn Source>, ConnectorError> {
        let (settings, _) = self.reading.open(ctx, "coordinator");
        let cluster = Cluster::new(settings, ctx.cancel.clone())
            .map_err(|error| trouble("make a Kafka consumer", &self.servers, error))?;
        Ok(Box::new(KafkaSource {
            spec: self.clone(),
            projection: projection.clone(),
            ctx: ctx.clone(),
            cluster,
            published: HashMap::new(),
            stops: Stops::default(),
            resolved_bound: HashMap::new(),
            first: true,
            resumes: false,
        }))
    }
}

struct KafkaSource {
    spec: KafkaSourceSpec,
    projection: Projection,
    ctx: OpenContext,
    cluster: Cluster,
    /// The offsets that the group has from us.
    published: HashMap<TopicPartition, i64>,
    stops: Stops,
    resolved_bound: HashMap<TopicPartition, i64>,
    first: bool,
    /// Whether the pipeline has read the table before.
    resumes: bool,
}

impl Source for KafkaSource {
    fn resume(&mut self) {
        self.resumes = true;
    }

    fn discover(&mut self, known: &Positions) -> Result<Vec<SplitStart>, ConnectorError> {
        let is_first = std::mem::take(&mut self.first);
        let mut partitions = self.partitions(is_first)?;
        if is_first && self.spec.bound != Bound::Unbounded {
            self.resolve_bound(&partitions)?;
        }
        partitions.retain(|partition| !known.contains_key(&split(partition)));
        if partitions.is_empty() {
            return Ok(Vec::new());
        }
        // What appears later has been empty until then.
        let startup = if is_first && known.is_empty() && !self.resumes {
            self.spec.startup.clone()
        } else {
            Startup::Earliest
        };
        let offsets = self.resolve(&startup, &partitions)?;
        Ok(offsets
            .into_iter()
            .map(|(partition, offset)| SplitStart {
                split: split(&partition),
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
        let Some(group) = &self.spec.group else {
            return Ok(());
        };
        let mut new = HashMap::new();
        for (id, position) in positions {
            let (partition, offset) = read(id, position)?;
            if self.published.get(&partition) != Some(&offset) {
                new.insert(partition, offset);
            }
        }
        if new.is_empty() {
            return Ok(());
        }
        self.cluster
            .commit(group, &new, PUBLISH_TIMEOUT)
            .map_err(|error| self.fail("publish offsets", error))?;
        self.published.extend(new);
        Ok(())
    }

    fn lag(&mut self, positions: &Positions) -> Option<u64> {
        let read = |(id, position)| read(id, position).ok();
        let positions: Vec<_> = positions.iter().map(read).collect::<Option<_>>()?;
        let is_open = |name: &TopicPartition| !self.resolved_bound.contains_key(name);
        let names = positions.iter().map(|(name, _)| name);
        let open: Vec<_> = names.filter(|name| is_open(name)).cloned().collect();
        let mut ends = self.resolved_bound.clone();
        if !open.is_empty() {
            let committed = self.spec.reading.read_committed();
            let found = self
                .cluster
                .list_offsets(&open, At::Latest, committed, LAG_TIMEOUT);
            let found = found.ok()?.into_iter();
            ends.extend(found.filter_map(|(name, end)| Some((name, end?))));
        }
        let behind = |(name, offset): &(TopicPartition, i64)| {
            let end = ends.get(name)?;
            Some(u64::try_from(end - offset).unwrap_or(0))
        };
        positions.iter().map(behind).sum()
    }
}

impl KafkaSource {
    fn fail(&self, action: &str, error: WireError) -> ConnectorError {
        trouble(action, &self.spec.servers, error)
    }

    /// Returns the partitions of the table's topics.
    fn partitions(&self, must_exist: bool) -> Result<Vec<TopicPartition>, ConnectorError> {
        let mut partitions = Vec::new();
        match &self.spec.topics {
            Topics::List(topics) => {
                for topic in self.look_up(topics)? {
                    self.topic_partitions(&topic, must_exist, &mut partitions)?;
                }
            }
            Topics::Pattern(pattern) => {
                let topics = self
                    .cluster
                    .topics(None, CALL_TIMEOUT)
                    .map_err(|error| self.fail("list the topics", error))?;
                for topic in topics.iter().filter(|topic| pattern.is_match(&topic.name)) {
                    partitions.extend(partitions_of(topic));
                }
                if partitions.is_empty() && must_exist {
                    tracing::warn!(table = self.spec.table, %pattern, "no topic matches yet");
                }
            }
        }
        partitions.sort_unstable();
        Ok(partitions)
    }

    /// Asks for topics; for one that is just being made, until it is there.
    fn look_up(&self, names: &[String]) -> Result<Vec<Topic>, ConnectorError> {
        let deadline = std::time::Instant::now() + CALL_TIMEOUT;
        loop {
            let topics = self.cluster.topics(Some(names), CALL_TIMEOUT);
            let topics = topics.map_err(|error| {
                self.fail(&format!("look up topic '{}'", names.join("', '")), error)
            })?;
            let being_made = Some(ResponseError::LeaderNotAvailable);
            let is_late = std::time::Instant::now() >= deadline || self.ctx.cancel.is_cancelled();
            if is_late || topics.iter().all(|topic| topic.error != being_made) {
                return Ok(topics);
            }
            std::thread::sleep(MAKING_PAUSE);
        }
    }

    fn topic_partitions(
        &self,
        topic: &Topic,
        must_exist: bool,
        partitions: &mut Vec<TopicPartition>,
    ) -> Result<(), ConnectorError> {
        let name = &topic.name;
        match topic.error {
            None if !topic.partitions.is_empty() => {
                partitions.extend(partitions_of(topic));
                Ok(())
            }
            Some(code) if code != ResponseError::UnknownTopicOrPartition => {
                let what = format!("read topic '{name}'");
                Err(self.fail(&what, WireError::Refused { what: what.clone(), code }))
            }
            _ if must_exist => Err(ConnectorError::new(
                ErrorKind::Config,
                Retry::Never,
                format!("topic '{name}' does not exist on {}", self.spec.servers),
            )
            .help(format!("create it (kafka-topics.sh --create --topic {name} --partitions 4 …) or correct the option 'topic'"))),
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
            Startup::Earliest => self.ends(partitions, At::Earliest),
            Startup::Latest => self.ends(partitions, At::Latest),
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

    /// Returns the first or the next offset of each partition.
    fn ends(
        &self,
        partitions: &[TopicPartition],
        at: At,
    ) -> Result<BTreeMap<TopicPartition, i64>, ConnectorError> {
        let found = self.list_offsets(partitions, at)?;
        let known = found.into_iter();
        Ok(known
            .filter_map(|(name, offset)| Some((name, offset?)))
            .collect())
    }

    fn list_offsets(
        &self,
        partitions: &[TopicPartition],
        at: At,
    ) -> Result<BTreeMap<TopicPartition, Option<i64>>, ConnectorError> {
        if partitions.is_empty() {
            return Ok(BTreeMap::new());
        }
        let committed = self.spec.reading.read_committed();
        self.cluster
            .list_offsets(partitions, at, committed, CALL_TIMEOUT)
            .map_err(|error| self.fail("ask for the offsets of partitions", error))
    }

    fn group_offsets(
        &self,
        partitions: &[TopicPartition],
        reset: Reset,
    ) -> Result<BTreeMap<TopicPartition, i64>, ConnectorError> {
        let own = || format!("millrace-{}-{}", self.ctx.pipeline, self.spec.table);
        let group = self.spec.group.clone().unwrap_or_else(own);
        let committed = self
            .cluster
            .committed(&group, partitions, CALL_TIMEOUT)
            .map_err(|error| self.fail("read the group's offsets", error))?;
        let mut found = BTreeMap::new();
        let mut missing = Vec::new();
        for partition in partitions {
            match committed.get(partition).and_then(Option::as_ref) {
                Some(committed) => drop(found.insert(partition.clone(), committed.offset)),
                None => missing.push(partition.clone()),
            }
        }
        if missing.is_empty() {
            return Ok(found);
        }
        match reset {
            Reset::Earliest => found.extend(self.ends(&missing, At::Earliest)?),
            Reset::Latest => found.extend(self.ends(&missing, At::Latest)?),
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
        let mut found = BTreeMap::new();
        let mut past_end = Vec::new();
        for (partition, offset) in self.list_offsets(partitions, At::Time(at))? {
            match offset {
                Some(offset) => drop(found.insert(partition, offset)),
                None => past_end.push(partition),
            }
        }
        found.extend(self.ends(&past_end, At::Latest)?);
        Ok(found)
    }
}

fn partitions_of(topic: &Topic) -> impl Iterator<Item = TopicPartition> {
    topic.partitions.iter().map(|partition| TopicPartition {
        topic: topic.name.clone(),
        partition: partition.id,
    })
}
