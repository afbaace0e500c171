//! Writing: the validated sink, and the group of sinks that share a producer and its transaction.

use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};

use millrace_connector::sink::{
    CommitOutcome, CommitRole, Committable, Mark, SinkGroup, SinkWriter,
};
use millrace_connector::{
    Cancel, ChangelogMode, ConnectorError, DeliveryGuarantee, Epoch, ErrorKind, LaneId,
    MetadataKey, OpenContext, Retry, SinkSpec,
};
use millrace_formats::FormatContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{Producer, ThreadedProducer};

use crate::client::{Ear, config, failure};
use crate::connector::{TableColumns, Topics, describe_formats};
use crate::encode::RecordEncoder;
use crate::format::Formats;
use crate::mark::MarkKeeper;
use crate::metadata;
use crate::properties::ClientProperties;
use crate::writer::KafkaWriter;

/// How long a transactional call may take before it is asked again.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a commit is asked again for a clear answer.
const COMMIT_PATIENCE: Duration = Duration::from_secs(120);
/// How long all output of an epoch may take to be acknowledged.
const FLUSH_PATIENCE: Duration = Duration::from_secs(120);
/// How long fencing may take: brokers that just start answer late.
const FENCE_PATIENCE: Duration = Duration::from_secs(60);
/// How long a topic that is being made by the broker may take to appear.
const TOPIC_PATIENCE: Duration = Duration::from_secs(10);
/// A transaction that lost its process is aborted by the broker after this long; readers of committed records wait for it.
const TRANSACTION_TIMEOUT_MS: u64 = 600_000;
/// Bound on the producer's queue: what is queued must be flushed at the barrier.
const QUEUE_BYTES_MAX: u64 = 64 << 20;

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

/// A validated sink.
#[derive(Clone, Debug)]
pub(crate) struct KafkaSinkSpec {
    pub(crate) table: String,
    pub(crate) servers: String,
    pub(crate) client: ClientProperties,
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

impl KafkaSinkSpec {
    /// Tells whether records of a key must stay in their order through every failure, as changes must; the user may
    /// have asked for less.
    fn needs_order(&self) -> bool {
        let values = &self.client.values;
        let waits_for_all = values
            .get("acks")
            .is_none_or(|acks| acks == "all" || acks == "-1");
        let asked = ["max.in.flight.requests.per.connection", "retries"];
        self.changelog_mode() != ChangelogMode::InsertOnly
            && waits_for_all
            && !asked.iter().any(|key| values.contains_key(*key))
    }
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
            ("partitioner".into(), format!("{:?}", self.partitioner)),
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

/// A producer with its poll thread.
pub(crate) type SharedProducer = Arc<ThreadedProducer<Ear>>;

struct KafkaSinkGroup {
    members: Vec<KafkaSinkSpec>,
    ctx: OpenContext,
    producer: Option<SharedProducer>,
    ear: Ear,
    mark: Option<MarkKeeper>,
    open: bool,
}

impl KafkaSinkGroup {
    fn new(members: Vec<KafkaSinkSpec>, ctx: OpenContext) -> Self {
        Self {
            members,
            ctx,
            producer: None,
            ear: Ear::default(),
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

    fn fail(&self, action: &str, error: KafkaError) -> ConnectorError {
        failure(action, &self.first().servers, error, &self.ear)
    }

    fn producer(&self) -> &SharedProducer {
        self.producer.as_ref().expect("`fence` comes first")
    }

    fn settings(&self) -> Vec<(&'static str, String)> {
        let values = &self.first().client.values;
        let queue = self.ctx.buffer_bytes_max.min(QUEUE_BYTES_MAX);
        let asked = values
            .get("queue.buffering.max.kbytes")
            .and_then(|text| text.parse::<u64>().ok());
        let kilobytes = asked.unwrap_or(u64::MAX).min(queue / 1024).max(1024);
        let mut settings = vec![
            ("queue.buffering.max.kbytes", kilobytes.to_string()),
            ("queue.buffering.max.messages", "2000000".into()),
            // As Java's producer spreads keys, so that a key stays in its partition when a pipeline moves here.
            ("partitioner", "murmur2_random".into()),
        ];
        let mut default = |key: &'static str, value: String| {
            if !values.contains_key(key) {
                settings.push((key, value));
            }
        };
        default("linger.ms", "20".into());
        if self.members.iter().any(KafkaSinkSpec::needs_order) {
            // As Java's producer: a batch that is sent again must not overtake the one behind it.
            default("enable.idempotence", "true".into());
        }
        default("client.id", self.ctx.pipeline.clone());
        if values
            .get("compression.type")
            .is_some_and(|codec| codec == "zstd")
        {
            // Packs as tightly as the default level 3 on such rows, for half the work (docs/performance.md).
            default("compression.level", "1".into());
        }
        if self.is_transactional() {
            default("transaction.timeout.ms", TRANSACTION_TIMEOUT_MS.to_string());
            settings.push(("transactional.id", self.transactional_id()));
        }
        settings
    }

    /// Makes a producer of its own; an old one cannot be told to forget its transaction.
    fn connect(&mut self) -> Result<(), ConnectorError> {
        self.producer = None;
        self.ear = Ear::default();
        let producer: ThreadedProducer<Ear> = config(&self.first().client.values, &self.settings())
            .create_with_context(self.ear.clone())
            .map_err(|error| self.fail("make a Kafka producer", error))?;
        self.producer = Some(Arc::new(producer));
        for index in 0..self.members.len() {
            for topic in self.members[index].topics.list().to_vec() {
                self.check_topic(&topic)?;
            }
        }
        Ok(())
    }

    /// Waits until the topic is there: brokers that make topics by themselves do so at the first question.
    fn check_topic(&self, topic: &str) -> Result<(), ConnectorError> {
        let begun = Instant::now();
        loop {
            let metadata = self
                .producer()
                .client()
                .fetch_metadata(Some(topic), CALL_TIMEOUT)
                .map_err(|error| self.fail(&format!("look up topic '{topic}'"), error))?;
            let found = metadata.topics().iter().find(|found| found.name() == topic);
            let code = found
                .and_then(|found| found.error())
                .map(RDKafkaErrorCode::from);
            match code {
                None if found.is_some_and(|found| !found.partitions().is_empty()) => return Ok(()),
                Some(
                    RDKafkaErrorCode::UnknownTopicOrPartition
                    | RDKafkaErrorCode::LeaderNotAvailable,
                )
                | None
                    if begun.elapsed() < TOPIC_PATIENCE =>
                {
                    std::thread::sleep(Duration::from_millis(100));
                }
                Some(code) if code != RDKafkaErrorCode::UnknownTopicOrPartition => {
                    return Err(self.fail(
                        &format!("write to topic '{topic}'"),
                        KafkaError::MetadataFetch(code),
                    ));
                }
                _ => {
                    return Err(ConnectorError::new(
                        ErrorKind::Config,
                        Retry::Never,
                        format!(
                            "topic '{topic}' does not exist on {}, and the broker does not make it",
                            self.first().servers
                        ),
                    )
                    .help(format!(
                        "create it: kafka-topics.sh --create --topic {topic} --partitions 4 …"
                    )));
                }
            }
        }
    }

    /// Repeats a transactional call while it only needs more time.
    fn patiently(
        &self,
        patience: Duration,
        mut call: impl FnMut(&SharedProducer) -> Result<(), KafkaError>,
    ) -> Result<(), KafkaError> {
        let begun = Instant::now();
        loop {
            match call(self.producer()) {
                Err(error)
                    if is_passing(&error)
                        && begun.elapsed() < patience
                        && !self.ctx.cancel.is_cancelled() =>
                {
                    tracing::debug!(%error, "asking again");
                    std::thread::sleep(Duration::from_millis(50));
                }
                other => return other,
            }
        }
    }
}

fn is_passing(error: &KafkaError) -> bool {
    match error {
        KafkaError::Transaction(inner) => {
            inner.is_retriable() && !inner.txn_requires_abort() && !inner.is_fatal()
        }
        _ => matches!(
            error.rdkafka_error_code(),
            Some(RDKafkaErrorCode::OperationTimedOut | RDKafkaErrorCode::InProgress)
        ),
    }
}

fn is_fatal(error: &KafkaError) -> bool {
    matches!(error, KafkaError::Transaction(inner) if inner.is_fatal())
}

impl SinkGroup for KafkaSinkGroup {
    fn role(&self) -> CommitRole {
        self.first().role()
    }

    fn fence(&mut self) -> Result<(), ConnectorError> {
        self.connect()?;
        if !self.is_transactional() {
            return Ok(());
        }
        self.patiently(FENCE_PATIENCE, |producer| {
            producer.init_transactions(CALL_TIMEOUT)
        })
        .map_err(|error| self.fail("take over the Kafka transactions", error))?;
        if self.mark.is_none() {
            let first = self.first();
            let mut topics: Vec<&String> = self
                .members
                .iter()
                .flat_map(|member| member.topics.list())
                .collect();
            topics.sort_unstable();
            let topic = topics.first().expect("a sink table has a topic");
            self.mark = Some(MarkKeeper::open(
                &first.servers,
                &first.client,
                &self.transactional_id(),
                topic,
            )?);
        }
        Ok(())
    }

    fn read_mark(&mut self) -> Result<Option<Mark>, ConnectorError> {
        self.mark.as_ref().expect("`fence` comes first").read()
    }

    fn writer(
        &mut self,
        member: usize,
        lane: LaneId,
    ) -> Result<Box<dyn SinkWriter>, ConnectorError> {
        let writer = KafkaWriter::open(
            &self.members[member],
            self.producer(),
            self.ear.clone(),
            &self.ctx,
            lane,
        )?;
        Ok(Box::new(writer))
    }

    fn begin(&mut self, _epoch: Epoch) -> Result<(), ConnectorError> {
        if self.is_transactional() {
            self.producer()
                .begin_transaction()
                .map_err(|error| self.fail("begin a transaction", error))?;
            self.open = true;
        }
        Ok(())
    }

    fn prepare(&mut self, epoch: Epoch) -> Result<Committable, ConnectorError> {
        flush(self.producer(), &self.ctx.cancel)
            .map_err(|error| self.fail(&format!("flush the output of epoch {epoch}"), error))?;
        if self.first().guarantee != DeliveryGuarantee::None {
            check_deliveries(self.producer(), &self.ear, &self.first().servers)?;
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
        let (offsets, group) = keeper.offsets(mark)?;
        self.patiently(COMMIT_PATIENCE, |producer| {
            producer.send_offsets_to_transaction(&offsets, &group, CALL_TIMEOUT)
        })
        .map_err(|error| self.fail(&format!("mark epoch {epoch}"), error))?;
        let committed = self.patiently(COMMIT_PATIENCE, |producer| {
            producer.commit_transaction(CALL_TIMEOUT)
        });
        match committed {
            Ok(()) => {
                self.open = false;
                Ok(CommitOutcome::Committed)
            }
            Err(error) if is_fatal(&error) => {
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
            .abort_transaction(Duration::from_secs(5))
            .map_err(|error| self.fail("abort the transaction", error))
    }
}

/// Waits until everything handed over is acknowledged or has failed.
fn flush(producer: &SharedProducer, cancel: &Cancel) -> Result<(), KafkaError> {
    let begun = Instant::now();
    loop {
        match producer.flush(Duration::from_millis(500)) {
            Err(error)
                if error.rdkafka_error_code() == Some(RDKafkaErrorCode::OperationTimedOut)
                    && begun.elapsed() < FLUSH_PATIENCE
                    && !cancel.is_cancelled() => {}
            other => return other,
        }
    }
}

/// Returns the first delivery that failed since the last call.
pub(crate) fn check_deliveries(
    producer: &SharedProducer,
    ear: &Ear,
    servers: &str,
) -> Result<(), ConnectorError> {
    let Some((error, topic)) = ear.take_delivery_failure() else {
        return Ok(());
    };
    // What a fenced producer had queued fails as "purged"; why is known only to the client.
    if let Some((_, reason)) = producer.client().fatal_error() {
        ear.hear_fatal(&reason);
    }
    let action = format!("write to topic '{topic}'");
    Err(failure(&action, servers, error, ear))
}
