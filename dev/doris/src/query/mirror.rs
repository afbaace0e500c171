//! SELECT: what is visible is copied into SQLite, in memory, as far as a statement names it, and SQLite answers.
//!
//! A copy is kept until rows or columns come that it lacks. In DUPLICATE tables new loads are added to it.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;

use rusqlite::config::DbConfig;
use rusqlite::types::{Value as Cell, ValueRef};
use rusqlite::{Connection, params_from_iter};
use serde_json::Value;

use super::functions;
use super::packet::{Head, Kind, Refusal, Table};
use super::show::{self, Fact};
use super::token::{self, Token};
use crate::cluster::Cluster;
use crate::rows::Snapshot;
use crate::schema::{ColumnType, Keys};

/// SQLite attaches ten databases at most.
const DATABASES_MAX: usize = 9;
const INFORMATION: &str = "information_schema";

type Name = (String, String);

/// What of a table is copied.
#[derive(Clone, Debug)]
struct Copied {
    snapshot: Snapshot,
    columns: Vec<bool>,
    version: u64,
}

/// Copies of tables, seen from one current database.
#[derive(Debug)]
pub(crate) struct Mirror {
    connection: Connection,
    databases: Vec<String>,
    copied: HashMap<Name, Copied>,
}

fn refused(error: impl std::fmt::Display) -> Refusal {
    let text = error.to_string();
    match text.split_once("no such table: ") {
        Some((_, table)) => Refusal::detail(format!(
            "Unknown table '{}'",
            table.split(" in ").next().unwrap_or(table)
        )),
        None => match text.split_once("no such column: ") {
            Some((_, column)) => Refusal::detail(format!(
                "Unknown column '{}' in 'table list'",
                column.split(" in ").next().unwrap_or(column)
            )),
            None => Refusal::detail(text),
        },
    }
}

impl Mirror {
    fn new(current: Option<&str>) -> Result<Self, Refusal> {
        let connection = Connection::open_in_memory().map_err(refused)?;
        let mut mirror = Self {
            connection,
            databases: Vec::new(),
            copied: HashMap::new(),
        };
        mirror.prepare().map_err(refused)?;
        if let Some(db) = current {
            mirror.attach(db)?;
        }
        Ok(mirror)
    }

    fn prepare(&self) -> rusqlite::Result<()> {
        self.connection
            .set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
        self.connection
            .create_collation("decimal", compare_decimals)?;
        functions::register(&self.connection)
    }

    fn attach(&mut self, db: &str) -> Result<(), Refusal> {
        if self.databases.iter().any(|known| known == db) {
            return Ok(());
        }
        let sql = format!("ATTACH ':memory:' AS {}", quoted(db));
        self.connection.execute_batch(&sql).map_err(refused)?;
        self.databases.push(db.to_owned());
        Ok(())
    }

    /// Answers a query.
    fn query(
        &mut self,
        cluster: &Cluster,
        tokens: &[Token],
        current: Option<&str>,
    ) -> Result<Table, Refusal> {
        let names: HashSet<String> = tokens
            .iter()
            .filter(|token| token.is_name())
            .map(|token| token.text.to_ascii_lowercase())
            .collect();
        if names.contains(INFORMATION) || current == Some(INFORMATION) {
            self.describe_all(cluster, &names)?;
        }
        let takes_all = has_star(tokens);
        for (db, table) in tables(cluster, tokens, current) {
            self.attach(&db)?;
            let snapshot = cluster.snapshot(&db, &table).map_err(refused)?;
            let columns: Vec<bool> = snapshot
                .schema
                .columns
                .iter()
                .map(|column| takes_all || names.contains(&column.name.to_ascii_lowercase()))
                .collect();
            self.copy((db, table), snapshot, columns)?;
        }
        self.run(&functions::to_sqlite(tokens))
    }

    fn run(&self, sql: &str) -> Result<Table, Refusal> {
        let mut statement = self.connection.prepare(sql).map_err(refused)?;
        let mut heads: Vec<(String, Option<Kind>)> = statement
            .columns()
            .map(|column| (column.name().to_owned(), column.decl_type().map(declared)))
            .collect();
        let mut found = statement.query([]).map_err(refused)?;
        let mut rows = Vec::new();
        while let Some(row) = found.next().map_err(refused)? {
            let mut cells = Vec::with_capacity(heads.len());
            for (at, (_, kind)) in heads.iter_mut().enumerate() {
                let (own, text) = match row.get_ref(at).map_err(refused)? {
                    ValueRef::Null => (None, None),
                    ValueRef::Integer(value) => (Some(Kind::BigInteger), Some(value.to_string())),
                    ValueRef::Real(value) => (Some(Kind::Double), Some(value.to_string())),
                    ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
                        let text = String::from_utf8_lossy(bytes).into_owned();
                        (Some(Kind::Text), Some(text))
                    }
                };
                if kind.is_none() {
                    *kind = own;
                }
                cells.push(text);
            }
            rows.push(cells);
        }
        let heads = heads.into_iter().map(|(name, kind)| Head {
            name,
            kind: kind.unwrap_or(Kind::Text),
        });
        Ok(Table {
            heads: heads.collect(),
            rows,
        })
    }

    /// Brings the copy of a table up to date.
    fn copy(&mut self, name: Name, snapshot: Snapshot, columns: Vec<bool>) -> Result<(), Refusal> {
        let newest = snapshot.loads.last().map_or(0, |(version, _)| *version);
        let mut rest = snapshot.clone();
        let mut columns = columns;
        match self.copied.get(&name) {
            Some(copied) if copied.covers(&snapshot, &columns) => {
                if copied.version == newest {
                    return Ok(());
                }
                if snapshot.schema.keys == Keys::Duplicate {
                    columns.clone_from(&copied.columns);
                    rest.loads.retain(|(version, _)| *version > copied.version);
                } else {
                    self.define(&name, &snapshot)?;
                }
            }
            other => {
                // What was asked for once is asked for again.
                if let Some(copied) = other.filter(|copied| copied.columns.len() == columns.len()) {
                    for (column, had) in columns.iter_mut().zip(&copied.columns) {
                        *column |= had;
                    }
                }
                self.define(&name, &snapshot)?;
            }
        }
        self.fill(&name, &rest, &columns)?;
        let copied = Copied {
            snapshot,
            columns,
            version: newest,
        };
        self.copied.insert(name, copied);
        Ok(())
    }

    fn define(&self, (db, table): &Name, snapshot: &Snapshot) -> Result<(), Refusal> {
        let path = format!("{}.{}", quoted(db), quoted(table));
        let types = snapshot.schema.types().map_err(refused)?;
        let columns: Vec<String> = snapshot
            .schema
            .shown()
            .zip(types)
            .map(|(column, ty)| format!("{} {}", quoted(&column.name), declaration(ty)))
            .collect();
        let sql = format!(
            "DROP TABLE IF EXISTS {path}; CREATE TABLE {path} ({});",
            columns.join(", ")
        );
        self.connection.execute_batch(&sql).map_err(refused)
    }

    fn fill(
        &mut self,
        (db, table): &Name,
        snapshot: &Snapshot,
        columns: &[bool],
    ) -> Result<(), Refusal> {
        let shown: Vec<usize> = (0..snapshot.schema.columns.len())
            .filter(|at| !snapshot.schema.columns[*at].hidden)
            .collect();
        let marks = vec!["?"; shown.len()].join(", ");
        let sql = format!(
            "INSERT INTO {}.{} VALUES ({marks})",
            quoted(db),
            quoted(table)
        );
        let transaction = self.connection.transaction().map_err(refused)?;
        {
            let mut insert = transaction.prepare(&sql).map_err(refused)?;
            let wanted = |at: usize| columns[at];
            snapshot
                .visit(&wanted, &mut |cells| {
                    let row = shown.iter().map(|at| cell(&cells[*at]));
                    let done = insert.execute(params_from_iter(row));
                    done.map(|_| ()).map_err(io::Error::other)
                })
                .map_err(refused)?;
        }
        transaction.commit().map_err(refused)
    }

    /// Makes the tables of `information_schema` anew.
    fn describe_all(&mut self, cluster: &Cluster, names: &HashSet<String>) -> Result<(), Refusal> {
        self.attach(INFORMATION)?;
        let mut all: BTreeMap<&str, Vec<Vec<Fact>>> = BTreeMap::new();
        for db in cluster.databases() {
            all.entry("schemata")
                .or_default()
                .push(show::database_facts(&db));
            for schema in cluster.tables(&db) {
                let rows = names
                    .contains("table_rows")
                    .then(|| count(cluster, &db, &schema.table))
                    .transpose()?;
                all.entry("tables")
                    .or_default()
                    .push(show::table_facts(&schema, rows));
                all.entry("columns")
                    .or_default()
                    .extend(show::column_facts(&schema));
            }
        }
        let empty = crate::schema::TableSchema {
            db: String::new(),
            table: String::new(),
            keys: Keys::Duplicate,
            columns: vec![crate::schema::Column::new("x", "INT")],
        };
        let samples = [
            ("schemata", show::database_facts("")),
            ("tables", show::table_facts(&empty, None)),
            ("columns", show::column_facts(&empty).remove(0)),
        ];
        for (table, sample) in samples {
            let columns: Vec<String> = sample.iter().map(|(name, _)| quoted(name)).collect();
            let path = format!("{}.{table}", quoted(INFORMATION));
            let sql = format!(
                "DROP TABLE IF EXISTS {path}; CREATE TABLE {path} ({});",
                columns.join(", ")
            );
            self.connection.execute_batch(&sql).map_err(refused)?;
            let marks = vec!["?"; columns.len()].join(", ");
            let sql = format!("INSERT INTO {path} VALUES ({marks})");
            let mut insert = self.connection.prepare(&sql).map_err(refused)?;
            for row in all.remove(table).unwrap_or_default() {
                let cells = row.into_iter().map(|(name, value)| fact(name, value));
                insert.execute(params_from_iter(cells)).map_err(refused)?;
            }
        }
        Ok(())
    }
}

/// Counts the rows of a table.
pub(crate) fn count(cluster: &Cluster, db: &str, table: &str) -> Result<u64, Refusal> {
    let snapshot = cluster.snapshot(db, table).map_err(refused)?;
    let mut rows = 0;
    snapshot
        .visit(&|_| false, &mut |_| {
            rows += 1;
            Ok(())
        })
        .map_err(refused)?;
    Ok(rows)
}

fn fact(name: &str, value: Option<String>) -> Cell {
    let is_number = [
        "POSITION",
        "LENGTH",
        "PRECISION",
        "SCALE",
        "SIZE",
        "DIGITS",
        "ROWS",
    ]
    .iter()
    .any(|end| name.ends_with(end));
    match value {
        None => Cell::Null,
        Some(text) => match text.parse() {
            Ok(number) if is_number => Cell::Integer(number),
            _ => Cell::Text(text),
        },
    }
}

impl Copied {
    fn covers(&self, snapshot: &Snapshot, columns: &[bool]) -> bool {
        self.snapshot.generation == snapshot.generation
            && self.snapshot.schema == snapshot.schema
            && columns
                .iter()
                .zip(&self.columns)
                .all(|(wanted, there)| *there || !wanted)
    }
}

fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// How SQLite is told of a type: by the words in it, it treats all that is no number as text.
fn declaration(ty: ColumnType) -> String {
    match ty {
        ColumnType::Boolean => "TINY_INT".to_owned(),
        ColumnType::Integer(128) => "LARGE_TEXT COLLATE decimal".to_owned(),
        ColumnType::Integer(bits) => format!("INT{bits}"),
        ColumnType::Float => "FLOAT".to_owned(),
        ColumnType::Double => "DOUBLE".to_owned(),
        ColumnType::Decimal(..) => "DECIMAL_TEXT COLLATE decimal".to_owned(),
        ColumnType::Date => "DAY_TEXT".to_owned(),
        ColumnType::DateTime(_) => "TIME_TEXT".to_owned(),
        ColumnType::Text(_) | ColumnType::Json | ColumnType::Nested => "TEXT".to_owned(),
    }
}

fn declared(declaration: &str) -> Kind {
    match declaration {
        "TINY_INT" | "INT8" => Kind::Tiny,
        "INT16" | "INT32" => Kind::Integer,
        "INT64" => Kind::BigInteger,
        "FLOAT" => Kind::Float,
        "DOUBLE" => Kind::Double,
        "DECIMAL_TEXT" => Kind::Decimal,
        "DAY_TEXT" => Kind::Date,
        "TIME_TEXT" => Kind::DateTime,
        _ => Kind::Text,
    }
}

fn cell(value: &Value) -> Cell {
    match value {
        Value::Null => Cell::Null,
        Value::Bool(is_set) => Cell::Integer(i64::from(*is_set)),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Cell::Integer(whole),
            (None, Some(real)) => Cell::Real(real),
            (None, None) => Cell::Text(number.to_string()),
        },
        Value::String(text) => Cell::Text(text.clone()),
        nested => Cell::Text(nested.to_string()),
    }
}

fn compare_decimals(left: &str, right: &str) -> Ordering {
    match (
        functions::Exact::parse(left),
        functions::Exact::parse(right),
    ) {
        (Some(left), Some(right)) => left.compare(&right),
        _ => left.cmp(right),
    }
}

/// Tells whether all columns are asked for by `*`, which COUNT(*) and multiplications don't.
fn has_star(tokens: &[Token]) -> bool {
    tokens.windows(2).any(|pair| {
        let before = &pair[0];
        pair[1].is_sign("*")
            && (before.is_sign(",")
                || before.is_sign(".")
                || ["SELECT", "DISTINCT", "ALL"]
                    .iter()
                    .any(|word| before.is_word(word)))
    })
}

/// Returns the tables that a statement may mean.
fn tables(cluster: &Cluster, tokens: &[Token], current: Option<&str>) -> HashSet<Name> {
    let mut found = HashSet::new();
    for (at, token) in tokens.iter().enumerate() {
        if !token.is_name() {
            continue;
        }
        let follows_dot = at >= 2 && tokens[at - 1].is_sign(".");
        let db = if follows_dot {
            Some(tokens[at - 2].text.as_str())
        } else {
            current
        };
        if let Some(db) = db
            && cluster.table(db, &token.text).is_some()
        {
            found.insert((db.to_owned(), token.text.clone()));
        }
    }
    found
}

/// The mirrors of a stand-in, by current database.
#[derive(Debug, Default)]
pub(crate) struct Mirrors(HashMap<Option<String>, Mirror>);

/// So many copies of all are enough.
const MIRRORS_MAX: usize = 4;

impl Mirrors {
    /// Answers a query.
    pub(crate) fn query(
        &mut self,
        cluster: &Cluster,
        tokens: &[Token],
        current: Option<&str>,
    ) -> Result<Table, Refusal> {
        let key = current.map(str::to_owned);
        let is_full = self
            .0
            .get(&key)
            .is_some_and(|mirror| mirror.databases.len() >= DATABASES_MAX);
        if is_full {
            self.0.remove(&key);
        }
        if self.0.len() >= MIRRORS_MAX && !self.0.contains_key(&key) {
            self.0.clear();
        }
        if !self.0.contains_key(&key) {
            self.0.insert(key.clone(), Mirror::new(current)?);
        }
        let mirror = self.0.get_mut(&key).expect("it was put there");
        mirror.query(cluster, tokens, current)
    }
}

/// Cuts a statement, with an error in Doris's form.
pub(crate) fn cut(sql: &str) -> Result<Vec<Token>, Refusal> {
    token::tokens(sql).map_err(Refusal::detail)
}
