//! What our consumer's errors mean to the engine.

use millrace_connector::{ConnectorError, ErrorKind, Retry};
use millrace_kafka_wire::{FetchFailure, ResponseError, TopicPartition, WireError};

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
        WireError::Malformed(_) | WireError::Cancelled => with(ErrorKind::Rejected, Retry::Restart),
    };
    base.caused_by(error)
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
        Code::TopicAuthorizationFailed
        | Code::GroupAuthorizationFailed
        | Code::ClusterAuthorizationFailed => with(ErrorKind::Auth, Retry::Never)
            .help("the user lacks a right: see the cause, and grant it with kafka-acls.sh"),
        Code::UnknownTopicOrPartition | Code::InvalidTopicException => {
            with(ErrorKind::Config, Retry::Never)
                .help("create the topic, or correct its name in the table's options")
        }
        _ => with(ErrorKind::Rejected, Retry::Restart),
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
        .help("retention removed them before they were read; to go on without them, start with another 'pipeline.name' and 'scan.startup.mode' = 'earliest-offset'");
    }
    trouble(&format!("read {place}"), servers, failure.error)
}
