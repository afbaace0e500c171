//! What our client's errors mean to the engine.

use millrace_connector::{ConnectorError, ErrorKind, Retry};
use millrace_kafka_wire::{FetchFailure, ProduceFailure, ResponseError, TopicPartition, WireError};

/// Returns `error` with what was tried, what helps and whether to try again.
pub(crate) fn trouble(action: &str, servers: &str, error: WireError) -> ConnectorError {
    let with = |kind, retry| ConnectorError::new(kind, retry, format!("cannot {action}"));
    let base = match &error {
        WireError::Auth(why) => refused_credentials(servers, why),
        WireError::Unreachable(why) => ConnectorError::new(
            ErrorKind::Unreachable,
            Retry::Restart,
            format!("cannot {action}: no broker at {servers} answers: {why}"),
        )
        .help("check 'properties.bootstrap.servers' and that the broker's advertised address can be reached from here"),
        WireError::Config(_) => with(ErrorKind::Config, Retry::Never),
        WireError::Refused { code, .. } => classify(action, servers, *code),
        WireError::Data(_) => with(ErrorKind::Data, Retry::Never),
        WireError::MadeAnew(topic) => made_anew(topic),
        WireError::Malformed(_) | WireError::Cancelled => with(ErrorKind::Rejected, Retry::Restart),
    };
    base.caused_by(error)
}

/// Returns the failure of a topic that is not the one that was read.
pub(crate) fn made_anew(topic: &str) -> ConnectorError {
    let text = format!(
        "topic '{topic}' was deleted and made anew: the positions of the checkpoint are those of the topic before"
    );
    ConnectorError::new(ErrorKind::Data, Retry::Never, text).help(format!(
        "start once with --forget {topic}: its positions are dropped, and the new topic is read from where 'scan.startup.mode' says"
    ))
}

fn refused_credentials(servers: &str, why: &str) -> ConnectorError {
    ConnectorError::new(
        ErrorKind::Auth,
        Retry::Never,
        format!("the brokers at {servers} refuse the credentials: {why}"),
    )
    .help("check 'properties.security.protocol', 'properties.sasl.mechanism' and 'properties.sasl.jaas.config', or the certificates")
}

fn classify(action: &str, servers: &str, code: ResponseError) -> ConnectorError {
    use ResponseError as Code;
    let with = |kind, retry| ConnectorError::new(kind, retry, format!("cannot {action}"));
    match code {
        Code::SaslAuthenticationFailed
        | Code::UnsupportedSaslMechanism
        | Code::IllegalSaslState => refused_credentials(servers, &code.to_string()),
        Code::ProducerFenced | Code::InvalidProducerEpoch => ConnectorError::new(
            ErrorKind::Fenced,
            Retry::Never,
            "another copy of this pipeline has taken over its Kafka transactions",
        )
        .help("run one copy for each pipeline.name and slot; this one stops and leaves the other alone"),
        Code::TopicAuthorizationFailed
        | Code::GroupAuthorizationFailed
        | Code::ClusterAuthorizationFailed
        | Code::TransactionalIdAuthorizationFailed => with(ErrorKind::Auth, Retry::Never)
            .help("the user lacks a right: see the cause, and grant it with kafka-acls.sh"),
        Code::UnknownTopicOrPartition | Code::InvalidTopicException => {
            with(ErrorKind::Config, Retry::Never)
                .help("create the topic, or correct its name in the table's options")
        }
        Code::MessageTooLarge | Code::RecordListTooLarge => with(ErrorKind::Data, Retry::Never).help(
            "a row, or a batch of rows, is larger than the producer or the topic allows: raise 'properties.max.request.size' and the topic's max.message.bytes, or lower 'properties.batch.size'",
        ),
        Code::InvalidTransactionTimeout => with(ErrorKind::Config, Retry::Never).help(
            "the broker's transaction.max.timeout.ms is smaller: lower 'properties.transaction.timeout.ms'",
        ),
        _ => with(ErrorKind::Rejected, Retry::Restart),
    }
}

/// Tells whether another producer has come under the same name.
pub(crate) fn is_fenced(error: &WireError) -> bool {
    matches!(
        error,
        WireError::Refused {
            code: ResponseError::ProducerFenced | ResponseError::InvalidProducerEpoch,
            ..
        }
    )
}

/// Returns why writing cannot go on.
pub(crate) fn producing(action: &str, servers: &str, failure: ProduceFailure) -> ConnectorError {
    match failure.partition {
        Some(partition) => trouble(&format!("write to {partition}"), servers, failure.error),
        None => trouble(action, servers, failure.error),
    }
}

/// Returns why reading cannot go on.
pub(crate) fn fetching(
    failure: FetchFailure,
    servers: &str,
    name: impl Fn(usize) -> TopicPartition,
) -> ConnectorError {
    let place = match failure.partition {
        Some(partition) => name(partition).to_string(),
        None => "from the brokers".to_owned(),
    };
    if failure.is_gone {
        return ConnectorError::new(
            ErrorKind::Data,
            Retry::Never,
            format!("the records to be read next in {place} are gone from the broker: {}", failure.error),
        )
        .help("retention removed them before they were read, or the topic was made anew or lost its end; to go on without them, start with another 'pipeline.name' and 'scan.startup.mode' = 'earliest-offset'");
    }
    trouble(&format!("read {place}"), servers, failure.error)
}
