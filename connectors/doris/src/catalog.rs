//! What Doris says of the table before the first row.

use millrace_connector::{ConnectorError, ErrorKind, Retry};

use crate::answer::is_about_login;
use crate::client::{Client, unreachable};
use crate::settings::Settings;

/// What a sink needs to know of its table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TableFacts {
    /// Whether it keeps one row for each key; `None` where this user may not look.
    pub(crate) is_unique: Option<bool>,
}

/// Looks the table up and compares its columns by name.
///
/// # Errors
/// It is not there, lacks columns, or nobody answers.
pub(crate) fn check(
    client: &Client,
    settings: &Settings,
    columns: &[String],
) -> Result<TableFacts, ConnectorError> {
    let name = format!("{}.{}", settings.db, settings.table);
    let action = format!("look at table {name} in Doris");
    let path = format!("/api/{}/{}/_schema", settings.db, settings.table);
    let schema = match client
        .get(&path)
        .map_err(|error| unreachable(&action, error))?
    {
        Ok(schema) => schema,
        Err(said) if is_about_login(&said) => {
            check_login(client, settings, &said)?;
            tracing::warn!(
                table = name,
                "this user may load but not look at the table, so its columns are not checked"
            );
            return Ok(TableFacts { is_unique: None });
        }
        Err(said) => {
            let text = format!("cannot {action}: {said}");
            return Err(ConnectorError::new(ErrorKind::Config, Retry::Never, text)
                .help(format!("create {name} in Doris first, or correct its name")));
        }
    };
    let keys = schema["keysType"].as_str().unwrap_or_default();
    if keys == "AGG_KEYS" && settings.is_two_phase {
        tracing::info!(
            table = name,
            "an AGGREGATE table: rows are merged as it says"
        );
    }
    // With a `columns` header of the user's own, names of fields need not be names of columns.
    if settings.columns.is_none() {
        let there: Vec<&str> = schema["properties"]
            .as_array()
            .map(|list| {
                list.iter()
                    .filter_map(|column| column["name"].as_str())
                    .collect()
            })
            .unwrap_or_default();
        let missing: Vec<&str> = columns
            .iter()
            .map(String::as_str)
            .filter(|name| !there.iter().any(|known| known.eq_ignore_ascii_case(name)))
            .collect();
        if !missing.is_empty() {
            return Err(missing_columns(&name, &missing, &there));
        }
    }
    Ok(TableFacts {
        is_unique: Some(keys == "UNIQUE_KEYS"),
    })
}

fn missing_columns(name: &str, missing: &[&str], there: &[&str]) -> ConnectorError {
    let text = format!("table {name} in Doris has no column {}", missing.join(", "));
    let alter: Vec<String> = missing
        .iter()
        .map(|column| format!("ALTER TABLE {name} ADD COLUMN `{column}` …;"))
        .collect();
    ConnectorError::new(ErrorKind::Config, Retry::Never, text).help(format!(
        "it has {}; either correct the names, or: {}",
        there.join(", "),
        alter.join(" ")
    ))
}

/// Tells a wrong password from a user who may only load.
fn check_login(client: &Client, settings: &Settings, said: &str) -> Result<(), ConnectorError> {
    let path = format!("/api/{}/get_load_state?label=millrace-login", settings.db);
    match client.get(&path) {
        Ok(Err(again)) if is_about_login(&again) => {
            let text = format!("Doris refuses user '{}': {said}", settings.user);
            Err(ConnectorError::new(ErrorKind::Auth, Retry::Never, text).help(
                "check 'username' and 'password'; the user needs the LOAD privilege on the table",
            ))
        }
        _ => Ok(()),
    }
}
