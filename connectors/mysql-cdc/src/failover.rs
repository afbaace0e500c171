//! Whether the server that answers is one that reading can go on from: behind one name there may be another server
//! than a moment ago.

use millrace_connector::{ConnectorError, ErrorKind, Retry};
use mysql::Conn;

use crate::config::Config;
use crate::connection::{failure, rows, text};
use crate::gtid::GtidSet;
use crate::server::{self, Server};

/// Why reading cannot go on here.
#[derive(Debug)]
pub(crate) enum Misfit {
    /// The server lacks what was read. A replica that was asked too early has it a little later.
    Behind(ConnectorError),
    /// It is not the server that marks in hand are of.
    Elsewhere(ConnectorError),
    /// Another reason.
    Failed(ConnectorError),
}

impl From<ConnectorError> for Misfit {
    fn from(error: ConnectorError) -> Self {
        Self::Failed(error)
    }
}

/// Returns who the server at the other end of `conn` is, in the form of [`Server::identity`].
pub(crate) fn identity(
    conn: &mut Conn,
    config: &Config,
    server: &Server,
) -> Result<String, ConnectorError> {
    let kind = server.identity.rsplit_once('-').map(|(kind, _)| kind);
    let (query, prefix) = match kind {
        Some(kind @ ("mariadb" | "mysql")) => ("SELECT @@GLOBAL.server_id", format!("{kind}-")),
        _ => ("SELECT @@GLOBAL.server_uuid", String::new()),
    };
    let found =
        rows(conn, query).map_err(|error| failure(config, &error, "tell which server it is"))?;
    let name = found.first().and_then(|row| text(row, 0));
    Ok(prefix + &name.unwrap_or_default())
}

/// Returns who the server is, if what follows `read` can be read from it.
pub(crate) fn check(
    conn: &mut Conn,
    config: &Config,
    server: &Server,
    read: &GtidSet,
) -> Result<String, Misfit> {
    let identity = identity(conn, config, server)?;
    if !server.has_gtids {
        if identity == server.identity {
            return Ok(identity);
        }
        return Err(Misfit::Failed(other_server(
            config,
            &identity,
            &server.identity,
        )));
    }
    let executed = server::gtids(conn, config, "gtid_executed")?;
    if read.is_subset_of(&executed) {
        return Ok(identity);
    }
    let missing = read.without(&executed);
    Err(Misfit::Behind(lacks_transactions(config, &missing)))
}

/// Returns the failure of a server whose binary log is not the one that positions are of.
pub(crate) fn other_server(config: &Config, found: &str, needed: &str) -> ConnectorError {
    ConnectorError::new(
        ErrorKind::Rejected,
        Retry::Never,
        format!(
            "the position is of server {needed}, but {} is server {found}: places in files mean nothing there",
            config.address()
        ),
    )
    .help("connect to the same server, use GTIDs, or start anew with 'initial'")
}

/// Returns the failure of a server that lacks transactions whose rows went out already.
pub(crate) fn lacks_transactions(config: &Config, missing: &GtidSet) -> ConnectorError {
    ConnectorError::new(
        ErrorKind::Rejected,
        Retry::Never,
        format!(
            "MySQL at {} has not executed {missing}, which this pipeline has read: it was reset, is another server, or is a replica that never got these transactions",
            config.address()
        ),
    )
    .help("connect to a server that has them; or, if they are lost for good, correct the tables that were written and start anew with 'initial'")
}
