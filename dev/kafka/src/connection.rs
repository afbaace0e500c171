//! One client: frames in, frames out, one request at a time and in order, as brokers do.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::{Buf, BytesMut};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::{ApiKey, RequestHeader, RequestKind, ResponseHeader, ResponseKind};
use kafka_protocol::protocol::{Encodable, decode_request_header_from_buffer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::api;
use crate::broker::Broker;

/// Largest request; what Apache Kafka calls `socket.request.max.bytes`, with its default.
const REQUEST_BYTES_MAX: usize = 100 << 20;
/// Pause after the system refused a connection, so that a full file table is no busy loop.
const ACCEPT_RETRY_MS: u64 = 50;

/// Who asks, and at which address the broker was found.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) version: i16,
    pub(crate) client_id: String,
    pub(crate) peer: SocketAddr,
    pub(crate) local: SocketAddr,
}

/// Why a connection ended early.
#[derive(Debug, thiserror::Error)]
enum ConnectionError {
    #[error("reading or writing")]
    Io(#[from] std::io::Error),
    #[error("request of {0} bytes")]
    Size(i32),
    #[error("request {key} version {version} is not spoken here")]
    Version { key: i16, version: i16 },
    #[error("request or response is malformed: {0:#}")]
    Malformed(String),
}

/// Accepts clients for as long as it is polled.
pub(crate) async fn accept(broker: Arc<Broker>, listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let broker = Arc::clone(&broker);
                tokio::spawn(async move {
                    if let Err(error) = serve(&broker, stream, peer).await {
                        tracing::debug!(%peer, %error, "client connection ended");
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "connection cannot be accepted");
                tokio::time::sleep(std::time::Duration::from_millis(ACCEPT_RETRY_MS)).await;
            }
        }
    }
}

async fn serve(
    broker: &Arc<Broker>,
    mut stream: TcpStream,
    peer: SocketAddr,
) -> Result<(), ConnectionError> {
    stream.set_nodelay(true)?;
    let local = match broker.options.advertised {
        Some(address) => address,
        None => stream.local_addr()?,
    };
    let mut size = [0u8; 4];
    loop {
        match stream.read_exact(&mut size).await {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        let size = i32::from_be_bytes(size);
        let bytes = usize::try_from(size).map_err(|_| ConnectionError::Size(size))?;
        if bytes > REQUEST_BYTES_MAX {
            return Err(ConnectionError::Size(size));
        }
        let mut frame = BytesMut::zeroed(bytes);
        stream.read_exact(&mut frame).await?;
        if let Some(response) = answer(broker, frame, peer, local).await? {
            stream.write_all(&response).await?;
        }
    }
}

/// Answers one request; `None` for a produce request that wants no answer.
async fn answer(
    broker: &Arc<Broker>,
    frame: BytesMut,
    peer: SocketAddr,
    local: SocketAddr,
) -> Result<Option<BytesMut>, ConnectionError> {
    let mut frame = frame.freeze();
    if frame.len() < 8 {
        return Err(ConnectionError::Malformed(
            "a header has at least 8 bytes".to_owned(),
        ));
    }
    let mut peek = frame.clone();
    let (key, version) = (peek.get_i16(), peek.get_i16());
    let unspoken = ConnectionError::Version { key, version };
    let Ok(api_key) = ApiKey::try_from(key) else {
        return Err(unspoken);
    };
    if !api::speaks(api_key, version) {
        if api_key != ApiKey::ApiVersions {
            return Err(unspoken);
        }
        // A client that is newer than us learns from a version 0 answer what to use instead.
        let correlation_id = peek.get_i32();
        let response = api::versions(Some(ResponseError::UnsupportedVersion));
        return encode(correlation_id, 0, &response.into()).map(Some);
    }
    let malformed = |error| ConnectionError::Malformed(format!("{error:#}"));
    let header: RequestHeader = decode_request_header_from_buffer(&mut frame).map_err(malformed)?;
    let request = RequestKind::decode(api_key, &mut frame, version).map_err(malformed)?;
    let client_id = header
        .client_id
        .map_or_else(String::new, |id| id.to_string());
    let caller = Caller {
        version,
        client_id,
        peer,
        local,
    };
    let unanswered = matches!(&request, RequestKind::Produce(produce) if produce.acks == 0);
    let response = Box::pin(handle(broker, &caller, request)).await;
    match response {
        _ if unanswered => Ok(None),
        Some(response) => encode(header.correlation_id, version, &response).map(Some),
        None => Err(ConnectionError::Version { key, version }),
    }
}

fn encode(
    correlation_id: i32,
    version: i16,
    response: &ResponseKind,
) -> Result<BytesMut, ConnectionError> {
    let malformed = |error| ConnectionError::Malformed(format!("{error:#}"));
    let mut buffer = BytesMut::zeroed(4);
    let header = ResponseHeader::default().with_correlation_id(correlation_id);
    header
        .encode(&mut buffer, response.header_version(version))
        .map_err(malformed)?;
    response.encode(&mut buffer, version).map_err(malformed)?;
    let size = i32::try_from(buffer.len() - 4)
        .map_err(|_| ConnectionError::Malformed("answer of 2 GiB or more".to_owned()))?;
    buffer[..4].copy_from_slice(&size.to_be_bytes());
    Ok(buffer)
}

/// Hands a request to the part that answers it; `None` for what is not spoken.
async fn handle(
    broker: &Arc<Broker>,
    caller: &Caller,
    request: RequestKind,
) -> Option<ResponseKind> {
    Some(match request {
        RequestKind::ApiVersions(_) => api::versions(None).into(),
        RequestKind::Metadata(request) => broker.metadata(caller, request).into(),
        RequestKind::FindCoordinator(request) => broker.find_coordinator(caller, request).into(),
        RequestKind::DescribeCluster(request) => broker.describe_cluster(caller, &request).into(),
        RequestKind::CreateTopics(request) => broker.create_topics(request).into(),
        RequestKind::DeleteTopics(request) => broker.delete_topics(caller, request).into(),
        RequestKind::CreatePartitions(request) => broker.create_partitions(request).into(),
        RequestKind::DeleteRecords(request) => broker.delete_records(request).into(),
        RequestKind::DescribeConfigs(request) => broker.describe_configs(request).into(),
        RequestKind::Produce(request) => broker.produce(request).into(),
        RequestKind::Fetch(request) => broker.fetch(request).await.into(),
        RequestKind::ListOffsets(request) => broker.list_offsets(request).into(),
        RequestKind::OffsetForLeaderEpoch(request) => broker.epoch_ends(request).into(),
        RequestKind::InitProducerId(request) => broker.init_producer(caller, &request).into(),
        RequestKind::AddPartitionsToTxn(request) => broker.add_partitions(caller, request).into(),
        RequestKind::AddOffsetsToTxn(request) => broker.add_offsets(caller, &request).into(),
        RequestKind::TxnOffsetCommit(request) => broker.commit_in_transaction(request).into(),
        RequestKind::EndTxn(request) => broker.end_transaction(caller, &request).into(),
        RequestKind::JoinGroup(request) => broker.join_group(caller, request).await.into(),
        RequestKind::SyncGroup(request) => broker.sync_group(request).await.into(),
        RequestKind::Heartbeat(request) => broker.heartbeat(&request).into(),
        RequestKind::LeaveGroup(request) => broker.leave_group(caller, request).into(),
        RequestKind::DescribeGroups(request) => broker.describe_groups(request).into(),
        RequestKind::ListGroups(request) => broker.list_groups(&request).into(),
        RequestKind::DeleteGroups(request) => broker.delete_groups(request).into(),
        RequestKind::OffsetCommit(request) => broker.commit_offsets(request).into(),
        RequestKind::OffsetFetch(request) => broker.fetch_offsets(caller, request).into(),
        RequestKind::OffsetDelete(request) => broker.delete_offsets(request).into(),
        _ => return None,
    })
}
