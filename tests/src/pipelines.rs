//! Golden pipelines: rows in, rows out, without any connector.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use arrow_array::ArrayRef;
use millrace_connector::{Diagnostic, FlinkType};
use millrace_formats::{EncodedBatch, FormatContext, create_encoder};
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
    /// For each row: the bytes that the `json` format writes.
    #[serde(default)]
    pub json_out: Vec<Value>,
}

/// A row out: the number of the row in that it came from, and its values.
pub type RowOut = (usize, Vec<Value>);

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
        let columns: Vec<String> = self
            .schema
            .iter()
            .map(|(name, ty)| format!("`{name}` {ty}"))
            .collect();
        format!(
            "CREATE TABLE `{}` ({}) WITH ('connector' = 'test');\n",
            self.table,
            columns.join(", ")
        )
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
            let error = diagnostics
                .iter()
                .find(|diagnostic| diagnostic.is_error())?;
            let place = error
                .primary
                .as_ref()
                .map_or("", |label| &text[label.span.range()]);
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
    pub fn run(&self, pipeline: &Pipeline, rows: &[usize]) -> Result<Vec<RowOut>, (usize, String)> {
        let source = &pipeline.flows[0].sources[0];
        let mut columns: Vec<ArrayRef> = Vec::new();
        for index in &source.projection.columns {
            let ty = &source.table.columns[*index].ty;
            let arrays: Vec<ArrayRef> = rows
                .iter()
                .map(|row| {
                    value::parse(ty, &self.rows[*row][*index], 1)
                        .map_err(|error| (*row, format!("{error:#}")))
                })
                .collect::<Result<_, _>>()?;
            let parts: Vec<&dyn arrow_array::Array> = arrays.iter().map(AsRef::as_ref).collect();
            let column =
                arrow_select::concat::concat(&parts).map_err(|error| (0, error.to_string()))?;
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

    /// Writes a row as JSON and compares with Flink's bytes.
    fn json_difference(&self, pipeline: &Pipeline, row: usize) -> Option<String> {
        let expected = self.json_out.get(row)?.as_str()?;
        let written = self
            .json(pipeline, row)
            .unwrap_or_else(|error| format!("{error:#}"));
        let equal = if self.nondet_cols.is_empty() {
            written == expected
        } else {
            self.masked(&written) == self.masked(expected)
        };
        (!equal).then(|| format!("json: expected {expected}, got {written}"))
    }

    /// Returns a document without the columns that depend on the clock.
    fn masked(&self, text: &str) -> Option<Value> {
        let mut document: Value = serde_json::from_str(text).ok()?;
        for column in &self.nondet_cols {
            document
                .as_object_mut()?
                .insert(column.clone(), Value::Null);
        }
        Some(document)
    }

    fn json(&self, pipeline: &Pipeline, row: usize) -> Result<String> {
        let source = &pipeline.flows[0].sources[0];
        let columns: Vec<ArrayRef> = source
            .projection
            .columns
            .iter()
            .map(|index| value::parse(&source.table.columns[*index].ty, &self.rows[row][*index], 1))
            .collect::<Result<_>>()?;
        let program = &source.branches[0].program;
        let output = program.run(&columns, 1, &CONTEXT)?;
        let schema: Vec<(String, FlinkType)> = program
            .outputs()
            .iter()
            .map(|column| (column.name.clone(), column.ty.clone()))
            .collect();
        let ctx = FormatContext::default();
        let mut encoder = create_encoder("json", &BTreeMap::new(), &schema, &ctx)?;
        let mut out = EncodedBatch::default();
        encoder.encode(&output.columns, None, &mut out)?;
        Ok(String::from_utf8(out.bytes)?)
    }

    /// All rows that do not fail, as one batch, must give what they gave one by one; `None` = they do.
    #[must_use]
    pub fn batch_difference(&self, pipeline: &Pipeline) -> Option<String> {
        let good: Vec<usize> = (0..self.rows.len())
            .filter(|row| !self.rows_out[*row].is_object())
            .collect();
        let single: Vec<_> = good
            .iter()
            .filter_map(|row| self.run(pipeline, &[*row]).ok())
            .flatten()
            .collect();
        match self.run(pipeline, &good) {
            Ok(mut rows) => {
                rows.sort_by_key(|(row, _)| *row);
                (rows != single).then(|| "the batch differs from its rows".to_owned())
            }
            Err((row, message)) => Some(format!("row {row}: {message}")),
        }
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
                    .map(|(name, (expected, got))| {
                        format!("{name}: expected {expected}, got {got}")
                    })
                    .collect();
                if differences.is_empty() {
                    return self.json_difference(pipeline, row);
                }
                Some(differences.join("; "))
            }
            (got, expected) => Some(format!("expected {expected}, got {got:?}")),
        }
    }
}
