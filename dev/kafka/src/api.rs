//! Which requests are understood, in which versions.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::{ApiKey, ApiVersionsResponse};

/// Requests with their lowest and highest version.
///
/// Ceilings below the client library's are chosen: `Produce` 13 and `Fetch` 13 name topics by id only,
/// `EndTxn` 5 and its kin are the second transaction protocol, `OffsetCommit` 9 belongs to KIP-848.
const SPOKEN: [(ApiKey, i16, i16); 28] = [
    (ApiKey::Produce, 3, 11),
    (ApiKey::Fetch, 4, 12),
    (ApiKey::ListOffsets, 1, 7),
    (ApiKey::Metadata, 0, 12),
    (ApiKey::OffsetCommit, 2, 8),
    (ApiKey::OffsetFetch, 1, 8),
    (ApiKey::FindCoordinator, 0, 4),
    (ApiKey::JoinGroup, 0, 9),
    (ApiKey::Heartbeat, 0, 4),
    (ApiKey::LeaveGroup, 0, 5),
    (ApiKey::SyncGroup, 0, 5),
    (ApiKey::DescribeGroups, 0, 5),
    (ApiKey::ListGroups, 0, 4),
    (ApiKey::ApiVersions, 0, 3),
    (ApiKey::CreateTopics, 2, 7),
    (ApiKey::DeleteTopics, 1, 6),
    (ApiKey::DeleteRecords, 0, 2),
    (ApiKey::InitProducerId, 0, 4),
    (ApiKey::OffsetForLeaderEpoch, 2, 4),
    (ApiKey::AddPartitionsToTxn, 0, 3),
    (ApiKey::AddOffsetsToTxn, 0, 3),
    (ApiKey::EndTxn, 0, 3),
    (ApiKey::TxnOffsetCommit, 0, 3),
    (ApiKey::DescribeConfigs, 1, 4),
    (ApiKey::CreatePartitions, 0, 3),
    (ApiKey::DeleteGroups, 0, 2),
    (ApiKey::OffsetDelete, 0, 0),
    (ApiKey::DescribeCluster, 0, 1),
];

/// Reports whether a request can be decoded and answered.
pub(crate) fn speaks(key: ApiKey, version: i16) -> bool {
    SPOKEN
        .iter()
        .any(|(known, low, high)| *known == key && (*low..=*high).contains(&version))
}

/// Answers `ApiVersions`; the error tells a client that its own version of it was too new.
pub(crate) fn versions(error: Option<ResponseError>) -> ApiVersionsResponse {
    let keys = SPOKEN.iter().map(|(key, low, high)| {
        // librdkafka takes a broker without the old versions of Produce for one without
        // compression. Apache Kafka 4 advertises version 0 for its sake, and does not speak it.
        let low = if *key == ApiKey::Produce { 0 } else { *low };
        let version = ApiVersion::default().with_api_key(*key as i16);
        version.with_min_version(low).with_max_version(*high)
    });
    ApiVersionsResponse::default()
        .with_error_code(code(error))
        .with_api_keys(keys.collect())
}

/// Returns an error's number on the wire, 0 for none.
pub(crate) fn code(error: impl Into<Option<ResponseError>>) -> i16 {
    error.into().map_or(0, |error| error.code())
}

/// Returns the number on the wire of how something went.
pub(crate) fn outcome<T>(result: &Result<T, ResponseError>) -> i16 {
    code(result.as_ref().err().copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spoken_version_is_known_to_the_protocol_library() {
        for (key, low, high) in SPOKEN {
            let known = key.valid_versions();
            assert!(known.min <= low && high <= known.max, "{key:?}");
        }
    }
}
