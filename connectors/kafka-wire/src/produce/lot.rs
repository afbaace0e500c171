//! One partition that is written: the batch that takes records, and those that wait to be sent, in their order.

use std::collections::VecDeque;
use std::time::Instant;

use parking_lot::Mutex;

use super::Identity;
use super::batch::{Batch, Open, sequence_after};
use crate::cluster::TopicPartition;

/// A partition as lanes see it.
pub(super) struct Lot {
    /// Its number among all that are written.
    pub(super) id: usize,
    /// Which partition it is.
    pub(super) name: TopicPartition,
    /// The batch that takes records. Sealed under this lock, so that batches queue up in the order of their records.
    pub(super) open: Mutex<Option<Open>>,
}

/// A partition as its broker's sender sees it.
#[derive(Default)]
pub(super) struct Line {
    /// The broker that leads it.
    pub(super) leader: Option<i32>,
    /// Batches to be sent, by their order.
    queue: VecDeque<Batch>,
    /// How many are sent and not yet answered.
    pub(super) in_flight: usize,
    /// One was refused: those behind it must be sent again too, and none before they have all been answered.
    is_rewinding: bool,
    /// Nothing is sent before.
    pub(super) paused_until: Option<Instant>,
    next_order: u64,
    next_sequence: i32,
}

impl Line {
    /// Returns the place of the next batch.
    pub(super) fn order(&mut self) -> u64 {
        self.next_order += 1;
        self.next_order
    }

    pub(super) fn push(&mut self, batch: Batch) {
        self.queue.push_back(batch);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(super) fn batches(&self) -> impl Iterator<Item = &Batch> {
        self.queue.iter()
    }

    /// Returns the size of the batch that is to be sent next, if one may be sent.
    pub(super) fn ready(&self, now: Instant, in_flight_max: usize) -> Option<usize> {
        let may = self.in_flight < in_flight_max
            && !(self.is_rewinding && self.in_flight > 0)
            && self.paused_until.is_none_or(|until| until <= now);
        self.queue.front().filter(|_| may).map(Batch::len)
    }

    /// Takes the batch that is to be sent next.
    pub(super) fn take(&mut self) -> Option<Batch> {
        let batch = self.queue.pop_front()?;
        self.in_flight += 1;
        self.is_rewinding &= self.in_flight > 1;
        Some(batch)
    }

    /// Notes that a batch was answered, or is not under way any more.
    pub(super) fn landed(&mut self) {
        self.in_flight -= 1;
    }

    /// Puts a batch back that must be sent again.
    pub(super) fn put_back(&mut self, batch: Batch) {
        let place = self.queue.partition_point(|one| one.order < batch.order);
        self.queue.insert(place, batch);
        self.is_rewinding = self.in_flight > 0;
    }

    /// Tells whether a batch before this one has still to be sent again.
    pub(super) fn lacks_before(&self, batch: &Batch) -> bool {
        self.queue
            .front()
            .is_some_and(|first| first.order < batch.order)
    }

    /// Returns the number from which on the batch's records are counted.
    pub(super) fn sequence(&mut self, batch: &Batch, identity: Identity) -> i32 {
        batch.sequence(identity).unwrap_or_else(|| {
            let sequence = self.next_sequence;
            self.next_sequence = sequence_after(sequence, batch.count());
            sequence
        })
    }

    /// Counts from nothing, as another producer.
    pub(super) fn restart(&mut self) {
        self.next_sequence = 0;
    }

    /// Removes all batches that are not under way.
    pub(super) fn clear(&mut self) -> VecDeque<Batch> {
        std::mem::take(&mut self.queue)
    }

    /// Removes the batches that `is_late`.
    pub(super) fn remove(&mut self, is_late: impl Fn(&Batch) -> bool) -> Vec<Batch> {
        let (late, kept) = std::mem::take(&mut self.queue)
            .into_iter()
            .partition::<VecDeque<_>, _>(is_late);
        self.queue = kept;
        late.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::NewRecord;

    const SELF: Identity = Identity { id: 1, epoch: 0 };

    fn push(line: &mut Line) {
        let mut open = Open::new(Vec::new());
        for _ in 0..3 {
            open.append(&NewRecord::default());
        }
        let order = line.order();
        line.push(open.seal(order));
    }

    fn send(line: &mut Line) -> Batch {
        line.ready(Instant::now(), 5).expect("one may be sent");
        let mut batch = line.take().unwrap();
        let sequence = line.sequence(&batch, SELF);
        batch.sign(Some((SELF, sequence)), false);
        batch
    }

    #[test]
    fn refused_batches_go_again_in_their_order_and_under_their_numbers() {
        let mut line = Line::default();
        (0..4).for_each(|_| push(&mut line));
        let sent: Vec<Batch> = (0..3).map(|_| send(&mut line)).collect();
        let sequences = |batches: &[Batch]| {
            let found = batches.iter().map(|batch| batch.sequence(SELF).unwrap());
            found.collect::<Vec<i32>>()
        };
        assert_eq!(sequences(&sent), [0, 3, 6]);
        let mut sent = sent.into_iter();
        line.landed();
        line.put_back(sent.next().unwrap());
        // The two behind it are under way: nothing may overtake the one that is missing.
        assert_eq!(line.ready(Instant::now(), 5), None);
        for batch in sent {
            assert!(line.lacks_before(&batch));
            line.landed();
            line.put_back(batch);
        }
        let again: Vec<Batch> = (0..4).map(|_| send(&mut line)).collect();
        assert_eq!(sequences(&again), [0, 3, 6, 9]);
        assert!(again.is_sorted_by_key(|batch| batch.order));
    }

    #[test]
    fn only_so_many_are_under_way() {
        let mut line = Line::default();
        (0..2).for_each(|_| push(&mut line));
        drop(send(&mut line));
        assert_eq!(line.ready(Instant::now(), 1), None);
        line.landed();
        assert!(line.ready(Instant::now(), 1).is_some());
    }
}
