//! A partition as its fetching sees it.

use std::time::{Duration, Instant};

use kafka_protocol::messages::TopicName;

use crate::cluster::{TopicPartition, topic_name};

/// How long a topic may be unknown to the brokers before it counts as gone: news of new topics take a while to spread.
const MISSING_MAX: Duration = Duration::from_secs(30);
/// and before it is said.
const MISSING_TOLD: Duration = Duration::from_secs(3);
/// How long brokers are not believed that tell of an older leader.
const OLDER_MAX: Duration = Duration::from_secs(10);

/// A partition, and where its fetching stands.
pub(super) struct Split {
    /// The caller's number.
    pub(super) id: usize,
    pub(super) name: TopicPartition,
    pub(super) topic: TopicName,
    /// The topic's id, as soon as brokers have told it.
    topic_id: Option<String>,
    /// The next offset to ask for. What lies before it is in the queue or with the lane.
    pub(super) next: i64,
    pub(super) active: bool,
    pub(super) leader: Option<i32>,
    pub(super) epoch: i32,
    /// A replica nearby, and until when to read from it.
    pub(super) replica: Option<(i32, Instant)>,
    /// Not to be asked for before.
    pub(super) paused_until: Option<Instant>,
    missing_since: Option<Instant>,
    is_missing_told: bool,
    /// Since when the brokers tell of an older epoch than the one that is known.
    older_since: Option<Instant>,
}

impl Split {
    pub(super) fn new(id: usize, name: TopicPartition, next: i64) -> Self {
        Self {
            id,
            topic: topic_name(&name.topic),
            topic_id: None,
            name,
            next,
            active: true,
            leader: None,
            epoch: -1,
            replica: None,
            paused_until: None,
            missing_since: None,
            is_missing_told: false,
            older_since: None,
        }
    }

    /// Returns the broker to read from.
    pub(super) fn source(&self, now: Instant) -> Option<i32> {
        if !self.active {
            return None;
        }
        match self.replica {
            Some((node, until)) if now < until => Some(node),
            _ => self.leader,
        }
    }

    /// Tells whether a topic of its name with this id is the one that it belongs to.
    pub(super) fn is_of(&mut self, topic_id: Option<&str>) -> bool {
        let Some(id) = topic_id else { return true };
        self.topic_id.get_or_insert_with(|| id.to_owned()) == id
    }

    /// Notes who leads; `false` for news that are older than what is known.
    pub(super) fn learn(&mut self, leader: Option<i32>, epoch: i32) -> bool {
        if epoch >= 0 && epoch < self.epoch {
            // A topic that was made anew begins to count from zero; a broker that lags will know better soon.
            let now = Instant::now();
            if now - *self.older_since.get_or_insert(now) < OLDER_MAX {
                return false;
            }
        }
        self.older_since = None;
        self.epoch = epoch;
        self.leader = leader;
        true
    }

    /// Asks for nothing for a while.
    pub(super) fn pause(&mut self, time: Duration) {
        self.replica = None;
        self.paused_until = Some(Instant::now() + time);
    }

    /// Notes that the brokers do not know it; `true` when that has been so for too long.
    pub(super) fn is_missing(&mut self) -> bool {
        let now = Instant::now();
        let missing = now - *self.missing_since.get_or_insert(now);
        if missing > MISSING_TOLD && !self.is_missing_told {
            self.is_missing_told = true;
            tracing::warn!(
                partition = %self.name,
                seconds = MISSING_MAX.as_secs(),
                "the brokers do not know this partition any more; if that stays so, reading ends"
            );
        }
        missing > MISSING_MAX
    }

    /// Notes that the brokers know it.
    pub(super) fn is_there(&mut self) {
        self.missing_since = None;
        self.is_missing_told = false;
        self.paused_until = None;
    }
}
