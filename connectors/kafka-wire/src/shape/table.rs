//! The fields of every answer that this client decodes, in their order, for the versions that it asks for.
//!
//! Made from the decoders of the crate `kafka-protocol` 0.18; `tests` of this module hold them against each other.

use super::Shape::{Array, Bytes, CompactArray, CompactText, Fixed, Inner, Text};
use super::{Group, NEVER, field};

/// The answers by the key of their request.
pub(super) static ANSWERS: [(i16, &Group); 16] = [
    (0, &PRODUCE_RESPONSE),
    (1, &FETCH_RESPONSE),
    (2, &LIST_OFFSETS_RESPONSE),
    (3, &METADATA_RESPONSE),
    (8, &OFFSET_COMMIT_RESPONSE),
    (9, &OFFSET_FETCH_RESPONSE),
    (10, &FIND_COORDINATOR_RESPONSE),
    (17, &SASL_HANDSHAKE_RESPONSE),
    (18, &API_VERSIONS_RESPONSE),
    (22, &INIT_PRODUCER_ID_RESPONSE),
    (24, &ADD_PARTITIONS_TO_TXN_RESPONSE),
    (25, &ADD_OFFSETS_TO_TXN_RESPONSE),
    (26, &END_TXN_RESPONSE),
    (28, &TXN_OFFSET_COMMIT_RESPONSE),
    (36, &SASL_AUTHENTICATE_RESPONSE),
    (19, &CREATE_TOPICS_RESPONSE),
];

/// Of `ApiVersion`.
static API_VERSION: Group = Group {
    fields: &[
        field(0, 3, Fixed(2)), // api_key
        field(0, 3, Fixed(2)), // min_version
        field(0, 3, Fixed(2)), // max_version
    ],
    flexible: 3,
    tags: &[],
};

/// Of `SupportedFeatureKey`.
static SUPPORTED_FEATURE_KEY: Group = Group {
    fields: &[
        field(3, 3, CompactText), // name
        field(3, 3, Fixed(2)),    // min_version
        field(3, 3, Fixed(2)),    // max_version
    ],
    flexible: 3,
    tags: &[],
};

/// Of `FinalizedFeatureKey`.
static FINALIZED_FEATURE_KEY: Group = Group {
    fields: &[
        field(3, 3, CompactText), // name
        field(3, 3, Fixed(2)),    // max_version_level
        field(3, 3, Fixed(2)),    // min_version_level
    ],
    flexible: 3,
    tags: &[],
};

/// Of `ApiVersionsResponse`.
static API_VERSIONS_RESPONSE: Group = Group {
    fields: &[
        field(0, 3, Fixed(2)),                           // error_code
        field(0, 2, Array(&Inner(&API_VERSION))),        // api_keys
        field(3, 3, CompactArray(&Inner(&API_VERSION))), // api_keys
        field(1, 3, Fixed(4)),                           // throttle_time_ms
    ],
    flexible: 3,
    tags: &[
        (0, CompactArray(&Inner(&SUPPORTED_FEATURE_KEY))),
        (1, Fixed(8)),
        (2, CompactArray(&Inner(&FINALIZED_FEATURE_KEY))),
        (3, Fixed(1)),
    ],
};

/// Of `MetadataResponseBroker`.
static METADATA_RESPONSE_BROKER: Group = Group {
    fields: &[
        field(4, 12, Fixed(4)),    // node_id
        field(4, 8, Text),         // host
        field(9, 12, CompactText), // host
        field(4, 12, Fixed(4)),    // port
        field(4, 8, Text),         // rack
        field(9, 12, CompactText), // rack
    ],
    flexible: 9,
    tags: &[],
};

/// Of `MetadataResponsePartition`.
static METADATA_RESPONSE_PARTITION: Group = Group {
    fields: &[
        field(4, 12, Fixed(2)),                // error_code
        field(4, 12, Fixed(4)),                // partition_index
        field(4, 12, Fixed(4)),                // leader_id
        field(7, 12, Fixed(4)),                // leader_epoch
        field(4, 8, Array(&Fixed(4))),         // replica_nodes
        field(9, 12, CompactArray(&Fixed(4))), // replica_nodes
        field(4, 8, Array(&Fixed(4))),         // isr_nodes
        field(9, 12, CompactArray(&Fixed(4))), // isr_nodes
        field(5, 8, Array(&Fixed(4))),         // offline_replicas
        field(9, 12, CompactArray(&Fixed(4))), // offline_replicas
    ],
    flexible: 9,
    tags: &[],
};

/// Of `MetadataResponseTopic`.
static METADATA_RESPONSE_TOPIC: Group = Group {
    fields: &[
        field(4, 12, Fixed(2)),                                           // error_code
        field(4, 8, Text),                                                // name
        field(9, 12, CompactText),                                        // name
        field(10, 12, Fixed(16)),                                         // topic_id
        field(4, 12, Fixed(1)),                                           // is_internal
        field(4, 8, Array(&Inner(&METADATA_RESPONSE_PARTITION))),         // partitions
        field(9, 12, CompactArray(&Inner(&METADATA_RESPONSE_PARTITION))), // partitions
        field(8, 12, Fixed(4)), // topic_authorized_operations
    ],
    flexible: 9,
    tags: &[],
};

/// Of `MetadataResponse`.
static METADATA_RESPONSE: Group = Group {
    fields: &[
        field(4, 12, Fixed(4)),                                // throttle_time_ms
        field(4, 8, Array(&Inner(&METADATA_RESPONSE_BROKER))), // brokers
        field(9, 12, CompactArray(&Inner(&METADATA_RESPONSE_BROKER))), // brokers
        field(4, 8, Text),                                     // cluster_id
        field(9, 12, CompactText),                             // cluster_id
        field(4, 12, Fixed(4)),                                // controller_id
        field(4, 8, Array(&Inner(&METADATA_RESPONSE_TOPIC))),  // topics
        field(9, 12, CompactArray(&Inner(&METADATA_RESPONSE_TOPIC))), // topics
        field(8, 10, Fixed(4)),                                // cluster_authorized_operations
    ],
    flexible: 9,
    tags: &[],
};

/// Of `Coordinator`.
static COORDINATOR: Group = Group {
    fields: &[
        field(4, 4, CompactText), // key
        field(4, 4, Fixed(4)),    // node_id
        field(4, 4, CompactText), // host
        field(4, 4, Fixed(4)),    // port
        field(4, 4, Fixed(2)),    // error_code
        field(4, 4, CompactText), // error_message
    ],
    flexible: 3,
    tags: &[],
};

/// Of `FindCoordinatorResponse`.
static FIND_COORDINATOR_RESPONSE: Group = Group {
    fields: &[
        field(1, 4, Fixed(4)),                           // throttle_time_ms
        field(0, 3, Fixed(2)),                           // error_code
        field(1, 2, Text),                               // error_message
        field(3, 3, CompactText),                        // error_message
        field(0, 3, Fixed(4)),                           // node_id
        field(0, 2, Text),                               // host
        field(3, 3, CompactText),                        // host
        field(0, 3, Fixed(4)),                           // port
        field(4, 4, CompactArray(&Inner(&COORDINATOR))), // coordinators
    ],
    flexible: 3,
    tags: &[],
};

/// Of `ListOffsetsPartitionResponse`.
static LIST_OFFSETS_PARTITION_RESPONSE: Group = Group {
    fields: &[
        field(1, 7, Fixed(4)), // partition_index
        field(1, 7, Fixed(2)), // error_code
        field(1, 7, Fixed(8)), // timestamp
        field(1, 7, Fixed(8)), // offset
        field(4, 7, Fixed(4)), // leader_epoch
    ],
    flexible: 6,
    tags: &[],
};

/// Of `ListOffsetsTopicResponse`.
static LIST_OFFSETS_TOPIC_RESPONSE: Group = Group {
    fields: &[
        field(1, 5, Text),                                                   // name
        field(6, 7, CompactText),                                            // name
        field(1, 5, Array(&Inner(&LIST_OFFSETS_PARTITION_RESPONSE))),        // partitions
        field(6, 7, CompactArray(&Inner(&LIST_OFFSETS_PARTITION_RESPONSE))), // partitions
    ],
    flexible: 6,
    tags: &[],
};

/// Of `ListOffsetsResponse`.
static LIST_OFFSETS_RESPONSE: Group = Group {
    fields: &[
        field(2, 7, Fixed(4)),                                    // throttle_time_ms
        field(1, 5, Array(&Inner(&LIST_OFFSETS_TOPIC_RESPONSE))), // topics
        field(6, 7, CompactArray(&Inner(&LIST_OFFSETS_TOPIC_RESPONSE))), // topics
    ],
    flexible: 6,
    tags: &[],
};

/// Of `OffsetFetchResponsePartition`.
static OFFSET_FETCH_RESPONSE_PARTITION: Group = Group {
    fields: &[
        field(1, 7, Fixed(4)),    // partition_index
        field(1, 7, Fixed(8)),    // committed_offset
        field(5, 7, Fixed(4)),    // committed_leader_epoch
        field(1, 5, Text),        // metadata
        field(6, 7, CompactText), // metadata
        field(1, 7, Fixed(2)),    // error_code
    ],
    flexible: 6,
    tags: &[],
};

/// Of `OffsetFetchResponseTopic`.
static OFFSET_FETCH_RESPONSE_TOPIC: Group = Group {
    fields: &[
        field(1, 5, Text),                                                   // name
        field(6, 7, CompactText),                                            // name
        field(1, 5, Array(&Inner(&OFFSET_FETCH_RESPONSE_PARTITION))),        // partitions
        field(6, 7, CompactArray(&Inner(&OFFSET_FETCH_RESPONSE_PARTITION))), // partitions
    ],
    flexible: 6,
    tags: &[],
};

/// Of `OffsetFetchResponsePartitions`.
static OFFSET_FETCH_RESPONSE_PARTITIONS: Group = Group {
    fields: &[
        field(8, 8, Fixed(4)),    // partition_index
        field(8, 8, Fixed(8)),    // committed_offset
        field(8, 8, Fixed(4)),    // committed_leader_epoch
        field(8, 8, CompactText), // metadata
        field(8, 8, Fixed(2)),    // error_code
    ],
    flexible: 6,
    tags: &[],
};

/// Of `OffsetFetchResponseTopics`.
static OFFSET_FETCH_RESPONSE_TOPICS: Group = Group {
    fields: &[
        field(8, 8, CompactText), // name
        field(
            8,
            8,
            CompactArray(&Inner(&OFFSET_FETCH_RESPONSE_PARTITIONS)),
        ), // partitions
    ],
    flexible: 6,
    tags: &[],
};

/// Of `OffsetFetchResponseGroup`.
static OFFSET_FETCH_RESPONSE_GROUP: Group = Group {
    fields: &[
        field(8, 8, CompactText),                                         // group_id
        field(8, 8, CompactArray(&Inner(&OFFSET_FETCH_RESPONSE_TOPICS))), // topics
        field(8, 8, Fixed(2)),                                            // error_code
    ],
    flexible: 6,
    tags: &[],
};

/// Of `OffsetFetchResponse`.
static OFFSET_FETCH_RESPONSE: Group = Group {
    fields: &[
        field(3, 8, Fixed(4)),                                    // throttle_time_ms
        field(1, 5, Array(&Inner(&OFFSET_FETCH_RESPONSE_TOPIC))), // topics
        field(6, 7, CompactArray(&Inner(&OFFSET_FETCH_RESPONSE_TOPIC))), // topics
        field(2, 7, Fixed(2)),                                    // error_code
        field(8, 8, CompactArray(&Inner(&OFFSET_FETCH_RESPONSE_GROUP))), // groups
    ],
    flexible: 6,
    tags: &[],
};

/// Of `OffsetCommitResponsePartition`.
static OFFSET_COMMIT_RESPONSE_PARTITION: Group = Group {
    fields: &[
        field(2, 8, Fixed(4)), // partition_index
        field(2, 8, Fixed(2)), // error_code
    ],
    flexible: 8,
    tags: &[],
};

/// Of `OffsetCommitResponseTopic`.
static OFFSET_COMMIT_RESPONSE_TOPIC: Group = Group {
    fields: &[
        field(2, 7, Text),                                             // name
        field(8, 8, CompactText),                                      // name
        field(2, 7, Array(&Inner(&OFFSET_COMMIT_RESPONSE_PARTITION))), // partitions
        field(
            8,
            8,
            CompactArray(&Inner(&OFFSET_COMMIT_RESPONSE_PARTITION)),
        ), // partitions
    ],
    flexible: 8,
    tags: &[],
};

/// Of `OffsetCommitResponse`.
static OFFSET_COMMIT_RESPONSE: Group = Group {
    fields: &[
        field(3, 8, Fixed(4)),                                     // throttle_time_ms
        field(2, 7, Array(&Inner(&OFFSET_COMMIT_RESPONSE_TOPIC))), // topics
        field(8, 8, CompactArray(&Inner(&OFFSET_COMMIT_RESPONSE_TOPIC))), // topics
    ],
    flexible: 8,
    tags: &[],
};

/// Of `AbortedTransaction`.
static ABORTED_TRANSACTION: Group = Group {
    fields: &[
        field(4, 12, Fixed(8)), // producer_id
        field(4, 12, Fixed(8)), // first_offset
    ],
    flexible: 12,
    tags: &[],
};

/// Of `EpochEndOffset`.
static EPOCH_END_OFFSET: Group = Group {
    fields: &[
        field(12, 12, Fixed(4)), // epoch
        field(12, 12, Fixed(8)), // end_offset
    ],
    flexible: 12,
    tags: &[],
};

/// Of `LeaderIdAndEpoch`.
static LEADER_ID_AND_EPOCH: Group = Group {
    fields: &[
        field(12, 12, Fixed(4)), // leader_id
        field(12, 12, Fixed(4)), // leader_epoch
    ],
    flexible: 12,
    tags: &[],
};

/// Of `SnapshotId`.
static SNAPSHOT_ID: Group = Group {
    fields: &[
        field(4, 12, Fixed(8)), // end_offset
        field(4, 12, Fixed(4)), // epoch
    ],
    flexible: 12,
    tags: &[],
};

/// Of `PartitionData`.
static PARTITION_DATA: Group = Group {
    fields: &[
        field(4, 12, Fixed(4)),                                    // partition_index
        field(4, 12, Fixed(2)),                                    // error_code
        field(4, 12, Fixed(8)),                                    // high_watermark
        field(4, 12, Fixed(8)),                                    // last_stable_offset
        field(5, 12, Fixed(8)),                                    // log_start_offset
        field(4, 11, Array(&Inner(&ABORTED_TRANSACTION))),         // aborted_transactions
        field(12, 12, CompactArray(&Inner(&ABORTED_TRANSACTION))), // aborted_transactions
        field(11, 12, Fixed(4)),                                   // preferred_read_replica
        field(4, 11, Bytes),                                       // records
        field(12, 12, CompactText),                                // records
    ],
    flexible: 12,
    tags: &[
        (0, Inner(&EPOCH_END_OFFSET)),
        (1, Inner(&LEADER_ID_AND_EPOCH)),
        (2, Inner(&SNAPSHOT_ID)),
    ],
};

/// Of `FetchableTopicResponse`.
static FETCHABLE_TOPIC_RESPONSE: Group = Group {
    fields: &[
        field(4, 11, Text),                                   // topic
        field(12, 12, CompactText),                           // topic
        field(4, 11, Array(&Inner(&PARTITION_DATA))),         // partitions
        field(12, 12, CompactArray(&Inner(&PARTITION_DATA))), // partitions
    ],
    flexible: 12,
    tags: &[],
};

/// Of `FetchResponse`.
static FETCH_RESPONSE: Group = Group {
    fields: &[
        field(4, 12, Fixed(4)),                                 // throttle_time_ms
        field(7, 12, Fixed(2)),                                 // error_code
        field(7, 12, Fixed(4)),                                 // session_id
        field(4, 11, Array(&Inner(&FETCHABLE_TOPIC_RESPONSE))), // responses
        field(12, 12, CompactArray(&Inner(&FETCHABLE_TOPIC_RESPONSE))), // responses
    ],
    flexible: 12,
    tags: &[],
};

/// Of `BatchIndexAndErrorMessage`.
static BATCH_INDEX_AND_ERROR_MESSAGE: Group = Group {
    fields: &[
        field(8, 9, Fixed(4)),    // batch_index
        field(8, 8, Text),        // batch_index_error_message
        field(9, 9, CompactText), // batch_index_error_message
    ],
    flexible: 9,
    tags: &[],
};

/// Of `PartitionProduceResponse`.
static PARTITION_PRODUCE_RESPONSE: Group = Group {
    fields: &[
        field(3, 9, Fixed(4)),                                             // index
        field(3, 9, Fixed(2)),                                             // error_code
        field(3, 9, Fixed(8)),                                             // base_offset
        field(3, 9, Fixed(8)),                                             // log_append_time_ms
        field(5, 9, Fixed(8)),                                             // log_start_offset
        field(8, 8, Array(&Inner(&BATCH_INDEX_AND_ERROR_MESSAGE))),        // record_errors
        field(9, 9, CompactArray(&Inner(&BATCH_INDEX_AND_ERROR_MESSAGE))), // record_errors
        field(8, 8, Text),                                                 // error_message
        field(9, 9, CompactText),                                          // error_message
    ],
    flexible: 9,
    tags: &[],
};

/// Of `TopicProduceResponse`.
static TOPIC_PRODUCE_RESPONSE: Group = Group {
    fields: &[
        field(3, 8, Text),                                              // name
        field(9, 9, CompactText),                                       // name
        field(3, 8, Array(&Inner(&PARTITION_PRODUCE_RESPONSE))),        // partition_responses
        field(9, 9, CompactArray(&Inner(&PARTITION_PRODUCE_RESPONSE))), // partition_responses
    ],
    flexible: 9,
    tags: &[],
};

/// Of `ProduceResponse`.
static PRODUCE_RESPONSE: Group = Group {
    fields: &[
        field(3, 8, Array(&Inner(&TOPIC_PRODUCE_RESPONSE))), // responses
        field(9, 9, CompactArray(&Inner(&TOPIC_PRODUCE_RESPONSE))), // responses
        field(3, 9, Fixed(4)),                               // throttle_time_ms
    ],
    flexible: 9,
    tags: &[],
};

/// Of `InitProducerIdResponse`.
static INIT_PRODUCER_ID_RESPONSE: Group = Group {
    fields: &[
        field(0, 4, Fixed(4)), // throttle_time_ms
        field(0, 4, Fixed(2)), // error_code
        field(0, 4, Fixed(8)), // producer_id
        field(0, 4, Fixed(2)), // producer_epoch
    ],
    flexible: 2,
    tags: &[],
};

/// Of `AddPartitionsToTxnPartitionResult`.
static ADD_PARTITIONS_TO_TXN_PARTITION_RESULT: Group = Group {
    fields: &[
        field(0, 3, Fixed(4)), // partition_index
        field(0, 3, Fixed(2)), // partition_error_code
    ],
    flexible: 3,
    tags: &[],
};

/// Of `AddPartitionsToTxnTopicResult`.
static ADD_PARTITIONS_TO_TXN_TOPIC_RESULT: Group = Group {
    fields: &[
        field(0, 2, Text),                                                   // name
        field(3, 3, CompactText),                                            // name
        field(0, 2, Array(&Inner(&ADD_PARTITIONS_TO_TXN_PARTITION_RESULT))), // results_by_partition
        field(
            3,
            3,
            CompactArray(&Inner(&ADD_PARTITIONS_TO_TXN_PARTITION_RESULT)),
        ), // results_by_partition
    ],
    flexible: 3,
    tags: &[],
};

/// Of `AddPartitionsToTxnResponse`.
static ADD_PARTITIONS_TO_TXN_RESPONSE: Group = Group {
    fields: &[
        field(0, 3, Fixed(4)), // throttle_time_ms
        field(0, 2, Array(&Inner(&ADD_PARTITIONS_TO_TXN_TOPIC_RESULT))), // results_by_topic_v3_and_below
        field(
            3,
            3,
            CompactArray(&Inner(&ADD_PARTITIONS_TO_TXN_TOPIC_RESULT)),
        ), // results_by_topic_v3_and_below
    ],
    flexible: 3,
    tags: &[],
};

/// Of `AddOffsetsToTxnResponse`.
static ADD_OFFSETS_TO_TXN_RESPONSE: Group = Group {
    fields: &[
        field(0, 3, Fixed(4)), // throttle_time_ms
        field(0, 3, Fixed(2)), // error_code
    ],
    flexible: 3,
    tags: &[],
};

/// Of `TxnOffsetCommitResponsePartition`.
static TXN_OFFSET_COMMIT_RESPONSE_PARTITION: Group = Group {
    fields: &[
        field(0, 3, Fixed(4)), // partition_index
        field(0, 3, Fixed(2)), // error_code
    ],
    flexible: 3,
    tags: &[],
};

/// Of `TxnOffsetCommitResponseTopic`.
static TXN_OFFSET_COMMIT_RESPONSE_TOPIC: Group = Group {
    fields: &[
        field(0, 2, Text),                                                 // name
        field(3, 3, CompactText),                                          // name
        field(0, 2, Array(&Inner(&TXN_OFFSET_COMMIT_RESPONSE_PARTITION))), // partitions
        field(
            3,
            3,
            CompactArray(&Inner(&TXN_OFFSET_COMMIT_RESPONSE_PARTITION)),
        ), // partitions
    ],
    flexible: 3,
    tags: &[],
};

/// Of `TxnOffsetCommitResponse`.
static TXN_OFFSET_COMMIT_RESPONSE: Group = Group {
    fields: &[
        field(0, 3, Fixed(4)), // throttle_time_ms
        field(0, 2, Array(&Inner(&TXN_OFFSET_COMMIT_RESPONSE_TOPIC))), // topics
        field(
            3,
            3,
            CompactArray(&Inner(&TXN_OFFSET_COMMIT_RESPONSE_TOPIC)),
        ), // topics
    ],
    flexible: 3,
    tags: &[],
};

/// Of `EndTxnResponse`.
static END_TXN_RESPONSE: Group = Group {
    fields: &[
        field(0, 3, Fixed(4)), // throttle_time_ms
        field(0, 3, Fixed(2)), // error_code
    ],
    flexible: 3,
    tags: &[],
};

/// Of `SaslHandshakeResponse`.
static SASL_HANDSHAKE_RESPONSE: Group = Group {
    fields: &[
        field(0, 1, Fixed(2)),     // error_code
        field(0, 1, Array(&Text)), // mechanisms
    ],
    flexible: NEVER,
    tags: &[],
};

/// Of `SaslAuthenticateResponse`.
static SASL_AUTHENTICATE_RESPONSE: Group = Group {
    fields: &[
        field(0, 2, Fixed(2)),    // error_code
        field(0, 1, Text),        // error_message
        field(2, 2, CompactText), // error_message
        field(0, 1, Bytes),       // auth_bytes
        field(2, 2, CompactText), // auth_bytes
        field(1, 2, Fixed(8)),    // session_lifetime_ms
    ],
    flexible: 2,
    tags: &[],
};

/// Of `CreatableTopicResult`.
static CREATABLE_TOPIC_RESULT: Group = Group {
    fields: &[
        field(2, 4, Text),     // name
        field(2, 4, Fixed(2)), // error_code
        field(2, 4, Text),     // error_message
    ],
    flexible: NEVER,
    tags: &[],
};

/// Of `CreateTopicsResponse`.
static CREATE_TOPICS_RESPONSE: Group = Group {
    fields: &[
        field(2, 4, Fixed(4)),                               // throttle_time_ms
        field(2, 4, Array(&Inner(&CREATABLE_TOPIC_RESULT))), // topics
    ],
    flexible: NEVER,
    tags: &[],
};
