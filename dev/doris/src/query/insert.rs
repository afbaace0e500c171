//! INSERT: rows of VALUES or of a query, as one load that is visible at once.

use serde_json::{Map, Value};

use super::packet::Refusal;
use super::statement::{Reply, Speaker, unknown_table};
use super::token::{Cursor, split};
use crate::headers::LoadRequest;
use crate::load::{LoadFailure, Loader};
use crate::transaction::{Begun, TransactionState};

/// Answers INSERT, from behind the word.
pub(crate) fn insert(speaker: &Speaker, cursor: &mut Cursor<'_>) -> Result<Reply, Refusal> {
    let detail = |error: String| Refusal::detail(error);
    if !cursor.words(&["INTO"]) {
        return Err(Refusal::detail("the stand-in knows INSERT INTO only"));
    }
    cursor.words(&["TABLE"]);
    let (db, table) = cursor.path().map_err(detail)?;
    let db = speaker.database(db)?;
    let cluster = &speaker.shared.cluster;
    let schema = cluster
        .table(&db, &table)
        .ok_or_else(|| unknown_table(&table))?;
    let is_list = cursor.peek().is_some_and(|token| token.is_sign("("));
    let names: Vec<String> = if is_list {
        let list = split(cursor.group().map_err(detail)?);
        let names: Result<_, String> = list.into_iter().map(|name| Cursor(name).name()).collect();
        names.map_err(detail)?
    } else {
        schema.shown().map(|column| column.name.clone()).collect()
    };
    let tokens = speaker.with_facts(cursor.0);
    let found = {
        let mut mirrors = speaker.shared.mirrors.lock();
        mirrors.query(cluster, &tokens, speaker.db.as_deref())?
    };
    if found.heads.len() != names.len() {
        return Err(Refusal::detail("Column count doesn't match value count"));
    }
    let label = format!("label_{}", uuid::Uuid::new_v4().simple());
    let io = |error: std::io::Error| Refusal::detail(error);
    let begun = cluster.begin((&db, &table, &label), None).map_err(io)?;
    let Begun::Open(id) = begun else {
        return Err(Refusal::detail("a fresh label is taken"));
    };
    let request = LoadRequest::of_rows(names.clone());
    let loaded = Loader::open(&request, &schema, &cluster.rows_path(id)).and_then(|mut loader| {
        for row in &found.rows {
            let values = row.iter().map(|cell| match cell {
                None => Value::Null,
                Some(text) => Value::from(text.as_str()),
            });
            let object: Map<String, Value> = names.iter().cloned().zip(values).collect();
            let mut line = Value::Object(object).to_string();
            line.push('\n');
            loader.feed(line.as_bytes())?;
        }
        loader.finish().map_err(|failure| match failure {
            LoadFailure::Quality(counts) => format!(
                "Insert has filtered data in strict mode: {}",
                counts.errors.first().cloned().unwrap_or_default()
            ),
            LoadFailure::Other(text) => text,
        })
    });
    match loaded {
        Ok(counts) => {
            cluster
                .finish_load(id, TransactionState::Visible, counts.loaded)
                .map_err(io)?;
            Ok(Reply::Done(counts.loaded))
        }
        Err(text) => {
            cluster.abort_open(id, &text).map_err(io)?;
            Err(Refusal::detail(text))
        }
    }
}
