//! The door for tests, on the FE's port below `/_standin`: no Doris has it.
//!
//! ```text
//! POST /_standin/tables        a TableSchema          GET /_standin/rows/{db}/{table}   rows as JSON lines
//! POST /_standin/faults        a Fault                GET /_standin/transactions        JSON lines
//! DELETE /_standin/faults                             POST /_standin/settings           Settings
//! ```

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::{Method, Request, StatusCode};
use serde::Serialize;

use crate::answer::{self, Answer};
use crate::cluster::ClusterError;
use crate::server::{NoAnswer, Shared};

pub(crate) async fn answer(
    shared: &Shared,
    request: Request<Incoming>,
) -> Result<Answer, NoAnswer> {
    let path = request.uri().path().to_owned();
    let segments: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let method = request.method().clone();
    let Ok(body) = request.into_body().collect().await else {
        return Err(NoAnswer::SenderGone);
    };
    let body = body.to_bytes();
    let cluster = &shared.cluster;
    let bad = |error: serde_json::Error| answer::plain(StatusCode::BAD_REQUEST, error.to_string());
    let done = || answer::plain(StatusCode::OK, "{}\n");
    Ok(match (&method, segments.as_slice()) {
        (&Method::POST, [_, "tables"]) => match serde_json::from_slice(&body) {
            Err(error) => bad(error),
            Ok(schema) => match cluster.create_table(schema) {
                Ok(()) => done(),
                Err(error) => refused(&error),
            },
        },
        (&Method::POST, [_, "faults"]) => match serde_json::from_slice(&body) {
            Err(error) => bad(error),
            Ok(fault) => {
                cluster.add_fault(fault);
                done()
            }
        },
        (&Method::DELETE, [_, "faults"]) => {
            cluster.clear_faults();
            done()
        }
        (&Method::POST, [_, "settings"]) => match serde_json::from_slice(&body) {
            Err(error) => bad(error),
            Ok(settings) => {
                cluster.set_settings(settings);
                done()
            }
        },
        (&Method::GET, [_, "rows", db, table]) => match cluster.rows(db, table) {
            Ok(rows) => lines(&rows),
            Err(error) => refused(&error),
        },
        (&Method::GET, [_, "transactions"]) => lines(&cluster.transactions()?),
        _ => answer::plain(StatusCode::NOT_FOUND, "no such admin request"),
    })
}

fn refused(error: &ClusterError) -> Answer {
    let status = match error {
        ClusterError::Io(_) => StatusCode::INTERNAL_SERVER_ERROR,
        ClusterError::UnknownTable(_) => StatusCode::NOT_FOUND,
        ClusterError::Schema(_) => StatusCode::BAD_REQUEST,
    };
    answer::plain(status, error.to_string())
}

fn lines<T: Serialize>(values: &[T]) -> Answer {
    let mut text = String::new();
    for value in values {
        text.push_str(&serde_json::to_string(value).expect("values are JSON"));
        text.push('\n');
    }
    answer::plain(StatusCode::OK, text)
}
