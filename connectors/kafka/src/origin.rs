//! What positions count: the ids of topics and of their cluster, so that a topic that was made anew is not taken for the
//! one before. Brokers tell ids of topics since 2.8; before that, names have to do.

use std::collections::{BTreeMap, BTreeSet};

use millrace_connector::{ConnectorError, ErrorKind, Origin, Retry};
use millrace_kafka_wire::Topic;
use serde::{Deserialize, Serialize};

use crate::source::KafkaSourceSpec;
use crate::trouble::made_anew;

/// Topics with their ids.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TopicsOrigin {
    /// The cluster's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cluster: Option<String>,
    /// Ids by names; empty where the brokers do not tell.
    topics: BTreeMap<String, String>,
}

impl TopicsOrigin {
    pub(crate) fn of(cluster: Option<String>, topics: &[Topic]) -> Self {
        let there = topics.iter().filter(|topic| topic.error.is_none());
        Self {
            cluster,
            topics: there
                .map(|topic| (topic.name.clone(), topic.id.clone().unwrap_or_default()))
                .collect(),
        }
    }

    pub(crate) fn read(origin: &Origin) -> Option<Self> {
        serde_json::from_value(origin.0.clone()).ok()
    }

    pub(crate) fn write(&self) -> Origin {
        Origin(serde_json::to_value(self).expect("ids are texts"))
    }

    pub(crate) fn has(&self, topic: &str) -> bool {
        self.topics.contains_key(topic)
    }

    /// Tells whether a topic is what it was, as far as anybody knows.
    pub(crate) fn is_same(&self, found: &Self, topic: &str) -> bool {
        let ids = self.topics.get(topic).zip(found.topics.get(topic));
        ids.is_none_or(|(was, is)| was.is_empty() || is.is_empty() || was == is)
    }

    pub(crate) fn forget(&mut self, names: &BTreeSet<String>) {
        self.topics.retain(|topic, _| !names.contains(topic));
    }

    pub(crate) fn extend(&mut self, found: Self) {
        self.cluster = found.cluster.or(self.cluster.take());
        self.topics.extend(found.topics);
    }

    /// Checks that topics of the same names are the same.
    pub(crate) fn check(&self, found: &Self, spec: &KafkaSourceSpec) -> Result<(), ConnectorError> {
        if let (Some(was), Some(is)) = (&self.cluster, &found.cluster)
            && was != is
        {
            let text = format!(
                "the brokers at {} are cluster '{is}', and the checkpoint of '{}' is one of cluster '{was}'",
                spec.servers, spec.table
            );
            return Err(ConnectorError::new(ErrorKind::Config, Retry::Never, text).help(format!(
                "correct 'properties.bootstrap.servers', or start once with --forget {}: its positions are dropped, and it begins where 'scan.startup.mode' says",
                spec.table
            )));
        }
        for (topic, is) in &found.topics {
            let was = self.topics.get(topic);
            if was.is_some_and(|was| !was.is_empty() && !is.is_empty() && was != is) {
                return Err(made_anew(topic));
            }
        }
        Ok(())
    }
}
