//! As much HTTP/1.1 as a stream load needs, over a blocking socket.
//!
//! General clients cannot wait for `100 Continue` before the body, drop credentials on redirects, and queue bodies in
//! memory. Here the body goes straight to the socket, so that a slow server is felt by who writes.

use std::io::{self, ErrorKind as IoKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use millrace_connector::Cancel;
use thiserror::Error;

use crate::node::{Node, Scheme};
use crate::tls::{Channel, Trust};

/// How long a blocking call may sleep before it looks at the cancel flag.
const TICK: Duration = Duration::from_millis(250);
/// How long a server may take no byte of a body.
const STALL_MAX: Duration = Duration::from_mins(5);
const HEAD_BYTES_MAX: usize = 64 << 10;
const ANSWER_BYTES_MAX: usize = 16 << 20;
const HEADERS_MAX: usize = 64;

/// Why a request got no answer.
#[derive(Debug, Error)]
pub(crate) enum HttpError {
    /// Nobody listens there.
    #[error("cannot connect to {node}")]
    Connect {
        node: Node,
        #[source]
        source: io::Error,
    },
    /// The connection broke.
    #[error("the connection to {node} broke")]
    Broken {
        node: Node,
        #[source]
        source: io::Error,
    },
    /// The answer is no HTTP.
    #[error("{node} does not answer in HTTP: {reason}")]
    Malformed { node: Node, reason: String },
    /// TLS cannot be had with it.
    #[error("cannot speak TLS with {node}: {reason}")]
    Tls { node: Node, reason: String },
    /// The attempt is over.
    #[error("the pipeline stops")]
    Cancelled,
}

impl HttpError {
    /// Returns the node that is to blame.
    pub(crate) fn node(&self) -> Option<&Node> {
        match self {
            Self::Connect { node, .. }
            | Self::Broken { node, .. }
            | Self::Malformed { node, .. }
            | Self::Tls { node, .. } => Some(node),
            Self::Cancelled => None,
        }
    }
}

/// Bounds on waiting.
#[derive(Clone, Debug)]
pub(crate) struct Patience {
    pub(crate) connect: Duration,
    pub(crate) answer: Duration,
    pub(crate) cancel: Cancel,
    pub(crate) trust: Arc<Trust>,
}

/// A finished answer.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) location: Option<String>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// What a request with `Expect: 100-continue` comes to first.
#[derive(Debug)]
pub(crate) enum Started {
    /// The body may be sent.
    Continue(Connection),
    /// It is answered, and the body must not be sent.
    Answered(Response),
}

/// One connection, for one request: Doris's own connector keeps none either.
#[derive(Debug)]
pub(crate) struct Connection {
    node: Node,
    stream: Channel,
    patience: Patience,
    /// Bytes that were read and not yet used.
    pending: Vec<u8>,
}

impl Connection {
    pub(crate) fn open(node: &Node, patience: &Patience) -> Result<Self, HttpError> {
        let connect = |source| HttpError::Connect {
            node: node.clone(),
            source,
        };
        let host = node.host.trim_start_matches('[').trim_end_matches(']');
        let addresses = (host, node.port).to_socket_addrs().map_err(connect)?;
        let mut last = io::Error::new(IoKind::NotFound, "the name has no address");
        for address in addresses {
            match TcpStream::connect_timeout(&address, patience.connect) {
                Ok(stream) => {
                    let setup = || {
                        stream.set_nodelay(true)?;
                        stream.set_read_timeout(Some(TICK))?;
                        stream.set_write_timeout(Some(TICK))
                    };
                    setup().map_err(connect)?;
                    let stream = match node.scheme {
                        Scheme::Plain => Channel::Plain(stream),
                        Scheme::Tls => {
                            let tls = |reason| HttpError::Tls {
                                node: node.clone(),
                                reason,
                            };
                            Channel::tls(patience.trust.session(host).map_err(tls)?, stream)
                        }
                    };
                    let mut connection = Self {
                        node: node.clone(),
                        stream,
                        patience: patience.clone(),
                        pending: Vec::new(),
                    };
                    connection.shake_hands()?;
                    return Ok(connection);
                }
                Err(error) => last = error,
            }
        }
        Err(connect(last))
    }

    pub(crate) fn node(&self) -> &Node {
        &self.node
    }

    fn broken(&self, source: io::Error) -> HttpError {
        HttpError::Broken {
            node: self.node.clone(),
            source,
        }
    }

    fn shake_hands(&mut self) -> Result<(), HttpError> {
        let since = Instant::now();
        loop {
            match self.stream.shake_hands() {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                // What the other side says is no TLS, or its certificate is not to be trusted.
                Err(error) if error.kind() == IoKind::InvalidData => {
                    return Err(HttpError::Tls {
                        node: self.node.clone(),
                        reason: error.to_string(),
                    });
                }
                Err(error) => self.check_wait(error, since, self.patience.connect)?,
            }
        }
    }

    /// Sends what lies in buffers.
    fn flush(&mut self) -> Result<(), HttpError> {
        let since = Instant::now();
        loop {
            match self.stream.flush() {
                Ok(()) => return Ok(()),
                Err(error) => self.check_wait(error, since, STALL_MAX)?,
            }
        }
    }

    /// Writes all of `bytes`; blocks while the server is slow.
    pub(crate) fn write(&mut self, mut bytes: &[u8]) -> Result<(), HttpError> {
        let mut progress = Instant::now();
        while !bytes.is_empty() {
            match self.stream.write(bytes) {
                Ok(0) => return Err(self.broken(IoKind::WriteZero.into())),
                Ok(written) => {
                    bytes = &bytes[written..];
                    progress = Instant::now();
                }
                Err(error) => self.check_wait(error, progress, STALL_MAX)?,
            }
        }
        self.flush()
    }

    /// Lets a time-out of the socket pass until `patience` is over.
    fn check_wait(
        &self,
        error: io::Error,
        since: Instant,
        patience: Duration,
    ) -> Result<(), HttpError> {
        match error.kind() {
            IoKind::WouldBlock | IoKind::TimedOut | IoKind::Interrupted => {
                if self.patience.cancel.is_cancelled() {
                    Err(HttpError::Cancelled)
                } else if since.elapsed() > patience {
                    let reason = format!("no answer for {} s", patience.as_secs());
                    Err(self.broken(io::Error::new(IoKind::TimedOut, reason)))
                } else {
                    Ok(())
                }
            }
            _ => Err(self.broken(error)),
        }
    }

    /// Reads more; `false` at the end of the stream.
    fn fill(&mut self, since: Instant) -> Result<bool, HttpError> {
        let mut block = [0; 8192];
        loop {
            match self.stream.read(&mut block) {
                Ok(0) => return Ok(false),
                Ok(read) => {
                    self.pending.extend_from_slice(&block[..read]);
                    return Ok(true);
                }
                Err(error) => self.check_wait(error, since, self.patience.answer)?,
            }
        }
    }

    fn malformed(&self, reason: impl Into<String>) -> HttpError {
        HttpError::Malformed {
            node: self.node.clone(),
            reason: reason.into(),
        }
    }

    /// Waits for `100 Continue` or for an answer.
    pub(crate) fn await_continue(mut self) -> Result<Started, HttpError> {
        let head = self.head()?;
        if head.status == 100 {
            return Ok(Started::Continue(self));
        }
        self.body(head).map(Started::Answered)
    }

    /// Waits for the answer.
    pub(crate) fn answer(mut self) -> Result<Response, HttpError> {
        loop {
            let head = self.head()?;
            if head.status >= 200 {
                return self.body(head);
            }
        }
    }

    fn head(&mut self) -> Result<Head, HttpError> {
        let since = Instant::now();
        loop {
            match Head::parse(&self.pending).map_err(|reason| self.malformed(reason))? {
                Some((head, length)) => {
                    self.pending.drain(..length);
                    return Ok(head);
                }
                None if self.pending.len() > HEAD_BYTES_MAX => {
                    return Err(self.malformed("the head has no end"));
                }
                None => {}
            }
            if !self.fill(since)? {
                return Err(self.broken(IoKind::UnexpectedEof.into()));
            }
        }
    }

    fn body(&mut self, head: Head) -> Result<Response, HttpError> {
        let since = Instant::now();
        let body = loop {
            if self.pending.len() > ANSWER_BYTES_MAX {
                return Err(self.malformed("the answer is too long"));
            }
            let whole = match head.framing {
                Framing::Length(length) => (self.pending.len() >= length)
                    .then(|| self.pending.drain(..length).collect::<Vec<u8>>()),
                Framing::Chunked => {
                    dechunk(&self.pending).map_err(|reason| self.malformed(reason))?
                }
                Framing::ToEnd => None,
            };
            if let Some(body) = whole {
                break body;
            }
            if !self.fill(since)? {
                if head.framing == Framing::ToEnd {
                    break std::mem::take(&mut self.pending);
                }
                return Err(self.broken(IoKind::UnexpectedEof.into()));
            }
        };
        Ok(Response {
            status: head.status,
            location: head.location,
            body,
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Length(usize),
    Chunked,
    ToEnd,
}

#[derive(Debug)]
struct Head {
    status: u16,
    location: Option<String>,
    framing: Framing,
}

impl Head {
    /// Returns the head and its length; `None` while it is not whole.
    fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, String> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut response = httparse::Response::new(&mut headers);
        let length = match response.parse(bytes).map_err(|error| error.to_string())? {
            httparse::Status::Complete(length) => length,
            httparse::Status::Partial => return Ok(None),
        };
        let status = response.code.expect("a complete head has a status");
        let text = |name: &str| {
            let header = response
                .headers
                .iter()
                .find(|header| header.name.eq_ignore_ascii_case(name));
            header.map(|header| String::from_utf8_lossy(header.value).trim().to_owned())
        };
        let framing = if status < 200 || status == 204 || status == 304 {
            Framing::Length(0)
        } else if text("transfer-encoding").is_some_and(|coding| coding.ends_with("chunked")) {
            Framing::Chunked
        } else {
            match text("content-length") {
                None => Framing::ToEnd,
                Some(length) => Framing::Length(
                    length
                        .parse()
                        .ok()
                        .filter(|length| *length <= ANSWER_BYTES_MAX)
                        .ok_or_else(|| format!("bad Content-Length '{length}'"))?,
                ),
            }
        };
        let head = Self {
            status,
            location: text("location"),
            framing,
        };
        Ok(Some((head, length)))
    }
}

/// Returns the body in `bytes`; `None` while its last chunk is not there.
fn dechunk(mut bytes: &[u8]) -> Result<Option<Vec<u8>>, String> {
    let mut body = Vec::new();
    loop {
        match httparse::parse_chunk_size(bytes).map_err(|_| "bad chunk size".to_owned())? {
            httparse::Status::Partial => return Ok(None),
            httparse::Status::Complete((_, 0)) => return Ok(Some(body)),
            httparse::Status::Complete((at, length)) => {
                let length = usize::try_from(length)
                    .ok()
                    .filter(|length| *length <= ANSWER_BYTES_MAX)
                    .ok_or("a chunk is too long")?;
                let Some(chunk) = bytes.get(at..at + length) else {
                    return Ok(None);
                };
                body.extend_from_slice(chunk);
                match bytes.get(at + length + 2..) {
                    Some(rest) => bytes = rest,
                    None => return Ok(None),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn puts_chunks_together_only_when_all_are_there() {
        let text = b"3\r\nabc\r\na;x=y\r\n0123456789\r\n0\r\n\r\n";
        for cut in 0..text.len() - 4 {
            assert_eq!(dechunk(&text[..cut]), Ok(None), "{cut}");
        }
        assert_eq!(dechunk(text), Ok(Some(b"abc0123456789".to_vec())));
        assert!(dechunk(b"zz\r\n").is_err());
    }

    #[test]
    fn reads_heads_with_each_framing() {
        let parse = |text: &str| Head::parse(text.as_bytes()).unwrap().unwrap().0;
        assert_eq!(
            parse("HTTP/1.1 100 Continue\r\n\r\n").framing,
            Framing::Length(0)
        );
        let head = parse(
            "HTTP/1.1 307 Temporary Redirect\r\nLOCATION: http://a:1/\r\ncontent-length: 0\r\n\r\n",
        );
        assert_eq!(
            (head.status, head.location.as_deref()),
            (307, Some("http://a:1/"))
        );
        assert_eq!(parse("HTTP/1.1 200 OK\r\n\r\n").framing, Framing::ToEnd);
        assert_eq!(
            parse("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").framing,
            Framing::Chunked
        );
        assert!(
            Head::parse(b"HTTP/1.1 200 OK\r\nContent-Le")
                .unwrap()
                .is_none()
        );
        assert!(Head::parse(b"SSH-2.0\r\n\r\n").is_err());
    }
}
