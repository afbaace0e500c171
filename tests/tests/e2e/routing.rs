//! One INSERT sends each row to the topic that it names, with a key of its own and the metadata of the record it came from.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::broker::Broker;
use crate::pipeline::Pipeline;
use crate::reader::{Isolation, Reader};

fn sql(broker: &Broker, source: &str, odd: &str, even: &str) -> String {
    let servers = format!("'properties.bootstrap.servers' = '{}'", broker.address);
    format!(
        "CREATE TABLE src (id INT, tt STRING METADATA FROM 'timestamp-type', le INT METADATA FROM 'leader-epoch',
           ts TIMESTAMP_LTZ(3) METADATA FROM 'timestamp')
         WITH ('connector' = 'kafka', 'topic' = '{source}', {servers}, 'format' = 'json',
           'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset');
         CREATE TABLE dst (id INT, tt STRING, le INT, `topic` STRING METADATA, ts TIMESTAMP_LTZ(3) METADATA FROM 'timestamp')
         WITH ('connector' = 'kafka', 'topic' = '{odd};{even}', {servers},
           'key.format' = 'json', 'key.fields' = 'id', 'value.format' = 'json', 'value.fields-include' = 'EXCEPT_KEY',
           'sink.delivery-guarantee' = 'exactly-once', 'sink.transactional-id-prefix' = '{source}');
         INSERT INTO dst SELECT id, tt, le, IF(MOD(id, 2) = 0, '{even}', '{odd}'), ts FROM src;"
    )
}

#[test]
fn each_row_goes_to_the_topic_that_it_names() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    let broker = Broker::shared();
    let source = broker.topic("routing-in", 2)?;
    let (odd, even) = (
        broker.topic("routing-odd", 2)?,
        broker.topic("routing-even", 2)?,
    );
    let rows = (1..=9).map(|id| Some(format!("{{\"id\":{id}}}").into_bytes()));
    broker.write(&source, 1, rows)?;
    Pipeline::new("routing", &sql(&broker, &source, &odd, &even))?
        .start()?
        .ends_with(0, Duration::from_secs(60))?;
    for (topic, expected) in [(&odd, 5), (&even, 4)] {
        let rows = Reader::open(&broker, topic, Isolation::Committed)?.read_to_end()?;
        ensure!(rows.len() == expected, "{topic}: {} rows", rows.len());
        for row in rows {
            let text = String::from_utf8(row)?;
            ensure!(text == r#"{"tt":"CreateTime","le":0}"#, "{text}");
        }
    }
    Ok(())
}
