//! Clients of librdkafka: their settings, and their errors in our words.

use std::collections::BTreeMap;
use std::sync::Arc;

use millrace_connector::{ConnectorError, ErrorKind, Retry};
use parking_lot::Mutex;
use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::ProducerContext;

/// Keeps what a client says besides its answers: the last connection error and the first failed delivery.
#[derive(Clone, Default)]
pub(crate) struct Ear {
    heard: Arc<Mutex<Heard>>,
}

#[derive(Default)]
struct Heard {
    connection: Option<(RDKafkaErrorCode, String)>,
    /// A newer producer with our transactional id has come: everything queued is then thrown away, under other codes.
    fenced: bool,
    delivery: Option<(KafkaError, String)>,
}

impl Ear {
    /// Returns the first failed delivery since the last call.
    pub(crate) fn take_delivery_failure(&self) -> Option<(KafkaError, String)> {
        self.heard.lock().delivery.take()
    }

    /// Takes note of the error that ended the client.
    pub(crate) fn hear_fatal(&self, reason: &str) {
        self.heard.lock().fenced |= reason.contains("fenced");
    }

    fn is_fenced(&self) -> bool {
        self.heard.lock().fenced
    }

    fn connection(&self) -> Option<(RDKafkaErrorCode, String)> {
        self.heard.lock().connection.clone()
    }
}

impl ClientContext for Ear {
    fn log(&self, level: RDKafkaLogLevel, fac: &str, message: &str) {
        match level {
            RDKafkaLogLevel::Debug | RDKafkaLogLevel::Info | RDKafkaLogLevel::Notice => {
                tracing::trace!(target: "librdkafka", fac, message);
            }
            _ => tracing::debug!(target: "librdkafka", fac, message),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "librdkafka", %error, reason);
        if let Some(code) = error.rdkafka_error_code() {
            let mut heard = self.heard.lock();
            heard.fenced |= code == RDKafkaErrorCode::Fatal && reason.contains("fenced");
            // "All brokers are down" follows the error that says why.
            let says_why = code != RDKafkaErrorCode::AllBrokersDown;
            if says_why || heard.connection.is_none() {
                heard.connection = Some((code, reason.to_owned()));
            }
        }
    }
}

impl ConsumerContext for Ear {}

impl ProducerContext for Ear {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): Self::DeliveryOpaque) {
        if let Err((error, message)) = result {
            use rdkafka::Message as _;
            let mut heard = self.heard.lock();
            if heard.delivery.is_none() {
                heard.delivery = Some((error.clone(), message.topic().to_owned()));
            }
        }
    }
}

/// Returns a configuration of `properties`, with `settings` over them.
pub(crate) fn config(
    properties: &BTreeMap<String, String>,
    settings: &[(&str, String)],
) -> ClientConfig {
    let mut config = ClientConfig::new();
    for (key, value) in properties {
        config.set(key, value);
    }
    for (key, value) in settings {
        config.set(*key, value);
    }
    // Errors reach the context at once instead of a syslog line.
    config.set_log_level(RDKafkaLogLevel::Warning);
    config
}

/// Returns `error` with what was tried, what helps and whether to try again.
pub(crate) fn failure(action: &str, servers: &str, error: KafkaError, ear: &Ear) -> ConnectorError {
    use RDKafkaErrorCode as Code;
    let code = error.rdkafka_error_code();
    let connection = ear.connection();
    let connection_code = connection.as_ref().map(|(code, _)| *code);
    let timed_out = matches!(
        code,
        Some(
            Code::OperationTimedOut
                | Code::RequestTimedOut
                | Code::BrokerTransportFailure
                | Code::AllBrokersDown
        )
    );
    let authentication = |code: Option<Code>| {
        matches!(
            code,
            Some(Code::Authentication | Code::SaslAuthenticationFailed | Code::SSL)
        )
    };
    let with = |kind, retry, message: String| ConnectorError::new(kind, retry, message);
    let base = if ear.is_fenced() {
        classify(action, Some(Code::Fenced), &error)
    } else if authentication(code) || (timed_out && authentication(connection_code)) {
        let why = connection
            .map(|(_, text)| format!(": {text}"))
            .unwrap_or_default();
        with(ErrorKind::Auth, Retry::Never, format!("the brokers at {servers} refuse the credentials{why}")).help(
            "check 'properties.security.protocol', 'properties.sasl.mechanism' and 'properties.sasl.jaas.config', or the certificates",
        )
    } else if timed_out {
        let why = connection
            .map(|(_, text)| format!(": {text}"))
            .unwrap_or_default();
        with(ErrorKind::Unreachable, Retry::Restart, format!("cannot {action}: no broker at {servers} answers{why}"))
            .help("check 'properties.bootstrap.servers' and that the broker's advertised address can be reached from here")
    } else {
        classify(action, code, &error)
    };
    base.caused_by(error)
}

fn classify(action: &str, code: Option<RDKafkaErrorCode>, error: &KafkaError) -> ConnectorError {
    use RDKafkaErrorCode as Code;
    let with = |kind, retry| ConnectorError::new(kind, retry, format!("cannot {action}"));
    match code {
        Some(Code::ProducerFenced | Code::InvalidProducerEpoch | Code::Fenced) => ConnectorError::new(
            ErrorKind::Fenced,
            Retry::Never,
            "another copy of this pipeline has taken over its Kafka transactions",
        )
        .help("run one copy for each pipeline.name and slot; this one stops and leaves the other alone"),
        Some(
            Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::TransactionalIdAuthorizationFailed,
        ) => with(ErrorKind::Auth, Retry::Never).help("the user lacks a right: see the cause, and grant it with kafka-acls.sh"),
        Some(Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition) => {
            with(ErrorKind::Config, Retry::Never).help("create the topic, or correct its name in the table's options")
        }
        Some(Code::MessageSizeTooLarge) => with(ErrorKind::Data, Retry::Never).help(
            "a row is larger than the producer or the topic allows: raise 'properties.max.request.size' and the topic's max.message.bytes",
        ),
        Some(Code::InvalidTransactionTimeout) => with(ErrorKind::Config, Retry::Never).help(
            "the broker's transaction.max.timeout.ms is smaller: lower 'properties.transaction.timeout.ms'",
        ),
        _ if matches!(error, KafkaError::ClientConfig(..) | KafkaError::ClientCreation(..)) => {
            with(ErrorKind::Config, Retry::Never)
        }
        _ => with(ErrorKind::Rejected, Retry::Restart),
    }
}
