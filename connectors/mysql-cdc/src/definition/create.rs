//! CREATE TABLE: columns, their types, and the primary key.

use super::lexer::{Token, Tokens};
use super::{
    ColumnDefinition, ColumnType, Dialect, Generated, NotUnderstood, TableDefinition, TableName,
};
use crate::decode::{canonical, max_length_of_charset};

/// A column as a statement defines it.
#[derive(Debug)]
pub(crate) struct ParsedColumn {
    pub(crate) column: ColumnDefinition,
    pub(crate) is_primary_key: bool,
    pub(crate) is_unique: bool,
}

impl TableDefinition {
    /// Returns the definition that `SHOW CREATE TABLE` printed.
    ///
    /// # Errors
    /// The text is not understood.
    pub fn parse_create(database: &str, text: &str) -> Result<Self, NotUnderstood> {
        // A server prints comments of its own kind only.
        let dialect = Dialect {
            is_mariadb: true,
            ..Dialect::default()
        };
        let mut tokens = Tokens::of(text, dialect);
        tokens.expect("CREATE")?;
        tokens.eat("TEMPORARY");
        tokens.expect("TABLE")?;
        let table = tokens.name()?;
        let name = TableName::new(database, table);
        let mut definition = parse_body(&mut tokens, name)?;
        let charset = definition.charset.clone();
        definition.resolve_charsets(&charset);
        Ok(definition)
    }

    /// Gives columns without a stated charset the table's, and the table `default` if it states none itself.
    pub(crate) fn resolve_charsets(&mut self, default: &str) {
        if self.charset.is_empty() {
            default.clone_into(&mut self.charset);
        }
        for column in &mut self.columns {
            column.kind.resolve_charset(&self.charset);
        }
    }
}

/// Reads what follows a table's name: elements in parentheses and the table's options.
pub(crate) fn parse_body(
    tokens: &mut Tokens<'_>,
    name: TableName,
) -> Result<TableDefinition, NotUnderstood> {
    let mut columns = Vec::new();
    let mut key: Vec<String> = Vec::new();
    let mut uniques = 0;
    tokens.expect_sign('(')?;
    loop {
        uniques += usize::from(begins_unique(tokens));
        if let Some(names) = parse_constraint(tokens)? {
            key.extend(names);
        } else {
            let parsed = parse_column(tokens)?;
            uniques += usize::from(parsed.is_unique);
            if parsed.is_primary_key {
                key.push(parsed.column.name.clone());
            }
            columns.push(parsed.column);
        }
        if tokens.eat_sign(',') {
            continue;
        }
        tokens.expect_sign(')')?;
        break;
    }
    let mut definition = TableDefinition {
        name,
        columns,
        primary_key: Vec::new(),
        charset: String::new(),
        hidden_max: uniques,
        is_sequence: false,
    };
    definition.set_primary_key(&key).map_err(|name| {
        tokens.wrong(format!(
            "the primary key's column '{name}' is none of the table's"
        ))
    })?;
    while !tokens.is_at_end() {
        if tokens.eat_all(&["WITH", "SYSTEM", "VERSIONING"]) {
            return Err(tokens.wrong(VERSIONED.to_owned()));
        }
        let is_query = ["SELECT", "AS", "WITH"]
            .iter()
            .any(|word| tokens.is_word(word));
        if is_query || tokens.is_sign('(') && tokens.is_word_at(1, "SELECT") {
            return Err(tokens.wrong("columns come from a query".to_owned()));
        }
        // Partitions may be of expressions like `cast(x as date)`.
        if tokens.is_sign('(') {
            tokens.skip_parentheses()?;
            continue;
        }
        if tokens.eat("SEQUENCE") {
            tokens.eat_sign('=');
            definition.is_sequence = tokens.is_word("1");
        }
        match parse_charset_option(tokens)? {
            Some(charset) => definition.charset = charset,
            None => {
                tokens.next();
            }
        }
    }
    Ok(definition)
}

impl TableDefinition {
    /// Makes the named columns the primary key.
    ///
    /// # Errors
    /// The name of a column that the table lacks.
    pub(crate) fn set_primary_key(&mut self, names: &[String]) -> Result<(), String> {
        let mut key = Vec::with_capacity(names.len());
        for name in names {
            let place = self.column_index_ignoring_case(name).ok_or(name)?;
            self.columns[place].nullable = false;
            key.push(place);
        }
        self.primary_key = key;
        Ok(())
    }
}

/// Reads `[DEFAULT] CHARACTER SET [=] x` and `[DEFAULT] COLLATE [=] x`, in tables and databases.
pub(crate) fn parse_charset_option(
    tokens: &mut Tokens<'_>,
) -> Result<Option<String>, NotUnderstood> {
    let mark = tokens.mark();
    tokens.eat("DEFAULT");
    if tokens.eat("CHARSET")
        || tokens.eat_all(&["CHARACTER", "SET"])
        || tokens.eat_all(&["CHAR", "SET"])
    {
        tokens.eat_sign('=');
        return Ok(Some(parse_charset_name(tokens)?));
    }
    if tokens.eat("COLLATE") {
        tokens.eat_sign('=');
        let collation = parse_charset_name(tokens)?;
        if let Some(charset) = charset_of(&collation) {
            return Ok(Some(charset));
        }
    }
    tokens.reset(mark);
    Ok(None)
}

fn parse_charset_name(tokens: &mut Tokens<'_>) -> Result<String, NotUnderstood> {
    let name = match tokens.peek() {
        Some(Token::Text(text)) => text.clone(),
        _ => return Ok(canonical(&tokens.name()?.to_ascii_lowercase()).to_owned()),
    };
    tokens.next();
    Ok(canonical(&name.to_ascii_lowercase()).to_owned())
}

/// Returns the charset of a collation's name; `None` for MariaDB's names that leave it open.
fn charset_of(collation: &str) -> Option<String> {
    if collation.starts_with("uca1400") || collation == "default" {
        return None;
    }
    let charset = collation.split('_').next().unwrap_or(collation);
    Some(canonical(charset).to_owned())
}

/// Why a system-versioned table is not read: rows that were replaced or deleted are rows of it too, and the log does not
/// tell which are.
const VERSIONED: &str =
    "system-versioned tables are not read: their log holds past versions of rows too";

/// Tells whether an element that comes next is a UNIQUE.
pub(crate) fn begins_unique(tokens: &Tokens<'_>) -> bool {
    let named = tokens.is_word("CONSTRAINT");
    tokens.is_word("UNIQUE")
        || named && (tokens.is_word_at(1, "UNIQUE") || tokens.is_word_at(2, "UNIQUE"))
}

/// Reads an element that is no column; its columns if it is the primary key. `None` if a column follows.
fn parse_constraint(tokens: &mut Tokens<'_>) -> Result<Option<Vec<String>>, NotUnderstood> {
    let mark = tokens.mark();
    if tokens.eat("CONSTRAINT") {
        let is_named = !["PRIMARY", "UNIQUE", "FOREIGN", "CHECK"]
            .iter()
            .any(|word| tokens.is_word(word));
        if is_named {
            tokens.name()?;
        }
    }
    if tokens.eat_all(&["PRIMARY", "KEY"]) {
        return parse_key_columns(tokens).map(Some);
    }
    let words = [
        "UNIQUE", "KEY", "INDEX", "FULLTEXT", "SPATIAL", "FOREIGN", "CHECK",
    ];
    let is_period = tokens.is_word("PERIOD") && tokens.is_word_at(1, "FOR");
    let is_vector =
        tokens.is_word("VECTOR") && (tokens.is_word_at(1, "KEY") || tokens.is_word_at(1, "INDEX"));
    if is_period || is_vector || words.iter().any(|word| tokens.is_word(word)) {
        skip_element(tokens)?;
        return Ok(Some(Vec::new()));
    }
    tokens.reset(mark);
    Ok(None)
}

/// Reads the columns of a key, from what may stand before the parenthesis to the end of the element.
pub(crate) fn parse_key_columns(tokens: &mut Tokens<'_>) -> Result<Vec<String>, NotUnderstood> {
    while !tokens.is_sign('(') {
        if tokens.next().is_none() {
            return Err(tokens.expected("("));
        }
    }
    tokens.expect_sign('(')?;
    let mut names = Vec::new();
    loop {
        names.push(tokens.name()?);
        if tokens.is_sign('(') {
            tokens.skip_parentheses()?;
        }
        tokens.eat_any(&["ASC", "DESC"]);
        if tokens.eat_all(&["WITHOUT", "OVERLAPS"]) || !tokens.eat_sign(',') {
            break;
        }
    }
    tokens.expect_sign(')')?;
    skip_element(tokens)?;
    Ok(names)
}

/// Skips to the comma or parenthesis that ends an element, or to the end.
pub(crate) fn skip_element(tokens: &mut Tokens<'_>) -> Result<(), NotUnderstood> {
    loop {
        match tokens.peek() {
            None | Some(Token::Sign(',' | ')' | ';')) => return Ok(()),
            Some(Token::Sign('(')) => tokens.skip_parentheses()?,
            Some(_) => {
                tokens.next();
            }
        }
    }
}

/// Reads a column with its name.
pub(crate) fn parse_column(tokens: &mut Tokens<'_>) -> Result<ParsedColumn, NotUnderstood> {
    let name = tokens.name()?;
    parse_column_type(tokens, name)
}

/// What of a column's type and attributes is still open.
struct Open {
    kind: ColumnType,
    /// The characters of a TEXT(n) or bytes of a BLOB(n), which choose the length's bytes.
    size: Option<u32>,
    charset: Option<String>,
    nullable: Option<bool>,
    generated: Option<Generated>,
    is_primary_key: bool,
    is_unique: bool,
}

/// Reads a column behind its name.
fn parse_column_type(tokens: &mut Tokens<'_>, name: String) -> Result<ParsedColumn, NotUnderstood> {
    let mut open = Open {
        kind: ColumnType::Json,
        size: None,
        charset: None,
        nullable: None,
        generated: None,
        is_primary_key: false,
        is_unique: false,
    };
    parse_type(tokens, &mut open)?;
    while parse_attribute(tokens, &mut open)? {}
    let mut kind = open.kind;
    if let Some(charset) = &open.charset {
        kind.resolve_charset(charset);
    }
    if let Some(size) = open.size {
        set_prefix(&mut kind, size);
    }
    Ok(ParsedColumn {
        column: ColumnDefinition {
            name,
            kind,
            nullable: open.nullable.unwrap_or(true) && !open.is_primary_key,
            generated: open.generated,
        },
        is_primary_key: open.is_primary_key,
        is_unique: open.is_unique,
    })
}

/// Chooses the smallest of the four lengths that takes `size`.
fn set_prefix(kind: &mut ColumnType, size: u32) {
    let choose = |bytes: u64| match bytes {
        0..0x100 => 1,
        0x100..0x1_0000 => 2,
        0x1_0000..0x100_0000 => 3,
        _ => 4,
    };
    match kind {
        ColumnType::Text {
            prefix, charset, ..
        } => {
            // What is not stated yet is most likely the servers' default.
            let longest = if charset.is_empty() {
                4
            } else {
                max_length_of_charset(charset)
            };
            *prefix = choose(u64::from(size) * u64::from(longest));
        }
        ColumnType::Blob(prefix) => *prefix = choose(u64::from(size)),
        _ => {}
    }
}

fn parse_type(tokens: &mut Tokens<'_>, open: &mut Open) -> Result<(), NotUnderstood> {
    use ColumnType as C;
    let word = match tokens.peek() {
        Some(Token::Word(word)) => word.to_ascii_lowercase(),
        _ => return Err(tokens.expected("a type")),
    };
    let text = |prefix| C::Text {
        prefix,
        charset: String::new(),
    };
    tokens.next();
    open.kind = match word.as_str() {
        "tinyint" | "int1" => C::TinyInt {
            unsigned: false,
            is_boolean: parse_length(tokens)? == Some(1),
        },
        "bool" | "boolean" => C::TinyInt {
            unsigned: false,
            is_boolean: true,
        },
        "smallint" | "int2" | "mediumint" | "int3" | "middleint" | "int" | "integer" | "int4"
        | "bigint" | "int8" => {
            parse_length(tokens)?;
            integer(&word)
        }
        "serial" => {
            open.nullable = Some(false);
            C::BigInt { unsigned: true }
        }
        "float" | "float4" => match parse_numbers(tokens)?[..] {
            [25..=u32::MAX] => C::Double,
            _ => C::Float,
        },
        "double" | "float8" | "real" => {
            tokens.eat("PRECISION");
            parse_numbers(tokens)?;
            C::Double
        }
        "decimal" | "dec" | "numeric" | "fixed" => decimal(tokens)?,
        "bit" => {
            let bits = parse_length(tokens)?.unwrap_or(1);
            C::Bit(narrow(tokens, bits)?)
        }
        "year" => {
            parse_length(tokens)?;
            C::Year
        }
        "date" => C::Date,
        "time" => C::Time(fsp(tokens)?),
        "datetime" => C::DateTime(fsp(tokens)?),
        "timestamp" => C::Timestamp(fsp(tokens)?),
        "char" | "character" | "nchar" | "national" | "varchar" | "varcharacter" | "nvarchar" => {
            return parse_characters(tokens, &word, open);
        }
        "binary" => C::Binary(parse_length(tokens)?.unwrap_or(1)),
        "varbinary" => {
            C::Varbinary(parse_length(tokens)?.ok_or_else(|| tokens.expected("a length"))?)
        }
        "tinytext" => text(1),
        "text" => {
            open.size = parse_length(tokens)?;
            text(2)
        }
        "mediumtext" => text(3),
        "longtext" => text(4),
        "long" if tokens.eat("VARBINARY") => C::Blob(3),
        "long" => {
            tokens.eat_any(&["VARCHAR", "VARCHARACTER"]);
            text(3)
        }
        "tinyblob" => C::Blob(1),
        "blob" => {
            open.size = parse_length(tokens)?;
            C::Blob(2)
        }
        "mediumblob" => C::Blob(3),
        "longblob" => C::Blob(4),
        "enum" => C::Enum {
            members: members(tokens)?,
            charset: String::new(),
        },
        "set" => C::Set {
            members: members(tokens)?,
            charset: String::new(),
        },
        "json" => C::Json,
        "geometry" | "point" | "linestring" | "polygon" | "multipoint" | "multilinestring"
        | "multipolygon" | "geometrycollection" | "geomcollection" => C::Geometry,
        "vector" => {
            parse_length(tokens)?;
            C::Vector
        }
        "uuid" => C::Uuid,
        "inet4" => C::Inet4,
        "inet6" => C::Inet6,
        _ => {
            tokens.reset(tokens.mark() - 1);
            return Err(tokens.wrong(format!("unknown type {word}")));
        }
    };
    Ok(())
}

fn integer(word: &str) -> ColumnType {
    let unsigned = false;
    match word {
        "smallint" | "int2" => ColumnType::SmallInt { unsigned },
        "mediumint" | "int3" | "middleint" => ColumnType::MediumInt { unsigned },
        "bigint" | "int8" => ColumnType::BigInt { unsigned },
        _ => ColumnType::Int { unsigned },
    }
}

fn decimal(tokens: &mut Tokens<'_>) -> Result<ColumnType, NotUnderstood> {
    let (precision, scale) = match parse_numbers(tokens)?[..] {
        [] => (10, 0),
        [precision] => (precision, 0),
        [precision, scale, ..] => (precision, scale),
    };
    // DECIMAL(0) is the default one.
    let precision = if precision == 0 { 10 } else { precision };
    Ok(ColumnType::Decimal {
        precision: narrow(tokens, precision)?,
        scale: narrow(tokens, scale)?,
    })
}

fn narrow(tokens: &Tokens<'_>, number: u32) -> Result<u8, NotUnderstood> {
    u8::try_from(number).map_err(|_| tokens.expected("a smaller number"))
}

fn fsp(tokens: &mut Tokens<'_>) -> Result<u8, NotUnderstood> {
    let digits = parse_length(tokens)?.unwrap_or(0);
    narrow(tokens, digits)
}

/// Reads CHAR and VARCHAR in all their spellings.
fn parse_characters(
    tokens: &mut Tokens<'_>,
    word: &str,
    open: &mut Open,
) -> Result<(), NotUnderstood> {
    let mut is_varying = word.contains("var");
    if word.starts_with('n') {
        open.charset = Some("utf8mb3".to_owned());
    }
    if word == "national" {
        is_varying = tokens.eat_any(&["VARCHAR", "VARCHARACTER"]);
        if !is_varying && !tokens.eat_any(&["CHAR", "CHARACTER"]) {
            return Err(tokens.expected("CHAR or VARCHAR"));
        }
    }
    is_varying |= tokens.eat_any(&["VARYING", "VARCHAR", "VARCHARACTER"]);
    let length = parse_length(tokens)?;
    let charset = String::new();
    open.kind = if is_varying {
        let length = length.ok_or_else(|| tokens.expected("a length"))?;
        ColumnType::Varchar { length, charset }
    } else {
        let length = length.unwrap_or(1);
        ColumnType::Char { length, charset }
    };
    Ok(())
}

/// Reads `(n)` if it comes next.
fn parse_length(tokens: &mut Tokens<'_>) -> Result<Option<u32>, NotUnderstood> {
    Ok(parse_numbers(tokens)?.first().copied())
}

/// Reads `(n)` or `(n,m)` if it comes next.
fn parse_numbers(tokens: &mut Tokens<'_>) -> Result<Vec<u32>, NotUnderstood> {
    let mut numbers = Vec::new();
    if tokens.eat_sign('(') {
        numbers.push(tokens.number()?);
        while tokens.eat_sign(',') {
            numbers.push(tokens.number()?);
        }
        tokens.expect_sign(')')?;
    }
    Ok(numbers)
}

/// Reads the members of an ENUM or SET; the server cuts blanks at their ends.
fn members(tokens: &mut Tokens<'_>) -> Result<Vec<String>, NotUnderstood> {
    tokens.expect_sign('(')?;
    let mut members = Vec::new();
    loop {
        // A charset in front (`_utf8mb4'x'`) says how the statement is written, not what the member is.
        if matches!(tokens.peek(), Some(Token::Word(word)) if word.starts_with('_')) {
            tokens.next();
        }
        match tokens.next() {
            Some(Token::Text(text)) => members.push(text.trim_end_matches(' ').to_owned()),
            _ => return Err(tokens.expected("a text")),
        }
        if !tokens.eat_sign(',') {
            break;
        }
    }
    tokens.expect_sign(')')?;
    Ok(members)
}

/// Reads one attribute; `false` if the column ends.
fn parse_attribute(tokens: &mut Tokens<'_>, open: &mut Open) -> Result<bool, NotUnderstood> {
    let is_end = match tokens.peek() {
        None | Some(Token::Sign(',' | ')' | ';')) => true,
        Some(Token::Word(_)) => tokens.is_word("FIRST") || tokens.is_word("AFTER"),
        _ => false,
    };
    if is_end {
        return Ok(false);
    }
    if tokens.eat_any(&["UNSIGNED", "ZEROFILL"]) {
        set_unsigned(&mut open.kind);
    } else if tokens.eat("SIGNED") {
    } else if tokens.eat_any(&["BYTE"]) {
        open.charset = Some("binary".to_owned());
    } else if tokens.eat("ASCII") {
        open.charset = Some("latin1".to_owned());
    } else if tokens.eat("UNICODE") {
        open.charset = Some("ucs2".to_owned());
    } else if let Some(charset) = parse_charset_option(tokens)? {
        open.charset = Some(charset);
    } else if tokens.eat("COLLATE") {
        tokens.eat_sign('=');
        tokens.next();
    } else if tokens.eat_all(&["NOT", "NULL"]) {
        open.nullable = Some(false);
    } else if tokens.eat("NULL") {
        open.nullable = Some(true);
    } else if tokens.eat_all(&["GENERATED", "ALWAYS"]) || tokens.is_word("AS") {
        parse_generated(tokens, open)?;
    } else if tokens.eat("DEFAULT") || tokens.eat_all(&["ON", "UPDATE"]) {
        skip_expression(tokens)?;
    } else if tokens.eat("UNIQUE") {
        tokens.eat("KEY");
        open.is_unique = true;
    } else if tokens.eat("PRIMARY") {
        tokens.eat("KEY");
        open.is_primary_key = true;
    } else if tokens.eat("KEY") {
        open.is_primary_key = true;
    } else {
        skip_attribute(tokens)?;
    }
    Ok(true)
}

fn set_unsigned(kind: &mut ColumnType) {
    if let ColumnType::TinyInt { unsigned, .. }
    | ColumnType::SmallInt { unsigned }
    | ColumnType::MediumInt { unsigned }
    | ColumnType::Int { unsigned }
    | ColumnType::BigInt { unsigned } = kind
    {
        *unsigned = true;
    }
}

fn parse_generated(tokens: &mut Tokens<'_>, open: &mut Open) -> Result<(), NotUnderstood> {
    tokens.expect("AS")?;
    // MariaDB's times of a row's versions: written by the server like any value.
    if tokens.eat("ROW") {
        if tokens.eat_any(&["START", "END"]) {
            open.nullable = Some(false);
            return Ok(());
        }
        return Err(tokens.expected("START or END"));
    }
    tokens.skip_parentheses()?;
    open.generated = Some(if tokens.eat_any(&["STORED", "PERSISTENT"]) {
        Generated::Stored
    } else {
        tokens.eat("VIRTUAL");
        Generated::Virtual
    });
    Ok(())
}

/// Skips attributes that values do not depend on.
fn skip_attribute(tokens: &mut Tokens<'_>) -> Result<(), NotUnderstood> {
    if tokens.eat_any(&[
        "AUTO_INCREMENT",
        "VISIBLE",
        "INVISIBLE",
        "VIRTUAL",
        "BINARY",
        "ENFORCED",
    ]) || tokens.eat_all(&["NOT", "ENFORCED"])
        || tokens.eat_all(&["NOT", "SECONDARY"])
        || tokens.eat_all(&["WITHOUT", "SYSTEM", "VERSIONING"])
        || tokens.eat_all(&["SERIAL", "DEFAULT", "VALUE"])
    {
        return Ok(());
    }
    if tokens.eat_all(&["WITH", "SYSTEM", "VERSIONING"]) {
        return Err(tokens.wrong(VERSIONED.to_owned()));
    }
    if tokens.eat("CHECK") {
        return tokens.skip_parentheses();
    }
    if tokens.eat("CONSTRAINT") {
        if !tokens.is_word("CHECK") {
            tokens.name()?;
        }
        return Ok(());
    }
    if tokens.eat("REFERENCES") {
        // To the end of the column: nothing but rules of the foreign key may follow.
        return skip_element(tokens);
    }
    let words = [
        "COMMENT",
        "COLUMN_FORMAT",
        "STORAGE",
        "ENGINE_ATTRIBUTE",
        "SECONDARY_ENGINE_ATTRIBUTE",
        "SRID",
        "REF_SYSTEM_ID",
    ];
    if tokens.eat_any(&words) {
        tokens.eat_sign('=');
        tokens.next();
        return Ok(());
    }
    if tokens.eat("COMPRESSED") {
        if tokens.eat_sign('=') {
            tokens.next();
        }
        return Ok(());
    }
    // An engine's own option: name=value.
    if tokens.peek_at(1) == Some(&Token::Sign('=')) {
        tokens.next();
        tokens.next();
        tokens.next();
        return Ok(());
    }
    Err(tokens.wrong("unknown attribute of a column".to_owned()))
}

/// Skips the expression of a DEFAULT or ON UPDATE: values joined by operators.
fn skip_expression(tokens: &mut Tokens<'_>) -> Result<(), NotUnderstood> {
    loop {
        while tokens.eat_sign('-') || tokens.eat_sign('+') || tokens.eat_sign('~') {}
        if tokens.is_sign('(') {
            tokens.skip_parentheses()?;
        } else {
            skip_value(tokens)?;
        }
        let is_joined = matches!(
            tokens.peek(),
            Some(Token::Sign(
                '+' | '-' | '*' | '/' | '%' | '.' | '|' | '&' | '^' | '<' | '>' | '!'
            ))
        );
        if !is_joined {
            return Ok(());
        }
        while matches!(tokens.peek(), Some(Token::Sign(sign)) if !matches!(sign, '(' | ')' | ',')) {
            tokens.next();
        }
        // `1.` ends behind its point.
        if matches!(tokens.peek(), None | Some(Token::Sign(_))) && !tokens.is_sign('(') {
            return Ok(());
        }
    }
}

fn skip_value(tokens: &mut Tokens<'_>) -> Result<(), NotUnderstood> {
    match tokens.next() {
        // `b'0'`, `x'00'`, `_utf8mb4'x'`, `DATE '…'` are a word and a text; `now()` has parentheses.
        Some(Token::Word(_) | Token::Name(_) | Token::Text(_)) => {}
        _ => return Err(tokens.expected("a value")),
    }
    while matches!(tokens.peek(), Some(Token::Text(_))) {
        tokens.next();
    }
    if tokens.is_sign('(') {
        tokens.skip_parentheses()?;
    }
    Ok(())
}
