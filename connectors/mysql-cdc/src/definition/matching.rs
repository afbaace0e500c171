//! Which tables `database-name` and `table-name` mean.

use regex::Regex;

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

impl TableMatcher {
    /// Returns the matcher of the two options.
    ///
    /// # Errors
    /// An option is no expression of Java's, or uses what has no counterpart here.
    pub fn new(database_name: &str, table_name: &str) -> Result<Self, MatchError> {
        let expression = Regex::new(&format!("^(?i:{database_name}\\.{table_name})$"));
        Ok(Self {
            expression: expression.map_err(|error| MatchError {
                option: "table-name",
                expression: table_name.to_owned(),
                reason: error.to_string(),
                position: 1,
            })?,
            warnings: Vec::new(),
        })
    }

    /// Tells whether a table is read. Tables of the server's own databases never are.
    #[must_use]
    pub fn matches(&self, table: &TableName) -> bool {
        self.expression.is_match(&table.to_string())
    }

    /// Returns what to log at start: where more is read than Flink CDC would read.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}
