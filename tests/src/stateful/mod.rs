//! Stateful cases: whole scripts with their rows in order of arrival, and what Flink answered to every single row.
//!
//! Start from [`Case`] (a line of a file), [`run::answer`] (what this engine answers) and [`judge::judge`].

pub mod judge;
pub mod materialised;
pub mod rows;
pub mod run;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::verdict::{Outcome, Verdict, guarded};

/// Rows with their kinds and, where there are several sinks, the sink's name.
pub type Outputs = Vec<Change>;

/// A line of a stateful file.
#[derive(Clone, Debug, Deserialize)]
pub struct Case {
    /// Its name for people and lists.
    pub id: String,
    /// The feature it belongs to.
    pub group: String,
    /// What it is about.
    pub name: String,
    /// `streaming` or `batch`.
    pub mode: String,
    /// The session zone.
    pub tz: String,
    /// Other options of the session.
    #[serde(default)]
    pub conf: Map<String, Value>,
    /// CREATE TABLE and CREATE VIEW, in order.
    pub ddl: Vec<String>,
    /// The query, if there is no INSERT.
    pub query: Option<String>,
    /// INSERTs that run as one job.
    pub inserts: Option<Vec<String>>,
    /// Names and types of the query's columns.
    pub types: Option<Vec<(String, String)>>,
    /// Row kinds of the node under each sink.
    #[serde(default)]
    pub changelog: Value,
    /// The rows in order of arrival, and what came of each.
    pub steps: Option<Vec<Step>>,
    /// What came before the first row.
    #[serde(default)]
    pub start: Outputs,
    /// What came when the tables ended, one after another.
    #[serde(default)]
    pub end: Vec<(String, Outputs)>,
    /// The materialised result.
    #[serde(rename = "final")]
    pub result_rows: Option<Value>,
    /// The result where no checkpoint falls between the rows.
    pub final_free: Option<Value>,
    /// Instead of the result: its digest.
    pub final_digest: Option<Digest>,
    /// Batch with ORDER BY: the rows in order.
    pub rows: Option<Vec<Value>>,
    /// How many rows of each kind.
    pub counts: Option<Map<String, Value>>,
    /// How the changes compare: `list`, `bag`, `final` or `any`.
    pub compare: Option<String>,
    /// How the result compares.
    pub result: Option<String>,
    /// Input rows where there are no steps.
    pub events: Option<Vec<Value>>,
    /// The file of input rows.
    pub events_file: Option<String>,
    /// The rows of tables that are looked up.
    #[serde(default)]
    pub lookup: Map<String, Value>,
    /// How Flink failed.
    pub error: Option<Failure>,
    /// Flink failed by a fault of its own.
    #[serde(default)]
    pub internal_error: bool,
    /// Planned, never run.
    #[serde(default)]
    pub plan_only: bool,
    /// Two runs of Flink did not agree.
    #[serde(default)]
    pub unstable: bool,
}

/// What enters, and what comes of it; nothing where the run fails.
#[derive(Clone, Debug, Deserialize)]
pub struct Step(pub Value, #[serde(default)] pub Outputs);

/// A row with its kind.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(from = "ChangeText", into = "Value")]
pub struct Change {
    /// `+I`, `-U`, `+U` or `-D`.
    pub kind: String,
    /// The row.
    pub row: Vec<Value>,
    /// The sink, if there are several.
    pub sink: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ChangeText {
    Of(String, Vec<Value>, String),
    Only(String, Vec<Value>),
}

impl From<ChangeText> for Change {
    fn from(text: ChangeText) -> Self {
        match text {
            ChangeText::Of(kind, row, sink) => Self {
                kind,
                row,
                sink: Some(sink),
            },
            ChangeText::Only(kind, row) => Self {
                kind,
                row,
                sink: None,
            },
        }
    }
}

impl From<Change> for Value {
    fn from(change: Change) -> Self {
        let mut parts = vec![Self::from(change.kind), Self::from(change.row)];
        parts.extend(change.sink.map(Self::from));
        Self::from(parts)
    }
}

impl Change {
    /// Tells whether the row comes; else it goes.
    #[must_use]
    pub fn adds(&self) -> bool {
        matches!(self.kind.as_str(), "+I" | "+U")
    }
}

/// A long result: how many rows, and SHA-256 over them.
#[derive(Clone, Debug, Deserialize)]
pub struct Digest {
    /// How many rows.
    pub rows: usize,
    /// SHA-256 over the sorted rows, each as compact JSON and LF.
    pub sha256: String,
}

/// How a run failed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Failure {
    /// `validate`, `plan` or `run`.
    pub phase: String,
    /// The step at which it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<usize>,
    /// Why, for people.
    #[serde(default)]
    pub msg: String,
}

/// What an engine answers to a case.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Answer {
    /// The case.
    pub id: String,
    /// The query's columns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub types: Option<Vec<(String, String)>>,
    /// What came before the first row.
    pub start: Outputs,
    /// What came of each step.
    pub steps: Vec<Outputs>,
    /// What came when the tables ended.
    pub end: Vec<(String, Outputs)>,
    /// Batch: the rows in order, or `{sink: rows}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<Value>,
    /// How it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
}

impl Case {
    /// Reads a line.
    ///
    /// # Errors
    /// A line that is no stateful case.
    pub fn read(line: &str) -> serde_json::Result<Self> {
        serde_json::from_str(line)
    }

    /// Tells whether a line is of this format.
    #[must_use]
    pub fn is_line(line: &str) -> bool {
        let value = serde_json::from_str::<Value>(line);
        value.is_ok_and(|value| value.get("ddl").is_some() && value.get("mode").is_some())
    }

    /// Returns the statements as one text.
    #[must_use]
    pub fn script(&self) -> String {
        let mut text = String::new();
        for statement in &self.ddl {
            text.push_str(statement);
            text.push_str(";\n");
        }
        for statement in self.inserts.iter().flatten().chain(&self.query) {
            text.push_str(statement);
            text.push_str(";\n");
        }
        text
    }

    /// Tells whether the result is a table of rows that do not change.
    #[must_use]
    pub fn is_batch(&self) -> bool {
        self.mode == "batch"
    }
}

/// Runs a case and judges the answer; a panic is a failure like any other.
#[must_use]
pub fn verdict(case: &Case, folder: &std::path::Path, exact: bool) -> (Answer, Verdict) {
    let verdict = |outcome| Verdict {
        id: case.id.clone(),
        group: case.group.clone(),
        outcome,
    };
    if case.unstable {
        return (Answer::default(), verdict(Outcome::Skipped));
    }
    let head = format!("{} {} {}", case.id, case.group, case.name);
    let run = || run::answer(case, folder);
    let answer = match guarded(run) {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => {
            let outcome = Outcome::Failed(format!("{head}: {error:#}"));
            return (unanswered(case), verdict(outcome));
        }
        Err(panic) => {
            return (
                unanswered(case),
                verdict(Outcome::Failed(format!("{head}: {panic}"))),
            );
        }
    };
    let outcome = match judge::judge(case, &answer, exact) {
        Ok(()) => Outcome::Passed,
        Err(difference) => Outcome::Failed(format!("{head}: {difference}")),
    };
    (answer, verdict(outcome))
}

/// Returns the answer of an engine that broke down, which no case takes for right.
fn unanswered(case: &Case) -> Answer {
    Answer {
        id: case.id.clone(),
        error: Some(Failure {
            phase: "panic".to_owned(),
            step: None,
            msg: String::new(),
        }),
        ..Answer::default()
    }
}
