//! Golden cases: what Flink answers, and what this engine answers.

use std::sync::Arc;

use anyhow::{Context, Result};
use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{Field, Schema};
use millrace_connector::{Diagnostic, FlinkType, TableDefinition, TypeKind};
use millrace_functions::EvalContext;
use millrace_plan::{
    FLINK_VERSION, LOCAL_TIME_ZONE, Origin, Settings, TableBatches, TableReader, plan, plan_query,
    run_bounded,
};
use serde::Deserialize;
use serde_json::Value;

use crate::value;

/// The moment at which all cases are evaluated.
pub const CONTEXT: EvalContext = EvalContext {
    now_ms: 1_772_323_200_000,
};

/// How often a case's row is repeated, so that kernels see more than one.
const ROWS: usize = 3;

/// A line of `scalar-*.jsonl` and `insert.jsonl`.
#[derive(Debug, Deserialize)]
pub struct ScalarCase {
    /// Its name.
    pub id: String,
    /// The feature it belongs to.
    pub group: String,
    /// The expression over columns.
    pub col: Option<String>,
    /// The columns: type and value.
    #[serde(default)]
    pub args: Vec<(String, Value)>,
    /// The expression over literals.
    pub lit: Option<String>,
    /// What Flink answered.
    pub results: Vec<ScalarResult>,
    /// `where` or `insert`; absent for a selected expression.
    pub kind: Option<String>,
    /// The sink column's type of an `insert`.
    pub sink: Option<String>,
    /// Only the type was recorded.
    #[serde(default)]
    pub nondet: bool,
    /// Literals give another answer than columns.
    #[serde(default)]
    pub fold_differs: bool,
    /// Flink failed by a fault of its own.
    #[serde(default)]
    pub internal_error: bool,
    /// Two runs of Flink did not agree.
    #[serde(default)]
    pub unstable: bool,
    /// The version of Flink that answered, where it is not 1.17.2.
    pub flink: Option<String>,
    /// Settings under which Flink answered: key and value.
    #[serde(default)]
    pub set: Vec<(String, String)>,
}

/// One answer of Flink.
#[derive(Debug, Deserialize)]
pub struct ScalarResult {
    /// `col`, `lit` or `*`.
    pub mode: String,
    /// The session zone or `*`.
    pub tz: String,
    /// The result's type.
    #[serde(rename = "type")]
    pub ty: Option<String>,
    /// The value.
    #[serde(default)]
    pub value: Value,
    /// The failure.
    pub error: Option<Failure>,
    /// Flink failed by a fault of its own.
    #[serde(default)]
    pub internal_error: bool,
    /// Only the type was recorded.
    #[serde(default)]
    pub nondet: bool,
    /// Two runs of Flink did not agree.
    #[serde(default)]
    pub unstable: bool,
}

/// A failure of Flink.
#[derive(Debug, Deserialize)]
pub struct Failure {
    /// When it failed.
    pub phase: String,
    /// Its message.
    #[serde(default)]
    pub msg: String,
}

/// What this engine answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// A value with its type.
    Value {
        /// The type as Flink writes it.
        ty: String,
        /// The value.
        value: Value,
    },
    /// Refused before start.
    Refused(String),
    /// Failed on the row.
    Failed(String),
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Value { ty, value } => write!(f, "{ty} {value}"),
            Self::Refused(message) => write!(f, "refused: {message}"),
            Self::Failed(message) => write!(f, "failed on the row: {message}"),
        }
    }
}

/// Returns settings with the given session zone.
#[must_use]
pub fn settings(tz: &str) -> Settings {
    let mut settings = Settings::default();
    settings.set(LOCAL_TIME_ZONE, tz, Origin::CommandLine);
    settings.set(FLINK_VERSION, "1.17", Origin::CommandLine);
    settings
}

/// Returns the settings of a case: later versions than 1.17 know more functions.
fn settings_of(case: &ScalarCase, tz: &str) -> Settings {
    let mut settings = settings(tz);
    if case
        .flink
        .as_deref()
        .is_some_and(|version| !version.starts_with("1.17"))
    {
        settings.reset(FLINK_VERSION);
    }
    for (key, value) in &case.set {
        settings.set(key, value, Origin::CommandLine);
    }
    settings
}

/// Evaluates a case over its columns.
///
/// # Errors
/// A case that this reader does not understand.
pub fn over_columns(case: &ScalarCase, tz: &str) -> Result<Answer> {
    let settings = &settings_of(case, tz);
    let expr = case
        .col
        .as_deref()
        .context("the case has no expression over columns")?;
    let mut columns = Vec::new();
    let mut input = Vec::new();
    for (index, (ty, value)) in case.args.iter().enumerate() {
        columns.push(format!("c{index} {ty}"));
        input.push(value::parse(&parse_type(ty)?, value, ROWS)?);
    }
    let table = format!(
        "CREATE TABLE t ({}) WITH ('connector' = 'test');\n",
        columns.join(", ")
    );
    Ok(match case.kind.as_deref() {
        Some("insert") => insert(&insert_text(&table, case, expr)?, settings, &input),
        Some("where") => select(
            &format!("{table}SELECT 1 AS kept FROM t WHERE {expr}\n;"),
            settings,
            &input,
            Form::of(case),
        ),
        _ => select(
            &format!("{table}SELECT {expr}\nFROM t;"),
            settings,
            &input,
            Form::of(case),
        ),
    })
}

fn insert_text(table: &str, case: &ScalarCase, expr: &str) -> Result<String> {
    let sink = case.sink.as_deref().context("an insert has a sink")?;
    Ok(format!(
        "{table}CREATE TABLE sink (f {sink}) WITH ('connector' = 'test');\nINSERT INTO sink SELECT {expr}\nFROM t;"
    ))
}

/// Evaluates a case over literals.
///
/// # Errors
/// A case that this reader does not understand.
pub fn over_literals(case: &ScalarCase, tz: &str) -> Result<Answer> {
    let settings = &settings_of(case, tz);
    let expr = case
        .lit
        .as_deref()
        .context("the case has no expression over literals")?;
    if case.kind.is_none() {
        return Ok(select(
            &format!("SELECT {expr}\n;"),
            settings,
            &[],
            Form::of(case),
        ));
    }
    let table = "CREATE TABLE t (c0 INT) WITH ('connector' = 'test');\n";
    let input = [value::parse(
        &TypeKind::Int.nullable(),
        &Value::from("1"),
        ROWS,
    )?];
    Ok(match case.kind.as_deref() {
        Some("insert") => insert(&insert_text(table, case, expr)?, settings, &input),
        _ => select(
            &format!("{table}SELECT 1 AS kept FROM t WHERE {expr}\n;"),
            settings,
            &input,
            Form::of(case),
        ),
    })
}

fn parse_type(text: &str) -> Result<FlinkType> {
    millrace_sql::parse_type(text).map_err(|errors| anyhow::anyhow!("{}: {}", text, first(&errors)))
}

fn first(diagnostics: &[Diagnostic]) -> String {
    diagnostics
        .iter()
        .find(|diagnostic| diagnostic.is_error())
        .map_or_else(String::new, |diagnostic| {
            format!("{} {}", diagnostic.code, diagnostic.message)
        })
}

/// Evaluates a query in both ways: by its lane program, and by DataFusion, which runs the physical plan. They must agree.
fn select(text: &str, settings: &Settings, input: &[ArrayRef], form: Form) -> Answer {
    let parsed = millrace_sql::parse(text);
    if parsed.diagnostics.iter().any(Diagnostic::is_error) {
        return Answer::Refused(first(&parsed.diagnostics));
    }
    let query = match plan_query(&parsed.statements, settings) {
        Ok(query) => query,
        Err(errors) => return Answer::Refused(first(&errors)),
    };
    let rows = if input.is_empty() { 1 } else { ROWS };
    let program = &query.branches[0].program;
    let lanes = match program.run(input, rows, &CONTEXT) {
        Ok(output) => Ok((output.columns, output.rows)),
        Err(error) => Err(error.message),
    };
    let ty = &query.columns[0].ty;
    let lanes = answer(lanes, ty, rows, form);
    let reader = Arc::new(OneTable(input.to_vec()));
    let found = run_bounded(&query.plan, reader, CONTEXT.now_ms).map(|batches| {
        let columns = batches.first().map(|batch| batch.columns().to_vec());
        let rows = batches.iter().map(RecordBatch::num_rows).sum();
        (columns.unwrap_or_default(), rows)
    });
    let datafusion = answer(found, ty, rows, form);
    if form.is_steady && lanes != datafusion {
        return Answer::Failed(format!("lanes answer {lanes}, DataFusion {datafusion}"));
    }
    lanes
}

/// What is asked of a query.
#[derive(Clone, Copy)]
struct Form {
    /// Whether rows are kept; else the value of its column.
    filters: bool,
    /// Whether two evaluations give the same.
    is_steady: bool,
}

impl Form {
    fn of(case: &ScalarCase) -> Self {
        let changes = |result: &ScalarResult| result.nondet || result.unstable;
        Self {
            filters: case.kind.as_deref() == Some("where"),
            is_steady: !(case.nondet || case.unstable || case.results.iter().any(changes)),
        }
    }
}

fn answer(
    found: std::result::Result<(Vec<ArrayRef>, usize), String>,
    ty: &FlinkType,
    given: usize,
    form: Form,
) -> Answer {
    match found {
        Err(message) => Answer::Failed(message),
        Ok((_, rows)) if form.filters => Answer::Value {
            ty: String::new(),
            value: Value::from(if rows == given { "kept" } else { "dropped" }),
        },
        Ok((columns, rows)) => Answer::Value {
            ty: ty.to_string(),
            value: value::print(ty, &columns[0], rows - 1),
        },
    }
}

/// The one table that a case reads.
struct OneTable(Vec<ArrayRef>);

impl TableReader for OneTable {
    fn read(
        &self,
        table: &TableDefinition,
        columns: &[usize],
    ) -> std::result::Result<TableBatches, String> {
        let fields = columns.iter().map(|index| {
            let data_type = self.0[*index].data_type().clone();
            Field::new(&table.columns[*index].name.value, data_type, true)
        });
        let schema = Schema::new(fields.collect::<Vec<_>>());
        let columns = columns.iter().map(|index| Arc::clone(&self.0[*index]));
        let options = RecordBatchOptions::new().with_row_count(Some(ROWS));
        let batch =
            RecordBatch::try_new_with_options(Arc::new(schema), columns.collect(), &options);
        let batch = batch.map_err(|error| error.to_string());
        Ok(Box::new(std::iter::once(batch)))
    }
}

fn insert(text: &str, settings: &Settings, input: &[ArrayRef]) -> Answer {
    let parsed = millrace_sql::parse(text);
    if parsed.diagnostics.iter().any(Diagnostic::is_error) {
        return Answer::Refused(first(&parsed.diagnostics));
    }
    let pipeline = match plan(&parsed.statements, settings) {
        Ok(pipeline) => pipeline,
        Err(errors) => return Answer::Refused(first(&errors)),
    };
    let source = &pipeline.flows[0].sources[0];
    let columns: Vec<ArrayRef> = source
        .projection
        .columns
        .iter()
        .map(|i| ArrayRef::clone(&input[*i]))
        .collect();
    let program = &source.branches[0].program;
    match program.run(&columns, ROWS, &CONTEXT) {
        Ok(output) => {
            let ty = &program.outputs()[0].ty;
            Answer::Value {
                ty: ty.to_string(),
                value: value::print(ty, &output.columns[0], 0),
            }
        }
        Err(error) => Answer::Failed(error.message),
    }
}

/// Tells whether an answer is what Flink answered.
#[must_use]
pub fn agrees(case: &ScalarCase, expected: &ScalarResult, answer: &Answer) -> bool {
    match (&expected.error, answer) {
        (Some(error), Answer::Failed(_)) => error.phase == "run",
        (Some(error), Answer::Refused(_)) => error.phase != "run",
        (None, Answer::Value { ty, value }) => {
            let same_type = expected.ty.as_ref().is_none_or(|expected| expected == ty);
            same_type && (case.nondet || expected.nondet || *value == expected.value)
        }
        _ => false,
    }
}

/// Writes down what Flink answered.
#[must_use]
pub fn describe(expected: &ScalarResult) -> String {
    match &expected.error {
        Some(error) => format!("error in {}: {}", error.phase, error.msg),
        None => format!(
            "{} {}",
            expected.ty.as_deref().unwrap_or(""),
            expected.value
        ),
    }
}
