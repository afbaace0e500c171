//! Which tables `database-name` and `table-name` mean.

use regex::{Regex, RegexBuilder};

use super::TableName;

/// An expression that is none, or one that cannot be carried over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("option '{option}': {reason} at position {position} of '{expression}'")]
pub struct MatchError {
    /// The option: `database-name` or `table-name`.
    pub option: &'static str,
    /// Its value.
    pub expression: String,
    /// What is wrong.
    pub reason: String,
    /// Where, counted in characters from 1.
    pub position: usize,
}

/// Tells which tables are read.
#[derive(Clone, Debug)]
pub struct TableMatcher {
    expression: Regex,
    warnings: Vec<String>,
}

/// Databases of the server itself.
const BUILT_IN: [&str; 4] = ["mysql", "sys", "performance_schema", "information_schema"];

const DATABASE_OPTION: &str = "database-name";
const TABLE_OPTION: &str = "table-name";

impl TableMatcher {
    /// Returns the matcher of the two options.
    ///
    /// # Errors
    /// An option is no expression of Java's, or uses what has no counterpart here.
    pub fn new(database_name: &str, table_name: &str) -> Result<Self, MatchError> {
        let mut warnings = Vec::new();
        let databases = translate(DATABASE_OPTION, database_name, &mut warnings)?;
        let tables = translate(TABLE_OPTION, table_name, &mut warnings)?;
        let expression = RegexBuilder::new(&format!(r"\A(?:{databases})\.(?:{tables})\z"))
            .case_insensitive(true)
            .build();
        let expression = expression
            .map_err(|error| MatchError::new(TABLE_OPTION, table_name, error.to_string(), 0))?;
        Ok(Self {
            expression,
            warnings,
        })
    }

    /// Tells whether a table is read. Tables of the server's own databases never are.
    #[must_use]
    pub fn matches(&self, table: &TableName) -> bool {
        let is_built_in = BUILT_IN
            .iter()
            .any(|name| name.eq_ignore_ascii_case(&table.database));
        !is_built_in && self.expression.is_match(&table.to_string())
    }

    /// Returns what to log at start: where more is read than Flink CDC would read.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

impl MatchError {
    /// `at` counts bytes.
    fn new(option: &'static str, expression: &str, reason: impl Into<String>, at: usize) -> Self {
        let before = expression.get(..at).unwrap_or(expression);
        Self {
            option,
            expression: expression.to_owned(),
            reason: reason.into(),
            position: before.chars().count() + 1,
        }
    }
}

/// Returns the alternatives of an option, translated and joined.
fn translate(
    option: &'static str,
    expression: &str,
    warnings: &mut Vec<String>,
) -> Result<String, MatchError> {
    let mut translator = Translator {
        option,
        expression,
        at: 0,
        out: String::new(),
        alternatives: vec![0],
        has_inner_comma: false,
    };
    translator.run()?;
    let alternatives = translator.alternatives.clone();
    let has_inner_comma = translator.has_inner_comma;
    let parts = translator.finish()?;
    if parts.len() > 1 {
        let second = alternatives[1];
        let first = &expression[..second - 1];
        warnings.push(format!(
            "{option} '{expression}': Flink CDC would read only '{first}'; reading all {} alternatives",
            parts.len()
        ));
    } else if has_inner_comma {
        warnings.push(format!(
            "{option} '{expression}': Flink CDC would split it at its comma and fail; reading it as one expression"
        ));
    }
    Ok(parts.join("|"))
}

/// Walks over an expression of Java's and writes Rust's.
struct Translator<'a> {
    option: &'static str,
    expression: &'a str,
    at: usize,
    out: String,
    /// Where each alternative begins in the expression.
    alternatives: Vec<usize>,
    has_inner_comma: bool,
}

/// Separates alternatives in what was written; no expression has it.
const SEPARATOR: char = '\u{0}';

impl Translator<'_> {
    fn fail<T>(&self, reason: impl Into<String>, at: usize) -> Result<T, MatchError> {
        Err(MatchError::new(self.option, self.expression, reason, at))
    }

    fn rest(&self) -> &str {
        &self.expression[self.at..]
    }

    fn finish(self) -> Result<Vec<String>, MatchError> {
        let parts: Vec<String> = self
            .out
            .split(SEPARATOR)
            .zip(&self.alternatives)
            // Flink CDC cuts blanks around commas.
            .map(|(part, start)| (part.trim(), *start))
            .filter(|(part, _)| !part.is_empty())
            .map(|(part, start)| match regex_syntax::parse(part) {
                Ok(_) => Ok(format!("(?:{part})")),
                Err(error) => {
                    let (reason, offset) = describe(&error);
                    let at = (start + offset).min(self.expression.len());
                    self.fail(reason, at)
                }
            })
            .collect::<Result<_, _>>()?;
        if parts.is_empty() {
            return self.fail("an empty expression matches nothing", 0);
        }
        Ok(parts)
    }

    fn run(&mut self) -> Result<(), MatchError> {
        let mut open = Vec::new();
        while let Some(c) = self.rest().chars().next() {
            let start = self.at;
            self.at += c.len_utf8();
            match c {
                '\0' => return self.fail("a zero character", start),
                '\\' => self.escape(start)?,
                '[' => self.class(start)?,
                '(' => {
                    self.group(start)?;
                    open.push(start);
                }
                ')' => {
                    if open.pop().is_none() {
                        return self.fail("')' without '('", start);
                    }
                    self.out.push(')');
                    self.check_possessive()?;
                }
                ',' | '|' if open.is_empty() => {
                    self.out.push(SEPARATOR);
                    self.alternatives.push(self.at);
                }
                '{' => self.braces(start)?,
                '*' | '+' | '?' => {
                    self.out.push(c);
                    self.check_possessive()?;
                }
                // Java takes it for itself where it closes nothing.
                '}' | ']' => {
                    self.out.push('\\');
                    self.out.push(c);
                }
                c => {
                    self.has_inner_comma |= c == ',';
                    self.out.push(c);
                }
            }
        }
        match open.pop() {
            Some(start) => self.fail("'(' without ')'", start),
            None => Ok(()),
        }
    }

    /// Refuses a `+` behind a quantifier.
    fn check_possessive(&self) -> Result<(), MatchError> {
        let is_quantified = self.out.ends_with(['*', '+', '?', '}']) && !self.out.ends_with(r"\}");
        if is_quantified && self.rest().starts_with('+') {
            return self.fail("a possessive quantifier, which is not supported,", self.at);
        }
        Ok(())
    }

    fn group(&mut self, start: usize) -> Result<(), MatchError> {
        for refused in ["?=", "?!", "?<=", "?<!"] {
            if self.rest().starts_with(refused) {
                return self.fail("look-around, which is not supported,", start);
            }
        }
        if self.rest().starts_with("?>") {
            return self.fail("an independent group, which is not supported,", start);
        }
        self.out.push('(');
        // `?` of `(?:` and `(?i)` is no quantifier.
        if self.rest().starts_with('?') {
            self.at += 1;
            self.out.push('?');
        }
        Ok(())
    }

    fn braces(&mut self, start: usize) -> Result<(), MatchError> {
        let Some(end) = self.rest().find('}') else {
            return self.fail("'{' without '}'", start);
        };
        let body = self.rest()[..end].to_owned();
        let is_quantifier = body.starts_with(|c: char| c.is_ascii_digit())
            && body
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b',')
            && body.matches(',').count() <= 1;
        if !is_quantifier {
            return self.fail("'{' that begins no quantifier", start);
        }
        self.has_inner_comma |= body.contains(',');
        self.out.push('{');
        self.out.push_str(&body);
        self.out.push('}');
        self.at += end + 1;
        self.check_possessive()
    }

    fn escape(&mut self, start: usize) -> Result<(), MatchError> {
        let Some(c) = self.rest().chars().next() else {
            return self.fail("a backslash at the end", start);
        };
        self.at += c.len_utf8();
        match c {
            '1'..='9' | 'k' => self.fail("a back-reference, which is not supported,", start),
            'Q' => {
                let rest = self.rest();
                let end = rest.find(r"\E");
                let quoted = rest[..end.unwrap_or(rest.len())].to_owned();
                self.at += quoted.len() + if end.is_some() { 2 } else { 0 };
                self.out.push_str(&regex_syntax::escape(&quoted));
                Ok(())
            }
            // The same in both languages.
            'd' | 'D' | 'w' | 'W' | 's' | 'S' => {
                // Java's are ASCII's.
                let class = match c {
                    'd' => "[0-9]",
                    'D' => "[^0-9]",
                    'w' => "[a-zA-Z_0-9]",
                    'W' => "[^a-zA-Z_0-9]",
                    's' => r"[ \t\n\x0B\x0C\r]",
                    _ => r"[^ \t\n\x0B\x0C\r]",
                };
                self.out.push_str(class);
                Ok(())
            }
            't' | 'n' | 'r' | 'f' | 'a' | 'b' | 'B' | 'A' | 'z' | 'p' | 'P' | 'x' | 'u' => {
                self.out.push('\\');
                self.out.push(c);
                // What follows in braces is a name or number, not a quantifier.
                if matches!(c, 'p' | 'P' | 'x') && self.rest().starts_with('{') {
                    let rest = self.rest();
                    let end = rest.find('}').map_or(rest.len(), |end| end + 1);
                    let braces = rest[..end].to_owned();
                    self.out.push_str(&braces);
                    self.at += end;
                }
                Ok(())
            }
            c if c.is_ascii_alphanumeric() => {
                self.fail(format!("'\\{c}', which is not supported,"), start)
            }
            c => {
                self.out.push_str(&regex_syntax::escape(&c.to_string()));
                Ok(())
            }
        }
    }

    /// Copies a class; Java's unions and intersections are written alike.
    fn class(&mut self, start: usize) -> Result<(), MatchError> {
        self.out.push('[');
        let mut depth = 1;
        let mut is_first = true;
        if self.rest().starts_with('^') {
            self.out.push('^');
            self.at += 1;
        }
        while let Some(c) = self.rest().chars().next() {
            let at = self.at;
            self.at += c.len_utf8();
            match c {
                '\\' => self.escape(at)?,
                '[' => {
                    depth += 1;
                    self.out.push('[');
                    is_first = true;
                    if self.rest().starts_with('^') {
                        self.out.push('^');
                        self.at += 1;
                    }
                    continue;
                }
                ']' if is_first => self.out.push_str(r"\]"),
                ']' => {
                    self.out.push(']');
                    depth -= 1;
                    if depth == 0 {
                        return Ok(());
                    }
                }
                // Differences that Rust's classes have and Java's lack.
                '-' if self.rest().starts_with('-') => self.out.push_str(r"\-"),
                '~' => self.out.push_str(r"\~"),
                c => {
                    self.has_inner_comma |= c == ',';
                    self.out.push(c);
                }
            }
            is_first = false;
        }
        self.fail("'[' without ']'", start)
    }
}

fn describe(error: &regex_syntax::Error) -> (String, usize) {
    match error {
        regex_syntax::Error::Parse(error) => (error.kind().to_string(), error.span().start.offset),
        regex_syntax::Error::Translate(error) => {
            (error.kind().to_string(), error.span().start.offset)
        }
        other => (other.to_string(), 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(database: &str, table: &str, names: &[&str]) -> Vec<String> {
        let matcher = TableMatcher::new(database, table).expect("an expression");
        let matches = |name: &&&str| {
            let (database, table) = name.split_once('.').expect("both names");
            matcher.matches(&TableName::new(database, table))
        };
        names
            .iter()
            .filter(matches)
            .map(|name| (*name).to_owned())
            .collect()
    }

    const NAMES: [&str; 10] = [
        "db.a",
        "db.b",
        "db.ab",
        "db.a_b",
        "db.a$b",
        "db.login_log_2023",
        "db.login_log_202301",
        "db.login_log_20230101",
        "db.Login_Log_202301",
        "mysql.a",
    ];

    #[test]
    fn reads_what_the_author_meant() {
        assert_eq!(read("db", "a|b", &NAMES), ["db.a", "db.b"]);
        assert_eq!(read("db", "a, b", &NAMES), ["db.a", "db.b"]);
        assert_eq!(
            read("db", "login_log_[0-9]{4,6}", &NAMES),
            [
                "db.login_log_2023",
                "db.login_log_202301",
                "db.Login_Log_202301"
            ]
        );
        assert_eq!(
            read("DB|x", r"(a|b)\$?b?", &NAMES),
            ["db.a", "db.b", "db.ab", "db.a$b"]
        );
        assert_eq!(read(".*", r"\Qa$b\E", &NAMES), ["db.a$b"]);
        assert_eq!(read("[a-z&&[^m]]+", "a", &NAMES), ["db.a"]);
        assert_eq!(read("db", r"login_log_\d{6}", &NAMES).len(), 2);
    }

    #[test]
    fn warns_where_more_is_read() {
        let warnings = |table| {
            TableMatcher::new("db", table)
                .expect("an expression")
                .warnings
        };
        assert_eq!(
            warnings("a|b"),
            ["table-name 'a|b': Flink CDC would read only 'a'; reading all 2 alternatives"]
        );
        assert_eq!(warnings("a{1,2}").len(), 1);
        assert!(warnings("(a|b)_[0-9]+").is_empty());
    }

    #[test]
    fn refuses_what_it_lacks() {
        for (table, position) in [
            ("a(?=b)", 2),
            ("ไ(?<!b)", 2),
            (r"(a)\1", 4),
            ("a*+", 3),
            ("a{2}+", 5),
            ("a[", 2),
            ("a(b", 2),
            ("a)", 2),
            ("*a", 1),
            ("a|b[z-a]", 5),
            (r"\R", 1),
            ("", 1),
        ] {
            let error = TableMatcher::new("db", table).expect_err(table);
            assert_eq!(error.position, position, "{table}: {error}");
            assert_eq!(error.option, "table-name");
        }
    }
}
