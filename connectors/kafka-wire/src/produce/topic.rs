//! A topic that is written: which partition a record goes to, and appending.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kafka_protocol::ResponseError;
use millrace_connector::Cancel;

use super::Shared;
use super::batch::Open;
use super::lot::Lot;
use crate::batch::HEAD;
use crate::error::WireError;
use crate::record::NewRecord;

/// How often a topic is looked at that is just being made.
const MAKING_PAUSE: Duration = Duration::from_millis(100);

/// A way to write to one topic. Each lane has its own.
pub struct Outlet {
    shared: Arc<Shared>,
    name: String,
    lots: Vec<Arc<Lot>>,
    /// When the number of partitions is looked up again.
    due: Instant,
}

/// The partition of records without a key: one after the other, a batch to each.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sticky(usize);

/// Returns a way to write to a topic.
pub(super) fn open(shared: &Arc<Shared>, name: &str, limit: Duration) -> Result<Outlet, WireError> {
    let mut outlet = Outlet {
        shared: Arc::clone(shared),
        name: name.to_owned(),
        lots: Vec::new(),
        due: Instant::now(),
    };
    outlet.look_up(limit)?;
    Ok(outlet)
}

impl Outlet {
    /// Waits until the topic is there: brokers that make topics by themselves do so at the first question.
    fn look_up(&mut self, limit: Duration) -> Result<(), WireError> {
        let deadline = Instant::now() + limit;
        loop {
            use ResponseError::{LeaderNotAvailable, UnknownTopicOrPartition};
            let left = deadline.saturating_duration_since(Instant::now());
            match self.ask(left) {
                Err(WireError::Refused {
                    code: UnknownTopicOrPartition | LeaderNotAvailable,
                    ..
                }) if left > MAKING_PAUSE => std::thread::sleep(MAKING_PAUSE),
                outcome => return outcome,
            }
        }
    }

    fn ask(&mut self, limit: Duration) -> Result<(), WireError> {
        let names = [self.name.clone()];
        let cluster = &self.shared.cluster;
        let what = || format!("look up topic '{}'", self.name);
        let found = cluster.topics(Some(&names), limit)?;
        let topic = found.into_iter().find(|topic| topic.name == self.name);
        let topic = topic
            .ok_or_else(|| WireError::refused(what(), ResponseError::UnknownTopicOrPartition))?;
        if let Some(code) = topic.error {
            return Err(WireError::refused(what(), code));
        }
        if topic.partitions.is_empty() {
            return Err(WireError::refused(
                what(),
                ResponseError::LeaderNotAvailable,
            ));
        }
        self.lots = self.shared.learn(&topic);
        self.due = Instant::now() + cluster.settings().metadata_age_max;
        Ok(())
    }

    /// Looks the number of partitions up again where that was done long ago; an attempt that fails is made again later.
    pub fn refresh(&mut self, limit: Duration) {
        if Instant::now() < self.due {
            return;
        }
        if let Err(error) = self.look_up(limit) {
            tracing::debug!(topic = self.name, %error, "the partitions could not be looked up again");
            self.due = Instant::now() + Duration::from_secs(10);
        }
    }

    /// Returns how many partitions the topic has.
    #[must_use]
    pub fn partitions(&self) -> usize {
        self.lots.len()
    }

    /// Returns the partition of a key.
    ///
    /// # Source
    /// `BuiltInPartitioner.partitionForKey`: murmur2, its sign taken away, modulo the number of partitions.
    #[must_use]
    pub fn partition_of(&self, key: &[u8]) -> usize {
        (murmur2(key) & 0x7fff_ffff) as usize % self.lots.len()
    }

    /// Appends records to a partition, waiting for room.
    ///
    /// # Errors
    /// A record is too large, or the wait is cancelled. What becomes of the records later, [`super::Producer::flush`] tells.
    pub fn append<'a>(
        &self,
        partition: usize,
        records: impl IntoIterator<Item = NewRecord<'a>>,
        cancel: &Cancel,
    ) -> Result<(), WireError> {
        let mut records = records.into_iter().peekable();
        while records.peek().is_some() {
            self.fill(partition, &mut records, cancel)?;
        }
        Ok(())
    }

    /// Appends records to the partition that `sticky` is at, which goes on to the next one with each batch.
    ///
    /// # Errors
    /// As [`Outlet::append`].
    ///
    /// # Source
    /// `BuiltInPartitioner`: sticky until a batch is full, so that batches are large. Java goes on by chance, this in turn.
    pub fn append_sticky<'a>(
        &self,
        sticky: &mut Sticky,
        records: impl IntoIterator<Item = NewRecord<'a>>,
        cancel: &Cancel,
    ) -> Result<(), WireError> {
        let mut records = records.into_iter().peekable();
        if self.lots[sticky.0 % self.lots.len()].open.lock().is_none() {
            sticky.0 = (sticky.0 + 1) % self.lots.len();
        }
        while records.peek().is_some() {
            let is_full = self.fill(sticky.0 % self.lots.len(), &mut records, cancel)?;
            if is_full {
                sticky.0 = (sticky.0 + 1) % self.lots.len();
            }
        }
        Ok(())
    }

    /// Appends records until a batch is full or there is none left; tells whether the batch is full.
    fn fill<'a>(
        &self,
        partition: usize,
        records: &mut std::iter::Peekable<impl Iterator<Item = NewRecord<'a>>>,
        cancel: &Cancel,
    ) -> Result<bool, WireError> {
        let shared = &*self.shared;
        let lot = &self.lots[partition];
        shared.wait_for_room(cancel)?;
        let mut slot = lot.open.lock();
        let mut open = match slot.take() {
            Some(open) => open,
            None => Open::new(shared.spare()),
        };
        let is_new = open.is_empty();
        let before = if is_new { 0 } else { open.len() };
        let mut is_full = false;
        let mut outcome = Ok(());
        while let Some(record) = records.peek() {
            let size = record.size_max();
            if size + HEAD > shared.settings.request_bytes_max {
                outcome = Err(self.too_large(size));
                break;
            }
            is_full = !open.is_empty() && open.len() + size > shared.settings.batch_bytes;
            if is_full {
                break;
            }
            open.append(record);
            records.next();
        }
        if open.is_empty() {
            return outcome.map(|()| false);
        }
        shared.state.lock().bytes += open.len() - before;
        if is_full {
            shared.seal(lot, open);
        } else {
            let since = open.since;
            *slot = Some(open);
            drop(slot);
            if is_new {
                shared.linger(since, lot);
            }
        }
        outcome.map(|()| is_full)
    }

    fn too_large(&self, size: usize) -> WireError {
        WireError::refused(
            format!(
                "write a record of {size} bytes to topic '{}' where {} are the most",
                self.name, self.shared.settings.request_bytes_max
            ),
            ResponseError::MessageTooLarge,
        )
    }
}

/// Hashes a key as Kafka's clients do.
///
/// # Source
/// `org.apache.kafka.common.utils.Utils.murmur2`.
fn murmur2(bytes: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const MIX: u32 = 0x5bd1_e995;
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let mut hash = SEED ^ length;
    let mut words = bytes.chunks_exact(4);
    for word in &mut words {
        let word = u32::from_le_bytes(word.try_into().expect("it has four bytes"));
        let mixed = word.wrapping_mul(MIX);
        let mixed = (mixed ^ (mixed >> 24)).wrapping_mul(MIX);
        hash = hash.wrapping_mul(MIX) ^ mixed;
    }
    let rest = words.remainder();
    if !rest.is_empty() {
        for (place, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * place);
        }
        hash = hash.wrapping_mul(MIX);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(MIX);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values of `UtilsTest.testMurmur2` in Kafka's own tests.
    #[test]
    fn hashes_as_javas_clients() {
        let cases: [(&[u8], i32); 6] = [
            (b"21", -973_932_308),
            (b"foobar", -790_332_482),
            (b"a-little-bit-long-string", -985_981_536),
            (b"a-little-bit-longer-string", -1_486_304_829),
            (
                b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8",
                -58_897_971,
            ),
            (b"abc", 479_470_107),
        ];
        for (key, hash) in cases {
            assert_eq!(murmur2(key) as i32, hash, "{key:?}");
        }
    }
}
