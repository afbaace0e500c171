//! The parts of an ALTER TABLE.

use super::create::{
    ParsedColumn, parse_charset_option, parse_column, parse_key_columns, skip_element,
};
use super::lexer::{Token, Tokens};
use super::statement::parse_table_name;
use super::{Alteration, NotUnderstood, Place};

/// Reads all parts, separated by commas.
pub(crate) fn parse_alterations(
    tokens: &mut Tokens<'_>,
    database: &str,
) -> Result<Vec<Alteration>, NotUnderstood> {
    let mut alterations = Vec::new();
    while !tokens.is_at_end() {
        parse_one(tokens, database, &mut alterations)?;
        tokens.eat_sign(',');
        tokens.eat_sign(';');
    }
    Ok(alterations)
}

fn parse_one(
    tokens: &mut Tokens<'_>,
    database: &str,
    alterations: &mut Vec<Alteration>,
) -> Result<(), NotUnderstood> {
    if tokens.eat("ADD") {
        return parse_add(tokens, alterations);
    }
    if tokens.eat("DROP") {
        return parse_drop(tokens, alterations);
    }
    if tokens.eat("MODIFY") {
        tokens.eat("COLUMN");
        let if_exists = tokens.eat_all(&["IF", "EXISTS"]);
        let parsed = parse_column(tokens)?;
        let from = parsed.column.name.clone();
        alterations.extend(unique(&parsed));
        alterations.push(change(tokens, from, parsed, if_exists)?);
        return Ok(());
    }
    if tokens.eat("CHANGE") {
        tokens.eat("COLUMN");
        let if_exists = tokens.eat_all(&["IF", "EXISTS"]);
        let from = tokens.name()?;
        let parsed = parse_column(tokens)?;
        alterations.extend(unique(&parsed));
        alterations.push(change(tokens, from, parsed, if_exists)?);
        return Ok(());
    }
    if tokens.eat("RENAME") {
        return parse_rename(tokens, database, alterations);
    }
    if tokens.eat_all(&["CONVERT", "TO"]) {
        // DEFAULT is the database's, which is not known here.
        let mut charset = parse_charset_option(tokens)?
            .filter(|charset| charset != "default")
            .ok_or_else(|| tokens.expected("a charset"))?;
        if let Some(of_collation) = parse_charset_option(tokens)? {
            charset = of_collation;
        }
        alterations.push(Alteration::ConvertCharset(charset));
        return Ok(());
    }
    if let Some(charset) = parse_charset_option(tokens)? {
        alterations.push(Alteration::DefaultCharset(charset));
        return Ok(());
    }
    if tokens.eat_all(&["ORDER", "BY"]) {
        // Its commas separate columns; only options of the table may follow, and none does in practice.
        skip_all(tokens);
        return Ok(());
    }
    skip_harmless(tokens)
}

/// Words that begin a part which changes neither columns nor the key.
const HARMLESS: [&str; 46] = [
    "ALTER",
    "ALGORITHM",
    "AUTOEXTEND_SIZE",
    "AUTO_INCREMENT",
    "AVG_ROW_LENGTH",
    "CHECKSUM",
    "COLLATE",
    "COMMENT",
    "COMPRESSION",
    "CONNECTION",
    "DATA",
    "DELAY_KEY_WRITE",
    "DISABLE",
    "DISCARD",
    "ENABLE",
    "ENCRYPTED",
    "ENCRYPTION",
    "ENCRYPTION_KEY_ID",
    "ENGINE",
    "ENGINE_ATTRIBUTE",
    "FORCE",
    "IMPORT",
    "INDEX",
    "INSERT_METHOD",
    "KEY_BLOCK_SIZE",
    "LOCK",
    "MAX_ROWS",
    "MIN_ROWS",
    "PACK_KEYS",
    "PAGE_CHECKSUM",
    "PAGE_COMPRESSED",
    "PAGE_COMPRESSION_LEVEL",
    "PASSWORD",
    "ROW_FORMAT",
    "SECONDARY_ENGINE",
    "SECONDARY_ENGINE_ATTRIBUTE",
    "SECONDARY_LOAD",
    "SECONDARY_UNLOAD",
    "SEQUENCE",
    "STATS_AUTO_RECALC",
    "STATS_PERSISTENT",
    "STATS_SAMPLE_PAGES",
    "STORAGE",
    "TABLESPACE",
    "TRANSACTIONAL",
    "UNION",
];

/// Words about partitions and the like, with lists of their own: nothing else follows them.
const PARTITIONS: [&str; 14] = [
    "ANALYZE",
    "CHECK",
    "COALESCE",
    "EXCHANGE",
    "OPTIMIZE",
    "PARTITION",
    "REBUILD",
    "REMOVE",
    "REORGANIZE",
    "REPAIR",
    "START",
    "TRUNCATE",
    "WITH",
    "WITHOUT",
];

fn skip_all(tokens: &mut Tokens<'_>) {
    while tokens.next().is_some() {}
}

fn skip_harmless(tokens: &mut Tokens<'_>) -> Result<(), NotUnderstood> {
    if tokens.is_sign(';') {
        return Ok(());
    }
    if tokens.eat_any(&PARTITIONS) {
        skip_all(tokens);
        return Ok(());
    }
    let is_harmless = tokens.eat_any(&HARMLESS)
        || tokens.eat_all(&["DEFAULT", "COLLATE"])
        || tokens.peek_at(1) == Some(&Token::Sign('='));
    if !is_harmless {
        return Err(tokens.wrong("unknown part of ALTER TABLE".to_owned()));
    }
    skip_part(tokens);
    Ok(())
}

/// Skips to the next part, or to one that follows without a comma: options of the table may stand side by side.
fn skip_part(tokens: &mut Tokens<'_>) {
    let mut depth = 0_usize;
    while let Some(token) = tokens.peek() {
        match token {
            Token::Sign('(') => depth += 1,
            Token::Sign(')') => depth = depth.saturating_sub(1),
            Token::Sign(',') if depth == 0 => return,
            _ => {}
        }
        tokens.next();
    }
}

fn parse_add(
    tokens: &mut Tokens<'_>,
    alterations: &mut Vec<Alteration>,
) -> Result<(), NotUnderstood> {
    let is_column = tokens.eat("COLUMN");
    let if_not_exists = tokens.eat_all(&["IF", "NOT", "EXISTS"]);
    if !is_column && !if_not_exists {
        let mark = tokens.mark();
        if tokens.eat("CONSTRAINT") && !is_key_word(tokens) {
            tokens.name()?;
        }
        if tokens.eat_all(&["PRIMARY", "KEY"]) {
            alterations.push(Alteration::AddPrimaryKey(parse_key_columns(tokens)?));
            return Ok(());
        }
        let is_other = is_key_word(tokens)
            || tokens.is_word("PARTITION")
            || tokens.is_word("PERIOD") && tokens.is_word_at(1, "FOR")
            || tokens.is_word("VECTOR")
                && (tokens.is_word_at(1, "KEY") || tokens.is_word_at(1, "INDEX"));
        if is_other {
            if tokens.is_word("UNIQUE") {
                alterations.push(Alteration::AddUnique);
            }
            return skip_element(tokens);
        }
        // Adds two columns that no statement names.
        if tokens.is_word("SYSTEM") && tokens.is_word_at(1, "VERSIONING") {
            return Err(tokens.wrong("system versioning".to_owned()));
        }
        tokens.reset(mark);
    }
    if tokens.eat_sign('(') {
        loop {
            let parsed = parse_column(tokens)?;
            alterations.extend(unique(&parsed));
            alterations.push(add(tokens, parsed, if_not_exists)?);
            if !tokens.eat_sign(',') {
                break;
            }
        }
        return tokens.expect_sign(')');
    }
    let parsed = parse_column(tokens)?;
    alterations.extend(unique(&parsed));
    alterations.push(add(tokens, parsed, if_not_exists)?);
    Ok(())
}

fn is_key_word(tokens: &Tokens<'_>) -> bool {
    [
        "UNIQUE", "KEY", "INDEX", "FULLTEXT", "SPATIAL", "FOREIGN", "CHECK", "PRIMARY",
    ]
    .iter()
    .any(|word| tokens.is_word(word))
}

fn unique(parsed: &ParsedColumn) -> Option<Alteration> {
    parsed.is_unique.then_some(Alteration::AddUnique)
}

fn add(
    tokens: &mut Tokens<'_>,
    parsed: ParsedColumn,
    if_not_exists: bool,
) -> Result<Alteration, NotUnderstood> {
    Ok(Alteration::Add {
        column: parsed.column,
        place: parse_place(tokens)?,
        is_primary_key: parsed.is_primary_key,
        if_not_exists,
    })
}

fn change(
    tokens: &mut Tokens<'_>,
    from: String,
    parsed: ParsedColumn,
    if_exists: bool,
) -> Result<Alteration, NotUnderstood> {
    Ok(Alteration::Change {
        from,
        column: parsed.column,
        place: parse_place(tokens)?,
        is_primary_key: parsed.is_primary_key,
        if_exists,
    })
}

fn parse_place(tokens: &mut Tokens<'_>) -> Result<Place, NotUnderstood> {
    if tokens.eat("FIRST") {
        return Ok(Place::First);
    }
    if tokens.eat("AFTER") {
        return tokens.name().map(Place::After);
    }
    Ok(Place::Kept)
}

fn parse_drop(
    tokens: &mut Tokens<'_>,
    alterations: &mut Vec<Alteration>,
) -> Result<(), NotUnderstood> {
    if tokens.eat_all(&["PRIMARY", "KEY"]) {
        alterations.push(Alteration::DropPrimaryKey);
        return Ok(());
    }
    if tokens.is_word("PARTITION") {
        skip_all(tokens);
        return Ok(());
    }
    let is_column = tokens.eat("COLUMN");
    if !is_column {
        let is_other = is_key_word(tokens)
            || tokens.is_word("CONSTRAINT")
            || tokens.is_word("PERIOD") && tokens.is_word_at(1, "FOR");
        if is_other {
            skip_part(tokens);
            return Ok(());
        }
        if tokens.is_word("SYSTEM") && tokens.is_word_at(1, "VERSIONING") {
            return Err(tokens.wrong("system versioning".to_owned()));
        }
    }
    tokens.eat_all(&["IF", "EXISTS"]);
    alterations.push(Alteration::Drop(tokens.name()?));
    tokens.eat_any(&["RESTRICT", "CASCADE"]);
    Ok(())
}

fn parse_rename(
    tokens: &mut Tokens<'_>,
    database: &str,
    alterations: &mut Vec<Alteration>,
) -> Result<(), NotUnderstood> {
    if tokens.eat("COLUMN") {
        tokens.eat_all(&["IF", "EXISTS"]);
        let from = tokens.name()?;
        tokens.expect("TO")?;
        let to = tokens.name()?;
        alterations.push(Alteration::RenameColumn { from, to });
        return Ok(());
    }
    if tokens.is_word("INDEX") || tokens.is_word("KEY") {
        return skip_element(tokens);
    }
    if !tokens.eat_sign('=') {
        tokens.eat_any(&["TO", "AS"]);
    }
    let table = parse_table_name(tokens, database)?;
    alterations.push(Alteration::Rename(table));
    Ok(())
}
