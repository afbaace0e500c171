//! The limit of the Kafka client: copies a topic's bytes to another, in transactions, with no look at the rows.
//!
//! usage: rawcopy BOOTSTRAP SOURCE SINK[,SINK…] COMPRESSION|none [PARTITIONS]
//!
//! With several sinks, batches go to them by turns; with PARTITIONS, rows go to so many partitions by turns.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use millrace_librdkafka::{BatchQueue, Record, TopicHandle};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer, DefaultConsumerContext};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::{DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::{Offset, TopicPartitionList};

const BATCH: usize = 4096;
const BATCH_SMALL: usize = 64;
const COMMIT_EVERY: Duration = Duration::from_secs(1);
const CALL: Duration = Duration::from_secs(30);

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [bootstrap, source, sinks, compression, rest @ ..] = args.as_slice() else {
        bail!("usage: rawcopy BOOTSTRAP SOURCE SINK[,SINK…] COMPRESSION|none [PARTITIONS]")
    };
    let spread: Option<i32> = rest.first().map(|count| count.parse()).transpose()?;
    let (mut queue, partitions) = open_source(bootstrap, source)?;
    let producer = open_producer(bootstrap, compression)?;
    let mut targets = sinks
        .split(',')
        .map(|sink| Ok(TopicHandle::new(Arc::clone(&producer), sink)?))
        .collect::<Result<Vec<_>>>()?;
    // A row for a partition that the client has not heard of would add an unknown partition to the transaction.
    producer.client().fetch_metadata(None, CALL)?;
    let batch = if targets.len() > 1 {
        BATCH_SMALL
    } else {
        BATCH
    };
    let mut turn = 0;
    producer.begin_transaction()?;
    let begun = Instant::now();
    let (mut rows, mut bytes, mut last_commit) = (0_u64, 0_u64, Instant::now());
    let mut done = HashSet::new();
    let mut buffer = Vec::new();
    let mut ends: Vec<usize> = Vec::new();
    while done.len() < partitions {
        buffer.clear();
        ends.clear();
        let mut failure = None;
        queue.consume(batch, Duration::from_millis(20), |message| {
            match message.error() {
                None => {
                    buffer.extend_from_slice(message.payload().unwrap_or_default());
                    ends.push(buffer.len());
                }
                Some(RDKafkaErrorCode::PartitionEOF) => drop(done.insert(message.partition())),
                Some(_) => failure = Some(message.error_text()),
            }
        });
        if let Some(text) = failure {
            bail!("cannot read {source}: {text}");
        }
        turn = (turn + 1) % targets.len();
        produce(&mut targets[turn], &buffer, &ends, spread)?;
        rows += ends.len() as u64;
        bytes += buffer.len() as u64;
        if last_commit.elapsed() >= COMMIT_EVERY {
            producer.commit_transaction(CALL)?;
            producer.begin_transaction()?;
            last_commit = Instant::now();
        }
    }
    producer.commit_transaction(CALL)?;
    let seconds = begun.elapsed().as_secs_f64();
    eprintln!("{{\"rows\": {rows}, \"bytes\": {bytes}, \"seconds\": {seconds:.3}}}");
    Ok(())
}

fn open_source(
    bootstrap: &str,
    topic: &str,
) -> Result<(BatchQueue<DefaultConsumerContext>, usize)> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "rawcopy")
        .set("enable.partition.eof", "true")
        .set("enable.auto.commit", "false")
        .set("queued.min.messages", "1000000")
        .set("queued.max.messages.kbytes", "49152")
        .set("fetch.queue.backoff.ms", "2")
        .create()?;
    let metadata = consumer.fetch_metadata(Some(topic), CALL)?;
    let partitions = metadata
        .topics()
        .first()
        .context("the topic is missing")?
        .partitions()
        .len();
    let mut list = TopicPartitionList::new();
    for partition in 0..i32::try_from(partitions)? {
        list.add_partition_offset(topic, partition, Offset::Beginning)?;
    }
    consumer.assign(&list)?;
    Ok((BatchQueue::new(Arc::new(consumer))?, partitions))
}

fn open_producer(
    bootstrap: &str,
    compression: &str,
) -> Result<Arc<ThreadedProducer<DefaultProducerContext>>> {
    let producer: ThreadedProducer<DefaultProducerContext> = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        // One of its own: markers of the run before may still be under way to topics that are gone.
        .set(
            "transactional.id",
            format!("rawcopy-{}", std::process::id()),
        )
        .set("compression.type", compression)
        .set(
            "compression.level",
            if compression == "zstd" { "1" } else { "-1" },
        )
        .set("linger.ms", "20")
        .set("queue.buffering.max.kbytes", "49152")
        .set("queue.buffering.max.messages", "2000000")
        .create()?;
    producer.init_transactions(CALL)?;
    Ok(Arc::new(producer))
}

fn produce(
    target: &mut TopicHandle<DefaultProducerContext>,
    buffer: &[u8],
    ends: &[usize],
    spread: Option<i32>,
) -> Result<()> {
    let mut from = 0;
    loop {
        let records = (from..ends.len()).map(|row| {
            let start = if row == 0 { 0 } else { ends[row - 1] };
            Record {
                key: None,
                payload: Some(&buffer[start..ends[row]]),
                partition: spread.map_or(-1, |count| i32::try_from(row).unwrap_or(0) % count),
            }
        });
        let failures = target.produce(records);
        let Some(first) = failures.first() else {
            return Ok(());
        };
        if first.code != RDKafkaErrorCode::QueueFull {
            bail!("cannot write: {:?}", first.code);
        }
        from += first.index;
        std::thread::sleep(Duration::from_millis(2));
    }
}
