//! HTTP for whoever watches over the process: liveness, readiness, figures.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use millrace_runtime::{Clock, DataflowStatus, Phase, StatusSnapshot};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::metrics::{self, Watched};

/// A commit may be late by this much, at least, before the process is called not ready.
const LATENESS_MIN: Duration = Duration::from_secs(60);
/// … and by this many intervals.
const LATENESS_INTERVALS: u32 = 3;

/// What HTTP tells of.
pub(crate) struct Watch {
    /// The pipeline's name.
    pub(crate) pipeline: String,
    /// Its dataflows.
    pub(crate) flows: Vec<Watched>,
    /// `execution.checkpointing.interval`.
    pub(crate) interval: Duration,
    /// The clock that the dataflows use.
    pub(crate) clock: Arc<dyn Clock>,
    /// When the process began, by that clock.
    pub(crate) started_ms: i64,
}

/// Listens at `address` and serves in the background of the current tokio runtime; returns the address, with its port
/// where 0 was asked for.
pub(crate) async fn serve(address: SocketAddr, watch: Arc<Watch>) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen at {address} for 'rest.port'"))?;
    let bound = listener
        .local_addr()
        .context("the listener has no address")?;
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router(watch)).await {
            tracing::error!(%error, "the HTTP server ended");
        }
    });
    Ok(bound)
}

fn router(watch: Arc<Watch>) -> Router {
    Router::new()
        .route(
            "/",
            get(async || "millrace: /healthz /readyz /metrics /status\n"),
        )
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(figures))
        .route("/status", get(status))
        .with_state(watch)
}

async fn ready(State(watch): State<Arc<Watch>>) -> impl IntoResponse {
    match watch.not_ready() {
        None => (StatusCode::OK, "ready\n".to_owned()),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
    }
}

async fn figures(State(watch): State<Arc<Watch>>) -> impl IntoResponse {
    let kind = [(
        header::CONTENT_TYPE,
        "text/plain; version=0.0.4; charset=utf-8",
    )];
    let now_ms = watch.clock.now_ms();
    let text = metrics::exposition(&watch.pipeline, &watch.flows, now_ms);
    (kind, text)
}

async fn status(State(watch): State<Arc<Watch>>) -> impl IntoResponse {
    axum::Json(watch.status())
}

impl Watch {
    /// Returns why the pipeline is not ready; `None` = it is.
    fn not_ready(&self) -> Option<String> {
        self.flows.iter().find_map(|flow| {
            let now = flow.status.snapshot();
            let name = &flow.name;
            match now.phase {
                Phase::Finished => None,
                Phase::Running => self.late(&now).map(|late| {
                    format!(
                        "dataflow '{name}' has not committed for {} s",
                        late.as_secs()
                    )
                }),
                phase => Some(format!("dataflow '{name}' is {}", phase.word())),
            }
        })
    }

    /// Returns for how long rows have waited for a commit, where that is too long. Without rows nothing is committed.
    fn late(&self, now: &StatusSnapshot) -> Option<Duration> {
        if now.records_out <= now.records_committed {
            return None;
        }
        let since = now.checkpoint_at_ms.max(self.started_ms);
        let waited = u64::try_from(self.clock.now_ms() - since).unwrap_or(0);
        let waited = Duration::from_millis(waited);
        (waited > LATENESS_MIN.max(self.interval * LATENESS_INTERVALS)).then_some(waited)
    }

    fn status(&self) -> Value {
        let flows: Vec<Value> = self
            .flows
            .iter()
            .map(|flow| {
                let now = flow.status.snapshot();
                json!({
                    "name": flow.name,
                    "phase": now.phase.word(),
                    "records_read": now.records_in,
                    "bytes_read": now.bytes_in,
                    "records_written": now.records_out,
                    "bytes_written": now.bytes_out,
                    "records_committed": now.records_committed,
                    "records_skipped": now.records_skipped,
                    "lag_records": now.lag,
                    "epoch": now.epoch,
                    "checkpoints": now.checkpoints,
                    "checkpoint_ms": now.checkpoint_ms,
                    "checkpoint_at_ms": (now.checkpoint_at_ms > 0).then_some(now.checkpoint_at_ms),
                    "restarts": now.restarts,
                    "last_error": now.last_error,
                    "operators": operators(&flow.status),
                    "state_stored_bytes": flow.status.state().stored_bytes,
                })
            })
            .collect();
        json!({
            "pipeline": self.pipeline,
            "version": env!("CARGO_PKG_VERSION"),
            "ready": self.not_ready().is_none(),
            "uptime_ms": self.clock.now_ms() - self.started_ms,
            "dataflows": flows,
        })
    }
}

fn operators(status: &DataflowStatus) -> Vec<Value> {
    let operators = status.operators().into_iter();
    operators
        .map(|it| {
            json!({
                "name": it.name,
                "keys": it.has_state.then_some(it.keys),
                "state_bytes": it.has_state.then_some(it.state_bytes),
                "late_rows": it.late_rows,
                // The end of all time is no time.
                "watermark_ms": it.watermark_ms.filter(|known| *known < i64::MAX),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    use millrace_runtime::SystemClock;

    fn ask(address: SocketAddr, path: &str) -> (u16, String) {
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (
            head.split(' ').nth(1).unwrap().parse().unwrap(),
            body.to_owned(),
        )
    }

    #[test]
    fn answers_on_an_ephemeral_port() {
        let watch = Arc::new(Watch {
            pipeline: "p".into(),
            flows: vec![Watched {
                name: "d".into(),
                status: Arc::default(),
            }],
            interval: Duration::from_secs(1),
            clock: Arc::new(SystemClock::default()),
            started_ms: 0,
        });
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let address = runtime
            .block_on(serve("127.0.0.1:0".parse().unwrap(), watch))
            .unwrap();
        assert_eq!(ask(address, "/healthz"), (200, "ok\n".into()));
        let (status, why) = ask(address, "/readyz");
        assert_eq!((status, why.as_str()), (503, "dataflow 'd' is starting\n"));
        let (status, text) = ask(address, "/metrics");
        assert_eq!(status, 200);
        assert!(text.contains("millrace_records_read_total{pipeline=\"p\",dataflow=\"d\"} 0"));
        let (_, text) = ask(address, "/status");
        let status: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(status["dataflows"][0]["phase"], "starting");
        assert_eq!(status["ready"], false);
        assert_eq!(ask(address, "/nothing").0, 404);
    }

    #[test]
    fn rows_that_wait_too_long_for_a_commit_are_noticed() {
        let clock = Arc::new(SystemClock::default());
        let watch = Watch {
            pipeline: "p".into(),
            flows: Vec::new(),
            interval: Duration::from_secs(100),
            started_ms: clock.now_ms() - 200_000,
            clock,
        };
        let waiting = StatusSnapshot {
            records_out: 1,
            ..StatusSnapshot::default()
        };
        assert_eq!(watch.late(&waiting), None, "within three intervals");
        let late = Watch {
            started_ms: watch.started_ms - 200_000,
            ..watch
        };
        assert!(late.late(&waiting).is_some());
        assert_eq!(late.late(&StatusSnapshot::default()), None, "nothing waits");
    }
}
