//! What a broker says of a topic.

use std::time::Duration;

use anyhow::{Result, bail};
use rdkafka::consumer::{BaseConsumer, Consumer};

const CALL: Duration = Duration::from_secs(20);

/// Returns how many partitions a topic has.
///
/// # Errors
/// The broker does not answer, or knows no such topic.
pub fn partitions(consumer: &BaseConsumer, topic: &str) -> Result<i32> {
    let metadata = consumer.fetch_metadata(Some(topic), CALL)?;
    let found = metadata
        .topics()
        .first()
        .map_or(0, |topic| topic.partitions().len());
    if found == 0 {
        bail!("there is no topic {topic}");
    }
    Ok(i32::try_from(found)?)
}
