//! Fetch sessions (KIP-227): the broker remembers what is asked for, so a request names only what has changed.

use std::collections::HashMap;

use kafka_protocol::messages::TopicName;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic, ForgottenTopic};

/// What is wanted of one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) topic: TopicName,
    pub(super) partition: i32,
    pub(super) offset: i64,
    pub(super) epoch: i32,
    pub(super) bytes_max: i32,
}

pub(super) type Key = (TopicName, i32);

/// What the broker knows that we want.
#[derive(Default)]
pub(super) struct Session {
    id: i32,
    epoch: i32,
    sent: HashMap<Key, Wanted>,
}

/// The part of a request that depends on the session.
pub(super) struct Ask {
    pub(super) id: i32,
    pub(super) epoch: i32,
    pub(super) topics: Vec<FetchTopic>,
    pub(super) forgotten: Vec<ForgottenTopic>,
}

impl Session {
    /// Begins anew with the next request.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    /// Returns what to send so that the broker knows `wanted`, in that order.
    pub(super) fn ask(&mut self, wanted: &[Wanted]) -> Ask {
        let is_full = self.epoch == 0;
        let mut topics: Vec<FetchTopic> = Vec::new();
        let mut forgotten: Vec<ForgottenTopic> = Vec::new();
        if is_full {
            self.sent.clear();
        } else if self.sent.len() > wanted.len()
            || !wanted.iter().all(|one| self.sent.contains_key(&key(one)))
        {
            let keep: std::collections::HashSet<Key> = wanted.iter().map(key).collect();
            self.sent.retain(|name, _| {
                let kept = keep.contains(name);
                if !kept {
                    let topic = ForgottenTopic::default().with_topic(name.0.clone());
                    forgotten.push(topic.with_partitions(vec![name.1]));
                }
                kept
            });
        }
        for one in wanted {
            let known = self.sent.insert(key(one), one.clone());
            if !is_full && known.as_ref() == Some(one) {
                continue;
            }
            let partition = FetchPartition::default()
                .with_partition(one.partition)
                .with_current_leader_epoch(one.epoch)
                .with_fetch_offset(one.offset)
                .with_partition_max_bytes(one.bytes_max);
            match topics.last_mut() {
                Some(topic) if topic.topic == one.topic => topic.partitions.push(partition),
                _ => topics.push(
                    FetchTopic::default()
                        .with_topic(one.topic.clone())
                        .with_partitions(vec![partition]),
                ),
            }
        }
        Ask {
            id: self.id,
            epoch: self.epoch,
            topics,
            forgotten,
        }
    }

    /// Takes note of the session that an answer belongs to.
    pub(super) fn answered(&mut self, id: i32) {
        if id == 0 {
            // The broker keeps none: each request names everything.
            self.id = 0;
            self.epoch = 0;
        } else {
            self.id = id;
            // 0 means a new session, so the count goes around it.
            self.epoch = self.epoch.checked_add(1).unwrap_or(1);
        }
    }

    /// Returns the offset that was last asked for.
    pub(super) fn asked(&self, key: &Key) -> Option<i64> {
        self.sent.get(key).map(|wanted| wanted.offset)
    }
}

fn key(wanted: &Wanted) -> Key {
    (wanted.topic.clone(), wanted.partition)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::topic_name;

    fn wanted(topic: &str, partition: i32, offset: i64) -> Wanted {
        Wanted {
            topic: topic_name(topic),
            partition,
            offset,
            epoch: 0,
            bytes_max: 100,
        }
    }

    fn named(ask: &Ask) -> Vec<(String, i32, i64)> {
        let topics = ask.topics.iter();
        topics
            .flat_map(|topic| {
                let partitions = topic.partitions.iter();
                partitions.map(|p| (topic.topic.to_string(), p.partition, p.fetch_offset))
            })
            .collect()
    }

    #[test]
    fn names_what_changed_only() {
        let mut session = Session::default();
        let all = [wanted("a", 0, 5), wanted("a", 1, 7), wanted("b", 0, 0)];
        let ask = session.ask(&all);
        assert_eq!(
            (ask.id, ask.epoch, named(&ask).len(), ask.topics.len()),
            (0, 0, 3, 2)
        );
        session.answered(42);
        let ask = session.ask(&[wanted("a", 0, 5), wanted("a", 1, 9), wanted("b", 0, 0)]);
        assert_eq!(
            (ask.id, ask.epoch, named(&ask)),
            (42, 1, vec![("a".into(), 1, 9)])
        );
        session.answered(42);
        let ask = session.ask(&[wanted("a", 1, 9), wanted("c", 3, 1)]);
        assert_eq!(named(&ask), [("c".to_owned(), 3, 1)]);
        assert_eq!((ask.epoch, ask.forgotten.len()), (2, 2));
        assert_eq!(session.asked(&(topic_name("a"), 1)), Some(9));
        assert_eq!(session.asked(&(topic_name("a"), 0)), None);
        session.reset();
        assert_eq!(named(&session.ask(&[wanted("a", 1, 9)])).len(), 1);
    }

    #[test]
    fn without_a_session_everything_is_named_each_time() {
        let mut session = Session::default();
        for _ in 0..2 {
            let ask = session.ask(&[wanted("a", 0, 5)]);
            assert_eq!((ask.id, ask.epoch, named(&ask).len()), (0, 0, 1));
            session.answered(0);
        }
    }
}
