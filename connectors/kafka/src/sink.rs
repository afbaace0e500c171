//! Writing: the validated sink, and the group of sinks that share a producer and its transaction.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use millrace_connector::sink::{
    CommitOutcome, CommitRole, Committable, Mark, SinkGroup, SinkWriter,
};
use millrace_connector::{
    ChangelogMode, ConnectorError, DeliveryGuarantee, Epoch, ErrorKind, LaneId, MetadataKey,
    OpenContext, Retry, SinkSpec,
};
use millrace_formats::FormatContext;
use millrace_kafka_wire::{Producer, ResponseError, WireError};

use crate::connector::{TableColumns, Topics, describe_formats};
use crate::encode::RecordEncoder;
use crate::format::Formats;
use crate::mark::MarkKeeper;
use crate::metadata;
use crate::properties::ClientProperties;
use crate::trouble::{is_fenced, producing, trouble};
use crate::writer::KafkaWriter;
use crate::writing::Writing;

/// How long a commit is asked again for a clear answer.
const COMMIT_PATIENCE: Duration = Duration::from_secs(120);
/// How long output may take to be acknowledged beyond the time after which the producer gives up on it.
const FLUSH_SLACK: Duration = Duration::from_secs(5);
/// How long fencing may take: brokers that just start answer late.
const FENCE_PATIENCE: Duration = Duration::from_secs(60);
/// How long throwing an epoch away may take; what is left open then, the next process aborts.
const ABORT_PATIENCE: Duration = Duration::from_secs(5);
/// How long a topic that is being made by the broker may take to appear.
const TOPIC_PATIENCE: Duration = Duration::from_secs(10);

/// How rows are spread over partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Partitioner {
    /// By the key's hash as Java's producer does; without a key sticky.
    Default,
    /// Each lane writes to one partition.
    Fixed,
    /// In turn.
    RoundRobin,
}

/// In the words of `sink.partitioner`.
impl fmt::Display for Partitioner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Default => "default",
            Self::Fixed => "fixed",
            Self::RoundRobin => "round-robin",
        })
    }
}

/// A validated sink.
#[derive(Clone, Debug)]
pub(crate) struct KafkaSinkSpec {
    pub(crate) table: String,
    pub(crate) servers: String,
    pub(crate) client: ClientProperties,
    pub(crate) writing: Writing,
    pub(crate) topics: Topics,
    pub(crate) columns: TableColumns,
    pub(crate) formats: Formats,
    pub(crate) guarantee: DeliveryGuarantee,
    pub(crate) prefix: String,
    pub(crate) partitioner: Partitioner,
    pub(crate) context: FormatContext,
    /// Whether the last record of a key stands for its row, and one without a value for none.
    pub(crate) is_upsert: bool,
}

impl SinkSpec for KafkaSinkSpec {
    fn metadata(&self) -> Vec<MetadataKey> {
        metadata::writable()
    }

    fn guarantee(&self) -> DeliveryGuarantee {
        self.guarantee
    }

    fn role(&self) -> CommitRole {
        if self.guarantee == DeliveryGuarantee::ExactlyOnce {
            CommitRole::Decides
        } else {
            CommitRole::Flushes
        }
    }

    fn changelog_mode(&self) -> ChangelogMode {
        if self.is_upsert {
            ChangelogMode::Upsert
        } else if self.formats.value.is_changelog {
            ChangelogMode::All
        } else {
            ChangelogMode::InsertOnly
        }
    }

    fn describe(&self) -> Vec<(String, String)> {
        vec![
            ("topics".into(), self.topics.list().join(", ")),
            ("brokers".into(), self.servers.clone()),
            ("format".into(), describe_formats(&self.formats)),
            ("partitioner".into(), self.partitioner.to_string()),
        ]
    }

    fn notes(&self) -> Vec<String> {
        self.client.notes.clone()
    }

    fn group_key(&self) -> String {
        if self.guarantee == DeliveryGuarantee::ExactlyOnce {
            let mut servers: Vec<&str> = self.servers.split(',').map(str::trim).collect();
            servers.sort_unstable();
            format!("kafka transactions on {}", servers.join(","))
        } else {
            format!("kafka table {}", self.table)
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn rehearsal(&self) -> Result<Option<Box<dyn SinkWriter>>, ConnectorError> {
        Ok(Some(Box::new(RecordEncoder::new(self)?)))
    }

    fn open_group(
        &self,
        members: &[&dyn SinkSpec],
        ctx: &OpenContext,
    ) -> Result<Box<dyn SinkGroup>, ConnectorError> {
        let members: Vec<Self> = members
            .iter()
            .map(|member| {
                member
                    .as_any()
                    .downcast_ref::<Self>()
                    .expect("a group has sinks of one connector")
                    .clone()
            })
            .collect();
        check_members(&members)?;
        Ok(Box::new(KafkaSinkGroup::new(members, ctx.clone())))
    }
}

/// One producer serves all members, so they must ask it for the same.
fn check_members(members: &[KafkaSinkSpec]) -> Result<(), ConnectorError> {
    let first = &members[0];
    for other in &members[1..] {
        let keys = first.client.values.keys().chain(other.client.values.keys());
        if let Some(key) = keys
            .into_iter()
            .find(|key| first.client.values.get(*key) != other.client.values.get(*key))
        {
            return Err(ConnectorError::new(
                ErrorKind::Config,
                Retry::Never,
                format!(
                    "'{}' and '{}' share one transaction but differ in the property behind '{key}'",
                    first.table, other.table
                ),
            )
            .help("give exactly-once tables on one cluster the same 'properties.*'"));
        }
    }
    Ok(())
}

struct KafkaSinkGroup {
    members: Vec<KafkaSinkSpec>,
    ctx: OpenContext,
    producer: Option<Arc<Producer>>,
    mark: Option<MarkKeeper>,
    open: bool,
}

impl KafkaSinkGroup {
    fn new(members: Vec<KafkaSinkSpec>, ctx: OpenContext) -> Self {
        Self {
            members,
            ctx,
            producer: None,
            mark: None,
            open: false,
        }
    }

    fn first(&self) -> &KafkaSinkSpec {
        &self.members[0]
    }

    fn is_transactional(&self) -> bool {
        self.first().guarantee == DeliveryGuarantee::ExactlyOnce
    }

    /// A function of prefix, pipeline, dataflow and slot, never of time or chance: the next process fences this one by it.
    fn transactional_id(&self) -> String {
        let prefix = self
            .members
            .iter()
            .map(|member| member.prefix.as_str())
            .min()
            .unwrap_or_default();
        format!(
            "{prefix}-{}-{}-{}",
            self.ctx.pipeline, self.ctx.dataflow, self.ctx.slot
        )
    }

    fn fail(&self, action: &str, error: WireError) -> ConnectorError {
        trouble(action, &self.first().servers, error)
    }

    fn producer(&self) -> &Arc<Producer> {
        self.producer.as_ref().expect("`fence` comes first")
    }

    /// Makes a producer of its own: of an old one records may still be under way.
    fn connect(&mut self) -> Result<(), ConnectorError> {
        self.producer = None;
        let id = self.is_transactional().then(|| self.transactional_id());
        let (settings, produce) = self.first().writing.open(&self.ctx, id);
        let producer = Producer::new(settings, produce)
            .map_err(|error| self.fail("make a Kafka producer", error))?;
        self.producer = Some(Arc::new(producer));
        let topics = self.members.iter().flat_map(|member| member.topics.list());
        topics
            .into_iter()
            .try_for_each(|topic| self.check_topic(topic))
    }

    /// Waits until the topic is there: brokers that make topics by themselves do so at the first question.
    fn check_topic(&self, topic: &str) -> Result<(), ConnectorError> {
        match self.producer().outlet(topic, TOPIC_PATIENCE) {
            Ok(_) => Ok(()),
            Err(WireError::Refused {
                code: ResponseError::UnknownTopicOrPartition,
                ..
            }) => Err(self.no_topic(topic)),
            Err(error) => Err(self.fail(&format!("write to topic '{topic}'"), error)),
        }
    }

    fn no_topic(&self, topic: &str) -> ConnectorError {
        ConnectorError::new(
            ErrorKind::Config,
            Retry::Never,
            format!(
                "topic '{topic}' does not exist on {}, and the broker does not make it",
                self.first().servers
            ),
        )
        .help(format!(
            "create it: kafka-topics.sh --create --topic {topic} --partitions 4 …"
        ))
    }
}

impl SinkGroup for KafkaSinkGroup {
    fn role(&self) -> CommitRole {
        self.first().role()
    }

    fn fence(&mut self) -> Result<(), ConnectorError> {
        self.connect()?;
        let action = if self.is_transactional() {
            "take over the Kafka transactions"
        } else {
            "become a producer"
        };
        self.producer()
            .init(FENCE_PATIENCE)
            .map_err(|error| self.fail(action, error))?;
        if self.is_transactional() && self.mark.is_none() {
            let topics = self.members.iter().flat_map(|member| member.topics.list());
            let topic = topics.min().expect("a sink table has a topic");
            let id = self.transactional_id();
            self.mark = Some(MarkKeeper::new(&self.first().servers, &id, topic));
        }
        Ok(())
    }

    fn read_mark(&mut self) -> Result<Option<Mark>, ConnectorError> {
        let mark = self.mark.as_ref().expect("`fence` comes first");
        mark.read(self.producer().cluster())
    }

    fn writer(
        &mut self,
        member: usize,
        lane: LaneId,
    ) -> Result<Box<dyn SinkWriter>, ConnectorError> {
        let writer = KafkaWriter::open(&self.members[member], self.producer(), &self.ctx, lane)?;
        Ok(Box::new(writer))
    }

    fn begin(&mut self, _epoch: Epoch) -> Result<(), ConnectorError> {
        if self.is_transactional() {
            self.producer()
                .begin()
                .map_err(|error| self.fail("begin a transaction", error))?;
            self.open = true;
        }
        Ok(())
    }

    fn prepare(&mut self, epoch: Epoch) -> Result<Committable, ConnectorError> {
        let first = self.first();
        let limit = first.writing.patience() + FLUSH_SLACK;
        match self.producer().flush(limit, &self.ctx.cancel) {
            // Whoever wants no guarantee is not told of what was lost on the way.
            Err(failure)
                if first.guarantee == DeliveryGuarantee::None && failure.partition.is_some() => {}
            Err(failure) => {
                let action = format!("flush the output of epoch {epoch}");
                return Err(producing(&action, &first.servers, failure));
            }
            Ok(()) => {}
        }
        Ok(Committable::default())
    }

    fn commit(
        &mut self,
        epoch: Epoch,
        _: &Committable,
        mark: &Mark,
    ) -> Result<CommitOutcome, ConnectorError> {
        if !self.is_transactional() {
            return Ok(CommitOutcome::Committed);
        }
        let keeper = self.mark.as_ref().expect("`fence` comes first");
        let offsets = [keeper.offset(mark)?];
        self.producer()
            .send_offsets(keeper.group(), &offsets, COMMIT_PATIENCE)
            .map_err(|error| self.fail(&format!("mark epoch {epoch}"), error))?;
        match self.producer().commit(COMMIT_PATIENCE) {
            Ok(()) => {
                self.open = false;
                Ok(CommitOutcome::Committed)
            }
            Err(error) if is_fenced(&error) => {
                self.open = false;
                Err(self.fail(&format!("commit epoch {epoch}"), error))
            }
            Err(error) => {
                tracing::warn!(%error, %epoch, "the commit got no clear answer; recovery will find out");
                Ok(CommitOutcome::Unknown)
            }
        }
    }

    fn discard(&mut self, _: Epoch, _: Option<&Committable>) -> Result<(), ConnectorError> {
        if !std::mem::take(&mut self.open) {
            return Ok(());
        }
        self.producer()
            .abort(ABORT_PATIENCE)
            .map_err(|error| self.fail("abort the transaction", error))
    }
}
