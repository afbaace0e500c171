//! Topics made on demand: for tools that fill one; a pipeline never makes a topic by itself.

use std::time::Duration;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::CreateTopicsRequest;
use kafka_protocol::messages::create_topics_request::CreatableTopic;

use crate::cluster::{Cluster, topic_name};
use crate::error::WireError;

/// In these versions the brokers choose how many replicas there are.
const VERSIONS: (i16, i16) = (4, 4);

impl Cluster {
    /// Makes a topic with so many partitions, with the brokers' own number of replicas. Returns whether it was made; one
    /// that is there is left as it is.
    ///
    /// # Errors
    /// No broker makes it within `limit`.
    pub fn create_topic(
        &self,
        name: &str,
        partitions: i32,
        limit: Duration,
    ) -> Result<bool, WireError> {
        let topic = CreatableTopic::default()
            .with_name(topic_name(name))
            .with_num_partitions(partitions)
            .with_replication_factor(-1);
        let request = CreateTopicsRequest::default()
            .with_topics(vec![topic])
            .with_timeout_ms(30_000);
        self.retry(limit, |state, deadline| {
            for node in self.nodes(state, deadline)? {
                let (answer, _) = self.ask(state, node, &request, VERSIONS, deadline)?;
                let code = answer.topics.first().map_or(0, |topic| topic.error_code);
                match ResponseError::try_from_code(code) {
                    None => return Ok(true),
                    Some(ResponseError::TopicAlreadyExists) => return Ok(false),
                    // Where ZooKeeper is, only one broker makes topics.
                    Some(ResponseError::NotController) => {}
                    Some(code) => {
                        return Err(WireError::refused(format!("make topic '{name}'"), code));
                    }
                }
            }
            let what = format!("make topic '{name}'");
            Err(WireError::refused(what, ResponseError::NotController))
        })
    }
}
