//! The filebeat pipeline, unchanged, inside another program, over a stand-in for Kafka in memory.

use std::time::Duration;

use millrace::Session;
use millrace_dev_kafka::{EmbeddedBroker, Options};

const PIPELINE: &str = include_str!("../../../sql-examples/filebeat_sync/pipeline.sql");

/// Three events of game servers.
const EVENTS: &str = r#"
    CREATE TABLE lines (line STRING) WITH ('connector' = 'kafka', 'topic' = 'ro_sea_tlog',
        'properties.bootstrap.servers' = '${source.brokers}', 'format' = 'raw');
    INSERT INTO lines VALUES
        ('{"env":"obt","host":"{\"name\":\"a1\"}","message":"Login|7|x","@timestamp":"2026-01-02T03:04:05.678Z"}'),
        ('{"env":"obt","host":"{\"name\":\"a1\"}","message":"Move|7|y","@timestamp":"2026-01-02T03:04:06.000Z"}'),
        ('{"env":"cbt","host":"{\"name\":\"b2\"}","message":"Logout|7|z","@timestamp":"2026-01-02T03:04:07.000Z"}');
"#;

fn session(name: &str, broker: &EmbeddedBroker) -> Session {
    let address = broker.address().to_string();
    let mut session = Session::new(name);
    session
        .set("state.checkpoints.dir", "memory://")
        .set("execution.checkpointing.interval", "100 ms")
        .set_variable("source.brokers", &address)
        .set_variable("sink.brokers", &address)
        .set_variable("sink.topic", "out");
    session
}

/// Feeds three events, runs the pipeline until they are committed, and stops it.
pub(crate) fn main() -> Result<(), Box<dyn std::error::Error>> {
    let broker = EmbeddedBroker::start(Options::default())?;
    session("feed", &broker).plan(EVENTS)?.run()?.wait()?;
    // A new group has no offsets yet.
    let text = PIPELINE.replace("'group-offsets'", "'earliest-offset'");
    let planned = session("filebeat", &broker).plan(&text)?;
    let physical = &planned.plans()[0].physical;
    assert_eq!(
        (physical.name.as_str(), physical.inputs[0].name.as_str()),
        ("Sink", "Fused")
    );
    let job = planned.run()?;
    while job.status()[0].1.records_committed < 3 {
        if let Some(error) = &job.status()[0].1.last_error {
            return Err(error.clone().into());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    job.stop();
    job.wait()?;
    broker.shutdown();
    Ok(())
}
