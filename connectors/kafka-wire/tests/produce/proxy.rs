//! A way to the broker that breaks: connections end in the middle of whatever they carry.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Passes connections on to a broker, and cuts them while it is `wild`.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    listener: TcpListener,
    pub(crate) wild: Arc<AtomicBool>,
    pub(crate) cuts: Arc<AtomicU64>,
}

/// Numbers that look random, the same for the same seed.
#[derive(Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

impl Proxy {
    /// Listens; nothing is passed on before [`Proxy::serve`].
    pub(crate) fn bind() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        Self {
            address: listener.local_addr().expect("it listens"),
            listener,
            wild: Arc::default(),
            cuts: Arc::default(),
        }
    }

    /// Passes connections on to `broker`, each way for at most `bytes_max` bytes while it is wild.
    pub(crate) fn serve(&self, broker: SocketAddr, seed: u64, bytes_max: u64) {
        let listener = self.listener.try_clone().expect("a socket can be shared");
        let (wild, cuts) = (Arc::clone(&self.wild), Arc::clone(&self.cuts));
        std::thread::spawn(move || {
            let mut random = Random::new(seed);
            for client in listener.incoming() {
                let (Ok(client), Ok(server)) = (client, TcpStream::connect(broker)) else {
                    return;
                };
                for (from, to) in [(&client, &server), (&server, &client)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let (wild, cuts) = (Arc::clone(&wild), Arc::clone(&cuts));
                    let limit = random.below(bytes_max) + 1;
                    std::thread::spawn(move || pass(from, to, limit, &wild, &cuts));
                }
            }
        });
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, limit: u64, wild: &AtomicBool, cuts: &AtomicU64) {
    let mut buffer = vec![0; 4096];
    let mut passed = 0;
    while let Ok(count) = from.read(&mut buffer) {
        if count == 0 {
            break;
        }
        let is_wild = wild.load(Ordering::Relaxed);
        let left = usize::try_from(limit.saturating_sub(passed)).unwrap_or(usize::MAX);
        let part = if is_wild { count.min(left) } else { count };
        if to.write_all(&buffer[..part]).is_err() {
            break;
        }
        passed += part as u64;
        if part < count {
            cuts.fetch_add(1, Ordering::Relaxed);
            break;
        }
    }
    drop(from.shutdown(Shutdown::Both));
    drop(to.shutdown(Shutdown::Both));
}
