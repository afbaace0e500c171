//! Topics of a Kafka broker: making them, writing rows to them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow, ensure};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};

/// Longest message that the test broker takes, with room for its envelope.
const MESSAGE_BYTES_MAX: &str = "14000000";

/// A broker that answers.
#[derive(Clone)]
pub(crate) struct Broker {
    /// `host:port`.
    pub(crate) address: String,
}

impl Broker {
    /// Returns the broker that all tests share.
    pub(crate) fn shared() -> Self {
        let address = std::env::var("MILLRACE_KAFKA");
        Self::at(address.unwrap_or_else(|_| "127.0.0.1:19092".to_owned()))
    }

    /// Returns the broker at `address`.
    pub(crate) fn at(address: String) -> Self {
        Self { address }
    }

    /// Returns the client settings that every client of a test starts from.
    pub(crate) fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.address);
        config.set_log_level(rdkafka::config::RDKafkaLogLevel::Error);
        config
    }

    /// Makes a topic whose name starts with `hint` and is used by nobody else.
    pub(crate) fn topic(&self, hint: &str, partitions: i32) -> Result<String> {
        let name = unique(hint);
        self.make(&[&name], partitions)?;
        Ok(name)
    }

    /// Makes `count` topics; returns what their names start with, which `-` and a number follow.
    pub(crate) fn topics(&self, hint: &str, count: usize, partitions: i32) -> Result<String> {
        let start = unique(hint);
        let names: Vec<String> = (0..count).map(|at| format!("{start}-{at}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        self.make(&names, partitions)?;
        Ok(start)
    }

    fn make(&self, names: &[&str], partitions: i32) -> Result<()> {
        let admin: AdminClient<DefaultClientContext> = self.config().create()?;
        let topics: Vec<NewTopic<'_>> = names
            .iter()
            .map(|name| {
                NewTopic::new(name, partitions, TopicReplication::Fixed(1))
                    .set("max.message.bytes", MESSAGE_BYTES_MAX)
            })
            .collect();
        let timeout = AdminOptions::new().operation_timeout(Some(Duration::from_secs(30)));
        let made = tokio::runtime::Builder::new_current_thread()
            .build()?
            .block_on(admin.create_topics(&topics, &timeout))
            .with_context(|| format!("no topic could be made at {}", self.address))?;
        for result in made {
            result.map_err(|(topic, code)| anyhow!("topic {topic} could not be made: {code}"))?;
        }
        Ok(())
    }

    /// Deletes the group in which the mark of a transactional id lies.
    pub(crate) fn delete_mark(&self, transactional_id: &str) -> Result<()> {
        let admin: AdminClient<DefaultClientContext> = self.config().create()?;
        let group = format!("millrace-mark-{transactional_id}");
        let deleted = tokio::runtime::Builder::new_current_thread()
            .build()?
            .block_on(admin.delete_groups(&[&group], &AdminOptions::new()))?;
        for result in deleted {
            result
                .map_err(|(group, code)| anyhow!("group {group} could not be deleted: {code}"))?;
        }
        Ok(())
    }

    /// Deletes a topic and makes another one of its name.
    pub(crate) fn make_anew(&self, topic: &str, partitions: i32) -> Result<()> {
        let admin: AdminClient<DefaultClientContext> = self.config().create()?;
        let deleted = tokio::runtime::Builder::new_current_thread()
            .build()?
            .block_on(admin.delete_topics(&[topic], &AdminOptions::new()))?;
        for result in deleted {
            result
                .map_err(|(topic, code)| anyhow!("topic {topic} could not be deleted: {code}"))?;
        }
        let deadline = Instant::now() + Duration::from_secs(30);
        while let Err(error) = self.make(&[topic], partitions) {
            ensure!(Instant::now() < deadline, "{error:#}");
            std::thread::sleep(Duration::from_millis(200));
        }
        Ok(())
    }

    /// Writes one message to partition 0 of each topic.
    pub(crate) fn write_each(
        &self,
        rows: impl IntoIterator<Item = (String, Vec<u8>)>,
    ) -> Result<()> {
        let producer = self.producer()?;
        for (topic, payload) in rows {
            send(&producer, &topic, 0, Some(&payload))?;
        }
        producer.flush(Duration::from_secs(60))?;
        Ok(())
    }

    /// Writes `payloads` to one partition, in order; `None` is a tombstone.
    pub(crate) fn write(
        &self,
        topic: &str,
        partition: i32,
        payloads: impl IntoIterator<Item = Option<Vec<u8>>>,
    ) -> Result<()> {
        let producer = self.producer()?;
        for payload in payloads {
            send(&producer, topic, partition, payload.as_deref())?;
        }
        producer.flush(Duration::from_secs(60))?;
        Ok(())
    }

    /// Writes records with keys to partition 0.
    pub(crate) fn write_keyed(&self, topic: &str, rows: &[(Option<&str>, &str)]) -> Result<()> {
        let producer = self.producer()?;
        for (key, value) in rows {
            let mut record: BaseRecord<'_, str, str> = BaseRecord::to(topic).partition(0);
            record.key = *key;
            record.payload = Some(value);
            producer.send(record).map_err(|(error, _)| error)?;
        }
        producer.flush(Duration::from_secs(60))?;
        Ok(())
    }

    /// Writes lines to partition 0, the first with the Kafka timestamp `first_ms` and each further one a millisecond
    /// later; the line `\N` is a tombstone.
    pub(crate) fn write_at(&self, topic: &str, first_ms: i64, lines: &[String]) -> Result<()> {
        let producer = self.producer()?;
        for (line, timestamp) in lines.iter().zip(first_ms..) {
            let record: BaseRecord<'_, (), str> =
                BaseRecord::to(topic).partition(0).timestamp(timestamp);
            let record = if line == "\\N" {
                record
            } else {
                record.payload(line.as_str())
            };
            producer.send(record).map_err(|(error, _)| error)?;
        }
        producer.flush(Duration::from_secs(60))?;
        Ok(())
    }

    /// Returns a producer that writes in order, without doubling, for as long as a restart of the broker takes.
    fn producer(&self) -> Result<ThreadedProducer<DefaultProducerContext>> {
        let mut config = self.config();
        config
            .set("enable.idempotence", "true")
            .set("message.max.bytes", MESSAGE_BYTES_MAX)
            .set("message.timeout.ms", "300000")
            .set("queue.buffering.max.messages", "100000")
            .set("linger.ms", "5");
        Ok(config.create()?)
    }
}

/// Returns a name that starts with `hint` and that no other test, of this run or another, uses.
pub(crate) fn unique(hint: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.expect("the clock is past 1970").as_millis();
    format!("{hint}-{now}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Sends one message, waiting while the producer's queue is full.
fn send(
    producer: &ThreadedProducer<DefaultProducerContext>,
    topic: &str,
    partition: i32,
    payload: Option<&[u8]>,
) -> Result<()> {
    loop {
        let mut record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(topic).partition(partition);
        record.payload = payload;
        match producer.send(record) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                std::thread::sleep(Duration::from_millis(5));
            }
            Err((error, _)) => return Err(error).context("a message could not be sent"),
        }
    }
}

/// Writes numbered rows; a row's number says its partition and its offset, so it can be checked at the other end.
pub(crate) struct RowWriter {
    producer: ThreadedProducer<DefaultProducerContext>,
    topic: String,
    written: Vec<u64>,
    turn: usize,
}

impl RowWriter {
    /// Returns a writer to a topic that is still empty.
    pub(crate) fn new(broker: &Broker, topic: &str, partitions: usize) -> Result<Self> {
        Ok(Self {
            producer: broker.producer()?,
            topic: topic.to_owned(),
            written: vec![0; partitions],
            turn: 0,
        })
    }

    /// Writes `rows` more rows, dealt out to the partitions in turn.
    pub(crate) fn write(&mut self, rows: u64) -> Result<()> {
        for _ in 0..rows {
            let partition = self.turn;
            self.turn = (self.turn + 1) % self.written.len();
            let payload = row(partition, self.written[partition]);
            send(
                &self.producer,
                &self.topic,
                partition as i32,
                Some(payload.as_bytes()),
            )?;
            self.written[partition] += 1;
        }
        Ok(())
    }

    /// Waits until the broker has them all; returns how many rows each partition holds.
    pub(crate) fn finish(&self) -> Result<Vec<u64>> {
        self.producer.flush(Duration::from_secs(300))?;
        for (partition, written) in self.written.iter().enumerate() {
            let timeout = Duration::from_secs(30);
            let client = self.producer.client();
            let (_, end) = client.fetch_watermarks(&self.topic, partition as i32, timeout)?;
            ensure!(
                end == *written as i64,
                "the test's own producer left {end} rows in partition {partition} instead of {written}"
            );
        }
        Ok(self.written.clone())
    }
}

/// Returns the row at `offset` of `partition`.
pub(crate) fn row(partition: usize, offset: u64) -> String {
    let id = row_id(partition, offset);
    format!(
        r#"{{"id":{id},"name":"row {id}","amount":{}}}"#,
        offset % 1000
    )
}

/// Returns the number that the row at `offset` of `partition` carries.
pub(crate) fn row_id(partition: usize, offset: u64) -> u64 {
    partition as u64 * 1_000_000_000 + offset
}

/// Writes rows at a steady pace while a test does something else.
pub(crate) struct Feeder {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<RowWriter>>,
}

impl Feeder {
    /// Starts to write `rows_per_second`.
    pub(crate) fn start(mut writer: RowWriter, rows_per_second: u64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let begin = Instant::now();
            let mut written = 0;
            while !stopped.load(Ordering::Relaxed) {
                let due = begin.elapsed().as_millis() as u64 * rows_per_second / 1000;
                writer.write(due - written)?;
                written = due;
                std::thread::sleep(Duration::from_millis(20));
            }
            Ok(writer)
        });
        Self { stop, thread }
    }

    /// Ends the writing and returns the writer.
    pub(crate) fn stop(self) -> Result<RowWriter> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread
            .join()
            .map_err(|_| anyhow!("the feeder panicked"))?
    }
}
