//! `millrace sql`: a query that reads no table, evaluated at once.

use arrow_array::{Array, ArrayRef};
use clap::ValueEnum;
use comfy_table::{ContentArrangement, Table, presets};
use millrace_connector::{Diagnostic, Spanned, TypeKind};
use millrace_functions::EvalContext;
use millrace_functions::cast::print::Printer;
use millrace_plan::{
    ExplainedPlan, Origin, OutputColumn, PlannedQuery, Settings, effective_settings, explain,
    plan_query,
};
use millrace_runtime::{Clock, SystemClock};
use millrace_sql::ast::Statement;
use serde_json::{Map, Value};

use crate::cli::PlanFormat;
use crate::explain as plans_page;
use crate::failure::Failure;
use crate::output;
use crate::text::SqlText;

/// The form of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A table for people.
    Table,
    /// One JSON object a row.
    Jsonl,
}

/// The rows of a query, each value as text.
struct Rows {
    columns: Vec<OutputColumn>,
    rows: Vec<Vec<Option<String>>>,
}

/// Evaluates a query and prints its rows.
pub(crate) fn command(
    query: &str,
    format: Format,
    define: &[(String, String)],
) -> Result<u8, Failure> {
    let mut outside = Settings::default();
    for (key, value) in define {
        outside.set(key, value, Origin::CommandLine);
    }
    let text = SqlText {
        name: "query".to_owned(),
        text: query.to_owned(),
    };
    if let Some(plans) = plans(&text, &outside)? {
        output::print(&plans_page::written(&plans, PlanFormat::Text));
        return Ok(0);
    }
    let rows = evaluate(&text, &outside)?;
    match format {
        Format::Table => output::print(&table(&rows)),
        Format::Jsonl => output::print(&json_lines(&rows)),
    }
    Ok(0)
}

/// Returns the plans that EXPLAIN asks for; `None` where there is none.
fn plans(text: &SqlText, outside: &Settings) -> Result<Option<Vec<ExplainedPlan>>, Failure> {
    let parsed = text.parse(&Default::default());
    let is_explain =
        |statement: &Spanned<Statement>| matches!(statement.value, Statement::Explain(_));
    if !parsed.statements.iter().any(is_explain)
        || parsed.diagnostics.iter().any(Diagnostic::is_error)
    {
        return Ok(None);
    }
    let plans = explain(&parsed.statements, outside);
    plans.map(Some).map_err(|diagnostics| Failure::Refused {
        diagnostics,
        text: text.clone(),
    })
}

fn evaluate(text: &SqlText, outside: &Settings) -> Result<Rows, Failure> {
    // `${…}` has no meaning on the command line, where the shell fills in.
    let parsed = text.parse(&Default::default());
    let refuse = |diagnostics| Failure::Refused {
        diagnostics,
        text: text.clone(),
    };
    if parsed.diagnostics.iter().any(Diagnostic::is_error) {
        return Err(refuse(parsed.diagnostics));
    }
    let planned = plan_query(&parsed.statements, outside).map_err(&refuse)?;
    if let Some(table) = planned
        .branches
        .iter()
        .find_map(|branch| branch.table.as_ref())
    {
        return Err(refuse(vec![
            Diagnostic::error(
                "MR0507",
                format!("this query reads '{}': here nothing is connected to", table.name.value),
                table.name.span,
            )
            .help("put INSERT INTO before it, write it into a file with its tables, and use millrace run"),
        ]));
    }
    let settings = effective_settings(&parsed.statements, outside);
    let zone = settings
        .session_time_zone()
        .map_err(|fault| refuse(vec![fault]))?;
    run(planned, &zone)
}

fn run(planned: PlannedQuery, zone: &jiff::tz::TimeZone) -> Result<Rows, Failure> {
    let ctx = EvalContext {
        now_ms: SystemClock::default().now_ms(),
    };
    let mut rows = Vec::new();
    for branch in &planned.branches {
        let out = branch
            .program
            .run(&[], 1, &ctx)
            .map_err(|error| anyhow::anyhow!("the query fails: {}", error.message))?;
        for row in 0..out.rows {
            let values = planned.columns.iter().zip(&out.columns);
            rows.push(
                values
                    .map(|(column, array)| cell(column, array, row, zone))
                    .collect(),
            );
        }
    }
    Ok(Rows {
        columns: planned.columns,
        rows,
    })
}

fn cell(
    column: &OutputColumn,
    array: &ArrayRef,
    row: usize,
    zone: &jiff::tz::TimeZone,
) -> Option<String> {
    if column.ty.kind == TypeKind::Null || array.is_null(row) {
        return None;
    }
    let mut text = String::new();
    Printer::new(&column.ty, zone).print(array, row, &mut text);
    Some(text)
}

fn table(rows: &Rows) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(
        rows.columns
            .iter()
            .map(|column| format!("{}\n{}", column.name, column.ty)),
    );
    for row in &rows.rows {
        table.add_row(row.iter().map(|value| value.as_deref().unwrap_or("NULL")));
    }
    format!("{table}\n")
}

fn json_lines(rows: &Rows) -> String {
    let mut text = String::new();
    for row in &rows.rows {
        let object: Map<String, Value> = rows
            .columns
            .iter()
            .zip(row)
            .map(|(column, value)| (column.name.clone(), json_value(column, value.as_deref())))
            .collect();
        text.push_str(&Value::Object(object).to_string());
        text.push('\n');
    }
    text
}

/// Numbers and truth values as such; all else as its text.
fn json_value(column: &OutputColumn, value: Option<&str>) -> Value {
    let Some(text) = value else {
        return Value::Null;
    };
    match column.ty.kind {
        TypeKind::Boolean => Value::Bool(text == "TRUE"),
        _ if column.ty.kind.is_numeric() => {
            serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
        }
        _ => Value::String(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> Result<String, Failure> {
        let text = SqlText {
            name: "query".into(),
            text: text.into(),
        };
        evaluate(&text, &Settings::default()).map(|rows| json_lines(&rows))
    }

    #[test]
    fn evaluates_without_tables() {
        let lines = query("SELECT UPPER('a') AS u, 1 + 1 AS n, CAST(NULL AS INT) AS x").unwrap();
        assert_eq!(lines, "{\"u\":\"A\",\"n\":2,\"x\":null}\n");
        let lines = query("SELECT 1 AS a UNION ALL SELECT 2").unwrap();
        assert_eq!(lines, "{\"a\":1}\n{\"a\":2}\n");
    }

    #[test]
    fn refuses_what_it_cannot_evaluate() {
        for (text, code) in [
            (
                "CREATE TABLE t (a INT) WITH ('connector' = 'datagen'); SELECT a FROM t",
                "MR0507",
            ),
            ("SELECT nope(1)", "MR0305"),
            ("SELEC 1", "MR0213"),
        ] {
            let Err(Failure::Refused { diagnostics, .. }) = query(text) else {
                panic!("{text} is not refused")
            };
            assert!(
                diagnostics.iter().any(|found| found.code == code),
                "{text}: {diagnostics:?}"
            );
        }
    }
}
