//! Transactions: what readers see of them, and who may write.

use std::time::Duration;

use rdkafka::Offset;
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::producer::Producer;

use crate::client::{
    COMMITTED, PATIENCE, TestProducer, UNCOMMITTED, committed, consumer, flush, flush_any,
    new_topic, position, producer, send, texts, transactional, unique, wait_until,
};

fn begin(producer: &TestProducer) {
    producer
        .begin_transaction()
        .expect("a transaction can begin");
}

fn commit(producer: &TestProducer) {
    producer
        .commit_transaction(PATIENCE)
        .expect("the transaction can be committed");
}

fn abort(producer: &TestProducer) {
    producer
        .abort_transaction(PATIENCE)
        .expect("the transaction can be aborted");
}

/// Sends offsets as a program does that keeps a mark in a group without members.
fn mark(
    producer: &TestProducer,
    group: &str,
    topic: &str,
    offset: i64,
    metadata: &str,
    from: &str,
) {
    let reader = consumer(from, group, UNCOMMITTED, &[]);
    let membership = reader.group_metadata().expect("the consumer has a group");
    let list = position(topic, offset, metadata);
    producer
        .send_offsets_to_transaction(&list, &membership, PATIENCE)
        .expect("the offsets are taken");
}

pub(crate) fn rows_appear_when_they_are_committed(bootstrap: &str) {
    let topic = new_topic(bootstrap, "commit", 2);
    let producer = transactional(bootstrap, &unique("tx"));
    for round in 0..3 {
        begin(&producer);
        for partition in 0..2 {
            send(
                &producer,
                &topic,
                partition,
                &format!("{partition} of {round}"),
            );
        }
        flush(&producer);
        let visible = texts(bootstrap, &topic, 2, COMMITTED);
        assert_eq!(visible.len(), round * 2, "open rows must be hidden");
        assert_eq!(
            texts(bootstrap, &topic, 2, UNCOMMITTED).len(),
            round * 2 + 2
        );
        commit(&producer);
        assert_eq!(texts(bootstrap, &topic, 2, COMMITTED).len(), round * 2 + 2);
    }
    let expected: Vec<String> = (0..6)
        .map(|at| format!("{} of {}", at / 3, at % 3))
        .collect();
    assert_eq!(texts(bootstrap, &topic, 2, COMMITTED), expected);
}

pub(crate) fn aborted_rows_never_appear(bootstrap: &str) {
    let topic = new_topic(bootstrap, "abort", 1);
    let owner = transactional(bootstrap, &unique("tx"));
    let other = transactional(bootstrap, &unique("tx"));
    let plain = producer(bootstrap, &[]);
    for round in 0..4 {
        begin(&owner);
        begin(&other);
        send(&owner, &topic, 0, &format!("bad {round}"));
        flush(&owner);
        send(&other, &topic, 0, &format!("good {round}"));
        flush(&other);
        send(&plain, &topic, 0, &format!("plain {round}"));
        flush(&plain);
        send(&owner, &topic, 0, &format!("bad again {round}"));
        flush(&owner);
        if round % 2 == 0 {
            abort(&owner);
            commit(&other);
        } else {
            commit(&other);
            abort(&owner);
        }
    }
    let expected: Vec<String> = (0..4)
        .flat_map(|round| [format!("good {round}"), format!("plain {round}")])
        .collect();
    assert_eq!(texts(bootstrap, &topic, 1, COMMITTED), expected);
    assert_eq!(texts(bootstrap, &topic, 1, UNCOMMITTED).len(), 16);
    // A producer goes on after an abort.
    begin(&owner);
    send(&owner, &topic, 0, "last");
    commit(&owner);
    let visible = texts(bootstrap, &topic, 1, COMMITTED);
    assert_eq!(visible.last().map(String::as_str), Some("last"));
}

pub(crate) fn offsets_appear_when_they_are_committed(bootstrap: &str) {
    let topic = new_topic(bootstrap, "offsets", 1);
    let group = unique("group");
    let producer = transactional(bootstrap, &unique("tx"));
    let read = || {
        let found = committed(bootstrap, &group, &topic, COMMITTED, PATIENCE);
        found.expect("the broker answers")
    };
    let digest = "d".repeat(4_000);
    for epoch in 1..=3 {
        begin(&producer);
        send(&producer, &topic, 0, "row");
        mark(&producer, &group, &topic, epoch, &digest, bootstrap);
        commit(&producer);
        assert_eq!(read(), (Offset::Offset(epoch), digest.clone()));
    }
    begin(&producer);
    mark(&producer, &group, &topic, 99, "void", bootstrap);
    abort(&producer);
    assert_eq!(read(), (Offset::Offset(3), digest));
}

pub(crate) fn a_successor_fences(bootstrap: &str) {
    let topic = new_topic(bootstrap, "fence", 1);
    let (id, group) = (unique("tx"), unique("group"));
    let older = transactional(bootstrap, &id);
    begin(&older);
    send(&older, &topic, 0, "older, before");
    flush(&older);
    mark(&older, &group, &topic, 7, "older", bootstrap);
    let newer = transactional(bootstrap, &id);
    send(&older, &topic, 0, "older, after");
    flush_any(&older);
    assert_eq!(
        older.context().failures(),
        1,
        "a fenced row must not be stored"
    );
    let refused = older
        .commit_transaction(PATIENCE)
        .expect_err("a fenced producer can't commit");
    let fatal = older.client().fatal_error();
    assert!(fatal.is_some(), "fencing is fatal, not {refused}");
    begin(&newer);
    send(&newer, &topic, 0, "newer");
    mark(&newer, &group, &topic, 8, "newer", bootstrap);
    commit(&newer);
    assert_eq!(texts(bootstrap, &topic, 1, COMMITTED), ["newer"]);
    assert_eq!(
        texts(bootstrap, &topic, 1, UNCOMMITTED),
        ["older, before", "newer"]
    );
    let found = committed(bootstrap, &group, &topic, COMMITTED, PATIENCE);
    assert_eq!(
        found.expect("the broker answers"),
        (Offset::Offset(8), "newer".to_owned())
    );
}

pub(crate) fn a_successor_aborts_what_a_dead_producer_left(bootstrap: &str) {
    let topic = new_topic(bootstrap, "dead", 1);
    let id = unique("tx");
    let dead = transactional(bootstrap, &id);
    begin(&dead);
    send(&dead, &topic, 0, "left open");
    flush(&dead);
    drop(dead);
    let plain = producer(bootstrap, &[]);
    send(&plain, &topic, 0, "plain");
    flush(&plain);
    let none: [&str; 0] = [];
    assert_eq!(
        texts(bootstrap, &topic, 1, COMMITTED),
        none,
        "the open row holds back the rest"
    );
    let successor = transactional(bootstrap, &id);
    wait_until("the open row is aborted", || {
        texts(bootstrap, &topic, 1, COMMITTED) == ["plain"]
    });
    begin(&successor);
    send(&successor, &topic, 0, "successor");
    commit(&successor);
    assert_eq!(
        texts(bootstrap, &topic, 1, COMMITTED),
        ["plain", "successor"]
    );
}

pub(crate) fn settled_offsets_are_waited_for(bootstrap: &str) {
    let topic = new_topic(bootstrap, "stable", 1);
    let group = unique("group");
    let reader = consumer(bootstrap, &group, UNCOMMITTED, &[]);
    let list = position(&topic, 1, "before");
    reader
        .commit(&list, CommitMode::Sync)
        .expect("the broker takes the offset");
    let producer = transactional(bootstrap, &unique("tx"));
    begin(&producer);
    mark(&producer, &group, &topic, 2, "after", bootstrap);
    let hasty = committed(bootstrap, &group, &topic, UNCOMMITTED, PATIENCE);
    let expected = (Offset::Offset(1), "before".to_owned());
    assert_eq!(hasty.expect("the old offset is told"), expected);
    let patience = Duration::from_secs(2);
    let settled = committed(bootstrap, &group, &topic, COMMITTED, patience);
    assert!(
        settled.is_err(),
        "an unsettled offset was told: {settled:?}"
    );
    commit(&producer);
    let settled = committed(bootstrap, &group, &topic, COMMITTED, PATIENCE);
    assert_eq!(
        settled.expect("it is settled"),
        (Offset::Offset(2), "after".to_owned())
    );
}

pub(crate) fn an_overdue_transaction_is_aborted(bootstrap: &str) {
    let topic = new_topic(bootstrap, "overdue", 1);
    let settings = [
        ("transactional.id", &*unique("tx")),
        ("transaction.timeout.ms", "1000"),
        ("message.timeout.ms", "1000"),
    ];
    let slow = producer(bootstrap, &settings);
    slow.init_transactions(PATIENCE)
        .expect("the id can be taken");
    begin(&slow);
    send(&slow, &topic, 0, "slow");
    flush(&slow);
    let plain = producer(bootstrap, &[]);
    send(&plain, &topic, 0, "plain");
    flush(&plain);
    wait_until("the transaction times out", || {
        texts(bootstrap, &topic, 1, COMMITTED) == ["plain"]
    });
    slow.commit_transaction(PATIENCE)
        .expect_err("it is too late to commit");
    assert_eq!(texts(bootstrap, &topic, 1, COMMITTED), ["plain"]);
}

pub(crate) fn many_producers_at_once(bootstrap: &str) {
    const ROUNDS: usize = 24;
    const ROWS: usize = 40;
    let topic = new_topic(bootstrap, "many-tx", 3);
    let work = |writer: usize| {
        let producer = transactional(bootstrap, &unique("tx"));
        for round in 0..ROUNDS {
            let fate = if (round + writer).is_multiple_of(3) {
                "aborted"
            } else {
                "committed"
            };
            begin(&producer);
            for row in 0..ROWS {
                let partition = i32::try_from(row % 3).expect("three partitions");
                send(
                    &producer,
                    &topic,
                    partition,
                    &format!("{fate} {writer} {round} {row}"),
                );
            }
            if fate == "aborted" {
                // Half of them with rows that nobody waited for.
                if round % 2 == 0 {
                    flush_any(&producer);
                }
                abort(&producer);
            } else {
                commit(&producer);
            }
        }
    };
    std::thread::scope(|scope| {
        for writer in 0..3 {
            scope.spawn(move || work(writer));
        }
    });
    let mut found = texts(bootstrap, &topic, 3, COMMITTED);
    found.sort_unstable();
    let mut expected = Vec::new();
    for (writer, round) in (0..3).flat_map(|writer| (0..ROUNDS).map(move |round| (writer, round))) {
        if !(round + writer).is_multiple_of(3) {
            let rows = (0..ROWS).map(|row| format!("committed {writer} {round} {row}"));
            expected.extend(rows);
        }
    }
    expected.sort_unstable();
    assert_eq!(found.len(), expected.len());
    assert_eq!(found, expected);
}
