//! The transaction coordinator: who owns a transactional id, and what its open transaction touches.
//!
//! ```text
//!            add partitions / offsets              end
//!   Empty ───────────────────────────► Ongoing ─────────► Committed | Aborted
//!     ▲                                   │  ▲                   │
//!     │ init (epoch + 1)                  │  └───────────────────┘ add
//!     └──── abort, also by time-out ◄─────┘
//! ```
//!
//! This is state without I/O. An operation that ends a transaction returns an [`Ending`]; the caller
//! writes its markers before it lets go of the lock, so that nobody sees a half-ended transaction and the
//! "prepare" states of a real coordinator are not needed.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use kafka_protocol::ResponseError;

/// Longest time-out that a producer may ask for, as Apache Kafka's default.
const TIMEOUT_MAX: Duration = Duration::from_secs(15 * 60);
/// Epochs from here on make the producer id be replaced; the last one is left for fencing it.
const EPOCH_MAX: i16 = i16::MAX - 1;

/// All transactional ids and the producer ids given out.
#[derive(Debug, Default)]
pub(crate) struct Transactions {
    next_producer_id: i64,
    by_id: HashMap<String, Transaction>,
    id_of_producer: HashMap<i64, String>,
}

#[derive(Debug)]
struct Transaction {
    owner: Owner,
    /// The epoch before the last bump that the producer itself asked for, so that it may ask again.
    previous_epoch: Option<i16>,
    timeout: Duration,
    state: State,
    started: Option<Instant>,
    partitions: BTreeSet<(String, i32)>,
    groups: BTreeSet<String>,
}

/// A producer id and its epoch: only the newest epoch may act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) producer_id: i64,
    pub(crate) epoch: i16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Empty,
    Ongoing,
    Ended { committed: bool },
}

/// What remains to be done for a transaction that ends: markers and offsets.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ending {
    pub(crate) producer_id: i64,
    pub(crate) epoch: i16,
    pub(crate) committed: bool,
    pub(crate) partitions: BTreeSet<(String, i32)>,
    pub(crate) groups: BTreeSet<String>,
}

impl Transactions {
    /// Gives out a producer id to a producer without transactions.
    pub(crate) fn new_producer(&mut self) -> Owner {
        let producer_id = self.next_producer_id;
        self.next_producer_id += 1;
        Owner {
            producer_id,
            epoch: 0,
        }
    }

    /// Makes the caller the owner of a transactional id: the epoch goes up, which fences whoever had it,
    /// and a transaction left open is aborted.
    ///
    /// `current` is what a running producer believes to be when it asks for a higher epoch itself.
    ///
    /// # Errors
    /// `InvalidTransactionTimeout`, or `ProducerFenced` when `current` is no longer true.
    pub(crate) fn init(
        &mut self,
        id: &str,
        timeout: Duration,
        current: Option<Owner>,
    ) -> Result<(Owner, Option<Ending>), ResponseError> {
        if timeout.is_zero() || timeout > TIMEOUT_MAX {
            return Err(ResponseError::InvalidTransactionTimeout);
        }
        if !self.by_id.contains_key(id) {
            let owner = self.new_producer();
            self.id_of_producer.insert(owner.producer_id, id.to_owned());
            self.by_id
                .insert(id.to_owned(), Transaction::new(owner, timeout));
            return Ok((owner, None));
        }
        let transaction = self.by_id.get_mut(id).expect("looked up above");
        if let Some(current) = current.filter(|current| *current != transaction.owner) {
            let repeated = current.producer_id == transaction.owner.producer_id
                && Some(current.epoch) == transaction.previous_epoch;
            return if repeated && transaction.state == State::Empty {
                Ok((transaction.owner, None))
            } else {
                Err(ResponseError::ProducerFenced)
            };
        }
        let before = transaction.owner;
        let ending = transaction.fence();
        transaction.timeout = timeout;
        transaction.state = State::Empty;
        transaction.previous_epoch = current.map(|_| before.epoch);
        if transaction.owner.epoch >= EPOCH_MAX {
            let owner = Owner {
                producer_id: self.next_producer_id,
                epoch: 0,
            };
            self.next_producer_id += 1;
            transaction.owner = owner;
            transaction.previous_epoch = None;
            self.id_of_producer.remove(&before.producer_id);
            self.id_of_producer.insert(owner.producer_id, id.to_owned());
        }
        Ok((transaction.owner, ending))
    }

    fn owned(&mut self, id: &str, caller: Owner) -> Result<&mut Transaction, ResponseError> {
        let transaction = self
            .by_id
            .get_mut(id)
            .ok_or(ResponseError::InvalidProducerIdMapping)?;
        if transaction.owner.producer_id != caller.producer_id {
            return Err(ResponseError::InvalidProducerIdMapping);
        }
        if transaction.owner.epoch != caller.epoch {
            return Err(ResponseError::ProducerFenced);
        }
        Ok(transaction)
    }

    /// Takes partitions into the transaction, which begins by it.
    ///
    /// # Errors
    /// `ProducerFenced` or `InvalidProducerIdMapping` when the caller isn't the owner.
    pub(crate) fn add_partitions(
        &mut self,
        id: &str,
        caller: Owner,
        partitions: impl IntoIterator<Item = (String, i32)>,
        now: Instant,
    ) -> Result<(), ResponseError> {
        let transaction = self.owned(id, caller)?;
        transaction.begin(now);
        transaction.partitions.extend(partitions);
        Ok(())
    }

    /// Takes a group's offsets into the transaction, which begins by it.
    ///
    /// # Errors
    /// `ProducerFenced` or `InvalidProducerIdMapping` when the caller isn't the owner.
    pub(crate) fn add_group(
        &mut self,
        id: &str,
        caller: Owner,
        group: &str,
        now: Instant,
    ) -> Result<(), ResponseError> {
        let transaction = self.owned(id, caller)?;
        transaction.begin(now);
        transaction.groups.insert(group.to_owned());
        Ok(())
    }

    /// Checks that a producer may store rows in a partition now.
    ///
    /// # Errors
    /// `InvalidProducerEpoch` for a fenced producer, `InvalidTxnState` when the partition is not part of
    /// an open transaction.
    pub(crate) fn admit(
        &self,
        producer_id: i64,
        epoch: i16,
        topic: &str,
        partition: i32,
    ) -> Result<(), ResponseError> {
        let id = self.id_of_producer.get(&producer_id);
        let id = id.ok_or(ResponseError::InvalidProducerIdMapping)?;
        let transaction = self
            .by_id
            .get(id)
            .ok_or(ResponseError::InvalidProducerIdMapping)?;
        if transaction.owner.epoch != epoch {
            return Err(ResponseError::InvalidProducerEpoch);
        }
        // Ended: a repeat of a batch that was stored before its transaction ended comes too late.
        let asked = (topic.to_owned(), partition);
        if transaction.state != State::Ongoing || !transaction.partitions.contains(&asked) {
            return Err(ResponseError::InvalidTxnState);
        }
        Ok(())
    }

    /// Checks that a producer may send a group's offsets now.
    ///
    /// # Errors
    /// As for [`Transactions::add_group`], and `InvalidTxnState` when the group is not part of an open
    /// transaction.
    pub(crate) fn admit_offsets(
        &mut self,
        id: &str,
        caller: Owner,
        group: &str,
    ) -> Result<(), ResponseError> {
        let transaction = self.owned(id, caller)?;
        if transaction.state != State::Ongoing || !transaction.groups.contains(group) {
            return Err(ResponseError::InvalidTxnState);
        }
        Ok(())
    }

    /// Ends the open transaction; a repeated request finds it ended the same way and changes nothing.
    ///
    /// # Errors
    /// `ProducerFenced` or `InvalidProducerIdMapping` when the caller isn't the owner,
    /// `InvalidTxnState` when there is nothing to end or it ended the other way.
    pub(crate) fn end(
        &mut self,
        id: &str,
        caller: Owner,
        committed: bool,
    ) -> Result<Option<Ending>, ResponseError> {
        let transaction = self.owned(id, caller)?;
        match transaction.state {
            State::Ongoing => Ok(Some(transaction.end(committed))),
            State::Ended { committed: before } if before == committed => Ok(None),
            State::Ended { .. } | State::Empty => Err(ResponseError::InvalidTxnState),
        }
    }

    /// Aborts what has been open for longer than its producer allowed, and fences that producer.
    pub(crate) fn abort_overdue(&mut self, now: Instant) -> Vec<(String, Ending)> {
        let overdue = |transaction: &Transaction| {
            let open = transaction
                .started
                .map(|started| now.saturating_duration_since(started));
            open.is_some_and(|open| open > transaction.timeout)
        };
        self.by_id
            .iter_mut()
            .filter(|(_, transaction)| overdue(transaction))
            .filter_map(|(id, transaction)| {
                transaction.previous_epoch = None;
                transaction.fence().map(|ending| (id.clone(), ending))
            })
            .collect()
    }
}

impl Transaction {
    fn new(owner: Owner, timeout: Duration) -> Self {
        Self {
            owner,
            previous_epoch: None,
            timeout,
            state: State::Empty,
            started: None,
            partitions: BTreeSet::new(),
            groups: BTreeSet::new(),
        }
    }

    fn begin(&mut self, now: Instant) {
        if self.state != State::Ongoing {
            self.state = State::Ongoing;
            self.started = Some(now);
        }
    }

    /// Raises the epoch and aborts the open transaction under the new one, so that each partition it
    /// touched learns the new epoch from the marker.
    fn fence(&mut self) -> Option<Ending> {
        // The epoch stops at its largest value; `init` replaces the producer id before that is reused.
        self.owner.epoch = self.owner.epoch.saturating_add(1);
        (self.state == State::Ongoing).then(|| self.end(false))
    }

    fn end(&mut self, committed: bool) -> Ending {
        assert_eq!(self.state, State::Ongoing, "only an open transaction ends");
        self.state = State::Ended { committed };
        self.started = None;
        Ending {
            producer_id: self.owner.producer_id,
            epoch: self.owner.epoch,
            committed,
            partitions: std::mem::take(&mut self.partitions),
            groups: std::mem::take(&mut self.groups),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn partition(index: i32) -> [(String, i32); 1] {
        [("t".to_owned(), index)]
    }

    #[test]
    fn a_successor_fences_and_aborts() {
        let mut all = Transactions::default();
        let now = Instant::now();
        let (first, ending) = all.init("id", MINUTE, None).unwrap();
        assert_eq!(ending, None);
        all.add_partitions("id", first, partition(3), now).unwrap();
        all.add_group("id", first, "g", now).unwrap();
        assert_eq!(all.admit(first.producer_id, first.epoch, "t", 3), Ok(()));
        let (second, ending) = all.init("id", MINUTE, None).unwrap();
        let ending = ending.unwrap();
        assert_eq!(
            (second.producer_id, second.epoch),
            (first.producer_id, first.epoch + 1)
        );
        assert_eq!((ending.committed, ending.epoch), (false, second.epoch));
        assert_eq!(ending.partitions, BTreeSet::from(partition(3)));
        assert_eq!(ending.groups, BTreeSet::from(["g".to_owned()]));
        let fenced = Err(ResponseError::ProducerFenced);
        assert_eq!(all.add_partitions("id", first, partition(3), now), fenced);
        assert_eq!(
            all.end("id", first, true),
            Err(ResponseError::ProducerFenced)
        );
        assert_eq!(
            all.admit(first.producer_id, first.epoch, "t", 3),
            Err(ResponseError::InvalidProducerEpoch)
        );
    }

    #[test]
    fn ending_twice_the_same_way_is_a_repeat_and_the_other_way_an_error() {
        let mut all = Transactions::default();
        let (owner, _) = all.init("id", MINUTE, None).unwrap();
        assert_eq!(
            all.end("id", owner, true),
            Err(ResponseError::InvalidTxnState)
        );
        all.add_partitions("id", owner, partition(0), Instant::now())
            .unwrap();
        assert!(all.end("id", owner, true).unwrap().is_some());
        assert_eq!(all.end("id", owner, true), Ok(None));
        assert_eq!(
            all.end("id", owner, false),
            Err(ResponseError::InvalidTxnState)
        );
        let late = all.admit(owner.producer_id, owner.epoch, "t", 0);
        assert_eq!(late, Err(ResponseError::InvalidTxnState));
    }

    #[test]
    fn overdue_transactions_are_aborted_and_their_producer_fenced() {
        let mut all = Transactions::default();
        let now = Instant::now();
        let (owner, _) = all.init("id", MINUTE, None).unwrap();
        all.add_partitions("id", owner, partition(0), now).unwrap();
        assert!(all.abort_overdue(now + MINUTE).is_empty());
        let ended = all.abort_overdue(now + MINUTE * 2);
        assert_eq!(ended.len(), 1);
        assert_eq!(ended[0].1.epoch, owner.epoch + 1);
        assert!(all.abort_overdue(now + MINUTE * 4).is_empty());
        assert_eq!(
            all.end("id", owner, true),
            Err(ResponseError::ProducerFenced)
        );
        let again = all.init("id", MINUTE, Some(owner));
        assert_eq!(again, Err(ResponseError::ProducerFenced));
    }

    #[test]
    fn a_producer_may_raise_its_own_epoch_and_repeat_the_question() {
        let mut all = Transactions::default();
        let (owner, _) = all.init("id", MINUTE, None).unwrap();
        let (raised, _) = all.init("id", MINUTE, Some(owner)).unwrap();
        assert_eq!(raised.epoch, owner.epoch + 1);
        assert_eq!(all.init("id", MINUTE, Some(owner)), Ok((raised, None)));
        let too_long = all.init("id", MINUTE * 16, None);
        assert_eq!(too_long, Err(ResponseError::InvalidTransactionTimeout));
    }

    #[test]
    fn a_spent_producer_id_is_replaced() {
        let mut all = Transactions::default();
        let (first, _) = all.init("id", MINUTE, None).unwrap();
        let mut last = first;
        for _ in 0..i32::from(EPOCH_MAX) {
            last = all.init("id", MINUTE, None).unwrap().0;
        }
        assert_ne!(last.producer_id, first.producer_id);
        assert_eq!(last.epoch, 0);
        let spent = all.admit(first.producer_id, first.epoch, "t", 0);
        assert_eq!(spent, Err(ResponseError::InvalidProducerIdMapping));
    }
}
