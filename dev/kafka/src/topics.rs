//! Making, growing, emptying and dropping topics, and showing their settings.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::create_topics_response::{
    CreatableTopicConfigs, CreatableTopicResult,
};
use kafka_protocol::messages::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsTopicResult,
};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult,
};
use kafka_protocol::messages::{
    CreatePartitionsRequest, CreatePartitionsResponse, CreateTopicsRequest, CreateTopicsResponse,
    DeleteRecordsRequest, DeleteRecordsResponse, DeleteTopicsRequest, DeleteTopicsResponse,
    DescribeConfigsRequest, DescribeConfigsResponse,
};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use crate::api::{code, outcome};
use crate::broker::{Broker, NODE_ID};
use crate::connection::Caller;

const RESOURCE_TOPIC: i8 = 2;
const RESOURCE_BROKER: i8 = 4;
const SOURCE_TOPIC: i8 = 1;
const SOURCE_DEFAULT: i8 = 5;
const TYPE_STRING: i8 = 2;

impl Broker {
    /// Answers `CreateTopics`.
    pub(crate) fn create_topics(&self, request: CreateTopicsRequest) -> CreateTopicsResponse {
        let validate_only = request.validate_only;
        let made = |topic| self.create_one(topic, validate_only);
        CreateTopicsResponse::default().with_topics(request.topics.into_iter().map(made).collect())
    }

    fn create_one(&self, asked: CreatableTopic, validate_only: bool) -> CreatableTopicResult {
        let partitions = match (asked.assignments.len(), asked.num_partitions) {
            (0, -1) => self.options.default_partitions,
            (0, number) => number,
            (assigned, _) => i32::try_from(assigned).unwrap_or(i32::MAX),
        };
        let result = CreatableTopicResult::default();
        if asked.assignments.is_empty() && ![-1, 1].contains(&asked.replication_factor) {
            let why = "this in-memory stand-in is one node: the replication factor must be 1";
            return result
                .with_name(asked.name)
                .with_error_code(code(ResponseError::InvalidReplicationFactor))
                .with_error_message(Some(StrBytes::from_static_str(why)));
        }
        let settings: Vec<(String, String)> = asked
            .configs
            .iter()
            .filter_map(|config| {
                Some((config.name.to_string(), config.value.as_ref()?.to_string()))
            })
            .collect();
        let shown = settings.iter().map(|(name, value)| {
            CreatableTopicConfigs::default()
                .with_name(StrBytes::from_string(name.clone()))
                .with_value(Some(StrBytes::from_string(value.clone())))
                .with_config_source(SOURCE_TOPIC)
        });
        let result = result.with_configs(Some(shown.collect()));
        let made = if validate_only {
            self.check_new_topic(&asked.name, partitions)
                .map(|()| Uuid::nil())
        } else {
            self.create_topic(&asked.name, partitions, settings)
                .map(|topic| topic.id)
        };
        let result = result.with_name(asked.name);
        match made {
            Ok(id) => result
                .with_topic_id(id)
                .with_num_partitions(partitions)
                .with_replication_factor(1),
            Err(error) => result
                .with_error_code(code(ResponseError::from(&error)))
                .with_error_message(Some(StrBytes::from_string(error.to_string()))),
        }
    }

    /// Answers `DeleteTopics`, by name or by id.
    pub(crate) fn delete_topics(
        &self,
        caller: &Caller,
        request: DeleteTopicsRequest,
    ) -> DeleteTopicsResponse {
        let asked = if caller.version >= 6 {
            request.topics
        } else {
            let named = |name| DeleteTopicState::default().with_name(Some(name));
            request.topic_names.into_iter().map(named).collect()
        };
        let responses = asked.into_iter().map(|topic| {
            let result = DeletableTopicResult::default().with_topic_id(topic.topic_id);
            let by_id = || self.topic_by_id(topic.topic_id);
            let name = match topic.name {
                Some(name) => name,
                None => match by_id() {
                    Some(found) => crate::metadata::topic_name(&found.name),
                    None => return result.with_error_code(code(ResponseError::UnknownTopicId)),
                },
            };
            let deleted = self
                .delete_topic(&name)
                .map_err(|error| ResponseError::from(&error));
            result
                .with_name(Some(name))
                .with_error_code(outcome(&deleted))
        });
        DeleteTopicsResponse::default().with_responses(responses.collect())
    }

    /// Answers `CreatePartitions`.
    pub(crate) fn create_partitions(
        &self,
        request: CreatePartitionsRequest,
    ) -> CreatePartitionsResponse {
        let validate_only = request.validate_only;
        let results = request.topics.into_iter().map(|topic| {
            let grown = self
                .grow_topic(&topic.name, topic.count, validate_only)
                .map_err(|error| ResponseError::from(&error));
            CreatePartitionsTopicResult::default()
                .with_name(topic.name)
                .with_error_code(outcome(&grown))
        });
        CreatePartitionsResponse::default().with_results(results.collect())
    }

    /// Answers `DeleteRecords`.
    pub(crate) fn delete_records(&self, request: DeleteRecordsRequest) -> DeleteRecordsResponse {
        let topics = request.topics.into_iter().map(|topic| {
            let partitions = topic.partitions.iter().map(|asked| {
                let deleted = self
                    .partition(&topic.name, asked.partition_index)
                    .and_then(|log| log.lock().delete_before(asked.offset));
                DeleteRecordsPartitionResult::default()
                    .with_partition_index(asked.partition_index)
                    .with_error_code(outcome(&deleted))
                    .with_low_watermark(deleted.unwrap_or(-1))
            });
            let partitions = partitions.collect();
            DeleteRecordsTopicResult::default()
                .with_partitions(partitions)
                .with_name(topic.name)
        });
        DeleteRecordsResponse::default().with_topics(topics.collect())
    }

    /// Answers `DescribeConfigs` with the few settings that exist.
    pub(crate) fn describe_configs(
        &self,
        request: DescribeConfigsRequest,
    ) -> DescribeConfigsResponse {
        let results = request.resources.into_iter().map(|resource| {
            let result =
                DescribeConfigsResult::default().with_resource_type(resource.resource_type);
            let shown = self.settings_of(&resource);
            let result = result.with_error_code(outcome(&shown));
            result
                .with_resource_name(resource.resource_name)
                .with_configs(shown.unwrap_or_default())
        });
        DescribeConfigsResponse::default().with_results(results.collect())
    }

    fn settings_of(
        &self,
        resource: &DescribeConfigsResource,
    ) -> Result<Vec<DescribeConfigsResourceResult>, ResponseError> {
        let options = &self.options;
        let mut settings: Vec<(String, String, i8)> = Vec::new();
        let mut default = |name: &str, value: String| {
            settings.push((name.to_owned(), value, SOURCE_DEFAULT));
        };
        match resource.resource_type {
            RESOURCE_TOPIC => {
                let topic = self.topic(&resource.resource_name);
                let topic = topic.ok_or(ResponseError::UnknownTopicOrPartition)?;
                default("cleanup.policy", "delete".to_owned());
                default("max.message.bytes", options.message_max_bytes.to_string());
                default("message.timestamp.type", "CreateTime".to_owned());
                default("retention.bytes", options.retention_bytes.to_string());
                default("retention.ms", "-1".to_owned());
                for (name, value) in &topic.settings {
                    settings.retain(|(known, ..)| known != name);
                    settings.push((name.clone(), value.clone(), SOURCE_TOPIC));
                }
            }
            RESOURCE_BROKER if *resource.resource_name == *NODE_ID.to_string() => {
                default(
                    "auto.create.topics.enable",
                    options.auto_create_topics.to_string(),
                );
                default("message.max.bytes", options.message_max_bytes.to_string());
                default("num.partitions", options.default_partitions.to_string());
            }
            _ => return Err(ResponseError::InvalidRequest),
        }
        let wanted = |name: &str| match &resource.configuration_keys {
            None => true,
            Some(keys) => keys.iter().any(|key| key.as_str() == name),
        };
        let shown = settings.into_iter().filter(|(name, ..)| wanted(name));
        Ok(shown
            .map(|(name, value, source)| {
                DescribeConfigsResourceResult::default()
                    .with_name(StrBytes::from_string(name))
                    .with_value(Some(StrBytes::from_string(value)))
                    .with_read_only(true)
                    .with_config_source(source)
                    .with_config_type(TYPE_STRING)
            })
            .collect())
    }
}
