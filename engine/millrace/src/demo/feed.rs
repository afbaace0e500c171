//! Fills the source topic.

use std::time::{Duration, Instant};

use super::generator::FilebeatEvents;
use super::scene::Scene;
use crate::topic::{Filler, create, put_group_at_start};

/// What was written.
pub(crate) struct Fed {
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    pub(crate) elapsed: Duration,
}

/// Writes `rows` events, row i to partition i modulo the partitions, and puts the group at the topic's beginning, as a
/// pipeline that moves here from elsewhere finds it.
pub(crate) fn feed(
    scene: Scene,
    brokers: &str,
    (topic, group): (&str, &str),
    partitions: u32,
    rows: u64,
    seed: u64,
) -> anyhow::Result<Fed> {
    let started = Instant::now();
    create(brokers, topic, partitions)?;
    let filler = Filler::open(brokers, topic)?;
    let mut generators: Vec<FilebeatEvents> = (0..partitions)
        .map(|partition| FilebeatEvents::new(seed, partition))
        .collect();
    let mut event = String::new();
    let mut bytes = 0;
    for row in 0..rows {
        let partition = usize::try_from(row % u64::from(partitions)).expect("partitions are few");
        let at = scene.next(&mut generators[partition], &mut event);
        bytes += event.len() as u64;
        filler.write(partition, at, event.as_bytes())?;
    }
    filler.finish()?;
    put_group_at_start(brokers, topic, group, partitions)?;
    Ok(Fed {
        rows,
        bytes,
        elapsed: started.elapsed(),
    })
}
