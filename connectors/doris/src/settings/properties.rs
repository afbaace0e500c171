//! `sink.properties.*`: headers of the load, and how rows stand in its body.

use super::reader::Reader;

/// How rows stand in a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BodyFormat {
    /// One object a line.
    Json,
    /// Values as they are between separators.
    Csv {
        /// Between two columns.
        column: Separator,
        /// Between two rows.
        line: Separator,
    },
    /// Arrow IPC streams, one after the other.
    Arrow,
}

impl BodyFormat {
    /// Returns the value of the header `format`.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Csv { .. } => "csv",
            Self::Arrow => "arrow",
        }
    }
}

/// Bytes between values, and how they are written in a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Separator {
    pub(crate) bytes: Vec<u8>,
    pub(crate) written: String,
}

impl Separator {
    /// Reads text with `\xHH`, `\t`, `\n` and `\r` in it.
    fn parse(written: &str) -> Option<Self> {
        let mut bytes = Vec::new();
        let mut rest = written;
        while let Some(c) = rest.chars().next() {
            let (byte, length) = match rest.as_bytes() {
                [b'\\', b'x', high, low, ..] => {
                    let digits = [*high, *low];
                    let digits = std::str::from_utf8(&digits).ok()?;
                    (Some(u8::from_str_radix(digits, 16).ok()?), 4)
                }
                [b'\\', b't', ..] => (Some(b'\t'), 2),
                [b'\\', b'n', ..] => (Some(b'\n'), 2),
                [b'\\', b'r', ..] => (Some(b'\r'), 2),
                _ => (None, c.len_utf8()),
            };
            match byte {
                Some(byte) => bytes.push(byte),
                None => bytes.extend_from_slice(&rest.as_bytes()[..length]),
            }
            rest = &rest[length..];
        }
        let is_text = std::str::from_utf8(&bytes).is_ok();
        (is_text && !bytes.is_empty()).then(|| Self {
            bytes,
            written: written.to_owned(),
        })
    }
}

/// How a body is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    Gzip,
    /// LZ4 in frames.
    Lz4,
}

impl Compression {
    /// Returns the value of the header `compress_type`.
    pub(crate) fn word(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Gzip => Some("gz"),
            Self::Lz4 => Some("lz4"),
        }
    }
}

/// What `sink.properties.*` come to.
#[derive(Debug)]
pub(super) struct Properties {
    pub(super) headers: Vec<(String, String)>,
    pub(super) columns: Option<String>,
    pub(super) allows_filtered: bool,
    pub(super) is_partial: bool,
    pub(super) sequence: Option<String>,
    pub(super) format: BodyFormat,
    pub(super) compression: Compression,
}

const PREFIX: &str = "sink.properties.";
/// What separates where the user names nothing: no text of people has these.
const COLUMN_SEPARATOR: &str = "\\x01";
const LINE_DELIMITER: &str = "\\x02";

/// They say how rows stand in a body, which the connector decides.
const SHAPE: &[&str] = &[
    "strip_outer_array",
    "read_json_by_line",
    "num_as_string",
    "fuzzy_parse",
    "ignore_json_size",
];
/// The same, of CSV only.
const CSV_SHAPE: &[&str] = &[
    "column_separator",
    "line_delimiter",
    "enclose",
    "escape",
    "trim_double_quotes",
    "empty_field_as_null",
];

impl Reader<'_> {
    pub(super) fn properties(&mut self) -> Properties {
        let all = self.headers();
        let find = |name: &str| {
            let found = all.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value.clone())
        };
        let format = self.format(find("format").as_deref(), &find);
        let compression = self.compression(find("compress_type").as_deref(), &format);
        let is_csv = matches!(format, BodyFormat::Csv { .. });
        let mut headers = Vec::new();
        for (name, value) in &all {
            let key = format!("{PREFIX}{name}");
            match name.as_str() {
                "format" | "compress_type" | "columns" => {}
                "label" | "two_phase_commit" | "authorization" | "expect" | "content-length"
                | "transfer-encoding" | "content-encoding" | "host" | "connection"
                | "group_commit" | "hidden_columns" | "merge_type" | "delete" => {
                    let message = format!("'{key}' cannot be set: the connector decides about it");
                    self.fault("MR0125", &key, message);
                }
                "enclose" | "escape" if is_csv => {
                    let message =
                        format!("'{key}' is not built: values go into a CSV body as they are");
                    self.fault("MR0126", &key, message);
                }
                "jsonpaths" | "json_root" if format == BodyFormat::Json => {
                    let message = format!(
                        "'{key}' cannot be set: the connector decides how a row stands in JSON"
                    );
                    self.fault("MR0125", &key, message);
                }
                "column_separator" | "line_delimiter" if is_csv => {}
                shape if SHAPE.contains(&shape) || (CSV_SHAPE.contains(&shape) && !is_csv) => {
                    self.notes.push(format!(
                        "'{key}' is without effect: rows go to Doris as {}",
                        match format {
                            BodyFormat::Json => "lines of JSON",
                            BodyFormat::Csv { .. } => "CSV",
                            BodyFormat::Arrow => "Arrow",
                        }
                    ));
                }
                _ => headers.push((name.clone(), value.clone())),
            }
        }
        let is_yes = |name| find(name).is_some_and(|text| text.eq_ignore_ascii_case("true"));
        let mode = find("unique_key_update_mode").unwrap_or_default();
        Properties {
            columns: find("columns"),
            allows_filtered: find("max_filter_ratio")
                .and_then(|text| text.parse::<f64>().ok())
                .is_some_and(|ratio| ratio > 0.0),
            is_partial: is_yes("partial_columns")
                || mode.to_ascii_uppercase().starts_with("UPDATE_"),
            sequence: find("function_column.sequence_col"),
            headers,
            format,
            compression,
        }
    }

    /// Returns all headers by Doris's names.
    fn headers(&mut self) -> Vec<(String, String)> {
        let all: Vec<(String, String)> = self
            .options
            .with_prefix(PREFIX)
            .map(|(name, value)| (name.trim().to_owned(), value.value.trim().to_owned()))
            .collect();
        let mut found: Vec<(String, String)> = Vec::new();
        for (name, value) in all {
            let key = format!("{PREFIX}{name}");
            let lower = match name.to_ascii_lowercase().as_str() {
                "row_delimiter" => "line_delimiter".to_owned(),
                "partial_update" => "partial_columns".to_owned(),
                lower => lower.to_owned(),
            };
            if !is_header(&lower) || value.contains(['\r', '\n']) {
                let message = format!("'{name}' cannot be sent as a header of HTTP");
                self.fault("MR0102", &key, message);
            } else if found
                .iter()
                .any(|(known, other)| *known == lower && *other != value)
            {
                let message = format!("'{key}' says something else than its other name");
                self.fault("MR0125", &key, message);
            } else {
                found.push((lower, value));
            }
        }
        found
    }

    fn format(
        &mut self,
        asked: Option<&str>,
        find: &impl Fn(&str) -> Option<String>,
    ) -> BodyFormat {
        match asked.unwrap_or("json").to_ascii_lowercase().as_str() {
            "json" => BodyFormat::Json,
            "arrow" => BodyFormat::Arrow,
            "csv" => {
                let column = self.separator("column_separator", find, COLUMN_SEPARATOR);
                let line = self.separator("line_delimiter", find, LINE_DELIMITER);
                // With a byte in common, the end of a value and a separator could look like the other one.
                if column.bytes.iter().any(|byte| line.bytes.contains(byte)) {
                    self.contradiction(
                        "sink.properties.column_separator",
                        "sink.properties.line_delimiter",
                        "with a byte in common, nobody could tell columns from rows",
                    );
                }
                BodyFormat::Csv { column, line }
            }
            other => {
                let message =
                    format!("loads in the format '{other}' are not built; json, csv and arrow are");
                self.fault("MR0126", "sink.properties.format", message);
                BodyFormat::Json
            }
        }
    }

    fn separator(
        &mut self,
        name: &str,
        find: &impl Fn(&str) -> Option<String>,
        default: &str,
    ) -> Separator {
        let default = Separator::parse(default).expect("the default is well-formed");
        let Some(text) = find(name) else {
            return default;
        };
        Separator::parse(&text).unwrap_or_else(|| {
            let key = format!("{PREFIX}{name}");
            let message =
                format!("bad value for option '{key}': '{text}' is no separator of UTF-8");
            self.fault("MR0102", &key, message);
            default
        })
    }

    fn compression(&mut self, asked: Option<&str>, format: &BodyFormat) -> Compression {
        let Some(asked) = asked.filter(|text| !text.is_empty()) else {
            return Compression::None;
        };
        let key = "sink.properties.compress_type";
        match asked.to_ascii_lowercase().as_str() {
            _ if *format == BodyFormat::Arrow => {
                self.fault("MR0126", key, "Arrow bodies are sent as they are");
                Compression::None
            }
            "gz" | "gzip" => Compression::Gzip,
            "lz4" => Compression::Lz4,
            other => {
                let message = format!(
                    "bodies packed by '{other}' are not built; gz and lz4 are, and Doris takes no zstd"
                );
                self.fault("MR0126", key, message);
                Compression::None
            }
        }
    }
}

fn is_header(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_are_read_as_doris_reads_them() {
        let bytes = |text: &str| Separator::parse(text).map(|separator| separator.bytes);
        assert_eq!(bytes("\\x02\\x0a"), Some(b"\x02\n".to_vec()));
        assert_eq!(bytes("||"), Some(b"||".to_vec()));
        assert_eq!(bytes("\\t"), Some(b"\t".to_vec()));
        assert_eq!(bytes("你"), Some("你".as_bytes().to_vec()));
        assert_eq!(bytes(""), None);
        assert_eq!(bytes("\\xzz"), None);
        assert_eq!(bytes("\\xff"), None);
        assert_eq!(bytes("\\x0"), Some(b"\\x0".to_vec()));
    }
}
