//! Golden pipelines: rows in, rows out, without any connector.

use anyhow::{Result, bail};
use arrow_array::ArrayRef;
use millrace_connector::Diagnostic;
use millrace_plan::{Pipeline, plan};
use serde::Deserialize;
use serde_json::Value;

use crate::golden::{CONTEXT, settings};
use crate::value;

/// A line of `pipeline.jsonl`.
#[derive(Debug, Deserialize)]
pub struct PipelineCase {
    /// Its name.
    pub id: String,
    /// The pipeline's name.
    pub name: String,
    /// The session zone.
    pub tz: String,
    /// The table that is read.
    pub source: TableSchema,
    /// Views.
    pub statements: Vec<String>,
    /// The INSERT.
    pub insert: String,
    /// The table that is written.
    pub sink: TableSchema,
    /// Columns that depend on the clock.
    #[serde(default)]
    pub nondet_cols: Vec<String>,
    /// The rows.
    pub rows: Vec<Vec<Value>>,
    /// For each row: the values, null, or an error.
    pub rows_out: Vec<Value>,
}

/// A table's name and columns.
#[derive(Debug, Deserialize)]
pub struct TableSchema {
    /// Its name.
    pub table: String,
    /// Names and types.
    pub schema: Vec<(String, String)>,
}

impl TableSchema {
    fn ddl(&self) -> String {
        let columns: Vec<String> = self.schema.iter().map(|(name, ty)| format!("`{name}` {ty}")).collect();
        format!("CREATE TABLE `{}` ({}) WITH ('connector' = 'test');\n", self.table, columns.join(", "))
    }
}

impl PipelineCase {
    /// Plans the pipeline.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn plan(&self) -> Result<Pipeline> {
        let mut text = self.source.ddl() + &self.sink.ddl();
        for statement in self.statements.iter().chain([&self.insert]) {
            text.push_str(statement);
            text.push_str(";\n");
        }
        let parsed = millrace_sql::parse(&text);
        let refused = |diagnostics: &[Diagnostic]| -> Option<String> {
            let error = diagnostics.iter().find(|diagnostic| diagnostic.is_error())?;
            let place = error.primary.as_ref().map_or("", |label| &text[label.span.range()]);
            Some(format!("{} {} at {place}", error.code, error.message))
        };
        if let Some(message) = refused(&parsed.diagnostics) {
            bail!(message);
        }
        match plan(&parsed.statements, &settings(&self.tz)) {
            Ok(pipeline) => Ok(pipeline),
            Err(errors) => bail!(refused(&errors).unwrap_or_default()),
        }
    }

    /// Runs the rows of the given numbers as one batch and returns, for each row out, its input row and its values.
    ///
    /// # Errors
    /// The row that failed and why.
    pub fn run(&self, pipeline: &Pipeline, rows: &[usize]) -> Result<Vec<(usize, Vec<Value>)>, (usize, String)> {
        let source = &pipeline.flows[0].sources[0];
        let mut columns: Vec<ArrayRef> = Vec::new();
        for index in &source.projection.columns {
            let ty = &source.table.columns[*index].ty;
            let arrays: Vec<ArrayRef> = rows
                .iter()
                .map(|row| value::parse(ty, &self.rows[*row][*index], 1).map_err(|error| (*row, format!("{error:#}"))))
                .collect::<Result<_, _>>()?;
            let parts: Vec<&dyn arrow_array::Array> = arrays.iter().map(AsRef::as_ref).collect();
            let column = arrow_select::concat::concat(&parts).map_err(|error| (0, error.to_string()))?;
            columns.push(column);
        }
        let mut result = Vec::new();
        for branch in &source.branches {
            let output = branch
                .program
                .run(&columns, rows.len(), &CONTEXT)
                .map_err(|error| (rows[error.row], error.message))?;
            for row in 0..output.rows {
                let input = output.kept.as_ref().map_or(row, |kept| kept[row] as usize);
                let values = branch
                    .program
                    .outputs()
                    .iter()
                    .zip(&output.columns)
                    .map(|(column, array)| {
                        if self.nondet_cols.contains(&column.name) {
                            return Value::from("<nondet>");
                        }
                        value::print(&column.ty, array, row)
                    })
                    .collect();
                result.push((rows[input], values));
            }
        }
        Ok(result)
    }

    /// Compares a row's result with Flink's; `None` = equal.
    #[must_use]
    pub fn difference(&self, pipeline: &Pipeline, row: usize) -> Option<String> {
        let expected = &self.rows_out[row];
        match (self.run(pipeline, &[row]), expected) {
            (Err(_), Value::Object(error)) if error.contains_key("error") => None,
            (Ok(rows), Value::Null) if rows.is_empty() => None,
            (Ok(rows), Value::Array(values)) if rows.len() == 1 => {
                let (_, got) = &rows[0];
                let names = self.sink.schema.iter().map(|(name, _)| name);
                let differences: Vec<String> = names
                    .zip(values.iter().zip(got))
                    .filter(|(_, (expected, got))| expected != got)
                    .map(|(name, (expected, got))| format!("{name}: expected {expected}, got {got}"))
                    .collect();
                (!differences.is_empty()).then(|| differences.join("; "))
            }
            (got, expected) => Some(format!("expected {expected}, got {got:?}")),
        }
    }
}
