//! One load: its headers, and its rows on the way to disk.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use flate2::write::GzDecoder;
use hyper::HeaderMap;
use jiff::tz::TimeZone;
use serde_json::Value;

use crate::body::{RawRow, Shape, Splitter};
use crate::schema::{ColumnType, DELETE_SIGN, Keys, TableSchema};
use crate::value::{Bad, convert};

/// How many bad rows `ErrorURL` shows.
const ERROR_LINES_MAX: usize = 50;
/// How much of a bad row it shows.
const ERROR_ROW_BYTES_MAX: usize = 256;

/// What the headers of a load say.
#[derive(Clone, Debug)]
pub(crate) struct LoadRequest {
    pub(crate) label: Option<String>,
    pub(crate) is_two_phase: bool,
    pub(crate) timeout_ms: Option<i64>,
    shape: Shape,
    is_gzip: bool,
    columns: Option<Vec<String>>,
    is_strict: bool,
    max_filter_ratio: f64,
    zone: TimeZone,
}

const NOT_HERE: &[&str] = &[
    "where",
    "partitions",
    "temporary_partitions",
    "jsonpaths",
    "json_root",
    "enclose",
    "escape",
    "skip_lines",
    "partial_columns",
    "unique_key_update_mode",
    "function_column.sequence_col",
    "delete",
    "group_commit",
];

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get(name)
        .and_then(|value| std::str::from_utf8(value.as_bytes()).ok())
        .map(str::trim)
}

fn is_true(headers: &HeaderMap, name: &str) -> bool {
    text(headers, name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

impl LoadRequest {
    /// Reads the headers; the error is the detail of the answer.
    pub(crate) fn parse(headers: &HeaderMap) -> Result<Self, String> {
        let asked = |name: &&&str| {
            text(headers, name).is_some_and(|value| {
                !value.is_empty()
                    && !value.eq_ignore_ascii_case("false")
                    && !value.eq_ignore_ascii_case("off_mode")
            })
        };
        if let Some(name) = NOT_HERE.iter().find(asked) {
            return Err(format!("the stand-in does not know the header '{name}'"));
        }
        if text(headers, "merge_type").is_some_and(|kind| !kind.eq_ignore_ascii_case("APPEND")) {
            return Err("the stand-in knows no merge_type but APPEND".into());
        }
        let has_length = headers.contains_key("content-length");
        let is_chunked = headers.contains_key("transfer-encoding");
        match (has_length, is_chunked) {
            (true, true) => {
                return Err("please do not set both content_length and transfer-encoding".into());
            }
            (false, false) => {
                return Err("content_length is empty and transfer-encoding!=chunked".into());
            }
            _ => {}
        }
        let label = text(headers, "label").map(str::to_owned);
        if let Some(label) = &label {
            check_label(label)?;
        }
        let timeout_ms = match text(headers, "timeout") {
            None => None,
            Some(seconds) => match seconds.parse::<i64>() {
                Ok(seconds @ 1..=259_200) => Some(seconds * 1000),
                _ => return Err(format!("Invalid timeout format, {seconds}")),
            },
        };
        let zone = text(headers, "timezone").unwrap_or("Asia/Shanghai");
        let ratio = text(headers, "max_filter_ratio").unwrap_or("0");
        Ok(Self {
            label,
            is_two_phase: text(headers, "two_phase_commit") == Some("true"),
            timeout_ms,
            shape: shape(headers)?,
            is_gzip: is_gzip(headers)?,
            columns: columns(headers)?,
            is_strict: is_true(headers, "strict_mode"),
            max_filter_ratio: ratio
                .parse()
                .map_err(|_| format!("Invalid max_filter_ratio format, {ratio}"))?,
            zone: TimeZone::get(zone).map_err(|_| format!("unknown timezone '{zone}'"))?,
        })
    }
}

fn check_label(label: &str) -> Result<(), String> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b':');
    if label.is_empty() || label.len() > 128 || !label.bytes().all(fits) {
        return Err(format!(
            "Label format error. regex: ^[-_A-Za-z0-9:]{{1,128}}$, label: {label}"
        ));
    }
    Ok(())
}

fn shape(headers: &HeaderMap) -> Result<Shape, String> {
    let line_delimiter = separator(headers, "line_delimiter", b"\n")?;
    let format = text(headers, "format").unwrap_or("csv");
    if format.eq_ignore_ascii_case("csv") {
        return Ok(Shape::Csv {
            column_separator: separator(headers, "column_separator", b"\t")?,
            line_delimiter,
        });
    }
    if !format.eq_ignore_ascii_case("json") {
        return Err(match format.to_ascii_lowercase().as_str() {
            "arrow"
            | "parquet"
            | "orc"
            | "csv_with_names"
            | "csv_with_names_and_types"
            | "hive_text" => format!("the stand-in does not read the format '{format}'"),
            _ => format!("unknown data format, format={format}"),
        });
    }
    if is_true(headers, "strip_outer_array") {
        return Ok(Shape::JsonArray);
    }
    Ok(Shape::JsonLines { line_delimiter })
}

fn separator(headers: &HeaderMap, name: &str, default: &[u8]) -> Result<Vec<u8>, String> {
    let Some(value) = headers.get(name) else {
        return Ok(default.to_vec());
    };
    let bytes = value.as_bytes();
    let decoded = match bytes.strip_prefix(b"\\x").or(bytes.strip_prefix(b"\\X")) {
        Some(hex) => {
            // As sent by clients: `\x02\x0a` or `\x020a`.
            let hex = String::from_utf8_lossy(hex).replace("\\x", "");
            (0..hex.len() / 2)
                .map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16))
                .collect::<Result<_, _>>()
                .map_err(|_| format!("Invalid {name}"))?
        }
        None => String::from_utf8_lossy(bytes)
            .replace("\\t", "\t")
            .replace("\\n", "\n")
            .into_bytes(),
    };
    if decoded.is_empty() || std::str::from_utf8(&decoded).is_err() {
        return Err(format!("Invalid {name}"));
    }
    Ok(decoded)
}

fn is_gzip(headers: &HeaderMap) -> Result<bool, String> {
    match text(headers, "compress_type").map(str::to_ascii_lowercase) {
        None => Ok(false),
        Some(kind) if kind == "gz" => Ok(true),
        Some(kind) => Err(format!("the stand-in does not decompress '{kind}'")),
    }
}

fn columns(headers: &HeaderMap) -> Result<Option<Vec<String>>, String> {
    let Some(list) = text(headers, "columns") else {
        return Ok(None);
    };
    let names: Vec<String> = list
        .split(',')
        .map(|name| name.trim().trim_matches('`').to_owned())
        .collect();
    if list.contains('=') || list.contains('(') {
        return Err("the stand-in evaluates no column expressions".into());
    }
    Ok(Some(names))
}

/// What became of the rows of a load.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) total: u64,
    pub(crate) loaded: u64,
    pub(crate) filtered: u64,
    pub(crate) bytes: u64,
    pub(crate) errors: Vec<String>,
}

/// Where a field of the body goes.
#[derive(Clone, Copy, Debug)]
enum Target {
    Column(usize),
    DeleteSign,
}

/// Takes the body of one load.
pub(crate) struct Loader {
    splitter: Splitter,
    gzip: Option<GzDecoder<Vec<u8>>>,
    rows: RowWriter,
}

struct RowWriter {
    schema: TableSchema,
    types: Vec<ColumnType>,
    fields: Vec<(String, Target)>,
    is_strict: bool,
    max_filter_ratio: f64,
    zone: TimeZone,
    out: BufWriter<File>,
    failure: Option<io::Error>,
    counts: Counts,
}

/// Why a load cannot be finished.
#[derive(Debug)]
pub(crate) enum LoadFailure {
    /// Too many rows were filtered.
    Quality(Counts),
    /// The body cannot be read, or the disk not written.
    Other(String),
}

impl Loader {
    /// Makes the file of the load; the error is the detail of the answer.
    pub(crate) fn open(
        request: &LoadRequest,
        schema: TableSchema,
        path: &Path,
    ) -> Result<Self, String> {
        let names = request.columns.clone().unwrap_or_else(|| {
            let all = schema.columns.iter().map(|column| column.name.clone());
            all.collect()
        });
        let fields = names
            .into_iter()
            .map(|name| {
                let target = if name == DELETE_SIGN {
                    if schema.keys == Keys::Duplicate {
                        return Err(format!("unknown column '{DELETE_SIGN}': no UNIQUE table"));
                    }
                    Target::DeleteSign
                } else {
                    let at = schema.position(&name);
                    // A name that the table has not is a field to pass over, as `tmp` in `a,tmp,b`.
                    return Ok(at.map(|at| (name, Target::Column(at))));
                };
                Ok(Some((name, target)))
            })
            .collect::<Result<Vec<_>, String>>()?;
        let is_csv = matches!(request.shape, Shape::Csv { .. });
        if is_csv && fields.iter().any(Option::is_none) {
            return Err("the stand-in passes over no CSV field".into());
        }
        let out = File::create(path).map_err(|error| error.to_string())?;
        Ok(Self {
            splitter: Splitter::new(request.shape.clone()),
            gzip: request.is_gzip.then(|| GzDecoder::new(Vec::new())),
            rows: RowWriter {
                types: schema.types()?,
                schema,
                fields: fields.into_iter().flatten().collect(),
                is_strict: request.is_strict,
                max_filter_ratio: request.max_filter_ratio,
                zone: request.zone.clone(),
                out: BufWriter::new(out),
                failure: None,
                counts: Counts::default(),
            },
        })
    }

    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.rows.counts.bytes += bytes.len() as u64;
        let rows = &mut self.rows;
        match &mut self.gzip {
            None => self.splitter.feed(bytes, |row| rows.write(&row)),
            Some(gzip) => {
                gzip.write_all(bytes).map_err(|error| error.to_string())?;
                let plain = std::mem::take(gzip.get_mut());
                self.splitter.feed(&plain, |row| rows.write(&row));
            }
        }
        match self.rows.failure.take() {
            Some(error) => Err(error.to_string()),
            None => Ok(()),
        }
    }

    pub(crate) fn finish(mut self) -> Result<Counts, LoadFailure> {
        let other = |error: io::Error| LoadFailure::Other(error.to_string());
        let rows = &mut self.rows;
        if let Some(gzip) = self.gzip.take().filter(|_| rows.counts.bytes > 0) {
            let plain = gzip.finish().map_err(other)?;
            self.splitter.feed(&plain, |row| rows.write(&row));
        }
        self.splitter.finish(|row| rows.write(&row));
        if let Some(error) = self.rows.failure.take() {
            return Err(other(error));
        }
        self.rows.out.flush().map_err(other)?;
        self.rows.out.get_ref().sync_data().map_err(other)?;
        let counts = self.rows.counts;
        #[expect(clippy::cast_precision_loss, reason = "a ratio of counts of rows")]
        let is_over = counts.filtered as f64 > self.rows.max_filter_ratio * counts.total as f64;
        if is_over {
            return Err(LoadFailure::Quality(counts));
        }
        Ok(counts)
    }
}

impl RowWriter {
    fn write(&mut self, raw: &RawRow) {
        self.counts.total += 1;
        match self.cells(raw) {
            Ok(cells) => {
                let mut line = serde_json::to_vec(&cells).expect("values are JSON");
                line.push(b'\n');
                if let Err(error) = self.out.write_all(&line) {
                    self.failure.get_or_insert(error);
                }
                self.counts.loaded += 1;
            }
            Err(reason) => {
                self.counts.filtered += 1;
                if self.counts.errors.len() < ERROR_LINES_MAX {
                    let mut row = format!("{raw:?}");
                    let cut = (0..=ERROR_ROW_BYTES_MAX.min(row.len()))
                        .rev()
                        .find(|at| row.is_char_boundary(*at));
                    row.truncate(cut.unwrap_or(0));
                    self.counts
                        .errors
                        .push(format!("Reason: {reason}. src line: [{row}]"));
                }
            }
        }
    }

    /// Returns the values of all columns, and the delete sign behind them.
    fn cells(&self, raw: &RawRow) -> Result<Vec<Value>, String> {
        let mut cells = vec![Value::Null; self.types.len() + 1];
        *cells.last_mut().expect("it is not empty") = Value::from(0);
        match raw {
            RawRow::Bad(reason) => return Err(reason.clone()),
            RawRow::Fields(fields) if fields.len() != self.fields.len() => {
                return Err(format!(
                    "actual column number in csv file is {} schema column number: actual number: {}, schema column number: {}",
                    if fields.len() > self.fields.len() {
                        "more than"
                    } else {
                        "less than"
                    },
                    fields.len(),
                    self.fields.len()
                ));
            }
            RawRow::Fields(fields) => {
                for (value, (name, target)) in fields.iter().zip(&self.fields) {
                    self.set(&mut cells, *target, name, value)?;
                }
            }
            RawRow::Object(fields) => {
                for (name, target) in &self.fields {
                    let value = fields.get(name).unwrap_or(&Value::Null);
                    self.set(&mut cells, *target, name, value)?;
                }
            }
        }
        for (cell, column) in cells.iter().zip(&self.schema.columns) {
            if cell.is_null() && !column.nullable {
                return Err(format!(
                    "column({}) values is null while columns is not nullable",
                    column.name
                ));
            }
        }
        Ok(cells)
    }

    fn set(
        &self,
        cells: &mut [Value],
        target: Target,
        name: &str,
        value: &Value,
    ) -> Result<(), String> {
        let (at, ty) = match target {
            Target::Column(at) => (at, self.types[at]),
            Target::DeleteSign => (cells.len() - 1, ColumnType::Integer(8)),
        };
        cells[at] = match convert(ty, value, &self.zone) {
            Ok(converted) => converted,
            Err(Bad::Value(_)) if !self.is_strict => Value::Null,
            Err(Bad::Value(reason) | Bad::Row(reason)) => {
                return Err(format!("column_name[{name}], {reason}"));
            }
        };
        Ok(())
    }
}
