//! The ports: of frontends, of backends, of queries; one runtime for all.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hyper::body::Incoming;
use hyper::header::AUTHORIZATION;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use serde_json::Value;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::answer::Answer;
use crate::cluster::{Cluster, ClusterError, Settings};
use crate::fault::Fault;
use crate::query::Mirrors;
use crate::schema::TableSchema;
use crate::transaction::Transaction;
use crate::{backend, frontend};

/// How often time passes when nobody asks for anything.
const TICK: Duration = Duration::from_millis(100);

/// Where and as whom the stand-in listens.
#[derive(Clone, Debug)]
pub struct Options {
    /// The address of both ports.
    pub host: String,
    /// The FE's HTTP port; 0 = any that is free.
    pub http_port: u16,
    /// Further FE: each on a port of its own, all of one cluster.
    pub more_http_ports: Vec<u16>,
    /// The BE's HTTP port; 0 = any that is free.
    pub be_port: u16,
    /// Further BE.
    pub more_be_ports: Vec<u16>,
    /// The port for MySQL's protocol; 0 = any that is free.
    pub query_port: u16,
    /// Where rows and transactions are kept.
    pub data_dir: PathBuf,
    /// Who may log in.
    pub user: String,
    /// With which password.
    pub password: String,
}

impl Options {
    /// Returns options for 127.0.0.1, one FE and one BE on any free ports, user `root` without a password.
    pub fn in_folder(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            host: "127.0.0.1".into(),
            http_port: 0,
            more_http_ports: Vec::new(),
            be_port: 0,
            more_be_ports: Vec::new(),
            query_port: 0,
            data_dir: data_dir.into(),
            user: "root".into(),
            password: String::new(),
        }
    }
}

/// Why the stand-in cannot start.
#[derive(Debug, Error)]
pub enum StartError {
    /// A port cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The folder cannot be used.
    #[error("cannot keep rows in {}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// No threads.
    #[error("cannot start threads")]
    Runtime(#[source] io::Error),
}

/// A statement that is refused.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{said}")]
pub struct ExecuteError {
    /// What is said.
    pub said: String,
}

/// What all ports know.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) cluster: Cluster,
    pub(crate) frontends: Vec<SocketAddr>,
    pub(crate) backends: Vec<SocketAddr>,
    pub(crate) query: SocketAddr,
    pub(crate) mirrors: Mutex<Mirrors>,
    /// Counts redirects, so that they go to each BE in turn.
    pub(crate) redirects: AtomicUsize,
    pub(crate) user: String,
    pub(crate) password: String,
}

impl Shared {
    /// Returns the first BE.
    pub(crate) fn be(&self) -> SocketAddr {
        self.backends[0]
    }

    /// Returns the BE whose turn it is.
    pub(crate) fn next_be(&self) -> SocketAddr {
        let turn = self.redirects.fetch_add(1, Ordering::Relaxed);
        self.backends[turn % self.backends.len()]
    }

    /// Tells whether the request carries the right name and password.
    pub(crate) fn is_authorized(&self, headers: &HeaderMap) -> bool {
        let expected = BASE64.encode(format!("{}:{}", self.user, self.password));
        headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Basic "))
            .is_some_and(|given| given.trim() == expected)
    }
}

/// A running stand-in. It ends when it is dropped, as by `kill -9`: nothing is written at the end.
#[derive(Debug)]
pub struct DorisStandIn {
    shared: Arc<Shared>,
    runtime: Option<Runtime>,
}

impl DorisStandIn {
    /// Starts it.
    ///
    /// # Errors
    /// A port is taken, or the folder cannot be used.
    pub fn start(options: Options) -> Result<Self, StartError> {
        let cluster = Cluster::open(&options.data_dir).map_err(|source| StartError::Folder {
            folder: options.data_dir.clone(),
            source,
        })?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("dev-doris")
            .enable_all()
            .build()
            .map_err(StartError::Runtime)?;
        let bind = |ports: Vec<u16>| {
            let bound = ports
                .into_iter()
                .map(|port| runtime.block_on(listen(&options.host, port)));
            let bound = bound.collect::<Result<Vec<_>, _>>()?;
            Ok::<_, StartError>(bound.into_iter().unzip())
        };
        let all = |first: u16, more: &[u16]| [&[first], more].concat();
        let (fe, frontends): (Vec<_>, Vec<_>) =
            bind(all(options.http_port, &options.more_http_ports))?;
        let (be, backends): (Vec<_>, Vec<_>) = bind(all(options.be_port, &options.more_be_ports))?;
        let (query, query_address) = runtime.block_on(listen(&options.host, options.query_port))?;
        let shared = Arc::new(Shared {
            cluster,
            frontends,
            backends,
            query: query_address,
            mirrors: Mutex::default(),
            redirects: AtomicUsize::new(0),
            user: options.user,
            password: options.password,
        });
        for (at, listener) in fe.into_iter().enumerate() {
            let side = Side::Frontend { is_master: at == 0 };
            runtime.spawn(serve(listener, Arc::clone(&shared), side));
        }
        for listener in be {
            runtime.spawn(serve(listener, Arc::clone(&shared), Side::Backend));
        }
        runtime.spawn(crate::query::serve(query, Arc::clone(&shared)));
        runtime.spawn(tick(Arc::clone(&shared)));
        Ok(Self {
            shared,
            runtime: Some(runtime),
        })
    }

    /// Returns where the first FE listens, for `fenodes`.
    #[must_use]
    pub fn fe_address(&self) -> String {
        self.shared.frontends[0].to_string()
    }

    /// Returns where the FEs listen.
    #[must_use]
    pub fn fe_addresses(&self) -> Vec<String> {
        self.shared
            .frontends
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    /// Returns where the first BE listens, for `benodes`.
    #[must_use]
    pub fn be_address(&self) -> String {
        self.shared.be().to_string()
    }

    /// Returns where the BEs listen.
    #[must_use]
    pub fn be_addresses(&self) -> Vec<String> {
        self.shared
            .backends
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    /// Returns where queries are taken in MySQL's protocol, for `jdbc-url`.
    #[must_use]
    pub fn query_address(&self) -> String {
        self.shared.query.to_string()
    }

    /// Gives each row that a query would see to `take`, the values of these columns, without holding all rows.
    ///
    /// # Errors
    /// There is no such table or column, or `take` says no.
    pub fn visit_rows(
        &self,
        (db, table): (&str, &str),
        columns: &[&str],
        mut take: impl FnMut(&[Value]) -> io::Result<()>,
    ) -> Result<(), ClusterError> {
        let snapshot = self.shared.cluster.snapshot(db, table)?;
        let place = |name: &&str| {
            let unknown = || ClusterError::Schema(format!("{db}.{table} has no column '{name}'"));
            snapshot.schema.position(name).ok_or_else(unknown)
        };
        let places: Vec<usize> = columns.iter().map(place).collect::<Result<_, _>>()?;
        let mut row = Vec::new();
        Ok(snapshot.visit(&|at| places.contains(&at), &mut |cells| {
            row.clear();
            row.extend(places.iter().map(|at| cells[*at].clone()));
            take(&row)
        })?)
    }

    /// Runs statements, with `;` between them, as a client of the query port would.
    ///
    /// # Errors
    /// The first statement that is refused, with what is said.
    pub fn execute(&self, sql: &str) -> Result<(), ExecuteError> {
        crate::query::execute(&self.shared, sql)
    }

    /// Makes a table; one that is there with the same columns is fine.
    ///
    /// # Errors
    /// It is there with other columns, or its types are not known.
    pub fn create_table(&self, schema: TableSchema) -> Result<(), ClusterError> {
        self.shared.cluster.create_table(schema)
    }

    /// Returns the rows that a query would see, as objects by column.
    ///
    /// # Errors
    /// There is no such table.
    pub fn rows(&self, db: &str, table: &str) -> Result<Vec<Value>, ClusterError> {
        self.shared.cluster.rows(db, table)
    }

    /// Returns all transactions that are not forgotten, by number.
    ///
    /// # Errors
    /// The folder.
    pub fn transactions(&self) -> Result<Vec<Transaction>, ClusterError> {
        Ok(self.shared.cluster.transactions()?)
    }

    /// Makes something go wrong.
    pub fn add_fault(&self, fault: Fault) {
        self.shared.cluster.add_fault(fault);
    }

    /// Sets limits.
    pub fn set_settings(&self, settings: Settings) {
        self.shared.cluster.set_settings(settings);
    }
}

impl Drop for DorisStandIn {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn listen(host: &str, port: u16) -> Result<(TcpListener, SocketAddr), StartError> {
    let fail = |source| StartError::Listen {
        address: format!("{host}:{port}"),
        source,
    };
    let listener = TcpListener::bind((host, port)).await.map_err(fail)?;
    let address = listener.local_addr().map_err(fail)?;
    Ok((listener, address))
}

async fn tick(shared: Arc<Shared>) {
    loop {
        tokio::time::sleep(TICK).await;
        if let Err(error) = shared.cluster.pass_time() {
            tracing::error!(%error, "the stand-in cannot write its journal");
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Side {
    Frontend { is_master: bool },
    Backend,
}

/// Ends a connection without an answer.
#[derive(Debug, Error)]
pub(crate) enum NoAnswer {
    /// On purpose.
    #[error("the answer is lost on purpose")]
    Fault,
    /// The sender is gone.
    #[error("the sender is gone")]
    SenderGone,
    /// The folder.
    #[error(transparent)]
    Io(#[from] io::Error),
}

async fn serve(listener: TcpListener, shared: Arc<Shared>, side: Side) {
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "cannot take a connection");
                tokio::time::sleep(TICK).await;
                continue;
            }
        };
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let service = service_fn(|request| answer(Arc::clone(&shared), side, request));
            let served = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
            if let Err(error) = served {
                tracing::debug!(%error, ?side, "a connection ended early");
            }
            Ok::<(), Infallible>(())
        });
    }
}

async fn answer(
    shared: Arc<Shared>,
    side: Side,
    request: Request<Incoming>,
) -> Result<Answer, NoAnswer> {
    match side {
        Side::Frontend { is_master } => frontend::answer(&shared, request, is_master).await,
        Side::Backend => backend::answer(&shared, request).await,
    }
}
