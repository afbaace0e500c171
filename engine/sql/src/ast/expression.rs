//! Expressions.

use millrace_connector::{FlinkType, Span, Spanned};

use super::{Ident, ObjectName, OrderItem, Query, WindowSpec};

/// An expression and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where it stands.
    pub span: Span,
}

impl Expr {
    /// Returns `kind` placed at `span`.
    #[must_use]
    pub fn new(kind: ExprKind, span: Span) -> Self {
        Self { kind, span }
    }
}

/// What an expression is.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// `a`, `t.a`, `t.row.field`: never empty.
    Identifier(Vec<Ident>),
    /// A constant.
    Literal(Literal),
    /// `-x`, `+x`, `NOT x`.
    Unary {
        /// The operator.
        op: UnaryOperator,
        /// The operand.
        expr: Box<Expr>,
    },
    /// `left op right`.
    Binary {
        /// The operator.
        op: BinaryOperator,
        /// The left operand.
        left: Box<Expr>,
        /// The right operand.
        right: Box<Expr>,
        /// Where the operator stands.
        op_span: Span,
    },
    /// `expr [NOT] BETWEEN [SYMMETRIC] low AND high`.
    Between {
        /// What is tested.
        expr: Box<Expr>,
        /// Whether NOT was written.
        negated: bool,
        /// Whether SYMMETRIC was written.
        symmetric: bool,
        /// The lower end.
        low: Box<Expr>,
        /// The upper end.
        high: Box<Expr>,
    },
    /// `expr [NOT] IN (a, b)`.
    InList {
        /// What is tested.
        expr: Box<Expr>,
        /// Whether NOT was written.
        negated: bool,
        /// The list; never empty.
        list: Vec<Expr>,
    },
    /// `expr [NOT] IN (query)`.
    InSubquery {
        /// What is tested.
        expr: Box<Expr>,
        /// Whether NOT was written.
        negated: bool,
        /// The query.
        query: Box<Query>,
    },
    /// `expr op SOME|ANY|ALL (query or list)`.
    Quantified {
        /// What is tested.
        expr: Box<Expr>,
        /// The comparison.
        op: BinaryOperator,
        /// Whether ALL was written; else SOME or ANY.
        all: bool,
        /// The right side.
        right: QuantifiedSet,
    },
    /// `expr [NOT] LIKE|SIMILAR TO pattern [ESCAPE escape]`.
    Like {
        /// What is tested.
        expr: Box<Expr>,
        /// Whether NOT was written.
        negated: bool,
        /// Whether it is SIMILAR TO.
        similar: bool,
        /// The pattern.
        pattern: Box<Expr>,
        /// The escape character.
        escape: Option<Box<Expr>>,
    },
    /// `expr IS [NOT] NULL|TRUE|…`.
    Is {
        /// What is tested.
        expr: Box<Expr>,
        /// Whether NOT was written.
        negated: bool,
        /// The test.
        test: IsTest,
    },
    /// `left IS [NOT] DISTINCT FROM right`.
    IsDistinctFrom {
        /// The left operand.
        left: Box<Expr>,
        /// Whether NOT was written.
        negated: bool,
        /// The right operand.
        right: Box<Expr>,
    },
    /// `CASE [operand] WHEN … THEN … [ELSE …] END`.
    Case {
        /// The operand of a simple CASE.
        operand: Option<Box<Expr>>,
        /// The branches; never empty. A simple CASE may list several values in one WHEN.
        branches: Vec<CaseBranch>,
        /// `ELSE`.
        otherwise: Option<Box<Expr>>,
    },
    /// `CAST(expr AS type)`, `TRY_CAST(expr AS type)`.
    Cast {
        /// Whether it is TRY_CAST.
        try_cast: bool,
        /// What is cast.
        expr: Box<Expr>,
        /// The target; nullable unless NOT NULL is written, its own nullability is no part of a cast.
        data_type: Spanned<FlinkType>,
    },
    /// `name(…)`, also `CURRENT_TIMESTAMP` and the like without parentheses.
    Function(Box<FunctionCall>),
    /// `EXTRACT(unit FROM expr)`.
    Extract {
        /// The field.
        unit: Spanned<TimeUnit>,
        /// The value.
        expr: Box<Expr>,
    },
    /// `TRIM([BOTH|LEADING|TRAILING] [characters] FROM expr)`, `TRIM(expr)`.
    Trim {
        /// Which side; BOTH if it is not written.
        side: TrimSide,
        /// The characters; a blank if they are not written.
        characters: Option<Box<Expr>>,
        /// The value.
        expr: Box<Expr>,
    },
    /// `POSITION(needle IN expr [FROM start])`.
    Position {
        /// What is sought.
        needle: Box<Expr>,
        /// Where it is sought.
        expr: Box<Expr>,
        /// The first position that counts.
        start: Option<Box<Expr>>,
    },
    /// `OVERLAY(expr PLACING replacement FROM start [FOR length])`.
    Overlay {
        /// The value.
        expr: Box<Expr>,
        /// What is put in.
        replacement: Box<Expr>,
        /// The first character that is replaced.
        start: Box<Expr>,
        /// How many characters are replaced.
        length: Option<Box<Expr>>,
    },
    /// `SUBSTRING(expr FROM start [FOR length])`; the form with commas is a [`Self::Function`].
    Substring {
        /// The value.
        expr: Box<Expr>,
        /// The first character.
        start: Box<Expr>,
        /// How many characters.
        length: Option<Box<Expr>>,
    },
    /// `FLOOR(expr TO unit)`, `CEIL(expr TO unit)`; without TO it is a [`Self::Function`].
    RoundTo {
        /// Whether it is CEIL.
        ceil: bool,
        /// The value.
        expr: Box<Expr>,
        /// The unit.
        unit: Spanned<TimeUnit>,
    },
    /// `TIMESTAMPADD(unit, count, expr)`.
    TimestampAdd {
        /// The unit.
        unit: Spanned<TimeUnit>,
        /// How many.
        count: Box<Expr>,
        /// The point in time.
        expr: Box<Expr>,
    },
    /// `TIMESTAMPDIFF(unit, from, to)`.
    TimestampDiff {
        /// The unit.
        unit: Spanned<TimeUnit>,
        /// The earlier point.
        from: Box<Expr>,
        /// The later point.
        to: Box<Expr>,
    },
    /// `JSON_VALUE(input, path …)`.
    JsonValue(Box<JsonValue>),
    /// `JSON_QUERY(input, path …)`.
    JsonQuery(Box<JsonQuery>),
    /// `JSON_EXISTS(input, path [… ON ERROR])`.
    JsonExists {
        /// The document.
        input: Box<Expr>,
        /// The path.
        path: Box<Expr>,
        /// What an error yields.
        on_error: Option<JsonExistsOnError>,
    },
    /// `JSON_OBJECT(…)`, `JSON_OBJECTAGG(…)`.
    JsonObject {
        /// Whether it is JSON_OBJECTAGG (then with exactly one entry).
        aggregate: bool,
        /// Keys and values.
        entries: Vec<(Expr, Expr)>,
        /// `NULL ON NULL` or `ABSENT ON NULL`, if it is written.
        on_null: Option<JsonOnNull>,
    },
    /// `JSON_ARRAY(…)`, `JSON_ARRAYAGG(…)`.
    JsonArray {
        /// Whether it is JSON_ARRAYAGG (then with exactly one item).
        aggregate: bool,
        /// The items.
        items: Vec<Expr>,
        /// `NULL ON NULL` or `ABSENT ON NULL`, if it is written.
        on_null: Option<JsonOnNull>,
    },
    /// `ROW(a, b)` and `(a, b)`.
    Row {
        /// Whether ROW was written.
        explicit: bool,
        /// The fields.
        fields: Vec<Expr>,
    },
    /// `ARRAY[a, b]`.
    Array(Vec<Expr>),
    /// `ARRAY(query)`, `MAP(query)`, `MULTISET(query)`: the leading word, in capitals, and the query.
    CollectionQuery(&'static str, Box<Query>),
    /// `MAP[k, v, k, v]`.
    Map(Vec<Expr>),
    /// `MULTISET[a, b]`.
    Multiset(Vec<Expr>),
    /// `expr[index]`: an array's element or a map's value.
    Item {
        /// The collection.
        expr: Box<Expr>,
        /// The index or key.
        index: Box<Expr>,
    },
    /// `expr.field` where `expr` is no plain name.
    Field {
        /// The row.
        expr: Box<Expr>,
        /// The field.
        field: Ident,
    },
    /// `(query)` as a value.
    Subquery(Box<Query>),
    /// `EXISTS (query)`.
    Exists(Box<Query>),
    /// `UNIQUE (query)`.
    Unique(Box<Query>),
    /// The star of `COUNT(*)`.
    Star,
    /// `DEFAULT` as an argument.
    Default,
    /// `TABLE t` as an argument of a table function.
    TableArgument(ObjectName),
    /// `DESCRIPTOR(a, b)`.
    Descriptor(Vec<Ident>),
    /// `(left - right) unit`: the difference of two points in time as an interval of that unit.
    Difference {
        /// The later point.
        left: Box<Expr>,
        /// The earlier point.
        right: Box<Expr>,
        /// The unit.
        qualifier: IntervalQualifier,
    },
    /// `?`.
    Parameter,
}

/// The right side of a quantified comparison.
#[derive(Clone, Debug, PartialEq)]
pub enum QuantifiedSet {
    /// A query.
    Query(Box<Query>),
    /// A list of values.
    List(Vec<Expr>),
}

/// `WHEN values THEN result`.
#[derive(Clone, Debug, PartialEq)]
pub struct CaseBranch {
    /// The condition, or the values of a simple CASE (one, or more by comma); never empty.
    pub when: Vec<Expr>,
    /// The result.
    pub then: Expr,
}

/// A constant.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// `1`, `1.50`, `.5`: the text as written, without a sign.
    Exact(String),
    /// `1e5`, `1.0E-3`: the text as written.
    Approximate(String),
    /// `'text'`, also `U&'…'` and `_UTF16'…'`, decoded.
    String(String),
    /// `X'0A'`.
    Binary(Vec<u8>),
    /// `DATE '2024-01-31'`: the text between the quotes.
    Date(String),
    /// `TIME '12:34:56.789'`: the text between the quotes.
    Time(String),
    /// `TIMESTAMP '2024-01-31 12:34:56.789'`: the text between the quotes.
    Timestamp(String),
    /// `INTERVAL [-] '1-2' YEAR TO MONTH`.
    Interval {
        /// The text between the quotes.
        value: String,
        /// Whether a minus stands before the text.
        negative: bool,
        /// The qualifier.
        qualifier: IntervalQualifier,
    },
    /// `TRUE`, `FALSE`.
    Boolean(bool),
    /// `UNKNOWN`: NULL of type BOOLEAN.
    Unknown,
    /// `NULL`.
    Null,
}

/// `unit[(precision)] [TO unit[(precision)]]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IntervalQualifier {
    /// The leading unit.
    pub start: TimeUnit,
    /// The leading unit's precision.
    pub start_precision: Option<u32>,
    /// The trailing unit.
    pub end: Option<TimeUnit>,
    /// The fraction's precision of SECOND.
    pub fraction_precision: Option<u32>,
    /// Where it stands.
    pub span: Span,
}

/// Units and fields of time.
#[expect(missing_docs, reason = "the names are Calcite's and say all")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimeUnit {
    Millennium,
    Century,
    Decade,
    Year,
    IsoYear,
    Quarter,
    Month,
    Week,
    Day,
    DayOfWeek,
    IsoDayOfWeek,
    DayOfYear,
    Hour,
    Minute,
    Second,
    Millisecond,
    Microsecond,
    Nanosecond,
    Epoch,
}

/// Operators before one operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnaryOperator {
    /// `-`.
    Minus,
    /// `+`.
    Plus,
    /// `NOT`.
    Not,
}

/// Operators between two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryOperator {
    /// `+`.
    Plus,
    /// `-`.
    Minus,
    /// `*`.
    Multiply,
    /// `/`.
    Divide,
    /// `%`.
    Modulo,
    /// `||`.
    Concat,
    /// `=`.
    Eq,
    /// `<>`.
    NotEq,
    /// `<`.
    Lt,
    /// `<=`.
    LtEq,
    /// `>`.
    Gt,
    /// `>=`.
    GtEq,
    /// `AND`.
    And,
    /// `OR`.
    Or,
    /// `OVERLAPS`.
    Overlaps,
    /// `MEMBER OF`.
    MemberOf,
    /// `SUBMULTISET OF`.
    SubmultisetOf,
    /// `MULTISET UNION [ALL|DISTINCT]`.
    MultisetUnion,
    /// `MULTISET INTERSECT [ALL|DISTINCT]`.
    MultisetIntersect,
    /// `MULTISET EXCEPT [ALL|DISTINCT]`.
    MultisetExcept,
}

/// What `IS` tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IsTest {
    /// `NULL`.
    Null,
    /// `TRUE`.
    True,
    /// `FALSE`.
    False,
    /// `UNKNOWN`.
    Unknown,
    /// `JSON` and its parts.
    Json(JsonKind),
    /// `EMPTY`, of a multiset.
    Empty,
    /// `A SET`, of a multiset.
    Set,
}

/// `IS JSON [VALUE|SCALAR|ARRAY|OBJECT]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonKind {
    /// Any JSON text.
    Value,
    /// A scalar.
    Scalar,
    /// An array.
    Array,
    /// An object.
    Object,
}

/// Which side TRIM cuts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrimSide {
    /// BOTH.
    Both,
    /// LEADING.
    Leading,
    /// TRAILING.
    Trailing,
}

/// A call of a function by name.
#[derive(Clone, Debug, PartialEq)]
pub struct FunctionCall {
    /// The function's name; case does not matter.
    pub name: ObjectName,
    /// Whether parentheses were written (`CURRENT_DATE` has none).
    pub parenthesized: bool,
    /// `DISTINCT` before the arguments.
    pub distinct: bool,
    /// The arguments. `COUNT(*)` has one, [`ExprKind::Star`].
    pub args: Vec<FunctionArgument>,
    /// `WITHIN GROUP (ORDER BY …)`.
    pub within_group: Vec<OrderItem>,
    /// `FILTER (WHERE …)`.
    pub filter: Option<Expr>,
    /// `IGNORE NULLS` (true) or `RESPECT NULLS` (false).
    pub ignore_nulls: Option<bool>,
    /// `OVER …`.
    pub over: Option<Over>,
    /// The whole call.
    pub span: Span,
}

/// An argument of a call.
#[derive(Clone, Debug, PartialEq)]
pub struct FunctionArgument {
    /// The parameter's name in `name => value`.
    pub name: Option<Ident>,
    /// The value.
    pub value: Expr,
}

/// `OVER name` or `OVER (…)`.
#[derive(Clone, Debug, PartialEq)]
pub enum Over {
    /// A window of the WINDOW clause.
    Name(Ident),
    /// A window in place.
    Spec(WindowSpec),
}

/// `JSON_VALUE(input, path [RETURNING type] [… ON EMPTY] [… ON ERROR])`.
#[derive(Clone, Debug, PartialEq)]
pub struct JsonValue {
    /// The document.
    pub input: Expr,
    /// The path.
    pub path: Expr,
    /// `RETURNING`.
    pub returning: Option<Spanned<FlinkType>>,
    /// `… ON EMPTY`.
    pub on_empty: Option<JsonValueBehavior>,
    /// `… ON ERROR`.
    pub on_error: Option<JsonValueBehavior>,
}

/// What JSON_VALUE yields where there is nothing, or an error.
#[derive(Clone, Debug, PartialEq)]
pub enum JsonValueBehavior {
    /// `NULL`.
    Null,
    /// `ERROR`.
    Error,
    /// `DEFAULT expression`.
    Default(Expr),
}

/// `JSON_QUERY(input, path [wrapper] [… ON EMPTY] [… ON ERROR])`.
#[derive(Clone, Debug, PartialEq)]
pub struct JsonQuery {
    /// The document.
    pub input: Expr,
    /// The path.
    pub path: Expr,
    /// The wrapper, if it is written.
    pub wrapper: Option<JsonWrapper>,
    /// `… ON EMPTY`.
    pub on_empty: Option<JsonQueryBehavior>,
    /// `… ON ERROR`.
    pub on_error: Option<JsonQueryBehavior>,
}

/// Whether JSON_QUERY wraps its result into an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonWrapper {
    /// `WITHOUT [ARRAY] WRAPPER`.
    Without,
    /// `WITH CONDITIONAL [ARRAY] WRAPPER`.
    Conditional,
    /// `WITH [UNCONDITIONAL] [ARRAY] WRAPPER`.
    Unconditional,
}

/// What JSON_QUERY yields where there is nothing, or an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonQueryBehavior {
    /// `NULL`.
    Null,
    /// `ERROR`.
    Error,
    /// `EMPTY ARRAY`.
    EmptyArray,
    /// `EMPTY OBJECT`.
    EmptyObject,
}

/// What JSON_EXISTS yields for an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonExistsOnError {
    /// `TRUE`.
    True,
    /// `FALSE`.
    False,
    /// `UNKNOWN`.
    Unknown,
    /// `ERROR`.
    Error,
}

/// What a NULL becomes in a built JSON text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonOnNull {
    /// `NULL ON NULL`.
    Null,
    /// `ABSENT ON NULL`.
    Absent,
}
