//! Consumer groups and their offsets.

use std::time::Duration;

use rdkafka::Offset;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::client::{
    PATIENCE, UNCOMMITTED, committed, consumer, flush, new_topic, next_row, position, producer,
    send, unique, wait_until,
};

pub(crate) fn a_group_resumes_where_it_committed(bootstrap: &str) {
    let topic = new_topic(bootstrap, "resume", 1);
    let group = unique("group");
    let producer = producer(bootstrap, &[]);
    for number in 0..10 {
        send(&producer, &topic, 0, &number.to_string());
    }
    flush(&producer);
    let none = committed(bootstrap, &group, &topic, UNCOMMITTED, PATIENCE);
    assert_eq!(none.expect("the broker answers").0, Offset::Invalid);
    for first in [0, 5] {
        let consumer = consumer(bootstrap, &group, UNCOMMITTED, &[]);
        consumer.subscribe(&[&topic]).expect("the topic exists");
        for number in first..first + 5 {
            assert_eq!(next_row(&consumer).text(), number.to_string());
        }
        let list = position(&topic, first + 5, "so far");
        consumer
            .commit(&list, CommitMode::Sync)
            .expect("the broker takes the offset");
    }
    let found = committed(bootstrap, &group, &topic, UNCOMMITTED, PATIENCE);
    assert_eq!(
        found.expect("the broker answers"),
        (Offset::Offset(10), "so far".to_owned())
    );
}

pub(crate) fn members_share_partitions_and_take_over(bootstrap: &str) {
    let topic = new_topic(bootstrap, "shared", 4);
    let group = unique("group");
    let member = || {
        let settings = [
            ("session.timeout.ms", "6000"),
            ("heartbeat.interval.ms", "200"),
        ];
        let consumer = consumer(bootstrap, &group, UNCOMMITTED, &settings);
        consumer.subscribe(&[&topic]).expect("the topic exists");
        consumer
    };
    let share = |consumer: &BaseConsumer| {
        // Rebalances happen inside poll; there are no rows to lose.
        if let Some(Err(error)) = consumer.poll(Duration::from_millis(20)) {
            panic!("the group fails: {error}");
        }
        consumer
            .assignment()
            .expect("the assignment is known")
            .count()
    };
    let first = member();
    wait_until("one member has all", || share(&first) == 4);
    let second = member();
    wait_until("two members have half each", || {
        share(&first) == 2 && share(&second) == 2
    });
    drop(first);
    wait_until("the other takes over", || share(&second) == 4);
}

pub(crate) fn metadata_has_a_limit(bootstrap: &str) {
    let topic = new_topic(bootstrap, "metadata", 1);
    let group = unique("group");
    let consumer = consumer(bootstrap, &group, UNCOMMITTED, &[]);
    let longest = "m".repeat(4_096);
    let list = position(&topic, 1, &longest);
    consumer
        .commit(&list, CommitMode::Sync)
        .expect("4,096 bytes are allowed");
    let list = position(&topic, 2, &format!("{longest}m"));
    let refused = consumer
        .commit(&list, CommitMode::Sync)
        .expect_err("one more is not");
    let code = RDKafkaErrorCode::OffsetMetadataTooLarge;
    assert!(
        matches!(refused, KafkaError::ConsumerCommit(found) if found == code),
        "{refused}"
    );
    let found = committed(bootstrap, &group, &topic, UNCOMMITTED, PATIENCE);
    assert_eq!(
        found.expect("the broker answers"),
        (Offset::Offset(1), longest)
    );
}
