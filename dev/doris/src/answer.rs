//! Answers in Doris's forms, most of them with HTTP 200 whatever they say.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HeaderValue, LOCATION};
use hyper::{Response, StatusCode};
use serde_json::{Map, Value, json};

use crate::load::Counts;

pub(crate) type Answer = Response<Full<Bytes>>;

/// Returns an answer of text.
pub(crate) fn plain(status: StatusCode, text: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(text.into()));
    *answer.status_mut() = status;
    answer
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
    answer
}

/// Returns an answer of JSON with HTTP 200.
pub(crate) fn ok(value: &Value) -> Answer {
    let mut text = serde_json::to_string_pretty(value).expect("values are JSON");
    text.push('\n');
    plain(StatusCode::OK, text)
}

/// Returns the form of the FE's REST answers.
pub(crate) fn rest(code: u32, msg: &str, data: &Value) -> Answer {
    ok(&json!({"msg": msg, "code": code, "data": data, "count": 0}))
}

/// Returns the form in which the FE refuses loads and commits.
pub(crate) fn failed(msg: &str) -> Answer {
    ok(&json!({"status": "FAILED", "msg": msg}))
}

pub(crate) fn redirect(location: &str) -> Answer {
    let mut answer = plain(StatusCode::TEMPORARY_REDIRECT, "");
    let location = HeaderValue::from_str(location).expect("the location is percent-encoded");
    answer.headers_mut().insert(LOCATION, location);
    answer
}

/// Returns an error text as Doris 2.1 or, with `is_old`, 2.0 writes it.
pub(crate) fn message(code: &str, detail: &str, is_old: bool) -> String {
    if is_old {
        format!(
            "[{code}]errCode = 2, detailMessage = {detail}\n0. /root/doris/be/src/common/status.h:374: doris::Status::Error"
        )
    } else {
        format!("[{code}]TStatus: errCode = 2, detailMessage = {detail}")
    }
}

/// The answer to a load.
#[derive(Clone, Debug, Default)]
pub(crate) struct LoadAnswer {
    pub(crate) id: i64,
    pub(crate) label: String,
    pub(crate) is_two_phase: bool,
    pub(crate) status: &'static str,
    pub(crate) existing: Option<&'static str>,
    pub(crate) message: String,
    pub(crate) counts: Counts,
    pub(crate) elapsed_ms: u64,
    pub(crate) error_url: Option<String>,
}

impl LoadAnswer {
    pub(crate) fn into_answer(self) -> Answer {
        let mut fields = Map::new();
        let mut set = |name: &str, value: Value| {
            fields.insert(name.to_owned(), value);
        };
        set("TxnId", self.id.into());
        set("Label", self.label.into());
        set("Comment", "".into());
        set("TwoPhaseCommit", self.is_two_phase.to_string().into());
        set("Status", self.status.into());
        if let Some(existing) = self.existing {
            set("ExistingJobStatus", existing.into());
        }
        set("Message", self.message.into());
        set("NumberTotalRows", self.counts.total.into());
        set("NumberLoadedRows", self.counts.loaded.into());
        set("NumberFilteredRows", self.counts.filtered.into());
        set("NumberUnselectedRows", 0.into());
        set("LoadBytes", self.counts.bytes.into());
        set("LoadTimeMs", self.elapsed_ms.into());
        for name in ["BeginTxnTimeMs", "StreamLoadPutTimeMs", "ReadDataTimeMs"] {
            set(name, 0.into());
        }
        set("WriteDataTimeMs", self.elapsed_ms.into());
        set("ReceiveDataTimeMs", 0.into());
        set("CommitAndPublishTimeMs", 0.into());
        if let Some(url) = self.error_url {
            set("ErrorURL", url.into());
        }
        if let Some(first) = self.counts.errors.first() {
            set("FirstErrorMsg", first.as_str().into());
        }
        ok(&Value::Object(fields))
    }
}
