//! The cluster as a sink asks it: in turn, by hand through redirects, with credentials for its own hosts only.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use millrace_connector::{ConnectorError, ErrorKind, Retry};
use parking_lot::Mutex;
use serde_json::Value;

use crate::answer::{self, Decision};
use crate::http::{Connection, HttpError, Patience, Response, Started};
use crate::node::Node;
use crate::settings::Settings;

const REDIRECTS_MAX: u32 = 3;

/// A cluster. Clones share what they learned.
#[derive(Clone)]
pub(crate) struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    settings: Settings,
    patience: Patience,
    authorization: String,
    /// The host that is asked first: the last that answered.
    turn: AtomicUsize,
    /// Hosts that may get the password; `None` where the cluster does not tell its list to this user.
    trusted: Mutex<Option<HashSet<String>>>,
}

/// Headers of a request, without those of the connection.
pub(crate) type Headers = Vec<(String, String)>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Body {
    None,
    Empty,
    Chunked,
}

impl Client {
    pub(crate) fn new(settings: &Settings, patience: Patience) -> Self {
        let login = format!("{}:{}", settings.user, settings.password);
        Self {
            shared: Arc::new(Shared {
                settings: settings.clone(),
                patience,
                authorization: format!("Basic {}", BASE64.encode(login)),
                turn: AtomicUsize::new(0),
                trusted: Mutex::new(None),
            }),
        }
    }

    pub(crate) fn patience(&self) -> &Patience {
        &self.shared.patience
    }

    /// Returns the nodes to ask, the one whose turn it is first.
    fn nodes(&self) -> Vec<(usize, &Node)> {
        let settings = &self.shared.settings;
        let nodes = if settings.bes.is_empty() {
            &settings.fes
        } else {
            &settings.bes
        };
        let first = self.shared.turn.load(Ordering::Relaxed);
        (0..nodes.len())
            .map(|step| (first + step) % nodes.len())
            .map(|at| (at, &nodes[at]))
            .collect()
    }

    /// Does `call` with one node after the other until one can be reached.
    fn failover<T>(
        &self,
        mut call: impl FnMut(&Node) -> Result<T, HttpError>,
    ) -> Result<T, HttpError> {
        let mut last = None;
        for (at, node) in self.nodes() {
            match call(node) {
                Ok(value) => {
                    self.shared.turn.store(at, Ordering::Relaxed);
                    return Ok(value);
                }
                Err(HttpError::Cancelled) => return Err(HttpError::Cancelled),
                Err(error) => {
                    tracing::warn!(%node, error = %chain(&error), "a Doris node does not answer");
                    last = Some(error);
                }
            }
        }
        Err(last.expect("a list of nodes is not empty"))
    }

    fn head(&self, method: &str, node: &Node, path: &str, headers: &Headers, body: Body) -> String {
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {node}\r\nAuthorization: {}\r\n",
            self.shared.authorization
        );
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(match body {
            Body::None => "",
            Body::Empty => "Content-Length: 0\r\n",
            Body::Chunked => "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n",
        });
        head.push_str("Connection: close\r\n\r\n");
        head
    }

    fn ask(
        &self,
        method: &str,
        node: &Node,
        path: &str,
        headers: &Headers,
        body: Body,
    ) -> Result<Started, HttpError> {
        let (mut node, mut path) = (node.clone(), path.to_owned());
        let mut patience = self.shared.patience.clone();
        if body == Body::Chunked {
            patience.answer = self.shared.settings.load_timeout;
        }
        for _ in 0..=REDIRECTS_MAX {
            let mut connection = Connection::open(&node, &patience)?;
            connection.write(self.head(method, &node, &path, headers, body).as_bytes())?;
            let answered = if body == Body::Chunked {
                match connection.await_continue()? {
                    Started::Answered(response) => response,
                    started => return Ok(started),
                }
            } else {
                connection.answer()?
            };
            if !matches!(answered.status, 301 | 302 | 307 | 308) {
                return Ok(Started::Answered(answered));
            }
            let target = answered.location.as_deref().and_then(Node::of_location);
            let Some((next, next_path)) = target else {
                let reason = "it redirects to nowhere".to_owned();
                return Err(HttpError::Malformed { node, reason });
            };
            if !self.is_trusted(&next) {
                let reason = format!("it redirects to {next}, which is no host of the cluster");
                return Err(HttpError::Malformed { node, reason });
            }
            (node, path) = (next, next_path);
        }
        let reason = "it redirects in circles".to_owned();
        Err(HttpError::Malformed { node, reason })
    }

    /// Tells whether a host may get the password. A host that is not known yet may be new: the cluster is asked again.
    fn is_trusted(&self, node: &Node) -> bool {
        let settings = &self.shared.settings;
        let mut configured = settings.fes.iter().chain(&settings.bes);
        if configured.any(|known| known.host == node.host) {
            return true;
        }
        let knows = |trusted: &Option<HashSet<String>>| {
            trusted.as_ref().map(|hosts| hosts.contains(&node.host))
        };
        let known = knows(&self.shared.trusted.lock());
        match known {
            Some(true) => true,
            Some(false) => {
                self.learn_hosts();
                knows(&self.shared.trusted.lock()).unwrap_or(false)
            }
            None => true,
        }
    }

    /// Asks the FE which hosts belong to the cluster.
    pub(crate) fn learn_hosts(&self) {
        match self.get("/api/backends?is_alive=false") {
            Ok(Ok(data)) => {
                let hosts = data["backends"].as_array().map(|backends| {
                    let ip = |backend: &Value| backend["ip"].as_str().map(str::to_owned);
                    backends.iter().filter_map(ip).collect::<HashSet<_>>()
                });
                if let Some(hosts) = hosts.filter(|hosts| !hosts.is_empty()) {
                    *self.shared.trusted.lock() = Some(hosts);
                }
            }
            Ok(Err(said)) => {
                tracing::debug!(said, "the list of backends is not for this user");
            }
            Err(error) => tracing::debug!(%error, "the list of backends cannot be had"),
        }
    }

    /// Asks an FE and returns `data` of its answer, or what it said instead.
    pub(crate) fn get(&self, path: &str) -> Result<Result<Value, String>, HttpError> {
        let mut last = None;
        for node in &self.shared.settings.fes {
            match self.ask("GET", node, path, &Headers::new(), Body::None) {
                Ok(Started::Answered(response)) => {
                    let answer = serde_json::from_slice::<Value>(&response.body).ok();
                    let data = answer
                        .filter(|answer| response.status == 200 && answer["code"] == 0)
                        .map(|mut answer| answer["data"].take());
                    return Ok(data.ok_or_else(|| answer::refusal(&response)));
                }
                Ok(Started::Continue(_)) => unreachable!("only a request with a body goes on"),
                Err(error) => last = Some(error),
            }
        }
        Err(last.expect("a list of nodes is not empty"))
    }

    /// Begins a load: no byte of its body has been sent.
    pub(crate) fn start_load(
        &self,
        db: &str,
        table: &str,
        headers: &Headers,
    ) -> Result<Started, HttpError> {
        let path = format!("/api/{db}/{table}/_stream_load");
        self.failover(|node| self.ask("PUT", node, &path, headers, Body::Chunked))
    }

    /// Commits or aborts a transaction, once.
    pub(crate) fn decide(
        &self,
        db: &str,
        transaction: i64,
        operation: &str,
    ) -> Result<Decision, HttpError> {
        let path = format!("/api/{db}/_stream_load_2pc");
        let headers = vec![
            ("txn_operation".to_owned(), operation.to_owned()),
            ("txn_id".to_owned(), transaction.to_string()),
        ];
        let started = self.failover(|node| self.ask("PUT", node, &path, &headers, Body::Empty))?;
        match started {
            Started::Answered(response) => Ok(Decision::parse(&response)),
            Started::Continue(_) => unreachable!("only a request with a body goes on"),
        }
    }

    /// Fetches the text behind `ErrorURL`; `None` where it cannot be had.
    pub(crate) fn error_log(&self, url: &str) -> Option<String> {
        let (node, path) = Node::of_location(url)?;
        if !self.is_trusted(&node) {
            return None;
        }
        match self.ask("GET", &node, &path, &Headers::new(), Body::None) {
            Ok(Started::Answered(Response {
                status: 200, body, ..
            })) => Some(String::from_utf8_lossy(&body).into_owned()),
            _ => None,
        }
    }
}

/// Returns an error with its causes in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// Returns a failure to reach the cluster.
pub(crate) fn unreachable(action: &str, error: HttpError) -> ConnectorError {
    let kind = match error {
        HttpError::Malformed { .. } => ErrorKind::Rejected,
        _ => ErrorKind::Unreachable,
    };
    ConnectorError::new(kind, Retry::Restart, format!("cannot {action}")).caused_by(error)
}
