//! Telling a broker who we are.

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::{SaslAuthenticateRequest, SaslHandshakeRequest};
use kafka_protocol::protocol::StrBytes;

use crate::connection::Connection;
use crate::error::WireError;
use crate::scram::{Hash, Scram, nonce};
use crate::settings::{Mechanism, Sasl};

/// Shows name and password.
pub(crate) fn authenticate(connection: &mut Connection, sasl: &Sasl) -> Result<(), WireError> {
    let name = sasl.mechanism.name();
    let request = SaslHandshakeRequest::default().with_mechanism(StrBytes::from_static_str(name));
    let (answer, _) = connection.call(&request, 1, 1)?;
    if let Some(code) = ResponseError::try_from_code(answer.error_code) {
        let offered: Vec<&str> = answer.mechanisms.iter().map(|name| &**name).collect();
        return Err(WireError::Auth(format!(
            "{}: no {name} there ({code}); it offers {}",
            connection.peer(),
            offered.join(", ")
        )));
    }
    let hash = match sasl.mechanism {
        Mechanism::Plain => {
            let token = format!("\0{}\0{}", sasl.username, sasl.password);
            return send(connection, token.into_bytes()).map(drop);
        }
        Mechanism::ScramSha256 => Hash::Sha256,
        Mechanism::ScramSha512 => Hash::Sha512,
    };
    let peer = connection.peer().to_owned();
    let fail = |why: String| WireError::Auth(format!("{peer}: {name}: {why}"));
    let (scram, first) = Scram::begin(hash, &sasl.username, &sasl.password, nonce().map_err(fail)?);
    let challenge = send(connection, first.into_bytes())?;
    let (shown, answer) = scram.answer(&text(&challenge)).map_err(fail)?;
    let last = send(connection, answer.into_bytes())?;
    shown.check(&text(&last)).map_err(fail)
}

fn text(bytes: &Bytes) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn send(connection: &mut Connection, bytes: Vec<u8>) -> Result<Bytes, WireError> {
    let request = SaslAuthenticateRequest::default().with_auth_bytes(bytes.into());
    let (answer, _) = connection.call(&request, 0, 2)?;
    match ResponseError::try_from_code(answer.error_code) {
        None => Ok(answer.auth_bytes),
        Some(code) => {
            let why = answer.error_message.map(|why| why.to_string());
            Err(WireError::Auth(format!(
                "{}: {}",
                connection.peer(),
                why.unwrap_or_else(|| code.to_string())
            )))
        }
    }
}
