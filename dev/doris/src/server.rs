//! Two ports, one runtime.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hyper::body::Incoming;
use hyper::header::AUTHORIZATION;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::answer::Answer;
use crate::cluster::{Cluster, ClusterError, Settings};
use crate::fault::Fault;
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
    /// The BE's HTTP port; 0 = any that is free.
    pub be_port: u16,
    /// Where rows and transactions are kept.
    pub data_dir: PathBuf,
    /// Who may log in.
    pub user: String,
    /// With which password.
    pub password: String,
}

impl Options {
    /// Returns options for 127.0.0.1, any free ports, user `root` without a password.
    pub fn in_folder(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            host: "127.0.0.1".into(),
            http_port: 0,
            be_port: 0,
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

/// What both ports know.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) cluster: Cluster,
    pub(crate) fe: SocketAddr,
    pub(crate) be: SocketAddr,
    pub(crate) user: String,
    pub(crate) password: String,
}

impl Shared {
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
        let (fe, fe_address) = runtime.block_on(listen(&options.host, options.http_port))?;
        let (be, be_address) = runtime.block_on(listen(&options.host, options.be_port))?;
        let shared = Arc::new(Shared {
            cluster,
            fe: fe_address,
            be: be_address,
            user: options.user,
            password: options.password,
        });
        runtime.spawn(serve(fe, Arc::clone(&shared), Side::Frontend));
        runtime.spawn(serve(be, Arc::clone(&shared), Side::Backend));
        runtime.spawn(tick(Arc::clone(&shared)));
        Ok(Self {
            shared,
            runtime: Some(runtime),
        })
    }

    /// Returns where the FE listens, for `fenodes`.
    #[must_use]
    pub fn fe_address(&self) -> String {
        self.shared.fe.to_string()
    }

    /// Returns where the BE listens, for `benodes`.
    #[must_use]
    pub fn be_address(&self) -> String {
        self.shared.be.to_string()
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
    Frontend,
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
        Side::Frontend => frontend::answer(&shared, request).await,
        Side::Backend => backend::answer(&shared, request).await,
    }
}
