//! One connection to one broker: requests out, answers in.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::{ApiVersionsRequest, RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{
    Decodable, HeaderVersion, Request, StrBytes, encode_request_header_into_buffer,
};
use millrace_connector::Cancel;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::error::WireError;
use crate::sasl;
use crate::settings::Settings;
use crate::shape;

/// How often a wait looks whether it is still wanted.
const TICK: Duration = Duration::from_millis(200);
/// A longer answer is none of Kafka's: whoever listens there speaks something else.
const ANSWER_BYTES_MAX: usize = 1 << 30;
/// An answer is believed to be so long at the most before its bytes come.
const RESERVED_MAX: usize = 64 << 20;
/// The name of this client in the brokers' logs.
const SOFTWARE: &str = "millrace";

/// A connection to a broker that knows us and whose versions we know.
pub(crate) struct Connection {
    stream: Stream,
    /// For ending waits from another thread.
    socket: Arc<TcpStream>,
    peer: String,
    versions: HashMap<i16, (i16, i16)>,
    correlation: i32,
    client_id: StrBytes,
    timeout: Duration,
    cancel: Cancel,
    out: BytesMut,
}

enum Stream {
    Plain(Arc<TcpStream>),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Read for Stream {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Plain(stream) => (&**stream).read(buf),
            Self::Tls(stream) => stream.read(buf),
        }
    }
}

impl Stream {
    /// Appends to `bytes` until it has `wanted`, without writing its memory first where the system allows that.
    fn fill(&mut self, bytes: &mut Vec<u8>, wanted: usize) -> std::io::Result<usize> {
        let missing = (wanted - bytes.len()) as u64;
        match self {
            Self::Plain(stream) => (&**stream).take(missing).read_to_end(bytes),
            Self::Tls(stream) => (&mut **stream).take(missing).read_to_end(bytes),
        }
    }

    fn send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        match self {
            Self::Plain(stream) => (&**stream).write_all(bytes),
            Self::Tls(stream) => {
                stream.write_all(bytes)?;
                stream.flush()
            }
        }
    }
}

impl Connection {
    /// Connects, encrypts, asks for versions and says who we are.
    pub(crate) fn open(
        settings: &Settings,
        tls: Option<&Arc<ClientConfig>>,
        host: &str,
        port: u16,
        cancel: &Cancel,
    ) -> Result<Self, WireError> {
        let peer = format!("{host}:{port}");
        let socket = Arc::new(connect(host, port, settings.connect_timeout, cancel)?);
        let lost = |error: std::io::Error| WireError::Unreachable(format!("{peer}: {error}"));
        socket.set_nodelay(true).map_err(lost)?;
        socket.set_read_timeout(Some(TICK)).map_err(lost)?;
        socket
            .set_write_timeout(Some(settings.request_timeout))
            .map_err(lost)?;
        let stream = match tls {
            None => Stream::Plain(Arc::clone(&socket)),
            Some(config) => {
                let name = ServerName::try_from(host.to_owned())
                    .map_err(|_| WireError::Config(format!("'{host}' is no host's name")))?;
                let session = ClientConnection::new(Arc::clone(config), name)
                    .map_err(|error| WireError::Config(format!("{peer}: {error}")))?;
                let own = socket.try_clone().map_err(lost)?;
                Stream::Tls(Box::new(StreamOwned::new(session, own)))
            }
        };
        let mut connection = Self {
            stream,
            socket,
            peer,
            versions: HashMap::new(),
            correlation: 0,
            client_id: StrBytes::from_string(settings.client_id.clone()),
            timeout: settings.request_timeout,
            cancel: cancel.clone(),
            out: BytesMut::new(),
        };
        connection.shake_hands(settings.connect_timeout)?;
        connection.ask_versions()?;
        if let Some(sasl) = &settings.sasl {
            sasl::authenticate(&mut connection, sasl)?;
        }
        Ok(connection)
    }

    /// Returns `host:port`.
    pub(crate) fn peer(&self) -> &str {
        &self.peer
    }

    /// Returns the socket, for ending waits from another thread.
    pub(crate) fn socket(&self) -> Arc<TcpStream> {
        Arc::clone(&self.socket)
    }

    fn shake_hands(&mut self, limit: Duration) -> Result<(), WireError> {
        let Stream::Tls(stream) = &mut self.stream else {
            return Ok(());
        };
        let deadline = Instant::now() + limit;
        while stream.conn.is_handshaking() {
            match stream.conn.complete_io(&mut stream.sock) {
                Ok(_) => {}
                Err(error) if is_tick(&error) => go_on(&self.cancel, deadline, &self.peer)?,
                Err(error) => return Err(tls_failure(&self.peer, &error)),
            }
        }
        Ok(())
    }

    fn ask_versions(&mut self) -> Result<(), WireError> {
        let name = StrBytes::from_static_str(SOFTWARE);
        let request = ApiVersionsRequest::default()
            .with_client_software_name(name)
            .with_client_software_version(StrBytes::from_static_str(env!("CARGO_PKG_VERSION")));
        let before = |error: WireError| match error {
            WireError::Unreachable(why) | WireError::Malformed(why) => {
                WireError::Unreachable(format!(
                    "{why}; if a broker listens there, it may speak another 'security.protocol'"
                ))
            }
            error => error,
        };
        let limit = self.timeout;
        let mut answer = self.exchange(&request, 3, limit).map_err(before)?;
        // A broker that does not know this version says so in version 0.
        if answer
            .chunk()
            .starts_with(&ResponseError::UnsupportedVersion.code().to_be_bytes())
        {
            answer = self.exchange(&ApiVersionsRequest::default(), 0, limit)?;
            self.read_versions(&mut answer, 0)
        } else {
            self.read_versions(&mut answer, 3)
        }
    }

    fn read_versions(&mut self, answer: &mut Bytes, version: i16) -> Result<(), WireError> {
        type Answer = <ApiVersionsRequest as Request>::Response;
        let found = Answer::decode(answer, version)
            .map_err(|error| WireError::malformed("ApiVersions", error))?;
        if let Some(code) = ResponseError::try_from_code(found.error_code) {
            return Err(WireError::refused("ask for versions", code));
        }
        let versions = found.api_keys.iter();
        self.versions = versions
            .map(|key| (key.api_key, (key.min_version, key.max_version)))
            .collect();
        Ok(())
    }

    /// Asks, in the newest version of those from `low` to `high` that the broker knows; returns the answer and that version.
    pub(crate) fn call<R: Request>(
        &mut self,
        request: &R,
        low: i16,
        high: i16,
    ) -> Result<(R::Response, i16), WireError> {
        self.call_within(request, low, high, self.timeout)
    }

    /// Does the same with a limit of its own for the answer.
    pub(crate) fn call_within<R: Request>(
        &mut self,
        request: &R,
        low: i16,
        high: i16,
        limit: Duration,
    ) -> Result<(R::Response, i16), WireError> {
        let version = self.newest::<R>(low, high)?;
        let number = self.send(request, version)?;
        let answer = self.receive_for::<R>(version, number, limit)?;
        Ok((answer, version))
    }

    fn version(&self, key: i16, low: i16, high: i16) -> Option<i16> {
        let (theirs_low, theirs_high) = *self.versions.get(&key)?;
        let version = theirs_high.min(high);
        (version >= theirs_low.max(low)).then_some(version)
    }

    /// Returns the newest version of `R` from `low` to `high` that the broker knows.
    pub(crate) fn newest<R: Request>(&self, low: i16, high: i16) -> Result<i16, WireError> {
        self.version(R::KEY, low, high).ok_or_else(|| {
            WireError::Config(format!(
                "{}: the broker is too old or too new: no common version of {}",
                self.peer,
                short_name::<R>()
            ))
        })
    }

    /// Sends a request and returns the answer's bytes behind its header.
    fn exchange<R: Request>(
        &mut self,
        request: &R,
        version: i16,
        limit: Duration,
    ) -> Result<Bytes, WireError> {
        let number = self.send(request, version)?;
        self.answer::<R>(version, number, limit)
    }

    /// Sends a request without waiting for its answer; returns the number that the answer will have.
    pub(crate) fn send<R: Request>(&mut self, request: &R, version: i16) -> Result<i32, WireError> {
        self.correlation = self.correlation.wrapping_add(1);
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(self.correlation)
            .with_client_id(Some(self.client_id.clone()));
        self.out.clear();
        self.out.put_i32(0);
        encode_request_header_into_buffer(&mut self.out, &header)
            .and_then(|()| request.encode(&mut self.out, version))
            .map_err(|error| {
                WireError::Config(format!("{} cannot be sent: {error}", short_name::<R>()))
            })?;
        let size = i32::try_from(self.out.len() - 4).unwrap_or(i32::MAX);
        self.out[..4].copy_from_slice(&size.to_be_bytes());
        let Self {
            stream, out, peer, ..
        } = self;
        stream.send(out).map_err(|error| lost(peer, &error))?;
        Ok(self.correlation)
    }

    /// Waits for the next answer, which must be that to request `number`, and decodes it.
    pub(crate) fn receive_for<R: Request>(
        &mut self,
        version: i16,
        number: i32,
        limit: Duration,
    ) -> Result<R::Response, WireError> {
        let mut answer = self.answer::<R>(version, number, limit)?;
        R::Response::decode(&mut answer, version)
            .map_err(|error| WireError::malformed(short_name::<R>(), error))
    }

    /// Waits for the next answer, which must be that to request `number`; returns its bytes behind its header.
    fn answer<R: Request>(
        &mut self,
        version: i16,
        number: i32,
        limit: Duration,
    ) -> Result<Bytes, WireError> {
        let deadline = Instant::now() + limit;
        let head = self.receive(4, deadline)?;
        let size = head.as_slice().get_i32();
        let size = usize::try_from(size)
            .ok()
            .filter(|size| *size <= ANSWER_BYTES_MAX)
            .ok_or_else(|| {
                WireError::Malformed(format!(
                    "{}: an answer of {size} bytes is not Kafka's",
                    self.peer
                ))
            })?;
        let mut answer = Bytes::from(self.receive(size, deadline)?);
        let header = ResponseHeader::decode(&mut answer, R::Response::header_version(version))
            .map_err(|error| WireError::malformed(short_name::<R>(), error))?;
        // A broker may answer ApiVersions in version 0, whatever it was asked; its code is looked at before it is decoded.
        let is_old = R::KEY == ApiVersionsRequest::KEY
            && answer.starts_with(&ResponseError::UnsupportedVersion.code().to_be_bytes());
        if !is_old {
            shape::check(R::KEY, version, &answer).map_err(|why| {
                WireError::Malformed(format!(
                    "{}: the answer to {} is damaged: {why}",
                    self.peer,
                    short_name::<R>()
                ))
            })?;
        }
        if header.correlation_id != number {
            return Err(WireError::Malformed(format!(
                "{}: an answer to another question",
                self.peer
            )));
        }
        Ok(answer)
    }

    fn receive(&mut self, size: usize, deadline: Instant) -> Result<Vec<u8>, WireError> {
        // A length alone takes no more memory than this.
        let mut bytes = Vec::with_capacity(size.min(RESERVED_MAX));
        while bytes.len() < size {
            match self.stream.fill(&mut bytes, size) {
                Ok(_) if bytes.len() < size => {
                    return Err(WireError::Unreachable(format!(
                        "{}: the broker closed the connection",
                        self.peer
                    )));
                }
                Ok(_) => {}
                Err(error) if is_tick(&error) => go_on(&self.cancel, deadline, &self.peer)?,
                Err(error) => return Err(lost(&self.peer, &error)),
            }
        }
        Ok(bytes)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // The socket may be shared with whoever wants to end its waits.
        drop(self.socket.shutdown(Shutdown::Both));
    }
}

/// Tells whether a read only came back to let us look around.
fn is_tick(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

fn go_on(cancel: &Cancel, deadline: Instant, peer: &str) -> Result<(), WireError> {
    if cancel.is_cancelled() {
        return Err(WireError::Cancelled);
    }
    if Instant::now() >= deadline {
        return Err(WireError::Unreachable(format!("{peer}: no answer in time")));
    }
    Ok(())
}

fn lost(peer: &str, error: &std::io::Error) -> WireError {
    if error
        .get_ref()
        .is_some_and(|inner| inner.is::<rustls::Error>())
    {
        return tls_failure(peer, error);
    }
    WireError::Unreachable(format!("{peer}: {error}"))
}

/// Tells a broken connection from one that either side refused for its certificate.
fn tls_failure(peer: &str, error: &std::io::Error) -> WireError {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    match inner {
        Some(rustls::Error::InvalidMessage(_)) => WireError::Auth(format!(
            "{peer}: what listens there does not encrypt: check 'security.protocol'"
        )),
        Some(refused) => WireError::Auth(format!("{peer}: {refused}")),
        None => WireError::Unreachable(format!("{peer}: {error}")),
    }
}

/// Connects to the first address of `host` that answers.
fn connect(
    host: &str,
    port: u16,
    limit: Duration,
    cancel: &Cancel,
) -> Result<TcpStream, WireError> {
    let fail = |why: String| WireError::Unreachable(format!("{host}:{port}: {why}"));
    let addresses = (host, port)
        .to_socket_addrs()
        .map_err(|error| fail(format!("the name cannot be resolved: {error}")))?;
    let mut why = "the name has no address".to_owned();
    for address in addresses {
        if cancel.is_cancelled() {
            return Err(WireError::Cancelled);
        }
        // The system's wait cannot be cut short, so it is another thread's.
        let (done, outcome) = mpsc::channel();
        std::thread::spawn(move || done.send(TcpStream::connect_timeout(&address, limit)));
        let outcome = loop {
            match outcome.recv_timeout(TICK) {
                Ok(outcome) => break outcome,
                Err(_) if cancel.is_cancelled() => return Err(WireError::Cancelled),
                Err(_) => {}
            }
        };
        match outcome {
            Ok(stream) => return Ok(stream),
            Err(error) => why = error.to_string(),
        }
    }
    Err(fail(why))
}

/// Returns the name of a request as the protocol's guide has it.
fn short_name<R>() -> &'static str {
    let name = std::any::type_name::<R>();
    let name = name.rsplit("::").next().unwrap_or(name);
    name.strip_suffix("Request").unwrap_or(name)
}
