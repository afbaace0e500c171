//! What a function is: its names, its typing rule and its kernel.

use std::fmt::Debug;
use std::sync::Arc;

use millrace_connector::FlinkType;

use crate::{CallError, Column, EvalContext, Literal, RowError, UserFunctions};

/// An argument as the typing rule sees it.
#[derive(Clone, Debug)]
pub struct Arg {
    /// Its type.
    pub ty: FlinkType,
    /// Its value, where it is written as a literal.
    pub literal: Option<Literal>,
}

/// What binding may depend on besides the arguments.
#[derive(Clone, Debug)]
pub struct BindContext {
    /// `table.local-time-zone`.
    pub session_tz: jiff::tz::TimeZone,
    /// `table.exec.legacy-cast-behaviour` = enabled.
    pub legacy_cast: bool,
    /// What CURRENT_DATABASE returns.
    pub current_database: String,
    /// Whether names are known that Flink got after version 1.17.
    pub later_functions: bool,
    /// Functions of the program that embeds the engine.
    pub user_functions: Arc<UserFunctions>,
}

impl Default for BindContext {
    /// The settings of a pipeline without SET.
    fn default() -> Self {
        Self {
            session_tz: jiff::tz::TimeZone::UTC,
            legacy_cast: false,
            current_database: "default_database".to_owned(),
            later_functions: true,
            user_functions: Arc::default(),
        }
    }
}

/// A call that is bound: which casts its arguments need, what it returns, how it runs.
#[derive(Clone, Debug)]
pub struct Bound {
    /// The type each argument must be cast to before the kernel sees it (implicit cast; equal = none).
    pub arg_types: Vec<FlinkType>,
    /// The result's type, as Flink derives it.
    pub return_type: FlinkType,
    /// The code.
    pub kernel: Arc<dyn Kernel>,
}

/// The code of a bound call. One instance serves all batches of a lane.
pub trait Kernel: Debug + Send + Sync {
    /// Returns the results for `rows` rows. Arguments are arrays of `rows` values or constants; the result is
    /// one of both too. A kernel whose arguments are all constant may return a constant if it is deterministic.
    ///
    /// # Errors
    /// The first row that fails.
    fn evaluate(&self, args: &[Column], rows: usize, ctx: &EvalContext)
    -> Result<Column, RowError>;

    /// Tells whether some row can fail. An infallible kernel may be evaluated for rows that a CASE skips.
    fn can_fail(&self) -> bool {
        true
    }
}

/// Whether equal arguments give equal results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Volatility {
    /// Always; may be folded into a constant.
    Deterministic,
    /// The clock: equal within a batch, never folded.
    PerBatch,
    /// Chance: another value each row and call.
    PerRow,
}

/// The chapter of the reference a function stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Category {
    /// `=`, `<`, BETWEEN, IN, LIKE, IS NULL …
    Comparison,
    /// AND, OR, NOT, IS TRUE …
    Logical,
    /// `+`, ABS, ROUND …
    Arithmetic,
    /// UPPER, SPLIT_INDEX, REGEXP_EXTRACT …
    String,
    /// TO_TIMESTAMP, EXTRACT …
    Temporal,
    /// CASE, COALESCE, IF …
    Conditional,
    /// CAST, TYPEOF …
    Conversion,
    /// CARDINALITY, ELEMENT, `a[1]` …
    Collection,
    /// JSON_VALUE …
    Json,
    /// ROW, ARRAY, MAP …
    Construction,
    /// MD5, SHA2 …
    Hash,
    /// UUID, RAND, CURRENT_DATABASE …
    Other,
}

/// The typing rule and kernel factory of a function.
pub type BindFn = fn(&[Arg], &BindContext) -> Result<Bound, CallError>;

/// A function or operator of Flink SQL.
#[derive(Clone, Copy, Debug)]
pub struct FunctionDef {
    /// Its name in upper case; an operator's sign.
    pub name: &'static str,
    /// Other names.
    pub aliases: &'static [&'static str],
    /// The chapter.
    pub category: Category,
    /// The signatures for messages and pages, such as `SPLIT_INDEX(string STRING, separator STRING, index INT) → STRING`.
    pub signatures: &'static [&'static str],
    /// What it does, nulls and corner cases included; Markdown, a sentence a line.
    pub doc: &'static str,
    /// An expression with its result, such as `("SPLIT_INDEX('a|b', '|', 1)", "b")`.
    pub examples: &'static [(&'static str, &'static str)],
    /// Whether it may be folded.
    pub volatility: Volatility,
    /// The typing rule.
    pub bind: BindFn,
}
