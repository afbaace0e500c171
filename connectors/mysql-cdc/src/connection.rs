//! Connections to the server, and what its answers mean.

use std::time::Duration;

use millrace_connector::{Cancel, ConnectorError, ErrorKind, Retry};
use mysql::prelude::Queryable;
use mysql::{Conn, DriverError, Error, Opts, OptsBuilder, SslOpts};

use crate::config::Config;
use crate::properties::TlsMode;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Questions.
    Plain,
    /// Rows: times in UTC, texts in the columns' charsets.
    Rows,
    /// The binary log.
    Dump,
}

/// How long a read may last before the other side is taken for dead.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// How long a query may take to give its first row: counting and sorting large tables takes its time.
const QUERY_SILENCE_MAX: Duration = Duration::from_secs(1800);
/// The longest packet that is taken: one event of 1 GiB.
const PACKET_BYTES_MAX: usize = 1 << 30;

/// What every session needs, whatever the server's settings and its `init_connect` are: rows are read as committed last,
/// all of them and for as long as it takes, names and definitions come in UTF-8 and in the server's own quotes.
const SESSION: [&str; 4] = [
    "SET NAMES utf8mb4",
    "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
    "SET sql_mode=''",
    // Variables that not every version has stand in comments that only the others run.
    "SET autocommit=1, completion_type=0, sql_quote_show_create=1, sql_auto_is_null=0, sql_big_selects=1, \
     sql_select_limit=18446744073709551615, time_zone='+00:00' /*!50708 , max_execution_time=0 */ \
     /*!80030 , show_gipk_in_create_table_and_information_schema=1 */ /*M!100101 , max_statement_time=0 */",
];
/// What sessions that read rows need besides: texts in the columns' charsets.
const ROWS: [&str; 1] = ["SET character_set_results=NULL"];

fn options(config: &Config, purpose: Purpose, tls: bool) -> Opts {
    let properties = &config.properties;
    let silence = match purpose {
        Purpose::Dump => SILENCE_MAX,
        Purpose::Plain | Purpose::Rows => properties.socket_timeout.unwrap_or(QUERY_SILENCE_MAX),
    };
    let keep_alive = properties.keep_alive.unwrap_or(true);
    let mut builder = OptsBuilder::new()
        .ip_or_hostname(Some(config.hostname.as_str()))
        .tcp_port(config.port)
        .user(Some(config.username.as_str()))
        .pass(Some(config.password.0.as_str()))
        .prefer_socket(false)
        .tcp_connect_timeout(Some(config.connect_timeout))
        .read_timeout(Some(silence))
        .write_timeout(Some(SILENCE_MAX))
        .tcp_keepalive_time_ms(keep_alive.then_some(30_000))
        .max_allowed_packet(Some(PACKET_BYTES_MAX))
        .stmt_cache_size(0);
    let mut settings: Vec<String> = SESSION.map(str::to_owned).into();
    if purpose == Purpose::Rows {
        settings.extend(ROWS.map(str::to_owned));
        settings.extend(properties.patience());
    }
    builder = builder.init(settings);
    if tls {
        let mode = properties.tls;
        let mut ssl = SslOpts::default()
            .with_danger_accept_invalid_certs(!matches!(
                mode,
                TlsMode::VerifyCa | TlsMode::VerifyIdentity
            ))
            .with_danger_skip_domain_validation(mode != TlsMode::VerifyIdentity);
        if let Some(path) = &properties.authorities {
            ssl = ssl.with_root_cert_path(Some(path.clone()));
        }
        builder = builder.ssl_opts(Some(ssl));
    } else if !properties.allow_public_key_retrieval {
        // The driver asks the server for its key if it has none of its own, and whoever answers could read the
        // password. A key that cannot be opened makes it stop instead.
        builder = builder.server_key_path(Some(NO_KEY.into()));
    }
    builder.into()
}

/// No file has this name.
const NO_KEY: &str = "/allowPublicKeyRetrieval/is/false";

/// Connects once.
pub(crate) fn connect(config: &Config, purpose: Purpose) -> Result<Conn, Error> {
    match config.properties.tls {
        TlsMode::Disabled => Conn::new(options(config, purpose, false)),
        TlsMode::Preferred => match Conn::new(options(config, purpose, true)) {
            Err(Error::DriverError(DriverError::TlsNotSupported)) => {
                Conn::new(options(config, purpose, false))
            }
            other => other,
        },
        TlsMode::Required | TlsMode::VerifyCa | TlsMode::VerifyIdentity => {
            Conn::new(options(config, purpose, true))
        }
    }
}

/// Connects, at the start of a pipeline: as often as the options say.
pub(crate) fn connect_patiently(
    config: &Config,
    purpose: Purpose,
    cancel: &Cancel,
) -> Result<Conn, ConnectorError> {
    let mut attempt = 1;
    loop {
        let error = match connect(config, purpose) {
            Ok(conn) => return Ok(conn),
            Err(error) => error,
        };
        let last = attempt >= config.connect_retries || cancel.is_cancelled();
        if last || !is_passing(&error) {
            let mut failure = failure(config, &error, "connect");
            if failure.kind == ErrorKind::Unreachable {
                failure.message = format!(
                    "{} (attempt {attempt} of {})",
                    failure.message, config.connect_retries
                );
            }
            return Err(failure);
        }
        tracing::warn!(address = config.address(), attempt, error = %error, "could not connect to MySQL");
        wait(Duration::from_secs(1), cancel);
        attempt += 1;
    }
}

/// Sleeps, but not past a wish to stop.
pub(crate) fn wait(time: Duration, cancel: &Cancel) {
    const STEP: Duration = Duration::from_millis(50);
    let mut left = time;
    while !left.is_zero() && !cancel.is_cancelled() {
        let step = left.min(STEP);
        std::thread::sleep(step);
        left -= step;
    }
}

/// TLS begins with the first packet, so the driver takes what is wrong with a certificate for a broken packet.
fn is_about_certificates(error: &Error) -> bool {
    error.to_string().contains("certificate")
}

/// Returns what an error says of TLS, without the driver's frame around it.
fn of_tls(error: &Error) -> String {
    let text = error.to_string();
    let inner = text
        .split_once('`')
        .and_then(|(_, rest)| rest.rsplit_once('\''));
    inner.map_or(text.clone(), |(inner, _)| inner.to_owned())
}

/// Tells whether the server gives no connection more, to anybody or to this user.
pub(crate) fn is_full(error: &Error) -> bool {
    matches!(error, Error::MySqlError(error) if matches!(error.code, 1040 | 1203 | 1226))
}

/// Tells whether an error may be gone at the next attempt.
pub(crate) fn is_passing(error: &Error) -> bool {
    match error {
        Error::IoError(error) => error.kind() != std::io::ErrorKind::NotFound,
        Error::CodecError(_) => !is_about_certificates(error),
        Error::DriverError(error) => matches!(
            error,
            DriverError::ConnectTimeout
                | DriverError::CouldNotConnect(_)
                | DriverError::Timeout
                | DriverError::PacketOutOfSync
                | DriverError::UnexpectedPacket
        ),
        // Too many connections, shutdown, killed, lock or connection lost, server gone.
        Error::MySqlError(error) => matches!(
            error.code,
            1040 | 1053 | 1077 | 1079 | 1080 | 1152 | 1158
                ..=1161
                    | 1184
                    | 1203
                    | 1205
                    | 1213
                    | 1226
                    | 1317
                    | 1412
                    | 1927
                    | 2006
                    | 2013
                    | 3024
                    | 3169
                    | 4031
        ),
        _ => false,
    }
}

/// Returns what a user is told about an error of the driver.
pub(crate) fn failure(config: &Config, error: &Error, doing: &str) -> ConnectorError {
    let address = config.address();
    let user = &config.username;
    let new = ConnectorError::new;
    match error {
        Error::MySqlError(error) => match error.code {
            1045 | 1698 | 1251 | 1862 => new(
                ErrorKind::Auth,
                Retry::Never,
                format!(
                    "MySQL at {address} refused user '{user}' (error {}): {}",
                    error.code, error.message
                ),
            )
            .help("check username and password"),
            1129 | 1130 => new(
                ErrorKind::Auth,
                Retry::Never,
                format!("MySQL at {address} refuses this host (error {}): {}", error.code, error.message),
            ),
            1044 | 1142 | 1143 | 1227 => {
                lacks(config, "a privilege", &format!("could not {doing}: {} (error {})", error.message, error.code))
            }
            _ => {
                let retry = if is_passing(&Error::MySqlError(error.clone())) {
                    Retry::Restart
                } else {
                    Retry::Never
                };
                new(
                    ErrorKind::Rejected,
                    retry,
                    format!(
                        "MySQL at {address} could not {doing} (error {}): {}",
                        error.code, error.message
                    ),
                )
            }
        },
        Error::DriverError(DriverError::TlsNotSupported) => new(
            ErrorKind::Config,
            Retry::Never,
            format!("MySQL at {address} offers no TLS, which the options require"),
        )
        .help("switch TLS on in the server, or set 'jdbc.properties.sslMode' = 'PREFERRED'"),
        Error::DriverError(DriverError::UnknownAuthPlugin(name)) => new(
            ErrorKind::Auth,
            Retry::Never,
            format!("user '{user}' of MySQL at {address} signs in by '{name}', which is not known here"),
        )
        .help(format!(
            "use a user with caching_sha2_password, mysql_native_password or ed25519: ALTER USER '{user}'@'…' IDENTIFIED WITH caching_sha2_password BY '…';"
        )),
        error if matches!(error, Error::TlsError(_)) || is_about_certificates(error) => new(
            ErrorKind::Config,
            Retry::Never,
            format!("no TLS connection to MySQL at {address}: {}", of_tls(error)),
        )
        .help(if error.to_string().contains("not valid for name") {
            "write as 'hostname' a name that the server's certificate has, or set 'jdbc.properties.sslMode' = 'VERIFY_CA'"
        } else {
            "give the authority's certificate by 'jdbc.properties.trustCertificateKeyStoreUrl' (a PEM file), or lower 'jdbc.properties.sslMode'"
        }),
        Error::IoError(io) if io.kind() == std::io::ErrorKind::NotFound => new(
            ErrorKind::Auth,
            Retry::Never,
            format!("MySQL at {address} wants the password of '{user}' over TLS or encrypted with its public key"),
        )
        .help("use TLS, or set 'jdbc.properties.allowPublicKeyRetrieval' = 'true'"),
        Error::IoError(io) => unreachable_server(&address, doing, &io.to_string()),
        Error::DriverError(DriverError::CouldNotConnect(Some((_, text, kind)))) => {
            let reason = match kind {
                std::io::ErrorKind::ConnectionRefused => "connection refused",
                _ => text.as_str(),
            };
            unreachable_server(&address, doing, reason)
        }
        Error::DriverError(DriverError::ConnectTimeout) => {
            let text = format!("no answer within {} ms", config.connect_timeout.as_millis());
            unreachable_server(&address, doing, &text)
        }
        other => unreachable_server(&address, doing, &other.to_string()),
    }
}

fn unreachable_server(address: &str, doing: &str, reason: &str) -> ConnectorError {
    let message = if doing == "connect" {
        format!("cannot connect to MySQL at {address}: {reason}")
    } else {
        format!("lost MySQL at {address} while trying to {doing}: {reason}")
    };
    ConnectorError::new(ErrorKind::Unreachable, Retry::Restart, message)
}

/// Returns the failure of a user without a right.
pub(crate) fn lacks(config: &Config, right: &str, detail: &str) -> ConnectorError {
    let user = &config.username;
    ConnectorError::new(
        ErrorKind::Auth,
        Retry::Never,
        format!(
            "user '{user}' lacks {right} on MySQL at {}: {detail}",
            config.address()
        ),
    )
    .help(format!(
        "run: GRANT SELECT, SHOW DATABASES, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO '{user}'@'%';"
    ))
}

/// Runs a query and returns its rows.
pub(crate) fn rows(conn: &mut Conn, query: &str) -> Result<Vec<mysql::Row>, Error> {
    conn.query(query)
}

/// Returns a value of a row as text; `None` for NULL.
pub(crate) fn text(row: &mysql::Row, index: usize) -> Option<String> {
    match row.as_ref(index)? {
        mysql::Value::NULL => None,
        mysql::Value::Bytes(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        mysql::Value::Int(number) => Some(number.to_string()),
        mysql::Value::UInt(number) => Some(number.to_string()),
        other => Some(other.as_sql(true).trim_matches('\'').to_owned()),
    }
}

/// Returns a name in the server's quotes.
pub(crate) fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}
