//! The comparison of a file's table with Doris's, as people read it: what differs, and the statement that mends it.

use millrace_connector::{ConnectorError, ErrorKind, FlinkType, Retry};

use super::fit::{Fit, fit, is_equal_in_arrow};
use super::types::suggestion;
use super::{ColumnFact, Model, TableFacts};

/// What a file writes into a table.
#[derive(Clone, Debug)]
pub(crate) struct Written<'a> {
    /// `db.table`.
    pub(crate) name: String,
    pub(crate) columns: &'a [(String, FlinkType)],
    pub(crate) primary_key: &'a [String],
    /// Whether names of columns are matched by a `columns` header of the user's own.
    pub(crate) is_mapped: bool,
    /// Whether rows have only some columns and the table keeps the others.
    pub(crate) is_partial: bool,
    /// The column that tells which of two rows is newer.
    pub(crate) sequence: Option<&'a str>,
    /// Whether bodies are Arrow's.
    pub(crate) is_arrow: bool,
    /// Whether differences stop the pipeline.
    pub(crate) is_strict: bool,
}

/// One line of the comparison.
#[derive(Debug)]
struct Difference {
    column: String,
    in_file: String,
    in_doris: String,
    what: String,
    mends: Option<String>,
    is_fatal: bool,
}

/// Compares; what may still work is logged.
///
/// # Errors
/// The table cannot take the rows.
pub(crate) fn check(
    written: &Written<'_>,
    facts: Option<&TableFacts>,
) -> Result<(), ConnectorError> {
    let Some(facts) = facts else {
        let text = format!("table {} is not there, or not for this user", written.name);
        return Err(
            ConnectorError::new(ErrorKind::Config, Retry::Never, text).help(format!(
                "correct its name, or create it: {}",
                create(written)
            )),
        );
    };
    let found = differences(written, facts);
    if found.is_empty() {
        return Ok(());
    }
    let is_fatal = found.iter().any(|difference| difference.is_fatal);
    let text = format!(
        "table {} in Doris does not fit:\n{}",
        written.name,
        render(&found)
    );
    if !is_fatal || !written.is_strict {
        tracing::warn!("{text}");
        return Ok(());
    }
    let mends: Vec<&str> = found
        .iter()
        .filter_map(|difference| difference.mends.as_deref())
        .collect();
    let help = if mends.is_empty() {
        "change the table in Doris or the CREATE TABLE of the file".to_owned()
    } else {
        format!("correct the file, or the table: {}", mends.join(" "))
    };
    Err(
        ConnectorError::new(ErrorKind::Config, Retry::Never, text).help(format!(
            "{help} ('sink.schema-check' = 'warn' starts all the same)"
        )),
    )
}

fn differences(written: &Written<'_>, facts: &TableFacts) -> Vec<Difference> {
    let mut found = Vec::new();
    if !written.is_mapped && !facts.columns.is_empty() {
        for (name, ty) in written.columns {
            match facts.column(name) {
                Some(column) => found.extend(compare(written, name, ty, column)),
                None => found.push(missing(written, name, ty)),
            }
        }
        found.extend(
            facts
                .columns
                .iter()
                .filter(|column| !is_written(written, &column.name))
                .filter_map(|column| unwritten(written, facts, column)),
        );
    }
    found.extend(about_model(written, facts));
    found
}

fn is_written(written: &Written<'_>, name: &str) -> bool {
    let mut columns = written.columns.iter();
    columns.any(|(written, _)| written.eq_ignore_ascii_case(name))
}

fn compare(
    written: &Written<'_>,
    name: &str,
    ty: &FlinkType,
    column: &ColumnFact,
) -> Vec<Difference> {
    let difference = |what: String, mends: Option<String>, is_fatal| Difference {
        column: name.to_owned(),
        in_file: ty.to_string(),
        in_doris: shown(column),
        what,
        mends,
        is_fatal,
    };
    let is_key = column.is_key.unwrap_or(false);
    let modify = |not_null: bool| {
        let null = if not_null { " NOT NULL" } else { "" };
        let ty = suggestion(ty, is_key);
        // The key's columns cannot be changed so.
        (!is_key).then(|| {
            format!(
                "ALTER TABLE {} MODIFY COLUMN `{}` {ty}{null};",
                written.name, column.name
            )
        })
    };
    let keeps_null = column.nullable == Some(false);
    let mut found = Vec::new();
    match fit(ty, &column.ty) {
        _ if written.is_arrow => {
            if let Err(why) = is_equal_in_arrow(ty, column) {
                found.push(difference(why, None, true));
            }
        }
        Fit::Whole => {}
        Fit::Partly(why) => found.push(difference(why, modify(keeps_null), false)),
        Fit::No(why) => found.push(difference(why, modify(keeps_null), true)),
    }
    if keeps_null && ty.nullable && !written.is_partial {
        let what = "rows with NULL are refused".to_owned();
        found.push(difference(what, modify(false), false));
    }
    found
}

fn shown(column: &ColumnFact) -> String {
    let null = match column.nullable {
        Some(false) => " NOT NULL",
        _ => "",
    };
    format!("{}{null}", column.shown)
}

fn missing(written: &Written<'_>, name: &str, ty: &FlinkType) -> Difference {
    Difference {
        column: name.to_owned(),
        in_file: ty.to_string(),
        in_doris: "–".into(),
        what: "has no such column".into(),
        mends: Some(format!(
            "ALTER TABLE {} ADD COLUMN `{name}` {};",
            written.name,
            suggestion(ty, false)
        )),
        is_fatal: true,
    }
}

/// What it means that a column of the table is not written.
fn unwritten(written: &Written<'_>, facts: &TableFacts, column: &ColumnFact) -> Option<Difference> {
    let has_default = column.has_default.unwrap_or(false);
    let is_key = column.is_key == Some(true);
    let merges = matches!(facts.model, Some(Model::Unique | Model::Aggregate));
    let (what, mends) = if is_key && merges && !has_default {
        ("belongs to the key, and the file does not write it", None)
    } else if column.nullable == Some(false) && !has_default && !written.is_partial {
        let mends = format!(
            "ALTER TABLE {} MODIFY COLUMN `{}` {} NULL;",
            written.name, column.name, column.shown
        );
        (
            "must have a value, and the file does not write it",
            Some(mends),
        )
    } else {
        return None;
    };
    Some(Difference {
        column: column.name.clone(),
        in_file: "–".into(),
        in_doris: shown(column),
        what: what.into(),
        mends: mends.filter(|_| !is_key),
        is_fatal: true,
    })
}

/// What the table's model has to say.
fn about_model(written: &Written<'_>, facts: &TableFacts) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut add = |column: &str, what: String, is_fatal| {
        found.push(Difference {
            column: column.to_owned(),
            in_file: "–".into(),
            in_doris: facts.model.map_or("–", Model::word).to_owned(),
            what,
            mends: None,
            is_fatal,
        });
    };
    let is_unique = facts.is_unique().unwrap_or(true);
    if written.is_partial && !is_unique {
        add(
            "–",
            "only a UNIQUE table takes a part of its columns".into(),
            true,
        );
    }
    if !written.primary_key.is_empty() && !is_unique {
        let what = "the file has a PRIMARY KEY, but only a UNIQUE table takes updates and deletes";
        add(&written.primary_key.join(", "), what.into(), false);
    }
    if let Some(sequence) = written.sequence {
        if !is_unique {
            add(
                sequence,
                "only a UNIQUE table has a sequence column".into(),
                true,
            );
        }
        if !written.is_mapped && !is_written(written, sequence) {
            add(
                sequence,
                "is the sequence column, and the file does not write it".into(),
                true,
            );
        }
    }
    found
}

fn render(found: &[Difference]) -> String {
    let heads = ["column", "in the file", "in Doris", "what"];
    let cells = |difference: &Difference| {
        [
            difference.column.clone(),
            difference.in_file.clone(),
            difference.in_doris.clone(),
            format!(
                "{}{}",
                if difference.is_fatal { "✗ " } else { "! " },
                difference.what
            ),
        ]
    };
    let mut rows = vec![heads.map(str::to_owned)];
    rows.extend(found.iter().map(cells));
    let mut widths = [0; 4];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |row: &[String; 4]| {
        let mut text = String::new();
        for (cell, width) in row.iter().zip(widths) {
            text.push_str("  ");
            text.push_str(cell);
            text.push_str(&" ".repeat(width - cell.chars().count()));
        }
        text.trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Returns a CREATE TABLE that takes everything the file writes.
fn create(written: &Written<'_>) -> String {
    let first = written.columns.first().map(|(name, _)| name.clone());
    let (model, keys): (&str, Vec<String>) = if written.primary_key.is_empty() {
        ("DUPLICATE", first.into_iter().collect())
    } else {
        ("UNIQUE", written.primary_key.to_vec())
    };
    let is_key = |name: &String| keys.contains(name);
    // Doris wants the key's columns first.
    let mut columns: Vec<_> = written.columns.iter().collect();
    columns.sort_by_key(|(name, _)| {
        let place = keys.iter().position(|key| key == name);
        place.unwrap_or(usize::MAX)
    });
    let columns: Vec<String> = columns
        .iter()
        .map(|(name, ty)| {
            let null = if ty.nullable && !(is_key(name) && model == "UNIQUE") {
                ""
            } else {
                " NOT NULL"
            };
            format!("`{name}` {}{null}", suggestion(ty, is_key(name)))
        })
        .collect();
    let keys: Vec<String> = keys.iter().map(|key| format!("`{key}`")).collect();
    let keys = keys.join(", ");
    format!(
        "CREATE TABLE {} ({}) {model} KEY ({keys}) DISTRIBUTED BY HASH ({keys}) BUCKETS AUTO;",
        written.name,
        columns.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use millrace_connector::TypeKind;

    use super::*;
    use crate::query::Described;

    fn facts(model: Model, columns: &[(&str, &str, bool, bool, bool)]) -> TableFacts {
        let column =
            |(name, ty, nullable, is_key, has_default): &(&str, &str, bool, bool, bool)| {
                ColumnFact::from(Described {
                    name: (*name).to_owned(),
                    ty: (*ty).to_owned(),
                    nullable: *nullable,
                    is_key: *is_key,
                    has_default: *has_default,
                })
            };
        TableFacts {
            model: Some(model),
            columns: columns.iter().map(column).collect(),
        }
    }

    fn written(columns: &[(String, FlinkType)]) -> Written<'_> {
        Written {
            name: "shop.orders".into(),
            columns,
            primary_key: &[],
            is_mapped: false,
            is_partial: false,
            sequence: None,
            is_arrow: false,
            is_strict: true,
        }
    }

    fn columns() -> Vec<(String, FlinkType)> {
        vec![
            ("id".into(), TypeKind::BigInt.not_null()),
            ("amount".into(), TypeKind::Decimal(18, 4).nullable()),
            ("at".into(), TypeKind::Timestamp(3).nullable()),
        ]
    }

    #[test]
    fn what_cannot_work_is_shown_as_a_table_with_its_cure() {
        let columns = columns();
        let there = facts(
            Model::Unique,
            &[
                ("id", "bigint", false, true, false),
                ("amount", "decimal(9,2)", true, false, false),
                ("at", "boolean", true, false, false),
                ("shop", "int", false, true, false),
                ("why", "text", false, false, false),
                ("seen", "datetime", false, false, true),
            ],
        );
        let error = check(&written(&columns), Some(&there)).unwrap_err();
        let expected = "table shop.orders in Doris does not fit:
  column  in the file     in Doris      what
  amount  DECIMAL(18, 4)  DECIMAL(9,2)  ! numbers of more than 7 digits before the point are refused
  at      TIMESTAMP(3)    BOOLEAN       ✗ TIMESTAMP(3) is never taken
  shop    –               INT NOT NULL  ✗ belongs to the key, and the file does not write it
  why     –               TEXT NOT NULL ✗ must have a value, and the file does not write it";
        let squeeze = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(squeeze(&error.message), squeeze(expected));
        let help = error.help.unwrap();
        assert!(
            help.contains("ALTER TABLE shop.orders MODIFY COLUMN `at` DATETIME(3);"),
            "{help}"
        );
        assert!(help.contains("MODIFY COLUMN `why` TEXT NULL;"), "{help}");
    }

    #[test]
    fn what_may_work_does_not_stop() {
        let columns = columns();
        let there = facts(
            Model::Duplicate,
            &[
                ("ID", "int", false, true, false),
                ("amount", "decimal(9,2)", false, false, false),
                ("at", "datetime", true, false, false),
                ("more", "int", true, false, false),
            ],
        );
        assert!(check(&written(&columns), Some(&there)).is_ok());
        let mut strict = written(&columns);
        strict.is_arrow = true;
        assert!(check(&strict, Some(&there)).is_err());
        strict.is_strict = false;
        assert!(check(&strict, Some(&there)).is_ok());
    }

    #[test]
    fn a_table_that_is_missing_comes_with_its_create_table() {
        let columns = columns();
        let mut written = written(&columns);
        let key = ["amount".to_owned()];
        written.primary_key = &key;
        let help = check(&written, None).unwrap_err().help.unwrap();
        assert!(
            help.ends_with("CREATE TABLE shop.orders (`amount` DECIMAL(18, 4) NOT NULL, `id` BIGINT NOT NULL, `at` DATETIME(3)) UNIQUE KEY (`amount`) DISTRIBUTED BY HASH (`amount`) BUCKETS AUTO;"),
            "{help}"
        );
    }

    #[test]
    fn the_model_must_take_what_is_asked_of_it() {
        let columns = columns();
        let there = facts(
            Model::Duplicate,
            &[
                ("id", "bigint", false, true, false),
                ("amount", "decimal(18,4)", true, false, false),
                ("at", "datetime(3)", true, false, false),
            ],
        );
        let mut partial = written(&columns);
        partial.is_partial = true;
        assert!(check(&partial, Some(&there)).is_err());
        let mut sequence = written(&columns);
        sequence.sequence = Some("version");
        assert!(check(&sequence, Some(&there)).is_err());
    }
}
