//! Queries and what they read from.

use millrace_connector::{Span, Spanned};

use super::{Expr, FunctionCall, Ident, ObjectName};

/// `[WITH …] body [ORDER BY …] [LIMIT …] [OFFSET …] [FETCH …]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// The common table expressions.
    pub with: Vec<Cte>,
    /// What yields the rows.
    pub body: QueryBody,
    /// `ORDER BY`; empty without.
    pub order_by: Vec<OrderItem>,
    /// `LIMIT n` or `FETCH FIRST n ROWS ONLY`; `None` also for `LIMIT ALL`.
    pub limit: Option<Expr>,
    /// `OFFSET n`.
    pub offset: Option<Expr>,
    /// The whole query.
    pub span: Span,
}

/// `name [(columns)] AS (query)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Cte {
    /// The name it is read by.
    pub name: Ident,
    /// The names of its columns; empty takes them from the query.
    pub columns: Vec<Ident>,
    /// The query.
    pub query: Query,
    /// The whole definition.
    pub span: Span,
}

/// What yields the rows of a query.
#[derive(Clone, Debug, PartialEq)]
pub enum QueryBody {
    /// `SELECT …`.
    Select(Box<Select>),
    /// `left UNION|INTERSECT|EXCEPT [ALL] right`.
    SetOperation {
        /// Which one.
        op: SetOperator,
        /// Whether duplicates stay.
        all: bool,
        /// The left side.
        left: Box<QueryBody>,
        /// The right side.
        right: Box<QueryBody>,
        /// From the left side to the right one.
        span: Span,
    },
    /// `VALUES (1, 'a'), (2, 'b')`: each row is a list of expressions.
    Values {
        /// The rows; all spans are in the expressions.
        rows: Vec<Spanned<Vec<Expr>>>,
        /// The whole clause.
        span: Span,
    },
    /// `TABLE name`.
    Table {
        /// The table's name.
        name: ObjectName,
        /// The whole clause.
        span: Span,
    },
    /// `(query)`.
    Nested(Box<Query>),
}

impl QueryBody {
    /// Returns the bytes it was written at.
    #[must_use]
    pub fn span(&self) -> Span {
        match self {
            Self::Select(select) => select.span,
            Self::SetOperation { span, .. }
            | Self::Values { span, .. }
            | Self::Table { span, .. } => *span,
            Self::Nested(query) => query.span,
        }
    }
}

/// How two sets of rows are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetOperator {
    /// UNION.
    Union,
    /// INTERSECT.
    Intersect,
    /// EXCEPT (also MINUS).
    Except,
}

/// `SELECT … FROM … WHERE … GROUP BY … HAVING … WINDOW … QUALIFY …`.
#[derive(Clone, Debug, PartialEq)]
pub struct Select {
    /// Whether DISTINCT was written.
    pub distinct: bool,
    /// Hints after SELECT.
    pub hints: Vec<Hint>,
    /// What is selected.
    pub items: Vec<SelectItem>,
    /// What is read; more than one is a cross join by comma; empty without FROM.
    pub from: Vec<TableRef>,
    /// `WHERE`.
    pub selection: Option<Expr>,
    /// `GROUP BY`; `None` without, an empty list for `GROUP BY ()`.
    pub group_by: Option<GroupBy>,
    /// `HAVING`.
    pub having: Option<Expr>,
    /// `WINDOW name AS (…)`.
    pub windows: Vec<NamedWindow>,
    /// `QUALIFY`.
    pub qualify: Option<Expr>,
    /// The whole block.
    pub span: Span,
}

/// One item of a SELECT list.
#[derive(Clone, Debug, PartialEq)]
pub enum SelectItem {
    /// `expression [[AS] alias]`.
    Expr {
        /// The expression.
        expr: Expr,
        /// Its name in the result.
        alias: Option<Ident>,
    },
    /// `*`.
    Wildcard(Span),
    /// `t.*`.
    QualifiedWildcard {
        /// What stands before `.*`.
        name: ObjectName,
        /// The whole item.
        span: Span,
    },
}

/// A GROUP BY clause.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupBy {
    /// Whether `GROUP BY DISTINCT` was written.
    pub distinct: bool,
    /// The groupings.
    pub items: Vec<GroupItem>,
    /// The whole clause.
    pub span: Span,
}

/// One grouping.
#[derive(Clone, Debug, PartialEq)]
pub enum GroupItem {
    /// A key.
    Expr(Expr),
    /// `(a, b)` as one grouping set, `()` is the empty one.
    Set(Spanned<Vec<Expr>>),
    /// `GROUPING SETS (…)`.
    GroupingSets(Spanned<Vec<GroupItem>>),
    /// `CUBE (…)`.
    Cube(Spanned<Vec<GroupItem>>),
    /// `ROLLUP (…)`.
    Rollup(Spanned<Vec<GroupItem>>),
}

/// `expression [ASC|DESC] [NULLS FIRST|LAST]`.
#[derive(Clone, Debug, PartialEq)]
pub struct OrderItem {
    /// The key.
    pub expr: Expr,
    /// Whether DESC was written.
    pub descending: bool,
    /// Where NULLs go, if it is written.
    pub nulls_first: Option<bool>,
}

/// `name AS (window)`.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedWindow {
    /// The window's name.
    pub name: Ident,
    /// What it is.
    pub window: WindowSpec,
}

/// `([name] [PARTITION BY …] [ORDER BY …] [ROWS|RANGE …])`.
#[derive(Clone, Debug, PartialEq)]
pub struct WindowSpec {
    /// The named window it extends.
    pub base: Option<Ident>,
    /// `PARTITION BY`.
    pub partition_by: Vec<Expr>,
    /// `ORDER BY`.
    pub order_by: Vec<OrderItem>,
    /// The frame.
    pub frame: Option<WindowFrame>,
    /// The parentheses and what is in them.
    pub span: Span,
}

/// `ROWS|RANGE BETWEEN start AND end`.
#[derive(Clone, Debug, PartialEq)]
pub struct WindowFrame {
    /// Whether it counts rows; else it is a RANGE.
    pub rows: bool,
    /// Where it starts.
    pub start: FrameBound,
    /// Where it ends; CURRENT ROW if it is not written.
    pub end: Option<FrameBound>,
    /// The whole clause.
    pub span: Span,
}

/// One end of a window's frame.
#[derive(Clone, Debug, PartialEq)]
pub enum FrameBound {
    /// `UNBOUNDED PRECEDING`.
    UnboundedPreceding,
    /// `expression PRECEDING`.
    Preceding(Box<Expr>),
    /// `CURRENT ROW`.
    CurrentRow,
    /// `expression FOLLOWING`.
    Following(Box<Expr>),
    /// `UNBOUNDED FOLLOWING`.
    UnboundedFollowing,
}

/// What is read in FROM.
#[derive(Clone, Debug, PartialEq)]
pub struct TableRef {
    /// What it is.
    pub kind: TableRefKind,
    /// Where it stands, alias included.
    pub span: Span,
}

/// What is read in FROM.
#[derive(Clone, Debug, PartialEq)]
pub enum TableRefKind {
    /// `name [/*+ … */] [FOR SYSTEM_TIME AS OF …] [[AS] alias [(columns)]]`.
    Named {
        /// The table's or view's name.
        name: ObjectName,
        /// Hints after the name.
        hints: Vec<Hint>,
        /// `FOR SYSTEM_TIME AS OF expression`.
        system_time: Option<Expr>,
        /// The alias.
        alias: Option<TableAlias>,
    },
    /// `[LATERAL] (query) [alias]`.
    Subquery {
        /// Whether it sees the tables to its left.
        lateral: bool,
        /// The query.
        query: Box<Query>,
        /// The alias.
        alias: Option<TableAlias>,
    },
    /// `[LATERAL] TABLE(function(…)) [alias]`; window functions such as TUMBLE too.
    Function {
        /// Whether it sees the tables to its left.
        lateral: bool,
        /// The call.
        call: Box<FunctionCall>,
        /// The alias.
        alias: Option<TableAlias>,
    },
    /// `UNNEST(expressions) [WITH ORDINALITY] [alias]`.
    Unnest {
        /// The collections.
        exprs: Vec<Expr>,
        /// Whether a column with the position is added.
        with_ordinality: bool,
        /// The alias.
        alias: Option<TableAlias>,
    },
    /// `left [kind] JOIN right [ON …|USING (…)]`.
    Join {
        /// The left side.
        left: Box<TableRef>,
        /// The right side.
        right: Box<TableRef>,
        /// Which join.
        kind: JoinKind,
        /// Whether NATURAL was written.
        natural: bool,
        /// The condition.
        constraint: JoinConstraint,
    },
    /// `MATCH_RECOGNIZE`, `TABLESAMPLE`, `PIVOT` … : syntax of Flink that nothing here can run.
    Unsupported {
        /// Its leading word, in capitals.
        what: String,
        /// What it is applied to.
        input: Box<TableRef>,
        /// Where the leading word stands.
        word: Span,
    },
}

/// `[AS] name [(columns)]`.
#[derive(Clone, Debug, PartialEq)]
pub struct TableAlias {
    /// The name.
    pub name: Ident,
    /// The names of the columns; empty leaves them.
    pub columns: Vec<Ident>,
}

/// Which join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinKind {
    /// `[INNER] JOIN`.
    Inner,
    /// `LEFT [OUTER] JOIN`.
    Left,
    /// `RIGHT [OUTER] JOIN`.
    Right,
    /// `FULL [OUTER] JOIN`.
    Full,
    /// `CROSS JOIN`.
    Cross,
}

/// The condition of a join.
#[derive(Clone, Debug, PartialEq)]
pub enum JoinConstraint {
    /// None is written.
    None,
    /// `ON condition`.
    On(Expr),
    /// `USING (columns)`.
    Using(Vec<Ident>),
}

/// One hint of `/*+ NAME('key' = 'value', …) */`.
#[derive(Clone, Debug, PartialEq)]
pub struct Hint {
    /// The hint's name, such as OPTIONS.
    pub name: Ident,
    /// `key = value` pairs.
    pub options: Vec<(Spanned<String>, Spanned<String>)>,
    /// Plain arguments, such as the table names of BROADCAST(t).
    pub arguments: Vec<Spanned<String>>,
    /// The whole hint.
    pub span: Span,
}
