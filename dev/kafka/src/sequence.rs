//! What a partition remembers of each idempotent producer, so that a repeated batch is stored once and
//! a producer of an older epoch is turned away.

use std::collections::{HashMap, VecDeque};

use kafka_protocol::ResponseError;

use crate::batch::Header;

/// Batches remembered for each producer; clients keep at most five requests in flight.
const REMEMBERED_BATCHES_MAX: usize = 5;

/// The producers that wrote to one partition.
#[derive(Debug, Default)]
pub(crate) struct Sequences {
    by_producer: HashMap<i64, Producer>,
}

#[derive(Debug)]
struct Producer {
    epoch: i16,
    recent: VecDeque<Remembered>,
}

#[derive(Debug, Clone, Copy)]
struct Remembered {
    first: i32,
    last: i32,
    base_offset: i64,
}

/// What is to be done with a batch.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It comes next.
    Append,
    /// It is stored already, from this offset on.
    Stored(i64),
}

impl Sequences {
    /// Decides on a batch before it is appended.
    ///
    /// # Errors
    /// `InvalidProducerEpoch` for a fenced producer, `DuplicateSequenceNumber` for a batch that was
    /// stored so long ago that its offset is forgotten, `OutOfOrderSequenceNumber` for a gap.
    pub(crate) fn check(&self, header: &Header) -> Result<Verdict, ResponseError> {
        if !header.is_idempotent() {
            return Ok(Verdict::Append);
        }
        let Some(producer) = self.by_producer.get(&header.producer_id) else {
            return Ok(Verdict::Append);
        };
        if header.producer_epoch < producer.epoch {
            return Err(ResponseError::InvalidProducerEpoch);
        }
        if header.producer_epoch > producer.epoch {
            return match header.base_sequence {
                0 => Ok(Verdict::Append),
                _ => Err(ResponseError::OutOfOrderSequenceNumber),
            };
        }
        let (first, last) = (header.base_sequence, header.last_sequence());
        let same = |known: &&Remembered| known.first == first && known.last == last;
        if let Some(known) = producer.recent.iter().find(same) {
            return Ok(Verdict::Stored(known.base_offset));
        }
        let expected = match producer.recent.back() {
            Some(known) if known.last == i32::MAX => 0,
            Some(known) => known.last + 1,
            None => 0,
        };
        if first == expected {
            Ok(Verdict::Append)
        } else if last < expected {
            Err(ResponseError::DuplicateSequenceNumber)
        } else {
            Err(ResponseError::OutOfOrderSequenceNumber)
        }
    }

    /// Remembers an appended batch.
    pub(crate) fn appended(&mut self, header: &Header, base_offset: i64) {
        if !header.is_idempotent() {
            return;
        }
        self.raise_epoch(header.producer_id, header.producer_epoch);
        let producer = self
            .by_producer
            .get_mut(&header.producer_id)
            .expect("raise_epoch made the entry");
        if producer.recent.len() == REMEMBERED_BATCHES_MAX {
            producer.recent.pop_front();
        }
        producer.recent.push_back(Remembered {
            first: header.base_sequence,
            last: header.last_sequence(),
            base_offset,
        });
    }

    /// Notes the newest epoch of a producer; a new epoch starts counting at 0 again.
    pub(crate) fn raise_epoch(&mut self, producer_id: i64, epoch: i16) {
        let fresh = || Producer {
            epoch,
            recent: VecDeque::new(),
        };
        let producer = self.by_producer.entry(producer_id).or_insert_with(fresh);
        if epoch > producer.epoch {
            *producer = fresh();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{split, tests::encoded};

    fn header(epoch: i16, sequence: i32, rows: usize) -> Header {
        let bytes = encoded(Some((1, epoch, sequence, false)), &vec![(0, "x"); rows]);
        split(bytes, 1 << 20).unwrap()[0].header
    }

    #[test]
    fn sequences_follow_each_other_and_repeats_are_recognised() {
        let mut sequences = Sequences::default();
        for batch in 0..7 {
            let next = header(0, batch * 3, 3);
            assert_eq!(sequences.check(&next), Ok(Verdict::Append));
            sequences.appended(&next, i64::from(batch) * 10);
        }
        let cases = [
            (header(0, 18, 3), Ok(Verdict::Stored(60))),
            (header(0, 6, 3), Ok(Verdict::Stored(20))),
            (header(0, 0, 3), Err(ResponseError::DuplicateSequenceNumber)),
            (
                header(0, 24, 3),
                Err(ResponseError::OutOfOrderSequenceNumber),
            ),
            (header(0, 21, 1), Ok(Verdict::Append)),
            (header(1, 0, 1), Ok(Verdict::Append)),
            (
                header(1, 5, 1),
                Err(ResponseError::OutOfOrderSequenceNumber),
            ),
        ];
        for (next, expected) in cases {
            assert_eq!(sequences.check(&next), expected, "{next:?}");
        }
    }

    #[test]
    fn a_raised_epoch_fences_the_older_one() {
        let mut sequences = Sequences::default();
        sequences.appended(&header(0, 0, 1), 0);
        sequences.raise_epoch(1, 1);
        assert_eq!(
            sequences.check(&header(0, 1, 1)),
            Err(ResponseError::InvalidProducerEpoch)
        );
        assert_eq!(sequences.check(&header(1, 0, 1)), Ok(Verdict::Append));
    }
}
