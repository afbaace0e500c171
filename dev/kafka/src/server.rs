//! Starting and stopping the broker on threads of its own.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::broker::{Broker, TopicError};
use crate::connection;

/// How often time-outs of transactions, members and rebalances are looked at.
const TICK: Duration = Duration::from_millis(25);
const WORKER_THREADS: usize = 2;

/// What a broker is started with.
#[derive(Debug, Clone)]
pub struct Options {
    /// Address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Address that clients are told to connect to, for one behind a proxy; `None` = the one that
    /// they connected to.
    pub advertised: Option<SocketAddr>,
    /// Partitions of a topic made on its first use, or without a number.
    pub default_partitions: i32,
    /// Whether a topic is made when a client first asks for it.
    pub auto_create_topics: bool,
    /// Memory bound of each partition: past it the oldest batches are dropped and the log's start
    /// moves. The newest batch is always kept.
    pub retention_bytes: u64,
    /// Largest batch that is taken, in bytes.
    pub message_max_bytes: usize,
}

impl Default for Options {
    /// A free port on 127.0.0.1, topics made on first use with one partition, at most 256 MiB in each
    /// partition and 16 MiB in each batch.
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            advertised: None,
            default_partitions: 1,
            auto_create_topics: true,
            retention_bytes: 256 << 20,
            message_max_bytes: 16 << 20,
        }
    }
}

/// Why a broker could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The default number of partitions is below one.
    #[error("default partitions must be at least 1, not {0}")]
    Partitions(i32),
    /// The address cannot be listened on.
    #[error("listening on {address}")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Threads of the broker could not be started.
    #[error("starting the threads of the broker")]
    Threads(#[source] io::Error),
}

/// A running broker. It stops when this is dropped; clients are cut off and all rows are gone.
#[derive(Debug)]
pub struct EmbeddedBroker {
    address: SocketAddr,
    broker: Arc<Broker>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl EmbeddedBroker {
    /// Starts a broker on threads of its own; it answers when this returns.
    ///
    /// # Errors
    /// [`StartError`] when the options make no sense or the address is taken.
    pub fn start(options: Options) -> Result<Self, StartError> {
        if options.default_partitions < 1 {
            return Err(StartError::Partitions(options.default_partitions));
        }
        let asked = options.listen;
        let failed = |source| StartError::Listen {
            address: asked,
            source,
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(WORKER_THREADS)
            .thread_name("dev-kafka")
            .enable_all()
            .build()
            .map_err(StartError::Threads)?;
        let listener = std::net::TcpListener::bind(asked).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let broker = Arc::new(Broker::new(options));
        let (stop, stopped) = watch::channel(false);
        let serving = Arc::clone(&broker);
        let thread = std::thread::Builder::new()
            .name("dev-kafka-main".to_owned())
            .spawn(move || {
                runtime.block_on(serve(serving, listener, stopped));
                runtime.shutdown_background();
            })
            .map_err(StartError::Threads)?;
        tracing::info!(%address, "in-memory kafka started");
        Ok(Self {
            address,
            broker,
            stop,
            thread: Some(thread),
        })
    }

    /// Returns the address that clients connect to, as `bootstrap.servers` wants it.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Makes a topic.
    ///
    /// # Errors
    /// [`TopicError`] when the name or the number of partitions is not allowed, or the topic exists.
    pub fn create_topic(&self, name: &str, partitions: i32) -> Result<(), TopicError> {
        self.broker
            .create_topic(name, partitions, Vec::new())
            .map(|_| ())
    }

    /// Stops the broker and waits for its threads; what it held is gone.
    pub fn shutdown(mut self) {
        self.stop();
    }

    fn stop(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.stop.send_replace(true);
            if thread.join().is_err() {
                tracing::error!("in-memory kafka ended by a panic");
            }
        }
    }
}

impl Drop for EmbeddedBroker {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn serve(
    broker: Arc<Broker>,
    listener: std::net::TcpListener,
    mut stopped: watch::Receiver<bool>,
) {
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(%error, "listener cannot be used");
            return;
        }
    };
    let accepting = tokio::spawn(connection::accept(Arc::clone(&broker), listener));
    let ticking = tokio::spawn(tick(broker));
    // An error means that the handle is gone, which is a reason to stop as well.
    let _ = stopped.wait_for(|stop| *stop).await;
    ticking.abort();
    accepting.abort();
    // The address is free once the task is gone, which is a moment after it was told to go.
    let _ = accepting.await;
}

async fn tick(broker: Arc<Broker>) {
    let mut interval = tokio::time::interval(TICK);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        let now = Instant::now();
        broker.end_overdue_transactions(now);
        broker.groups.lock().tick(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_on_a_free_port_and_frees_it_again() {
        let broker = EmbeddedBroker::start(Options::default()).unwrap();
        let address = broker.address();
        assert!(std::net::TcpStream::connect(address).is_ok());
        let taken = EmbeddedBroker::start(Options {
            listen: address,
            ..Options::default()
        });
        assert!(matches!(taken, Err(StartError::Listen { .. })));
        broker.shutdown();
        assert!(std::net::TcpStream::connect(address).is_err());
    }

    #[test]
    fn topics_are_checked() {
        let broker = EmbeddedBroker::start(Options::default()).unwrap();
        broker.create_topic("a.b-c_d", 3).unwrap();
        assert!(matches!(
            broker.create_topic("a.b-c_d", 3),
            Err(TopicError::Exists { .. })
        ));
        assert!(matches!(
            broker.create_topic("a b", 3),
            Err(TopicError::Name { .. })
        ));
        assert!(matches!(
            broker.create_topic("x", 0),
            Err(TopicError::Partitions { .. })
        ));
    }
}
