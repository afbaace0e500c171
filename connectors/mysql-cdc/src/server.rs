//! What the server is, and whether it can be read: checked before anything else is done.

use std::collections::HashMap;

use millrace_connector::{ConnectorError, ErrorKind, Retry};
use mysql::Conn;

use crate::config::Config;
use crate::connection::{failure, lacks, quoted, rows, text};
use crate::definition::{TableDefinition, TableName};
use crate::gtid::GtidSet;
use crate::zone;

/// What is known of the server.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) version: String,
    /// Its uuid; MariaDB has none, and is known by its number.
    pub(crate) identity: String,
    pub(crate) is_mariadb: bool,
    /// Transactions have GTIDs of MySQL's kind.
    pub(crate) has_gtids: bool,
    /// `START TRANSACTION WITH CONSISTENT SNAPSHOT` tells its place in the binary log.
    pub(crate) has_binlog_snapshot: bool,
    pub(crate) lower_case_table_names: u8,
    pub(crate) charset: String,
    pub(crate) is_semi_synchronous: bool,
}

/// Where the binary log ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LogEnd {
    pub(crate) file: String,
    pub(crate) pos: u64,
}

fn config_error(message: String, help: &str) -> ConnectorError {
    ConnectorError::new(ErrorKind::Config, Retry::Never, message).help(help)
}

/// Asks the server what it is and checks that its binary log can be read.
///
/// # Errors
/// A setting stands against it; the message says which, and what to run.
pub(crate) fn examine(conn: &mut Conn, config: &Config) -> Result<Server, ConnectorError> {
    let ask = |error: &mysql::Error| failure(config, error, "tell its settings");
    let version = rows(conn, "SELECT VERSION()")
        .map_err(|error| ask(&error))?
        .first()
        .and_then(|row| text(row, 0))
        .unwrap_or_default();
    let is_mariadb = version.to_ascii_lowercase().contains("mariadb");
    check_version(&version, is_mariadb, config)?;
    let variables = variables(conn).map_err(|error| ask(&error))?;
    let variable = |name: &str| variables.get(name).map_or("", String::as_str);
    check_log(&variables, config)?;
    check_zone(conn, config)?;
    let snapshot = rows(conn, "SHOW STATUS LIKE 'binlog_snapshot_file'");
    let identity = match variable("server_uuid") {
        "" => format!(
            "{}-{}",
            if is_mariadb { "mariadb" } else { "mysql" },
            variable("server_id")
        ),
        uuid => uuid.to_owned(),
    };
    Ok(Server {
        identity,
        is_mariadb,
        has_gtids: !is_mariadb && variable("gtid_mode") == "ON",
        has_binlog_snapshot: snapshot.is_ok_and(|rows| !rows.is_empty()),
        lower_case_table_names: variable("lower_case_table_names").parse().unwrap_or(0),
        charset: variable("character_set_server").to_owned(),
        is_semi_synchronous: [
            "rpl_semi_sync_source_enabled",
            "rpl_semi_sync_master_enabled",
        ]
        .iter()
        .any(|name| matches!(variable(name), "ON" | "1")),
        version,
    })
}

fn variables(conn: &mut Conn) -> Result<HashMap<String, String>, mysql::Error> {
    let query = "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('log_bin','binlog_format','binlog_row_image',\
        'binlog_row_value_options','binlog_checksum','server_id','server_uuid','gtid_mode','lower_case_table_names',\
        'character_set_server','rpl_semi_sync_source_enabled','rpl_semi_sync_master_enabled')";
    let found = rows(conn, query)?;
    Ok(found
        .iter()
        .filter_map(|row| Some((text(row, 0)?.to_ascii_lowercase(), text(row, 1)?)))
        .collect())
}

fn check_version(version: &str, is_mariadb: bool, config: &Config) -> Result<(), ConnectorError> {
    let mut numbers = version
        .split(|c: char| !c.is_ascii_digit())
        .map(|part| part.parse::<u32>().unwrap_or(0));
    let found = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if is_mariadb || found >= (5, 6) {
        return Ok(());
    }
    Err(config_error(
        format!(
            "MySQL at {} has version {version}; 5.6 or later is needed",
            config.address()
        ),
        "upgrade the server",
    ))
}

fn check_log(variables: &HashMap<String, String>, config: &Config) -> Result<(), ConnectorError> {
    let address = config.address();
    let value = |name: &str| variables.get(name).map(|value| value.to_ascii_uppercase());
    if value("log_bin").is_none_or(|value| value != "ON" && value != "1") {
        return Err(config_error(
            format!("MySQL at {address} writes no binary log (log_bin=OFF)"),
            "start the server with --log-bin and --binlog-format=ROW",
        ));
    }
    for (name, needed) in [("binlog_format", "ROW"), ("binlog_row_image", "FULL")] {
        if let Some(found) = value(name).filter(|found| found != needed) {
            return Err(config_error(
                format!("MySQL at {address} has {name}={found}; {name}={needed} is needed"),
                &format!(
                    "run: SET GLOBAL {name}='{needed}'; and let the writing applications connect anew"
                ),
            ));
        }
    }
    Ok(())
}

fn check_zone(conn: &mut Conn, config: &Config) -> Result<(), ConnectorError> {
    // What sessions begin with, not what this one was given.
    let found = rows(conn, "SET time_zone=@@GLOBAL.time_zone")
        .and_then(|_| {
            rows(
                conn,
                "SELECT TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(), NOW()), @@session.time_zone",
            )
        })
        .map_err(|error| failure(config, &error, "tell its time zone"))?;
    let offset = found
        .first()
        .and_then(|row| text(row, 0))
        .and_then(|text| text.parse::<i32>().ok());
    let Some(offset) = offset else {
        return Ok(());
    };
    let name = found
        .first()
        .and_then(|row| text(row, 1))
        .unwrap_or_default();
    let (configured, tolerance) = zone::offset_now(&config.zone);
    if (offset - configured).abs() <= tolerance {
        return Ok(());
    }
    // The seconds between two calls of a clock do not matter.
    let offset = (offset + 30).div_euclid(60) * 60;
    Err(config_error(
        format!(
            "'server-time-zone' is '{}' (offset {} now), but MySQL at {} is at {} (time_zone={name})",
            config.zone_text,
            zone::show(configured),
            config.address(),
            zone::show(offset),
        ),
        &format!("write 'server-time-zone' = '{}'", zone::show(offset)),
    ))
}

/// Returns where the binary log ends.
pub(crate) fn log_end(conn: &mut Conn, config: &Config) -> Result<LogEnd, ConnectorError> {
    let mut found = rows(conn, "SHOW MASTER STATUS");
    // Gone in 8.4.
    if matches!(&found, Err(mysql::Error::MySqlError(error)) if error.code == 1064) {
        found = rows(conn, "SHOW BINARY LOG STATUS");
    }
    let found = match found {
        Ok(found) => found,
        Err(mysql::Error::MySqlError(error)) if error.code == 1227 => {
            return Err(lacks(config, "REPLICATION CLIENT", &error.message));
        }
        Err(error) => return Err(failure(config, &error, "tell the end of its binary log")),
    };
    let end = found.first().and_then(|row| {
        Some(LogEnd {
            file: text(row, 0)?,
            pos: text(row, 1)?.parse().ok()?,
        })
    });
    end.ok_or_else(|| {
        config_error(
            format!("MySQL at {} writes no binary log", config.address()),
            "start the server with --log-bin",
        )
    })
}

/// Returns the files of the binary log with their sizes, oldest first.
pub(crate) fn log_files(conn: &mut Conn, config: &Config) -> Result<Vec<LogEnd>, ConnectorError> {
    match rows(conn, "SHOW BINARY LOGS") {
        Ok(found) => Ok(found
            .iter()
            .filter_map(|row| {
                Some(LogEnd {
                    file: text(row, 0)?,
                    pos: text(row, 1)?.parse().ok()?,
                })
            })
            .collect()),
        Err(mysql::Error::MySqlError(error)) if error.code == 1227 => {
            Err(lacks(config, "REPLICATION CLIENT", &error.message))
        }
        Err(error) => Err(failure(config, &error, "list its binary logs")),
    }
}

/// Returns a global variable that is a set of GTIDs.
pub(crate) fn gtids(
    conn: &mut Conn,
    config: &Config,
    variable: &str,
) -> Result<GtidSet, ConnectorError> {
    let found = rows(conn, &format!("SELECT @@GLOBAL.{variable}"))
        .map_err(|error| failure(config, &error, "tell its GTIDs"))?;
    let text = found
        .first()
        .and_then(|row| text(row, 0))
        .unwrap_or_default();
    GtidSet::parse(&text).map_err(|why| {
        ConnectorError::new(
            ErrorKind::Rejected,
            Retry::Never,
            format!(
                "MySQL at {} says {variable} = '{text}': {why}",
                config.address()
            ),
        )
    })
}

/// Returns the tables that match, in the order of their names.
///
/// # Errors
/// None does.
pub(crate) fn tables(conn: &mut Conn, config: &Config) -> Result<Vec<TableName>, ConnectorError> {
    let (matching, all) = matching(conn, config)?;
    if !matching.is_empty() {
        return Ok(matching);
    }
    let mut databases: Vec<&str> = all.iter().map(|table| table.database.as_str()).collect();
    databases.sort_unstable();
    databases.dedup();
    Err(config_error(
        format!(
            "no table matches database-name '{}' and table-name '{}' on {} (user '{}' sees {} tables in {} databases)",
            config.database_name,
            config.table_name,
            config.address(),
            config.username,
            all.len(),
            databases.len()
        ),
        "check the expressions and the user's SELECT privilege",
    ))
}

/// Returns the tables that match, in the order of their names, and all that there are.
pub(crate) fn matching(
    conn: &mut Conn,
    config: &Config,
) -> Result<(Vec<TableName>, Vec<TableName>), ConnectorError> {
    let query = "SELECT table_schema, table_name FROM information_schema.tables \
        WHERE table_type IN ('BASE TABLE', 'SYSTEM VERSIONED') \
        AND table_schema NOT IN ('mysql', 'sys', 'performance_schema', 'information_schema')";
    let found = rows(conn, query).map_err(|error| failure(config, &error, "list its tables"))?;
    let all: Vec<TableName> = found
        .iter()
        .filter_map(|row| Some(TableName::new(text(row, 0)?, text(row, 1)?)))
        .collect();
    let mut matching: Vec<TableName> = all
        .iter()
        .filter(|table| config.matcher.matches(table))
        .cloned()
        .collect();
    matching.sort();
    Ok((matching, all))
}

/// Returns the sequences that match: MariaDB logs their rows as it does those of tables.
pub(crate) fn sequences(
    conn: &mut Conn,
    config: &Config,
    server: &Server,
) -> Result<Vec<TableName>, ConnectorError> {
    if !server.is_mariadb {
        return Ok(Vec::new());
    }
    let query = "SELECT table_schema, table_name FROM information_schema.tables WHERE table_type = 'SEQUENCE'";
    let found = rows(conn, query).map_err(|error| failure(config, &error, "list its sequences"))?;
    Ok(found
        .iter()
        .filter_map(|row| Some(TableName::new(text(row, 0)?, text(row, 1)?)))
        .filter(|name| config.matcher.matches(name))
        .collect())
}

/// Returns the default charsets of the databases.
pub(crate) fn database_charsets(
    conn: &mut Conn,
    config: &Config,
) -> Result<Vec<(String, String)>, ConnectorError> {
    let query = "SELECT schema_name, default_character_set_name FROM information_schema.schemata";
    let found = rows(conn, query).map_err(|error| failure(config, &error, "list its databases"))?;
    Ok(found
        .iter()
        .filter_map(|row| Some((text(row, 0)?, text(row, 1)?)))
        .collect())
}

/// Returns the definition that a table has now; `None` if it is gone.
pub(crate) fn definition(
    conn: &mut Conn,
    config: &Config,
    table: &TableName,
) -> Result<Option<TableDefinition>, ConnectorError> {
    let query = format!(
        "SHOW CREATE TABLE {}.{}",
        quoted(&table.database),
        quoted(&table.table)
    );
    let found = match rows(conn, &query) {
        Ok(found) => found,
        // No such table or database.
        Err(mysql::Error::MySqlError(error)) if matches!(error.code, 1146 | 1049 | 1051) => {
            return Ok(None);
        }
        Err(mysql::Error::MySqlError(error)) if matches!(error.code, 1142 | 1044 | 1143) => {
            return Err(lacks(config, &format!("SELECT on {table}"), &error.message));
        }
        Err(error) => return Err(failure(config, &error, "tell a table's definition")),
    };
    let Some(create) = found.first().and_then(|row| text(row, 1)) else {
        return Ok(None);
    };
    match TableDefinition::parse_create(&table.database, &create) {
        Ok(mut definition) => {
            definition.name = table.clone();
            Ok(Some(definition))
        }
        Err(error) => Err(ConnectorError::new(
            ErrorKind::Config,
            Retry::Never,
            format!("the definition of {table} is not understood: {error}"),
        )),
    }
}
