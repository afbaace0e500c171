//! The FE: redirects loads and commits to the BE, and answers questions about tables, labels and backends.

use std::net::SocketAddr;

use hyper::body::Incoming;
use hyper::{Method, Request, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::{Value, json};

use crate::admin;
use crate::answer::{self, Answer};
use crate::fault::FaultPoint;
use crate::schema::{Aggregation, ColumnType, TableSchema};
use crate::server::{NoAnswer, Shared};

const USER_INFO: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// A port of the discard service, where nobody listens.
const NOWHERE: &str = "127.0.0.1:9";
/// A host that no cluster has (RFC 2606).
const STRANGER: &str = "stranger.invalid:8040";

pub(crate) async fn answer(
    shared: &Shared,
    request: Request<Incoming>,
    is_master: bool,
) -> Result<Answer, NoAnswer> {
    let path = request.uri().path().to_owned();
    let segments: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    if segments.first() == Some(&"_standin") {
        return admin::answer(shared, request).await;
    }
    if segments.is_empty() {
        return Ok(answer::plain(StatusCode::OK, "<html></html>"));
    }
    if !shared.is_authorized(request.headers()) {
        let data = json!("Access denied for user");
        return Ok(answer::rest(401, "Unauthorized", &data));
    }
    match (request.method(), segments.as_slice()) {
        (&Method::PUT, ["api", _, _, "_stream_load"]) => {
            let expects = request
                .headers()
                .get("expect")
                .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"));
            if !expects {
                return Ok(answer::failed("There is no 100-continue header"));
            }
            Ok(to_backend(shared, &path))
        }
        (&Method::PUT, ["api", _, "_stream_load_2pc"] | ["api", _, _, "_stream_load_2pc"]) => {
            Ok(to_backend(shared, &path))
        }
        (&Method::GET, ["api", db, table, "_schema"]) => {
            Ok(match shared.cluster.table(db, table) {
                Some(schema) => answer::rest(0, "success", &schema_data(&schema)),
                None => answer::rest(404, "Not Found", &json!(format!("Unknown table '{table}'"))),
            })
        }
        (&Method::GET, ["api", "backends"]) => {
            let one = |be: &SocketAddr| json!({"ip": be.ip().to_string(), "http_port": be.port(), "is_alive": true});
            let all: Vec<Value> = shared.backends.iter().map(one).collect();
            Ok(answer::rest(0, "success", &json!({"backends": all})))
        }
        (&Method::GET, ["api", _, "get_load_state"]) if !is_master => {
            let query = request.uri().query().unwrap_or_default();
            let location = format!("http://{}{path}?{query}", shared.frontends[0]);
            Ok(answer::redirect(&location))
        }
        (&Method::GET, ["api", db, "get_load_state"]) => {
            let label = query(&request, "label").unwrap_or_default();
            let state = shared.cluster.label_state(db, &label)?;
            Ok(answer::rest(0, "success", &json!(state)))
        }
        _ => Ok(answer::rest(404, "Not Found", &json!(path))),
    }
}

fn to_backend(shared: &Shared, path: &str) -> Answer {
    let strikes = |point| shared.cluster.strikes(point);
    if strikes(FaultPoint::FrontendFailed) {
        return answer::failed("No backend load available or there is no backend which is alive");
    }
    let host = if strikes(FaultPoint::FrontendRedirectsToNowhere) {
        NOWHERE.to_owned()
    } else if strikes(FaultPoint::FrontendRedirectsToStranger) {
        STRANGER.to_owned()
    } else {
        shared.next_be().to_string()
    };
    let user = utf8_percent_encode(&shared.user, USER_INFO);
    let password = utf8_percent_encode(&shared.password, USER_INFO);
    answer::redirect(&format!("http://{user}:{password}@{host}{path}?"))
}

pub(crate) fn query(request: &Request<Incoming>, name: &str) -> Option<String> {
    request.uri().query()?.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        (key == name).then(|| percent_decode_str(value).decode_utf8_lossy().into_owned())
    })
}

fn schema_data(schema: &TableSchema) -> Value {
    let properties: Vec<Value> = schema
        .shown()
        .map(|column| {
            let bare = column.ty.split(['(', '<']).next().unwrap_or_default();
            let mut facts = json!({
                "name": column.name, "type": bare.trim().to_ascii_uppercase(), "comment": column.comment,
                "aggregation_type": column.aggregation.map_or("", Aggregation::word)
            });
            if let Ok(ColumnType::Decimal(precision, scale)) = ColumnType::parse(&column.ty) {
                facts["precision"] = precision.to_string().into();
                facts["scale"] = scale.to_string().into();
            }
            facts
        })
        .collect();
    json!({"keysType": schema.keys.code(), "status": 200, "properties": properties})
}
