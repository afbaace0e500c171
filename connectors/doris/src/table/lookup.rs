//! Looking a table up: its model over HTTP, its columns by SQL where an address is given, else over HTTP too.

use millrace_connector::{ConnectorError, ErrorKind, Retry};
use serde_json::Value;

use super::{ColumnFact, DorisType, Model, TableFacts};
use crate::answer::is_about_login;
use crate::client::{Client, chain, unreachable};
use crate::query;
use crate::settings::BadRows;

/// Returns what is known of a table, or `None` if it is not there.
///
/// # Errors
/// Nobody answers, or the login is refused.
pub(crate) fn look_up(
    client: &Client,
    db: &str,
    table: &str,
) -> Result<Option<TableFacts>, ConnectorError> {
    let settings = client.settings();
    let name = format!("{db}.{table}");
    let action = format!("look at table {name} in Doris");
    let path = format!("/api/{db}/{table}/_schema");
    let answer = client.get(&path);
    let mut facts = match answer.map_err(|error| unreachable(&action, error))? {
        Ok(schema) => of_http(&schema),
        Err(said) if is_about_login(&said) => {
            check_login(client, &said)?;
            tracing::warn!(
                table = name,
                "this user may load but not look at the table, so its model is not checked"
            );
            TableFacts::default()
        }
        Err(said) if is_about_absence(&said) => {
            tracing::debug!(table = name, said, "Doris shows no such table");
            return Ok(None);
        }
        Err(said) => {
            let text = format!("cannot {action}: {said}");
            return Err(ConnectorError::new(
                ErrorKind::Rejected,
                Retry::Restart,
                text,
            ));
        }
    };
    match query::describe(settings, db, table) {
        Some(Ok(columns)) if !columns.is_empty() => {
            facts.columns = columns.into_iter().map(ColumnFact::from).collect();
        }
        Some(Err(error)) if settings.bad_rows != BadRows::Fail => {
            return Err(error.help("'sink.bad-rows' needs to know the columns' bounds"));
        }
        // Rows can be loaded without it, and Doris still refuses what does not fit.
        Some(Err(error)) => {
            tracing::warn!(table = name, error = %chain(&error), "the table's columns are compared less closely");
        }
        _ => {}
    }
    Ok(Some(facts))
}

/// Tells whether a refusal says that the table or its database is not there.
fn is_about_absence(said: &str) -> bool {
    let lower = said.to_ascii_lowercase();
    let signs = ["unknown", "not found", "not exist"];
    signs.iter().any(|sign| lower.contains(sign))
}

fn of_http(schema: &Value) -> TableFacts {
    let model = match schema["keysType"].as_str() {
        Some("UNIQUE_KEYS") => Some(Model::Unique),
        Some("AGG_KEYS") => Some(Model::Aggregate),
        Some("DUP_KEYS") => Some(Model::Duplicate),
        _ => None,
    };
    let column = |column: &Value| {
        let shown = column["type"].as_str()?;
        let number = |name: &str| {
            let value = &column[name];
            let text = value.as_str().and_then(|text| text.parse().ok());
            text.or_else(|| value.as_u64().and_then(|number| u8::try_from(number).ok()))
        };
        let ty = match (
            DorisType::parse(shown),
            number("precision"),
            number("scale"),
        ) {
            (DorisType::Decimal(None), Some(precision), Some(scale)) => {
                DorisType::Decimal(Some((precision, scale)))
            }
            // Without digits the answer means the whole family.
            (DorisType::DateTime(_), _, scale) => DorisType::DateTime(scale),
            (ty, ..) => ty,
        };
        Some(ColumnFact {
            name: column["name"].as_str()?.to_owned(),
            ty,
            shown: shown.to_ascii_uppercase(),
            nullable: None,
            is_key: None,
            has_default: None,
        })
    };
    let columns = schema["properties"].as_array();
    TableFacts {
        model,
        columns: columns.map_or_else(Vec::new, |all| all.iter().filter_map(column).collect()),
    }
}

/// Tells a wrong password from a user who may only load.
fn check_login(client: &Client, said: &str) -> Result<(), ConnectorError> {
    let settings = client.settings();
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
