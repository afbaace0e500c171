//! What the rows of sinks add up to.

use std::collections::{BTreeMap, HashMap};

use millrace_plan::Sink;
use serde_json::{Map, Value};

use super::{Case, Change};

/// The contents of all sinks.
#[derive(Clone, Debug)]
pub struct Materialised {
    sinks: Vec<Contents>,
}

/// The contents of one sink: by key where it has no `UB`, else a bag.
#[derive(Clone, Debug)]
struct Contents {
    name: Option<String>,
    key: Option<Vec<usize>>,
    rows: BTreeMap<String, (Vec<Value>, i64)>,
}

/// Returns the columns by which a sink's rows replace each other.
fn key_of(definition: &millrace_connector::TableDefinition) -> Option<Vec<usize>> {
    let mode = definition
        .option("sink-mode")
        .map_or("I,UB,UA,D", |option| option.value.as_str());
    if definition.primary_key.is_empty() || mode.contains("UB") || mode == "I" {
        return None;
    }
    let place = |name: &str| {
        let mut columns = definition.columns.iter();
        columns.position(|column| column.name.value == name)
    };
    let key = definition.primary_key.iter();
    key.map(|name| place(&name.value)).collect()
}

impl Materialised {
    /// Returns empty sinks.
    #[must_use]
    pub fn new(case: &Case) -> Self {
        let names = case.inserts.iter().flatten().map(|text| sink_name(text));
        let tables: HashMap<String, _> = tables(case);
        let mut sinks: Vec<Contents> = Vec::new();
        for name in names {
            if sinks.iter().any(|sink| sink.name.as_deref() == Some(&name)) {
                continue;
            }
            sinks.push(Contents {
                key: tables.get(&name).cloned().flatten(),
                name: Some(name),
                rows: BTreeMap::new(),
            });
        }
        if sinks.is_empty() {
            sinks.push(Contents {
                name: None,
                key: None,
                rows: BTreeMap::new(),
            });
        }
        Self { sinks }
    }

    /// Takes changes.
    pub fn add<'a>(&mut self, changes: impl IntoIterator<Item = &'a Change>) {
        for change in changes {
            let one = self.sinks.len() == 1;
            let mut sinks = self.sinks.iter_mut();
            let found = sinks.find(|sink| one || sink.name == change.sink);
            if let Some(sink) = found {
                sink.add(change);
            }
        }
    }

    /// Returns what there is, rows that were retracted too often included.
    #[must_use]
    pub fn view(&self) -> Vec<Vec<(&str, i64)>> {
        let sinks = self.sinks.iter();
        sinks
            .map(|sink| {
                let rows = sink.rows.iter();
                rows.map(|(text, (row, count))| match sink.key {
                    Some(_) => (text.as_str(), row_hash(row)),
                    None => (text.as_str(), *count),
                })
                .collect()
            })
            .collect()
    }

    /// Returns the rows of each sink, sorted as text; `{sink: rows}` where there are several.
    #[must_use]
    pub fn rows(&self) -> Value {
        let sorted = |sink: &Contents| {
            let mut rows: Vec<(String, Value)> = Vec::new();
            for (row, count) in sink.rows.values() {
                let value = Value::from(row.clone());
                for _ in 0..*count {
                    rows.push((value.to_string(), value.clone()));
                }
            }
            rows.sort_by(|a, b| a.0.cmp(&b.0));
            Value::from_iter(rows.into_iter().map(|(_, row)| row))
        };
        match self.sinks.as_slice() {
            [sink] => sorted(sink),
            sinks => {
                let mut all = Map::new();
                for sink in sinks {
                    all.insert(sink.name.clone().unwrap_or_default(), sorted(sink));
                }
                Value::Object(all)
            }
        }
    }
}

impl Contents {
    fn add(&mut self, change: &Change) {
        let Some(key) = &self.key else {
            let text = Value::from(change.row.clone()).to_string();
            let entry = self.rows.entry(text.clone());
            let (_, count) = entry.or_insert_with(|| (change.row.clone(), 0));
            *count += if change.adds() { 1 } else { -1 };
            if *count == 0 {
                self.rows.remove(&text);
            }
            return;
        };
        let parts = key.iter().map(|index| change.row[*index].clone());
        let text = Value::from_iter(parts).to_string();
        if change.adds() {
            self.rows.insert(text, (change.row.clone(), 1));
        } else {
            self.rows.remove(&text);
        }
    }
}

/// Returns the table that an INSERT of a case writes.
#[must_use]
pub fn sink_name(insert: &str) -> String {
    let rest = insert.trim_start_matches("INSERT INTO ");
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
    rest[..end.unwrap_or(rest.len())].to_owned()
}

fn row_hash(row: &[Value]) -> i64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    Value::from(row.to_vec()).to_string().hash(&mut hasher);
    i64::from_ne_bytes(hasher.finish().to_ne_bytes())
}

fn tables(case: &Case) -> HashMap<String, Option<Vec<usize>>> {
    let parsed = millrace_sql::parse(&case.script());
    let settings = super::run::settings(case);
    let tables = millrace_plan::tables(&parsed.statements, &settings);
    let keys = tables
        .iter()
        .map(|table| (table.name.value.clone(), key_of(table)));
    keys.collect()
}

/// Returns the row of a sink as the cases write it.
#[must_use]
pub fn printed(sink: &Sink, columns: &[arrow_array::ArrayRef], row: usize) -> Vec<Value> {
    let cells = sink.columns.iter().zip(columns);
    cells
        .map(|(column, array)| {
            let ty = &sink.table.columns[*column].ty;
            crate::value::print(ty, array, row)
        })
        .collect()
}
