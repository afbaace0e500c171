//! What the cases do with a client, in one line each.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, DeliveryResult, Headers, Message};
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};
use rdkafka::{ClientContext, Offset, TopicPartitionList};

/// Longest wait for anything that should happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// Isolation levels by librdkafka's name.
pub(crate) const COMMITTED: &str = "read_committed";
/// Isolation levels by librdkafka's name.
pub(crate) const UNCOMMITTED: &str = "read_uncommitted";

pub(crate) type TestProducer = ThreadedProducer<Reports>;

/// Keeps what became of each sent row.
#[derive(Default)]
pub(crate) struct Reports {
    failed: Mutex<Vec<KafkaError>>,
    delivered: AtomicU64,
}

impl Reports {
    pub(crate) fn failures(&self) -> usize {
        self.failed
            .lock()
            .expect("no test panics with the lock")
            .len()
    }

    pub(crate) fn delivered(&self) -> u64 {
        self.delivered.load(Ordering::SeqCst)
    }
}

impl ClientContext for Reports {
    // Fencing is part of the tests and not worth a line on the terminal.
    fn error(&self, _: KafkaError, _: &str) {}
}

impl ProducerContext for Reports {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        match result {
            Ok(_) => {
                self.delivered.fetch_add(1, Ordering::SeqCst);
            }
            Err((error, _)) => {
                self.failed
                    .lock()
                    .expect("no test panics with the lock")
                    .push(error.clone());
            }
        }
    }
}

/// A row as a reader gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) timestamp: Option<i64>,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Row {
    fn of(message: &BorrowedMessage<'_>) -> Self {
        let headers = message.headers().map(|headers| {
            let own = headers
                .iter()
                .map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec)));
            own.collect()
        });
        Self {
            partition: message.partition(),
            offset: message.offset(),
            timestamp: message.timestamp().to_millis(),
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            headers: headers.unwrap_or_default(),
        }
    }

    pub(crate) fn text(&self) -> String {
        let value = self.value.clone().expect("the row has a value");
        String::from_utf8(value).expect("the tests send text")
    }
}

/// Returns a name that no earlier run has used.
pub(crate) fn unique(name: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("it is after 1970");
    format!("conformance-{name}-{}-{count}", since.as_nanos())
}

fn config(bootstrap: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", bootstrap)
        .set("log_level", "0");
    config
}

/// Runs an administrator's request.
pub(crate) fn admin<T, F: Future<Output = T>>(
    bootstrap: &str,
    request: impl FnOnce(AdminClient<DefaultClientContext>) -> F,
) -> T {
    let client = config(bootstrap).create().expect("the settings are right");
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime
        .expect("a runtime can be made")
        .block_on(request(client))
}

/// Makes a topic with a name of its own.
pub(crate) fn new_topic(bootstrap: &str, name: &str, partitions: i32) -> String {
    let name = unique(name);
    let results = admin(bootstrap, async |client| {
        let topic = NewTopic::new(&name, partitions, TopicReplication::Fixed(1));
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        client
            .create_topics([&topic], &options)
            .await
            .expect("the broker answers")
    });
    results.into_iter().for_each(|result| {
        result.expect("the topic is made");
    });
    wait_until("the topic is known", || {
        partition_count(bootstrap, &name) == partitions
    });
    name
}

/// Asks again and again until it is so.
pub(crate) fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Returns how many partitions a topic has; 0 when there is none.
pub(crate) fn partition_count(bootstrap: &str, topic: &str) -> i32 {
    let consumer = consumer(bootstrap, "metadata", UNCOMMITTED, &[]);
    let metadata = consumer
        .fetch_metadata(Some(topic), PATIENCE)
        .expect("the broker answers");
    i32::try_from(metadata.topics()[0].partitions().len()).expect("tests make few partitions")
}

pub(crate) fn producer(bootstrap: &str, settings: &[(&str, &str)]) -> TestProducer {
    let mut config = config(bootstrap);
    config.set("linger.ms", "2");
    for (name, value) in settings {
        config.set(*name, *value);
    }
    config
        .create_with_context(Reports::default())
        .expect("the settings are right")
}

/// Makes a producer that owns a transactional id.
pub(crate) fn transactional(bootstrap: &str, id: &str) -> TestProducer {
    let producer = producer(bootstrap, &[("transactional.id", id)]);
    producer
        .init_transactions(PATIENCE)
        .expect("the id can be taken");
    producer
}

pub(crate) fn send(producer: &TestProducer, topic: &str, partition: i32, value: &str) {
    let record: BaseRecord<'_, (), str> = BaseRecord::to(topic).partition(partition).payload(value);
    enqueue(producer, record);
}

/// Queues a row, and waits while the queue is full.
pub(crate) fn enqueue<K, P>(producer: &TestProducer, record: BaseRecord<'_, K, P>)
where
    K: rdkafka::message::ToBytes + ?Sized,
    P: rdkafka::message::ToBytes + ?Sized,
{
    let mut record = record;
    loop {
        match producer.send(record) {
            Ok(()) => return,
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                record = back;
                std::thread::sleep(Duration::from_millis(2));
            }
            Err((error, _)) => panic!("the row can't be queued: {error}"),
        }
    }
}

/// Waits until every row is stored.
pub(crate) fn flush(producer: &TestProducer) {
    flush_any(producer);
    let failed = producer
        .context()
        .failed
        .lock()
        .expect("no test panics with the lock");
    assert!(failed.is_empty(), "rows were not stored: {failed:?}");
}

/// Waits until it is known of every row what became of it.
pub(crate) fn flush_any(producer: &TestProducer) {
    producer.flush(PATIENCE).expect("all rows are answered");
}

pub(crate) fn consumer(
    bootstrap: &str,
    group: &str,
    isolation: &str,
    settings: &[(&str, &str)],
) -> BaseConsumer {
    let mut config = config(bootstrap);
    config
        .set("group.id", group)
        .set("isolation.level", isolation)
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "earliest")
        .set("allow.auto.create.topics", "false")
        .set("fetch.wait.max.ms", "50");
    for (name, value) in settings {
        config.set(*name, *value);
    }
    config.create().expect("the settings are right")
}

/// Reads all that is visible now, partition by partition in order.
pub(crate) fn read_to_end(
    bootstrap: &str,
    topic: &str,
    partitions: i32,
    isolation: &str,
) -> Vec<Row> {
    let group = unique("reader");
    let consumer = consumer(
        bootstrap,
        &group,
        isolation,
        &[("enable.partition.eof", "true")],
    );
    let mut assignment = TopicPartitionList::new();
    for partition in 0..partitions {
        assignment
            .add_partition_offset(topic, partition, Offset::Beginning)
            .expect("the position is valid");
    }
    consumer.assign(&assignment).expect("the partitions exist");
    let mut rows = Vec::new();
    let mut ended = std::collections::BTreeSet::new();
    let started = Instant::now();
    while ended.len() < usize::try_from(partitions).expect("tests make few partitions") {
        assert!(started.elapsed() < PATIENCE, "the end is never reached");
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                ended.remove(&message.partition());
                rows.push(Row::of(&message));
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                ended.insert(partition);
            }
            Some(Err(error)) => panic!("reading fails: {error}"),
            None => {}
        }
    }
    rows.sort_by_key(|row| (row.partition, row.offset));
    rows
}

/// Returns the values that are visible now.
pub(crate) fn texts(bootstrap: &str, topic: &str, partitions: i32, isolation: &str) -> Vec<String> {
    read_to_end(bootstrap, topic, partitions, isolation)
        .iter()
        .map(Row::text)
        .collect()
}

/// Polls until a row comes.
pub(crate) fn next_row(consumer: &BaseConsumer) -> Row {
    let started = Instant::now();
    loop {
        assert!(started.elapsed() < PATIENCE, "no row comes");
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => return Row::of(&message),
            Some(Err(error)) => panic!("reading fails: {error}"),
            None => {}
        }
    }
}

pub(crate) fn watermarks(bootstrap: &str, topic: &str) -> (i64, i64) {
    let consumer = consumer(bootstrap, "watermarks", UNCOMMITTED, &[]);
    consumer
        .fetch_watermarks(topic, 0, PATIENCE)
        .expect("the broker answers")
}

/// Returns what a group committed for partition 0, with its metadata.
pub(crate) fn committed(
    bootstrap: &str,
    group: &str,
    topic: &str,
    isolation: &str,
    patience: Duration,
) -> Result<(Offset, String), KafkaError> {
    let consumer = consumer(bootstrap, group, isolation, &[]);
    let mut asked = TopicPartitionList::new();
    asked.add_partition(topic, 0);
    let found = consumer.committed_offsets(asked, patience)?;
    let element = found.find_partition(topic, 0).expect("it was asked for");
    element.error()?;
    Ok((element.offset(), element.metadata().to_owned()))
}

/// Makes a list with one offset for partition 0.
pub(crate) fn position(topic: &str, offset: i64, metadata: &str) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    let mut element = list.add_partition(topic, 0);
    element
        .set_offset(Offset::Offset(offset))
        .expect("the offset is valid");
    element.set_metadata(metadata);
    list
}
