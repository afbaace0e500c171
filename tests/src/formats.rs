//! Golden messages: bytes to rows and rows to bytes.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use arrow_array::ArrayRef;
use arrow_buffer::Buffer;
use millrace_connector::{FlinkType, RowKind, TypeKind};
use millrace_formats::{EncodedBatch, FormatContext, Payloads, create_decoder, create_encoder};
use millrace_plan::plan_query;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::golden::{CONTEXT, Failure, settings};
use crate::value;

/// A line of `format.jsonl`.
#[derive(Debug, Deserialize)]
pub struct FormatCase {
    /// Its name.
    pub id: String,
    /// The feature it belongs to.
    pub group: String,
    /// `de` = bytes to rows, `ser` = rows to bytes.
    pub dir: String,
    /// The format.
    pub format: String,
    /// Options as in the WITH clause.
    pub options: BTreeMap<String, String>,
    /// Names and types of the columns.
    pub schema: Vec<(String, String)>,
    /// The message as text.
    #[serde(rename = "in")]
    pub input: Option<String>,
    /// The message's bytes.
    pub in_hex: Option<String>,
    /// The rows that came out.
    pub rows: Option<Vec<Value>>,
    /// An expression for each column.
    #[serde(default)]
    pub select: Vec<String>,
    /// The row's kind.
    pub kind: Option<String>,
    /// The bytes as text.
    pub out: Option<String>,
    /// The bytes.
    pub out_hex: Option<String>,
    /// The failure.
    pub error: Option<Failure>,
    /// Two runs of Flink did not agree.
    #[serde(default)]
    pub unstable: bool,
    /// Flink failed by a fault of its own.
    #[serde(default)]
    pub internal_error: bool,
}

/// What came of a message or row.
enum Outcome {
    Rows(Vec<Value>),
    Bytes(Option<Vec<u8>>),
    Refused(String),
    Failed(String),
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Rows(rows) => write!(f, "{}", Value::Array(rows.clone())),
            Self::Bytes(None) => f.write_str("a null message"),
            Self::Bytes(Some(bytes)) => write!(f, "{}", String::from_utf8_lossy(bytes)),
            Self::Refused(message) => write!(f, "refused: {message}"),
            Self::Failed(message) => write!(f, "failed: {message}"),
        }
    }
}

impl FormatCase {
    /// Compares with Flink's answer; `None` = equal.
    ///
    /// # Errors
    /// A case that this reader does not understand.
    pub fn difference(&self) -> Result<Option<String>> {
        let outcome = if self.dir == "de" {
            self.decode()?
        } else {
            self.encode()?
        };
        let equal = match (&self.error, &outcome) {
            (Some(error), Outcome::Refused(_)) => error.phase != "run",
            (Some(error), Outcome::Failed(_)) => {
                error.phase == "run" || error.phase.starts_with("select")
            }
            (None, Outcome::Rows(rows)) => self.rows.as_ref() == Some(rows),
            (None, Outcome::Bytes(bytes)) => *bytes == self.expected_bytes()?,
            _ => false,
        };
        if equal {
            return Ok(None);
        }
        let expected = match &self.error {
            Some(error) => format!("error in {}: {}", error.phase, error.msg),
            None if self.dir == "de" => json!(self.rows).to_string(),
            None => self.expected_bytes()?.map_or_else(
                || "a null message".to_owned(),
                |bytes| String::from_utf8_lossy(&bytes).into_owned(),
            ),
        };
        let schema: Vec<String> = self
            .schema
            .iter()
            .map(|(name, ty)| format!("{name} {ty}"))
            .collect();
        let input = if self.dir == "de" {
            self.input
                .clone()
                .or_else(|| self.in_hex.clone())
                .unwrap_or_default()
        } else {
            format!(
                "{} {}",
                self.kind.as_deref().unwrap_or("+I"),
                self.select.join(", ")
            )
        };
        Ok(Some(format!(
            "{} {} {} {}: ({}) {:?}\n    in       {input}\n    expected {expected}\n    got      {outcome}",
            self.id,
            self.group,
            self.format,
            self.dir,
            schema.join(", "),
            self.options,
        )))
    }

    fn expected_bytes(&self) -> Result<Option<Vec<u8>>> {
        match (&self.out, &self.out_hex) {
            (Some(text), _) => Ok(Some(text.clone().into_bytes())),
            (None, Some(hex)) => value::parse_hex(hex).map(Some),
            (None, None) => Ok(None),
        }
    }

    fn columns(&self) -> Result<Vec<(String, FlinkType)>> {
        self.schema
            .iter()
            .map(|(name, ty)| match millrace_sql::parse_type(ty) {
                Ok(ty) => Ok((name.clone(), ty)),
                Err(errors) => bail!("{ty}: {errors:?}"),
            })
            .collect()
    }

    /// Returns the options without the format's name before them.
    fn own_options(&self) -> BTreeMap<String, String> {
        let prefix = format!("{}.", self.format);
        self.options
            .iter()
            .map(|(key, value)| {
                (
                    key.strip_prefix(&prefix).unwrap_or(key).to_owned(),
                    value.clone(),
                )
            })
            .collect()
    }

    fn decode(&self) -> Result<Outcome> {
        let schema = self.columns()?;
        let wanted: Vec<usize> = (0..schema.len()).collect();
        let decoder = create_decoder(
            &self.format,
            &self.own_options(),
            &schema,
            &wanted,
            &FormatContext::default(),
        );
        let mut decoder = match decoder {
            Ok(decoder) => decoder,
            Err(error) => return Ok(Outcome::Refused(error.to_string())),
        };
        let bytes = match (&self.input, &self.in_hex) {
            (Some(text), _) => Some(text.clone().into_bytes()),
            (None, Some(hex)) => Some(value::parse_hex(hex)?),
            (None, None) => None,
        };
        let range = bytes
            .as_ref()
            .map(|bytes| 0..u32::try_from(bytes.len()).expect("a message is short"));
        let buffer = Buffer::from_vec(bytes.unwrap_or_default());
        let decoded = match decoder.decode(&Payloads {
            buffer: &buffer,
            ranges: &[range],
        }) {
            Ok(decoded) => decoded,
            Err(error) => return Ok(Outcome::Failed(error.to_string())),
        };
        let rows = (0..decoded.rows)
            .map(|row| {
                let kind = decoded
                    .kinds
                    .as_ref()
                    .map_or(RowKind::Insert, |kinds| kinds[row]);
                let values: Vec<Value> = schema
                    .iter()
                    .zip(&decoded.columns)
                    .map(|((_, ty), column)| value::print(ty, column, row))
                    .collect();
                json!({ "kind": kind.short(), "row": values })
            })
            .collect();
        Ok(Outcome::Rows(rows))
    }

    fn encode(&self) -> Result<Outcome> {
        let schema = self.columns()?;
        let encoder = create_encoder(
            &self.format,
            &self.own_options(),
            &schema,
            &FormatContext::default(),
        );
        let mut encoder = match encoder {
            Ok(encoder) => encoder,
            Err(error) => return Ok(Outcome::Refused(error.to_string())),
        };
        let columns = match self.selected()? {
            Ok(columns) => columns,
            Err(failed) => return Ok(failed),
        };
        let kind = match self.kind.as_deref() {
            None | Some("+I") => RowKind::Insert,
            Some("-U") => RowKind::UpdateBefore,
            Some("+U") => RowKind::UpdateAfter,
            Some("-D") => RowKind::Delete,
            Some(other) => bail!("{other} is no row kind"),
        };
        let mut out = EncodedBatch::default();
        Ok(match encoder.encode(&columns, Some(&[kind]), &mut out) {
            Ok(()) => Outcome::Bytes(out.iter().next().flatten().map(<[u8]>::to_vec)),
            Err(error) => Outcome::Failed(error.to_string()),
        })
    }

    /// Evaluates the columns to write.
    fn selected(&self) -> Result<Result<Vec<ArrayRef>, Outcome>> {
        let items: Vec<String> = self
            .select
            .iter()
            .zip(&self.schema)
            .map(|(expr, (_, ty))| format!("CAST({expr} AS {ty})"))
            .collect();
        let text = format!(
            "CREATE TABLE t (c0 INT) WITH ('connector' = 'test');\nSELECT {} FROM t;",
            items.join(", ")
        );
        let parsed = millrace_sql::parse(&text);
        let query = match plan_query(&parsed.statements, &settings("UTC")) {
            Ok(query) if parsed.diagnostics.is_empty() => query,
            Ok(_) => return Ok(Err(Outcome::Refused(format!("{:?}", parsed.diagnostics)))),
            Err(errors) => {
                return Ok(Err(Outcome::Refused(format!(
                    "{}: {}",
                    errors[0].code, errors[0].message
                ))));
            }
        };
        let c0 = value::parse(&TypeKind::Int.nullable(), &Value::from("1"), 1)?;
        match query.branches[0].program.run(&[c0], 1, &CONTEXT) {
            Ok(output) => Ok(Ok(output.columns)),
            Err(error) => Ok(Err(Outcome::Failed(error.message))),
        }
    }
}
