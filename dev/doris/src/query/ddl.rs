//! CREATE TABLE and ALTER TABLE, as far as columns, keys and the sequence column go; how a table is cut over machines
//! is read over.

use super::token::{Cursor, Kind, Token, split};
use crate::schema::{Aggregation, Column, ColumnType, Keys, SEQUENCE, TableSchema};

/// The most key columns of a DUPLICATE table that names none.
const DEFAULT_KEYS: usize = 3;

/// Reads CREATE TABLE from behind these two words.
pub(crate) fn create_table(
    cursor: &mut Cursor<'_>,
    current: Option<&str>,
) -> Result<(TableSchema, bool), String> {
    let if_not_exists = cursor.words(&["IF", "NOT", "EXISTS"]);
    let (db, table) = cursor.path()?;
    let db = db
        .or_else(|| current.map(str::to_owned))
        .ok_or("No database selected")?;
    let mut columns = Vec::new();
    for part in split(cursor.group()?) {
        let mut part = Cursor(part);
        if !part.words(&["INDEX"]) {
            columns.push(column(&mut part)?);
        }
    }
    let mut keys = None;
    let mut properties = Vec::new();
    while let Some(token) = cursor.next() {
        let model = match token {
            _ if token.is_word("UNIQUE") => Some(Keys::Unique),
            _ if token.is_word("DUPLICATE") => Some(Keys::Duplicate),
            _ if token.is_word("AGGREGATE") => Some(Keys::Aggregate),
            _ => None,
        };
        if let Some(model) = model.filter(|_| cursor.words(&["KEY"])) {
            let names = split(cursor.group()?);
            let names: Result<Vec<String>, String> =
                names.into_iter().map(|name| Cursor(name).name()).collect();
            keys = Some((model, names?));
        } else if token.is_word("PROPERTIES") {
            properties = pairs(cursor.group()?)?;
        } else if token.is_word("AS") || token.is_word("LIKE") {
            return Err("the stand-in makes no table from another one".into());
        }
    }
    let keys = set_keys(&mut columns, keys)?;
    set_sequence(&mut columns, keys, &properties)?;
    let schema = TableSchema {
        db,
        table,
        keys,
        columns,
    };
    Ok((schema, if_not_exists))
}

/// Reads `name TYPE [KEY] [aggregation] [[NOT] NULL] [DEFAULT …] [COMMENT …]`, and stops at FIRST or AFTER.
fn column(cursor: &mut Cursor<'_>) -> Result<Column, String> {
    let name = cursor.name()?;
    let ty = column_type(cursor)?;
    ColumnType::parse(&ty)?;
    let mut column = Column::new(name, ty);
    while let Some(token) = cursor.peek() {
        if token.is_word("FIRST") || token.is_word("AFTER") {
            break;
        }
        cursor.next();
        if token.is_word("KEY") {
            column.key = true;
        } else if let Some(aggregation) = Aggregation::parse(&token.text) {
            column.aggregation = Some(aggregation);
        } else if token.is_word("NOT") {
            cursor.words(&["NULL"]);
            column.nullable = false;
        } else if token.is_word("NULL") {
            column.nullable = true;
        } else if token.is_word("COMMENT") {
            column.comment = cursor.text()?;
        } else if token.is_word("DEFAULT") {
            column.default = default(cursor)?;
        } else if token.is_word("AUTO_INCREMENT") {
            return Err("the stand-in has no AUTO_INCREMENT".into());
        } else {
            return Err(format!("'{}' in the definition of a column", token.text));
        }
    }
    Ok(column)
}

/// Reads a type with its arguments, as `DECIMAL(18, 4)` or `ARRAY<INT>`.
fn column_type(cursor: &mut Cursor<'_>) -> Result<String, String> {
    let mut text = cursor.name()?.to_ascii_uppercase();
    let close = match cursor.peek() {
        Some(token) if token.is_sign("(") => ")",
        Some(token) if token.is_sign("<") => ">",
        _ => return Ok(text),
    };
    let open = if close == ")" { "(" } else { "<" };
    let mut depth = 0;
    while let Some(token) = cursor.next() {
        text.push_str(&token.text);
        if token.is_sign(open) {
            depth += 1;
        } else if token.is_sign(close) {
            depth -= 1;
        }
        if depth == 0 {
            return Ok(text);
        }
    }
    Err(format!("'{text}' is not closed"))
}

fn default(cursor: &mut Cursor<'_>) -> Result<Option<String>, String> {
    let token = cursor.next().ok_or("a value is needed behind DEFAULT")?;
    if token.is_word("NULL") {
        return Ok(None);
    }
    if token.is_sign("-") {
        return Ok(Some(format!(
            "-{}",
            cursor.next().map_or("", |number| &number.text)
        )));
    }
    match token.kind {
        Kind::Text | Kind::Number => Ok(Some(token.text.clone())),
        _ if token.is_word("TRUE") || token.is_word("FALSE") => Ok(Some(token.text.clone())),
        _ => Err(format!("the stand-in has no DEFAULT {}", token.text)),
    }
}

/// Reads `"a" = "b", …`.
fn pairs(list: &[Token]) -> Result<Vec<(String, String)>, String> {
    split(list)
        .into_iter()
        .map(|pair| match pair {
            [key, sign, value] if sign.is_sign("=") => Ok((key.text.clone(), value.text.clone())),
            _ => Err("a property is \"key\" = \"value\"".to_owned()),
        })
        .collect()
}

fn set_keys(columns: &mut [Column], named: Option<(Keys, Vec<String>)>) -> Result<Keys, String> {
    let Some((model, names)) = named else {
        if columns.iter().any(|column| column.aggregation.is_some()) {
            for column in columns.iter_mut() {
                column.key = column.aggregation.is_none();
            }
            return Ok(Keys::Aggregate);
        }
        let sorts = |column: &&mut Column| {
            let ty = column.ty.as_str();
            let is_unsorted = matches!(ty, "STRING" | "TEXT" | "FLOAT" | "DOUBLE")
                || ty.contains('<')
                || matches!(ColumnType::parse(ty), Ok(ColumnType::Json));
            !is_unsorted
        };
        for column in columns.iter_mut().take(DEFAULT_KEYS).take_while(sorts) {
            column.key = true;
        }
        return Ok(Keys::Duplicate);
    };
    for (at, name) in names.iter().enumerate() {
        match columns.get_mut(at) {
            Some(column) if column.name.eq_ignore_ascii_case(name) => column.key = true,
            _ => {
                return Err("Key columns must be the first few columns of the schema and the order of the key columns must be consistent with the order of the schema".into());
            }
        }
    }
    Ok(model)
}

fn set_sequence(
    columns: &mut Vec<Column>,
    keys: Keys,
    properties: &[(String, String)],
) -> Result<(), String> {
    let property = |name: &str| {
        let found = properties.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    };
    let by_column = property("function_column.sequence_col");
    let by_type = property("function_column.sequence_type");
    if (by_column.is_some() || by_type.is_some()) && keys != Keys::Unique {
        return Err("sequence column only support UNIQUE_KEYS".into());
    }
    if let Some(name) = by_column {
        let found = columns
            .iter_mut()
            .find(|column| column.name.eq_ignore_ascii_case(name))
            .ok_or_else(|| format!("The specified sequence column[{name}] not exists"))?;
        found.sequence = true;
    } else if let Some(ty) = by_type {
        let mut column = Column::new(SEQUENCE, ty).sequence();
        column.hidden = true;
        columns.push(column);
    }
    Ok(())
}

/// Applies the clauses of ALTER TABLE, from behind the table's name.
pub(crate) fn alter_table(cursor: &Cursor<'_>, schema: &mut TableSchema) -> Result<(), String> {
    for clause in split(cursor.0) {
        let mut clause = Cursor(clause);
        if clause.words(&["ADD", "COLUMN"]) {
            if clause.peek().is_some_and(|token| token.is_sign("(")) {
                for part in split(clause.group()?) {
                    add(schema, &mut Cursor(part))?;
                }
            } else {
                add(schema, &mut clause)?;
            }
        } else if clause.words(&["MODIFY", "COLUMN"]) {
            modify(schema, &mut clause)?;
        } else if clause.words(&["DROP", "COLUMN"]) {
            let name = clause.name()?;
            let at = schema.position(&name).ok_or_else(|| no_column(&name))?;
            if schema.columns[at].key {
                return Err(format!("Can not drop key column {name}"));
            }
            schema.columns.remove(at);
        } else if !clause.words(&["SET"]) {
            let words: Vec<&str> = clause.0.iter().map(|token| token.text.as_str()).collect();
            return Err(format!(
                "the stand-in does not know ALTER TABLE … {}",
                words.join(" ")
            ));
        }
    }
    Ok(())
}

fn no_column(name: &str) -> String {
    format!("Column does not exists: {name}")
}

fn add(schema: &mut TableSchema, cursor: &mut Cursor<'_>) -> Result<(), String> {
    let column = column(cursor)?;
    if schema.position(&column.name).is_some() {
        return Err(format!(
            "Can not add column which already exists in base table: {}",
            column.name
        ));
    }
    if !column.nullable && column.default.is_none() {
        return Err(format!(
            "column '{}' is NOT NULL and has no default",
            column.name
        ));
    }
    let end = schema
        .columns
        .iter()
        .take_while(|column| !column.hidden)
        .count();
    let at = place(schema, cursor)?.unwrap_or(end);
    schema.columns.insert(at, column);
    Ok(())
}

fn modify(schema: &mut TableSchema, cursor: &mut Cursor<'_>) -> Result<(), String> {
    let mut column = column(cursor)?;
    let at = schema
        .position(&column.name)
        .ok_or_else(|| no_column(&column.name))?;
    column.key = schema.columns[at].key;
    column.sequence = schema.columns[at].sequence;
    column.aggregation = column.aggregation.or(schema.columns[at].aggregation);
    schema.columns.remove(at);
    let at = place(schema, cursor)?.unwrap_or(at);
    schema.columns.insert(at, column);
    Ok(())
}

fn place(schema: &TableSchema, cursor: &mut Cursor<'_>) -> Result<Option<usize>, String> {
    if cursor.words(&["FIRST"]) {
        return Ok(Some(0));
    }
    if !cursor.words(&["AFTER"]) {
        return Ok(None);
    }
    let name = cursor.name()?;
    let at = schema.position(&name).ok_or_else(|| no_column(&name))?;
    Ok(Some(at + 1))
}

/// Returns what SHOW CREATE TABLE says.
pub(crate) fn show_create(schema: &TableSchema) -> String {
    let mut lines = Vec::new();
    for column in schema.shown() {
        let mut line = format!("  `{}` {}", column.name, column.ty.to_ascii_lowercase());
        if let Some(aggregation) = column.aggregation {
            line.push_str(&format!(" {}", aggregation.word()));
        }
        line.push_str(if column.nullable {
            " NULL"
        } else {
            " NOT NULL"
        });
        if let Some(default) = &column.default {
            line.push_str(&format!(" DEFAULT \"{default}\""));
        }
        if !column.comment.is_empty() {
            line.push_str(&format!(
                " COMMENT '{}'",
                column.comment.replace('\'', "\\'")
            ));
        }
        lines.push(line);
    }
    let keys: Vec<String> = schema
        .shown()
        .filter(|column| column.key)
        .map(|column| format!("`{}`", column.name))
        .collect();
    let first = keys.first().cloned();
    let first = first.unwrap_or_else(|| format!("`{}`", schema.columns[0].name));
    let mut properties =
        vec!["\"replication_allocation\" = \"tag.location.default: 1\"".to_owned()];
    for column in schema.columns.iter().filter(|column| column.sequence) {
        properties.push(if column.hidden {
            format!(
                "\"function_column.sequence_type\" = \"{}\"",
                column.ty.to_ascii_lowercase()
            )
        } else {
            format!("\"function_column.sequence_col\" = \"{}\"", column.name)
        });
    }
    format!(
        "CREATE TABLE `{}` (\n{}\n) ENGINE=OLAP\n{} KEY({})\nDISTRIBUTED BY HASH({first}) BUCKETS 1\nPROPERTIES (\n{}\n);",
        schema.table,
        lines.join(",\n"),
        schema.keys.word(),
        if keys.is_empty() {
            first.clone()
        } else {
            keys.join(", ")
        },
        properties.join(",\n")
    )
}

#[cfg(test)]
mod tests {
    use super::super::token::tokens;
    use super::*;

    fn create(sql: &str) -> Result<TableSchema, String> {
        create_table(&mut Cursor(&tokens(sql).unwrap()), Some("d")).map(|(schema, _)| schema)
    }

    #[test]
    fn a_table_is_what_its_definition_says_and_says_so_again() {
        let schema = create(
            "IF NOT EXISTS `s`.`t` (`k` BIGINT NOT NULL COMMENT 'a ''key''', v DECIMAL(18, 4) NULL DEFAULT \"1.5\", a ARRAY<INT>)
             ENGINE=OLAP UNIQUE KEY(`k`) COMMENT 'x' DISTRIBUTED BY HASH(`k`) BUCKETS AUTO
             PROPERTIES(\"replication_num\" = \"1\", \"function_column.sequence_col\" = 'v')",
        )
        .unwrap();
        assert_eq!((schema.db.as_str(), schema.keys), ("s", Keys::Unique));
        assert!(schema.columns[0].key && !schema.columns[0].nullable && schema.columns[1].sequence);
        assert_eq!(schema.columns[1].default.as_deref(), Some("1.5"));
        let text = show_create(&schema);
        let again = create(
            text.strip_prefix("CREATE TABLE ")
                .unwrap()
                .trim_end_matches(';'),
        )
        .unwrap();
        let lower = |schema: &TableSchema| format!("{:?}", schema.columns).to_lowercase();
        assert_eq!(lower(&again), lower(&schema));
    }

    #[test]
    fn models_are_found_and_contradictions_refused() {
        assert_eq!(
            create("t (a INT, b INT SUM)").unwrap().keys,
            Keys::Aggregate
        );
        let plain = create("t (a INT, b VARCHAR(3), c STRING, d INT)").unwrap();
        let keys: Vec<bool> = plain.columns.iter().map(|column| column.key).collect();
        assert_eq!(
            (plain.keys, keys),
            (Keys::Duplicate, vec![true, true, false, false])
        );
        for wrong in [
            "t (a INT, b INT) UNIQUE KEY(b)",
            "t (a BITMAP)",
            "t (a INT AUTO_INCREMENT)",
            "t AS SELECT 1",
        ] {
            assert!(create(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn columns_come_go_and_change() {
        let mut schema = create("t (a INT, b INT) DUPLICATE KEY(a)").unwrap();
        let sql = "ADD COLUMN c VARCHAR(5) NOT NULL DEFAULT 'x' AFTER a, MODIFY COLUMN b BIGINT, ADD COLUMN (d INT, e DATE)";
        alter_table(&Cursor(&tokens(sql).unwrap()), &mut schema).unwrap();
        let names: Vec<&str> = schema
            .columns
            .iter()
            .map(|column| column.name.as_str())
            .collect();
        assert_eq!(names, ["a", "c", "b", "d", "e"]);
        assert_eq!(schema.columns[2].ty, "BIGINT");
        for wrong in [
            "DROP COLUMN a",
            "ADD COLUMN b INT",
            "MODIFY COLUMN z INT",
            "RENAME COLUMN a z",
        ] {
            assert!(
                alter_table(&Cursor(&tokens(wrong).unwrap()), &mut schema).is_err(),
                "{wrong}"
            );
        }
    }
}
