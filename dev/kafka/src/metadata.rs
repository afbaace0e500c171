//! Where things are: one node leads all partitions and coordinates all groups and transactions.

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{
    BrokerId, DescribeClusterRequest, DescribeClusterResponse, FindCoordinatorRequest,
    FindCoordinatorResponse, MetadataRequest, MetadataResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;

use crate::api::code;
use crate::batch::LEADER_EPOCH;
use crate::broker::{Broker, CLUSTER_ID, NODE_ID, Topic, TopicError};
use crate::connection::Caller;

/// "Not asked for" in fields that list permitted operations.
const OPERATIONS_UNKNOWN: i32 = i32::MIN;
const COORDINATES_GROUPS: i8 = 0;
const COORDINATES_TRANSACTIONS: i8 = 1;

/// Makes a topic's name as the protocol wants it.
pub(crate) fn topic_name(name: &str) -> TopicName {
    TopicName(StrBytes::from_string(name.to_owned()))
}

impl Caller {
    /// Returns the host under which this client reached the broker.
    fn host(&self) -> StrBytes {
        StrBytes::from_string(self.local.ip().to_string())
    }

    fn port(&self) -> i32 {
        i32::from(self.local.port())
    }
}

impl Broker {
    /// Answers `Metadata`, and makes topics on their first use where that is wanted.
    pub(crate) fn metadata(&self, caller: &Caller, request: MetadataRequest) -> MetadataResponse {
        let create = self.options.auto_create_topics
            && (caller.version < 4 || request.allow_auto_topic_creation);
        let all = || self.topics().iter().map(described).collect();
        let topics = match request.topics {
            None => all(),
            // Before version 1 an empty list means all topics.
            Some(asked) if asked.is_empty() && caller.version == 0 => all(),
            Some(asked) => asked
                .into_iter()
                .map(|topic| self.one_topic(topic, create))
                .collect(),
        };
        let node = MetadataResponseBroker::default()
            .with_node_id(BrokerId(NODE_ID))
            .with_host(caller.host())
            .with_port(caller.port());
        MetadataResponse::default()
            .with_brokers(vec![node])
            .with_cluster_id(Some(StrBytes::from_static_str(CLUSTER_ID)))
            .with_controller_id(BrokerId(NODE_ID))
            .with_topics(topics)
            .with_cluster_authorized_operations(OPERATIONS_UNKNOWN)
    }

    fn one_topic(&self, asked: MetadataRequestTopic, create: bool) -> MetadataResponseTopic {
        let missing = |error: ResponseError| {
            MetadataResponseTopic::default()
                .with_error_code(code(error))
                .with_topic_id(asked.topic_id)
        };
        let Some(name) = asked.name else {
            return match self.topic_by_id(asked.topic_id) {
                Some(topic) => described(&topic),
                None => missing(ResponseError::UnknownTopicId),
            };
        };
        let found = match self.topic(&name) {
            Some(topic) => Ok(topic),
            None if create => self.create_on_first_use(&name),
            None => Err(ResponseError::UnknownTopicOrPartition),
        };
        match found {
            Ok(topic) => described(&topic),
            Err(error) => missing(error).with_name(Some(name)),
        }
    }

    fn create_on_first_use(&self, name: &str) -> Result<Arc<Topic>, ResponseError> {
        match self.create_topic(name, self.options.default_partitions, Vec::new()) {
            // Another client was faster.
            Err(TopicError::Exists { .. }) => self
                .topic(name)
                .ok_or(ResponseError::UnknownTopicOrPartition),
            made => made.map_err(|error| (&error).into()),
        }
    }

    /// Answers `FindCoordinator` for groups and transactional ids, one or many at once.
    pub(crate) fn find_coordinator(
        &self,
        caller: &Caller,
        request: FindCoordinatorRequest,
    ) -> FindCoordinatorResponse {
        let known = [COORDINATES_GROUPS, COORDINATES_TRANSACTIONS].contains(&request.key_type);
        if !known {
            let error = code(ResponseError::InvalidRequest);
            let refuse = |key| Coordinator::default().with_key(key).with_error_code(error);
            let coordinators = request.coordinator_keys.into_iter().map(refuse).collect();
            return FindCoordinatorResponse::default()
                .with_error_code(error)
                .with_coordinators(coordinators);
        }
        let here = |key| {
            Coordinator::default()
                .with_key(key)
                .with_node_id(BrokerId(NODE_ID))
                .with_host(caller.host())
                .with_port(caller.port())
        };
        let response = FindCoordinatorResponse::default();
        if caller.version >= 4 {
            let found = request.coordinator_keys.into_iter().map(here).collect();
            return response.with_coordinators(found);
        }
        response
            .with_node_id(BrokerId(NODE_ID))
            .with_host(caller.host())
            .with_port(caller.port())
    }

    /// Answers `DescribeCluster`.
    pub(crate) fn describe_cluster(
        &self,
        caller: &Caller,
        request: &DescribeClusterRequest,
    ) -> DescribeClusterResponse {
        let node = DescribeClusterBroker::default()
            .with_broker_id(BrokerId(NODE_ID))
            .with_host(caller.host())
            .with_port(caller.port());
        DescribeClusterResponse::default()
            .with_endpoint_type(request.endpoint_type)
            .with_cluster_id(StrBytes::from_static_str(CLUSTER_ID))
            .with_controller_id(BrokerId(NODE_ID))
            .with_brokers(vec![node])
            .with_cluster_authorized_operations(OPERATIONS_UNKNOWN)
    }
}

fn described(topic: &Arc<Topic>) -> MetadataResponseTopic {
    let partitions = (0..topic.partition_count()).map(|index| {
        MetadataResponsePartition::default()
            .with_partition_index(index)
            .with_leader_id(BrokerId(NODE_ID))
            .with_leader_epoch(LEADER_EPOCH)
            .with_replica_nodes(vec![BrokerId(NODE_ID)])
            .with_isr_nodes(vec![BrokerId(NODE_ID)])
    });
    MetadataResponseTopic::default()
        .with_name(Some(topic_name(&topic.name)))
        .with_topic_id(topic.id)
        .with_partitions(partitions.collect())
        .with_topic_authorized_operations(OPERATIONS_UNKNOWN)
}
