//! What the headers of a load say.

use hyper::HeaderMap;
use jiff::tz::TimeZone;

use crate::body::Shape;

/// How a body is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    Gzip,
    Deflate,
}

/// What the headers of a load say.
#[derive(Clone, Debug)]
pub(crate) struct LoadRequest {
    pub(crate) label: Option<String>,
    pub(crate) is_two_phase: bool,
    pub(crate) timeout_ms: Option<i64>,
    pub(crate) shape: Shape,
    pub(crate) compression: Compression,
    pub(crate) columns: Option<Vec<String>>,
    /// Looked at where `columns` is not sent.
    pub(crate) hidden_columns: Vec<String>,
    /// Where in an object the value of each column stands; each path is a list of steps.
    pub(crate) json_paths: Option<Vec<Vec<String>>>,
    pub(crate) sequence_column: Option<String>,
    pub(crate) is_partial: bool,
    /// `merge_type: DELETE`: each row deletes.
    pub(crate) is_all_deletes: bool,
    pub(crate) is_strict: bool,
    pub(crate) max_filter_ratio: f64,
    pub(crate) zone: TimeZone,
}

const NOT_HERE: &[&str] = &[
    "where",
    "partitions",
    "temporary_partitions",
    "json_root",
    "enclose",
    "escape",
    "skip_lines",
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
    /// Returns what stands for rows of INSERT: objects of these columns, of which none may be bad.
    pub(crate) fn of_rows(columns: Vec<String>) -> Self {
        Self {
            label: None,
            is_two_phase: false,
            timeout_ms: None,
            shape: Shape::JsonLines {
                line_delimiter: b"\n".to_vec(),
            },
            compression: Compression::None,
            columns: Some(columns),
            hidden_columns: Vec::new(),
            json_paths: None,
            sequence_column: None,
            is_partial: false,
            is_all_deletes: false,
            is_strict: true,
            max_filter_ratio: 0.0,
            zone: TimeZone::UTC,
        }
    }

    /// Reads the headers; the error is the detail of the answer.
    pub(crate) fn parse(headers: &HeaderMap, is_old: bool) -> Result<Self, String> {
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
        check_framing(headers)?;
        let label = text(headers, "label").map(str::to_owned);
        if let Some(label) = &label {
            check_label(label)?;
        }
        let zone = text(headers, "timezone").unwrap_or("Asia/Shanghai");
        let ratio = text(headers, "max_filter_ratio").unwrap_or("0");
        let shape = shape(headers)?;
        Ok(Self {
            label,
            is_two_phase: text(headers, "two_phase_commit") == Some("true"),
            timeout_ms: timeout_ms(headers)?,
            compression: compression(headers, &shape, is_old)?,
            shape,
            columns: columns(headers)?,
            hidden_columns: text(headers, "hidden_columns").map_or_else(Vec::new, names),
            json_paths: json_paths(headers)?,
            sequence_column: text(headers, "function_column.sequence_col").map(str::to_owned),
            is_partial: is_partial(headers)?,
            is_all_deletes: is_all_deletes(headers)?,
            is_strict: is_true(headers, "strict_mode"),
            max_filter_ratio: ratio
                .parse()
                .map_err(|_| format!("Invalid max_filter_ratio format, {ratio}"))?,
            zone: TimeZone::get(zone).map_err(|_| format!("unknown timezone '{zone}'"))?,
        })
    }
}

fn check_framing(headers: &HeaderMap) -> Result<(), String> {
    let has_length = headers.contains_key("content-length");
    let is_chunked = headers.contains_key("transfer-encoding");
    match (has_length, is_chunked) {
        (true, true) => Err("please do not set both content_length and transfer-encoding".into()),
        (false, false) => Err("content_length is empty and transfer-encoding!=chunked".into()),
        _ => Ok(()),
    }
}

fn timeout_ms(headers: &HeaderMap) -> Result<Option<i64>, String> {
    match text(headers, "timeout") {
        None => Ok(None),
        Some(seconds) => match seconds.parse::<i64>() {
            Ok(seconds @ 1..=259_200) => Ok(Some(seconds * 1000)),
            _ => Err(format!("Invalid timeout format, {seconds}")),
        },
    }
}

fn is_partial(headers: &HeaderMap) -> Result<bool, String> {
    match text(headers, "unique_key_update_mode").map(str::to_ascii_uppercase) {
        None => Ok(is_true(headers, "partial_columns")),
        Some(mode) => match mode.as_str() {
            "UPSERT" => Ok(false),
            "UPDATE_FIXED_COLUMNS" => Ok(true),
            _ => Err(format!(
                "the stand-in does not know unique_key_update_mode {mode}"
            )),
        },
    }
}

fn is_all_deletes(headers: &HeaderMap) -> Result<bool, String> {
    match text(headers, "merge_type").map(str::to_ascii_uppercase) {
        None => Ok(false),
        Some(kind) => match kind.as_str() {
            "APPEND" => Ok(false),
            "DELETE" => Ok(true),
            _ => Err(format!("the stand-in does not know merge_type {kind}")),
        },
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
    match format.to_ascii_lowercase().as_str() {
        "csv" => Ok(Shape::Csv {
            column_separator: separator(headers, "column_separator", b"\t")?,
            line_delimiter,
        }),
        "json" if is_true(headers, "strip_outer_array") => Ok(Shape::JsonArray),
        "json" => Ok(Shape::JsonLines { line_delimiter }),
        "arrow" => Ok(Shape::Arrow),
        "parquet" | "orc" | "csv_with_names" | "csv_with_names_and_types" | "hive_text" => {
            Err(format!("the stand-in does not read the format '{format}'"))
        }
        _ => Err(format!("unknown data format, format={format}")),
    }
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

fn compression(headers: &HeaderMap, shape: &Shape, is_old: bool) -> Result<Compression, String> {
    let Some(kind) = text(headers, "compress_type").filter(|kind| !kind.is_empty()) else {
        return Ok(Compression::None);
    };
    let is_csv = matches!(shape, Shape::Csv { .. });
    if is_old && !is_csv {
        return Err("compress data of JSON format is not supported.".into());
    }
    match kind.to_ascii_lowercase().as_str() {
        "gz" => Ok(Compression::Gzip),
        "deflate" => Ok(Compression::Deflate),
        "lzo" | "bz2" | "lz4" | "lz4_block" | "lzop" | "snappy_block" => {
            Err(format!("the stand-in does not decompress '{kind}'"))
        }
        _ if is_csv => Err("unknown data format, format=csv".into()),
        _ => Err(format!("unknown compress type, compress_type={kind}")),
    }
}

fn names(list: &str) -> Vec<String> {
    list.split(',')
        .map(|name| name.trim().trim_matches('`').to_owned())
        .filter(|name| !name.is_empty())
        .collect()
}

fn columns(headers: &HeaderMap) -> Result<Option<Vec<String>>, String> {
    let Some(list) = text(headers, "columns") else {
        return Ok(None);
    };
    if list.contains('=') || list.contains('(') {
        return Err("the stand-in evaluates no column expressions".into());
    }
    Ok(Some(names(list)))
}

/// Reads `["$.a", "$.b.c"]`.
fn json_paths(headers: &HeaderMap) -> Result<Option<Vec<Vec<String>>>, String> {
    let Some(list) = text(headers, "jsonpaths").filter(|list| !list.is_empty()) else {
        return Ok(None);
    };
    let invalid = || format!("Invalid json path: {list}");
    let paths: Vec<String> = serde_json::from_str(list).map_err(|_| invalid())?;
    let steps = |path: &String| {
        let steps = path.strip_prefix("$.").ok_or_else(invalid)?;
        if steps.contains(['[', '*', '?']) {
            return Err(format!("the stand-in does not know the json path {path}"));
        }
        let step = |name: &str| name.trim_matches('"').to_owned();
        Ok(steps.split('.').map(step).collect())
    };
    Ok(Some(paths.iter().map(steps).collect::<Result<_, _>>()?))
}
