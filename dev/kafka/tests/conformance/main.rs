//! One suite, with librdkafka as the client, for the embedded broker and for a real one.
//!
//! The real one is asked when `MILLRACE_KAFKA` names it: `MILLRACE_KAFKA=127.0.0.1:19092`.

mod client;
mod groups;
mod plain;
mod transactions;

use rdkafka::producer::Producer;

use millrace_dev_kafka::{EmbeddedBroker, Options};

/// Runs a case against a fresh embedded broker, and against the real one if there is one.
fn against_each(case: fn(&str)) {
    let broker = EmbeddedBroker::start(Options::default()).expect("a free port can be had");
    case(&broker.address().to_string());
    broker.shutdown();
    if let Ok(real) = std::env::var("MILLRACE_KAFKA") {
        case(&real);
    }
}

macro_rules! suite {
    ($($module:ident: $($case:ident),+;)+) => {
        $($(
            #[test]
            fn $case() {
                against_each($module::$case);
            }
        )+)+
    };
}

suite! {
    plain: rows_come_back_as_they_were_sent, partitions_keep_their_own_order,
        a_large_row_passes, an_idempotent_producer_stores_each_row_once,
        two_hundred_thousand_rows_pass, offsets_are_found_by_timestamp,
        a_position_outside_the_log_is_reset, topics_are_made_grown_and_deleted,
        a_waiting_reader_is_woken;
    groups: a_group_resumes_where_it_committed, members_share_partitions_and_take_over,
        metadata_has_a_limit;
    transactions: rows_appear_when_they_are_committed, aborted_rows_never_appear,
        offsets_appear_when_they_are_committed, a_successor_fences,
        a_successor_aborts_what_a_dead_producer_left, settled_offsets_are_waited_for,
        an_overdue_transaction_is_aborted, many_producers_at_once;
}

#[test]
fn memory_is_bounded_by_dropping_the_oldest_rows() {
    let options = Options {
        retention_bytes: 100_000,
        ..Options::default()
    };
    let broker = EmbeddedBroker::start(options).expect("a free port can be had");
    let bootstrap = broker.address().to_string();
    broker.create_topic("bounded", 1).expect("the name is free");
    let producer = client::producer(&bootstrap, &[("batch.num.messages", "10")]);
    for number in 0..1_000 {
        client::send(&producer, "bounded", 0, &format!("{number:0500}"));
    }
    client::flush(&producer);
    let (low, high) = client::watermarks(&bootstrap, "bounded");
    assert_eq!(high, 1_000);
    assert!((700..=900).contains(&low), "the log starts at {low}");
    let rows = client::read_to_end(&bootstrap, "bounded", 1, client::UNCOMMITTED);
    assert_eq!(rows.len() as i64, high - low);
}

#[test]
fn topics_are_not_made_where_that_is_not_wanted() {
    let options = Options {
        auto_create_topics: false,
        ..Options::default()
    };
    let broker = EmbeddedBroker::start(options).expect("a free port can be had");
    let bootstrap = broker.address().to_string();
    let settings = [
        ("message.timeout.ms", "1500"),
        ("topic.metadata.propagation.max.ms", "500"),
    ];
    let producer = client::producer(&bootstrap, &settings);
    client::send(&producer, "absent", 0, "x");
    client::flush_any(&producer);
    assert_eq!(producer.context().failures(), 1);
    assert_eq!(client::partition_count(&bootstrap, "absent"), 0);
}
