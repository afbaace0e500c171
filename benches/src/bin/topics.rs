//! Topics of a broker in milliseconds, where the Kafka tools take seconds to start.
//!
//! usage: topics BOOTSTRAP fresh NAME[,NAME…] PARTITIONS [CONFIG=VALUE…]   makes them anew
//!        topics BOOTSTRAP drop NAME[,NAME…]
//!        topics BOOTSTRAP offsets NAME[,NAME…]     prints topic:partition:end of what is committed, for each partition
//!        topics BOOTSTRAP first NAME    prints `ready`, then the time at which the first committed row is there, as Unix seconds

use std::io::Write as _;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use millrace_benches::partitions;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};
use tokio::runtime::Runtime;

const CALL: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(50);

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        [bootstrap, "fresh", names, partitions, settings @ ..] => {
            let partitions = partitions.parse().context("PARTITIONS is a number")?;
            fresh(bootstrap, &list(names), partitions, settings)
        }
        [bootstrap, "drop", names] => drop_topics(bootstrap, &list(names)),
        [bootstrap, "offsets", names] => offsets(bootstrap, &list(names)),
        [bootstrap, "first", name] => first(bootstrap, name),
        _ => bail!(
            "usage: topics BOOTSTRAP fresh NAMES PARTITIONS [CONFIG=VALUE…] | drop NAMES | offsets NAMES | first NAME"
        ),
    }
}

fn list(names: &str) -> Vec<&str> {
    names.split(',').collect()
}

fn client(bootstrap: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "bench-topics")
        .set("enable.auto.commit", "false")
        .set("allow.auto.create.topics", "false")
        .set("fetch.wait.max.ms", "10")
        .set("isolation.level", "read_committed");
    config
}

fn options() -> AdminOptions {
    AdminOptions::new().operation_timeout(Some(CALL))
}

fn runtime() -> Result<Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().build()?)
}

fn drop_topics(bootstrap: &str, names: &[&str]) -> Result<()> {
    let admin: AdminClient<DefaultClientContext> = client(bootstrap).create()?;
    for result in runtime()?.block_on(admin.delete_topics(names, &options()))? {
        match result {
            Ok(_) | Err((_, RDKafkaErrorCode::UnknownTopicOrPartition)) => {}
            Err((topic, code)) => bail!("topic {topic} could not be deleted: {code}"),
        }
    }
    Ok(())
}

/// A deleted topic's name is taken for a moment longer, so making it is tried again.
fn fresh(bootstrap: &str, names: &[&str], partitions: i32, settings: &[&str]) -> Result<()> {
    drop_topics(bootstrap, names)?;
    let admin: AdminClient<DefaultClientContext> = client(bootstrap).create()?;
    let runtime = runtime()?;
    let begun = Instant::now();
    let mut missing: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    while !missing.is_empty() {
        let topics: Vec<NewTopic<'_>> = missing
            .iter()
            .map(|name| {
                let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
                settings
                    .iter()
                    .filter_map(|setting| setting.split_once('='))
                    .fold(topic, |topic, (key, value)| topic.set(key, value))
            })
            .collect();
        let mut again = Vec::new();
        for result in runtime.block_on(admin.create_topics(&topics, &options()))? {
            match result {
                Ok(_) => {}
                Err((topic, RDKafkaErrorCode::TopicAlreadyExists)) if begun.elapsed() < CALL => {
                    again.push(topic);
                }
                Err((topic, code)) => bail!("topic {topic} could not be made: {code}"),
            }
        }
        missing = again;
        std::thread::sleep(PAUSE);
    }
    let consumer: BaseConsumer = client(bootstrap).create()?;
    for name in names {
        while ends(&consumer, name).is_err() {
            if begun.elapsed() > CALL {
                bail!("topic {name} has no leaders");
            }
            std::thread::sleep(PAUSE);
        }
    }
    Ok(())
}

fn ends(consumer: &BaseConsumer, topic: &str) -> Result<Vec<i64>> {
    (0..partitions(consumer, topic)?)
        .map(|partition| Ok(consumer.fetch_watermarks(topic, partition, CALL)?.1))
        .collect()
}

#[expect(clippy::print_stdout, reason = "a command prints its result")]
fn offsets(bootstrap: &str, topics: &[&str]) -> Result<()> {
    let consumer: BaseConsumer = client(bootstrap).create()?;
    for topic in topics {
        for (partition, end) in ends(&consumer, topic)?.iter().enumerate() {
            println!("{topic}:{partition}:{end}");
        }
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "a command prints its result")]
fn first(bootstrap: &str, topic: &str) -> Result<()> {
    let consumer: BaseConsumer = client(bootstrap).create()?;
    let mut list = TopicPartitionList::new();
    for partition in 0..partitions(&consumer, topic)? {
        list.add_partition_offset(topic, partition, Offset::Beginning)?;
    }
    consumer.assign(&list)?;
    // The connections are made before the clock starts.
    for _ in 0..20 {
        if consumer.poll(Duration::from_millis(20)).is_some() {
            bail!("{topic} is not empty");
        }
    }
    println!("ready");
    std::io::stdout().flush()?;
    loop {
        if let Some(message) = consumer.poll(CALL) {
            message?;
            let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
            println!("{:.3}", now.as_secs_f64());
            return Ok(());
        }
    }
}
