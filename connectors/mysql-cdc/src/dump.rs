//! The connection that the server sends its binary log over, and the thread that reads it.
//!
//! The thread only takes events off the wire and checks their checksums; a queue bounded in bytes stands between it and
//! the lane.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use millrace_connector::{ConnectorError, ErrorKind, Retry};
use mysql::binlog::events::{Event, GtidEvent};
use mysql::prelude::Queryable;
use mysql::{BinlogDumpFlags, BinlogRequest, BinlogStream, Conn};
use mysql_common::packets::{GnoInterval, Sid, Tag};
use parking_lot::{Condvar, Mutex};

use crate::config::Config;
use crate::connection::{Purpose, connect, failure, is_passing, lacks};
use crate::events::{RawEvent, code};
use crate::gtid::{Gtid, GtidSet, Source};
use crate::server::Server;

/// Where the server is to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum From {
    /// There.
    File { file: String, pos: u64 },
    /// At the first transaction that is not in the set.
    Gtids(GtidSet),
}

/// Why there is no next event.
#[derive(Debug)]
pub(crate) enum End {
    /// The end of the log, when asked to stop there.
    Log,
    /// The connection is gone; a new one may go on.
    Lost(String),
    /// The server says no.
    Refused { code: u16, message: String },
    /// An event that cannot be right.
    Damaged(String),
}

/// What comes next.
#[derive(Debug)]
pub(crate) enum Next {
    Event(RawEvent),
    Idle,
    End(End),
}

/// Bytes that may wait between the thread and the lane.
const QUEUE_BYTES_MAX: usize = 16 << 20;
/// The server speaks at least this often, so that a reader that is to stop notices.
const HEARTBEAT_MAX: Duration = Duration::from_secs(1);

#[derive(Default)]
struct Queue {
    events: Mutex<Waiting>,
    filled: Condvar,
    drained: Condvar,
    closed: AtomicBool,
}

#[derive(Default)]
struct Waiting {
    events: VecDeque<RawEvent>,
    bytes: usize,
    end: Option<End>,
}

/// A running dump.
pub(crate) struct Dump {
    queue: Arc<Queue>,
    taken: VecDeque<RawEvent>,
}

/// How to present oneself to the server.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) server_id: u32,
    pub(crate) uuid: String,
}

impl Dump {
    /// Asks the server for its log; with `to_end`, only for what it has now.
    pub(crate) fn start(
        config: &Config,
        server: &Server,
        identity: &Identity,
        from: &From,
        to_end: bool,
    ) -> Result<Self, ConnectorError> {
        let conn =
            connect(config, Purpose::Dump).map_err(|error| failure(config, &error, "connect"))?;
        Self::begin(conn, config, server, identity, from, to_end)
    }

    /// As [`Self::start`], over a connection that is there.
    pub(crate) fn begin(
        conn: Conn,
        config: &Config,
        server: &Server,
        identity: &Identity,
        from: &From,
        to_end: bool,
    ) -> Result<Self, ConnectorError> {
        let stream = request(conn, config, server, identity, from, to_end)
            .map_err(|error| refused(config, &error))?;
        let queue = Arc::new(Queue::default());
        let shared = Arc::clone(&queue);
        std::thread::Builder::new()
            .name("mysql-binlog".to_owned())
            .spawn(move || read(stream, &shared))
            .map_err(|error| {
                ConnectorError::new(ErrorKind::Internal, Retry::Restart, "cannot start a thread")
                    .caused_by(error)
            })?;
        Ok(Self {
            queue,
            taken: VecDeque::new(),
        })
    }

    /// Returns the next event, waiting at most `wait`.
    pub(crate) fn next(&mut self, wait: Duration) -> Next {
        if let Some(event) = self.taken.pop_front() {
            return Next::Event(event);
        }
        let mut waiting = self.queue.events.lock();
        if waiting.events.is_empty() && waiting.end.is_none() && !wait.is_zero() {
            let until = Instant::now() + wait;
            while waiting.events.is_empty() && waiting.end.is_none() {
                if self
                    .queue
                    .filled
                    .wait_until(&mut waiting, until)
                    .timed_out()
                {
                    break;
                }
            }
        }
        if waiting.events.is_empty() {
            return match waiting.end.take() {
                Some(end) => Next::End(end),
                None => Next::Idle,
            };
        }
        std::mem::swap(&mut self.taken, &mut waiting.events);
        waiting.bytes = 0;
        self.queue.drained.notify_one();
        drop(waiting);
        self.taken.pop_front().map_or(Next::Idle, Next::Event)
    }
}

impl Drop for Dump {
    fn drop(&mut self) {
        self.queue.closed.store(true, Ordering::Release);
        self.queue.drained.notify_one();
    }
}

/// Tells the end when the thread is gone, even by a panic of the driver.
struct Announce<'a> {
    queue: &'a Queue,
    end: Option<End>,
}

impl Drop for Announce<'_> {
    fn drop(&mut self) {
        let end = self
            .end
            .take()
            .unwrap_or_else(|| End::Damaged("the event is cut short".to_owned()));
        self.queue.events.lock().end = Some(end);
        self.queue.filled.notify_one();
    }
}

fn read(mut stream: BinlogStream, queue: &Queue) {
    let mut announce = Announce { queue, end: None };
    let end = loop {
        if queue.closed.load(Ordering::Acquire) {
            break End::Log;
        }
        let event = match stream.next() {
            None => break End::Log,
            Some(Ok(event)) => event,
            Some(Err(mysql::Error::MySqlError(error))) => {
                break End::Refused {
                    code: error.code,
                    message: error.message,
                };
            }
            Some(Err(error)) if is_passing(&error) => break End::Lost(error.to_string()),
            Some(Err(error)) => break End::Damaged(error.to_string()),
        };
        let event = match raw(&event) {
            Ok(event) => event,
            Err(end) => break end,
        };
        let mut waiting = queue.events.lock();
        waiting.bytes += event.body.len() + size_of::<RawEvent>();
        waiting.events.push_back(event);
        queue.filled.notify_one();
        while waiting.bytes > QUEUE_BYTES_MAX && !queue.closed.load(Ordering::Acquire) {
            queue
                .drained
                .wait_for(&mut waiting, Duration::from_millis(100));
        }
    };
    announce.end = Some(end);
}

fn raw(event: &Event) -> Result<RawEvent, End> {
    let header = event.header();
    let code = header.event_type_raw();
    if let (Some(sum), Ok(Some(algorithm))) = (event.checksum(), event.footer().get_checksum_alg())
        && algorithm == mysql::binlog::BinlogChecksumAlg::BINLOG_CHECKSUM_ALG_CRC32
        && event.calc_checksum(algorithm) != u32::from_le_bytes(sum)
        // What the server makes up has no position, and on some versions no right checksum either.
        && header.log_pos() != 0
    {
        return Err(End::Damaged(format!(
            "the checksum of the {} event that ends at {} is wrong",
            code::name(code),
            header.log_pos()
        )));
    }
    let gtid = if code == code::GTID_TAGGED {
        let read = event
            .read_event::<GtidEvent>()
            .map_err(|error| End::Damaged(error.to_string()))?;
        Some(Gtid {
            source: Source {
                uuid: read.sid(),
                tag: read.tag().map(ToString::to_string).unwrap_or_default(),
            },
            number: read.gno(),
        })
    } else {
        None
    };
    Ok(RawEvent {
        code,
        timestamp: header.timestamp(),
        flags: header.flags_raw(),
        log_pos: header.log_pos(),
        size: header.event_size(),
        body: event.data().to_vec(),
        gtid,
    })
}

fn request(
    mut conn: Conn,
    config: &Config,
    server: &Server,
    identity: &Identity,
    from: &From,
    to_end: bool,
) -> Result<BinlogStream, mysql::Error> {
    let heartbeat = config.heartbeat.min(HEARTBEAT_MAX).as_nanos();
    let uuid = &identity.uuid;
    conn.query_drop(format!(
        "SET @master_heartbeat_period={heartbeat}, @source_heartbeat_period={heartbeat}, @slave_uuid='{uuid}', \
         @replica_uuid='{uuid}', @source_binlog_checksum='CRC32', @mariadb_slave_capability=4"
    ))?;
    if let Some(patience) = config.properties.patience() {
        conn.query_drop(patience)?;
    }
    tracing::debug!(version = server.version, ?from, "asking for the binary log");
    let flags = if to_end {
        BinlogDumpFlags::BINLOG_DUMP_NON_BLOCK
    } else {
        BinlogDumpFlags::empty()
    };
    let request = BinlogRequest::new(identity.server_id);
    let request = match from {
        From::File { file, pos } => request
            .with_flags(flags)
            .with_filename(file.as_bytes())
            .with_pos(*pos),
        From::Gtids(set) => request
            .with_use_gtid(true)
            .with_flags(flags | BinlogDumpFlags::BINLOG_THROUGH_GTID)
            .with_pos(4_u64)
            .with_sids(sids(set)),
    };
    conn.get_binlog_stream(request)
}

fn sids(set: &GtidSet) -> Vec<Sid<'static>> {
    set.iter()
        .map(|(source, ranges)| {
            let intervals = ranges
                .iter()
                .map(|(start, end)| GnoInterval::new(*start, *end))
                .collect();
            let sid = Sid::new(source.uuid).with_intervals(intervals);
            if source.tag.is_empty() {
                return sid;
            }
            match Tag::new(source.tag.clone()) {
                Ok(tag) => sid.with_tag(tag),
                Err(_) => sid,
            }
        })
        .collect()
}

/// Returns what a user is told when the server does not begin a dump.
pub(crate) fn refused(config: &Config, error: &mysql::Error) -> ConnectorError {
    match error {
        // COM_REGISTER_SLAVE answers 1045 to users who signed in but lack the right.
        mysql::Error::MySqlError(error) if matches!(error.code, 1045 | 1227) => lacks(
            config,
            "REPLICATION SLAVE",
            &format!("{} (error {})", error.message, error.code),
        ),
        error => failure(config, error, "send its binary log"),
    }
}
