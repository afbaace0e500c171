//! The BE: takes bodies, commits and aborts.

use std::time::{Duration, Instant};

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::{HeaderMap, Method, Request, StatusCode};

use crate::answer::{self, Answer, LoadAnswer, message};
use crate::fault::FaultPoint;
use crate::frontend::query;
use crate::headers::LoadRequest;
use crate::load::{LoadFailure, Loader};
use crate::schema::TableSchema;
use crate::server::{NoAnswer, Shared};
use crate::transaction::{Begun, Handle, TransactionState};

/// How often an open load looks whether it was aborted.
const LOOK: Duration = Duration::from_millis(20);
/// How long a commit waits that is held on purpose.
const HOLD: Duration = Duration::from_secs(3);

pub(crate) async fn answer(
    shared: &Shared,
    request: Request<Incoming>,
) -> Result<Answer, NoAnswer> {
    let path = request.uri().path().to_owned();
    let segments: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    match (request.method(), segments.as_slice()) {
        (_, []) => Ok(answer::plain(StatusCode::OK, "<html></html>")),
        (&Method::GET, ["api", "_load_error_log"]) => {
            let file = query(&request, "file").unwrap_or_default();
            let id = file.rsplit('_').next().and_then(|id| id.parse().ok());
            Ok(match id.and_then(|id| shared.cluster.error_log(id)) {
                Some(text) => answer::plain(StatusCode::OK, text),
                None => answer::plain(StatusCode::NOT_FOUND, "no such error log"),
            })
        }
        (&Method::PUT, ["api", db, table, "_stream_load"]) => {
            Load::take(shared, db, table, request).await
        }
        (&Method::PUT, ["api", db, "_stream_load_2pc"] | ["api", db, _, "_stream_load_2pc"]) => {
            if is_commit(request.headers()) && shared.cluster.strikes(FaultPoint::CommitHeld) {
                tokio::time::sleep(HOLD).await;
            }
            decide(shared, db, request.headers())
        }
        _ => Ok(answer::plain(StatusCode::NOT_FOUND, "")),
    }
}

fn is_commit(headers: &HeaderMap) -> bool {
    headers
        .get("txn_operation")
        .is_some_and(|value| value == "commit")
}

/// Answers a commit or abort: always HTTP 200, two strings.
fn decide(shared: &Shared, db: &str, headers: &HeaderMap) -> Result<Answer, NoAnswer> {
    let say = |status: &str, msg: String| {
        Ok(answer::ok(
            &serde_json::json!({"status": status, "msg": msg}),
        ))
    };
    let detail = |text: &str| format!("TStatus: errCode = 2, detailMessage = {text}");
    if !shared.is_authorized(headers) {
        return say("NOT_AUTHORIZED", detail("no valid Basic authorization"));
    }
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let operation = text("txn_operation").unwrap_or_default();
    if operation != "commit" && operation != "abort" {
        return say(
            "INVALID_ARGUMENT",
            "transaction operation should be 'commit' or 'abort'".into(),
        );
    }
    let (handle, name) = match (text("txn_id"), text("label")) {
        (Some(id), label) => match id.trim().parse() {
            Ok(number) => (
                Handle::Id(number),
                label.map_or(format!("transaction [{number}]"), |label| {
                    format!("label [{label}] transaction [{number}]")
                }),
            ),
            Err(_) => {
                return say("INVALID_ARGUMENT", format!("convert txn_id [{id}] failed"));
            }
        },
        (None, Some(label)) => (Handle::Label(label.to_owned()), format!("label [{label}]")),
        (None, None) => {
            return Ok(answer::failed("No transaction id or label selected."));
        }
    };
    let is_commit = operation == "commit";
    if is_commit && shared.cluster.strikes(FaultPoint::CommitServerError) {
        return Ok(answer::plain(StatusCode::INTERNAL_SERVER_ERROR, "fault"));
    }
    if is_commit && shared.cluster.strikes(FaultPoint::CommitLockTimeout) {
        return say(
            "INTERNAL_ERROR",
            detail("get tableList write lock timeout, tableList=(Table [id=1])"),
        );
    }
    match shared.cluster.decide(db, &handle, is_commit)? {
        Ok(_) if is_commit && shared.cluster.strikes(FaultPoint::CommitReplyLost) => {
            Err(NoAnswer::Fault)
        }
        Ok(_) => say("Success", format!("{name} {operation} successfully.")),
        Err(text) => say("ANALYSIS_ERROR", detail(&text)),
    }
}

/// A load that has its transaction.
struct Load<'a> {
    shared: &'a Shared,
    begun: Instant,
    id: i64,
    label: String,
    is_two_phase: bool,
    is_old: bool,
}

impl<'a> Load<'a> {
    async fn take(
        shared: &'a Shared,
        db: &str,
        table: &str,
        request: Request<Incoming>,
    ) -> Result<Answer, NoAnswer> {
        let is_old = shared.cluster.settings().old_messages;
        let label = || {
            let header = request.headers().get("label");
            let text = header.and_then(|value| value.to_str().ok());
            text.unwrap_or_default().to_owned()
        };
        let mut load = Self {
            shared,
            begun: Instant::now(),
            id: -1,
            label: label(),
            is_two_phase: false,
            is_old,
        };
        if !shared.is_authorized(request.headers()) {
            return Ok(load.fail("NOT_AUTHORIZED", "no valid Basic authorization"));
        }
        if shared.cluster.strikes(FaultPoint::LoadServerError) {
            return Ok(answer::plain(StatusCode::INTERNAL_SERVER_ERROR, "fault"));
        }
        if shared.cluster.strikes(FaultPoint::LoadTooManyVersions) {
            let detail = "failed to init rowset builder. version count: 2001, exceed limit: 2000, tablet: 10010";
            return Ok(load.fail("TOO_MANY_VERSION", detail));
        }
        let asked = match LoadRequest::parse(request.headers(), is_old) {
            Ok(asked) => asked,
            Err(detail) => return Ok(load.fail("INVALID_ARGUMENT", &detail)),
        };
        load.is_two_phase = asked.is_two_phase;
        if let Some(given) = &asked.label {
            load.label.clone_from(given);
        } else {
            load.label = uuid::Uuid::new_v4().to_string();
        }
        let Some(schema) = shared.cluster.table(db, table) else {
            return Ok(load.fail("ANALYSIS_ERROR", &format!("unknown table, table={table}")));
        };
        match shared
            .cluster
            .begin((db, table, &load.label), asked.timeout_ms)?
        {
            Begun::Taken(id, state) => Ok(load.taken(id, state)),
            Begun::Open(id) => {
                load.id = id;
                load.receive(&asked, schema, request.into_body()).await
            }
        }
    }

    async fn receive(
        self,
        asked: &LoadRequest,
        schema: TableSchema,
        mut body: Incoming,
    ) -> Result<Answer, NoAnswer> {
        let cluster = &self.shared.cluster;
        let path = cluster.rows_path(self.id);
        let mut loader = match Loader::open(asked, &schema, &path) {
            Ok(loader) => loader,
            Err(detail) => return self.abort("INTERNAL_ERROR", &detail),
        };
        // The first look at the body is what makes the server say `100 Continue`.
        let guard = AbortOnDrop {
            shared: self.shared,
            id: self.id,
        };
        let mut looked = Instant::now();
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else {
                return Err(NoAnswer::SenderGone);
            };
            let Ok(bytes) = frame.into_data() else {
                continue;
            };
            if cluster.strikes(FaultPoint::LoadCancelled) {
                return self.abort("CANCELLED", "cancelled by the stand-in");
            }
            if looked.elapsed() > LOOK {
                looked = Instant::now();
                if let Err(reason) = cluster.check_loading(self.id)? {
                    return Ok(self.fail("INTERNAL_ERROR", &reason));
                }
            }
            if let Err(detail) = loader.feed(&bytes) {
                return self.abort("INTERNAL_ERROR", &detail);
            }
        }
        let answer = match loader.finish() {
            Ok(counts) => self.finish(counts),
            Err(LoadFailure::Other(detail)) => self.abort("INTERNAL_ERROR", &detail),
            Err(LoadFailure::Quality(counts)) => {
                cluster.keep_error_log(self.id, counts.errors.join("\n"));
                cluster.abort_open(self.id, "too many filtered rows")?;
                let text = message("DATA_QUALITY_ERROR", "too many filtered rows", self.is_old);
                let url = format!(
                    "http://{}/api/_load_error_log?file=error_log_{}",
                    self.shared.be(),
                    self.id
                );
                Ok(LoadAnswer {
                    status: "Fail",
                    message: text,
                    counts,
                    error_url: Some(url),
                    ..self.answer()
                }
                .into_answer())
            }
        };
        drop(guard);
        answer
    }

    fn finish(&self, counts: crate::load::Counts) -> Result<Answer, NoAnswer> {
        let cluster = &self.shared.cluster;
        let is_late = !self.is_two_phase && cluster.strikes(FaultPoint::PublishTimeout);
        let (state, status) = match (self.is_two_phase, is_late) {
            (true, _) => (TransactionState::Precommitted, "Success"),
            (false, true) => (TransactionState::Committed, "Publish Timeout"),
            (false, false) => (TransactionState::Visible, "Success"),
        };
        if let Err(reason) = cluster.check_loading(self.id)? {
            return Ok(self.fail("INTERNAL_ERROR", &reason));
        }
        if !cluster.finish_load(self.id, state, counts.loaded)? {
            return Ok(self.fail("INTERNAL_ERROR", "the transaction was aborted meanwhile"));
        }
        if cluster.strikes(FaultPoint::LoadReplyLost) {
            return Err(NoAnswer::Fault);
        }
        let text = if is_late {
            message("PUBLISH_TIMEOUT", "publish timeout", self.is_old)
        } else {
            "OK".to_owned()
        };
        Ok(LoadAnswer {
            status,
            message: text,
            counts,
            ..self.answer()
        }
        .into_answer())
    }

    fn answer(&self) -> LoadAnswer {
        LoadAnswer {
            id: self.id,
            label: self.label.clone(),
            is_two_phase: self.is_two_phase,
            elapsed_ms: u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            ..LoadAnswer::default()
        }
    }

    fn fail(&self, code: &str, detail: &str) -> Answer {
        LoadAnswer {
            status: "Fail",
            message: message(code, detail, self.is_old),
            ..self.answer()
        }
        .into_answer()
    }

    fn abort(&self, code: &str, detail: &str) -> Result<Answer, NoAnswer> {
        self.shared.cluster.abort_open(self.id, detail)?;
        Ok(self.fail(code, detail))
    }

    fn taken(&self, id: i64, state: TransactionState) -> Answer {
        let existing = match state {
            TransactionState::Prepare | TransactionState::Aborted => "RUNNING",
            TransactionState::Precommitted => "PRECOMMITTED",
            TransactionState::Committed | TransactionState::Visible => "FINISHED",
        };
        let detail = format!(
            "Label [{}] has already been used, relate to txn [{id}]",
            self.label
        );
        LoadAnswer {
            status: "Label Already Exists",
            existing: Some(existing),
            message: message("LABEL_ALREADY_EXISTS", &detail, self.is_old),
            ..self.answer()
        }
        .into_answer()
    }
}

/// Aborts a load whose sender is gone: the connection's task is then dropped or fails.
struct AbortOnDrop<'a> {
    shared: &'a Shared,
    id: i64,
}

impl Drop for AbortOnDrop<'_> {
    fn drop(&mut self) {
        let cluster = &self.shared.cluster;
        if let Ok(Ok(())) = cluster.check_loading(self.id)
            && let Err(error) = cluster.abort_open(self.id, "sender is gone")
        {
            tracing::error!(%error, "the stand-in cannot write its journal");
        }
    }
}
