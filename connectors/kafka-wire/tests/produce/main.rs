//! What is written is there: once, in its order, in its transaction, whatever becomes of connections.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod proxy;

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use millrace_connector::Cancel;
use millrace_dev_kafka::{EmbeddedBroker, Options};
use millrace_kafka_wire::{
    Arena, At, Cluster, Compression, FetchSettings, Fetcher, NewOffset, NewRecord, ProduceSettings,
    Producer, ResponseError, Settings, Step, Sticky, TopicPartition, Unpacker, WireError,
    read_headers, read_record,
};
use proxy::{Proxy, Random};

const TOPIC: &str = "written";
const LIMIT: Duration = Duration::from_secs(60);
const PARTITIONS: i32 = 4;

/// A record as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Read {
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    timestamp: i64,
    headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

fn settings(address: impl std::fmt::Display) -> Settings {
    Settings {
        retry_backoff: (Duration::from_millis(5), Duration::from_millis(100)),
        reconnect_backoff: (Duration::from_millis(5), Duration::from_millis(50)),
        ..Settings::of(&address.to_string(), "test")
    }
}

fn broker(options: Options) -> EmbeddedBroker {
    let broker = EmbeddedBroker::start(options).unwrap();
    broker.create_topic(TOPIC, PARTITIONS).unwrap();
    broker
}

fn producer(address: impl std::fmt::Display, produce: ProduceSettings) -> Producer {
    let producer = Producer::new(settings(address), produce).unwrap();
    producer.init(LIMIT).unwrap();
    producer
}

fn transactional(id: &str) -> ProduceSettings {
    ProduceSettings {
        transactional_id: Some(id.to_owned()),
        batch_bytes: 2000,
        ..ProduceSettings::default()
    }
}

fn flush(producer: &Producer) {
    producer.flush(LIMIT, &Cancel::default()).unwrap();
}

/// Reads all committed records of each partition.
fn read(address: impl std::fmt::Display + Copy) -> Vec<Vec<Read>> {
    let names = (0..PARTITIONS).map(|partition| TopicPartition {
        topic: TOPIC.to_owned(),
        partition,
    });
    let names: Vec<TopicPartition> = names.collect();
    let cluster = Cluster::new(settings(address), Cancel::default()).unwrap();
    let ends = cluster
        .list_offsets(&names, At::Latest, true, LIMIT)
        .unwrap();
    let fetch = FetchSettings {
        read_committed: true,
        wait_max: Duration::from_millis(20),
        ..FetchSettings::default()
    };
    let fetcher = Fetcher::new(settings(address), fetch).unwrap();
    let mut next = vec![0; names.len()];
    let mut found = vec![Vec::new(); names.len()];
    let ends: Vec<i64> = names.iter().map(|name| ends[name].unwrap()).collect();
    fetcher.assign(
        names
            .into_iter()
            .enumerate()
            .map(|(id, name)| (id, name, 0)),
    );
    let begun = Instant::now();
    while next.iter().zip(&ends).any(|(next, end)| next < end) {
        assert!(
            begun.elapsed() < LIMIT,
            "the topic does not end: {next:?} of {ends:?}"
        );
        let Some(mut chunk) = fetcher.next(Duration::from_millis(50)).unwrap() else {
            continue;
        };
        let partition = chunk.partition;
        while let Some(step) = chunk.step().unwrap() {
            let batch = match step {
                Step::Skip(offset) => {
                    next[partition] = offset + 1;
                    continue;
                }
                Step::Records(batch) if batch.last_offset < next[partition] => continue,
                Step::Records(batch) => batch,
            };
            let mut arena = Arena::default();
            let range = batch.unpack(&mut Unpacker::default(), &mut arena).unwrap();
            let bytes = &arena.bytes()[range];
            let mut at = 0;
            while at < bytes.len() {
                let record = read_record(bytes, &mut at).unwrap();
                let owned = |range: std::ops::Range<usize>| bytes[range].to_vec();
                let mut headers = Vec::new();
                read_headers(bytes, &record.headers, |(name, value)| {
                    headers.push((name.to_vec(), value.map(<[u8]>::to_vec)));
                })
                .unwrap();
                found[partition].push(Read {
                    key: record.key.map(owned),
                    value: record.value.map(owned),
                    timestamp: batch.timestamp(record.timestamp_delta),
                    headers,
                });
            }
            next[partition] = batch.last_offset + 1;
        }
    }
    found
}

fn texts(found: &[Vec<Read>]) -> Vec<String> {
    let values = found.iter().flatten().filter_map(|read| read.value.clone());
    let mut texts: Vec<String> = values
        .map(|value| String::from_utf8(value).unwrap())
        .collect();
    texts.sort_unstable();
    texts
}

#[test]
fn each_codec_writes_what_is_read() {
    let broker = broker(Options::default());
    let all = [
        Compression::None,
        Compression::Gzip(6),
        Compression::Snappy,
        Compression::Lz4,
        Compression::Zstd(1),
    ];
    let mut written = vec![Vec::new(); PARTITIONS as usize];
    for (round, compression) in all.into_iter().enumerate() {
        let settings = ProduceSettings {
            compression,
            ..ProduceSettings::default()
        };
        let producer = producer(broker.address(), settings);
        let outlet = producer.outlet(TOPIC, LIMIT).unwrap();
        for row in 0..500 {
            let key = format!("key {round} {row}");
            let value = vec![b'a' + (row % 26) as u8; row * 7];
            let headers = [(&b"h"[..], Some(key.as_bytes())), (&b"n"[..], None)];
            let record = NewRecord {
                key: Some(key.as_bytes()),
                value: (row % 10 != 3).then_some(&value[..]),
                timestamp: 1_700_000_000_000 + ((row * 31) % 17) as i64,
                headers: &headers[..row % 3],
            };
            let partition = outlet.partition_of(key.as_bytes());
            outlet
                .append(partition, [record], &Cancel::default())
                .unwrap();
            written[partition].push(Read {
                key: record.key.map(<[u8]>::to_vec),
                value: record.value.map(<[u8]>::to_vec),
                timestamp: record.timestamp,
                headers: record
                    .headers
                    .iter()
                    .map(|(name, value)| (name.to_vec(), value.map(<[u8]>::to_vec)))
                    .collect(),
            });
        }
        flush(&producer);
    }
    assert!(read(broker.address()) == written);
}

/// Two lanes number their rows, each row goes to the partition of its number.
fn order_through_cuts(seed: u64) {
    const ROWS: u64 = 3000;
    let proxy = Proxy::bind();
    let broker = broker(Options {
        advertised: Some(proxy.address),
        ..Options::default()
    });
    proxy.serve(broker.address(), seed, 60_000);
    let settings = ProduceSettings {
        batch_bytes: 3000,
        linger: Duration::from_millis(3),
        queue_bytes_max: 100_000,
        ..ProduceSettings::default()
    };
    let producer = producer(proxy.address, settings);
    proxy.wild.store(true, Ordering::Relaxed);
    std::thread::scope(|scope| {
        for lane in 0..2 {
            let outlet = producer.outlet(TOPIC, LIMIT).unwrap();
            scope.spawn(move || {
                let mut random = Random::new(seed + lane);
                for row in 0..ROWS {
                    let value =
                        format!("{lane} {row:06} {}", "x".repeat(random.below(300) as usize));
                    let record = NewRecord {
                        value: Some(value.as_bytes()),
                        ..NewRecord::default()
                    };
                    let partition = (row % PARTITIONS as u64) as usize;
                    outlet
                        .append(partition, [record], &Cancel::default())
                        .unwrap();
                }
            });
        }
    });
    flush(&producer);
    proxy.wild.store(false, Ordering::Relaxed);
    assert!(
        proxy.cuts.load(Ordering::Relaxed) > 5,
        "too few connections were cut"
    );
    for (partition, found) in read(proxy.address).iter().enumerate() {
        let mut rows: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        for read in found {
            let text = String::from_utf8(read.value.clone().unwrap()).unwrap();
            let mut words = text.split(' ');
            let mut number = || words.next().unwrap().parse::<u64>().unwrap();
            let lane = number();
            rows.entry(lane).or_default().push(number());
        }
        let wanted: Vec<u64> = (partition as u64..ROWS)
            .step_by(PARTITIONS as usize)
            .collect();
        for lane in 0..2 {
            assert!(
                rows[&lane] == wanted,
                "seed {seed}, partition {partition}, lane {lane}"
            );
        }
    }
}

#[test]
fn cut_connections_lose_nothing_double_nothing_and_keep_the_order() {
    (1..=3).for_each(order_through_cuts);
}

/// Transactions that commit, abort, or whose producer is replaced without a word; a committed one carries its number as an offset.
fn transactions_through_cuts(seed: u64) {
    let proxy = Proxy::bind();
    let broker = broker(Options {
        advertised: Some(proxy.address),
        ..Options::default()
    });
    proxy.serve(broker.address(), seed, 60_000);
    let mut random = Random::new(seed);
    let mut wanted = Vec::new();
    let mut producer = producer(proxy.address, transactional("t"));
    proxy.wild.store(true, Ordering::Relaxed);
    let mark = TopicPartition {
        topic: TOPIC.to_owned(),
        partition: 0,
    };
    for round in 0..25_i64 {
        producer.begin().unwrap();
        let outlet = producer.outlet(TOPIC, LIMIT).unwrap();
        let mut sticky = Sticky::default();
        let rows: Vec<String> = (0..random.below(400))
            .map(|row| {
                format!(
                    "{round:03} {row:04} {}",
                    "y".repeat(random.below(100) as usize)
                )
            })
            .collect();
        let records = rows.iter().map(|row| NewRecord {
            value: Some(row.as_bytes()),
            ..NewRecord::default()
        });
        outlet
            .append_sticky(&mut sticky, records, &Cancel::default())
            .unwrap();
        let fate = random.below(4);
        if fate == 0 {
            // Perhaps the end of it does not come through: the next producer's beginning ends it then.
            drop(producer.abort(Duration::from_secs(2)));
        } else if fate > 1 {
            flush(&producer);
            let offset = NewOffset {
                partition: mark.clone(),
                offset: round,
                metadata: format!("round {round}"),
            };
            producer.send_offsets("marks", &[offset], LIMIT).unwrap();
            producer.commit(LIMIT).unwrap();
            wanted.extend(rows);
            let found = producer
                .cluster()
                .committed("marks", std::slice::from_ref(&mark), LIMIT);
            let found = found.unwrap()[&mark].clone().unwrap();
            assert_eq!(found.offset, round, "seed {seed}");
            assert_eq!(found.metadata, Some(format!("round {round}")));
        }
        if fate < 2 {
            producer = Producer::new(settings(proxy.address), transactional("t")).unwrap();
            producer.init(LIMIT).unwrap();
        }
    }
    proxy.wild.store(false, Ordering::Relaxed);
    drop(producer);
    wanted.sort_unstable();
    assert!(texts(&read(proxy.address)) == wanted, "seed {seed}");
}

#[test]
fn transactions_are_whole_or_not_there() {
    (1..=4).for_each(transactions_through_cuts);
}

#[test]
fn a_newer_producer_shuts_the_older_one_out() {
    let broker = broker(Options::default());
    let old = producer(broker.address(), transactional("same"));
    old.begin().unwrap();
    let append = |producer: &Producer, text: &str| {
        let outlet = producer.outlet(TOPIC, LIMIT).unwrap();
        let record = NewRecord {
            value: Some(text.as_bytes()),
            ..NewRecord::default()
        };
        outlet.append(0, [record], &Cancel::default())
    };
    append(&old, "old").unwrap();
    flush(&old);
    let new = producer(broker.address(), transactional("same"));
    append(&old, "late").unwrap();
    let refused = old.flush(LIMIT, &Cancel::default()).unwrap_err();
    let is_fenced = |error: &WireError| {
        use ResponseError as Code;
        matches!(
            error,
            WireError::Refused {
                code: Code::ProducerFenced | Code::InvalidProducerEpoch,
                ..
            }
        )
    };
    assert!(is_fenced(&refused.error), "{refused:?}");
    assert!(is_fenced(&old.commit(LIMIT).unwrap_err()));
    assert!(old.flush(LIMIT, &Cancel::default()).is_err());
    new.begin().unwrap();
    append(&new, "new").unwrap();
    flush(&new);
    new.commit(LIMIT).unwrap();
    assert_eq!(texts(&read(broker.address())), ["new"]);
}

#[test]
fn an_aborted_producer_is_not_used_again() {
    let broker = broker(Options::default());
    let producer = producer(broker.address(), transactional("once"));
    producer.begin().unwrap();
    producer.abort(LIMIT).unwrap();
    assert!(producer.begin().is_err());
    assert!(producer.flush(LIMIT, &Cancel::default()).is_err());
}

#[test]
fn what_is_too_large_is_refused_with_its_name() {
    let broker = broker(Options {
        message_max_bytes: 10_000,
        ..Options::default()
    });
    let producer = producer(broker.address(), ProduceSettings::default());
    let outlet = producer.outlet(TOPIC, LIMIT).unwrap();
    let append = |size: usize| {
        let value = vec![b'v'; size];
        let record = NewRecord {
            value: Some(&value),
            ..NewRecord::default()
        };
        outlet.append(1, [record], &Cancel::default())
    };
    let too_large = |error: &WireError| matches!(error, WireError::Refused { code: ResponseError::MessageTooLarge, what } if what.contains(TOPIC));
    assert!(too_large(&append(2 << 20).unwrap_err()));
    append(50_000).unwrap();
    let failure = producer.flush(LIMIT, &Cancel::default()).unwrap_err();
    assert!(too_large(&failure.error), "{failure:?}");
    assert_eq!(failure.partition.map(|name| name.partition), Some(1));
    // Those behind it are written all the same: their numbers close up.
    append(100).unwrap();
    flush(&producer);
    assert_eq!(read(broker.address())[1].len(), 1);
}

#[test]
fn a_broker_that_is_gone_is_given_up_in_time() {
    let broker = broker(Options::default());
    let settings = ProduceSettings {
        delivery_timeout: Duration::from_millis(1500),
        queue_bytes_max: 10_000,
        batch_bytes: 1000,
        ..transactional("gone")
    };
    let producer = producer(broker.address(), settings);
    producer.begin().unwrap();
    let outlet = producer.outlet(TOPIC, LIMIT).unwrap();
    broker.shutdown();
    let begun = Instant::now();
    let record = NewRecord {
        value: Some(&[b'v'; 900]),
        ..NewRecord::default()
    };
    // The queue holds a tenth of it: appending waits until the producer has given up.
    for _ in 0..100 {
        outlet.append(0, [record], &Cancel::default()).unwrap();
    }
    let failure = producer.flush(LIMIT, &Cancel::default()).unwrap_err();
    assert!(
        matches!(failure.error, WireError::Unreachable(_)),
        "{failure:?}"
    );
    assert!(begun.elapsed() < Duration::from_secs(20));
}

#[test]
fn waiting_for_room_can_be_cancelled() {
    let broker = broker(Options::default());
    let settings = ProduceSettings {
        queue_bytes_max: 1000,
        ..ProduceSettings::default()
    };
    let producer = producer(broker.address(), settings);
    let outlet = producer.outlet(TOPIC, LIMIT).unwrap();
    broker.shutdown();
    let cancel = Cancel::default();
    let other = cancel.clone();
    let waiting = std::thread::spawn(move || {
        let record = NewRecord {
            value: Some(&[b'v'; 900]),
            ..NewRecord::default()
        };
        outlet.append(0, (0..100).map(|_| record), &other)
    });
    std::thread::sleep(Duration::from_millis(300));
    cancel.cancel();
    // One call is one batch here, which fits as a whole or waits for the one before.
    drop(waiting.join().unwrap());
    let failure = producer.flush(LIMIT, &cancel).unwrap_err();
    assert!(matches!(failure.error, WireError::Cancelled), "{failure:?}");
}
