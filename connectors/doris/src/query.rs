//! The MySQL port of the frontends: what a table is made of, and who belongs to the cluster.

use millrace_connector::{ConnectorError, ErrorKind, Retry};
use mysql::prelude::Queryable;
use mysql::{Conn, Opts, OptsBuilder, Row, SslOpts, Value};

use crate::node::{Node, Scheme};
use crate::settings::Settings;

/// A column as DESC tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Described {
    pub(crate) name: String,
    pub(crate) ty: String,
    pub(crate) nullable: bool,
    pub(crate) is_key: bool,
    pub(crate) has_default: bool,
}

/// Returns the columns of a table, from the first frontend that answers; `None` where no address is given.
///
/// # Errors
/// Nobody answers, or the answer is no.
pub(crate) fn describe(
    settings: &Settings,
    db: &str,
    table: &str,
) -> Option<Result<Vec<Described>, ConnectorError>> {
    if settings.query_nodes.is_empty() {
        return None;
    }
    let sql = format!("DESC `{db}`.`{table}`");
    Some(ask(settings, &sql).map(|rows| rows.iter().filter_map(described).collect()))
}

/// Returns the backends of the cluster; `None` where nobody tells.
pub(crate) fn backends(settings: &Settings) -> Option<Vec<Node>> {
    if settings.query_nodes.is_empty() {
        return None;
    }
    let rows = ask(settings, "SHOW BACKENDS").ok()?;
    let node = |row: &Row| {
        Some(Node {
            scheme: settings.fes.first().map_or(Scheme::Plain, |fe| fe.scheme),
            host: text(row, "Host").or_else(|| text(row, "IP"))?,
            port: text(row, "HttpPort")?.parse().ok()?,
        })
    };
    Some(rows.iter().filter_map(node).collect())
}

fn ask(settings: &Settings, sql: &str) -> Result<Vec<Row>, ConnectorError> {
    let mut last = None;
    for node in &settings.query_nodes {
        match connect(settings, node).and_then(|mut conn| conn.query(sql)) {
            Ok(rows) => return Ok(rows),
            Err(error) => {
                tracing::debug!(%node, %error, "a frontend does not answer SQL");
                last = Some((node, error));
            }
        }
    }
    let (node, error) = last.expect("a list of nodes is not empty");
    let (kind, retry) = match &error {
        mysql::Error::MySqlError(_) => (ErrorKind::Rejected, Retry::Never),
        _ => (ErrorKind::Unreachable, Retry::Restart),
    };
    let text = format!("cannot ask {node} by SQL ('jdbc-url')");
    Err(ConnectorError::new(kind, retry, text).caused_by(error))
}

fn connect(settings: &Settings, node: &Node) -> mysql::Result<Conn> {
    let mut options = OptsBuilder::new()
        .ip_or_hostname(Some(node.host.trim_matches(['[', ']'])))
        .tcp_port(node.port)
        .user(Some(settings.user.as_str()))
        .pass(Some(settings.password.reveal()))
        .prefer_socket(false)
        .tcp_connect_timeout(Some(settings.connect_timeout))
        .read_timeout(Some(settings.request_timeout))
        .write_timeout(Some(settings.request_timeout));
    if settings.query_tls {
        let mut tls = SslOpts::default();
        if let Some(path) = &settings.ca_file {
            tls = tls.with_root_cert_path(Some(path.clone()));
        }
        options = options.ssl_opts(Some(tls));
    }
    Conn::new(Opts::from(options))
}

fn described(row: &Row) -> Option<Described> {
    let is_yes = |name| {
        let word = text(row, name).unwrap_or_default().to_ascii_lowercase();
        matches!(word.as_str(), "yes" | "true" | "1")
    };
    // DESC has all hidden columns too where a session asks for them; they have their own names.
    let name = text(row, "Field").filter(|name| !name.starts_with("__DORIS_"))?;
    let default = text(row, "Default");
    Some(Described {
        ty: text(row, "Type")?,
        nullable: is_yes("Null"),
        is_key: is_yes("Key"),
        has_default: default.is_some_and(|text| !text.eq_ignore_ascii_case("null")),
        name,
    })
}

/// Returns a value by its column's name, whose case counts not.
fn text(row: &Row, name: &str) -> Option<String> {
    let columns = row.columns_ref();
    let at = columns
        .iter()
        .position(|column| column.name_str().eq_ignore_ascii_case(name))?;
    match row.as_ref(at)? {
        Value::Bytes(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        Value::Int(number) => Some(number.to_string()),
        Value::UInt(number) => Some(number.to_string()),
        _ => None,
    }
}
