//! The cluster as a sink asks it: in turn, by hand through redirects, with credentials for its own hosts only.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use millrace_connector::{ConnectorError, ErrorKind, Retry};
use parking_lot::Mutex;
use serde_json::Value;

use crate::answer::{self, Decision};
use crate::http::{Connection, HttpError, Patience, Response, Started};
use crate::node::{Node, Scheme};
use crate::query;
use crate::settings::Settings;

const REDIRECTS_MAX: u32 = 3;
/// A node that did not answer is asked last for this long.
const COOL_DOWN: Duration = Duration::from_secs(10);
/// How often the nodes are gone through while it is a redirect's target that does not answer: the next may be another.
const ROUNDS_MAX: u32 = 3;

/// A cluster. Clones share what they learned.
#[derive(Clone)]
pub(crate) struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    settings: Settings,
    patience: Patience,
    authorization: String,
    /// The node that is asked first: the last that answered.
    turn: AtomicUsize,
    /// Until when a node is asked last.
    resting: Mutex<HashMap<Node, Instant>>,
    /// The cluster's backends; `None` where it does not tell them to this user.
    backends: Mutex<Option<Vec<Node>>>,
}

/// Headers of a request, without those of the connection.
pub(crate) type Headers = Vec<(String, String)>;

/// A transaction as a request names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target<'a> {
    Id(i64),
    Label(&'a str),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Body {
    None,
    Empty,
    Chunked,
}

impl Client {
    pub(crate) fn new(settings: &Settings, patience: Patience) -> Self {
        let login = format!("{}:{}", settings.user, settings.password.reveal());
        Self {
            shared: Arc::new(Shared {
                settings: settings.clone(),
                patience,
                authorization: format!("Basic {}", BASE64.encode(login)),
                turn: AtomicUsize::new(0),
                resting: Mutex::default(),
                backends: Mutex::new(None),
            }),
        }
    }

    pub(crate) fn patience(&self) -> &Patience {
        &self.shared.patience
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    /// Returns the nodes that loads and commits may go to.
    fn load_nodes(&self) -> Result<Vec<Node>, HttpError> {
        let settings = self.settings();
        if !settings.bes.is_empty() {
            return Ok(settings.bes.clone());
        }
        if !settings.asks_for_backends {
            return Ok(settings.fes.clone());
        }
        self.learn_hosts();
        let known = self.shared.backends.lock().clone();
        known.ok_or_else(|| HttpError::Malformed {
            node: settings.fes[0].clone(),
            reason: "it does not tell its backends to this user: name them in 'benodes'".into(),
        })
    }

    /// Returns nodes in the order to ask: from the one whose turn it is, those at rest last.
    fn order(&self, nodes: &[Node]) -> Vec<(usize, Node)> {
        let first = self.shared.turn.load(Ordering::Relaxed);
        let resting = self.shared.resting.lock();
        let now = Instant::now();
        let mut order: Vec<(usize, Node)> = (0..nodes.len())
            .map(|step| (first + step) % nodes.len())
            .map(|at| (at, nodes[at].clone()))
            .collect();
        order.sort_by_key(|(_, node)| resting.get(node).is_some_and(|until| *until > now));
        order
    }

    /// Does `call` with one node after the other until one can be reached.
    fn failover<T>(
        &self,
        nodes: &[Node],
        mut call: impl FnMut(&Node) -> Result<T, HttpError>,
    ) -> Result<T, HttpError> {
        let mut last = None;
        for _ in 0..ROUNDS_MAX {
            let mut is_redirect = false;
            for (at, node) in self.order(nodes) {
                match call(&node) {
                    Ok(value) => {
                        self.shared.turn.store(at, Ordering::Relaxed);
                        self.shared.resting.lock().remove(&node);
                        return Ok(value);
                    }
                    Err(HttpError::Cancelled) => return Err(HttpError::Cancelled),
                    Err(error) => {
                        let blamed = error.node().unwrap_or(&node);
                        tracing::warn!(node = %blamed, error = %chain(&error), "a Doris node does not answer");
                        is_redirect |=
                            *blamed != node && matches!(error, HttpError::Connect { .. });
                        let until = Instant::now() + COOL_DOWN;
                        self.shared.resting.lock().insert(blamed.clone(), until);
                        last = Some(error);
                    }
                }
            }
            if !is_redirect {
                break;
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
            patience.answer = self.settings().load_timeout;
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
            let target = answered.location.as_deref().and_then(Node::of_url);
            let Some((next, next_path)) = target else {
                let reason = "it redirects to nowhere".to_owned();
                return Err(HttpError::Malformed { node, reason });
            };
            if !self.is_trusted(&next) {
                let reason = format!("it redirects to {next}, which is no host of the cluster");
                return Err(HttpError::Malformed { node, reason });
            }
            if node.scheme == Scheme::Tls && next.scheme == Scheme::Plain {
                let reason = format!("it redirects from TLS to {next} without");
                return Err(HttpError::Malformed { node, reason });
            }
            (node, path) = (next, next_path);
        }
        let reason = "it redirects in circles".to_owned();
        Err(HttpError::Malformed { node, reason })
    }

    /// Tells whether a host may get the password. A host that is not known yet may be new: the cluster is asked again.
    fn is_trusted(&self, node: &Node) -> bool {
        let settings = self.settings();
        let mut configured = settings.fes.iter().chain(&settings.bes);
        if configured.any(|known| known.host == node.host) {
            return true;
        }
        let knows = || {
            let backends = self.shared.backends.lock();
            let hosts = backends.as_ref()?;
            Some(hosts.iter().any(|known| known.host == node.host))
        };
        match knows() {
            Some(true) => true,
            Some(false) => {
                self.learn_hosts();
                knows().unwrap_or(false)
            }
            // Whoever names backends names all.
            None => settings.bes.is_empty(),
        }
    }

    /// Asks which hosts belong to the cluster: over HTTP, or else by SQL.
    pub(crate) fn learn_hosts(&self) {
        let found = match self.get("/api/backends?is_alive=false") {
            Ok(Ok(data)) => self.backends_of(&data),
            Ok(Err(said)) => {
                tracing::debug!(said, "the list of backends is not for this user");
                Vec::new()
            }
            Err(error) => {
                tracing::debug!(%error, "the list of backends cannot be had");
                Vec::new()
            }
        };
        let found = if found.is_empty() {
            query::backends(self.settings()).unwrap_or_default()
        } else {
            found
        };
        if !found.is_empty() {
            *self.shared.backends.lock() = Some(found);
        }
    }

    fn backends_of(&self, data: &Value) -> Vec<Node> {
        let node = |backend: &Value| {
            Some(Node {
                scheme: self.settings().fes[0].scheme,
                host: backend["ip"].as_str()?.to_owned(),
                port: u16::try_from(backend["http_port"].as_u64()?).ok()?,
            })
        };
        let backends = data["backends"].as_array();
        backends.map_or_else(Vec::new, |all| all.iter().filter_map(node).collect())
    }

    /// Asks an FE and returns `data` of its answer, or what it said instead.
    pub(crate) fn get(&self, path: &str) -> Result<Result<Value, String>, HttpError> {
        let none = Headers::new();
        let call = |node: &Node| self.ask("GET", node, path, &none, Body::None);
        match self.failover(&self.settings().fes, call)? {
            Started::Answered(response) => {
                let answer = serde_json::from_slice::<Value>(&response.body).ok();
                let data = answer
                    .filter(|answer| response.status == 200 && answer["code"] == 0)
                    .map(|mut answer| answer["data"].take());
                Ok(data.ok_or_else(|| answer::refusal(&response)))
            }
            Started::Continue(_) => unreachable!("only a request with a body goes on"),
        }
    }

    /// Begins a load: no byte of its body has been sent.
    pub(crate) fn start_load(
        &self,
        db: &str,
        table: &str,
        headers: &Headers,
    ) -> Result<Started, HttpError> {
        let path = format!("/api/{db}/{table}/_stream_load");
        let call = |node: &Node| self.ask("PUT", node, &path, headers, Body::Chunked);
        self.failover(&self.load_nodes()?, call)
    }

    /// Commits or aborts a transaction, once.
    pub(crate) fn decide(
        &self,
        db: &str,
        target: Target<'_>,
        operation: &str,
    ) -> Result<Decision, HttpError> {
        let path = format!("/api/{db}/_stream_load_2pc");
        let named = match target {
            Target::Id(id) => ("txn_id".to_owned(), id.to_string()),
            Target::Label(label) => ("label".to_owned(), label.to_owned()),
        };
        let headers = vec![("txn_operation".to_owned(), operation.to_owned()), named];
        let call = |node: &Node| self.ask("PUT", node, &path, &headers, Body::Empty);
        match self.failover(&self.load_nodes()?, call)? {
            Started::Answered(response) => Ok(Decision::parse(&response)),
            Started::Continue(_) => unreachable!("only a request with a body goes on"),
        }
    }

    /// Returns the state of the newest transaction of a label, in Doris's word.
    pub(crate) fn label_state(&self, db: &str, label: &str) -> Result<String, String> {
        let path = format!("/api/{db}/get_load_state?label={label}");
        let data = self.get(&path).map_err(|error| chain(&error))??;
        // Some versions put the word into an object.
        let word = data.as_str().or_else(|| data["state"].as_str());
        word.map(str::to_owned)
            .ok_or_else(|| format!("no state of a load: {data}"))
    }

    /// Fetches the text behind `ErrorURL`; `None` where it cannot be had.
    pub(crate) fn error_log(&self, url: &str) -> Option<String> {
        let (node, path) = Node::of_url(url)?;
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
    let (kind, retry) = match error {
        HttpError::Malformed { .. } => (ErrorKind::Rejected, Retry::Restart),
        HttpError::Tls { .. } => (ErrorKind::Config, Retry::Never),
        _ => (ErrorKind::Unreachable, Retry::Restart),
    };
    let help = matches!(error, HttpError::Tls { .. }).then_some(
        "'doris.tls.ca-file' names a PEM file with the certificates that sign the cluster's; 'doris.enable.tls' and https:// ask for TLS",
    );
    let failure = ConnectorError::new(kind, retry, format!("cannot {action}")).caused_by(error);
    match help {
        Some(help) => failure.help(help),
        None => failure,
    }
}
