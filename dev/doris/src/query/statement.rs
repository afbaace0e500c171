//! What a statement asks for, and who answers it.

use std::sync::Arc;

use super::ddl;
use super::insert;
use super::login::SERVER_VERSION;
use super::packet::{Refusal, Table};
use super::show;
use super::show_statement;
use super::token::{Cursor, Kind, Token};
use crate::cluster::ClusterError;
use crate::server::Shared;

/// The databases that every Doris has.
pub(crate) const SYSTEM_DATABASES: [&str; 2] = ["information_schema", "mysql"];

/// Who asks, and from where.
#[derive(Clone, Debug)]
pub(crate) struct Speaker {
    pub(crate) shared: Arc<Shared>,
    pub(crate) user: String,
    pub(crate) connection: u32,
    pub(crate) db: Option<String>,
}

/// What a statement gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// So many rows changed.
    Done(u64),
    /// These rows.
    Rows(Table),
}

impl From<ClusterError> for Refusal {
    fn from(error: ClusterError) -> Self {
        match error {
            ClusterError::UnknownTable(name) => unknown_table(&name),
            other => Self::detail(other),
        }
    }
}

/// Returns what is said where a table is not there.
pub(crate) fn unknown_table(name: &str) -> Refusal {
    Refusal::numbered(
        1051,
        "42S02",
        format!("errCode = 2, detailMessage = Unknown table '{name}'"),
    )
}

fn unknown_database(name: &str) -> Refusal {
    Refusal::numbered(
        1049,
        "42000",
        format!("errCode = 2, detailMessage = Unknown database '{name}'"),
    )
}

impl Speaker {
    /// Makes a database the current one.
    pub(crate) fn choose(&mut self, name: &str) -> Result<(), Refusal> {
        self.check_database(name)?;
        self.db = Some(name.to_owned());
        Ok(())
    }

    /// Refuses a database that is not there.
    pub(crate) fn check_database(&self, name: &str) -> Result<(), Refusal> {
        if SYSTEM_DATABASES.contains(&name) || self.shared.cluster.databases().contains(name) {
            return Ok(());
        }
        Err(unknown_database(name))
    }

    /// Returns the database that a statement means.
    pub(crate) fn database(&self, named: Option<String>) -> Result<String, Refusal> {
        let db = named.or_else(|| self.db.clone());
        let db = db.ok_or_else(|| {
            let text = "errCode = 2, detailMessage = No database selected";
            Refusal::numbered(1046, "3D000", text)
        })?;
        self.check_database(&db)?;
        Ok(db)
    }

    fn query(&self, tokens: &[Token]) -> Result<Reply, Refusal> {
        let tokens = self.with_facts(tokens);
        let mut mirrors = self.shared.mirrors.lock();
        let table = mirrors.query(&self.shared.cluster, &tokens, self.db.as_deref())?;
        Ok(Reply::Rows(table))
    }

    /// Puts values in the place of variables and of functions that tell of the session.
    pub(crate) fn with_facts(&self, tokens: &[Token]) -> Vec<Token> {
        let variables = show::variables();
        let mut out: Vec<Token> = Vec::new();
        let mut rest = Cursor(tokens);
        let text = |text: &str| Token {
            kind: Kind::Text,
            text: text.to_owned(),
            is_apart: true,
        };
        // Only there may a column have a name: between SELECT and FROM.
        let (mut is_list, mut depth) = (false, 0);
        while let Some(token) = rest.next() {
            match token.text.to_ascii_uppercase().as_str() {
                "(" => depth += 1,
                ")" => depth -= 1,
                "SELECT" => is_list = true,
                "FROM" | "WHERE" | "LIMIT" | "GROUP" | "ORDER" => is_list = false,
                _ => {}
            }
            if token.is_sign("@@") {
                let mut name = rest.next().map_or("", |token| &token.text).to_owned();
                if rest.sign(".") {
                    name = rest.next().map_or("", |token| &token.text).to_owned();
                }
                let value = variables.get(name.to_ascii_lowercase().as_str());
                out.push(text(value.copied().unwrap_or_default()));
                if is_list && depth == 0 && ends_column(rest.peek()) {
                    out.extend([word("AS"), name_token(&format!("@@{name}"))]);
                }
                continue;
            }
            let is_call =
                matches!(rest.0, [open, close, ..] if open.is_sign("(") && close.is_sign(")"));
            let fact = match token.text.to_ascii_lowercase().as_str() {
                _ if !is_call || token.kind != Kind::Word => None,
                "version" => Some(text(SERVER_VERSION)),
                "current_version" => Some(text(show::VERSION_COMMENT)),
                "database" | "schema" => Some(match &self.db {
                    Some(db) => text(db),
                    None => word("NULL"),
                }),
                "user" | "current_user" | "session_user" => {
                    Some(text(&format!("'{}'@'%'", self.user)))
                }
                "connection_id" => Some(Token {
                    kind: Kind::Number,
                    ..text(&self.connection.to_string())
                }),
                _ => None,
            };
            match fact {
                Some(value) => {
                    out.push(value);
                    if is_list && depth == 0 && ends_column(rest.0.get(2)) {
                        let name = format!("{}()", token.text.to_ascii_lowercase());
                        out.extend([word("AS"), name_token(&name)]);
                    }
                    rest.0 = &rest.0[2..];
                }
                None => out.push(token.clone()),
            }
        }
        out
    }
}

/// Tells whether a column of a SELECT ends before this token.
fn ends_column(next: Option<&Token>) -> bool {
    next.is_none_or(|next| next.is_sign(",") || next.is_word("FROM") || next.is_word("LIMIT"))
}

fn word(text: &str) -> Token {
    Token {
        kind: Kind::Word,
        text: text.to_owned(),
        is_apart: true,
    }
}

fn name_token(text: &str) -> Token {
    Token {
        kind: Kind::Name,
        text: text.to_owned(),
        is_apart: true,
    }
}

/// Answers one statement.
pub(crate) fn answer(speaker: &mut Speaker, tokens: &[Token]) -> Result<Reply, Refusal> {
    let tokens = match tokens {
        [rest @ .., end] if end.is_sign(";") => rest,
        all => all,
    };
    if tokens.iter().any(|token| token.is_sign(";")) {
        return Err(Refusal::detail("one statement at a time"));
    }
    let mut cursor = Cursor(tokens);
    let Some(first) = cursor.peek() else {
        return Ok(Reply::Done(0));
    };
    let verb = first.text.to_ascii_uppercase();
    match verb.as_str() {
        "SELECT" | "WITH" | "VALUES" | "(" => speaker.query(tokens),
        "SHOW" => {
            cursor.next();
            show_statement::show(speaker, &mut cursor)
        }
        "DESC" | "DESCRIBE" | "EXPLAIN" => {
            cursor.next();
            show_statement::describe(speaker, &mut cursor)
        }
        "USE" => {
            cursor.next();
            let (_, name) = cursor.path().map_err(Refusal::detail)?;
            speaker.choose(&name).map(|()| Reply::Done(0))
        }
        "INSERT" => {
            cursor.next();
            insert::insert(speaker, &mut cursor)
        }
        "CREATE" | "DROP" | "TRUNCATE" | "ALTER" => define(speaker, &mut cursor),
        "SET" | "BEGIN" | "START" | "COMMIT" | "ROLLBACK" | "UNSET" | "KILL" | "SYNC" | "ADMIN"
        | "ANALYZE" => Ok(Reply::Done(0)),
        _ => Err(Refusal::detail(format!(
            "the stand-in does not know the statement {verb}"
        ))),
    }
}

/// Answers CREATE, DROP, TRUNCATE and ALTER.
fn define(speaker: &mut Speaker, cursor: &mut Cursor<'_>) -> Result<Reply, Refusal> {
    let cluster = &speaker.shared.cluster;
    let detail = |error: String| Refusal::detail(error);
    let is_database =
        |cursor: &mut Cursor<'_>| cursor.words(&["DATABASE"]) || cursor.words(&["SCHEMA"]);
    if cursor.words(&["CREATE"]) {
        if is_database(cursor) {
            let may_exist = cursor.words(&["IF", "NOT", "EXISTS"]);
            let name = cursor.name().map_err(detail)?;
            if speaker.check_database(&name).is_ok() {
                if may_exist {
                    return Ok(Reply::Done(0));
                }
                let text = format!(
                    "errCode = 2, detailMessage = Can't create database '{name}'; database exists"
                );
                return Err(Refusal::numbered(1007, "HY000", text));
            }
            cluster.create_database(&name)?;
            return Ok(Reply::Done(0));
        }
        cursor.words(&["EXTERNAL"]);
        if cursor.words(&["TABLE"]) {
            return create_table(speaker, cursor);
        }
    } else if cursor.words(&["DROP"]) {
        if is_database(cursor) {
            let may_lack = cursor.words(&["IF", "EXISTS"]);
            let name = cursor.name().map_err(detail)?;
            return match speaker.check_database(&name) {
                Err(refusal) if !may_lack => Err(refusal),
                Err(_) => Ok(Reply::Done(0)),
                Ok(()) => Ok(cluster.drop_database(&name).map(|()| Reply::Done(0))?),
            };
        }
        if cursor.words(&["TABLE"]) {
            let may_lack = cursor.words(&["IF", "EXISTS"]);
            let (db, table) = cursor.path().map_err(detail)?;
            let db = speaker.database(db)?;
            return match cluster.drop_table(&db, &table) {
                Err(ClusterError::UnknownTable(_)) if may_lack => Ok(Reply::Done(0)),
                other => Ok(other.map(|()| Reply::Done(0))?),
            };
        }
    } else if cursor.words(&["TRUNCATE", "TABLE"]) {
        let (db, table) = cursor.path().map_err(detail)?;
        let db = speaker.database(db)?;
        cluster.truncate_table(&db, &table)?;
        return Ok(Reply::Done(0));
    } else if cursor.words(&["ALTER", "TABLE"]) {
        let (db, table) = cursor.path().map_err(detail)?;
        let db = speaker.database(db)?;
        let mut schema = cluster
            .table(&db, &table)
            .ok_or_else(|| unknown_table(&table))?;
        ddl::alter_table(cursor, &mut schema).map_err(detail)?;
        cluster.alter_table(schema)?;
        return Ok(Reply::Done(0));
    }
    let rest: Vec<&str> = cursor
        .0
        .iter()
        .take(3)
        .map(|token| token.text.as_str())
        .collect();
    Err(Refusal::detail(format!(
        "the stand-in does not know this statement: … {}",
        rest.join(" ")
    )))
}

fn create_table(speaker: &Speaker, cursor: &mut Cursor<'_>) -> Result<Reply, Refusal> {
    let cluster = &speaker.shared.cluster;
    let (schema, if_not_exists) =
        ddl::create_table(cursor, speaker.db.as_deref()).map_err(Refusal::detail)?;
    speaker.check_database(&schema.db)?;
    if cluster.table(&schema.db, &schema.table).is_some() {
        if if_not_exists {
            return Ok(Reply::Done(0));
        }
        let text = format!(
            "errCode = 2, detailMessage = Table '{}' already exists",
            schema.table
        );
        return Err(Refusal::numbered(1050, "42S01", text));
    }
    cluster.create_table(schema)?;
    Ok(Reply::Done(0))
}
