//! Rows without transactions.

use std::time::Duration;

use rdkafka::admin::{AdminOptions, NewPartitions};
use rdkafka::consumer::Consumer;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};

use crate::client::{
    PATIENCE, Row, UNCOMMITTED, admin, consumer, enqueue, flush, new_topic, next_row,
    partition_count, producer, read_to_end, send, texts, wait_until, watermarks,
};

pub(crate) fn rows_come_back_as_they_were_sent(bootstrap: &str) {
    for compression in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let topic = new_topic(bootstrap, compression, 1);
        let producer = producer(bootstrap, &[("compression.codec", compression)]);
        let expected: Vec<Row> = (0..500).map(row).collect();
        for row in &expected {
            let mut record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(&topic).partition(0);
            record.key = row.key.as_deref();
            record.payload = row.value.as_deref();
            record.timestamp = row.timestamp;
            let headers = row
                .headers
                .iter()
                .fold(OwnedHeaders::new(), |headers, (key, value)| {
                    headers.insert(Header {
                        key,
                        value: value.as_ref(),
                    })
                });
            record.headers = (!row.headers.is_empty()).then_some(headers);
            enqueue(&producer, record);
        }
        flush(&producer);
        let rows = read_to_end(bootstrap, &topic, 1, UNCOMMITTED);
        assert_eq!(rows, expected, "with compression {compression}");
    }
}

/// Makes a row: with and without key, value and headers, its timestamp not in order.
fn row(number: i64) -> Row {
    let bytes = |text: String| text.into_bytes();
    Row {
        partition: 0,
        offset: number,
        timestamp: Some(1_700_000_000_000 + (number * 37) % 100),
        key: (number % 3 != 0).then(|| bytes(format!("key {number}"))),
        value: (number % 5 != 0).then(|| bytes(format!("value {number} ").repeat(10))),
        headers: match number % 4 {
            0 => vec![
                ("a".to_owned(), Some(bytes("x".to_owned()))),
                ("a".to_owned(), None),
            ],
            1 => vec![("empty".to_owned(), Some(Vec::new()))],
            _ => Vec::new(),
        },
    }
}

pub(crate) fn partitions_keep_their_own_order(bootstrap: &str) {
    let topic = new_topic(bootstrap, "partitions", 4);
    let producer = producer(bootstrap, &[]);
    for number in 0..400 {
        send(&producer, &topic, number % 4, &number.to_string());
    }
    flush(&producer);
    let rows = read_to_end(bootstrap, &topic, 4, UNCOMMITTED);
    for partition in 0..4 {
        let found: Vec<String> = rows
            .iter()
            .filter(|row| row.partition == partition)
            .map(Row::text)
            .collect();
        let expected: Vec<String> = (0..100).map(|n| (n * 4 + partition).to_string()).collect();
        assert_eq!(found, expected);
    }
}

pub(crate) fn a_large_row_passes(bootstrap: &str) {
    let topic = new_topic(bootstrap, "large", 1);
    let producer = producer(bootstrap, &[("message.max.bytes", "4000000")]);
    let large: String = (0..1_048_576)
        .map(|at| char::from(b'a' + (at % 23) as u8))
        .collect();
    for value in ["before", &large, "after"] {
        send(&producer, &topic, 0, value);
    }
    flush(&producer);
    let found = texts(bootstrap, &topic, 1, UNCOMMITTED);
    assert!(found == ["before", &large, "after"]);
}

pub(crate) fn an_idempotent_producer_stores_each_row_once(bootstrap: &str) {
    let topic = new_topic(bootstrap, "idempotent", 2);
    let settings = [("enable.idempotence", "true"), ("batch.num.messages", "50")];
    let producer = producer(bootstrap, &settings);
    for number in 0..10_000 {
        send(&producer, &topic, number % 2, &number.to_string());
    }
    flush(&producer);
    assert_eq!(producer.context().delivered(), 10_000);
    let found = texts(bootstrap, &topic, 2, UNCOMMITTED);
    let expected = (0..2).flat_map(|first| (first..10_000).step_by(2));
    assert_eq!(
        found,
        expected
            .map(|number| number.to_string())
            .collect::<Vec<_>>()
    );
}

pub(crate) fn two_hundred_thousand_rows_pass(bootstrap: &str) {
    const ROWS: usize = 200_000;
    let topic = new_topic(bootstrap, "many", 2);
    let settings = [
        ("compression.codec", "lz4"),
        ("queue.buffering.max.messages", "300000"),
    ];
    let producer = producer(bootstrap, &settings);
    let filler = "x".repeat(100);
    let started = std::time::Instant::now();
    for number in 0..ROWS {
        send(
            &producer,
            &topic,
            (number % 2) as i32,
            &format!("{number} {filler}"),
        );
    }
    flush(&producer);
    let written = started.elapsed();
    let found = texts(bootstrap, &topic, 2, UNCOMMITTED);
    // Shown with --nocapture; not asserted, because other programs share the machine.
    eprintln!(
        "{bootstrap}: {ROWS} rows written in {written:?}, and read in {:?}",
        started.elapsed() - written
    );
    assert_eq!(found.len(), ROWS);
    let number_of = |row: &String| row.split(' ').next().and_then(|n| n.parse::<usize>().ok());
    let mut numbers: Vec<usize> = found.iter().filter_map(number_of).collect();
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(0..ROWS));
}

pub(crate) fn offsets_are_found_by_timestamp(bootstrap: &str) {
    let topic = new_topic(bootstrap, "timestamps", 1);
    let producer = producer(
        bootstrap,
        &[("compression.codec", "zstd"), ("linger.ms", "50")],
    );
    for base in [1_000_000_i64, 2_000_000] {
        for step in 0..10 {
            let record: BaseRecord<'_, (), str> = BaseRecord::to(&topic).partition(0);
            enqueue(
                &producer,
                record.payload("x").timestamp(base + step * 1_000),
            );
        }
        flush(&producer);
    }
    let consumer = consumer(bootstrap, "times", UNCOMMITTED, &[]);
    let cases = [
        (0, Offset::Offset(0)),
        (1_003_000, Offset::Offset(3)),
        (1_003_001, Offset::Offset(4)),
        (1_500_000, Offset::Offset(10)),
        (2_009_000, Offset::Offset(19)),
        (2_009_001, Offset::End),
    ];
    for (time, expected) in cases {
        let mut asked = TopicPartitionList::new();
        asked
            .add_partition_offset(&topic, 0, Offset::Offset(time))
            .expect("the time is valid");
        let found = consumer
            .offsets_for_times(asked, PATIENCE)
            .expect("the broker answers");
        assert_eq!(found.elements()[0].offset(), expected, "at {time}");
    }
    assert_eq!(watermarks(bootstrap, &topic), (0, 20));
}

pub(crate) fn a_position_outside_the_log_is_reset(bootstrap: &str) {
    let topic = new_topic(bootstrap, "reset", 1);
    let producer = producer(bootstrap, &[]);
    send(&producer, &topic, 0, "first");
    flush(&producer);
    let consumer = consumer(bootstrap, "reset", UNCOMMITTED, &[]);
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&topic, 0, Offset::Offset(1_000))
        .expect("the offset is valid");
    consumer.assign(&list).expect("the partition exists");
    assert_eq!(next_row(&consumer).text(), "first");
}

pub(crate) fn topics_are_made_grown_and_deleted(bootstrap: &str) {
    let topic = new_topic(bootstrap, "admin", 2);
    let options = AdminOptions::new();
    admin(bootstrap, async |client| {
        let grown = client
            .create_partitions([&NewPartitions::new(&topic, 5)], &options)
            .await;
        assert_eq!(grown.expect("the broker answers"), [Ok(topic.clone())]);
    });
    wait_until("the topic has grown", || {
        partition_count(bootstrap, &topic) == 5
    });
    admin(bootstrap, async |client| {
        let deleted = client
            .delete_topics(&[&topic, "conformance-absent"], &options)
            .await;
        let deleted = deleted.expect("the broker answers");
        assert!(deleted[0].is_ok() && deleted[1].is_err(), "{deleted:?}");
    });
    wait_until("the topic is gone", || {
        partition_count(bootstrap, &topic) == 0
    });
}

pub(crate) fn a_waiting_reader_is_woken(bootstrap: &str) {
    let topic = new_topic(bootstrap, "woken", 1);
    // The fetch may wait for longer than the test is patient, so a row has to end the wait.
    let settings = [
        ("fetch.wait.max.ms", "300000"),
        ("socket.timeout.ms", "300000"),
        ("enable.partition.eof", "true"),
    ];
    let consumer = consumer(bootstrap, "woken", UNCOMMITTED, &settings);
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&topic, 0, Offset::Beginning)
        .expect("the offset is valid");
    consumer.assign(&list).expect("the partition exists");
    let producer = producer(bootstrap, &[]);
    for number in 0..3 {
        send(&producer, &topic, 0, &number.to_string());
        flush(&producer);
        wait_until("the row is read", || {
            let polled = consumer.poll(Duration::from_millis(500));
            matches!(polled, Some(Ok(_)))
        });
    }
}
