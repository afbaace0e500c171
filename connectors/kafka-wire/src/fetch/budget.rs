//! The bound on what lies between the brokers and the lane.

use std::sync::Arc;

use parking_lot::{Condvar, Mutex};

/// Counts bytes of answers that the lane has not finished with.
pub(crate) struct Budget {
    /// Nothing more is asked for while this much is there.
    enough: usize,
    used: Mutex<Used>,
    freed: Condvar,
}

#[derive(Default)]
struct Used {
    bytes: usize,
    closed: bool,
}

/// Bytes of one answer, given back when dropped.
pub(crate) struct Permit {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Budget {
    pub(crate) fn new(enough: usize) -> Self {
        Self {
            enough: enough.max(1),
            used: Mutex::default(),
            freed: Condvar::new(),
        }
    }

    /// Waits until more may be asked for; `false` when nobody wants more.
    pub(crate) fn wait_for_room(&self) -> bool {
        let mut used = self.used.lock();
        while !used.closed && used.bytes >= self.enough {
            self.freed.wait(&mut used);
        }
        !used.closed
    }

    /// Counts `bytes` that have come.
    pub(crate) fn take(self: &Arc<Self>, bytes: usize) -> Permit {
        self.used.lock().bytes += bytes;
        Permit {
            budget: Arc::clone(self),
            bytes,
        }
    }

    /// Ends all waits.
    pub(crate) fn close(&self) {
        self.used.lock().closed = true;
        self.freed.notify_all();
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.budget.used.lock().bytes -= self.bytes;
        self.budget.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn waits_for_room_and_for_the_end() {
        let budget = Arc::new(Budget::new(10));
        let first = budget.take(10);
        let (told, heard) = std::sync::mpsc::channel();
        let other = Arc::clone(&budget);
        let thread = std::thread::spawn(move || {
            for _ in 0..2 {
                told.send(other.wait_for_room()).unwrap();
            }
            let _second = other.take(20);
            told.send(other.wait_for_room()).unwrap();
        });
        assert!(heard.recv_timeout(Duration::from_millis(50)).is_err());
        drop(first);
        assert!(heard.recv().unwrap() && heard.recv().unwrap());
        assert!(heard.recv_timeout(Duration::from_millis(50)).is_err());
        budget.close();
        assert!(!heard.recv().unwrap());
        thread.join().unwrap();
    }
}
