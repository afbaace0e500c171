//! A random workload on the tables of the published pipeline: rows, keys, and definitions that change meanwhile.
//!
//! Only such statements are made as leave no doubt what the pipeline's tables must hold in the end. A definition that
//! changes what a column reads as changes no row in the log, so all rows are touched behind it; rows that TRUNCATE and
//! DROP take away are in no log either, so they are expected to stay, and their keys are not used again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::crash::Random;
use crate::mysql::Session;

pub(crate) const DATABASE: &str = "player_user_center";
/// How many ids each shard has at most; a small number makes changes meet.
const IDS: u64 = 400;
/// Ids of different shards never meet: the last digits are the shard's.
const SHARDS_MAX: u64 = 1_000;
/// 2023-11-14 00:00:00 UTC; times lie in the eight days behind it.
const FIRST_SECOND: u64 = 1_699_920_000;
const SECONDS: u64 = 8 * 86_400;
/// One of so many transactions is followed by a change of a definition.
const TRANSACTIONS_A_DEFINITION: u64 = 50;

/// What the shards of a table have in common.
struct Family {
    name: &'static str,
    first: u64,
    create: &'static str,
    /// Columns that the pipeline reads and that come and go, with their types.
    passing: &'static [(&'static str, &'static str)],
    /// Columns that the pipeline reads, with types that hold the same values.
    retyped: &'static [(&'static str, &'static [&'static str])],
    /// Columns that are always there.
    lasting: &'static [&'static str],
}

const LOGIN: Family = Family {
    name: "login_log_",
    first: 202_300,
    create: "(login_log_id bigint unsigned NOT NULL, account_id bigint, long_account_id varchar(64),
        short_account_id varchar(32), game_code varchar(32), package_code varchar(64), channel_id int,
        login_at int unsigned NOT NULL, login_ip varchar(64), device_ua text, device_id char(36), device_net varchar(16),
        device_ratio varchar(16), device_os varchar(64), device_carrier varchar(64), ext json, created_at int unsigned,
        updated_at int unsigned, deleted_at int unsigned, PRIMARY KEY (login_log_id)) DEFAULT CHARSET=utf8mb4",
    passing: &[
        ("package_code", "varchar(64)"),
        ("device_ua", "text"),
        ("ext", "json"),
    ],
    retyped: &[
        ("channel_id", &["int", "bigint", "varchar(20)"]),
        ("account_id", &["bigint", "decimal(20,0)", "int"]),
        ("login_at", &["int unsigned NOT NULL", "bigint NOT NULL"]),
        ("long_account_id", &["varchar(64)", "varchar(300)", "text CHARACTER SET utf8mb3"]),
    ],
    lasting: &["login_log_id", "login_ip", "created_at", "updated_at", "game_code"],
};

const ACCOUNT: Family = Family {
    name: "account_",
    first: 0,
    create: "(account_id bigint NOT NULL, open_id varchar(128), dy_openid varchar(128), dy_ios_openid varchar(128),
        ext text, last_channel int, last_login_time int, last_login_ip varchar(45), created_at int NOT NULL,
        updated_at int, deleted_at int, PRIMARY KEY (account_id)) DEFAULT CHARSET=utf8mb4",
    passing: &[("dy_openid", "varchar(128)"), ("dy_ios_openid", "varchar(128)")],
    retyped: &[
        ("last_channel", &["int", "mediumint", "bigint"]),
        ("created_at", &["int NOT NULL", "int unsigned NOT NULL"]),
        ("ext", &["text", "varchar(100)", "longtext"]),
    ],
    lasting: &["account_id", "last_login_ip", "updated_at", "open_id"],
};

/// Where a column is that the pipeline does not find.
#[derive(Clone)]
enum Absent {
    Dropped,
    Renamed,
}

#[derive(Clone)]
struct Shard {
    table: String,
    number: u64,
    /// Grows when the rows are truncated.
    generation: u64,
    absent: BTreeMap<&'static str, Absent>,
    has_extra: bool,
}

impl Shard {
    fn id(&self, id: u64) -> u64 {
        (self.generation * IDS + id) * SHARDS_MAX + self.number
    }

    /// Returns how a query names a column that may be absent.
    fn read<'a>(&self, column: &'a str) -> &'a str {
        if self.absent.contains_key(column) {
            "NULL"
        } else {
            column
        }
    }

    /// Returns `(columns) VALUES (values)` without what is absent.
    fn values(&self, values: &[(&str, String)]) -> String {
        let there: Vec<_> = values
            .iter()
            .filter(|(name, _)| !self.absent.contains_key(name))
            .collect();
        let names: Vec<&str> = there.iter().map(|(name, _)| *name).collect();
        let values: Vec<&str> = there.iter().map(|(_, value)| value.as_str()).collect();
        format!("({}) VALUES ({})", names.join(", "), values.join(", "))
    }

    fn touch(&self) -> String {
        format!(
            "UPDATE {} SET updated_at = IFNULL(updated_at, {FIRST_SECOND}) + 1",
            self.table
        )
    }
}

/// Rows by key, as the pipeline's query gives them.
pub(crate) type Rows = BTreeMap<String, String>;

struct Shards {
    family: &'static Family,
    now: Vec<Shard>,
    /// How many there were.
    numbers: u64,
    names: u64,
    /// Rows of shards that are gone.
    left: Rows,
}

impl Shards {
    fn new(family: &'static Family) -> Self {
        Self {
            family,
            now: Vec::new(),
            numbers: 0,
            names: 0,
            left: Rows::new(),
        }
    }

    fn new_name(&mut self) -> String {
        self.names += 1;
        format!(
            "{DATABASE}.{}{}",
            self.family.name,
            self.family.first + self.names
        )
    }

    fn add(&mut self, like: Option<usize>, session: &mut Session) -> Result<()> {
        let table = self.new_name();
        let number = self.numbers;
        self.numbers += 1;
        let (definition, old) = match like.map(|index| self.now[index].clone()) {
            Some(old) => (format!("LIKE {}", old.table), Some(old)),
            None => (self.family.create.to_owned(), None),
        };
        session.send(&format!("CREATE TABLE {table} {definition}"))?;
        self.now.push(Shard {
            table,
            number,
            generation: 0,
            absent: old
                .as_ref()
                .map(|old| old.absent.clone())
                .unwrap_or_default(),
            has_extra: old.is_some_and(|old| old.has_extra),
        });
        Ok(())
    }
}

/// The tables of MySQL that a random workload changes.
pub(crate) struct Workload {
    random: Random,
    logins: Shards,
    accounts: Shards,
    done: Arc<AtomicU64>,
    definitions: u64,
}

impl Workload {
    pub(crate) fn new(random: Random) -> Self {
        Self {
            random,
            logins: Shards::new(&LOGIN),
            accounts: Shards::new(&ACCOUNT),
            done: Arc::default(),
            definitions: 0,
        }
    }

    /// Returns how many changes were sent so far.
    pub(crate) fn done(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.done)
    }

    /// Returns how often a definition was changed.
    pub(crate) fn definitions(&self) -> u64 {
        self.definitions
    }

    pub(crate) fn add_login_shard(&mut self, session: &mut Session) -> Result<()> {
        self.logins.add(None, session)
    }

    pub(crate) fn add_account_shard(&mut self, session: &mut Session) -> Result<()> {
        self.accounts.add(None, session)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.random.next() % bound
    }

    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }

    fn second(&mut self) -> u64 {
        FIRST_SECOND + self.below(SECONDS)
    }

    /// Sends one transaction of a few statements; some are rolled back.
    fn transaction(&mut self, session: &mut Session) -> Result<()> {
        session.send("BEGIN")?;
        for _ in 0..=self.below(12) {
            let statement = if self.below(3) == 0 {
                self.account_statement()
            } else {
                self.login_statement()
            };
            session.send(&statement)?;
            self.done.fetch_add(1, Ordering::Relaxed);
        }
        let end = if self.below(20) == 0 {
            "ROLLBACK"
        } else {
            "COMMIT"
        };
        session.send(end)
    }

    fn login_statement(&mut self) -> String {
        let shard = self.below(self.logins.now.len() as u64);
        let shard = self.logins.now[shard as usize].clone();
        let table = &shard.table;
        let (id, other) = (shard.id(self.below(IDS)), shard.id(self.below(IDS)));
        let (second, number) = (self.second(), self.below(100_000));
        let text = |text: &str| format!("'{text}'");
        match self.below(10) {
            0..4 => {
                let values = shard.values(&[
                    ("login_log_id", id.to_string()),
                    ("account_id", number.to_string()),
                    ("long_account_id", format!("'l{number}'")),
                    ("game_code", text("g")),
                    ("package_code", format!("'pä{number}'")),
                    ("channel_id", (number % 7).to_string()),
                    ("login_at", second.to_string()),
                    ("login_ip", text("1.2.3.4")),
                    ("device_ua", format!("'ua \\\\ \"q\"\\n\\t{number}'")),
                    ("device_net", text("wifi")),
                    ("ext", format!("'{{\"n\": {number}, \"t\": \"x\"}}'")),
                    ("created_at", second.to_string()),
                ]);
                format!("REPLACE INTO {table} {values}")
            }
            4 => format!("UPDATE {table} SET login_at = {second} WHERE login_log_id = {id}"),
            5 => format!(
                "UPDATE {table} SET long_account_id = 'u{number}', updated_at = {second} WHERE login_log_id = {id}"
            ),
            6 => format!(
                "UPDATE {table} SET channel_id = channel_id + 1 WHERE login_log_id BETWEEN {id} AND {id} + 7000"
            ),
            7 => format!(
                "UPDATE IGNORE {table} SET login_log_id = {other}, login_at = {second} WHERE login_log_id = {id}"
            ),
            8 => format!("DELETE FROM {table} WHERE login_log_id = {id}"),
            _ => format!("DELETE FROM {table} WHERE login_log_id BETWEEN {id} AND {id} + 3000"),
        }
    }

    fn account_statement(&mut self) -> String {
        let shard = self.below(self.accounts.now.len() as u64);
        let shard = self.accounts.now[shard as usize].clone();
        let table = &shard.table;
        let (id, other) = (shard.id(self.below(IDS)), shard.id(self.below(IDS)));
        let (second, number) = (self.second(), self.below(100_000));
        match self.below(6) {
            0..3 => {
                let values = shard.values(&[
                    ("account_id", id.to_string()),
                    ("open_id", format!("'o{number}'")),
                    ("dy_openid", format!("'ไทย😀{number}'")),
                    ("dy_ios_openid", "''".to_owned()),
                    ("last_channel", number.to_string()),
                    ("last_login_time", second.to_string()),
                    ("last_login_ip", "'::1'".to_owned()),
                    ("created_at", second.to_string()),
                    ("deleted_at", number.to_string()),
                ]);
                format!(
                    "INSERT INTO {table} {values}
                       ON DUPLICATE KEY UPDATE last_login_time = {second}, ext = 'again {number}', deleted_at = NULL"
                )
            }
            3 => format!("UPDATE {table} SET created_at = {second} WHERE account_id = {id}"),
            4 => format!("UPDATE IGNORE {table} SET account_id = {other} WHERE account_id = {id}"),
            _ => format!("DELETE FROM {table} WHERE account_id = {id}"),
        }
    }

    /// Sends transactions, with definitions that change in between, until `changes` more statements were sent, and waits
    /// for them.
    pub(crate) fn run(&mut self, changes: u64, session: &mut Session) -> Result<()> {
        let until = self.done.load(Ordering::Relaxed) + changes;
        while self.done.load(Ordering::Relaxed) < until {
            self.transaction(session)?;
            if self.below(TRANSACTIONS_A_DEFINITION) == 0 {
                self.change_definition(session)?;
            }
            // Not so far ahead of the server that nobody could tell where it is.
            session.query("SELECT 1")?;
        }
        Ok(())
    }

    fn change_definition(&mut self, session: &mut Session) -> Result<()> {
        self.definitions += 1;
        let is_login = self.below(2) == 0;
        let shards = if is_login {
            &self.logins
        } else {
            &self.accounts
        };
        let (family, count, numbers) = (shards.family, shards.now.len(), shards.numbers);
        let index = self.below(count as u64) as usize;
        let choice = self.below(10);
        let place = self.place(family);
        match choice {
            0..2 => self.toggle_extra(is_login, index, &place, session),
            2..4 => {
                let (column, types) = self.one_of(family.retyped);
                let ty = self.one_of(types);
                let table = &self.shard(is_login, index).table;
                session.send(&format!(
                    "ALTER TABLE {table} MODIFY COLUMN {column} {ty}{place}"
                ))
            }
            4..7 => self.toggle_passing(is_login, index, &place, session),
            7 if count < 8 && numbers < SHARDS_MAX => {
                let like = (self.below(2) == 0).then_some(index);
                self.shards(is_login).add(like, session)
            }
            8 if count > 3 => self.take_rows_away(is_login, index, session),
            _ => {
                let name = self.shards(is_login).new_name();
                let old = std::mem::replace(&mut self.shard(is_login, index).table, name.clone());
                session.send(&format!("RENAME TABLE {old} TO {name}"))
            }
        }
    }

    fn shards(&mut self, is_login: bool) -> &mut Shards {
        if is_login {
            &mut self.logins
        } else {
            &mut self.accounts
        }
    }

    fn shard(&mut self, is_login: bool, index: usize) -> &mut Shard {
        &mut self.shards(is_login).now[index]
    }

    /// Returns where in a table a column is put.
    fn place(&mut self, family: &Family) -> String {
        match self.below(3) {
            0 => String::new(),
            1 => " FIRST".to_owned(),
            _ => format!(" AFTER {}", self.one_of(family.lasting)),
        }
    }

    /// Adds or drops a column that the pipeline does not read.
    fn toggle_extra(
        &mut self,
        is_login: bool,
        index: usize,
        place: &str,
        session: &mut Session,
    ) -> Result<()> {
        let ty = self.one_of(&[
            "varchar(20) DEFAULT 'x'",
            "int NOT NULL DEFAULT 7",
            "datetime(6)",
        ]);
        let shard = self.shard(is_login, index);
        shard.has_extra = !shard.has_extra;
        let table = &shard.table;
        session.send(&if shard.has_extra {
            format!("ALTER TABLE {table} ADD COLUMN extra {ty}{place}, COMMENT = 'more'")
        } else {
            format!("ALTER TABLE {table} DROP COLUMN extra")
        })
    }

    /// Drops or renames a column that the pipeline reads, or brings it back.
    fn toggle_passing(
        &mut self,
        is_login: bool,
        index: usize,
        place: &str,
        session: &mut Session,
    ) -> Result<()> {
        let family = self.shards(is_login).family;
        let (column, ty) = self.one_of(family.passing);
        let choice = self.below(3);
        let shard = self.shard(is_login, index);
        let table = &shard.table;
        let alteration = match shard.absent.remove(column) {
            Some(Absent::Dropped) => format!("ADD COLUMN {column} {ty}{place}"),
            Some(Absent::Renamed) => format!("RENAME COLUMN {column}_old TO {column}"),
            None => {
                let (absent, alteration) = match choice {
                    0 => (Absent::Dropped, format!("DROP COLUMN {column}")),
                    1 => (
                        Absent::Renamed,
                        format!("RENAME COLUMN {column} TO {column}_old"),
                    ),
                    _ => (
                        Absent::Renamed,
                        format!("CHANGE COLUMN {column} {column}_old {ty}{place}"),
                    ),
                };
                shard.absent.insert(column, absent);
                alteration
            }
        };
        session.send(&format!("ALTER TABLE {table} {alteration}"))?;
        session.send(&shard.touch())
    }

    /// Truncates or drops a shard: the log holds none of its rows, so those stay where they were written to.
    fn take_rows_away(
        &mut self,
        is_login: bool,
        index: usize,
        session: &mut Session,
    ) -> Result<()> {
        let drops = self.below(2) == 0;
        let shard = self.shard(is_login, index).clone();
        let rows = if is_login {
            login_rows(&shard, session)?
        } else {
            account_rows(&shard, session)?
        };
        let shards = self.shards(is_login);
        shards.left.extend(rows);
        if drops {
            shards.now.remove(index);
            return session.send(&format!("DROP TABLE {}", shard.table));
        }
        shards.now[index].generation += 1;
        session.send(&format!("TRUNCATE TABLE {}", shard.table))
    }

    /// Returns what the pipeline's query gives of the tables now, by key.
    pub(crate) fn logins(&self, session: &mut Session) -> Result<Rows> {
        let mut rows = self.logins.left.clone();
        for shard in &self.logins.now {
            rows.extend(login_rows(shard, session)?);
        }
        Ok(rows)
    }

    pub(crate) fn accounts(&self, session: &mut Session) -> Result<Rows> {
        let mut rows = self.accounts.left.clone();
        for shard in &self.accounts.now {
            rows.extend(account_rows(shard, session)?);
        }
        Ok(rows)
    }
}

fn time(column: &str) -> String {
    format!("CONCAT(FROM_UNIXTIME({column}), '.000')")
}

fn login_rows(shard: &Shard, session: &mut Session) -> Result<Rows> {
    let columns = format!(
        "JSON_ARRAY(DATE(FROM_UNIXTIME(login_at)), login_log_id), JSON_OBJECT('account_id', CAST(account_id AS SIGNED),
           'long_account_id', long_account_id, 'package_code', {}, 'channel_id', CAST(channel_id AS SIGNED), 'login_at', {},
           'device_ua', {}, 'ext', {}, 'created_at', {}, 'updated_at', {}, 'deleted_at', {})",
        shard.read("package_code"),
        time("login_at"),
        shard.read("device_ua"),
        shard.read("ext"),
        time("created_at"),
        time("updated_at"),
        time("deleted_at")
    );
    table(session, &shard.table, &columns)
}

fn account_rows(shard: &Shard, session: &mut Session) -> Result<Rows> {
    let columns = format!(
        "JSON_ARRAY(DATE(FROM_UNIXTIME(created_at)), account_id), JSON_OBJECT('open_id', open_id, 'dy_openid', {},
           'dy_ios_openid', {}, 'ext', ext, 'last_channel', last_channel, 'last_login_time', {}, 'created_at', {},
           'deleted_at', CAST(deleted_at AS CHAR))",
        shard.read("dy_openid"),
        shard.read("dy_ios_openid"),
        time("last_login_time"),
        time("created_at")
    );
    table(session, &shard.table, &columns)
}

/// Reads two JSON columns of a table.
fn table(session: &mut Session, table: &str, columns: &str) -> Result<Rows> {
    let mut rows = Rows::new();
    for line in session.query(&format!("SELECT {columns} FROM {table}"))? {
        let (key, row) = line.split_once('\t').context("two columns")?;
        let key: Value = serde_json::from_str(key)?;
        let row: Value = serde_json::from_str(row)?;
        rows.insert(key.to_string(), in_order(&row));
    }
    Ok(rows)
}

/// Returns an object's members by name, texts that hold JSON as values: MySQL and the binary log space them differently.
pub(crate) fn in_order(row: &Value) -> String {
    let members: BTreeMap<&String, Value> = row
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| {
            let inner = value.as_str().filter(|text| text.starts_with('{'));
            let parsed = inner.and_then(|text| serde_json::from_str(text).ok());
            (name, parsed.unwrap_or_else(|| value.clone()))
        })
        .collect();
    format!("{members:?}")
}
