//! What the one node holds: topics with their partitions, and the two coordinators.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use kafka_protocol::ResponseError;
use parking_lot::{Mutex, RwLock};
use tokio::sync::watch;
use uuid::Uuid;

use crate::group::Groups;
use crate::log::Log;
use crate::server::Options;
use crate::transaction::{Ending, Transactions};

/// The id of the only node.
pub(crate) const NODE_ID: i32 = 1;
/// The name that the cluster gives itself.
pub(crate) const CLUSTER_ID: &str = "millrace-dev-kafka";
/// More partitions than this in one topic are a mistake in a demo.
const PARTITIONS_MAX: i32 = 10_000;
const TOPIC_NAME_BYTES_MAX: usize = 249;

/// The state behind all connections.
///
/// Locks are taken in the order `transactions`, `topics`, a partition, `groups`, and never across an await.
#[derive(Debug)]
pub(crate) struct Broker {
    pub(crate) options: Options,
    pub(crate) transactions: Mutex<Transactions>,
    topics: RwLock<BTreeMap<String, Arc<Topic>>>,
    pub(crate) groups: Mutex<Groups>,
    /// Changes whenever rows are stored or become visible; waiting fetches listen to it.
    grown: watch::Sender<()>,
}

/// A topic.
#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) name: String,
    pub(crate) id: Uuid,
    partitions: RwLock<Vec<Arc<Mutex<Log>>>>,
    /// Settings as they were given; none of them is obeyed.
    pub(crate) settings: Vec<(String, String)>,
}

impl Topic {
    /// Returns the number of partitions.
    pub(crate) fn partition_count(&self) -> i32 {
        i32::try_from(self.partitions.read().len()).expect("creation bounds the number")
    }

    /// Returns a partition's log.
    pub(crate) fn partition(&self, index: i32) -> Option<Arc<Mutex<Log>>> {
        let index = usize::try_from(index).ok()?;
        self.partitions.read().get(index).cloned()
    }
}

/// Why a topic could not be made or grown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TopicError {
    /// Names are 1 to 249 of the letters a-z, A-Z, 0-9, `.`, `_` and `-`, and not `.` or `..`.
    #[error("topic name '{name}' is not allowed")]
    Name {
        /// The refused name.
        name: String,
    },
    /// The number of partitions is out of range, or not larger than it was.
    #[error("topic '{topic}' can't have {partitions} partitions")]
    Partitions {
        /// The topic.
        topic: String,
        /// The refused number.
        partitions: i32,
    },
    /// The topic exists already.
    #[error("topic '{topic}' exists already")]
    Exists {
        /// The topic.
        topic: String,
    },
    /// There is no such topic.
    #[error("topic '{topic}' does not exist")]
    Missing {
        /// The topic.
        topic: String,
    },
}

impl From<&TopicError> for ResponseError {
    fn from(error: &TopicError) -> Self {
        match error {
            TopicError::Name { .. } => Self::InvalidTopicException,
            TopicError::Partitions { .. } => Self::InvalidPartitions,
            TopicError::Exists { .. } => Self::TopicAlreadyExists,
            TopicError::Missing { .. } => Self::UnknownTopicOrPartition,
        }
    }
}

impl Broker {
    pub(crate) fn new(options: Options) -> Self {
        Self {
            options,
            transactions: Mutex::new(Transactions::default()),
            topics: RwLock::new(BTreeMap::new()),
            groups: Mutex::new(Groups::default()),
            grown: watch::channel(()).0,
        }
    }

    /// Checks what [`Broker::create_topic`] would refuse.
    pub(crate) fn check_new_topic(&self, name: &str, partitions: i32) -> Result<(), TopicError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let sized = (1..=TOPIC_NAME_BYTES_MAX).contains(&name.len());
        if !sized || name == "." || name == ".." || !name.bytes().all(allowed) {
            return Err(TopicError::Name {
                name: name.to_owned(),
            });
        }
        if !(1..=PARTITIONS_MAX).contains(&partitions) {
            return Err(TopicError::Partitions {
                topic: name.to_owned(),
                partitions,
            });
        }
        if self.topics.read().contains_key(name) {
            return Err(TopicError::Exists {
                topic: name.to_owned(),
            });
        }
        Ok(())
    }

    /// Makes a topic.
    pub(crate) fn create_topic(
        &self,
        name: &str,
        partitions: i32,
        settings: Vec<(String, String)>,
    ) -> Result<Arc<Topic>, TopicError> {
        self.check_new_topic(name, partitions)?;
        let logs = (0..partitions).map(|_| self.new_log()).collect();
        let topic = Arc::new(Topic {
            name: name.to_owned(),
            id: Uuid::new_v4(),
            partitions: RwLock::new(logs),
            settings,
        });
        let mut topics = self.topics.write();
        if topics.contains_key(name) {
            return Err(TopicError::Exists {
                topic: name.to_owned(),
            });
        }
        topics.insert(name.to_owned(), Arc::clone(&topic));
        Ok(topic)
    }

    /// Gives a topic more partitions; `validate_only` checks and changes nothing.
    pub(crate) fn grow_topic(
        &self,
        name: &str,
        partitions: i32,
        validate_only: bool,
    ) -> Result<(), TopicError> {
        let topic = self.topic(name).ok_or_else(|| TopicError::Missing {
            topic: name.to_owned(),
        })?;
        let mut logs = topic.partitions.write();
        let wanted = usize::try_from(partitions).unwrap_or(0);
        if wanted <= logs.len() || partitions > PARTITIONS_MAX {
            return Err(TopicError::Partitions {
                topic: name.to_owned(),
                partitions,
            });
        }
        if !validate_only {
            logs.resize_with(wanted, || self.new_log());
        }
        Ok(())
    }

    fn new_log(&self) -> Arc<Mutex<Log>> {
        Arc::new(Mutex::new(Log::new(self.options.retention_bytes)))
    }

    /// Drops a topic and what groups committed for it.
    pub(crate) fn delete_topic(&self, name: &str) -> Result<(), TopicError> {
        let removed = self.topics.write().remove(name);
        if removed.is_none() {
            return Err(TopicError::Missing {
                topic: name.to_owned(),
            });
        }
        self.groups.lock().forget_topic(name);
        self.announce_growth();
        Ok(())
    }

    /// Returns all topics, ordered by name.
    pub(crate) fn topics(&self) -> Vec<Arc<Topic>> {
        self.topics.read().values().cloned().collect()
    }

    /// Finds a topic by name.
    pub(crate) fn topic(&self, name: &str) -> Option<Arc<Topic>> {
        self.topics.read().get(name).cloned()
    }

    /// Finds a topic by id.
    pub(crate) fn topic_by_id(&self, id: Uuid) -> Option<Arc<Topic>> {
        self.topics
            .read()
            .values()
            .find(|topic| topic.id == id)
            .cloned()
    }

    /// Finds a partition's log.
    ///
    /// # Errors
    /// `UnknownTopicOrPartition` when there is none.
    pub(crate) fn partition(
        &self,
        topic: &str,
        index: i32,
    ) -> Result<Arc<Mutex<Log>>, ResponseError> {
        let found = self.topic(topic).and_then(|topic| topic.partition(index));
        found.ok_or(ResponseError::UnknownTopicOrPartition)
    }

    /// Wakes the fetches that wait for rows.
    pub(crate) fn announce_growth(&self) {
        self.grown.send_replace(());
    }

    /// Returns a listener for [`Broker::announce_growth`].
    pub(crate) fn growth(&self) -> watch::Receiver<()> {
        self.grown.subscribe()
    }

    /// Writes the markers of a transaction that ends, then lets go of its offsets or drops them.
    ///
    /// The caller holds the lock on `transactions`: until the markers stand, nobody else's request
    /// finds the transaction ended.
    pub(crate) fn finish(&self, ending: &Ending) {
        let now_ms = now_ms();
        for (topic, index) in &ending.partitions {
            // The topic may have been deleted since.
            if let Ok(partition) = self.partition(topic, *index) {
                partition.lock().end_transaction(
                    ending.producer_id,
                    ending.epoch,
                    ending.committed,
                    now_ms,
                );
            }
        }
        let mut groups = self.groups.lock();
        for group in &ending.groups {
            groups
                .get_or_create(group)
                .end_transaction(ending.producer_id, ending.committed);
        }
        drop(groups);
        self.announce_growth();
    }

    /// Aborts the transactions that have been open for longer than they asked for.
    pub(crate) fn end_overdue_transactions(&self, now: Instant) {
        let mut transactions = self.transactions.lock();
        for (id, ending) in transactions.abort_overdue(now) {
            tracing::info!(transactional_id = %id, "transaction timed out and is aborted");
            self.finish(&ending);
        }
    }
}

/// Returns the wall clock in milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
