//! The cluster behind TLS: whom the sink trusts, and where it does not go.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[expect(dead_code, reason = "the harness serves several files of tests")]
mod harness;

use std::io::{ErrorKind as IoKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use harness::{Pipeline, Table, doris, ids};
use millrace_connector::{ErrorKind, Retry};
use millrace_dev_doris::Keys;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/tls")
        .join(name)
}

fn config() -> Arc<ServerConfig> {
    let certificate = CertificateDer::from_pem_file(file("node.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(file("node.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    Arc::new(config)
}

/// Speaks TLS on a port and passes everything on to `target`. Returns the address.
fn guard(target: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let config = config();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let session = ServerConnection::new(Arc::clone(&config)).unwrap();
            let server = TcpStream::connect(&target).unwrap();
            std::thread::spawn(move || pass(client.unwrap(), session, server));
        }
    });
    format!("https://{address}")
}

/// Copies both ways, a little at a time, until one side ends.
fn pass(client: TcpStream, session: ServerConnection, mut server: TcpStream) {
    let step = Some(Duration::from_millis(2));
    client.set_read_timeout(step).unwrap();
    server.set_read_timeout(step).unwrap();
    let mut client = StreamOwned::new(session, client);
    let mut block = vec![0; 64 << 10];
    loop {
        let came = client.read(&mut block);
        if !forward(came, &block, &mut server) {
            return;
        }
        let came = server.read(&mut block);
        if !forward(came, &block, &mut client) {
            client.conn.send_close_notify();
            drop(client.flush());
            return;
        }
    }
}

fn forward(came: std::io::Result<usize>, block: &[u8], to: &mut dyn Write) -> bool {
    match came {
        Ok(0) => false,
        Ok(length) => to
            .write_all(&block[..length])
            .and_then(|()| to.flush())
            .is_ok(),
        Err(error) => matches!(error.kind(), IoKind::WouldBlock | IoKind::TimedOut),
    }
}

#[test]
fn rows_reach_a_cluster_behind_tls() {
    let (_folder, doris) = doris(Keys::Duplicate);
    let authority = file("authority.pem").display().to_string();
    let table = Table::exactly_once(&doris)
        .with("fenodes", &guard(doris.fe_address()))
        .with("benodes", &guard(doris.be_address()))
        .with("doris.tls.ca-file", &authority);
    let mut pipeline = Pipeline::open(&doris, &table);
    let many: Vec<i64> = (0..20_000).collect();
    pipeline.write(1, &many);
    let prepared = pipeline.prepare(1);
    pipeline.commit(1, &prepared);
    assert_eq!(ids(&doris).len(), many.len());
}

#[test]
fn who_cannot_be_trusted_gets_no_password() {
    let (_folder, doris) = doris(Keys::Duplicate);
    let table = Table::exactly_once(&doris).with("fenodes", &guard(doris.fe_address()));
    let error = Pipeline::try_open(&table).err().unwrap();
    assert_eq!((error.kind, error.retry), (ErrorKind::Config, Retry::Never));
    assert!(error.help.unwrap().contains("doris.tls.ca-file"));
    let cause = error.source.unwrap().to_string();
    assert!(cause.contains("UnknownIssuer"), "{cause}");
}

#[test]
fn a_redirect_does_not_leave_tls() {
    let (_folder, doris) = doris(Keys::Duplicate);
    let authority = file("authority.pem").display().to_string();
    let table = Table::exactly_once(&doris)
        .with("fenodes", &guard(doris.fe_address()))
        .with("doris.tls.ca-file", &authority);
    let mut pipeline = Pipeline::open(&doris, &table);
    let error = pipeline.try_write(1, &[1]).unwrap_err();
    let cause = error.source.unwrap().to_string();
    assert!(cause.contains("from TLS to"), "{cause}");
}
