//! The syntax tree of a pipeline's text.
//!
//! Every node knows the bytes it was written at. Nothing is resolved here: names are as written, literals are
//! checked for their form only, types are Flink's.

mod expression;
mod query;

use millrace_connector::{FlinkType, Span, Spanned};

pub use expression::*;
pub use query::*;

/// One name as written: the text without its back-ticks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ident {
    /// The name; case matters.
    pub value: String,
    /// Whether it stood in back-ticks.
    pub quoted: bool,
    /// Where it stands.
    pub span: Span,
}

/// A name of one to three parts: `catalog.database.table`, `table` …
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ObjectName {
    /// The parts in the order they are written; never empty.
    pub parts: Vec<Ident>,
    /// From the first part to the last.
    pub span: Span,
}

impl ObjectName {
    /// Returns the last part: the table's, function's or column's own name.
    #[must_use]
    pub fn last(&self) -> &Ident {
        self.parts.last().expect("a name has at least one part")
    }
}

impl std::fmt::Display for ObjectName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (i, part) in self.parts.iter().enumerate() {
            if i > 0 {
                f.write_str(".")?;
            }
            f.write_str(&part.value)?;
        }
        Ok(())
    }
}

/// `'key' = 'value'`.
pub type OptionPair = (Spanned<String>, Spanned<String>);

/// One statement; its span is in the [`Spanned`] around it, without the `;`.
#[expect(
    clippy::large_enum_variant,
    reason = "a file has a few dozen statements, a box would only burden the reader"
)]
#[derive(Clone, Debug, PartialEq)]
pub enum Statement {
    /// `CREATE [TEMPORARY] TABLE`.
    CreateTable(CreateTable),
    /// `CREATE [TEMPORARY] VIEW`.
    CreateView(CreateView),
    /// `CREATE CATALOG name WITH (…)`.
    CreateCatalog {
        /// The catalog's name.
        name: Ident,
        /// The options.
        options: Vec<OptionPair>,
    },
    /// `CREATE DATABASE [IF NOT EXISTS] name`.
    CreateDatabase {
        /// Whether an existing one is no error.
        if_not_exists: bool,
        /// The database's name.
        name: ObjectName,
    },
    /// `CREATE [TEMPORARY [SYSTEM]] FUNCTION name AS 'class'`.
    CreateFunction {
        /// The function's name.
        name: ObjectName,
        /// The class that implements it in Flink.
        class_name: Spanned<String>,
    },
    /// `DROP [TEMPORARY] TABLE`.
    DropTable(Drop),
    /// `DROP [TEMPORARY] VIEW`.
    DropView(Drop),
    /// `DROP DATABASE`.
    DropDatabase(DropDatabase),
    /// `USE [CATALOG] name`.
    Use {
        /// Whether CATALOG was written.
        catalog: bool,
        /// The catalog's or database's name.
        name: ObjectName,
    },
    /// `INSERT INTO` or `INSERT OVERWRITE`.
    Insert(Insert),
    /// `EXECUTE STATEMENT SET BEGIN … END` and `BEGIN STATEMENT SET; … END`.
    StatementSet(Vec<Spanned<Insert>>),
    /// A bare query: Flink's client would print its rows.
    Query(Query),
    /// `SET 'key' = 'value'`; the quotes may be missing, as StreamPark and old clients allow.
    Set {
        /// The option's key.
        key: Spanned<String>,
        /// The option's value.
        value: Spanned<String>,
    },
    /// `RESET ['key']`.
    Reset {
        /// The option's key; `None` resets all.
        key: Option<Spanned<String>>,
    },
    /// `EXPLAIN [PLAN FOR | detail, …] statement`.
    Explain(Explain),
    /// A statement of Flink that has no meaning in a pipeline file (`SHOW`, `DESCRIBE`, `ALTER` …).
    Unsupported {
        /// Its leading words, in capitals.
        what: String,
        /// Where these words stand.
        span: Span,
    },
}

/// `EXPLAIN`: the plan of a statement.
#[derive(Clone, Debug, PartialEq)]
pub struct Explain {
    /// What is shown besides: `ESTIMATED_COST`, `CHANGELOG_MODE`, `JSON_EXECUTION_PLAN`, `PLAN_ADVICE`.
    pub details: Vec<Spanned<String>>,
    /// The query, INSERT or statement set.
    pub statement: Box<Spanned<Statement>>,
}

impl Explain {
    /// Tells whether the plan is asked for as JSON.
    #[must_use]
    pub fn wants_json(&self) -> bool {
        self.details
            .iter()
            .any(|detail| detail.value == "JSON_EXECUTION_PLAN")
    }
}

/// `CREATE [TEMPORARY] TABLE [IF NOT EXISTS] name (…) [COMMENT …] [PARTITIONED BY …] [WITH (…)] [LIKE …] [AS …]`.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateTable {
    /// Whether TEMPORARY was written.
    pub temporary: bool,
    /// Whether OR REPLACE was written, which replaces nothing in Flink.
    pub or_replace: bool,
    /// Whether an existing one is no error.
    pub if_not_exists: bool,
    /// The table's name.
    pub name: ObjectName,
    /// The columns in the order they are written.
    pub columns: Vec<Column>,
    /// The `PRIMARY KEY (…)` of the table or of a column (then the span is that column's clause).
    pub primary_key: Option<PrimaryKey>,
    /// `WATERMARK FOR …`.
    pub watermark: Option<Watermark>,
    /// The table's comment.
    pub comment: Option<Spanned<String>>,
    /// The columns of `PARTITIONED BY`.
    pub partitioned_by: Vec<Ident>,
    /// The options of `WITH`.
    pub options: Vec<OptionPair>,
    /// The `WITH (…)` as a whole, if there is one.
    pub options_span: Option<Span>,
    /// `LIKE other (…)`.
    pub like: Option<Like>,
    /// `AS SELECT …`.
    pub query: Option<Query>,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// The column's name.
    pub name: Ident,
    /// What kind of column it is.
    pub kind: ColumnKind,
    /// `COMMENT '…'`.
    pub comment: Option<Spanned<String>>,
    /// From the name to the end of the definition.
    pub span: Span,
}

/// What kind of column it is.
#[derive(Clone, Debug, PartialEq)]
pub enum ColumnKind {
    /// `name type`.
    Physical {
        /// The declared type.
        data_type: Spanned<FlinkType>,
    },
    /// `name type METADATA [FROM 'key'] [VIRTUAL]`.
    Metadata {
        /// The declared type.
        data_type: Spanned<FlinkType>,
        /// The metadata key; the column's name where it is absent.
        from: Option<Spanned<String>>,
        /// Whether it is read only.
        is_virtual: bool,
    },
    /// `name AS expression`.
    Computed {
        /// The expression over the table's other columns.
        expr: Expr,
    },
}

/// `PRIMARY KEY (a, b) NOT ENFORCED`.
#[derive(Clone, Debug, PartialEq)]
pub struct PrimaryKey {
    /// The constraint's name.
    pub name: Option<Ident>,
    /// The key's columns.
    pub columns: Vec<Ident>,
    /// Whether `NOT ENFORCED` was written; Flink refuses a key without it.
    pub not_enforced: bool,
    /// The whole clause.
    pub span: Span,
}

/// `WATERMARK FOR column AS expression`.
#[derive(Clone, Debug, PartialEq)]
pub struct Watermark {
    /// The rowtime column; more than one part for a nested field.
    pub column: ObjectName,
    /// The watermark strategy.
    pub expr: Expr,
    /// The whole clause.
    pub span: Span,
}

/// `LIKE source [(INCLUDING ALL …)]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Like {
    /// The table whose definition is taken over.
    pub source: ObjectName,
    /// The rules, such as `EXCLUDING OPTIONS`.
    pub rules: Vec<LikeRule>,
    /// The whole clause.
    pub span: Span,
}

/// One rule of a LIKE clause.
#[derive(Clone, Debug, PartialEq)]
pub struct LikeRule {
    /// INCLUDING, EXCLUDING or OVERWRITING.
    pub strategy: LikeStrategy,
    /// ALL, CONSTRAINTS, GENERATED, METADATA, OPTIONS, PARTITIONS or WATERMARKS.
    pub feature: String,
    /// Where the rule stands.
    pub span: Span,
}

/// What a LIKE rule does with a feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LikeStrategy {
    /// INCLUDING.
    Including,
    /// EXCLUDING.
    Excluding,
    /// OVERWRITING.
    Overwriting,
}

/// `CREATE [TEMPORARY] VIEW [IF NOT EXISTS] name [(columns)] [COMMENT …] AS query`.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateView {
    /// Whether TEMPORARY was written.
    pub temporary: bool,
    /// Whether OR REPLACE was written, which replaces nothing in Flink.
    pub or_replace: bool,
    /// Whether an existing one is no error.
    pub if_not_exists: bool,
    /// The view's name.
    pub name: ObjectName,
    /// The names of its columns; empty takes them from the query.
    pub columns: Vec<Ident>,
    /// The view's comment.
    pub comment: Option<Spanned<String>>,
    /// What it shows.
    pub query: Query,
}

/// `DROP [TEMPORARY] TABLE|VIEW [IF EXISTS] name`.
#[derive(Clone, Debug, PartialEq)]
pub struct Drop {
    /// Whether TEMPORARY was written.
    pub temporary: bool,
    /// Whether an absent one is no error.
    pub if_exists: bool,
    /// The table's or view's name.
    pub name: ObjectName,
}

/// `DROP DATABASE [IF EXISTS] name [RESTRICT|CASCADE]`.
#[derive(Clone, Debug, PartialEq)]
pub struct DropDatabase {
    /// Whether an absent one is no error.
    pub if_exists: bool,
    /// The database's name.
    pub name: ObjectName,
    /// Whether its tables are dropped too.
    pub cascade: bool,
}

/// `INSERT {INTO|OVERWRITE} target [PARTITION (…)] [(columns)] query`.
#[derive(Clone, Debug, PartialEq)]
pub struct Insert {
    /// The sink.
    pub target: ObjectName,
    /// Hints after the sink's name.
    pub hints: Vec<Hint>,
    /// `PARTITION (column = literal, …)`.
    pub partition: Vec<(Ident, Expr)>,
    /// The columns that are written; `None` is all, in the sink's order.
    pub columns: Option<Vec<Ident>>,
    /// The rows.
    pub query: Query,
    /// Whether it is `INSERT OVERWRITE`.
    pub overwrite: bool,
}
