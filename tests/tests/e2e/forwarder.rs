//! A TCP address that leads elsewhere: to a server, later to another one, and on wish only so far.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Result;

#[derive(Default)]
struct Shared {
    target: AtomicU16,
    open: Mutex<Vec<TcpStream>>,
    /// Bytes that may still come from the server.
    budget: AtomicU64,
    is_over: AtomicBool,
}

impl Shared {
    fn open(&self) -> MutexGuard<'_, Vec<TcpStream>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An address of this machine that leads to another one.
pub(crate) struct Forwarder {
    shared: Arc<Shared>,
    port: u16,
}

impl Forwarder {
    /// Begins to forward to a port of this machine.
    pub(crate) fn start(target: u16) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared::default());
        shared.target.store(target, Ordering::SeqCst);
        shared.budget.store(u64::MAX, Ordering::SeqCst);
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                if accepting.is_over.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(client) = client else { continue };
                let target = accepting.target.load(Ordering::SeqCst);
                // A client whose server is down finds its connection closed.
                if let Ok(server) = TcpStream::connect(("127.0.0.1", target)) {
                    forward(&accepting, client, server);
                }
            }
        });
        Ok(Self { shared, port })
    }

    /// Returns the port that is forwarded.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Lets only so many more bytes come from the server.
    pub(crate) fn stop_after(&self, bytes: u64) {
        self.shared.budget.store(bytes, Ordering::SeqCst);
    }

    /// Tells whether nothing comes any more.
    pub(crate) fn has_stopped(&self) -> bool {
        self.shared.budget.load(Ordering::SeqCst) == 0
    }

    /// Cuts all connections, and leads to another port from now on, without a bound.
    pub(crate) fn lead_to(&self, target: u16) {
        self.shared.target.store(target, Ordering::SeqCst);
        for stream in self.shared.open().drain(..) {
            // One that is closed already needs nothing.
            drop(stream.shutdown(Shutdown::Both));
        }
        self.shared.budget.store(u64::MAX, Ordering::SeqCst);
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }
}

fn forward(shared: &Arc<Shared>, client: TcpStream, server: TcpStream) {
    let pair = |stream: &TcpStream| stream.try_clone();
    let (Ok(from_client), Ok(from_server)) = (pair(&client), pair(&server)) else {
        return;
    };
    let mut open = shared.open();
    open.extend([pair(&client), pair(&server)].into_iter().flatten());
    drop(open);
    std::thread::spawn(move || copy(from_client, server, |_| true));
    let shared = Arc::clone(shared);
    std::thread::spawn(move || copy(from_server, client, |bytes| take(&shared.budget, bytes)));
}

/// Takes from the budget; says no while there is not enough.
fn take(budget: &AtomicU64, bytes: u64) -> bool {
    let taken = budget.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
        Some(if left == u64::MAX {
            left
        } else {
            left.saturating_sub(bytes)
        })
    });
    taken.is_ok_and(|left| left > 0)
}

fn copy(mut from: TcpStream, mut to: TcpStream, may_pass: impl Fn(u64) -> bool) {
    let mut buffer = [0; 16 << 10];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        while !may_pass(read as u64) {
            std::thread::sleep(Duration::from_millis(5));
            // Cut meanwhile: what was read must not be passed on.
            if to.peer_addr().is_err() {
                return;
            }
        }
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    // Both ends learn of it; one of them may know already.
    drop(from.shutdown(Shutdown::Both));
    drop(to.shutdown(Shutdown::Both));
}
