//! TLS to the cluster's nodes: whom to trust, and a stream that is plain or not.

use std::io::{self, ErrorKind as IoKind, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// Who may sign a node's certificate: the system's authorities, and those of a file.
#[derive(Debug, Default)]
pub(crate) struct Trust {
    ca_file: Option<PathBuf>,
    config: OnceLock<Arc<ClientConfig>>,
}

impl Trust {
    pub(crate) fn new(ca_file: Option<PathBuf>) -> Self {
        Self {
            ca_file,
            config: OnceLock::new(),
        }
    }

    /// Returns the configuration, made at the first call.
    fn config(&self) -> Result<Arc<ClientConfig>, String> {
        if let Some(config) = self.config.get() {
            return Ok(Arc::clone(config));
        }
        let mut roots = RootCertStore::empty();
        // Files of the system that cannot be read are no reason to stop: the one that signs may be among the others.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if let Some(path) = &self.ca_file {
            let shown = path.display();
            let certificates = CertificateDer::pem_file_iter(path)
                .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                .map_err(|error| format!("cannot read certificates of '{shown}': {error}"))?;
            for certificate in certificates {
                roots
                    .add(certificate)
                    .map_err(|error| format!("bad certificate in '{shown}': {error}"))?;
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Arc::clone(self.config.get_or_init(|| Arc::new(config))))
    }

    /// Returns a client's side of TLS with `host`, before its handshake.
    pub(crate) fn session(&self, host: &str) -> Result<ClientConnection, String> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| format!("'{host}' is no name that a certificate can have"))?;
        ClientConnection::new(self.config()?, name).map_err(|error| error.to_string())
    }
}

/// A connection's bytes.
#[derive(Debug)]
pub(crate) enum Channel {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Channel {
    pub(crate) fn tls(session: ClientConnection, stream: TcpStream) -> Self {
        Self::Tls(Box::new(StreamOwned::new(session, stream)))
    }

    /// Goes on with the handshake; `true` when there is nothing more to do. Errors of time-outs may be tried again.
    pub(crate) fn shake_hands(&mut self) -> io::Result<bool> {
        match self {
            Self::Plain(_) => Ok(true),
            Self::Tls(stream) => {
                let StreamOwned { conn, sock } = stream.as_mut();
                if conn.is_handshaking() {
                    conn.complete_io(sock)?;
                }
                Ok(!conn.is_handshaking())
            }
        }
    }
}

impl Read for Channel {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Tls(stream) => match stream.read(buffer) {
                // Some servers end without saying good-bye; an answer that is not whole is noticed by its length.
                Err(error) if error.kind() == IoKind::UnexpectedEof => Ok(0),
                other => other,
            },
        }
    }
}

impl Write for Channel {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Tls(stream) => stream.flush(),
        }
    }
}
