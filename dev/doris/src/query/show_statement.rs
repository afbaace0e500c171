//! SHOW in its many forms, and DESC.

use super::functions::like;
use super::mirror::count;
use super::packet::{Refusal, Table};
use super::statement::{Reply, SYSTEM_DATABASES, Speaker, unknown_table};
use super::token::{Cursor, Kind, Token};
use super::{ddl, show};
use crate::schema::TableSchema;
use crate::transaction::Transaction;

fn detail(error: String) -> Refusal {
    Refusal::detail(error)
}

/// Answers DESC.
pub(crate) fn describe(speaker: &Speaker, cursor: &mut Cursor<'_>) -> Result<Reply, Refusal> {
    let schema = table(speaker, cursor)?;
    Ok(Reply::Rows(show::columns(&schema, false)))
}

fn table(speaker: &Speaker, cursor: &mut Cursor<'_>) -> Result<TableSchema, Refusal> {
    let (db, name) = cursor.path().map_err(detail)?;
    let db = match from(cursor)? {
        Some(db) => Some(db),
        None => db,
    };
    let db = speaker.database(db)?;
    let found = speaker.shared.cluster.table(&db, &name);
    found.ok_or_else(|| unknown_table(&name))
}

/// Reads `FROM db` or `IN db`, if it is there.
fn from(cursor: &mut Cursor<'_>) -> Result<Option<String>, Refusal> {
    if cursor.words(&["FROM"]) || cursor.words(&["IN"]) {
        let (_, db) = cursor.path().map_err(detail)?;
        return Ok(Some(db));
    }
    Ok(None)
}

/// What follows LIKE or WHERE.
struct Filter {
    /// Column in lower case, operator, value; all must hold, or with OR any.
    conditions: Vec<(String, String, String)>,
    is_any: bool,
}

impl Filter {
    fn parse(cursor: &mut Cursor<'_>, first: &str) -> Result<Self, Refusal> {
        let mut filter = Self {
            conditions: Vec::new(),
            is_any: false,
        };
        if cursor.words(&["LIKE"]) {
            let pattern = cursor.text().map_err(detail)?;
            let condition = (first.to_ascii_lowercase(), "LIKE".to_owned(), pattern);
            filter.conditions.push(condition);
        } else if cursor.words(&["WHERE"]) {
            loop {
                let column = cursor.name().map_err(detail)?.to_ascii_lowercase();
                let operator = match cursor.next() {
                    Some(token) if token.is_sign("=") => "=",
                    Some(token) if token.is_word("LIKE") => "LIKE",
                    _ => return Err(detail("SHOW … WHERE knows = and LIKE".into())),
                };
                let is_value = |token: &&Token| token.kind != Kind::Sign;
                let value = cursor.next().filter(is_value);
                let value = value.ok_or_else(|| detail("a value is needed behind WHERE".into()))?;
                let condition = (column, operator.to_owned(), value.text.clone());
                filter.conditions.push(condition);
                if cursor.words(&["OR"]) {
                    filter.is_any = true;
                } else if !cursor.words(&["AND"]) {
                    break;
                }
            }
        }
        Ok(filter)
    }

    fn takes(&self, table: &Table, row: &[Option<String>]) -> Result<bool, Refusal> {
        let mut results = Vec::new();
        for (column, operator, value) in &self.conditions {
            // Statements say ID and STATUS where columns are longer.
            let at = table.heads.iter().position(|head| {
                let name = head.name.to_ascii_lowercase();
                name == *column || name == format!("transaction{column}")
            });
            let at = at.ok_or_else(|| detail(format!("SHOW … WHERE has no column '{column}'")))?;
            let there = row[at].as_deref().unwrap_or_default();
            results.push(match operator.as_str() {
                "=" => there.eq_ignore_ascii_case(value),
                _ => like(there, value),
            });
        }
        Ok(if self.is_any {
            results.contains(&true)
        } else {
            !results.contains(&false)
        })
    }

    fn apply(&self, mut table: Table) -> Result<Table, Refusal> {
        let rows = std::mem::take(&mut table.rows);
        for row in rows {
            if self.takes(&table, &row)? {
                table.rows.push(row);
            }
        }
        Ok(table)
    }
}

/// Answers SHOW, from behind the word.
pub(crate) fn show(speaker: &Speaker, cursor: &mut Cursor<'_>) -> Result<Reply, Refusal> {
    for word in ["GLOBAL", "SESSION"] {
        cursor.words(&[word]);
    }
    let is_full = cursor.words(&["FULL"]);
    let token = cursor.next().ok_or_else(|| detail("SHOW what?".into()))?;
    let table = match token.text.to_ascii_uppercase().as_str() {
        "DATABASES" | "SCHEMAS" => databases(speaker, cursor)?,
        "TABLES" => tables(speaker, cursor, is_full)?,
        "TABLE" if cursor.words(&["STATUS"]) => status(speaker, cursor)?,
        "COLUMNS" | "FIELDS" => {
            let path = from_table(speaker, cursor)?;
            let found = show::columns(&path, is_full);
            Filter::parse(cursor, "Field")?.apply(found)?
        }
        "CREATE" => create(speaker, cursor)?,
        "VARIABLES" => {
            let mut found = Table::of(&["Variable_name", "Value"]);
            for (name, value) in show::variables() {
                found.row([name.to_owned(), value.to_owned()]);
            }
            Filter::parse(cursor, "Variable_name")?.apply(found)?
        }
        "TRANSACTION" => transactions(speaker, cursor)?,
        "BACKENDS" => backends(speaker),
        "FRONTENDS" => frontends(speaker),
        "GRANTS" => {
            let mut found = Table::of(&["UserIdentity", "GlobalPrivs"]);
            found.row([format!("'{}'@'%'", speaker.user), "Admin_priv".to_owned()]);
            found
        }
        other => fixed(other)
            .ok_or_else(|| detail(format!("the stand-in does not know SHOW {other}")))?,
    };
    Ok(Reply::Rows(table))
}

/// Returns what never changes.
fn fixed(word: &str) -> Option<Table> {
    let (heads, row): (&[&str], &[&str]) = match word {
        "WARNINGS" | "ERRORS" => (&["Level", "Code", "Message"], &[]),
        "STATUS" => (&["Variable_name", "Value"], &[]),
        "PROCESSLIST" => (
            &[
                "Id", "User", "Host", "db", "Command", "Time", "State", "Info",
            ],
            &[],
        ),
        "INDEX" | "INDEXES" | "KEYS" => (&["Table", "Non_unique", "Key_name", "Column_name"], &[]),
        "ENGINES" => (
            &[
                "Engine",
                "Support",
                "Comment",
                "Transactions",
                "XA",
                "Savepoints",
            ],
            &["OLAP", "DEFAULT", "rows in a folder", "YES", "NO", "NO"],
        ),
        "COLLATION" => (
            &[
                "Collation",
                "Charset",
                "Id",
                "Default",
                "Compiled",
                "Sortlen",
            ],
            &["utf8mb4_0900_bin", "utf8mb4", "309", "Yes", "Yes", "1"],
        ),
        "CHARACTER" | "CHARSET" => (
            &["Charset", "Description", "Default collation", "Maxlen"],
            &["utf8mb4", "UTF-8 Unicode", "utf8mb4_0900_bin", "4"],
        ),
        _ => return None,
    };
    let mut found = Table::of(heads);
    if !row.is_empty() {
        found.row(row.iter().map(|cell| (*cell).to_owned()));
    }
    Some(found)
}

fn databases(speaker: &Speaker, cursor: &mut Cursor<'_>) -> Result<Table, Refusal> {
    let mut found = Table::of(&["Database"]);
    let own = speaker.shared.cluster.databases();
    let system = SYSTEM_DATABASES.iter().map(|name| (*name).to_owned());
    for name in own.into_iter().chain(system) {
        found.row([name]);
    }
    Filter::parse(cursor, "Database")?.apply(found)
}

fn tables(speaker: &Speaker, cursor: &mut Cursor<'_>, is_full: bool) -> Result<Table, Refusal> {
    let db = speaker.database(from(cursor)?)?;
    let name = format!("Tables_in_{db}");
    let mut found = if is_full {
        Table::of(&[
            &name,
            "Table_type",
            "Storage_format",
            "Inverted_index_storage_format",
        ])
    } else {
        Table::of(&[&name])
    };
    for schema in speaker.shared.cluster.tables(&db) {
        let mut row = vec![schema.table];
        if is_full {
            row.extend(["BASE TABLE", "V2", "V2"].map(str::to_owned));
        }
        found.row(row);
    }
    Filter::parse(cursor, &name)?.apply(found)
}

fn status(speaker: &Speaker, cursor: &mut Cursor<'_>) -> Result<Table, Refusal> {
    let db = speaker.database(from(cursor)?)?;
    let mut found = Table::of(&[
        "Name",
        "Engine",
        "Version",
        "Row_format",
        "Rows",
        "Collation",
        "Comment",
    ]);
    for schema in speaker.shared.cluster.tables(&db) {
        let rows = count(&speaker.shared.cluster, &db, &schema.table)?;
        found.row([
            Some(schema.table),
            Some("Doris".to_owned()),
            None,
            None,
            Some(rows.to_string()),
            Some("utf-8".to_owned()),
            Some(String::new()),
        ]);
    }
    Filter::parse(cursor, "Name")?.apply(found)
}

fn from_table(speaker: &Speaker, cursor: &mut Cursor<'_>) -> Result<TableSchema, Refusal> {
    if !(cursor.words(&["FROM"]) || cursor.words(&["IN"])) {
        return Err(detail("SHOW COLUMNS needs FROM".into()));
    }
    table(speaker, cursor)
}

fn create(speaker: &Speaker, cursor: &mut Cursor<'_>) -> Result<Table, Refusal> {
    if cursor.words(&["DATABASE"]) || cursor.words(&["SCHEMA"]) {
        let name = speaker.database(Some(cursor.name().map_err(detail)?))?;
        let mut found = Table::of(&["Database", "Create Database"]);
        let text = format!("CREATE DATABASE `{name}`");
        found.row([name, text]);
        return Ok(found);
    }
    if !cursor.words(&["TABLE"]) {
        return Err(detail("SHOW CREATE knows TABLE and DATABASE".into()));
    }
    let schema = table(speaker, cursor)?;
    let mut found = Table::of(&["Table", "Create Table"]);
    found.row([schema.table.clone(), ddl::show_create(&schema)]);
    Ok(found)
}

fn transactions(speaker: &Speaker, cursor: &mut Cursor<'_>) -> Result<Table, Refusal> {
    let db = speaker.database(from(cursor)?)?;
    let cluster = &speaker.shared.cluster;
    let all = cluster.transactions().map_err(Refusal::detail)?;
    let own = all.iter().filter(|one: &&Transaction| one.db == db);
    let found = show::transactions(own, &speaker.shared.be().ip().to_string());
    let filter = Filter::parse(cursor, "Label")?;
    let is_by_id = filter.conditions.iter().any(|(column, ..)| column == "id");
    let found = filter.apply(found)?;
    if is_by_id && found.rows.is_empty() {
        let id = filter.conditions.first().map_or("", |(_, _, value)| value);
        return Err(detail(format!("transaction with id {id} does not exist")));
    }
    Ok(found)
}

fn backends(speaker: &Speaker) -> Table {
    let mut found = Table::of(&[
        "BackendId",
        "Host",
        "HeartbeatPort",
        "BePort",
        "HttpPort",
        "BrpcPort",
        "LastStartTime",
        "LastHeartbeat",
        "Alive",
        "SystemDecommissioned",
        "TabletNum",
        "Version",
        "Status",
    ]);
    for (at, backend) in speaker.shared.backends.iter().enumerate() {
        let port = backend.port().to_string();
        found.row([
            (10_001 + at).to_string(),
            backend.ip().to_string(),
            "0".to_owned(),
            "0".to_owned(),
            port,
            "0".to_owned(),
            String::new(),
            String::new(),
            "true".to_owned(),
            "false".to_owned(),
            "1".to_owned(),
            show::VERSION_COMMENT.to_owned(),
            "{}".to_owned(),
        ]);
    }
    found
}

fn frontends(speaker: &Speaker) -> Table {
    let mut found = Table::of(&[
        "Name",
        "Host",
        "HttpPort",
        "QueryPort",
        "Role",
        "IsMaster",
        "Alive",
        "Version",
    ]);
    for (at, frontend) in speaker.shared.frontends.iter().enumerate() {
        found.row([
            format!("fe_{at}"),
            frontend.ip().to_string(),
            frontend.port().to_string(),
            speaker.shared.query.port().to_string(),
            "FOLLOWER".to_owned(),
            (at == 0).to_string(),
            "true".to_owned(),
            show::VERSION_COMMENT.to_owned(),
        ]);
    }
    found
}
